"""The trainers, against NumPy with derivatives by hand, scikit-learn and each other."""

import functools
import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

from labhelpers import descent, linalg, training
from labhelpers.training import factorise, train_autoencoder, train_mlp
from tests.labhelpers import oracles

law = settings(deadline=None, derandomize=True, database=None, max_examples=40)


def randn(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


MATRIX = randn(9, 5)
DATA = randn(3, 20, 4, seed=1)  # three runs
TARGETS = torch.arange(60).reshape(3, 20) % 7 % 3
Z = randn(8, 12, seed=2)

# Each trainer with everything but seed, start, runs and lr; and its parameters' shapes.
TRAINERS = {
    "factorise": (
        lambda **o: factorise(MATRIX, 2, num_epochs=30, **o),
        [(9, 2), (5, 2)],
    ),
    "scaled": (
        lambda **o: factorise(MATRIX, 2, num_epochs=30, scaled=True, **o),
        [(9, 2), (5, 2)],
    ),
    "mlp": (
        lambda **o: train_mlp(DATA[0], TARGETS[0], hidden=6, num_epochs=30, **o),
        [(4, 6), (6,), (6, 3), (3,)],
    ),
    "mlp, scalar": (
        lambda **o: train_mlp(
            DATA[0], TARGETS[0], hidden=6, num_epochs=30, bias="scalar", **o
        ),
        [(4, 6), (1,), (6, 3), (1,)],
    ),
    "autoencoder": (
        lambda lr=0.01, **o: train_autoencoder(Z, 3, num_epochs=30, lr=lr, **o),
        [(8, 3), (3, 8)],
    ),
}
every_trainer = pytest.mark.parametrize(
    ("train", "shapes"), TRAINERS.values(), ids=TRAINERS
)


def drawn(shapes, *runs, seed=5):
    return tuple(
        randn(*runs, *shape, seed=seed + i) / 2 for i, shape in enumerate(shapes)
    )


def assert_run_of_batch(batch, run, alone, rtol=1e-9):
    """Run number ``run`` of a batch is the same as the run alone."""
    assert type(batch) is type(alone)
    for name, many, one in zip(batch._fields, batch, alone):
        many = many[:, run] if name == "losses" else many[run]
        torch.testing.assert_close(many, one, rtol=rtol, atol=1e-12, equal_nan=True)


# --- Results -------------------------------------------------------------------------


@every_trainer
@pytest.mark.parametrize("runs", [None, 1, 3])
def test_results_have_their_shapes(train, shapes, runs):
    result = train(seed=0, runs=runs)
    axis = () if runs is None else (runs,)
    assert [tuple(t.shape) for t in result] == [
        *((*axis, *shape) for shape in shapes),
        (31, *axis),
        axis,
    ]
    assert len(result.params) == len(shapes)
    assert all(p is q for p, q in zip(result.params, result))
    assert not any(t.requires_grad for t in result)
    assert not result.diverged.any()
    assert (result.losses[-1] < result.losses[0]).all()


@every_trainer
def test_the_same_seed_gives_the_same_run(train, shapes):
    one, two, other = train(seed=3), train(seed=3), train(seed=4)
    assert all(torch.equal(p, q) for p, q in zip(one, two))
    assert not torch.equal(one[0], other[0])


@every_trainer
def test_training_leaves_no_trace_of_itself(train, shapes):
    start = drawn(shapes)
    inputs = [MATRIX, DATA, TARGETS, Z, *start]
    before = [t.clone() for t in inputs]
    torch.rand(1)  # no seed alone gives the state after this
    state, default = torch.get_rng_state(), torch.get_default_dtype()
    train(start=start)
    train(seed=0, runs=2)
    assert all(torch.equal(t, was) for t, was in zip(inputs, before))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == default


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_of_the_data_is_kept(dtype):
    matrix, data = MATRIX.to(dtype), DATA[0].to(dtype)
    results = [
        factorise(matrix, 2, num_epochs=2, seed=0),
        factorise(matrix, 2, num_epochs=2, seed=0, scaled=True, lr=[0.1, 0.2]),
        train_mlp(data, TARGETS[0], num_epochs=2, seed=0),
        train_autoencoder(matrix, 2, num_epochs=2, lr=0.01, seed=0, runs=2),
    ]
    for result in results:
        assert {t.dtype for t in result[:-1]} == {dtype}


def test_single_precision_starts_at_the_double_start():
    single = factorise(MATRIX.float(), 2, num_epochs=1, lr=1e-30, seed=7)
    double = factorise(MATRIX, 2, num_epochs=1, lr=1e-300, seed=7)
    assert torch.equal(single.U, double.U.float())
    assert torch.equal(single.V, double.V.float())


# --- Batches -------------------------------------------------------------------------


@every_trainer
def test_run_i_has_the_seed_plus_i(train, shapes):
    batch = train(seed=11, runs=4)
    for run in range(4):
        assert_run_of_batch(batch, run, train(seed=11 + run))


@every_trainer
def test_rates_share_one_start(train, shapes):
    rates = [0.001, 0.02, 0.005]
    batch = train(seed=11, lr=torch.tensor(rates))
    assert torch.equal(batch.losses[0], batch.losses[0, :1].expand(3))
    for run, lr in enumerate(rates):
        assert_run_of_batch(batch, run, train(seed=11, lr=lr), rtol=1e-5)


@every_trainer
def test_each_run_has_its_rate(train, shapes):
    rates = [0.001, 0.02, 0.005]
    batch = train(seed=11, runs=3, lr=rates)
    for run, lr in enumerate(rates):
        assert_run_of_batch(batch, run, train(seed=11 + run, lr=lr))


@every_trainer
def test_a_start_may_be_given(train, shapes):
    start = drawn(shapes, 3)
    first = [p[1] for p in start]
    batch = train(start=start)
    assert_run_of_batch(batch, 1, train(start=first))
    assert_run_of_batch(batch, 1, train(start=tuple(first)))
    sweep = train(start=first, lr=[0.01, 0.02])
    assert_run_of_batch(sweep, 1, train(start=first, lr=0.02))
    both = train(start=start, runs=3, lr=[0.01, 0.02, 0.03])
    assert_run_of_batch(both, 1, train(start=first, lr=0.02))


@every_trainer
def test_training_goes_on_where_it_stopped(train, shapes):
    half = train(seed=1)
    whole = train(start=half.params)
    torch.testing.assert_close(whole.losses[0], half.losses[-1])


@every_trainer
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e200])
def test_a_bad_start_diverges_alone(train, shapes, bad):
    start = drawn(shapes, 3)
    wild = [p.clone() for p in start]
    for p in wild:
        p[1] = bad
    result, tame = train(start=wild), train(start=start)
    assert result.diverged.tolist() == [False, True, False]
    for name, p, q in zip(result._fields, result, tame):
        p, q = (p.T, q.T) if name == "losses" else (p, q)
        assert torch.equal(p[[0, 2]], q[[0, 2]])


