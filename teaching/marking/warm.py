"""The process that kernels are forked from, and the one that keeps each of them.

It is started with the copy of the pack on its path, and nothing of the pack itself. It
imports what the labs import, and starts no thread; then it waits for requests. Each
comes with a channel of its own. Its keeper, between this process and the kernel, passes
signals on, and ends all that the kernel has started, once the kernel is gone, takes too
much, or nobody holds the other end of the channel.
"""

import contextlib
import importlib
import json
import os
import re
import select
import shutil
import signal
import site
import socket
import sys
import tempfile
import traceback
from pathlib import Path

from ipykernel.iostream import OutStream

from teaching.marking import walls

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
QUIET = ["--IPKernelApp.log_level=ERROR", "--HistoryManager.enabled=False"]
QUIET += [f"--IPKernelApp.outstream_class={__name__}.InPieces"]
PIECE = 2**20  # characters of one message, about
HOMES = ["HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR"]
PROCESSES = 128  # and threads, of one kernel
SHARED = 64 * 2**20  # bytes of files in memory, of one kernel
RESERVED = 2 * 2**30  # addresses without memory: stacks of threads, and such
# What programs read besides their own files.
SYSTEM = ["/usr", "/lib", "/lib64", "/bin", "/sys/devices/system", "/proc/self"]
SYSTEM += ["/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/dev/random"]
SYSTEM += ["/dev/urandom", "/dev/zero", "/etc/fonts", "/etc/group", "/etc/ld.so.cache"]
SYSTEM += ["/sys/fs/cgroup/cpu.max"]  # how many processors, by either kind of group
SYSTEM += [f"/sys/fs/cgroup/cpu/cpu.cfs_{part}_us" for part in ("quota", "period")]
SYSTEM += ["/etc/localtime", "/etc/mime.types", "/etc/nsswitch.conf", "/etc/passwd"]
WRITTEN = ["/dev/null", "/dev/ptmx", "/dev/pts"]  # a shell has a terminal of its own


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
        _launch(request["kernel"])
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
                _keep(socket.socket(fileno=files[0]), json.loads(line), another, data)
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
            for path in filter(os.path.isdir, [*_readable(data), os.devnull]):
                os.listdir(path)
            os._exit(0)
    os._exit(1)


# --- A keeper -------------------------------------------------------------------------


def _keep(channel, request, another, data):
    """Keep a kernel until its end, and end this process."""
    own = walls.own_processes()
    if own and os.fork():
        os._exit(0)  # the child is the first of a family, which ends with it
    closed = own or walls.adopt_orphans()
    written = WRITTEN + ["/dev/shm"] * (own and walls.own_shared_memory(SHARED))
    me = int(os.readlink("/proc/self")) if walls.LINUX else os.getpid()
    user = walls.USERS[me % len(walls.USERS)] if another else None
    if user:
        os.chown(request["folder"], user, user)
    woken = _wake_for_children()
    kernel = os.fork()
    if kernel == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            _begin(channel, request, user, data, written, own, closed)
        finally:
            traceback.print_exc()
            os._exit(1)
    _tell(channel, pid=kernel)
    base, why = _held(me), ""
    while not why and (code := _exit_code(kernel)) is None:
        ready, *_ = select.select([channel, woken], [], [], 1.0)
        if woken in ready:
            woken.recv(100)
        numbers = _received(channel) if channel in ready else b"\0"
        if not numbers or signal.SIGKILL in numbers:
            break
        for number in filter(None, numbers):
            with contextlib.suppress(OSError):
                os.killpg(kernel, number)
            _tell(channel, passed=True)
        why = _excess(me, base + 1.5 * request.get("memory", 0))
        _tell(channel, used=_used(me))
    _end_all(me, kernel)
    _tell(channel, exit=-signal.SIGKILL if code is None else code, why=why)
    os._exit(0)


def _wake_for_children():
    """Return a socket that can be read when a child has ended."""
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.detach(), warn_on_full_buffer=False)
    return woken


def _tell(channel, **what):
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps(what).encode() + b"\n")


def _received(channel):
    """Return what has come, or b"" if nobody is at the other end any more."""
    try:
        return channel.recv(100)
    except ConnectionError:
        return b""


def _exit_code(kernel):
    """Return how the kernel ended, or None. Its orphans, too, are laid to rest."""
    with contextlib.suppress(ChildProcessError):
        while True:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == kernel:
                return os.waitstatus_to_exitcode(status)
            if not child:
                return None
    return -signal.SIGKILL


def _family(me):
    """Return the numbers of all processes that were started from one."""
    found, more = [], [me]
    while more:
        children = []
        for path in Path("/proc").glob(f"{more.pop()}/task/*/children"):
            with contextlib.suppress(OSError):
                children += map(int, path.read_text().split())
        found, more = found + children, more + children
    return found


def _held(me):
    """Return the bytes that a family holds together, those of files aside."""
    total = 0
    for process in _family(me):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{process}/status").read_text()
            parts = re.findall(r"Rss(?:Anon|Shmem):\s*(\d+)", text)
            total += 1024 * sum(map(int, parts))
    return total


def _used(me):
    """Return the seconds of a processor that a family has used, or None."""
    ticks, told = 0, False
    for process in _family(me):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
            ticks, told = ticks + sum(map(int, fields.split()[11:15])), True
    return ticks / os.sysconf("SC_CLK_TCK") if told else None


def _excess(me, most):
    """Return what a family has too much of, or ""."""
    if len(_family(me)) > PROCESSES:
        return "it started too many processes"
    return "its processes took too much memory" if _held(me) > most else ""


def _end_all(me, kernel):
    """End the kernel and what it has started, wherever that has gone."""
    if os.getpid() == 1:
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)  # all of this family but its first
        return
    with contextlib.suppress(OSError):
        os.killpg(kernel, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:  # an orphan becomes a child of this process
            for each in _family(me):
                with contextlib.suppress(OSError):
                    os.kill(each, signal.SIGKILL)
            os.waitpid(-1, 0)


# --- A kernel -------------------------------------------------------------------------


def _begin(channel, request, user, data, written, own, closed):
    """Become a kernel within walls; or say what they leave open, if that is asked."""
    readable, folder, copy = list(_readable(data)), request["folder"], os.getcwd()
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
    walls.keep_to(readable, [folder, *written])
    walls.call_nobody()
    if "probe" in request:
        _tell(channel, open=_open_to(request["probe"]), closed=closed)
        os._exit(0)
    file = os.open("connection.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(file, "w") as stream:
        json.dump(request["connection"], stream)
    os.mkdir("notebooks")  # where students work, beside the data
    os.symlink(os.path.join(copy, "data"), "data")
    os.chdir("notebooks")
    _launch(["-f", os.path.join(folder, "connection.json"), *QUIET])


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


def _launch(arguments):
    from ipykernel.kernelapp import IPKernelApp

    sys.path.append("")  # a student's own modules; last, so that none is in the way
    IPKernelApp.launch_instance(arguments)


def _readable(data):
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
