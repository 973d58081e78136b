"""Bug hunts: a function that runs and is wrong; which of several bugs, the name says.

The draw depends on the lab and on the name alone, so it is nowhere written down who has
which. The bugs are sealed as the reasons of predictions are;
``python -m teaching hunt 03`` makes the text.
"""

import hashlib
import html
import os
import re
import unicodedata
from typing import NamedTuple

from labchecks import verdicts
from labchecks.predictions import meant, unseal
from labchecks.readers import expect
from labchecks.student import NotBegun, Wrong, kind

LETTERS = ["a", "b", "c", "d"]
NO_NAME = "not begun. Write your name or student number in quotes, and run this."
FROM_HUB = "Write what you are called here between the quotes of your_name, and run "
FROM_HUB += "that cell: where answers are marked, nobody knows this hub."
UNNAMED = "Write your name or number in quotes, run its cell, and hunt what is shown."
LINE = "That line is as it should be. The symptom is right: which line can cause it?"
SYMPTOM = "The line is right, the symptom is another. Run the function as it is shown, "
SYMPTOM += "and compare what comes with what should."
NEITHER = "That line is as it should be, and the symptom is another. Run the function "
NEITHER += "as it is shown: what comes tells the symptom, and that points to the line."
ALL = "your name, the number of the line, and a, b, c or d"


class Bug(NamedTuple):
    """What stands in a line, counted from 1; the letter of its symptom; and why."""

    line: int
    text: str
    symptom: str
    why: str


class Pool(NamedTuple):
    """A function as it should be, the texts of the four symptoms, and the Bugs."""

    code: str
    symptoms: list
    bugs: list

    def lines(self, bug):
        """Return the lines of the function with a bug in it, a list of str."""
        lines = self.code.split("\n")
        lines[bug.line - 1] = bug.text
        return lines


class Shown(NamedTuple):
    """A function with a bug, with numbers at its lines, and the symptoms below.

    In a notebook the numbers can't be selected, so that the code can be copied.
    """

    heading: str
    lines: tuple = ()
    symptoms: tuple = ()

    def __repr__(self):
        lines = [f"{i:2}  {line}".rstrip() for i, line in enumerate(self.lines, 1)]
        below = ["", *self._lettered()] if lines else []
        return "\n".join([self.heading, *lines, *below])

    def _repr_html_(self):
        number = '<span style="-webkit-user-select: none; user-select: none">{:2}  '
        code = [
            f"{number.format(i)}</span>{html.escape(line)}\n"
            for i, line in enumerate(self.lines, 1)
        ]
        blocks = [f"<div>{html.escape(self.heading)}</div>"]
        blocks += [f"<pre>{''.join(code)}</pre>"] if code else []
        blocks += [f"<div>{html.escape(text)}</div>" for text in self._lettered()]
        return "\n".join(blocks)

    def _lettered(self):
        return [f"({a}) {text}" for a, text in zip(LETTERS, self.symptoms)]


def bug_hunt(number, sealed):
    """Return the functions ``hunt`` and ``bug_found`` of an exercise.

    Parameters
    ----------
    number : str
        Of the exercise, such as "3.2".
    sealed : str
        What ``predictions.seal`` returns of a Pool.
    """
    pool = unseal(sealed, Pool)
    pool = pool._replace(bugs=[Bug(*each) for each in pool.bugs])
    lab = number.split(".")[0]

    def hunt(name=""):
        """Show the function with the bug that is drawn for a name or a number.

        Case, blanks and accents don't count. On a hub an empty name is your name there.
        """
        name = plain(name) or _hub_user()
        if not name:
            return Shown(f"Exercise {number}, bug hunt: {NO_NAME}")
        heading = f'Exercise {number}, bug hunt, drawn for "{name}":'
        lines = pool.lines(drawn(lab, name, pool.bugs))
        return Shown(heading, tuple(lines), tuple(pool.symptoms))

    def bug_found():
        """Judge [your_name, line, symptom]: which line is wrong, and what is seen."""

    def judge(answer, given, seed, notes):
        name, line, symptom = _read(answer, notes)
        bug = drawn(lab, name, pool.bugs)
        lines = pool.lines(bug)
        seen, last = f"line {line}", len(lines)
        hint = "line is one of the numbers that stand before the lines."
        expect(1 <= line <= last, seen, f"line 1 to {last}", hint)
        right = line == bug.line, symptom == bug.symptom
        hint = SYMPTOM if right[0] else LINE if right[1] else NEITHER
        if not all(right):
            seen += f", {lines[line - 1].strip()}, and symptom ({symptom})"
            expected = "the line that is wrong, and what one would see"
            raise Wrong(seen, expected, hint, slip=(hint, 0))
        notes.insert(0, f"{seen}, symptom ({symptom}): {bug.why}")

    hunt.pool = pool
    return hunt, verdicts.exercise(number, bug_found, lambda rng, given: [], judge)


def drawn(lab, name, bugs):
    """Return the bug that a name draws in a lab, always the same."""
    key = f"{lab} {name.replace(' ', '')}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    return bugs[int(digest, 16) % len(bugs)]


def _read(answer, notes):
    """Return name, line and symptom as they are meant; note the name."""
    fits = isinstance(answer, tuple | list) and len(answer) == 3
    expect(fits, kind(answer), ALL, "Hand over all: [your_name, line, symptom].")
    name, line, symptom = answer
    missing = [_is_missing(line), _is_missing(symptom)]
    if all(missing):
        raise NotBegun
    name, user = plain(name), _hub_user()
    wanted, hint = (f'your_name = "{user}"', FROM_HUB) if user else (ALL, UNNAMED)
    expect(name, "no name", wanted, hint)
    notes.append(f'drawn for "{name}"')
    hint = f"The {'line' if missing[0] else 'symptom'} is still to come."
    expect(not any(missing), "half of the answer", ALL, hint)
    number, letter = _whole(line), meant(symptom, LETTERS)
    expect(number is not None, _told(line), "a line", "line is one whole number.")
    hint = "symptom is one letter, in quotes."
    expect(letter, _told(symptom), "a, b, c or d", hint)
    return name, number, letter


def plain(name):
    """Return what counts of a name: letters and digits, with a blank between words.

    >>> plain("  Grace  HÒPPER "), plain(123456), plain(None)
    ('grace hopper', '123456', '')
    """
    if not isinstance(name, str | int) or isinstance(name, bool):
        return ""
    text = unicodedata.normalize("NFKD", str(name))
    text = "".join(each for each in text if not unicodedata.combining(each))
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _hub_user():
    return plain(os.environ.get("JUPYTERHUB_USER"))


def _is_missing(value):
    return value is None or value is ... or str(value).strip() == ""


def _whole(value):
    """Return the whole number that a line is named by, such as "line 3", or None."""
    found = re.findall(r"-?\d+(?:\.\d+)?", str(value))
    is_one = isinstance(value, str) or not hasattr(value, "__len__")
    if is_one and len(found) == 1 and float(found[0]).is_integer():
        return int(float(found[0]))
    return None


def _told(value):
    return repr(value)[:40] if isinstance(value, str) else kind(value)
