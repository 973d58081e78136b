"""Call a student's function safely: state kept, time limited, errors put in words."""

import contextlib
import copy
import ctypes
import dis
import functools
import inspect
import io
import os
import random
import re
import sysconfig
import threading
import traceback
import tracemalloc
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from labchecks.errors import Hint, likely_cause

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = "This has the size of the lab's data: use your function's arguments alone."
CUT = Hint(
    "The loss is not recorded, though a tensor is marked: it is computed inside "
    "no_grad(), or from detach(), .data or .item(). (A gradient of a gradient needs "
    "create_graph=True.)",
    "lab 01, One gradient",
)
SEED = 16_180  # of the check's own draws, plus what the caller adds


class Wrong(Exception):
    """An answer is wrong. ``hint`` is a Hint, or its text alone.

    ``slip`` is the key of the slip that it was recognised by, if by any.
    """

    def __init__(self, seen, expected, hint, slip=None):
        self.seen, self.expected, self.slip = str(seen), str(expected), slip
        self.hint = hint if isinstance(hint, Hint) else Hint(hint)


class NotBegun(Exception):
    """There is no answer yet."""


class Measured(NamedTuple):
    """What a call returned, how much torch multiplied, and how much it held.

    ``peak``: bytes that NumPy and Python held at most, besides what they had before.
    """

    result: object
    multiplications: int
    peak: int


class _TimeUp(BaseException):
    """Raised in the thread of the student's function, to end it."""


class Student:
    """The student's function: called on known seeds, and held to good manners.

    ``rng`` draws the problems. Before each call torch, NumPy and Python get ``seed``,
    and ``generator`` gets the next one, if the function has such a parameter.
    """

    def __init__(self, function, seed, notes):
        if function is None or function is ...:
            raise NotBegun
        if not callable(function):
            hint = "Hand over the function itself: its name, without parentheses."
            raise Wrong(kind(function), "a function", hint)
        self.function, self.seed, self.notes = function, seed, notes
        self.rng = np.random.default_rng(seed)
        try:
            self.signature = inspect.signature(function)
        except (TypeError, ValueError):
            self.signature = inspect.Signature()

    def generator(self):
        return torch.Generator().manual_seed(self.seed + 1)  # the others get self.seed

    def __call__(self, *args, **kwargs):
        """Return the student's result, or raise Wrong or NotBegun."""
        return self._call(self.function, args, kwargs)

    def measure(self, *args, **kwargs):
        """Call as ever, and return a Measured.

        A function that lives in another process measures itself there, by a method
        ``measured`` that takes its arguments.
        """
        here = functools.partial(measure, self.function)
        there = getattr(self.function, "measured", here)
        return self._call(there, args, kwargs)

    def _call(self, call, args, kwargs):
        given = [*args, *kwargs.values()]
        names = [*self.signature.parameters][: len(args)] + [*kwargs]
        before = copy.deepcopy(given)
        if "generator" in self.signature.parameters:
            kwargs = kwargs | {"generator": self.generator()}
        seed_all(self.seed)
        seeds = _seeds()
        with _same_settings_after() as changed:
            try:
                result = call(*args, **kwargs)
            except _TimeUp:
                raise
            except BaseException as error:
                raise _raised(error) from None
        self.notes += [
            f"your function changes the global random numbers of {name}; "
            "that is put back here, but not elsewhere. A generator is safer."
            for name, state in _seeds().items()
            if state != seeds[name]
        ]
        value = result.result if isinstance(result, Measured) else result
        if value is ... or (value is None and _is_empty(self.function)):
            raise NotBegun
        hint = "Work on a copy (x.clone(), x.copy()), not on what was handed in: "
        hint += "+=, -= and requires_grad_() change a tensor or an array itself."
        for name, old, new in zip(names, before, given):
            if not _same(old, new):
                raise Wrong(f"{name} is not what it was", f"{name} left alone", hint)
        hint = "Whatever comes after your function would be changed by it, too."
        for name in changed:
            raise Wrong(f"your function changes {name}", f"{name} as before", hint)
        return result

    def accepts(self, *args, **kwargs):
        """Whether the function can be called with these arguments alone."""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError:
            return not self.signature.parameters
        return True


