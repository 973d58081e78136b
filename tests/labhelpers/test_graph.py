"""What autograd has recorded, counted from the expression itself."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labhelpers.graph import record

law = settings(deadline=None, derandomize=True, database=None, max_examples=40)


def names_of(nodes):
    return [(node.name, node.operation, node.inputs) for node in nodes]


def test_the_record_has_a_node_for_each_part_of_an_expression():
    a, b, c = (torch.tensor(x, requires_grad=True) for x in (2.0, -3.0, 10.0))
    d = a * b
    e = d + c
    y = e.relu()
    names = {"a": a, "b": b, "c": c, "d": d, "e": e, "y": y}
    y.backward()
    nodes = record(y, names)
    assert names_of(nodes) == [
        ("a", "leaf", ()),
        ("b", "leaf", ()),
        ("d", "mul", ("a", "b")),
        ("c", "leaf", ()),
        ("e", "add", ("d", "c")),
        ("y", "relu", ("e",)),
    ]
    assert [node.value for node in nodes] == ["2", "-3", "-6", "10", "4", "4"]
    assert [node.grad for node in nodes] == ["-3", "2", "–", "1", "–", "–"]


@law
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_each_node_comes_once_after_its_inputs_however_often_it_is_used(pairs):
    tensors = [torch.ones(2, requires_grad=True)]
    made = [set()]  # what each was made of, by places
    for i, j in pairs:
        i, j = i % len(tensors), j % len(tensors)
        tensors.append(tensors[i] * tensors[j])
        made.append({i, j} | made[i] | made[j])
    nodes = record(tensors[-1], {})
    assert len(nodes) == len(made[-1]) + 1
    seen = {"–"}
    for node in nodes:
        assert set(node.inputs) <= seen
        assert node.name not in seen
        seen.add(node.name)


def test_a_cut_value_is_a_dash_and_what_is_behind_it_not_recorded():
    a, b = (torch.tensor(x, requires_grad=True) for x in (2.0, 5.0))
    with torch.no_grad():
        unrecorded = a * a
    nodes = record(unrecorded * (b + (a * b).detach()), {"a": a, "b": b})
    assert names_of(nodes) == [
        ("b", "leaf", ()),
        ("(1)", "add", ("b", "–")),
        ("(2)", "mul", ("–", "(1)")),
    ]
    with pytest.raises(ValueError, match="result must be a tensor that autograd has"):
        record(unrecorded, {"a": a})


def test_a_kept_gradient_is_shown_and_a_matrix_by_its_shape():
    A = torch.ones(2, 3, requires_grad=True)
    half = A / 2
    half.retain_grad()
    total = half.sum()
    total.backward()
    of_A, of_half, of_total = record(total, {"half": half, "A": A})
    assert (of_A.value, of_half.grad) == ("of shape (2, 3)",) * 2
    assert (of_total.name, of_total.value) == ("(1)", "–")


def test_a_long_record_needs_no_recursion():
    x = torch.zeros((), requires_grad=True)
    y = x
    for _ in range(3000):
        y = y + 1
    assert len(record(y, {"x": x})) == 3001
