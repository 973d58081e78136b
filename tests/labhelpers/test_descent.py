"""The one loop, the curvature and the starts."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labhelpers import training
from labhelpers.descent import (
    descend,
    draw_start,
    normal,
    sharpness,
    uniform,
)
from tests import ROOT

law = settings(deadline=None, derandomize=True, database=None, max_examples=40)
DTYPES = [torch.float32, torch.float64]


def randn(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def quartic(x, y):
    """Two parameters, one loss per run where they have an axis of runs."""
    return (x**4).sum(dim=-1) / 4 + (x * y).sum(dim=-1) ** 2 / 2 + (y**2).sum(dim=-1)


def quartic_gradients(x, y):
    inner = (x * y).sum(axis=-1, keepdims=True)
    return x**3 + inner * y, inner * x + 2 * y


def close(one, other, rtol=1e-12):
    torch.testing.assert_close(one, other, rtol=rtol, atol=1e-13, equal_nan=True)


# --- Descend: one run ----------------------------------------------------------------


@law
@given(st.floats(0.1, 3), st.floats(0.01, 0.5), st.floats(-5, 5), st.integers(1, 30))
def test_a_parabola_shrinks_by_a_constant_factor(curvature, lr, start, steps):
    x0 = torch.tensor(start, dtype=torch.float64)
    trace = descend(lambda x: curvature / 2 * x**2, [x0], lr=lr, steps=steps)
    path = start * (1 - lr * curvature) ** np.arange(steps + 1)
    assert trace.params[0].item() == pytest.approx(path[-1], abs=1e-12)
    np.testing.assert_allclose(trace.losses, curvature / 2 * path**2, atol=1e-12)


def test_descent_is_the_plain_loop():
    start = randn(3), randn(3, seed=1)
    x, y = (p.numpy() for p in start)
    losses = []
    for _ in range(25):
        losses.append(quartic(torch.tensor(x), torch.tensor(y)))
        dx, dy = quartic_gradients(x, y)
        x, y = x - 0.05 * dx, y - 0.05 * dy
    losses.append(quartic(torch.tensor(x), torch.tensor(y)))

    trace = descend(quartic, start, lr=0.05, steps=25)
    close(trace.params, (torch.tensor(x), torch.tensor(y)))
    close(trace.losses, torch.stack(losses))


@pytest.mark.parametrize("shape", [(), (1,), (4,)])
def test_there_is_one_loss_more_than_steps(shape):
    start = randn(*shape, 3), randn(*shape, 3, seed=1)
    trace = descend(quartic, start, lr=0.05, steps=7)
    assert trace.losses.shape == (8, *shape)
    assert trace.diverged.shape == shape
    close(trace.losses[0], quartic(*start))
    close(trace.losses[-1], quartic(*trace.params))
    assert not torch.equal(trace.losses[-1], trace.losses[-2])


@pytest.mark.parametrize("loss_fn", [lambda x: x, lambda x: x * 1, lambda x: x[:]])
def test_losses_do_not_follow_the_parameters(loss_fn):
    start = torch.tensor([4.0, -3.0], dtype=torch.float64)
    trace = descend(loss_fn, [start], lr=0.5, steps=2)
    assert trace.losses.tolist() == [[4.0, -3.0], [3.5, -3.5], [3.0, -4.0]]
    trace.params[0].zero_()
    assert trace.losses[-1].tolist() == [3.0, -4.0]
    assert start.tolist() == [4.0, -3.0]


def test_the_preconditioner_replaces_the_gradients():
    curvature = torch.tensor([1.0, 100.0], dtype=torch.float64)
    seen = []

    def newton(params, gradients):
        seen.append((params[0].tolist(), gradients[0].tolist()))
        return [gradients[0] / curvature]

    start = torch.tensor([2.0, -3.0], dtype=torch.float64)

    def loss(x):
        return (curvature * x**2).sum() / 2

    trace = descend(loss, [start], lr=0.5, steps=1, precondition=newton)
    assert seen == [([2.0, -3.0], [2.0, -300.0])]
    assert trace.params[0].tolist() == [1.0, -1.5]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lr", [0.05, [0.05, 0.01]])
def test_the_dtype_is_kept(dtype, lr):
    start = randn(2, 3, dtype=dtype), randn(2, 3, seed=1, dtype=dtype)
    trace = descend(quartic, start, lr=lr, steps=3)
    assert {t.dtype for t in (*trace.params, trace.losses)} == {dtype}
    assert trace.diverged.dtype == torch.bool


def test_descent_leaves_no_trace_of_itself():
    start = randn(2, 3), randn(2, 3, seed=1).requires_grad_()
    before = [p.detach().clone() for p in start]
    torch.rand(1)  # no seed alone gives the state after this
    state, default = torch.get_rng_state(), torch.get_default_dtype()
    trace = descend(quartic, start, lr=torch.tensor([0.05, 0.01]), steps=3)
    assert all(torch.equal(p, q) for p, q in zip(start, before))
    assert [p.requires_grad for p in start] == [False, True]
    assert start[1].grad is None
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == default
    assert not any(t.requires_grad for t in (*trace.params, *trace[1:]))
    assert all(p.is_leaf for p in trace.params)


def test_descent_differentiates_where_autograd_is_off():
    start = randn(3), randn(3, seed=1)
    wanted = descend(quartic, start, lr=0.05, steps=5)
    with torch.no_grad():
        found = descend(quartic, start, lr=0.05, steps=5)
        assert not torch.is_grad_enabled()
    assert torch.equal(found.losses, wanted.losses)


# --- Descend: many runs --------------------------------------------------------------


@pytest.mark.parametrize("lr", [0.03, [0.01, 0.05, 0.02, 0.04]])
def test_a_batch_is_a_loop(lr):
    x, y = randn(4, 3), randn(4, 3, seed=1)
    batch = descend(quartic, [x, y], lr=lr, steps=20)
    for run, rate in enumerate(torch.tensor(lr).expand(4).tolist()):
        alone = descend(quartic, [x[run], y[run]], lr=rate, steps=20)
        close(batch.losses[:, run], alone.losses, rtol=1e-6)
        for p, q in zip(batch.params, alone.params):
            close(p[run], q, rtol=1e-6)


def test_parameters_of_any_shape_share_the_axis_of_runs():
    def loss(matrix, number):
        return ((matrix - number[:, None, None]) ** 2).sum(dim=(-2, -1))

    matrix, number, rates = randn(3, 2, 2), randn(3, seed=1), [0.1, 0.01, 0.05]
    trace = descend(loss, [matrix, number], lr=rates, steps=1)
    for run, rate in enumerate(rates):
        rest = 2 * (matrix[run] - number[run])
        close(trace.params[0][run], matrix[run] - rate * rest)
        close(trace.params[1][run], number[run] + rate * rest.sum())


@pytest.mark.parametrize("rates", [[0.05, 10.0, 0.02], [0.05, 1e300, 0.02]])
def test_a_diverging_neighbour_changes_nothing(rates):
    x, y = randn(3, 3), randn(3, 3, seed=1)
    wild = descend(quartic, [x, y], lr=rates, steps=40)
    tame = descend(quartic, [x, y], lr=[0.05, 0.01, 0.02], steps=40)
    assert wild.diverged.tolist() == [False, True, False]
    assert tame.diverged.tolist() == [False] * 3
    assert not wild.losses[-1, 1].isfinite()
    kept = [0, 2]
    without = descend(quartic, [x[kept], y[kept]], lr=[0.05, 0.02], steps=40)
    for one, other, left in zip(
        (*wild.params, wild.losses.T),
        (*tame.params, tame.losses.T),
        (*without.params, without.losses.T),
    ):
        assert torch.equal(one[kept], other[kept])
        close(one[kept], left)


def test_a_run_that_comes_back_from_infinity_has_diverged():
    def loss(x):
        return x**2 + torch.where(x > 0.5, torch.inf, 0.0)

    start = torch.tensor([1.0, -1.0], dtype=torch.float64)
    trace = descend(loss, [start], lr=0.4, steps=3)
    assert trace.losses[-1].isfinite().all()
    assert trace.diverged.tolist() == [True, False]


def test_one_run_that_diverges_raises_nothing():
    trace = descend(lambda x: (x**4).sum(), [randn(3)], lr=100.0, steps=30)
    assert trace.diverged.shape == ()
    assert trace.diverged


MEMORY = """
import re
from pathlib import Path
import torch
from labhelpers import training

