"""The exercises of lab 05 on mini-batches."""

import numpy as np
import torch

from labchecks.compare import (
    CLEAR,
    NO_RETURN,
    STEP,
    Descent,
    expect,
    follow,
    must_move,
    recognise,
    scalar,
    shape_of,
    tensors,
)
from labchecks.predictions import prediction  # noqa: F401
from labchecks.student import Hint, Student, kind
from labchecks.verdicts import Check, exercise, progress, strict  # noqa: F401

COUNT, CRASH = "lab 05, Where the 43 minutes went", "lab 05, A list of losses"
LOSS, LOOP = "lab 05, Exercise 5.2", "lab 05, Exercise 5.3"
NO_HALF = Hint("The factor ½ is missing.", LOSS)
SUM = Hint("The loss is the mean over the pictures, not their sum.", LOSS)
PIXELS = Hint("The mean is over pictures alone: add up the pixels of each.", LOSS)
BY_PIXELS = Hint("Divide by the number of pictures, not by that of pixels.", LOSS)
NORM = Hint("The norm is to be squared.", LOSS)
EXCHANGED = Hint(
    "A and B are exchanged: B encodes. As rows, A B z is images @ B.T @ A.T.",
    "lab 05, Mini-batches",
)
LENGTH = Hint(
    "batch_size is the number of rows in a batch; other batches are cut.", LOOP
)
DTYPES = (torch.float64, torch.float32)


def _problem(rng, sizes, dtype):
    """Draw A, B and images, with plain numbers all over."""
    n, k, m = sizes
    A, B = 0.5 * rng.normal(size=(n, k)), 0.5 * rng.normal(size=(k, n))
    return [torch.tensor(x).to(dtype) for x in (A, B, rng.normal(size=(m, n)))]


def _rest(A, B, images):
    return images - images @ B.T @ A.T


def _loss(A, B, images):
    return float((_rest(A, B, images) ** 2).sum() / (2 * len(images)))


def _gradient(A, B, images):
    E, m = _rest(A, B, images), len(images)
    return [-E.T @ (images @ B.T) / m, -A.T @ E.T @ images / m]


# --- 5.2 -----------------------------------------------------------------------------


@exercise("5.2", Student)
def minibatch_loss(student):
    """Compare minibatch_loss and its gradient with formulas, and count its work."""
    for sizes, dtype in zip([(6, 2, 4), (5, 3, 7)], DTYPES):
        _compare_loss(student, *_problem(student.rng, sizes, dtype))
    n, k, m = 40, 2, 5
    problem = _problem(student.rng, (n, k, m), torch.float64)
    count, cheap = student.measure(*problem).multiplications, 2 * m * n * k
    seen = f"{count} multiplications for {m} pictures of {n} pixels, k = {k}"
    hint = "A product with n × n entries is made, such as A @ B. Take B first: "
    hint = Hint(hint + "(images @ B.T) @ A.T.", COUNT)
    expect(count <= 2 * cheap, seen, f"{cheap} multiplications", hint)