def test_each_run_may_have_its_own_rows():
    batch = train_mlp(DATA, TARGETS, num_epochs=30, seed=2)
    assert torch.equal(
        train_mlp(DATA, TARGETS, seed=2, num_epochs=30, runs=3)[0], batch[0]
    )
    for run in range(3):
        alone = train_mlp(DATA[run], TARGETS[run], num_epochs=30, seed=2 + run)
        assert_run_of_batch(batch, run, alone)


def test_runs_may_share_their_targets():
    batch = train_mlp(DATA, TARGETS[0], num_epochs=30, seed=2, lr=[0.01, 0.1, 1.0])
    alone = train_mlp(DATA[2], TARGETS[0], num_epochs=30, seed=4, lr=1.0)
    assert_run_of_batch(batch, 2, alone)


# --- The second route ----------------------------------------------------------------


def assert_equals_oracle(result, oracle):
    for ours, other in zip(result, oracle):
        np.testing.assert_allclose(ours, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("runs", [(), (3,)])
def test_factorise_is_the_loop_by_hand(runs):
    U, V = drawn([(9, 2), (5, 2)], *runs)
    wanted = oracles.factorise(MATRIX.numpy(), U.numpy(), V.numpy(), lr=0.01, steps=60)
    result = factorise(MATRIX, 2, num_epochs=60, start=(U, V))
    assert_equals_oracle(result, wanted)


@pytest.mark.parametrize("runs", [(), (3,)])
def test_train_autoencoder_is_the_loop_by_hand(runs):
    A, B = drawn([(8, 3), (3, 8)], *runs)
    wanted = oracles.autoencode(Z.numpy(), A.numpy(), B.numpy(), lr=0.005, steps=60)
    result = train_autoencoder(Z, 3, num_epochs=60, lr=0.005, start=(A, B))
    assert_equals_oracle(result, wanted)


@pytest.mark.parametrize("bias", ["vector", "scalar"])
@pytest.mark.parametrize("runs", [(), (3,)])
def test_train_mlp_is_back_propagation_by_hand(runs, bias):
    widths = [(6,), (3,)] if bias == "vector" else [(1,), (1,)]
    start = drawn([(4, 6), widths[0], (6, 3), widths[1]], *runs)
    data, targets = (DATA, TARGETS) if runs else (DATA[0], TARGETS[0])
    wanted = oracles.mlp(
        data.numpy(), targets.numpy(), *(p.numpy() for p in start), lr=0.1, steps=60
    )
    result = train_mlp(
        data, targets, hidden=6, num_epochs=60, lr=0.1, bias=bias, start=start
    )
    assert_equals_oracle(result, wanted)


def test_scaled_descent_is_the_loop_by_hand():
    A = MATRIX.numpy()
    U, V = start = [p.numpy() for p in drawn([(9, 2), (5, 2)])]
    for _ in range(25):
        dU, dV = 2 * (U @ V.T - A) @ V, 2 * (U @ V.T - A).T @ U
        U, V = (
            U - 0.25 * np.linalg.solve(V.T @ V, dU.T).T,
            V - 0.25 * np.linalg.solve(U.T @ U, dV.T).T,
        )
    result = factorise(
        MATRIX,
        2,
        num_epochs=25,
        lr=0.25,
        scaled=True,
        start=list(map(torch.tensor, start)),
    )
    assert_equals_oracle(result, (U, V))


def test_default_starts_are_as_documented():
    rate = {"num_epochs": 1, "lr": 1e-300, "seed": 0, "runs": 400}
    U, V = factorise(MATRIX, 2, **rate).params
    for p in U, V:
        assert 0 <= p.min() < 0.01
        assert 0.99 < p.max() < 1
    W1, b1, W2, b2 = train_mlp(DATA[0], TARGETS[0], **rate).params
    assert W1.shape[1:] == (4, 12)
    for W in W1, W2:
        assert W.mean().item() == pytest.approx(0, abs=0.03)
        assert W.std().item() == pytest.approx(1, abs=0.03)
    assert max(b1.abs().max(), b2.abs().max()) < 1e-290
    for scale, std in [(None, 1 / 3), (0.02, 0.02), (2, 2)]:
        A, B = train_autoencoder(Z, 3, init_scale=scale, **rate).params
        assert A.std().item() == pytest.approx(std, rel=0.03)
        assert B.std().item() == pytest.approx(std, rel=0.03)


def test_a_start_is_drawn_in_the_order_of_the_parameters():
    rate = {"num_epochs": 1, "lr": 1e-300, "seed": 3}
    uniform, normal = descent.uniform, descent.normal
    third = functools.partial(normal, std=1 / 3)
    runs = [
        (factorise(MATRIX, 2, **rate), uniform, [(9, 2), (5, 2)]),
        (train_mlp(DATA[0], TARGETS[0], **rate), normal, [(4, 12), (12, 3)]),
        (train_autoencoder(Z, 3, **rate), third, [(8, 3), (3, 8)]),
    ]
    for run, draw, shapes in runs:
        g = torch.Generator().manual_seed(3)
        weights = [p for p in run.params if p.ndim == 2]
        for weight, shape in zip(weights, shapes, strict=True):
            assert torch.equal(weight, draw(*shape, generator=g))


def test_a_drawn_start_goes_where_the_data_are():
    """To the device ``meta``, where tensors have a shape and no content."""
    data = torch.ones(3, 2, device="meta")
    run = {"seed": 0, "start": None, "runs": 2, "lr": 0.1}
    [p] = training._start(
        lambda g: [descent.normal(3, 2, generator=g)], data, [(3, 2)], **run
    )
    assert p.device == data.device
    assert p.dtype == data.dtype
    assert p.shape == (2, 3, 2)


def test_what_is_not_said_is_as_in_the_labs():
    def same(short, long):
        return all(torch.equal(a, b) for a, b in zip(short, long, strict=True))

    long = factorise(MATRIX, 2, num_epochs=1000, lr=0.01, scaled=False, seed=3)
    assert same(factorise(MATRIX, 2, seed=3), long)
    rows, options = (DATA[0], TARGETS[0]), {"hidden": 12, "bias": "vector"}
    long = train_mlp(*rows, num_epochs=100, lr=0.01, seed=3, **options)
    assert same(train_mlp(*rows, seed=3), long)


# --- Losses --------------------------------------------------------------------------


@law
@given(st.integers(0, 10**6), st.floats(0.01, 100))
def test_cross_entropy_is_torchs_and_scikit_learns(seed, scale):
    logits, targets = scale * randn(12, 3, seed=seed), torch.arange(12) % 3
    found = training.cross_entropy(logits, targets)
    torch.testing.assert_close(
        found, torch.nn.functional.cross_entropy(logits, targets)
    )
    shares = logits.softmax(dim=-1).numpy().clip(1e-300)
    if shares.min() > 1e-12:
        assert found.item() == pytest.approx(log_loss(targets, shares), rel=1e-9)


def test_cross_entropy_of_huge_logits_is_finite():
    logits = torch.tensor([[1e30, 0.0, -1e30]], dtype=torch.float64)
    assert training.cross_entropy(logits, torch.tensor([0])).item() == 0
    assert training.cross_entropy(logits, torch.tensor([1])).item() == 1e30


@law
@given(st.integers(0, 10**6))
def test_accuracy_is_scikit_learns(seed):
    logits, targets = randn(2, 12, 3, seed=seed), torch.arange(12) % 3
    found = training.accuracy(logits, targets)
    assert found.shape == (2,)
    assert found.dtype == torch.float64
    for run in range(2):
        wanted = accuracy_score(targets, logits[run].argmax(dim=-1))
        assert found[run].item() == pytest.approx(wanted)


def test_losses_and_accuracy_are_one_per_run():
    logits, targets = randn(3, 20, 3), TARGETS
    for function in training.cross_entropy, training.accuracy:
        for own in targets, targets[0]:
            found = function(logits, own)
            alone = [function(logits[i], own.expand(3, 20)[i]) for i in range(3)]
            torch.testing.assert_close(found, torch.stack(alone))


def test_logits_are_two_layers_with_relu():
    W1, b1, W2, b2 = drawn([(4, 6), (6,), (6, 3), (3,)])
    network = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)
    ).double()
    state = {"0.weight": W1.T, "0.bias": b1, "2.weight": W2.T, "2.bias": b2}
    network.load_state_dict(state)
    found = training.mlp_logits(DATA[0], W1, b1, W2, b2)
    torch.testing.assert_close(found, network(DATA[0]).detach())


