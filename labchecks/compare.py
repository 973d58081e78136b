"""Read what an answer returns, and tell which slip it comes from.

A slip is recognised by its result: we make it ourselves, and compare. Of a descent the
steps are compared, not the places: beside a place, one step would be lost.
"""

import math
from typing import NamedTuple

import numpy as np
import torch

from labchecks.student import Hint, NotBegun, Wrong, kind

STEP, CLEAR = "lab 01, One step", "lab 01, What if you forget to clear?"
NO_RETURN = "Nothing comes back: is the last line, return, missing?"
DETACH = Hint("Return it detached, x.detach(), or it keeps its graph.", STEP)
TRANSPOSED = "It is transposed: compare with the shape that the exercise names."
DTYPE = "Create it with the dtype of what is handed in, dtype=x.dtype."
NOT_FINITE = "The numbers have run away: a division by 0, or a step that is too long?"


def expect(condition, seen, expected, hint):
    """Raise Wrong unless the condition holds."""
    if not condition:
        raise Wrong(seen, expected, hint)


def near(value, right, tol=1e-6, least=1e-12):
    """Whether arrays agree, to ``tol`` times the largest entry of ``right``.

    Lists and tuples are compared item by item, each by its own size. ``least`` is a
    difference that is too small to count.
    """
    if isinstance(right, list | tuple):
        return len(value) == len(right) and all(
            near(a, b, tol, least) for a, b in zip(value, right)
        )
    value, right = np.asarray(value), np.asarray(right)
    if value.shape != right.shape:
        return False
    return bool(np.abs(value - right).max() <= tol * np.abs(right).max() + least)


def recognise(seen, right, slips, otherwise, *, say, where="", tol=1e-4, least=1e-12):
    """Raise Wrong unless ``seen`` is near ``right``, with the hint of the first slip.

    ``slips`` are pairs: a hint, and what the slip gives, or a function that makes it.
    """
    if near(seen, right, tol, least):
        return
    for hint, slip in [*slips, (otherwise, seen)]:
        if near(seen, slip() if callable(slip) else slip, tol, least):
            hint = hint if isinstance(hint, Hint) else Hint(hint, where)
            raise Wrong(say(seen), say(right), hint)
    raise Wrong("NaN", say(right), NOT_FINITE)


def recognise_number(value, right, slips, otherwise, *, where="", tol=0.01):
    """As ``recognise``, for a number that was asked for: the right one isn't told."""
    expected = f"a {'larger' if value < right else 'smaller'} number"

    def say(shown):
        return f"{shown:.4g}" if shown == value else expected

    recognise(value, right, slips, otherwise, say=say, where=where, tol=tol)


# --- Reading -------------------------------------------------------------------------


def number(answer, seed=0, notes=()):
    """Return an answer as a float."""
    if answer is None or answer is ...:
        raise NotBegun
    return scalar(answer, "the answer")


def scalar(value, name):
    """Return a number, which may be in a tensor or an array, as a float."""
    expect(value is not None, f"None for {name}", "a number", NO_RETURN)
    is_array = isinstance(value, torch.Tensor | np.ndarray)
    fits = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    fits = fits or (is_array and math.prod(value.shape) == 1)
    expect(fits, f"{kind(value)} for {name}", "one number", f"{name} is one number.")
    grad = getattr(value, "requires_grad", False)
    expect(not grad, f"{name} requires grad", "a plain number", DETACH)
    value = float(value)
    expect(math.isfinite(value), f"{value} for {name}", "a finite number", NOT_FINITE)
    return value


def shape_of(value):
    """Return the shape of a tensor or an array, ``()`` for anything else."""
    return tuple(getattr(value, "shape", ()))


def array(value, name, shape, *, otherwise=TRANSPOSED):
    """Return numbers of this shape as an array of float64."""
    expected = f"{name} of shape {shape}"
    expect(value is not None, f"None for {name}", expected, NO_RETURN)
    grad = getattr(value, "requires_grad", False)
    expect(not grad, f"{name} requires grad", f"{name} without a graph", DETACH)
    try:
        value = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"{kind(value)} for {name}", expected, otherwise) from None
    hint = TRANSPOSED if value.shape == shape[::-1] else otherwise
    expect(value.shape == shape, f"{name} of shape {value.shape}", expected, hint)
    finite = np.isfinite(value).all()
    expect(finite, f"NaN or infinity in {name}", "finite numbers", NOT_FINITE)
    return value


def tensor(value, name, shape, dtype, *, otherwise=TRANSPOSED):
    """Return a tensor of this shape and dtype, without a graph, as array of float64."""
    is_tensor = isinstance(value, torch.Tensor)
    hint = NO_RETURN if value is None else otherwise
    expect(is_tensor, f"{kind(value)} for {name}", f"a tensor of shape {shape}", hint)
    values = array(value, name, shape, otherwise=otherwise)
    expect(value.dtype == dtype, f"{name} of {value.dtype}", dtype, DTYPE)
    return values


def tensors(result, shapes, dtype, *, otherwise):
    """Return several tensors, given as {name: shape}, as arrays."""
    expected = f"({', '.join(shapes)})"
    expect(result is not None, "None", expected, NO_RETURN)
    fits = isinstance(result, tuple | list) and len(result) == len(shapes)
    expect(fits, kind(result), expected, otherwise)
    seen, wanted = [shape_of(value) for value in result], list(shapes.values())
    turned = seen != wanted and seen == wanted[::-1]
    expect(not turned, f"shapes {seen}", wanted, "They come back in the wrong order.")
    return [
        tensor(value, name, shape, dtype, otherwise=otherwise)
        for value, (name, shape) in zip(result, shapes.items())
    ]


