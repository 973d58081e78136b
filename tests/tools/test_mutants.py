"""`make mutants` finds the rooms, and the tests of each."""

import pytest

from tests import ROOT

mutants = pytest.importorskip("tools.mutants", exc_type=ImportError)


def test_every_room_is_found_with_its_tests():
    wanted = {
        path.relative_to(ROOT).with_suffix("").as_posix()
        for package in ("labhelpers", "labchecks")
        for path in (ROOT / package).iterdir()
        if path.suffix == ".py" and path.name != "__init__.py"
    }
    assert set(mutants.TESTS) == wanted
    for room, tests in mutants.TESTS.items():
        assert tests, room
        assert all((ROOT / path).is_file() for path in tests)
        assert mutants.room_path(ROOT, room).is_file()


def test_a_room_has_the_tests_that_import_it_and_those_for_all():
    folder = "tests/labhelpers/test_"
    linalg = mutants.TESTS["labhelpers/linalg"]
    assert f"{folder}linalg.py" in linalg
    assert f"{folder}signatures.py" in linalg
    assert f"{folder}plots.py" not in linalg
    assert len(mutants.TESTS["labhelpers/_require"]) > len(linalg)
