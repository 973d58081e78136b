"""A kernel, from the moment that it is forked: within limits and walls of its own."""

import contextlib
import json
import os
import socket
import sys
import tempfile
from pathlib import Path

from ipykernel.iostream import OutStream

from teaching.marking import walls

QUIET = ["--IPKernelApp.log_level=ERROR", "--HistoryManager.enabled=False"]
QUIET += [f"--IPKernelApp.outstream_class={__name__}.InPieces"]
PIECE = 2**20  # characters of one message, about
HOMES = ["HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR"]
RESERVED = 2 * 2**30  # addresses without memory: stacks of threads, and such
# What programs read besides their own files.
SYSTEM = ["/usr", "/lib", "/lib64", "/bin", "/sys/devices/system", "/proc/self"]
SYSTEM += ["/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/dev/random"]
SYSTEM += ["/dev/urandom", "/dev/zero", "/etc/fonts", "/etc/group", "/etc/ld.so.cache"]
SYSTEM += ["/sys/fs/cgroup/cpu.max"]  # how many processors, by either kind of group
SYSTEM += [f"/sys/fs/cgroup/cpu/cpu.cfs_{part}_us" for part in ("quota", "period")]
SYSTEM += ["/etc/localtime", "/etc/mime.types", "/etc/nsswitch.conf", "/etc/passwd"]
WRITTEN = ["/dev/null", "/dev/ptmx", "/dev/pts"]  # a shell has a terminal of its own
PROCESSES = 128  # and threads, of one kernel


def begin(channel, request, *, user, data, written, own, closed):
    """Become a kernel within walls; or say what they leave open, if that is asked.

    Parameters
    ----------
    channel : socket
        To the keeper's other end, for what is to be said.
    request : dict
        ``folder``, and either ``connection``, ``memory`` and ``seconds``, or ``probe``,
        paths that are to be tried.
    user : int or None
        Whom to be, instead of root.
    data, written : list of str
        What may be read, and changed, besides.
    own, closed : bool
        Whether it is of a family of its own, and whether all of it ends with it.
    """
    opened, folder, copy = list(readable(data)), request["folder"], os.getcwd()
    os.setsid()
    os.chdir(folder)
    os.environ |= dict.fromkeys(HOMES, folder)
    tempfile.tempdir = folder  # it was found before, elsewhere
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    if "probe" not in request:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        _limit(request["memory"], request["seconds"], user or (own and walls.counted()))
    if user:
        walls.become(user)
    else:
        walls.keep_rights()
    walls.keep_to(opened, [folder, *written])
    walls.call_nobody()
    if "probe" in request:
        tell(channel, open=_open_to(request["probe"]), closed=closed)
        os._exit(0)
    file = os.open("connection.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(file, "w") as stream:
        json.dump(request["connection"], stream)
    os.mkdir("notebooks")  # where students work, beside the data
    os.symlink(os.path.join(copy, "data"), "data")
    os.chdir("notebooks")
    launch(["-f", os.path.join(folder, "connection.json"), *QUIET])


def tell(channel, **what):
    """Tell whoever waits at the other end, if anybody is there."""
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps(what).encode() + b"\n")


class InPieces(OutStream):
    """Sends at once what is much, since a message that is too long is not taken."""

    waiting = 0

    def write(self, string):
        written = super().write(string)
        self.waiting += len(string)
        if self.waiting > PIECE:
            self.waiting = 0
            self.flush()
        return written


def launch(arguments):
    """Run a kernel of IPython until its end."""
    from ipykernel.kernelapp import IPKernelApp

    sys.path.append("")  # a student's own modules; last, so that none is in the way
    IPKernelApp.launch_instance(arguments)


def readable(data):
    """Return the paths that a kernel may read."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    python = [sys.base_prefix, sys.base_exec_prefix, sys.prefix, *sys.path]
    return filter(os.path.exists, [*python, *libraries, *SYSTEM, *data])


def _open_to(paths):
    """Return what this process can do, of what it should not: words, and paths."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            os.listdir(path) if os.path.isdir(path) else open(path).close()
            found.append(f"read {path}")
    with contextlib.suppress(OSError):
        socket.socket().close()
        found.append("use the network")
    return found


def _limit(memory, seconds, counted):
    """Set limits that the kernel cannot lift."""
    import resource

    pages = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    limits = {
        resource.RLIMIT_DATA: pages + memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 100 * 2**20,
        resource.RLIMIT_CORE: 0,
    }
    if counted:  # no processes of anybody else
        limits[resource.RLIMIT_NPROC] = PROCESSES
    if walls.LINUX:
        taken = int(Path("/proc/self/statm").read_text().split()[0])
        room = taken * resource.getpagesize() + memory + RESERVED
        limits[resource.RLIMIT_AS] = room
    for kind, limit in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))
