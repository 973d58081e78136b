"""Where is the class? Tell a folder what a check said, if the teacher has set one up.

Without the environment variable ``AUTOGRAD_LABS_ROOM`` nothing is written. If it names
a folder, each verdict adds one line to a file that is this session's alone, so that
many can write at once, on a network's disk too. A line holds what ``line`` returns: no
name, no code, nothing that a student typed. Whatever goes wrong, the student is not
disturbed, and not told.
"""

import contextlib
import json
import os
import secrets
import threading
import time

from labchecks import words

VARIABLE = "AUTOGRAD_LABS_ROOM"
SESSION = secrets.token_hex(8)  # drawn at random: it says nothing of who or where
PATIENCE = 0.2  # seconds for a folder that answers slowly
# Nothing is written through a link, and a pipe that nobody reads is not waited for.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_FLAGS |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

_writing = []  # the thread that writes, or wrote last


def tell(exercise, state, *, hint="", option=None):
    """Add a line on an exercise or a prediction, if there is a folder for it."""
    if not (folder := os.environ.get(VARIABLE)):
        return
    if any(thread.is_alive() for thread in _writing):
        return  # the folder does not answer: don't wait for it again
    with contextlib.suppress(Exception):  # whatever it is, it is not the student's
        said = line(exercise, state, hint=hint, option=option)
        thread = threading.Thread(target=_append, args=(folder, said), daemon=True)
        thread.start()
        _writing[:] = [thread]
        thread.join(PATIENCE)


def line(exercise, state, *, hint="", option=None):
    """Return a line of JSON: session, exercise, state, the hint's key, option, time.

    A hint has no key if it has words in it that are not the pack's own: it could be the
    student's name.

    >>> said = json.loads(line("Exercise 1.2, svd_loss", "right"))
    >>> [said[name] for name in ("exercise", "state", "hint", "option")]
    ['Exercise 1.2, svd_loss', 'right', None, None]
    >>> said["session"] == SESSION, isinstance(said["time"], int)
    (True, True)
    """
    key = words.key(hint)
    said = {
        "session": SESSION,
        "exercise": exercise,
        "state": state,
        "hint": key if key in words.by_key() else None,
        "option": option,
        "time": round(time.time()),
    }
    return json.dumps(said) + "\n"


def _append(folder, said):
    with contextlib.suppress(OSError, ValueError):
        file = os.open(os.path.join(folder, f"{SESSION}.jsonl"), _FLAGS, 0o644)
        try:
            os.write(file, said.encode())
        finally:
            os.close(file)
