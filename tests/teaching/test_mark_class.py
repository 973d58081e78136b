"""A class of made-up students is marked: each gets what is due, whatever they hand in.

The labs are cut down to the code that checks need; ``make class`` marks whole labs.
"""

import csv
import hashlib
import posixpath
import re
import sys

import pytest
from nbformat.v4 import new_output

from teaching import __main__ as command
from teaching import labs
from teaching.marking import mark_class, run_notebook
from tests.teaching import made_up_class as made

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="kernels are forked")
LAB = "02_pca_comparison"
LONG = run_notebook.Limits(cell=300, answer=60, lab=900)  # for a busy machine


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
    with pytest.MonkeyPatch.context() as patch:
        short = {lab: made.short(made.worked(lab)) for lab in made.LABS}
        patch.setattr(made, "WORKED", short)
        yield mark(tmp_path_factory)


def mark(tmp_path_factory):
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
    before, originals = hash_of(folder), hash_of(labs.NOTEBOOKS)
    marking = mark_class.grade(
        folder, into, *made.pack(), seed=3, num_workers=2, limits=LONG, say=list
    )
    assert (hash_of(folder), hash_of(labs.NOTEBOOKS)) == (before, originals)
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
    for student, handed_in in expected.items():
        row = rows[f"'{student}" if student[0] == "=" else student]
        for lab, right in handed_in.items():
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
    assert rows["untidy"]["05 test-answer (2)"] == "to be marked"
    assert float(rows["untidy"]["to be marked"]) == 2
    assert float(rows["empty"]["04 zero-answer (2)"]) == 0
    assert rows["empty"]["05 test-answer (2)"] == ""


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
    assert len(pages) == sum(len(handed_in) for handed_in in expected.values())
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


WRITTEN = "claim-answer"  # of LAB, for a person to mark


def came_of(*right, written=False, failure=""):
    """Return the Mark of a file in which these checks of LAB are right."""
    notebook = made.replaced(made.empty(LAB), WRITTEN, "Mine") if written else None
    notebook = notebook or made.empty(LAB)
    for cell in notebook.cells:
        if cell.id in set(made.graded(LAB)) - {*right}:
            cell.outputs = [new_output("error", ename="NotRight", evalue="no")]
    notes, verdicts = ["a note"], dict.fromkeys(right, True)
    if failure:
        return mark_class.Mark(None, {}, notes, 1.0, failure)
    return mark_class.Mark(notebook, verdicts, notes, 1.0)


def test_of_several_files_the_best_counts_and_is_named():
    two, one, other_two = "split-check", "cond-check", "own-check"  # points
    marks = {
        ("a", LAB, 1): came_of(two, one),
        ("a", LAB, 0): came_of(two),
        ("b", LAB, 0): came_of(two),
        ("c", LAB, 1): came_of(other_two),
        ("c", LAB, 0): came_of(two),
    }
    names = {key: f"in/{key[0]}{key[2]}.ipynb" for key in marks}
    best = mark_class._best(marks, names)
    assert best["a", LAB].notes == ["a note", "a1.ipynb counted"]
    assert set(best["a", LAB].right) == {two, one}
    assert best["b", LAB].notes == ["a note"]
    assert best["c", LAB].notes == ["a note", "c0.ipynb counted"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # As many checks, and more points.
        (came_of("cond-check"), came_of("split-check")),
        # As many points, and answers that a person is to mark.
        (came_of("split-check"), came_of("own-check", written=True)),
        (came_of(), came_of(written=True)),
        # A failure of ours.
        (came_of(failure="lost"), came_of()),
    ],
)
def test_the_best_of_several_files_is_that_with_most_points(first, second):
    marks = {("a", LAB, 0): first, ("a", LAB, 1): second}
    names = dict.fromkeys(marks, "x.ipynb")
    best = mark_class._best(marks, names)["a", LAB]
    assert best.notebook is second.notebook
    lost = "x.ipynb was not marked, by a failure of ours: lost"
    assert (lost in best.notes) == bool(first.failure)


def test_stray_files_are_no_change_of_submissions_and_changes_are_named(tmp_path):
    files = {"a/a.ipynb": b"1", "b/b.ipynb": b"2", ".DS_Store": b"x"}
    made.write(tmp_path, files)
    before = mark_class.digests(tmp_path)
    stray = {".DS_Store": b"y", "a/.ipynb_checkpoints/a-checkpoint.ipynb": b"1"}
    made.write(tmp_path, stray | {"notes.txt": b"new"})
    assert mark_class.changed(before, mark_class.digests(tmp_path)) == []
    made.write(tmp_path, {"a/a.ipynb": b"forged"})
    (tmp_path / "b/b.ipynb").unlink()
    lost = mark_class.changed(before, mark_class.digests(tmp_path))
    assert lost == ["a/a.ipynb", "b/b.ipynb"]


@needs_fork
def test_a_folder_of_stray_files_alone_gives_a_table(tmp_path):
    files = {".DS_Store": b"x", ".ipynb_checkpoints/a.ipynb": b"x", "a/.DS_Store": b"x"}
    made.write(tmp_path / "class", files | {"notes.txt": b"x"})
    marking = mark_class.grade(
        tmp_path / "class", tmp_path / "into", *made.pack(), say=lambda text: None
    )
    text = (marking.folder / "points.csv").read_text(encoding="utf-8-sig")
    assert "notes.txt: not a notebook" in text
    assert len(text.splitlines()) == 1 + 2


@needs_fork
def test_an_open_door_and_a_changed_pack_are_told(tmp_path, monkeypatch):
    pack = iter([{"labchecks/student.py": "1"}, {"labchecks/student.py": "2"}])
    monkeypatch.setattr(mark_class.kernels, "digests", lambda: next(pack))
    monkeypatch.setattr(mark_class.kernels, "open_doors", posixpath.join)  # any text
    made.write(tmp_path / "class", {"notes.txt": b"x"})
    told = []
    with pytest.raises(
        RuntimeError, match="the pack was changed.*labchecks/student.py"
    ):
        mark_class.grade(
            tmp_path / "class", tmp_path / "into", *made.pack(), say=told.append
        )
    assert any(line.startswith("What students wrote can /") for line in told)
    assert len([*tmp_path.glob("into/*/points.csv")]) == 1


@pytest.mark.parametrize("verb", ["grade", "return"])
def test_a_folder_at_home_is_found_also_where_the_shell_leaves_its_sign(
    tmp_path, monkeypatch, verb
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    why = command.main([verb, "~/class"])
    assert why.endswith(f"got {tmp_path / 'class'}")


@pytest.mark.parametrize("refused", [True, False])
def test_calls_of_the_library_are_refused_on_demand(tmp_path, monkeypatch, refused):
    seen = []

    def grade(*args, limits, **kwargs):
        seen.append(limits.library)
        raise ValueError("enough")

    monkeypatch.setattr(mark_class, "grade", grade)
    command.main(["grade", str(tmp_path), *["--refuse-library"] * refused])
    assert seen == [not refused]


@pytest.mark.parametrize("seed", [None, 7])
def test_a_wrong_folder_of_an_earlier_marking_is_refused_before_any_is_made(
    tmp_path, seed
):
    made.write(tmp_path / "class", {"notes.txt": b"x"})
    wrong = tmp_path / "wrong"
    with pytest.raises(ValueError, match="must be a folder that make grade made"):
        mark_class.grade(
            tmp_path / "class",
            tmp_path / "into",
            *made.pack(),
            seed=seed,
            again=wrong,
            say=list,
        )
    assert not (tmp_path / "into").exists()
