"""Mark a class: run each submission, judge it, and let nbgrader keep the gradebook."""

import hashlib
import os
import random
import time
from collections import Counter
from concurrent.futures import as_completed
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nbformat.v4 import new_markdown_cell
from nbgrader import utils

from teaching.marking import (
    give_back,
    gradebook,
    kernels,
    remote_answer,
    restore_cells,
    run_notebook,
    submissions,
    workers,
)

SEEDS = 2  # sets of problems for each answer, besides what the student has seen


class Mark(NamedTuple):
    """What came of one file: the notebook with its verdicts, or ``failure`` of ours.

    ``late``: see ``run_notebook.Run``.
    """

    notebook: object
    right: dict
    notes: list
    seconds: float
    failure: str = ""
    late: bool = False


class Marking(NamedTuple):
    """Where a marking is, its students, and {(student id, lab): Mark}."""

    folder: Path
    students: list
    marks: dict


def grade(
    folder,
    into,
    worked,
    copies,
    *,
    seed=None,
    num_workers=None,
    cluster=None,
    limits=None,
    all_cells=False,
    say=print,
    again=None,
    unmarked=False,
):
    """Mark a folder of submissions into a new folder, named by date and time.

    Parameters
    ----------
    folder : str or Path
        The submissions; see ``submissions.read``. It is only read.
    into : str or Path
        Where the new folder is made.
    worked, copies : dict of str to NotebookNode
        The worked labs and the students' copies of them, by the stem of their files.
    seed : int, optional
        Draws the problems that answers are judged on; by default at random. It is
        written into the new folder.
    num_workers : int, optional
        How many run at once, by default one for each core.
    cluster : str, optional
        The address of a Dask scheduler, whose workers mark.
    limits : run_notebook.Limits, optional
    all_cells : bool
        Whether to run all cells, and not only those that answers depend on.
    say : callable
        Gets one line of text at a time.
    again : str or Path, optional
        The folder of an earlier marking of this class: its seed is used, and what a
        person entered there counts here, too, where the answer is the same.
    unmarked : bool
        See ``give_back.write``.

    Returns
    -------
    Marking

    Raises
    ------
    ValueError
        If there are no submissions, or no checks for a lab that was handed in, or no
        such cluster.
    RuntimeError
        If a worked lab doesn't pass its own checks; or, once all is marked, if
        submissions were changed meanwhile.
    """
    students = submissions.read(folder, copies)
    labs = [lab for lab in copies if any(lab in each.files for each in students)]
    for lab in labs:
        remote_answer.checks_of(lab)
    before, pack = digests(Path(folder)), kernels.digests()
    earlier = gradebook.seed_of(again)  # is it a marking?
    seed = earlier if seed is None else seed
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    course = _new_folder(Path(into))
    give_back.take_tables(folder, course)
    (course / "seed.txt").write_text(f"{seed}\n")
    say(f"{len(students)} students, marked in {course}, seed {seed}")
    seeds = _seeds(seed)
    jobs = {
        (student.id, lab, number): (file, copies[lab])
        for student in students
        for lab, files in student.files.items()
        for number, file in enumerate(files)
    }
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    gradebook.opened(course, {lab: copies[lab] for lab in labs})
    say("The worked labs first:")
    with workers.executor(num_workers, cluster) as executor:
        found = executor.submit(kernels.open_doors, Path(folder).resolve(), course)
        if found := found.result():
            say(f"What students wrote can {found}: see docs/teaching.md")
        runs = _runs({lab: worked[lab] for lab in labs}, seeds, limits, executor, say)
        known = {lab: None if all_cells else run.known for lab, run in runs.items()}
        tasks = {
            key: (mark, file, copy, seeds, runs[key[1]].given, known[key[1]], limits)
            for key, (file, copy) in jobs.items()
        }
        names = {key: file.name for key, (file, _) in jobs.items()}
        marks = _best(_run_all(tasks, executor, say), names)
    marks = gradebook.keep(course, students, marks, again=again)
    if away := gradebook.left_behind(again, students) if again else []:
        say(f"In {again}, but not handed in here: {'; '.join(away)}")
    for line in give_back.write(course, unmarked=unmarked, force=True)[1]:
        say(line)
    if lost := changed(pack, kernels.digests()):
        message = f"the pack was changed while it marked: {', '.join(map(str, lost))}"
        raise RuntimeError(f"{message}. Get it anew; the marks are kept, in {course}")
    if lost := changed(before, digests(Path(folder))):
        # All was read before anything was run, so the marks are those of before.
        message = f"{folder} was changed while it was marked: restore {', '.join(lost)}"
        raise RuntimeError(f"{message}. What was handed in is marked, in {course}")
    return Marking(course, students, marks)


