"""A page of feedback for one student and lab, complete in itself and without scripts.

What a student has written stands in it, so it must not run or fetch anything in the
browser of a teacher, lead it elsewhere, or look like what a teacher has written: of the
student's Markdown, HTML is shown as text, and of outputs, only text and figures are.
"""

import base64
import functools
import re
from typing import NamedTuple

import jinja2
import math_core
from markupsafe import Markup, escape

from teaching import formulas
from teaching.labs import TASK

TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
SAFE = re.compile(r"https?://|mailto:|#", re.IGNORECASE)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
TO_DO = "to be marked"
MOST = 50_000  # characters of a cell or an output


class Grade(NamedTuple):
    """What a graded cell has got: ``points`` of ``most``, or it waits for a person."""

    points: float
    most: float
    waits: bool


def page(notebook, copy, *, student, grades, comments):
    """Return a page of HTML, a str.

    Parameters
    ----------
    notebook : NotebookNode
        The student's, as it was marked.
    copy : NotebookNode
        The lab as it was handed out. Only its own words may be HTML.
    student : str
        The name that the page bears.
    grades : dict of str to Grade
        By the grade_id of the cell.
    comments : dict of str to str
        What a person, or nbgrader, has to say on an answer, as Markdown.
    """
    tasks = tasks_of(copy)
    own = {cell.source for cell in copy.cells if cell.cell_type == "markdown"}
    found = TITLE.search("\n".join(c.source for c in copy.cells[:1]))
    return _template().render(
        title=found[1] if found else "Feedback",
        student=student,
        points=f"{sum(each.points for each in grades.values()):g}",
        out_of=f"{sum(each.most for each in grades.values()):g}",
        waiting=sum(each.most for each in grades.values() if each.waits),
        rows=[
            {
                "id": name,
                "name": tasks.get(name, name),
                "points": _points(grade),
            }
            for name, grade in grades.items()
        ],
        cells=[_shown(cell, own, tasks, grades, comments) for cell in notebook.cells],
    )


def tasks_of(copy):
    """Return {grade_id: "Exercise 1.1"}, from the headings before the cells."""
    tasks, task = {}, None
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            task, *_ = (TASK.findall(cell.source) or [(task,)])[-1]
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name and task:
            tasks[name] = task
    return tasks


@functools.cache
def _template():
    loader = jinja2.PackageLoader("teaching.marking", "")
    return jinja2.Environment(loader=loader, autoescape=True).get_template(
        "feedback.html.j2"
    )


def _points(grade):
    if grade.waits:
        return f"{TO_DO}, of {grade.most:g}"
    return f"{grade.points:g} of {grade.most:g}"


def _shown(cell, own, tasks, grades, comments):
    grader = cell.metadata.get("nbgrader", {})
    name = grader.get("grade_id", "")
    heading = ""
    if name in grades:
        heading = f"{tasks.get(name, name)}: {_points(grades[name])}"
    elif grader.get("solution"):
        heading = "Your answer"
    is_code = cell.cell_type == "code"
    return {
        "id": name,
        "heading": heading,
        "text": "" if is_code else _text(_cut(cell.source), is_own=cell.source in own),
        "code": _cut(cell.source) if is_code else "",
        "outputs": [_output(each) for each in cell.get("outputs", [])],
        "comment": _text(_cut(comments.get(name, "")), is_own=False),
    }


def _text(source, *, is_own):
    renderer = _Renderer(escape=not is_own, exclude_anchor_links=True)
    return Markup(formulas.html(source, renderer))


def _output(output):
    """Return the figure of an output, or else its text."""
    data = output.get("data", {})
    png = str(data.get("image/png", ""))
    try:
        if base64.b64decode(png, validate=False).startswith(b"\x89PNG"):
            return {"png": re.sub(r"[^A-Za-z0-9+/=]", "", png)}
    except ValueError:
        pass
    text = output.get("text") or output.get("evalue") or data.get("text/plain", "")
    return {"text": _cut(ANSI.sub("", str(text)).rstrip("\n"))}


def _cut(text):
    return text if len(text) <= MOST else f"{text[:MOST]}\n… (cut here)"


class _Renderer(formulas.Renderer):
    def formula(self, tex, *, display):
        """Return a formula as MathML, or as it was written if that isn't TeX."""
        try:
            return super().formula(tex, display=display)
        except math_core.LatexError:
            return f"<code>{escape(tex)}</code>"

    def link(self, text, url, title=None):
        """Return a link that leads to a page, to a place in this one, or nowhere."""
        return super().link(text, url if SAFE.match(url) else "#", title)

    def image(self, text, url, title=None):
        """Return what a picture shows: none is fetched from anywhere."""
        return str(escape(text))
