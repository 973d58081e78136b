"""What a cell changes is seen, and nothing is handed over that shares memory."""

import collections
import functools
import random

import numpy as np
import pandas as pd
import pytest
import torch

from labchecks.student import same_state_after
from teaching.marking import watched_values


def state(value):
    """Return what stands for the state of a value, "" where it can't be told."""
    ((_, _, found), *_) = watched_values.digests({"value": value})
    return found


def frame(**changes):
    return pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}, index=[5, 6], **changes)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda: np.zeros(3), lambda x: x.__setitem__(0, 1)),
        (lambda: torch.zeros(3), lambda x: x.add_(1)),
        (lambda: torch.zeros(3), lambda x: x.requires_grad_()),
        (frame, lambda x: x.__setitem__("a", 7.0)),
        (frame, lambda x: setattr(x, "index", [5, 7])),
        (frame, lambda x: setattr(x, "columns", ["a", "c"])),
        (lambda: {"a": [1, 2]}, lambda x: x["a"].append(3)),
        (lambda: {1, 2}, lambda x: x.add(3)),
        (lambda: np.random.default_rng(1), lambda x: x.random()),
        (lambda: torch.Generator(), lambda x: x.manual_seed(3)),
    ],
)
def test_a_change_in_place_is_seen(make, change):
    value = make()
    before = state(value)
    assert before
    assert state(value) == before == state(make())
    change(value)
    assert state(value) != before


def test_an_index_is_told_by_its_labels():
    one, other = (state(pd.Index(labels)) for labels in ([1, 2], [1, 3]))
    assert one
    assert one != other


class Counting:
    def __init__(self):
        self.count = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.count += 1
        return self.count


def test_what_cannot_be_told_is_called_so():
    leaf = torch.ones(2, requires_grad=True)
    assert state(leaf)
    for value in (2 * leaf, iter([1]), Counting(), object()):
        assert state(value) == ""


def test_a_gradient_is_part_of_a_tensor():
    leaf = torch.ones(2, requires_grad=True)
    before = state(leaf)
    leaf.sum().backward()
    assert state(leaf) != before


def test_what_shares_memory_with_another_name_is_not_handed_over():
    array, tensor = np.zeros(4), torch.zeros(4)
    names = {"array": array, "part": array[1:], "view": array.reshape(2, 2).T}
    names |= {"tensor": tensor, "row": tensor[2:], "same": tensor.numpy()}
    names |= {"alone": np.ones(4), "apart": torch.ones(4), "whole": [array]}
    handed = watched_values.saved(names, sorted(names), ["array", "tensor"])
    # A tensor's memory as an array: the same, too.
    assert [name for name, _ in handed] == ["alone", "apart"]
    again = {}
    for name, text in handed:
        watched_values.load(again, name, text)
    assert (again["alone"] == 1).all()
    assert torch.equal(again["apart"], torch.ones(4))


def test_what_is_too_large_is_not_handed_over(monkeypatch):
    monkeypatch.setattr(watched_values, "MOST", 10_000)
    names = {"small": np.zeros(10), "large": np.zeros(10_000)}
    handed = watched_values.saved(names, ["small", "large"], [])
    assert [name for name, _ in handed] == ["small"]


def test_settings_and_draws_are_names_of_their_own():
    def found():
        return {name: text for name, _, text in watched_values.digests({})}

    before = found()
    assert set(before) == {watched_values.SETTINGS, watched_values.RANDOM}
    assert found() == before
    with torch.no_grad():
        assert found()[watched_values.SETTINGS] != before[watched_values.SETTINGS]
    kept = torch.get_rng_state()
    torch.rand(1)
    assert found()[watched_values.RANDOM] != before[watched_values.RANDOM]
    torch.set_rng_state(kept)
    assert found() == before


NUMPY = np.random.rand


@pytest.mark.parametrize("draw", [NUMPY, random.random, lambda: torch.rand(1)])
def test_each_librarys_draws_are_seen(draw):
    def drawn():
        return {name: text for name, _, text in watched_values.digests({})}[
            watched_values.RANDOM
        ]

    before = drawn()
    with same_state_after():
        draw()
        assert drawn() != before
    assert drawn() == before


def test_names_of_the_shell_are_none_of_the_cells():
    names = {"x": 1, "_": 2, "_i3": "x", "In": [], "Out": {}, "exit": exit}
    (found, *rest) = watched_values.digests(names)
    assert found[:2] == ("x", id(1))
    assert [name for name, _, _ in rest] == [
        watched_values.SETTINGS,
        watched_values.RANDOM,
    ]


OF_A_CELL = """
def plain(x, y=[1], *, z=[2]):
    return x + 1

def made(count):
    def inner(x):
        return x + len(count)
    return inner

inner = made([1])

class Kept:
    shared = [0]

    def __init__(self):
        self.own = [0]

    def method(self):
        return self.own

kept = Kept()
method = kept.method
part = functools.partial(plain, [1], y=[2])
chain = collections.deque([[1], [2]])
objects = np.array([[1], "a"], dtype=object)
tables = [pd.Series([1.0, 2.0]), pd.Index([1, 2])]
"""
CHANGES = {
    "plain": [
        "plain.n = 1",
        "plain.__defaults__[0].append(1)",
        "plain.__kwdefaults__['z'].append(1)",
    ],
    "inner": ["inner.__closure__[0].cell_contents.append(1)"],
    "Kept": ["Kept.shared.append(1)", "Kept.more = 1"],
    "kept": ["kept.own.append(1)", "kept.more = 1"],
    "method": ["kept.own.append(1)"],
    "part": ["part.args[0].append(1)", "part.keywords['y'].append(1)"],
    "chain": ["chain[1].append(1)", "chain.rotate()"],
    "objects": ["objects[0].append(1)"],
    "tables": ["tables[0][0] = 3", "tables[1] = pd.Index([1, 3])"],
}


@pytest.mark.parametrize(
    ("name", "change"), [(name, text) for name in CHANGES for text in CHANGES[name]]
)
def test_what_a_cells_own_code_holds_is_looked_into(name, change):
    names = {"__name__": "__main__", "np": np, "pd": pd, "functools": functools}
    names |= {"collections": collections}
    exec(OF_A_CELL, names)
    before = state(names[name])
    assert before == state(names[name]) != ""
    exec(change, names)
    assert state(names[name]) not in ("", before)


def test_other_code_is_another_function():
    def of(source):
        names = {"__name__": "__main__"}
        exec(source, names)
        return state(names["f"])

    assert of("def f(x): return x + 1") == of("def f(x): return x + 1")
    assert of("def f(x): return x + 1") != of("def f(x): return x * 1")
