"""A class of made-up students is marked: each gets what is due, whatever they hand in.

One marking of students over all labs, and small notebooks for what a notebook can do to
the machine.
"""

import contextlib
import csv
import functools
import hashlib
import importlib
import json
import os
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from teaching.marking import (
    mark_class,
    remote_answer,
    restore_cells,
    run_notebook,
    submissions,
    values,
)
from tests import answers as wrong_answers
from tests.teaching import made_up_class as made

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="kernels are forked")
LIMITS = run_notebook.Limits(cell=4, answer=3, lab=40, memory=2**30, output=200_000)
LAB, OTHER = "02_pca_comparison", "03_mlp_iris"


# --- A small lab, which takes a second ------------------------------------------------

SETUP = "import numpy as np, torch\nimport labchecks as checks"
RIGHT = "def svd_loss(A, rank):\n    s = np.linalg.svd(A)[1]\n"
RIGHT += "    return float((s[rank:] ** 2).sum())"
SECOND = "def multiplications(n, k):\n    return n * k * n + n * n, 2 * n * k"


def graded(name, source, points=1):
    cell = new_code_cell(source, id=name)
    grader = {"grade": True, "grade_id": name, "locked": True, "points": points}
    cell.metadata["nbgrader"] = grader | {"solution": False, "schema_version": 3}
    return cell


def small(answer, second=SECOND):
    """Return a lab of two exercises."""
    return new_notebook(
        cells=[
            new_code_cell(SETUP),
            new_code_cell(answer, id="svd-solution"),
            graded("svd-check", "checks.svd_loss(svd_loss)"),
            new_code_cell(second),
            graded("count-check", "checks.multiplications(multiplications)"),
        ]
    )


@pytest.fixture(scope="module")
def workers():
    with mark_class._executor(2) as executor:
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
    "loops": "svd-solution was stopped after 4 s",
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
PARENT = "import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid)\n"
FORGED_ANSWER = """
from teaching.marking import answering
import json
answering.reply = lambda *a: json.dumps({"value": {"is": "plain", "value": True}})
"""
TRICKS = {
    "another checks": made.FORGED,
    "patched checks": made.PATCHED,
    "patched numpy": made.NUMPY,
    "files in the way": made.SHADOW,
    "another reply": FORGED_ANSWER,
    "another module": "import sys\nsys.modules['labchecks'] = None",
    "another import": "def __import__(*a, **k):\n    raise SystemExit",
    "only words": "svd_loss = 'right'\nprint('Exercise 1.2, svd_loss: right.')",
}
ANSWERS = (
    MISDEEDS
    | TRICKS
    | {
        "right": RIGHT,
        "stubborn": STUBBORN,
        "endless": "def svd_loss(A, rank):\n    while True:\n        pass",
        "sleepy": "import time\ntime.sleep(3)\n" + RIGHT,
        "writing": WRITING + RIGHT,
        "parent": PARENT + RIGHT,
    }
)


@pytest.fixture(scope="module")
def ran(workers):
    """Return the run of each answer above, by name."""
    task = functools.partial(run_notebook.run, seeds=[11, 12], limits=LIMITS)
    hasty = functools.partial(task, limits=LIMITS._replace(lab=2))
    tasks = {
        (name, "lab"): (hasty if name == "sleepy" else task, small(answer))
        for name, answer in ANSWERS.items()
    }
    runs = mark_class._run_all(tasks, workers)
    return {name: run for (name, _), run in runs.items()}


@needs_fork
def test_right_answers_are_right_and_cost_nothing_else(ran):
    assert ran["right"].right == {"svd-check": True, "count-check": True}
    assert ran["right"].notes == []


@needs_fork
@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_what_a_cell_does_to_the_machine_ends_and_is_noted(ran, misdeed):
    result = ran[misdeed]
    assert NOTES[misdeed] in result.notes
    assert result.right == {"svd-check": False, "count-check": misdeed != "dies"}


@needs_fork
def test_a_loop_that_cannot_be_interrupted_ends_its_kernel(ran):
    assert ran["stubborn"].right == {"svd-check": False, "count-check": False}
    assert "the kernel could not be stopped, and was ended" in ran["stubborn"].notes


