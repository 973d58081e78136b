"""Read a folder of submissions, as a learning platform exports them.

Each entry of the folder is one student: a folder or a zip with the name of the student,
or single notebooks whose names begin alike. A platform's own zip, unpacked or not, is
read as the class that is in it. Where a platform gives a student a number, the number
says who it is; see ``whose``. Two entries without one are never taken for one student,
unless both are single notebooks and what stands for the student is the same.
"""

import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from teaching.marking import platform_tables, restore_cells, whose

# What is read of one student, at most.
MOST_BYTES = 30 * 2**20  # of a file
MOST_TOGETHER = 120 * 2**20  # of all files
MOST_COPIES = 5  # of a lab
MOST_MEMBERS = 1000
DEEPEST = 2  # a zip within a zip
LIKE = 0.2  # the least likeness of a notebook with the lab that it is taken for
JUNK = re.compile(
    r"(^|/)(__MACOSX|\.ipynb_checkpoints|__pycache__)/|(^|/)(\.|Thumbs\.db|desktop\.ini)"
)
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


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
    who: whose.Who | None = None


class _Found(NamedTuple):
    """A file: its path, a function that reads so many bytes, and what is wrong."""

    name: str
    read: Callable
    problem: str = ""


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
    entries = {}
    for who, found in _entries(folder, copies):
        # Read at once: a zip is open until then, and only so many may be.
        _, reader, files = entries.setdefault(who.key, (who, _Reader(copies), []))
        files += reader.files(found)
    if not entries:
        raise ValueError(f"SUBMISSIONS must be a folder with submissions, got {folder}")
    students = [_student(who, files) for who, _, files in entries.values()]
    _note_look_alikes(students)
    return sorted(students, key=lambda each: (each.name, each.id))


def tables(folder):
    """Return the platforms' own tables that lie in a folder, {name: bytes}."""
    paths = sorted(Path(folder).iterdir())
    return {path.name: path.read_bytes() for path in paths if _is_table(path)}


def _is_table(path):
    is_csv = path.suffix.lower() == ".csv" and _kind(path) == "file"
    if not is_csv or path.is_symlink() or path.stat().st_size > MOST_BYTES:
        return False
    return platform_tables.read(path.read_bytes()) is not None


# --- Whose it is ----------------------------------------------------------------------


def _entries(folder, copies):
    """Yield each entry of a folder, or of a class within it: a Who, and its files."""
    for path in sorted(folder.iterdir()):
        kind = _kind(path)
        if JUNK.search(path.name + "/" * (kind == "folder")) or _is_table(path):
            continue
        name = _name_of(Path(path.name))
        who, found = whose.numbered(name, kind, copies), _listed(path, kind)
        by_top = {} if who or kind == "file" else _class(found, copies)
        yield from by_top.values()
        if kind == "zip":
            found = [
                each._replace(name=f"{name}/{each.name}".rstrip("/")) for each in found
            ]
        if not by_top:
            yield who or whose.named(name, kind, copies), found


def _name_of(path):
    """Return a path as a text, with ``/`` on every system."""
    return os.fsencode(path.as_posix()).decode(errors="replace")


def _kind(path):
    if path.is_symlink():
        return "file"
    is_zip = path.suffix.lower() == ".zip" and path.is_file()
    return "folder" if path.is_dir() else "zip" if is_zip else "file"


def _class(found, copies):
    """Return {top name: (Who, files)} if a platform has named all of it, else {}.

    A table that somebody has put there is one more entry.
    """
    parts = [PurePosixPath(each.name).parts for each in found]
    for depth in (0, 1) if len({each[:1] for each in parts}) == 1 else (0,):
        by_top, tables = {}, {}
        for names, each in zip(parts, found):
            inner = names[depth:] or ("",)
            kind = "folder" if len(inner) > 1 else "file"
            who = whose.numbered(inner[0], kind, copies)
            if kind == "file" and inner[0].lower().endswith(".csv") and not who:
                tables[inner[0]] = whose.named(inner[0], kind, copies), [each]
                continue
            each = each._replace(name="/".join(inner))
            by_top.setdefault(inner[0], (who, []))[1].append(each)
        who = {who for who, _ in by_top.values()}
        # Names like Canvas' can be anybody's, so there must be two of them.
        if None not in who and (len(who) > 1 or "moodle" in {w.platform for w in who}):
            return by_top | tables
    return {}