def peak():  # in MB
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s*(\\d+)", status)[1]) / 1024

A = torch.eye(150, 4, dtype=torch.float64)
training.factorise(A, 2, num_epochs=2, runs=200, seed=0)
before = peak()
training.factorise(A, 2, num_epochs=300, runs=200, seed=0)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_long_descent_needs_no_more_memory_than_a_short_one():
    """Losses kept one by one, between large tensors, left gaps: some 200 MB here."""
    command = [sys.executable, "-c", MEMORY]
    assert float(subprocess.check_output(command, cwd=ROOT, text=True)) < 60


# --- Descend: arguments --------------------------------------------------------------


def parabola(x):
    return (x**2).sum(dim=-1)


GOOD = {"loss_fn": parabola, "params": [randn(2, 3)], "lr": 0.1, "steps": 2}
NOT_DIFFERENTIABLE = "loss_fn must be a function with a result that autograd can"
RATE = "lr must be positive and finite, a number or one per run, got "


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"steps": 0}, "steps must be a whole number, at least 1, got 0"),
        ({"steps": -3}, "steps must be a whole number, at least 1, got -3"),
        ({"steps": 2.0}, "steps must be a whole number, at least 1, got 2.0"),
        ({"steps": True}, "steps must be a whole number, at least 1, got True"),
        ({"lr": 0}, RATE + "0"),
        ({"lr": -0.5}, RATE + "-0.5"),
        ({"lr": float("nan")}, RATE + "nan"),
        ({"lr": float("inf")}, RATE + "inf"),
        ({"lr": None}, RATE + "None"),
        ({"lr": "fast"}, RATE + "'fast'"),
        ({"lr": []}, RATE + r"\[\]"),
        ({"lr": [0.1, -0.1]}, RATE + r"\[0.1, -0.1\]"),
        ({"lr": [0.1] * 3}, r"lr must be a number or of shape \(2,\), got shape \(3,"),
        ({"lr": [[0.1], [0.1]]}, r"lr must be a number or of shape \(2,\), got shape"),
        (
            {"lr": [0.1] * 3, "params": [randn(2, 3, 4)]},
            r"lr must be a number or of shape \(2, 3\), got shape \(3,\)",
        ),
        (
            {"lr": [0.1], "loss_fn": lambda x: (x**2).sum()},
            r"lr must be a number, got shape \(1,\)",
        ),
        ({"params": []}, "params must be at least one tensor, got none"),
        ({"params": [[1.0]]}, "params must be a torch.Tensor, got list"),
        ({"params": [np.ones(3)]}, "params must be a torch.Tensor, got ndarray"),
        (
            {"params": [torch.ones(2, 3, dtype=torch.int64)]},
            "params must be of dtype float32 or float64, got torch.int64",
        ),
        ({"params": [torch.ones(0, 3)]}, r"params must be non-empty, got shape \(0,"),
        (
            {"params": [randn(2, 3), randn(2, 3, dtype=torch.float32)]},
            "params must be of dtype torch.float64, got dtype torch.float32",
        ),
        (
            {"params": [randn(2, 3), randn(2, 3).to("meta")]},
            "params must be of device cpu, got device meta",
        ),
        ({"loss_fn": lambda x: 1.0}, NOT_DIFFERENTIABLE),
        ({"loss_fn": lambda x: x.detach().sum()}, NOT_DIFFERENTIABLE),
        ({"loss_fn": lambda x: x.sum().item()}, NOT_DIFFERENTIABLE),
        (
            {"loss_fn": lambda x: x.sum(dim=0)},
            r"loss_fn must be .* per run, got shape \(3,\) for .* shape \(2, 3\)",
        ),
        (
            {"loss_fn": lambda x: (x**2).sum().reshape(1)},
            r"loss_fn must be .* per run, got shape \(1,\) for .* shape \(2, 3\)",
        ),
    ],
)
def test_bad_arguments_of_descend_are_refused(bad, message):
    arguments = GOOD | bad
    with pytest.raises(ValueError, match=message):
        descend(arguments.pop("loss_fn"), arguments.pop("params"), **arguments)


