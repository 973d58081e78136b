"""Write built files into a folder where people work, without losing what they wrote."""

import contextlib
import hashlib
import json
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

BUILT = ".built.json"  # {path in the folder: SHA-256 of what was last built}
CHANGED = """
Left as they are, since somebody changed them after they were built:
{names}
To build these anew, too: {again}
The changed ones are then kept beside the new ones, under a name that says when."""


class Outcome(NamedTuple):
    """What became of each file, by its path in the folder.

    Attributes
    ----------
    written : list of str
        New, or different from what was built before.
    same : list of str
        As they were: nothing had to be written.
    left : list of str
        Changed by somebody since they were built, so not touched.
    kept : dict of str to str
        Changed, and replaced by force: where the changed one is now.
    failed : dict of str to str
        What stood in the way of writing.
    removed : list of str
        Built before, and no longer to be built.
    """

    written: list
    same: list
    left: list
    kept: dict
    failed: dict
    removed: list

    @property
    def complete(self):
        """Whether every file is now what was to be built."""
        return not (self.left or self.failed)


def write(folder, files, *, force=False, now=None, sweep=False):
    """Write files, but replace none that was changed since it was built.

    Changed is every file that this function did not write in this form: any other byte
    counts, and so does a file that it knows nothing of, or a lost record.

    Parameters
    ----------
    folder : path
        Made if it is missing. The record of what was built is kept in it.
    files : dict of str to bytes
        By their path in the folder, with ``/``.
    force : bool
        Replace changed files too. Each is first moved aside, to a name that says when.
    now : datetime, optional
        The time that the name says; by default that of the clock.
    sweep : bool
        Remove what was built before, is as it was built, and is not among the files.

    Returns
    -------
    Outcome
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    built = _read_record(folder / BUILT)
    outcome = Outcome([], [], [], {}, {}, [])
    try:
        for name, content in files.items():
            try:
                _write_one(
                    folder / name,
                    content,
                    name=name,
                    built=built,
                    outcome=outcome,
                    aside=(now or datetime.now()) if force else None,
                )
            except OSError as error:
                outcome.failed[name] = error.strerror or str(error)
        for name in sorted(set(built) - set(files)) if sweep else ():
            if _digest_of(folder / name) == built.pop(name):
                (folder / name).unlink()
                outcome.removed.append(name)
    finally:
        record = json.dumps(built, indent=1, sort_keys=True) + "\n"
        _replace(folder / BUILT, record.encode())
    return outcome


def report(folder, outcome, *, again, brief=False):
    """Print what became of each file; ``again`` is the command that forces.

    ``brief``: files that are as they should be are only counted.
    """
    folder = Path(folder)
    well = {
        "built": outcome.written,
        "unchanged": outcome.same,
        "removed": outcome.removed,
    }
    for what, names in well.items():
        for name in [] if brief else names:
            print(f"{what:<11}{folder / name}")
    if brief:
        print(", ".join(f"{what}: {len(names)}" for what, names in well.items()))
    for name, aside in outcome.kept.items():
        print(f"built      {folder / name}  (the changed one is now {folder / aside})")
    for name, reason in outcome.failed.items():
        print(f"NOT BUILT  {folder / name}: {reason}")
    if outcome.left:
        names = "\n".join(f"  {folder / name}" for name in outcome.left)
        print(CHANGED.format(names=names, again=again))


def _write_one(path, content, *, name, built, outcome, aside):
    """Write one file; what was changed is moved if ``aside`` says when, else left."""
    digest = _digest(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    found = _digest_of(path)
    if found == digest:
        outcome.same.append(name)
    elif found in (None, built.get(name)):
        _replace(path, content)
        outcome.written.append(name)
    elif aside:
        kept = _move_aside(path, aside)
        _replace(path, content)
        outcome.kept[name] = Path(name).with_name(kept.name).as_posix()
    else:
        outcome.left.append(name)
        return
    built[name] = digest


def _move_aside(path, now):
    """Move a file to a free name beside it that says when, and return that name."""
    when = f"{now:%Y-%m-%d-%H%M%S}"
    for count in range(1, 1000):
        number = f"-{count}" if count > 1 else ""
        aside = path.with_name(f"{path.stem}.kept-{when}{number}{path.suffix}")
        with contextlib.suppress(FileExistsError):
            # Reserved first: nobody else can take the name, and nothing is replaced.
            aside.open("xb").close()
            os.replace(path, aside)
            return aside
    raise OSError(f"no free name beside {path.name}")


def _replace(path, content):
    """Write a file whole or not at all, even if the machine stops in between."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _read_record(path):
    """Return {path: digest}; nothing where the record is lost or not to be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _digest_of(path):
    """Return the digest of a file, or None if there is none."""
    return _digest(path.read_bytes()) if os.path.lexists(path) else None