def _note_look_alikes(students):
    """Note where two could be one student, or a number stands for two names."""
    groups = {}
    for student in students:
        for what in (whose.alike(student.who), student.who.number):
            groups.setdefault(what, []).append(student)
    for what, same in groups.items():
        for student in same if what and len(same) > 1 else ():
            others = ", ".join(each.name for each in same if each is not student)
            note = f"looks like {others}: one student, or two? They were not joined"
            student.notes.append(note)


# --- What is in it --------------------------------------------------------------------


def _listed(path, kind):
    """Return what is in an entry, without reading it; links are not followed."""
    if kind == "zip":
        return _members(path)
    if kind == "file":
        return [_on_disk(path, path.name)]
    paths = []
    for root, folders, names in os.walk(path):
        links = [name for name in folders if Path(root, name).is_symlink()]
        paths += [Path(root, name) for name in [*names, *links]]
    inside = {_name_of(each.relative_to(path)): each for each in paths}
    return [_on_disk(inside[n], n) for n in sorted(inside) if not JUNK.search(n)]


def _on_disk(path, name):
    def read(most):
        with path.open("rb") as stream:
            return stream.read(most)

    plain = path.is_file() and not path.is_symlink()
    return _Found(name, read, "" if plain else "not a plain file")


def _members(file):
    """Return what is in a zip, or that it can't be read."""
    try:
        archive = zipfile.ZipFile(file)
    except BROKEN as error:
        return [_Found("", None, f"not a zip that can be read: {error}")]

    def reader(member):
        def read(most):
            with archive.open(member) as stream:
                return stream.read(most)

        return read

    return [
        _Found(each.filename, reader(each))
        for each in archive.infolist()
        if not each.is_dir() and not JUNK.search(each.filename)
    ]


class _Reader:
    """Reads what one student has handed in, and no more of it than is allowed."""

    def __init__(self, copies):
        self.copies, self.bytes, self.members = copies, MOST_TOGETHER, MOST_MEMBERS

    def files(self, found, depth=0):
        """Return the Files in what was found."""
        files = []
        for each in found:
            self.members -= 1
            if self.members < 0:
                problem = f"only the first {MOST_MEMBERS} files were read"
                return [*files, File("", None, [], problem)]
            files += self._files_of(each, depth)
        return files

    def _files_of(self, found, depth):
        is_zip = found.name.lower().endswith(".zip") and depth < DEEPEST
        if found.problem:
            return [File(found.name, None, [], found.problem)]
        if not is_zip and not found.name.lower().endswith(".ipynb"):
            table = ", nor a table of Moodle, in English, or of Canvas"
            table += ", in SUBMISSIONS itself"
            is_table = found.name.lower().endswith(".csv")
            problem = "not a notebook" + table * is_table
            return [File(found.name, None, [], problem)]
        most = min(MOST_BYTES, self.bytes)
        try:
            data = found.read(most + 1)
        except BROKEN as error:
            return [File(found.name, None, [], f"cannot be read: {error}")]
        self.bytes -= min(len(data), most)
        if len(data) > most:
            together = "" if most == MOST_BYTES else " together"
            limit = (MOST_TOGETHER if together else MOST_BYTES) // 2**20
            problem = f"more than {limit} MB{together}"
            return [
                File(found.name, _lab_by_name(found.name, self.copies), [], problem)
            ]
        if is_zip:
            inner = [
                each._replace(name=f"{found.name}/{each.name}".rstrip("/"))
                for each in _members(io.BytesIO(data))
            ]
            return self.files(inner, depth + 1)
        return [_recognised(found.name, data, self.copies)]


def _lab_by_name(name, copies):
    labs = [lab for lab in copies if lab.lower() in name.lower()]
    return labs[-1] if labs else None


def _recognised(name, data, copies):
    """Return a File: its lab is known by its cells, or else by its name."""
    by_name = _lab_by_name(name, copies)
    try:
        cells = restore_cells.read(data)
    except ValueError as error:
        return File(name, by_name, [], str(error))
    scores = {lab: restore_cells.likeness(cells, copy) for lab, copy in copies.items()}
    best = max(scores, key=scores.get)
    lab = best if scores[best] >= LIKE else by_name
    return File(name, lab, cells, "" if lab else "a notebook of no lab")


def _student(who, files):
    notes, by_lab = [], {}
    for file in files:
        where = PurePosixPath(file.name).name
        if file.problem:
            notes.append(f"{where}: {file.problem}" if where else file.problem)
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
    return Student(who.id, who.shown, by_lab, list(dict.fromkeys(notes)), who)


def _in(file, others):
    return any(
        file.cells == other.cells and file.problem == other.problem for other in others
    )
