"""The skeleton of a lab: what ``tools/new_lab.py`` takes from docs/add-a-lab.md."""

import json
import re
import shlex

import numpy as np
import pytest

from labchecks import verdicts
from labchecks.__main__ import main as labchecks
from labchecks.predictions import unseal
from tests.answers import answers
from tools import new_lab

PAGE = new_lab.PAGE.read_text(encoding="utf-8")


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


def test_every_slip_of_the_skeleton_is_made_by_a_wrong_answer(monkeypatch):
    for name, empty in ("_titles", []), ("_session", {}):
        monkeypatch.setattr(verdicts, name, empty)
    made, lab, tested = new_lab.files(), {"__name__": "lab06"}, {}
    exec(made["labchecks/lab06.py"], lab)
    exec(made["tests/answers/lab06.py"], tested)
    (exercise,), check = tested["EXERCISES"], lab["mean_square"]
    _, ((case,), *_) = zip(*check.stated(np.random.default_rng(1)))
    known = {key for key, _, _ in case.known()}
    seen = {check(answer).slip for answer, _ in answers(exercise)[1]}
    assert known == seen - {None}


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
        new_lab.write("06", "Measure a misfit", root=tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [tmp_path / taken]
    assert files[0].read_text() == "mine"


def test_a_taken_number_is_said_in_words():
    said = new_lab.main(["01", "Another lab"])
    assert (
        said == "Nothing was written: notebooks/01_factorisation.ipynb is there already"
    )
