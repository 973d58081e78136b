"""The files for a class on JupyterHub: nbgrader's course, and the lines to copy."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import yaml
from IPython.core.inputtransformer2 import TransformerManager

from teaching.handing_out.student_copy import student_copy
from tests import ROOT

TEACHING = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")


def test_nbgrader_releases_the_students_copies_as_they_are(tmp_path):
    """As a teacher does on a hub: make handouts, then nbgrader generate_assignment."""
    lab = "01_factorisation"
    given = student_copy(nbformat.read(ROOT / "notebooks" / f"{lab}.ipynb", 4))
    course = tmp_path / "course"
    source = course / "source" / lab / f"{lab}.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(given, source)
    here = Path(sys.executable).parent
    done = subprocess.run(
        [here / "nbgrader", "generate_assignment", lab]
        + [f"--CourseDirectory.root={course}"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    released = nbformat.read(course / "release" / lab / f"{lab}.ipynb", as_version=4)
    assert [cell.source for cell in released.cells] == [c.source for c in given.cells]
    assert [cell.id for cell in released.cells] == [cell.id for cell in given.cells]


def test_the_course_is_where_make_handouts_puts_it():
    options = {}
    source = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")

    class Record:
        def __getattr__(self, name):
            return options.setdefault(name, type("Section", (), {})())

    exec(source, {"get_config": Record, "__file__": str(ROOT / "nbgrader_config.py")})
    assert options["CourseDirectory"].root == str(ROOT / "handouts" / "course")


def test_the_lines_for_zero_to_jupyterhub_parse_and_name_this_version():
    (block,) = re.findall(r"```yaml\n(.*?)```", TEACHING, re.S)
    single = yaml.safe_load(block)["singleuser"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert single["image"]["tag"] == project["project"]["version"]
    assert single["extraEnv"]["OMP_NUM_THREADS"] == "1"
    assert single["defaultUrl"] == "/lab/tree/notebooks"


def test_the_cell_for_colab_does_nothing_elsewhere(monkeypatch):
    (cell,) = re.findall(r"```python\n(.*?)```", TEACHING, re.S)
    source = TransformerManager().transform_cell(cell)
    ran = []

    class Shell:
        def system(self, command):
            ran.append(command)

    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(sys.path)
    exec(source, {"get_ipython": Shell})
    assert (ran, sys.path) == ([], before)
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    exec(source, {"get_ipython": Shell})
    assert ran[0].split()[-1] == sys.path[0]
