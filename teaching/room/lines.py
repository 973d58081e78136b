"""Read what the checks wrote, and know the labs that it is about.

Anybody who can write into the folder can write anything. So a line counts only if it is
one that a check could have written on a lab of the pack; all else is passed over.
"""

import heapq
import importlib
import json
import re
from pathlib import Path
from typing import NamedTuple

from labchecks.verdicts import STATES
from teaching.labs import number

MOST_FILES, MOST_BYTES = 2000, 2**18  # read of a folder, the last ones, and of a file
JUDGED = (*STATES.values(), "noted", "not right")
TASK = re.compile(r"^#+ Exercise (\S+) · (\d+) min", re.M)
CALLED = re.compile(r"checks\.(?!outcome)(\w+)\((?!\))")
ASKED = re.compile(r"checks\.prediction\(\s*[\"']([\w-]+)")


class Lab(NamedTuple):
    """What the page says of a lab, read from its notebook and its checks.

    ``exercises`` is {number: (name of its check, minutes)}, ``questions`` is {name:
    (title, Question)}. Of several checks in a cell, the last one counts.
    """

    title: str
    exercises: dict
    questions: dict


class Line(NamedTuple):
    """What one check said: in which session and when, on what, and what came of it.

    ``about`` is the number of an exercise or the name of a question of the ``lab``.
    """

    session: str
    time: int
    lab: str
    about: str
    state: str
    hint: str | None
    option: str | None


def labs(worked):
    """Return {number: Lab} of the worked labs, {stem: notebook}, that have checks."""
    return {number(stem): _lab(number(stem), lab) for stem, lab in worked.items()}


def _lab(name, notebook):
    checks = importlib.import_module(f"labchecks.lab{name}")
    exercises, questions, task, title = {}, {}, None, ""
    for cell in notebook.cells:
        if found := TASK.search(cell.source):
            task, minutes = found[1], int(found[2])
            exercises[task] = "", minutes
        if found := re.search(r"^### Predict: (.+)$", cell.source, re.M):
            title = found[1].replace("$", "")
        called = CALLED.findall(cell.source)
        if called and cell.metadata.get("nbgrader", {}).get("grade"):
            exercises[task] = called[-1], minutes
        for asked in ASKED.findall(cell.source):
            questions[asked] = title or asked, checks.prediction.questions[asked]
    heading = re.search(r"^# \d+ (.+)$", notebook.cells[0].source, re.M)
    return Lab(heading[1] if heading else "", exercises, questions)


def read(folder, known, *, since=0):
    """Return the Lines in a folder, in the order of their time.

    Parameters
    ----------
    folder : path
        A file in it counts if it is named after a session.
    known : dict of str to Lab
        What ``labs`` returns.
    since : float
        Lines from before this time are passed over.
    """
    paths = filter(_is_session, Path(folder).iterdir())
    found = []
    for path in heapq.nlargest(MOST_FILES, paths, key=_changed):
        try:
            with path.open("rb") as file:
                texts = file.read(MOST_BYTES).split(b"\n")[:-1]
        except OSError:
            continue
        found += [line for text in texts if (line := parsed(text, path.stem, known))]
    return sorted((line for line in found if line.time >= since), key=_time)


def _is_session(path):
    return bool(re.fullmatch(r"[0-9a-f]{16}\.jsonl", path.name)) and path.is_file()


def _changed(path):
    try:
        return path.stat().st_mtime
    except OSError:  # gone since
        return 0


def _time(line):
    return line.time


def parsed(text, session, known):
    """Return the Line in a line of a session's file, or None if it can't be one."""
    try:
        said = json.loads(text)
        lab, about, name = _place(said["exercise"])
        time, state, option = said["time"], said["state"], said["option"]
        exercises, questions, hint = *known[lab][1:], said["hint"]
        options = questions[about][1].options if about in questions else [None]
        fits = said["session"] == session and type(time) is int and state in JUDGED
        fits = fits and (about in exercises) is (option is None) and option in options
        fits = fits and isinstance(hint, str | None)
        if state == "right" and name and name != exercises[about][0]:
            state = "not right yet"  # the first of two checks; the other follows
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return Line(session, time, lab, about, state, hint, option) if fits else None


def _place(title):
    """Return the lab that a title is about, what in it, and the name of the check.

    >>> _place("Exercise 1.2, svd_loss"), _place("Prediction starts, lab 01")
    (('01', '1.2', 'svd_loss'), ('01', 'starts', ''))
    """
    if found := re.fullmatch(r"Exercise ((\d+)\.\w+), (\w+)", title, re.A):
        return f"{int(found[2]):02}", found[1], found[3]
    found = re.fullmatch(r"Prediction ([\w-]+), lab (\d\d)", title, re.A)
    return (found[2], found[1], "") if found else ("", "", "")
