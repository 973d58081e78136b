"""Print sheets of HTML to PDF, by a Chromium that is installed.

Printed on both sides and bound on the left, pages 2 and 3 face each other. What turns a
page, ``.turn``, gives an answer away, so what was asked before it must not stand on the
page that faces it. Chromium has no break to a right-hand page, so a sheet is printed,
read, and printed again with what is asked on the next page, where that is a right-hand
one. No other layout that keeps the order needs fewer pages.
"""

import os
import shutil
from contextlib import contextmanager

import pypdfium2

from teaching.handing_out import sheets

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
MARGIN = 48  # points, at the foot; there stand titles and numbers of pages
PAPERS = {"A4": "", "Letter": "_letter"}  # what a file name says of it
# What is asked goes on to the next page, with the text from its heading on where that
# is on the page, too. Where it is at the head of a page already, that does nothing:
# then its heading begins a page, and at last there is a free page.
WAYS = 3
MOVE = """places => {
  const letters = text => text.replace(/[^a-z0-9]/gi, "");
  const turns = document.querySelectorAll(".turn");
  for (const [number, text] of places) {
    const asked = turns[number].closest("section");
    let head = asked.previousElementSibling;
    while (head && !/^H[23]$/.test(head.tagName))
      head = head.querySelector(".turn") ? null : head.previousElementSibling;
    const stands = head ? letters(text).indexOf(letters(head.textContent)) : -1;
    if (stands > 0 && !asked.matches(".next"))
      head.classList.add("next");
    else if (!asked.matches(".next"))
      asked.classList.add("next");
    else if (head && !head.matches(".next"))
      head.classList.add("next");
    else
      asked.insertAdjacentHTML("beforebegin", '<p class="free">Free for notes</p>');
  }
}"""
HOW_TO = (
    "PDFs take Playwright (pip install playwright) and a Chromium,\n"
    "from your system's packages or by: python -m playwright install chromium"
)


class NoBrowser(RuntimeError):
    """Nothing is installed that could print; the message says how to get it."""


def find_browser():
    """Return the path of a Chromium among the programs of this machine, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def browser():
    """Start a browser, and stop it in the end.

    Raises
    ------
    NoBrowser
        If Playwright or Chromium is not installed, or does not start.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NoBrowser(f"Playwright is not installed.\n{HOW_TO}") from None
    with sync_playwright() as playwright:
        found = find_browser() or playwright.chromium.executable_path
        if not os.access(found, os.X_OK):
            raise NoBrowser(f"no Chromium was found.\n{HOW_TO}")
        try:
            running = playwright.chromium.launch(
                executable_path=found, args=FLAGS.split()
            )
        except Error as error:
            reason = error.message.splitlines()[0]
            raise NoBrowser(f"{found} does not start: {reason}\n{HOW_TO}") from error
        try:
            yield running
        finally:
            running.close()


def print_page(running, page, *, paper="A4"):
    """Return a sheet as PDF, tagged and with an outline, as bytes.

    Parameters
    ----------
    running : Browser
        What ``browser`` gives.
    page : str
        HTML that is complete in itself: the network is off.
    paper : str
        One of ``PAPERS``.

    Raises
    ------
    ValueError
        If the paper isn't known, or if what is asked faces its answer wherever it is
        moved.
    """
    if paper not in PAPERS:
        raise ValueError(f"paper must be {' or '.join(PAPERS)}, got {paper!r}")
    context = running.new_context(offline=True)
    try:
        tab = context.new_page()
        tab.emulate_media(media="print")
        tab.set_content(page)
        tab.evaluate("() => document.fonts.ready.then(() => true)")
        return _turned(tab, paper)
    finally:
        context.close()


def _turned(tab, paper):
    """Print until nothing that is asked faces its answer, and return the last PDF.

    What comes first is moved each time until it is right, and stays so.
    """
    count = len(tab.query_selector_all(".turn"))
    for _ in range(1 + WAYS * count):
        printed = tab.pdf(
            format=paper, print_background=True, tagged=True, outline=True
        )
        facing = _facing(turns(printed)) if count else []
        if not facing:
            return printed
        tab.evaluate(MOVE, facing)
    _, text = facing[0]
    raise ValueError(f"what is asked must not face its answer, but does: {text:.60}")


def _facing(pages):
    """Return what is to be moved on by a page: numbers, and the texts of their pages.

    Each that is moved moves what follows.

    >>> _facing({1: "", 2: "two", 3: "three", 5: ""})
    [(1, 'two'), (2, 'three')]
    """
    moved = []
    for number, (page, text) in enumerate(pages.items()):
        if (page + len(moved)) % 2 == 0:
            moved.append((number, text))
    return moved


def turns(printed):
    """Return the pages of a PDF, bytes, from which one turns to a result: {page: text}.

    Such a page ends with a sentence that says so.
    """
    with pypdfium2.PdfDocument(printed) as document:
        texts = [
            page.get_textpage().get_text_bounded(bottom=MARGIN) for page in document
        ]
    texts = [" ".join(text.split()) for text in texts]
    return {i: text for i, text in enumerate(texts, 1) if sheets.TURN in text}


def print_all(pages):
    """Print sheets on each kind of paper.

    Parameters
    ----------
    pages : dict of str to str
        HTML by file name.

    Returns
    -------
    dict of str to bytes
        PDF by file name: ``a.html`` gives ``a.pdf`` in A4 and ``a_letter.pdf``.

    Raises
    ------
    NoBrowser
        If there is nothing to print with.
    """
    with browser() as running:
        return {
            f"{name.removesuffix('.html')}{mark}.pdf": print_page(
                running, page, paper=paper
            )
            for name, page in pages.items()
            for paper, mark in PAPERS.items()
        }
