"""`make mutants` finds the rooms, and the tests of each."""

import pytest

from tests import ROOT

mutants = pytest.importorskip("tools.mutants", exc_type=ImportError)


def test_every_room_is_found_with_its_tests():
    wanted = {
        path.relative_to(ROOT).with_suffix("").as_posix()
        for package in ("labhelpers", "labchecks", "teaching")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }
    left_out = wanted - set(mutants.TESTS)
    assert set(mutants.TESTS) <= wanted
    assert left_out == mutants.HELD_BY_THOSE
    for room, tests in mutants.TESTS.items():
        assert tests, room
        assert all((ROOT / path).is_file() for path in tests)
        assert not any("test_kernels" in path for path in tests)
        assert mutants.room_path(ROOT, room).is_file()


def test_a_room_has_the_tests_that_import_it_and_those_for_all():
    folder = "tests/labhelpers/test_"
    linalg = mutants.TESTS["labhelpers/linalg"]
    assert f"{folder}linalg.py" in linalg
    assert f"{folder}signatures.py" in linalg
    assert f"{folder}plots.py" not in linalg
    assert len(mutants.TESTS["labhelpers/_require"]) > len(linalg)


def test_a_room_in_a_folder_has_its_tests_too():
    assert mutants.TESTS["teaching/handing_out/leaks"] == [
        path
        for path in mutants.TESTS["teaching/handing_out/leaks"]
        if "leaks" in (ROOT / path).read_text(encoding="utf-8")
    ]
    folder = "tests/teaching/test_"
    assert f"{folder}submissions.py" in mutants.TESTS["teaching/marking/submissions"]
    assert f"{folder}pdf.py" not in mutants.TESTS["teaching/marking/submissions"]
