"""Walls around a process of Linux: what it may open, call, start and signal.

Each function tells whether it worked. They hold for the process that calls them and for
all that it starts, and cannot be taken back. Elsewhere than on Linux, all are false.
"""

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path

LINUX = sys.platform == "linux"
LIBC = ctypes.CDLL(None) if LINUX else None

# From linux/landlock.h: rights over a file, over what is in a folder, and to change it.
EXECUTE, WRITE, READ, LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, CONTROL = 1 << 14, 1 << 15
DEVICES = 1 << 6 | 1 << 11  # to make some: nobody gets that
RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # how many there are, from a version on
OF_FILES = EXECUTE | WRITE | READ | TRUNCATE | CONTROL
TCP, SIGNALS_AND_ABSTRACT_SOCKETS = 3, 3
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446

# Calls of the system, by processor: (its name to seccomp, and theirs).
PROCESSORS = {
    "x86_64": (
        0xC000003E,
        {"socket": 41, "connect": 42, "prlimit": 302}
        | {"open_by_handle_at": 304, "memfd_create": 319, "io_uring_setup": 425},
    ),
    "aarch64": (
        0xC00000B7,
        {"socket": 198, "connect": 203, "prlimit": 261}
        | {"open_by_handle_at": 265, "memfd_create": 279, "io_uring_setup": 425},
    ),
}
# Words of the Berkeley packet filter.
LOAD, EQUALS, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
ALLOW, DENY = 0x7FFF0000, 0x00050000 | errno.EOPNOTSUPP
NUMBER, PROCESSOR, FIRST, SECOND = 0, 4, 16, 24  # where a call has its arguments

NO_NEW_PRIVILEGES, KEEP_CAPABILITIES, SECCOMP, SUBREAPER = 38, 8, 22, 36
READ_ANYTHING = 2  # CAP_DAC_READ_SEARCH
NEW_USER, NEW_PROCESSES, NEW_MEMORY = 0x10000000, 0x20000000, 0x08000000
NEW_MOUNTS = 0x00020000
PRIVATE, OF_DATA = 1 << 18 | 1 << 14, 2 | 4 | 8  # no programs, devices or other rights
USERS = range(61_184, 65_184)  # that systemd, too, hands out for a while


def landlock():
    """Return the version of Landlock that this system has, 0 if none."""
    return max(0, LIBC.syscall(CREATE_RULESET, None, 0, 1)) if LINUX else 0


def keep_to(read, write):
    """Open nothing from now on but what lies in, or is, one of these paths.

    Nor does the process reach others: no signals, no TCP, no look into their memory. A
    version of Landlock that is older knows less of this.

    Parameters
    ----------
    read, write : iterable of str or Path
        What may be read (and executed), and what may be changed, too. One that doesn't
        exist is left out.
    """
    version = landlock()
    if not version:
        return False
    everything = (1 << RIGHTS[max(v for v in RIGHTS if v <= version)]) - 1
    words = [everything, TCP, SIGNALS_AND_ABSTRACT_SOCKETS]
    words = words[: 1 + (version >= 4) + (version >= 6)]
    packed = struct.pack(f"{len(words)}Q", *words)
    rules = LIBC.syscall(CREATE_RULESET, packed, ctypes.c_size_t(len(packed)), 0)
    if rules < 0:
        return False
    try:
        for path in write:
            _allow(rules, path, everything & ~DEVICES)
        for path in read:
            _allow(rules, path, EXECUTE | READ | LIST)
        LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return LIBC.syscall(RESTRICT_SELF, rules, 0) == 0
    finally:
        os.close(rules)


def _allow(rules, path, rights):
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not os.path.isdir(path):
            rights &= OF_FILES
        LIBC.syscall(ADD_RULE, rules, 1, struct.pack("=Qi", rights, file), 0)
        os.close(file)


def call_nobody():
    """Connect to nothing, and make no sockets but those that files stand for.

    Nor does the process change limits of others, open a file without its path, or keep
    memory that no limit counts.
    """
    if not LINUX or platform.machine() not in PROCESSORS:
        return False
    name, calls = PROCESSORS[platform.machine()]
    # Jumps count from the next word; the last two are DENY and ALLOW.
    words = [(LOAD, 0, 0, PROCESSOR), (EQUALS, 0, "deny", name), (LOAD, 0, 0, NUMBER)]
    words += [(AT_LEAST, "deny", 0, 0x40000000)]  # of another set of calls
    words += [
        (EQUALS, "deny", 0, calls[each])
        for each in ("connect", "open_by_handle_at", "memfd_create", "io_uring_setup")
    ]
    words += [
        *[(EQUALS, 0, 2, calls["prlimit"]), (LOAD, 0, 0, FIRST)],
        *[(EQUALS, "allow", "deny", 0), (EQUALS, 0, "allow", calls["socket"])],
        *[(LOAD, 0, 0, FIRST), (EQUALS, 0, "deny", 1), (LOAD, 0, 0, SECOND)],
        *[(AND, 0, 0, 15), (EQUALS, "allow", "deny", 1)],
        *[(RETURN, 0, 0, DENY), (RETURN, 0, 0, ALLOW)],
    ]
    ends = {"deny": len(words) - 2, "allow": len(words) - 1}
    packed = b""
    for place, (word, yes, no, value) in enumerate(words):
        jumps = [ends[to] - place - 1 if to in ends else to for to in (yes, no)]
        packed += struct.pack("HBBI", word, *jumps, value)
    program = ctypes.create_string_buffer(packed, len(packed))
    filters = struct.pack("HL", len(words), ctypes.addressof(program))
    LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return LIBC.prctl(SECCOMP, 2, filters, 0, 0) == 0


def own_processes():
    """Let the next child begin a family: none of it sees others, all end with it."""
    if not LINUX:
        return False
    kinds = NEW_PROCESSES | NEW_MEMORY
    if os.geteuid() == 0 and LIBC.unshare(kinds) == 0:
        return True
    user, group = os.geteuid(), os.getegid()
    if LIBC.unshare(kinds | NEW_USER):
        return False
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    return True


def own_shared_memory(size):
    """Have a ``/dev/shm`` of so many bytes, which ends with this process and its kin.

    Locks lie there that processes share, also those of pools of threads.
    """
    if not LINUX or LIBC.unshare(NEW_MOUNTS):
        return False
    if LIBC.mount(None, b"/", None, PRIVATE, None):
        return False
    options = f"size={size}".encode()
    return LIBC.mount(b"none", b"/dev/shm", b"tmpfs", OF_DATA, options) == 0


def counted():
    """Whether limits of a family of its own count nobody else's processes."""
    version = platform.release().split(".")[:2]
    return LINUX and [int(part) for part in version] >= [5, 14]


def adopt_orphans():
    """Become the parent of what is started from here, once its own parent is gone."""
    return LINUX and LIBC.prctl(SUBREAPER, 1, 0, 0, 0) == 0


def become(user):
    """Give up the rights of root, and be another user, who may still read all files.

    What may be read is for ``keep_to`` to say.
    """
    LIBC.prctl(KEEP_CAPABILITIES, 1, 0, 0, 0)
    try:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError:
        return False
    return keep_rights(1 << READ_ANYTHING) or keep_rights(0)


def keep_rights(rights=0):
    """Keep these rights of root alone, by default none."""
    if not LINUX:
        return False
    head = struct.pack("Ii", 0x20080522, 0)
    return LIBC.capset(head, struct.pack("6I", rights, rights, 0, 0, 0, 0)) == 0
