"""What notebooks try that were written to harm: reading, writing, reaching, staying."""

import math
import os
import resource
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import time
import uuid
from pathlib import Path

import pytest
from jupyter_core.utils import run_sync
from nbformat.v4 import new_code_cell, new_notebook

from teaching.labs import NOTEBOOKS, ROOT
from teaching.marking import keeper, kernels, run_notebook, walls
from teaching.marking import workers as marking_workers
from teaching.marking.cell_client import CellClient
from teaching.marking.remote_answer import Given
from tests.teaching.test_run_notebook import LIMITS, RIGHT, SMALL, THREE, small

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="kernels are forked")
needs_walls = pytest.mark.skipif(not walls.landlock(), reason="needs Landlock")
pytestmark = [needs_fork, needs_walls]
STAMP = f"{uuid.uuid4().int % 10**9}"  # to find processes of this test again
SITE = sysconfig.get_path("purelib")

# --- Cells that print what they got, one thing a line --------------------------------

HEAD = """
import contextlib, ctypes, gc, glob, mmap, os, shutil, signal, socket, subprocess, sys
import time
from pathlib import Path

def solutions(path):
    with contextlib.suppress(Exception):
        if "SOLUTION" in Path(path).read_text():
            print("read", path)

def look_in(folder):
    with contextlib.suppress(Exception):
        for path in [*Path(folder).glob("*.ipynb"), *Path(folder).glob("*/*.ipynb")]:
            solutions(path)

def tried(name, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
        print("could", name)
    except (OSError, MemoryError, subprocess.SubprocessError):
        pass
"""
READING = """
import labchecks, labhelpers, inspect, teaching
from teaching.marking import answering
for start in [".", labhelpers.__file__, labchecks.__file__, teaching.__file__]:
    for folder in Path(start).resolve().parents:
        look_in(folder)
for folder in [*sys.path, sys.prefix, sys.executable, sys.base_prefix]:
    for parent in [Path(folder), *Path(folder).parents]:
        look_in(parent)
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None) or "nowhere"
    if file.startswith(ROOT) and not file.startswith(sys.prefix):
        print("module", file)
with contextlib.suppress(Exception):
    inspect.getsource(sys.modules["teaching.labs"])
    print("teaching.labs")
"""
STRINGS = """
def told(where, text):
    text = text if isinstance(text, str) else text.decode(errors="replace")
    for line in text.replace("\\0", "\\n").splitlines():
        if ROOT in line.replace(sys.prefix, "") and "ROOT" not in line:
            print(where, line)
for each in os.environ.items():
    told("environ", str(each))
for name in "maps", "environ", "cmdline", "mountinfo":
    with contextlib.suppress(OSError):
        told(name, Path(f"/proc/self/{name}").read_bytes())
for file in glob.glob("/proc/self/fd/*"):
    with contextlib.suppress(OSError):
        told("file", os.readlink(file))
for name in list(sys.modules):
    told("module", str(getattr(sys.modules[name], "__file__", "")))
told("path", str([sys.path, sys.argv, sys.orig_argv, sys.meta_path, sys.path_hooks]))
"""
PARENTS = """
for process in [os.getppid(), 1, *glob.glob("/proc/[0-9]*")]:
    folder = Path("/proc") / str(process).split("/")[-1]
    for name in "environ", "maps", "mem", "cmdline":
        with contextlib.suppress(OSError):
            (folder / name).open("rb").read(10)
            if folder.resolve() != Path("/proc/self").resolve():
                print("read", folder, name)
    look_in(folder / "cwd")
    look_in(str(folder / "root") + NOTEBOOKS)
"""
SEARCHING = """
solutions(NOTEBOOKS + "/01_factorisation.ipynb")
look_in(NOTEBOOKS)
found = subprocess.run(["find", "/", "-name", "0[0-9]_*.ipynb"], capture_output=True)
print(found.stdout.decode())
for program in ["cat", NOTEBOOKS + "/01_factorisation.ipynb"], ["ls", NOTEBOOKS]:
    print(subprocess.run(program, capture_output=True).stdout.decode())
code = f"print(open({NOTEBOOKS + '/01_factorisation.ipynb'!r}).read()[:99])"
print(subprocess.run([sys.executable, "-c", code], capture_output=True).stdout.decode())
libc = ctypes.CDLL(None)
libc.unshare(0x10000000)
libc.mount(b"none", os.getcwd().encode(), b"tmpfs", 0, None) == 0 and print("mounted")
libc.chroot(b"/") == 0 and look_in(NOTEBOOKS)
"""
WRITING = """
for path in [FILE, ROOT + "/labchecks/verdicts.py", SITE + "/made_up", "/tmp/made-up"]:
    tried("write " + path, Path(path).open, "a")
tried("move", os.replace, FILE, FILE + ".away")
import labchecks
own = Path(labchecks.__file__)
for path in own.parents[1].rglob("*"):  # a second wall, where the first is missing
    if path.stat().st_mode & 0o222:
        print("could be written", path)
with contextlib.suppress(OSError):
    own.chmod(0o777)
tried("write " + str(own), own.open, "a")
tried("replace", shutil.move, own.parent, own.parents[1] / "away")
tried("write a file as large as memory", os.memfd_create, "file")
"""
REACHING = """
tried("read a connection file", Path(CONNECTION).read_text)
near = socket.socket(socket.AF_UNIX)
tried("call a neighbour", near.connect, SOCKET)
tried("use the network", socket.create_connection, ("127.0.0.1", PORT), 1)
tried("send to the network", socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
import resource
tried("limit others", resource.prlimit, WORKER, resource.RLIMIT_CPU)
tried("end the worker", os.kill, WORKER, 0)
tried("become root", os.setuid, 0)
"""
PIP = """
text = f"[project]\\nname = 'made-up-{STAMP}'\\nversion = '1'"
Path("pyproject.toml").write_text(text)
install = ["install", "--no-index", "--no-deps", "--no-build-isolation", "-e", "."]
get_ipython().system("pip " + " ".join(install))
get_ipython().run_line_magic("pip", " ".join(install))
tried("pip", subprocess.run, [sys.executable, "-m", "pip", *install], check=True)
os.environ.pop("PIP_PYTHON")
tried("pip again", subprocess.run, [sys.executable, "-m", "pip", *install], check=True)
"""
STAYING = """
def away(*program):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp(program[0], program)
        os._exit(0)
away("sleep", "600.1" + STAMP)
subprocess.Popen(["setsid", "sleep", "600.2" + STAMP], start_new_session=True)
"""
KILLING = """
tried("kill the worker", os.kill, WORKER, signal.SIGKILL)
if os.getpid() == 2:  # in a family of its own
    tried("kill the first", os.kill, 1, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGKILL)
"""
MANY = """
try:
    for i in range(500):
        subprocess.Popen(["sleep", "600.3" + STAMP])
    print("could start 500")
except OSError:
    pass
"""
SHARED = """
tried("keep 65 MB", Path("/dev/shm/made-up-" + STAMP).write_bytes, bytes(65 * 2**20))
many = 0
with contextlib.suppress(OSError):
    while many < 8:
        many += 1
        kept = globals()[f"kept{many}"] = mmap.mmap(-1, 2**30)
if many == 8:
    print("could share 8 GB")
"""
PRINTING = "print('x' * 150_000_000)\n"
FORGING = """
from teaching.marking import answering
answering.reply = lambda *a: [[[1]] * 3] * 800_000
get_ipython().display_formatter.formatters["text/plain"].max_seq_length = 0
"""
NESTED = """
from teaching.marking import answering, values
import base64
text = base64.b64encode(b"[" * 10**7).decode()
answering.reply = lambda *a: text
"""
CALLING = """
from labhelpers import linalg
def svd_loss(A, rank):
    return float(linalg.eckart_young_floor(A, rank))
"""
ORACLE = """
from labchecks import cases as hidden
def svd_loss(A, rank):
    hidden.near(1.0, 1.0, 1.0, 1.0)
    s = [each for each in map(np.linalg.svd, [A])][0][1]
    return float((s[rank:] ** 2).sum())
"""
QUIET = {  # must print nothing, and leave the right answer right
    "reading": READING,
    "strings": STRINGS,
    "parents": PARENTS,
    "searching": SEARCHING,
    "writing": WRITING,
    "reaching": REACHING,
    "staying": STAYING,
    "shared": SHARED,
}
OTHERS = {"pip": PIP, "killing": KILLING, "many": MANY, "printing": PRINTING}
FORGED = {"forging": FORGING, "nested": NESTED}


