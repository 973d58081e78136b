"""Knobs are keyword-only: nobody has to know which of five numbers comes third."""

import inspect

import pytest

from labhelpers import data, descent, linalg, minibatch, plots, training

BY_PLACE = {"axes": ["columns"], "load_cifar10": ["root"]}  # read well without a name


@pytest.mark.parametrize("room", [data, descent, linalg, minibatch, plots, training])
def test_knobs_are_keyword_only(room):
    functions = inspect.getmembers(room, inspect.isfunction)
    ours = [(name, f) for name, f in functions if f.__module__ == room.__name__]
    public = [f for name, f in ours if not name.startswith("_")]
    for function in public:
        parameters = inspect.signature(function).parameters.values()
        assert all(p.kind != p.POSITIONAL_ONLY for p in parameters), function
        by_place = [p for p in parameters if p.kind != p.KEYWORD_ONLY]
        knobs = [p.name for p in by_place if p.default is not p.empty]
        assert knobs == BY_PLACE.get(function.__name__, []), function
    assert len(public) > 2
