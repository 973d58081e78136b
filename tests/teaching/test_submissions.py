"""Folders as platforms export them, and notebooks that students took apart."""

import json
import os
import sys
import zipfile
from pathlib import PureWindowsPath

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

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


def test_what_was_written_into_a_check_stands_before_it():
    notebook, written = made.empty(LAB), "split = sum\nchecks.split(split)"
    result, notes = mended(made.replaced(notebook, "split-check", written))
    at = made.at(result, "split-check")
    assert [cell.source for cell in result.cells[at - 1 : at + 1]] == [
        written,
        "checks.split(split)",
    ]
    assert "nbgrader" not in result.cells[at - 1].metadata
    assert len(result.cells) == len(notebook.cells) + 1
    assert notes == ["changed checks, put back below: split-check"]


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


def written(notebook, cell_id="zero-answer"):
    """Return an answer as it is to be marked, whether it counts as none, and notes."""
    cells = notebook if isinstance(notebook, list) else restore_cells.read(notebook)
    result, notes = restore_cells.mended(cells, made.empty(WRITTEN))
    copy = made.empty(WRITTEN)
    source = result.cells[made.at(result, cell_id)].source
    return source, source == copy.cells[made.at(copy, cell_id)].source, notes


@pytest.mark.parametrize("beyond", ["the next cell", "all cells", "the one before"])
def test_a_text_in_another_place_is_for_a_person_to_judge(beyond):
    notebook = made.filled(WRITTEN)
    at = made.at(notebook, "zero-answer")
    notebook = made.without(notebook, "zero-answer")
    where = {"the next cell": at + 1, "all cells": len(notebook.cells)}
    notebook.cells.insert(where.get(beyond, at - 1), new_markdown_cell(MINE))
    source, is_none, notes = written(nameless(notebook))
    assert not is_none
    assert source.endswith(MINE)
    assert "in one of the student's own" in source
    assert any("cell of their own: zero-answer" in note for note in notes)


def test_a_text_beneath_an_empty_answer_is_for_a_person_to_judge():
    notebook = made.empty(WRITTEN)
    at = made.at(notebook, "zero-answer")
    notebook.cells.insert(at + 1, new_markdown_cell(MINE))
    source, is_none, _ = written(made.text(notebook))
    assert not is_none
    assert MINE in source
    _, is_none, _ = written(made.text(notebook), "detective-answer")
    assert is_none


@pytest.mark.parametrize("bare", [made.text, nameless])
def test_no_answer_is_no_answer(bare):
    notebook = made.empty(WRITTEN)
    source, is_none, notes = written(bare(notebook))
    assert is_none
    assert notes == []
    # A text of the lab, copied, is not the student's.
    copied = notebook.cells[made.at(notebook, "zero-task")].copy()
    copied.id = "copied"
    notebook.cells.append(copied)
    notebook = made.without(notebook, "zero-answer")
    assert written(bare(notebook))[1]


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


def test_what_is_deleted_comes_back_if_it_is_graded_or_code_that_is_no_answer():
    texts = [c.id for c in made.empty(LAB).cells if c.cell_type == "markdown"]
    gone = {texts[0], "imports", "split-solution", "split-check", "claim-answer"}
    result, notes = mended(made.without(made.filled(LAB), *gone))
    left = [c.id for c in made.empty(LAB).cells if c.id not in gone]
    again = {"imports", "split-check", "claim-answer"}
    ids = [cell.id for cell in result.cells]
    assert ids == [c.id for c in made.empty(LAB).cells if c.id in again.union(left)]
    (note,) = notes
    assert note.startswith("deleted cells, put back: ")
    assert set(note.split(": ")[1].split(", ")) == again
    for cell in result.cells:
        if cell.id in again:
            copy = made.empty(LAB)
            assert cell == copy.cells[made.at(copy, cell.id)]


