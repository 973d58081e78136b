"""Judge an answer: the verdict, how it is shown, and the record of a session."""

import html
import re
from dataclasses import dataclass

import pandas as pd

from labchecks.student import SEED, protected

NOT_BEGUN = "not begun. Write your answer, run its cell, and check again."
STATES = {True: "right", False: "not right yet", None: "not begun"}

_exercises = {}  # {name of the check: its title}, in the order of the labs
_session = {}  # {title: the last Check}


@dataclass(frozen=True, eq=False)
class Check:
    """The verdict on one exercise; true in ``if`` when the answer is right.

    ``passed`` is True, False, or None where nothing was written yet. A wrong answer has
    ``seen``, ``expected``, ``hint`` and ``where`` to look; ``notes`` can come with any.
    """

    title: str
    passed: bool | None
    seen: str = ""
    expected: str = ""
    hint: str = ""
    where: str = ""
    notes: tuple = ()

    def __bool__(self):
        return self.passed is True

    def __repr__(self):
        state = NOT_BEGUN if self.passed is None else f"{STATES[self.passed]}."
        lines = [f"{self.title}: {state}"]
        if self.passed is False:
            said = ("seen", "expected", "hint", "where")
            lines += [f"  {name + ':':9} {getattr(self, name)}" for name in said]
        return "\n".join(lines + [f"  note:     {note}" for note in self.notes])

    def _repr_html_(self):
        colour = {True: "#009E73", False: "#D55E00", None: "#999999"}[self.passed]
        style = f"border-left: 4px solid {colour}; padding-left: 8px; "
        style += "white-space: pre-wrap"
        return f'<pre style="{style}">{html.escape(repr(self))}</pre>'

    def require(self):
        """Return the check if the answer is right; else raise, with the same words."""
        if not self:
            raise AssertionError(repr(self))
        return self


def strict(check):
    """For marking: return a passed check, raise an AssertionError for any other."""
    return check.require()


def progress():
    """Return a table of the exercises in the labs that were checked in this session."""
    labs = {_lab(title) for title in _session}
    titles = sorted(_exercises.values(), key=_lab)
    titles = [title for title in titles if _lab(title) in labs]
    states = [
        STATES[_session[title].passed] if title in _session else "not checked"
        for title in titles
    ]
    index = pd.Index(titles, name="exercise", dtype=object)
    return pd.DataFrame({"state": states}, index=index, dtype=object)


def _lab(title):
    return int(re.search(r"\d+", title)[0])


def register(name, title):
    """Make an exercise known to ``progress``."""
    _exercises[name] = title


def record(check):
    """Remember a verdict for ``progress``, and return it."""
    _session[check.title] = check
    return check


def exercise(number, prepare):
    """Turn a function that raises Wrong into a check that returns a Check.

    ``prepare(answer, seed, notes)`` makes what the function gets: a Student, or a
    number. What the caller gives in addition is handed on.
    """

    def decorate(judge):
        title = f"Exercise {number}, {judge.__name__}"
        place = f"lab {int(number[0]):02}, Exercise {number}"

        def check(answer, *given, seed=0, seconds=10.0):
            notes = []

            def verdict():
                judge(prepare(answer, SEED + seed, notes), *given)

            passed, wrong, printed = protected(verdict, seconds)
            if printed.lines:
                notes.append(printed.note())
            said = {}
            if wrong:
                said = {"seen": wrong.seen, "expected": wrong.expected}
                said |= {"hint": wrong.hint.text, "where": wrong.hint.where or place}
            notes = tuple(dict.fromkeys(notes))
            return record(Check(title, passed, notes=notes, **said))

        check.__name__ = check.__qualname__ = judge.__name__
        check.__doc__, check.__module__ = judge.__doc__, judge.__module__
        register(judge.__name__, title)
        return check

    return decorate
