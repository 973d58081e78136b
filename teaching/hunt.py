"""The pool of a lab's bug hunt, from its worked solution and the teacher's file."""

from labchecks.hunts import Bug, Pool
from labchecks.predictions import seal
from teaching import labs, lesson


def pool(notebook, hunt, *, held=False):
    """Return the bugs of a hunt, a Pool: those for students, or those held back.

    Parameters
    ----------
    notebook : NotebookNode
        The worked lab.
    hunt : lesson.Hunt
        Of that lab. The function is what its cell's solution has from ``def`` on.
    held : bool
        Whether the bugs are those that the teacher keeps.

    Raises
    ------
    ValueError
        If the cell has no function, or if what a bug changes isn't there just once.
    """
    code = _function(notebook, hunt.cell)
    bugs = [_made(bug, code) for bug in hunt.bugs if bug.held is held]
    return Pool(code, list(hunt.symptoms), bugs)


def sealed(number):
    """Return the students' Pool of a lab, by its number, as a sealed text.

    Raises
    ------
    ValueError
        As ``pool``, or if the lab has no hunt.
    """
    hunt = lesson.read(number).hunt
    worked = [nb for lab, nb in labs.read().items() if labs.number(lab) == number]
    if not hunt or not worked:
        raise ValueError(f"lab must be one with a [hunt] in its lesson, got {number!r}")
    return seal(pool(worked[0], hunt))


def _function(notebook, cell_id):
    """Return the code of the mended function."""
    sources = [cell.source for cell in notebook.cells if cell.id == cell_id]
    for solution in labs.SOLUTION.findall("\n".join(sources)):
        if "def " in solution:
            return solution[solution.index("def ") :].strip()
    raise ValueError(f"cell {cell_id!r} must have a solution with a function")


def _made(bug, code):
    """Return what a bug of the lesson makes of its line, a Bug."""
    if code.count(bug.old) != 1:
        raise ValueError(f"a bug's old must be in the function once, got {bug.old!r}")
    line = code[: code.index(bug.old)].count("\n")
    text = code.split("\n")[line].replace(bug.old, bug.new)
    return Bug(line + 1, text, bug.symptom, bug.why)