def _compare_loss(student, A, B, images):
    A, B = A.requires_grad_(), B.requires_grad_()
    result = student(A, B, images)
    expected = "a tensor without axes"
    expect(result is not None, "None", expected, NO_RETURN)
    hint = "Return the tensor itself, without .item() or float()."
    expect(isinstance(result, torch.Tensor), kind(result), expected, hint)
    hint = "One number for the whole batch: take the mean over the pictures, too."
    expect(result.ndim == 0, kind(result), expected, hint)
    by_book = [x.detach().double().numpy() for x in (A, B, images)]
    (m, n), right, E = images.shape, _loss(*by_book), _rest(*by_book)
    a, b, Z = by_book
    slips = []
    for half in (1, 2):
        slips += [
            (PIXELS, half * right / n),
            (SUM, half * right * m),
            (BY_PIXELS, half * right * m / n),
            (NORM, half * np.linalg.norm(E, axis=1).mean() / 2),
            (NORM, half * np.linalg.norm(E) / (2 * m)),
            (NORM, half * np.linalg.norm(E) / 2),
            ("The differences are to be squared.", half * np.abs(E).sum() / (2 * m)),
            ("The differences are to be squared.", half * E.sum() / (2 * m)),
            ("Compare the copies with images.", half * ((Z - E) ** 2).sum() / (2 * m)),
            (EXCHANGED, half * ((Z - Z @ a @ b) ** 2).sum() / (2 * m)),
        ]
    slips += [(NO_HALF, 2 * right), ("½ is there twice.", right / 2)]
    slips += [("Only the first picture counts.", (E[0] ** 2).sum() / 2)]
    otherwise = "It is the mean over the pictures z of ½ ‖z − A B z‖²."
    value, say = result.detach().double().item(), "{:.4f}".format
    recognise(value, right, slips, otherwise, say=say, where=LOSS, tol=1e-5)
    hint = Hint("The graph is cut: no .detach(), .data or no_grad here.", LOSS)
    expect(result.requires_grad, "no graph", "a loss with a gradient", hint)
    pair = torch.autograd.grad(result, (A, B), materialize_grads=True)
    recognise(
        [g.double().numpy() for g in pair],
        _gradient(*by_book),
        [],
        Hint("A gradient is wrong: is a factor detached?", LOSS),
        tol=1e-4,
        say=lambda pair: "gradients of size {:.4f}, {:.4f}".format(
            *map(np.linalg.norm, pair)
        ),
    )


# --- 5.3 -----------------------------------------------------------------------------


@exercise("5.3", Student)
def train_epoch(student):
    """Follow train_epoch for one batch, then for three, and compare its losses."""
    for sizes, size, dtype in zip([(6, 2, 10), (5, 3, 7)], [4, 3], DTYPES):
        _train(student, _problem(student.rng, sizes, dtype), size)


def _train(student, problem, size, lr=0.02):
    given, dtype = problem[:2], problem[0].dtype
    A, B, images = (x.double().numpy() for x in problem)
    shapes = {"A": A.shape, "B": B.shape}

    def epoch(images, batch_size, lr):
        result = student(*given, images, batch_size=batch_size, lr=lr)
        expect(result is not None, "None", "(A, B, losses)", NO_RETURN)
        three = isinstance(result, tuple | list) and len(result) == 3
        hint = "Return three things: A, B and the list of losses."
        expect(three, kind(result), "(A, B, losses)", hint)
        return tensors(result[:2], shapes, dtype, otherwise=hint), result[2]

    def run(lr, steps):  # the same batch again and again
        return epoch(problem[2].repeat(steps, 1), len(images), lr)[0]

    m, n = images.shape
    factors = [(NO_HALF, 2), (SUM, m), (SUM, 2 * m), (PIXELS, 1 / n), (PIXELS, 2 / n)]

    def by(batches):
        def gradient(A, B):  # that leads where updates by these batches end
            end = _path(A, B, batches, lr)[-1]
            return [-move / lr for move in _moves(end, A, B)]

        return gradient

    others = [
        (LENGTH, by(np.split(images, m))),
        ("That is more than one pass over the pictures.", by([images] * 2)),
        (
            "Each row of a batch is to be in one batch alone: i, i + batch_size, …",
            by([images[i:] for i in range(m)]),
        ),
    ]

    descent = Descent(
        ("A", "B"),
        [A, B],
        lambda A, B: _loss(A, B, images),
        lambda A, B: _gradient(A, B, images),
        factors,
        others,
    )
    must_move(run, lr)
    follow(run, descent, lr=lr, steps=1)
    ends, losses = epoch(problem[2], size, lr)
    batches = np.split(images, range(size, m, size))
    path = _path(A, B, batches, lr)
    _compare_ends(ends, path[-1], A, B, batches, lr)
    _compare_losses(losses, path, batches)


def _path(A, B, batches, lr, *, keep=0, whole=None):
    """Return A, B before each update and after the last.

    ``keep`` is the share of old gradients that stays, ``whole`` a size by which each
    batch is divided, instead of its own.
    """
    path, sums = [[A, B]], [0.0, 0.0]
    for batch in batches:
        gradient = _gradient(*path[-1], batch)
        weight = len(batch) / whole if whole else 1
        sums = [keep * s + weight * g for s, g in zip(sums, gradient)]
        path.append([p - lr * s for p, s in zip(path[-1], sums)])
    return path


