"""The labs and the rooms keep to the rules of ``guard``."""

import nbformat
import pytest

from tests.labs import guard

PATHS = sorted((guard.ROOT / "notebooks").glob("*.ipynb"))
LABS = {path.name: nbformat.read(path, as_version=4) for path in PATHS}


@pytest.mark.parametrize("rule", guard.RULES)
@pytest.mark.parametrize("name", LABS)
def test_lab(name, rule):
    _assert_none(rule(LABS[name]))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_lab_is_stored_as_render_stores_it(path):
    text = path.read_text(encoding="utf-8")
    assert text == nbformat.writes(LABS[path.name]) + "\n", "run make render"


def test_labs_are_numbered():
    numbers = [int(name[:2]) for name in LABS]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 4


def test_few_cells_are_excused_from_comparison():
    _assert_none(guard.excused(LABS, guard.EXCUSED))


@pytest.mark.parametrize("package", guard.PACKAGES)
def test_rooms_import_downward_only(package):
    _assert_none(guard.arrows(guard.ROOT / package))


@pytest.mark.parametrize("package", ["labhelpers", "teaching"])
def test_rooms_are_small(package):
    _assert_none(guard.room_sizes(guard.ROOT / package))


def _assert_none(complaints):
    assert not complaints, "\n".join(complaints)