NAMES = {"ROOT": str(ROOT), "NOTEBOOKS": str(NOTEBOOKS), "SITE": SITE, "STAMP": STAMP}


@pytest.fixture(scope="module")
def workers():
    with marking_workers.local(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def ran(workers, tmp_path_factory):
    """Return {name: what task returns} of each of the cells above."""
    folder = tmp_path_factory.mktemp("others")
    connection, file = folder / "connection.json", folder / "handed-in.ipynb"
    connection.touch(0o600)
    file.touch()
    with socket.socket() as listens, socket.socket(socket.AF_UNIX) as near:
        listens.bind(("127.0.0.1", 0))
        near.bind(str(folder / "s"))
        listens.listen(), near.listen()
        names = NAMES | {
            "CONNECTION": str(connection),
            "FILE": str(file),
            "SOCKET": str(folder / "s"),
            "PORT": listens.getsockname()[1],
        }
        cells = {name: cell + RIGHT for name, cell in (QUIET | OTHERS).items()}
        futures = {
            name: workers.submit(task, cell, names=names)
            for name, cell in (cells | FORGED).items()
        }
        return {name: future.result() for name, future in futures.items()}


@pytest.fixture
def short_folder():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield folder


def forked():
    """Return the numbers of the warm process of this one, and of what it forked."""
    command = Path(f"/proc/{kernels._warm().process.pid}/cmdline").read_bytes()
    lines = Path("/proc").glob("[0-9]*/cmdline")
    return {int(line.parent.name) for line in lines if line.read_bytes() == command}


def task(source, *, names=NAMES, calls=(), **limits):
    """Run a notebook; return its Run, and by how many bytes this process has grown."""
    names = names | {"WORKER": os.getpid()}
    head = HEAD + "".join(f"{name} = {value!r}\n" for name, value in names.items())
    given = {"svd-check": Given([], set(calls)), "rate-check": Given([THREE], set())}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = run_notebook.run(
        small(head + source),
        SMALL,
        seeds=[11, 12],
        given=given,
        limits=LIMITS._replace(**limits),
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return run, 1024 * grown


def printed(run):
    """Return what a cell has printed, lines that aren't empty."""
    outputs = run.notebook.cells[1].outputs
    assert not [output for output in outputs if output.output_type == "error"]
    lines = "".join(output.get("text", "") for output in outputs).splitlines()
    return [line for line in lines if line.strip()]


@pytest.mark.parametrize("name", QUIET)
def test_what_is_tried_fails_and_costs_nothing(ran, name):
    run, _ = ran[name]
    assert printed(run) == []
    assert run.right == {"svd-check": True, "rate-check": True}
    assert run.notes == []


def test_no_door_is_open(workers, tmp_path):
    assert workers.submit(kernels.open_doors, tmp_path).result() == ""


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at most 90 letters.*TMPDIR"):
        kernels.manager(tmp_path / ("x" * 90), memory=2**30, seconds=9)


def test_a_signal_that_is_slow_to_be_passed_on_meets_no_later_cell(short_folder):
    manager = kernels.manager(short_folder, memory=2**30, seconds=60)
    cell = new_code_cell("import time\ntime.sleep(1)\n'slept'")
    notebook = new_notebook(cells=[cell])
    client = CellClient(notebook, km=manager, extra_arguments=kernels.QUIET)
    client.most = 1000
    others = forked()
    client.start_new_kernel()
    client.start_new_kernel_client()
    try:
        keeps = min(forked() - others)  # it comes before its kernel
        os.kill(keeps, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, [keeps, signal.SIGCONT]).start()
        run_sync(manager.interrupt_kernel)()
        client.begin(math.inf, 60)
        assert "slept" in str(client.execute_cell(cell, 0).outputs)
        ends = time.monotonic() + 20
        while not (used := kernels.used_by(manager)) and time.monotonic() < ends:
            time.sleep(0.1)
        assert 0 < used < time.process_time() / 4  # what others work does not count
    finally:
        client._cleanup_kernel()


def test_a_kernel_gets_no_secret_and_finds_no_program_of_ours(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for name, value in {"PATH": "/ours", "TOKEN": "secret", "LC_TIME": "C"}.items():
        monkeypatch.setenv(name, value)
    found = kernels._environment()
    assert "/ours" not in found["PATH"]
    assert "TOKEN" not in found
    assert (found["LC_TIME"], found["OMP_NUM_THREADS"]) == ("C", "1")


def test_who_hangs_up_with_news_unread_is_gone():
    mine, theirs = socket.socketpair()
    with mine:
        mine.sendall(b"news")
        theirs.close()
        assert keeper._received(mine) == b""


def test_a_temporary_file_lies_in_the_folder_though_that_lies_in_a_private_one(
    short_folder, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", short_folder)  # only its owner may enter
    source = "import tempfile\nwith tempfile.NamedTemporaryFile() as file:\n"
    source += "    print(tempfile.gettempdir(), file.name)\n"
    run, _ = task(source + RIGHT)
    assert printed(run)[0].count(short_folder) == 2
    assert run.right == {"svd-check": True, "rate-check": True}


def test_a_kernel_that_kills_ends_itself_alone(ran):
    run, _ = ran["killing"]
    assert printed(run) == []
    assert run.right == {"svd-check": True, "rate-check": True}


@pytest.mark.parametrize("name", ["staying", "many", "killing"])
def test_nothing_outlives_its_kernel(ran, name):
    assert ran[name]
    found = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [line for line in found if STAMP.encode() in line and b"sleep" in line]


def test_processes_are_counted(ran):
    run, _ = ran["many"]
    died = "the kernel died in svd-solution: it started too many processes"
    assert printed(run) == [] or run.notes == [died]


def test_no_pip_changes_what_is_installed(ran):
    run, _ = ran["pip"]
    assert not [line for line in printed(run) if line.startswith("could")]
    assert not [*Path(SITE).glob(f"*made_up*{STAMP}*")]
    assert run.right == {"svd-check": True, "rate-check": True}


def test_what_is_printed_is_not_all_taken(ran):
    run, grown = ran["printing"]
    assert grown < 60 * 2**20
    assert run.right == {"svd-check": True, "rate-check": True}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_reply_is_soon_refused(ran, name):
    run, grown = ran[name]
    assert grown < 200 * 2**20
    assert run.right == {"svd-check": False, "rate-check": False}


def test_a_call_of_the_package_is_noted_unless_the_worked_answer_calls_it(workers):
    def notes(source, **kwargs):
        run, _ = workers.submit(task, source, **kwargs).result()
        return run.right["svd-check"], run.notes

    floor = "linalg.eckart_young_floor"
    note = f"svd-check: the answer calls {floor}"
    assert notes(CALLING) == (True, [note])
    assert notes(CALLING, calls=[floor]) == (True, [])
    assert notes(CALLING, library=False) == (False, [note])
    oracle = ["svd-check: the answer calls labchecks.cases.near"]
    assert notes(ORACLE) == (True, oracle)