@needs_fork
def test_an_answer_that_does_not_come_back_costs_its_own_points(ran):
    assert ran["endless"].right == {"svd-check": False, "count-check": True}
    assert "svd-check: no answer within 3 s" in ran["endless"].notes


@needs_fork
def test_a_lab_has_a_time_limit_of_its_own(ran):
    assert ran["sleepy"].right["count-check"] is False
    assert "more than 2 s" in ran["sleepy"].notes


@needs_fork
@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_makes_a_wrong_answer_right(ran, trick):
    assert ran[trick].right["svd-check"] is False


@needs_fork
def test_files_go_to_a_folder_that_is_thrown_away(ran):
    [output] = ran["writing"].notebook.cells[1].outputs
    path = Path(output.text.strip())
    assert ran["writing"].right["svd-check"]
    assert path.name == "here"
    assert not path.parent.exists()
    assert not Path("~/there").expanduser().exists()


@needs_fork
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_children_of_a_kernel_end_with_it(ran):
    pid = int(ran["parent"].notebook.cells[1].outputs[0].text)
    stat = Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


@needs_fork
def test_what_a_check_is_given_is_not_the_students(workers):
    def lab(setup):
        check = graded("rate-check", "checks.largest_lr_factorisation(rate, A)")
        return new_notebook(cells=[new_code_cell(f"{SETUP}\n{setup}"), check])

    honest = lab("A = 3 * torch.eye(2)\nrate = 1 / 6")
    worked = apart(workers, run_notebook.run, honest, seeds=[1])
    assert worked.right == {"rate-check": True}
    forged = lab("A = torch.eye(2)\nrate = 1 / 2")
    result = apart(workers, run_notebook.run, forged, seeds=[1], given=worked.given)
    assert result.right == {"rate-check": False}


def judged_from_afar(folder):
    """Return {(exercise, number): (verdict, what it should be)} for many answers."""
    session = run_notebook._Session(new_notebook(), str(folder), LIMITS, True)
    session.start()
    execute, seen = functools.partial(session.asker.client.execute, reply=True), {}
    labs = [f"tests.wrong_answers.lab0{i}" for i in range(1, 6)]
    exercises = [e for lab in labs for e in importlib.import_module(lab).EXERCISES]
    with contextlib.closing(session):
        execute(f"import sys; sys.path.append({str(made.ROOT)!r})")
        execute("from tests.answers import written")
        for exercise in exercises:
            if not isinstance(exercise.right[0], str):
                continue
            wrong = [changes for changes, _ in exercise.wrong][::4]
            for i, source in enumerate(exercise.right + wrong):
                text = wrong_answers.changed(exercise.right[0], source)
                execute(f"answer = written({text!r})")
                verdict = remote_answer.judge(
                    session.asker,
                    remote_answer.Question(exercise.name, "answer", ()),
                    exercise.given,
                    seeds=[5],
                    seconds=10,
                )
                seen[exercise.name, i] = bool(verdict), i < len(exercise.right)
    return seen


@needs_fork
def test_every_answer_is_judged_from_afar_as_it_is_near(tmp_path, workers):
    seen = apart(workers, judged_from_afar, tmp_path)
    assert len(seen) > 100
    assert {key: pair for key, pair in seen.items() if pair[0] != pair[1]} == {}


# --- Values, which cross from process to process --------------------------------------

CROSSING = [
    *(None, ..., True, "text", -3, 10**30, 0.1, float("inf"), np.float32(2.5)),
    *((1, [2.0, None]), np.arange(6.0).reshape(2, 3), np.zeros((0, 2)), np.array(7)),
    *(torch.eye(2), torch.zeros(0, 3), torch.tensor(3), torch.tensor([True, False])),
]


@pytest.mark.parametrize("value", CROSSING, ids=repr)
def test_values_cross_as_they_are(value):
    back = values.unpack(json.loads(json.dumps(values.pack(value))))
    assert type(back) is type(value)
    if isinstance(value, torch.Tensor | np.ndarray):
        assert back.dtype == value.dtype
        assert back.shape == value.shape
        assert (back == value).all()
    else:
        assert back == value


