"""A worked lab that can't be read is named, and nothing is built."""

import functools
import json

import pytest

from teaching import __main__ as front_door
from teaching import labs

NAME = "02_pca_comparison.ipynb"
WHOLE = (labs.NOTEBOOKS / NAME).read_text(encoding="utf-8")


def without(key):
    """Return the lab, one of its cells having lost a key."""
    lab = json.loads(WHOLE)
    del lab["cells"][3][key]
    return json.dumps(lab)


BROKEN = {
    "cut": WHOLE[: len(WHOLE) // 2],
    "empty": "",
    "merged": "<<<<<<< HEAD\n" + WHOLE,
    "a list": "[]",
    "no cells": "{}",
    "no source": without("source"),
    "no type": without("cell_type"),
    "of tomorrow": json.dumps(json.loads(WHOLE) | {"nbformat": 9}),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_lab_is_named(how, tmp_path, monkeypatch):
    folder, into = tmp_path / "notebooks", tmp_path / "handouts"
    folder.mkdir()
    (folder / "01_factorisation.ipynb").write_text(WHOLE, encoding="utf-8")
    assert list(labs.read(folder)) == ["01_factorisation"]
    (folder / NAME).write_text(BROKEN[how], encoding="utf-8")
    monkeypatch.setattr(labs, "read", functools.partial(labs.read, folder))
    said = front_door.main(["build", "--into", str(into)])
    assert said.startswith(f"Nothing was built: {NAME} ")
    assert "\n" not in said
    assert not into.exists()
