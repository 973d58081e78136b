"""The exercises of lab 04."""

import numpy as np
import torch

from labchecks.compare import (
    CLEAR,
    NO_RETURN,
    Descent,
    expect,
    follow,
    must_move,
    near,
    number,
    recognise,
    recognise_number,
    scalar,
    tensor,
    tensors,
)
from labchecks.predictions import prediction  # noqa: F401
from labchecks.student import Hint, Student, kind
from labchecks.verdicts import Check, exercise, progress, strict  # noqa: F401

LOSS, TRAIN = "lab 04, Exercise 4.1", "lab 04, Exercise 4.1b"
SWEEP, CURVATURE = "lab 04, The report's sweep", "lab 01, The largest learning rate"
NO_HALF = Hint("The factor ½ is missing.", LOSS)
MEAN = Hint("The loss is a sum over all entries, not a mean.", LOSS)
DTYPES = (torch.float64, torch.float32)


def _problem(rng, n, k, examples, scale=0.5):
    """Draw A, B, z, with plain numbers all over."""
    sizes = (n, k), (k, n), (n, examples)
    A, B, z = (rng.normal(size=size) for size in sizes)
    return scale * A, scale * B, z


def _descent(A, B, z):
    def loss(A, B):
        return ((z - A @ (B @ z)) ** 2).sum() / 2

    def gradient(A, B):
        E = z - A @ (B @ z)
        return [-E @ (B @ z).T, -A.T @ E @ z.T]

    def norm(A, B):
        return [g / (2 * loss(A, B)) ** 0.5 for g in gradient(A, B)]

    factors = [(NO_HALF, 2), (MEAN, 1 / z.size), (MEAN, 2 / z.size)]
    factors += [(MEAN, 1 / z.shape[1]), (MEAN, 2 / z.shape[1])]
    others = [(Hint("The norm is to be squared.", LOSS), norm)]
    return Descent(("A", "B"), [A, B], loss, gradient, factors, others)


@exercise("4.1", Student)
def autoencoder_loss(student):
    """Compare autoencoder_loss and its gradient with the closed forms."""
    for (n, k, examples), dtype in zip([(5, 2, 7), (4, 3, 6)], DTYPES):
        A, B, z = (
            torch.tensor(x).to(dtype) for x in _problem(student.rng, n, k, examples)
        )
        A, B = A.requires_grad_(), B.requires_grad_()
        result = student(A, B, z)
        expected = "a tensor without axes"
        expect(result is not None, "None", expected, NO_RETURN)
        hint = "Return the tensor itself, without .item() or float()."
        expect(isinstance(result, torch.Tensor), kind(result), expected, hint)
        hint = "Add up all the squares, .sum(): one number for all examples."
        expect(result.ndim == 0, kind(result), expected, hint)
        by_book = _descent(*(x.detach().double().numpy() for x in (A, B, z)))
        right, (dA, dB) = by_book.loss(*by_book.start), by_book.gradient(*by_book.start)
        AB = (z - A @ (B @ z)).detach().double().numpy()
        slips = [
            (NO_HALF, 2 * right),
            (MEAN, right / z.numel()),
            (MEAN, 2 * right / z.numel()),
            (MEAN, right / examples),
            (MEAN, 2 * right / examples),
            ("The norm is to be squared.", (2 * right) ** 0.5),
            ("The norm is to be squared.", (2 * right) ** 0.5 / 2),
            ("The differences are to be squared.", np.abs(AB).sum() / 2),
            ("The differences are to be squared.", np.abs(AB).sum()),
            ("The differences are to be squared.", AB.sum() / 2),
            (
                "Compare the copies with z: z − A B z.",
                (((A @ B @ z).detach().double() ** 2).sum().item() / 2),
            ),
        ]
        otherwise = "It is ½ ‖z − A B z‖², added up over all entries."
        value = result.detach().double().item()
        recognise(
            value, right, slips, otherwise, say="{:.4f}".format, where=LOSS, tol=1e-5
        )
        hint = Hint("The graph is cut: no .detach(), .data or no_grad here.", LOSS)
        expect(result.requires_grad, "no graph", "a loss with a gradient", hint)
        pair = torch.autograd.grad(result, (A, B), materialize_grads=True)
        pair = [g.double().numpy() for g in pair]
        cut = "A gradient is wrong: is a factor detached?"
        recognise(
            pair,
            [dA, dB],
            [],
            Hint(cut, LOSS),
            tol=1e-4,
            say=lambda pair: "gradients of size {:.4f}, {:.4f}".format(
                *map(np.linalg.norm, pair)
            ),
        )


