"""A worked lab as the inside of a page, for students or with its solutions folded."""

import json
import re
from functools import partial
from typing import NamedTuple

import math_core
from markupsafe import Markup

from teaching.handing_out import html_of, sheets
from teaching.handing_out.student_copy import student_copy
from teaching.labs import SOLUTION, TASK
from teaching.site import frames

FOLD = Markup('<details class="{}"><summary>{}</summary>{}</details>')
# What a cell gives away is folded until the next of these.
NEXT = re.compile(r"#|\*\*Predict")
PARTS = re.compile(rf"{TASK.pattern}|^(?=\*\*Predict)", re.M)


class Inside(NamedTuple):
    """What is on the page of a lab, and the pictures that it shows, by their path."""

    html: Markup
    pictures: dict


def inside(lab, notebook, *, solutions, folder, assets):
    """Return what is on the page of a lab.

    Parameters
    ----------
    lab : str
        The stem of its file.
    notebook : NotebookNode
        The worked lab, executed, perhaps with what its sliders show (``with_frames``).
    solutions : bool
        Whether solutions are there, folded. If not, there are the stubs that students
        get, and what checks say is left out.
    folder : path-like
        Where pictures lie that a text cell names.
    assets : str
        The way from the page to the folder of the pictures.

    Raises
    ------
    ValueError
        As ``sheet``; the cell is named.
    """
    page = _Page(lab, solutions=solutions, folder=folder, assets=assets)
    for cell, copied in zip(notebook.cells, student_copy(notebook).cells):
        try:
            page.add(
                cell, cell.source if solutions and is_answer(cell) else copied.source
            )
        except (ValueError, math_core.LatexError) as error:
            message = f"{lab}.ipynb, cell {cell.id!r} must be printable: {error}"
            raise ValueError(message) from error
    page.end()
    return Inside(Markup("\n").join(page.blocks), page.pictures)


def is_answer(cell):
    """Whether a cell holds a solution."""
    return bool(SOLUTION.search(cell.source))


class _Page:
    """What has been written of a page so far."""

    def __init__(self, lab, *, solutions, folder, assets):
        self.lab, self.solutions = lab, solutions
        self.folder, self.assets = folder, assets
        self.blocks, self.folded, self.pictures = [], None, {}
        self.in_exercise = False

    def add(self, cell, source):
        """Write a cell: text in parts, as some of it may belong into a fold."""
        is_text = cell.cell_type == "markdown" and not is_answer(cell)
        parts = PARTS.split(source)[:: PARTS.groups + 1] if is_text else [source]
        overleaf = "overleaf" in cell.metadata.get("tags", [])
        for part in filter(str.strip, parts):
            if overleaf or (is_text and NEXT.match(part)):
                self.unfold()
            if is_text and TASK.match(part):
                self.end()
                self.write(Markup('<section class="exercise">'))
                self.in_exercise = True
            if overleaf:
                self.folded, overleaf = [], False
            self.write(*self.cell(cell, part))
        if cell.metadata.get("nbgrader", {}).get("grade"):
            self.end()

    def write(self, *blocks):
        """Add to the page, or to what is folded on it."""
        (self.blocks if self.folded is None else self.folded).extend(blocks)

    def unfold(self):
        """What follows can be seen."""
        if self.folded:
            self.blocks.append(_fold("turn", "Answer first, then open", *self.folded))
        self.folded = None

    def end(self):
        """Close what is open."""
        self.unfold()
        if self.in_exercise:
            self.write(Markup("</section>"))
        self.in_exercise = False

    def cell(self, cell, source):
        """Return the blocks of a cell, or of a part of it, and of what came out."""
        is_code = cell.cell_type == "code"
        if is_answer(cell) and not is_code and not self.solutions:
            return []
        write = html_of.code if is_code else partial(html_of.text, folder=self.folder)
        written = [
            _fold("solution", "Solution", write(part)) if i % 2 else write(part)
            for i, part in enumerate(SOLUTION.split(source))
            if part.strip()
        ]
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            return [*self.outputs(cell), _fold("drawing", "Code of a figure", *written)]
        return written + self.outputs(cell)

    def outputs(self, cell):
        """Return what came out. Students are not told what checks said of solutions."""
        outputs = sheets.open_outputs(cell)
        if self.solutions:
            outputs = cell.get("outputs", [])
        own = {
            frames.FRAMES: partial(self.slider, cell),
            "image/png": partial(self.figure, cell),
            "text/html": _card,
        }
        return [*html_of.shown(outputs, own=own)]

    def figure(self, cell, output):
        """Return a figure, and keep it."""
        shown = html_of.picture(output)
        start = f"figures/{self.lab}-{cell.id}-"
        count = sum(name.startswith(start) for name in self.pictures)
        path = self.keep(f"{self.lab}-{cell.id}-{count + 1}.webp", shown.webp)
        return _img(path, shown.width, shown.height, shown.alt)

    def slider(self, cell, output):
        """Return a figure with a slider, and keep what it shows."""
        slider = frames.slider(output.data[frames.FRAMES])
        paths = [
            self.keep(f"{self.lab}-{cell.id}/{i:02}.webp", picture)
            for i, picture in enumerate(slider.pictures)
        ]
        still, name = slider.still, f"{self.lab}-{cell.id}-slider"
        return Markup(
            '<figure class="scrub" data-paths="{}" data-values="{}" data-alts="{}">{}'
            '<div class="control" hidden><label for="{}">{}</label>'
            '<input type="range" id="{}" min="0" max="{}" value="{}">'
            '<output for="{}">{}</output></div></figure>'
        ).format(
            *map(_json, (paths, slider.values, slider.alts)),
            _img(paths[still], slider.width, slider.height, slider.alts[still]),
            name,
            slider.label,
            name,
            len(paths) - 1,
            still,
            name,
            slider.values[still],
        )

    def keep(self, name, picture):
        """Keep a picture, and return the way to it from the page."""
        self.pictures[f"figures/{name}"] = picture
        return f"{self.assets}figures/{name}"


def _img(path, width, height, alt):
    return Markup(
        '<img src="{}" width="{}" height="{}" alt="{}" loading="lazy">'
    ).format(path, width, height, alt)


def _card(output):
    return Markup('<div class="card">{}</div>').format(
        html_of.tidied(output.data["text/html"])
    )


def _fold(kind, summary, *blocks):
    return FOLD.format(kind, summary, Markup("").join(blocks))


def _json(value):
    return json.dumps(value, ensure_ascii=False)
