"""Marks find their way back into Moodle and Canvas, and to nobody else."""

import copy
import csv
import io
import shutil
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from teaching import __main__
from teaching.marking import (
    feedback,
    give_back,
    gradebook,
    mark_class,
    platform_tables,
    restore_cells,
    submissions,
    whose,
)
from tests.teaching import made_up_class as made

LAB, OTHER = "02_pca_comparison", "00_autograd"
WRITTEN = "claim-answer"  # of LAB: 2 points
COPIES = {lab: made.empty(lab) for lab in (LAB, OTHER)}
MOST = {LAB: 11, OTHER: 9}
HEAD = (
    "Identifier,Full name,Email address,Status,Grade,Maximum grade,"
    "Grade can be changed,Last modified (submission),Last modified (grade),"
    "Feedback comments"
)
WORKSHEET = "\ufeff" + "\r\n".join(
    [
        f'{HEAD},"Seat, row"',
        'Participant 3,"李 雷",li@a.test,Submitted for grading,,11.00,Yes,'
        '"Monday, 2 March 2026, 9:15 AM",-,,"3, ""left"""',
        "Participant 2,Kim Lee,kim2@a.test,Submitted for grading,,11.00,Yes,-,-,,",
        "Participant 9,Kim Lee,kim9@a.test,No submission,,11.00,Yes,-,-,Ill until May,",
        'Participant 1,Kim Lee,kim1@a.test,Submitted for grading,"",11.00,Yes,-,-,,',
    ]
)
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Essay (70),Lab 2: PCA (71),"
    "Final Score\n"
    ",,,,,,Manual Posting,\n"
    "    Points Possible,,,,,10.00,22.00,(read only)\n"
    '"Smith, Anna",4711,,anna,A,7.50,,75\n'
    '"Smith, Anna",4712,,anna2,A,,3.00,\n'
    '"Nobody, Nora",4713,,nora,A,,,\n'
    '"Ill, Ida",4714,,ida,A,,EX,\n'
)


def mark_of(student, lab, right):
    """Return a Mark as it is after a run, with the verdicts that are wanted."""
    notebook, notes = restore_cells.mended(student.files[lab][0].cells, COPIES[lab])
    for cell in notebook.cells:
        if cell.id in made.graded(lab):
            name = {"ename": "NotRight", "evalue": "no", "traceback": ["no"]}
            text = {"name": "stdout", "text": "Marked on other problems: yes"}
            cell.outputs = [
                new_output("stream", **text)
                if cell.id in right
                else new_output("error", **name)
            ]
    return mark_class.Mark(notebook, dict.fromkeys(right, True), notes, 1.0)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """An empty course with both labs."""
    course = tmp_path_factory.mktemp("opened")
    gradebook.opened(course, COPIES)
    return course


def marked(opened, folder, course, right, *, again=None):
    """Mark a folder without running anything.

    ``right`` is {name: {lab: number of right checks}}.
    """
    shutil.copytree(opened, course)
    (course / "seed.txt").write_text("7\n")
    students = submissions.read(folder, COPIES)
    give_back.take_tables(folder, course)
    marks = {
        (each.id, lab): mark_of(each, lab, made.graded(lab)[: right[each.name][lab]])
        for each in students
        for lab in each.files
    }
    gradebook.keep(course, students, marks, again=again)
    return {each.name: each.id for each in students}


def answered(lab, text=None):
    notebook = made.filled(lab)
    return made.text(made.replaced(notebook, WRITTEN, text) if text else notebook)


