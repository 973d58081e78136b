"""Enter verdicts into nbgrader's gradebook, and write the table and the feedback.

The folder is a course of nbgrader: written answers are marked in it with its
formgrader, a part of JupyterLab.
"""

import csv
import functools
import logging
import os
import sys
import warnings
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

# As the lab is cut and run already, nbgrader neither cuts nor runs it.
CONFIG = """\
c = get_config()  # noqa
c.CourseDirectory.course_id = "autograd-labs"
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.exporter_class = (
    "teaching.marking.feedback.FeedbackExporter"
)
"""
TO_DO = "to be marked"


def _quietly(function):
    """Let nbgrader's warnings, which are for its makers, go unsaid."""

    @functools.wraps(function)
    def quiet(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)

    return quiet


@_quietly
def opened(course, copies):
    """Make an empty course of an empty folder; return nbgrader's way into it.

    Parameters
    ----------
    course : Path
    copies : dict
        The students' copies of the labs, by stem.

    Raises
    ------
    RuntimeError
        If nbgrader refuses a lab.
    """
    (course / "nbgrader_config.py").write_text(CONFIG)
    # For a new gradebook nbgrader calls alembic, which is beside this Python.
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])
    api = _api(course)
    for lab, copy in copies.items():
        _write(course / "source" / lab / f"{lab}.ipynb", copy)
        if failure := _failure(api.generate_assignment(lab)):
            raise RuntimeError(f"nbgrader refuses {lab}: {failure}")
    return api


@_quietly
def keep(api, course, students, marks):
    """Enter marks into the gradebook; write ``points.csv`` and pages of feedback.

    Parameters
    ----------
    api : NbGraderAPI
        What ``opened`` returns.
    course : Path
    students : list of submissions.Student
    marks : dict
        {(student id, lab): grading.Mark}

    Returns
    -------
    dict
        As ``marks``; those that could not be entered have a ``failure``.
    """
    marks = dict(marks)
    with _gradebook(course) as book:
        for student in students:
            book.update_or_create_student(student.id, last_name=student.name)
    for (student, lab), mark in marks.items():
        if not mark.failure:
            path = course / "submitted" / student / lab / f"{lab}.ipynb"
            _write(path, mark.notebook)
            failure = _failure(api.autograde(lab, student))
            marks[student, lab] = mark._replace(failure=failure)
    write_table(course, students, marks)
    for lab in sorted({lab for (_, lab), mark in marks.items() if not mark.failure}):
        if failure := _failure(api.generate_feedback(lab)):
            print(f"feedback on {lab} is missing or incomplete: {failure}")
    return marks


def _gradebook(course):
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}")


def _api(course):
    config = Config()
    exec(CONFIG, {"get_config": lambda: config})
    config.CourseDirectory.root = str(course)
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    return NbGraderAPI(CourseDirectory(config=config), config=config)


def _failure(outcome):
    """Return what nbgrader says of its own failure, or an empty text."""
    if outcome["success"]:
        return ""
    lines = [line for line in outcome["log"].splitlines() if "Error" in line]
    return "nbgrader: " + (lines[-1] if lines else outcome["log"][-300:])


def _write(path, notebook):
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


@_quietly
def write_table(course, students, marks):
    """Write ``points.csv``: one row a student, one column an exercise."""
    with _gradebook(course) as book:
        labs = {
            lab.name: {
                cell.name: cell.max_score for cell in lab.notebooks[0].grade_cells
            }
            for lab in sorted(book.assignments, key=lambda each: each.name)
        }
        rows = [_row(book, labs, student, marks) for student in students]
    with (course / "points.csv").open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def _row(book, labs, student, marks):
    row = {"student": _text(student.name), "id": student.id}
    row |= {"points": 0.0, "to be marked": 0.0, "out of": 0.0}
    notes = list(student.notes)
    for lab, cells in labs.items():
        number, mark = lab[:2], marks.get((student.id, lab))
        sums = {"points": 0.0, "to be marked": 0.0, "out of": sum(cells.values())}
        grades, state = {}, "not handed in"
        if mark:
            state = mark.failure and f"NOT MARKED, by a failure of ours: {mark.failure}"
            notes += [f"{number}: {note}" for note in mark.notes]
        if mark and not mark.failure:
            submission = book.find_submission(lab, student.id).notebooks[0]
            grades = {grade.name: grade for grade in submission.grades}
        notes += [f"{number}: {state}"] if state else []
        shown = {}
        for name, most in cells.items():
            points, waits = _points(grades.get(name))
            sums["points"] += points or 0
            sums["to be marked"] += most if waits else 0
            shown[f"{number} {name} ({most:g})"] = TO_DO if waits else points
        row |= {f"{number} {name}": value for name, value in sums.items()} | shown
        for name, value in sums.items():
            row[name] += value
    return row | {"note": _text("; ".join(notes))}


def _points(grade):
    """Return points, or "" for none, and whether somebody has to mark the answer."""
    if grade is None:
        return "", False
    if grade.manual_score is not None:
        return grade.manual_score, False
    return grade.auto_score or 0.0, bool(grade.needs_manual_grade)


def _text(text):
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in set("=+-@\t\r") else text
