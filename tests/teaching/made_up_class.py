"""Submissions that nobody wrote: right, partly right, empty, forged and broken ones.

``python -m tests.teaching.made_up_class`` marks a class of thirty over all labs.
"""

import contextlib
import copy
import ctypes
import io
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from teaching import labs
from teaching.handing_out.student_copy import student_copy
from teaching.marking import mark_class, needed_cells, run_notebook

WORKED = labs.read()
LABS = list(WORKED)
KINDS = ["right", "partly", "empty", "hardcoded", "tampered", "broken"]
KINDS += ["untidy", "looping", "stripped", "tampered"]
# Checks that call what another exercise has defined.
NEEDS = dict.fromkeys(["train-check", "epoch-check", "step-check"], "loss-solution")
NEEDS["curvature-check"] = "times-solution"
# A function, and its cell. A lab without one has no hard-coded answer.
RECORDED = {
    "01_factorisation": ("svd_loss", "svd-solution"),
    "02_pca_comparison": ("pca_scores", "scores-solution"),
    "03_mlp_iris": ("evaluate", "evaluate-solution"),
    "04_ab_autoencoder": ("best_encoder", "encoder-solution"),
    "05_cifar10_autoencoder": ("scaled_step", "step-solution"),
}
# What a notebook can do to its checks.
FORGED = """
class Right:
    def __getattr__(self, name):
        return lambda *a, **k: print("right.") or True
checks = Right()
"""
PATCHED = """
import labchecks.verdicts as j, sys
def verdict(*a, **k):
    return j.Check("Exercise", True)
for module in [m for n, m in sys.modules.items() if n.startswith("labchecks.lab")]:
    for name in [n for n, v in vars(module).items() if callable(v)]:
        setattr(module, name, verdict)
j.Check.__bool__ = lambda self: True
j.Check.require = lambda self: self
c.strict = lambda check: check
sys.modules["teaching.marking.answering"] = checks
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
Path("labchecks.py").write_text("strict = print")
Path("torch.py").write_text("raise SystemExit")
"""


def worked(lab):
    """Return the worked lab."""
    return copy.deepcopy(WORKED[lab])


def empty(lab):
    """Return the student's copy, with nothing filled in."""
    return student_copy(worked(lab))


def pack():
    """Return the worked labs and the students' copies, as ``mark_class`` takes them."""
    return {lab: worked(lab) for lab in LABS}, {lab: empty(lab) for lab in LABS}


def short(notebook):
    """Return a lab without the code that no check needs, so that it takes seconds."""
    known = {
        cell.id: needed_cells.Known(cell.source, (), {})
        for cell in notebook.cells
        if cell.cell_type == "code" and not _is_answer(cell)
    }
    asked = run_notebook.asked(notebook)
    plan = needed_cells.plan(notebook.cells, known, asked)
    notebook.cells = [
        cell
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type != "code"
        or index in plan.sources
        or "nbgrader" in cell.metadata
    ]
    return notebook


def _is_answer(cell):
    return cell.metadata.get("nbgrader", {}).get("solution")


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


