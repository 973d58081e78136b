"""The session itself: JupyterLab as `make lab` starts it, in a real browser.

One lab is run wholly, of the others the first cells; nbval runs them all. Set
REQUIRE_BROWSER to fail where these tests would be skipped, and SCREENSHOTS to a folder
to run each lab wholly and see what it looks like.
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
from playwright.sync_api import sync_playwright

from teaching.handing_out.pdf import FLAGS, find_browser
from tests import ROOT
from tools.shake import moved_cells

PATHS = {path.name: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
LABS = list(PATHS)
# The one with progress bars, which are widgets in a browser.
WHOLE = next(name for name in LABS if "minibatch" in PATHS[name].read_text("utf-8"))
FEW = 8  # code cells
BARS = "application/vnd.jupyter.widget-view+json"
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


class Session:
    """A JupyterLab that `make lab` started on a copy of the labs."""

    def __init__(self, folder, taken_port):
        self.folder, self.taken_port = folder, taken_port
        self.labs, self.home = folder / "labs", folder / "home"
        self.log, self.notes = folder / "log", folder / "notes"
        for path in self.labs, self.home:
            path.mkdir()
        for name in LABS:
            shutil.copy(ROOT / "notebooks" / name, self.labs)
        settings = folder / "settings" / "@jupyterlab" / "docmanager-extension"
        settings.mkdir(parents=True)
        (settings / "plugin.jupyterlab-settings").write_text('{"autosave": false}')
        env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        env |= {
            "HOME": str(self.home),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "PYTHONPATH": os.pathsep.join([str(SPY), str(ROOT)]),
            "CIFAR10_DIR": "none",
            "SPY_NOTES": str(self.notes),
        }
        # As students have it.
        for name in "TQDM_DISABLE", "LAB_VIEW", "OMP_NUM_THREADS":
            env.pop(name, None)
        options = f"{OPTIONS} --port={taken_port}"
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options += " --allow-root"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                # .venv/lab counts as made: the packages are those of this very Python.
                ["make", "--old-file=.venv/lab", "lab", f"LAB_DIR={self.labs}"]
                + [f"LAB_ARGS={options}", f"BIN={Path(sys.executable).parent}"],
                cwd=ROOT,
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.url = self.wait_for(r"http://localhost:\d+/lab\?token=\w+")

    def wait_for(self, pattern):
        """Return what matches in the log, as soon as it does."""
        deadline = time.monotonic() + SECONDS
        while not (match := re.search(pattern, self.log.read_text())):
            running = self.process.poll() is None and time.monotonic() < deadline
            assert running, self.log.read_text()
            time.sleep(0.2)
        return match[0]

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
        session = Session(tmp_path_factory.mktemp("session"), taken.getsockname()[1])
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


@pytest.mark.parametrize("name", LABS)
def test_a_lab_runs_in_jupyterlab_as_it_is_stored(session, page, name):
    page, asked = page
    copied = session.labs / name
    before = copied.read_bytes()
    stored = nbformat.read(PATHS[name], as_version=4)
    code = [i for i, cell in enumerate(stored.cells) if cell.cell_type == "code"]
    folder = os.environ.get("SCREENSHOTS")
    end = None if folder or name == WHOLE else code[FEW]

    page.goto(session.url.replace("/lab?", f"/lab/tree/{name}?reset&"))
    page.wait_for_function(OPENED, arg=name)
    shown = page.evaluate(RUN, [SECONDS, end])
    if folder:
        take_picture(page, Path(folder) / f"{Path(name).stem}.png")
    page.evaluate(SHUT_DOWN)

    ran = nbformat.reads(shown, as_version=4)
    number = len(code) if end is None else FEW
    counts = [ran.cells[i].execution_count for i in code]
    assert counts == [*range(1, number + 1)] + [None] * (len(code) - number)
    bars = [drop_bars(cell) for cell in ran.cells if cell.cell_type == "code"]
    assert any(bars) == (name == WHOLE)
    if end:
        del stored.cells[end:], ran.cells[end:]
    assert moved_cells(stored, ran) == {}
    assert strangers(asked) == set()
    assert copied.read_bytes() == before


def drop_bars(cell):
    """Take progress bars, which are not stored, out of the outputs; return them."""
    bars = [output for output in cell.outputs if BARS in output.get("data", {})]
    cell.outputs = [output for output in cell.outputs if output not in bars]
    return bars


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
    assert (in_home, beside - {".ipynb_checkpoints"}) == (set(), set(LABS))


def take_picture(page, path):
    """Store the whole lab as one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bottom = page.evaluate(
        "Math.max(...Array.from(document.querySelectorAll('.jp-Notebook .jp-Cell'), "
        "cell => cell.getBoundingClientRect().bottom))"
    )
    clip = {"x": 0, "y": 0, "width": VIEW["width"], "height": bottom + 20}
    page.screenshot(path=path, clip=clip)
