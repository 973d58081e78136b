"""What walls keep a process from, each try in a process that ends with it.

Which try a wall of an older Linux lets through is from ``man 7 landlock``.
"""

import ctypes
import errno
import fcntl
import json
import os
import platform
import re
import shutil
import socket
import stat
import subprocess
import sys
import termios
import time
import traceback
from pathlib import Path

import pytest

from teaching.marking import walls

if sys.platform != "linux":
    pytest.skip("walls of Linux", allow_module_level=True)
resource = pytest.importorskip("resource")
pytestmark = pytest.mark.filterwarnings("ignore:.* multi-threaded:DeprecationWarning")
is_root = os.geteuid() == 0
PROGRAMS = "/usr", "/lib", "/lib64", "/proc"  # what a program reads
SOME_USER = 61_999
LIBC = ctypes.CDLL(None, use_errno=True)


def in_child(function):
    """Return what a function returns in a process of its own."""
    end, begin = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = json.dumps({"value": function()})
        except BaseException:
            text = json.dumps({"error": traceback.format_exc()})
        os.write(begin, text.encode())
        os._exit(0)
    os.close(begin)
    with open(end, "rb") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    found = json.loads(text)
    assert "error" not in found, found["error"]
    return found["value"]


def works(call, *args):
    try:
        result = call(*args)
    except OSError:
        return False
    if hasattr(result, "close"):
        result.close()
    return True


def connect(address, family=socket.AF_UNIX):
    with socket.socket(family) as mine:
        mine.connect(address)


def ask(device):
    """Ask a device for what it doesn't know, which is no error if one may ask."""
    with open(device) as stream:
        try:
            fcntl.ioctl(stream, termios.TCGETS, bytes(100))
        except OSError as error:
            if error.errno != errno.ENOTTY:
                raise


def working(tries):
    """Return the names of what raises no OSError, of {name: (function, *arguments)}."""
    return {name for name, call in tries.items() if works(*call)}


def status(word):
    """Return a line of what Linux says of this process, without its name."""
    text = Path("/proc/self/status").read_text()
    return re.search(rf"^{word}:\s*(.*)$", text, re.MULTILINE)[1]


# --- What may be opened ---------------------------------------------------------------


def test_landlock_is_found_where_it_is():
    LIBC.syscall(444, None, ctypes.c_size_t(0), 99)  # with flags that it doesn't know
    assert (walls.landlock() > 0) == (ctypes.get_errno() == errno.EINVAL)


@pytest.fixture
def folders(tmp_path):
    """Return a folder to read, one to change, and one for neither, each with files."""
    found = [tmp_path / name for name in ("read", "change", "neither")]
    for folder in found:
        for name in ("one", "two"):
            (folder / name).mkdir(parents=True)
            (folder / name / "text").write_text("text")
        shutil.copy(shutil.which("true"), folder / "program")
    return found


def inside(folder, name):
    """Return what may be tried in a folder, by words that end in its name."""
    text, new = folder / "one" / "text", folder / "two"
    device = stat.S_IFCHR | 0o600, os.makedev(1, 3)
    tries = {
        "read": (text.read_text,),
        "list": (os.listdir, folder),
        "run": (subprocess.check_call, [folder / "program"]),
        "write": (text.open, "a"),
        "truncate": (os.truncate, text, 1),
        "make": ((new / "new").touch,),
        "pipe": (os.mkfifo, new / "pipe"),
        "device": (os.mknod, new / "device", *device),
        "link": (os.symlink, text, new / "link"),
        "move": (os.rename, text, new / "moved"),
        "remove": (os.remove, folder / "two" / "text"),
    }
    return {f"{word} {name}": call for word, call in tries.items()}


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_only_what_is_named_can_be_opened_or_reached(version, folders, monkeypatch):
    if walls.landlock() < version:
        pytest.skip(f"needs version {version} of Landlock")
    monkeypatch.setattr(walls, "landlock", lambda: version)
    read, change, neither = folders
    mine = neither / "one" / "text"  # of a folder that is for neither
    abstract = f"\0walls-{os.getpid()}"
    near = socket.socket(socket.AF_UNIX)
    with socket.create_server(("127.0.0.1", 0)) as server, near:
        near.bind(abstract)
        near.listen()

        def tries():
            done = walls.keep_to(
                [read, neither / "missing", "/dev/zero", *PROGRAMS],
                [change, mine, "/dev/ptmx", "/dev/pts"],
            )
            found = [
                *working(inside(read, "read") | inside(change, "changed")),
                *working(inside(neither, "other")),
                *working(
                    {
                        "terminal": (os.openpty,),
                        "ask": (ask, "/dev/zero"),
                        "call": (connect, server.getsockname(), socket.AF_INET),
                        "serve": (socket.create_server, ("127.0.0.1", 0)),
                        "signal": (os.kill, os.getppid(), 0),
                        "abstract": (connect, abstract),
                    }
                ),
            ]
            return done, found, status("NoNewPrivs")

        done, found, unprivileged = in_child(tries)
    free = {"read", "list", "run", "write", "truncate", "make", "pipe", "link"}
    expected = {f"{word} changed" for word in [*free, "remove"]}
    expected |= {"read read", "list read", "run read", "terminal"}
    expected |= {"read other", "write other", "truncate other"}  # mine
    expected |= {"move changed"} if version >= 2 else {"truncate read"}
    expected |= {"truncate read"} if version < 3 else set()
    expected |= {"call", "serve"} if version < 4 else set()
    expected |= {"ask"} if version < 5 else set()
    expected |= {"signal", "abstract"} if version < 6 else set()
    assert done
    assert set(found) == expected
    assert unprivileged == "1"