def test_a_preconditioner_must_give_a_direction_for_each_parameter():
    for wrong in None, [], [randn(3)], [randn(3), randn(2)], [randn(3), 1.0], 5:
        with pytest.raises(ValueError, match="^precondition must be a function that"):
            descend(
                quartic,
                [randn(3), randn(3)],
                lr=0.1,
                steps=1,
                precondition=lambda p, g: wrong,  # noqa: B023, used at once
            )


# --- Sharpness -----------------------------------------------------------------------


def hessian(loss_fn, params):
    """Return the whole Hessian, over the parameters laid end to end."""
    sizes, shapes = [p.numel() for p in params], [p.shape for p in params]

    def flat_loss(x):
        parts = x.split(sizes)
        return loss_fn(*(part.reshape(shape) for part, shape in zip(parts, shapes)))

    point = torch.cat([p.reshape(-1) for p in params])
    return torch.autograd.functional.hessian(flat_loss, point).numpy()


def check_against_hessian(loss_fn, params, found, tol):
    H = hessian(loss_fn, params)
    eigenvalues = np.linalg.eigvalsh(H)
    size = np.abs(eigenvalues).max()
    direction = np.concatenate([v.numpy().ravel() for v in found.direction])
    assert found.converged
    assert found.value == pytest.approx(eigenvalues[-1], abs=tol * size)
    assert np.linalg.norm(direction) == pytest.approx(1)
    assert np.linalg.norm(H @ direction - found.value * direction) <= 2 * tol * size
    assert [v.shape for v in found.direction] == [p.shape for p in params]
    assert not any(v.requires_grad for v in found.direction)


