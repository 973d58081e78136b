"""A new lab is four files: those of docs/add-a-lab.md, added to a copy of the pack."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from tests import ROOT
from tests.labs import guard
from tools import new_lab

PAGE = new_lab.PAGE.read_text(encoding="utf-8")
TITLE = "Measure a misfit"
LAST = max(path.name[:2] for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NUMBER = f"{int(LAST) + 1:02}"
STEM = f"{NUMBER}_measure_a_misfit"
# The table in the README: its last row comes before an empty line.
LAST_ROW = re.compile(rf"^\|.*\]\(notebooks/{LAST}_.*\|\n(?=\n)", re.M)
STUB = re.compile(r"^ *# YOUR CODE HERE.*\n *raise NotImplementedError", re.M)
PLANTED = "total = sum(r**2 for r in residuals)"

# What a teacher gets of the lab, as a program that runs in the copy.
HAND_OUT = """
import json, sys
from teaching import labs
from teaching.handing_out import guide, handouts, sheets
from teaching.handing_out.student_copy import student_copies

lab, planted = sys.argv[1:]
worked = labs.read()
copies = handouts.written(student_copies(worked))
files = handouts.student_files(worked, copies)
pages = sheets.pages({lab: worked[lab]}, folder=labs.NOTEBOOKS)
pages |= guide.pages({lab: worked[lab]}, folder=labs.NOTEBOOKS)
worked[lab].cells[-1].source += planted
leaking = handouts.written(student_copies(worked))
try:
    handouts.student_files(worked, leaking)
    leak = ""
except ValueError as error:
    leak = str(error)
copy = copies[f"{lab}.ipynb"].decode()
print(json.dumps({"zip": sorted(files), "copy": copy, "pages": pages, "leak": leak}))
"""


def run(folder, *command):
    """Run Python in a copy of the pack; return what it prints, or fail."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    env |= {"PYTHONPATH": str(folder), "TQDM_DISABLE": "1", "LAB_VIEW": "static"}
    env |= {"CIFAR10_DIR": "none", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """Return a copy of the pack with one lab more, rendered."""
    folder = tmp_path_factory.mktemp("pack") / "labs"
    ours = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(ours, cwd=ROOT, text=True).splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    before = contents(folder)
    printed = run(folder, "tools/new_lab.py", NUMBER, TITLE)
    readme = folder / "README.md"
    (row,) = [line for line in printed.splitlines() if line.startswith("| [")]
    text = readme.read_text(encoding="utf-8")
    (last,) = LAST_ROW.findall(text)
    readme.write_text(text.replace(last, f"{last}{row}\n"), encoding="utf-8")
    run(folder, "tools/render.py", f"notebooks/{STEM}.ipynb")
    after = contents(folder)
    changed = {path for path in after if after[path] != before.get(path)}
    assert changed == set(new_lab.files(NUMBER))
    return folder


def contents(folder):
    """Return {path: bytes} of a folder, without what Python keeps for itself."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def given(pack):
    """Return what is handed out: zip, copy, pages, and what is said of a leak."""
    return json.loads(run(pack, "-c", HAND_OUT, STEM, f"\n\n{PLANTED}"))


def test_a_new_lab_breaks_no_rule_but_that_of_its_size(pack):
    lab = nbformat.read(pack / "notebooks" / f"{STEM}.ipynb", as_version=4)
    broken = {rule.__name__ for rule in guard.RULES if rule(lab)}
    assert broken == {"size"}
    made = [path for path in new_lab.files(NUMBER) if path != "README.md"]
    run(pack, "-m", "ruff", "check", *made)
    run(pack, "-m", "ruff", "format", "--check", *made)


def test_a_new_lab_is_checked_and_compared(pack):
    (selected,) = re.findall(r"-k '(.+)'", PAGE)
    selected = selected.replace("06", NUMBER)
    folders = "tests/labchecks", "tests/labs/test_notebooks.py"
    options = ["--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-v"]
    options += ["-k", f"({selected}) and not ipynb-size"]
    shown = run(pack, "-m", "pytest", *options, *folders, f"notebooks/{STEM}.ipynb")
    passed = re.findall(r"^(\S+?)::(.+?) PASSED", shown, re.M)
    counts = {
        part: sum(part in f"{path}::{name}" for path, name in passed)
        for part in (
            "accepted",
            "wrong_answer",
            "that_of_the_right_one",
            "answers_in_the_lab",
        )
        + ("test_lab[", "ipynb::Cell")
    }
    assert list(counts.values()) == [3, 7, 1, 1, len(guard.RULES) - 1, 6], shown


def test_a_new_lab_is_handed_out_without_its_solutions(given):
    assert {f"notebooks/{STEM}.ipynb", f"labchecks/lab{NUMBER}.py"} <= set(given["zip"])
    assert PLANTED not in given["copy"]
    assert f"YOUR CODE HERE (Exercise {int(NUMBER)}.1)" in given["copy"]
    assert "YOUR ANSWER HERE (your prediction), between the" in given["copy"]
    assert 'answer = \\"\\"  # a, b or c' in given["copy"]
    assert f"{STEM}.ipynb holds a line of a solution" in given["leak"]
    assert PLANTED in given["leak"]


def test_a_new_lab_is_printed(given):
    student, solutions = (
        given["pages"][f"{NUMBER}_{kind}.html"] for kind in ("student", "solutions")
    )
    for page in student, solutions:
        assert f"{NUMBER} {TITLE}</h1>" in page
    assert student.count("Space to write") == 2
    assert "Space to write, lines: 3" in student
    assert 'class="solution"' not in student
    assert solutions.count('class="solution"') == 2
    assert "share of the tenth: 0.92" in solutions


def test_a_new_lab_has_a_teachers_guide(given):
    guide = given["pages"][f"{STEM}.html"]
    assert f"Exercise {int(NUMBER)}.1" in guide
    assert "There is no root." in guide  # of its check
    assert "Half is its share of the sizes" in guide  # of its prediction
    assert "17 min" in guide  # 5 to read, 10 for the exercise, 2 for the vote


def test_a_new_lab_is_marked(pack, given, tmp_path):
    answers = {
        "Right": "    return float((residuals**2).mean())",
        "Wrong": "    return float((residuals**2).sum())",
    }
    for name, answer in answers.items():
        lab = nbformat.reads(given["copy"], as_version=4)
        (cell,) = [cell for cell in lab.cells if cell.id == "square-solution"]
        cell.source, count = STUB.subn(answer, cell.source)
        assert count == 1
        path = tmp_path / "in" / name / f"{STEM}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(lab, path)
    into = tmp_path / "out"
    options = ["--into", str(into), "--seed", "1", "--workers", "1"]
    options += ["--seconds", "300", "--lab-seconds", "900"]  # for a busy machine
    run(pack, "-m", "teaching", "grade", str(tmp_path / "in"), *options)
    (table,) = into.glob("*/points.csv")
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    points = {name: float(row["points"]) for name, row in rows.items()}
    assert points == {"Right": 2, "Wrong": 0}
    assert {row["out of"] for row in rows.values()} == {"2.0"}
    told = {
        path.parts[-3].split("-")[0]: "a mean, not a sum" in path.read_text("utf-8")
        for path in into.rglob("*.html")
    }
    assert told == {"right": False, "wrong": True}
