"""What ``make render`` stores, and what nbval then sees of a change."""

import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_output

from tests import ROOT
from tests.labs import guard
from tests.labs.test_guard import good_lab
from tools import render as tool
from tools.render import CellFailed, render


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Return the file of a short lab with a figure, executed by ``make render``."""
    lab = good_lab(3)
    lab.cells[1].source = (
        "from labhelpers import plots\n"
        "ax = plots.losses([3, 1, 2])\n"
        "plots.show(ax, alt='a line')"
    )
    jupyter = {"source_hidden": True, "outputs_hidden": False}
    lab.cells[1].metadata |= {"ExecuteTime": "today", "jupyter": jupyter}
    path = tmp_path_factory.mktemp("labs") / "whole.ipynb"
    nbformat.write(lab, path)
    render(path)
    return path


def test_rendering_twice_changes_nothing(rendered):
    first = rendered.read_bytes()
    render(rendered)
    assert rendered.read_bytes() == first


def test_rendering_keeps_what_is_not_compared(rendered, tmp_path):
    lab = nbformat.read(rendered, as_version=4)
    timed, cleared = lab.cells[1], lab.cells[3]
    stored = new_output("stream", name="stdout", text="it took 3 s\n")
    for cell in timed, cleared:
        cell.metadata["tags"] = ["nbval-ignore-output"]
    timed.outputs, cleared.outputs = [stored], []
    nbformat.write(lab, tmp_path / "timed.ipynb")
    render(tmp_path / "timed.ipynb")
    again = nbformat.read(tmp_path / "timed.ipynb", as_version=4)
    assert again.cells[1].outputs == [stored]
    assert again.cells[3].outputs != []


def test_a_rendered_lab_keeps_to_the_rules(rendered):
    lab = nbformat.read(rendered, as_version=4)
    rules = [rule for rule in guard.RULES if rule is not guard.size]
    assert [complaint for rule in rules for complaint in rule(lab)] == []
    assert lab.cells[1].outputs[0].metadata["image/png"]["alt"] == "a line"
    assert lab.cells[1].metadata == {"jupyter": {"source_hidden": True}}


def test_a_lab_that_fails_is_not_stored(tmp_path):
    lab = good_lab(2)
    lab.cells[3].source = "1 / 0"
    path = tmp_path / "failing.ipynb"
    nbformat.write(lab, path)
    before = path.read_bytes()
    with pytest.raises(CellFailed):
        render(path)
    assert path.read_bytes() == before


def test_nbval_sees_a_change_but_not_a_cleared_output(rendered):
    """What nbval cannot see, a cell without an execution count, the guard does."""
    folder = rendered.parent
    copies = {}
    for name in "changed", "cleared", "emptied", "failing":
        copies[name] = lab = nbformat.read(rendered, as_version=4)
        cell = lab.cells[3]
        match name:
            case "changed":
                cell.outputs[0].text = "2.0\n"
            case "cleared":
                cell.update(outputs=[], execution_count=None)
            case "emptied":
                cell.update(outputs=[])
            case "failing":
                cell.source = "1 / 0"
        nbformat.write(lab, folder / f"{name}.ipynb")
    nbval = ["--nbval", "--nbval-current-env", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *nbval, "-q", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    failed = set(re.findall(r"^FAILED (\w+)\.ipynb", run.stdout, re.MULTILINE))
    assert failed == {"changed", "emptied", "failing"}, run.stdout
    assert guard.executed(copies["cleared"]) != []


def test_a_disk_that_is_full_leaves_the_lab_as_it_was(rendered, monkeypatch):
    def full(notebook, path):
        path.write_text("half of a notebook")
        raise OSError(28, "No space left on device")

    before, beside = rendered.read_bytes(), set(rendered.parent.iterdir())
    monkeypatch.setattr(tool, "execute", lambda *args: None)
    monkeypatch.setattr(nbformat, "write", full)
    with pytest.raises(OSError, match="No space"):
        render(rendered)
    assert rendered.read_bytes() == before
    assert set(rendered.parent.iterdir()) == beside


def test_a_cell_that_fails_is_named_in_a_few_lines(tmp_path):
    lab = good_lab(2)
    lab.cells[3].source = "1 / 0"
    path = tmp_path / "failing.ipynb"
    nbformat.write(lab, path)
    with pytest.raises(SystemExit) as ended:
        tool.main([str(path)])
    said = "failing.ipynb is unchanged: in step-1, ZeroDivisionError"
    assert ended.value.code == said + ": division by zero"


def test_nbval_says_at_once_in_which_cell_a_kernel_died(tmp_path):
    lab = good_lab(2)
    lab.cells[3].source = "import os; os._exit(1)"
    nbformat.write(lab, tmp_path / "dying.ipynb")
    nbval = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=600", "-q"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", *nbval, str(tmp_path)],
        cwd=ROOT,  # where the conftest is that pytest finds for our own labs
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = r"_ \S*dying\.ipynb::Cell (\d+) _+\n.*: The kernel died in this cell"
    assert re.findall(said, run.stdout) == ["1"], run.stdout
