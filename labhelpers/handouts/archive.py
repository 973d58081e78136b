"""The students' zip: copies, helpers, data, set-up. The same input, the same bytes."""

import io
import re
import zipfile
from pathlib import Path

from labhelpers._require import require

# What goes in besides the copies and the helpers, from the top of the pack. The data
# are named one by one, since whatever was downloaded lies beside them.
FILES = (
    "LICENSE",
    "LICENSE-TEXT",
    "Makefile",
    "constraints.txt",
    "data/README.md",
    "data/iris.csv",
    "environment.yml",
    "pyproject.toml",
    "tools/cifar10.py",
)
PAGE = "START-HERE.txt"
TEACHERS_PART = re.compile(r"^### BEGIN TEACHER.*?^### END TEACHER.*?\n", re.M | re.S)
# Not 1980, the first that a zip can say: some time zones would make it 1979.
WHEN = (2000, 1, 1, 12, 0, 0)


def student_files(root, copies):
    """Return what the students' zip holds.

    Parameters
    ----------
    root : path
        The top of the pack.
    copies : dict of str to bytes
        The students' labs, by file name.

    Returns
    -------
    dict of str to bytes
        By the path in the zip, with ``/``. Parts between ``### BEGIN TEACHER`` and
        ``### END TEACHER`` are left out, and so is ``labhelpers/handouts``.

    Raises
    ------
    ValueError
        If one of the two marks stands alone.
    FileNotFoundError
        If a file is missing.
    """
    root = Path(root)
    paths = [root / name for name in FILES]
    helpers = (root / "labhelpers").rglob("*.py")
    paths += [path for path in helpers if _is_students(path.relative_to(root).parts)]
    files = {
        path.relative_to(root).as_posix(): without_teachers_parts(path)
        for path in paths
    }
    files[PAGE] = Path(__file__).with_name(PAGE).read_bytes()
    return files | {f"notebooks/{name}": copy for name, copy in copies.items()}


def pack(files):
    """Return a zip of the files, as bytes.

    Order, times and permissions are fixed and nothing is compressed, so the bytes
    depend on the files alone, whatever the machine.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, WHEN)
            member.create_system = 3  # Unix: else the permissions don't count
            member.external_attr = 0o100644 << 16
            archive.writestr(member, files[name])
    return buffer.getvalue()


def _is_students(parts):
    return "handouts" not in parts and not any(part.startswith(".") for part in parts)


def without_teachers_parts(path):
    """Return a file's bytes without the parts between the teachers' marks.

    Raises a ValueError if one of the marks stands alone.
    """
    content = path.read_bytes()
    if b"### BEGIN TEACHER" not in content and b"### END TEACHER" not in content:
        return content
    text = TEACHERS_PART.sub("", content.decode())
    allowed = "a file in which each ### BEGIN TEACHER has its ### END TEACHER"
    require("### BEGIN TEACHER" not in text, "path", path, allowed)
    require("### END TEACHER" not in text, "path", path, allowed)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n").encode() + b"\n"
