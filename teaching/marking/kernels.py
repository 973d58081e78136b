"""Kernels that are forked from a warm process, so that torch is imported once.

The warm process is the fork server of ``multiprocessing``. It has imported what the
labs import, and has started no thread. A kernel that is forked from it is ready in a
tenth of a second. On Windows, which cannot fork, kernels start as everywhere else.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

import labchecks

CHECKS = Path(labchecks.__file__).parent.glob("lab[0-9][0-9].py")
WARM = [
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "jupyter_client.blocking",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "nbclient",
    "pandas",
    "sklearn.datasets",
    "sklearn.decomposition",
    "sklearn.linear_model",
    "torch.utils.flop_counter",
    "torch._dynamo",  # the first optimiser imports it, seconds long
    *(f"labchecks.{path.stem}" for path in sorted(CHECKS)),
    "labhelpers.data",
    "labhelpers.minibatch",
    "labhelpers.plots",
    "labhelpers.training",
    "teaching.__main__",
    "teaching.marking.mark_class",
    "teaching.marking.remote_answer",
]
QUIET = ["--IPKernelApp.log_level=ERROR", "--HistoryManager.enabled=False"]
CAN_FORK = sys.platform != "win32"


def context():
    """Return the context of ``multiprocessing`` that forks from the warm process."""
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
        Whether to fork it. If not, it has no limits.
    """
    manager = AsyncKernelManager(kernel_name="python3")
    if warm:
        manager.provisioner = _Forked(
            kernel_id="marking", kernel_spec=manager.kernel_spec, parent=manager
        )
        manager.provisioner.limits = str(folder), memory, seconds
    return manager


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


class _Forked(LocalProvisioner):
    """Starts a kernel by forking; signals reach it and its children alike."""

    limits = None

    async def launch_kernel(self, cmd, **kwargs):
        arguments = (self.parent.connection_file, *self.limits)
        self.process = _Child(context().Process(target=_be_kernel, args=arguments))
        self.pid = self.pgid = self.process.pid
        return self.connection_info

    async def cleanup(self, restart=False):
        with contextlib.suppress(OSError):
            os.killpg(self.pgid, signal.SIGKILL)
        await super().cleanup(restart)


class _Child:
    """A process of ``multiprocessing`` that can be handled as one of ``subprocess``."""

    stdin = stdout = stderr = None

    def __init__(self, process):
        process.start()
        self.process, self.pid = process, process.pid

    def poll(self):
        return self.process.exitcode

    def wait(self):
        self.process.join()
        return self.process.exitcode

    def send_signal(self, signum):
        os.kill(self.pid, signum)

    def kill(self):
        self.process.kill()

    def terminate(self):
        self.process.terminate()


def _be_kernel(connection_file, folder, memory, seconds):
    """Become a kernel, in a group of processes of its own, within limits."""
    os.setsid()
    os.chdir(folder)
    home = {"HOME": folder, "TMPDIR": folder, "IPYTHONDIR": folder}
    os.environ.update(home)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    _limit(memory, seconds)
    end_with_parent()
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(["-f", connection_file, *QUIET])


def _limit(memory, seconds):
    """Set limits that the kernel, unless it is run by root, cannot lift."""
    import resource

    pages = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    limits = {
        resource.RLIMIT_DATA: pages + memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 100 * 2**20,
        resource.RLIMIT_CORE: 0,
    }
    for kind, limit in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))
