"""An error in a cell ends with words, in a kernel as the one that students have."""

import re

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from teaching.execute_notebook import execute
from tests import ROOT

NASTY = """
class Nasty(Exception):
    __slots__ = ()
    def __str__(self):
        raise RuntimeError("no words")
    def __setattr__(self, name, value):
        raise RuntimeError("no attributes")
raise Nasty
"""
OLD = "def pca_scores(X, k):\n    return X[:, :k]"
CHECK = "checks.pca_scores(pca_scores)"

# {name: source}, in the order in which they are run.
CELLS = {
    "imports": "import torch\nfrom labchecks import lab02 as checks\nrate = 0.1",
    "unquoted": "answer = c",
    "skipped": "loss = U @ V",
    "misspelt": "raet * 2\n",
    "in-function": "def f():\n    x = 1\n    return missing\nf()",
    "backwards": "w = torch.ones(1, requires_grad=True)\n"
    "loss = (w * w).sum()\nloss.backwards()",
    "matmull": "torch.matmull",
    "twice": "loss.backward()\nloss.backward()",
    "helpers": "from labhelpers import linalg\nlinalg.truncated_svd([1.0, 2.0], 1)",
    "unknown": "1 / 0",
    "calls": "f(1)",
    "nasty": NASTY,
    "local": "def g():\n    n += 1\ng()",
    "minimal": "%xmode Minimal",
    "twice-minimal": "loss.backward()",
    "missing-minimal": "answer = b",
    "old": OLD,
    "open": OLD[:-1],
    "old-check": CHECK,
    "new": OLD.replace("X[:, :k]", "X"),
    "new-check": CHECK,
    "failing": f"1 / 0\n{OLD}",
    "failing-check": CHECK,
    "defined-then-failing": f"{OLD}\n1 / 0",
    "defined-check": CHECK,
}


@pytest.fixture(scope="module")
def cells():
    """Run all cells; return {name: cell}."""
    made = {name: new_code_cell(source, id=name) for name, source in CELLS.items()}
    notebook = new_notebook(cells=list(made.values()))
    execute(notebook, ROOT, allow_errors=True, PYTHONPATH=str(ROOT))
    return {cell.id: cell for cell in notebook.cells}


def error(cells, name):
    """Return (ename, evalue, what is shown) of a cell that failed."""
    (output,) = cells[name].outputs
    shown = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
    return output.ename, output.evalue, shown


MISSING = [("unquoted", "c"), ("skipped", "U"), ("misspelt", "raet")]
MISSING += [("in-function", "missing"), ("missing-minimal", "b")]


@pytest.mark.parametrize(("name", "missing"), MISSING)
def test_a_name_that_does_not_exist_gets_words_and_no_traceback(cells, name, missing):
    kind, value, shown = error(cells, name)
    assert (kind, value) == ("NameError", f"name '{missing}' is not defined")
    assert f"There is no {missing} yet: no cell that was run has made it." in shown
    assert "Run All Above Selected Cell" in shown
    assert "Traceback" not in shown
    assert len(shown.split("\n")) <= 5


def test_quotes_are_advised_where_a_text_may_be_meant(cells):
    advised = {name for name, _ in MISSING if "in quotes" in error(cells, name)[2]}
    assert advised == {"unquoted", "missing-minimal"}
    assert 'in quotes: answer = "c"' in error(cells, "unquoted")[2]


def test_a_name_that_is_misspelt_is_found_and_the_line_is_shown(cells):
    assert "Did you mean rate?" in error(cells, "misspelt")[2]
    assert "Did you mean" not in error(cells, "unquoted")[2]
    assert "line 3 of f: return missing" in error(cells, "in-function")[2]


HINTS = {
    "backwards": ("AttributeError", "did you mean backward?"),
    "matmull": ("AttributeError", "did you mean matmul?"),
    "twice": ("RuntimeError", "Compute the loss anew in each step"),
    "twice-minimal": ("RuntimeError", "Compute the loss anew in each step"),
    "local": ("UnboundLocalError", "A name that a function assigns"),
}


@pytest.mark.parametrize("name", HINTS)
def test_a_known_error_is_shown_as_usual_and_its_cause_last(cells, name):
    kind, words = HINTS[name]
    found, value, shown = error(cells, name)
    assert found == kind
    *before, last = shown.strip().split("\n")
    assert last.startswith("A likely cause: ")
    assert words in last
    assert value.split("\n")[0][:40] in "\n".join(before)
    assert ("Traceback" in shown) is (name != "twice-minimal")


OTHERS = {"helpers": "ValueError", "unknown": "ZeroDivisionError", "calls": "TypeError"}


@pytest.mark.parametrize("name", OTHERS)
def test_of_other_errors_nothing_is_added(cells, name):
    """What labhelpers says is in words already, also if it names a shape."""
    kind, _, shown = error(cells, name)
    assert kind == OTHERS[name]
    assert "likely" not in shown


def test_an_exception_that_cannot_be_shown_leaves_the_words_in_force(cells):
    said = [output.get("text", "") for output in cells["nasty"].outputs]
    assert any("Nasty: it cannot be shown." in text for text in said)
    assert not any("unregistering" in text for text in said)
    assert "A likely cause" in error(cells, "local")[2]


def card(cells, name):
    """Return the text of a card."""
    return cells[name].outputs[0].data["text/plain"]


@pytest.mark.parametrize("failed", ["old", "failing"])
def test_a_check_says_that_it_judges_the_function_before_the_one_that_failed(
    cells, failed
):
    name = {"old": "open", "failing": "failing"}[failed]
    number = cells[f"{failed}-check"].execution_count
    before = {"old": "old", "failing": "new"}[failed]
    assert number - 1 == list(CELLS).index(name) + 1
    note = f"cell [{number - 1}] was to define pca_scores and ended in an error, so"
    of = list(CELLS).index(before) + 1
    shown = card(cells, f"{failed}-check")
    assert f"note:     {note} this is about the older one of cell [{of}]." in shown


def test_a_function_that_was_defined_is_the_one_that_is_judged(cells):
    assert "was to define" not in card(cells, "new-check")
    assert "was to define" not in card(cells, "defined-check")
