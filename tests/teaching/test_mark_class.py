"""A class of made-up students is marked: each gets what is due, whatever they hand in.

The labs are cut down to the code that checks need; ``make class`` marks whole labs.
"""

import csv
import hashlib
import re
import sys

import pytest

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
def test_a_folder_of_stray_files_alone_gives_a_table(tmp_path):
    files = {".DS_Store": b"x", ".ipynb_checkpoints/a.ipynb": b"x", "a/.DS_Store": b"x"}
    made.write(tmp_path / "class", files | {"notes.txt": b"x"})
    marking = mark_class.grade(
        tmp_path / "class", tmp_path / "into", *made.pack(), say=lambda text: None
    )
    text = (marking.folder / "points.csv").read_text(encoding="utf-8-sig")
    assert "notes.txt: not a notebook" in text
    assert len(text.splitlines()) == 1 + 2
