"""The exercises of lab 01."""

import numpy as np
import torch

from labchecks.compare import (
    Descent,
    expect,
    follow,
    measured_start,
    near,
    number,
    recognise,
    recognise_number,
    scalar,
    tensor,
    tensors,
)
from labchecks.predictions import prediction  # noqa: F401
from labchecks.student import Hint, Student
from labchecks.verdicts import Check, exercise, progress, strict  # noqa: F401
from labhelpers import linalg

OTHER_START = (
    "the start is not torch.rand(…, generator=generator), first U, then V, in A's "
    "dtype. It works, but the numbers will differ from the lab's."
)
DEFAULTS = "Give num_epochs and lr a value in the first line, as the exercise does."
QUESTION, FLOOR = "lab 01, The question", "lab 01, How good is 15.2?"
RATE = "lab 01, The largest learning rate"


@exercise("1.1", Student)
def gd_factorise_ad(student):
    """Follow gd_factorise_ad for some steps, on a tall and on a wide matrix."""
    _factorise(student, (7, 4), 2, torch.float64)
    _factorise(student, (3, 6), 1, torch.float32)


def _factorise(student, shape, rank, dtype):
    A = torch.tensor(student.rng.normal(size=shape), dtype=dtype)
    shapes = {"U": (shape[0], rank), "V": (shape[1], rank)}
    hint = "Return the pair (U, V), of shapes (m, rank) and (n, rank)."
    expect(student.accepts(A, rank), "no default for lr", "lr=0.01", DEFAULTS)

    def run(lr, steps):
        result = student(A, rank, num_epochs=steps, lr=lr)
        return tensors(result, shapes, dtype, otherwise=hint)

    start = measured_start(run, 0.02)
    if not near(start, _lab_start(student, shape, rank, dtype)):
        student.notes.append(OTHER_START)
    follow(run, _descent(A.double().numpy(), start), lr=0.02, steps=4)


def _lab_start(student, shape, rank, dtype):
    generator, sizes = student.generator(), [(count, rank) for count in shape]
    start = [torch.rand(s, generator=generator, dtype=dtype) for s in sizes]
    return [p.double().numpy() for p in start]


def _descent(A, start, mask=None):
    full = np.ones(A.shape)
    known = full if mask is None else mask

    def loss(U, V):
        return (known * (A - U @ V.T) ** 2).sum()

    def gradient(U, V, mask=known, target=A):
        E = mask * (target - U @ V.T)
        return [-2 * E @ V, -2 * E.T @ U]

    def norm(U, V):
        return [g / (2 * loss(U, V) ** 0.5) for g in gradient(U, V)]

    mean = Hint("The loss is a sum, not a mean.", QUESTION)
    half = Hint("There is no factor ½ in this loss.", QUESTION)
    others = [(Hint("The norm is to be squared.", QUESTION), norm)]
    if mask is not None:
        others += [
            ("mask is ignored.", lambda U, V: gradient(U, V, full)),
            ("mask is upside down: 1 is known.", lambda U, V: gradient(U, V, 1 - mask)),
            (
                "mask is on A alone: holes count as zeros. Put it on the difference.",
                lambda U, V: gradient(U, V, full, mask * A),
            ),
        ]
    factors = [(mean, 1 / A.size), (mean, 1 / known.sum()), (half, 0.5)]
    return Descent(("U", "V"), start, loss, gradient, factors, others)


@exercise("1.2", Student)
def svd_loss(student):
    """Compare svd_loss with the left-out singular values of three matrices."""
    for m, n, rank in [(6, 4, 2), (3, 5, 1), (4, 3, 2)]:
        A = student.rng.normal(size=(m, n)) + 1
        value = scalar(student(A, rank), "the loss")
        U, s, Vt = np.linalg.svd(A, full_matrices=False)
        kept, left = s[:rank] ** 2, s[rank:] ** 2
        centred = linalg.eckart_young_floor(A - A.mean(axis=0), rank)
        columns = np.linalg.svd(A)[2][:, :rank].T
        columns = ((A - U[:, :rank] * s[:rank] @ columns) ** 2).sum()
        without_s = ((A - U[:, :rank] @ Vt[:rank]) ** 2).sum()
        slips = [
            ("The norm is to be squared.", left.sum() ** 0.5),
            ("The loss is a sum, not a mean.", left.sum() / A.size),
            ("There is no factor ½ in this loss.", left.sum() / 2),
            ("That is what is kept; the loss is what is left out.", kept.sum()),
            ("Square the singular values that are left out.", s[rank:].sum()),
            ("One too few is kept: the first r are [:rank].", left.sum() + kept[-1]),
            ("One too many is kept: the first r are [:rank].", left[1:].sum()),
            ("The singular values are missing from the product.", without_s),
            ("Keep the first rows of Vt, Vt[:rank], not its columns.", columns),
            ("Take A as it is: it is not to be centred here.", centred),
        ]
        if near(value, 15.2046, 1e-2) and not near(value, left.sum(), 1e-4):
            slips += [("That is the lab's number: use A and rank.", value)]
        otherwise = "The truncated SVD is U[:, :rank] * s[:rank] @ Vt[:rank]."

        def say(value, of=f"for a {m} × {n} matrix, rank {rank}"):
            return f"{value:.4f} {of}"

        recognise(value, left.sum(), slips, otherwise, say=say, where=FLOOR)


