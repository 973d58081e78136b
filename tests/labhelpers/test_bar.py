"""The bar: it comes late, as text, on stdout, and not at all where it is not wanted."""

import io
import sys
import time

import pytest

from labhelpers._bar import bar


def run(monkeypatch, seconds, *, steps=3, **env):
    """Return what a loop of so many seconds printed, to stdout and to stderr."""
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    said = {name: io.StringIO() for name in ("stdout", "stderr")}
    for name, stream in said.items():
        monkeypatch.setattr(sys, name, stream)
    seen = []
    for step in bar(steps, doing="descent"):
        seen.append(step)
        time.sleep(seconds / steps)
    monkeypatch.undo()
    assert seen == list(range(steps))
    return said["stdout"].getvalue(), said["stderr"].getvalue()


def test_what_takes_long_shows_how_far_it_is(monkeypatch):
    stdout, stderr = run(monkeypatch, 2.8, steps=4)
    first, *_, last = stdout.strip("\r\n").split("\r")
    assert first.startswith("descent:  75%")
    assert last.startswith("descent: 100%")
    assert stdout.endswith("\n")
    assert stderr == ""


@pytest.mark.parametrize(("seconds", "env"), [(0.3, {}), (2.3, {"TQDM_DISABLE": "1"})])
def test_what_is_quick_or_unwanted_shows_nothing(seconds, env, monkeypatch):
    assert run(monkeypatch, seconds, **env) == ("", "")
