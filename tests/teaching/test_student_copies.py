"""The students' copies: nothing of the solutions, and labs that run all the same.

Without answers every copy is run. With right ones and with wrong ones only one lab is,
since nbval runs the worked labs; set EVERY_COPY to run all (minutes).
"""

import ast
import copy
import html
import json
import os
import re

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from teaching import labs, lesson
from teaching.execute_notebook import execute
from teaching.handing_out import leaks, students_zip
from teaching.handing_out.handouts import student_files, written
from teaching.handing_out.student_copy import student_copies, student_copy
from tests import ROOT

WORKED = labs.read()
LABS = {f"{lab}.ipynb": notebook for lab, notebook in WORKED.items()}
COPIES = {f"{lab}.ipynb": copy for lab, copy in student_copies(WORKED).items()}
FILES = student_files(WORKED, written(student_copies(WORKED)))
HELPERS = "\n".join(
    content.decode()
    for name, content in FILES.items()
    if name.startswith(("labhelpers/", "labchecks/"))
)
EVERY = list(LABS) if os.environ.get("EVERY_COPY") else []
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
GRADED = {"schema_version": 3, "grade": False, "locked": False, "task": False}
STUB = r"# YOUR ((CODE|ANSWER) HERE \(.+\)|NAME HERE, between the quotes above\.)"
PROGRESS = """
import json
print(json.dumps(checks.progress()["state"].to_dict()))
"""


def pieces(cell):
    """Split a worked cell into what stands before, in and after its solution."""
    lines = cell.source.split("\n")
    marks = [i for i, line in enumerate(lines) if BEGIN in line or END in line]
    if not marks:
        return None
    begin, end = marks
    parts = lines[:begin], lines[begin + 1 : end], lines[end + 1 :]
    return ["\n".join(part) for part in parts]


def pairs(name):
    return list(zip(LABS[name].cells, COPIES[name].cells, strict=True))


def stub(worked, cell):
    """Return what stands in the copy between what the worked cell leaves."""
    before, _, after = pieces(worked)
    inside = cell.source.removeprefix(before).removesuffix(after)
    assert "\n".join(filter(None, [before, inside.strip("\n"), after])) == cell.source
    return inside.strip("\n")


def graded(source, *, kind=new_code_cell, solution=True, **metadata):
    cell = kind(source, id="answer-here")
    grader = GRADED | {"grade_id": "answer", "solution": solution} | metadata
    cell.metadata["nbgrader"] = grader
    return cell


# --- The copies, cell by cell --------------------------------------------------------


@pytest.mark.parametrize("name", LABS)
def test_a_copy_is_the_lab_without_its_solutions(name):
    for worked, cell in pairs(name):
        assert (cell.id, cell.cell_type) == (worked.id, worked.cell_type)
        if not pieces(worked):
            assert cell.source == worked.source
        elif cell.cell_type == "code":
            assert re.search(STUB, stub(worked, cell))
            ast.parse(cell.source)
        else:
            assert stub(worked, cell).startswith("*YOUR ANSWER HERE (Question ")


@pytest.mark.parametrize("name", LABS)
def test_a_stub_names_the_exercise_above_it(name):
    heading = ""
    for worked, cell in pairs(name):
        if numbers := re.findall(r"(?:Exercise|Question) [\d.]+b?(?= ·)", cell.source):
            heading = numbers[-1]
        elif pieces(worked) and "checks.hunt(" not in cell.source:
            asked = "your prediction" if "prediction(" in cell.source else heading
            assert f"HERE ({asked})" in cell.source


def test_a_letter_goes_between_quotes_that_are_there():
    cell = graded(f'{BEGIN}\nanswer = "c"\n{END}\nchecks.prediction("x", answer)')
    cell.source = f'answer = ""  # a, b or c\n{cell.source}'
    cell.metadata["jupyter"] = {"source_hidden": True}
    (copied,) = student_copy(new_notebook(cells=[cell])).cells
    first, note, last = copied.source.split("\n")
    assert (first, last) == (
        'answer = ""  # a, b or c',
        'checks.prediction("x", answer)',
    )
    assert note.startswith("# YOUR ANSWER HERE (your prediction), between the quotes")
    assert copied.metadata["jupyter"] == {"source_hidden": True}


@pytest.mark.parametrize("name", LABS)
def test_only_answers_can_be_changed_and_nothing_deleted(name):
    for worked, cell in pairs(name):
        assert cell.metadata["deletable"] is False
        assert cell.metadata.get("editable", True) is bool(pieces(worked))


@pytest.mark.parametrize("name", LABS)
def test_a_copy_has_no_outputs_and_is_valid(name):
    for cell in COPIES[name].cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    nbformat.validate(COPIES[name])
    assert "SOLUTION" not in nbformat.writes(COPIES[name])


