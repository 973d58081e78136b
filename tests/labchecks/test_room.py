"""What checks tell the teacher: one line each, where it was asked for, and no more."""

import errno
import json
import os
import re
import subprocess
import sys
import threading
import time

import pytest

from labchecks import lab01 as checks
from labchecks import predictions, room, verdicts, words
from tests import ROOT

FIELDS = {"session", "exercise", "state", "hint", "option", "time"}
HINT = "The loss is a sum, not a mean."


@pytest.fixture(autouse=True)
def _new_session(monkeypatch):
    monkeypatch.setattr(verdicts, "_session", {})
    monkeypatch.setattr(predictions, "_noted", {})
    monkeypatch.setattr(predictions, "_told", set())
    monkeypatch.setattr(room, "_writing", [])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(room.VARIABLE, str(tmp_path))
    return tmp_path


def lines(folder):
    """Return what the files of a folder hold, an object a line."""
    texts = [path.read_text("utf-8") for path in sorted(folder.glob("*.jsonl"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def name_of(text):
    """Return an answer that has a text in it wherever a student can write one."""
    source = f"def {text}(A, rank):\n    '''{text}'''\n    raise KeyError('{text}')"
    names = {}
    exec(source, names)
    return names[text]


# --- What is written -----------------------------------------------------------------


def test_each_check_and_each_prediction_adds_a_line(folder):
    checks.svd_loss(None)
    wrong = checks.svd_loss(lambda A, rank: 7.0)
    checks.prediction("uncleared", "b")
    checks.outcome("uncleared")
    checks.prediction("converged", " (C) ")
    checks.outcome("converged")
    (path,) = folder.iterdir()
    assert path.name == f"{room.SESSION}.jsonl"
    said = lines(folder)
    assert [(each["exercise"], each["state"]) for each in said] == [
        ("Exercise 1.2, svd_loss", "not begun"),
        ("Exercise 1.2, svd_loss", "not right yet"),
        ("Prediction uncleared, lab 01", "noted"),
        ("Prediction uncleared, lab 01", "not right"),
        ("Prediction converged, lab 01", "noted"),
        ("Prediction converged, lab 01", "right"),
    ]
    assert [each["option"] for each in said] == [None, None, "b", "b", "c", "c"]
    assert [each["hint"] for each in said] == [None, words.key(wrong.hint), *[None] * 4]
    assert {each["session"] for each in said} == {room.SESSION}
    assert all(each.keys() == FIELDS for each in said)
    assert all(abs(time.time() - each["time"]) < 60 for each in said)


def test_what_is_no_answer_adds_no_line(folder):
    checks.prediction("uncleared", "")
    checks.prediction("uncleared", "faster")
    checks.prediction("no such question", "a")
    checks.outcome("uncleared")
    checks.progress()
    assert lines(folder) == []


def test_nothing_that_a_student_wrote_is_in_a_line(folder):
    secret = "ada_lovelace"
    said = [checks.svd_loss(name_of(secret))]
    said += [checks.svd_loss(lambda A, rank: A.meen()), checks.svd_loss(secret)]
    assert secret in repr(said)  # a student sees it
    checks.prediction("uncleared", f"c, says {secret}")
    checks.prediction(secret, "c")
    text = "".join(path.read_text("utf-8") for path in folder.iterdir())
    assert len(lines(folder)) == 4
    assert not re.search(f"{secret}|meen|KeyError", text)
    assert not re.search(f"{secret}|meen", str([*folder.iterdir()]))


def test_a_hint_with_a_student_s_word_in_it_has_no_key(folder):
    def ada():
        raise NotImplementedError

    said = [
        checks.svd_loss(lambda A, rank: ada()),
        checks.svd_loss(lambda A, r: A.su()),
    ]
    assert "It calls ada" in said[0].hint
    assert "There is no su" in said[1].hint
    assert [each["hint"] for each in lines(folder)] == [None, None]


def test_a_line_is_short():
    longest = room.line("Exercise 1.4, " + "x" * 200, "not right yet", hint=HINT)
    assert len(longest.encode()) < 512


def test_each_session_has_an_id_of_its_own():
    command = [sys.executable, "-c", "from labchecks import room; print(room.SESSION)"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"[0-9a-f]{16}\n", run.stdout)
    assert run.stdout.strip() != room.SESSION


def test_a_hint_has_the_same_key_everywhere_and_each_its_own():
    assert words.key(HINT) == "02be275008"
    assert words.key(HINT) != words.key(HINT + " ")


# --- Nothing else is written ---------------------------------------------------------

# Notes what is opened for writing, and what is removed, renamed or made.
SPY = """
import os, sys
from labchecks import lab01 as checks
notes = []

def note(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            notes.append(os.fspath(path))
    elif event in ("os.mkdir", "os.remove", "os.rename", "os.link", "os.symlink",
                   "os.truncate", "os.chmod", "socket.connect", "subprocess.Popen"):
        notes.append((event, *arguments))

checks.svd_loss(lambda A, rank: 7.0)  # what torch makes for itself the first time
if folder := os.environ.get("LATER"):
    os.environ["AUTOGRAD_LABS_ROOM"] = folder
sys.addaudithook(note)
checks.svd_loss(lambda A, rank: 7.0)
checks.prediction("uncleared", "c")
checks.outcome("uncleared")
checks.gd_factorise_ad(None)
print(*notes, sep="\\n")
"""


@pytest.mark.parametrize("asked", [True, False])
def test_only_the_session_s_own_file_is_opened_and_none_unless_asked(asked, tmp_path):
    folder = tmp_path / "room"
    folder.mkdir()
    env = (
        os.environ | {"HOME": str(tmp_path)} | ({"LATER": str(folder)} if asked else {})
    )
    command = [sys.executable, "-c", SPY]
    run = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    assert run.stdout.split() == [str(path) for path in folder.iterdir()] * 4
    assert len(lines(folder)) == 4 * asked
    assert [path.name for path in tmp_path.iterdir()] == ["room"]


# --- Thirty at once ------------------------------------------------------------------

WRITER = """
import sys
from labchecks import room
sys.stdin.read(1)  # all begin together
for number in range(50):
    room.tell(f"Exercise 1.{number}, f", "right", hint="x" * 200)
    room._writing and room._writing[0].join()  # also where the disk is busy
"""


def test_thirty_sessions_at_once_lose_no_line(folder):
    command = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) for _ in range(30)
    ]
    for writer in writers:
        writer.stdin.close()
    assert [writer.wait(60) for writer in writers] == [0] * 30
    said = lines(folder)
    sessions = {each["session"] for each in said}
    assert len(sessions) == 30
    told = {(each["session"], each["exercise"]) for each in said}
    assert len(said) == len(told) == 30 * 50


# --- A student is never disturbed ----------------------------------------------------


def verdict():
    """Return what a student sees of a check and of a prediction."""
    checks.prediction("uncleared", "c")
    checks.outcome("uncleared")
    return repr(checks.svd_loss(lambda A, rank: 7.0))


@pytest.fixture
def undisturbed(capfd, monkeypatch):
    """Return a function: a verdict is as ever, in the usual time, and no words more."""
    expected = verdict()
    hook = threading.__excepthook__  # else pytest's, which keeps quiet
    monkeypatch.setattr(threading, "excepthook", hook)

    def check():
        began = time.monotonic()
        assert verdict() == expected
        assert capfd.readouterr() == ("", "")
        assert time.monotonic() - began < 5

    return check


def test_without_the_variable_nothing_is_written(undisturbed, monkeypatch):
    monkeypatch.setattr(room, "_append", lambda *_: pytest.fail("it writes"))
    undisturbed()
    monkeypatch.setenv(room.VARIABLE, "")
    undisturbed()
    assert room._writing == []


@pytest.mark.parametrize("there", ["nothing", "a file", "a folder in the file's place"])
def test_what_is_no_folder_for_lines_disturbs_nobody(
    there, undisturbed, folder, monkeypatch
):
    place = folder / "room"
    if there == "a file":
        place.write_text("mine")
    elif there != "nothing":
        (place / f"{room.SESSION}.jsonl").mkdir(parents=True)
    before = sorted(folder.rglob("*"))
    monkeypatch.setenv(room.VARIABLE, str(place))
    undisturbed()
    assert sorted(folder.rglob("*")) == before
    assert there != "a file" or place.read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="has no such links")
