"""Whose a file is, by its name: the number that a platform gives, or else the name."""

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import NamedTuple

# Moodle: "Anna Smith_17_assignsubmission_file", with or without "_" and more after it.
MOODLE = re.compile(
    r"(?P<name>.*?)_(?P<number>\d+)_assignsubmission_[a-z]+(_.*)?", re.S
)
# Canvas: "smithanna_LATE_4711_99_lab.ipynb"; the second number is that of the file.
CANVAS = re.compile(
    r"(?P<name>.+?)(_LATE)?_(?P<number>\d+)_(?P<file>\d+)_(?P<rest>.+)", re.S
)
COPY = re.compile(r"(?i)[ _-]*(copy ?\d*|\(\d+\)|-\d+)$")
COPY_OF = re.compile(r"(?i)^((cop(y|ia)|kopie) (of|de|di|von) +)+")


class Who(NamedTuple):
    """Who has handed in.

    ``platform`` is "moodle", "canvas" or what the entry is: "folder", "zip" or "file".
    ``number`` is that of the platform, or "".
    """

    platform: str
    name: str
    number: str = ""

    @property
    def key(self):
        """What stays the same when the class is read again: Moodle's number is enough.

        A name like Canvas' can be anybody's, so there the name must be the same too.
        """
        name = "" if self.platform == "moodle" else self.name
        return " ".join([self.platform, name, self.number])

    @property
    def shown(self):
        """The name, with the number that tells two of one name apart."""
        return "_".join([self.name, self.number] if self.number else [self.name])

    @property
    def id(self):
        """A name that every file system, nbgrader and a browser can bear."""
        plain = unicodedata.normalize("NFKD", self.shown).encode("ascii", "ignore")
        plain = re.sub(r"[^a-z0-9]+", "-", plain.decode().lower()).strip("-")[:40]
        digest = hashlib.sha256(self.key.encode("utf-8", "surrogateescape")).hexdigest()
        return f"{plain or 'student'}-{digest[:8]}"


def numbered(name, kind, labs):
    """Return the Who of a name that a platform has given, or None.

    Parameters
    ----------
    name : str
    kind : str
        "folder", "zip" or "file".
    labs : iterable of str
        The stems of the labs' files: their digits are no student's number.
    """
    stem = name if kind == "folder" else PurePosixPath(name).stem
    if found := MOODLE.fullmatch(stem):
        return Who("moodle", *found.group("name", "number"))
    found = CANVAS.fullmatch(name)
    at = [
        name.lower().rfind(lab.lower()) for lab in labs if lab.lower() in name.lower()
    ]
    if kind == "folder" or not found or at and found.start("rest") > max(at):
        return None
    return Who("canvas", *found.group("name", "number"))


def file_number(name):
    """Return the number that Canvas has given a file, or 0: a later one is larger."""
    found = CANVAS.fullmatch(name)
    return int(found["file"]) if found else 0


def named(name, kind, labs):
    """Return the Who of a name that is the class's own."""
    stem = name if kind == "folder" else PurePosixPath(name).stem
    return Who(kind, _without_lab(stem, labs) if kind == "file" else stem)


def alike(who):
    """Return a text that is the same for names that could be one student's."""
    plain = unicodedata.normalize("NFKD", who.name).casefold()
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return " ".join(sorted(re.findall(r"[^\W\d_]+", plain)))


def _without_lab(stem, labs):
    """Return what stands for the student in the name of a single file."""
    stem = COPY_OF.sub("", stem)
    for lab in labs:
        if found := re.search(re.escape(lab), stem, re.IGNORECASE):
            before = stem[: found.start()].strip(" _-.")
            after = COPY.sub("", stem[found.end() :]).strip(" _-.")
            return before or after or stem
    return stem
