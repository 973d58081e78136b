"""Words for a cell that failed, below what Python says of it or in its place.

Importing this in IPython installs it: an error is shown as ever, with a likely cause
from the phrase book; a name that doesn't exist gets words in place of a traceback. And
it remembers which cells failed to define a function anew, since a check would judge the
old one and nobody would know.
"""

import contextlib
import linecache
import re
from difflib import get_close_matches

from IPython import get_ipython

from labchecks.errors import ARGUMENTS, likely_cause

_before = {}  # {name: what it was before the cell that runs now}
_cell_of = {}  # {name: the number of the cell that last defined the function}
_failed = {}  # {name: (the function that was left, the number of the cell)}


def install(shell):
    """Let ``shell``, an InteractiveShell, say such words from now on."""
    shell.set_custom_exc((Exception,), _show)
    shell.events.register("pre_run_cell", _remember)
    shell.events.register("post_run_cell", _compare)


def outdated(answer):
    """Return a note if a cell that was to replace this function failed, or "".

    Parameters
    ----------
    answer : object
        What is checked.
    """
    for name, (function, number) in _failed.items():
        if function is answer:
            since = f" of cell [{_cell_of[name]}]" if name in _cell_of else ""
            return (
                f"cell [{number}] was to define {name} and ended in an error, so "
                f"this is about the older one{since}."
            )
    return ""


def _show(shell, kind, error, trace, tb_offset=None):
    """Show an error: called by IPython, as a method of the shell."""
    with contextlib.suppress(Exception):
        if lines := _words(shell, kind, error, trace, tb_offset):
            error._render_traceback_ = lambda: lines  # IPython asks for it
    try:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    except Exception:  # of an exception that fails when it is asked what it says
        print(f"{kind.__name__}: it cannot be shown.")
    finally:
        with contextlib.suppress(Exception):
            del error._render_traceback_


def _words(shell, kind, error, trace, tb_offset):
    """Return the lines that are shown of an error, or None for those of IPython."""
    if hasattr(error, "_render_traceback_"):
        return None
    last = trace
    while last.tb_next:
        last = last.tb_next
    names = last.tb_frame.f_globals
    is_missing = kind is NameError and str(error).startswith("name '")
    if is_missing and names is shell.user_global_ns:
        return [f"NameError: {error}", *_missing(error.name, names, last)]
    found = likely_cause(error)
    if not found or found is ARGUMENTS or names.get("__package__") == "labhelpers":
        return None  # what labhelpers says is in words already
    where = f" (See {found.where}.)" if found.where else ""
    shown = shell.InteractiveTB.structured_traceback(
        kind, error, trace, tb_offset=tb_offset
    )
    return [*shown, f"\nA likely cause: {found.text}{where}"]


def _missing(name, names, trace):
    """Return lines on a name that doesn't exist."""
    frame = trace.tb_frame.f_code
    line = linecache.getline(frame.co_filename, trace.tb_lineno).strip()
    inside = "" if frame.co_name == "<module>" else f" of {frame.co_name}"
    close = get_close_matches(name, [n for n in names if n[0] != "_"], 1, 0.75)
    meant = f" Did you mean {close[0]}?" if close else ""
    lines = [f"  line {trace.tb_lineno}{inside}: {line}"] if line else []
    lines += [
        f"There is no {name} yet: no cell that was run has made it.{meant}",
        "If a cell above makes it: Run ▸ Run All Above Selected Cell.",
    ]
    bare = re.match(rf"(\w+) *= *{re.escape(name)} *(?:#.*)?$", line)
    if bare and (len(name) == 1 or bare[1] == "answer"):
        lines.append(
            f'If it is meant as a text, put it in quotes: {bare[1]} = "{name}"'
        )
    return lines


def _remember(info):
    """Before a cell runs: keep what it is to define anew."""
    defined = re.findall(r"^(?:async )?def (\w+)", info.raw_cell or "", re.M)
    _before.clear()
    _before.update({name: get_ipython().user_ns.get(name) for name in defined})


def _compare(result):
    """After a cell has run: note what it left as it was, though it was to define it."""
    names, number = get_ipython().user_ns, result.execution_count
    for name, old in _before.items():
        if result.success or names.get(name) is not old:
            _failed.pop(name, None)
            _cell_of[name] = number
        elif old is not None:
            _failed[name] = old, number
    _before.clear()


if shell := get_ipython():
    install(shell)