@pytest.mark.parametrize("seed", range(8))
def test_sharpness_is_the_top_of_the_spectrum(seed):
    S, point = randn(7, 7, seed=seed), [randn(3, seed=seed + 50), randn(2, 2, seed=9)]

    def loss(x, Y):
        w = torch.cat([x, Y.reshape(-1)])
        return w @ S @ w + (w**3).sum() + torch.sin(w).prod()

    found = sharpness(loss, point, tol=1e-4)
    check_against_hessian(loss, point, found, tol=1e-4)


@pytest.mark.parametrize(
    "spectrum",
    [
        [5, 1, -5],
        [1, 0, -1],
        [-1, -2, -3],
        [0.01, -1, -1],
        [0, 0, -4],
        [7, 0, 0],
        [2, 2, 1],
        [3, 3, 3],
        [-2, -2, -2],
        [-1e6, 1e3, 0],
        [1e-6, -1e-6, 0],
        [4],
        [-4],
    ],
)
def test_sharpness_is_the_largest_eigenvalue_not_the_largest_in_size(spectrum):
    Q = torch.linalg.qr(randn(len(spectrum), len(spectrum), seed=3)).Q
    H = Q @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ Q.T

    def loss(x):
        return x @ H @ x / 2

    found = sharpness(loss, [torch.zeros(len(spectrum), dtype=torch.float64)])
    size = max(map(abs, spectrum))
    assert found.converged
    assert found.value == pytest.approx(max(spectrum), abs=1e-4 * size)
    (v,) = found.direction
    close(v.norm(), torch.ones_like(v.norm()))
    assert (H @ v - found.value * v).norm() <= 2e-4 * size