def test_a_wall_that_linux_refuses_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(walls, "RIGHTS", {1: 60})  # nobody knows so many
    assert not in_child(lambda: walls.keep_to([tmp_path], [tmp_path]))


# --- What may be called ---------------------------------------------------------------


def test_nobody_is_called_and_no_memory_made_that_no_limit_counts(tmp_path):
    if platform.machine() not in walls.PROCESSORS:
        pytest.skip("an unknown processor")
    near = str(tmp_path / "near")

    def number_of(call, *args):
        ctypes.set_errno(0)
        call(*args)
        return ctypes.get_errno()

    def tries():
        done, unix = walls.call_nobody(), socket.AF_UNIX
        found = working(
            {
                "near": (socket.socket, unix, socket.SOCK_STREAM),
                "near, packets": (socket.socket, unix, socket.SOCK_DGRAM),
                "far": (socket.socket, socket.AF_INET, socket.SOCK_STREAM),
                "far, packets": (socket.socket, socket.AF_INET, socket.SOCK_DGRAM),
                "connect": (connect, near),
                "own limits": (resource.prlimit, 0, resource.RLIMIT_CPU),
                "limits": (resource.prlimit, os.getppid(), resource.RLIMIT_CPU),
                "memory": (os.memfd_create, "memory"),
            }
        )
        numbers = [
            number_of(LIBC.open_by_handle_at, -1, None, 0),
            number_of(LIBC.syscall, 425, 0, None),  # io_uring_setup, on each processor
            number_of(LIBC.syscall, 0x40000000 + 39),  # a call of 32 bits, on some
        ]
        return done, [*found], numbers, status("NoNewPrivs")

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(near)
        server.listen()
        done, found, numbers, unprivileged = in_child(tries)
    assert done
    assert set(found) == {"near", "own limits"}
    assert numbers == [errno.EOPNOTSUPP] * 3
    assert unprivileged == "1"


def test_an_unknown_processor_has_no_such_wall(monkeypatch):
    monkeypatch.setattr(walls.platform, "machine", lambda: "made-up")
    assert walls.call_nobody() is False


HEADERS = {
    "x86_64": "x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "asm-generic/unistd.h",
}


@pytest.mark.parametrize("processor", walls.PROCESSORS)
def test_numbers_of_calls_are_those_of_linux(processor):
    names = HEADERS[processor], "linux/audit.h", "linux/elf-em.h"
    paths = [Path("/usr/include", name) for name in names]
    if not all(path.exists() for path in paths):
        pytest.skip("needs the headers of Linux")
    text = "\n".join(path.read_text() for path in paths)
    defined = dict(re.findall(r"^#define\s+(\w+)\s+([^\s/]+)", text, re.MULTILINE))
    name, calls = walls.PROCESSORS[processor]
    machine, *bits = re.findall(r"\w+", defined[f"AUDIT_ARCH_{processor.upper()}"])
    assert name == sum(int(defined[each], 0) for each in (machine, *bits))
    for call, number in calls.items():
        call = "prlimit64" if call == "prlimit" else call
        assert number == int(defined[f"__NR_{call}"])


# --- What is started ------------------------------------------------------------------


