"""Gather what a release offers, with checksums, in ``dist/``: ``make release``.

The handouts and the site are built before; the source is the last commit.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import labhelpers
from teaching.handing_out import careful_writing, handouts, students_zip
from teaching.site import build

ROOT = Path(__file__).resolve().parents[1]
SUMS = "SHA256SUMS"
KEPT = ".kept-"  # in the name of what somebody changed, and make handouts put aside
# What a folder of built files is called in a release.
PARTS = {"sheets": "handouts/print", "guide": "handouts/teacher", "site": "site"}


def files(root, *, version):
    """Return what a release has: {file name: bytes}.

    The students' zip, the sheets, the guide, the site without its solutions, the source
    of the last commit, and the SHA-256 of each.

    Parameters
    ----------
    root : path
        The top of the pack, a git checkout in which handouts and site were built.
    version : str
        As in ``labhelpers.__version__``.

    Raises
    ------
    ValueError
        If something was not built, was changed since, or the checkout is not as
        committed.
    """
    root, name = Path(root), f"autograd-labs-{version}"
    if changed := _git(root, "status", "--porcelain").decode().strip():
        raise ValueError(f"the checkout must be as committed, got changes: {changed}")
    built = root / "handouts" / handouts.ZIP
    if not built.exists():
        raise ValueError(f"{built} must be built: make handouts")
    found = {f"{name}-student.zip": built.read_bytes()}
    for part, folder in PARTS.items():
        found[f"{name}-{part}.zip"] = students_zip.pack(_inside(root, folder))
    source = _git(root, "archive", "--format=zip", f"--prefix={name}/", "HEAD")
    found[f"{name}-source.zip"] = source
    lines = [f"{hashlib.sha256(found[each]).hexdigest()}  {each}\n" for each in found]
    return found | {SUMS: "".join(lines).encode()}


def refuse_tag(tag, *, version, changelog):
    """Raise a ValueError unless a tag is that of the version, which has its changes.

    >>> refuse_tag("v0.1.0", version="0.1.0", changelog="## 0.1.0")
    """
    if tag != f"v{version}":
        raise ValueError(f"tag must be v{version}, that of the pack, got {tag!r}")
    if not re.search(rf"^## {re.escape(version)}$", changelog, re.M):
        raise ValueError(f"CHANGELOG.md must have a heading '## {version}'")


def _inside(root, folder):
    """Return {path: bytes} of a built folder, but what isn't for everybody."""
    top = root / folder
    apart = {careful_writing.BUILT, build.FOLDER.rstrip("/")}
    paths = [path for path in sorted(top.rglob("*")) if path.is_file()]
    names = {path.relative_to(top).as_posix(): path for path in paths}
    found = {
        f"{top.name}/{name}": path.read_bytes()
        for name, path in names.items()
        if name.split("/")[0] not in apart and KEPT not in name
    }
    if not found:
        verb = folder.split("/")[0]
        raise ValueError(f"{top} must hold files: make {verb}")
    return found


def _git(root, *arguments):
    command = ["git", "-C", root, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def main(argv=None):
    """Write the files; return an exit code, or what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.release")
    parser.add_argument(
        "--tag", help="refuse any but that of the version, as in v1.2.3"
    )
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="a folder")
    arguments = parser.parse_args(argv)
    version = labhelpers.__version__
    try:
        if arguments.tag:
            changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
            refuse_tag(arguments.tag, version=version, changelog=changelog)
        made = files(ROOT, version=version)
    except ValueError as error:
        return f"Nothing was gathered: {error}"
    outcome = careful_writing.write(arguments.into, made)
    careful_writing.report(arguments.into, outcome, again="remove them, make release")
    return 0 if outcome.complete else 1


if __name__ == "__main__":
    sys.exit(main())
