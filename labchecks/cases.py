"""An exercise is data: it states its cases, and one loop does the rest.

The loop draws a problem, calls the student's function, reads what came back, compares
it with what is right, and names the slip. A slip is recognised by *making* it: what it
would give is stated beside the hint.
"""

import itertools
import re
from collections import Counter
from typing import NamedTuple

import numpy as np
import torch

from labchecks import verdicts
from labchecks.readers import NOT_FINITE, Loss, Number, expect, shape_of
from labchecks.student import Hint, NotBegun, Student, Wrong, kind

BOTH = (torch.float64, torch.float32)


class Case(NamedTuple):
    """One comparison.

    Attributes
    ----------
    right : number, array or list of these
    slips : list of (hint, value, …)
        What answers with this mistake give; or a function of what was seen.
    otherwise : str or Hint
        For what no slip explains.
    given : tuple, or list of tuples, optional
        What the answer is called with, once or several times; a dict in the last place
        holds keyword arguments. None: the result of the last call is used.
    part : int or callable, optional
        What of the result is compared: an index, or ``part(result, given)``.
    say : str or callable
        Shows a value, as a format or a function.
    told : str or callable, optional
        What is told of the right value: a text, or ``told(seen, right)``.
    where : str
        Where to look, for hints that don't say it.
    tol, least : float
        As for ``near``.
    align : callable, optional
        ``align(value, right)`` is what of a value is compared and shown.
    odd : sequence of (shape or callable, hint)
        Results that a mistake is known by before they are read.
    errors : sequence of (pattern, hint)
        Errors that mean something of their own here, by what they say.
    """

    right: object
    slips: list = ()
    otherwise: object = ""
    given: object = None
    part: object = None
    say: object = "{:.4f}"
    told: object = None
    where: str = ""
    tol: float = 1e-4
    least: float = 1e-12
    align: object = None
    odd: tuple = ()
    errors: tuple = ()

    def judge(self, asking):
        """Ask, and raise Wrong unless what comes is right."""
        if self.given is not None:
            asking.ask(self)
        result = asking.result
        if callable(self.part):
            result = self.part(result, asking.given)
        elif self.part is not None:
            result = result[self.part]
        recognise(result, self)

    def known(self):
        """Return the slips as (key, hint, value); a key is (hint's text, its count)."""
        count, known = Counter(), []
        for hint, *values in self.slips:
            for value in values:
                text = hint.text if isinstance(hint, Hint) else hint
                known.append(((text, count[text]), hint, value))
                count[text] += 1
        return known


class Cost(NamedTuple):
    """A call that may take so much and no more.

    ``of`` is "multiplications" or "peak", as in ``Measured``; ``seen`` is a format.
    """

    given: tuple
    of: str
    most: float
    seen: str
    expected: str
    hint: Hint

    def judge(self, asking):
        """Measure, and raise Wrong if it is more."""
        measured = asking.call(asking.student.measure, self.given)
        amount = getattr(measured, self.of)
        expect(amount <= self.most, self.seen.format(amount), self.expected, self.hint)

    def known(self):
        """Return no slips."""
        return []


class Asking:
    """An answer that is being judged: the student, and what was given and came last."""

    def __init__(self, student, reader=None, dtype=None):
        self.student, self.reader, self.dtype = student, reader, dtype
        self.given, self.result = (), None

    def ask(self, case):
        """Call the answer as a case demands; keep what was read."""
        if isinstance(case.given, tuple):
            self.result = self._asked(case, case.given)
        else:
            self.result = [self._asked(case, given) for given in case.given]

    def _asked(self, case, given):
        try:
            return self._read(case, self.call(self.student, given))
        except Wrong as wrong:
            for sign, hint in case.errors:
                if re.search(sign, wrong.seen):
                    hint = hint if isinstance(hint, Hint) else Hint(hint, case.where)
                    raise Wrong(wrong.seen, wrong.expected, hint) from None
            raise

    def _read(self, case, result):
        for odd, hint in case.odd:
            is_odd = odd(result) if callable(odd) else shape_of(result) == odd
            expected = f"shape {np.shape(case.right)}"
            expect(not is_odd, kind(result), expected, hint)
        return self.reader(result, case.right, self.dtype)

    def call(self, function, given):
        """Call the student or ``student.measure``, arrays as tensors where due."""
        options = given[-1] if given and isinstance(given[-1], dict) else {}
        self.given = [self._tensor(x) for x in given if x is not options]
        if isinstance(self.reader, Loss):
            for leaf in self.given[:2]:
                leaf.requires_grad_()
        return function(*self.given, **options)

    def _tensor(self, value):
        if self.dtype is None or not isinstance(value, np.ndarray):
            return value
        is_whole = value.dtype.kind == "i"
        return torch.tensor(value, dtype=torch.int64 if is_whole else self.dtype)


