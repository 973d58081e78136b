"""Follow a descent: where does the student's loop lead, step by step?

The steps are compared, not the places: beside a place, one step would be lost. A slip
is a descent by the book on another loss, or with one thing wrong in its loop.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from labchecks.cases import Case, listed, near, nearest, recognise
from labchecks.readers import DTYPE, STEP, Loss, expect
from labchecks.student import Hint, Wrong

CLEAR = "lab 01, What if you forget to clear?"
UNCLEARED = Hint("The gradients are not cleared: backward() adds to them.", CLEAR)
MOMENTUM = "That is momentum: a plain step takes lr times this gradient alone."
SIGNS = "Each entry moves by lr, as in Adam: the step is lr times the gradient."
ALIKE = "Columns that start alike get the same gradient, and stay alike for ever."
MANY = 300  # steps, so short that a loop with a stop would see no progress
STOPS = Hint(
    "The loop ends before num_epochs. Where the loss hardly changes, it may be on a "
    "plateau, with another fall ahead: leave the stop out.",
    "lab 01, Two hundred starts at once",
)
TOGETHER = "Take both gradients before you update either parameter."
DEFAULTS = "Give num_epochs and lr a value in the first line, as the exercise does."
PARTLY = Hint("Only some gradients are cleared: clear that of each parameter.", CLEAR)
EARLY = (
    "The loop ends early, perhaps where the loss rises, or keeps the best: take all "
    "the steps, and return the last place."
)


class Descent(NamedTuple):
    """A descent by the book.

    ``loss(*params)`` takes tensors, ``start`` holds arrays. ``slips`` are (hint, other
    loss, …), in which a number stands for so many times the loss, and a list for steps
    on one loss after the other.
    """

    names: tuple
    start: list
    loss: Callable
    slips: list

    def value(self, params, loss=None):
        """Return the loss at arrays, a float."""
        return float((loss or self.loss)(*map(torch.as_tensor, params)))

    def other(self, loss):
        """Return a slip's loss as a function."""
        return loss if callable(loss) else lambda *p: loss * self.loss(*p)

    def without(self, *stuck):
        """Return the loss as a function that gives some parameters no gradient."""
        return lambda *params: self.loss(
            *(p.detach() if i in stuck else p for i, p in enumerate(params))
        )

    def values(self):
        """Return the slips as values of the loss at the start, for a Case."""
        return [
            (hint, *(self.value(self.start, self.other(loss)) for loss in losses))
            for hint, *losses in self.slips
        ]

    def gradient(self, params, loss=None):
        """Return the gradients at arrays, a list of arrays."""
        leaves = [torch.tensor(p, requires_grad=True) for p in params]
        value = (loss or self.loss)(*leaves)
        found = torch.autograd.grad(value, leaves, materialize_grads=True)
        return [gradient.detach().numpy() for gradient in found]

    def path(self, lr, losses, *, keep=0, in_turn=False):
        """Return the parameters at the start, and after a step on each of the losses.

        ``keep`` is the share of old gradients that stays, one for all or for each
        parameter; ``in_turn``: a parameter moves before the next gradient is taken.
        """
        path, sums = [self.start], [0.0] * len(self.start)
        keep = np.broadcast_to(keep, len(self.start))
        with np.errstate(all="ignore"):
            for loss in losses:
                params, gradients = list(path[-1]), self.gradient(path[-1], loss)
                sums = [k * s + g for k, s, g in zip(keep, sums, gradients)]
                for i in range(len(params)):
                    late = self.gradient(params, loss)[i] if in_turn else sums[i]
                    params[i] = params[i] - lr * late
                path.append(params)
        return path

    def wrong_ends(self, lr, steps):
        """Return slips: (hint, function that lists where such a path may end)."""

        def ends(losses, **options):
            return lambda: self.path(lr, losses, **options)[-1:]

        def on(loss):
            return loss if isinstance(loss, list) else [self.other(loss)] * steps

        def signs():
            moves = [lr * np.sign(g) for g in self.gradient(self.start)]
            return [[p - move for p, move in zip(self.start, moves)]]

        def partly():
            some = itertools.product((0, 1), repeat=len(self.names))
            return [end for keep in some for end in ends(book * steps, keep=keep)()]

        book, ignored = [self.loss], "The number of steps is ignored."
        never = [f"{name} never moves: update it too." for name in self.names]
        losses = [("The step goes uphill: subtract.", -1)]
        losses += [(hint, self.without(i)) for i, hint in enumerate(never)] + self.slips
        slips = [(hint, ends(on(loss))) for hint, *others in losses for loss in others]
        slips += [
            ("There is only one step: is return inside the loop?", ends(book)),
            ("There is one step too few.", ends(book * (steps - 1))),
            ("There is one step too many.", ends(book * (steps + 1))),
            (EARLY, lambda: self.path(lr, book * steps)[:-1]),
        ]
        slips += [(TOGETHER, ends(book * steps, in_turn=True))]
        if steps > 1:
            slips += [(UNCLEARED, ends(book * steps, keep=1)), (PARTLY, partly)]
            slips += [(MOMENTUM, ends(book * steps, keep=0.9))]
        else:
            slips += [(SIGNS, signs)]
        return slips + [
            (ignored, ends(book * 100)),
            (ignored, ends(book * 1000)),
        ]


