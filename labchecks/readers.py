"""Read what an answer returns; what cannot be read is Wrong, with a likely cause.

A reader is called with the result, what is right (for its shapes), and the dtype that
tensors must have, or None where NumPy is asked for. It returns floats and arrays.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from labchecks.student import ELSEWHERE, Hint, Wrong, kind

STEP = "lab 01, One step"
NO_RETURN = "Nothing comes back: is the last line, return, missing?"
ARRAY = "That is NumPy's: stay with torch, or make a tensor by torch.from_numpy(…)."
DETACH = Hint("Return it detached, x.detach(), or it keeps its graph.", STEP)
TRANSPOSED = "It is transposed: compare with the shape that the exercise names."
DTYPE = "Create it with the dtype of what is handed in, dtype=x.dtype."
NOT_FINITE = "The numbers have run away: a division by 0, or a step that is too long?"


def expect(condition, seen, expected, hint):
    """Raise Wrong unless the condition holds."""
    if not condition:
        raise Wrong(seen, expected, hint)


class Number(NamedTuple):
    """One number, which may be in a tensor or an array, as a float."""

    name: str

    def __call__(self, value, right=None, dtype=None):
        expect(value is not None, f"None for {self.name}", "a number", NO_RETURN)
        is_array = isinstance(value, torch.Tensor | np.ndarray)
        fits = isinstance(value, int | float | np.number)
        fits = fits and not isinstance(value, bool)
        fits = fits or (is_array and math.prod(value.shape) == 1)
        seen, hint = f"{kind(value)} for {self.name}", f"{self.name} is one number."
        expect(fits, seen, "one number", hint)
        grad = getattr(value, "requires_grad", False)
        expect(not grad, f"{self.name} requires grad", "a plain number", DETACH)
        value = float(value.item() if is_array else value)
        seen = f"{value} for {self.name}"
        expect(math.isfinite(value), seen, "a finite number", NOT_FINITE)
        return value


class Numbers(NamedTuple):
    """Two numbers, as a list of float."""

    expected: str
    name: str
    hint: str

    def __call__(self, result, right=None, dtype=None):
        _demand_several(result, 2, self.expected, self.hint)
        return [Number(self.name)(part) for part in result]


class Matrix(NamedTuple):
    """One matrix, of the shape of what is right.

    ``recorded``: it may keep its graph.
    """

    name: str
    hint: str | Hint
    recorded: bool = False

    def __call__(self, result, right, dtype):
        expected = f"{self.name} of shape {right.shape}"
        is_tensor = dtype is None or isinstance(result, torch.Tensor)
        hint = NO_RETURN if result is None else self.hint
        hint = ARRAY if isinstance(result, np.ndarray) else hint
        wanted = f"a tensor of shape {right.shape}"
        expect(is_tensor, f"{kind(result)} for {self.name}", wanted, hint)
        expect(result is not None, f"None for {self.name}", expected, hint)
        if self.recorded:
            result = getattr(result, "detach", lambda: result)()
        grad = getattr(result, "requires_grad", False)
        without = f"{self.name} without a graph"
        expect(not grad, f"{self.name} requires grad", without, DETACH)
        try:
            values = np.asarray(result, dtype=np.float64)
        except (TypeError, ValueError):
            seen = f"{kind(result)} for {self.name}"
            raise Wrong(seen, expected, self.hint) from None
        hint = TRANSPOSED if values.shape == right.shape[::-1] else self.hint
        hint = ELSEWHERE if _is_large(values.shape, right.shape) else hint
        seen = f"{self.name} of shape {values.shape}"
        expect(values.shape == right.shape, seen, expected, hint)
        finite, seen = np.isfinite(values).all(), f"NaN or infinity in {self.name}"
        expect(finite, seen, "finite numbers", NOT_FINITE)
        if dtype is not None:
            seen = f"{self.name} of {result.dtype}"
            expect(result.dtype == dtype, seen, dtype, DTYPE)
        return values


class Tensors(NamedTuple):
    """Several tensors, by name. ``tidy`` is called first.

    ``with_losses``: a list of losses comes after them. Then a pair is returned: the
    arrays, and the losses as they are, which ``Losses`` reads.
    """

    names: tuple
    hint: str | Hint
    tidy: Callable = lambda result: result
    with_losses: bool = False

    def __call__(self, result, right, dtype):
        result, names = self.tidy(result), self.names + ("losses",) * self.with_losses
        _demand_several(result, len(names), f"({', '.join(names)})", self.hint)
        found, wanted = result[: len(right)], [like.shape for like in right]
        seen = [shape_of(value) for value in found]
        turned, hint = seen[::-1] == wanted, "They come back in the wrong order."
        expect(seen == wanted or not turned, f"shapes {seen}", wanted, hint)
        arrays = [
            Matrix(name, self.hint)(value, like, dtype)
            for name, value, like in zip(names, found, right)
        ]
        return (arrays, result[-1]) if self.with_losses else arrays


class Losses(NamedTuple):
    """The losses that come with tensors, as a list of float: a ``part``."""

    expected: str
    hint: str | Hint
    detach: Hint

    def __call__(self, result, given):
        losses = result[1]
        fits = isinstance(losses, tuple | list) or shape_of(losses) != ()
        expect(fits, f"{kind(losses)} for losses", self.expected, self.hint)
        graph = any(getattr(loss, "requires_grad", False) for loss in losses)
        expect(not graph, "losses with their graphs", "plain floats", self.detach)
        return [Number("each loss")(loss) for loss in losses]

    @staticmethod
    def say(losses):
        """Show a list of losses."""
        return f"{len(losses)} losses, {[float(f'{loss:.5g}') for loss in losses]}"


class Loss(NamedTuple):
    """A tensor without axes: itself, for ``value`` and ``gradients`` to read.

    The first two arguments ask for their gradients.
    """

    whole: str

    def __call__(self, result, right, dtype):
        expected = "a tensor without axes"
        expect(result is not None, "None", expected, NO_RETURN)
        hint = "Return the tensor itself, without .item() or float()."
        expect(isinstance(result, torch.Tensor), kind(result), expected, hint)
        expect(result.ndim == 0, kind(result), expected, self.whole)
        return result

    @staticmethod
    def value(result, given):
        """Return the number in a loss: a ``part``."""
        return result.detach().double().item()

    @staticmethod
    def gradients(result, given):
        """Return the gradients for the first two arguments: a ``part``."""
        hint = "The graph is cut: no .detach(), .data, no_grad or torch.tensor(…) here."
        expect(result.requires_grad, "no graph", "a loss with a gradient", hint)
        try:
            found = torch.autograd.grad(result, given[:2], materialize_grads=True)
        except RuntimeError:  # in this very graph, backward has been
            hint = "Return the loss, and leave backward() to the one who calls."
            raise Wrong("a graph that is used up", "a loss alone", hint) from None
        return [gradient.detach().double().numpy() for gradient in found]

    @staticmethod
    def say(pair):
        """Show two gradients by their sizes."""
        return "gradients of size {:.4f}, {:.4f}".format(*map(np.linalg.norm, pair))


def _is_large(shape, right):
    """Whether a size is that of a lab's data: those of the checks are small."""
    return any(size >= 100 and size not in right for size in shape)


def shape_of(value):
    """Return the shape of a tensor or an array, ``()`` for anything else."""
    return tuple(getattr(value, "shape", ()))


def _demand_several(result, count, expected, hint):
    expect(result is not None, "None", expected, NO_RETURN)
    fits = isinstance(result, tuple | list) or len(shape_of(result)) == 1
    fits = fits and len(result) == count
    expect(fits, kind(result), expected, hint)
