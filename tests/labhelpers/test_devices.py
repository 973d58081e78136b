"""Whatever takes a tensor works on its device and in its dtype.

``device`` is every device there is. On ``meta``, where tensors have a shape and no
numbers, a tensor left on the CPU is noticed on machines without any other device.
"""

import numpy as np
import pytest
import torch

from labhelpers import descent, linalg, training

DTYPES = [torch.float32, torch.float64]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def randn(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


MATRIX, LABELS = randn(9, 5), torch.arange(9) % 3
TRAINERS = {
    "factorise": lambda A, y, **o: training.factorise(A, 2, num_epochs=3, **o),
    "scaled": lambda A, y, **o: training.factorise(
        A, 2, num_epochs=3, scaled=True, **o
    ),
    "mlp": lambda A, y, **o: training.train_mlp(A, y, num_epochs=3, **o),
    "scalar": lambda A, y, **o: training.train_mlp(
        A, y, num_epochs=3, bias="scalar", **o
    ),
    "autoencoder": lambda A, y, **o: training.train_autoencoder(
        A, 2, num_epochs=3, **o
    ),
}
OPTIONS = {
    "one": {"lr": 0.01},
    "runs": {"lr": 0.01, "runs": 4},
    "rates": {"lr": [0.01, 0.02]},
    "rate for each": {"lr": torch.tensor([0.01, 0.02]), "runs": 2},
}
every_trainer = pytest.mark.parametrize("train", TRAINERS.values(), ids=TRAINERS)
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def place(result):
    return {(t.device.type, t.dtype) for t in result if t.dtype != torch.bool}


@every_trainer
@every_option
@every_dtype
def test_trainers_stay_on_the_device_of_the_data(train, options, dtype, device):
    A, y = MATRIX.to(device, dtype), LABELS.to(device)
    found, on_cpu = (
        train(A, y, seed=3, **options),
        train(A.cpu(), LABELS, seed=3, **options),
    )
    assert place(found) == {(device.type, dtype)}
    assert found.diverged.device == A.device
    rates = torch.as_tensor(options["lr"], device=device, dtype=torch.float64)
    again = train(A, y, seed=3, **options | {"lr": rates})
    for one, other, same in zip(found, on_cpu, again):
        torch.testing.assert_close(one.cpu(), other, rtol=1e-3, atol=1e-4)
        assert torch.equal(one, same)


@every_trainer
@every_option
@every_dtype
def test_trainers_mix_in_no_tensor_of_another_device(
    train, options, dtype, monkeypatch
):
    monkeypatch.setattr(training, "require_finite", lambda *_, **__: None)
    monkeypatch.setattr(training, "require_targets", lambda *_: 3)
    A = torch.ones(3, 3, device="meta", dtype=dtype)
    y = torch.zeros(3, device="meta", dtype=torch.int64)
    found = train(A, y, seed=0, **options)
    assert place(found) == {("meta", dtype)}


@every_dtype
def test_a_start_is_drawn_alike_for_every_device(dtype, device):
    A, rest = MATRIX.to(device, dtype), {"num_epochs": 1, "lr": 1e-37, "seed": 5}
    found = training.factorise(A, 2, **rest)
    wanted = training.factorise(MATRIX, 2, **rest)
    for one, other in zip(found.params, wanted.params):
        assert torch.equal(one.cpu(), other.to(dtype))


def saddle(x, Y):
    return (x**2).sum() - 3 * (Y**2).sum() + (x[0] * Y[0, 0]) ** 2


@every_dtype
def test_sharpness_stays_on_the_device_of_the_point(dtype, device):
    point = [randn(3).to(device, dtype), randn(2, 2).to(device, dtype)]
    found = descent.sharpness(saddle, point)
    on_cpu = descent.sharpness(saddle, [p.cpu() for p in point])
    assert place(found.direction) == {(device.type, dtype)}
    assert found.converged
    assert found.value == pytest.approx(on_cpu.value, rel=1e-3)


def test_sharpness_mixes_in_no_tensor_of_another_device(monkeypatch):
    point = [torch.ones(3, device="meta"), torch.ones(2, 2, device="meta")]
    with pytest.raises(ValueError, match="^params must be tensors with numbers, got"):
        descent.sharpness(saddle, point)
    monkeypatch.setattr(descent, "require", lambda *_: None)
    monkeypatch.setattr(descent, "_dot", lambda u, v: 1.0)
    found = descent.sharpness(saddle, point, max_iterations=3)
    assert place(found.direction) == {("meta", torch.float32)}


@every_dtype
@pytest.mark.parametrize("runs", [(), (4,)])
def test_descent_needs_no_numbers(dtype, runs):
    start = [torch.ones(*runs, 3, device="meta", dtype=dtype) for _ in range(2)]

    def loss(x, y):
        return (x * y).sum(dim=-1)

    lr = torch.full(runs, 0.1)
    found = descent.descend(loss, start, lr=lr, steps=3)
    assert place([*found.params, found.losses]) == {("meta", dtype)}
    assert found.losses.shape == (4, *runs)


@every_dtype
@pytest.mark.parametrize("runs", [(), (4,)])
def test_losses_need_no_numbers(dtype, runs):
    def meta(*shape):
        return torch.ones(*shape, device="meta", dtype=dtype)

    net = meta(*runs, 5, 6), meta(*runs, 6), meta(*runs, 6, 3), meta(*runs, 1)
    logits = training.mlp_logits(meta(9, 5), *net)
    assert logits.shape == (*runs, 9, 3)
    targets = torch.zeros(9, device="meta", dtype=torch.int64)
    U, V = meta(*runs, 9, 2), meta(*runs, 5, 2)
    found = [
        training.cross_entropy(logits, targets),
        training.factorisation_loss(U, V, meta(9, 5)),
        training.autoencoder_loss(V, V.mT, meta(5, 7)),
    ]
    assert {loss.shape for loss in found} == {runs}
    assert place([logits, *found]) == {("meta", dtype)}
    assert training.accuracy(logits, targets).shape == runs
    with pytest.raises(ValueError, match="^targets must be on meta, got device cpu"):
        training.cross_entropy(logits, torch.zeros(9, dtype=torch.int64))


@pytest.mark.parametrize("grown", [False, True])
@every_dtype
def test_exact_answers_take_tensors_from_everywhere(grown, dtype, device):
    X, Y = randn(6, 3).to(dtype), randn(6, 3, seed=1).to(dtype)
    there = [t.clone().to(device).requires_grad_(grown) for t in (X, Y)]
    for f in linalg.best_linear_map, linalg.best_orthogonal_map:
        found, wanted = f(*there), f(X.numpy(), Y.numpy())
        np.testing.assert_array_equal(found.matrix, wanted.matrix)
    moment = linalg.second_moment(there[0])
    np.testing.assert_array_equal(moment, linalg.second_moment(X.numpy()))
    for value in linalg.principal_components(moment, 2):
        assert isinstance(value, np.ndarray)
