"""Cards to vote with, on paper: four letters that nobody confuses, on a page to cut."""

import importlib
import itertools
import re
from contextlib import nullcontext

import numpy as np
import pypdfium2
import pytest
from bs4 import BeautifulSoup

from labchecks import predictions
from teaching import labs
from teaching.handing_out import cards, fonts, handouts, pdf

MILLIMETRES = {"A4": (210, 297), "Letter": (215.9, 279.4)}
POINTS = 72 / 25.4


@pytest.mark.parametrize("number", [*map(labs.number, labs.read())])
def test_each_option_of_a_lab_has_a_card_that_its_checks_understand(
    number, monkeypatch
):
    """Cards have letters; where the options are numbers, a check takes these too."""
    monkeypatch.setattr(predictions, "_noted", {})
    monkeypatch.setattr(predictions, "_told", set())
    checks = importlib.import_module(f"labchecks.lab{number}")
    for name, question in checks.prediction.questions.items():
        assert len(question.options) <= len(cards.LETTERS)
        for letter, option in zip(cards.LETTERS, question.options):
            noted = repr(checks.prediction(name, letter))
            assert re.search(rf"noted: \(?{option}\)?\.", noted)


def test_the_page_needs_nothing_from_outside():
    page = cards.page()
    soup = BeautifulSoup(page, "html.parser")
    assert [tag.get_text() for tag in soup.select("main p")] == list(cards.LETTERS)
    assert not soup.select("script, link, img, iframe")
    assert not re.search(r"https?:|url\((?!\"data:)", page)
    assert page.count("@font-face") == len(fonts.FACES)
    assert soup.html["lang"] == "en-GB"
    assert page == cards.page()


@pytest.mark.parametrize("paper", pdf.PAPERS)
def test_four_large_letters_are_on_one_page_in_four_quarters(chromium, paper):
    document = pypdfium2.PdfDocument(
        pdf.print_page(chromium, cards.page(), paper=paper)
    )
    (sheet,) = document
    size = [length / POINTS for length in sheet.get_size()]
    assert size == pytest.approx(MILLIMETRES[paper], abs=0.5)
    text = sheet.get_textpage()
    middle, found = [length / 2 for length in sheet.get_size()], {}
    for i in range(text.count_chars()):
        letter = text.get_text_range(i, 1)
        left, bottom, right, top = text.get_charbox(i)
        if letter.strip():
            assert (top - bottom) / POINTS > 50
            assert (left > middle[0]) == (right > middle[0])
            found[letter] = left > middle[0], bottom < middle[1]
    assert found == {
        "a": (False, False),
        "b": (True, False),
        "c": (False, True),
        "d": (True, True),
    }
    for one, other in itertools.combinations(grounds(sheet), 2):
        assert np.abs(one - other).max() > 30  # of 255
    for each in text, sheet, document:
        each.close()


def grounds(sheet):
    """Return what is seen above each letter: how bright it is, and how uneven."""
    grey = sheet.render(scale=1, grayscale=True).to_numpy().squeeze()
    height, width = (length // 2 for length in grey.shape)
    for y, x in itertools.product((0, height), (0, width)):
        top, left = y + height // 12, x + width // 5
        seen = grey[top : top + height // 12, left : left + width // 2]
        yield np.array([seen.mean(), seen.std()])


def test_make_handouts_prints_them(chromium, tmp_path, monkeypatch):
    monkeypatch.setattr(handouts.pdf, "browser", lambda: nullcontext(chromium))
    assert handouts.build({}, tmp_path).no_pdf == ""
    printed = {path.name for path in (tmp_path / "print").iterdir()}
    assert printed == {"cards.html", "cards.pdf", "cards_letter.pdf"}