def by_hand(course, student, points, comment=None, cell=WRITTEN, lab=LAB):
    """Enter points as the formgrader does."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grade = book.find_grade(cell, lab, lab, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        if comment:
            name = cell.replace("-check", "-solution")
            book.find_comment(name, lab, lab, student).manual_comment = comment
        book.db.commit()


def rows_of(path):
    text = Path(path).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def names_in(path):
    with zipfile.ZipFile(path) as archive:
        return sorted(archive.namelist())


@pytest.fixture(scope="module")
def moodle(opened, tmp_path_factory):
    """A class in Moodle's folders, marked: folder, course, and the students' ids."""
    folder = tmp_path_factory.mktemp("moodle")
    points = {"Kim Lee_1": 1, "Kim Lee_2": 2, "李 雷_3": 4, "=Eve_4": 3}
    made.write(
        folder,
        {
            f"{name}_assignsubmission_file_/{LAB}.ipynb": answered(LAB, f"I am {name}.")
            for name in points
        },
    )
    made.write(folder, {"Grades-Lab 2.csv": WORKSHEET.encode()})
    course = tmp_path_factory.mktemp("marking") / "one"
    ids = marked(opened, folder, course, {name: {LAB: n} for name, n in points.items()})
    return folder, course, ids


@pytest.fixture
def course(moodle, tmp_path):
    """A copy of the marked class, in which a test may write."""
    return shutil.copytree(moodle[1], tmp_path / "course")


def points_of(number):
    """Return the points for the first checks of LAB."""
    cells = {
        cell.id: cell.metadata["nbgrader"]
        for cell in COPIES[LAB].cells
        if "nbgrader" in cell.metadata
    }
    return sum(cells[name]["points"] for name in made.graded(LAB)[:number])


def test_moodles_worksheet_is_filled_in_and_nothing_else_of_it_changes(course):
    _, lines = give_back.write(course, unmarked=True)
    data = (course / "return" / LAB / "Grades-Lab 2.csv").read_bytes()
    want = WORKSHEET
    for number, right in {1: 1, 2: 2, 3: 4}.items():
        old = next(line for line in WORKSHEET.split("\r\n") if f"nt {number}," in line)
        empty = '"",11.00' if number == 1 else ",11.00"
        full = (
            f'"{points_of(right):.2f}",11.00'
            if number == 1
            else (f"{points_of(right):.2f},11.00")
        )
        want = want.replace(old, old.replace(empty, full, 1))
    assert data == want.encode()
    assert any("not in Grades-Lab 2.csv" in line and "=Eve_4" in line for line in lines)
    notes = (course / "return/notes.txt").read_text("utf-8")
    assert notes.splitlines() == lines


def test_the_verb_writes_it_and_says_what_was_left_out(course, capsys):
    assert __main__.main(["return", str(course)]) == 0
    said = capsys.readouterr().out
    assert "answers of 4 students are to be marked" in said
    assert __main__.main(["return", str(course), "--unmarked"]) == 0
    assert (course / f"return/{LAB}/points.csv").exists()
    (course / "points.csv").write_text("mine")
    assert __main__.main(["return", str(course)]) == 1
    assert "points.csv" in capsys.readouterr().out
    why = __main__.main(["return", str(course / "source")])
    assert why.startswith("Nothing was written: MARKING must be a folder that make gr")


def test_one_page_that_fails_costs_no_other(course, moodle, monkeypatch):
    page = feedback.page

    def failing(*args, student, **kwargs):
        if student == "Kim Lee_1":
            raise RecursionError("too deep")
        return page(*args, student=student, **kwargs)

    monkeypatch.setattr(feedback, "page", failing)
    _, lines = give_back.write(course, unmarked=True)
    assert f"{LAB}: no page of feedback for Kim Lee_1: too deep" in lines
    assert "too deep" in (course / "return/notes.txt").read_text("utf-8")
    assert len(list(course.glob("feedback/*/*/*.html"))) == 4
    assert "Lee_1" in "".join(names_in(course / f"return/{LAB}/moodle-feedback.zip"))


@pytest.mark.parametrize(
    ("title", "lab", "fits"),
    [
        ("Lab 2 (7)", LAB, True),
        ("LAB-02: PCA (7)", LAB, True),
        ("02_PCA_comparison (7)", LAB, True),
        ("Lab 20 (7)", LAB, False),
        ("Essay (7)", LAB, False),
        ("Lab 1 (2)", LAB, False),
        ("All labs (7)", give_back.ALL, True),
        ("Lab 2 (7)", give_back.ALL, False),
    ],
)
def test_a_column_of_canvas_is_the_labs_by_its_name_alone(tmp_path, title, lab, fits):
    head = f"Student,ID,SIS User ID,SIS Login ID,Section,{title}"
    # What Canvas works out is no column to fill in.
    worked_out = "Lab 2 and all labs Final Score (2026)"
    text = f"{head},{worked_out}\n Points Possible,,,,,11,(read only)\n"
    table = platform_tables.read(text.encode())
    column, why = give_back._column(table, lab)
    assert column == (5 if fits else None)
    assert bool(why) != fits
    twice = f"{head},{title.replace('7', '8')}\n Points Possible,,,,,11,11\n"
    assert give_back._column(platform_tables.read(twice.encode()), lab)[0] is None


def test_only_those_in_the_worksheet_get_feedback_by_it_and_all_are_in_the_plain_csv(
    course, moodle
):
    give_back.write(course, unmarked=True)
    folder = course / "return" / LAB
    assert names_in(folder / "moodle-feedback.zip") == [
        f"Kim Lee_1_assignsubmission_file_/{LAB}.html",
        f"Kim Lee_2_assignsubmission_file_/{LAB}.html",
        f"李 雷_3_assignsubmission_file_/{LAB}.html",
    ]
    with zipfile.ZipFile(folder / "moodle-feedback.zip") as archive:
        for name in archive.namelist():
            page = archive.read(name).decode()
            who = name.removesuffix(f"_assignsubmission_file_/{LAB}.html")
            assert f"I am {who}." in page
    rows = {row["student"]: row for row in rows_of(folder / "points.csv")}
    assert set(rows) == {"Kim Lee_1", "Kim Lee_2", "李 雷_3", "'=Eve_4"}
    assert float(rows["'=Eve_4"]["points"]) == points_of(3)
    assert {row["out of"] for row in rows.values()} == {"11.0"}


def test_nothing_goes_back_before_written_answers_are_marked(course, moodle):
    ids = moodle[2]
    _, lines = give_back.write(course)
    assert not (course / "return" / LAB).exists()
    assert any("answers of 4 students are to be marked" in line for line in lines)
    for points, student in enumerate(ids.values()):
        by_hand(course, student, points / 2, "Nearly <b>there</b>.")
    _, lines = give_back.write(course)
    assert not any("to be marked" in line for line in lines)
    rows = {row["id"]: row for row in rows_of(course / "points.csv")}
    sheet = {
        row["student"]: row for row in rows_of(course / f"return/{LAB}/points.csv")
    }
    for points, (name, student) in enumerate(ids.items()):
        assert float(rows[student][f"02 {WRITTEN} (2)"]) == points / 2
        right = {"Kim Lee_1": 1, "Kim Lee_2": 2, "李 雷_3": 4, "=Eve_4": 3}[name]
        due = points_of(right) + points / 2
        assert float(rows[student]["points"]) == due
        assert float(sheet[platform_tables.text(name)]["points"]) == due
        page = (course / f"feedback/{student}/{LAB}/{LAB}.html").read_text("utf-8")
        assert "Nearly &lt;b&gt;there&lt;/b&gt;." in page
        assert f"{due:g} of 11 points" in page
        assert "to be marked" not in page


def test_what_a_teacher_changed_is_left_or_kept_aside(course):
    give_back.write(course, unmarked=True)
    mine = course / "points.csv"
    mine.write_text("my own table")
    outcome, _ = give_back.write(course, unmarked=True)
    assert outcome.left == ["points.csv"]
    assert mine.read_text() == "my own table"
    outcome, _ = give_back.write(course, unmarked=True, force=True)
    kept = course / outcome.kept["points.csv"]
    assert kept.read_text() == "my own table"
    assert rows_of(mine)


def test_the_same_marking_gives_the_same_files(course):
    give_back.write(course, unmarked=True)
    outcome, _ = give_back.write(course, unmarked=True)
    assert outcome.written == outcome.removed == []
    # What is refused now goes away again.
    outcome, _ = give_back.write(course)
    assert f"return/{LAB}/moodle-feedback.zip" in outcome.removed


def test_without_a_worksheet_one_is_made_from_the_numbers_in_the_names(course):
    (course / "Grades-Lab 2.csv").unlink()
    _, lines = give_back.write(course, unmarked=True)
    assert lines == []
    assert "Nothing was left out" in (course / "return/notes.txt").read_text()
    text = (course / f"return/{LAB}/moodle-grades.csv").read_text("utf-8")
    # An empty comment would replace one that a teacher has written in Moodle.
    assert text.splitlines()[0] == HEAD.removesuffix(",Feedback comments")
    rows = {row["Identifier"]: row for row in csv.DictReader(io.StringIO(text))}
    got = {name: (row["Full name"], row["Grade"]) for name, row in rows.items()}
    assert got == {
        "Participant 1": ("Kim Lee", f"{points_of(1):.2f}"),
        "Participant 2": ("Kim Lee", f"{points_of(2):.2f}"),
        "Participant 3": ("李 雷", f"{points_of(4):.2f}"),
        "Participant 4": ("'=Eve", f"{points_of(3):.2f}"),
    }
    assert {row["Maximum grade"] for row in rows.values()} == {"11.00"}


def test_canvas_gets_its_gradebook_back_and_its_names_of_files(opened, tmp_path):
    folder, course = tmp_path / "in", tmp_path / "out"
    made.write(
        folder,
        {
            # Two attempts: feedback belongs to the later one.
            f"smithanna_4711_900_{LAB}-1.ipynb": answered(LAB, "a"),
            f"smithanna_4711_899_{LAB}.ipynb": answered(LAB, "first"),
            "smithanna_LATE_4712_901_my work.ipynb": answered(LAB, "b"),
            f"illida_4714_902_{LAB}.ipynb": answered(LAB, "c"),
            f"newnoah_4799_903_{LAB}.ipynb": answered(LAB, "d"),
            # One number under two names.
            f"x_5000_904_{LAB}.ipynb": answered(LAB, "e"),
            f"y_5000_905_{LAB}.ipynb": answered(LAB, "f"),
            "2026-03-01T1200_Grades-PCA.csv": CANVAS.encode(),
        },
    )
    right = ["smithanna_4711", "smithanna_4712", "illida_4714", "newnoah_4799"]
    right = dict.fromkeys([*right, "x_5000", "y_5000"], {LAB: 2})
    marked(opened, folder, course, right | {"smithanna_4711": {LAB: 1}})
    _, lines = give_back.write(course, unmarked=True)
    data = (course / f"return/{LAB}/2026-03-01T1200_Grades-PCA.csv").read_text()
    one, two = 2 * points_of(1), 2 * points_of(2)
    assert data == CANVAS.replace("7.50,,75", f"7.50,{one:.2f},75").replace(
        ",,3.00,", f",,{two:.2f},"
    )
    said = "\n".join(lines)
    assert "illida_4714 is EX there" in said
    assert "only in points.csv: newnoah_4799" in said
    assert "x_5000: their number stands for two names" in said
    assert "11 points are 22 in the table" in said
    assert names_in(course / f"return/{LAB}/canvas-feedback.zip") == [
        f"illida_4714_902_{LAB}.html",
        f"smithanna_4711_900_{LAB}.html",
        f"smithanna_LATE_4712_901_{LAB}.html",
    ]
    assert len(rows_of(course / f"return/{LAB}/points.csv")) == 6
    (course / "2026-03-01T1200_Grades-PCA.csv").unlink()
    give_back.write(course, unmarked=True)
    table = rows_of(course / f"return/{LAB}/canvas-grades.csv")
    assert list(table[0]) == [*platform_tables.CANVAS, LAB]
    assert (table[0]["Student"], table[0][LAB]) == ("    Points Possible", "11")
    got = {row["ID"]: float(row[LAB]) for row in table[1:]}
    assert got == {
        "4711": points_of(1),
        **dict.fromkeys(["4712", "4714", "4799"], points_of(2)),
    }


def test_labs_of_one_number_are_added_up_too(opened, tmp_path):
    folder, course = tmp_path / "in", tmp_path / "out"
    names = {"Ann_1": [LAB, OTHER], "Bob_2": [OTHER]}
    for name, labs in names.items():
        place = f"{name}_assignsubmission_file_"
        made.write(folder, {f"{place}/{lab}.ipynb": answered(lab) for lab in labs})
    marked(opened, folder, course, {n: {LAB: 5, OTHER: 2} for n in names})
    give_back.write(course, unmarked=True)
    alone = {lab: rows_of(course / f"return/{lab}/moodle-grades.csv") for lab in COPIES}
    both = rows_of(course / f"return/{give_back.ALL}/moodle-grades.csv")
    grades = {
        lab: {r["Identifier"][-1]: float(r["Grade"]) for r in rows}
        for lab, rows in [*alone.items(), ("both", both)]
    }
    assert list(grades[LAB]) == ["1"]
    assert grades["both"]["1"] == grades[LAB]["1"] + grades[OTHER]["1"]
    assert grades["both"]["2"] == grades[OTHER]["2"]
    assert both[0]["Maximum grade"] == f"{sum(MOST.values()):.2f}"
    assert names_in(course / f"return/{give_back.ALL}/moodle-feedback.zip") == [
        f"Ann_1_assignsubmission_file_/{OTHER}.html",
        f"Ann_1_assignsubmission_file_/{LAB}.html",
        f"Bob_2_assignsubmission_file_/{OTHER}.html",
    ]
    # Lab 00 has no written answers, so it need not wait for lab 02.
    give_back.write(course)
    left = {path.parent.name for path in (course / "return").glob("*/*")}
    assert left == {OTHER}


def test_a_marking_again_keeps_what_a_person_entered(opened, moodle, course, tmp_path):
    folder, _, ids = moodle
    for points, student in enumerate(ids.values()):
        by_hand(course, student, points / 2, f"comment {points}")
    check = made.graded(LAB)[-1]
    for name in ("Kim Lee_1", "Kim Lee_2"):
        by_hand(course, ids[name], 0.25, "on the code", cell=check)
    later = shutil.copytree(folder, tmp_path / "later")
    place = "Kim Lee_2_assignsubmission_file_"
    made.write(later, {f"{place}/{LAB}.ipynb": answered(LAB, "Changed.")})
    made.write(later, {f"A Late_0_assignsubmission_file_/{LAB}.ipynb": answered(LAB)})
    everybody = [*ids, "A Late_0"]
    new = tmp_path / "new"
    again = marked(opened, later, new, dict.fromkeys(everybody, {LAB: 0}), again=course)
    give_back.write(new, unmarked=True)
    rows = {row["id"]: row for row in rows_of(new / "points.csv")}
    written, code = (
        f"02 {WRITTEN} (2)",
        next(n for n in rows[again["Kim Lee_1"]] if n.startswith(f"02 {check} ")),
    )
    for points, name in enumerate(ids):
        row = rows[again[name]]
        page = (new / f"feedback/{row['id']}/{LAB}/{LAB}.html").read_text("utf-8")
        if name == "Kim Lee_2":
            assert row[written] == "to be marked"
            assert f"{points / 2:g} points by hand" in row["note"]
            assert f"comment {points}" in row["note"]
        else:
            assert float(row[written]) == points / 2
            assert f"comment {points}" in page
        # A point for code counts as long as all that was filled in is the same.
        assert float(row[code]) == (0.25 if name == "Kim Lee_1" else 0)
    assert rows[again["A Late_0"]][written] == "to be marked"
    with Gradebook(f"sqlite:///{new / 'gradebook.db'}") as book:
        waiting = {  # as the formgrader lists them
            name: book.find_grade(WRITTEN, LAB, LAB, student).needs_manual_grade
            for name, student in again.items()
        }
    assert {name for name in waiting if waiting[name]} == {"Kim Lee_2", "A Late_0"}
    assert gradebook.seed_of(course) == 7
    away = gradebook.left_behind(new, submissions.read(folder, COPIES))
    assert away == [f"A Late_0: {LAB}"]
    assert gradebook.left_behind(course, submissions.read(later, COPIES)) == []
    # The old folder is as it was.
    old = gradebook.read(course)
    assert old.grades[ids["Kim Lee_2"], LAB][check].points == 0.25


def test_what_a_person_entered_is_told_where_a_lab_cannot_be_marked_again(
    opened, moodle, course, tmp_path
):
    folder, _, ids = moodle
    by_hand(course, ids["Kim Lee_1"], 1.5, "well done")
    students = submissions.read(folder, COPIES)
    lost = mark_class.Mark(None, {}, [], 0.0, "a machine was lost")
    marks = {(each.id, LAB): lost for each in students}
    new = shutil.copytree(opened, tmp_path / "new")
    marks = gradebook.keep(new, students, marks, again=course)
    give_back.write(new)
    notes = {row["id"]: row["note"] for row in rows_of(new / "points.csv")}
    told = notes.pop(ids["Kim Lee_1"])
    assert f"02: {WRITTEN}: had 1.5 points by hand, and is not marked now" in told
    assert 'had the comment "well done"' in told
    assert not any("had" in note for note in notes.values())


def test_a_lab_that_is_not_handed_in_again_is_named(opened, tmp_path):
    files = {f"Ann/{lab}.ipynb": answered(lab) for lab in COPIES}
    made.write(tmp_path / "old", files)
    right = {"Ann": dict.fromkeys(COPIES, 1)}
    marked(opened, tmp_path / "old", tmp_path / "marked", right)
    made.write(tmp_path / "new", {f"Ann/{LAB}.ipynb": answered(LAB)})
    students = submissions.read(tmp_path / "new", COPIES)
    assert gradebook.left_behind(tmp_path / "marked", students) == [f"Ann: {OTHER}"]


def test_extra_credit_counts_and_is_kept_by_a_marking_again(
    opened, moodle, course, tmp_path
):
    folder, _, ids = moodle
    by_hand(course, ids["Kim Lee_1"], 1.5)
    check = made.graded(LAB)[0]
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for name in (WRITTEN, check):
            grade = book.find_grade(name, LAB, LAB, ids["Kim Lee_1"])
            grade.extra_credit = 0.25
        book.db.commit()
    new, right = tmp_path / "new", dict.fromkeys(ids, {LAB: 1})
    again = marked(opened, folder, new, right, again=course)
    for place, student in (course, ids["Kim Lee_1"]), (new, again["Kim Lee_1"]):
        grades = gradebook.read(place).grades[student, LAB]
        assert grades[WRITTEN] == feedback.Grade(1.75, 2, waits=False)
        assert grades[check].points == points_of(1) + 0.25
        assert not grades[check].waits
    other = gradebook.read(new).grades[again["Kim Lee_2"], LAB]
    assert other[WRITTEN].waits
    assert other[check].points == points_of(1)


def test_a_notebook_that_cannot_be_entered_costs_no_other(opened, moodle, tmp_path):
    folder, _, _ = moodle
    course = shutil.copytree(opened, tmp_path / "one")
    students = submissions.read(folder, COPIES)[:3]
    marks = {(each.id, LAB): mark_of(each, LAB, []) for each in students}
    (first, broken, failed), said = [(each.id, LAB) for each in students], "too long"
    notebook = copy.deepcopy(marks[broken].notebook)
    notebook.cells[made.at(notebook, WRITTEN)].metadata.nbgrader.grade_id = "x"
    marks[broken] = marks[broken]._replace(notebook=notebook)
    marks[failed] = mark_class.Mark(None, {}, [], 1.0, said)
    kept = gradebook.keep(course, students, marks)
    assert kept[first] == marks[first]
    assert kept[failed].failure == said
    assert kept[broken].failure.startswith("nbgrader: KeyError: ")
    grades = gradebook.read(course).grades
    assert set(grades[first]) == {*made.graded(LAB), WRITTEN}
    assert failed not in grades


def test_a_lab_that_nbgrader_refuses_is_named(tmp_path):
    twice = made.empty(LAB)
    cells = [cell for cell in twice.cells if "nbgrader" in cell.metadata]
    cells[1].metadata.nbgrader.grade_id = cells[0].metadata.nbgrader.grade_id
    with pytest.raises(RuntimeError, match=f"nbgrader refuses {LAB}: nbgrader: .*Err"):
        gradebook.opened(tmp_path, {LAB: twice})


def test_a_folder_that_is_no_marking_is_refused(tmp_path):
    for function in (give_back.write, gradebook.seed_of):
        with pytest.raises(ValueError, match="must be a folder that make grade made"):
            function(tmp_path)
    assert gradebook.seed_of(None) is None


@pytest.mark.filterwarnings("ignore:Object of type")
def test_points_are_entered_as_nbgrader_itself_enters_them(opened, moodle, tmp_path):
    """Its own autograder reads what was entered, in a course of its own."""
    _, marked_course, ids = moodle
    course = shutil.copytree(opened, tmp_path / "theirs")
    config = Config()
    config.CourseDirectory.root = str(course)
    # What the course tells the formgrader: nothing is run again.
    text = (course / "nbgrader_config.py").read_text()
    exec(text, {"get_config": lambda: config})
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    for name in ("Kim Lee_2", "李 雷_3"):
        student = ids[name]
        notebook = nbformat.read(gradebook.notebook_of(marked_course, student, LAB), 4)
        trap = f"open({str(tmp_path / 'ran')!r}, 'w')"
        made.replaced(notebook, "scores-solution", trap)
        if name == "李 雷_3":  # no answer
            source = COPIES[LAB].cells[made.at(COPIES[LAB], WRITTEN)].source
            made.replaced(notebook, WRITTEN, source)
        # One as it was entered in the fixture, one entered here.
        mark = mark_class.Mark(notebook, {}, [], 0.0)
        ours = shutil.copytree(opened, tmp_path / student)
        there = submissions.Student(
            student, name, {}, [], whose.Who("moodle", name, "1")
        )
        gradebook.keep(ours, [there], {(student, LAB): mark})
        path = gradebook.notebook_of(course, student, LAB)
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
        assert api.autograde(LAB, student)["success"]
        mine, theirs = gradebook.read(ours), gradebook.read(course)
        key = student, LAB
        assert mine.grades[key] == theirs.grades[key]
        assert mine.comments[key] == theirs.comments[key]
        waits = mine.grades[key][WRITTEN].waits
        assert waits == (name == "Kim Lee_2")
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["Kim Lee", "Kim_Lee", "Group_7-Kim/Lee", "_", "李_雷"]
)
def test_moodle_finds_the_number_in_the_names_of_the_zip(name):
    """By its own rule: the second of the parts between "_" of a folder's name."""
    student = submissions.Student("x", name, {}, [], whose.Who("moodle", name, "17"))
    path = give_back._name_in_zip(student, LAB, "moodle")
    folder, file = path.split("/")
    assert folder.split("_", 4)[1:4] == ["17", "assignsubmission", "file"]
    assert file == f"{LAB}.html"


