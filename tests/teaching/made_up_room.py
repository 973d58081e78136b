"""Thirty students who aren't there work on a lab: ``make room`` with something to see.

    python -m tests.teaching.made_up_room FOLDER [--lab 01] [--faster 20]

Each is a process of its own, which runs the checks of the lab on right and wrong
answers, as the tests of the checks have them, and waits in between. Its clock goes
faster, and began when the class did, ninety minutes ago.
"""

import argparse
import importlib
import os
import random
import re
import secrets
import sys
import time
from multiprocessing import get_context
from types import SimpleNamespace

import nbformat

from labchecks import room
from tests import ROOT
from tests.answers import answers

CALL = re.compile(r"checks\.(prediction|outcome|\w+)\(\s*(?:[\"']([\w-]+)[\"'])?")
NO_TASK = {"progress", "strict"}


def steps(lab):
    """Return the checks of a lab as they follow in its notebook: (name, question)."""
    (path,) = (ROOT / "notebooks").glob(f"{lab}_*.ipynb")
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and " checks.strict" not in cell.source:
            found += [call for call in CALL.findall(cell.source)]
    return [step for step in dict.fromkeys(found) if step[0] not in NO_TASK]


def student(number, folder, lab, faster):
    """Work on a lab as one student: more or less quick, more or less right."""
    began = time.time()
    room.SESSION = secrets.token_hex(8)  # the imports are shared, the session is not
    room.time = SimpleNamespace(
        time=lambda: began - 90 * 60 + faster * (time.time() - began)
    )
    os.environ[room.VARIABLE] = folder
    draw = random.Random(number)
    checks = importlib.import_module(f"labchecks.lab{lab}")
    known = importlib.import_module(f"tests.answers.lab{lab}").EXERCISES
    known = {exercise.name: exercise for exercise in known}
    pace, skill = draw.uniform(0.7, 1.8), draw.uniform(0.3, 0.8)

    def wait(minutes):
        time.sleep(60 * minutes * pace * draw.uniform(0.5, 1.5) / faster)

    for name, question in steps(lab):
        if name == "prediction":
            asked = checks.prediction.questions[question]
            others = [*asked.options, asked.right]
            wait(2)
            checks.prediction(question, draw.choice(others))
        elif name == "outcome":
            wait(1)
            checks.outcome(question)
        elif name in known:
            right, wrong = answers(known[name])
            wait(5)
            while draw.random() > skill:
                answer, _ = draw.choice(wrong[: 3 + len(wrong) // 4])
                getattr(checks, name)(answer, *known[name].given, seconds=60)
                wait(3)
            getattr(checks, name)(right[0], *known[name].given, seconds=60)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="that make room shows")
    parser.add_argument("--lab", default="01", help="its number (01)")
    parser.add_argument("--students", type=int, default=30, help="how many (30)")
    parser.add_argument("--faster", type=float, default=20, help="than a class (20)")
    options = parser.parse_args()
    importlib.import_module(f"labchecks.lab{options.lab}")
    context = get_context("fork")
    students = [
        context.Process(
            target=student, args=(i, options.folder, options.lab, options.faster)
        )
        for i in range(options.students)
    ]
    for process in students:
        process.start()
    for process in students:
        process.join()


if __name__ == "__main__":
    sys.exit(main())
