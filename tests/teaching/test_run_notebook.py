"""What small notebooks can do to the machine, to others and to their checks."""

import functools
import os
import re
import sys
from pathlib import Path

import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from teaching.marking import cell_outputs, mark_class, run_notebook, values
from teaching.marking import workers as marking_workers
from teaching.marking.remote_answer import Given
from tests.teaching import made_up_class as made

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kernels are forked")
# Long, since a busy machine is slow; what must run into a limit gets its own, below.
LIMITS = run_notebook.Limits(cell=120, answer=60, lab=600, memory=2**30, output=200_000)


# --- A small lab, which takes a second ------------------------------------------------

SETUP = "import numpy as np, torch\nfrom labchecks import lab01 as checks"
RIGHT = "def svd_loss(A, rank):\n    s = np.linalg.svd(A)[1]\n"
RIGHT += "    return float((s[rank:] ** 2).sum())"
SECOND = "A = 3 * torch.eye(2)\nrate = 1 / 6"
SMALL = "01_small"
THREE = values.pack(3 * torch.eye(2))


def graded(name, source, points=1):
    cell = new_code_cell(source, id=name)
    grader = {"grade": True, "grade_id": name, "locked": True, "points": points}
    cell.metadata["nbgrader"] = grader | {"solution": False, "schema_version": 3}
    return cell


def small(answer, second=SECOND, setup=SETUP):
    """Return a lab of two exercises."""
    return new_notebook(
        cells=[
            new_code_cell(setup),
            new_code_cell(answer, id="svd-solution"),
            graded("svd-check", "checks.svd_loss(svd_loss)"),
            new_code_cell(second),
            graded("rate-check", "checks.largest_lr_factorisation(rate, A)"),
        ]
    )


@pytest.fixture(scope="module")
def workers():
    with marking_workers.local(2) as executor:
        yield executor


def apart(workers, function, *args, **kwargs):
    """Call a function in another process, as the marking does."""
    task = (functools.partial(function, *args, **kwargs),)
    result = mark_class._run_all({("a", "lab"): task}, workers)["a", "lab"]
    assert not getattr(result, "failure", "")
    return result


MISDEEDS = {
    "loops": "while True:\n    pass",
    "dies": "import os\nos._exit(0)",
    "numpy memory": "x = np.ones(10**10)",
    "torch memory": "x = torch.ones(10**10)",
    "floods": "while True:\n    print('x' * 1000)",
}
NOTES = {
    "loops": "svd-solution was stopped after 2 s",
    "dies": "the kernel died in svd-solution",
    "numpy memory": "svd-solution asked for too much memory",
    "torch memory": "svd-solution asked for too much memory",
    "floods": "svd-solution wrote too much",
}
STUBBORN = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""
WRITING = """
from pathlib import Path
Path("here").touch()
Path("~/there").expanduser().touch()
print(Path("here").resolve())
"""
SLEEP = f"600.{os.getpid()}"  # seconds, to be found by
PARENT = f"import subprocess\nsubprocess.Popen(['sleep', '{SLEEP}'])\n"
FORGED_ANSWER = """
from teaching.marking import answering, values
right = {"value": {"is": "plain", "value": True}}
answering.reply = lambda *a: values.write(right)
"""
TRICKS = {
    "another checks": made.FORGED,
    "patched checks": made.PATCHED,
    "patched numpy": made.NUMPY,
    "files in the way": made.SHADOW,
    "another reply": FORGED_ANSWER,
    "another module": "import sys\nsys.modules['labchecks.lab01'] = None",
    "another import": "def __import__(*a, **k):\n    raise SystemExit",
    "wrong at first": f"calls = []\n{RIGHT} + (calls.append(1) or len(calls) == 1)",
    "replayed": f"{RIGHT}\nright, seen = svd_loss, []\n"
    "def svd_loss(A, rank):\n    seen.append(right(A, rank))\n    return seen[-1]\n"
    "checks.svd_loss(svd_loss)\nagain = iter(seen * 100)\n"
    "def svd_loss(A, rank):\n    return next(again)",
    "only words": "svd_loss = 'right'\nprint('Exercise 1.2, svd_loss: right.')",
}
WORKS = """
import time
end = time.process_time() + 1.2
while time.process_time() < end:
    pass
"""
OPTIMISER = """
import sys
known = set(sys.modules)
torch.optim.Adam([torch.ones(2, requires_grad=True)])
print(len(set(sys.modules) - known))
"""
ANSWERS = (
    MISDEEDS
    | TRICKS
    | {
        "right": RIGHT,
        "stubborn": STUBBORN,
        "endless": "def svd_loss(A, rank):\n    while True:\n        pass",
        "sleepy": "import time\ntime.sleep(600)\n" + RIGHT,
        "writing": WRITING + RIGHT,
        "parent": PARENT + RIGHT,
        "optimiser": OPTIMISER + RIGHT,
    }
)


