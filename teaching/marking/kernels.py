"""Kernels for what students wrote: forked from a warm process, within walls.

A kernel sees a copy of the packages alone. The warm process, ``warm``, has imported
torch and what the labs import from there, so that a kernel is ready in a tenth of a
second. On Linux, a kernel can open nothing but that copy, Python and a folder of its
own, calls nobody, and everything that it starts ends with it (``walls``). On Windows,
which cannot fork, kernels start as everywhere else, with that copy, and no walls.
"""

import contextlib
import functools
import hashlib
import json
import multiprocessing
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path

import zmq
import zmq.asyncio
from jupyter_client import AsyncKernelManager
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.provisioning import LocalProvisioner

import labchecks
from teaching.labs import NOTEBOOKS, ROOT
from teaching.marking.one_kernel import HOMES
from teaching.marking.one_kernel import QUIET as QUIET

PACK = Path(labchecks.__file__).resolve().parents[1]
CHECKS = sorted(path.stem for path in PACK.glob("labchecks/lab[0-9][0-9].py"))
WARM = [
    *(f"labchecks.{name}" for name in CHECKS),
    "teaching.__main__",
    "teaching.marking.mark_class",
]
# What of the pack kernels see.
COPIED = ["labhelpers/*.py", "labchecks/*.py", "data/*.csv", "teaching/__init__.py"]
NEEDED = "__init__", "answering", "keeper", "one_kernel", "values", "walls", "warm"
NEEDED = *NEEDED, "watched_values"
COPIED += [f"teaching/marking/{name}.py" for name in NEEDED]
# What of the environment they get.
KEPT = r"LANG|LANGUAGE|LC_\w+|TZ|LD_LIBRARY_PATH|DYLD_\w+|HOME|SYSTEMROOT"
KEPT += r"|TEMP|TMP|TQDM_DISABLE|LAB_VIEW|CIFAR10_DIR"
KEPT += r"|(OMP|MKL|GOMP|KMP|OPENBLAS|MALLOC|ATEN|ONEDNN|TORCH)_\w+"
NAMED = "LOGNAME", "USER", "USERNAME"
START = """
import json, sys
request = json.loads(sys.argv[1])
sys.path[:], sys.prefix = request["path"], request["prefix"]
sys.exec_prefix = sys.prefix
from teaching.marking import warm
warm.main(request)
"""
# Of one message, and how many of them wait: of what a kernel shows, and answers.
SHOWN, ANSWERED = (8 * 2**20, 100), (64 * 2**20, 4)
LONGEST = 90  # bytes of a folder in which sockets have names
CAN_FORK = sys.platform != "win32"


def context():
    """Return the context of ``multiprocessing`` for workers, which have the checks."""
    if not CAN_FORK:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WARM)
    return context


def manager(folder, *, memory, seconds, warm=CAN_FORK):
    """Return a manager of one kernel, to be started, for a notebook to be run.

    Parameters
    ----------
    folder : Path
        Where it works. Its home, and its temporary files, are there too.
    memory : int
        Bytes that it may ask for, beyond what it has from the warm process.
    seconds : int
        Seconds of the processor that it may use.
    warm : bool
        Whether to fork it. If not, it has no limits, and no walls.

    Raises
    ------
    ValueError
        If the path of the folder is too long for a socket to have its name there.
    """
    manager = _Manager(kernel_name="python3")
    if CAN_FORK:
        if len(os.fsencode(folder)) > LONGEST:
            raise ValueError(
                f"folder must have at most {LONGEST} letters, got {folder}: set TMPDIR "
                "to a shorter one"
            )
        manager.transport, manager.ip = "ipc", str(Path(folder) / ".kernel")
    kind = _Forked if warm else _Cold
    manager.provisioner = kind(
        kernel_id="marking", kernel_spec=manager.kernel_spec, parent=manager
    )
    manager.provisioner.request = {
        "folder": str(folder),
        "memory": memory,
        "seconds": seconds,
    }
    return manager


def client(manager):
    """Return a blocking client of a kernel that was started, with its channels."""
    client = BlockingKernelClient(context=_context(zmq.Context, *ANSWERED))
    client.load_connection_file(manager.connection_file)
    client.start_channels(iopub=False, stdin=False, hb=False, control=False)
    return client


def open_doors(*folders):
    """Return what a kernel could do here, of what it should not, as a text, or "".

    Parameters
    ----------
    folders : Path
        That it should not read, besides the worked labs.
    """
    if not CAN_FORK:
        return "read and change what you can"
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(path) for path in (NOTEBOOKS, *folders)]
        probe = _warm().start({"folder": folder, "probe": paths})
        probe.wait()
        probe.close()
    found = probe.told.get("open", ["read and change what you can"])
    return ", ".join(found if probe.told.get("closed") else [*found, "outlive its end"])


def end_of(manager):
    """Return why a kernel was ended, if it took too much, or ""."""
    return getattr(manager.provisioner.process, "told", {}).get("why", "")


def used_by(manager):
    """Return the seconds of a processor that a kernel has used so far, or None.

    It is told once a second, where the system can tell.
    """
    process = manager.provisioner.process
    if process is None or process.poll() is not None:
        return None
    return getattr(process, "told", {}).get("used")


def digests():
    """Return {path: SHA-256} of the code of the pack."""
    files = [PACK.glob("lab*/*.py"), (ROOT / "teaching").rglob("*.py")]
    files = sorted(path for paths in files for path in paths)
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def end_with_parent():
    """End this process, and its group if it leads one, once its parent is gone."""
    parent = multiprocessing.parent_process()

    def wait():
        parent.join()
        if CAN_FORK and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    if parent:
        threading.Thread(target=wait, daemon=True).start()


