"""The sheets as PDF, read back: pages, margins, words, fonts, exercises in one piece.

It needs a real browser; set REQUIRE_BROWSER to fail where these tests would be skipped.
"""

import ctypes
import re

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_markdown_cell, new_notebook

from teaching import labs
from teaching.handing_out import pdf, sheets

SHEETS = [
    (f"{lab}_{kind}", paper)
    for lab in map(labs.number, labs.read())
    for kind in sheets.KINDS
    for paper in pdf.PAPERS
    if paper == "A4" or lab == "03"  # the other one is tried where tables are widest
]
MILLIMETRES = {"A4": (210, 297), "Letter": (215.9, 279.4)}
POINTS = 72 / 25.4
OURS = {"STIXGeneral", "STIXTwoMath", "DejaVuSansMono"}
FEWEST, MOST = 9, 20


@pytest.fixture(scope="module")
def printed(chromium, pages):
    """Return a function that prints a sheet, once, and opens it."""
    opened = {}

    def opener(name, paper):
        if (name, paper) not in opened:
            page = pages[f"{name}.html"]
            data = pdf.print_page(chromium, page, paper=paper)
            opened[name, paper] = pypdfium2.PdfDocument(data)
        return opened[name, paper]

    yield opener
    for document in opened.values():
        document.close()


def text_of(document):
    """Return the text of each page, without what stands in the margin."""
    texts = []
    for page in document:
        width, height = page.get_size()
        text = page.get_textpage()
        texts.append(text.get_text_bounded(0, 17 * POINTS, width, height))
    return texts


def body_of(page):
    """Return what a sheet says, block by block, without its formulas."""
    soup = BeautifulSoup(re.sub('base64,[^"]{200,}', "", page), "html.parser")
    for formula in soup.select("math"):
        formula.replace_with(" ")
    for hidden in soup.select(".space + .turn p"):
        hidden.decompose()
    return soup.body


def letters(text):
    return re.sub("[^A-Za-z0-9]", "", text)


def lost(page, document):
    """Return the first text of a sheet that doesn't follow in the PDF, or None."""
    printed, at = letters("".join(text_of(document))), 0
    for text in map(letters, body_of(page).find_all(string=True)):
        at = printed.find(text, at)
        if at < 0:
            return text
        at += len(text)
    return None


@pytest.mark.parametrize(("name", "paper"), SHEETS)
def test_size_count_and_numbers_of_pages(printed, name, paper):
    document = printed(name, paper)
    count = len(document)
    assert FEWEST <= count <= MOST
    for number, page in enumerate(document, 1):
        size = [length / POINTS for length in page.get_size()]
        assert size == pytest.approx(MILLIMETRES[paper], abs=0.5)
        foot = page.get_textpage().get_text_bounded(0, 0, 600, 17 * POINTS)
        assert f"{number} of {count}" in foot
        assert ("Student sheet" if "student" in name else "Solutions") in foot


@pytest.mark.parametrize(("name", "paper"), SHEETS)
def test_no_text_is_lost(printed, pages, name, paper):
    assert lost(pages[f"{name}.html"], printed(name, paper)) is None


def test_a_lost_text_would_be_seen(printed, pages):
    page = pages["01_student.html"].replace("a table of", "a missing table of")
    assert "missing" in lost(page, printed("01_student", "A4"))


def blots(document):
    """Return the pages on which something stands in the margins."""
    found = []
    for number, page in enumerate(document, 1):
        grey = page.render(scale=1, grayscale=True).to_numpy().squeeze()
        mm = grey.shape[1] / (page.get_size()[0] / POINTS)
        side, top, foot = (round(length * mm) for length in (17, 15, 17))
        ink = grey < 250
        ink[-foot:, side:-side] = False  # where the page number is
        ink[top:-foot, side:-side] = False
        found += [number] if ink.any() else []
    return found


