"""Gather what a class needs to set up the labs without a network: ``make wheels``.

    python -m tools.wheels
    python -m tools.wheels --system windows --python 3.12

The folder then holds a wheel of each package, in the version of ``constraints.txt``,
and SHA256SUMS. ``make lab`` installs from it alone: see ``tools/set_up.py``.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SUMS = "SHA256SUMS"
ABOUT = """These are the packages that the autograd labs need.

Put this folder, under the name wheels, into the folder of the labs, or name it in the
variable AUTOGRAD_LABS_WHEELS. Then set up as START-HERE.txt says: make lab installs
from here alone, and asks no network. Each kind of machine needs wheels of its own; a
teacher gathers them by make wheels WHEELS_ARGS="--system windows --python 3.12".
"""


class System(NamedTuple):
    """An operating system: the tags of its wheels, and what markers say of it."""

    tags: tuple
    markers: dict


def _system(tags, names):
    keys = "sys_platform", "platform_system", "os_name", "platform_machine"
    return System(tuple(tags), dict(zip(keys, names.split(), strict=True)))


LINUX = [f"manylinux_2_{minor}_x86_64" for minor in range(34, 16, -1)]
LINUX += ["manylinux2014_x86_64"]  # the same as 2_17, in the words of before
SYSTEMS = {
    "linux": _system(LINUX, "linux Linux posix x86_64"),
    "macos": _system(["macosx_14_0_arm64"], "darwin Darwin posix arm64"),
    "windows": _system(["win_amd64"], "win32 Windows nt AMD64"),
}


def this_system():
    """Return which of ``SYSTEMS`` this machine has, or None."""
    here = default_environment().items()
    fits = (name for name, each in SYSTEMS.items() if each.markers.items() <= here)
    return next(fits, None)


class Target(NamedTuple):
    """What wheels are for: pip's options, and the environment that markers see."""

    options: tuple
    environment: dict


def target(system=None, python=None):
    """Return the Target of a system and a Python; by default those of this machine.

    Raises
    ------
    ValueError
        If the system isn't one of ``SYSTEMS``, or the version not as in "3.12".
    """
    if system is None and python is None:
        return Target((), default_environment())
    if system not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        raise ValueError(f"system must be one of {known}, got {system!r}")
    python = python or "{}.{}".format(*sys.version_info)
    if not re.fullmatch(r"3\.\d+", python):
        raise ValueError(f"python must be a version such as 3.12, got {python!r}")
    options = ["--python-version", python, "--implementation", "cp"]
    for tag in SYSTEMS[system].tags:
        options += ["--platform", tag]
    environment = default_environment() | SYSTEMS[system].markers
    environment |= {"python_version": python, "python_full_version": f"{python}.0"}
    return Target(tuple(options), environment)


def needed(lines, *, pins, target, look):
    """Return what a machine needs: {name: what pip reports of it}.

    pip itself goes by the markers of the machine on which it runs, so requirements are
    followed here.

    Parameters
    ----------
    lines : iterable of str
        Requirements.
    pins : dict of str to str
        Versions, by the normal form of the name; what has none comes in its newest.
    target : Target
    look : callable
        ``look(requirements, target)`` returns pip's reports of a list of str.
    """
    found, done = {}, set()
    waiting = [each for each in map(Requirement, lines) if _holds(each, target)]
    while waiting:
        new = {}
        for each in waiting:
            name = canonicalize_name(each.name)
            pin = f"{each.name}=={pins[name]}" if name in pins else None
            if name not in found:
                new[name] = pin or f"{each.name}{each.specifier}"
        found |= _by_name(look(sorted(new.values()), target)) if new else {}
        waiting, again = [], waiting
        for each in again:
            name = canonicalize_name(each.name)
            for extra in {"", *each.extras} - {e for n, e in done if n == name}:
                done.add((name, extra))
                listed = found[name]["metadata"].get("requires_dist", [])
                waiting += [
                    need
                    for need in map(Requirement, listed)
                    if _holds(need, target, extra)
                ]
    return found


def _holds(requirement, target, extra=""):
    environment = target.environment | {"extra": extra}
    return not requirement.marker or requirement.marker.evaluate(environment)


def _by_name(reports):
    return {canonicalize_name(each["metadata"]["name"]): each for each in reports}


