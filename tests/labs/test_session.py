"""The session itself: JupyterLab as `make lab` starts it, in a real browser.

Of each lab the first cells are run, and all up to the last slider; nbval runs the rest.
Set REQUIRE_BROWSER to fail where these tests would be skipped, and
SCREENSHOTS to a folder to run each lab wholly and see what it looks like.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import expect, sync_playwright

from teaching.handing_out.pdf import FLAGS, find_browser
from tests import ROOT
from tools.shake import moved_cells

PATHS = {path.name: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
LABS = list(PATHS)
FEW = 8  # code cells
WIDGET = "application/vnd.jupyter.widget-view+json"
BAR = re.compile(r"^[a-z ]+: +\d+%\|.*\n?", re.MULTILINE)  # as labhelpers shows it
SPY = ROOT / "tests" / "labs" / "spy"
BROWSER = find_browser()
OPTIONS = "--no-browser --LabApp.expose_app_in_browser=True"
SECONDS = 600
# So high that every cell is in view: JupyterLab leaves out the others.
VIEW = {"width": 1280, "height": 16000}

# Run the cells before one of a given number, or all.
RUN = """
async ([seconds, end]) => {
  const app = window.jupyterapp, panel = app.shell.currentWidget;
  const run = async () => {
    await panel.context.ready;
    await panel.sessionContext.ready;
    await app.commands.execute('notebook:clear-all-cell-outputs');
    panel.content.activeCellIndex = end ?? 0;
    await app.commands.execute(`notebook:run-all-${end === null ? 'cells' : 'above'}`);
    // An error that is meant ends the wait above, but not the run: queue up behind it.
    await panel.sessionContext.session.kernel.requestExecute({code: ''}).done;
  };
  const alarm = new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`not done in ${seconds} s`)), 1000 * seconds));
  await Promise.race([run(), alarm]);
  const kept = (key, value) => key === 'attachments' ? undefined : value;
  return JSON.stringify(panel.content.model.toJSON(), kept);
}
"""
OPENED = "name => window.jupyterapp?.shell.currentWidget?.context?.path === name"
SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
SIDEBARS = "() => [jupyterapp.shell.leftCollapsed, jupyterapp.shell.rightCollapsed]"
MENUS = ["File", "Edit", "View", "Run", "Kernel", "Tabs", "Settings", "Help"]

# A small lab, as students get it: what a person meets in one, and nothing slow.
LOCKED = {"editable": False, "deletable": False}
FOLDED = {"jupyter": {"source_hidden": True}}
FIGURE = """
from labhelpers import plots
plots.show(plots.losses([3, 2, 1]), alt="It falls.")
"""
CHECK = """
from labchecks import lab01 as checks
checks.svd_loss(lambda A, rank: 7.0)
"""
SLIDER = """
from labhelpers import live
live.scrub([1, 2, 3], lambda ax, i: plots.losses([9, i + 1], ax=ax), label="rate",
           alt=lambda i: f"The loss falls to {i + 1}.")
