"""``make cifar10`` fetches the files whole or not at all. The server is a local one."""

import functools
import hashlib
import io
import os
import shutil
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pooch
import pytest
from tqdm import tqdm

from labhelpers import data
from tools import cifar10

FOLDER = cifar10.TARGET.name
RECORDS = 3


def records(seed):
    """Return a file of a few pictures."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(256, size=(RECORDS, data.CIFAR10_RECORD), dtype=np.uint8)
    rows[:, 0] %= 10
    return rows.tobytes()


FILES = {name: records(number) for number, name in enumerate(cifar10.FILES)}


def packed(files=FILES, extra=()):
    """Return a tar.gz of the files, and of extra members (TarInfo, bytes)."""
    members = [(tarfile.TarInfo(f"{FOLDER}/readme.html"), b"<html>")]
    members += [(tarfile.TarInfo(f"{FOLDER}/{name}"), b) for name, b in files.items()]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        folder = tarfile.TarInfo(FOLDER)
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for member, content in [*members, *extra]:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves one archive, as much of it as ``sent`` says, and counts the requests."""

    daemon_threads = True
    body, sent, status, requests = b"", None, 200, 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/cifar-10-binary.tar.gz"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body[: self.server.sent])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(data, "CIFAR10_RECORDS", RECORDS)
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")
    server = Server(("127.0.0.1", 0), Handler)
    server.body = packed()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data" / FOLDER


def fetch(server, target):
    cifar10.fetch(server.url, md5(server.body), target)


def left_behind(target):
    """Name everything in and around the folder that the target was to be in."""
    top = target.parent.parent
    return sorted(path.relative_to(top).as_posix() for path in top.rglob("*"))


def assert_whole(target):
    assert {p.name: p.read_bytes() for p in target.iterdir()} == FILES
    assert os.listdir(target.parent) == [FOLDER]


def test_a_good_archive_is_unpacked_and_can_be_loaded(server, target, capsys):
    fetch(server, target)
    assert_whole(target)
    assert str(target) in capsys.readouterr().out
    train, test = (data.load_cifar10(target, split=s) for s in ("train", "test"))
    assert (train.pixels.shape, test.pixels.shape) == ((15, 3072), (3, 3072))


def test_the_progress_is_shown(server, target, capfd, monkeypatch):
    bar = functools.partial(tqdm, disable=False)
    monkeypatch.setattr(pooch.downloaders, "tqdm", bar)
    fetch(server, target)
    assert "100%" in capfd.readouterr().err


def test_what_is_there_is_left_alone(server, target, capsys):
    fetch(server, target)
    before = {path: path.stat() for path in target.iterdir()}
    fetch(server, target)
    assert server.requests == 1
    assert {path: path.stat() for path in target.iterdir()} == before
    assert "already" in capsys.readouterr().out


def test_a_folder_that_is_not_whole_is_not_touched(server, target):
    target.mkdir(parents=True)
    (target / "data_batch_1.bin").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="move it away") as error:
        fetch(server, target)
    assert str(target) in str(error.value)
    assert server.requests == 0
    assert os.listdir(target.parent) == [FOLDER]
    assert [path.read_bytes() for path in target.iterdir()] == [b"mine"]


def test_a_wrong_checksum_is_refused(server, target):
    with pytest.raises(ValueError, match="does not match the known hash"):
        cifar10.fetch(server.url, md5(b"another"), target)
    assert left_behind(target) in ([], ["data"])


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_download_that_is_cut_off_can_be_started_again(server, target, share):
    server.sent = int(share * len(server.body))
    with pytest.raises(OSError):  # noqa: PT011, whichever the library raises
        fetch(server, target)
    assert left_behind(target) in ([], ["data"])
    server.sent = None
    fetch(server, target)
    assert_whole(target)


def test_a_server_that_refuses_leaves_nothing(server, target):
    server.status = 404
    with pytest.raises(OSError, match="404"):
        fetch(server, target)
    assert left_behind(target) in ([], ["data"])