def test_two_with_one_name_in_a_bug_hunt_are_noted():
    marks, students = {}, []
    sources = {"a": '"Ada  L"', "b": "'ada l' # me", "c": '"Bob"', "d": '""', "e": '""'}
    sources |= {"g": "1234", "h": '"1234"'}
    for name, source in sources.items():
        notebook = made.filled(LAB)
        made.replaced(notebook, "scores-solution", f"your_name = {source}\nline = 1")
        marks[name, LAB] = mark_class.Mark(notebook, {}, [], 0.0)
        students.append(submissions.Student(name, f"Student {name}", {}, []))
    marks["f", LAB] = mark_class.Mark(None, {}, [], 0.0, "failed")
    notes = gradebook.same_names(students, marks)
    assert {name for name, _ in notes} == {"a", "b", "g", "h"}
    assert notes["a", LAB].endswith(", as that of Student b")
    assert notes["b", LAB].endswith(", as that of Student a")


def test_the_sums_of_a_row_are_those_of_its_labs_and_what_is_missing_is_told(course):
    give_back.write(course, unmarked=True)
    names = {"Kim Lee_1": 1, "Kim Lee_2": 2, "李 雷_3": 4, "'=Eve_4": 3}
    for row in rows_of(course / "points.csv"):
        got = [float(row[name]) for name in ("points", "to be marked", "out of")]
        assert got == [points_of(names[row["student"]]), 2, sum(MOST.values())]
        assert row["note"].split("; ")[-1] == "00: not handed in"


