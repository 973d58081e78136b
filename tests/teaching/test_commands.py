"""``python -m teaching``: what is typed reaches the rooms; what they say is shown."""

import inspect
from types import SimpleNamespace

import pytest

from teaching import __main__ as command
from teaching import hunt
from teaching.marking import mark_class, run_notebook
from teaching.room import page

GRADE = inspect.signature(mark_class.grade)


@pytest.fixture
def asked(monkeypatch):
    """Return what the marking was asked for, {name: value}; nothing is marked."""
    seen = {}

    def grade(*args, **kwargs):
        seen.update(GRADE.bind(*args, **kwargs).arguments)
        failures = {"a": "", "b": "it was too long" if seen["seed"] == 13 else ""}
        marks = {
            (student, "02_pca_comparison"): SimpleNamespace(failure=failure)
            for student, failure in failures.items()
        }
        return SimpleNamespace(folder="marking/now", marks=marks)

    monkeypatch.setattr(mark_class, "grade", grade)
    return seen


def test_a_class_is_marked_within_the_limits_of_the_marking(asked, tmp_path, capsys):
    assert command.main(["grade", str(tmp_path)]) == 0
    assert asked["limits"] == run_notebook.Limits()
    assert asked["folder"] == tmp_path
    for name in asked.keys() - {"folder", "into", "worked", "copies", "limits"}:
        assert asked[name] == GRADE.parameters[name].default, name
    said = capsys.readouterr().out
    for name in "points.csv", "feedback/", "return/":
        assert f"marking/now/{name} " in said
    assert "make return MARKING=marking/now" in said


def test_what_is_typed_changes_how_a_class_is_marked(asked, tmp_path):
    typed = "--seed 13 --workers 2 --cluster tcp://a:1 --all-cells --seconds 4"
    typed += " --lab-seconds 5 --memory 6 --refuse-library --unmarked --again old"
    arguments = ["grade", str(tmp_path), "--into", str(tmp_path / "new")]
    assert command.main([*arguments, *typed.split()]) == 1  # one mark has a failure
    assert asked["limits"] == run_notebook.Limits(
        cell=4, lab=5, memory=6 * 2**20, library=False
    )
    assert (asked["seed"], asked["num_workers"]) == (13, 2)
    assert (asked["cluster"], asked["all_cells"]) == ("tcp://a:1", True)
    assert (str(asked["again"]), asked["unmarked"]) == ("old", True)
    assert asked["into"] == tmp_path / "new"


def test_the_room_page_is_served_as_it_is_meant_to_be(tmp_path, monkeypatch, capsys):
    seen, signature = {}, inspect.signature(page.server)

    def server(*args, **kwargs):
        seen.update(signature.bind(*args, **kwargs).arguments)
        raise ValueError("port must be a free one")

    monkeypatch.setenv(page.VARIABLE, str(tmp_path))
    monkeypatch.setattr(page, "server", server)
    assert "Nothing is shown: port must" in command.main(["room"])
    meant = {name: signature.parameters[name].default for name in ("port", "hours")}
    assert {name: seen[name] for name in meant} == meant
    command.main(["room", "--port", "8000", "--hours", "0.5"])
    assert (seen["port"], seen["hours"]) == (8000, 0.5)


def test_the_bugs_of_a_hunt_are_sealed(capsys):
    assert command.main(["hunt", "03"]) == 0
    assert capsys.readouterr().out == hunt.sealed("03") + "\n"
    assert command.main(["hunt", "99"]).startswith("Nothing was sealed: lab must be")


@pytest.mark.parametrize("typed", [[], ["handouts"], ["grade"], ["grade", "a", "-x"]])
def test_what_is_no_command_is_answered_by_how_to_use_it(typed, capsys):
    with pytest.raises(SystemExit) as refused:
        command.main(typed)
    assert refused.value.code == 2
    assert "usage: python -m teaching" in capsys.readouterr().err
