"""What names tell of a cell, and code of which they don't tell enough."""

import pytest

from teaching.marking import read_cells

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
