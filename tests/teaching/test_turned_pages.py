"""What faces its answer is moved on: pages as a browser prints them, but no browser."""

import contextlib
import io

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from teaching.handing_out import pdf, sheets

TURN = f"Asked. {sheets.TURN}."


def printed(*pages):
    """Return a PDF, bytes, of pages that are {points from the foot: text}."""
    stream = io.BytesIO()
    with pypdfium2.PdfDocument.new() as document:
        for texts in pages:
            page = document.new_page(595, 842)
            for height, text in texts.items():
                letters = (text + "\0").encode("utf-16-le")
                words = (pdfium.FPDF_WCHAR * (len(letters) // 2)).from_buffer_copy(
                    letters
                )
                drawn = pdfium.FPDFPageObj_NewTextObj(document, b"Helvetica", 10.0)
                pdfium.FPDFText_SetText(drawn, words)
                pdfium.FPDFPageObj_Transform(drawn, 1, 0, 0, 1, 72, height)
                pdfium.FPDFPage_InsertObject(page, drawn)
            pdfium.FPDFPage_GenerateContent(page)
        document.save(stream)
    return stream.getvalue()


def test_pages_that_end_so_are_turned_whatever_stands_at_their_foot():
    found = printed({400: TURN, 20: "1 of 4"}, {400: "Yes."}, {20: TURN}, {60: TURN})
    assert pdf.turns(found) == {1: TURN, 4: TURN}


class Tab:
    """Stands for a page in a browser: prints one PDF after the other."""

    def __init__(self, *prints, turns=3):
        self.prints, self.turns = list(prints), turns
        self.moved, self.how, self.seen = [], [], []

    def pdf(self, **how):
        self.how.append(how)
        return self.prints.pop(0)

    def query_selector_all(self, selector):
        assert selector == ".turn"
        return [None] * self.turns

    def evaluate(self, script, argument=None):
        if argument is not None:
            assert script == pdf.MOVE
            self.moved.append(argument)

    def emulate_media(self, media):
        self.seen.append(media)

    def set_content(self, page):
        self.seen.append(page)


class Browser:
    """Stands for a browser, with one tab."""

    closed = 0

    def __init__(self, tab):
        self.tab, self.offline = tab, []

    def new_context(self, offline):
        self.offline.append(offline)
        return self

    def new_page(self):
        return self.tab

    def close(self):
        self.closed += 1


PLAIN, ASKED = {400: "Text."}, {400: TURN}
LEFT, LATER = printed(PLAIN, ASKED, PLAIN), printed(PLAIN, PLAIN, ASKED, PLAIN)
TWO = printed(PLAIN, ASKED, PLAIN, ASKED, ASKED)


def test_a_sheet_is_printed_until_nothing_faces_its_answer():
    browser = Browser(Tab(TWO, LEFT, LATER))
    assert pdf.print_page(browser, "a page", paper="Letter") == LATER
    assert browser.tab.moved == [[(0, TURN), (2, TURN)], [(0, TURN)]]
    wanted = {"format": "Letter", "print_background": True}
    assert browser.tab.how == [wanted | {"tagged": True, "outline": True}] * 3
    assert browser.tab.seen == ["print", "a page"]
    assert (browser.offline, browser.closed) == ([True], 1)


def test_a_sheet_that_asks_for_nothing_is_printed_once():
    tab = Tab(LEFT, turns=0)
    assert pdf.print_page(Browser(tab), "a page") == LEFT
    assert tab.how[0]["format"] == "A4"
    assert tab.moved == []


def test_all_sheets_are_printed_on_each_paper(monkeypatch):
    tab = Tab(b"1", b"2", b"3", b"4", turns=0)
    browser = contextlib.nullcontext(Browser(tab))
    monkeypatch.setattr(pdf, "browser", lambda: browser)
    found = pdf.print_all({"a.html": "", "b.html": ""})
    assert found == {
        "a.pdf": b"1",
        "a_letter.pdf": b"2",
        "b.pdf": b"3",
        "b_letter.pdf": b"4",
    }
    assert [how["format"] for how in tab.how] == ["A4", "Letter"] * 2


def test_paper_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="paper must be A4 or Letter, got 'A3'"):
        pdf.print_page(None, "", paper="A3")