def ask_pip(requirements, target):
    """Return what pip reports of requirements, which it looks up, and no more."""
    with tempfile.TemporaryDirectory() as nowhere:
        options = ["--target", nowhere] if target.options else ["--ignore-installed"]
        wheels = ["--no-deps", "--only-binary", ":all:", *target.options]
        arguments = ["--dry-run", "--quiet", "--report", "-", *options, *wheels]
        return json.loads(_pip("install", *arguments, *requirements))["install"]


def gather(folder, found, *, target, say=print):
    """Download what is needed and not there, one by one; write the checksums.

    What is there in whole is left, so a gathering that was broken off goes on where it
    was.

    Parameters
    ----------
    folder : path
        Made if it is missing.
    found : dict
        What ``needed`` returns.
    target : Target
    say : callable
        Gets a line of text for each file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sums = read_sums(folder)
    for count, report in enumerate(found.values(), 1):
        source = report["download_info"]
        name = unquote(Path(urlsplit(source["url"]).path).name)
        path = folder / name
        due = source.get("archive_info", {}).get("hashes", {}).get("sha256")
        due = due or sums.get(name)
        there = path.exists() and digest(path) == due
        if not there:
            path.unlink(missing_ok=True)
            wheels = ["--no-deps", "--only-binary", ":all:", *target.options]
            url = source["url"] + (f"#sha256={due}" if due else "")
            with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as part:
                _pip("download", "--quiet", "--dest", part, *wheels, url)
                (Path(part) / name).replace(path)
        sums[name] = digest(path)
        _write_sums(folder, sums)
        size = path.stat().st_size / 1e6
        told = "there already" if there else "downloaded"
        say(f"{count:3} of {len(found)}  {size:7.1f} MB  {name}, {told}")
    (folder / "README.txt").write_text(ABOUT, encoding="utf-8")


def read_sums(folder):
    """Return the checksums of a folder, {file name: SHA-256}; none may be there."""
    path = Path(folder) / SUMS
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {name: due for due, name in (line.split("  ", 1) for line in lines)}


def _write_sums(folder, sums):
    lines = [f"{due}  {name}\n" for name, due in sorted(sums.items())]
    new = folder / f".{SUMS}"
    new.write_text("".join(lines), encoding="utf-8")
    new.replace(folder / SUMS)


def digest(path):
    """Return the SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pip(*arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        raise ValueError("pip did not find or get what is needed: see above")
    return done.stdout


def requirements(root):
    """Return what the labs need, and what their installation needs: a list of str."""
    stated = tomllib.loads((Path(root) / "pyproject.toml").read_text("utf-8"))
    return stated["build-system"]["requires"] + stated["project"]["dependencies"]


def pinned(root):
    """Return the versions in ``constraints.txt``, by the normal form of the name."""
    lines = (Path(root) / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line[:1] not in ("", "#")]
    return {canonicalize_name(name): version for name, version in pairs}


def main(argv=None):
    """Gather the wheels that the arguments ask for; return None, or what went wrong."""
    parser = argparse.ArgumentParser(prog="make wheels WHEELS_ARGS=…")
    parser.add_argument("--into", type=Path, default=ROOT / "wheels", help="a folder")
    parser.add_argument("--system", help=f"{', '.join(SYSTEMS)}; by default this one")
    parser.add_argument("--python", help="such as 3.12; by default this one")
    arguments = parser.parse_args(argv)
    try:
        system = arguments.system or (arguments.python and this_system())
        machine = target(system, arguments.python)
        print("Looking up what is needed …", flush=True)
        found = needed(
            requirements(ROOT), pins=pinned(ROOT), target=machine, look=ask_pip
        )
        gather(arguments.into, found, target=machine)
    except ValueError as error:
        return f"Not all was gathered: {error}"
    total = sum(path.stat().st_size for path in arguments.into.glob("*.whl"))
    print(
        f"\n{arguments.into}: {total / 1e6:.0f} MB. README.txt there says what to do."
    )
    if any(name.startswith("nvidia-") for name in found):
        print(
            "Most of it is for graphics cards, which the labs don't use. To do without,"
        )
        print("delete the folder, and name PyTorch's own index, as README.md says.")
    return None


if __name__ == "__main__":
    sys.exit(main())
