"""Try the labs on a JupyterHub, on this machine alone: ``make hub``.

A hub on loopback with the dummy authenticator; students log in, each in a browser
window of their own, and run a lab from top to bottom, all at the same time. Prints how
long each one waited and how much memory each one took. Nothing is left behind.

It needs configurable-http-proxy, the hub's front door, which npm installs.
"""

import argparse
import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.async_api import async_playwright

from teaching.handing_out.pdf import FLAGS, find_browser

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 300
PASSED = ["GOMP_SPINCOUNT", "OMP_NUM_THREADS"]
PASSED += ["TQDM_DISABLE", "LAB_VIEW", "CIFAR10_DIR"]
STARTED = "window.jupyterapp?.shell.currentWidget?.context?.path"
RUN_ALL = """
async () => {
  const app = window.jupyterapp, panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await app.commands.execute('notebook:run-all-cells');
  await panel.sessionContext.session.kernel.requestExecute({code: ''}).done;
  const outputs = panel.content.model.toJSON().cells.flatMap(c => c.outputs ?? []);
  return outputs.filter(o => o.output_type === 'error').map(o => o.ename);
}
"""
CONFIG = """
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allowed_users = {students!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--LabApp.expose_app_in_browser=True", *{more!r}]
c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = c.Spawner.start_timeout = {seconds}
c.Spawner.environment = {environment!r}
c.JupyterHub.log_level = "WARN"
"""


def free_ports(count):
    """Return ports that nobody listens on, on loopback."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start_hub(folder, students, lab, proxy):
    """Start the hub in a folder; return the process, its address, the password."""
    for student in students:
        (folder / student).mkdir()
        shutil.copy(lab, folder / student)
    port, hub_port, api_port = free_ports(3)
    password = secrets.token_hex(8)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    text = CONFIG.format(
        port=port,
        hub_port=hub_port,
        api_port=api_port,
        proxy=proxy,
        password=password,
        students=set(students),
        folder=folder,
        python=sys.executable,
        environment={name: os.environ[name] for name in PASSED if name in os.environ},
        more=["--allow-root"] if root else [],
        seconds=SECONDS,
    )
    (folder / "config.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "jupyterhub", "--config", "config.py"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    return process, f"http://127.0.0.1:{port}", password


async def wait_for(address, process, log):
    """Wait until the hub answers."""
    port = int(address.rsplit(":", 1)[1])
    for _ in range(5 * SECONDS):
        if process.poll() is not None:
            sys.exit(f"The hub did not start:\n{log.read_text()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(0.2)
    sys.exit(f"The hub does not answer at {address}.")


async def work(browser, address, password, student, lab):
    """Log in and run the lab; return seconds to JupyterLab, to the end, and errors."""
    context = await browser.new_context(viewport={"width": 1280, "height": 16000})
    page = await context.new_page()
    page.set_default_timeout(1000 * SECONDS)
    began = time.perf_counter()
    await page.goto(f"{address}/hub/login?next=/hub/spawn")
    await page.fill("input[name=username]", student)
    await page.fill("input[name=password]", password)
    await page.click("input[type=submit]")
    await page.wait_for_url(f"{address}/user/{student}/**")
    await page.goto(f"{address}/user/{student}/lab/tree/{lab.name}")
    await page.wait_for_function(STARTED)
    opened = time.perf_counter() - began
    errors = await page.evaluate(RUN_ALL)
    return opened, time.perf_counter() - began, errors


def memory_of(student):
    """Return the memory of a student's server and kernel, in MB, shared pages apart.

    A page that several processes share counts for each in equal parts (PSS), where the
    system tells; elsewhere in full.
    """
    found = {"server": 0.0, "kernel": 0.0}
    for process in psutil.process_iter():
        try:
            if process.environ().get("JUPYTERHUB_USER") == student:
                used = process.memory_full_info()
                part = (
                    "kernel" if "ipykernel" in " ".join(process.cmdline()) else "server"
                )
                found[part] += getattr(used, "pss", used.rss) / 2**20
        except psutil.Error:
            continue
    return found


async def try_out(students, lab, proxy, keep_open):
    """Let the students run the lab at once, and print a table."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process, address, password = start_hub(Path(folder), students, lab, proxy)
        try:
            await wait_for(address, process, Path(folder, "log"))
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=find_browser(), args=FLAGS.split()
                )
                rooms = [work(browser, address, password, s, lab) for s in students]
                done = await asyncio.gather(*rooms)
                print(f"\n{lab.stem}, {len(students)} students at once")
                print(
                    "student     open, s   done, s   server, MB   kernel, MB   errors"
                )
                for student, (opened, ended, errors) in zip(students, done):
                    used = memory_of(student)
                    row = f"{student:10} {opened:8.1f} {ended:9.1f} "
                    row += f"{used['server']:12.0f} {used['kernel']:12.0f}   "
                    print(row + (", ".join(errors) or "none"))
                await browser.close()
            if keep_open:
                print(f"\n{address}  password {password}. Ctrl-C ends the hub.")
                process.wait()
        finally:
            stop(process)
    return any(errors for _, _, errors in done)


def stop(process):
    """End the hub, and every server and kernel that it has started."""
    if process.poll() is not None:
        return
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=5)
    for child in alive:
        child.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=3, help="how many (3)")
    parser.add_argument("--lab", default="01_factorisation", help="default %(default)s")
    parser.add_argument("--keep-open", action="store_true", help="until Ctrl-C")
    options = parser.parse_args()
    proxy = shutil.which("configurable-http-proxy")
    if proxy is None:
        sys.exit("First: npm install -g configurable-http-proxy")
    if find_browser() is None:
        sys.exit("First install Chromium.")
    students = [f"student{number}" for number in range(1, options.students + 1)]
    lab = ROOT / "notebooks" / f"{options.lab}.ipynb"
    return asyncio.run(try_out(students, lab, proxy, options.keep_open))


if __name__ == "__main__":
    sys.exit(main())