def test_sums_of_squares_are_norms():
    U, V = drawn([(9, 2), (5, 2)])
    wanted = np.linalg.norm(MATRIX - U @ V.T) ** 2
    assert training.factorisation_loss(U, V, MATRIX).item() == pytest.approx(wanted)
    A, B = drawn([(8, 3), (3, 8)])
    wanted = np.linalg.norm(Z - A @ B @ Z) ** 2 / 2
    assert training.autoencoder_loss(A, B, Z).item() == pytest.approx(wanted)


@pytest.mark.parametrize("seed", range(3))
def test_a_scalar_output_bias_has_no_gradient(seed):
    """Softmax ignores a number that is added to all classes."""
    W1, b1, W2, b2 = drawn([(4, 6), (1,), (6, 3), (1,)], seed=seed)
    for p in b1, b2:
        p.requires_grad_()
    logits = training.mlp_logits(DATA[0], W1, b1, W2, b2)
    training.cross_entropy(logits, TARGETS[0]).backward()
    assert abs(b2.grad.item()) < 1e-15
    assert abs(b1.grad.item()) > 1e-3


# --- What descent cannot beat --------------------------------------------------------


@law
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_no_training_goes_below_the_floor(seed, rank):
    A = randn(5, 4, seed=seed)
    floor = linalg.eckart_young_floor(A, rank)
    plain = factorise(A, rank, num_epochs=50, seed=seed)
    scaled = factorise(A, rank, num_epochs=50, lr=0.25, scaled=True, seed=seed)
    coded = train_autoencoder(A, rank, num_epochs=50, lr=0.01, seed=seed)
    for losses, least in [
        (plain.losses, floor),
        (scaled.losses, floor),
        (coded.losses, floor / 2),
    ]:
        assert losses.nan_to_num(nan=torch.inf).min() >= least * (1 - 1e-12)