def measure(function, *args, **kwargs):
    """Call a function, and return a Measured."""
    with FlopCounterMode(display=False):
        torch.zeros(1) + 1  # the first count imports much, and slowly if it is traced
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    try:
        with FlopCounterMode(display=False) as counter:
            result = function(*args, **kwargs)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        if not tracing:
            tracemalloc.stop()
    return Measured(result, counter.get_total_flops() // 2, peak)


@contextlib.contextmanager
def same_state_after():
    """Put back torch's settings and all global random numbers after a block.

    Gives a list, which then holds the names of the settings that the block changed.
    """
    states = [(put_back, get()) for get, put_back in _RANDOM]
    try:
        with _same_settings_after() as changed:
            yield changed
    finally:
        for put_back, state in states:
            put_back(state)


@contextlib.contextmanager
def _same_settings_after():
    settings, changed = {name: get() for name, (get, _) in _SETTINGS.items()}, []
    try:
        yield changed
    finally:
        for name, (get, put_back) in _SETTINGS.items():
            if get() != settings[name]:
                changed.append(name)
                put_back(settings[name])


def seed_all(seed):
    """Seed the global random numbers of torch, NumPy and Python."""
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)


def kind(value):
    """Say what a value is: no address, no contents."""
    if value is None or isinstance(value, bool | int | float | complex):
        return repr(value)
    if isinstance(value, str):
        return "a text"
    if isinstance(value, torch.Tensor | np.ndarray):
        name = "a tensor" if isinstance(value, torch.Tensor) else "an array"
        return f"{name} of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        if words := getattr(value, "words", None):  # it stands for another value
            return words
        return f"a {type(value).__name__} of {len(value)}"
    return "a function" if callable(value) else f"a {type(value).__name__}"


# --- What can go wrong, without the check going wrong with it ------------------------

_SETTINGS = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "autograd's grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
}
_RANDOM = [
    (torch.get_rng_state, torch.set_rng_state),
    (np.random.get_state, np.random.set_state),
    (random.getstate, random.setstate),
]

_LIBRARIES = map(sysconfig.get_path, ("stdlib", "platlib", "purelib"))
_LIBRARIES = tuple(
    os.path.normcase(os.path.realpath(folder)) + os.sep
    for folder in [
        *_LIBRARIES,
        *(ROOT / name for name in ("labchecks", "labhelpers", "teaching")),
    ]
)


class _Printed(io.TextIOBase):
    """Keeps the first line of what is printed, and counts the others."""

    lines, first = 0, ""

    def write(self, text):
        if "\n" not in self.first:
            self.first += text[:80]
        self.lines += text.count("\n")
        return len(text)

    def note(self):
        first = self.first.split("\n")[0][:60]
        count = self.lines if self.lines <= 1000 else "more than 1000"
        return f"printed while it was checked: {count} lines, the first: {first!r}"


