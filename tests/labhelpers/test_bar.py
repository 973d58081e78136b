"""The bar: it comes late, as text, on stdout, and not at all where it is not wanted."""

import io
import sys
import time

import pytest

from labhelpers._bar import Steps


def run(monkeypatch, seconds, *, steps=3, **env):
    """Return what a loop of so many seconds printed, to stdout and to stderr."""
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    said = {name: io.StringIO() for name in ("stdout", "stderr")}
    for name, stream in said.items():
        monkeypatch.setattr(sys, name, stream)
    seen = []
    for step in Steps(steps, doing="descent"):
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


def test_another_error_is_not_told_and_not_swallowed(capsys):
    steps = Steps(3, doing="a")

    def work():
        with steps:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        work()
    assert capsys.readouterr().out == ""
    assert not steps.stopped


def test_the_bar_is_closed_before_an_interrupt_is_told(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    said = io.StringIO()
    monkeypatch.setattr(sys, "stdout", said)
    with Steps(9, doing="descent") as steps:
        for t in steps:
            time.sleep(0.8)
            if t == 3:
                raise KeyboardInterrupt
    monkeypatch.undo()
    *bars, told = said.getvalue().splitlines()
    assert told.startswith("Stopped after 3 of 9 steps")
    assert "33%|" in bars[-1]


def test_steps_are_counted_to_the_end():
    steps = Steps(3, doing="a")
    assert (list(steps), steps.done, steps.stopped) == ([0, 1, 2], 3, False)
