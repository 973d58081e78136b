"""What is run of a submission makes the same answers as all of it.

Small labs are run here as plain Python, once whole and once as planned.
"""

import contextlib
import copy
import io

import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from labchecks.student import same_state_after
from labhelpers import training
from teaching.marking import needed_cells, read_cells, run_notebook, watched_values
from teaching.marking.watch_cells import Watch
from tests.teaching import made_up_class

LAB = {
    "imports": "import numpy as np, torch\nfrom labhelpers import training\n"
    "A = torch.arange(12.0).reshape(4, 3).double()\ntools = [abs]\nprint(A.shape)",
    "start": "generator = torch.Generator().manual_seed(0)\n"
    "U = torch.rand(4, 2, generator=generator)\nran = []\nran.append('start')",
    "step": "U -= 0.1\nran.append('step')",
    "precise": "torch.set_default_dtype(torch.float64)",
    "double-solution": "def double(x):\n    return 2 * x",
    "double-check": "ran.append('check')\nprint(double(U).sum())",
    "use": "both = [double(U), double(U[:1])]\nran.append('use')",
    "draw": "V = torch.rand(4, 2, generator=generator)\nran.append('draw')",
    "long": "def norm(x):\n    return (x**2).sum()\nbest = norm(A)\nran.append('long')",
    "fit": "run = training.factorise(A, 1, num_epochs=2, seed=0)",
    "rate-solution": "rate = float(1 / norm(A))",
    "rate-check": "print(rate)",
    "late": "ran.append('late')\nlengths = [tool(norm(V)) for tool in tools]",
    "last-solution": "last = None",
    "last-check": "print(last)",
    "end": "ran.append('end')",
}
ASKED = {"double-check": "double", "rate-check": "rate", "last-check": "last"}
ARGUMENT = torch.ones(2, 2).double()


def lab(changes=(), after=(), moved=()):
    """Return a lab, with other texts of cells and with a student's own cells.

    ``moved`` is {id: of the cell before which it stands}.
    """
    changes, after, moved = dict(changes), dict(after), dict(moved)
    cells = []
    for name, text in LAB.items():
        cell = new_code_cell(changes.get(name, text), id=name)
        cell.metadata["nbgrader"] = {
            "solution": name.endswith("-solution"),
            "grade": name.endswith("-check"),
            "grade_id": name,
        }
        cells.append(cell)
        if name in after:
            cells.append(new_code_cell(after[name], id=f"own-{len(cells)}"))
    for name, place in moved.items():
        ids = [cell.id for cell in cells]
        cell = cells.pop(ids.index(name))
        cells.insert(ids.index(place), cell)
    return new_notebook(cells=cells)


def run(cells, plan=None, watch=0):
    """Run cells in one namespace; return the answers, the names, and what is known.

    ``watch``: as if each took so many seconds.
    """
    names, answers = {"__name__": "__main__"}, {}
    plan = plan or needed_cells.everything(cells)
    here = {"globals": lambda: names, "__import__": __import__}
    watcher = (
        Watch(cells, asked(cells), lambda text: eval(text, here)) if watch else None
    )
    with put_back(), contextlib.redirect_stdout(io.StringIO()):
        for i, cell in enumerate(cells):
            if cell.id in ASKED:
                answers[cell.id] = answer(names, ASKED[cell.id])
            with contextlib.suppress(Exception):
                if i in plan.sources:
                    text = read_cells.plain(plan.sources[i])
                    exec(compile(text, cell.id, "exec"), names)
            for name, text in plan.handed.get(i, {}).items():
                watched_values.load(names, name, text)
            if watch:
                watcher.after(cell, watch)
    return answers, names, watcher and watcher.known


@contextlib.contextmanager
def put_back():
    """Put back what an adversary changes of libraries."""
    rand, total, factorise = torch.rand, torch.Tensor.sum, training.factorise
    try:
        with same_state_after():
            torch.manual_seed(5)
            yield
    finally:
        torch.rand, torch.Tensor.sum, training.factorise = rand, total, factorise


def answer(names, name):
    """Return what an answer is, and what it does, as a text."""
    try:
        value = names[name]
        if callable(value):
            with same_state_after():
                value = value(ARGUMENT.clone())
        return f"{type(value).__name__} {value}"
    except Exception as error:
        return f"{type(error).__name__}"


def shown(value):
    return "a function" if callable(value) else str(value)


@pytest.fixture(scope="module")
def known():
    cells = lab({"rate-solution": f"rate = float(1 / norm(A))\n{HANDED}"}).cells
    return run(cells, watch=1.0)[2]


def planned(cells, known):
    return needed_cells.plan(cells, known, asked(cells))


