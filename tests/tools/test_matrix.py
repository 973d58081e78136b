"""`make matrix` tells what fails, where, and what it could not run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests import ROOT
from tools import matrix, shake
from tools.matrix import Row

HERE = "{}.{}".format(*sys.version_info)


def test_every_value_occurs_in_a_row():
    rows = matrix.ROWS
    assert len({row.name for row in rows}) == len(rows)
    assert {row.python for row in rows} == {"3.11", "3.12", "3.13"}
    assert {row.packages for row in rows} == {"stored", "oldest", "newest"}
    assert {row.threads for row in rows} == {1, 2, 4}
    assert {row.capability for row in rows} == {"", "DEFAULT", "AVX2", "AVX512"}
    assert {row.read_only for row in rows} == {"", "pack", "home"}
    assert len({row.env.get("TZ") for row in rows}) == 3
    assert any("ü" in row.folder and " " in row.folder for row in rows)
    assert any(row.locale for row in rows)
    assert any(row.umask > 0 for row in rows)


def test_the_page_is_what_is_stored():
    store = json.loads(matrix.STORE.read_text(encoding="utf-8"))
    assert set(store) <= {row.name for row in matrix.ROWS}
    assert matrix.PAGE.read_text(encoding="utf-8") == matrix.report(store)


# --- What a stage found --------------------------------------------------------------


def run(stage, folder):
    """Run a stage of pytest as a row does, in this Python; return what it found."""
    log = folder / f"{stage}.log"
    command = [
        sys.executable,
        *matrix.STAGES[stage],
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
    ]
    with log.open("w") as file:
        done = subprocess.run(
            [*command, f"--junitxml={log.with_suffix('.xml')}"],
            cwd=folder,
            stdout=file,
            stderr=file,
        )
    return matrix.tested(log, done.returncode, folder)


def test_a_cell_that_says_something_else_is_named(tmp_path):
    (tmp_path / "notebooks").mkdir()
    cells = [new_markdown_cell("# A lab", id="title")]
    for name, result in ("one", 1), ("two", 2), ("three", 3):
        cell = new_code_cell(f"print({result})", id=name, execution_count=1)
        cell.outputs = [new_output("stream", name="stdout", text="1\n")]
        cells += [new_markdown_cell("Look.", id=f"{name}-text"), cell]
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / "07_a_lab.ipynb")
    found = run("labs", tmp_path)
    failed = ["07_a_lab two", "07_a_lab three"]
    assert found == {"ran": 3, "passed": 1, "skipped": 0, "failed": failed}
    words = "**1 of 3 cells**; not: `07_a_lab two`, `07_a_lab three`"
    assert matrix.in_words(found, "labs") == words


TESTS = """
import pytest

def test_right():
    pass

@pytest.mark.slow
def test_slow():
    assert False

@pytest.mark.parametrize("x", [1, 2])
def test_wrong(x):
    assert x == 1

@pytest.mark.skip
def test_skipped():
    assert False
