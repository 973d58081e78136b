"""Bug hunts: the draw, what is shown, the check of an answer, and each lab's bugs."""

import collections
import importlib
import re
import string
from pathlib import Path

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup

from labchecks import hunts, verdicts
from labchecks.predictions import seal
from teaching import hunt, labs, lesson
from tests.answers import written

CODE = """def half(x):
    \"\"\"Return half of x.\"\"\"
    y = x / 2
    return y"""
BUGS = [
    hunts.Bug(3, "    y = x // 2", "a", "The rest is lost."),
    hunts.Bug(3, "    y = x * 2", "b", "It is doubled."),
    hunts.Bug(4, "    return -y", "c", "The sign is turned <b>."),
    hunts.Bug(4, "    return x", "d", "Nothing is done."),
]
SYMPTOMS = ["it is rounded", "too large", "negative", "as before & never half"]
POOL = hunts.Pool(CODE, SYMPTOMS, BUGS)


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setattr(verdicts, "_session", {})
    monkeypatch.setattr(verdicts, "_titles", [])
    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)


@pytest.fixture
def made():
    return hunts.bug_hunt("9.2", seal(POOL))


def name_of(symptom):
    """Return a name that draws the bug of a symptom."""
    return next(
        name
        for name in string.ascii_lowercase
        if hunts.drawn("9", name, BUGS).symptom == symptom
    )


def shown_code(shown):
    """Return what is copied of a hunt in a notebook: text that can be selected."""
    page = BeautifulSoup(shown._repr_html_(), "html.parser").pre
    for number in page("span"):
        assert " user-select: none" in number["style"]
        number.decompose()
    return page.get_text().rstrip("\n")


# --- The draw ------------------------------------------------------------------------


@pytest.mark.parametrize("count", [8, 11])
def test_bugs_are_drawn_evenly(count):
    drawn = [hunts.drawn("3", f"name {i}", range(count)) for i in range(10_000)]
    times = collections.Counter(drawn)
    assert sorted(times) == list(range(count))
    mean, spread = 10_000 / count, (10_000 / count * (1 - 1 / count)) ** 0.5
    assert all(abs(each - mean) < 4 * spread for each in times.values())


def test_the_draw_of_one_lab_says_nothing_of_another():
    names = [f"name {i}" for i in range(4000)]
    same = [
        hunts.drawn("3", name, range(8)) == hunts.drawn("4", name, range(8))
        for name in names
    ]
    assert 0.10 < np.mean(same) < 0.15


def test_a_draw_stays_as_it_is():
    """Another digest would give each student another bug between two versions."""
    # The last digits of the SHA-256 of "3 adalovelace" and so on, as sha256sum has it.
    for name, last in ("ada lovelace", 772), ("123456", 452), ("zoe", 374):
        assert hunts.drawn("3", name, range(1000)) == last


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["Ada  LOVELACE", "ada lovelace", " Àda\tLovelace. "], "ada lovelace"),
        (["Jürgen Weiß", "JURGEN WEISS", "Ju\u0308rgen weiß"], "jurgen weiss"),
        ([123456, "123456", " 123456\n"], "123456"),
        (["Ὀδυσσεύς"], "οδυσσευσ"),
        (["", None, ..., " . ", True, 3.5, ["Ada"]], ""),
    ],
)
def test_case_blanks_and_accents_of_a_name_do_not_count(names, told):
    assert {hunts.plain(name) for name in names} == {told}


def test_blanks_are_nothing_for_the_draw(made):
    hunt, _ = made
    assert hunt("A da").lines == hunt("ada").lines


# --- What is shown -------------------------------------------------------------------


def test_code_symptoms_and_name_are_shown(made):
    hunt, _ = made
    lines = repr(hunt(name_of("c"))).split("\n")
    assert lines[0].startswith("Exercise 9.2, bug hunt, drawn for ")
    assert lines[1:5] == [
        " 1  def half(x):",
        ' 2      """Return half of x."""',
        " 3      y = x / 2",
        " 4      return -y",
    ]
    lettered = [f"({a}) {text}" for a, text in zip("abcd", SYMPTOMS)]
    assert lines[5:] == ["", *lettered]


@pytest.mark.parametrize("symptom", "abcd")
def test_the_code_can_be_copied_without_its_numbers(made, symptom):
    hunt, _ = made
    (bug,) = [each for each in BUGS if each.symptom == symptom]
    assert shown_code(hunt(name_of(symptom))) == "\n".join(POOL.lines(bug))


def test_the_page_of_a_hunt_says_the_same_and_has_no_colours(made):
    shown = made[0](name_of("d"))
    page = shown._repr_html_()
    assert "colo" not in page
    assert "background" not in page
    text = BeautifulSoup(page, "html.parser").get_text()
    assert re.sub(r"\s+", " ", text) == re.sub(r"\s+", " ", repr(shown))