def asked(cells):
    return {i: [ASKED[c.id]] for i, c in enumerate(cells) if c.id in ASKED}


def test_an_honest_lab_is_run_in_part(known):
    plan = planned(lab().cells, known)
    sources = {lab().cells[i].id: text for i, text in plan.sources.items()}
    own = {name: text for name, text in LAB.items() if name.endswith("-solution")}
    assert sources == own | {
        "imports": LAB["imports"],
        "precise": LAB["precise"],
        "long": "def norm(x):\n    return (x**2).sum()\n",
    }


@pytest.mark.parametrize("lab", made_up_class.LABS)
def test_no_lab_that_is_answered_as_it_should_be_is_in_doubt(lab):
    """Most of it is left out, also where a student has tried something."""
    cells = made_up_class.filled(lab).cells
    known = {
        cell.id: needed_cells.Known(cell.source, (), {})
        for cell in cells
        if cell.cell_type == "code"
        and not cell.metadata.get("nbgrader", {}).get("solution")
    }
    cells.insert(1, new_code_cell("x = [3, 4]\nprint(sum(x))", id="own-1"))
    asked = run_notebook.asked(new_notebook(cells=cells))
    plan = needed_cells.plan(cells, known, asked)
    ran = [cells[i].id for i in plan.sources if cells[i].id in known]
    assert "own-1" in [cells[i].id for i in plan.sources]
    assert len(ran) < len(known) / 3


def test_what_all_get_alike_is_handed_over(known):
    def handed(*changes):
        cells = lab(*changes).cells
        plan = planned(cells, known)
        return {cells[i].id: list(names) for i, names in plan.handed.items()}

    answer = {"rate-solution": HANDED}
    assert handed() == {}
    assert handed(answer) == {"fit": ["run"]}
    assert handed(answer, {"use": "print(double(U))"}) == {"fit": ["run"]}
    assert handed(answer, {"use": "print(double(A))"}) == {}
    assert handed(answer | {"fit": LAB["fit"] + "\nprint(1)"}) == {}


def test_what_an_answer_names_of_the_course_is_run(known):
    """Such as a function of the course that a student hands in as it is."""
    cells = lab().cells
    place = [cell.id for cell in cells].index("rate-check")

    def ran(*expressions):
        plan = needed_cells.plan(cells, known, {place: list(expressions)})
        return "".join(plan.sources.values())

    assert "V = torch.rand" not in ran("rate")
    assert "V = torch.rand" in ran("rate", "double(V)")
    assert "both = [" in ran("lambda: both")


def test_a_lab_of_numbers_alone_is_planned(known):
    cells = lab({"double-solution": "double = 2", "rate-solution": "rate = 0.5"}).cells
    plan = planned(cells, known)
    own = {"double-solution", "rate-solution", "last-solution"}
    assert {cells[i].id for i in plan.sources} == own | {"imports", "precise"}


def test_what_a_cell_changes_is_seen(known):
    assert "ran" in known["step"].changes
    assert "U" in known["step"].changes
    assert {"generator", "ran"} <= set(known["draw"].changes)
    assert "A" not in {name for each in known.values() for name in each.changes}


def test_what_takes_no_time_is_made_anew_and_an_answer_is_no_cell_of_the_course():
    cells = lab({"rate-solution": HANDED}).cells
    slow, quick = (run(cells, watch=s)[2] for s in (1.0, 0.2))
    assert list(slow["fit"].saved) == ["run"]
    assert not any(each.saved for each in quick.values())
    course = [cell.id for cell in cells if not cell.id.endswith("-solution")]
    assert list(slow) == list(quick) == course


HANDED = "rate = float(run.losses[-1])"


