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
FEWEST, MOST = 9, 14
RESULTS = {  # of each lab, that mustn't face what they answer
    labs.number(lab): sum("overleaf" in c.metadata.get("tags", []) for c in nb.cells)
    for lab, nb in labs.read().items()
}


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
    lab, kind = name.split("_")
    # On a student's sheet each result begins a leaf: two pages, if short.
    leaves = RESULTS[lab] if kind == "student" else 0
    assert max(FEWEST, 2 * leaves) <= count <= max(MOST, 8 + 2 * leaves)
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


def pages_of(page, document):
    """Return [(text of a sheet, its page)], in order, found in the PDF."""
    texts = [letters(text) for text in text_of(document)]
    ends, printed = np.cumsum([len(text) for text in texts]), "".join(texts)
    found, at = [], 0
    for text in body_of(page).find_all(string=True):
        if wanted := letters(text):
            at = printed.index(wanted, at) + len(wanted)
            found.append((text, 1 + int(np.searchsorted(ends, at))))
    return found


def torn(page, document):
    """Return what is asked but does not stand, with its space, on one page."""
    found = {}
    for text, number in pages_of(page, document):
        if section := text.find_parent("section"):
            found.setdefault(section.find(["h2", "h3", "p"]).get_text(), set()).add(
                number
            )
    return [head for head, numbers in found.items() if len(numbers) > 1]


@pytest.mark.parametrize(("name", "paper"), SHEETS)
def test_what_is_asked_stands_on_one_page(printed, pages, name, paper):
    document = printed(name, paper)
    begin = [letters(text) for text in text_of(document)]
    for head in torn(pages[f"{name}.html"], document):  # it is longer than a page
        assert any(text.startswith(letters(head)) for text in begin), head


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


def shown(page, document):
    """Return the results that one sees while one reads what they answer.

    Pages 2 and 3 face each other, 4 and 5, and so on.
    """
    result, asked = [], []
    turned = False
    for text, number in pages_of(page, document):
        if turned:
            seen = {number, number - 1} if number % 2 else {number, number + 1}
            result += [text] if seen & set(asked) else []
            asked, turned = [], False
        if text.find_parent(class_=["exercise", "prediction"]):
            asked.append(number)
        turned = "turn" in text.parent.get("class", [])
    return result


STUDENTS = [(name, paper) for name, paper in SHEETS if name.endswith("student")]


@pytest.mark.parametrize(("name", "paper"), STUDENTS)
def test_no_result_faces_what_it_answers(printed, pages, name, paper):
    assert shown(pages[f"{name}.html"], printed(name, paper)) == []


def test_a_result_that_faces_its_question_would_be_seen(chromium, pages, monkeypatch):
    monkeypatch.setattr(pdf, "_facing", lambda pages: [])
    page = pages["03_student.html"]
    document = pypdfium2.PdfDocument(pdf.print_page(chromium, page))
    assert len(shown(page, document)) > 2
    page = page.replace("break-after: page", "")
    document = pypdfium2.PdfDocument(pdf.print_page(chromium, page))
    assert len(shown(page, document)) == 7


@pytest.mark.parametrize(("name", "paper"), STUDENTS)
def test_no_page_is_empty_or_ruled_alone(printed, name, paper):
    assert [len(letters(t)) > 40 for t in text_of(printed(name, paper))].count(0) == 0


def lab_that_asks(*, before, lines):
    """Return a sheet: so many paragraphs, then a prediction and its result."""
    cells = [new_markdown_cell("# A lab\n\n## First\n\n" + "Text.\n\n" * before)]
    for text, tag in (("**Predict.** Up?", f"lines-{lines}"), ("Yes.", "overleaf")):
        cells.append(new_markdown_cell(text, metadata={"tags": [tag]}))
    return sheets.sheet(new_notebook(cells=cells))


@pytest.mark.parametrize(
    ("before", "asked"), [(1, 1), (43, 3), (60, 3), (100, 3), (130, 5)]
)
def test_a_question_moves_on_where_its_result_would_face_it(chromium, before, asked):
    page = lab_that_asks(before=before, lines=3)
    document = pypdfium2.PdfDocument(pdf.print_page(chromium, page))
    texts = text_of(document)
    assert [i for i, t in enumerate(texts, 1) if "Up?" in t] == [asked]
    assert "Yes." in texts[asked]
    assert len(texts) == asked + 1


def ruled(page):
    """Return how many grey lines cross a page."""
    grey = page.render(scale=8, grayscale=True).to_numpy().squeeze().astype(int)
    rows = (abs(grey - 0x99) < 4).mean(axis=1) > 0.7
    return int((np.diff(rows.astype(int)) == 1).sum())


@pytest.mark.parametrize("lines", [1, 7, 30])
def test_space_has_the_lines_that_its_tag_says(chromium, lines):
    page = lab_that_asks(before=1, lines=lines)
    document = pypdfium2.PdfDocument(pdf.print_page(chromium, page))
    assert [ruled(each) for each in document] == [lines, 0]
