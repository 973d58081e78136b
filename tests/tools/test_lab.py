"""The start page: it knows each lab from its notebook, and spares what people wrote."""

import json
import os
import re

import pytest

from teaching import labs
from teaching.handing_out import handouts
from teaching.handing_out.student_copy import student_copies
from tests import ROOT
from tools import lab

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
FIRST = NOTEBOOKS[0].name
ROW = r"^\| \[(.+?)\]\((.+?)\) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$"


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the worked labs."""
    for path in NOTEBOOKS:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def rows(folder):
    """Return {file name: (title, minutes, refutes, right so far, go on with)}."""
    found = re.findall(ROW, lab.start_page(folder), re.MULTILINE)
    return {name: (title, *others) for title, name, *others in found}


def change(path, old, new):
    """Replace a text in a notebook."""
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")


def links(text):
    return re.findall(r"\]\(([^)]+)\)", text)


def test_the_page_says_of_each_lab_what_the_readme_says(folder):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| \[(.+?)\]\(notebooks/(.+?)\) \| (.+?) \|", readme, re.M)
    said = [(title, name, row[0]) for name, (title, *row) in rows(folder).items()]
    assert said == table


def test_what_a_lab_refutes_comes_from_its_first_cell(folder):
    change(folder / FIRST, "**Time.**", r"**It refutes.** \"A | B.\"\n\n**Time.**")
    assert rows(folder)[FIRST][2] == r'"A \| B."'


def test_what_a_lab_refutes_is_what_the_readme_says(folder):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, (_, _, refutes, *_) in rows(folder).items():
        (row,) = re.findall(rf"^\| \[.+\]\(notebooks/{name}\) .*$", readme, re.M)
        for belief in re.findall('"(.+?)"', row.rsplit(" | ", 1)[1]) if refutes else ():
            assert belief.lower() in refutes.lower()


def test_a_worked_lab_is_done(folder):
    for *_, count, go_on in rows(folder).values():
        right, number = map(int, count.split(" of "))
        assert right == number > 0
        assert go_on == "done"
    assert "You stopped" not in lab.start_page(folder)


def test_students_begin_with_nothing(tmp_path):
    copies = handouts.written(student_copies(labs.read()))
    for name, content in copies.items():
        (tmp_path / name).write_bytes(content)
    found = rows(tmp_path)
    assert list(found) == [path.name for path in NOTEBOOKS]
    assert {row[3:] for row in found.values()} == {("not begun", "")}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_that_is_not_right_is_linked(path, folder):
    """Undo the last exercise, then the one before, down to the first."""
    said = path.read_text(encoding="utf-8")
    titles = list(dict(re.findall(r"Exercise (\S+), (\w+): right\.", said)).items())
    copy = folder / path.name
    for right, (number, name) in reversed(list(enumerate(titles))):
        change(copy, f"Exercise {number}, {name}: right.", f"Exercise {number}: no.")
        *_, count, go_on = rows(folder)[path.name]
        assert count == f"{right} of {len(titles)}"
        assert go_on.startswith(f"[Exercise {number}]({path.name}#cell-id=")
        cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
        [cell_id] = re.findall(r"cell-id=(.+)\)", go_on)
        [cell] = [cell for cell in cells if cell["id"] == cell_id]
        assert f"Exercise {number} · " in "".join(cell["source"])


def test_you_stopped_in_the_lab_that_was_saved_last(folder):
    for when, path in enumerate(NOTEBOOKS[:2]):
        change(folder / path.name, ": right.", ": not right yet.")
        os.utime(folder / path.name, (when, when))
    assert f"You stopped at [Exercise 1.1]({NOTEBOOKS[1].name}" in lab.start_page(
        folder
    )
    os.utime(folder / FIRST, (9, 9))
    assert f"You stopped at [Exercise 0.1]({FIRST}" in lab.start_page(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'{"cells": 3}', b'{"cells": [{"source": 1}]}', b"\xff\xfe"],
)
def test_a_notebook_that_cannot_be_read_is_named(content, folder):
    others = rows(folder)
    (folder / FIRST).write_bytes(content)
    found = rows(folder)
    assert found.pop(FIRST)[0] == f"{FIRST[:-6]}: can't be read"
    others.pop(FIRST)
    assert found == others


def test_sources_and_outputs_may_be_texts_or_lists(folder):
    """Both are allowed by the format; JupyterLab and nbgrader differ."""
    before = rows(folder)
    for path in folder.glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
            for output in cell.get("outputs", []):
                for said in output, output.get("data", {}):
                    for key in {"text", "text/plain"} & said.keys():
                        said[key] = "".join(said[key])
        path.write_text(json.dumps(notebook), encoding="utf-8")
    assert rows(folder) == before


def test_a_lab_more_needs_no_list(folder):
    cell = {"id": "a", "cell_type": "markdown", "source": "# 99 New"}
    (folder / "99_new.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert list(rows(folder).items())[-1] == ("99_new.ipynb", ("99 New", *[""] * 4))


def test_links_lead_somewhere(folder):
    assert lab.write(folder)
    change(folder / FIRST, ": right.", ": not right yet.")
    for link in links(lab.start_page(folder)):
        assert (folder / link.split("#")[0]).exists()


def test_the_page_is_written_anew(folder):
    assert lab.write(folder)
    page = folder / lab.NAME
    first = page.read_text(encoding="utf-8")
    change(folder / FIRST, ": right.", ": not right yet.")
    assert lab.write(folder)
    assert page.read_text(encoding="utf-8") != first
    assert {path.name for path in folder.iterdir()} == {
        lab.NAME,
        *(path.name for path in NOTEBOOKS),
    }


@pytest.mark.parametrize("how", ["another file", "a line more", "a letter less"])
def test_what_a_person_wrote_is_left(how, folder, capsys):
    page = folder / lab.NAME
    lab.write(folder)
    written = page.read_bytes()
    mine = {
        "another file": b"# My notes",
        "a line more": written + b"Mine.\n",
        "a letter less": written[:-2] + b"\n",
    }[how]
    page.write_bytes(mine)
    assert not lab.write(folder)
    assert page.read_bytes() == mine
    assert str(page) in capsys.readouterr().out


def test_without_leave_to_write_the_session_goes_on(folder, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "replace", refuse)
    assert not lab.write(folder)
    assert "read-only" in capsys.readouterr().out
