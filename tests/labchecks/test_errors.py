"""The phrase book of errors: what is said of a mistake is what comes of it."""

import nbformat
import pytest

from labchecks import errors
from labchecks.__main__ import main
from tests import ROOT

EACH = pytest.mark.parametrize("mistake", errors.MISTAKES, ids=lambda m: m.says[:20])


def test_there_are_ten():
    assert len(errors.MISTAKES) == len(errors.table()) == 10
    assert len({mistake.code for mistake in errors.MISTAKES}) == 10


@EACH
def test_a_mistake_says_what_is_told_of_it(mistake):
    assert mistake.says in errors.said(mistake.code)
    assert mistake.says in errors.shown(mistake)


@EACH
def test_a_check_names_the_cause_of_an_error_by_the_cure_in_the_table(mistake):
    kind, _, message = errors.said(mistake.code).partition(": ")
    if message:
        assert errors.cause(message).text == mistake.cure
    else:
        assert mistake.why.startswith("No error")


def test_what_torch_no_longer_says_is_shown_as_it_is():
    mistake = errors.MISTAKES[0]._replace(says="something else")
    assert "leaf Variable" in errors.shown(mistake)
    assert "something else" not in errors.shown(mistake)


def test_the_page_is_that_of_the_phrase_book(capsys):
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert page == errors.page(), "python -m labchecks errors > docs/errors.md"
    assert main(["errors"]) == 0
    assert capsys.readouterr().out == page


def test_the_lab_shows_the_table_in_words_and_in_html():
    (path,) = (ROOT / "notebooks").glob("00_*.ipynb")
    cells = {cell.id: cell for cell in nbformat.read(path, 4).cells}
    (output,) = cells["errors"].outputs
    table = errors.table()
    assert output.data["text/plain"] == repr(table)
    assert output.data["text/html"] == table._repr_html_()
    for row in table:
        assert all(text in repr(table) for text in row[1:])