@pytest.mark.parametrize("stretch", [[1, 1, 1, 1, 1], [1e4, 1e2, 1, 0.1, 0.01]])
def test_scaled_descent_is_as_fast_however_stretched_the_matrix(stretch):
    A = randn(9, 5) * torch.tensor(stretch, dtype=torch.float64)
    U, s, Vt = linalg.truncated_svd(A, 3)
    start = [torch.tensor(U * s**0.5), torch.tensor(Vt.T * s**0.5)]
    start = [p * (1 + randn(*p.shape) / 10) for p in start]
    scaled = factorise(A, 3, num_epochs=60, lr=0.25, scaled=True, start=start)
    floor = linalg.eckart_young_floor(A, 3)
    assert scaled.losses[0] > 1.01 * floor
    assert scaled.losses[-1].item() == pytest.approx(floor, rel=1e-8)


@pytest.mark.parametrize("value", [0.0, 1.0])  # UᵀU is zero, or of rank 1
def test_scaled_descent_from_a_singular_start_diverges_alone(value):
    start = drawn([(9, 2), (5, 2)], 3)
    for p in start:
        p[1] = value
    result = factorise(MATRIX, 2, num_epochs=20, lr=0.25, scaled=True, start=start)
    assert result.diverged.tolist() == [False, True, False]
    alone = factorise(
        MATRIX, 2, num_epochs=20, lr=0.25, scaled=True, start=[p[1] for p in start]
    )
    assert alone.diverged