def zipped(files, compression=zipfile.ZIP_STORED):
    """Return a zip, as bytes, of {name: bytes}."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
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


def untidy(lab):
    """Return a right notebook with copied, deleted and retyped cells."""
    notebook = filled(lab)
    solutions = [c for c in notebook.cells if c.id.endswith("-solution")]
    checks = [c for c in notebook.cells if c.id.endswith("-check")]
    notebook.cells += [new_code_cell("1 / 0"), copy.deepcopy(solutions[0])]
    notebook.cells[-1].id = "copied"
    checks[-1].cell_type = "raw"
    checks[-1].pop("outputs"), checks[-1].pop("execution_count")
    texts = [c.id for c in notebook.cells if c.cell_type == "markdown"]
    return without(notebook, checks[0].id, *texts[:3])


def looping(lab):
    """Return a right lab 02, but for a function that never comes back."""
    notebook = filled(lab)
    if not lab.startswith("02"):
        return notebook
    source = "def split(A, Q):\n    while True:\n        pass"
    return replaced(notebook, "split-solution", source)


def of_kind(kind, lab, number):
    """Return the bytes of one lab of a student, and the checks that must be right."""
    names = graded(lab)
    tricks = [FORGED, PATCHED, NUMPY, SHADOW]
    match kind:
        case "right":
            return text(filled(lab)), names
        case "partly":
            missing = [name.replace("-check", "-solution") for name in names[::2]]
            lost = {*names[::2], *[n for n, on in NEEDS.items() if on in missing]}
            return text(filled(lab, but=missing)), [n for n in names if n not in lost]
        case "empty":
            return text(empty(lab)), []
        case "tampered":
            return text(tampered(lab, tricks[number % len(tricks)])), []
        case "broken":
            return broken(lab), []
        case "stripped":
            return stripped(lab), names
        case "untidy":
            return text(untidy(lab)), names
        case "looping":
            return text(looping(lab)), [n for n in names if n != "split-check"]
        case "hardcoded" if lab not in RECORDED:
            return text(filled(lab)), names
        case "hardcoded":
            function, cell_id = RECORDED[lab]
            forged = text(replaying(function, lab, cell_id))
            check = cell_id.replace("-solution", "-check")
            lost = {check, *[n for n, on in NEEDS.items() if on == cell_id]}
            return forged, [name for name in names if name not in lost]
    raise ValueError(f"kind must be one of {KINDS}, got {kind}")


def graded(lab):
    """Return the grade_ids of the checks of a lab."""
    return [
        cell.id
        for cell in worked(lab).cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
    ]


def write_class(folder, count, labs=LABS, kinds=KINDS):
    """Write a class; return {name: {lab: the checks that must be right}}."""
    expected = {}
    for number in range(count):
        kind = kinds[number % len(kinds)]
        name = f"{kind.title()} Ünal {number:02}_{1000 + number}"
        made = {lab: of_kind(kind, lab, number) for lab in labs}
        place = f"{name}_assignsubmission_file_"
        write(folder, {f"{place}/{lab}.ipynb": data for lab, (data, _) in made.items()})
        expected[name] = {lab: set(right) for lab, (_, right) in made.items()}
    return expected


def wrong_marks(marking, expected):
    """Return what was not marked as it must be, a list of str."""
    complaints = []
    for student in marking.students:
        for lab, right in expected[student.name].items():
            mark = marking.marks[student.id, lab]
            seen = {name for name, ok in mark.right.items() if ok}
            if mark.failure or seen != right:
                complaints.append(
                    f"{student.name}, {lab}: {sorted(seen ^ right)} {mark.failure}"
                )
    return complaints


def main(count=30, *options):
    """Mark a made-up class; return 0 if all get the points that they must.

    Of ``options`` there is "--all-cells": run all, and not only what is needed. Each
    line begins with the seconds of a processor that were used so far.
    """
    used = Used()
    with tempfile.TemporaryDirectory() as folder:
        expected = write_class(folder, int(count))
        started = time.monotonic()
        into = labs.ROOT / "handouts" / "made-up-class"
        marking = mark_class.grade(
            folder,
            into,
            *pack(),
            all_cells="--all-cells" in options,
            say=lambda text: print(f"{used.total():6.0f}  {text}", flush=True),
        )
        took = time.monotonic() - started
    complaints = wrong_marks(marking, expected)
    seconds = [mark.seconds for mark in marking.marks.values() if mark.seconds]
    print(f"{len(marking.marks)} labs of {count} students in {took:.0f} s:")
    print(f"each {statistics.median(seconds):.1f} s, at most {max(seconds):.1f} s")
    print(f"{used.total():.0f} s of a processor, with the worked labs and nbgrader")
    print("\n".join(complaints) or "every point is as it must be")
    return 1 if complaints else 0


class Used:
    """Sums what this process and all that it starts use of processors, on Linux."""

    def __init__(self):
        self.seconds = {}  # {(process, its start): seconds of a processor}
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: no orphan is lost
            threading.Thread(target=self._watch, daemon=True).start()

    def total(self):
        return sum(list(self.seconds.values()))

    def _watch(self):
        while True:
            parents, found = {}, {}
            for path in Path("/proc").glob("[0-9]*/stat"):
                with contextlib.suppress(OSError):
                    fields = path.read_text().rpartition(")")[2].split()
                    number = int(path.parent.name)
                    parents[number] = int(fields[1])
                    ticks = int(fields[11]) + int(fields[12])
                    found[number] = fields[19], ticks / os.sysconf("SC_CLK_TCK")
            for number, (start, seconds) in found.items():
                each = number
                while each and each != os.getpid():
                    each = parents.get(each, 0)
                if each:
                    self.seconds[number, start] = seconds
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
