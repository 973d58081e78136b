"""``python -m teaching``: what ``make handouts``, ``site``, ``grade``, ``room`` run.

``python -m teaching hunt 03`` seals the bugs of a hunt.
"""

import argparse
import contextlib
import sys
from pathlib import Path

from teaching import labs
from teaching.handing_out import careful_writing, handouts
from teaching.handing_out.student_copy import student_copies


def build(arguments):
    """Build what a teacher hands out; return 0, or 1 if a file isn't as it should be.

    A lab that can't be cut stops it all, before anything is written.
    """
    built = handouts.build(labs.read(), arguments.into, force=arguments.force)
    careful_writing.report(
        arguments.into, built.outcome, again="make handouts HANDOUTS_ARGS=--force"
    )
    if built.no_pdf:
        print(built.no_pdf)
    return 0 if built.outcome.complete else 1


def site(arguments):
    """Build the site; return 0, or 1 if a file isn't as it should be.

    Whatever stands in the way stops it all, before anything is written.
    """
    from teaching.site import build, frames

    worked = frames.with_frames(labs.read(), labs.NOTEBOOKS)
    files = build.files(worked)
    outcome = careful_writing.write(
        arguments.into, files, force=arguments.force, sweep=True
    )
    careful_writing.report(
        arguments.into, outcome, again="make site SITE_ARGS=--force", brief=True
    )
    print(f"{sum(map(len, files.values())) / 1e6:.1f} MB in {len(files)} files. Open")
    print(f"{arguments.into / 'index.html'}    for students")
    print(f"{arguments.into / build.FOLDER / 'index.html'}    with solutions")
    return 0 if outcome.complete else 1


def grade(arguments):
    """Mark a class; return 0, or 1 if something could not be marked."""
    from teaching.marking import mark_class, run_notebook

    worked = labs.read()
    done = mark_class.grade(
        arguments.submissions,
        arguments.into,
        worked,
        student_copies(worked),
        seed=arguments.seed,
        num_workers=arguments.workers,
        cluster=arguments.cluster,
        all_cells=arguments.all_cells,
        limits=run_notebook.Limits(
            cell=arguments.seconds,
            lab=arguments.lab_seconds,
            memory=arguments.memory * 2**20,
            library=not arguments.refuse_library,
        ),
        again=arguments.again,
        unmarked=arguments.unmarked,
    )
    _say_what_is_in(done.folder)
    return 1 if any(mark.failure for mark in done.marks.values()) else 0


def hunt(arguments):
    """Print the open bugs of a lab as the text that ``labchecks`` holds; return 0."""
    from teaching import hunt

    print(hunt.sealed(arguments.lab))
    return 0


def room(arguments):
    """Show where the class is, until Ctrl-C; return 0."""
    from teaching.room import lines, page

    folder, known = page.folder(labs.ROOT), lines.labs(labs.read())
    server = page.server(folder, known, port=arguments.port, hours=arguments.hours)
    print("Sessions are seen that are started with, in their environment,\n")
    print(f"    {page.VARIABLE}={folder}\n")
    print("On this machine alone, until Ctrl-C:\n")
    print(f"    http://{page.HOST}:{server.server_port}/", flush=True)
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


def give_back(arguments):
    """Write anew what goes back to students; return 0, or 1 if a file was left."""
    from teaching.marking import give_back

    outcome, lines = give_back.write(
        arguments.marking, unmarked=arguments.unmarked, force=arguments.force
    )
    careful_writing.report(
        arguments.marking, outcome, again=give_back.AGAIN, brief=True
    )
    print("\n".join(lines))
    _say_what_is_in(arguments.marking)
    return 0 if outcome.complete else 1


def _folder(text):
    """Return a path. Not each shell reads the "~" in ``SUBMISSIONS=~/class``."""
    return Path(text).expanduser()


def _say_what_is_in(folder):
    print(f"\n{folder}/points.csv    points of each exercise")
    print(f"{folder}/feedback/     a page for each student and lab")
    print(
        f"{folder}/return/       for Moodle, Canvas and others, a folder for each lab"
    )
    print("Written answers marked? make return MARKING=" + str(folder))


def main(argv=None):
    """Run the command that the arguments name, and return its exit code, an int.

    What went wrong is returned as a text, which Python prints.
    """
    parser = argparse.ArgumentParser(prog="python -m teaching")
    commands = parser.add_subparsers(required=True, metavar="command")
    default = "by default %(default)s"
    forced = "replace changed files, too; they are kept"
    for name, into, run, what in [
        ("build", "handouts", build, "build the handouts"),
        ("site", "site", site, "build the site; runs the labs"),
    ]:
        command = commands.add_parser(name, help=what)
        command.add_argument("--force", action="store_true", help=forced)
        command.add_argument(
            "--into", type=Path, default=Path(into), help=f"a folder, {default}"
        )
        command.set_defaults(run=run, nothing="Nothing was built")
    command = commands.add_parser("grade", help="mark a class; runs students' code")
    command.add_argument("submissions", type=_folder, help="a folder")
    into = Path("handouts/marking")
    command.add_argument("--into", type=Path, default=into, help=f"a folder, {default}")
    command.add_argument("--seed", type=int, help="for the problems; at random")
    command.add_argument("--workers", type=int, help="by default, one for each core")
    command.add_argument("--cluster", help="address of a Dask scheduler; here, if none")
    command.add_argument(
        "--all-cells", action="store_true", help="run those that no point needs, too"
    )
    command.add_argument("--seconds", type=int, default=60, help=f"a cell, {default}")
    command.add_argument(
        "--lab-seconds", type=int, default=300, help=f"a lab, {default}"
    )
    command.add_argument("--memory", type=int, default=3072, help=f"MB, {default}")
    command.add_argument("--again", type=Path, help="an earlier marking, to go on with")
    unmarked = "give back labs with unmarked answers, too, which count nothing"
    command.add_argument("--unmarked", action="store_true", help=unmarked)
    command.add_argument(
        "--refuse-library",
        action="store_true",
        help="no points for an answer that calls the package for what it was to do",
    )
    command.set_defaults(run=grade, nothing="Nothing was marked")
    command = commands.add_parser("hunt", help="seal the bugs of a lab, for its checks")
    command.add_argument("lab", help="its number, such as 03")
    command.set_defaults(run=hunt, nothing="Nothing was sealed")
    command = commands.add_parser("room", help="show where the class is")
    command.add_argument("--port", type=int, default=0, help="by default, a free one")
    command.add_argument(
        "--hours", type=float, default=3, help=f"older lines don't count, {default}"
    )
    command.set_defaults(run=room, nothing="Nothing is shown")
    command = commands.add_parser("return", help="write anew what goes back")
    command.add_argument("marking", type=_folder, help="the folder of a marking")
    command.add_argument("--unmarked", action="store_true", help=unmarked)
    command.add_argument("--force", action="store_true", help=forced)
    command.set_defaults(run=give_back, nothing="Nothing was written")
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments)
    except ValueError as error:
        return f"{arguments.nothing}: {error}"


if __name__ == "__main__":
    sys.exit(main())