# --- Arguments -----------------------------------------------------------------------


@pytest.mark.parametrize("room", [descent, linalg, training])
def test_options_are_given_by_name(room):
    for name, function in inspect.getmembers(room, inspect.isfunction):
        if function.__module__ != room.__name__:
            continue
        for option in inspect.signature(function).parameters.values():
            by_name = option.kind is option.KEYWORD_ONLY
            assert by_name or option.default is option.empty, (name, option.name)


WHOLE = "a whole number, at least 1"
RATE = "lr must be positive and finite, a number or one per run, got "
FACTORISE = {"A": MATRIX, "rank": 2, "num_epochs": 2, "seed": 0}
MLP = {"data": DATA[0], "targets": TARGETS[0], "num_epochs": 2, "seed": 0}
AUTOENCODER = {"z": Z, "k": 3, "num_epochs": 2, "lr": 0.01, "seed": 0}
BASES = [
    (factorise, FACTORISE, drawn([(9, 2), (5, 2)])),
    (train_mlp, MLP, drawn([(4, 12), (12,), (12, 3), (3,)])),
    (train_autoencoder, AUTOENCODER, drawn([(8, 3), (3, 8)])),
]
every_base = pytest.mark.parametrize(
    ("train", "good", "start"), BASES, ids=["factorise", "mlp", "autoencoder"]
)