def test_nothing_is_written_through_a_link(undisturbed, folder):
    other = folder / "diary"
    other.write_text("mine")
    (folder / f"{room.SESSION}.jsonl").symlink_to(other)
    undisturbed()
    assert other.read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with a name")
def test_a_pipe_that_nobody_reads_is_not_waited_for(undisturbed, folder):
    os.mkfifo(folder / f"{room.SESSION}.jsonl")
    undisturbed()
    assert not room._writing[0].is_alive()


def refuse(error):
    def fails(*_, **__):
        raise OSError(error, os.strerror(error))

    return fails


@pytest.mark.parametrize(
    ("call", "error"),
    [("open", "EROFS"), ("open", "EACCES"), ("open", "ENOSPC"), ("write", "ENOSPC")],
)
def test_a_full_or_read_only_disk_disturbs_nobody(
    call, error, undisturbed, folder, monkeypatch
):
    monkeypatch.setattr(room.os, call, refuse(getattr(errno, error)))
    undisturbed()
    monkeypatch.undo()
    monkeypatch.setenv(room.VARIABLE, str(folder))
    checks.svd_loss(None)  # there is space again
    assert len(lines(folder)) == 1


def test_a_folder_that_does_not_answer_is_waited_for_once(
    undisturbed, folder, monkeypatch
):
    waited = []

    def hang(*_):
        waited.append(1)
        time.sleep(3)

    monkeypatch.setattr(room, "_append", hang)
    undisturbed()
    assert waited == [1]


@pytest.mark.parametrize("what", [(threading.Thread, "start"), (words, "by_key")])
def test_what_else_may_fail_disturbs_nobody(what, folder, monkeypatch):
    checks.svd_loss(None)
    before = lines(folder)
    monkeypatch.setattr(*what, refuse(errno.EAGAIN))
    room.tell("Exercise 1.2, svd_loss", "right", hint=HINT)
    assert lines(folder) == before
