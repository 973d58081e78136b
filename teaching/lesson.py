"""What only a teacher has of a lab: ``teaching/lessons/NN.toml``, read and checked.

Such a file says which exercises serve which objective, how to shorten the lab, what
students ask, what a written answer must say, and the bugs of the lab's hunt. A lab
needs none of it: what is left out is empty. None of it goes to students.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

from labchecks.hunts import LETTERS

LESSONS = Path(__file__).resolve().parent / "lessons"


class Expect(NamedTuple):
    """A question that students ask, and its answer."""

    ask: str
    answer: str


class Bug(NamedTuple):
    """A bug of a hunt.

    In the solution, the text ``old``, a part of one line, becomes ``new``. ``symptom``
    is the letter of what one would see; ``why`` is told when it was found; a ``held``
    bug stays with the teacher.
    """

    old: str
    new: str
    symptom: str
    why: str
    held: bool = False


class Hunt(NamedTuple):
    """A bug hunt: the id of the cell with the solution, four symptoms, and the bugs."""

    cell: str
    symptoms: tuple
    bugs: tuple


class Lesson(NamedTuple):
    """What only the teacher has of a lab.

    Attributes
    ----------
    objectives : tuple of tuple of str
        For each bullet of "What you will learn", its exercises and questions, such as
        "3.2b", and perhaps predictions, "Predict: softmax twice".
    cut_for_45, cut_for_90 : tuple of str
        What to leave out in so many minutes: "Exercise 3.2", "Question 3.2b",
        "Predict: …", or a section, which is its text and its predictions, without its
        exercises.
    second_half : str
        Where the second of two sessions begins, one of the same names.
    expect : tuple of Expect
    rubric : dict of str to tuple of str
        For each written answer, what each of its points is given for.
    hunt : Hunt or None
    """

    objectives: tuple = ()
    cut_for_45: tuple = ()
    cut_for_90: tuple = ()
    second_half: str = ""
    expect: tuple = ()
    rubric: dict = {}
    hunt: Hunt | None = None


def read(number, folder=LESSONS):
    """Return the Lesson of a lab, an empty one if the lab has no file.

    Parameters
    ----------
    number : str
        Of the lab, two digits.
    folder : path-like
        Where the files are.

    Raises
    ------
    ValueError
        If the file is not of the form above; file and key are named.

    Examples
    --------
    >>> read("99") == Lesson()
    True
    """
    path = Path(folder) / f"{number}.toml"
    if not path.is_file():
        return Lesson()
    try:
        return _lesson(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:  # what is no TOML or no UTF-8, too
        raise ValueError(f"lessons/{path.name}: {error}") from error


def _lesson(table):
    """Check the whole of a file, a dict, and return its Lesson."""
    keys = {"objectives": list, "plan": dict, "expect": list, "rubric": dict}
    _know(table, "", keys | {"hunt": dict})
    objectives = [
        _texts(each, f"objectives[{i}]")
        for i, each in enumerate(table.get("objectives", []))
    ]
    plan = table.get("plan", {})
    cuts = "cut_for_45", "cut_for_90"
    _know(plan, "plan.", dict.fromkeys(cuts, list) | {"second_half": str})
    expect = [
        Expect(**_row(each, f"expect[{i}].", {"ask": str, "answer": str}))
        for i, each in enumerate(table.get("expect", []))
    ]
    rubric = {
        name: _texts(lines, f"rubric.{name!r}")
        for name, lines in table.get("rubric", {}).items()
    }
    return Lesson(
        tuple(objectives),
        *(_texts(plan.get(cut, []), f"plan.{cut}") for cut in cuts),
        plan.get("second_half", ""),
        tuple(expect),
        rubric,
        _hunt(table["hunt"]) if "hunt" in table else None,
    )


def _hunt(table):
    """Check the part [hunt], and return its Hunt."""
    kinds = {"cell": str, "symptoms": list, "bug": list}
    hunt = _row(table, "hunt.", kinds)
    symptoms = _texts(hunt["symptoms"], "hunt.symptoms")
    if len(symptoms) != len(LETTERS):
        raise ValueError(f"hunt.symptoms must be four texts, got {len(symptoms)}")
    bugs = []
    for i, each in enumerate(hunt["bug"]):
        key = f"hunt.bug[{i}]."
        bug = Bug(**_row(each, key, Bug.__annotations__, optional={"held"}))
        if bug.symptom not in LETTERS:
            raise ValueError(f"{key}symptom must be a, b, c or d, got {bug.symptom!r}")
        if bug.old == bug.new or "\n" in bug.old + bug.new:
            raise ValueError(f"{key}old and new must differ, each a part of one line")
        bugs.append(bug)
    return Hunt(hunt["cell"], symptoms, tuple(bugs))


def _row(table, key, kinds, optional=()):
    """Return a table that has all of these keys, each of its kind, and no other."""
    _know(table, key, kinds)
    for missing in [k for k in kinds if k not in table and k not in optional]:
        raise ValueError(f"{key}{missing} is missing")
    return table


def _know(table, key, kinds):
    """Refuse keys that aren't known, and values of another kind; "" is no text."""
    if not isinstance(table, dict):
        raise ValueError(f"{key.rstrip('.')} must be a table, got {table!r}")
    for name, value in table.items():
        if name not in kinds:
            known = ", ".join(kinds)
            raise ValueError(f"{key}{name} is not known, known are {known}")
        if not isinstance(value, kinds[name]) or value == "":
            wanted = {list: "a list", dict: "a table", str: "a text", bool: "a bool"}
            wanted = wanted[kinds[name]]
            raise ValueError(f"{key}{name} must be {wanted}, got {value!r}")


def _texts(values, key):
    """Return a list of texts as a tuple."""
    if not isinstance(values, list) or not all(
        isinstance(value, str) and value.strip() for value in values
    ):
        raise ValueError(f"{key} must be a list of texts, got {values!r}")
    return tuple(values)
