"""What a cell changes is seen, and nothing is handed over that shares memory."""

import numpy as np
import pandas as pd
import pytest
import torch

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
