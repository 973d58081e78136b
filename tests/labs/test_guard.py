"""The guard passes a good lab, and catches each fault that is planted in it."""

import pytest
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from tests.labs import guard
from tools.render import FOLDED, KERNEL

PNG = "iVBORw0KGgo="


def good_lab(pairs=16, words=90):
    """Return a lab that keeps to every rule; code cell i prints i + 1."""
    lab = new_notebook()
    lab.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for i in range(pairs):
        printed = new_output("stream", name="stdout", text=f"{i + 1}\n")
        lab.cells += [
            new_markdown_cell("word " * words, id=f"about-{i}"),
            new_code_cell(
                f"a = {i}\nprint(a + 1)",
                id=f"step-{i}",
                execution_count=i + 1,
                outputs=[printed],
            ),
        ]
    return lab


def source(text):
    """Plant code: the first code cell becomes ``text``."""
    return lambda lab: lab.cells[1].update(source=text)


def output(kind, **content):
    """Plant an output: the first code cell gets one more."""
    return lambda lab: lab.cells[1].outputs.append(new_output(kind, **content))


def figure(alt, jupyter=FOLDED):
    """Plant a figure in the first code cell, which is folded."""
    image = {"image/png": PNG, "text/plain": "<Figure size 640x360 with 1 Axes>"}
    plant = output("display_data", data=image, metadata={"image/png": {"alt": alt}})
    folded = {"jupyter": jupyter} if jupyter else {}
    return lambda lab: plant(lab) or lab.cells[1].metadata.update(folded)


def sources(*texts):
    """Plant code: one code cell for each text, the first ones of the lab."""
    return lambda lab: [
        cell.update(source=text) for cell, text in zip(lab.cells[1::2], texts)
    ]


SCRUB = """def draw(ax, i):
    ax.plot([u + x[i] for u in range(3)])


live.scrub(x, draw, label="x", alt="a line")"""
ASK, TELL = 'checks.prediction("x", "a")', "a = 1\nchecks.outcome('x')"


def exercise(text, **nbgrader):
    """Plant an exercise: the first code cell becomes ``text``, marked for nbgrader."""
    return lambda lab: lab.cells[1].update(source=text, metadata={"nbgrader": nbgrader})


def same_exercise_twice(lab):
    for cell in lab.cells[1:4:2]:
        cell.metadata = {"nbgrader": {"grade": True, "grade_id": "u"}}


def deliberate_error(lab):
    output("error", ename="E", evalue="", traceback=["E: meant"])(lab)
    lab.cells[1].metadata["tags"] = ["raises-exception"]


def path_in_traceback(lab):
    deliberate_error(lab)
    lab.cells[1].outputs[-1].traceback = ["File ~/labs/x.py:3"]


def silent_figure(lab):
    figure("a line")(lab)
    del lab.cells[1].outputs[0], lab.cells[3].outputs[0]


def further(*entries):
    """Plant references: the last text cell ends with these entries."""
    text = "\n".join(["", "**Go further**", "", *(f"- {entry}" for entry in entries)])
    return lambda lab: lab.cells[-2].update(source=lab.cells[-2].source + text)


BOOK = "B. Author (1994), A book, *Press*, doi:10.1162/neco.1994.6.1(89)90014-2"
REGION = "### BEGIN SOLUTION\na = 1\n### END SOLUTION"