# What a student's cells can do behind the back of whoever reads their names: {name:
# (other texts of cells, own cells after these, cells moved before others)}.
ADVERSE = {
    "alias": ({}, {"start": "mine = U", "use": "def double(x): return x + mine.sum()"}),
    "alias of an alias": (
        {"last-solution": "last = float(box[0][0].sum())"},
        {"start": "box = [U]\nbox = [box]"},
    ),
    "mutated by a function": (
        {"double-solution": "def double(x):\n    x += 1\n    return x"},
        {},
    ),
    "mutates a global": (
        {
            "double-solution": "seen = []\ndef double(x):\n    seen.append(1)\n"
            "    return x",
            "last-solution": "last = len(seen)",
        },
        {},
    ),
    "mutates by a default": (
        {
            "double-solution": "def double(x, seen=[]):\n    seen.append(1)\n"
            "    return x * len(seen)",
            "last-solution": "last = double(1.0)",
        },
        {},
    ),
    "closure": (
        {
            "double-solution": "def make():\n    count = 0\n    def f(x):\n"
            "        nonlocal count\n        count += 1\n        return x + count\n"
            "    return f\ndouble = make()",
            "last-solution": "last = double(0)",
        },
        {},
    ),
    "closure over an object": (
        {
            "double-solution": "def make(box):\n    def f(x):\n        box[0] += 1\n"
            "        return x + box[0]\n    return f\ndouble = make([0])",
            "last-solution": "last = double(0)",
        },
        {},
    ),
    "attribute of a function": (
        {
            "double-solution": "def double(x):\n    double.n += 1\n"
            "    return x * double.n\ndouble.n = 0",
            "last-solution": "last = double(1)",
        },
        {},
    ),
    "global statement": (
        {
            "double-solution": "n = 0\ndef double(x):\n    global n\n    n += 1\n"
            "    return x",
            "last-solution": "last = n",
        },
        {},
    ),
    "patched torch": (
        {"last-solution": "last = len(log)"},
        {
            "imports": "log = []\ndef rand(*a, **k):\n    log.append(1)\n"
            "    return A\ntorch.rand = rand"
        },
    ),
    "patched by an alias": (
        {"last-solution": "last = len(log)"},
        {
            "imports": "log, t = [], torch\ndef rand(*a, **k):\n    log.append(1)\n"
            "    return A\nt.rand = rand"
        },
    ),
    "patched by setattr": (
        {"last-solution": "last = len(log)"},
        {
            "imports": "log = []\ndef rand(*a, **k):\n    log.append(1)\n"
            "    return A\nsetattr(torch, 'rand', rand)"
        },
    ),
    "patched class": (
        {"last-solution": "last = len(log)"},
        {
            "imports": "log, T = [], torch.Tensor\ndef total(x):\n    log.append(1)\n"
            "    return 1.0\nT.sum = total"
        },
    ),
    "patched helper": (
        {"last-solution": "last = len(log)"},
        {"use": "log = []\ntraining.factorise = lambda *a, **k: log.append(1)"},
    ),
    "patched by sys": (
        {"last-solution": "last = len(log)"},
        {
            "use": "import sys\nlog = []\nt = sys.modules['labhelpers.training']\n"
            "vars(t)['factorise'] = lambda *a, **k: log.append(1)"
        },
    ),
    "other module": ({}, {"long": "import math as np\nnorm = np.sqrt"}),
    "name of the course": ({}, {"long": "def norm(x):\n    return 7.0"}),
    "name of the course, with a memory": (
        {"last-solution": "last = len(log)"},
        {"long": "log = []\nnorm = log.append"},
    ),
    "redefined later": (
        {
            "rate-solution": "def help_(): return k\nrate = 3\nk = 1",
            "last-solution": "last = help_()",
        },
        {"rate-check": "k = 9\ndef double(x): return k"},
    ),
    "by exec": ({"last-solution": "exec('last = float(V.sum())')"}, {}),
    "by eval": ({"last-solution": "last = float(eval('V').sum())"}, {}),
    "by globals": ({"last-solution": "last = float(globals()['V'].sum())"}, {}),
    "by a function's globals": (
        {"last-solution": "last = float((lambda: 0).__globals__['V'].sum())"},
        {},
    ),
    "by vars": ({"last-solution": "v = vars\nlast = float(v()['V'].sum())"}, {}),
    "star": ({}, {"long": "from math import *\nnorm = lambda x: exp(1)"}),
    "magic": (
        {"last-solution": "get_ipython = lambda: 0\nlast = float(mine.sum())"},
        {
            "long": "def get_ipython(): return A\nA.run_line_magic = lambda k, s: "
            "exec('mine = V', globals())\n%time mine = V"
        },
    ),
    "dtype": (
        {"last-solution": "last = torch.ones(1).dtype"},
        {"imports": "torch.set_default_dtype(torch.float64)"},
    ),
    "dtype in a function": (
        {
            "double-solution": "def double(x):\n"
            "    torch.set_default_dtype(torch.float64)\n    return x",
            "last-solution": "last = torch.ones(1).dtype",
        },
        {},
    ),
    "seed": (
        {"last-solution": "last = float(torch.rand(1))"},
        {"step": "torch.manual_seed(3)"},
    ),
    "draws in a function": (
        {
            "double-solution": "def double(x):\n    return x + torch.rand(1)",
            "last-solution": "last = float(torch.rand(1))",
        },
        {},
    ),
    "generator": (
        {"last-solution": "last = float(torch.rand(1, generator=generator))"},
        {},
    ),
    "iterator": (
        {"last-solution": "last = next(each)"},
        {
            "imports": "each = iter(range(99))",
            "double-solution": "def double(x):\n    return x * next(each)",
        },
    ),
    "deleted": ({"last-solution": "last = 'norm' in dir()"}, {"long": "del norm"}),
    "error": ({"rate-solution": "rate = 1.0\n1 / 0\nrate = 2.0"}, {}),
    "error before": ({}, {"long": "1 / 0\ndef norm(x):\n    return 5.0"}),
    "no Python": ({"rate-solution": "rate = = 2"}, {"step": "last = ("}),
    "changed cell": ({"long": "def norm(x):\n    return 3.0\nran.append('mine')"}, {}),
    "changed and emptied": ({"long": ""}, {}),
    "reads what ran": ({"last-solution": "last = list(ran)"}, {}),
    "class": (
        {
            "double-solution": "class D:\n    n = 0\n    def __call__(self, x):\n"
            "        self.n += 1\n        return x * self.n\ndouble = D()",
            "last-solution": "last = double.n",
        },
        {},
    ),
    "class that adds": (
        {
            "double-solution": "class D:\n    log = []\n    def __radd__(self, x):\n"
            "        self.log.append(x)\n        return x\n"
            "def double(x):\n    return sum([D()], x)",
            "last-solution": "last = len(D.log)",
        },
        {},
    ),
    "hook": (
        {"last-solution": "last = len(seen)"},
        {
            "start": "seen = []\nU.requires_grad_()\nU.register_hook(seen.append)",
            "use": "def double(x): return len(seen)",
        },
    ),
    "function in an object": (
        {
            "last-solution": "last = len(seen)",
            "long": "def norm(x):\n    return (x**2).sum()\n[f(A) for f in ran[1:0]]",
        },
        {"start": "seen = []\nran.append(lambda: seen.append(1))"},
    ),
    "shadowed print": (
        {"last-solution": "last = len(said)"},
        {"imports": "said = []\ndef print(*a): said.append(a)"},
    ),
    "comprehension": ({"last-solution": "last = [norm(x) for x in [A]][0].item()"}, {}),
    "in a loop": (
        {"last-solution": "for f in (double, norm):\n    last = float(f(A).sum())"},
        {},
    ),
    "augmented": ({"last-solution": "A += 1\nlast = A.sum()"}, {"imports": "A *= 2"}),
    "reads later": (
        {"last-solution": "def last(x):\n    return x * length"},
        {"late": "length = float(V.sum())"},
    ),
    "reads what the course has, later": (
        {"last-solution": "def last(x):\n    return x * V.sum()"},
        {},
    ),
    "gives a value by a call": (
        {
            "double-solution": "def double(x):\n    global n\n    n = len(x)\n"
            "    return x",
            "last-solution": "last = n",
        },
        {},
    ),
    "draws by a function": (
        {
            "double-solution": "def double(x):\n    return x + torch.rand(1)",
            "last-solution": "last = float(double(torch.zeros(1)))",
        },
        {},
    ),
    "tool for the course": (
        {"last-solution": "last = len(seen)"},
        {"imports": "seen = []\ntools.append(lambda x: seen.append(1))"},
    ),
    "by a frame": (
        {
            "last-solution": "import inspect\n"
            "last = float(inspect.currentframe().f_globals['V'].sum())"
        },
        {},
    ),
    "handed over": ({"rate-solution": HANDED}, {}),
    "handed over, of another": (
        {"rate-solution": HANDED},
        {"use": "A *= 2"},
    ),
    "handed over, of another by an alias": (
        {"rate-solution": HANDED},
        {"imports": "mine = A[:2]", "use": "mine *= 2"},
    ),
    "handed over, of another module": (
        {"rate-solution": HANDED},
        {"use": "from labhelpers import linalg as training"},
    ),
    "handed over, of another module that is in no doubt": (
        {"rate-solution": HANDED},
        {"use": "from labhelpers import descent as training"},
    ),
    "handed over, and changed": (
        {"rate-solution": "run.U[0] = 1\n" + HANDED},
        {"fit": "mine = run.U"},
    ),
    "handed over, in another order": (
        {"rate-solution": HANDED},
        {"fit": "A *= 2"},
        {"fit": "end", "rate-solution": "end", "rate-check": "end"},
    ),
}


@pytest.mark.parametrize("name", ADVERSE)
def test_answers_are_those_of_the_whole_run(known, name):
    cells = lab(*ADVERSE[name]).cells
    whole, names, _ = run(copy.deepcopy(cells))
    answers, mine, _ = run(cells, planned(cells, known))
    assert answers == whole
    assert shown(mine.get("last")) == shown(names.get("last"))