@pytest.mark.parametrize(
    "loss_fn",
    [
        lambda x, y: x.sum() - 2 * y.sum(),
        lambda x, y: (x**4).sum() + (y**3).sum(),
        lambda x, y: 3 * x.sum() + (y**4).sum(),
    ],
    ids=["linear", "flat at zero", "linear in one"],
)
def test_no_curvature_is_zero(loss_fn):
    point = [torch.zeros(2, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)]
    found = sharpness(loss_fn, point)
    assert found.value == 0
    assert found.converged


def test_a_parameter_without_curvature_has_no_share_in_the_direction():
    found = sharpness(lambda x, y: 3 * x.sum() + (y**2).sum(), [randn(2), randn(3)])
    assert found.value == pytest.approx(2, rel=1e-6)
    assert found.direction[0].norm() < 1e-3


def test_too_few_iterations_are_reported():
    H = torch.diag(torch.tensor([1.0, 0.99, -1.0], dtype=torch.float64))
    point = [torch.zeros(3, dtype=torch.float64)]
    found = sharpness(lambda x: x @ H @ x / 2, point, max_iterations=3)
    assert not found.converged
    assert found.iterations == 3
    more = sharpness(lambda x: x @ H @ x / 2, point)
    assert more.converged
    assert more.iterations > 3


def test_a_smaller_tolerance_gives_more_digits():
    H = torch.diag(torch.tensor([1.0, 0.5, -1.0], dtype=torch.float64))
    errors = [
        abs(
            sharpness(lambda x: x @ H @ x / 2, [torch.zeros(3).double()], tol=tol)[0]
            - 1
        )
        for tol in (1e-1, 1e-3, 1e-6)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[1] < 1e-5
    assert errors[2] < 1e-11


def test_where_there_is_no_curvature_to_measure_sharpness_gives_up_at_once():
    found = sharpness(lambda x: (x**4).sum(), [torch.full((2,), torch.nan)])
    assert np.isnan(found.value)
    assert not found.converged
    assert found.iterations == 1


def test_sharpness_leaves_no_trace_of_itself():
    x = randn(3)
    torch.rand(1)
    before, state = x.clone(), torch.get_rng_state()
    with torch.no_grad():
        one = sharpness(lambda x: (x**4).sum(), [x], seed=5)
    two = sharpness(lambda x: (x**4).sum(), [x], seed=5)
    assert one.value == two.value
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_the_seed_of_sharpness_is_where_it_starts():
    found = {
        sharpness(lambda x: (x**4).sum(), [randn(3)], max_iterations=1, seed=seed).value
        for seed in range(3)
    }
    assert len(found) == 3


def test_sharpness_works_in_single_precision():
    x = randn(4, dtype=torch.float32)
    found = sharpness(lambda x: (x**4).sum(), [x])
    assert found.converged
    assert found.direction[0].dtype == torch.float32
    assert found.value == pytest.approx(12 * float(x.abs().max()) ** 2, rel=1e-4)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"tol": 0}, "tol must be a number from 1e-16 to 1, got 0"),
        ({"tol": -1e-3}, "tol must be a number from 1e-16 to 1, got -0.001"),
        ({"tol": float("nan")}, "tol must be a number from 1e-16 to 1, got nan"),
        ({"max_iterations": 0}, "max_iterations must be a whole number, at least 1"),
        ({"max_iterations": 2.5}, "max_iterations must be .* got 2.5"),
        ({"loss_fn": lambda x: x**2}, r"loss_fn must be a scalar loss, got a result"),
        ({"loss_fn": lambda x: x.detach().sum()}, NOT_DIFFERENTIABLE),
        ({"params": []}, "params must be at least one tensor, got none"),
        (
            {"params": [torch.ones(3).int()]},
            "params must be of dtype float32 or float64",
        ),
    ],
)
def test_bad_arguments_of_sharpness_are_refused(bad, message):
    arguments = {"loss_fn": lambda x: (x**2).sum(), "params": [randn(3)]} | bad
    with pytest.raises(ValueError, match=f"^{message}"):
        sharpness(arguments.pop("loss_fn"), arguments.pop("params"), **arguments)