@pytest.mark.parametrize("name", LABS)
def test_the_lab_is_left_alone_and_the_copy_is_always_the_same(name):
    before = copy.deepcopy(LABS[name])
    assert student_copy(LABS[name]) == COPIES[name]
    assert LABS[name] == before


def test_hidden_tests_and_marking_notes_are_left_out():
    test = "assert f(1) == 1\n### BEGIN HIDDEN TESTS\nassert f(7) == 49\n"
    cell = graded(
        test + "### END HIDDEN TESTS", solution=False, grade=True, locked=True, points=1
    )
    result = student_copy(new_notebook(cells=[cell]))
    assert result.cells[0].source == "assert f(1) == 1"


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (graded(f"{BEGIN}\nx = 1"), "no end solution"),
        (graded(f"{BEGIN}\n{BEGIN}\nx = 1\n{END}"), "nested"),
        (new_code_cell(f"{BEGIN}\nx = 1\n{END}", id="answer-here"), "non-solution"),
        (graded(f"if True:\n{BEGIN}\n    x = 1\n{END}"), "Python with its stub"),
        (graded("f(1)\n### BEGIN HIDDEN TESTS", solution=False), "hidden tests"),
    ],
)
def test_a_lab_that_cannot_be_cut_is_refused_by_name(cell, words, caplog):
    with pytest.raises(ValueError, match="answer-here") as refused:
        student_copy(new_notebook(cells=[cell]))
    assert words in str(refused.value)


def test_two_answers_of_one_name_are_refused():
    one, other = (graded(f"{BEGIN}\nx = 1\n{END}") for _ in range(2))
    other.id = "another"
    with pytest.raises(ValueError, match="metadata that nbgrader accepts"):
        student_copy(new_notebook(cells=[one, other]))


# --- Leaks ---------------------------------------------------------------------------

# What is shown as a lesson in a lab, before an exercise asks to put it together.
SHOWN = """
A -= lr * A.grad
A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
A.grad = B.grad = None
B -= lr * B.grad
U.grad = V.grad = None
loss = ((A - U @ V.T) ** 2).sum()
loss.backward()
losses.append(loss.item())
with torch.no_grad():
""".strip().split("\n")


def hunted(name):
    """Return what the hunt of a lab shows, "" if there is none."""
    cells = [cell for cell in LABS[name].cells if "checks.hunt(" in cell.source]
    return "\n".join(cell.outputs[0].data["text/plain"] for cell in cells)


def own_secrets(name):
    """Return the lines to look for in one lab, found without ``leaks``."""
    lines = set()
    for cell in LABS[name].cells:
        if parts := pieces(cell):
            lines |= {line.strip() for line in parts[1].split("\n")}
    lines = {line for line in lines if len(line) >= 12 and line not in hunted(name)}
    return {line for line in lines if line not in HELPERS and line not in SHOWN}


@pytest.mark.parametrize("name", LABS)
def test_no_line_of_a_solution_is_in_a_copy(name):
    content = FILES[f"notebooks/{name}"]
    lines = own_secrets(name)
    assert lines
    assert lines <= set(leaks.secrets({name[:-6]: LABS[name]}, HELPERS))
    assert leaks.found(lines, content) == []
    assert leaks.found(lines, nbformat.writes(LABS[name]).encode()) == sorted(lines)


def test_no_line_of_any_solution_is_in_the_zip():
    lines = set().union(*map(own_secrets, LABS))
    for name, content in FILES.items():
        assert (name, leaks.found(lines, content)) == (name, [])


def test_what_a_lab_shows_of_its_solutions_is_meant():
    assert sorted(leaks.shown(WORKED)) == sorted(SHOWN)


LEAK = "truncated = P[:, :rank] * s[:rank] @ Qt[:rank]"  # of lab 01


def spoilt(plant):
    """Return a copy of lab 01 with something planted in it."""
    result = copy.deepcopy(COPIES["01_factorisation.ipynb"])
    plant(result, LEAK)
    return nbformat.writes(result).encode()


def in_text(lab, line):
    lab.cells.append(new_markdown_cell(f"One writes `{line}`, of course."))


def in_wrapped_text(lab, line):
    wrapped = line.replace(" @", "\n  @")
    lab.cells.append(new_markdown_cell(f"One writes {wrapped}"))


def in_metadata(lab, line):
    lab.cells[3].metadata["nbgrader"] = {"was": ["def f():", line]}


def in_notebook_metadata(lab, line):
    lab.metadata[line] = 1


def in_an_output(lab, line):
    lab.cells[1].outputs = [new_output("stream", text=f'"{line}"\n')]


def in_html(lab, line):
    page = {"text/html": f"<pre>{html.escape('a < b; ' + line)}</pre>"}
    lab.cells[1].outputs = [new_output("display_data", page)]


