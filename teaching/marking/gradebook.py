"""Enter verdicts into nbgrader's gradebook, and read back what is in it.

The folder is a course of nbgrader: written answers are marked in it with its
formgrader, a part of JupyterLab.
"""

import contextlib
import functools
import logging
import os
import re
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import LimitOutput
from traitlets.config import Config

from labchecks import hunts
from teaching.marking import feedback, record

# As the lab is cut and run already, nbgrader neither cuts nor runs it, whatever one
# chooses in the formgrader.
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
"""

HUNT = re.compile(r"""^your_name *= *(?:(["'])(.*?)\1|(\d+))""", re.MULTILINE)


class Entries(NamedTuple):
    """What is in a gradebook.

    ``labs`` is {lab: {grade_id: most points}}; ``grades`` and ``comments`` are
    {(student id, lab): {grade_id: feedback.Grade}} and {…: {grade_id: text}}.
    """

    labs: dict
    grades: dict
    comments: dict


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
    """Make an empty course of an empty folder.

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
        _write(copy_of(course, lab), copy)
        if failure := _failure(api.generate_assignment(lab)):
            raise RuntimeError(f"nbgrader refuses {lab}: {failure}")


@_quietly
def keep(course, students, marks, *, again=None):
    """Enter marks into the gradebook, and keep a record of who has handed in what.

    Parameters
    ----------
    course : Path
        What ``opened`` has made.
    students : list of submissions.Student
    marks : dict
        {(student id, lab): mark_class.Mark}
    again : Path, optional
        The folder of an earlier marking. What a person entered there is entered here,
        where the answer is the same; where it isn't, a note says what it was.

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
                try:
                    _enter(book, course, mark.notebook, student=student, lab=lab)
                except Exception as error:  # one student's notebook, not the class
                    book.db.rollback()
                    failure = f"nbgrader: {type(error).__name__}: {error}"
                    marks[student, lab] = mark._replace(failure=failure)
    record.write(course, students, marks)  # whatever becomes of the rest
    if again:
        for key, notes in _carry(Path(again), course, students).items():
            marks[key] = marks[key]._replace(notes=[*marks[key].notes, *notes])
    for key, note in same_names(students, marks).items():
        marks[key] = marks[key]._replace(notes=[*marks[key].notes, note])
    record.write(course, students, marks)
    return marks


def same_names(students, marks):
    """Return a note for each mark whose bug hunt was for somebody else's name, too.

    A bug hunt draws its bug from ``your_name``, so two of one name have one bug.
    """
    names, groups = {student.id: student.name for student in students}, {}
    for (student, lab), mark in marks.items():
        for cell in mark.notebook.cells if not mark.failure else ():
            grader = cell.metadata.get("nbgrader", {})
            found = HUNT.search(cell.source) if grader.get("solution") else None
            if name := found and hunts.plain(found[2] or found[3]):
                group = groups.setdefault((lab, name), {})
                group[student, lab] = names[student]
    return {
        key: f'bug hunt drawn for "{name}", as that of '
        + ", ".join(group[each] for each in group if each != key)
        for (_, name), group in groups.items()
        for key in group
        if len(group) > 1
    }


def _enter(book, course, notebook, *, student, lab):
    """Enter what nbgrader reads off a notebook, and keep the notebook.

    That is what ``nbgrader autograde`` does, in one transaction. It puts cells back,
    too; ours were put back before they were run.
    """
    _write(notebook_of(course, student, lab), notebook)
    notebook, _ = LimitOutput().preprocess(notebook, {})
    entry = book.update_or_create_submission(lab, student).notebooks[0]
    grades = {each.name: each for each in entry.grades}
    comments = {each.name: each for each in entry.comments}
    for cell in notebook.cells:
        grader = cell.metadata.get("nbgrader", {})
        if utils.is_grade(cell):
            grade = grades[grader["grade_id"]]
            grade.auto_score, _ = utils.determine_grade(cell)
            grade.needs_manual_grade = grade.auto_score is None
        if utils.is_solution(cell):
            is_stub = grader.get("checksum") == utils.compute_checksum(cell)
            comment = comments[grader["grade_id"]]
            comment.auto_comment = "No response." if is_stub else None
    book.db.commit()
    _write(course / "autograded" / student / lab / f"{lab}.ipynb", notebook)


def _carry(old, new, students):
    """Enter what a person entered into an old gradebook; return notes, by mark."""
    before, _ = record.read(old)
    known = {student.who.key: student.id for student in before}
    notes = {}
    with _gradebook(old) as old_book, _gradebook(new) as book:
        for student in students:
            for lab in student.files if student.who.key in known else ():
                here, there = (book, student.id), (old_book, known[student.who.key])
                pair = [_submitted(each, owner, lab) for each, owner in (there, here)]
                if pair[0]:
                    before = _answers(notebook_of(old, there[1], lab))
                    now = pair[1] and _answers(notebook_of(new, here[1], lab))
                    said = _carry_one(*pair, before, now)
                    notes[student.id, lab] = [
                        f"{text} (in {old.name})" for text in said
                    ]
        book.db.commit()
    return notes


def _submitted(book, student, lab):
    with contextlib.suppress(MissingEntry):
        return book.find_submission(lab, student).notebooks[0]


def _carry_one(there, here, before, now):
    """Carry over the marks and comments on one lab; return what was not, as notes.

    ``here`` is None if the lab could not be marked now.
    """
    notes, grades = [], {each.name: each for each in here.grades} if here else {}
    comments = {each.name: each for each in here.comments} if here else {}
    why = "the answer has changed since" if here else "is not marked now"
    for grade in there.grades:
        if grade.manual_score is None and grade.extra_credit is None:
            continue
        # A check has no answer of its own: all that was filled in must be the same.
        mine = {grade.name} if grade.name in before else set(before)
        if grade.name in grades and all(before[n] == now.get(n) for n in mine):
            grades[grade.name].manual_score = grade.manual_score
            grades[grade.name].extra_credit = grade.extra_credit
            grades[grade.name].needs_manual_grade = grade.needs_manual_grade
        else:
            points = f"{grade.score:g} points by hand"
            notes.append(f"{grade.name}: had {points}, and {why}")
    for comment in there.comments:
        if comment.manual_comment is None:
            continue
        if comment.name in comments and before[comment.name] == now.get(comment.name):
            comments[comment.name].manual_comment = comment.manual_comment
        else:
            text = comment.manual_comment
            notes.append(f'{comment.name}: had the comment "{text}", as it was')
    return notes


def _answers(path):
    """Return {grade_id: source} of what a student fills in."""
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }


@_quietly
def read(course):
    """Return the Entries of a gradebook."""
    with _gradebook(course) as book:
        labs = {
            lab.name: {
                cell.name: cell.max_score for cell in lab.notebooks[0].grade_cells
            }
            for lab in sorted(book.assignments, key=lambda each: each.name)
        }
        grades, comments = {}, {}
        for lab in labs:
            for submission in book.assignment_submissions(lab):
                key, notebook = (submission.student_id, lab), submission.notebooks[0]
                grades[key] = {each.name: _grade(each) for each in notebook.grades}
                comments[key] = {
                    each.name: each.comment
                    for each in notebook.comments
                    if each.comment
                }
    return Entries(labs, grades, comments)


def notebook_of(course, student, lab):
    """Return the path of a notebook as it was marked."""
    return Path(course) / "submitted" / student / lab / f"{lab}.ipynb"


def copy_of(course, lab):
    """Return the path of a lab as it was handed out."""
    return Path(course) / "source" / lab / f"{lab}.ipynb"


def _grade(grade):
    if grade.manual_score is not None:
        points = grade.manual_score + (grade.extra_credit or 0)
        return feedback.Grade(points, grade.max_score, waits=False)
    points = (grade.auto_score or 0.0) + (grade.extra_credit or 0)
    return feedback.Grade(points, grade.max_score, bool(grade.needs_manual_grade))


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


def seed_of(course):
    """Return the seed of an earlier marking, or None if there is none."""
    if course:
        record.read(course)  # is it one?
        return int((Path(course) / "seed.txt").read_text())


def left_behind(old, students):
    """Return what was marked in an old folder, and is not here, as "name: labs"."""
    here = {(student.who.key, lab) for student in students for lab in student.files}
    away = [
        (each.name, [lab for lab in each.files if (each.who.key, lab) not in here])
        for each in record.read(old)[0]
    ]
    return [f"{name}: {', '.join(labs)}" for name, labs in away if labs]


def _write(path, notebook):
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
