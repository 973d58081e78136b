"""Set up the folder .venv, and install into it: ``make`` calls this before a verb.

    python tools/set_up.py lab -c constraints.txt -e .

gives pip the arguments behind the first, and leaves the file .venv/lab, by which make
knows that it is done; ``lab,teach`` leaves two. Without arguments only the version of
Python is looked at: every Python since 2.7 can read this file.

Where there are wheels, in the folder of the labs or in the one that the variable
AUTOGRAD_LABS_WHEELS names, what students need is installed from them alone, by uv if it
is there. ``set_up.py wheels`` tells whether they are whole.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "Python 3.11 or newer is needed, this one is {}.{}. Name another one, "
        "as in: make lab PYTHON=python3.12".format(*sys.version_info)
    )

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows, nothing holds two verbs apart
    fcntl = None

VENV = Path(__file__).resolve().parents[1] / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# It is there if .venv is whole: every installation removes it first, and leaves it.
WHOLE = VENV / "lab"
WHEELS = Path(os.environ.get("AUTOGRAD_LABS_WHEELS") or VENV.with_name("wheels"))
SUMS = WHEELS / "SHA256SUMS"  # `make wheels` gathers them, and writes this
OFFLINE = "connection broken by"  # so pip says it, once for each try


def set_up(names, arguments):
    """Install, unless another verb did while this one waited.

    Parameters
    ----------
    names : list of str
        The files in .venv that say what is installed.
    arguments : list of str
        Those of ``pip install``.

    Raises
    ------
    SystemExit
        If the verb can't go on, with what to tell the user.
    """
    started = time.time()
    stamps = [VENV / name for name in names]
    with alone():
        installed = all(stamp.exists() for stamp in stamps)
        if installed and all(stamp.stat().st_mtime > started for stamp in stamps):
            return
        print("Setting up .venv: some minutes, the first time.")
        sys.stdout.flush()
        from_wheels = names == ["lab"] and wheels()
        if from_wheels:
            print("Without the network,", from_wheels)
            sys.stdout.flush()
        whole = WHOLE.exists()
        if not whole:
            make = [sys.executable, "-m", "venv", "--clear", VENV]
            if subprocess.run(make).returncode:
                sys.exit("Python could not make the folder .venv, see above.")
        WHOLE.unlink(missing_ok=True)
        install = install_from_wheels if from_wheels else pip_install
        error = install(arguments)
        if error is None:
            for stamp in [WHOLE] + stamps:
                stamp.touch()
            return
        if whole:
            WHOLE.touch()
            os.utime(WHOLE, (0, 0))  # so old that the next verb tries again
    if from_wheels:
        print(error + "\nThe wheels don't do for this machine: see README.txt there.")
        if installed:
            print("Going on with what is there.")
            return
        sys.exit(1)
    if OFFLINE not in error:
        sys.exit(error + "\npip could not install what is needed: see above.")
    if not installed:
        sys.exit("pip can't reach the package index. Is there a network?")
    print("pip can't reach the package index: no network? Going on with what is there.")


@contextlib.contextmanager
def alone():
    """Wait until no other verb sets up. The lock goes when the process ends."""
    with open(VENV.parent / "pyproject.toml") as file:
        if fcntl:
            with contextlib.suppress(OSError):  # a network drive may have no locks
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    print("Another verb is setting up: waiting for it.")
                    sys.stdout.flush()
                    fcntl.flock(file, fcntl.LOCK_EX)
        yield


def wheels():
    """Return how many wheels there are, in words, or None where there are none.

    Raises
    ------
    SystemExit
        If one is missing or damaged, or the folder that was named isn't one of wheels.
    """
    if not SUMS.exists():
        if os.environ.get("AUTOGRAD_LABS_WHEELS"):
            said = "AUTOGRAD_LABS_WHEELS must name a folder of wheels, got {}"
            sys.exit(said.format(WHEELS))
        return None
    lines = SUMS.read_text(encoding="utf-8").splitlines()
    for due, name in (line.split("  ", 1) for line in lines):
        digest = hashlib.sha256()
        with contextlib.suppress(OSError), (WHEELS / name).open("rb") as file:
            for block in iter(lambda: file.read(2**20), b""):
                digest.update(block)
        if digest.hexdigest() != due:
            said = "{} is missing or damaged in {}: copy that folder again."
            sys.exit(said.format(name, WHEELS))
    return " ".join([str(len(lines)), "wheels, all whole, in", str(WHEELS)])


def install_from_wheels(arguments):
    """Install in .venv from the wheels alone; return None, or the complaint."""
    alone = ["--no-index", "--find-links", WHEELS]
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--no-config", "--python", PYTHON]
        return _run(command + alone + arguments)
    only = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    return pip_install(alone + arguments, **only)


def pip_install(arguments, **environment):
    """Run ``pip install`` in .venv alone; return None, or what it complains of."""
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check"]
    return _run(command + arguments, PIP_REQUIRE_VIRTUALENV="1", **environment)


def _run(command, **environment):
    done = subprocess.run(
        command,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    return done.stderr.strip() if done.returncode else None


if __name__ == "__main__" and sys.argv[1:] == ["wheels"]:
    print(wheels() or "none")
elif __name__ == "__main__" and sys.argv[1:]:
    set_up(sys.argv[1].split(","), sys.argv[2:])