def refused(train, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        train(**arguments)


@every_base
@pytest.mark.parametrize("argument", ["runs", "count", "size"])
@pytest.mark.parametrize("value", [0, -1, 2.0, True, "2", float("nan")])
def test_counts_are_whole_numbers_from_1(train, good, start, argument, value):
    names = {
        factorise: {"count": "num_epochs", "size": "rank"},
        train_mlp: {"count": "num_epochs", "size": "hidden"},
        train_autoencoder: {"count": "num_epochs", "size": "k"},
    }[train]
    name = names.get(argument, argument)
    message = f"{name} must be {WHOLE}.*, got {value!r}$"
    refused(train, good | {name: value}, message)
    if name == "runs":
        refused(train, good | {"seed": None, "start": start, name: value}, message)


@pytest.mark.parametrize("value", [6, 100])
def test_a_rank_may_not_exceed_the_shorter_side(value):
    message = f"rank must be {WHOLE} and at most 5, got {value}"
    refused(factorise, FACTORISE | {"rank": value}, message)
    refused(factorise, FACTORISE | {"A": MATRIX.T, "rank": value}, message)


def test_hidden_units_may_not_exceed_the_rows():
    message = f"k must be {WHOLE} and at most 8, got 9"
    refused(train_autoencoder, AUTOENCODER | {"k": 9}, message)
    train_autoencoder(**AUTOENCODER | {"k": 8})


@every_base
@pytest.mark.parametrize(
    "lr", [0, -0.1, float("nan"), float("inf"), None, "0.1", [], [0.1, -0.1], [0.1, 0]]
)
def test_rates_are_positive_numbers(train, good, start, lr):
    with pytest.raises(ValueError, match=f"^{RATE}") as caught:
        train(**good | {"lr": lr})
    assert str(caught.value).endswith(f"got {lr!r}")


@every_base
def test_there_are_as_many_rates_as_runs(train, good, start):
    message = r"lr must be a number or of shape \(3,\), got shape \(2,\)"
    refused(train, good | {"runs": 3, "lr": [0.1, 0.2]}, message)
    many = [p.expand(3, *p.shape) for p in start]
    refused(train, good | {"seed": None, "start": many, "lr": [0.1, 0.2]}, message)
    refused(train, good | {"lr": [[0.1, 0.2]]}, "lr must be a number, got shape")


@every_base
@pytest.mark.parametrize("seed", [-1, 0.5, "0", True])
def test_seeds_are_whole_numbers_from_0(train, good, start, seed):
    message = f"seed must be a whole number, at least 0 and at most .* got {seed!r}"
    refused(train, good | {"seed": seed}, message)


@every_base
def test_either_seed_or_start(train, good, start):
    refused(train, good | {"start": start}, "seed must be left out where a start is")
    message = "seed must be a whole number, at least 0 and at most .* got None"
    refused(train, good | {"seed": None}, message)


@every_base
def test_starts_that_do_not_fit_are_refused(train, good, start):
    def check(start, message, **more):
        refused(train, good | more | {"seed": None, "start": start}, message)

    first, *rest = start
    count, shape = len(start), r"\({}\)".format(", ".join(map(str, first.shape)))
    check(rest, f"start must be {count} tensors, got {count - 1} of them")
    check(5, f"start must be {count} tensors, got int")
    check([p.tolist() for p in start], "start must be a torch.Tensor, got list")
    check([p.numpy() for p in start], "start must be a torch.Tensor, got ndarray")
    check([first[:-1], *rest], rf"start must be of shape {shape}, got shape \(")
    check([first[None], *rest], r"start must be of shape \(1, .*, got shape \(")
    check([p[None, None] for p in start], r"start must be of shape \(1, .*got shape \(")
    check([p.float() for p in start], "start must be of dtype torch.float64, got dty")
    check(
        [first.int(), *rest], "start must be of dtype float32 or float64, got torch.i"
    )
    check([first.to("meta"), *rest], "start must be of device cpu, got device meta")
    check(start, r"start must be of shape \(2, .*, got shape \(", runs=2)
    three = [p.expand(3, *p.shape) for p in start]
    check(three, r"start must be of shape \(2, .*, got shape \(3, ", runs=2)


@every_base
@pytest.mark.parametrize("ndim", [0, 1, 4])
def test_data_of_a_wrong_shape_are_refused(train, good, start, ndim):
    name = next(iter(good))
    axes = "2 or 3" if train is train_mlp else "2"
    message = rf"{name} must be a tensor of {axes} axes, got shape \("
    refused(train, good | {name: torch.ones([3] * ndim)}, message)


@every_base
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.int(), "of dtype float32 or float64, got torch.int32"),
        (lambda t: t.bool(), "of dtype float32 or float64, got torch.bool"),
        (
            lambda t: t.to(torch.complex64),
            "of dtype float32 or float64, got torch.comp",
        ),
        (lambda t: t.numpy(), "a torch.Tensor, got ndarray"),
        (lambda t: t.tolist(), "a torch.Tensor, got list"),
        (lambda t: None, "a torch.Tensor, got NoneType"),
        (lambda t: t[:0], r"non-empty, got shape \(0, "),
        (lambda t: t[:, :0], r"non-empty, got shape \(.*, 0\)"),
        (lambda t: t.log(), "finite everywhere, got NaN or infinity in it"),
        (lambda t: t / 0, "finite everywhere, got NaN or infinity in it"),
    ],
)
def test_data_that_are_no_finite_numbers_are_refused(
    train, good, start, change, message
):
    name = next(iter(good))
    refused(train, good | {name: change(good[name])}, f"{name} must be {message}")


