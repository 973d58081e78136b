"""Mark a class: run each submission, judge it, and let nbgrader keep the gradebook."""

import hashlib
import os
import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from nbformat.v4 import new_markdown_cell

from teaching.marking import (
    gradebook,
    kernels,
    restore_cells,
    run_notebook,
    submissions,
)

SEEDS = 2  # sets of problems for each answer, besides what the student has seen


class Mark(NamedTuple):
    """What came of one file: the notebook with its verdicts, or ``failure`` of ours."""

    notebook: object
    right: dict
    notes: list
    seconds: float
    failure: str = ""


class Marking(NamedTuple):
    """Where a marking is, its students, and {(student id, lab): Mark}."""

    folder: Path
    students: list
    marks: dict


def grade(
    folder, into, worked, copies, *, seed=None, workers=None, limits=None, say=print
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
    workers : int, optional
        How many run at once, by default one for each core.
    limits : run_notebook.Limits, optional
    say : callable
        Gets one line of text at a time.

    Returns
    -------
    Marking

    Raises
    ------
    ValueError
        If there are no submissions.
    RuntimeError
        If a worked lab doesn't pass its own checks, or if the submissions were changed
        while they were marked.
    """
    students = submissions.read(folder, copies)
    labs = [lab for lab in copies if any(lab in each.files for each in students)]
    before = digest(folder)
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    course = _new_folder(Path(into))
    (course / "seed.txt").write_text(f"{seed}\n")
    say(f"{len(students)} students, marked in {course}, seed {seed}")
    seeds = random.Random(seed).sample(range(1, 10**6), SEEDS)
    jobs = {
        (student.id, lab, number): (file, copies[lab])
        for student in students
        for lab, files in student.files.items()
        for number, file in enumerate(files)
    }
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    api = gradebook.opened(course, {lab: copies[lab] for lab in labs})
    say("The worked labs first:")
    with _executor(workers) as executor:
        given = _given({lab: worked[lab] for lab in labs}, seeds, limits, executor, say)
        tasks = {
            key: (mark, file, copy, seeds, given[key[1]], limits)
            for key, (file, copy) in jobs.items()
        }
        marks = _best(_run_all(tasks, executor, say))
    if digest(folder) != before:
        raise RuntimeError(f"{folder} was changed while it was marked: restore it")
    marks = gradebook.keep(api, course, students, marks)
    return Marking(course, students, marks)


def mark(file, copy, seeds, given, limits=None):
    """Return the Mark of one file. It runs what is in it."""
    notebook, notes = restore_cells.mended(file.cells, copy)
    if file.problem:
        notes = [file.problem]
        result = run_notebook.refused(notebook, file.problem)
    else:
        result = run_notebook.run(notebook, seeds=seeds, given=given, limits=limits)
    notes = [*notes, *result.notes]
    if notes:
        text = "\n".join(f"- {note}" for note in notes)
        note = new_markdown_cell(f"**Notes of the marking**\n\n{text}", id="notes")
        result.notebook.cells.insert(0, note)
    return Mark(result.notebook, result.right, notes, result.seconds)


def _given(worked, seeds, limits, executor, say):
    """Run the worked labs; return what their checks get besides the answers."""
    tasks = {(lab,): (_run_worked, n, seeds, limits) for lab, n in worked.items()}
    runs = {lab: run for (lab,), run in _run_all(tasks, executor, say).items()}
    for lab, run in runs.items():
        failure = run.failure if isinstance(run, Mark) else ""
        wrong = [] if failure else [name for name, ok in run.right.items() if not ok]
        if failure or wrong:
            text = f"the worked {lab} does not pass: {failure or ', '.join(wrong)}"
            raise RuntimeError(f"{text}. Nobody was marked; try again, or mend it")
    return {lab: run.given for lab, run in runs.items()}


def _run_worked(notebook, seeds, limits):
    return run_notebook.run(notebook, seeds=seeds, limits=limits)


def _executor(workers):
    """Return workers. Each has a warm process of its own, so it pays to keep them."""
    return ProcessPoolExecutor(
        workers or _cores(),
        mp_context=kernels.context(),
        initializer=kernels.end_with_parent,
    )


def _run_all(tasks, executor, say=None):
    """Call each task, a function with its arguments; return the results by key.

    What fails is tried once more, alone: if one task ends its worker, the others must
    not pay for it. What fails again is a Mark with a failure.
    """
    results = _run(tasks, executor, say)
    for key in [key for key, result in results.items() if _failed(result)]:
        with _executor(1) as alone:
            results |= _run({key: tasks[key]}, alone, say)
    return results


def _run(tasks, executor, say):
    results = {}
    futures = {executor.submit(*task): key for key, task in tasks.items()}
    for future in as_completed(futures):
        key, error = futures[future], future.exception()
        failure = f"{type(error).__name__}: {error}"
        result = Mark(None, {}, [], 0.0, failure) if error else future.result()
        results[key] = result
        if say:
            say(_line(key, result))
    return results


def _failed(result):
    return isinstance(result, Mark) and bool(result.failure)


def _line(key, mark):
    name = " ".join(str(part) for part in key[:2])
    if _failed(mark):
        return f"{name}: NOT MARKED: {mark.failure}"
    counts = Counter(mark.right.values())
    text = f"{name}: {counts[True]} of {counts.total()} right, {mark.seconds:.1f} s"
    return "; ".join([text, *mark.notes])


def _best(marks):
    """Return {(student id, lab): Mark}: of several files the one with most right."""
    best = {}
    for (student, lab, _), mark in marks.items():
        other = best.get((student, lab))
        if other is None or sum(mark.right.values()) > sum(other.right.values()):
            best[student, lab] = mark
    return best


def digest(folder):
    """Return a text that changes with any file in a folder, or its name."""
    total = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*")):
        total.update(os.fsencode(path.relative_to(folder)) + b"\0")
        if path.is_file() and not path.is_symlink():
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


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


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