FAULTS = [
    (guard.executed, lambda lab: lab.cells[1].update(execution_count=None)),
    (guard.executed, lambda lab: lab.cells[1].update(execution_count=7)),
    (guard.executed, lambda lab: lab.cells[31].update(execution_count=17)),
    (guard.no_errors, output("error", ename="ValueError", evalue="no", traceback=[])),
    (guard.no_stderr, output("stream", name="stderr", text="a warning")),
    (guard.no_semicolon, source("a = 1\na;  ")),
    (guard.no_vector_graphics, output("display_data", data={"image/svg+xml": ""})),
    (guard.no_vector_graphics, output("display_data", data={"application/pdf": ""})),
    (guard.figures, figure(" ")),
    (guard.figures, silent_figure),
    (guard.ids, lambda lab: lab.cells[1].update(id="6f1c9e2a")),
    (guard.ids, lambda lab: lab.cells[1].update(id="cafe9e2a")),
    (guard.ids, lambda lab: lab.cells[1].update(id="Step_1")),
    (guard.size, lambda lab: lab.cells.__delitem__(slice(28, None))),
    (guard.size, lambda lab: lab.update(cells=good_lab(31, words=80).cells)),
    (guard.size, lambda lab: [c.update(source="a = 1") for c in lab.cells[1::2]]),
    (guard.size, source("a = 1\n" * 21)),
    (guard.size, lambda lab: lab.cells.pop(0)),
    (guard.size, lambda lab: [c.update(source="word") for c in lab.cells[0:12:2]]),
    (guard.code, source("!ls")),
    (guard.code, source("files = !ls")),
    (guard.code, source("%pip install torch")),
    (guard.code, source("%%bash\nls")),
    (guard.code, source("%matplotlib widget")),
    (guard.code, source("import sys\nsys.path.append('..')")),
    (guard.code, source("torch.manual_seed(0)")),
    (guard.code, source("np.random.seed(0)")),
    (guard.code, source("U.data = U - 1")),
    (guard.code, source("U.data -= 1")),
    (guard.code, source("from labhelpers.training import factorise")),
    (guard.code, source("from labhelpers import factorise")),
    (guard.code, source("import labhelpers.training as t")),
    (guard.metadata, lambda lab: lab.metadata.language_info.update(version="3.11.7")),
    (guard.metadata, lambda lab: lab.cells[1].metadata.update(scrolled=True)),
    (
        guard.metadata,
        output("display_data", data={"application/vnd.jupyter.widget-view+json": {}}),
    ),
    (guard.paths, path_in_traceback),
    (guard.paths, output("stream", text=f"{guard.ROOT}/data/iris.csv")),
    (guard.paths, output("display_data", data={"text/html": "<p>C:\\Temp</p>"})),
    (guard.solutions, exercise(REGION[:-10], solution=True, grade_id="u")),
    (guard.solutions, exercise(REGION)),
    (guard.solutions, exercise("a = 1", solution=True, grade_id="u")),
    (guard.solutions, exercise("a = 1", grade=True)),
    (guard.solutions, same_exercise_twice),
    (guard.metadata, lambda lab: lab.cells[1].metadata.update(jupyter={})),
    (
        guard.metadata,
        lambda lab: lab.cells[1].metadata.update(
            jupyter=FOLDED | {"outputs_hidden": 1}
        ),
    ),
    (guard.folded, figure("a line", jupyter=None)),
    (guard.predictions, sources(ASK)),
    (guard.predictions, sources(TELL)),
    (guard.predictions, sources(TELL, ASK)),
    (guard.predictions, sources(f"{ASK}\n{TELL}")),
    (guard.predictions, sources(ASK, TELL, TELL)),
    (guard.predictions, sources(ASK, ASK, TELL)),
    (guard.predictions, sources(ASK, TELL.replace("x", "y"), TELL)),
    (guard.sliders, sources(SCRUB, "x = 1")),
    (guard.sliders, sources(SCRUB, "for x in range(3):\n    u = 1")),
    (guard.sliders, sources(SCRUB, "import numpy as x")),
    *(
        (guard.references, further(f"{BOOK}.", entry))
        for entry in (
            "B. Author (1994), A book, *Press*.",
            f"{BOOK}",
            f"{BOOK}. It is good.",
            BOOK.replace("doi:", "DOI ") + ".",
            BOOK.replace("doi:", "https://doi.org/") + ".",
            BOOK.replace("10.1162/", "1162/") + ".",
            BOOK.replace("(89)", " ") + ".",
            "B. Author (2016), A paper, *COLT*, arXiv:1602.4915.",
            "B. Author (2016), A paper, *COLT*, arXiv:1613.04915.",
            "B. Author (2016), A paper, *COLT*, arXiv:1602.04915v2.",
            "B. Author (2016), A paper, *COLT*, arXiv 1602.04915.",
            "B. Author (2016), A page, example.org/page.",
            "B. Author (2016), A page, [here](../page).",
            "B. Author (2016), A page, [here](https://example.org/page).",
        )
    ),
    (guard.compared, source("# NBVAL_IGNORE_OUTPUT\na = 1")),
    (guard.compared, lambda lab: lab.cells[1].metadata.update(tags=["nbval-skip"])),
]


def test_a_slider_may_use_what_only_functions_of_later_cells_call_so():
    lab = good_lab()
    sources(SCRUB, "y = 1\n\n\ndef f(u):\n    x = u\n    return x")(lab)
    assert guard.sliders(lab) == []


@pytest.mark.parametrize("rule", guard.RULES)
def test_a_good_lab_passes(rule):
    assert rule(good_lab()) == []