def of_loss(descent, given, slips, otherwise, where):
    """Return the Cases of a loss at the start of its descent: value and gradient."""
    start, cut = descent.start, "A gradient is wrong: is a factor detached?"
    slips = [*descent.values(), *slips]
    value = {"part": Loss.value, "tol": 1e-5}
    slope = {"part": Loss.gradients, "say": Loss.say}
    return [
        Case(descent.value(start), slips, otherwise, given, where=where, **value),
        Case(descent.gradient(start), otherwise=cut, where=where, **slope),
    ]


class Training(NamedTuple):
    """A loop that is compared with descent by the book, for one step and for several.

    Attributes
    ----------
    given : tuple or callable
        What the student's function is called with, besides ``lr`` and the steps; or
        ``given(lr, steps)``, all of it.
    descent : Descent or callable
        By the book; ``descent(start)`` where the function draws its start.
    lr, steps : float, int
    drawn : Drawn, optional
        How the start is drawn, if it isn't handed in.
    knob : str
        What the number of steps is called.
    view : callable
        ``view(params)`` is what of the parameters comes back.
    """

    given: object
    descent: object
    lr: float
    steps: int = 4
    drawn: object = None
    knob: str = "num_epochs"
    view: Callable = list

    def judge(self, asking):
        """Find the start, follow, and raise Wrong where a step is another one."""
        descent = self._of_lab(asking.student.generator(), asking.dtype)
        right = self.view(descent.start)

        def run(lr, steps):
            given = self.given
            knobs = {self.knob: steps, "lr": lr}
            given = given(lr, steps) if callable(given) else (*given, knobs)
            asking.ask(Case(right, given=given))
            result = asking.result
            return listed(result[0] if isinstance(result, tuple) else result)

        if self.drawn:
            start = self.drawn.find(run, asking, self, descent.start)
            if start is None:
                return
            descent = self.descent(start)
        else:
            must_move(run, self.lr)
        for count in dict.fromkeys([1, self.steps]):
            recognise(run(self.lr, count), self._case(descent, count))
        few = 1 < self.steps < 10  # more show a stop by themselves
        if few and asking.dtype == torch.float64:
            result = asking.result
            self._must_go_on(run, descent)
            asking.result = result  # which later Cases look at

    def _must_go_on(self, run, descent):
        """Demand all steps, even where the loss changes by less than 1e-6, or rises."""
        short = 1e-9 * self.lr
        path = descent.path(MANY * short, [descent.loss])
        base, right = (listed(self.view(params)) for params in path)
        found = run(short, MANY)
        moved, whole = (
            np.concatenate([np.ravel(end - p) for end, p in zip(ends, base)])
            for ends in (found, right)
        )
        taken = MANY * float(moved @ whole / (whole @ whole))
        seen = f"{MANY} very short steps moved as far as {taken:.0f}"
        coarse = all(np.array_equal(end, np.float32(end)) for end in found)
        hint = DTYPE if coarse else STOPS
        expect(near(moved, whole, 1e-2), seen, f"as far as {MANY}", hint)
        for factor in (4, 8, 16, 32):
            path = descent.path(factor * self.lr, [descent.loss] * 3)
            if descent.value(path[1]) > descent.value(path[0]):
                found, right = run(factor * self.lr, 3), listed(self.view(path[-1]))
                seen = "less than three steps, where the loss rises"
                expect(near(found, right, 1e-2), seen, "three steps", EARLY)
                break

    def _of_lab(self, generator, dtype):
        if self.drawn:
            return self.descent(self.drawn.lab(generator, dtype))
        return self.descent

    def _case(self, descent, count):
        """Return the Case of so many steps: of how far they move."""
        base, whole = listed(self.view(descent.start)), self.view is list

        def viewed(ends):
            return [listed(self.view(end)) for end in ends]

        def moves(ends, right=None):
            return [end - p for end, p in zip(ends, base)]

        def say(moved):
            names = descent.names if whole else ["the result"]
            sizes = [f"{n} by {np.linalg.norm(m):.4g}" for n, m in zip(names, moved)]
            text = f"{count} step{'s' * (count > 1)} moved {', '.join(sizes)}"
            if whole:
                ends = [p + m for p, m in zip(base, moved)]
                before, after = map(descent.value, (base, ends))
                text += f"; the loss went from {before:.6g} to {after:.6g}"
            return text

        slips = [
            (hint, lambda seen, ends=ends: nearest(viewed(ends()))(seen))
            for hint, ends in descent.wrong_ends(self.lr, count)
        ]
        otherwise = "The step is not − lr · gradient of the loss that is asked for."
        if count > 1:
            otherwise = "The first step is right, a later one is not: what differs?"
        path, tol = descent.path(self.lr, [descent.loss] * count), 1e-3
        [right] = viewed(path[-1:])
        least = tol / 10 * min(np.abs(move).max() for move in moves(right))
        near = {"align": moves, "tol": tol, "least": least}
        return Case(right, slips, otherwise, say=say, where=STEP, **near)

    def known(self):
        """Return the slips of one step and of several, as ``Case.known`` does."""
        descent = self._of_lab(torch.Generator().manual_seed(0), torch.float64)
        counts = dict.fromkeys([1, self.steps])
        return [slip for n in counts for slip in self._case(descent, n).known()]


