"""The checks: held to right and wrong answers, and to answers that misbehave."""

import functools
import importlib
import os
import random
import re
import threading
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from bs4 import BeautifulSoup

from labchecks import cases, follow, predictions, verdicts
from labchecks import lab01 as checks01
from labchecks import lab02 as checks
from labchecks import lab03 as checks03
from labchecks import lab04 as checks04
from labchecks import lab05 as checks05
from labchecks.__main__ import main
from labchecks.student import Student
from tests import ROOT
from tests.answers import answers, changed, lab01, lab02, lab03, lab04, lab05, written

SEEDS = range(int(os.environ.get("CHECK_SEEDS", 2)))  # twenty each night
PATIENT = 120  # seconds; the students' limit isn't one of these tests
NUMBERS = sorted(path.stem[3:] for path in (ROOT / "labchecks").glob("lab??.py"))
LABS = {number: importlib.import_module(f"labchecks.lab{number}") for number in NUMBERS}
EXERCISES = [  # (check, its answers)
    (getattr(LABS[number], exercise.name), exercise)
    for number in NUMBERS
    for exercise in importlib.import_module(f"tests.answers.lab{number}").EXERCISES
]
EACH = pytest.mark.parametrize(
    ("check", "exercise"), EXERCISES, ids=[each.name for _, each in EXERCISES]
)
THREADS = torch.get_num_threads()
RIGHT, WRONG = [], []
for check, exercise in EXERCISES:
    right, wrong = answers(exercise)
    for i, answer in enumerate(right):
        name = f"{exercise.name}-{i}"
        RIGHT.append(pytest.param(check, answer, exercise.given, id=name))
    for i, (answer, hint) in enumerate(wrong):
        name = f"{exercise.name}-{i}-{hint}"
        WRONG.append(pytest.param(check, answer, exercise.given, hint, id=name))


@pytest.fixture(autouse=True)
def _new_session(monkeypatch):
    monkeypatch.setattr(verdicts, "_session", {})
    monkeypatch.setattr(predictions, "_noted", {})
    monkeypatch.setattr(predictions, "_told", set())
    yield
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_num_threads() == THREADS
    assert torch.is_grad_enabled()


def scores(body, *, check=checks.pca_scores, first="def pca_scores(X, k):", **options):
    """Check an answer to Exercise 2.1, given by the lines of its body."""
    lines = [first, *(f"    {line}" for line in body.split("\n"))]
    return check(written("\n".join(lines)), **options)


SEEDED = "A.shape\n    torch.manual_seed(0)\n"
GOOD = "return (lambda P, s, Q: P[:, :k] * s[:k])(*np.linalg.svd(X - X.mean(0)))"


# --- Right and wrong answers ---------------------------------------------------------


@pytest.mark.parametrize(("check", "answer", "given"), RIGHT)
def test_a_right_answer_is_accepted_in_any_style(check, answer, given):
    for seed in SEEDS:
        torch.manual_seed(seed)
        result = check(answer, *given, seed=seed, seconds=PATIENT)
        assert result.passed is True, result


@pytest.mark.parametrize(("check", "answer", "given", "hint"), WRONG)
def test_a_wrong_answer_gets_the_hint_that_is_meant_for_it(check, answer, given, hint):
    for seed in SEEDS:
        torch.manual_seed(seed)
        result = check(answer, *given, seed=seed, seconds=PATIENT)
        assert result.passed is False, seed
        assert hint in result.hint, (seed, result)
        assert result.seen
        assert result.expected
        plain = {place.replace("$", "") for place in places()}
        assert result.where in plain, result.where


@EACH
def test_an_answer_as_in_the_lab_gets_no_note(check, exercise):
    right, _ = answers(exercise)
    assert check(right[0], *exercise.given).notes == ()


def test_what_is_expected_is_said_in_numbers_that_hold():
    wrong = checks04.best_encoder(written("def best_encoder(A):\n    return A.T"))
    assert "‖B A − 1‖ = 0.0000" in wrong.expected
    assert "‖B A − 1‖ = 0.0000" not in wrong.seen