def mark(file, copy, seeds, given, known=None, limits=None):
    """Return the Mark of one file. It runs what is in it."""
    notebook, notes = restore_cells.mended(file.cells, copy)
    if file.problem:
        notes = [file.problem]
        result = run_notebook.refused(notebook, file.problem)
    else:
        result = run_notebook.run(
            notebook, file.lab, seeds=seeds, given=given, known=known, limits=limits
        )
    notes = [*notes, *result.notes]
    if notes:
        text = "\n".join(f"- {note}" for note in notes)
        note = new_markdown_cell(f"**Notes of the marking**\n\n{text}", id="notes")
        result.notebook.cells.insert(0, note)
    seconds, late = result.seconds, result.late
    return Mark(result.notebook, result.right, notes, seconds, late=late)


def _runs(worked, seeds, limits, executor, say):
    """Run the worked labs; return {lab: Run}."""
    tasks = {(lab,): (_run_worked, n, lab, seeds, limits) for lab, n in worked.items()}
    runs = {lab: run for (lab,), run in _run_all(tasks, executor, say).items()}
    for lab, run in runs.items():
        failure = run.failure if isinstance(run, Mark) else ""
        wrong = [] if failure else [name for name, ok in run.right.items() if not ok]
        if failure or wrong:
            text = f"the worked {lab} does not pass: {failure or ', '.join(wrong)}"
            raise RuntimeError(f"{text}. Nobody was marked; try again, or mend it")
    return runs


def _run_worked(notebook, lab, seeds, limits):
    return run_notebook.run(notebook, lab, seeds=seeds, limits=limits)


def _seeds(seed):
    """Return the seeds of the problems; 0 is that of a student's own checks."""
    return random.Random(seed).sample(range(1, 10**6), SEEDS)


def _run_all(tasks, executor, say=None):
    """Call each task, a function with its arguments; return the results by key.

    What fails is tried once more, here and alone: if one task ends its worker, the
    others must not pay for it. So is what was stopped before it had worked that long.
    What fails again is a Mark with a failure.
    """
    results = _run(tasks, executor, say)
    for key, result in list(results.items()):
        if _failed(result) or result.late:
            with workers.executor(1) as alone:
                again = _run({key: tasks[key]}, alone, say)[key]
            results[key] = result if _failed(again) else again
    return results


def _run(tasks, executor, say):
    results, futures = {}, {}
    for key, task in tasks.items():
        try:
            futures[executor.submit(*task)] = key
        except Exception as error:  # the workers were lost with what they did before
            results[key] = _lost(error)
    for future in as_completed(futures):
        key = futures[future]
        try:
            results[key] = future.result()
        except Exception as error:  # of ours, or of a machine
            results[key] = _lost(error)
        if say:
            say(_line(key, results[key]))
    return results


def _lost(error):
    return Mark(None, {}, [], 0.0, f"{type(error).__name__}: {error}")


def _failed(result):
    return isinstance(result, Mark) and bool(result.failure)


def _line(key, mark):
    name = " ".join(str(part) for part in key[:2])
    if _failed(mark):
        return f"{name}: NOT MARKED: {mark.failure}"
    counts = Counter(mark.right.values())
    text = f"{name}: {counts[True]} of {counts.total()} right, {mark.seconds:.1f} s"
    return "; ".join([text, *mark.notes])


def _best(marks, names):
    """Return {(student id, lab): Mark}: of several files the one with most points.

    With as many, it is the one with more written answers, which a person is to mark.
    ``names`` are those of the files; a note says which of several counted.
    """
    best = {}
    for (student, lab, number), mark in sorted(marks.items(), key=lambda each: each[0]):
        best.setdefault((student, lab), []).append((number, mark))
    for key, several in best.items():
        called = {
            number: PurePosixPath(names[*key, number]).name for number, _ in several
        }
        counted, mark = max(several, key=lambda each: _worth(each[1]))
        notes = [f"{called[counted]} counted"] * (len(several) > 1)
        notes += [
            f"{called[number]} was not marked, by a failure of ours: {other.failure}"
            for number, other in several
            if other.failure and number != counted
        ]
        best[key] = mark._replace(notes=[*mark.notes, *notes])
    return best


def _worth(mark):
    """Return the points of the checks, and how many written answers there are."""
    if mark.failure:
        return -1, 0
    cells = [cell for cell in mark.notebook.cells if utils.is_grade(cell)]
    scores = [utils.determine_grade(cell)[0] for cell in cells]
    return sum(score or 0 for score in scores), scores.count(None)


def digests(folder):
    """Return {path in the folder: SHA-256} of the files that are submissions.

    What a file manager or JupyterLab keeps there for itself is none.
    """
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: hashlib.sha256(path.read_bytes()).digest()
        for name, path in sorted(names.items())
        if not submissions.JUNK.search(name)
        if path.is_file() and not path.is_symlink()
    }


def changed(before, after):
    """Return the paths of files that are not as they were; new ones don't count."""
    return [name for name, digest in before.items() if after.get(name) != digest]


def _new_folder(into):
    """Make a folder whose name is the time; never one that exists."""
    into.mkdir(parents=True, exist_ok=True)
    while True:
        folder = into / time.strftime("%Y-%m-%d-%H%M%S")
        try:
            folder.mkdir()
        except FileExistsError:
            time.sleep(0.3)
        else:
            return folder.resolve()