@pytest.fixture(scope="module")
def ran(workers):
    """Return the run of each answer above, by name."""
    limits = {
        "loops": LIMITS._replace(cell=2),
        "stubborn": LIMITS._replace(cell=2),
        "endless": LIMITS._replace(answer=3),
        "sleepy": LIMITS._replace(lab=3),
    }
    # What the worked lab would have given.
    given = {"svd-check": Given([], set()), "rate-check": Given([THREE], set())}
    task = functools.partial(run_notebook.run, lab=SMALL, seeds=[11, 12], given=given)
    tasks = {
        (name, "lab"): (
            functools.partial(task, limits=limits.get(name, LIMITS)),
            small(answer, setup=SETUP + WORKS * (name == "sleepy")),
        )
        for name, answer in ANSWERS.items()
    }
    runs = mark_class._run_all(tasks, workers)
    return {name: run for (name, _), run in runs.items()}


def test_right_answers_are_right_and_cost_nothing_else(ran):
    assert ran["right"].right == {"svd-check": True, "rate-check": True}
    assert ran["right"].notes == []


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_what_a_cell_does_to_the_machine_ends_and_is_noted(ran, misdeed):
    result = ran[misdeed]
    assert NOTES[misdeed] in result.notes
    assert result.right == {"svd-check": False, "rate-check": misdeed != "dies"}


def test_a_loop_that_cannot_be_interrupted_ends_its_kernel(ran):
    assert ran["stubborn"].right == {"svd-check": False, "rate-check": False}
    assert "the kernel could not be stopped, and was ended" in ran["stubborn"].notes


def test_an_answer_that_does_not_come_back_costs_its_own_points(ran):
    assert ran["endless"].right == {"svd-check": False, "rate-check": True}
    assert "svd-check: no answer within 3 s" in ran["endless"].notes


def test_a_lab_has_a_time_limit_of_its_own(ran):
    assert ran["sleepy"].right["rate-check"] is False
    stopped, over = ran["sleepy"].notes
    assert re.fullmatch(r"svd-solution was stopped after [123] s", stopped)
    assert over == "more than 3 s"


def test_who_works_too_long_is_not_late_who_waits_is(ran):
    assert ran["sleepy"].late  # though it had worked in an earlier cell
    assert not any(ran[name].late for name in ("right", "loops", "endless", "dies"))


def test_the_first_optimiser_imports_nothing_while_time_counts(ran):
    assert ran["optimiser"].notebook.cells[1].outputs[0].text == "0\n"
    assert ran["optimiser"].right["svd-check"]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_makes_a_wrong_answer_right(ran, trick):
    assert ran[trick].right["svd-check"] is False


def test_files_go_to_a_folder_that_is_thrown_away(ran):
    [output] = ran["writing"].notebook.cells[1].outputs
    path = Path(output.text.strip())
    assert ran["writing"].right["svd-check"]
    assert path.name == "here"
    assert not path.parent.exists()
    assert not Path("~/there").expanduser().exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_children_of_a_kernel_end_with_it(ran):
    assert ran["parent"].right["svd-check"]
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert f"sleep\0{SLEEP}\0".encode() not in running


def test_what_a_check_is_given_is_not_the_students(workers):
    def lab(setup):
        check = graded("rate-check", "checks.largest_lr_factorisation(rate, A)")
        return new_notebook(cells=[new_code_cell(f"{SETUP}\n{setup}"), check])

    honest = lab("A = 3 * torch.eye(2)\nrate = 1 / 6")
    worked = apart(workers, run_notebook.run, honest, SMALL, seeds=[1])
    assert worked.right == {"rate-check": True}
    forged = lab("A = torch.eye(2)\nrate = 1 / 2")
    result = apart(
        workers, run_notebook.run, forged, SMALL, seeds=[1], given=worked.given
    )
    assert result.right == {"rate-check": False}


class Dies:
    """A task that ends its worker."""

    def __call__(self):
        os._exit(1)


def test_a_failure_of_ours_is_no_zero_and_costs_nobody_else():
    tasks = {("a", "x"): (Dies(),), ("b", "x"): (mark_class.Mark, None, {}, [], 0.0)}
    with marking_workers.local(1) as executor:
        marks = mark_class._run_all(tasks, executor)
    assert "BrokenProcessPool" in marks["a", "x"].failure
    assert marks["b", "x"].failure == ""


