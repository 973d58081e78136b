"""Is everything there that the labs need? ``python tools/doctor.py`` says it.

One line for each need, and under each that is not met what to do. Nothing is imported
here that could be missing or broken; whatever could crash runs in another process. This
file is also read by Pythons, from 3.6 on, that are too old for the labs.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "[FAIL] Python: {}.{}.{}, {}\n       Install Python 3.11 or newer from "
        "https://www.python.org. Then delete the folder .venv, if there is one, and "
        "see START-HERE.txt or README.md.".format(*sys.version_info[:3], sys.executable)
    )

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "autograd-labs"
IRIS = "f7fac79ad999fd2d001fd012dd70c0f42c738a7e7cfb7069e71371b55c29341e"
FREE_MB = 500
SECONDS = 120

VISUAL = "Install the newest 'Visual C++ Redistributable', from microsoft.com."
SET_UP = "Set up anew: delete the folder .venv, then see START-HERE.txt or README.md."
INSTALL = "In this folder, type:  {python} -m pip install -c constraints.txt -e ."
OTHER = (
    "This Python is not the one of the labs. If there is a folder .venv, ask that of "
)
OTHER += "the folder: make doctor. Else set up, as START-HERE.txt or README.md says."
UNPACK = "Unpack the zip again, into a new folder, and bring your notebooks along."

GRADIENT = """
import torch
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
(x @ x).backward()
assert x.grad.numpy().tolist() == [2.0, 4.0, 6.0], x.grad
print("torch", torch.__version__)
"""
IMPORTS = """
import labchecks
from labhelpers import data, descent, linalg, minibatch, plots, training
"""
KERNEL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3", startup_timeout=60)
said = []
def hear(message):
    said.append(message["content"].get("text", ""))
code = "import sys, labhelpers; print(sys.prefix, labhelpers.__path__[0], sep='|')"
client.execute_interactive(code, timeout=60, output_hook=hear)
client.stop_channels()
manager.shutdown_kernel(now=True)
print("kernel|" + "".join(said).strip())
"""


class Missing(Exception):
    """A need that is not met: what was found, and the cure."""

    def __init__(self, found, cure):
        super().__init__(found)
        self.found, self.cure = found, cure


def needs():
    """Return the needs: a list of (name, function).

    A function returns what it found, as text, or raises Missing.
    """
    listed = [("Python", python), ("the helpers of this folder", helpers)]
    try:
        requirements = _requirements()
    except Exception:  # not installed, or `packaging` is missing: `helpers` says so
        requirements = []
    for requirement in requirements:
        listed.append((requirement.name, lambda each=requirement: package(each)))
    if os.environ.get("AUTOGRAD_LABS_WHEELS") or (ROOT / "wheels").is_dir():
        listed.append(("set-up without a network", wheels))
    return listed + [
        ("a gradient", gradient),
        ("what the labs import", imports),
        ("a kernel for the notebooks", kernel),
        ("JupyterLab", jupyterlab),
        ("the data", iris),
        ("leave to write here", writing),
        ("room on the disc", room),
    ]


def python():
    """Name the Python, which is new enough: else this file ends at its top."""
    return "{}.{}.{}, {}".format(*sys.version_info[:3], sys.executable)


def helpers():
    """Demand that the pack is installed from this folder, and not from another."""
    found = _installed()
    if found is None:
        raise Missing("not installed", _install())
    _demand_this_folder(found, SET_UP + " (Was this folder moved or renamed?)")
    try:
        _requirements()
    except Exception as error:
        raise Missing(f"not wholly installed: {_line(error)}", _install()) from None
    return found


