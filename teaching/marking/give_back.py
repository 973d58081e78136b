"""Write what goes back to students: points, pages of feedback, files for a platform.

A mark finds its way by the number that the platform has given, never by a name.
"""

import functools
import io
import re
import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import nbformat

from teaching.handing_out.careful_writing import write as write_carefully
from teaching.marking import feedback, gradebook, platform_tables, record, whose
from teaching.marking import submissions as submitted

ALL = "all-labs"
AGAIN = "make return MARKING=… RETURN_ARGS=--force"


class Back(NamedTuple):
    """What goes back to one student for a lab, or for all: points, and pages by lab."""

    student: submitted.Student
    points: float
    waits: float
    pages: dict


def write(course, *, unmarked=False, force=False):
    """Write ``points.csv``, ``feedback/`` and ``return/`` into the folder of a marking.

    They are made from the gradebook as it is now, so marks and comments that a person
    has entered are in them. A file that somebody changed is left, or with ``force``
    kept aside. ``return/`` has a folder for each lab whose answers are all marked, or
    with ``unmarked`` for every lab; unmarked answers count nothing.

    Returns
    -------
    careful_writing.Outcome
    list of str
        What a teacher must know, one line each. They are in ``return/notes.txt``, too.

    Raises
    ------
    ValueError
        If the folder is none of a marking.
    """
    course = Path(course)
    students, marks = record.read(course)
    entries = gradebook.read(course)
    files, lines = _Lazy(), []
    table = _table(students, marks, entries)
    files["points.csv"] = lambda: table
    pages = _pages(course, students, marks, entries, files, lines)
    labs = [lab for lab in entries.labs if any(lab == each for _, each in pages)]
    for lab in [*labs, *([ALL] if _has_many(pages) else [])]:
        each = labs if lab == ALL else [lab]
        backs, refused = _backs(students, marks, entries, each, pages)
        waits = [back.student.name for back in backs if back.waits]
        lines += [f"{lab}: {line}" for line in refused]
        if waits and not unmarked:
            what = f"{lab}: answers of {len(waits)} students are to be marked"
            lines.append(f"{what}, so there is no return/{lab} yet")
            continue
        most = sum(sum(entries.labs[name].values()) for name in each)
        made, said = _return(course, backs, most, lab=lab)
        files.update({f"return/{lab}/{name}": make for name, make in made.items()})
        lines += [f"{lab}: {line}" for line in said]
    files["return/notes.txt"] = lambda: _notes(lines)
    return write_carefully(course, files, force=force, sweep=True), lines


class _Lazy(dict):
    """Files by name, each made when it is asked for: a class is too much for memory."""

    def items(self):
        """Yield names and contents."""
        for name in self:
            yield name, self[name]()


def _notes(lines):
    text = "\n".join(lines or ["Nothing was left out."])
    return f"{text}\n".encode("utf-8", "replace")


# --- All that is known ----------------------------------------------------------------


def _table(students, marks, entries):
    """Return ``points.csv``: one row a student, one column an exercise."""
    rows = [_row(entries, student, marks) for student in students]
    return platform_tables.table_of(list(rows[0]), rows, mark=True)


def _row(entries, student, marks):
    row = {"student": platform_tables.text(student.name), "id": student.id}
    row |= {"points": 0.0, "to be marked": 0.0, "out of": 0.0}
    notes = list(student.notes)
    for lab, cells in entries.labs.items():
        number, mark = lab[:2], marks.get((student.id, lab))
        sums = {"points": 0.0, "to be marked": 0.0, "out of": sum(cells.values())}
        grades, state = {}, "not handed in"
        if mark:
            state = mark.failure and f"NOT MARKED, by a failure of ours: {mark.failure}"
            notes += [f"{number}: {note}" for note in mark.notes]
        if mark and not mark.failure:
            grades = entries.grades[student.id, lab]
        notes += [f"{number}: {state}"] if state else []
        shown = {}
        for name, most in cells.items():
            grade = grades.get(name)
            sums["points"] += grade.points if grade else 0
            sums["to be marked"] += most if grade and grade.waits else 0
            value = feedback.TO_DO if grade and grade.waits else grade and grade.points
            shown[f"{number} {name} ({most:g})"] = "" if value is None else value
        row |= {f"{number} {name}": round(each, 2) for name, each in sums.items()}
        row |= shown
        for name, value in sums.items():
            row[name] = round(row[name] + value, 2)
    return row | {"note": platform_tables.text("; ".join(notes))}