@exercise("4.1b", Student)
def train_ab(student):
    """Follow train_ab for some steps, and compare its losses."""
    for (n, k, examples), dtype in zip([(5, 2, 7), (4, 1, 6)], DTYPES):
        _train(student, _problem(student.rng, n, k, examples), dtype)


def _train(student, problem, dtype):
    given = [torch.tensor(x, dtype=dtype) for x in problem]
    n, k = problem[0].shape
    problem = [x.double().numpy() for x in given]
    losses = {}
    hint = Hint("Return three things: A, B and the list of losses.", TRAIN)

    def run(lr, steps):
        result = student(*given, steps=steps, lr=lr)
        expect(result is not None, "None", "(A, B, losses)", NO_RETURN)
        three = isinstance(result, tuple | list) and len(result) == 3
        expect(three, kind(result), "(A, B, losses)", hint)
        losses[lr, steps] = result[2]
        return tensors(result[:2], {"A": (n, k), "B": (k, n)}, dtype, otherwise=hint)

    descent, lr, steps = _descent(*problem), 0.01, 4
    must_move(run, lr)
    follow(run, descent, lr=lr, steps=steps)
    _compare_losses(losses[lr, steps], descent, lr, steps)


def _compare_losses(losses, descent, lr, steps):
    right = [float(descent.loss(*descent.path(lr, t))) for t in range(steps + 1)]
    fits = isinstance(losses, tuple | list | np.ndarray | torch.Tensor)
    hint = Hint("losses is a list with one number for each step, and one more.", TRAIN)
    expected = f"{steps + 1} losses for {steps} steps"
    expect(fits, f"{kind(losses)} for losses", expected, hint)
    graph = any(getattr(loss, "requires_grad", False) for loss in losses)
    hint = Hint("Append loss.item(): a loss tensor keeps its whole graph.", CLEAR)
    expect(not graph, "losses with their graphs", "plain floats", hint)
    losses = [scalar(loss, "each loss") for loss in losses]
    no_last = "The loss after the last update is missing: compute it anew."
    slips = [
        (no_last, right[:-1]),
        (no_last, [*right[:-1], right[-2]]),
        ("The first loss is missing: the one before any update.", right[1:]),
        (
            "The first loss is missing: the one before any update.",
            [*right[1:], right[-1]],
        ),
        ("Only the last loss: append one in each step.", right[-1:]),
        (NO_HALF, [2 * loss for loss in right]),
        (
            "losses does not belong to this loss: the same value each time.",
            [right[0]] * (steps + 1),
        ),
    ]

    def say(losses):
        return f"{len(losses)} losses, {[float(f'{loss:.5g}') for loss in losses]}"

    otherwise = "One loss before each update, and one after the last."
    recognise(losses, right, slips, otherwise, say=say, where=TRAIN, tol=1e-5)


# Rates, relative to the largest stable one, and steps; the right choice in each sweep.
SWEEPS = [
    ([3, 0.02, 0.3, 5], 15),
    ([0.3, 3, 0.02], 15),
    ([1.6, 0.01], 45),
    ([0.1, 0.05], 10),
    ([0.02, 0.3, 3], 15),
]
BEST = [2, 0, 1, 0, 1]
# What each slip would choose there.
CHOICES = [
    ("min() over the curve hides a run that diverged: use the last loss.", "20001"),
    ("Each run goes on where the last one ended: start all from A, B.", "00011"),
    ("Each run goes on where the last one ended: start all from A, B.", "01012"),
    ("argmin takes nan for the smallest: make it infinite first.", "01002"),
    ("A nan in front stays: every comparison with it is false.", "00001"),
    ("That is the first rate, always.", "00000"),
    ("That is the last rate, always.", "32112"),
    ("That is the largest rate, always.", "31002"),
    ("That is the largest loss or the smallest rate.", "12110"),
]


