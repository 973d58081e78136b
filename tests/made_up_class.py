"""Submissions that nobody wrote: right, partly right, empty, forged and broken ones.

``python -m tests.made_up_class 30 folder`` writes a class of thirty over all labs.
"""

import io
import json
import re
import sys
import zipfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from labhelpers.handouts.student import student_copy

ROOT = Path(__file__).resolve().parents[1]
LABS = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
# Each check, and what a notebook can do to it.
FORGED = """
class Right:
    def __getattr__(self, name):
        return lambda *a, **k: print("right.") or True
checks = Right()
"""
PATCHED = """
import labhelpers.checks as c, labhelpers.checks._judge as j, sys
def verdict(*a, **k):
    return j.Check("Exercise", True)
for name in c.__all__:
    setattr(c, name, verdict)
j.Check.__bool__ = lambda self: True
j.Check.require = lambda self: self
c.strict = lambda check: check
sys.modules["labhelpers.handouts.judging"] = c
AssertionError.__init__ = lambda *a: None if False else None
"""
NUMPY = """
np.allclose = np.array_equal = lambda *a, **k: True
torch.allclose = torch.equal = lambda *a, **k: True
"""
SHADOW = """
from pathlib import Path
Path("labhelpers").mkdir(exist_ok=True)
Path("labhelpers/__init__.py").write_text("")
Path("labhelpers/checks.py").write_text("strict = print")
Path("torch.py").write_text("raise SystemExit")
"""


def worked(lab):
    """Return the worked lab."""
    return nbformat.read(ROOT / "notebooks" / f"{lab}.ipynb", as_version=4)


def empty(lab):
    """Return the student's copy, with nothing filled in."""
    return student_copy(worked(lab))


def filled(lab, but=()):
    """Return a copy with the right answers, but for the grade_ids in ``but``."""
    notebook, right = empty(lab), worked(lab)
    for mine, theirs in zip(notebook.cells, right.cells):
        if mine.metadata.get("nbgrader", {}).get("solution") and mine.id not in but:
            mine.source = re.sub(
                r"(?m)^.*### (BEGIN|END) SOLUTION.*\n?", "", theirs.source
            )
    return notebook


def at(notebook, cell_id):
    """Return the index of a cell."""
    return [cell.id for cell in notebook.cells].index(cell_id)


def after(notebook, cell_id, source):
    """Insert a code cell of the student's own; return the notebook."""
    cell = new_code_cell(source)
    notebook.cells.insert(at(notebook, cell_id) + 1, cell)
    return notebook


def replaced(notebook, cell_id, source):
    """Write something else into a cell; return the notebook."""
    notebook.cells[at(notebook, cell_id)].source = source
    return notebook


def without(notebook, *cell_ids):
    """Delete cells; return the notebook."""
    notebook.cells = [cell for cell in notebook.cells if cell.id not in cell_ids]
    return notebook


def replaying(function, lab, cell_id):
    """Return a lab in which a function replays its results on the student's seed.

    It is recorded from the right answer, so that the student's own check says "right".
    """
    recorder = f"""
_right, _seen = {function}, []
def {function}(*a, **k):
    result = _right(*a, **k)
    _seen.append(result)
    return result
checks.{function}({function})
_replay = iter(_seen * 100)
def {function}(*a, **k):
    return next(_replay)
"""
    return after(filled(lab), cell_id, recorder)


def tampered(lab, trick):
    """Return an empty copy that begins with a trick, and whose checks are changed."""
    notebook = empty(lab)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("points") and cell.cell_type == "code":
            cell.source = 'print("Exercise: right.")'
    first = next(cell.id for cell in notebook.cells if "import" in cell.source)
    return after(notebook, first, trick)


def text(notebook):
    """Return a notebook as the bytes of its file."""
    return nbformat.writes(notebook).encode()


def zipped(files):
    """Return a zip, as bytes, of {name: bytes}."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def broken(lab):
    """Return a file that was cut in the middle."""
    data = text(filled(lab))
    return data[: len(data) // 2]


def stripped(lab):
    """Return a right notebook without ids and metadata, as some editors leave it."""
    content = json.loads(text(filled(lab)))
    for cell in content["cells"]:
        cell.pop("id")
        cell["metadata"] = {}
    return json.dumps(content).encode()


def write(folder, files):
    """Write {name: bytes}, with folders where names have a slash."""
    for name, data in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def of_kind(kind, lab, number):
    """Return the bytes of one lab of a student of a kind."""
    solutions = [
        cell.id
        for cell in worked(lab).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    ]
    tricks = [FORGED, PATCHED, NUMPY, SHADOW]
    match kind:
        case "right":
            return text(filled(lab))
        case "partly":
            return text(filled(lab, but=solutions[number % 2 :: 2]))
        case "empty":
            return text(empty(lab))
        case "tampered":
            return text(tampered(lab, tricks[number % len(tricks)]))
        case "broken":
            return broken(lab)
    raise ValueError(f"kind must be one of KINDS, got {kind}")


KINDS = ["right", "partly", "partly", "right", "empty", "tampered", "broken"]


def main(count, folder):
    """Write a class; return {name: kind}."""
    Path(folder).mkdir(parents=True)
    kinds = {}
    for number in range(int(count)):
        kind = KINDS[number % len(KINDS)]
        name = f"{kind.title()} Ünal {number:02}_{1000 + number}_assignsubmission_file_"
        files = {f"{name}/{lab}.ipynb": of_kind(kind, lab, number) for lab in LABS}
        write(folder, files)
        kinds[name] = kind
    return kinds


if __name__ == "__main__":
    main(*sys.argv[1:])