def test_workers_that_were_lost_before_cost_nobody_anything():
    with marking_workers.local(1) as executor:
        assert executor.submit(Dies()).exception()
        tasks = {("a", "x"): (mark_class.Mark, None, {}, [], 0.0)}
        marks = mark_class._run_all(tasks, executor)
    assert marks["a", "x"].failure == ""


class Late:
    """A task that is late, unless it is done alone; it writes down each try."""

    def __init__(self, folder, name, always=False):
        self.folder, self.name, self.always = folder, name, always

    def __call__(self):
        tries = Path(self.folder, self.name)
        tries.touch()
        tries.write_text(tries.read_text() + ".")
        late = self.always or tries.read_text() == "."
        return mark_class.Mark(None, {"x": not late}, [], 0.0, late=late)


def test_who_was_late_is_tried_once_more_alone(tmp_path):
    tasks = {
        ("a", "x"): (Late(tmp_path, "a"),),
        ("b", "x"): (Late(tmp_path, "b", always=True),),
        ("c", "x"): (mark_class.Mark, None, {}, [], 0.0),
    }
    with marking_workers.local(1) as executor:
        marks = mark_class._run_all(tasks, executor)
    assert marks["a", "x"].right == {"x": True}
    assert marks["b", "x"].late
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "..",
        "b": "..",
    }


def watched_lab(answer):
    notebook = small(answer)
    for place, name in {0: "imports", 1: "svd-solution", 3: "rate-solution"}.items():
        notebook.cells[place].id = name
        if place:
            notebook.cells[place].metadata["nbgrader"] = {"solution": True}
    notebook.cells.insert(1, new_code_cell("B = A = 3 * torch.eye(2)", id="start"))
    notebook.cells.insert(2, new_code_cell("torch.rand(1)\nx = B + 1", id="aside"))
    more = "import time\ntime.sleep(0.5)\nB *= 2\nbig = float(B.sum())"
    notebook.cells.insert(3, new_code_cell(more, id="more"))
    return notebook


def test_what_no_point_depends_on_is_not_run_and_says_so():
    task = functools.partial(run_notebook.run, lab=SMALL, seeds=[11], limits=LIMITS)
    worked = task(watched_lab(f"big\n{RIGHT}"))
    assert worked.known["more"].changes == ("A", "B")
    assert worked.known["aside"].changes == ("<random>",)
    for answer, ran in {
        RIGHT: {"start": False, "aside": False, "more": False},
        f"A\n{RIGHT}": {"start": True, "aside": False, "more": True},
        f"big\n{RIGHT}": {"start": False, "aside": False, "more": False},
        f"exec('')\n{RIGHT}": {"start": True, "aside": True, "more": True},
    }.items():
        notebook = watched_lab(answer)
        result = task(notebook, given=worked.given, known=worked.known)
        assert result.right == {"svd-check": True, "rate-check": True}
        shown = {c.id: [o.get("text") for o in c.outputs] for c in notebook.cells}
        assert ran == {n: shown[n] != [cell_outputs.NOT_RUN] for n in ran}, answer
    spoilt = {
        name: each._replace(saved=dict.fromkeys(each.saved, "nonsense"))
        for name, each in worked.known.items()
    }
    notebook = watched_lab(f"big\n{RIGHT}")  # of which it can be handed nothing
    result = task(notebook, given=worked.given, known=spoilt)
    assert result.right == {"svd-check": True, "rate-check": True}
    assert cell_outputs.NOT_RUN.strip() not in str(notebook)


def test_after_the_last_answer_nothing_is_run_even_in_doubt():
    task = functools.partial(run_notebook.run, lab=SMALL, seeds=[11], limits=LIMITS)
    notebooks = [small(f"exec('')\n{RIGHT}") for _ in range(3)]
    for notebook in notebooks:
        notebook.cells.append(new_code_cell("print('late')", id="late"))
    worked = task(notebooks[0])
    task(notebooks[1], given=worked.given, known=worked.known)
    task(notebooks[2], given=worked.given)
    shown = [notebook.cells[-1].outputs[0].text for notebook in notebooks]
    assert shown == [cell_outputs.NOT_RUN, cell_outputs.NOT_RUN, "late\n"]


def test_a_lab_that_cannot_be_watched_is_run_as_a_whole(monkeypatch):
    def fail(self, cell, seconds):
        raise RuntimeError("no values")

    monkeypatch.setattr(run_notebook.Watch, "after", fail)
    result = run_notebook.run(small(RIGHT), SMALL, seeds=[11], limits=LIMITS)
    assert result.right == {"svd-check": True, "rate-check": True}
    assert result.known is None
