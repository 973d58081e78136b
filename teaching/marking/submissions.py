"""Read a folder of submissions, as a learning platform exports them.

Each entry of the folder is one student: a folder or a zip with the name of the student,
or single notebooks whose names begin alike. Two entries are never taken for one student
unless the part of their names that stands for the student is the same, and both are
single notebooks, or both bear the number that Moodle gives.
"""

import re
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from teaching.marking import restore_cells

MOST_BYTES = 30 * 2**20
MOST_COPIES = 5
MOST_MEMBERS = 1000
LIKE = 0.2  # the least likeness of a notebook with the lab that it is taken for
JUNK = re.compile(
    r"(^|/)(__MACOSX|\.ipynb_checkpoints|__pycache__)/|(^|/)(\.|Thumbs\.db|desktop\.ini)"
)
# What platforms add to a name: Moodle after it, Canvas after it with two numbers, of
# which the second is another one for each file.
MOODLE = re.compile(r"_assignsubmission_(file|onlinetext)_?$")
COPY = re.compile(r"(?i)[ _-]*(copy ?\d*|\(\d+\)|-\d+)$")
CANVAS = re.compile(r"^([^_]+(?:_LATE)?_\d+)_\d+$")


class File(NamedTuple):
    """A file that was handed in: its lab, or None, and what is wrong with it, or ""."""

    name: str
    lab: str | None
    cells: list
    problem: str


class Student(NamedTuple):
    """One who has handed in: ``name`` as in the folder, ``files`` by lab, and notes."""

    id: str
    name: str
    files: dict
    notes: list


def read(folder, copies):
    """Return the Students of a folder, by name. Nothing is changed in it.

    Parameters
    ----------
    folder : str or Path
    copies : dict
        The students' copies as they were handed out, by the stem of their files.

    Raises
    ------
    ValueError
        If there is no such folder, or nothing in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"SUBMISSIONS must be a folder that exists, got {folder}")
    students = {}
    for path in sorted(folder.iterdir()):
        if JUNK.search(path.name + "/" * path.is_dir()):
            continue
        key, files = _entry(path, copies)
        students.setdefault(key, []).extend(files)
    if not students:
        raise ValueError(f"SUBMISSIONS must be a folder with submissions, got {folder}")
    numbered = enumerate(students.items(), start=1)
    return [
        _student(f"{number:04}-{_slug(name)}", name, files)
        for number, ((_, name), files) in numbered
    ]


def _entry(path, copies):
    """Return the key of a student, a pair, and the files of one entry."""
    if path.is_dir():
        inside = [
            (child.relative_to(path).as_posix(), child)
            for child in sorted(path.rglob("*"))
            if not child.is_dir()
        ]
        files = [each for name, child in inside for each in _read(name, child, copies)]
        return _moodle(path.name) or ("folder", path.name), files
    files = _read(path.name, path, copies)
    if path.suffix.lower() == ".zip":
        return _moodle(path.stem) or ("zip", path.stem), files
    return ("file", _name(path.stem, copies)), files


def _moodle(name):
    """Return the key of a student by Moodle's name and number, or None."""
    return ("moodle", MOODLE.sub("", name)) if MOODLE.search(name) else None


def _name(stem, copies):
    """Return what stands for the student in the name of a single file."""
    for lab in copies:
        if found := re.search(re.escape(lab), stem, re.IGNORECASE):
            before = stem[: found.start()].strip(" _-.")
            after = COPY.sub("", stem[found.end() :]).strip(" _-.")
            return CANVAS.sub(r"\1", MOODLE.sub("", before) or after or stem)
    return stem


def _read(name, path, copies):
    """Return the Files in a file: one, or those in a zip."""
    if JUNK.search(name):
        return []
    if path.is_symlink() or not path.is_file():
        return [File(name, None, [], "not a plain file")]
    if path.suffix.lower() != ".zip":
        with path.open("rb") as stream:
            return [_recognised(name, stream.read(MOST_BYTES + 1), copies)]
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            files = [
                _recognised(f"{name}/{each.filename}", _member(archive, each), copies)
                for each in members[:MOST_MEMBERS]
                if not JUNK.search(each.filename)
            ]
            if len(members) > MOST_MEMBERS:
                problem = f"only its first {MOST_MEMBERS} files were read"
                files.append(File(name, None, [], problem))
            return files
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        return [File(name, None, [], f"not a zip that can be read: {error}")]


def _member(archive, member):
    with archive.open(member) as stream:
        return stream.read(MOST_BYTES + 1)


def _recognised(name, data, copies):
    """Return a File: its lab is known by its cells, or else by its name."""
    by_name = [lab for lab in copies if lab.lower() in name.lower()]
    by_name = by_name[-1] if by_name else None
    if not name.lower().endswith(".ipynb"):
        return File(name, None, [], "not a notebook")
    if len(data) > MOST_BYTES:
        return File(name, by_name, [], f"more than {MOST_BYTES // 2**20} MB")
    try:
        cells = restore_cells.read(data)
    except ValueError as error:
        return File(name, by_name, [], str(error))
    scores = {lab: restore_cells.likeness(cells, copy) for lab, copy in copies.items()}
    best = max(scores, key=scores.get)
    lab = best if scores[best] >= LIKE else by_name
    return File(name, lab, cells, "" if lab else "a notebook of no lab")


def _student(identity, name, files):
    notes, by_lab = [], {}
    for file in files:
        where = PurePosixPath(file.name).name
        if file.problem:
            notes.append(f"{where}: {file.problem}")
        if file.lab and file.lab.lower() not in where.lower() and not file.problem:
            notes.append(f"{where}: taken for {file.lab}, by its cells")
        if file.lab:
            by_lab.setdefault(file.lab, []).append(file)
    for lab, same in by_lab.items():
        same = [file for i, file in enumerate(same) if not _in(file, same[:i])]
        whole = [file for file in same if not file.problem] or same[:1]
        if len(whole) > 1:
            names = ", ".join(PurePosixPath(file.name).name for file in whole)
            notes.append(
                f"{lab} was handed in {len(whole)} times, the best counts: {names}"
            )
        if len(whole) > MOST_COPIES:
            notes.append(f"{lab}: only the first {MOST_COPIES} files were marked")
        by_lab[lab] = whole[:MOST_COPIES]
    return Student(identity, name, by_lab, notes)


def _in(file, others):
    return any(
        file.cells == other.cells and file.problem == other.problem for other in others
    )


def _slug(name):
    """Return a name that every file system, nbgrader and a browser can bear."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9]+", "-", plain)
    return plain.strip("-")[:40].lower() or "student"
