"""Write a worked lab as one page of HTML to print, for students or with its solutions.

The page needs nothing from outside: figures and fonts are in it, and formulas are
MathML. The same lab gives the same page. Two kinds of tags on a cell say what paper
needs to know (JupyterLab's property inspector changes them):

- ``lines-8``: leave so many ruled lines for the answer that the cell holds, or for the
  prediction that its text asks for;
- ``overleaf``: the cell gives away what was just asked, so on a student's sheet it
  begins on the next page. Which page faces which is known when it is printed: ``pdf``.

Of a cell that is folded in JupyterLab, since it only draws, paper shows the outputs; so
it does of one that shows a function with a bug. Links to other labs are left out.
"""

import base64
import re
from functools import partial
from typing import NamedTuple

import math_core
from markupsafe import Markup
from nbformat import NotebookNode

from labchecks.hunts import LETTERS
from teaching import lesson
from teaching.handing_out import html_of
from teaching.handing_out.student_copy import student_copy
from teaching.labs import SOLUTION, TASK, number

PREDICTION = "Your prediction, and why"
FOUND = "Line, symptom, and the line as it should be"
KINDS = ("student", "solutions")
PREDICT = r"^(?=### Predict|\*\*Predict)"
TURN = "Write down your answer and why, before you go on."
OVERLEAF = Markup('<p class="turn">{}</p>').format(TURN)
FOLDED = re.compile(r"^<details>.*?</details>\n*", re.M | re.S)
OUTCOME = re.compile(r"Prediction [\w-]+, lab \d")  # so begins what checks say of it
TO_OTHER_LABS = re.compile(r"^.*\]\(START\.md\)\s*$", re.M)


class Piece(NamedTuple):
    """A cell, or the part of a text cell before or from where something is asked."""

    cell: NotebookNode
    source: str
    opens: str  # what begins: an "exercise", a "prediction" or ""
    closes: bool  # it ends
    overleaf: bool

    @property
    def lines(self):
        """How much space an answer needs, or None where the cell doesn't say."""
        tags = " ".join(self.cell.metadata.get("tags", []))
        tag = re.search(r"\blines-([1-9]\d*)\b", tags)
        return int(tag[1]) if tag else None

    @property
    def is_answer(self):
        """Whether the cell holds an answer."""
        return "### BEGIN SOLUTION" in self.source

    @property
    def is_folded(self):
        """Whether the source stays folded, as that of a cell that only shows."""
        hidden = self.cell.metadata.get("jupyter", {}).get("source_hidden", False)
        return hidden or "checks.hunt(" in self.source

    @property
    def is_prediction(self):
        """Whether the cell holds a prediction, which is not marked."""
        return "checks.prediction(" in self.source

    @property
    def is_found(self):
        """Whether the cell holds what was found in a function with a bug."""
        return "checks.bug_found(" in self.source


def sheet(notebook, *, solutions=False, rubric=None, folder="."):
    """Return a lab as a page of HTML, a str, complete in itself.

    Parameters
    ----------
    notebook : NotebookNode
        A worked lab in nbformat 4, executed, with ``### BEGIN SOLUTION`` marks and
        nbgrader's metadata.
    solutions : bool
        Whether to print the solutions, marked as such, and all outputs. If not, there
        is ruled space in their place, and what checks say is left out.
    rubric : dict of str to sequence of str, optional
        What each point of a written answer is given for, by its number, "3.2b"; it
        stands below the solution.
    folder : path-like
        Where pictures lie that a text cell names.

    Raises
    ------
    ValueError
        If a formula cannot be converted, if an answer has no ``lines-…`` tag, if
        nothing is asked before an ``overleaf``, if a figure has no alt text, if
        something would be loaded from elsewhere, or if ``student_copy`` refuses the
        lab; the cell is named.
    """
    sections, asked, is_open, choices, points = [], None, False, [], ()
    for piece in _pieces(notebook):
        if piece.overleaf and not solutions:
            if not asked:
                message = "tagged overleaf must follow a prediction or an exercise"
                raise ValueError(f"cell {piece.cell.id!r} {message}")
            asked["blocks"].append(OVERLEAF)
            asked = None
        if piece.opens or not is_open:
            sections.append({"kind": piece.opens, "blocks": []})
            asked = sections[-1] if piece.opens else asked
        if "**Predict" in piece.source:
            choices = re.findall(r"\(([a-d])\)", piece.source.split("**Predict")[1])
        if task := TASK.match(piece.source):
            points = (rubric or {}).get(task[2], ())
        try:
            sections[-1]["blocks"].extend(
                _worked(piece, folder, points)
                if solutions
                else _asked(piece, folder, choices)
            )
        except (ValueError, math_core.LatexError) as error:
            message = f"cell {piece.cell.id!r} must be printable: {error}"
            raise ValueError(message) from error
        is_open = bool(is_open or piece.opens) and not piece.closes
    title = re.search(r"^# (.+)$", notebook.cells[0].source, re.M)[1]
    return html_of.page(
        "sheet.html.j2", title=title, solutions=solutions, sections=sections
    )


def pages(worked, *, folder="."):
    """Return the sheets of worked labs, a dict of str to str.

    For ``01_…`` there are ``01_student.html`` and ``01_solutions.html``.

    Parameters
    ----------
    worked : dict of str to NotebookNode
        By the stem of their files.
    folder : path-like
        Where they lie.

    Raises
    ------
    ValueError
        If a lab can't be printed; file and cell are named.
    """
    result = {}
    for lab, notebook in worked.items():
        for kind in KINDS:
            try:
                page = sheet(
                    notebook,
                    solutions=kind == "solutions",
                    rubric=lesson.read(number(lab)).rubric,
                    folder=folder,
                )
            except ValueError as error:
                raise ValueError(f"{lab}.ipynb: {error}") from error
            result[f"{number(lab)}_{kind}.html"] = page
    return result


