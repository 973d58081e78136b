"""A teacher's file of a lab is read whole, or refused, and fits its lab."""

import re

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labchecks import hunts
from teaching import hunt, labs, lesson
from teaching.handing_out import guide
from teaching.handing_out.outline import outline
from tests import ROOT

OUTLINES = {labs.number(name): outline(lab) for name, lab in labs.read().items()}
WRITTEN = [path.stem for path in sorted(lesson.LESSONS.glob("*.toml"))]

WHOLE = """
objectives = [["3.1"], ["3.1", "3.2b"]]
[plan]
cut_for_45 = ["Train it properly", "Exercise 3.2"]
cut_for_90 = []
second_half = "One number"
[[expect]]
ask = "Why?"
answer = "So."
[rubric]
"3.2b" = ["1: a unit", "1: a row"]
[hunt]
cell = "evaluate-solution"
symptoms = ["one", "two", "three", "four"]
[[hunt.bug]]
old = "dim=1"
new = "dim=0"
symptom = "a"
why = "Along the rows."
[[hunt.bug]]
old = "mean()"
new = "sum()"
symptom = "d"
why = "No mean."
held = true
"""


def read(folder, text):
    """Read a lesson with such a text."""
    (folder / "03.toml").write_text(text, encoding="utf-8")
    return lesson.read("03", folder)


def test_a_lesson_is_read_whole(tmp_path):
    found = read(tmp_path, WHOLE)
    bugs = (
        lesson.Bug("dim=1", "dim=0", "a", "Along the rows."),
        lesson.Bug("mean()", "sum()", "d", "No mean.", held=True),
    )
    assert found == lesson.Lesson(
        objectives=(("3.1",), ("3.1", "3.2b")),
        cut_for_45=("Train it properly", "Exercise 3.2"),
        second_half="One number",
        expect=(lesson.Expect("Why?", "So."),),
        rubric={"3.2b": ("1: a unit", "1: a row")},
        hunt=lesson.Hunt("evaluate-solution", ("one", "two", "three", "four"), bugs),
    )


def test_a_lab_without_a_file_has_an_empty_lesson(tmp_path):
    assert lesson.read("03", tmp_path) == lesson.Lesson()
    assert read(tmp_path, "") == lesson.Lesson()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[plan]", "[plans]", "plans is not known"),
        ("cut_for_90 = []", 'cut_for_90 = "all"', "plan.cut_for_90 must be a list"),
        ("cut_for_90 = []", "cut_for_90 = [1]", "plan.cut_for_90 must be a list of"),
        ("cut_for_90", "cut_for_60", "plan.cut_for_60 is not known"),
        ('[["3.1"], ', '["3.1", ', r"objectives\[0\] must be a list of texts"),
        ('answer = "So."', "", r"expect\[0\].answer is missing"),
        ('answer = "So."', 'answer = ""', r"expect\[0\].answer must be a text"),
        ('["1: a unit", "1: a row"]', "[2]", "rubric.'3.2b' must be a list"),
        (', "four"]', "]", "hunt.symptoms must be four texts, got 3"),
        ('symptom = "d"', 'symptom = "e"', r"hunt.bug\[1\].symptom must be a, b, c or"),
        ('new = "dim=0"', 'new = "dim=1"', r"hunt.bug\[0\].old and new must differ"),
        ('new = "sum()"', 'new = "a\\nb"', r"hunt.bug\[1\].old and new .* one line"),
        ("held = true", 'held = "yes"', r"hunt.bug\[1\].held must be a bool"),
        ("[hunt]", "[hunt", "line"),  # no TOML
    ],
)
def test_what_is_of_another_form_is_refused_by_name(tmp_path, old, new, said):
    assert WHOLE.count(old) == 1
    with pytest.raises(ValueError, match=rf"^lessons/03\.toml: .*{said}"):
        read(tmp_path, WHOLE.replace(old, new))


def misfits(lab, plan):
    """Return what of a lesson doesn't fit the outline of its lab, a list of str."""
    tasks = {task.number for task in lab.tasks}
    known = tasks | {vote.name for vote in lab.votes if vote.name}
    named = {name for names in plan.objectives for name in names}
    written = {task.number: task.points for task in lab.tasks if task.is_written}
    found = [f"no objective names {name}" for name in sorted(tasks - named)]
    found += [f"objectives: the lab has no {name}" for name in sorted(named - known)]
    if len(plan.objectives) != len(lab.objectives) or not all(plan.objectives):
        found.append(f"objectives: {len(lab.objectives)} bullets, each with something")
    if {name: len(lines) for name, lines in plan.rubric.items()} != written:
        found.append(f"rubric: a line for each point of {written}")
    if not all(
        each.startswith("1: ") for lines in plan.rubric.values() for each in lines
    ):
        found.append("rubric: each line begins with 1:")
    if len(plan.expect) != 3:
        found.append(f"expect: three questions, not {len(plan.expect)}")
    try:
        ways = {way.name: way.lengths for way in guide.schedules(lab, plan)}
    except ValueError as error:
        return [*found, str(error)]
    if list(ways) != list(guide.SCHEDULES):
        found.append(f"plan: for {', '.join(guide.SCHEDULES)}")
    for name, lengths in ways.items():
        most = 90 if name == "90 minutes" else 45
        if max(lengths) > most or len(lengths) != 1 + name.startswith("2"):
            found.append(f"plan: {name} has {lengths} minutes")
    return found


