"""Whatever is put in: a documented result, or a refusal that names the argument.

Nothing that is put in changes, nor any state that others share. By
``--hypothesis-profile=nightly``, thousands of inputs to each function.
"""

import contextlib
import functools
import inspect
import random
import re
import warnings
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labhelpers import (
    data,
    descent,
    diagrams,
    graph,
    linalg,
    live,
    minibatch,
    plots,
    training,
)
from tests.labhelpers import oracles
from tests.labhelpers.test_signatures import own

ROOMS = [linalg, descent, training, minibatch, data, graph, plots, live, diagrams]
EXAMPLES = settings().max_examples  # 100, or what the profile says
law = settings(
    deadline=None,
    database=None,
    derandomize=EXAMPLES <= 100,
    max_examples=EXAMPLES // 5,
)


def table(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def tensor(*shape, seed=0):
    return torch.tensor(table(*shape, seed=seed))


def spoilt(*shape, value):
    array = np.ones(shape)
    array.flat[-1] = value
    return array


# Each makes a new one: {what it is: function}.
ABSURD = {
    "none": lambda: None,
    "true": lambda: True,
    "text": lambda: "text",
    "bytes": lambda: b"bytes",
    "half": lambda: 1.5,
    "minus": lambda: -1,
    "zero": lambda: 0,
    "two": lambda: 2,
    "numpy two": lambda: np.int8(2),
    "fraction": lambda: Fraction(1, 3),
    "2**63": lambda: 2**63,
    "10**400": lambda: 10**400,
    "nan": lambda: float("nan"),
    "infinite": lambda: np.inf,
    "complex": lambda: 1j,
    "object": object,
    "list": list,
    "dict": dict,
    "function": lambda: print,
    "path": lambda: Path("nowhere"),
    "dtype": lambda: torch.float64,
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "numbers": lambda: [1.0, 2.0, 3.0],
    "texts": lambda: ["a", "b"],
    "array of texts": lambda: np.array(["a", "b", "c"]),
    "array of a number": lambda: np.array(1.0),
    "dates": lambda: np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"),
    "masked": lambda: np.ma.masked_less(table(5, 3), 0),
    "three axes": lambda: table(2, 5, 3),
    "flat": lambda: table(5),
    "wide": lambda: table(3, 5),
    "empty": lambda: np.ones((0, 3)),
    "integers": lambda: np.arange(15).reshape(5, 3),
    "bytes of pixels": lambda: np.full((5, 3), 200, dtype=np.uint8),
    "truths": lambda: np.eye(5, 3, dtype=bool),
    "imaginary": lambda: table(5, 3) * 1j,
    "with nan": lambda: spoilt(5, 3, value=np.nan),
    "with infinity": lambda: spoilt(3, 3, value=np.inf),
    "huge": lambda: 1e200 * table(5, 3),
    "tiny": lambda: 1e-200 * table(5, 3),
    "zeros": lambda: np.zeros((3, 3)),
    "single": lambda: table(5, 3).astype(np.float32),
    "wide range": lambda: np.longdouble(10) ** np.array([[4000, 1], [1, 1]]),
    "tensor": lambda: tensor(5, 3),
    "single tensor": lambda: tensor(5, 3).float(),
    "half tensor": lambda: tensor(5, 3).half(),
    "brain tensor": lambda: tensor(5, 3).bfloat16(),
    "tensor of a number": lambda: torch.tensor(1.0),
    "tensor of numbers": lambda: torch.tensor([1, 0, 1, 0, 1]),
    "negative tensor": lambda: torch.tensor([1, 0, -100, 0, 1]),
    "small integers": lambda: torch.tensor([1, 0, 1, 0, 1], dtype=torch.uint8),
    "grown tensor": lambda: tensor(5, 3).requires_grad_(),
    "sparse tensor": lambda: tensor(5, 3).to_sparse(),
    "tensor elsewhere": lambda: torch.ones(5, 3, device="meta"),
    "imaginary tensor": lambda: tensor(5, 3) * 1j,
    "empty tensor": lambda: torch.ones(0, 3),
    "flat tensor": lambda: tensor(3),
    "three axes of a tensor": lambda: tensor(2, 5, 3),
    "tensor with nan": lambda: torch.tensor(spoilt(5, 3, value=np.nan)),
    "tensors": lambda: [tensor(5, 2), tensor(3, 2)],
    "more tensors": lambda: (tensor(5, 2), tensor(4, 2), tensor(3)),
    "tensors of runs": lambda: (tensor(2, 5, 2), tensor(2, 3, 2)),
    "uneven tensors": lambda: (tensor(2, 5, 2), tensor(3, 3, 2)),
    "unlike tensors": lambda: [tensor(5, 2), tensor(3, 2).float()],
    "iterator": lambda: iter([tensor(3)]),
    "generator": torch.Generator,
}


def numbers_of(value):
    """Return an argument as float64, independently of how a function reads it."""
    if isinstance(value, torch.Tensor):
        value = value.detach().double().numpy()
    return np.asarray(value, dtype=np.float64)


def finite(result):
    parts = result if isinstance(result, tuple) else (result,)
    return all(np.isfinite(np.asarray(part)).all() for part in parts)


# --- What is documented of each result ------------------------------------------------


def is_truncated_svd(found, A, rank):
    A, rest = numbers_of(A), found.U * found.s @ found.Vt
    tail = np.linalg.svd(A, compute_uv=False)[int(rank) :]
    assert found.s.shape == (int(rank),)
    error = np.linalg.norm(A - rest) - np.linalg.norm(tail)
    assert abs(error) <= 1e-9 * np.linalg.norm(A)


def is_floor(found, A, rank):
    s = np.linalg.svd(numbers_of(A), compute_uv=False)
    assert found == pytest.approx((s[int(rank) :] ** 2).sum(), rel=1e-6, abs=1e-9)


def is_moment(found, rows, scale=None, chunk_size=5000):
    z = numbers_of(rows if scale is None else scale(rows))
    np.testing.assert_allclose(found, z.T @ z / len(z), rtol=1e-5, atol=1e-9)


def are_components(found, moment, k):
    moment = numbers_of(moment)
    np.testing.assert_allclose(moment, moment.T)
    values = np.linalg.eigvalsh(moment)[::-1]
    size = max(values[0], 1e-100)
    np.testing.assert_allclose(found.values / size, values[: int(k)] / size, atol=1e-9)
    rest = values.sum() - values.cumsum()[: int(k)]
    np.testing.assert_allclose(2 * found.floors / size, rest / size, atol=1e-5)
    assert (found.floors >= 0).all()
    assert values[-1] >= -1e-4 * size


def are_angles(found, X, Y):
    assert finite(found)
    assert ((found >= 0) & (found <= np.pi / 2 + 1e-12)).all()
    assert len(found) <= min(np.shape(X)[1], np.shape(Y)[1])


def is_map(found, X, Y):
    X, Y = numbers_of(X), numbers_of(Y)
    assert found.matrix.shape == (X.shape[1], Y.shape[1])
    assert finite(found)
    rest = ((X @ found.matrix - Y) ** 2).sum() / (Y**2).sum()
    assert found.residual == pytest.approx(min(rest, 1), abs=1e-9)


def is_trace(found, loss_fn, params, lr, steps, precondition=None):
    assert [p.shape for p in found.params] == [p.shape for p in params]
    assert found.losses.shape == (steps + 1, *found.diverged.shape)
    assert torch.equal(~found.losses.isfinite().all(dim=0), found.diverged)


def is_sharpness(found, loss_fn, params, tol=1e-4, max_iterations=10_000, seed=0):
    assert isinstance(found.value, float)
    assert [v.shape for v in found.direction] == [p.shape for p in params]


def is_record(found, result, names):
    (leaf,) = found
    assert (leaf.operation, leaf.inputs) == ("leaf", ())


def is_drawn(found, shape, generator, dtype, std=1.0):
    sizes = shape if isinstance(shape, tuple) else (shape,)
    assert found.shape == tuple(map(int, sizes))
    assert found.dtype == dtype
    assert finite(found.double())


def are_rates(found, lr):
    assert found.dtype == torch.float64
    assert ((found > 0) & found.isfinite()).all()
    np.testing.assert_array_equal(found, numbers_of(lr))


def are_starts(found, draw, seed, runs=None):
    alone = draw(torch.Generator().manual_seed(int(seed)))
    assert isinstance(found, tuple)
    for many, one in zip(found, alone, strict=True):
        assert torch.equal(many if runs is None else many[0], one)
        assert runs is None or many.shape == (runs, *one.shape)


def is_trained(found, **arguments):
    losses, *_ = found[-2:]
    assert losses.shape[1:] == found.diverged.shape
    assert torch.equal(~losses.isfinite().all(dim=0), found.diverged)
    assert not any(p.requires_grad for p in found)


def is_factorisation_loss(found, U, V, A):
    U, V, A = map(numbers_of, (U, V, A))
    assert A.shape[-2:] == (U.shape[-2], V.shape[-2])
    rest = ((U @ V.swapaxes(-1, -2) - A) ** 2).sum(axis=(-1, -2))
    np.testing.assert_allclose(found.detach(), rest, rtol=1e-4)


def is_autoencoder_loss(found, A, B, z):
    A, B, z = map(numbers_of, (A, B, z))
    rest = ((z - A @ (B @ z)) ** 2).sum(axis=(-1, -2)) / 2
    np.testing.assert_allclose(found.detach(), rest, rtol=1e-4)


def are_logits(found, data, W1, b1, W2, b2):
    wanted = oracles.network(*map(numbers_of, (data, W1, b1, W2, b2)))[1]
    np.testing.assert_allclose(found.detach(), wanted, rtol=1e-4)


def is_cross_entropy(found, logits, targets):
    logits, y = numbers_of(logits), targets.numpy()
    wanted = oracles.cross_entropy(logits, np.broadcast_to(y, logits.shape[:-1]))
    np.testing.assert_allclose(found.detach(), wanted, rtol=1e-4)


def is_accuracy(found, logits, targets):
    logits, targets = numbers_of(logits), targets.numpy()
    right = logits.argmax(axis=-1) == targets
    assert right.shape == logits.shape[:-1]
    np.testing.assert_allclose(found, right.mean(axis=-1))


def is_scaled_step(found, A, z, lr, damping=0.03):
    new, loss = found
    assert new.shape == A.shape
    assert loss.shape == ()
    if finite(new) and new.device.type == "cpu":
        np.testing.assert_allclose(
            numbers_of(new.mT @ new), np.eye(A.shape[1]), atol=0.1
        )


def is_orthogonal(found, gradient):
    assert found.shape == gradient.shape
    if finite(numbers_of(gradient)):
        assert np.linalg.norm(numbers_of(found), 2) < 1 + 1e-4


def is_autoencoder(found, images, k, seed, **knobs):
    assert found.A.shape == (images.shape[1], k) == found.B.shape[::-1]
    assert found.diverged == (not found.losses.isfinite().all())


def is_mean_loss(found, A, B, images, batch_size=1000):
    z, A, B = map(numbers_of, (images, A, B))
    z = z / 127.5 - 1 if "uint8" in str(images.dtype) else z
    wanted = ((z - z @ B.T @ A.T) ** 2).sum() / (2 * len(z))
    assert found == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def is_scaled(found, pixels):
    np.testing.assert_allclose(found, numbers_of(pixels) / 127.5 - 1, atol=1e-6)


def is_iris(found, variant):
    assert found.features.shape == (150, 4)


def are_patches(found, n, seed, split="train"):
    assert found.pixels.shape == (n, 3072)
    assert found.pixels.dtype == np.uint8


def are_stacked(found, parts):
    np.testing.assert_array_equal(found[:], np.concatenate(parts))


def is_drawing(found, **arguments):
    assert np.size(found) >= 1
    if EXAMPLES > 100:  # takes long
        ax = found if isinstance(found, plt.Axes) else found[0]
        with warnings.catch_warnings(action="ignore"):  # no room, no level
            ax.figure.canvas.draw()


def is_scattered(found, points, labels, names, ax=None):
    is_drawing(found)
    drawn = [len(group.get_offsets()) for group in found.collections]
    assert sum(drawn) == len(points)


def are_pictures(found, pictures, **arguments):
    is_drawing(found)
    assert numbers_of(pictures).max() <= 100, "white all over"


def is_scrubbed(found, **arguments):
    assert found is None
    assert not plt.get_fignums()


def is_shown(found, ax, alt):
    assert not plt.get_fignums()


# --- The table ------------------------------------------------------------------------


def call(function, check, good, **special):
    """``good``: {argument: function that makes it}; ``special``: more bad ones."""
    return SimpleNamespace(function=function, check=check, good=good, special=special)


def always(value):
    return lambda: value


def square(*params):
    return sum((p**2).sum() for p in params)


def draw(generator):
    return torch.rand(3, generator=generator), torch.rand(2, 2, generator=generator)


def drawing(function):
    """Return the function with its sizes as one argument."""

    def drawn(shape, **options):
        sizes = shape if isinstance(shape, tuple) else (shape,)
        return function(*sizes, **options)

    return drawn


def quietly(function):
    """Return the function without warnings, as of figures too small for their axes."""

    def quiet(**arguments):
        with warnings.catch_warnings(action="ignore"):
            return function(**arguments)

    return quiet


def seeded():
    return torch.Generator().manual_seed(0)


def nodes():
    a = torch.ones((), requires_grad=True)
    return graph.record(2 * a, {"a": a})


MATRIX = {"tall": lambda: table(5, 3), "square": lambda: table(3, 3) + 3 * np.eye(3)}
LOSSES = {
    "of none": always(lambda *p: None),
    "of a number": always(lambda *p: 1.0),
    "of a tensor apart": always(lambda *p: torch.tensor(1.0)),
    "of a shape": always(lambda *p: p[0].reshape(-1)[:2] * 1),
    "of runs": always(lambda *p: p[0]),
    "of one of them": always(lambda *p: (p[0] ** 2).sum()),
    "without a slope": always(lambda *p: p[0].detach().sum()),
    "of a list": always(lambda *p: [p[0].sum()]),
    "imaginary": always(lambda *p: p[0].sum() * 1j),
    "single": always(lambda *p: p[0].float().sum()),
}
DIRECTIONS = {
    "none": always(lambda p, g: None),
    "number": always(lambda p, g: 1.0),
    "fewer": always(lambda p, g: g[:1]),
    "shapes": always(lambda p, g: [d.sum() for d in g]),
    "arrays": always(lambda p, g: [d.numpy() for d in g]),
    "single": always(lambda p, g: [d.float() for d in g]),
    "good": always(lambda p, g: [d / 2 for d in g]),
}
DRAWS = {
    "none": always(lambda g: None),
    "tensor": always(lambda g: torch.rand(2, generator=g)),
    "numbers": always(lambda g: (1.0, 2.0)),
    "list": always(lambda g: [torch.rand(2, generator=g)]),
    "other shapes": always(
        lambda g: (torch.rand(1 + g.initial_seed() % 2, generator=g),)
    ),
    "other numbers": always(
        lambda g: (torch.rand(2, generator=g),) * (1 + g.initial_seed() % 2)
    ),
}
SCALES = {
    "none": always(lambda rows: None),
    "sum": always(lambda rows: rows.sum()),
    "some": always(lambda rows: rows[:1]),
    "flat": always(lambda rows: rows.ravel()),
    "texts": always(lambda rows: rows.astype(str)),
    "good": always(lambda rows: rows * 2.0),
}
SHAPES = {
    name: always((size,))
    for name, size in {"text": "a", "minus": -1, "half": 1.5, "none": None}.items()
} | {"zero": always((0, 3)), "none at all": tuple, "2**70": always((2**70,))}
SEEDS = {
    "beyond": always(2**64),
    "largest": always(2**63 - 1),
    "numpy": lambda: np.uint64(7),
    "tensor": lambda: torch.tensor(7),
}
START = {"A": lambda: tensor(5, 3), "rank": always(2), "num_epochs": always(2)}
NET = {"data": lambda: tensor(5, 3), "targets": lambda: torch.tensor([0, 1, 2, 1, 0])}
CODE = {"z": lambda: tensor(5, 3), "k": always(2), "num_epochs": always(2)}
RATE = {"lr": always(0.01), "seed": always(0), "start": always(None)}
RUNS = RATE | {"runs": always(None)}
TARGETS = {"runs": lambda: torch.arange(10).reshape(2, 5) % 3}
PICTURES = {
    "flat": lambda: table(3, 3072),
    "squares": lambda: table(3, 3, 32, 32),
    "bytes": lambda: np.full((3, 3072), 200, dtype=np.uint8),
    "one": lambda: table(3072),
    "many": lambda: np.zeros((101, 3072)),
}
SIDES = {
    "x": lambda: np.arange(4.0),
    "y": lambda: np.arange(3.0),
    "ax": always(None),
}
DRAWING = {"row": lambda: plots.axes(2), "axes": lambda: plots.axes()}
CLOSE = {"close": lambda: 1 + np.arange(3) * 2e-16, "same": lambda: np.ones(3)}

TABLE = {
    "truncated_svd": call(
        linalg.truncated_svd, is_truncated_svd, {"A": MATRIX["tall"], "rank": always(2)}
    ),
    "eckart_young_floor": call(
        linalg.eckart_young_floor, is_floor, {"A": MATRIX["tall"], "rank": always(2)}
    ),
    "second_moment": call(
        linalg.second_moment,
        is_moment,
        {"rows": MATRIX["tall"], "scale": always(None), "chunk_size": always(5000)},
        scale=SCALES,
        rows={
            "single huge": lambda: np.full((5, 3), 1e30, dtype=np.float32),
            "single tiny": lambda: np.full((5, 3), 1e-30, dtype=np.float32),
            "list": lambda: [[100, 100], [100, 100]],
        },
    ),
    "principal_components": call(
        linalg.principal_components,
        are_components,
        {"moment": lambda: np.cov(table(9, 20)), "k": always(2)},
        moment={
            "large zero": lambda: np.zeros((12, 12)),
            "ones": lambda: np.ones((12, 12)),
            "lopsided": lambda: np.eye(9) + np.eye(9, k=5) / 2,
            "lopsided below": lambda: np.eye(9) + np.eye(9, k=-5) / 2,
            "negative": lambda: -np.eye(9),
            "mixed": lambda: np.diag([-5.0, *range(1, 3)]),
            "tensor": lambda: torch.eye(9),
        },
    ),
    "principal_angles": call(
        linalg.principal_angles, are_angles, {"X": MATRIX["tall"], "Y": MATRIX["tall"]}
    ),
    "best_linear_map": call(
        linalg.best_linear_map, is_map, {"X": MATRIX["tall"], "Y": MATRIX["tall"]}
    ),
    "best_orthogonal_map": call(
        linalg.best_orthogonal_map, is_map, {"X": MATRIX["tall"], "Y": MATRIX["tall"]}
    ),
    "descend": call(
        descent.descend,
        is_trace,
        {
            "loss_fn": always(square),
            "params": lambda: [tensor(2, 3), tensor(2, 4)],
            "lr": always(0.1),
            "steps": always(2),
            "precondition": always(None),
        },
        loss_fn=LOSSES,
        precondition=DIRECTIONS,
    ),
    "sharpness": call(
        descent.sharpness,
        is_sharpness,
        {
            "loss_fn": always(square),
            "params": lambda: [tensor(2, 3), tensor(2, 4)],
            "tol": always(1e-4),
            "max_iterations": always(50),
            "seed": always(0),
        },
        loss_fn=LOSSES,
        seed=SEEDS,
        tol={"small": always(1e-3)},
    ),
    "record": call(
        graph.record,
        is_record,
        {"result": lambda: tensor(5, 3).requires_grad_(), "names": dict},
        names={
            "numbers": lambda: {1: tensor(3)},
            "no tensors": lambda: {"a": 1.0},
            "apart": lambda: {"a": tensor(3).requires_grad_(), "b": tensor(3)},
        },
    ),
    "uniform": call(
        drawing(descent.uniform),
        is_drawn,
        {"shape": always((2, 3)), "generator": seeded, "dtype": always(torch.float32)},
        shape=SHAPES,
        dtype={"integers": always(torch.int64), "text": always("float32")},
    ),
    "normal": call(
        drawing(descent.normal),
        is_drawn,
        {"shape": always((2, 3)), "generator": seeded, "dtype": always(torch.float32)}
        | {"std": always(2.0)},
        shape=SHAPES,
        dtype={"integers": always(torch.int64), "text": always("float32")},
    ),
    "learning_rates": call(
        descent.learning_rates,
        are_rates,
        {"lr": lambda: [0.1, 0.2]},
        lr={
            "backwards": lambda: np.array([0.1, 0.2])[::-1],
            "grown": lambda: torch.tensor([0.1, 0.2], requires_grad=True),
            "truths": lambda: np.array([True, True]),
        },
    ),
    "draw_start": call(
        descent.draw_start,
        are_starts,
        {"draw": always(draw), "seed": always(0), "runs": always(3)},
        draw=DRAWS,
        seed=SEEDS,
    ),
    "factorise": call(
        training.factorise,
        is_trained,
        START | RUNS | {"scaled": always(False)},
        scaled={"yes": always(True)},
        seed=SEEDS,
    ),
    "train_mlp": call(
        training.train_mlp,
        is_trained,
        NET
        | RUNS
        | {"hidden": always(4), "num_epochs": always(2), "bias": always("vector")},
        targets=TARGETS | {"far": lambda: torch.tensor([0, 1, 2, 1, 2**62])},
        bias={"scalar": always("scalar")},
        seed=SEEDS,
    ),
    "train_autoencoder": call(
        training.train_autoencoder,
        is_trained,
        CODE | RUNS | {"init_scale": always(None)},
        seed=SEEDS,
    ),
    "factorisation_loss": call(
        training.factorisation_loss,
        is_factorisation_loss,
        {
            "U": lambda: tensor(5, 2),
            "V": lambda: tensor(3, 2),
            "A": lambda: tensor(5, 3),
        },
        U={"runs": lambda: tensor(4, 5, 2)},
        V={"runs": lambda: tensor(4, 3, 2)},
        A={"row": lambda: tensor(1, 3), "long": lambda: tensor(5, 1)},
    ),
    "autoencoder_loss": call(
        training.autoencoder_loss,
        is_autoencoder_loss,
        {
            "A": lambda: tensor(5, 2),
            "B": lambda: tensor(2, 5),
            "z": lambda: tensor(5, 3),
        },
        A={"runs": lambda: tensor(4, 5, 2), "row": lambda: tensor(1, 2)},
        B={"runs": lambda: tensor(4, 2, 5)},
    ),
    "mlp_logits": call(
        training.mlp_logits,
        are_logits,
        {
            "data": lambda: tensor(5, 3),
            "W1": lambda: tensor(3, 4),
            "b1": lambda: tensor(4),
            "W2": lambda: tensor(4, 2),
            "b2": lambda: tensor(2),
        },
        b1={"one": lambda: tensor(1), "runs": lambda: tensor(6, 4)},
        b2={"one": lambda: tensor(1), "more": lambda: tensor(3)},
        W1={"runs": lambda: tensor(6, 3, 4)},
    ),
    "cross_entropy": call(
        training.cross_entropy,
        is_cross_entropy,
        {"logits": lambda: tensor(5, 3), "targets": NET["targets"]},
        targets=TARGETS | {"one": lambda: torch.tensor([1])},
        logits={"runs": lambda: tensor(2, 5, 3)},
    ),
    "accuracy": call(
        training.accuracy,
        is_accuracy,
        {"logits": lambda: tensor(5, 3), "targets": NET["targets"]},
        targets=TARGETS | {"one": lambda: torch.tensor([1])},
        logits={"runs": lambda: tensor(2, 5, 3)},
    ),
    "scaled_step": call(
        minibatch.scaled_step,
        is_scaled_step,
        {"A": lambda: torch.linalg.qr(tensor(3, 2))[0], "z": lambda: tensor(5, 3)}
        | {"lr": always(0.5), "damping": always(0.03)},
    ),
    "orthogonalise": call(
        minibatch.orthogonalise, is_orthogonal, {"gradient": lambda: tensor(5, 3)}
    ),
    "train_autoencoder_minibatch": call(
        minibatch.train_autoencoder_minibatch,
        is_autoencoder,
        {"images": lambda: tensor(5, 3), "k": always(2), "num_epochs": always(2)}
        | {"batch_size": always(2), "lr": always(0.5), "optimizer": always(None)}
        | {"floor": always(0.1), "device": always("cpu"), "start": always(None)}
        | {"seed": always(0)},
        optimizer={"SGD": always(torch.optim.SGD), "LBFGS": always(torch.optim.LBFGS)},
        seed=SEEDS,
    ),
    "mean_image_loss": call(
        minibatch.mean_image_loss,
        is_mean_loss,
        {"A": lambda: tensor(3, 2), "B": lambda: tensor(2, 3)}
        | {"images": lambda: tensor(5, 3), "batch_size": always(2)},
    ),
    "scale_pixels": call(
        data.scale_pixels,
        is_scaled,
        {"pixels": lambda: np.arange(6, dtype=np.uint8).reshape(2, 3)},
    ),
    "load_iris": call(
        data.load_iris,
        is_iris,
        {"variant": always("uci")},
        variant={"array": lambda: np.array(["uci", "fisher"])},
    ),
    "photo_patches": call(
        data.photo_patches,
        are_patches,
        {"n": always(2), "split": always("test"), "seed": always(0)},
        seed=SEEDS,
    ),
    "load_cifar10": call(
        data.load_cifar10,
        None,  # never there
        {"root": always("nowhere"), "split": always("test")},
    ),
    "StackedRows": call(
        data.StackedRows,
        are_stacked,
        {"parts": lambda: [table(2, 3), table(4, 3)]},
        parts={
            "widths": lambda: [table(2, 3), table(4, 4)],
            "dtypes": lambda: [table(2, 3), table(4, 3).astype(np.float32)],
            "lists": lambda: [[[1, 2]], [[3, 4]]],
        },
    ),
    "axes": call(
        plots.axes,
        is_drawing,
        {"columns": always(2), "width": always(3), "height": always(2)},
    ),
    "show": call(
        lambda ax, alt: (plots.show(ax, alt=alt),),
        is_shown,
        {"ax": plots.axes, "alt": always("A text.")},
        ax={"row": lambda: plots.axes(2)},
    ),
    "picture": call(
        plots.picture,
        lambda found, ax, alt: None,
        {"ax": plots.axes, "alt": always("A text.")},
        ax={"row": lambda: plots.axes(2)},
    ),
    "scrub": call(
        quietly(live.scrub),
        is_scrubbed,
        {
            "values": lambda: [0.1, 0.2],
            "draw": always(lambda ax, i: None),
            "label": always("lr"),
            "alt": always("A text."),
            "still": always(None),
            "columns": always(1),
            "width": always(3),
            "height": always(2),
        },
        values={"one": always([1]), "range": always(range(3))},
        alt={"number": always(lambda i: i), "good": always(str)},
    ),
    "blocks": call(
        diagrams.blocks,
        is_drawing,
        {"parts": lambda: [("A", (5, 3)), "·"], "ax": always(None)},
        parts={
            "rows": lambda: [("A", (5, 3), np.array([0, 4]))],
            "a row too many": lambda: [("A", (5, 3), [5])],
            "rows of text": lambda: [("A", (5, 3), "ab")],
            "long": lambda: [("A" * 10_000, (5, 3))],
            "flat": lambda: [("A", (5,))],
            "half": lambda: [("A", (5, 0.5))],
        },
        ax=DRAWING,
    ),
    "network": call(
        diagrams.network,
        is_drawing,
        {"sizes": lambda: [4, 3], "names": lambda: ["x", "y"]}
        | {"weights": lambda: ["W"], "ax": always(None)},
        sizes={"large": lambda: [10**6, 2], "three": lambda: [1, 2, 3]},
        names={"long": lambda: ["x" * 10_000, "y"]},
        ax=DRAWING,
    ),
    "view": call(plots.view, lambda found: None, {}),
    "name_lines": call(plots.name_lines, is_drawing, {"ax": plots.axes}),
    "losses": call(
        plots.losses,
        is_drawing,
        {"losses": lambda: table(5, 2) ** 2, "labels": lambda: ["a", "b"]}
        | {"floor": always(0.1), "ax": always(None)},
        losses={"nan alone": lambda: np.full(5, np.nan), "zeros": lambda: np.zeros(5)},
        labels={"one": always(["a"]), "none": always(None)},
        ax=DRAWING,
    ),
    "histogram": call(
        plots.histogram,
        is_drawing,
        {"values": lambda: table(9), "bins": always(4), "ax": always(None)},
        values=CLOSE,
        bins={"edges": lambda: [0.0, 1.0], "down": lambda: [1.0, 0.0]},
        ax=DRAWING,
    ),
    "scatter": call(
        plots.scatter,
        is_scattered,
        {
            "points": lambda: table(3, 2),
            "labels": lambda: [0, 1, 1],
            "names": lambda: ["a", "b"],
            "ax": always(None),
        },
        labels={"nameless": lambda: [0, 1, 2], "below": lambda: [0, -1, 0]},
        names={"seven": lambda: list("abcdefg"), "one": lambda: ["a"]},
        ax=DRAWING,
    ),
    "contours": call(
        plots.contours,
        is_drawing,
        SIDES | {"heights": lambda: table(3, 4), "levels": always(5)},
        levels={"list": lambda: [0.0, 0.5], "down": lambda: [1.0, 0.0]},
        ax=DRAWING,
    ),
    "regions": call(
        plots.regions,
        is_drawing,
        SIDES | {"classes": lambda: np.arange(12).reshape(3, 4) % 6},
        classes={"seven": lambda: np.full((3, 4), 6)},
        ax=DRAWING,
    ),
    "graph": call(
        plots.graph,
        is_drawing,
        {"nodes": nodes, "ax": always(None)},
        nodes={"turned round": lambda: nodes()[::-1], "tuple": lambda: tuple(nodes())},
        ax=DRAWING,
    ),
    "images": call(
        plots.images,
        are_pictures,
        {"pictures": PICTURES["flat"], "columns": always(2)}
        | {"labels": lambda: ["a", "b"], "ax": always(None)},
        pictures=PICTURES,
        ax=DRAWING,
    ),
}


def test_every_public_function_is_in_the_table():
    rooms = {name for room in ROOMS for name in own(room, inspect.isfunction)}
    public = {name for name in rooms if not name.startswith("_")}
    assert public == set(TABLE) - {"StackedRows"}


# --- The law --------------------------------------------------------------------------


def frozen(value):
    """Return what must be as before in an argument."""
    if isinstance(value, torch.Tensor):
        return value._version, value.requires_grad, value.grad
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return value.tobytes(), value.flags.writeable
    if isinstance(value, (list, tuple)):
        return [frozen(part) for part in value]
    return None


@contextlib.contextmanager
def note(words):
    try:
        yield
    except Exception as error:
        error.add_note(words)
        raise


def shared_state():
    kept = dict(matplotlib.rcParams), list(warnings.filters), np.geterr()
    drawn = random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    of_torch = torch.get_default_dtype(), torch.is_grad_enabled()
    return kept, drawn, of_torch, torch.get_rng_state().numpy().tobytes()


@pytest.fixture(autouse=True)
def _no_cifar10_and_no_figures(monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", "none")
    monkeypatch.setenv("LAB_VIEW", "static")
    yield
    plt.close("all")


@functools.cache
def warm_up(name):
    """What is imported at first use may add to the filters of warnings."""
    entry = TABLE[name]
    if entry.check:
        entry.function(**{argument: make() for argument, make in entry.good.items()})


def choices(name, argument):
    return ABSURD | TABLE[name].special.get(argument, {})


def check_law(name, bad):
    """Call with good arguments, but for the bad ones: {argument: what it is}."""
    entry, state = TABLE[name], shared_state()
    made = entry.good | {each: choices(name, each)[what] for each, what in bad.items()}
    arguments = {argument: make() for argument, make in made.items()}
    before, figures = frozen(list(arguments.values())), plt.get_fignums()
    try:
        found = entry.function(**arguments)
    except FileNotFoundError:
        assert name == "load_cifar10"
        found = None
    except (ValueError, TypeError) as error:
        found = error
    if isinstance(found, Exception):
        assert bad, f"nothing is wrong here: {found}"
        assert re.match(rf"(scale\()?({'|'.join(made)})\b", str(found)), found
        assert plt.get_fignums() == figures, "a figure is left open"
    elif found is not None:
        masked = [isinstance(a, np.ma.MaskedArray) for a in arguments.values()]
        assert not any(masked), "a mask is overlooked"
        entry.check(found, **arguments)
    assert frozen(list(arguments.values())) == before
    assert shared_state() == state
    plt.close("all")


@pytest.mark.parametrize("name", TABLE)
def test_one_bad_argument_at_a_time(name):
    warm_up(name)
    check_law(name, {})
    for argument in TABLE[name].good:
        for what in choices(name, argument):
            with note(f"{argument}: {what}"):
                check_law(name, {argument: what})


@pytest.mark.parametrize("name", [name for name in TABLE if TABLE[name].good])
@law
@given(st.data())
def test_two_bad_arguments(name, data):
    warm_up(name)
    names = st.sampled_from(list(TABLE[name].good))
    bad = data.draw(st.lists(names, unique=True, min_size=1, max_size=2))
    what = {each: st.sampled_from(sorted(choices(name, each))) for each in bad}
    check_law(name, data.draw(st.fixed_dictionaries(what)))
