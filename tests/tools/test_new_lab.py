"""A new lab is four files: those of docs/add-a-lab.md, added to a copy of the pack."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from labchecks.__main__ import main as labchecks
from labchecks.predictions import unseal
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
from teaching.handing_out import handouts, sheets
from teaching.handing_out.student_copy import student_copies

lab, planted = sys.argv[1:]
worked = labs.read()
copies = handouts.written(student_copies(worked))
files = handouts.student_files(worked, copies)
pages = sheets.pages({lab: worked[lab]}, folder=labs.NOTEBOOKS)
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
    env = {**os.environ, "PYTHONPATH": str(folder), "TQDM_DISABLE": "1"}
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


# --- Played through in a copy ---------------------------------------------------------


@pytest.mark.slow
def test_a_new_lab_breaks_no_rule_but_that_of_its_size(pack):
    lab = nbformat.read(pack / "notebooks" / f"{STEM}.ipynb", as_version=4)
    broken = {rule.__name__ for rule in guard.RULES if rule(lab)}
    assert broken == {"size"}
    made = [path for path in new_lab.files(NUMBER) if path != "README.md"]
    run(pack, "-m", "ruff", "check", *made)
    run(pack, "-m", "ruff", "format", "--check", *made)


@pytest.mark.slow
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
        for part in ("accepted", "wrong_answer", "exactly_one", "answers_in_the_lab")
        + ("test_lab[", "ipynb::Cell")
    }
    assert list(counts.values()) == [3, 7, 1, 1, len(guard.RULES) - 1, 6], shown


@pytest.mark.slow
def test_a_new_lab_is_handed_out_without_its_solutions(given):
    assert {f"notebooks/{STEM}.ipynb", f"labchecks/lab{NUMBER}.py"} <= set(given["zip"])
    assert PLANTED not in given["copy"]
    assert f"YOUR CODE HERE (Exercise {int(NUMBER)}.1)" in given["copy"]
    assert "YOUR ANSWER HERE (your prediction)" in given["copy"]
    assert f"{STEM}.ipynb holds a line of a solution" in given["leak"]
    assert PLANTED in given["leak"]


@pytest.mark.slow
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


@pytest.mark.slow
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
    run(pack, "-m", "teaching", "grade", str(tmp_path / "in"), *options)
    (table,) = into.glob("*/points.csv")
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    points = {name: float(row["points"]) for name, row in rows.items()}
    assert points == {"Right": 2, "Wrong": 0}
    assert {row["out of"] for row in rows.values()} == {"2.0"}
    told = {
        path.parts[-3]: "a mean, not a sum" in path.read_text("utf-8")
        for path in into.rglob("*.html")
    }
    assert told == {"0001-right": False, "0002-wrong": True}


# --- The page and the command ---------------------------------------------------------


def test_the_command_in_the_page_makes_the_entry_in_the_page(capsys):
    (command,) = re.findall(
        r"^python -m labchecks (digest .+?)\n```", PAGE, re.M | re.S
    )
    assert labchecks(shlex.split(command.replace("\\\n", ""))) == 0
    assert capsys.readouterr().out in new_lab.files()["labchecks/lab06.py"]


def test_the_metadata_in_the_page_are_those_of_the_skeleton():
    told = [json.loads(text) for text in re.findall(r"`(\{\"grade.+?\})`", PAGE)]
    text = next(iter(new_lab.files().values()))
    cells = {cell.id: cell.metadata for cell in new_lab.notebook(text).cells}
    assert told == [cells["square-solution"]["nbgrader"]]
    check = {**told[0], "grade": True, "locked": True, "solution": False, "points": 2}
    assert cells["square-check"]["nbgrader"] == {**check, "grade_id": "square-check"}
    assert cells["outlier-prediction"]["tags"] == ["lines-1"]


def test_a_skeleton_has_its_own_number_and_title_throughout():
    made, here = new_lab.files("12", "Weigh A·B,  again"), new_lab.files()
    lab = "notebooks/12_weigh_a_b_again.ipynb"
    row = "README.md"
    assert list(made) == [lab, "labchecks/lab12.py", "tests/answers/lab12.py", row]
    assert made[row].startswith(f"| [12 Weigh A·B, again]({lab}) |")
    sealed = [
        re.search('outlier="(.+)"', files[f"labchecks/lab{number}.py"])[1]
        for number, files in (("06", here), ("12", made))
    ]
    assert sealed[0] == sealed[1]
    assert unseal(sealed[1]).right == "c"
    for path, text in made.items():
        text = text.replace(sealed[0], "")
        assert not re.search(r"06|\b6\.1|misfit", path + text), path
    assert "# # 12 Weigh A·B, again\n" in made[lab]
    assert "from labchecks import lab12 as checks" in made[lab]
    assert "## Exercise 12.1 ·" in made[lab]
    assert '@cases("12.1", ' in made["labchecks/lab12.py"]
    assert 'predictions(\n    "12",' in made["labchecks/lab12.py"]


@pytest.mark.parametrize(
    ("number", "title", "words"),
    [
        ("6", "A lab", "number must be two digits, 01 to 99, got '6'"),
        ("00", "A lab", "number"),
        ("٠٦", "A lab", "number"),
        ("06", " – ", "title must have a letter from a to z"),
    ],
)
def test_what_names_no_lab_is_refused(number, title, words):
    with pytest.raises(ValueError, match=words):
        new_lab.files(number, title)


@pytest.mark.parametrize(
    "taken",
    ["notebooks/06_other.ipynb", "labchecks/lab06.py", "tests/answers/lab06.py"],
)
def test_nothing_is_overwritten(taken, tmp_path):
    for path in new_lab.files():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / taken).write_text("mine")
    with pytest.raises(FileExistsError, match=taken):
        new_lab.write("06", TITLE, root=tmp_path)
    assert contents(tmp_path) == {taken: b"mine"}


def test_a_taken_number_is_said_in_words():
    said = new_lab.main(["01", "Another lab"])
    assert (
        said == "Nothing was written: notebooks/01_factorisation.ipynb is there already"
    )


@pytest.mark.parametrize("path", sorted(Path(ROOT / "notebooks").glob("*.ipynb")))
def test_each_lab_has_a_row_in_the_readme(path):
    (row,) = re.findall(
        rf"^\| \[(.+)\]\(notebooks/{path.name}\) \|",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.M,
    )
    title = nbformat.read(path, as_version=4).cells[0].source.split("\n")[0]
    assert title == f"# {row}"