@pytest.mark.parametrize(
    "plant",
    [
        figure("a line that falls"),
        source("%matplotlib inline\nfrom labhelpers import data, linalg, training"),
        source("g = torch.Generator().manual_seed(0)"),
        source("a != 1"),
        exercise(REGION, solution=True, grade_id="u"),
        deliberate_error,
        sources(ASK, "a = 2\nprint(a)", TELL),
        further(
            f"{BOOK}.",
            f"{BOOK}: costs included.",
            "B. Author (2010), A paper, arXiv:1002.4915.",
            "B. Author (2016), A paper, arXiv:1602.04915: with proofs.",
            "B. Author (2016), A page, [a.org/~b](https://www.a.org/~b/).",
        ),
    ],
)
def test_what_is_allowed_passes(plant):
    lab = good_lab()
    plant(lab)
    assert [complaint for rule in guard.RULES for complaint in rule(lab)] == []


@pytest.mark.parametrize(("rule", "plant"), FAULTS)
def test_a_planted_fault_is_caught(rule, plant):
    """Once, by the rule that is meant for it, and by no other."""
    lab = good_lab()
    plant(lab)
    assert [each for each in guard.RULES for complaint in each(lab)] == [rule]


def test_every_rule_has_a_planted_fault():
    assert {rule for rule, _ in FAULTS} == set(guard.RULES)


def test_cells_that_are_not_compared_are_counted(monkeypatch):
    monkeypatch.setattr(guard, "MOST_EXCUSED", 2)
    lab = good_lab()
    for cell in lab.cells[1:6:2]:
        cell.metadata["tags"] = ["nbval-ignore-output"]
    labs = {"01.ipynb": lab}
    reasons = {("01.ipynb", f"step-{i}"): "it is timed" for i in range(3)}
    assert "3 cells" in " ".join(guard.excused(labs, reasons))
    del lab.cells[5].metadata["tags"]
    assert "step-2: excused, but" in " ".join(guard.excused(labs, reasons))
    del reasons["01.ipynb", "step-2"]
    assert guard.excused(labs, reasons) == []
    reasons["01.ipynb", "step-1"] = " "
    assert "step-1: not compared" in " ".join(guard.excused(labs, reasons))


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("linalg", "import torch.linalg"),
        ("linalg", "from labhelpers.descent import descend"),
        ("descent", "from labhelpers import training"),
        ("descent", "def f():\n    from numpy import linalg"),
        ("training", "from . import plots"),
        ("data", "import torch"),
        ("plots", "import labhelpers.linalg"),
        ("linalg/inner", "import labhelpers.linalg.other, torch"),
        ("kitchen", ""),
        ("kitchen/__init__", ""),
    ],
)
def test_an_arrow_upwards_is_caught(room, code, tmp_path):
    folder = tmp_path / "labhelpers"
    path = folder / f"{room}.py"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(code)
    assert len(guard.arrows(folder)) == 1


@pytest.mark.parametrize(
    ("package", "code"),
    [
        ("teaching/marking", "from labchecks.student import _Printed"),
        ("teaching/marking", "from labchecks import student\nstudent._settings()"),
        ("labchecks", "from labhelpers import linalg as la\nx = la._signs"),
    ],
)
def test_a_private_name_of_another_room_is_caught(package, code, tmp_path):
    path = tmp_path / package / "lab99.py"
    path.parent.mkdir(parents=True)
    path.write_text(code)
    (complaint,) = guard.arrows(tmp_path / package.split("/")[0])
    assert "private name" in complaint


@pytest.mark.parametrize("rooms", guard.TOGETHER)
def test_rooms_that_grow_are_caught(tmp_path, rooms):
    """Docstrings, comments and blank lines are free."""
    free = '"""Text\nand text."""\n\n# a comment\n'
    full, rest = divmod(guard.TOGETHER[rooms], guard.MOST_ROOM_LINES)
    for room, lines in zip(rooms, [guard.MOST_ROOM_LINES] * full + [rest]):
        (tmp_path / f"{room}.py").write_text(free + "a = 1\n" * lines)
    assert guard.room_sizes(tmp_path) == []
    (tmp_path / f"{rooms[-1]}.py").write_text("a = 1\n")
    assert len(guard.room_sizes(tmp_path)) == 1
    too_many = guard.MOST_ROOM_LINES + 1
    (tmp_path / f"{rooms[0]}.py").write_text("a = 1\n" * too_many)
    assert len(guard.room_sizes(tmp_path)) == 2
