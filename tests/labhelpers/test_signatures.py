"""Knobs are keyword-only, and whatever doesn't draw has a worked example."""

import inspect
import pkgutil
from importlib import import_module

import pytest

import labhelpers

NAMES = [module.name for module in pkgutil.iter_modules(labhelpers.__path__)]
ROOMS = [import_module(f"labhelpers.{n}") for n in NAMES if not n.startswith("_")]
BY_PLACE = {"axes": ["columns"], "load_cifar10": ["root"]}  # read well without a name


def own(room, kind):
    """Return {name: object} of what is defined in the room itself."""
    found = inspect.getmembers(room, kind)
    return {name: each for name, each in found if each.__module__ == room.__name__}


def by_place(function):
    parameters = inspect.signature(function).parameters.values()
    assert all(p.kind != p.POSITIONAL_ONLY for p in parameters), function
    return [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("room", ROOMS)
def test_knobs_are_keyword_only(room):
    functions = own(room, inspect.isfunction)
    public = [f for name, f in functions.items() if not name.startswith("_")]
    for function in public:
        knobs = [p.name for p in by_place(function) if p.default is not p.empty]
        assert knobs == BY_PLACE.get(function.__name__, []), function
    assert public


@pytest.mark.parametrize("room", ROOMS)
def test_no_private_function_takes_more_than_three_by_place(room):
    for name, function in own(room, inspect.isfunction).items():
        if name.startswith("_"):
            assert len(by_place(function)) <= 3, function


@pytest.mark.parametrize("room", [r for r in ROOMS if not r.__name__.endswith("plots")])
def test_whatever_is_public_has_an_example(room):
    both = own(room, inspect.isfunction) | own(room, inspect.isclass)
    for name, each in both.items():
        if not name.startswith("_"):
            text = inspect.cleandoc(each.__doc__)
            assert "\nExamples\n--------\n>>> " in text, f"{name} lacks an example"


def test_every_room_is_looked_at():
    names = {room.__name__.removeprefix("labhelpers.") for room in ROOMS}
    assert {"data", "descent", "linalg", "minibatch", "plots", "training"} <= names