def test_canvas_finds_feedback_by_the_file_that_was_handed_in_not_by_one_within():
    files = {
        lab: [
            submissions.File(f"smithanna_4711_{number}_work.zip/a/{lab}.ipynb", *rest)
            for number, *rest in [(900, lab, [], ""), (899, lab, [], "")]
        ]
        for lab in COPIES
    }
    who = whose.Who("canvas", "smithanna", "4711")
    student = submissions.Student("x", "smithanna_4711", files, [], who)
    # Two labs in one file have two pages.
    paths = [give_back._name_in_zip(student, lab, "canvas") for lab in COPIES]
    assert paths == [f"smithanna_4711_900_{lab}.html" for lab in COPIES]


@pytest.mark.parametrize(
    ("name", "kind", "want"),
    [
        (f"kim_7_8_{LAB}.ipynb", "file", whose.Who("canvas", "kim", "7")),
        (f"kim_7_{LAB}.ipynb", "file", None),  # 02 is the lab's
        (f"kim_{LAB}.ipynb", "file", None),
        ("kim.ipynb", "file", None),
        (f"kim_7_8_{LAB}", "folder", None),
    ],
)
def test_digits_of_a_labs_name_are_no_students_number(name, kind, want):
    assert whose.numbered(name, kind, [LAB]) == want


