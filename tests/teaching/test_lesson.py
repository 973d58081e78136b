"""A teacher's file of a lab is read whole, or refused by the name of file and key."""

import pytest

from teaching import lesson

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
        ("cut_for_90 = []", "cut_for_90 = [1]", "plan.cut_for_90 must be a list of te"),
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


def test_each_lesson_of_the_pack_can_be_read():
    for path in lesson.LESSONS.glob("*.toml"):
        assert lesson.read(path.stem) != lesson.Lesson()