"""


def test_tests_are_counted_and_the_failing_ones_named(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    found = run("tests", tmp_path)
    failed = ["test_some::test_wrong[2]"]
    assert found == {"ran": 3, "passed": 2, "skipped": 1, "failed": failed}


@pytest.mark.parametrize("text", ["import nowhere\n", ""], ids=["import", "no test"])
def test_tests_that_don_t_begin_are_no_success(text, tmp_path):
    (tmp_path / "test_some.py").write_text(text)
    found = run("tests", tmp_path)
    assert found["passed"] == 0
    assert found["failed"] != []


def test_what_shake_says_is_read(tmp_path, monkeypatch, capsys):
    labs = [tmp_path / "notebooks" / f"0{i}_lab.ipynb" for i in (1, 2, 3)]
    labs[0].parent.mkdir()
    for lab in labs:
        lab.touch()
    moved = [{}, {"some-cell": "-1.0\n+   looks-like-an-id", "another": "-a\n+b"}, {}]
    runs = [(lab, 1e-13, 0, cells) for lab, cells in zip(labs, moved)]
    monkeypatch.setattr(shake, "runs", lambda *args: iter(runs))
    assert shake.report(labs, size=1e-13, seeds=1)
    log = tmp_path / "log"
    log.write_text(capsys.readouterr().out)
    failed = ["02_lab some-cell", "02_lab another"]
    wanted = {"ran": 3, "passed": 2, "skipped": 0, "failed": failed}
    assert matrix.shaken(log, 1, tmp_path) == wanted
    log.write_text(log.read_text().partition("03_lab")[0] + "Traceback\nValueError: x")
    assert matrix.shaken(log, 1, tmp_path)["failed"] == [
        "ended with code 1: ValueError: x"
    ]


# --- An environment ------------------------------------------------------------------


def test_a_copy_has_changes_and_new_files_and_nothing_that_git_ignores(
    tmp_path, monkeypatch
):
    pack = tmp_path / "pack"
    (pack / "sub").mkdir(parents=True)
    git = ["git", "-C", pack]
    subprocess.run([*git, "init", "-q"], check=True)
    for name in "kept", "gone", "sub/für später", ".gitignore":
        (pack / name).write_text("ignored\n")
    subprocess.run([*git, "add", "."], check=True)
    (pack / "kept").write_text("changed")
    (pack / "gone").unlink()
    for name in "new", "ignored":
        (pack / name).touch()
    monkeypatch.setattr(matrix, "ROOT", pack)
    copied = matrix.copy_of_the_pack(tmp_path / "copy")
    names = {str(path.relative_to(copied)) for path in copied.rglob("*")}
    assert names == {"kept", "sub", "sub/für später", ".gitignore", "new"}
    assert (copied / "kept").read_text() == "changed"


def test_a_row_has_its_own_settings_and_not_those_of_the_machine(tmp_path, monkeypatch):
    for name in "OMP_NUM_THREADS", "LC_ALL", "PYTHONPATH", "MKL_CBWR", "JUPYTER_PATH":
        monkeypatch.setenv(name, "of the machine")
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    row = Row("a", HERE, "stored", threads=4, env={"TZ": "Asia/Tokyo"})
    env = matrix.environment(row, tmp_path, tmp_path, Path(sys.executable))
    assert "of the machine" not in env.values()
    assert (env["OMP_NUM_THREADS"], env["TZ"]) == ("4", "Asia/Tokyo")
    assert env["GOMP_SPINCOUNT"] == "1000"


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs Linux's unshare")
@pytest.mark.parametrize("which", ["pack", "home"])
def test_a_read_only_folder_is_one(which, tmp_path):
    for name in "my pack", "home":
        (tmp_path / name).mkdir()
    pack = tmp_path / "my pack"
    row = Row("a", HERE, "stored", read_only=which)
    try:
        run = matrix.in_row(row, pack, tmp_path, {"PATH": "/usr/bin:/bin"})
    except matrix.NotHere as error:
        pytest.skip(str(error))
    run(["touch", "relative", pack / "absolute", tmp_path / "home" / "note"])
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == ({"note"} if which == "pack" else {"relative", "absolute"})


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Keep the store, the page and the scratch folder of this checkout as they are."""
    for name in "STORE", "PAGE", "SCRATCH":
        monkeypatch.setattr(matrix, name, tmp_path / name.lower())
    return tmp_path


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["make matrix", *arguments])
    matrix.main()


def test_a_row_that_can_t_be_made_says_why_and_the_others_stay(elsewhere, monkeypatch):
    rows = [Row("a", HERE, "stored"), Row("b", "3.99", "stored")]
    monkeypatch.setattr(matrix, "ROWS", rows)
    kept = {"ran": 7, "passed": 7, "skipped": 0, "failed": []}
    old = {"date": "2026-01-01", "machine": "one", "labs": kept}
    matrix.STORE.write_text(json.dumps({"a": old}))
    call(monkeypatch, "--only", "b", "--venvs", str(elsewhere / "venvs"))
    store = json.loads(matrix.STORE.read_text())
    assert store["a"] == old
    page = matrix.PAGE.read_text()
    assert "| a | Python" in page
    assert "7 of 7 cells" in page
    assert "not here: there is no Python 3.99 here" in page


@pytest.mark.parametrize("failed", [[], ["01_lab cell"]])
def test_a_row_that_fails_is_an_error(elsewhere, failed, monkeypatch):
    monkeypatch.setattr(matrix, "ROWS", [Row("a", HERE, "stored")])
    labs = {"ran": 7, "passed": 7 - len(failed), "skipped": 0, "failed": failed}
    found = {"date": "2026-01-01", "machine": "one", "labs": labs}
    monkeypatch.setattr(matrix, "run_row", lambda *args: found)
    if failed:
        with pytest.raises(SystemExit, match="Not the same: a"):
            call(monkeypatch)
    else:
        call(monkeypatch)
    assert json.loads(matrix.STORE.read_text()) == {"a": found}


def test_what_pip_can_t_install_is_said(elsewhere, monkeypatch):
    """A row with false bounds is broken, and not left out."""
    monkeypatch.setattr(matrix, "requirements", lambda packages: ["./nowhere"])
    monkeypatch.setattr(matrix, "copy_of_the_pack", lambda target: ROOT)
    monkeypatch.setattr(matrix, "ROWS", [Row("a", HERE, "oldest")])
    with pytest.raises(SystemExit, match="Not the same: a"):
        call(monkeypatch, "--venvs", str(elsewhere / "venvs"))
    assert "broken: pip: Invalid requirement: './nowhere'" in matrix.PAGE.read_text()
