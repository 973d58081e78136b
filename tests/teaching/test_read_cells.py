"""What names tell of a cell, and code of which they don't tell enough."""

import pytest

from teaching.marking import read_cells, watched_values

MODULES = {"np", "torch", "nn"}
PLAIN = """
import math, numpy.linalg
from numpy import array
x = np.zeros(2)
s = np.linalg.svd(x)
y = torch.nn.functional.relu(x)
z = torch.Tensor.sum(x)
t = run.result.losses
x.grad = None
self.width = 3
nn.Linear(2, 2)(x).sum()
""".strip().split("\n")
DOUBTFUL = """
import os
import math, sys
from os import path
from numpy import *
from torch import nn
from numpy import random
from torch import manual_seed
from numpy import set_printoptions
from torch import _C
from . import a
x = np
f(torch)
x = np.linalg
np.random.seed(1)
torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
np.float64.mro()
torch.rand = f
np.linalg.svd = f
run.rate = 1
run._rate
global x
exec("x = 1")
_ + 1
def __del__(self): pass
""".strip().split("\n")


@pytest.mark.parametrize("source", PLAIN)
def test_what_students_write_is_plain(source):
    assert read_cells.look_for_doubt(source, MODULES) is None


@pytest.mark.parametrize("source", DOUBTFUL)
def test_what_reaches_behind_names_is_doubtful(source):
    with pytest.raises(read_cells.Doubt):
        read_cells.look_for_doubt(source, MODULES)


def test_an_alias_of_no_module_may_be_handed_on():
    assert read_cells.look_for_doubt("x = np\nf(np)", {"torch"}) is None


def test_statements_in_one_line_are_one():
    one, other = read_cells.statements_of("a = x; f = lambda: y; b = a\nc = 1")
    assert (one.reads, one.later) == ({"a", "x"}, {"y"})
    assert one.binds == {"a", "f", "b"}
    assert (one.kind, one.has_code, one.end) == ("other", True, 1)
    assert (other.binds, other.kind, other.has_code) == ({"c"}, "plain", False)


def test_an_import_says_what_stands_for_what():
    (one, other) = read_cells.statements_of(
        "import numpy as np\nfrom a.b import c as d"
    )
    assert one.kind == other.kind == "import"
    assert one.origins == {("np", "numpy")}
    assert other.origins == {("d", "a.b.c")}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import a.b", "import"),
        ("from a import b", "import"),
        ("def f(x, y=1, *, z=2): pass", "function"),
        ("def f(x, y=[]): pass", "plain"),
        ("def f(x, *, y=[]): pass", "plain"),
        ("@g\ndef f(x): pass", "plain"),
        ("class A: pass", "plain"),
        ("x = 1", "plain"),
        ("x += 1", "other"),
        ("x[0] = f(1)", "plain"),
        ("if x:\n    y = 1", "other"),
        ("f(x)", "other"),
    ],
)
def test_what_a_statement_is_tells_whether_it_surely_gives_values(source, kind):
    (statement,) = read_cells.statements_of(source)
    assert statement.kind == kind
    assert statement.end == source.count("\n") + 1


READ = {  # source: (names that it reads at once, later, and gives values to)
    "x = y": ("y", "", "x"),
    "x += y": ("x y", "", "x"),
    "x[i] = y": ("x i y", "", ""),
    "for i in x:\n    i\n    k = i": ("x", "", "i k"),
    "for i in x:\n    pass\nelse:\n    y": ("x y", "", "i"),
    "while x:\n    y = z\n    y\nelse:\n    w": ("x z w", "", "y"),
    "if x:\n    y = 1\nelse:\n    y": ("x y", "", "y"),
    "with x as y:\n    y, z": ("x z", "", "y"),
    "try:\n    x\nexcept E as e:\n    e, y\nfinally:\n    z": ("x E y z", "", "e"),
    "try:\n    x\nexcept:\n    y\nelse:\n    z": ("x y z", "", ""),
    "if x:\n    import y\n    y": ("x", "", "y"),
    "x = [y for y in z]": ("z", "", "x"),
    "f = lambda x: x + y": ("", "y", "f"),
    "def f(x=a):\n    return x + y": ("a", "y", "f"),
    "def f():\n    def g():\n        return y\n    return g": ("", "y", "f"),
    "class A(B):\n    x = y\n    def f(self):\n        return z": ("B y", "z", "A"),
    "x = {f(y) for y in [lambda: w]}": ("f", "w", "x"),
    "match x:\n    case [y]:\n        z = y": ("x y z", "", "y z"),
}


@pytest.mark.parametrize("source", READ)
def test_which_names_a_statement_reads_now_and_later(source):
    (found,) = read_cells.statements_of(source)
    want = tuple(set(names.split()) for names in READ[source])
    assert (found.reads, found.later, found.binds) == want
    assert read_cells.read_names(source) == want[0] | want[1]


def test_what_is_no_python_has_no_statements():
    assert read_cells.statements_of("x = = 1") == []
    assert read_cells.look_for_doubt("x = = 1", MODULES) is None


@pytest.mark.parametrize("source", ["x = rand(2)", "x = [np.random.normal()]"])
def test_a_draw_reads_the_state_of_all_draws(source):
    (statement,) = read_cells.statements_of(source)
    assert watched_values.RANDOM in statement.reads
    (later,) = read_cells.statements_of(f"def f():\n    {source}")
    assert watched_values.RANDOM in later.later - later.reads
