"""What the labs print doesn't hang on rounding; and a cell that does is caught."""

import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from teaching.execute_notebook import execute
from tools import shake

LABS = sorted(shake.NOTEBOOKS.glob("*.ipynb"))

# Cells that say too much, {what hangs on rounding: code}, and cells that don't.
FRAGILE = {
    "sign-of-nothing": "print([f'{d:.3f}' for d in drawn(20) - drawn(20)])",
    "all-digits": "print(iris.features.mean())",
    "nothing-in-a-table": "pd.DataFrame((drawn(9, 2) - drawn(9, 2)).numpy())",
    "float32-sums": "print(drawn(20, 10, dtype=torch.float32).sum(dim=1).tolist())",
    "normal-draws": "print(torch.normal(0.0, 1.0, (9,), generator=seed()).tolist())",
    "numpy-draws": "print(np.random.default_rng(0).normal(size=9).tolist())",
    "one-numpy-draw": "print(np.random.default_rng(0).random())",
    "made-a-tensor": "print(torch.tensor([0.1, 0.2]).tolist())",
    "from-numpy": "print(torch.from_numpy(np.linspace(0, 1, 9)).tolist())",
    "converted": "print(torch.linspace(0, 1, 9).double().tolist())",
    "rounded": "print(torch.linspace(0, 1, 9).double().to(torch.float32).tolist())",
    "pictures": "print(data.scale_pixels(np.arange(256, dtype=np.uint8)).tolist())",
    "equal-draws": "assert drawn(9).equal(drawn(9))",
}
ROBUST = {
    "few-digits": "print(iris.features.mean().round(4), drawn(9).numpy().round(4))",
    "bound": "print('< 0.001' if abs((drawn(9) - drawn(9)).sum()) < 0.001 else 'more')",
    "exact": "print(iris.labels.sum(), (torch.arange(9) > 4).double().mean().item())",
    "order": "print(torch.randperm(9, generator=seed()).tolist())",
    "integers": "print(np.random.default_rng(0).integers(9, size=9))",
    "later-draws": "print(np.random.default_rng(0).normal(size=99).round(3)[-9:])",
    "gradient": "w = torch.rand(3, requires_grad=True)\nw.sum().backward()\nw.grad",
    "meant": "raise ValueError('as it should')",
    "not-compared": "print(iris.features.mean())",
}
FIRST = """
import numpy as np, pandas as pd, torch
from labhelpers import data
iris = data.load_iris()
seed = lambda: torch.Generator().manual_seed(0)
drawn = lambda *n, dtype=torch.float64: torch.rand(n, generator=seed(), dtype=dtype)
"""
TAGS = {"meant": ["raises-exception"], "not-compared": ["nbval-ignore-output"]}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Return the file of a lab with fragile and robust cells, its outputs stored."""
    lab = new_notebook(cells=[new_code_cell(FIRST, id="first")])
    for name, code in (FRAGILE | ROBUST).items():
        metadata = {"tags": TAGS[name]} if name in TAGS else {}
        lab.cells.append(new_code_cell(code, id=name, metadata=metadata))
    path = tmp_path_factory.mktemp("labs") / "06_planted.ipynb"
    execute(lab, path.parent)
    nbformat.write(lab, path)
    return path


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.name)
def test_no_digit_of_a_lab_hangs_on_rounding(path):
    moved = shake.shake(path)
    lines = [f"{cell_id}\n{change}" for cell_id, change in moved.items()]
    assert not moved, "print what is known, or fewer digits:\n" + "\n".join(lines)


def test_each_fragile_cell_is_caught_and_no_other(planted):
    assert set(shake.shake(planted)) == set(FRAGILE)


def test_what_moves_is_shown_and_the_run_fails(planted, monkeypatch, capsys):
    monkeypatch.setattr(shake, "NOTEBOOKS", planted.parent)
    monkeypatch.setattr(sys, "argv", ["shake", "--seeds", "1", "--labs", "06"])
    with pytest.raises(SystemExit, match="fewer digits"):
        shake.main()
    shown = capsys.readouterr().out
    assert "06_planted.ipynb, seed 0" in shown
    assert "\n    sign-of-nothing\n    -['0.000', '0.000'" in shown
    assert "+AssertionError" in shown


def test_a_scan_tells_where_each_cell_begins_to_move(planted, monkeypatch, capsys):
    monkeypatch.setattr(shake, "NOTEBOOKS", planted.parent)
    monkeypatch.setattr(shake, "SCANNED", [1e-13, 1e-2])
    monkeypatch.setattr(sys, "argv", ["shake", "--scan", "--seeds", "1"])
    shake.main()
    shown = capsys.readouterr().out
    assert "1e-13  06_planted.ipynb  all-digits\n" in shown
    assert "1e-02  06_planted.ipynb  few-digits\n" in shown


def test_a_lab_that_is_not_there_is_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["shake", "--labs", "99"])
    with pytest.raises(SystemExit):
        shake.main()
    assert "is called 99…" in capsys.readouterr().err