def test_a_graph_is_seen_and_a_generator_goes_on():
    leaf = torch.ones(2, requires_grad=True)
    assert values.unpack(values.pack(2 * leaf)).requires_grad
    draw = torch.Generator().manual_seed(3)
    other = values.unpack(values.pack(draw))
    assert torch.equal(torch.rand(3, generator=draw), torch.rand(3, generator=other))


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {"is": "code", "value": "1"},
        {"is": "tensor", "dtype": "load", "shape": [1], "data": "", "grad": False},
        {"is": "array", "dtype": "O", "shape": [1], "data": "AAAAAAAAAAA="},
        {"is": "array", "dtype": "<f8", "shape": [9], "data": "AAAAAAAAAAA="},
        {"is": "int", "value": [1]},
    ],
)
def test_what_nobody_packed_is_refused(forged):
    with pytest.raises(ValueError, match="pack|reshape|buffer|array"):
        values.unpack(forged)


# --- Notebooks that were taken apart --------------------------------------------------


def mended(notebook, lab=LAB):
    return restore_cells.mended(
        restore_cells.read(made.text(notebook)), made.empty(lab)
    )


def sources(notebook):
    return [cell.source for cell in notebook.cells]


def test_a_whole_notebook_stays_as_it_is():
    notebook, notes = mended(made.filled(LAB))
    assert sources(notebook) == sources(made.filled(LAB))
    assert notes == []


def test_deleted_and_retyped_cells_come_back_where_they_were():
    notebook, notes = mended(made.untidy(LAB))
    ids = [cell.id for cell in notebook.cells]
    for name in made.graded(LAB):
        cell = notebook.cells[ids.index(name)]
        assert cell.cell_type == "code"
        assert cell.metadata["nbgrader"]["grade"]
    assert ids.index("scores-solution") < ids.index("scores-check")
    assert notebook.cells[-1].metadata == {}
    assert any("scores-check" in note for note in notes)


def test_of_copied_answers_the_last_that_is_no_stub_counts():
    notebook = made.filled(LAB)
    stub = made.empty(LAB).cells[made.at(notebook, "split-solution")]
    notebook.cells.append(stub.copy())
    notebook.cells[-1].id = "own"
    result, notes = mended(notebook)
    graders = [
        cell.source
        for cell in result.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "split-solution"
    ]
    assert len(graders) == 1
    assert "NotImplementedError" not in graders[0]
    assert notes == ["copied cells: split-solution"]


def test_changed_checks_are_put_back():
    notebook = made.tampered(LAB, "1")
    result, notes = mended(notebook)
    at = made.at(result, "split-check")
    assert result.cells[at].source == "checks.split(split)"
    assert any("changed checks" in note for note in notes)


def test_tags_and_metadata_of_students_are_dropped():
    notebook = made.filled(LAB)
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception"]
        cell.metadata.setdefault("nbgrader", {})["points"] = 1000
    result, _ = mended(notebook)
    copy = made.empty(LAB)
    assert [c.metadata for c in result.cells] == [c.metadata for c in copy.cells]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"{", "broken JSON"),
        (b"\xff\xfe", "broken JSON"),
        (b"[" * 100_000, "broken JSON"),
        (b"[]", "not a notebook"),
        (b'{"cells": 3}', "not a notebook"),
    ],
)
def test_what_is_no_notebook_says_so(data, words):
    with pytest.raises(ValueError, match=words):
        restore_cells.read(data)


def test_cells_of_any_shape_are_read():
    strange = [{}, 3, {"cell_type": "code", "source": [1, "a"], "metadata": 7, "id": 8}]
    assert restore_cells.read(json.dumps({"cells": strange}).encode()) == [
        ("markdown", "", []),
        ("code", "a", []),
    ]


# --- Folders as platforms export them -------------------------------------------------


@pytest.fixture(scope="module")
def copies():
    return {lab: made.empty(lab) for lab in made.LABS}


def read(folder, files, copies):
    made.write(folder, files)
    return {each.name: each for each in submissions.read(folder, copies)}