@law
@given(st.data())
def test_one_bad_entry_is_enough(data):
    train, good, _ = data.draw(st.sampled_from(BASES))
    name = next(iter(good))
    bad = good[name].clone()
    entry = data.draw(st.integers(0, bad.numel() - 1))
    bad.view(-1)[entry] = data.draw(st.sampled_from([torch.nan, torch.inf, -torch.inf]))
    refused(train, good | {name: bad}, f"{name} must be finite everywhere")


@law
@given(st.integers(-3, 12), st.integers(1, 5), st.integers(1, 5))
def test_exactly_the_ranks_from_1_to_the_shorter_side_are_allowed(rank, m, n):
    arguments = {"A": randn(m, n), "rank": rank, "num_epochs": 1, "seed": 0}
    if 1 <= rank <= min(m, n):
        assert factorise(**arguments).U.shape == (m, rank)
    else:
        message = f"rank must be {WHOLE} and at most {min(m, n)}, got {rank}$"
        refused(factorise, arguments, message)


@law
@given(st.data(), st.floats(allow_nan=True, allow_infinity=True, width=32))
def test_exactly_the_positive_finite_rates_are_allowed(data, lr):
    train, good, _ = data.draw(st.sampled_from(BASES))
    if 0 < lr < float("inf"):
        assert train(**good | {"lr": lr}).losses.shape == (3,)
    else:
        refused(train, good | {"lr": lr}, RATE)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (TARGETS[0].int(), "a torch.Tensor of dtype int64, got torch.int32"),
        (TARGETS[0].double(), "a torch.Tensor of dtype int64, got torch.float64"),
        (TARGETS[0].numpy(), "a torch.Tensor of dtype int64, got ndarray"),
        (TARGETS[0].tolist(), "a torch.Tensor of dtype int64, got list"),
        (TARGETS[0, :5], r"of shape \(20,\), got shape \(5,\)"),
        (TARGETS[0, :, None], r"of shape \(20,\), got shape \(20, 1\)"),
        (TARGETS, r"of shape \(20,\), got shape \(3, 20\)"),
        (TARGETS[0].to("meta"), "on cpu, got device meta"),
        (TARGETS[0] - 1, "classes from 0 to 9999999, got -1 to 1"),
        (TARGETS[0] * 0, "of at least two classes, got a single class"),
    ],
)
def test_bad_targets_are_refused(targets, message):
    refused(train_mlp, MLP | {"targets": targets}, f"targets must be {message}")