def _compare_ends(ends, right, A, B, batches, lr):
    images, size = np.concatenate(batches), len(batches[0])
    uncleared = "The gradients are not cleared: backward() adds to them."
    slips = [
        (Hint(uncleared, CLEAR), batches, {"keep": 1}),
        ("That is one update for all pictures: update after each batch.", [images], {}),
        (
            "Only one update, by the first batch: is return in the loop?",
            batches[:1],
            {},
        ),
        ("Only one update, by the last batch: is it after the loop?", batches[-1:], {}),
        ("The last, smaller batch is dropped: it counts, too.", batches[:-1], {}),
        (
            "Each update takes all pictures: use the batch in the loss.",
            [images] * len(batches),
            {},
        ),
        (
            "Each update takes the first batch again: use the next one.",
            batches[:1] * len(batches),
            {},
        ),
        (
            "The last batch is smaller: divide by its own length.",
            batches,
            {"whole": size},
        ),
        (
            "The batches come in another order: take the rows in turn.",
            batches[::-1],
            {},
        ),
    ]
    slips = [
        (hint, _moves(_path(A, B, cut, lr, **kw)[-1], A, B)) for hint, cut, kw in slips
    ]

    def say(moved):
        sizes = [f"{n} by {np.linalg.norm(x):.4g}" for n, x in zip("AB", moved)]
        lengths = ", ".join(str(len(batch)) for batch in batches)
        return f"batches of {lengths} pictures moved {' and '.join(sizes)}"

    otherwise = "One batch is right, several are not: in the order they come, with one "
    otherwise += "update each?"
    seen, right = _moves(ends, A, B), _moves(right, A, B)
    recognise(seen, right, slips, otherwise, say=say, where=STEP, tol=1e-3)


def _moves(ends, A, B):
    return [ends[0] - A, ends[1] - B]


def _compare_losses(losses, path, batches):
    right = [_loss(*at, batch) for at, batch in zip(path, batches)]
    expected = f"{len(right)} losses for {len(right)} batches"
    fits = isinstance(losses, tuple | list | np.ndarray | torch.Tensor)
    fits = fits and shape_of(losses) != () or isinstance(losses, tuple | list)
    hint = "losses is a list with one number for each batch."
    expect(fits, f"{kind(losses)} for losses", expected, hint)
    graph = any(getattr(loss, "requires_grad", False) for loss in losses)
    hint = Hint("Append loss.item(): a loss tensor keeps its whole graph.", CRASH)
    expect(not graph, "losses with their graphs", "plain floats", hint)
    losses = [scalar(loss, "each loss") for loss in losses]
    images, lengths = np.concatenate(batches), [len(batch) for batch in batches]
    after = "That is the loss after the update: compute it before."
    slips = [
        (after, [_loss(*at, batch) for at, batch in zip(path[1:], batches)]),
        (
            "Each loss is that of its own batch, not of all pictures.",
            [_loss(*at, images) for at in path[:-1]],
        ),
        (
            "Each loss is that of its own batch, not of all pictures.",
            [_loss(*at, images) for at in path[1:]],
        ),
        (
            "The losses are those of the start: use the A, B that were updated.",
            [_loss(*path[0], batch) for batch in batches],
        ),
        ("Only one loss: append one for each batch.", right[-1:]),
        ("Only one loss: append one for each batch.", right[:1]),
        ("The mean comes later: append one loss for each batch.", [np.mean(right)]),
        ("The losses are added up: append each alone.", list(np.cumsum(right))),
        (SUM, [loss * m for loss, m in zip(right, lengths)]),
        (NO_HALF, [2 * loss for loss in right]),
    ]
    if len(losses) == len(right) + 1:
        extra = "There is one loss too many: here none comes after the last update."
        slips += [(extra, [*right, losses[-1]])]

    def say(losses):
        return f"{len(losses)} losses, {[float(f'{loss:.5g}') for loss in losses]}"

    otherwise = "One loss for each batch, before its update."
    recognise(losses, right, slips, otherwise, say=say, tol=1e-5)


from labchecks._counts import multiplications  # noqa: E402, F401
from labchecks._spectrum import orthogonal, spectrum_limits  # noqa: E402, F401