def test_each_layout_gives_the_student_and_the_lab(tmp_path, copies):
    right, other = made.text(made.filled(LAB)), made.text(made.filled(OTHER))
    names = {
        f"Anna Smith_17_assignsubmission_file_/{LAB}.ipynb": "Anna Smith_17",
        "Zoë Ünal/deep/er/meins (1).ipynb": "Zoë Ünal",
        f"smith_anna_{LAB}.ipynb": "smith_anna",
        f"smithanna_LATE_4711_99_{LAB}-2.ipynb": "smithanna_LATE_4711",
        f"{LAB} (1).ipynb": f"{LAB} (1)",
        f"{LAB}_Ludo.ipynb": "Ludo",
        "renamed.ipynb": "renamed",
    }
    files = dict.fromkeys(names, right) | {
        "李 雷_3_assignsubmission_file_.zip": made.zipped(
            {f"a/{LAB}.ipynb": right, f"__MACOSX/a/._{LAB}.ipynb": b"junk"}
        ),
        f"smith_anna_{OTHER}.ipynb": other,
        ".DS_Store": b"x",
        "Zoë Ünal/.ipynb_checkpoints/meins-checkpoint.ipynb": right,
    }
    students = read(tmp_path, files, copies)
    assert set(students) == {*names.values(), "李 雷_3"}
    assert set(students["smith_anna"].files) == {LAB, OTHER}
    alone = {name: set(each.files) for name, each in students.items()}
    assert {name for name, labs in alone.items() if labs != {LAB}} == {"smith_anna"}
    assert len({each.id for each in students.values()}) == len(students)


def test_two_students_of_one_name_stay_two(tmp_path, copies):
    lab = made.text(made.filled(LAB))
    files = {f"Kim Lee_{n}_assignsubmission_file_/{LAB}.ipynb": lab for n in (1, 2)}
    files |= {f"Kim Lee_1/{LAB}.ipynb": lab, f"Kim Lee_1_{LAB}.ipynb": lab}
    files |= {f"Jose\u0301_{LAB}.ipynb": lab, f"Jos\u00e9_{LAB}.ipynb": lab}
    made.write(tmp_path, files)
    students = submissions.read(tmp_path, copies)
    assert len(students) == len(files)
    assert len({each.id for each in students}) == len(files)


def test_nothing_is_dropped_without_a_word(tmp_path, copies):
    files = {
        "a/essay.docx": b"x",
        "a/other.ipynb": nbformat.writes(new_notebook()).encode(),
        "b/b.zip": b"PK no zip",
        "c.zip": made.zipped({f"{LAB}.ipynb": b"{", "d.zip": b"x"}),
        f"e/{LAB}.ipynb": b"",
    }
    students = read(tmp_path, files, copies)
    notes = {name: "; ".join(each.notes) for name, each in students.items()}
    assert "essay.docx: not a notebook" in notes["a"]
    assert "other.ipynb: a notebook of no lab" in notes["a"]
    assert "b.zip: not a zip that can be read" in notes["b"]
    assert "broken JSON" in notes["c"]
    assert "d.zip: not a notebook" in notes["c"]
    assert "the file is empty" in notes["e"]
    assert set(students["e"].files) == {LAB}


def test_copies_of_a_file_are_all_looked_at(tmp_path, copies):
    files = {
        f"a/{LAB}.ipynb": made.text(made.empty(LAB)),
        f"a/{LAB} (1).ipynb": made.text(made.filled(LAB)),
        f"a/{LAB}-Copy1.ipynb": made.text(made.filled(LAB)),
    }
    [student] = read(tmp_path, files, copies).values()
    assert len(student.files[LAB]) == 2
    assert any("2 times, the best counts" in note for note in student.notes)


def test_a_folder_that_is_not_there_is_refused(tmp_path, copies):
    with pytest.raises(ValueError, match="SUBMISSIONS must be a folder that exists"):
        submissions.read(tmp_path / "none", copies)
    with pytest.raises(ValueError, match="SUBMISSIONS must be a folder with subm"):
        submissions.read(tmp_path, copies)


# --- A class --------------------------------------------------------------------------