def member(name, kind=tarfile.REGTYPE, link=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


ELSEWHERE = {
    "up": member("../evil.bin"),
    "up-inside": member(f"{FOLDER}/../../evil.bin"),
    "absolute": member("/tmp/evil.bin"),
    "other-folder": member("elsewhere/data_batch_1.bin"),
    "no-name": member("."),
    "symlink": member(f"{FOLDER}/test_batch.bin", tarfile.SYMTYPE, "/etc/passwd"),
    "symlinked-folder": member(FOLDER, tarfile.SYMTYPE, "/tmp"),
    "hard-link": member(f"{FOLDER}/evil.bin", tarfile.LNKTYPE, "../evil.bin"),
    "device": member(f"{FOLDER}/evil.bin", tarfile.CHRTYPE),
    "pipe": member(f"{FOLDER}/evil.bin", tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("evil", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_member_that_would_land_elsewhere_is_refused(server, target, evil):
    content = b"evil" if evil.isfile() else b""
    server.body = packed(extra=[(evil, content)])
    with pytest.raises(ValueError, match="the archive's member") as error:
        fetch(server, target)
    assert repr(evil.name) in str(error.value)
    assert left_behind(target) in ([], ["data"])


WITHOUT_TEST = {name: b for name, b in FILES.items() if name != "test_batch.bin"}
NOT_WHOLE = {
    "missing": (WITHOUT_TEST, FileNotFoundError),
    "short": (FILES | {"data_batch_4.bin": records(4)[:-1]}, ValueError),
    "long": (FILES | {"data_batch_4.bin": records(4) + b"\0"}, ValueError),
    "label": (FILES | {"data_batch_4.bin": b"\x0a" + records(4)[1:]}, ValueError),
}


@pytest.mark.parametrize(("files", "error"), NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_an_archive_of_other_files_is_refused(server, target, files, error):
    server.body = packed(files)
    with pytest.raises(error, match=r"data_batch_4\.bin|test_batch\.bin"):
        fetch(server, target)
    assert left_behind(target) in ([], ["data"])


def test_what_is_not_an_archive_is_refused(server, target):
    server.body = b"<html>a portal asks you to log in</html>"
    with pytest.raises(tarfile.TarError):
        fetch(server, target)
    assert left_behind(target) in ([], ["data"])


def interrupt_after(calls, function):
    """Return the function, interrupted half-way once it has worked so many times."""

    def interrupted(source, file=None, *rest):
        nonlocal calls
        calls -= 1
        if calls >= 0:
            return function(source, file, *rest)
        if file is not None and hasattr(file, "write"):
            file.write(source.read(10))
        raise KeyboardInterrupt

    return interrupted


@pytest.mark.parametrize(
    ("module", "name", "calls"),
    [(shutil, "copyfileobj", 0), (shutil, "copyfileobj", 4), (os, "replace", 0)],
)
def test_an_interrupted_unpacking_leaves_nothing(
    server, target, monkeypatch, module, name, calls
):
    with monkeypatch.context() as patch:
        patch.setattr(module, name, interrupt_after(calls, getattr(module, name)))
        with pytest.raises(KeyboardInterrupt):
            fetch(server, target)
    assert left_behind(target) in ([], ["data"])
    fetch(server, target)
    assert_whole(target)


def test_an_interrupted_download_leaves_nothing(server, target, monkeypatch):
    def interrupted(self, url, output_file, *_):
        with open(output_file, "wb") as file:
            file.write(server.body[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(server, target)
    assert left_behind(target) in ([], ["data"])


def test_what_a_killed_run_left_is_cleared_away(server, target):
    part = target.with_name(FOLDER + ".part")
    (part / FOLDER).mkdir(parents=True)
    (part / FOLDER / "data_batch_1.bin").write_bytes(b"half")
    (part / "archive").write_bytes(b"half")
    fetch(server, target)
    assert_whole(target)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "nothing is left behind"),
        (ValueError("the checksum"), "not fetched: the checksum"),
        (ConnectionError("the network"), "not fetched: the network"),
        (tarfile.ReadError("the archive"), "not fetched: the archive"),
    ],
)
def test_the_command_ends_in_a_sentence(monkeypatch, error, words):
    def fails():
        raise error

    monkeypatch.setattr(cifar10, "fetch", fails)
    with pytest.raises(SystemExit, match=words):
        cifar10.main()


def test_the_defaults_are_the_published_ones():
    url, checksum, target = cifar10.fetch.__defaults__
    assert url == "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    assert checksum == "c32a1d4ab5d03f1284b67883e8d87530"
    assert target == data.DATA_DIR / "cifar-10-batches-bin"