@pytest.mark.parametrize(
    "plant",
    [
        in_text,
        in_wrapped_text,
        in_metadata,
        in_notebook_metadata,
        in_an_output,
        in_html,
    ],
)
def test_a_planted_leak_is_found(plant):
    content = spoilt(plant)
    assert leaks.found(own_secrets("01_factorisation.ipynb"), content) == [LEAK]


def in_capitals(text):
    return re.sub(r"\\[ux]\w+", lambda m: m[0][:2] + m[0][2:].upper(), ascii(text))


@pytest.mark.parametrize("written", [ascii, in_capitals, json.dumps, html.escape, str])
@pytest.mark.parametrize(
    "place",
    [
        lambda text: {"cells": [{"source": [text]}]},
        lambda text: {"cells": [{"metadata": {"nbgrader": {text: 1}}}]},
        lambda text: {"metadata": {"a": [{"b": text}]}},
        lambda text: {"cells": [{"outputs": [{"data": {"text/plain": text}}]}]},
    ],
    ids=["source", "key", "metadata", "output"],
)
def test_a_leak_is_found_wherever_and_however_it_is_written(place, written):
    line = 'print("a ≠ b" if a < b else f"{σ}« \'ÿ\'")'
    content = json.dumps(place(written(line))).encode()
    assert leaks.found([line], content) == [line]


def test_a_sentence_of_a_written_answer_and_code_without_its_comment_are_secret():
    lines = leaks.secrets(WORKED, HELPERS)
    assert "predicted_gradient = 0.0" in lines
    (where,) = {where for line, where in lines.items() if "whatever method" in line}
    assert where == "01_factorisation.ipynb, why-answer"
    assert any(line.startswith("The floor is the sum") for line in lines)


@pytest.mark.parametrize("name", LABS)
def test_what_only_the_teacher_has_is_secret(name):
    """Answers, rubric, and of the hunt all reasons, and the lines that are kept."""
    found = lesson.read(name[:2])
    texts = [each.answer for each in found.expect]
    texts += [line for lines in found.rubric.values() for line in lines]
    texts += [bug.why for bug in found.hunt.bugs] if found.hunt else []
    lines = leaks.secrets({name[:-6]: LABS[name]}, HELPERS)
    for text in texts:
        assert any(line in text for line in lines), text
    code = "\n".join(pieces(cell)[1] for cell in LABS[name].cells if pieces(cell))
    seen = "\n".join(cell.source for cell in COPIES[name].cells) + hunted(name)
    for bug in found.hunt.bugs if found.hunt else ():
        changed = [line for line in code.split("\n") if bug.old in line]
        wrong = {line.replace(bug.old, bug.new).strip() for line in changed}
        is_open = any(line in seen for line in wrong)
        assert wrong & set(lines) or is_open or not bug.held, bug


def test_what_is_just_long_enough_is_secret(monkeypatch):
    """Lines of a solution and of a bug from 12 characters on, sentences from 30."""
    code = "def f(x):\n    y = 12345678\n    z = 1234567\n    return x + y"
    cell = graded(f"{BEGIN}\n{code}\n{END}")
    bugs = [("x + y", "x - y"), ("12345678", "1234567")]
    bugs = tuple(lesson.Bug(*each, "a", "Short.", held=True) for each in bugs)
    told = lesson.Lesson(
        expect=(lesson.Expect("Why?", f"{'a' * 29}. {'b' * 28}."),),
        hunt=lesson.Hunt("answer-here", ("1", "2", "3", "4"), bugs),
    )
    monkeypatch.setattr(lesson, "read", lambda number: told)
    lines = leaks.secrets({"09_new": new_notebook(cells=[cell])}, "")
    code = {"y = 12345678", "return x + y", "return x - y"}
    assert set(lines) == code | {"a" * 29 + "."}


def test_a_bug_that_stays_with_the_teacher_stops_the_build(monkeypatch):
    (held, *_) = [bug for bug in lesson.read("03").hunt.bugs if bug.held]
    original, spoil = students_zip.contents, {}
    monkeypatch.setattr(students_zip, "contents", lambda *a: original(*a) | spoil)
    for told in f"hidden = {held.new}", held.why:
        spoil["START-HERE.txt"] = f"One of them is: {told} That is it.".encode()
        with pytest.raises(ValueError, match=r"START-HERE.txt .*lessons/03.toml"):
            student_files(WORKED, {})


def test_the_zip_says_nowhere_whose_bug_is_which(monkeypatch):
    """It is the same whoever asks for it, and names nobody who hunts."""
    for user in "ada", "grace":
        monkeypatch.setenv("JUPYTERHUB_USER", user)
        assert student_files(WORKED, written(student_copies(WORKED))) == FILES
    names = ["Ada Lovelace", "ada lovelace", "adalovelace"]  # of the worked labs
    for name, content in FILES.items():
        assert leaks.found(names, content) == [], name