@EACH
def test_each_exercise_has_enough_answers(check, exercise):
    assert len(exercise.right) >= 3
    assert len(exercise.wrong) >= 6


@pytest.mark.parametrize("number", NUMBERS)
def test_each_check_is_tested(number):
    found = {name for name, x in vars(LABS[number]).items() if hasattr(x, "stated")}
    found.discard("bug_found")  # see test_hunts.py
    tested = importlib.import_module(f"tests.answers.lab{number}").EXERCISES
    assert {exercise.name for exercise in tested} == found


def stated(check, exercise):
    """Return what an exercise states, for all of its sizes."""
    given = check.stated(np.random.default_rng(1), exercise.given)
    return [item for _, items in given for item in items]


def owner(item, name):
    """Return whose slips they are: those of a loop may be made in any exercise."""
    return "any descent" if isinstance(item, follow.Training) else name


def test_a_count_may_be_five_times_that_of_a_right_answer_and_no_more():
    tested = set()
    for check, exercise in EXERCISES:
        for dtype, items in check.stated(np.random.default_rng(1), exercise.given):
            for item in items:
                if getattr(item, "of", "") == "multiplications":
                    student = Student(answers(exercise)[0][0], 0, [])
                    asking = cases.Asking(student, dtype=dtype)
                    taken = asking.call(student.measure, item.given).multiplications
                    assert taken <= item.most <= 5 * taken, exercise.name
                    tested.add(exercise.name)
    assert {"hessian_times", "minibatch_loss"} <= tested


def test_every_slip_that_a_check_knows_is_made_by_a_wrong_answer():
    known, made = set(), set()
    for check, exercise in EXERCISES:
        items = stated(check, exercise)
        owners = {owner(item, exercise.name) for item in items}
        for item in items:
            known |= {(owner(item, exercise.name), *key) for key, _, _ in item.known()}
        for answer, _hint in answers(exercise)[1]:
            slip = check(answer, *exercise.given, seconds=PATIENT).slip
            made |= {(each, *slip) for each in owners if slip}
    assert len(known) > 250
    assert sorted(known - made) == []


def test_every_place_that_a_hint_names_is_a_heading():
    for check, exercise in EXERCISES:
        for item in stated(check, exercise):
            hints = [hint for _, hint, _ in item.known()]
            hints += [getattr(item, "otherwise", ""), getattr(item, "hint", "")]
            named = {getattr(hint, "where", "") for hint in hints}
            named |= {getattr(item, "where", ""), check.place}
            assert named <= {"", *places()}
    for constant in follow.CLEAR, follow.STEP:
        assert constant in places()


@functools.cache
def places():
    """Return the headings of the labs, as a check names them."""
    found = set()
    for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        lab = f"lab {path.name[:2]}"
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "markdown":
                titles = re.findall(r"^## (.+)$", cell.source, re.MULTILINE)
                found |= {f"{lab}, {title.split(' · ')[0]}" for title in titles}
    return found


# --- The verdict ---------------------------------------------------------------------


def test_a_right_answer_is_one_line():
    result = scores(GOOD)
    assert repr(result) == "Exercise 2.1, pca_scores: right."
    assert result
    assert (result.seen, result.expected, result.hint) == ("", "", "")


def test_a_wrong_answer_says_four_things():
    result = scores("return X[:, :k]")
    title, *lines = repr(result).split("\n")
    assert title == "Exercise 2.1, pca_scores: not right yet."
    said = [result.hint, result.seen, result.expected, result.where]
    assert [line.split(maxsplit=1)[1] for line in lines] == said
    assert not result


def test_the_multiplications_that_would_do_are_told():
    changes = [("(images @ B.T) @ A.T", "images @ (A @ B).T")]
    result = checks05.minibatch_loss(written(changed(lab05.LOSS.right[0], changes)))
    work = "11200 multiplications for 5 pictures of 40 pixels, k = 2"
    assert (result.seen, result.expected) == (work, "800 multiplications")