def test_names_are_alike_whatever_their_accents_and_order_and_no_others_are():
    jose, muller, miller = (
        whose.alike(whose.Who("file", name))
        for name in ("José Müller", "muller_JOSE 7", "Jose Miller")
    )
    assert jose == muller != miller


# --- Tables of platforms --------------------------------------------------------------


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_as_csv_reads_it(mark, end, separator):
    rows = [
        ["Identifier", "Grade", "Maximum grade", "Last modified (grade)", "a\nb"],
        ["Participant 1", "", "10,00", 'say "x"', "a" + separator + end + "b"],
        ["Participant 22", "5", "10,00", "", ""],
    ]
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator, lineterminator=end).writerows(rows)
    data = (mark + stream.getvalue()).encode()
    table = platform_tables.read(data)
    assert table.platform == "moodle"
    assert [[value for value, _, _ in row] for row in table.rows] == rows
    assert table.students == {"1": [1], "22": [2]}
    assert table.out_of(1, 1) == 10
    again = platform_tables.read(platform_tables.filled(table, 1, {1: "7.00"}))
    want = [rows[0], ["Participant 1", "7.00", *rows[1][2:]], rows[2]]
    assert [[value for value, _, _ in row] for row in again.rows] == want


@pytest.mark.parametrize("data", [b"", b'"', b"a,b,c,d\n1,2,3,4\n", b"\xff\xfeI\0d\0"])
def test_any_other_file_is_no_table(data):
    assert platform_tables.read(data) is None