def _pages(course, students, marks, entries, files, lines):
    """Add pages of feedback to the files; return {(student id, lab): path}."""
    paths, names = {}, {student.id: student.name for student in students}
    copies = {
        lab: nbformat.read(gradebook.copy_of(course, lab), as_version=4)
        for lab in entries.labs
    }

    def page(student, lab):
        path = gradebook.notebook_of(course, student, lab)
        try:
            text = feedback.page(
                nbformat.read(path, as_version=4),
                copies[lab],
                student=names[student],
                grades=entries.grades[student, lab],
                comments=entries.comments[student, lab],
            )
        except Exception as error:  # one student's notebook, not the class
            lines.append(f"{lab}: no page of feedback for {names[student]}: {error}")
            text = "This page could not be made of your notebook."
        return text.encode("utf-8", "replace")

    for (student, lab), mark in marks.items():
        if not mark.failure:
            name = f"feedback/{student}/{lab}/{lab}.html"
            paths[student, lab] = course / name
            files[name] = functools.partial(page, student, lab)
    return paths


# --- For a platform -------------------------------------------------------------------


def _has_many(pages):
    owners = [student for student, _ in pages]
    return len(owners) > len(set(owners))


def _backs(students, marks, entries, labs, pages):
    """Return a Back for each student with a mark, and who gets none, and why."""
    backs, refused = [], []
    for student in students:
        done = {
            lab: marks[student.id, lab] for lab in labs if (student.id, lab) in marks
        }
        if any(mark.failure for mark in done.values()):
            refused.append(f"{student.name} was not marked, by a failure of ours")
        elif done:
            grades = [
                g for lab in done for g in entries.grades[student.id, lab].values()
            ]
            points = round(sum(grade.points for grade in grades), 2)
            waits = sum(grade.most for grade in grades if grade.waits)
            mine = {lab: pages[student.id, lab] for lab in done}
            backs.append(Back(student, points, waits, mine))
    return backs, refused


def _return(course, backs, most, *, lab):
    """Return the files for one lab by name, and what is to be said of them."""
    plain = _plain(backs, most)
    files, lines = {"points.csv": lambda: plain}, []
    canvas = functools.partial(platform_tables.canvas, column=lab)
    for platform, make in (("moodle", platform_tables.moodle), ("canvas", canvas)):
        mine, twice = _by_number(backs, platform)
        lines += [
            f"{name}: their number stands for two names, so {platform} gets no mark"
            for name in twice
        ]
        tables = {
            name: table
            for name, data in submitted.tables(course).items()
            if (table := platform_tables.read(data)).platform == platform
        }
        # In Moodle a number is of one assignment, so its table may be of another one.
        found = {
            name: each for name, each in tables.items() if {*mine} & {*each.students}
        }
        if mine and tables and not found:
            where = f"{' or '.join(tables)}, so {platform}-grades.csv was made"
            lines.append(f"nobody with a mark is in {where}")
        if mine and found:
            filled, mine, said = _filled(found, mine, most, lab=lab)
            files |= {name: (lambda data=data: data) for name, data in filled.items()}
            lines += said
        elif mine:
            points = {number: f"{back.points:.2f}" for number, back in mine.items()}
            names = {number: back.student.who.name for number, back in mine.items()}
            data = make(names, points, most)
            files[f"{platform}-grades.csv"] = lambda data=data: data
        if mine:
            files[f"{platform}-feedback.zip"] = _zip(mine, platform)
    return files, lines


def _by_number(backs, platform):
    """Return {number: Back} of a platform, and names that share a number."""
    groups = {}
    for back in backs:
        if back.student.who.platform == platform:
            groups.setdefault(back.student.who.number, []).append(back)
    alone = {number: each[0] for number, each in groups.items() if len(each) == 1}
    twice = [b.student.name for each in groups.values() if len(each) > 1 for b in each]
    return alone, twice