# --- Gradients of the four losses ----------------------------------------------------


@pytest.mark.parametrize("runs", [(), (3,)])
@pytest.mark.parametrize("name", ["factorise", "mlp", "cross-entropy", "autoencoder"])
def test_gradients_are_finite_differences(name, runs):
    labels = torch.tensor([0, 2, 1, 1, 0])
    data, z = randn(5, 4), randn(4, 6)
    loss_fn, shapes = {
        "factorise": (
            lambda U, V: training.factorisation_loss(U, V, data),
            [(5, 2), (4, 2)],
        ),
        "mlp": (
            lambda *p: training.cross_entropy(training.mlp_logits(data, *p), labels),
            [(4, 6), (6,), (6, 3), (3,)],
        ),
        "cross-entropy": (lambda x: training.cross_entropy(x, labels), [(5, 3)]),
        "autoencoder": (
            lambda A, B: training.autoencoder_loss(A, B, z),
            [(4, 2), (2, 4)],
        ),
    }[name]
    start = [
        randn(*runs, *shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)
    ]
    assert loss_fn(*start).shape == runs
    assert torch.autograd.gradcheck(loss_fn, start)
    assert torch.autograd.gradgradcheck(loss_fn, start)


# --- Starts --------------------------------------------------------------------------


MOST = 2**63 - 1


def pair(generator):
    return uniform(2, 3, generator=generator), normal(4, generator=generator)


@law
@given(st.integers(0, 2**40), st.integers(1, 5))
def test_run_i_is_the_seed_plus_i_alone(seed, runs):
    starts = draw_start(pair, seed=seed, runs=runs)
    assert [tuple(p.shape) for p in starts] == [(runs, 2, 3), (runs, 4)]
    for run in range(runs):
        alone = draw_start(pair, seed=seed + run)
        assert all(torch.equal(p[run], q) for p, q in zip(starts, alone))


def test_many_runs_are_the_runs_alone():
    """They are drawn a thousand at a time."""
    starts = draw_start(pair, seed=7, runs=2001)
    for run in 0, 999, 1000, 1001, 2000:
        alone = draw_start(pair, seed=7 + run)
        assert all(torch.equal(p[run], q) for p, q in zip(starts, alone))


def test_starts_differ_between_runs():
    U, _ = draw_start(pair, seed=0, runs=50)
    assert len({tuple(u.ravel().tolist()) for u in U}) == 50


@pytest.mark.parametrize("draw", [uniform, normal])
def test_single_draws_are_double_draws_rounded(draw):
    def seeded(dtype):
        return draw(50, 2, generator=torch.Generator().manual_seed(3), dtype=dtype)

    assert seeded(torch.float64).dtype == torch.float64
    assert torch.equal(seeded(torch.float32), seeded(torch.float64).float())
    assert not torch.equal(seeded(torch.float64), seeded(torch.float32).double())


def test_draws_have_their_distribution():
    generator = torch.Generator().manual_seed(0)
    u = uniform(100_000, generator=generator)
    assert 0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1
    assert u.mean().item() == pytest.approx(1 / 2, abs=0.005)
    assert u.var().item() == pytest.approx(1 / 12, abs=0.001)
    n = normal(100_000, std=3, generator=generator)
    assert n.mean().item() == pytest.approx(0, abs=0.05)
    assert n.std().item() == pytest.approx(3, abs=0.03)
    assert (n**4).mean().item() == pytest.approx(3 * 3**4, rel=0.05)