def test_a_worksheet_of_another_assignment_is_none_of_this_one(course):
    """In Moodle numbers are of one assignment: there, nobody has one of these."""
    other = WORKSHEET.replace("Participant ", "Participant 100")
    (course / "Grades-Lab 2.csv").write_text(other, encoding="utf-8", newline="")
    _, [line] = give_back.write(course, unmarked=True)
    made_anew = (
        "nobody with a mark is in Grades-Lab 2.csv, so moodle-grades.csv was made"
    )
    assert line == f"{LAB}: {made_anew}"
    folder = course / "return" / LAB
    assert len(rows_of(folder / "moodle-grades.csv")) == 4
    assert len(names_in(folder / "moodle-feedback.zip")) == 4
    assert not (folder / "Grades-Lab 2.csv").exists()


def test_a_worksheet_that_moodle_will_not_read_is_named(course):
    table = f"{HEAD}\nParticipant 1,Kim,a,S,,11.00,Yes,-,-,".replace(",", ";")
    (course / "Grades-Lab 2.csv").write_text(table, encoding="utf-8")
    _, lines = give_back.write(course, unmarked=True)
    assert any("Grades-Lab 2.csv: was saved anew" in line for line in lines)


def test_feedback_is_packed(course):
    give_back.write(course, unmarked=True)
    with zipfile.ZipFile(course / "return" / LAB / "moodle-feedback.zip") as archive:
        for member in archive.infolist():
            assert member.compress_size < member.file_size / 2


