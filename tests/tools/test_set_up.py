"""Set-up survives: whatever broke off, the next verb repairs, and .venv stays alone."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stands in for pip by a script")

# A stand-in for `python -m venv`: it makes a Python that does what pip-says tells it.
VENV = """
import pathlib, shutil, sys
print("made anew" if "--clear" in sys.argv else "made over", flush=True)
folder = pathlib.Path(sys.argv[-1])
if folder.exists():
    shutil.rmtree(folder)
(folder / "bin").mkdir(parents=True)
python = folder / "bin" / "python"
python.write_text('#!/bin/sh\\n. "$(dirname "$0")/../../pip-says"\\n')
python.chmod(0o755)
"""
WORKS = 'echo "installed $PIP_REQUIRE_VIRTUALENV: $*"\n'
REFUSED = "WARNING: Retrying (…) after connection broken by 'NewConnection'"
OFFLINE = f"""cat >&2 <<'END'
{REFUSED}
ERROR: Could not find a version that satisfies setuptools>=77 (from versions: none)
END
exit 1
"""


class Pack:
    """A folder with what `make` needs for setting up, and a pip that does as told."""

    def __init__(self, folder):
        self.root = folder
        folder.mkdir()
        for name in (
            "Makefile",
            "tools/set_up.py",
            "pyproject.toml",
            "constraints.txt",
        ):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        stand_in = folder / "stand-in"
        stand_in.mkdir()
        (stand_in / "venv.py").write_text(VENV)
        self.env = {**os.environ, "PYTHONPATH": str(stand_in)}
        self.command = ["make", ".venv/lab", f"PYTHON={sys.executable}"]

    def pip(self, script):
        (self.root / "pip-says").write_text(script)

    def start(self, command=None):
        return subprocess.Popen(
            command or self.command,
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def make(self, command=None):
        """Return the exit code of make, and what it said."""
        process = self.start(command)
        said = process.communicate(timeout=60)[0]
        return process.returncode, said

    def git_pull(self):
        """Let pyproject.toml be newer than what is installed."""
        for name, hours in {".venv/lab": 2, "pyproject.toml": 1}.items():
            when = time.time() - 3600 * hours
            os.utime(self.root / name, (when, when))


@pytest.fixture
def pack(tmp_path):
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    pack = Pack(tmp_path / "a folder")
    pack.pip(WORKS)
    return pack


def test_the_first_time_all_is_made_and_the_second_time_nothing(pack):
    code, said = pack.make()
    assert code == 0, said
    assert said.count("made anew") == 1
    assert "installed 1: -m pip install" in said  # 1: of PIP_REQUIRE_VIRTUALENV
    assert "-c constraints.txt -e ." in said
    assert pack.make()[1] == "make: '.venv/lab' is up to date.\n"


@pytest.mark.parametrize("when", ["venv", "pip"])
def test_what_was_killed_is_made_anew(pack, when):
    if when == "venv":  # as venv leaves it: a Python, and half of pip
        (pack.root / ".venv" / "bin").mkdir(parents=True)
        (pack.root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    else:
        kill_during_pip(pack)
    code, said = pack.make()
    assert (code, said.count("made anew"), said.count("installed 1")) == (0, 1, 1), said


def test_an_update_that_was_killed_is_made_anew(pack):
    pack.make()
    pack.git_pull()
    kill_during_pip(pack)
    pack.pip(WORKS)
    assert pack.make()[1].count("made anew") == 1


def kill_during_pip(pack):
    pack.pip("echo started; exec sleep 60")
    process = pack.start()
    while "started" not in process.stdout.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    pack.pip(WORKS)


def test_an_update_keeps_the_folder(pack):
    pack.make()
    pack.git_pull()
    code, said = pack.make()
    assert (code, "made anew" in said, said.count("installed 1")) == (0, False, 1)


def test_two_verbs_at_once_set_up_one_after_the_other_and_only_once(pack):
    pack.pip('echo "$$" >> running; sleep 1; ' + WORKS)
    processes = [pack.start() for _ in range(3)]
    said = "".join(process.communicate(timeout=60)[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert said.count("made anew") == said.count("installed 1") == 1, said
    assert said.count("Another verb is setting up: waiting for it.") == 2


def test_without_a_network_one_sentence_is_said(pack):
    pack.pip(OFFLINE)
    code, said = pack.make()
    assert code != 0
    assert "Is there a network?" in said
    assert "setuptools" not in said
    pack.pip(WORKS)
    assert pack.make()[0] == 0


def test_without_a_network_what_is_installed_is_opened(pack):
    pack.make()
    pack.git_pull()
    pack.pip(OFFLINE)
    for _ in range(2):
        code, said = pack.make()
        assert code == 0, said
        assert "Going on with what is there" in said
    pack.pip(WORKS)
    code, said = pack.make()  # with a network again, it is made good
    assert (code, "made anew" in said, said.count("installed 1")) == (0, False, 1)


def test_what_else_pip_says_is_shown(pack):
    pack.make()
    pack.git_pull()
    pack.pip("echo 'ERROR: these versions conflict' >&2; exit 1")
    for _ in range(2):
        code, said = pack.make()
        assert code != 0
        assert "ERROR: these versions conflict" in said
    pack.pip(WORKS)
    code, said = pack.make()
    assert (code, "made anew" in said) == (0, False)


def test_a_python_with_a_space_in_its_path(pack):
    there = pack.root / "my programs" / "python"
    there.parent.mkdir()
    there.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    there.chmod(0o755)
    code, said = pack.make(["make", ".venv/lab", f"PYTHON={there}"])
    assert (code, said.count("installed 1")) == (0, 1), said


# Wheels, for a set-up without a network


@pytest.fixture
def with_wheels(pack):
    pack.env["PATH"] = os.pathsep.join(
        [str(pack.root / "programs"), "/usr/bin", "/bin"]
    )
    gather(pack.root / "wheels")
    return pack


def gather(folder):
    folder.mkdir()
    (folder / "a.whl").write_bytes(b"wheel")
    line = hashlib.sha256(b"wheel").hexdigest() + "  a.whl\n"
    (folder / "SHA256SUMS").write_text(line)


def test_from_wheels_alone_if_there_are_any(with_wheels):
    code, said = with_wheels.make()
    assert code == 0, said
    wheels = with_wheels.root / "wheels"
    assert f"Without the network, 1 wheels, all whole, in {wheels}" in said
    assert f"--no-index --find-links {wheels} -c constraints.txt -e ." in said


def test_wheels_can_lie_on_a_stick(pack, tmp_path):
    stick = tmp_path / "a stick"
    gather(stick)
    pack.env["AUTOGRAD_LABS_WHEELS"] = str(stick)
    code, said = pack.make()
    assert (code, f"--find-links {stick}" in said) == (0, True), said
    shutil.rmtree(stick)
    pack.git_pull()
    code, said = pack.make()
    assert code != 0
    assert f"AUTOGRAD_LABS_WHEELS must name a folder of wheels, got {stick}" in said


def test_what_is_for_teachers_is_not_among_the_wheels(with_wheels):
    shutil.copytree(ROOT / "teaching", with_wheels.root / "teaching")
    command = ["make", ".venv/teach", f"PYTHON={sys.executable}"]
    code, said = with_wheels.make(command)
    assert (code, "--no-index" in said) == (0, False), said


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_wheels_are_named_and_not_installed(with_wheels, damage):
    wheel = with_wheels.root / "wheels" / "a.whl"
    wheel.write_bytes(b"cut") if damage == "cut" else wheel.unlink()
    code, said = with_wheels.make()
    assert code != 0
    assert "a.whl is missing or damaged" in said
    assert "installed" not in said


def test_wheels_of_another_machine(with_wheels):
    with_wheels.pip("echo 'ERROR: no torch' >&2; exit 1")
    code, said = with_wheels.make()
    assert code != 0
    assert "The wheels don't do for this machine" in said
    with_wheels.pip(WORKS)
    with_wheels.make()
    with_wheels.git_pull()
    with_wheels.pip("echo 'ERROR: no torch' >&2; exit 1")
    code, said = with_wheels.make()
    assert (code, "Going on with what is there" in said) == (0, True), said


def test_uv_installs_them_if_it_is_there(with_wheels):
    uv = with_wheels.root / "programs" / "uv"
    uv.parent.mkdir()
    uv.write_text('#!/bin/sh\necho "uv: $*"\n')
    uv.chmod(0o755)
    code, said = with_wheels.make()
    assert code == 0, said
    python = with_wheels.root / ".venv" / "bin" / "python"
    assert f"uv: pip install --no-config --python {python} --no-index" in said
    assert "installed" not in said  # by pip


@pytest.mark.slow
def test_so_pip_itself_behaves(pack):
    """A real venv and its pip: offline, and in a Python that is nobody's own."""
    pack.env |= {
        "PYTHONPATH": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "1",
        "PIP_NO_INPUT": "1",
    }
    pack.env.pop("PIP_FIND_LINKS", None)
    pack.env.pop("PIP_EXTRA_INDEX_URL", None)
    code, said = pack.make()
    assert code != 0
    assert "Is there a network?" in said
    # As two verbs at once left it: a Python without the file that makes a venv of it.
    (pack.root / ".venv" / "pyvenv.cfg").unlink()
    (pack.root / ".venv" / "lab").touch()
    pack.git_pull()
    code, said = pack.make()
    assert code != 0
    assert "Could not find an activated virtualenv" in said