def test_the_number_of_losses_is_told():
    one = changed(lab04.TRAIN.right[0], [(lab04.RETURN, lab04.RETURN + "[0]")])
    assert checks04.train_ab(written(one)).expected == "5 losses for 4 steps"


@pytest.mark.parametrize("drawn", ["=generator.manual_seed(5),", "=None,"])
@pytest.mark.parametrize(
    ("check", "exercise"),
    [
        (checks01.gd_factorise_ad, lab01.GD),
        (checks01.complete, lab01.COMPLETE),
        (checks03.mlp_train, lab03.TRAIN),
    ],
)
def test_a_start_of_ones_own_is_right_and_noted(check, exercise, drawn):
    own = changed(exercise.right[0], [("=generator,", drawn)])
    result = check(written(own))
    assert result
    assert "the numbers will differ" in " ".join(result.notes)


@pytest.mark.parametrize(
    ("changes", "ignored"),
    [
        ([("generator=generator, ", "")], True),
        ([("generator=generator, ", ""), ("A.shape\n", SEEDED)], True),
        ([("torch.rand(", "torch.randn(")], False),
    ],
)
@pytest.mark.parametrize(
    ("check", "exercise"),
    [
        (checks01.gd_factorise_ad, lab01.GD),
        (checks01.complete, lab01.COMPLETE),
    ],
)
def test_a_generator_that_is_ignored_is_noted(check, exercise, changes, ignored):
    result = check(written(changed(exercise.right[0], changes)), seconds=PATIENT)
    assert result
    assert ("generator is ignored" in " ".join(result.notes)) is ignored


@pytest.mark.parametrize(
    ("value", "right", "alike"),
    [
        (1 + 5e-7, 1, True),
        (1 + 2e-6, 1, False),
        (1e-13, 0, True),
        (1e-11, 0, False),
        ([1, 2], [1, 2], True),
        ([1], [1, 2], False),
        ([1, 0.0011], [1, 0.001], False),
        (np.array([1, 1e-3]), np.array([1, 1e-3 + 5e-7]), True),
        (np.ones(2), np.ones((1, 2)), False),
        (np.nan, 1, False),
    ],
)
def test_what_is_near(value, right, alike):
    assert cases.near(value, right) is alike


@pytest.mark.parametrize(("value", "alike"), [(1.5, True), (2, False), (0.3, False)])
def test_the_tolerance_goes_by_the_size_of_what_is_right(value, alike):
    assert cases.near(value, 1, tol=0.6) is alike


def test_of_a_number_only_the_direction_is_told():
    for value, word in (0.01, "smaller"), (1e-4, "larger"):
        result = checks04.largest_lr_autoencoder(value, 760.0)
        assert result.expected == f"a {word} number"


def test_messages_do_not_differ_between_runs():
    wrong = written("def f(X, k):\n    return object()")
    assert len({repr(checks.pca_scores(wrong)) for _ in range(3)}) == 1
    raising = written("def f(X, k):\n    raise ValueError(object())")
    assert "0x…" in repr(checks.pca_scores(raising))


def shown_card(check):
    """Return the parts of a card: sign, words, and the style of each element."""
    card = BeautifulSoup(check._repr_html_(), "html.parser")
    sign, words = card.get_text().strip().split(" ", 1)
    return (
        sign,
        re.sub(r"\s+", " ", words),
        [tag.get("style", "") for tag in card("div")],
    )


CARDS = {  # what is shown: (the check, its sign)
    "right": (lambda: scores(GOOD), "✓"),
    "wrong": (lambda: scores("return X < 3"), "✗"),
    "empty": (lambda: scores("pass"), "○"),
    "noted": (lambda: checks01.prediction("uncleared", "a"), "•"),
    "told": (lambda: told(checks01, "uncleared", "c"), "✓"),
    "told-wrong": (lambda: told(checks01, "uncleared", "a"), "✗"),
    "untold": (lambda: checks01.outcome("uncleared"), "○"),
}