@exercise("4.3b", Student)
def best_rate(student):
    """Compare what best_rate chooses in five small sweeps with the right choices."""
    chosen = []
    for relative, steps in SWEEPS:
        A, B, z = _problem(student.rng, 6, 2, 8, scale=0.2)
        stable = float(1 / np.linalg.norm(z, 2) ** 2)
        rates = [r * stable for r in relative]
        given = [torch.tensor(x) for x in (A, B, z)]
        rate = scalar(student(*given, rates=rates, steps=steps), "the rate")
        index = next((i for i, r in enumerate(rates) if near(rate, r)), None)
        hint = "Return the rate itself: neither its place in the list, nor its loss."
        expect(index is not None, f"{rate:.4g}", "one of the rates", Hint(hint, SWEEP))
        chosen.append(index)

    def say(choices):
        return f"in five sweeps, rates number {[i + 1 for i in choices]}"

    slips = [(hint, [int(i) for i in choices]) for hint, choices in CHOICES]
    otherwise = "Of the losses after the last update, that of the rate is the smallest."
    recognise(chosen, BEST, slips, otherwise, say=say, where=SWEEP)


@exercise("4.4", number)
def largest_lr_autoencoder(value, curvature):
    """Compare a predicted learning rate with 2 / curvature."""
    c = float(curvature)
    slips = [
        ("The limit is 2 / c, not 1 / c.", 1 / c),
        ("The limit is 2 / c, not 4 / c.", 4 / c),
        ("The limit is 2 / c, not 1 / (2 c).", 1 / (2 * c)),
        ("That is the curvature: the rate is 2 divided by it.", c),
        ("That is upside down: the rate is 2 divided by the curvature.", c / 2),
        ("The curvature is not to be squared.", 2 / c**2),
        ("No square root: the curvature is c already.", 2 / c**0.5),
        ("That is the limit at the flattest minimum; here c is given.", 1.022 * 2 / c),
        ("That is a rate of the sweep, no prediction: use curvature.", 0.0025),
        ("That is a rate of the sweep, no prediction: use curvature.", 0.01),
    ]
    otherwise = "It is 2 divided by the largest curvature."
    recognise_number(value, 2 / c, slips, otherwise, where=CURVATURE, tol=0.015)


@exercise("4.5", Student)
def best_encoder(student):
    """Compare best_encoder with the pseudo-inverse by NumPy."""
    for (n, k), dtype in zip([(6, 2), (7, 3)], DTYPES):
        A = student.rng.normal(size=(n, k)) * np.arange(1, k + 1)
        result = student(torch.tensor(A, dtype=dtype))
        hint = "Return one matrix B, of shape (k, n)."
        B = tensor(result, "B", (k, n), dtype, otherwise=hint)
        right = np.linalg.pinv(A)
        slips = [
            ("A.T alone: (AᵀA)⁻¹ is missing, as A is not orthonormal.", A.T),
            ("A.T and a scale: (AᵀA)⁻¹ is a matrix.", A.T / (A**2).sum()),
            (
                "A.T with unit length: the columns are not orthogonal.",
                A.T / (A**2).sum(axis=0)[:, None],
            ),
            ("(AᵀA)⁻¹ is to be multiplied, not left as AᵀA.", A.T @ A @ A.T),
            ("Q.T alone: R⁻¹ is missing.", np.linalg.qr(A)[0].T),
        ]

        def say(B, A=A):
            rest = np.linalg.norm(B @ A - np.eye(len(B)))
            return f"‖B A − 1‖ = {rest:.4f}, size of B {np.linalg.norm(B):.4f}"

        otherwise = "It is least squares: (AᵀA)⁻¹ Aᵀ, the pseudo-inverse of A."
        recognise(B, right, slips, otherwise, say=say, tol=1e-4)