@pytest.mark.parametrize(("name", "paper"), SHEETS)
def test_margins_are_white(printed, name, paper):
    assert blots(printed(name, paper)) == []


def test_what_stands_in_the_margin_would_be_seen(chromium, pages):
    page = pages["01_student.html"].replace("margin: 16mm 18mm 18mm", "margin: 16mm")
    assert page != pages["01_student.html"]
    assert 1 in blots(pypdfium2.PdfDocument(pdf.print_page(chromium, page)))


def fonts_of(document):
    """Return {name: whether it is embedded} of the fonts of a document."""
    found = {}
    for page in document:
        for item in page.get_objects([pdfium.FPDF_PAGEOBJ_TEXT], max_depth=9):
            font = pdfium.FPDFTextObj_GetFont(item)
            name = ctypes.create_string_buffer(200)
            pdfium.FPDFFont_GetBaseFontName(font, name, 200)
            name = name.value.decode().split("+")[-1].split("-")[0]
            found[name] = pdfium.FPDFFont_GetIsEmbedded(font) == 1
    return found


@pytest.mark.parametrize(("name", "paper"), SHEETS[:2] + SHEETS[-2:])
def test_fonts_are_embedded_and_ours(printed, name, paper):
    found = fonts_of(printed(name, paper))
    assert set(found) == OURS
    assert all(found.values())


def torn(page, document):
    """Return the exercises that do not stand, whole, on one page."""
    texts = ["".join(re.findall(r"[^\W_]+", text)) for text in text_of(document)]
    found = []
    for section in body_of(page).select(".exercise"):
        parts = re.findall(r"[^\W_]+", section.get_text(" "))
        first, last = "".join(parts[:5]), "".join(parts[-2:])
        on = [text.split(first)[1] for text in texts if first in text]
        if len(on) != 1 or last not in on[0]:
            found.append(" ".join(parts[:3]))
    return found


@pytest.mark.parametrize(("name", "paper"), SHEETS)
def test_exercises_stand_on_one_page(printed, pages, name, paper):
    assert torn(pages[f"{name}.html"], printed(name, paper)) == []


def test_a_torn_exercise_would_be_seen(chromium, pages):
    page = pages["01_student.html"].replace("break-inside: avoid", "")
    document = pypdfium2.PdfDocument(pdf.print_page(chromium, page))
    assert torn(page, document)


@pytest.mark.parametrize("name", ["01_student", "05_solutions"])
def test_it_is_tagged_and_has_an_outline(printed, pages, name):
    document = printed(name, "A4")
    assert pdfium.FPDFCatalog_IsTagged(document)
    titles = [re.sub(r"\s+", " ", item.get_title()) for item in document.get_toc()]
    headings = body_of(pages[f"{name}.html"]).find_all(["h1", "h2", "h3"])
    assert len(titles) == len(headings)
    assert titles[0] == headings[0].get_text()


def ruled(page):
    """Return how many grey lines cross the lower half of a page."""
    grey = page.render(scale=4, grayscale=True).to_numpy().squeeze()
    rows = (grey[len(grey) // 2 :] < 240).mean(axis=1) > 0.7
    return int((np.diff(rows.astype(int)) == 1).sum())


def test_the_space_before_a_break_is_ruled(chromium):
    turn = '<div class="turn"><p>Answer</p></div>'
    lab = new_notebook(cells=[new_markdown_cell("# A lab")])
    page = sheets.sheet(lab).replace("</main>", f"{turn}<p>after</p></main>")
    document = pypdfium2.PdfDocument(pdf.print_page(chromium, page))
    assert len(document) == 2
    assert ruled(document[0]) > 15
    assert ruled(document[1]) == 0
    assert "after" in text_of(document)[1]


def test_paper_that_is_not_known_is_refused(chromium):
    with pytest.raises(ValueError, match="paper must be A4 or Letter, got 'A3'"):
        pdf.print_page(chromium, "", paper="A3")
