"""The worked labs of the pack, by file name, and where tasks and solutions stand."""

import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
# A solution: what is between its marks is the first group.
SOLUTION = re.compile(
    r"^[^\n]*### BEGIN SOLUTION[^\n]*\n(.*?)^[^\n]*### END SOLUTION[^\n]*\n?",
    re.M | re.S,
)
# Here begins a task; its name, number, minutes and stars are the groups.
TASK = re.compile(
    r"^(?=## ((?:Exercise|Question) (\d+\.\d+[a-z]?)) · (\d+) min · ([★☆]+))", re.M
)


def read(folder=NOTEBOOKS):
    """Return {stem of the file: notebook} of the worked labs in a folder.

    A lab is a file whose name begins with its number, as in ``01_factorisation.ipynb``.

    Raises
    ------
    ValueError
        If a file is no notebook; it is named.
    """
    paths = sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))
    return {path.stem: _notebook(path) for path in paths}


def _notebook(path):
    """Read one file."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # of many kinds: what is broken may be anything
        what = str(error).strip().split("\n")[0][:200]
        raise ValueError(
            f"{path.name} is no notebook that can be read: {what}"
        ) from error
    return notebook


def number(lab):
    """Return the number of a lab, two digits, by its name.

    >>> number("01_factorisation")
    '01'
    """
    return lab[:2]