@exercise("1.3", number)
def largest_lr_factorisation(value, A):
    """Compare a predicted learning rate with 2 / curvature at the flattest minimum."""
    s = float(np.linalg.svd(np.asarray(A), compute_uv=False)[0])
    slips = [
        ("The limit is 2 / c, not 1 / c.", 1 / (4 * s)),
        ("The curvature c is 4 σ₁, not σ₁.", 2 / s),
        ("The curvature c is 4 σ₁, not 2 σ₁.", 1 / s),
        ("σ₁ is the singular value, not its square.", 1 / (2 * s**2)),
        ("That is the curvature: the rate is 2 divided by it.", 4 * s),
        ("That is σ₁: the curvature is 4 σ₁, and the rate 2 divided by it.", s),
        ("That is a rate of the lab, no prediction: use σ₁.", 0.01),
    ]
    otherwise = "It is 2 / c, where c is the largest curvature at that minimum."
    recognise_number(value, 1 / (2 * s), slips, otherwise, where=RATE)


@exercise("1.4", Student)
def complete(student):
    """Follow complete for some steps, on two matrices with holes."""
    _complete(student, (7, 4), 2, torch.float32)
    _complete(student, (3, 6), 1, torch.float64)


def _with_holes(rng, shape, rank):
    """Draw a matrix of this rank, spoilt at holes, and where these are."""
    holes = np.add.outer(np.arange(shape[0]), 2 * np.arange(shape[1])) % 3 == 0
    left, right = (rng.uniform(0.5, 1.5, size=(n, rank)) for n in shape)
    return left @ right.T / rank + 3 * holes, holes


def _complete(student, shape, rank, dtype):
    A, holes = _with_holes(student.rng, shape, rank)
    A = A.astype(str(dtype)[6:])
    mask = (1 - holes).astype(A.dtype)
    given = torch.tensor(A), torch.tensor(mask), rank
    expect(student.accepts(*given), "no default for lr", "lr=0.01", DEFAULTS)
    hint = "Return one tensor of the shape of A: the product U @ V.T."

    def run(lr, steps):
        result = student(*given, num_epochs=steps, lr=lr)
        return [tensor(result, "the product", shape, dtype, otherwise=hint)]

    U, V = _lab_start(student, shape, rank, dtype)
    (first,) = measured_start(run, 0.02)
    hint = "Return the whole product: where mask is 0, it fills the holes."
    expect(not near(first, mask * (U @ V.T)), "zeros in the holes", "no holes", hint)
    hint = "Return the product itself, at the known entries too."
    filled = near(first, np.where(holes, U @ V.T, A))
    expect(not filled, "the known entries of A", "those of U @ V.T", hint)
    if not near(first, U @ V.T):
        student.notes.append(OTHER_START)
        (before,) = run(0.02, 4)
        s = np.linalg.svd(before, compute_uv=False)
        hint = "U has shape (m, rank) and V has shape (n, rank)."
        expect(
            s[rank] < 1e-4 * s[0], "a higher rank", f"a product of rank {rank}", hint
        )
        given[0][torch.tensor(holes)] += 1
        hint = "The loss counts the entries where mask is 1, and only those."
        same = near(run(0.02, 4), [before])
        expect(same, "the entries where mask is 0 matter", "they do not", hint)
        if rank > 1:
            return
        (second,) = run(1e-6, 1)
        U, V = _rank_one_start(first, second - first, mask * (A - first))
    descent = _descent(A.astype(float), [U, V], mask.astype(float))
    follow(run, descent, lr=0.02, steps=4, view=lambda UV: [UV[0] @ UV[1].T])


def _rank_one_start(product, step, E):
    """Tell U and V from their product and its first step.

    The step is along ``E v vᵀ`` and ``u uᵀ E``, as long as ``‖V‖²`` and ``‖U‖²``, for
    unit vectors u and v. Their ratio does not depend on lr, or on a factor in the loss.
    """
    u, s, vt = linalg.truncated_svd(product, 1)
    parts = np.stack([(E @ vt.T @ vt).ravel(), (u @ u.T @ E).ravel()], axis=1)
    of_v, of_u = np.abs(np.linalg.lstsq(parts, step.ravel())[0]) + 1e-12
    size = np.sqrt(s * np.sqrt(of_u / of_v))
    return [u * size, vt.T * s / size]