def test_a_lab_is_like_itself_also_by_its_names_or_its_texts_alone():
    def like(notebook, lab=LAB):
        cells = notebook
        if not isinstance(cells, list):
            cells = restore_cells.read(made.text(notebook))
        return restore_cells.likeness(cells, made.empty(lab))

    assert like(made.empty(LAB)) == like(nameless(made.empty(LAB))) == 1
    rewritten = made.empty(LAB)
    for number, cell in enumerate(rewritten.cells):
        cell.source = f"something else {number}"
    assert like(rewritten) == 0.5
    assert like(nameless(rewritten)) == like([]) == 0
    half = made.empty(LAB)
    half.cells = half.cells[: len(half.cells) // 2]
    assert like(half) == pytest.approx(0.5, abs=0.02)
    assert like(made.filled(OTHER)) < submissions.LIKE < like(made.filled(LAB))


def test_cells_of_other_kinds_are_texts():
    raw = {"cell_type": "raw", "source": "Mine", "metadata": {}}
    assert restore_cells.read(json.dumps({"cells": [raw]}).encode()) == [
        ("markdown", "Mine", [])
    ]


def test_two_texts_in_the_place_of_an_answer_are_both_kept():
    """The first stands for the answer if its cell is gone; beneath it, all do."""
    first, second = new_markdown_cell(MINE), new_markdown_cell("And so on.")
    notebook = made.empty(WRITTEN)
    at = made.at(notebook, "zero-answer")
    notebook.cells[at + 1 : at + 1] = [first, new_code_cell("1"), second]
    source, _, notes = written(made.text(notebook))
    assert source.endswith(f"{MINE}\n\nAnd so on.")
    notebook = made.without(notebook, "zero-answer")
    source, _, notes = written(made.text(notebook))
    assert source == MINE
    assert notes == ["known by their place alone: zero-answer"]


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
        f"smithanna_LATE_4711_99_{LAB}-2.ipynb": "smithanna_4711",
        f"{LAB} (1).ipynb": f"{LAB} (1)",
        f"Copy of {LAB}_Lia.ipynb": "Lia",
        f"anna_2026_{LAB}.ipynb": "anna_2026",
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
    # The digits of a lab are no number of a file, so this is no name of Canvas'.
    assert students["anna_2026"].who.platform == "file"
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


def moodles(lab):
    return {
        f"{name}_assignsubmission_file_/{LAB}.ipynb": lab
        for name in ("Anna Smith_17", "Kim Lee_18", "李 雷_19")
    }


def canvass(lab):
    return {
        f"smithanna_4711_90_{LAB}.ipynb": lab,
        f"smithanna_4711_91_{OTHER}.ipynb": made.text(made.filled(OTHER)),
        f"leekim_LATE_4712_92_{LAB}-1.ipynb": lab,
    }


@pytest.mark.parametrize("top", ["", "Course-Lab 2-12345/"])
@pytest.mark.parametrize("platform", [moodles, canvass])
@pytest.mark.parametrize("is_zip", [True, False])
def test_a_platforms_own_download_is_a_class(tmp_path, copies, top, platform, is_zip):
    files = platform(made.text(made.filled(LAB)))
    alone = read(tmp_path / "alone", files, copies)
    junk = {"__MACOSX/._x": b"x", f"{top}.DS_Store": b"x"}
    files = {f"{top}{name}": data for name, data in files.items()} | junk
    if is_zip:
        files = {"whole class.zip": made.zipped(files)}
    else:
        files = {f"whole class/{name}": data for name, data in files.items()}
    students = read(tmp_path / "class", files, copies)
    assert len(students) == len(alone) > 1
    assert {name: (each.id, set(each.files)) for name, each in students.items()} == {
        name: (each.id, set(each.files)) for name, each in alone.items()
    }


@pytest.mark.parametrize("platform", [moodles, canvass])
def test_a_table_within_a_class_makes_it_no_student(tmp_path, copies, platform):
    files = platform(made.text(made.filled(LAB)))
    alone = read(tmp_path / "alone", files, copies)
    files["Grades.csv"] = b"Identifier,Grade,a,Last modified (grade)\n"
    files = {f"whole class/{name}": data for name, data in files.items()}
    students = read(tmp_path / "class", files, copies)
    assert set(students) == {*alone, "Grades"}
    for name, each in alone.items():
        assert students[name].id == each.id
    assert "in SUBMISSIONS itself" in students["Grades"].notes[0]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_more_zips_than_files_may_be_open_are_all_read(tmp_path, copies):
    import resource

    data = made.zipped({f"{LAB}.ipynb": made.text(made.empty(LAB))})
    made.write(tmp_path, {f"student {number}.zip": data for number in range(70)})
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        students = submissions.read(tmp_path, copies)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert [set(each.files) for each in students] == [{LAB}] * 70


def test_paths_of_windows_are_read_like_all_others(tmp_path):
    path = PureWindowsPath("a", ".ipynb_checkpoints", "b.ipynb")
    assert submissions._name_of(path) == "a/.ipynb_checkpoints/b.ipynb"


def test_what_a_student_zips_is_no_class(tmp_path, copies):
    lab = made.text(made.filled(LAB))
    files = {
        # A classmate's name, in what a student has handed in.
        "Eve_17_assignsubmission_file_/x.zip": made.zipped(moodles(lab)),
        "Bob_18_assignsubmission_file_.zip": made.zipped(canvass(lab)),
        "evil_4713_93_x.zip": made.zipped(canvass(lab)),
        "own.zip": made.zipped(
            {f"hw_2026_03_{LAB}.ipynb": lab, "hw_2026_04_b.txt": b""}
        ),
    }
    apart = dict(zip("abc", moodles(lab).items()))
    apart = {f"{top}/{name}": data for top, (name, data) in apart.items()}
    files["folders.zip"] = made.zipped(apart)
    # Canvas names files like that, never folders.
    weeks = [f"hw_2026_03_{LAB}/x.ipynb", f"hw_2027_04_{LAB}/x.ipynb"]
    files["weeks.zip"] = made.zipped(dict.fromkeys(weeks, lab))
    students = read(tmp_path, files, copies)
    whole = {"own", "folders", "weeks"}
    assert set(students) == {"Eve_17", "Bob_18", "evil_4713"} | whole


def test_a_platforms_number_joins_and_a_name_never_does(tmp_path, copies):
    lab, other = made.text(made.filled(LAB)), made.text(made.filled(OTHER))
    files = {
        "1.zip": made.zipped({f"a_7_1_{LAB}.ipynb": lab, f"b_8_2_{LAB}.ipynb": lab}),
        "2.zip": made.zipped(
            {f"a_LATE_7_3_Copy of {OTHER}.ipynb": other, f"c_8_4_{OTHER}.ipynb": other}
        ),
        f"Ann Lee_3_assignsubmission_file_/{LAB}.ipynb": lab,
        "Ann Lee_3_assignsubmission_onlinetext_/onlinetext.html": b"x",
        f"Lee, Ann_4_assignsubmission_file_/{LAB}.ipynb": lab,
    }
    students = read(tmp_path, files, copies)
    assert set(students) == {"a_7", "b_8", "c_8", "Ann Lee_3", "Lee, Ann_4"}
    assert set(students["a_7"].files) == {LAB, OTHER}
    assert any("looks like c_8:" in note for note in students["b_8"].notes)
    assert any("looks like Lee, Ann_4" in note for note in students["Ann Lee_3"].notes)
    assert not any("looks like" in note for note in students["a_7"].notes)


def test_who_it_is_does_not_hang_on_who_else_hands_in(tmp_path, copies):
    lab = made.text(made.filled(LAB))
    before = read(tmp_path, {f"b/{LAB}.ipynb": lab, "Grades.csv": b"a,b"}, copies)
    after = read(tmp_path, {f"a/{LAB}.ipynb": lab}, copies)
    assert {name: after[name].id for name in before} == {
        name: each.id for name, each in before.items()
    }


def test_a_platforms_table_is_no_student(tmp_path, copies):
    heads = [
        "Identifier,Full name,Grade,Last modified (grade)\n",
        "Student,ID,SIS Login ID,Section,Lab 2 (3)\n",
        "LastName,FirstName,ID,SIS User ID,SIS Login ID,Section,Lab 2 (3)\n",
    ]
    tables = {f"{n}.csv": head.encode() for n, head in enumerate(heads)}
    others = {"own.csv": b"name,points\n", "kim.csv/essay.txt": b"x"}
    others["notes.txt"] = heads[0].encode()
    students = read(tmp_path, tables | others, copies)
    assert set(students) == {"own", "kim.csv", "notes"}
    assert submissions.tables(tmp_path) == tables


def test_names_that_are_no_text_end_nothing(tmp_path, copies):
    made.write(tmp_path, {"a/x.txt": b"x"})
    (tmp_path / os.fsdecode(b"a\xe9")).mkdir()
    (tmp_path / os.fsdecode(b"a\xe9/b\xff.ipynb")).write_bytes(b"{")
    (student,) = [s for s in submissions.read(tmp_path, copies) if s.name != "a"]
    assert "; ".join([student.name, *student.notes]).encode()


def test_nothing_is_dropped_without_a_word(tmp_path, copies):
    files = {
        "a/essay.docx": b"x",
        "a/other.ipynb": nbformat.writes(new_notebook()).encode(),
        "Bewertungen.csv": b"ID,Bewertung\nTeilnehmer/in17,\n",
        "b/b.zip": b"PK no zip",
        "c.zip": made.zipped({f"{LAB}.ipynb": b"{", "d.zip": b"x"}),
        f"e/{LAB}.ipynb": b"",
    }
    students = read(tmp_path, files, copies)
    notes = {name: "; ".join(each.notes) for name, each in students.items()}
    assert "essay.docx: not a notebook" in notes["a"]
    assert "nor a table of Moodle, in English, or" in notes["Bewertungen"]
    assert "other.ipynb: a notebook of no lab" in notes["a"]
    assert "b.zip: not a zip that can be read" in notes["b"]
    assert "broken JSON" in notes["c"]
    assert "d.zip: not a zip that can be read" in notes["c"]
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
    assert [each.notes[0] for each in large] == ["a.ipynb: more than 0 MB"] * 2
    assert students["many"].notes == [
        *[f"{i}.txt: not a notebook" for i in range(3)],
        "only the first 3 files were read",
    ]


def test_a_small_zip_of_much_is_read_no_further_than_is_allowed(
    tmp_path, copies, monkeypatch
):
    """Zeros: a thousand times as large once they are unpacked."""
    read_in_all, old = [], zipfile.ZipExtFile.read

    def counting(self, n=-1):
        data = old(self, n)
        read_in_all.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    monkeypatch.setattr(submissions, "MOST_BYTES", 2**20)
    monkeypatch.setattr(submissions, "MOST_TOGETHER", 3 * 2**20)
    zeros = b" " * (5 * 2**20)
    notebooks = {f"{n}.ipynb": zeros for n in range(20)}
    inner = made.zipped(notebooks, zipfile.ZIP_DEFLATED)
    files = notebooks | {f"{n}.mp4": zeros for n in range(9)} | {"in.zip": inner}
    data = made.zipped(files, zipfile.ZIP_DEFLATED)
    assert len(data) < 2**20
    students = read(tmp_path, {"a.zip": data, f"b/{LAB}.ipynb": b"{}"}, copies)
    assert sum(read_in_all) <= 3 * 2**20 + len(files) + len(notebooks)
    assert students["a"].files == {}
    assert "3.ipynb: more than 3 MB together" in students["a"].notes
    # Another student has limits of their own.
    assert "not a notebook with at most" in students["b"].notes[0]


def test_zips_in_zips_end_somewhere(tmp_path, copies):
    data = made.text(made.filled(LAB))
    for depth in range(4):
        data = made.zipped({f"{depth}.zip" if depth else f"{LAB}.ipynb": data})
        made.write(tmp_path, {f"s{depth}/x.zip": data})
    students = {each.name: each for each in submissions.read(tmp_path, copies)}
    found = {name: set(each.files) for name, each in students.items()}
    assert found == {"s0": {LAB}, "s1": {LAB}, "s2": set(), "s3": set()}
    assert any("not a notebook" in note for note in students["s2"].notes)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_no_link_is_followed(tmp_path, copies):
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(made.text(made.filled(LAB)))
    made.write(tmp_path / "class", {"a/essay.txt": b"x"})
    made.write(tmp_path / "other", {f"{LAB}.ipynb": secret.read_bytes()})
    (tmp_path / "class/a" / f"{LAB}.ipynb").symlink_to(secret)
    (tmp_path / "class/a/folder").symlink_to(tmp_path / "other")
    (tmp_path / "class/b").symlink_to(tmp_path / "other")
    (tmp_path / "class/c.zip").symlink_to(secret)
    (tmp_path / "class/d.csv").symlink_to(secret)
    students = {
        each.name: each for each in submissions.read(tmp_path / "class", copies)
    }
    assert set(students) == {"a", "b", "c", "d"}
    assert [each.files for each in students.values()] == [{}] * 4
    notes = students["a"].notes
    assert {f"{LAB}.ipynb: not a plain file", "folder: not a plain file"} <= set(notes)
    assert students["b"].notes == ["b: not a plain file"]


def test_a_folder_that_is_not_there_is_refused(tmp_path, copies):
    with pytest.raises(ValueError, match="SUBMISSIONS must be a folder that exists"):
        submissions.read(tmp_path / "none", copies)
    with pytest.raises(ValueError, match="SUBMISSIONS must be a folder with subm"):
        submissions.read(tmp_path, copies)


def test_a_table_that_is_too_large_is_not_read(tmp_path, copies, monkeypatch):
    data = b"Identifier,Full name,Grade,Last modified (grade)\nParticipant 1,A,,-\n"
    made.write(tmp_path, {"a.csv": data, "b.csv": data + b"\n", "c/x.txt": b"x"})
    monkeypatch.setattr(submissions, "MOST_BYTES", len(data))
    assert submissions.tables(tmp_path) == {"a.csv": data}
    names = [each.name for each in submissions.read(tmp_path, copies)]
    assert names == ["b", "c"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_no_link_is_taken_for_a_platforms_table(tmp_path, copies):
    table = tmp_path / "table.csv"
    table.write_bytes(b"Identifier,Full name,Grade,Last modified (grade)\n")
    made.write(tmp_path / "class", {"a/x.txt": b"x"})
    (tmp_path / "class/b.csv").symlink_to(table)
    assert submissions.tables(tmp_path / "class") == {}
    assert len(submissions.read(tmp_path / "class", copies)) == 2


def test_cells_of_a_students_own_have_names_that_stay():
    notebook = made.filled(LAB)
    notebook.cells.insert(3, new_markdown_cell("Mine"))
    notebook.cells.append(new_markdown_cell("Mine, too"))
    first, second = (mended(notebook)[0] for _ in range(2))
    assert first == second
    own = [cell.id for cell in first.cells if cell.source.startswith("Mine")]
    assert own == ["own-3", f"own-{len(first.cells) - 1}"]


def test_code_is_no_written_answer():
    notebook = made.without(made.filled(WRITTEN), "zero-answer")
    notebook.cells.append(new_code_cell("print('no answer')"))
    source, is_none, notes = written(made.text(notebook))
    assert is_none
    assert notes == ["deleted cells, put back: zero-answer"]


@pytest.mark.parametrize("texts", [["", "1"], ["1", "2"], ["2", "1", ""]])
def test_of_copied_answers_the_last_that_was_written_counts(texts):
    notebook = made.empty(LAB)
    at = made.at(notebook, "split-solution")
    stub = notebook.cells.pop(at)
    for number, text in enumerate(texts):
        again = stub.copy()
        again.id, again.source = f"copy-{number}", text or stub.source
        notebook.cells.insert(at + number, again)
    result, notes = mended(notebook)
    (answer,) = [c.source for c in result.cells if c.id == "split-solution"]
    assert answer == list(filter(None, texts))[-1]
    assert notes == ["copied cells: split-solution"]


def test_a_file_of_the_labs_name_needs_no_note(tmp_path, copies):
    files = {f"a/{LAB}.ipynb": made.text(made.filled(LAB))}
    files["b/renamed.ipynb"] = files[f"a/{LAB}.ipynb"]
    files[f"c/{LAB}.ipynb"] = made.broken(LAB)
    students = read(tmp_path, files, copies)
    assert students["a"].notes == []
    assert students["b"].notes == [f"renamed.ipynb: taken for {LAB}, by its cells"]
    assert students["c"].notes == [f"{LAB}.ipynb: not a notebook: broken JSON"]


def test_of_broken_copies_one_is_marked_and_each_is_noted(tmp_path, copies):
    files = {f"a/{LAB}.ipynb": made.broken(LAB), f"a/{LAB} (1).ipynb": b"[]"}
    [student] = read(tmp_path, files, copies).values()
    assert len(student.files[LAB]) == 1
    assert len(student.notes) == 2
