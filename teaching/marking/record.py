"""The record of a marking: who handed in what, and what the marking had to say."""

import json
from pathlib import Path
from typing import NamedTuple

from teaching.marking import submissions, whose

NAME = "students.json"


class Told(NamedTuple):
    """What a marking had to say on one lab of a student; ``failure`` was ours."""

    notes: list
    failure: str


def write(course, students, marks):
    """Write the record of a marking into its folder."""
    content = [
        student._asdict()
        | {
            "files": {
                lab: [f.name for f in each] for lab, each in student.files.items()
            }
        }
        | {
            "marks": {
                lab: [list(mark.notes), mark.failure]
                for (owner, lab), mark in marks.items()
                if owner == student.id
            }
        }
        for student in students
    ]
    text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
    (Path(course) / NAME).write_text(text, encoding="utf-8")


def read(course):
    """Return the Students of a marking, and {(student id, lab): Told}.

    Of the files, only the names are known.

    Raises
    ------
    ValueError
        If the folder is none of a marking.
    """
    path = Path(course) / NAME
    if not path.is_file():
        wanted = "a folder that make grade made, and did not break off"
        raise ValueError(f"MARKING must be {wanted}, got {course}")
    students, marks = [], {}
    for entry in json.loads(path.read_text(encoding="utf-8")):
        told = entry.pop("marks")
        files = {
            lab: [submissions.File(name, lab, [], "") for name in names]
            for lab, names in entry["files"].items()
        }
        who = whose.Who(*entry["who"])
        students.append(submissions.Student(**entry | {"files": files, "who": who}))
        marks |= {(entry["id"], lab): Told(*each) for lab, each in told.items()}
    return students, marks