def _pieces(notebook):
    """Cut text cells where something is asked; hidden tests are left out."""
    copies = student_copy(notebook).cells
    for i, (cell, copied) in enumerate(zip(notebook.cells, copies)):
        is_answer = "### BEGIN SOLUTION" in cell.source
        source = cell.source if is_answer else copied.source
        is_text = cell.cell_type == "markdown" and not is_answer
        source = TO_OTHER_LABS.sub("", source) if is_text else source
        parts = TASK.split(source)[:: TASK.groups + 1] if is_text else [source]
        if is_text:
            parts[:1] = re.split(PREDICT, parts[0], maxsplit=1, flags=re.M)
        graded = bool(cell.metadata.get("nbgrader", {}).get("grade"))
        overleaf = "overleaf" in cell.metadata.get("tags", [])
        for part in filter(str.strip, parts):
            opens = ""
            if is_text and TASK.match(part):
                opens = "exercise"
                part = re.sub(r"\A.+", rf"\g<0>{_points(notebook.cells[i:])}", part)
            elif is_text and re.match(PREDICT, part):
                opens = "prediction"
            piece = Piece(cell, part, opens, graded, overleaf)
            is_guess = piece.is_prediction or (opens == "prediction" and piece.lines)
            yield piece._replace(closes=bool(graded or is_guess))
            overleaf = False


def _points(cells):
    """Return what the first graded cell is worth, as it stands in a heading."""
    graders = (cell.metadata.get("nbgrader", {}) for cell in cells)
    points = next((g.get("points", 0) for g in graders if g.get("grade")), 0)
    return f" · {points} point{'s' * (points != 1)}" if points else ""


def _asked(piece, folder, choices):
    """Return the blocks of a piece on a student's sheet. What is folded is left out."""
    is_text = piece.cell.cell_type == "markdown"
    piece = piece._replace(source=FOLDED.sub("", piece.source))
    if piece.is_folded:
        blocks = []
    elif piece.is_prediction:
        blocks = [_space(piece, PREDICTION, choices)]
    else:
        blocks = _shown(piece, folder)
        # A solution at each odd place: space for the first, nothing for the others.
        label = "Your answer" if is_text else "Your code"
        blocks[1::2] = [Markup()] * (len(blocks) // 2)
        if piece.is_answer and piece.is_found:
            blocks[1] = _space(piece, FOUND, LETTERS)
        elif piece.is_answer:
            blocks[1] = _space(piece, label)
    if is_text and piece.lines and "**Predict" in piece.source:
        blocks.append(_space(piece, PREDICTION, choices))
    return blocks + _printed(open_outputs(piece.cell))


def _worked(piece, folder, points):
    """Return the blocks of a piece on a sheet with solutions. Nothing is folded."""
    source = piece.source.replace("<details>", "<details open>")
    blocks = _shown(piece._replace(source=source), folder)
    label = "Prediction" if piece.is_prediction else "Solution"
    solution = Markup('<div class="solution"><p class="label">{}</p>{}</div>')
    blocks[1::2] = [solution.format(label, block) for block in blocks[1::2]]
    if piece.is_prediction:
        return blocks[1::2]
    if piece.is_answer and piece.cell.cell_type == "markdown" and points:
        lines = "\n".join("- " + line.removeprefix("1: ") for line in points)
        rubric = '<div class="rubric"><p class="label">A point for each</p>{}</div>'
        blocks.append(Markup(rubric).format(html_of.text(lines, folder=folder)))
    return blocks + _printed(piece.cell.get("outputs", []))


def _shown(piece, folder):
    """Return the source as HTML: what is given, then the solution and what follows.

    Nothing, if it is folded.
    """
    if piece.is_folded:
        return [Markup()]
    write = partial(html_of.text, folder=folder)
    if piece.cell.cell_type == "code":
        write = html_of.code
    parts = SOLUTION.split(piece.source)
    return [write(part) if part.strip() else Markup() for part in parts]


def _space(piece, label, choices=()):
    """Return ruled space for an answer, with boxes to tick where there are choices."""
    if not piece.lines:
        raise ValueError("an answer needs space on paper, tag the cell lines-8 or so")
    boxes = [
        Markup('<span class="choice"><i></i> {}</span>').format(c) for c in choices
    ]
    label = Markup("{} {}").format(label, Markup(" ").join(boxes))
    return Markup(
        '<div class="space" role="img" aria-label="Space to write, lines: {}">'
        '<p class="label">{}</p>{}</div>'
    ).format(piece.lines, label, Markup('<div class="rule"></div>') * piece.lines)


def open_outputs(cell):
    """Return the outputs of a cell that students may see: a list, without verdicts."""
    if set(re.findall(r"\bchecks\.(\w+)", cell.source)) - {"outcome", "hunt"}:
        return []
    outputs = cell.get("outputs", [])
    texts = [output.get("data", {}).get("text/plain", "") for output in outputs]
    return [o for o, text in zip(outputs, texts) if not OUTCOME.match(text)]


def _printed(outputs):
    return [*html_of.shown(outputs, own={"image/png": _figure})]


def _figure(output):
    shown = html_of.picture(output)
    return Markup(
        '<img src="data:image/webp;base64,{}" width="{}" height="{}" alt="{}">'
    ).format(
        base64.b64encode(shown.webp).decode(), shown.width, shown.height, shown.alt
    )
