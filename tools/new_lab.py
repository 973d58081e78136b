"""Make the skeleton of a lab: ``python tools/new_lab.py 06 "Title of the lab"``.

It writes the notebook, its checks and its answers, with one exercise and one prediction
that work, and overwrites nothing. They are the files in docs/add-a-lab.md, with another
number and title. Of the rules for labs, two stay open: the lab is not executed yet, and
it has too few cells and words. (nbgrader has no such command: its ``quickstart`` makes
a course, with one demonstration assignment, and no lab of ours.)
"""

import argparse
import json
import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "add-a-lab.md"
FILE = re.compile(r"^### `([^`]+)`\n\n```\w+\n(.*?)^```$", re.M | re.S)
CELL = re.compile(r"^# %%(.*)\n", re.M)
# The number of the page's lab, and that number in the name of an exercise.
NUMBER = re.compile(r"(?<![0-9A-Z])06(?![0-9A-Za-z])")
EXERCISE = re.compile(r"\b6(?=\.\d)")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def files(number="06", title=None):
    """Return {path: text} of the four files in the page, in its order.

    Parameters
    ----------
    number : str
        Two digits.
    title : str, optional
        By default that of the page.

    Raises
    ------
    ValueError
        If the number is not two digits, or the title has no letter.
    """
    if not re.fullmatch(r"[0-9]{2}", number) or number == "00":
        raise ValueError(f"number must be two digits, 01 to 99, got {number!r}")
    found = FILE.findall(PAGE.read_text(encoding="utf-8"))
    (old,) = re.findall(r"^# # 06 (.+)$", found[0][1], re.M)
    title = old if title is None else " ".join(title.split())
    if not _slug(title):
        raise ValueError(f"title must have a letter from a to z, got {title!r}")

    def ours(text):
        text = NUMBER.sub(number, EXERCISE.sub(str(int(number)), text))
        return text.replace(old, title).replace(_slug(old), _slug(title))

    return {ours(path): ours(text) for path, text in found}


def notebook(text):
    """Return the notebook that a text in percent format stands for, unexecuted.

    After ``# %%`` come ``[markdown]``, and ``id``, ``tags`` and ``points`` as JSON. A
    cell with a solution, or with points, gets nbgrader's metadata.

    >>> cell = notebook('# %% id="a-check" points=2\\nprint(1)\\n').cells[0]
    >>> cell.source, cell.metadata["nbgrader"]["points"]
    ('print(1)', 2)
    """
    _, *parts = CELL.split(text)
    cells = []
    for head, source in zip(parts[::2], parts[1::2]):
        given = dict(re.findall(r"(\w+)=(\S+)", head))
        given = {name: json.loads(value) for name, value in given.items()}
        is_text = "[markdown]" in head
        if is_text:
            source = re.sub(r"^# ?", "", source, flags=re.M)
        new = new_markdown_cell if is_text else new_code_cell
        cell = new(source.strip("\n"), id=given["id"])
        if "tags" in given:
            cell.metadata["tags"] = given["tags"]
        if "### BEGIN SOLUTION" in source or "points" in given:
            cell.metadata["nbgrader"] = _nbgrader(cell, given.get("points"))
        cells.append(cell)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    result = new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(result)
    return result


def write(number, title, *, root=ROOT):
    """Write the skeleton of a lab; return its row for the README's table, a str.

    Raises
    ------
    FileExistsError
        If there is such a file, or a lab of that number; nothing is written.
    """
    made = files(number, title)
    row = made.pop("README.md")
    taken = [*(root / "notebooks").glob(f"{number}_*.ipynb")]
    taken += [root / path for path in made if (root / path).exists()]
    if taken:
        raise FileExistsError(f"{taken[0].relative_to(root)} is there already")
    for path, text in made.items():
        if path.endswith(".ipynb"):
            text = nbformat.writes(notebook(text)) + "\n"
        with (root / path).open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        print(f"made {path}")
    return row


def _nbgrader(cell, points):
    """Return nbgrader's metadata of a solution, of a check, or of a written answer."""
    solution = "### BEGIN SOLUTION" in cell.source
    about = {"grade": points is not None, "grade_id": cell.id, "locked": not solution}
    about |= {"schema_version": 3, "solution": solution, "task": False}
    return about if points is None else {**about, "points": points}


def _slug(title):
    """Return a title as part of a file name.

    >>> _slug("Learn a linear autoencoder A·B")
    'learn_a_linear_autoencoder_a_b'
    """
    return "_".join(re.findall(r"[a-z0-9]+", title.lower()))


def main(argv=None):
    """Write a lab's skeleton; return 0, or what went wrong as a text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", help="two digits, such as 06")
    parser.add_argument("title", help="such as 'Measure a misfit'")
    arguments = parser.parse_args(argv)
    try:
        row = write(arguments.number, arguments.title)
    except (ValueError, FileExistsError) as error:
        return f"Nothing was written: {error}"
    print(f"\nPut this row into the README's table, and go on as {PAGE.name} says:\n")
    print(row.strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
