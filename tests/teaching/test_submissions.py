"""Folders as platforms export them, and notebooks that students took apart."""

import json
import os

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from teaching.marking import restore_cells, submissions
from tests.teaching import made_up_class as made

LAB, OTHER = "02_pca_comparison", "03_mlp_iris"


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


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_alone_are_no_change(end):
    notebook = made.filled(LAB)
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", end) + end
    result, notes = mended(notebook)
    assert notes == []
    wanted = sources(made.filled(LAB))
    assert [text.rstrip() for text in sources(result)] == [t.rstrip() for t in wanted]


WRITTEN = "04_ab_autoencoder"
MINE = "Because both factors are zero, so is the gradient."


def nameless(notebook):
    """Return the cells of a notebook without ids and metadata."""
    content = json.loads(made.text(notebook))
    for cell in content["cells"]:
        cell.pop("id")
        cell["metadata"] = {}
    return restore_cells.read(json.dumps(content).encode())


def test_a_written_answer_without_a_name_is_known_by_its_place():
    notebook = made.replaced(made.filled(WRITTEN), "zero-answer", MINE)
    result, notes = restore_cells.mended(nameless(notebook), made.empty(WRITTEN))
    cell = result.cells[made.at(result, "zero-answer")]
    assert cell.source == MINE
    assert cell.metadata["nbgrader"]["grade_id"] == "zero-answer"
    assert sum(MINE in text for text in sources(result)) == 1
    assert any("by their place" in note and "zero-answer" in note for note in notes)


def test_a_text_elsewhere_is_not_taken_for_an_answer():
    notebook = made.without(made.filled(WRITTEN), "zero-answer")
    notebook.cells.append(new_markdown_cell(MINE))
    result, _ = restore_cells.mended(nameless(notebook), made.empty(WRITTEN))
    copy = made.empty(WRITTEN)
    stub = copy.cells[made.at(copy, "zero-answer")].source
    assert result.cells[made.at(result, "zero-answer")].source == stub
    assert MINE in sources(result)


def test_the_kernel_is_that_of_the_lab():
    notebook = made.filled(LAB)
    notebook.metadata = {"kernelspec": {"name": "xonsh", "display_name": "x"}}
    assert mended(notebook)[0].metadata == made.empty(LAB).metadata
    assert made.empty(LAB).metadata["kernelspec"]["name"] == "python3"


def test_a_byte_order_mark_is_no_fault():
    data = made.text(made.filled(LAB))
    assert restore_cells.read(b"\xef\xbb\xbf" + data) == restore_cells.read(data)


def test_more_cells_than_anybody_writes_are_refused():
    cell = {"cell_type": "code", "source": "1"}
    most = restore_cells.MOST_CELLS
    just, more = (json.dumps({"cells": [cell] * n}).encode() for n in (most, most + 1))
    assert len(restore_cells.read(just)) == most
    with pytest.raises(ValueError, match=f"at most {most} cells"):
        restore_cells.read(more)


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


def test_no_more_than_some_copies_are_marked(tmp_path, copies):
    files = {}
    for number in range(submissions.MOST_COPIES + 1):
        notebook = made.after(made.empty(LAB), "imports", f"number = {number}")
        files[f"a/{LAB} ({number}).ipynb"] = made.text(notebook)
    [student] = read(tmp_path, files, copies).values()
    assert len(student.files[LAB]) == submissions.MOST_COPIES
    assert f"only the first {submissions.MOST_COPIES}" in "; ".join(student.notes)


def test_a_broken_copy_does_not_count_beside_a_whole_one(tmp_path, copies):
    whole = made.text(made.filled(LAB))
    files = {f"a/{LAB}.ipynb": made.broken(LAB), f"a/{LAB} (1).ipynb": whole}
    [student] = read(tmp_path, files, copies).values()
    assert [file.name for file in student.files[LAB]] == [f"{LAB} (1).ipynb"]
    assert not any("times" in note for note in student.notes)
    assert any("broken JSON" in note for note in student.notes)


def test_an_empty_file_hides_neither_a_problem_nor_a_notebook(tmp_path, copies):
    bare = json.dumps({"cells": []}).encode()
    # Read in the order of their names: the empty ones first.
    files = {f"a/{LAB} (1).ipynb": b"", f"a/{LAB}.ipynb": bare}
    files |= {f"b/{LAB} (1).ipynb": b"", f"b/{LAB}.ipynb": b"{"}
    students = read(tmp_path, files, copies)
    assert [file.problem for file in students["a"].files[LAB]] == [""]
    said = "; ".join(students["b"].notes)
    assert "the file is empty" in said
    assert "broken JSON" in said


def test_what_is_too_large_is_not_read(tmp_path, copies, monkeypatch):
    data = made.text(made.filled(LAB))
    monkeypatch.setattr(submissions, "MOST_BYTES", len(data))
    monkeypatch.setattr(submissions, "MOST_MEMBERS", 3)
    files = {
        "just/a.ipynb": data,
        "more/a.ipynb": data + b" ",
        "more.zip": made.zipped({"a.ipynb": data + b" "}),
        "many.zip": made.zipped({f"{i}.txt": b"x" for i in range(5)}),
    }
    students = read(tmp_path, files, copies)
    assert students["just"].notes == [f"a.ipynb: taken for {LAB}, by its cells"]
    large = [s for s in submissions.read(tmp_path, copies) if s.name == "more"]
    assert [note for each in large for note in each.notes] == [
        f"a.ipynb: more than {len(data) // 2**20} MB"
    ] * 2
    assert len(students["many"].notes) == 3 + 1
    assert "only its first 3 files were read" in students["many"].notes[-1]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_no_link_is_followed(tmp_path, copies):
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(made.text(made.filled(LAB)))
    made.write(tmp_path / "class", {"a/essay.txt": b"x"})
    (tmp_path / "class/a" / f"{LAB}.ipynb").symlink_to(secret)
    [student] = submissions.read(tmp_path / "class", copies)
    assert student.files == {}
    assert f"{LAB}.ipynb: not a plain file" in student.notes


def test_a_folder_that_is_not_there_is_refused(tmp_path, copies):
    with pytest.raises(ValueError, match="SUBMISSIONS must be a folder that exists"):
        submissions.read(tmp_path / "none", copies)
    with pytest.raises(ValueError, match="SUBMISSIONS must be a folder with subm"):
        submissions.read(tmp_path, copies)