def cases(number, reader, *, sizes=((),), dtypes=(None,)):
    """Make a check of a function that states the cases of an exercise.

    Parameters
    ----------
    number : str
        Of the exercise, such as "4.5".
    reader : callable
        One of ``readers``.
    sizes : sequence of tuple
        Given to the function, one by one, after a random generator. It returns a Case,
        a Cost or a Training, or a list of these.
    dtypes : sequence of dtype
        One for each size, in turn. None: arrays stay NumPy's.
    """

    def decorate(states):
        def stated(rng, given=()):
            for size, dtype in zip(sizes, itertools.cycle(dtypes)):
                yield dtype, listed(states(rng, *size))

        def judge(answer, given, seed, notes):
            student = Student(answer, seed, notes)
            for dtype, items in stated(student.rng):
                asking = Asking(student, reader, dtype)
                for item in items:
                    item.judge(asking)

        return verdicts.exercise(number, states, stated, judge)

    return decorate


def asked(number, names=("the answer",)):
    """Make a check of a function that states what a number, or several, must be.

    The function gets what the check is given besides the answer, and returns a Case, or
    one for each of the ``names``. The right number isn't told, only the direction.
    """

    def decorate(states):
        def stated(rng, given=()):
            yield None, listed(states(*given))

        def judge(answer, given, seed, notes):
            if _is_missing(answer):
                raise NotBegun
            if len(names) == 1:
                answer = [answer]
            hint = f"Hand over both: [{', '.join(names)}]."
            fits = isinstance(answer, tuple | list) and len(answer) == len(names)
            expect(fits, kind(answer), "two numbers", hint)
            for name, value, case in zip(names, answer, listed(states(*given))):
                if _is_missing(value) and name == names[0]:
                    raise NotBegun
                hint = f"{names[0]} is right, {name} is still to come."
                expect(not _is_missing(value), f"no {name}", "a number", hint)
                recognise(Number(name)(value), case)

        return verdicts.exercise(number, states, stated, judge)

    return decorate


def number_to_find(right, slips, otherwise, *, where, tol=0.01):
    """Return the Case of a number that was asked for: the right one isn't told."""

    def told(seen, right):
        return f"a {'larger' if seen < right else 'smaller'} number"

    say = "{:.4g}"
    return Case(right, slips, otherwise, say=say, told=told, where=where, tol=tol)


def listed(stated):
    """Return what an exercise states as a list."""
    return stated if isinstance(stated, list) else [stated]


def _is_missing(answer):
    return answer is None or answer is ...


# --- Comparing ------------------------------------------------------------------------


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


def recognise(seen, case):
    """Raise Wrong unless ``seen`` is right, with the hint of the first slip it fits."""

    def aligned(value):
        return case.align(value, case.right) if case.align else value

    shown, right = aligned(seen), aligned(case.right)
    if near(shown, right, case.tol, case.least):
        return
    say = case.say.format if isinstance(case.say, str) else case.say
    told = case.told(shown, right) if callable(case.told) else case.told or say(right)
    for key, hint, slip in [*case.known(), (None, case.otherwise, seen)]:
        made = slip(seen) if callable(slip) else slip
        if near(shown, aligned(made), case.tol, case.least):
            hint = hint if isinstance(hint, Hint) else Hint(hint, case.where)
            raise Wrong(say(shown), told, hint, slip=key)
    raise Wrong("NaN", told, NOT_FINITE)


def nearest(values):
    """Return a slip: of these arrays, or lists of them, the nearest to what is seen."""

    def distance(value, seen):
        return max(np.abs(v - s).max() for v, s in zip(listed(value), listed(seen)))

    def slip(seen):
        return min(values, key=lambda value: distance(value, seen))

    return slip