@pytest.mark.parametrize("name", ["", "  ", None, ...])
def test_without_a_name_one_line_asks_for_it(made, name):
    shown = made[0](name)
    assert repr(shown) == (
        "Exercise 9.2, bug hunt: not begun. Write your name or student number in "
        "quotes, and run this."
    )
    assert BeautifulSoup(shown._repr_html_(), "html.parser").get_text() == repr(shown)


def test_on_a_hub_the_name_is_known_but_must_be_written_to_count(made, monkeypatch):
    hunt, bug_found = made
    name = name_of("c")
    monkeypatch.setenv("JUPYTERHUB_USER", name.upper())
    assert hunt() == hunt("") == hunt(name)
    assert hunt("Ada Lovelace") != hunt("")
    refused = bug_found(["", 4, "c"])
    assert refused.passed is False
    assert refused.expected == f'your_name = "{name}"'
    assert not re.search(rf"\b{name}\b", refused.hint)  # a hint is counted for a class
    assert bug_found([name, 4, "c"])


# --- The answer ----------------------------------------------------------------------


@pytest.mark.parametrize("line", [4, "4", 4.0, "line 4", " Line 4.", np.int64(4)])
@pytest.mark.parametrize("symptom", ["c", "(C)", "c)", " C ", "(c) negative"])
def test_a_right_answer_tells_why_and_for_whom(made, line, symptom):
    found = made[1]([name_of("c").upper(), line, symptom])
    assert found
    assert found.title == "Exercise 9.2, bug_found"
    why = "line 4, symptom (c): The sign is turned <b>."
    assert found.notes == (why, f'drawn for "{name_of("c")}"')
    assert "&lt;b&gt;" in found._repr_html_()


@pytest.mark.parametrize(
    ("line", "symptom", "words"),
    [
        (3, "c", "The symptom is right"),
        (4, "a", "The line is right"),
        (2, "a", "the symptom is another"),
    ],
)
def test_a_wrong_answer_is_told_which_half_is_right(made, line, symptom, words):
    wrong = made[1]([name_of("c"), line, symptom])
    assert wrong.passed is False
    assert words in wrong.hint
    assert wrong.slip == (wrong.hint, 0)
    assert wrong.seen.startswith(f"line {line}, ")
    assert "turned" not in repr(wrong)
    assert wrong.where == "lab 09, Exercise 9.2"
    assert wrong.notes == (f'drawn for "{name_of("c")}"',)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (["x", 4, ""], "symptom is still to come"),
        (["x", None, "c"], "line is still to come"),
        (["x", 0, "c"], "numbers that stand before"),
        (["x", 5, "c"], "numbers that stand before"),
        (["x", -4, "c"], "numbers that stand before"),
        (["x", "3 or 4", "c"], "one whole number"),
        (["x", 3.5, "c"], "one whole number"),
        (["x", [4], "c"], "one whole number"),
        (["x", True, "c"], "one whole number"),
        (["x", "the last", "c"], "one whole number"),
        (["x", 4, "e"], "one letter"),
        (["x", 4, "b or c"], "one letter"),
        (["x", 4, 3], "one letter"),
        (["", 4, "c"], "your name or number"),
        ([["x"], 4, "c"], "your name or number"),
        (4, "Hand over all"),
        (["x", 4], "Hand over all"),
        (lambda: 4, "Hand over all"),
    ],
)
def test_what_cannot_be_read_is_told_what_is_wanted(made, answer, words):
    wrong = made[1](answer)
    assert wrong.passed is False
    assert words in wrong.hint
    assert len(repr(wrong)) < 500


@pytest.mark.parametrize("name", ["", "Ada"])
def test_nothing_filled_in_is_not_begun(made, name):
    found = made[1]([name, None, ""])
    assert found.passed is None
    assert len(repr(found).split("\n")) == 1
    assert "not begun" in repr(found)


def test_an_answer_for_another_bug_is_wrong_whatever_the_seed(made):
    for seed in range(3):
        assert made[1]([name_of("c"), 4, "c"], seed=seed, seconds=5)
        assert not made[1]([name_of("a"), 4, "c"], seed=seed, seconds=5)


def test_a_hunt_is_in_the_table_of_exercises(made):
    made[1]([name_of("c"), 4, "c"])
    assert verdicts.progress()["state"].to_dict() == {
        "Exercise 9.2, bug_found": "right"
    }


# --- The hunts of the labs -----------------------------------------------------------

HUNTS = {
    labs.number(lab): (notebook, lesson.read(labs.number(lab)).hunt)
    for lab, notebook in labs.read().items()
    if lesson.read(labs.number(lab)).hunt
}
EACH = pytest.mark.parametrize("number", HUNTS)
FEWEST = 8