@functools.cache
def _context(kind, most, waiting):
    """Return a context whose sockets take no message that is longer, nor more."""
    context = kind()
    context.setsockopt(zmq.MAXMSGSIZE, most)
    context.setsockopt(zmq.RCVHWM, waiting)
    return context


# --- A copy of the packages, and what is started with it -----------------------------


def _copy():
    """Return a folder with a copy of what kernels see of the pack."""
    copy = Path(tempfile.mkdtemp(prefix="labs-")).resolve()
    for pattern in COPIED:
        root = ROOT if pattern.startswith("teaching") else PACK
        for path in root.glob(pattern):
            target = copy / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return copy


def _fonts(copy):
    """Return a folder in the copy with the lists of fonts that matplotlib has made."""
    folder = copy / "matplotlib"
    folder.mkdir()
    if known := os.environ.get("MPLCONFIGDIR"):
        for path in Path(known).glob("fontlist-*.json"):
            shutil.copyfile(path, folder / path.name)
    return str(folder)


def _path(copy):
    """Return the path for modules: the copy, Python, and what is installed."""
    libraries = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]

    def is_installed(path):
        inside = any(Path(path).is_relative_to(library) for library in libraries)
        return inside or Path(path).name in ("site-packages", "dist-packages")

    return [str(copy), *filter(is_installed, sys.path)]


def _environment():
    """Return the variables of a kernel: no programs of this environment, no secrets."""
    kept = {"OMP_NUM_THREADS": "1"}  # on a worker of a cluster, too
    kept |= dict.fromkeys(NAMED, "student")  # who asks for the user gets an answer
    kept |= {k: v for k, v in os.environ.items() if re.fullmatch(KEPT, k)}
    path = os.defpath if CAN_FORK else os.environ["PATH"]  # Windows finds libraries so
    return kept | {"PATH": path, "CUDA_VISIBLE_DEVICES": "", "PIP_PYTHON": "none"}


def _command(copy, **request):
    request |= {"path": _path(copy), "prefix": sys.prefix}
    return [sys.executable, "-I", "-S", "-c", START, json.dumps(request)]


class _Warm:
    """The warm process, which forks kernels."""

    def __init__(self):
        copy, environment = _copy(), _environment()
        environment["MPLCONFIGDIR"] = _fonts(copy)
        data = [environment.get("CIFAR10_DIR", "none")]
        self.requests, theirs = socket.socketpair()
        number = theirs.fileno()
        self.process = subprocess.Popen(
            _command(copy, socket=number, data=data),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[number],
            env=environment,
            cwd=copy,
        )
        theirs.close()

    def start(self, request):
        """Fork a process for a request; return it as a _Child."""
        mine, theirs = socket.socketpair()
        line = json.dumps(request).encode()
        socket.send_fds(self.requests, [line], [theirs.fileno()])
        theirs.close()
        return _Child(mine)


def _warm():
    """Return the warm process of this one, which gets it once."""
    return _warm_of(os.getpid())


@functools.cache
def _warm_of(process):
    return _Warm()


# --- One kernel -----------------------------------------------------------------------


class _Child:
    """What a keeper keeps, as one of ``subprocess``; ``told`` is what it has said."""

    stdin = stdout = stderr = None

    def __init__(self, channel):
        self.channel, self.told, self.text = channel, {}, b""
        self._listen(until="pid")
        self.pid = self.told["pid"]

    def _listen(self, until, timeout=None):
        """Read what comes until a word of it, or its end."""
        while until not in self.told:
            if not select.select([self.channel], [], [], timeout)[0]:
                return
            more = self.channel.recv(2**16)
            *lines, self.text = (self.text + more).split(b"\n")
            for line in lines:
                self.told |= json.loads(line)
            if not more:
                gone = {"pid": None, "exit": -signal.SIGKILL, "passed": True}
                self.told = gone | self.told

    def poll(self):
        self._listen("exit", timeout=0)
        return self.told.get("exit")

    def wait(self):
        self._listen("exit")
        return self.told["exit"]

    def send_signal(self, number):
        """Have a signal passed on, and wait for that: it meets no later cell."""
        self.told.pop("passed", None)
        with contextlib.suppress(OSError):
            self.channel.sendall(bytes([number]))
            self._listen("passed", timeout=10)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGKILL)

    def close(self):
        """End it, and all that it has started, and wait for that."""
        self.kill()
        self._listen("exit", timeout=10)
        self.channel.close()


class _Manager(AsyncKernelManager):
    """Makes clients that take no endless messages."""

    def client(self, **kwargs):
        context = _context(zmq.asyncio.Context, *SHOWN)
        return super().client(context=context, **kwargs)


class _Forked(LocalProvisioner):
    """Starts a kernel by forking."""

    request = None
    child = None

    async def launch_kernel(self, cmd, **kwargs):
        connection = json.loads(Path(self.parent.connection_file).read_text())
        self.process = _warm().start(self.request | {"connection": connection})
        self.child, self.pid = self.process, self.process.pid
        return self.connection_info

    async def cleanup(self, restart=False):
        if self.child:
            self.child.close()
        await super().cleanup(restart)


class _Cold(LocalProvisioner):
    """Starts a kernel as everywhere else, but with a copy of the packages alone."""

    request = None
    copy = None

    async def launch_kernel(self, cmd, **kwargs):
        self.copy = _copy()
        cmd = _command(self.copy, kernel=cmd[cmd.index("-f") :])
        folder = self.request["folder"]
        home = dict.fromkeys(HOMES, folder)
        kwargs |= {"env": _environment() | home, "cwd": folder}
        return await super().launch_kernel(cmd, **kwargs)

    async def cleanup(self, restart=False):
        shutil.rmtree(self.copy, ignore_errors=True)
        await super().cleanup(restart)