class Drawn(NamedTuple):
    """The start of a function that draws it, and has defaults for its knobs.

    ``draw(generator, dtype)`` returns the tensors of the lab's start; ``note`` is made
    where the start is another one.
    """

    draw: Callable
    note: str

    def lab(self, generator, dtype):
        """Return the start that the lab draws, as arrays."""
        return [p.double().numpy() for p in self.draw(generator, dtype)]

    def find(self, run, asking, training, lab):
        """Return the start, by a step of almost no length; None: it can't be told.

        ``run(lr, steps)`` is where the answer's loop ends, ``lab`` the lab's start. The
        start may come from any random numbers.
        """
        accepts = asking.student.accepts(*training.given)
        expect(accepts, "no default for lr", "lr=0.01", DEFAULTS)
        start, again = run(1e-12, 1), run(1e-12, 1)
        hint = "Draw the start by torch, from the generator that is handed in."
        again = near(again, start)
        expect(again, "two starts from one seed", "the same start", hint)
        hint = "Where all are zero, so is the gradient. Start from random numbers."
        hint = Hint(hint, "lab 04, A start at zero")
        drawn = any(np.abs(p).max() > 1e-9 for p in start)
        expect(drawn, "a start at zero", "a random start", hint)
        matrices = [p for p in start if p.ndim == 2 and min(p.shape) > 1]
        constant = matrices and all(np.ptp(m) < 1e-9 for m in matrices)
        expect(not constant, "a constant start", "a random start", ALIKE)
        must_move(run, training.lr)
        return self.checked(start, run, asking, training, lab)

    def checked(self, found, run, asking, training, lab):
        """Note another start than the lab's, and return it."""
        if not near(found, lab, 1e-5, 1e-9):
            asking.student.notes.append(self.note)
        return found


def must_move(run, lr):
    """Demand that ``run(lr, steps)`` depends on both."""
    ends = run(lr, 2)
    if near(run(2 * lr, 2), ends):
        hint = Hint("lr is ignored: a fixed rate is in the update.", STEP)
        expected = "another step for another rate"
        expect(near(run(lr, 1), ends), "the same step for two rates", expected, hint)
        hint = "The update must reach the tensors that you return, U -= …, and come "
        hint = Hint(hint + "before the gradients are cleared.", STEP)
        raise Wrong("the start comes back", "parameters that have moved", hint)