def pools(number):
    """Return the bugs for students and those held back, two Pools."""
    return [hunt.pool(*HUNTS[number], held=held) for held in (False, True)]


def cell_of(number, part):
    """Return a cell of the hunt: hunt, solution or check."""
    notebook, found = HUNTS[number]
    name = found.cell.replace("-solution", f"-{part}")
    return next(cell for cell in notebook.cells if cell.id == name)


def judged(number):
    """Return the check of the mended function, and what it is given besides."""
    source = cell_of(number, "check").source
    name = re.search(r" and checks\.(\w+)\(", source)[1]
    answers = importlib.import_module(f"tests.answers.lab{number}")
    (exercise,) = (each for each in answers.EXERCISES if each.name == name)
    check = getattr(importlib.import_module(f"labchecks.lab{number}"), name)
    return check, exercise.given, answers.SYMPTOMS


def made_of(pool, bug):
    return written("\n".join(pool.lines(bug)) + "\n")


def named(bug):
    return f"{bug.line}: {bug.text.strip()}"


@EACH
def test_the_lab_has_what_the_lesson_says(number):
    """If not: ``python -m teaching hunt`` prints what must stand in the lab's file."""
    module = importlib.import_module(f"labchecks.lab{number}")
    assert module.hunt.pool == pools(number)[0]
    again, _ = hunts.bug_hunt("9.1", hunt.sealed(number))
    assert again.pool == module.hunt.pool


@EACH
def test_there_are_enough_bugs_each_in_one_line_and_no_two_alike(number):
    open_, held = pools(number)
    assert min(len(open_.bugs), len(held.bugs)) >= FEWEST
    assert {bug.symptom for bug in open_.bugs} == set("abcd")
    seen = {"\n".join(pool.lines(bug)) for pool in (open_, held) for bug in pool.bugs}
    assert len(seen) == len(open_.bugs) + len(held.bugs)
    for bug in open_.bugs + held.bugs:
        changed = [
            i
            for i, lines in enumerate(zip(open_.code.split("\n"), open_.lines(bug)), 1)
            if lines[0] != lines[1]
        ]
        assert changed == [bug.line], named(bug)
        assert len(bug.text) <= 88, named(bug)
        assert len(bug.why.split()) >= 5, named(bug)


@EACH
def test_no_line_is_wrong_more_often_than_not(number):
    """Else a line could be guessed without a look at what it says."""
    lines = collections.Counter(bug.line for bug in pools(number)[0].bugs)
    assert len(lines) >= 3
    assert lines.most_common(1)[0][1] <= len(pools(number)[0].bugs) / 2


@EACH
def test_each_bug_runs_and_is_known_to_the_check_and_the_mended_function_passes(number):
    check, given, _ = judged(number)
    for pool in pools(number):
        for seed in range(4):
            assert check(written(pool.code + "\n"), *given, seed=seed, seconds=120)
            for bug in pool.bugs:
                found = check(made_of(pool, bug), *given, seed=seed, seconds=120)
                assert found.passed is False, named(bug)
                assert found.slip, (named(bug), found)


@EACH
def test_the_symptom_of_each_bug_is_what_one_sees_and_the_only_one(number):
    """Seen by running: ``SYMPTOMS`` has, by letter, ``true(wrong, right)``."""
    _, _, symptoms = judged(number)
    assert list(symptoms) == hunts.LETTERS
    for pool in pools(number):
        right = written(pool.code + "\n")
        assert not any(true(right, right) for true in symptoms.values())
        for bug in pool.bugs:
            wrong = made_of(pool, bug)
            seen = [letter for letter, true in symptoms.items() if true(wrong, right)]
            assert seen == [bug.symptom], named(bug)


@EACH
def test_the_answers_in_the_lab_are_right(number):
    module = importlib.import_module(f"labchecks.lab{number}")
    names = {"checks": module, "torch": torch, "np": np}
    for part in "hunt", "solution":
        exec(cell_of(number, part).source, names)
    answer = [names[each] for each in ("your_name", "line", "symptom")]
    assert module.bug_found(answer)
    source = cell_of(number, "check").source
    first, second = "checks.bug_found([your_name, line, symptom])", judged(number)[0]
    assert f"{first} and checks.{second.__name__}(" in source


@EACH
def test_a_lab_does_not_give_its_bugs_away(number):
    module = importlib.import_module(f"labchecks.lab{number}")
    source = Path(module.__file__).read_text(encoding="utf-8")
    for pool in pools(number):
        for bug in pool.bugs:
            assert bug.text.strip() not in source
            assert bug.why[:40] not in source