@pytest.mark.parametrize(("make", "sign"), CARDS.values(), ids=CARDS)
def test_a_card_has_a_sign_and_the_same_words_in_the_same_order(make, sign):
    check = make()
    found, words, _ = shown_card(check)
    assert found == sign
    assert words == re.sub(r"\s+", " ", repr(check))


@pytest.mark.parametrize(("make", "sign"), CARDS.values(), ids=CARDS)
def test_a_card_is_legible_in_any_theme_and_by_a_screen_reader(make, sign):
    """Text has the colour of the page, and the edge is seen on white and on black."""
    (card, *inner) = shown_card(make())[2]
    (colour,) = re.findall("#[0-9A-F]{6}", card)
    assert not re.search("color|background|font-family", card + "".join(inner))
    assert min(contrast(colour, "#FFFFFF"), contrast(colour, "#111111")) >= 3
    assert re.search('role="group" aria-label="[^"]{10,}"', make()._repr_html_())


def contrast(one, other):
    """Return the contrast of two colours, by the definition in WCAG 2."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        ]
        return np.dot([0.2126, 0.7152, 0.0722], parts)

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_strict_form_raises_with_the_same_words():
    right, wrong, none = scores(GOOD), scores("return X[:, :k]"), scores("pass")
    assert checks.strict(right) is right
    assert right.require() is right
    for result in (wrong, none):
        with pytest.raises(AssertionError, match="Exercise 2.1") as raised:
            checks.strict(result)
        assert str(raised.value) == repr(result)


# --- Not begun -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        '"""Do."""',
        "return None",
        "return ...",
        "raise NotImplementedError",
        'raise NotImplementedError("write me")',
        "### YOUR CODE\nraise NotImplementedError()",
    ],
)
def test_an_empty_body_is_not_begun(body):
    result = scores(body)
    assert result.passed is None
    assert not result
    assert "not begun" in repr(result)
    assert len(repr(result).split("\n")) == 1


@pytest.mark.parametrize("nothing", [None, ...])
def test_no_answer_is_not_begun(nothing):
    assert checks.pca_scores(nothing).passed is None
    assert checks03.predicted_gradient(nothing).passed is None
    assert checks01.prediction("uncleared", nothing).passed is None
    assert checks05.spectrum_limits(nothing, lab05.LIMITS.given[0]).passed is None


def test_half_an_answer_says_which_half_is_missing():
    [(right, _), *_], given = lab05.LIMITS.right, lab05.LIMITS.given
    half = checks05.spectrum_limits([right, None], *given)
    assert half.passed is False
    assert "predicted_lr is right, steps_tenfold is still to come" in half.hint
    wrong = checks05.spectrum_limits([right, "many"], *given)
    assert "steps_tenfold" in wrong.expected + wrong.hint + wrong.seen


def test_an_answer_that_calls_an_unwritten_one_says_which():
    undone = "def minibatch_loss(A, B, images):\n    raise NotImplementedError\n"
    source = lab05.TRAIN.right[0]
    result = checks05.train_epoch(written(undone + source[source.index("\n\ndef") :]))
    assert result.passed is False
    assert "It calls minibatch_loss, which is not written yet" in result.hint


def test_a_missing_return_is_begun():
    assert "return" in scores("scores = X @ X.T").hint


# --- Protections ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "import time; time.sleep(3)",
        "while True: print('again')",
        "while True:\n    try:\n        while True: pass\n    except Exception: pass",
        "for _ in range(3):\n    try:\n        while True: pass\n    except: pass",
        "try:\n    while True: pass\nexcept: pass\n" + GOOD,
    ],
)
def test_what_does_not_end_is_ended(body):
    others, begin = set(threading.enumerate()), time.perf_counter()
    result = scores(body, seconds=0.2)
    assert time.perf_counter() - begin < 2.5
    assert result.passed is False
    assert "still running" in result.seen
    assert "0.2 seconds" in result.expected
    for thread in {*threading.enumerate()} - others:
        thread.join(5)
    assert scores(GOOD)


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("return np.full((len(X), k), np.nan)", "NaN"),
        ("return torch.ones(len(X), k, requires_grad=True)", "requires grad"),
        ("return {}", "a dict"),
        ("return np.ones(3), torch.ones(4)", "a tuple of 2"),
        ("return torch.ones(3, 5)", "of shape (3, 5)"),
        ("return torch.nn.Module()(X)", "NotImplementedError: Module"),
        ("return 'scores'", "a text"),
        ("return [[1, 2], [3]]", "a list of 2"),
        ("X -= 1; " + GOOD, "X is not what it was"),
        ("X[0] = np.nan; return X", "X is not what it was"),
        ("torch.set_default_dtype(torch.float64); " + GOOD, "default dtype"),
        ("torch.set_grad_enabled(False); " + GOOD, "grad mode"),
        ("torch.set_num_threads(3); " + GOOD, "number of threads"),
        ("exit()", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("return pca_scores(X, k)", "RecursionError"),
        (
            "import warnings; warnings.warn('careful'); return 1 / 0",
            "ZeroDivisionError",
        ),
    ],
)
def test_misbehaviour_gets_a_clear_line(body, seen):
    result = scores(body)
    assert result.passed is False
    assert seen in result.seen
    assert "\n" not in result.seen + result.expected + result.hint


def test_what_raises_is_shown_at_the_students_line():
    result = scores("Y = X - X.mean(0)\nreturn np.linalg.svd(Y, full=False)")
    assert "TypeError" in result.seen
    assert "(line 3 of your code: return np.linalg.svd(Y, full=False))" in result.seen
    assert "labhelpers" not in repr(result)


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (torch.ones(2, 3), "a tensor of shape (2, 3)"),
        (np.ones((2, 3)), "an array of shape (2, 3)"),
        ([1, 2, 3], "a list of 3"),
    ],
)
def test_values_are_named_by_kind_and_shape(answer, seen):
    assert checks05.multiplications(lambda n, k: answer).seen == seen


def test_two_numbers_are_both_shown():
    result = checks05.multiplications(lambda n, k: (3, 4))
    assert result.seen.startswith("(3, 4)")
    result = checks.split(lambda A, Q: (3.0, 4.0))
    assert result.seen == "(3.0000, 4.0000)"
    assert re.match(r"\((\d+\.\d{4}), (?!\1)\d+\.\d{4}\)$", result.expected)


def test_the_labs_number_is_shown_as_it_was_given():
    assert checks01.svd_loss(lambda A, rank: 15.2).seen.startswith("15.2000 ")


def test_what_raises_in_labhelpers_is_shown_at_the_students_line():
    seen = scores("return training.factorise(torch.ones(2, 2), 9, seed=0)").seen
    assert "rank must be" in seen
    assert "(line 2 of your code: return training.factorise(" in seen


def test_what_raises_deep_inside_is_shown_there():
    body = "def inner(X):\n    return X.centred()\nreturn inner(X)"
    assert "(line 3 of your code: return X.centred())" in scores(body).seen


def test_an_answer_that_cannot_be_read_is_wrong():
    class Odd:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError

    result = checks.pca_scores(lambda X, k: Odd())
    assert result.passed is False
    assert "cannot be read (RuntimeError)" in result.seen


def test_a_descent_tells_the_losses_before_and_after():
    def losses(text):
        found = re.search(r"the loss went from ([\d.]+) to ([\d.]+)", text)
        return float(found[1]), float(found[2])

    uphill = changed(lab01.GD.right[0], [("-= lr", "+= lr")])
    result = checks01.gd_factorise_ad(written(uphill))
    (before, up), (same, down) = losses(result.seen), losses(result.expected)
    assert down < before == same < up


def test_an_argument_too_few_is_named():
    result = scores("return X", first="def pca_scores(X):")
    assert "2 were given" in result.seen
    assert "arguments" in result.hint


def test_a_thousand_lines_are_one_note():
    result = scores("for i in range(1000): print('line', i)\n" + GOOD)
    assert result
    assert len(repr(result)) < 200
    assert "more than 1000 lines, the first: 'line 0'" in result.notes[0]


@pytest.mark.parametrize(
    ("lines", "said"), [(1, "4"), (249, "996"), (251, "more than 1000")]
)
def test_what_is_printed_is_counted_and_its_first_line_told(lines, said):
    # The answer is called four times.
    (note,) = scores(f"for i in range({lines}): print('x' * 100)\n" + GOOD).notes
    assert f": {said} lines, the first: {'x' * 60!r}" in note


def test_a_long_error_is_cut_to_its_first_line():
    seen = scores("raise ValueError('x' * 300 + '\\n' + 'y')").seen
    assert seen.startswith(f"ValueError: {'x' * 200} (line 2 of your code")


def test_nothing_is_printed(capfd):
    scores("import sys; print(1); print(2, file=sys.stderr)\nreturn X")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("body", "whose"),
    [
        ("torch.manual_seed(0); ", "torch"),
        ("np.random.seed(0); ", "NumPy"),
        ("import random; random.seed(0); ", "Python"),
    ],
)
def test_a_global_seed_is_noted(body, whose):
    result = scores(body + GOOD)
    assert result
    assert f"global random numbers of {whose}" in result.notes[0]


def test_drawing_without_seeding_is_not_noted():
    assert scores("torch.rand(3); " + GOOD).notes == ()


@pytest.mark.parametrize("end", ["return X", "1 / 0", "while True: pass", GOOD])
def test_state_is_restored(end):
    def state():
        return (
            torch.get_rng_state().tolist(),
            str(np.random.get_state()),  # noqa: NPY002
            random.getstate(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.get_num_threads(),
            torch.initial_seed(),
        )

    torch.manual_seed(5)
    before = state()
    meddle = (
        "import random; random.seed(1); np.random.seed(1); torch.manual_seed(1)\n"
        "torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)\n"
        "torch.set_num_threads(2); torch.rand(3); print('x')\n"
    )
    scores(meddle + end, seconds=0.5)
    assert state() == before


def test_a_check_can_be_called_without_recording():
    with torch.no_grad():
        assert checks01.gd_factorise_ad(answers(lab01.GD)[0][0])
        assert checks03.mlp_train(answers(lab03.TRAIN)[0][0])
        assert checks04.autoencoder_loss(answers(lab04.LOSS)[0][0])
        assert not torch.is_grad_enabled()


def test_callables_of_any_kind_are_answers():
    class Scores:
        def __call__(self, X, k):
            return answers(lab02.SCORES)[0][0](X, k)

    assert checks.pca_scores(Scores())
    assert checks.pca_scores(torch.no_grad()(answers(lab02.SCORES)[0][0]))
    assert "without parentheses" in checks.pca_scores(3.0).hint
    assert "without parentheses" in checks.pca_scores(np.eye(2)).hint


def test_another_seed_gives_other_problems():
    shown = {repr(scores("return X[:, :k]", seed=seed)) for seed in range(3)}
    assert len(shown) == 3


def test_a_right_loss_that_is_near_the_labs_is_right():
    right = answers(lab01.SVD)[0][0]
    assert checks01.svd_loss(right, seed=910_632)


def test_an_input_that_is_marked_for_autograd_is_not_what_it_was():
    marking = written("def best_encoder(A):\n    A.requires_grad_()\n    return A.T")
    result = checks04.best_encoder(marking)
    assert "A left alone" in result.expected


# --- Predictions ---------------------------------------------------------------------

QUESTIONS = [
    pytest.param(number, name, question, id=name)
    for number, lab in LABS.items()
    for name, question in lab.prediction.questions.items()
]


def told(lab, question, answer):
    """Note an answer, and return its outcome."""
    lab.prediction(question, answer)
    return lab.outcome(question)


@pytest.mark.parametrize(("number", "name", "question"), QUESTIONS)
def test_each_option_gets_its_reason_and_that_of_the_right_one(number, name, question):
    assert question.right in question.options
    assert sorted(question.reasons) == sorted(question.options)
    for option in question.options:
        predictions._told.clear()
        outcome = told(LABS[number], name, option)
        assert outcome.title == f"Prediction {name}, lab {number}"
        assert outcome.passed is (option == question.right)
        given = {question.reasons[option], question.reasons[question.right]}
        assert {reason for _, reason in outcome.lines} == given
        assert len(question.reasons[option].split()) >= 8


@pytest.mark.parametrize("number", NUMBERS)
def test_the_answers_in_the_lab_are_right_and_every_question_is_asked_once(number):
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    asked = []
    for cell in nbformat.read(path, as_version=4).cells:
        found = re.findall(r'checks\.prediction\("([^"]+)"', cell.source)
        assert [f"{question}-prediction" for question in found] in ([], [cell.id])
        for question in found:
            exec(cell.source, {"checks": LABS[number]})
            assert LABS[number].outcome(question)
        asked += found
    assert sorted(asked) == sorted(LABS[number].prediction.questions)


@pytest.mark.parametrize(("number", "name", "question"), QUESTIONS)
def test_what_is_noted_gives_nothing_away(number, name, question):
    """The words are the same for each option, but for the option itself."""
    said = set()
    for option in question.options:
        noted = LABS[number].prediction(name, option)
        assert (noted.passed, noted.state) == (None, "noted")
        shown = f"({option})" if option in "abcd" else option
        said.add(re.sub(re.escape(shown), "…", repr(noted).split(": ", 1)[1]))
    assert said == {"noted: …. Run the next cell."}


def test_a_prediction_can_be_changed_until_its_outcome_is_shown():
    checks01.prediction("uncleared", "a")
    checks01.prediction("uncleared", "b")
    assert "you said (b), but it is (c)" in repr(checks01.outcome("uncleared"))
    late = checks01.prediction("uncleared", "c")
    assert "noted: (b), and it stays so" in repr(late)
    assert "you said (b)" in repr(checks01.outcome("uncleared"))


def test_without_a_prediction_there_is_no_verdict_and_it_can_still_be_made():
    nothing = checks01.outcome("uncleared")
    assert nothing.passed is None
    assert len(repr(nothing).split("\n")) == 1
    assert not re.search(r"\([abc]\)", repr(nothing))
    assert told(checks01, "uncleared", "c")


@pytest.mark.parametrize("emptied", ["", " ", None, "faster"])
def test_a_prediction_that_is_taken_back_is_not_judged(emptied):
    checks01.prediction("uncleared", "c")
    checks01.prediction("uncleared", emptied)
    assert checks01.outcome("uncleared").passed is None


LETTERS = ["c", " (C) ", "(c)", "c)", "C", "(c) something else", "c: a wave"]
LETTERS += ["c, because a ball", "c - up and down", "c."]


@pytest.mark.parametrize("answer", LETTERS)
def test_a_letter_is_read_kindly(answer):
    assert told(checks01, "uncleared", answer)


NUMBERS_MEANT = [20, "20", 20.0, "21", 24, "about 20", "c", "(c) 20", np.float64(19)]


@pytest.mark.parametrize("answer", NUMBERS_MEANT)
def test_a_number_is_read_kindly(answer):
    assert told(checks04, "escape", answer)


def noted(answer, *options):
    """Return what is noted of an answer to a question that no lab asks."""
    reasons = dict.fromkeys(options, "So it is.")
    sealed = predictions.seal(predictions.Question(options, options[0], reasons))
    prediction, _ = predictions.predictions("99", made_up=sealed)
    return re.search(r"noted: (.*?)\. Run", repr(prediction("made-up", answer)))[1]


@pytest.mark.parametrize(
    ("answer", "right"),
    [(198, "200"), (6, "5"), ("1,000", "1000"), ("More than 50", "more"), (2, "2")],
)
def test_a_number_or_a_word_that_comes_near_is_the_option(answer, right):
    assert noted(answer, "2", "5", "50", "200", "1000", "more") == right


NO_OPTION = ["faster", 60, "a or c", "a, b or c", [1, 2], 1e400, "a bit", -20, "d"]
NO_OPTION += [torch.eye(2), "20 or 200", 0, True]


@pytest.mark.parametrize("answer", NO_OPTION)
def test_what_is_no_option_is_refused_with_the_options(answer):
    for lab, question in (checks04, "escape"), (checks01, "uncleared"):
        other = lab.prediction(question, answer)
        assert all(f'"{each}"' in repr(other) for each in _options(lab, question))
        assert "is no option" in repr(other)
        assert (other.passed, other.state) == (None, "not begun")
        assert len(repr(other)) < 200
        assert lab.outcome(question).passed is None


def _options(lab, question):
    return lab.prediction.questions[question].options


def test_an_unknown_question_is_told_the_known_ones():
    for unknown in checks01.prediction("unclear", "c"), checks01.outcome("unclear"):
        assert "uncleared" in repr(unknown)
        assert unknown.passed is None


def test_the_outcome_says_why():
    right = told(checks01, "uncleared", "c")
    first = "Prediction uncleared, lab 01: right, it is (c).\n  (c):      "
    assert repr(right).startswith(first)
    wrong = told(checks01, "starts", 50)
    assert [label for label, _ in wrong.lines] == ["200", "50"]


def test_a_lab_does_not_give_its_predictions_away():
    for number, _, question in (each.values for each in QUESTIONS):
        source = Path(LABS[number].__file__).read_text(encoding="utf-8")
        for reason in question.reasons.values():
            assert reason[:40] not in source


def test_an_entry_can_be_made_and_read(capsys, monkeypatch):
    made = ["digest", "is-it", "b", "a=One may think so.", "b=It is, since 1 + 1 = 2."]
    assert main(made) == 0
    entry = capsys.readouterr().out
    assert "since" not in entry
    names = {"predictions": predictions.predictions}
    prediction, outcome = eval(f"predictions('98', {entry})", names)
    assert prediction("is-it", "a").state == "noted"
    given = ("(b)", "It is, since 1 + 1 = 2."), ("(a)", "One may think so.")
    assert outcome("is-it").lines == given
    assert main(["reasons", "01"]) == 0
    assert "uncleared: right is c" in capsys.readouterr().out


@pytest.mark.parametrize("given", [["c", "a=x", "b=y"], ["a", "a=x", "b="]])
def test_an_entry_without_a_reason_is_refused(given, capsys):
    assert "needs a reason" in main(["digest", "is-it", *given])
    assert capsys.readouterr().out == ""


# --- Progress ------------------------------------------------------------------------


def test_progress_shows_the_labs_of_this_session():
    assert checks.progress().empty
    scores("pass")
    checks.best_linear_map(lambda U, Z: U)
    table = checks.progress()
    assert isinstance(table, pd.DataFrame)
    assert list(table["state"].items()) == [
        ("Exercise 2.1, bug_found", "not checked"),
        ("Exercise 2.1, pca_scores", "not begun"),
        ("Exercise 2.2, best_linear_map", "not right yet"),
        ("Exercise 2.3, split", "not checked"),
        ("Exercise 2.4, predicted_cond", "not checked"),
        ("Exercise 2.5, scores_from_factors", "not checked"),
    ]
    scores(GOOD)
    assert checks.progress()["state"].iloc[1] == "right"
    told(checks04, "zero-run", "c")
    assert len(checks.progress()) == 6  # a prediction is not marked, and not listed
    checks04.best_rate(None)
    states = checks.progress()["state"]
    assert states["Exercise 4.3b, best_rate"] == "not begun"
    assert not any("Prediction" in title for title in states.index)