def _plain(backs, most):
    rows = [
        {
            "student": platform_tables.text(back.student.name),
            "number": back.student.who.number,
            "points": back.points,
            "out of": most,
            "to be marked": back.waits,
        }
        for back in backs
    ]
    names = ["student", "number", "points", "out of", "to be marked"]
    return platform_tables.table_of(names, rows, mark=True)


def _filled(tables, backs, most, *, lab):
    """Fill in a platform's own tables.

    Returns
    -------
    dict of str to bytes
        The filled tables by name.
    dict
        The Backs by number that are in one of them.
    list of str
        What is to be said.
    """
    files, found, lines = {}, {}, []
    for name, table in tables.items():
        here = {
            number: rows for number, rows in table.students.items() if number in backs
        }
        column, why = _column(table, lab)
        if here and column is None:
            lines.append(f"{name}: {why}")
            found |= {number: backs[number] for number in here}
            continue
        points = {}
        for number, rows in here.items():
            found[number] = backs[number]
            value, why = table.scaled(rows, column, backs[number].points / most)
            if why:
                lines.append(f"{name}: {backs[number].student.name} {why}")
            else:
                points[rows[0]] = value
        if points:
            if table.platform == "moodle" and table.separator != ",":
                why = "was saved anew, with other marks than commas between its columns"
                lines.append(f"{name}: {why}: Moodle takes none but its own")
            out_of = {table.out_of(column, row) for row in points}
            if out_of != {most}:
                what = f"{most:g} points are {max(out_of):g} in the table"
                lines.append(f"{name}: {what}, and marks are scaled")
            files[name] = platform_tables.filled(table, column, points)
    missing = [
        back.student.name for number, back in backs.items() if number not in found
    ]
    if missing:
        where = " or ".join(tables)
        lines.append(f"not in {where}, so only in points.csv: {', '.join(missing)}")
    return files, found, lines


def _column(table, lab):
    """Return the index of the column for a lab, or None and why."""
    if table.platform == "moodle":
        return next(iter(table.columns)), ""
    number = lab[:2].lstrip("0") or "0"
    called = "labs" if lab == ALL else f"Lab {number}"
    words = r"\blabs\b" if lab == ALL else rf"\blab[ _-]?0*{number}\b"
    pattern = re.compile(f"{re.escape(lab)}|{words}", re.IGNORECASE)
    mine = [i for i, name in table.columns.items() if pattern.search(name)]
    if len(mine) == 1:
        return mine[0], ""
    which = "several columns are" if mine else "no column is"
    return None, f"{which} called {lab} or {called}: name the assignment so"


def _zip(backs, platform):
    """Return a function that makes a zip of feedback, with the platform's names."""

    def make():
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for back in backs.values():
                for lab, page in back.pages.items():
                    name = _name_in_zip(back.student, lab, platform)
                    # A fixed date: the same feedback is the same file.
                    info = zipfile.ZipInfo(name)
                    archive.writestr(info, page.read_bytes(), zipfile.ZIP_DEFLATED)
        return stream.getvalue()

    return make


def _name_in_zip(student, lab, platform):
    """Return the path by which a platform knows whose feedback it is."""
    if platform == "moodle":
        # Moodle looks for the number after the first "_".
        name = re.sub(r"[_/\\]+", " ", student.who.name)
        return f"{name}_{student.who.number}_assignsubmission_file_/{lab}.html"
    # Canvas knows it by its own number of a file, which must be of the last attempt.
    names = [PurePosixPath(file.name).parts[0] for file in student.files[lab]]
    last = whose.CANVAS.fullmatch(max(names, key=whose.file_number))
    return f"{last.string[: last.start('rest')]}{lab}.html"


def take_tables(folder, course):
    """Copy the platforms' own tables into the folder of a marking."""
    for name, data in submitted.tables(folder).items():
        name = f"platform-{name}" if name == "points.csv" else name
        (Path(course) / name).write_bytes(data)