def test_a_leak_stops_the_build(monkeypatch, tmp_path):
    page = tmp_path / students_zip.PAGE
    page.write_text(f"Tip: {LEAK}")
    original = students_zip.contents
    spoil = {"START-HERE.txt": page.read_bytes()}
    monkeypatch.setattr(students_zip, "contents", lambda *a: original(*a) | spoil)
    with pytest.raises(ValueError, match=r"START-HERE.txt .*svd-solution"):
        student_files(WORKED, {})


# --- Run -----------------------------------------------------------------------------


def run(notebook, **env):
    """Execute a notebook as it is; return the state of each exercise."""
    notebook.cells.append(new_code_cell(PROGRESS, id="progress-of-all"))
    # Raises where a cell does, unless it is tagged raises-exception.
    execute(notebook, ROOT / "notebooks", OMP_NUM_THREADS="1", **env)
    return json.loads(notebook.cells[-1].outputs[-1].text)


def filled(name, answer):
    """Return a copy with ``answer(worked cell, its solution)`` for each code stub."""
    result = copy.deepcopy(COPIES[name])
    for worked, cell in zip(LABS[name].cells, result.cells):
        if (parts := pieces(worked)) and cell.cell_type == "code":
            cell.source = "\n".join([parts[0], answer(worked, parts[1]), parts[2]])
    return result


def wrong_answer(worked, solution):
    """Return an answer of the wrong kind, and to every third question none."""
    if len(worked.source) % 3 == 0:
        indent = re.match(r"\s*", solution)[0]
        return f"{indent}raise NotImplementedError" if indent else "pass"
    if solution.startswith(" "):
        return "    return 'a text'"
    names = re.findall(r"^(\w+) = ", solution, re.M)
    return "\n".join(f"{name} = 'a text'" for name in names)


@pytest.mark.apart
@pytest.mark.parametrize("name", LABS)
def test_a_copy_without_answers_runs_to_its_end_and_calls_nobody(name, tmp_path):
    notebook, notes = copy.deepcopy(COPIES[name]), tmp_path / "notes"
    spied = os.pathsep.join([str(ROOT / "tests" / "labs" / "spy"), str(ROOT)])
    states = run(notebook, PYTHONPATH=spied, SPY_NOTES=str(notes))
    # A function is not checked before its bug is found.
    assert list(states.values()).count("not checked") == bool(hunted(name))
    assert set(states.values()) <= {"not begun", "not checked"}
    said = [shown(out) for cell in notebook.cells for out in cell.get("outputs", [])]
    goes_on = [text for text in said if "the lab goes on with training." in text]
    written = [c for c in COPIES[name].cells if "the lab goes on with" in c.source]
    assert len(goes_on) == len(written)
    assert set(notes.read_text().split()) <= {"localhost", "127.0.0.1", "::1", "None"}


@pytest.mark.parametrize("name", LABS)
def test_with_its_solutions_put_back_a_copy_is_the_lab_in_which_all_is_right(name):
    again = filled(name, lambda worked, solution: solution)
    for worked, cell in zip(LABS[name].cells, again.cells, strict=True):
        if cell.cell_type == "code":
            assert ast.unparse(parsed(cell)) == ast.unparse(parsed(worked))
    said = [shown(out) for cell in LABS[name].cells for out in cell.get("outputs", [])]
    verdicts = re.findall(r"^(?:Exercise|Prediction) .+?: (\w+)", "\n".join(said), re.M)
    assert "right" in verdicts
    assert set(verdicts) <= {"right", "noted"}


@pytest.mark.apart
@pytest.mark.parametrize("name", EVERY or list(LABS)[1:2])
def test_with_its_solutions_put_back_every_check_passes(name):
    states = run(filled(name, lambda worked, solution: solution))
    assert set(states.values()) == {"right"}
    asked = [cell.source for cell in LABS[name].cells if "checks." in cell.source]
    calls = r"checks\.(?!progress|prediction|outcome|hunt)\w+\([\[\w]+"
    asked = set(re.findall(calls, "\n".join(asked)))
    assert len(states) == len(asked)


@pytest.mark.apart
@pytest.mark.parametrize("name", EVERY or list(LABS)[:1])
def test_wrong_answers_do_not_stop_a_lab(name):
    states = run(filled(name, wrong_answer))
    hunts = {title.split(",")[0] for title in states if title.endswith(", bug_found")}
    # What was to be mended is asked for when the bug is found.
    asked = {
        title: state
        for title, state in states.items()
        if title.split(",")[0] not in hunts or title.endswith(", bug_found")
    }
    assert {"not right yet"} <= set(asked.values()) <= {"not right yet", "not begun"}


def shown(output):
    return output.get("text") or output.get("data", {}).get("text/plain", "")


def parsed(cell):
    return ast.parse(TransformerManager().transform_cell(cell.source))
