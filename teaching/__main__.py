"""``python -m teaching``: what ``make handouts`` and ``make grade`` run."""

import argparse
import sys
from pathlib import Path

import nbformat

from teaching.handing_out import careful_writing, leaks, pdf, sheets, students_zip
from teaching.handing_out.student_copy import student_copy

ROOT = Path(__file__).resolve().parents[1]
ZIP = "autograd-labs-student.zip"
CHANGED = """
Left as they are, since somebody changed them after they were built:
{names}
To build these anew, too: make handouts HANDOUTS_ARGS=--force
The changed ones are then kept beside the new ones, under a name that says when."""

NO_PDF = """
No PDFs, since {error}
The HTML sheets in print/ can also be opened in any browser and printed from there.
"""


def build(arguments):
    """Build what a teacher hands out; return 0, or 1 if a file isn't as it should be.

    A lab that can't be cut stops it all, before anything is written.
    """
    labs = read_labs(ROOT / "notebooks")
    copies = student_copies(labs)
    files = {f"student/{name}": content for name, content in copies.items()}
    for name, content in copies.items():  # of nbgrader, see nbgrader_config.py
        files[f"course/source/{Path(name).stem}/{name}"] = content
    files[ZIP] = students_zip.pack(student_files(labs, copies))
    pages = sheets.pages(ROOT / "notebooks")
    files |= {f"print/{name}": page.encode() for name, page in pages.items()}
    no_pdf = ""
    try:
        printed = pdf.print_all(pages)
        files |= {f"print/{name}": content for name, content in printed.items()}
    except pdf.NoBrowser as error:
        no_pdf = NO_PDF.format(error=error)
    outcome = careful_writing.write(arguments.into, files, force=arguments.force)
    report(arguments.into, outcome)
    print(no_pdf, end="")
    return 0 if outcome.complete else 1


def grade(arguments):
    """Mark a class; return 0, or 1 if something could not be marked."""
    from teaching.marking import mark_class, run_notebook

    worked = {Path(n).stem: lab for n, lab in read_labs(ROOT / "notebooks").items()}
    copies = {name: student_copy(lab) for name, lab in worked.items()}
    done = mark_class.grade(
        arguments.submissions,
        arguments.into,
        worked,
        copies,
        seed=arguments.seed,
        workers=arguments.workers,
        limits=run_notebook.Limits(
            cell=arguments.seconds,
            lab=arguments.lab_seconds,
            memory=arguments.memory * 2**20,
        ),
    )
    print(f"\n{done.folder}/points.csv    points of each exercise")
    print(f"{done.folder}/feedback/     a page for each student and lab")
    return 1 if any(mark.failure for mark in done.marks.values()) else 0


def read_labs(folder):
    """Return {file name: notebook} of the worked labs in a folder."""
    paths = sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))
    return {path.name: nbformat.read(path, as_version=4) for path in paths}


def student_copies(labs):
    """Return {file name: content} of the students' copies of worked labs."""
    copies = {}
    for name, lab in labs.items():
        try:
            copy = student_copy(lab)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        copies[name] = (nbformat.writes(copy) + "\n").encode()
    return copies


def student_files(labs, copies):
    """Return {path: content} of the students' zip, searched for leaks."""
    files = students_zip.student_files(ROOT, copies)
    helpers = [text for name, text in files.items() if name.startswith("lab")]
    leaks.refuse(leaks.secrets(labs, b"\n".join(helpers).decode()), files)
    return files


def report(folder, outcome):
    """Tell a teacher what became of each file."""
    for name in outcome.written:
        print(f"built      {folder / name}")
    for name in outcome.same:
        print(f"unchanged  {folder / name}")
    for name, aside in outcome.kept.items():
        print(f"built      {folder / name}  (the changed one is now {folder / aside})")
    for name, reason in outcome.failed.items():
        print(f"NOT BUILT  {folder / name}: {reason}")
    if outcome.left:
        names = "\n".join(f"  {folder / name}" for name in outcome.left)
        print(CHANGED.format(names=names))


def main(argv=None):
    """Run the command that the arguments name, and return its exit code, an int."""
    parser = argparse.ArgumentParser(prog="python -m teaching")
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("build", help="build the handouts")
    command.add_argument(
        "--force", action="store_true", help="replace changed files, too; they are kept"
    )
    command.add_argument(
        "--into",
        type=Path,
        default=Path("handouts"),
        help="the folder, by default %(default)s",
    )
    command.set_defaults(run=build)
    command = commands.add_parser("grade", help="mark a class; runs students' code")
    command.add_argument("submissions", type=Path, help="a folder")
    into, limits = Path("handouts/marking"), "by default %(default)s"
    command.add_argument("--into", type=Path, default=into, help=limits)
    command.add_argument("--seed", type=int, help="for the problems; at random")
    command.add_argument("--workers", type=int, help="by default, one for each core")
    command.add_argument("--seconds", type=int, default=60, help=f"a cell, {limits}")
    command.add_argument(
        "--lab-seconds", type=int, default=300, help=f"a lab, {limits}"
    )
    command.add_argument("--memory", type=int, default=3072, help=f"MB, {limits}")
    command.set_defaults(run=grade)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments)
    except ValueError as error:
        return f"Nothing was built: {error}"


if __name__ == "__main__":
    sys.exit(main())