def protected(verdict, seconds):
    """Run ``verdict`` under a time limit; return passed, a Wrong or None, and prints.

    It runs in a thread of its own. When the time is up, an exception is raised there,
    which ends a loop of Python code on Linux, macOS and Windows. It cannot cut short a
    single long call into compiled code, such as a sleep or one huge product: then the
    verdict comes in time all the same, and the thread ends after that call. Only a call
    that keeps the interpreter to itself (say, ``10 ** 10 ** 9``), delays the verdict.
    """
    outcome, printed = [], _Printed()

    def passed():
        try:
            verdict()
        except NotBegun:
            return None, None
        except Wrong as wrong:
            return False, wrong
        except Exception as error:
            hint = "Return what the exercise names, as plain numbers or tensors."
            seen = f"an answer that cannot be read ({type(error).__name__})"
            return False, Wrong(seen, "an answer as described", hint)
        return True, None

    def work():
        with contextlib.suppress(BaseException):
            outcome.append(passed())

    thread = threading.Thread(target=work, daemon=True)
    with (
        same_state_after(),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(_Printed()),
    ):
        warnings.simplefilter("ignore")
        try:
            thread.start()
            thread.join(seconds)
            late = thread.is_alive()  # whatever it returns from now on is too late
        finally:
            for _ in range(20):  # more than once, as a bare 'except:' may swallow it
                if thread.is_alive():
                    _raise_in(thread)
                    thread.join(0.05)
    if late or not outcome:
        hint = "A loop that does not end, or far more steps than num_epochs asks for?"
        limit = f"an answer within {seconds:g} seconds"
        outcome = [(False, Wrong("your function was still running", limit, hint))]
    return *outcome[0], printed


def _raise_in(thread):
    identity, error = ctypes.c_ulong(thread.ident), ctypes.py_object(_TimeUp)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, error)


def _seeds():
    """Return what a global seed would change; in torch, drawing is not seeding."""
    numpy = np.random.get_state()  # noqa: NPY002
    numpy = numpy[1].tobytes(), numpy[2]
    return {"torch": torch.initial_seed(), "NumPy": numpy, "Python": random.getstate()}


def _same(old, new):
    if isinstance(old, torch.Tensor):
        alike = old.shape == new.shape and old.requires_grad == new.requires_grad
        return alike and torch.equal(old, new)
    if isinstance(old, np.ndarray):
        return np.array_equal(old, new)
    return old == new


def _is_empty(function):
    """Whether the body does nothing: ``pass``, ``...``, or a docstring alone."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    idle = {"RESUME", "NOP", "LOAD_CONST", "POP_TOP", "RETURN_VALUE", "RETURN_CONST"}
    return code is not None and {i.opname for i in dis.get_instructions(code)} <= idle


def frames_of(error):
    """Return where the student's code was when an error came, a list, outermost first.

    An error that comes from another process brings them along, as ``frames``.
    """
    frames = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in frames if _is_students(frame.filename)]
    return getattr(error, "frames", frames)


def _raised(error):
    """Turn what the student's code raised into a Wrong, at the student's line."""
    frames = frames_of(error)
    line = frames[-1].line or "" if frames else ""
    message = str(error)
    unwritten = not message or line.startswith("raise NotImplementedError")
    if isinstance(error, NotImplementedError) and unwritten:
        if len(frames) < 2:
            return NotBegun()
        name = frames[-1].name
        hint = f"It calls {name}, which is not written yet: do that exercise first."
        return Wrong(f"{name}, not begun", "a result", Hint(hint))
    first = re.sub(r"0x[0-9a-fA-F]+", "0x…", message).split("\n")[0][:200]
    seen = f"{type(error).__name__}: {first}"
    if frames:
        seen += f" (line {frames[-1].lineno} of your code: {line})"
    if re.search(r"(shapes?|size) .*\d{3}", first):  # those of the checks are smaller
        return Wrong(seen, "a result, and no error", ELSEWHERE)
    if "does not have a grad_fn" in message and _is_marked(error):
        return Wrong(seen, "a result, and no error", CUT)
    default = Hint("The line named here stopped: read the last words of the error.")
    return Wrong(seen, "a result, and no error", likely_cause(error) or default)


def _is_marked(error):
    """Whether the student's code, where it stopped, held a tensor with a gradient."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    frames = [f for f in frames if _is_students(f.f_code.co_filename)]
    values = frames[-1].f_locals.values() if frames else ()
    return any(getattr(value, "requires_grad", False) is True for value in values)


@functools.cache
def _is_students(filename):
    path = os.path.normcase(os.path.realpath(filename))
    return not path.startswith(_LIBRARIES) and not filename.startswith("<frozen")