def test_points_have_no_more_digits_than_were_given(course, moodle):
    for student in moodle[2].values():
        by_hand(course, student, 0.1)
        by_hand(course, student, 0.2, cell=made.graded(LAB)[-1])
    give_back.write(course)
    for path in ("points.csv", f"return/{LAB}/points.csv"):
        for row in rows_of(course / path):
            assert len(row["points"]) <= 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Section", "section", None),
        # Rows that an editor has cut.
        (
            ",A,7.50,,75",
            ",A",
            "smithanna_4711 is in a row that was cut off, so nothing",
        ),
        (",10.00,22.00,(read only)", ",10.00", "no column is called 02_pca_comparison"),
    ],
)
def test_a_table_that_was_cut_ends_nothing(opened, tmp_path, old, new, said):
    folder, course = tmp_path / "in", tmp_path / "out"
    table = CANVAS.replace(old, new)
    assert table != CANVAS
    file = f"smithanna_4711_900_{LAB}.ipynb"
    made.write(folder, {file: answered(LAB), "Grades.csv": table.encode()})
    marked(opened, folder, course, {"smithanna_4711": {LAB: 1}})
    _, [line] = give_back.write(course, unmarked=True)
    assert f"Grades.csv: {said or '11 points are 22'}" in line
    assert (course / f"return/{LAB}/Grades.csv").exists() == (not said)


def test_a_student_in_two_rows_gets_nothing(course):
    twice = WORKSHEET.replace("Participant 9", "Participant 2")
    (course / "Grades-Lab 2.csv").write_text(twice, encoding="utf-8", newline="")
    _, lines = give_back.write(course, unmarked=True)
    rows = rows_of(course / f"return/{LAB}/Grades-Lab 2.csv")
    assert [row["Grade"] for row in rows if row["Identifier"][-1] == "2"] == ["", ""]
    assert any("Kim Lee_2 is in 2 rows" in line for line in lines)
