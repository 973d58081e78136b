"""Cut a student's copy out of a worked lab: solutions out, stubs in, the rest locked.

nbgrader's own preprocessors do the cutting, so that its marking understands the copies.
"""

import ast
import copy
import re

from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)

from teaching.labs import TASK

# What stands in place of a solution, by where it stood.
FUNCTION_STUB = "# YOUR CODE HERE ({title}), in place of the next line.\n"
FUNCTION_STUB += "raise NotImplementedError"
VALUE_STUB = "# YOUR ANSWER HERE ({title}). None means: no answer yet."
PREDICTION_STUB = "# YOUR ANSWER HERE (your prediction), between the quotes above."
NAME_STUB = "# YOUR NAME HERE, between the quotes above."
TEXT_STUB = "*YOUR ANSWER HERE ({title}): double-click, and write in place of this line"
TEXT_STUB += ". Ctrl-Enter when done.*"


def student_copy(notebook):
    """Return what a student gets of a worked lab. The input is left as it is.

    Solutions become stubs that say what to write, hidden tests and outputs go, and
    every cell that needs no answer is locked. The same lab gives the same copy.

    Parameters
    ----------
    notebook : NotebookNode
        A worked lab in nbformat 4, with ``### BEGIN SOLUTION`` marks and nbgrader's
        metadata.

    Returns
    -------
    NotebookNode
        The copy: as many cells, in the same order, with the same ids.

    Raises
    ------
    ValueError
        If a mark has no partner or no nbgrader metadata, if a stub does not parse, or
        if nbgrader refuses the metadata; the cell is named.
    """
    result = copy.deepcopy(notebook)
    title = "no number"
    for cell in result.cells:
        if tasks := TASK.findall(cell.source):
            title, *_ = tasks[-1]
        _clear(cell, title)
    for step in (LockCells(lock_all_cells=True), ClearOutput(), ComputeChecksums()):
        result, _ = step.preprocess(result, {})
    try:
        CheckCellMetadata().preprocess(result, {})
    except Exception as error:
        message = f"notebook must have metadata that nbgrader accepts: {error}"
        raise ValueError(message) from error
    return result


def student_copies(worked):
    """Return the copies of worked labs, both by the stem of their files.

    Raises
    ------
    ValueError
        As ``student_copy``; the file is named.
    """
    copies = {}
    for lab, notebook in worked.items():
        try:
            copies[lab] = student_copy(notebook)
        except ValueError as error:
            raise ValueError(f"{lab}.ipynb: {error}") from error
    return copies


def _clear(cell, title):
    """Replace the solutions in a cell by stubs; take hidden tests and marks out."""
    in_function = re.search(r"^[ \t]+### BEGIN SOLUTION", cell.source, re.M)
    stub = FUNCTION_STUB if in_function else VALUE_STUB
    if "checks.prediction(" in cell.source:
        stub = PREDICTION_STUB
    if "checks.hunt(" in cell.source:
        stub = NAME_STUB
    text = TEXT_STUB.format(title=title)
    steps = [
        ClearSolutions(code_stub={"python": stub.format(title=title)}, text_stub=text),
        ClearHiddenTests(),
        ClearMarkScheme(),
    ]
    try:
        for step in steps:
            step.preprocess_cell(cell, {"language": "python"}, 0)
    except RuntimeError as error:
        raise ValueError(
            f"cell {cell.id!r} must have matching marks: {error}"
        ) from None
    is_answer = cell.cell_type == "code" and cell.metadata.get("nbgrader")
    if is_answer and not _parses(cell.source):
        raise ValueError(f"cell must be Python with its stub, got {cell.id!r}")


def _parses(source):
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True
