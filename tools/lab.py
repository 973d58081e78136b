"""Open JupyterLab on the labs: ``make lab``, ``make present``, or by hand

    python tools/lab.py [--present] [--folder notebooks] [options of JupyterLab]

Its settings are in tools/room/lab; those of ``--present``, in tools/room/present, come
on top. It opens on a start page, START.md, which lists the labs and says where you
stopped. All that the page knows of a lab comes from the notebook itself.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ROOM = ROOT / "tools" / "room"
NAME = "START.md"  # beside the labs, which link to it
MARK = "<!-- Written by make lab. Changed? Then it is left alone. {} -->\n"

TIME = re.compile(r"\*\*Time\.\*\* (\d+) minutes to read,\D*(\d+)")
REFUTES = re.compile(r"^\*\*It refutes\.\*\* (.+)$", re.MULTILINE)
EXERCISE = re.compile(r"\bExercise (\d+\.\d+[a-z]?) · \d+ min")
RIGHT = re.compile(r"^Exercise (\d+\.\d+[a-z]?), \w+: right", re.MULTILINE)
COLUMNS = "lab", "minutes: read + exercises", "it refutes", "right so far", "go on with"


class Lab(NamedTuple):
    """What the start page knows of a lab.

    ``minutes`` is (to read, for the exercises), or None; ``exercises`` is {number: the
    id of its cell}, in order, and ``right`` holds the numbers of those that are right;
    ``begun`` tells whether a cell was run.
    """

    name: str
    title: str
    minutes: tuple | None = None
    refutes: str = ""
    exercises: dict = {}
    right: frozenset = frozenset()
    begun: bool = False

    @property
    def next(self):
        """A link to the first exercise that is not right, or None."""
        for number, cell in self.exercises.items():
            if number not in self.right:
                return f"[Exercise {number}]({self.name}#cell-id={cell})"
        return None


def read(path):
    """Return the Lab in a notebook. One that can't be read has a title that says so."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells]
        texts = [
            (cell.get("id", ""), source)
            for cell, source in zip(cells, sources)
            if cell["cell_type"] == "markdown"
        ]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        graded = [c for c in code if c["metadata"].get("nbgrader", {}).get("grade")]
        said = "\n".join(_said(each) for cell in graded for each in cell["outputs"])
        begun = any(cell["execution_count"] for cell in code)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Lab(path.name, f"{path.stem}: can't be read")
    first = sources[0] if sources else ""
    title = first.split("\n")[0].lstrip("# ").replace("|", r"\|")
    minutes, refutes = TIME.search(first), REFUTES.search(first)
    exercises = {n: cell for cell, text in texts for n in EXERCISE.findall(text)}
    return Lab(
        path.name,
        title or path.stem,
        minutes and minutes.groups(),
        refutes[1].replace("|", r"\|") if refutes else "",
        exercises,
        frozenset(RIGHT.findall(said)) & exercises.keys(),
        begun,
    )


def _said(output):
    """Return what an output of a cell says in plain text."""
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))


def start_page(folder):
    """Return the text of the start page for the labs in a folder."""
    paths = sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))
    labs = {path: read(path) for path in paths}
    going_on = [path for path, lab in labs.items() if lab.begun and lab.next]
    latest = max(going_on, key=lambda path: path.stat().st_mtime, default=None)
    stopped = "Click on a lab to open it."
    if latest:
        lab = labs[latest]
        stopped += f" **You stopped at {lab.next}** of lab {lab.title}."
    rows = [f"| {' | '.join(COLUMNS)} |", "| :-- " * len(COLUMNS) + "|"]
    rows += [_row(lab) for lab in labs.values()]
    template = (ROOM / "start_page.md").read_text(encoding="utf-8")
    where = Path(folder).resolve()
    return template.format(stopped=stopped, labs="\n".join(rows), folder=where)


def _row(lab):
    minutes = " + ".join(lab.minutes or ())
    count, go_on = f"{len(lab.right)} of {len(lab.exercises)}", lab.next or "done"
    if not lab.begun:
        count, go_on = "not begun" if lab.exercises else "", ""
    row = [f"[{lab.title}]({lab.name})", minutes, lab.refutes, count, go_on]
    return f"| {' | '.join(row)} |"


def write(folder):
    """Write the start page; tell whether JupyterLab can open on it.

    A file of its name that somebody else wrote, or changed, is left as it is.
    """
    page = Path(folder) / NAME
    text = start_page(folder)
    try:
        if page.exists() and not is_ours(page.read_bytes()):
            print(f"{page} was changed and stays as it is: rename it to get a new one.")
            return False
        beside = page.with_suffix(".writing")
        beside.write_bytes((MARK.format(_digest(text)) + text).encode())
        os.replace(beside, page)
    except OSError as error:
        print(f"The start page could not be written: {error}")
        return False
    return True


def is_ours(content):
    """Tell whether a page is as it was written here, unchanged."""
    mark, _, text = content.decode("utf-8", "replace").partition("\n")
    return mark + "\n" == MARK.format(_digest(text))


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def configure(*, present):
    """Put the settings where JupyterLab looks for them, in this folder.

    With ``present``, they lie in a place of their own, but for what a person has set.
    """
    jupyter = ROOT / ".jupyter"
    config = jupyter / ("present" if present else "config")
    for layer in ["lab", "present"] if present else ["lab"]:
        layered = {"dirs_exist_ok": True, "copy_function": shutil.copyfile}
        shutil.copytree(ROOM / layer, config, **layered)
    personal = jupyter / "config" / "lab" / "user-settings"
    os.environ.setdefault("JUPYTERLAB_SETTINGS_DIR", str(personal))
    os.environ["JUPYTER_CONFIG_DIR"] = str(config)
    for name in "data", "runtime":
        os.environ[f"JUPYTER_{name.upper()}_DIR"] = str(jupyter / name)
    os.environ["IPYTHONDIR"] = str(jupyter / "ipython")
    os.environ["MPLCONFIGDIR"] = str(jupyter / "matplotlib")
    if present:
        os.environ["LAB_VIEW"] = "projector"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("--folder", default=ROOT / "notebooks", help="of the labs")
    parser.add_argument("--present", action="store_true", help="for the last row")
    options, others = parser.parse_known_args()
    configure(present=options.present)
    opens = [f"--LabApp.default_url=/lab/tree/{NAME}"] if write(options.folder) else []

    from jupyterlab.labapp import main as jupyterlab

    sys.argv = [sys.argv[0], *opens, *others, str(options.folder)]
    return jupyterlab()


if __name__ == "__main__":
    sys.exit(main())
