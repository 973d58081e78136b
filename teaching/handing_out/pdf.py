"""Print sheets of HTML to PDF, by a Chromium that is installed."""

import os
import shutil
from contextlib import contextmanager

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
PAPERS = {"A4": "", "Letter": "_letter"}  # what a file name says of it
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
    """
    if paper not in PAPERS:
        raise ValueError(f"paper must be {' or '.join(PAPERS)}, got {paper!r}")
    context = running.new_context(offline=True)
    try:
        tab = context.new_page()
        tab.emulate_media(media="print")
        tab.set_content(page)
        tab.evaluate("() => document.fonts.ready.then(() => true)")
        return tab.pdf(format=paper, print_background=True, tagged=True, outline=True)
    finally:
        context.close()


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