KIND_OF_LAB = {
    "01_factorisation": "hardcoded",
    "02_pca_comparison": "tampered",
    "03_mlp_iris": "partly",
    "04_ab_autoencoder": "empty",
    "05_cifar10_autoencoder": "untidy",
}


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """Six students, who hand in one lab each, and a file that nobody can read."""
    folder = tmp_path_factory.mktemp("class")
    expected = {}
    for number, (lab, kind) in enumerate(KIND_OF_LAB.items()):
        data, right = made.of_kind(kind, lab, number)
        made.write(folder, {f"{kind}/{lab}.ipynb": data})
        expected[kind] = {lab: set(right)}
    made.write(folder, {f"=broken/{LAB}.ipynb": made.broken(LAB)})
    made.write(folder, {"strange/notes.txt": b"sorry"})
    expected |= {"=broken": {LAB: set()}, "strange": {}}
    into = tmp_path_factory.mktemp("marking")
    before, originals = hash_of(folder), hash_of(made.ROOT / "notebooks")
    marking = mark_class.grade(
        folder, into, *made.pack(), seed=3, workers=2, say=lambda text: None
    )
    assert (hash_of(folder), hash_of(made.ROOT / "notebooks")) == (before, originals)
    with (marking.folder / "points.csv").open(encoding="utf-8-sig") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    return marking, expected, rows


def hash_of(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@needs_fork
def test_each_student_of_a_class_gets_what_is_due(marked):
    marking, expected, _ = marked
    assert made.wrong_marks(marking, expected) == []


@needs_fork
def test_the_table_has_the_points_of_each_exercise(marked):
    _, expected, rows = marked
    assert len(rows) == len(expected)
    for student, labs in expected.items():
        row = rows[f"'{student}" if student[0] == "=" else student]
        for lab, right in labs.items():
            points = {
                cell.id: cell.metadata["nbgrader"]["points"]
                for cell in made.worked(lab).cells
                if cell.id in made.graded(lab)
            }
            for name, most in points.items():
                due = most if name in right else 0
                assert float(row[f"{lab[:2]} {name} ({most})"]) == due
            assert float(row["points"]) == sum(points[name] for name in right)


@needs_fork
def test_written_answers_wait_for_a_teacher(marked):
    _, _, rows = marked
    assert rows["untidy"]["05 race-answer (2)"] == "to be marked"
    assert float(rows["untidy"]["to be marked"]) == 4
    assert float(rows["empty"]["04 zero-answer (2)"]) == 0
    assert rows["empty"]["05 race-answer (2)"] == ""


@needs_fork
def test_notes_say_what_happened(marked):
    _, _, rows = marked
    assert "broken JSON" in rows["'=broken"]["note"]
    assert "changed checks" in rows["tampered"]["note"]
    assert "notes.txt: not a notebook" in rows["strange"]["note"]
    assert "copied cells" in rows["untidy"]["note"]
    assert "01: not handed in" in rows["strange"]["note"]


@needs_fork
def test_each_student_has_a_page_that_opens_offline(marked):
    marking, expected, _ = marked
    pages = sorted(marking.folder.glob("feedback/*/*/*.html"))
    assert len(pages) == sum(len(labs) for labs in expected.values())
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="http', text)
        assert "Marked on other problems" in text
    written = (page.read_text(encoding="utf-8") for page in pages)
    assert sum("<math" in text for text in written) == len(pages) - 1


@needs_fork
def test_a_second_marking_gets_a_folder_of_its_own(tmp_path, monkeypatch):
    names = iter(["one", "one", "two"])
    monkeypatch.setattr(mark_class.time, "strftime", lambda form: next(names))
    first, second = mark_class._new_folder(tmp_path), mark_class._new_folder(tmp_path)
    assert first != second


class Dies:
    """A task that ends its worker."""

    def __call__(self):
        os._exit(1)


@needs_fork
def test_a_failure_of_ours_is_no_zero_and_costs_nobody_else():
    tasks = {("a", "x"): (Dies(),), ("b", "x"): (mark_class.Mark, None, {}, [], 0.0)}
    with mark_class._executor(1) as executor:
        marks = mark_class._run_all(tasks, executor)
    assert "BrokenProcessPool" in marks["a", "x"].failure
    assert marks["b", "x"].failure == ""


@needs_fork
def test_a_worked_lab_that_fails_marks_nobody(workers):
    notebook = small("def svd_loss(A, rank):\n    return 0.0")
    with pytest.raises(RuntimeError, match="the worked x does not pass: svd-check"):
        mark_class._given({"x": notebook}, [1], LIMITS, workers, None)