@pytest.mark.parametrize("user", [None, SOME_USER])
def test_a_family_of_its_own_has_a_first_and_the_same_user(user):
    if user and not is_root:
        pytest.skip("only root can be somebody else")

    def family():
        if user:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            LIBC.prctl(4, 1, 0, 0, 0)  # as if it had been this user from the start
        kinds = 0x20000000 | 0x08000000 | (0 if os.geteuid() == 0 else 0x10000000)
        can = in_child(lambda: LIBC.unshare(kinds) == 0)
        before = os.readlink("/proc/self/ns/ipc")
        own, after = walls.own_processes(), os.readlink("/proc/self/ns/ipc")
        ids = in_child(lambda: [os.getpid(), *os.getresuid(), *os.getresgid()])
        return can, own, before != after, ids

    can, own, has_memory, ids = in_child(family)
    assert own == can
    if not own:
        pytest.skip("this system lets nobody have such a family")
    ours = [user] * 6 if user else [*os.getresuid(), *os.getresgid()]
    assert has_memory
    assert ids == [1, *ours]


@pytest.mark.parametrize("user", [None, SOME_USER])
def test_files_in_memory_are_a_familys_own_and_few(user):
    if user and not is_root:
        pytest.skip("only root can be somebody else")
    file, before = Path(f"/dev/shm/made-up-{os.getpid()}"), os.statvfs("/dev/shm")

    def first():
        if not walls.own_shared_memory(2**20):
            return None
        tries = {n: (file.write_bytes, bytes(n)) for n in (2**20, 2**20 + 1)}
        flags = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC
        return [*working(tries)], os.statvfs("/dev/shm").f_flag & flags == flags

    def family():
        if user:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            LIBC.prctl(4, 1, 0, 0, 0)  # as if it had been this user from the start
        return in_child(first) if walls.own_processes() else None

    if (found := in_child(family)) is None:
        pytest.skip("this system lets nobody have mounts of their own")
    assert found == [[2**20], True]
    assert not file.exists()
    assert os.statvfs("/dev/shm").f_blocks == before.f_blocks


def test_orphans_are_adopted():
    def adopts():
        adopted, (end, begin) = walls.adopt_orphans(), os.pipe()
        child = os.fork()
        if child == 0:
            parent = os.getpid()
            if os.fork() == 0:
                while os.getppid() == parent:
                    time.sleep(0.01)
                os.write(begin, str(os.getppid()).encode())
            os._exit(0)
        os.waitpid(child, 0)
        return adopted, int(os.read(end, 20)) == os.getpid()

    assert in_child(adopts) == [True, True]


RIGHTS = "CapInh", "CapPrm", "CapEff"


@pytest.mark.skipif(not is_root, reason="only root can be somebody else")
def test_another_user_may_read_all_and_no_more(tmp_path):
    (tmp_path / "private").touch(0o600)

    def becomes():
        done = walls.become(SOME_USER)
        ids = {*os.getresuid(), *os.getresgid()}
        tries = {mode: (open, tmp_path / "private", mode) for mode in ("r", "a")}
        rights = [int(status(each), 16) for each in RIGHTS]
        return done, [*ids], os.getgroups(), [*working(tries)], rights

    only = 1 << 2  # CAP_DAC_READ_SEARCH
    assert in_child(becomes) == [True, [SOME_USER], [], ["r"], [0, only, only]]


def test_who_is_not_root_cannot_be_another():
    def becomes():
        if is_root:
            os.setresuid(SOME_USER, SOME_USER, SOME_USER)
        return walls.become(SOME_USER + 1), os.getuid()

    assert in_child(becomes) == [False, SOME_USER if is_root else os.getuid()]


def test_rights_of_root_are_given_up():
    def gives_up():
        return walls.keep_rights(), [int(status(each), 16) for each in RIGHTS]

    assert in_child(gives_up) == [True, [0, 0, 0]]


@pytest.mark.parametrize(
    ("release", "are"),
    [("5.13.19", False), ("5.14.0-rc1", True), ("4.19", False), ("6.1.0", True)],
)
def test_limits_count_a_family_alone_from_some_linux_on(release, are, monkeypatch):
    monkeypatch.setattr(walls.platform, "release", lambda: release)
    assert walls.counted() is are


def test_elsewhere_than_on_linux_nothing_is_claimed(monkeypatch, tmp_path):
    monkeypatch.setattr(walls, "LINUX", False)
    assert walls.landlock() == 0
    found = [walls.keep_to([tmp_path], [tmp_path]), walls.call_nobody()]
    found += [walls.own_processes(), walls.counted(), walls.adopt_orphans()]
    found += [walls.own_shared_memory(2**20)]
    assert [*found, walls.keep_rights()] == [False] * 7
