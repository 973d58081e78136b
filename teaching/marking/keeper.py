"""The process that keeps a kernel: between it and whoever has asked for it.

It passes signals on, and ends all that the kernel has started, once the kernel is gone,
takes too much, or nobody holds the other end of the channel.
"""

import contextlib
import os
import re
import select
import signal
import socket
import traceback
from pathlib import Path

from teaching.marking import one_kernel, walls

SHARED = 64 * 2**20  # bytes of files in memory, of one kernel


def keep(channel, request, *, another, data):
    """Start a kernel, keep it until its end, and end this process.

    Parameters
    ----------
    channel : socket
        What comes are signals to be passed on, a byte each; what goes are lines of
        JSON.
    request : dict
        See ``one_kernel.begin``.
    another : bool
        Whether the kernel is to be another user than root.
    data : list of str
        What it may read besides.
    """
    own = walls.own_processes()
    if own and os.fork():
        os._exit(0)  # the child is the first of a family, which ends with it
    closed = own or walls.adopt_orphans()
    shared = own and walls.own_shared_memory(SHARED)
    written = [*one_kernel.WRITTEN, *["/dev/shm"] * shared]
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
            one_kernel.begin(
                channel,
                request,
                user=user,
                data=data,
                written=written,
                own=own,
                closed=closed,
            )
        finally:
            traceback.print_exc()
            os._exit(1)
    one_kernel.tell(channel, pid=kernel)
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
            one_kernel.tell(channel, passed=True)
        why = _excess(me, base + 1.5 * request.get("memory", 0))
        one_kernel.tell(channel, used=_used(me))
    _end_all(me, kernel)
    one_kernel.tell(channel, exit=-signal.SIGKILL if code is None else code, why=why)
    os._exit(0)


def _wake_for_children():
    """Return a socket that can be read when a child has ended."""
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.detach(), warn_on_full_buffer=False)
    return woken


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
    if len(_family(me)) > one_kernel.PROCESSES:
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
