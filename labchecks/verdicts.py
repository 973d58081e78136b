"""Judge an answer: the verdict, how it is shown, and the record of a session."""

import html
import re
from dataclasses import dataclass

import pandas as pd

from labchecks import room
from labchecks.cells import outdated
from labchecks.student import SEED, protected

NOT_BEGUN = "not begun. Write your answer, run its cell, and check again."
STATES = {True: "right", False: "not right yet", None: "not begun"}
# The sign and the colour of a state. The colours are seen on light and on dark pages
# (3:1 or more against both), and say nothing that the words don't.
SIGNS = {
    "right": ("✓", "#009E73"),
    "not right yet": ("✗", "#D55E00"),
    "not right": ("✗", "#D55E00"),
    "not begun": ("○", "#808080"),
    "noted": ("•", "#0072B2"),
}

_titles = []  # of exercises, in the order of their definition
_session = {}  # {title: the last Check}


@dataclass(frozen=True, eq=False)
class Check:
    """The verdict on one exercise; true in ``if`` when the answer is right.

    ``passed`` is True, False, or None where nothing was written yet. A wrong answer has
    ``seen``, ``expected``, ``hint`` and ``where`` to look; ``slip`` is the key of the
    mistake that it was recognised by, or None. ``notes`` can come with any.

    It is shown as a card, or as text: the verdict, then the hint, then the rest.
    """

    title: str
    passed: bool | None
    seen: str = ""
    expected: str = ""
    hint: str = ""
    where: str = ""
    notes: tuple = ()
    slip: tuple | None = None

    def __bool__(self):
        return self.passed is True

    @property
    def state(self):
        """The key of its sign in ``SIGNS``."""
        return STATES[self.passed]

    @property
    def verdict(self):
        """The verdict in words, a str."""
        return NOT_BEGUN if self.passed is None else f"{self.state}."

    @property
    def lines(self):
        """What is said below the verdict, a list of (label, text): the hint first."""
        names = "hint", "seen", "expected", "where"
        said = [(name, getattr(self, name)) for name in names]
        said += [("note", note) for note in self.notes]
        return [(label, text) for label, text in said if text]

    def __repr__(self):
        lines = [f"  {label + ':':9} {text}" for label, text in self.lines]
        return "\n".join([f"{self.title}: {self.verdict}", *lines])

    def _repr_html_(self):
        sign, colour = SIGNS[self.state]
        title, verdict = html.escape(self.title), html.escape(self.verdict)
        blocks = [f"<div><b>{sign} {title}</b>: {verdict}</div>"]
        for i, (label, text) in enumerate(self.lines):
            size = "" if i == 0 else "font-size: 90%; "
            blocks.append(
                f'<div style="{size}margin-top: 4px">{label}: {html.escape(text)}</div>'
            )
        style = f"border-left: 4px solid {colour}; padding: 2px 12px; max-width: 46em"
        about = html.escape(f"{self.title}: {self.state}")
        card = f'<div role="group" aria-label="{about}" style="{style}">'
        return "\n".join([card, *blocks, "</div>"])

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
    titles = sorted((t for t in _titles if _lab(t) in labs), key=_lab)
    states = [
        STATES[_session[title].passed] if title in _session else "not checked"
        for title in titles
    ]
    index = pd.Index(titles, name="exercise", dtype=object)
    return pd.DataFrame({"state": states}, index=index, dtype=object)


def _lab(title):
    return int(re.search(r"\d+", title)[0])


def register(title):
    """Make an exercise known to ``progress``."""
    _titles.append(title)
    return title


def record(check):
    """Remember a verdict for ``progress``, and return it."""
    _session[check.title] = check
    room.tell(check.title, check.state, hint=check.hint)
    return check


def exercise(number, states, stated, judge):
    """Return the check of an exercise, with the name and the docstring of ``states``.

    ``stated(rng, given)`` yields (dtype, cases); it is kept as ``check.stated``.
    ``judge(answer, given, seed, notes)`` raises Wrong or NotBegun unless the answer is
    right, and appends to the notes.
    """
    title = register(f"Exercise {number}, {states.__name__}")
    place = f"lab {int(number.split('.')[0]):02}, Exercise {number}"

    def check(answer, *given, seed=0, seconds=10.0):
        notes = []
        passed, wrong, printed = protected(
            lambda: judge(answer, given, SEED + seed, notes), seconds
        )
        if old := outdated(answer):
            notes.append(old)
        if printed.lines:
            notes.append(printed.note())
        said = {"notes": tuple(dict.fromkeys(notes))}
        if wrong:
            said |= {"seen": wrong.seen, "expected": wrong.expected, "slip": wrong.slip}
            where = (wrong.hint.where or place).replace("$", "")  # of a heading
            said |= {"hint": wrong.hint.text, "where": where}
        return record(Check(title, passed, **said))

    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        setattr(check, name, getattr(states, name))
    check.stated, check.place = stated, place
    return check
