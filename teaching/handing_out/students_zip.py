"""The students' zip: copies, helpers, data, set-up. The same input, the same bytes."""

import io
import zipfile
from pathlib import Path

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
    "tools/doctor.py",
    "tools/lab.py",
    "tools/room/lab/custom/custom.css",
    "tools/room/lab/custom/labs.css",
    "tools/room/lab/jupyter_server_config.json",
    "tools/room/lab/labconfig/default_setting_overrides.json",
    "tools/room/lab/labconfig/page_config.json",
    "tools/room/present/custom/custom.css",
    "tools/room/present/lab/workspaces/default-37a8.jupyterlab-workspace",
    "tools/room/start_page.md",
    "tools/set_up.py",
)
PAGE = "START-HERE.txt"
# Not 1980, the first that a zip can say: some time zones would make it 1979.
WHEN = (2000, 1, 1, 12, 0, 0)


def contents(root, copies):
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
        By the path in the zip, with ``/``. Every file is as it is in the pack.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    """
    root = Path(root)
    paths = [root / name for name in FILES]
    for package in ("labhelpers", "labchecks"):
        paths += [p for p in (root / package).rglob("*.py") if _is_plain(p, root)]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
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


def _is_plain(path, root):
    """Whether no part of a path is hidden, as checkpoints are."""
    return not any(part.startswith(".") for part in path.relative_to(root).parts)