@pytest.mark.parametrize("number", WRITTEN)
def test_a_lesson_fits_its_lab(number):
    assert misfits(OUTLINES[number], lesson.read(number)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"objectives": ()}, "no objective names 3.1"),
        ({"objectives": (("3.1", "3.9"),) * 4}, "objectives: the lab has no 3.9"),
        ({"objectives": (("3.1",),) * 3}, "objectives: 4 bullets"),
        ({"rubric": {"3.2b": ("1: all",)}}, "rubric: a line for each point"),
        ({"expect": ()}, "expect: three questions, not 0"),
        ({"cut_for_45": ()}, "plan: for 45 minutes, 90 minutes, 2 × 45"),
        ({"cut_for_45": ("Exercise 3.1",)}, "plan: 45 minutes has"),
        (
            {"cut_for_45": ("Exercise 3.9",)},
            "must name a part of the lab, got 'Exercise",
        ),
        ({"second_half": "Summary"}, "plan: 2 × 45 minutes has"),
        ({"second_half": "What?"}, "must name a part of the lab, got 'What?'"),
        ({"cut_for_90": ("Opening",), "second_half": "Opening"}, "can't begin with"),
    ],
)
def test_what_does_not_fit_is_seen(change, said):
    found = misfits(OUTLINES["03"], lesson.read("03")._replace(**change))
    assert any(said in each for each in found), found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("expect = [1]", r"expect\[0\] must be a table, got 1"),
        ("hunt = 3", "hunt must be a table, got 3"),
        ('objectives = [["3.1", " "]]', r"objectives\[0\] must be a list of texts"),
        ("[plan]\nsecond_half = 2", "plan.second_half must be a text, got 2"),
        ("[hunt]\ncell = 'a'\nsymptoms = []", "hunt.bug is missing"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_name(tmp_path, text, said):
    with pytest.raises(ValueError, match=rf"^lessons/03\.toml: {said}"):
        read(tmp_path, text)


def test_the_weeks_of_a_course_fit_and_leave_five_minutes():
    text = (ROOT / "docs" / "plan-a-course.md").read_text(encoding="utf-8")
    weeks = re.findall(r"^\| \d \| (.+) \| (\d+) \| .+ \|$", text, re.M)
    assert len(weeks) == 5
    for said, stated in weeks:
        (lab,) = [OUTLINES[number] for number in re.findall(r"lab (\d\d)", said)]
        left_out = re.findall(r"Exercise \d\.\d\w?", said)
        cut = [task.minutes for task in lab.tasks if task.name in left_out]
        assert len(cut) == len(left_out)
        besides = sum(map(int, re.findall(r"\((\d+)\)", said)))
        assert int(stated) == lab.minutes - sum(cut) + besides <= 85, said


# --- The bugs of its hunt ------------------------------------------------------------

CODE = "def f(x):\n    y = x + 1\n    return y"
HELD = lesson.Bug("x + 1", "x - 1", "b", "It is less.", held=True)
OPEN = lesson.Bug("return y", "return x", "a", "It is x.")
FOUR = ("one", "two", "three", "four")


def pool_of(*bugs, cell="here", **kwargs):
    solution = "### BEGIN SOLUTION\n{}\n### END SOLUTION\n"
    source = solution.format("line = 2") + solution.format(f"g = 1\n{CODE}\n")
    lab = new_notebook(cells=[new_code_cell(source, id="here")])
    return hunt.pool(lab, lesson.Hunt(cell, FOUR, bugs), **kwargs)


def test_a_pool_has_the_open_bugs_or_those_held_back():
    made = pool_of(HELD, OPEN)
    opened = hunts.Bug(3, "    return x", "a", "It is x.")
    assert made == hunts.Pool(CODE, list(FOUR), [opened])
    held = hunts.Bug(2, "    y = x - 1", "b", "It is less.")
    assert pool_of(HELD, OPEN, held=True).bugs == [held]


@pytest.mark.parametrize("number", WRITTEN)
def test_what_is_sealed_for_students_are_the_open_bugs_of_their_lab(number):
    plan = lesson.read(number).hunt
    if plan:
        hunted, _ = hunts.bug_hunt("9.1", hunt.sealed(number))
        reasons = [bug.why for bug in hunted.pool.bugs]
        assert reasons == [bug.why for bug in plan.bugs if not bug.held]


@pytest.mark.parametrize("old", ["x + 2", "x"])
def test_what_a_bug_changes_is_in_the_function_once(old):
    with pytest.raises(ValueError, match=re.escape(f"function once, got '{old}'")):
        pool_of(OPEN._replace(old=old))


def test_a_hunt_without_a_function_or_a_lab_without_a_hunt_is_named(monkeypatch):
    with pytest.raises(ValueError, match="cell 'there' must have a solution"):
        pool_of(OPEN, cell="there")
    with pytest.raises(ValueError, match="a \\[hunt\\] in its lesson, got '99'"):
        hunt.sealed("99")
    monkeypatch.setattr(lesson, "read", lambda number: lesson.Lesson())
    with pytest.raises(ValueError, match="got '03'"):
        hunt.sealed("03")