# --- Gradient descent ----------------------------------------------------------------


class Descent(NamedTuple):
    """A descent by the book, in NumPy, and the slips that one can make in it.

    ``loss(*params)`` is a number, ``gradient(*params)`` a list. ``factors`` are pairs
    of a hint and what the loss is too large by, ``others`` of a hint and a gradient.
    """

    names: tuple
    start: list
    loss: callable
    gradient: callable
    factors: tuple = ()
    others: tuple = ()

    def path(self, lr, steps, *, gradient=None, keep=0, in_turn=False):
        """Return the parameters after so many steps.

        ``keep`` is the share of old gradients that stays; ``in_turn``: a parameter
        moves before the next gradient is taken.
        """
        gradient, params = gradient or self.gradient, list(self.start)
        sums = [0.0] * len(params)
        with np.errstate(all="ignore"):
            for _ in range(steps):
                sums = [keep * s + g for s, g in zip(sums, gradient(*params))]
                for i in range(len(params)):
                    params[i] = params[i] - lr * (
                        gradient(*params)[i] if in_turn else sums[i]
                    )
        return params

    def slips(self, lr, steps):
        """Return pairs: a hint, and a function that returns where the slip leads."""

        def weighted(*weights):
            def gradient(*params):
                return [w * g for w, g in zip(weights, self.gradient(*params))]

            return gradient

        count = len(self.names)
        gradients = [("The step goes uphill: subtract.", weighted(*[-1] * count))]
        gradients += [(hint, weighted(*[f] * count)) for hint, f in self.factors]
        for stuck in self.names:
            weights = [name != stuck for name in self.names]
            gradients += [(f"{stuck} never moves: update it too.", weighted(*weights))]
        gradients += self.others
        slips = [
            (hint, lambda g=gradient: self.path(lr, steps, gradient=g))
            for hint, gradient in gradients
        ]
        hint = "Take both gradients before you update either parameter."
        slips += [(hint, lambda: self.path(lr, steps, in_turn=True))]
        if steps > 1:
            hint = Hint(
                "The gradients are not cleared: backward() adds to them.", CLEAR
            )
            slips += [(hint, lambda: self.path(lr, steps, keep=1))]
        for hint, other in [
            ("There is only one step: is return inside the loop?", 1),
            ("There is one step too few.", steps - 1),
            ("There is one step too many.", steps + 1),
            ("The number of steps is ignored.", 100),
            ("The number of steps is ignored.", 1000),
        ]:
            slips += [(hint, lambda n=other: self.path(lr, n))]
        return slips


def measured_start(run, lr):
    """Return where a descent starts, by a step of almost no length.

    ``run(lr, steps)`` is where it ends. The start may come from any random numbers.
    """
    start, again = run(1e-12, 1), run(1e-12, 1)
    hint = "Draw the start by torch, from the generator that is handed in."
    again = near(again, start)
    expect(again, "two starts from one seed", "the same start", hint)
    hint = "Where all are zero, so is the gradient. Start from random numbers."
    hint = Hint(hint, "lab 04, A start at zero")
    expect(any(p.any() for p in start), "a start at zero", "a random start", hint)
    matrices = [p for p in start if p.ndim == 2 and min(p.shape) > 1]
    constant = matrices and all(np.ptp(m) < 1e-9 for m in matrices)
    hint = "Columns that start alike get the same gradient, and stay alike for ever."
    expect(not constant, "a constant start", "a random start", hint)
    must_move(run, lr)
    return start


def must_move(run, lr):
    """Demand that ``run(lr, steps)`` depends on both."""
    ends = run(lr, 2)
    if near(run(2 * lr, 2), ends):
        hint = Hint("lr is ignored: a fixed rate is in the update.", STEP)
        expected = "another step for another rate"
        expect(near(run(lr, 1), ends), "the same step for two rates", expected, hint)
        hint = Hint("The update must reach the tensors that you return: U -= …", STEP)
        raise Wrong("the start comes back", "parameters that have moved", hint)


def follow(run, descent, *, lr, steps, view=list, tol=1e-3):
    """Compare one step, and then ``steps``, with descent by the book.

    ``run(lr, steps)`` is where the student's descent ends, ``view(params)`` the part of
    that which is returned.
    """
    base = view(descent.start)

    def moves(params):
        return [p - b for p, b in zip(params, base)]

    for count in (1, steps):
        slips = [
            (hint, lambda make=make: moves(view(make())))
            for hint, make in descent.slips(lr, count)
        ]
        otherwise = "The step is not − lr · gradient of the loss that is asked for."
        if count > 1:
            otherwise = "The first step is right, a later one is not: what differs?"

        def say(moved, count=count):
            names = descent.names if view is list else ["the result"]
            sizes = [f"{n} by {np.linalg.norm(m):.4g}" for n, m in zip(names, moved)]
            text = f"{count} step{'s' * (count > 1)} moved {', '.join(sizes)}"
            if view is list:
                ends = [b + m for b, m in zip(base, moved)]
                before, after = descent.loss(*base), descent.loss(*ends)
                text += f"; the loss went from {before:.6g} to {after:.6g}"
            return text

        right = moves(view(descent.path(lr, count)))
        seen = moves(run(lr, count))
        least = tol / 10 * min(np.abs(move).max() for move in right)
        recognise(
            seen, right, slips, otherwise, say=say, where=STEP, tol=tol, least=least
        )
