"""Where nothing can print, the rest is built all the same, and the cure is named.

And how often a sheet is printed, tried with a tab that only counts.

A file of its own: Playwright starts once at a time.
"""

import sys

import pytest

from teaching import __main__ as command
from teaching.handing_out import handouts, pdf


def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))


def test_no_browser_is_said_with_the_cure(monkeypatch, tmp_path):
    nothing_installed(monkeypatch, tmp_path)
    with pytest.raises(pdf.NoBrowser, match=r"no Chromium (.|\n)*playwright install"):
        pdf.print_all({})


def test_no_playwright_is_said_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(pdf.NoBrowser, match=r"Playwright is not (.|\n)*pip install"):
        pdf.print_all({})


def test_a_browser_that_does_not_start_is_said(monkeypatch, tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(pdf, "find_browser", lambda: str(broken))
    with pytest.raises(pdf.NoBrowser, match="chromium does not start"):
        pdf.print_all({})


def test_without_a_browser_the_rest_is_built(monkeypatch, tmp_path, capsys):
    nothing_installed(monkeypatch, tmp_path)
    pages = {"01_student.html": "a page"}
    monkeypatch.setattr(handouts.sheets, "pages", lambda worked, folder: pages)
    assert command.main(["build", "--into", str(tmp_path / "out")]) == 0
    built = {path.name for path in (tmp_path / "out" / "print").iterdir()}
    assert built == {*pages, "cards.html"}
    assert (tmp_path / "out" / "autograd-labs-student.zip").exists()
    said = capsys.readouterr().out
    assert "No PDFs" in said
    assert "playwright install chromium" in said


class Tab:
    """Prints sheets as {page: text}: of what was asked, each takes so many moves."""

    def __init__(self, *moves):
        self.moves, self.printed = list(moves), 0

    def query_selector_all(self, _):
        return self.moves

    def pdf(self, **_):
        self.printed += 1
        facing = [f"number {i}" for i, left in enumerate(self.moves) if left]
        return {2: facing[0]} if facing else {3: "right"}

    def evaluate(self, _, places):
        ((_, text),) = places
        self.moves[int(text.split()[1])] -= 1


@pytest.mark.parametrize("moves", [(), (0, 0), (1, 0, 2), (3, 3)])
def test_a_sheet_is_printed_until_nothing_faces_its_answer(monkeypatch, moves):
    monkeypatch.setattr(pdf, "turns", lambda printed: printed)
    tab = Tab(*moves)
    assert pdf._turned(tab, "A4") == {3: "right"}
    assert tab.printed == 1 + sum(moves)


def test_what_cannot_be_moved_is_named(monkeypatch):
    monkeypatch.setattr(pdf, "turns", lambda printed: printed)
    tab = Tab(0, 9)
    with pytest.raises(ValueError, match="must not face its answer, .* number 1"):
        pdf._turned(tab, "A4")
    assert tab.printed == 1 + 3 * 2
