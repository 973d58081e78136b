"""The session itself: JupyterLab as `make lab` starts it, in a real browser.

Set REQUIRE_BROWSER to fail where these tests would be skipped, and SCREENSHOTS to a
folder to see each lab as it was run.
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

LABS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
BROWSER = find_browser()
OPTIONS = "--no-browser --LabApp.expose_app_in_browser=True"
SECONDS = 180
# So high that every cell is in view: JupyterLab leaves out the others.
VIEW = {"width": 1280, "height": 16000}

# Python imports this file in the server and in each kernel. It notes who is called.
SPY = """
import os, sys
def note(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect"):
        address = arguments[event == "socket.connect"]
        host = address[0] if isinstance(address, tuple) else address
        with open(os.environ["SPY_NOTES"], "a") as file:
            print(host, file=file)
sys.addaudithook(note)
"""

RUN_ALL = """
async (seconds) => {
  const app = window.jupyterapp, panel = app.shell.currentWidget;
  const run = async () => {
    await panel.context.ready;
    await panel.sessionContext.ready;
    await app.commands.execute('notebook:clear-all-cell-outputs');
    await app.commands.execute('notebook:run-all-cells');
    // An error that is meant ends the wait above, but not the run: queue up behind it.
    await panel.sessionContext.session.kernel.requestExecute({code: ''}).done;
  };
  const alarm = new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`not done in ${seconds} s`)), 1000 * seconds));
  await Promise.race([run(), alarm]);
  return panel.content.model.toJSON();
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
        (folder / "sitecustomize.py").write_text(SPY)
        settings = folder / "settings" / "@jupyterlab" / "docmanager-extension"
        settings.mkdir(parents=True)
        (settings / "plugin.jupyterlab-settings").write_text('{"autosave": false}')
        env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        env |= {
            "HOME": str(self.home),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "PYTHONPATH": str(folder),
            "SPY_NOTES": str(self.notes),
        }
        env.pop("TQDM_DISABLE", None)
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
def test_lab_runs_in_jupyterlab(session, page, name):
    page, asked = page
    stored = session.labs / name
    before = stored.read_bytes()
    page.goto(session.url.replace("/lab?", f"/lab/tree/{name}?reset&"))
    page.wait_for_function(OPENED, arg=name)
    lab = nbformat.from_dict(page.evaluate(RUN_ALL, SECONDS))
    if folder := os.environ.get("SCREENSHOTS"):
        take_picture(page, Path(folder) / f"{Path(name).stem}.png")
    page.evaluate(SHUT_DOWN)

    code = [cell for cell in lab.cells if cell.cell_type == "code"]
    for cell in code:
        errors = [out for out in cell.outputs if out.output_type == "error"]
        meant = "raises-exception" in cell.metadata.get("tags", [])
        assert bool(errors) == meant, (cell.id, errors)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert strangers(asked) == set()
    assert stored.read_bytes() == before


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
