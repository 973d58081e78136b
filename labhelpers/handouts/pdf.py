"""Print sheets of HTML to PDF, by a Chromium that is installed."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
PAPERS = ("A4", "Letter")
HOW_TO = (
    "it takes Playwright (pip install playwright) and Chromium: from the system's "
    "packages, or by: python -m playwright install chromium"
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
        If Playwright is not installed, or no Chromium.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoBrowser(f"Playwright is not installed: {HOW_TO}") from None
    with sync_playwright() as playwright:
        found = find_browser() or playwright.chromium.executable_path
        if not os.access(found, os.X_OK):
            raise NoBrowser(f"no Chromium was found: {HOW_TO}")
        running = playwright.chromium.launch(executable_path=found, args=FLAGS.split())
        try:
            yield running
        finally:
            running.close()


def print_page(running, html, *, paper="A4"):
    """Return a sheet as PDF, tagged and with an outline, as bytes.

    Parameters
    ----------
    running : Browser
        What ``browser`` gives.
    html : path-like
        A file that is complete in itself: the network is off.
    paper : str
        One of ``PAPERS``.
    """
    context = running.new_context(offline=True)
    try:
        page = context.new_page()
        page.emulate_media(media="print")
        page.goto(Path(html).resolve().as_uri())
        page.evaluate("() => document.fonts.ready.then(() => true)")
        return page.pdf(format=paper, print_background=True, tagged=True, outline=True)
    finally:
        context.close()
