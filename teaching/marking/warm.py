"""The process that kernels are forked from, each with a ``keeper``.

It is started with the copy of the pack on its path, and nothing of the pack itself. It
imports what the labs import, and starts no thread; then it waits for requests. Each
comes with a channel of its own.
"""

import contextlib
import importlib
import json
import os
import shutil
import signal
import site
import socket
import sys
import traceback
from pathlib import Path

from teaching.marking import keeper, one_kernel, walls

MODULES = [
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "jupyter_client.blocking",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "pandas",
    "sklearn.datasets",
    "sklearn.decomposition",
    "sklearn.linear_model",
    "torch.utils.flop_counter",
    "torch._dynamo",  # the first optimiser imports it, seconds long
    "teaching.marking.answering",
]


def main(request):
    """Become the warm process, or, without a socket to listen at, a single kernel.

    Parameters
    ----------
    request : dict
        ``socket``, the number of a file, and ``data``, what kernels may read besides;
        or ``kernel``, arguments of ``ipykernel``.
    """
    home = Path.cwd()  # the copy of the pack
    sys.argv = ["kernel"]
    site.sethelper()  # the rest of it is for another path than a kernel's
    if "kernel" in request:
        one_kernel.launch(request["kernel"])
        return
    names = [f"{path.parent.name}.{path.stem}" for path in home.glob("lab*/[!_]*.py")]
    for name in [*MODULES, *sorted(names)]:
        importlib.import_module(name)
    for path in [*home.rglob("*"), home]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        _serve(socket.socket(fileno=request["socket"]), request["data"])
    finally:
        for path in [home, *home.rglob("*")]:
            path.chmod(0o700)
        shutil.rmtree(home)


def _serve(requests, data):
    """Fork a keeper for each request, until nobody is there to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    another = os.geteuid() == 0 and walls.landlock() and _is_fit(data)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a keeper
    while True:
        line, files, *_ = socket.recv_fds(requests, 2**16, 1)
        if not line:
            return
        if os.fork() == 0:
            requests.close()
            try:
                channel = socket.socket(fileno=files[0])
                keeper.keep(channel, json.loads(line), another=another, data=data)
            finally:
                sys.stderr.flush()
                traceback.print_exc()
                os._exit(1)
        os.close(files[0])


def _is_fit(data):
    """Whether another user than root can read what kernels need to read."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    with contextlib.suppress(BaseException):
        if walls.become(walls.USERS[0]):
            for path in filter(os.path.isdir, [*one_kernel.readable(data), os.devnull]):
                os.listdir(path)
            os._exit(0)
    os._exit(1)