def package(requirement):
    """Demand a package in a version that the labs were written for."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        raise Missing("not installed", _install()) from None
    if not requirement.specifier.contains(version, prereleases=True):
        raise Missing(f"{version}, but {requirement.specifier} is needed", _install())
    return version


def gradient():
    """Demand that torch can be imported, and differentiates."""
    found, complaint = _run("-c", GRADIENT)
    if found is None:
        windows = sys.platform == "win32" and "DLL" in complaint
        raise Missing(complaint, VISUAL if windows else _again())
    return found


def imports():
    """Demand that all can be imported that a lab begins with."""
    found, complaint = _run("-c", IMPORTS)
    if found is None:
        raise Missing(complaint, _again())
    return "can be imported"


def kernel():
    """Demand that a notebook finds a kernel, and that it is of this very Python."""
    folder = ROOT / "notebooks"
    found, complaint = _run("-c", KERNEL, folder=folder if folder.is_dir() else ROOT)
    parts = (found or "").split("\n")[-1].split("|")
    if len(parts) != 3 or parts[0] != "kernel":
        raise Missing(complaint or f"it says {found!r}", _again())
    _, prefix, place = parts
    if not _same(prefix, sys.prefix):
        cure = "Another kernel of the name python3 comes first: start JupyterLab by "
        cure += "'make lab', or type 'jupyter kernelspec remove python3'."
        raise Missing(f"it runs another Python, that of {prefix}", cure)
    _demand_this_folder(place, SET_UP)
    return "starts, and finds the helpers"


def jupyterlab():
    """Demand that JupyterLab can start."""
    found, complaint = _run("-m", "jupyterlab", "--version")
    if found is None:
        raise Missing(complaint, _again())
    return found


def iris():
    """Demand the data file of the labs, as it was handed out."""
    path = ROOT / "data" / "iris.csv"
    if not path.is_file():
        raise Missing(f"{path} is missing", UNPACK)
    # Some editors change line ends; the numbers are the same.
    content = path.read_bytes().replace(b"\r\n", b"\n")
    if hashlib.sha256(content).hexdigest() != IRIS:
        raise Missing(f"{path} was changed", UNPACK)
    return "as it was handed out"


def writing():
    """Demand that files can be written where the notebooks are."""
    folder = ROOT / "notebooks"
    folder = folder if folder.is_dir() else ROOT
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"a note")
    except OSError as error:
        cure = "Move the whole folder to where you may write (your documents), and "
        raise Missing(f"{folder}: {_line(error)}", cure + "set up there.") from None
    return str(folder)


def wheels():
    """Demand that the wheels that are there are whole."""
    found, complaint = _run("tools/set_up.py", "wheels")
    if found is None:
        raise Missing(
            complaint, "The labs run without: this matters for a set-up anew."
        )
    return found


def room():
    """Demand some free space."""
    free = shutil.disk_usage(ROOT).free // 10**6
    if free < FREE_MB:
        raise Missing(f"{free} MB free", f"Make room: {FREE_MB} MB are needed.")
    return f"{free} MB free"


@functools.lru_cache(maxsize=1)
def _installed():
    """Return the folder of the helpers as any other folder finds them, or None."""
    code = "import labhelpers; print(labhelpers.__path__[0])"
    with tempfile.TemporaryDirectory() as elsewhere:
        return _run("-c", code, folder=elsewhere)[0]


def _install():
    """Return the cure for what isn't installed, or is in another version."""
    of_its_own = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ
    if not (of_its_own or _installed()):
        return OTHER
    has_pip = _run("-m", "pip", "--version")[0]
    return INSTALL.format(python=sys.executable) if has_pip else SET_UP


def _again():
    """Return the cure for what is installed, but doesn't work."""
    return OTHER if _install() == OTHER else SET_UP


def _requirements():
    """Return what the installed pack says that it needs, its extras aside."""
    from packaging.requirements import Requirement

    listed = [Requirement(line) for line in metadata.requires(NAME) or []]
    return [each for each in listed if not each.marker or each.marker.evaluate()]


def _run(*arguments, **options):
    """Run this Python: return what it printed and None, or None and its complaint."""
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=str(options.get("folder", ROOT)),
            env=dict(os.environ, PYTHONIOENCODING="utf-8"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
        )
    except OSError as error:
        return None, _line(error)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {SECONDS} seconds"
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "replace").strip(), None
    lines = done.stderr.decode("utf-8", "replace").strip().split("\n")
    return None, lines[-1] or f"it ended with code {done.returncode}"


def _demand_this_folder(place, cure):
    if not _same(place, ROOT / "labhelpers"):
        raise Missing(f"those of another folder, {place}", cure)


def _same(one, other):
    return os.path.realpath(str(one)) == os.path.realpath(str(other))


def _line(error):
    return f"{type(error).__name__}: {error}".split("\n")[0]


def main():
    """Print a line for each need; return how many are not met."""
    missing = 0
    for name, check in needs():
        try:
            print(f"[ OK ] {name}: {check()}", flush=True)
        except Missing as error:
            missing += 1
            print(f"[FAIL] {name}: {error.found}\n       {error.cure}", flush=True)
        except Exception as error:
            missing += 1
            print(f"[FAIL] {name}: {_line(error)}\n       {SET_UP}", flush=True)
    print(f"\n{missing} to mend." if missing else "\nAll is well: open lab 01.")
    return missing


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # names of folders, on any terminal
    sys.exit(1 if main() else 0)