def test_targets_beyond_the_classes_of_the_start_are_refused():
    more = {"seed": None, "start": BASES[1][2], "targets": TARGETS[0] + 1}
    message = r"start must be of shape \(12, 4\), got shape \(12, 3\)"
    refused(train_mlp, MLP | more, message)


def test_targets_of_each_run_fit_its_rows():
    message = r"targets must be of shape \(3, 20\), got shape \(2, 20\)"
    refused(train_mlp, MLP | {"data": DATA, "targets": TARGETS[:2]}, message)


def test_runs_and_rates_may_not_contradict_the_data():
    split = MLP | {"data": DATA, "targets": TARGETS}
    refused(train_mlp, split | {"runs": 2}, "runs must be 3, as data has, got 2")
    message = r"lr must be a number or of shape \(3,\), got shape \(2,\)"
    refused(train_mlp, split | {"lr": [0.1, 0.2]}, message)
    message = r"start must be of shape \(3, 4, 12\), got shape \(4, 12\)"
    refused(train_mlp, split | {"seed": None, "start": BASES[1][2]}, message)


@pytest.mark.parametrize("bias", ["none", None, 1, ["vector"]])
def test_a_bias_is_a_vector_or_a_scalar(bias):
    refused(train_mlp, MLP | {"bias": bias}, 'bias must be "vector" or "scalar", got')


@pytest.mark.parametrize("scale", [-1, float("nan"), float("inf")])
def test_a_start_has_a_finite_deviation(scale):
    message = f"init_scale must be a number from 0 to .* got {scale}"
    refused(train_autoencoder, AUTOENCODER | {"init_scale": scale}, message)


@every_trainer
@pytest.mark.parametrize("runs", [None, 2])
def test_an_interrupted_training_has_its_shapes_and_fewer_losses(
    train, shapes, runs, monkeypatch
):
    whole = train(seed=5, runs=runs, lr=0.001)

    def impatient(loss_fn, *arguments, **knobs):
        calls = iter([False] * 13 + [True])  # the first is for its shape

        def loss(*params):
            if next(calls, False):
                raise KeyboardInterrupt
            return loss_fn(*params)

        return descent.descend(loss, *arguments, **knobs)

    monkeypatch.setattr(training, "descend", impatient)
    stopped = train(seed=5, runs=runs, lr=0.001)
    assert torch.equal(stopped.losses, whole.losses[:13])
    before = [] if runs is None else [runs]
    assert [list(p.shape) for p in stopped.params] == [[*before, *s] for s in shapes]
    assert stopped.diverged.shape == tuple(before)