def test_no_deviation_is_zero():
    assert not normal(5, std=0, generator=torch.Generator()).any()


def test_drawing_leaves_the_global_generator_alone():
    torch.rand(1)
    state = torch.get_rng_state()
    draw_start(pair, seed=1, runs=3)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            {"seed": -1},
            f"seed must be a whole number, at least 0 and at most {MOST}, got -1",
        ),
        (
            {"seed": 1.0},
            f"seed must be a whole number, at least 0 and at most {MOST}, got 1.0",
        ),
        (
            {"seed": None},
            f"seed must be a whole number, at least 0 and at most {MOST}, got None",
        ),
        ({"seed": 0, "runs": 0}, "runs must be a whole number, at least 1, got 0"),
        ({"seed": 0, "runs": True}, "runs must be a whole number, at least 1, got Tr"),
    ],
)
def test_bad_arguments_of_draw_start_are_refused(bad, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        draw_start(pair, **bad)


@pytest.mark.parametrize("std", [-1, float("nan")])
def test_a_deviation_below_zero_is_refused(std):
    with pytest.raises(
        ValueError, match=f"^std must be a number from 0 to .* got {std}"
    ):
        normal(3, std=std, generator=torch.Generator())


# --- Interrupts ----------------------------------------------------------------------


def impatient(function, *, call):
    """Return the function, which the student stops in its so manieth call."""
    calls = itertools.count(1)

    def stopped(*arguments):
        if next(calls) == call:
            raise KeyboardInterrupt
        return function(*arguments)

    return stopped


def plain(params, gradients):
    return gradients


@pytest.mark.parametrize("steps", [1, 4, 8])
@pytest.mark.parametrize("where", ["loss", "direction"])
def test_an_interrupt_gives_what_fewer_steps_give(steps, where, capsys):
    starts = randn(3, 4), randn(3, 4, seed=1)
    rates = [0.01, 0.02, 1e30]
    shorter = descend(quartic, starts, lr=rates, steps=steps)
    if where == "loss":  # called once more at first, for its shape
        loss, precondition = impatient(quartic, call=steps + 2), None
    else:
        loss, precondition = quartic, impatient(plain, call=steps + 1)
    trace = descend(loss, starts, lr=rates, steps=9, precondition=precondition)
    assert capsys.readouterr().out.startswith(f"Stopped after {steps} of 9 steps")
    assert trace.losses.shape == (steps + 1, 3)
    for got, expected in zip(
        (*trace.params, *trace[1:]), (*shorter.params, *shorter[1:])
    ):
        torch.testing.assert_close(got, expected, rtol=0, atol=0, equal_nan=True)


def test_an_interrupt_before_the_first_step_gives_the_start():
    start = randn(5)
    loss = impatient(lambda x: (x**2).sum(), call=2)
    trace = descend(loss, [start], lr=0.1, steps=9)
    assert torch.equal(trace.params[0], start)
    assert trace.losses.tolist() == [(start**2).sum().item()]
    assert not trace.diverged


def test_a_second_interrupt_is_none_of_ours():
    """Who stops twice wants out: also from the last loss."""
    calls = itertools.count()

    def loss(x):
        if next(calls) > 3:
            raise KeyboardInterrupt
        return (x**2).sum()

    with pytest.raises(KeyboardInterrupt):
        descend(loss, [randn(5)], lr=0.1, steps=9)


def test_whoever_is_not_interrupted_is_told_nothing(capsys):
    descend(lambda x: (x**2).sum(), [randn(5)], lr=0.1, steps=9)
    assert capsys.readouterr() == ("", "")
