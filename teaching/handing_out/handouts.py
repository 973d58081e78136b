"""Build all that a teacher hands out, and write it into one folder."""

from pathlib import Path
from typing import NamedTuple

import nbformat

from teaching import labs
from teaching.handing_out import (
    cards,
    careful_writing,
    guide,
    leaks,
    pdf,
    sheets,
    students_zip,
)
from teaching.handing_out.student_copy import student_copies

ZIP = "autograd-labs-student.zip"
NO_PDF = """
No PDFs, since {error}
The HTML pages in print/ and teacher/ can also be opened in any browser and printed
from there."""


class Built(NamedTuple):
    """What became of each file, and why there are no PDFs, or ""."""

    outcome: careful_writing.Outcome
    no_pdf: str


def build(worked, into, *, force=False):
    """Build the handouts of worked labs; return what was Built.

    Parameters
    ----------
    worked : dict of str to NotebookNode
        The worked labs, by the stem of their files.
    into : path
        The folder. Whatever was changed there is left as it is.
    force : bool
        Replace what was changed, too; it is kept under another name.

    Raises
    ------
    ValueError
        If a lab can't be cut or printed, if a teacher's file doesn't fit its lab, or if
        a solution leaks; nothing is written.
    """
    copies = written(student_copies(worked))
    files = {f"student/{name}": content for name, content in copies.items()}
    for name, content in copies.items():  # of nbgrader, see nbgrader_config.py
        files[f"course/source/{Path(name).stem}/{name}"] = content
    files[ZIP] = students_zip.pack(student_files(worked, copies))
    pages = {
        f"{where}/{name}": page
        for where, made in (("print", sheets), ("teacher", guide))
        for name, page in made.pages(worked, folder=labs.NOTEBOOKS).items()
    }
    pages["print/cards.html"] = cards.page()
    files |= {name: page.encode() for name, page in pages.items()}
    no_pdf = ""
    try:
        files |= pdf.print_all(pages)
    except pdf.NoBrowser as error:
        no_pdf = NO_PDF.format(error=error)
    return Built(careful_writing.write(into, files, force=force), no_pdf)


def written(copies):
    """Return {file name: content}, bytes, of students' copies by the stem."""
    return {
        f"{lab}.ipynb": (nbformat.writes(copy) + "\n").encode()
        for lab, copy in copies.items()
    }


def student_files(worked, copies):
    """Return {path: content} of the students' zip, searched for leaks.

    ``copies`` is what ``written`` returns.
    """
    files = students_zip.contents(labs.ROOT, copies)
    leaks.refuse(worked, files)
    return files
