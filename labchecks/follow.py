"""Follow a descent: where does the student's loop lead, step by step?

The steps are compared, not the places: beside a place, one step would be lost. A slip
is a descent by the book on another loss, or with one thing wrong in its loop.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from labchecks.cases import Case, near, recognise
from labchecks.readers import STEP, expect
from labchecks.student import Hint, Wrong

CLEAR = "lab 01, What if you forget to clear?"
DEFAULTS = "Give num_epochs and lr a value in the first line, as the exercise does."


class Descent(NamedTuple):
    """A descent by the book.

    ``loss(*params)`` takes tensors, ``start`` holds arrays. ``slips`` are (hint, other
    loss, …), in which a number stands for so many times the loss.
    """

    names: tuple
    start: list
    loss: Callable
    slips: list

    def value(self, params):
        """Return the loss at arrays, a float."""
        return float(self.loss(*map(torch.as_tensor, params)))

    def gradient(self, params, loss=None):
        """Return the gradients at arrays, a list of arrays."""
        leaves = [torch.tensor(p, requires_grad=True) for p in params]
        value = (loss or self.loss)(*leaves)
        found = torch.autograd.grad(value, leaves, materialize_grads=True)
        return [gradient.detach().numpy() for gradient in found]

    def path(self, lr, steps, *, loss=None, keep=0, in_turn=False):
        """Return the parameters after so many steps.

        ``keep`` is the share of old gradients that stays; ``in_turn``: a parameter
        moves before the next gradient is taken.
        """
        params, sums = list(self.start), [0.0] * len(self.start)
        with np.errstate(all="ignore"):
            for _ in range(steps):
                gradients = self.gradient(params, loss)
                sums = [keep * s + g for s, g in zip(sums, gradients)]
                for i in range(len(params)):
                    late = self.gradient(params, loss)[i] if in_turn else sums[i]
                    params[i] = params[i] - lr * late
        return params

    def wrong_paths(self, lr, steps):
        """Return pairs: a hint, and a function that returns where the slip leads."""

        def on(loss):
            other = loss if callable(loss) else lambda *p: loss * self.loss(*p)
            return lambda: self.path(lr, steps, loss=other)

        def without(stuck):
            return lambda *params: self.loss(
                *(p.detach() if i == stuck else p for i, p in enumerate(params))
            )

        paths = [("The step goes uphill: subtract.", on(-1))]
        for stuck, name in enumerate(self.names):
            paths += [(f"{name} never moves: update it too.", on(without(stuck)))]
        paths += [(hint, on(loss)) for hint, *losses in self.slips for loss in losses]
        hint = "Take both gradients before you update either parameter."
        paths += [(hint, lambda: self.path(lr, steps, in_turn=True))]
        if steps > 1:
            hint = "The gradients are not cleared: backward() adds to them."
            paths += [(Hint(hint, CLEAR), lambda: self.path(lr, steps, keep=1))]
        counts = [
            ("There is only one step: is return inside the loop?", 1),
            ("There is one step too few.", steps - 1),
            ("There is one step too many.", steps + 1),
            ("The number of steps is ignored.", 100),
            ("The number of steps is ignored.", 1000),
        ]
        return paths + [(hint, lambda n=n: self.path(lr, n)) for hint, n in counts]


class Training(NamedTuple):
    """A loop that is compared with descent by the book, for one step and for several.

    Attributes
    ----------
    given : tuple
        What the student's function is called with, besides ``lr`` and the steps.
    right : array or list of arrays
        In the shapes of what comes back.
    by_book : callable
        ``by_book(start)`` returns the Descent.
    start : Drawn or HandedIn
        ``start.find(run, asking, training)`` returns the parameters before the first
        step, or None if the steps can't be judged. ``run(lr, steps)`` is where the
        student's loop ends.
    lr, steps : float, int
    knob : str
        What the number of steps is called.
    called : callable, optional
        ``called(lr, steps)`` returns what the function is called with, all of it.
    view : callable
        ``view(params)`` is the part of the parameters that comes back.
    """

    given: tuple
    right: object
    by_book: Callable
    start: object
    lr: float
    steps: int = 4
    knob: str = "num_epochs"
    called: Callable | None = None
    view: Callable = list

    def judge(self, asking):
        """Find the start, follow, and raise Wrong where a step is another one."""

        def run(lr, steps):
            knobs = {self.knob: steps, "lr": lr}
            given = self.called(lr, steps) if self.called else (*self.given, knobs)
            asking.ask(Case(self.right, given=given))
            result = asking.result
            result = result[0] if isinstance(result, tuple) else result
            return result if isinstance(result, list) else [result]

        start = self.start.find(run, asking, self)
        if start is not None:
            descent = self.by_book(start)
            for count in dict.fromkeys([1, self.steps]):
                moves = zip(run(self.lr, count), self.view(start))
                recognise([end - p for end, p in moves], self._case(descent, count))

    def _case(self, descent, count):
        """Return the Case of so many steps: of how far they move."""
        base, whole = self.view(descent.start), self.view is list

        def moves(params):
            return [end - p for end, p in zip(self.view(params), base)]

        def say(moved):
            names = descent.names if whole else ["the result"]
            sizes = [f"{n} by {np.linalg.norm(m):.4g}" for n, m in zip(names, moved)]
            text = f"{count} step{'s' * (count > 1)} moved {', '.join(sizes)}"
            if whole:
                ends = [p + m for p, m in zip(base, moved)]
                before, after = descent.value(base), descent.value(ends)
                text += f"; the loss went from {before:.6g} to {after:.6g}"
            return text

        slips = [
            (hint, lambda seen, path=path: moves(path()))
            for hint, path in descent.wrong_paths(self.lr, count)
        ]
        otherwise = "The step is not − lr · gradient of the loss that is asked for."
        if count > 1:
            otherwise = "The first step is right, a later one is not: what differs?"
        right, tol = moves(descent.path(self.lr, count)), 1e-3
        least = tol / 10 * min(np.abs(move).max() for move in right)
        near = {"where": STEP, "tol": tol, "least": least}
        return Case(right, slips, otherwise, say=say, **near)

    def known(self):
        """Return the slips of one step and of several, as ``Case.known`` does."""
        start = self.start.lab(torch.Generator().manual_seed(0), torch.float64)
        counts, descent = dict.fromkeys([1, self.steps]), self.by_book(start)
        return [slip for n in counts for slip in self._case(descent, n).known()]


class HandedIn(NamedTuple):
    """The start of a function that gets it as arguments."""

    params: list

    def find(self, run, asking, training):
        """Return the start, once it is clear that the parameters move."""
        must_move(run, training.lr)
        return self.params

    def lab(self, generator, dtype):
        """Return the start."""
        return self.params


class Drawn(NamedTuple):
    """The start of a function that draws it, and has defaults for its knobs.

    ``draw(generator, dtype)`` returns the tensors of the lab's start; ``note`` is made
    where the start is another one.
    """

    draw: Callable
    note: str

    def find(self, run, asking, training):
        """Return the start that the answer draws."""
        accepts = asking.student.accepts(*training.given)
        expect(accepts, "no default for lr", "lr=0.01", DEFAULTS)
        found = measured_start(run, training.lr)
        return self.checked(found, run, asking, training)

    def checked(self, found, run, asking, training):
        """Note another start than the lab's, and return it."""
        lab = self.lab(asking.student.generator(), asking.dtype)
        if not near(found, lab, 1e-5, 1e-9):
            asking.student.notes.append(self.note)
        return found

    def lab(self, generator, dtype):
        """Return the start that the lab draws, as arrays."""
        return [p.double().numpy() for p in self.draw(generator, dtype)]


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
