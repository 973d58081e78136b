"""Fetch CIFAR-10, the binary version, into ``data/``: ``make cifar10``.

Everything happens in a folder beside the target, which is renamed once the files are
whole and the loader of the labs accepts them. Whatever interrupts this, the target is
complete or absent.
"""

import os
import shutil
import sys
import tarfile
from pathlib import Path, PurePosixPath

import pooch

from labhelpers import data

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # as published beside the archive
TARGET = data.DATA_DIR / "cifar-10-batches-bin"
FILES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def fetch(url=URL, md5=MD5, target=TARGET):
    """Download, verify and unpack CIFAR-10, unless it is there already.

    Parameters
    ----------
    url : str
        Of a tar.gz archive that holds the six files in a folder of the target's name.
    md5 : str
        The archive's checksum, in hexadecimal.
    target : path
        The folder to make.

    Raises
    ------
    ValueError
        If the checksum differs, a member of the archive would land elsewhere, or a file
        is not what it should be.
    OSError
        If the download fails or is cut off, a file is missing, or the target is there
        but not whole: it is left as it is.
    """
    target = Path(target)
    if target.exists():
        try:
            check(target)
        except (OSError, ValueError) as error:
            raise FileExistsError(
                f"{target} is there, but not whole: move it away, then start again. "
                f"({error})"
            ) from error
        print(f"CIFAR-10 is in {target} already: nothing to do.")
        return
    work = target.with_name(target.name + ".part")
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    try:
        archive = pooch.retrieve(
            url,
            f"md5:{md5}",
            fname="archive",
            path=work,
            downloader=pooch.HTTPDownloader(progressbar=True),
        )
        unpack(archive, work / target.name)
        check(work / target.name)
        os.replace(work / target.name, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"CIFAR-10 is in {target}.")


def unpack(archive, folder):
    """Write the archive's six files into a new folder.

    Their names are ours, not the archive's, so that nothing can land elsewhere. An
    archive with a member that would is refused all the same.
    """
    folder.mkdir()
    with tarfile.open(archive, "r:gz") as members:
        for member in members:
            path = PurePosixPath(member.name)
            plain = member.isfile() or member.isdir()
            inside = path.parts[:1] == (folder.name,) and ".." not in path.parts
            if not (plain and inside):
                raise ValueError(
                    f"the archive's member {member.name!r} must be a plain file or "
                    f"folder in {folder.name}: nothing was unpacked"
                )
            if member.isfile() and path.name in FILES:
                with (folder / path.name).open("wb") as file:
                    shutil.copyfileobj(members.extractfile(member), file)


def check(folder):
    """Raise unless the loader of the labs accepts the folder's files."""
    for split in ("train", "test"):
        data.load_cifar10(folder, split=split)


def main():
    try:
        fetch()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; nothing is left behind. Start again when you like.")
    except (OSError, ValueError, tarfile.TarError) as error:
        sys.exit(f"CIFAR-10 was not fetched: {error}")


if __name__ == "__main__":
    main()
