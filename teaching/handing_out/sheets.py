"""Write a worked lab as one page of HTML to print, for students or with its solutions.

The page needs nothing from outside: figures and fonts are in it, and formulas are
MathML. The same lab gives the same page. Two kinds of tags on a cell say what paper
needs to know (JupyterLab's property inspector changes them):

- ``lines-8``: leave so many ruled lines for the answer that the cell holds, or for the
  prediction that its text asks for;
- ``overleaf``: the cell gives away what was just asked, so on a student's sheet it
  begins on the next page.

Of a cell that is folded in JupyterLab, since it only draws, paper shows the outputs.
"""

import base64
import re
from functools import cache, partial
from typing import NamedTuple

import jinja2
import math_core
from markupsafe import Markup
from nbformat import NotebookNode

from teaching.handing_out import fonts, html_of
from teaching.handing_out.student_copy import student_copy
from teaching.labs import SOLUTION, number

PREDICTION = "Your prediction, and why"
KINDS = ("student", "solutions")
TASK = r"^(?=## (?:Exercise|Question))"
OVERLEAF = Markup(
    '<div class="turn"><p>Write down your answer and why, before you go on.</p></div>'
)
FOLDED = re.compile(r"^<details>.*?</details>\n*", re.M | re.S)
OUTCOME = re.compile(r"Prediction [\w-]+, lab \d")  # so begins what checks say of it
WIDGET = "application/vnd.jupyter.widget-view+json"


class Piece(NamedTuple):
    """A cell, or the part of a text cell before or from the heading of an exercise."""

    cell: NotebookNode
    source: str
    opens: bool  # an exercise begins
    closes: bool  # an exercise ends
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
        """Whether the source stays folded, as that of a cell that only draws."""
        return self.cell.metadata.get("jupyter", {}).get("source_hidden", False)

    @property
    def is_prediction(self):
        """Whether the cell holds a prediction, which is not marked."""
        return "checks.prediction(" in self.source

    @property
    def is_hunt(self):
        """Whether the cell shows a function with a bug, which is drawn for a name."""
        return "checks.hunt(" in self.source


def sheet(notebook, *, solutions=False, folder="."):
    """Return a lab as a page of HTML, a str, complete in itself.

    Parameters
    ----------
    notebook : NotebookNode
        A worked lab in nbformat 4, executed, with ``### BEGIN SOLUTION`` marks and
        nbgrader's metadata.
    solutions : bool
        Whether to print the solutions, marked as such, and all outputs. If not, there
        is ruled space in their place, and what checks say is left out.
    folder : path-like
        Where pictures lie that a text cell names.

    Raises
    ------
    ValueError
        If a formula cannot be converted, if an answer has no ``lines-…`` tag, if a
        figure has no alt text, if something would be loaded from elsewhere, or if
        ``student_copy`` refuses the lab; the cell is named.
    """
    sections, is_open, choices = [], False, []
    for piece in _pieces(notebook):
        if piece.opens or not is_open:
            sections.append({"exercise": piece.opens, "blocks": []})
        if "**Predict" in piece.source:
            choices = re.findall(r"\(([a-d])\)", piece.source.split("**Predict")[1])
        try:
            sections[-1]["blocks"].extend(
                _worked(piece, folder) if solutions else _asked(piece, folder, choices)
            )
        except (ValueError, math_core.LatexError) as error:
            message = f"cell {piece.cell.id!r} must be printable: {error}"
            raise ValueError(message) from error
        is_open = (is_open or piece.opens) and not piece.closes
    title = re.search(r"^# (.+)$", notebook.cells[0].source, re.M)[1]
    page = _template().render(title=title, solutions=solutions, sections=sections)
    return page.replace("/* fonts */", fonts.css(page), 1)


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
                page = sheet(notebook, solutions=kind == "solutions", folder=folder)
            except ValueError as error:
                raise ValueError(f"{lab}.ipynb: {error}") from error
            result[f"{number(lab)}_{kind}.html"] = page
    return result


def _pieces(notebook):
    """Cut text cells where an exercise begins; hidden tests are left out."""
    for cell, copied in zip(notebook.cells, student_copy(notebook).cells):
        is_answer = "### BEGIN SOLUTION" in cell.source
        source = cell.source if is_answer else copied.source
        is_task = cell.cell_type == "markdown" and not is_answer
        parts = re.split(TASK, source, flags=re.M) if is_task else [source]
        closes = bool(cell.metadata.get("nbgrader", {}).get("grade"))
        overleaf = "overleaf" in cell.metadata.get("tags", [])
        for part in filter(str.strip, parts):
            opens = is_task and bool(re.match(TASK, part))
            yield Piece(cell, part, opens, closes, overleaf)
            overleaf = False


def _asked(piece, folder, choices):
    """Return the blocks of a piece on a student's sheet. What is folded is left out."""
    is_text = piece.cell.cell_type == "markdown"
    piece = piece._replace(source=FOLDED.sub("", piece.source))
    if piece.is_hunt:
        blocks = []
    elif piece.is_prediction:
        blocks = [_space(piece, PREDICTION, choices)]
    else:
        blocks = _shown(piece, folder)
        # A solution at each odd place: space for the first, nothing for the others.
        label = "Your answer" if is_text else "Your code"
        blocks[1::2] = [Markup()] * (len(blocks) // 2)
        if piece.is_answer:
            blocks[1] = _space(piece, label)
    if is_text and piece.lines and "**Predict" in piece.source:
        blocks.append(_space(piece, PREDICTION, choices))
    overleaf = [OVERLEAF] if piece.overleaf else []
    return overleaf + blocks + _printed(open_outputs(piece.cell))


def _worked(piece, folder):
    """Return the blocks of a piece on a sheet with solutions."""
    blocks = _shown(piece, folder)
    label = "Prediction" if piece.is_prediction else "Solution"
    solution = Markup('<div class="solution"><p class="label">{}</p>{}</div>')
    blocks[1::2] = [solution.format(label, block) for block in blocks[1::2]]
    if piece.is_prediction:
        return blocks[1::2]
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
    """Return the outputs that can be read on paper: no bars, widgets or tracebacks."""
    blocks = []
    for output in outputs:
        data, name = output.get("data", {}), output.get("name")
        if output.output_type == "error":
            blocks.append(html_of.plain(f"{output.ename}: {output.evalue}"))
        elif name == "stdout":
            blocks.append(html_of.plain(re.sub(r"[^\n]*\r(?!\n)", "", output.text)))
        elif "image/png" in data:
            blocks.append(_figure(output))
        elif "<table" in data.get("text/html", ""):
            blocks.append(html_of.tidied(data["text/html"]))
        elif "text/plain" in data and WIDGET not in data:
            blocks.append(html_of.plain(data["text/plain"]))
    return blocks


def _figure(output):
    shown = html_of.picture(output)
    return Markup(
        '<img src="data:image/webp;base64,{}" width="{}" height="{}" alt="{}">'
    ).format(
        base64.b64encode(shown.webp).decode(), shown.width, shown.height, shown.alt
    )


@cache
def _template():
    loader = jinja2.PackageLoader("teaching.handing_out", "")
    environment = jinja2.Environment(loader=loader, autoescape=True)
    environment.filters["css"] = css_string
    return environment.get_template("sheet.html.j2")


def css_string(text):
    """Return text as a string of CSS that can stand in a <style>."""
    return Markup('"' + "".join(f"\\{ord(c):06x}" for c in text) + '"')