"""
SMALL = new_notebook(
    cells=[
        new_markdown_cell("# 98 Small", id="title", metadata=LOCKED),
        new_markdown_cell("YOUR ANSWER HERE", id="answer"),
        new_code_cell("import os; print(os.environ.get('LAB_VIEW'))", id="mine"),
        new_code_cell(FIGURE, id="figure", metadata=LOCKED | FOLDED),
        new_code_cell(CHECK, id="check", metadata=LOCKED),
        new_code_cell(SLIDER, id="slider", metadata=LOCKED),
    ],
    metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
)


class Session:
    """A JupyterLab that a verb of make started on a copy of the labs."""

    def __init__(self, folder, verb="lab", *, taken_port=0):
        self.folder, self.taken_port = folder, taken_port
        self.labs, self.home = folder / "labs", folder / "home"
        self.log, self.notes = folder / "log", folder / "notes"
        for path in self.labs, self.home:
            path.mkdir()
        for name in LABS:
            shutil.copy(ROOT / "notebooks" / name, self.labs)
        nbformat.write(SMALL, self.labs / "98_small.ipynb")
        settings = folder / "settings" / "@jupyterlab" / "docmanager-extension"
        settings.mkdir(parents=True)
        (settings / "plugin.jupyterlab-settings").write_text('{"autosave": false}')
        env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        env |= {
            "HOME": str(self.home),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "PYTHONPATH": os.pathsep.join([str(SPY), str(ROOT)]),
            "CIFAR10_DIR": "none",
            "SPY_NOTES": str(self.notes),
        }
        if verb == "lab":  # the other brings its workspace along
            env["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
        for name in "TQDM_DISABLE", "OMP_NUM_THREADS", "LAB_VIEW":
            env.pop(name, None)  # as students have it
        options = f"{OPTIONS} --port={taken_port}"
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options += " --allow-root"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                # .venv/lab counts as made: the packages are those of this very Python.
                ["make", "--old-file=.venv/lab", verb, f"LAB_DIR={self.labs}"]
                + [f"LAB_ARGS={options}", f"BIN={Path(sys.executable).parent}"],
                cwd=ROOT,
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.url = self.wait_for(r"http://localhost:\d+/lab/tree/START\.md\?token=\w+")

    def wait_for(self, pattern):
        """Return what matches in the log, as soon as it does."""
        deadline = time.monotonic() + SECONDS
        while not (match := re.search(pattern, self.log.read_text())):
            running = self.process.poll() is None and time.monotonic() < deadline
            assert running, self.log.read_text()
            time.sleep(0.2)
        return match[0]

    def open(self, page, name):
        """Open a lab, as a link would, and nothing else."""
        page.goto(self.url.replace("START.md?", f"{name}?reset&"))
        page.wait_for_function(OPENED, arg=name)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    missing = [
        name
        for name, found in {"Chromium": BROWSER, "make": shutil.which("make")}.items()
        if not found
    ]
    if missing and os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(f"{' and '.join(missing)} not found, and REQUIRE_BROWSER is set")
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found: install it to run this test")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        session = Session(tmp_path_factory.mktemp("session"), taken_port=port)
        yield session
        session.stop()


@pytest.fixture(scope="module")
def browser(session):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER,
            args=FLAGS.split(),
            env={**os.environ, "HOME": str(session.folder)},
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """Return a page, and the addresses that it asks for."""
    context = browser.new_context(viewport=VIEW)
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.set_default_timeout(1000 * SECONDS)
    yield page, asked
    context.close()


def strangers(addresses):
    """Return those addresses that are not on this machine."""
    parts = [urlsplit(address) for address in addresses]
    remote = [part for part in parts if part.scheme not in ("data", "blob")]
    return {part.hostname for part in remote} - {"localhost", "127.0.0.1"}


def test_a_free_port_is_taken(session):
    assert urlsplit(session.url).port != session.taken_port


# --- The room ------------------------------------------------------------------------


def test_the_start_page_is_shown_and_its_links_open_labs(session, page):
    page, asked = page
    page.goto(session.url)
    start = page.locator(".jp-MarkdownViewer")
    assert start.locator("h1").inner_text() == "Labs on PyTorch's autograd"
    titles = start.locator("td:first-child a").all_inner_texts()
    assert [title[:2] for title in titles] == [name[:2] for name in LABS] + ["98"]
    assert page.locator(".lm-MenuBar-itemLabel").all_inner_texts() == MENUS
    assert page.evaluate(SIDEBARS) == [False, True]
    assert "nbgrader" not in session.log.read_text()

    names = page.locator(".jp-DirListing-itemText")
    assert {*LABS, "START.md"} <= set(names.all_inner_texts())
    cut_off = "all => all.filter(e => e.scrollWidth > e.clientWidth).length"
    assert names.evaluate_all(cut_off) == 0

    start.get_by_role("link", name="98 Small").click()
    page.wait_for_function(OPENED, arg="98_small.ipynb")
    assert strangers(asked) == set()


def test_a_person_finds_her_way_in_a_lab(session, page):
    """What is hers is marked, what is folded opens, and all can be heard, too."""
    page, _ = page
    session.open(page, "98_small.ipynb")
    page.evaluate(RUN, [SECONDS, None])
    locked, answer, mine, figure, check, slider = page.locator(".jp-Cell").all()

    bar = "e => getComputedStyle(e).borderLeftWidth"
    editor = ".jp-InputArea-editor"
    assert answer.locator(".jp-MarkdownOutput").evaluate(bar) == "6px"
    assert mine.locator(editor).evaluate(bar) == "6px"
    assert locked.locator(".jp-MarkdownOutput").evaluate(bar) != "6px"
    assert check.locator(editor).evaluate(bar) != "6px"
    assert mine.locator(".jp-OutputArea").inner_text().strip() == "None"  # live

    for cell, raw in (locked, False), (answer, True):
        cell.locator(".jp-MarkdownOutput").dblclick()
        assert cell.locator(editor).is_visible() == raw

    assert not figure.locator(editor).is_visible()
    assert figure.locator("img").get_attribute("alt") == "It falls."
    figure.locator(".jp-Placeholder-content").click()
    figure.locator(editor).wait_for()

    card = check.get_by_role("group")
    assert "Exercise 1.2, svd_loss: not right yet" in card.get_attribute("aria-label")
    assert "expected" in card.inner_text()

    assert heard_and_moved(slider) == ("The loss falls to 2.", "The loss falls to 3.")
    page.evaluate(SHUT_DOWN)


def test_make_present_is_larger_and_has_nothing_beside_it(session, browser, tmp_path):
    sizes = {}
    presenting = Session(tmp_path, "present")
    try:
        for room in session, presenting:
            page = browser.new_context(viewport=VIEW).new_page()
            page.set_default_timeout(1000 * SECONDS)
            page.goto(room.url)
            page.locator(".jp-MarkdownViewer h1").wait_for()
            beside = page.evaluate(SIDEBARS)
            page.get_by_role("link", name="98 Small").click()
            page.wait_for_function(OPENED, arg="98_small.ipynb")
            size = "e => parseFloat(getComputedStyle(e).fontSize)"
            selectors = ".jp-MarkdownOutput > *", ".cm-line", ".lm-MenuBar-itemLabel"
            sizes[room] = [page.locator(s).first.evaluate(size) for s in selectors]
        page.evaluate(RUN, [SECONDS, None])
        _, _, mine, figure, *_ = page.locator(".jp-Cell").all()
        assert mine.locator(".jp-OutputArea").inner_text().strip() == "projector"
        assert figure.locator("img").get_attribute("width") == "960"  # 1.5 * 640
        assert page.locator(".widget-label").first.evaluate(size) == 1.5 * 13
        page.evaluate(SHUT_DOWN)
    finally:
        presenting.stop()
    assert beside == [True, True]
    ratios = [large / small for small, large in zip(sizes[session], sizes[presenting])]
    assert ratios == pytest.approx([1.5] * 3)


def heard_and_moved(cell):
    """Move the slider of a cell by keyboard; return the texts of its two pictures."""
    handle, picture = cell.get_by_role("slider"), cell.locator("img")
    before, alt = picture.get_attribute("src"), picture.get_attribute("alt")
    now, last = (handle.get_attribute(f"aria-value{each}") for each in ("now", "max"))
    handle.press("ArrowLeft" if now == last else "ArrowRight")
    expect(picture).not_to_have_attribute("src", before, timeout=1000 * SECONDS)
    return alt, picture.get_attribute("alt")


# --- The labs ------------------------------------------------------------------------


@pytest.mark.parametrize("name", LABS)
def test_a_lab_runs_in_jupyterlab_as_it_is_stored(session, page, name):
    page, asked = page
    copied = session.labs / name
    before = copied.read_bytes()
    stored = nbformat.read(PATHS[name], as_version=4)
    code = [i for i, cell in enumerate(stored.cells) if cell.cell_type == "code"]
    sliders = [i for i in code if "live.scrub(" in stored.cells[i].source]
    folded = [cell for cell in stored.cells if is_folded(cell)]
    folder = os.environ.get("SCREENSHOTS")
    end = None if folder else max([code[FEW], *(i + 1 for i in sliders)])

    session.open(page, name)
    shown = page.evaluate(RUN, [SECONDS, end])
    if folder:
        take_picture(page, Path(folder) / f"{Path(name).stem}.png")
    assert page.locator(".jp-InputPlaceholder").count() == len(folded)
    pictures = page.locator(".jp-OutputArea-output img")
    assert all(picture.get_attribute("alt") for picture in pictures.all())
    cells = page.locator(".jp-Cell")
    for i in sliders:
        assert all(heard_and_moved(cells.nth(i)))
    page.evaluate(SHUT_DOWN)

    ran = nbformat.reads(shown, as_version=4)
    number = len([i for i in code if end is None or i < end])
    counts = [ran.cells[i].execution_count for i in code]
    assert counts == [*range(1, number + 1)] + [None] * (len(code) - number)
    if end:
        del stored.cells[end:], ran.cells[end:]
    live = sum(leave_out_what_is_live(old, new) for old, new in pairs(stored, ran))
    assert live == len(sliders)
    assert moved_cells(stored, ran) == {}
    assert strangers(asked) == set()
    assert copied.read_bytes() == before


def is_folded(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def pairs(stored, ran):
    """Return the code cells of both, side by side."""
    both = zip(stored.cells, ran.cells, strict=True)
    return [(old, new) for old, new in both if old.cell_type == "code"]


def leave_out_what_is_live(old, new):
    """Take out of a cell, stored and run, what differs where somebody sits before it.

    Figures keep their text, sliders go, with the picture that is stored in their place,
    and so do bars. Returns the number of sliders.
    """
    for output in new.outputs:
        if output.get("name") == "stdout":
            output.text = BAR.sub("", output.text)
    new.outputs = [output for output in new.outputs if output.get("text") != ""]
    live = [i for i, o in enumerate(new.outputs) if WIDGET in o.get("data", {})]
    for i in reversed(live):
        del old.outputs[i], new.outputs[i]
    for output in (*old.outputs, *new.outputs):
        data = output.get("data", {})
        if "image/png" in data or data.get("text/html", "").startswith("<img"):
            output.data = {"text/plain": data["text/plain"]}
    return len(live)


def test_a_call_would_be_noted(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(SPY), "SPY_NOTES": str(tmp_path / "notes")}
    for code, called in ("1", []), ("getaddrinfo('127.0.0.7', 80)", ["127.0.0.7"]):
        line = f"from socket import getaddrinfo; {code}"
        subprocess.run([sys.executable, "-c", line], env=env, check=True)
        assert (tmp_path / "notes").read_text().split() == called


def test_the_server_and_the_kernels_called_nobody(session):
    called = set(session.notes.read_text().split())
    assert called - {"localhost", "127.0.0.1", "::1", "None"} == set()


def test_nothing_is_left_in_the_home_folder_or_beside_the_labs(session):
    in_home, beside = (
        {path.name for path in folder.iterdir()}
        for folder in (session.home, session.labs)
    )
    made = {"START.md", "98_small.ipynb"}
    assert (in_home, beside - {".ipynb_checkpoints"}) == (set(), {*LABS, *made})


def take_picture(page, path):
    """Store the whole lab as one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bottom = page.evaluate(
        "Math.max(...Array.from(document.querySelectorAll('.jp-Notebook .jp-Cell'), "
        "cell => cell.getBoundingClientRect().bottom))"
    )
    clip = {"x": 0, "y": 0, "width": VIEW["width"], "height": bottom + 20}
    page.screenshot(path=path, clip=clip)
