"""What the outputs of a cell say: to nbgrader, to who reads them, and in the notes."""

import re

from nbformat.v4 import new_output

from labchecks.verdicts import Check

STOPPED = {"ename": "TimeLimit", "evalue": "this cell was stopped", "traceback": []}
NOT_RUN = "Not run: no point depends on it.\n"

# What was asked for, by what an error says. The student's words are not repeated.
REFUSED = "PermissionError|Permission ?[Dd]enied|AccessDenied|Operation not supported"
REFUSED += "|URLError|ConnectionError|BrokenProcessPool|TerminatedWorkerError"
ASKED_FOR = {
    "MemoryError|t allocate memory": "too much memory",
    REFUSED: "what marking does not allow: the network, other folders, some kinds of "
    "processes",
    "StdinNotImplementedError": "input, and nobody is there to give it",
    "ModuleNotFoundError": "a module that is not here",
    "FileNotFoundError|No such file|File `.*` not found": "a file that is not here",
}


def is_right(verdict):
    """Whether a verdict is a Check that is passed; a text says what went wrong."""
    return isinstance(verdict, Check) and verdict.passed is True


def missed(error):
    """Yield what an error says was asked for in vain, for who wonders why it worked.

    >>> [*missed("FileNotFoundError: my.csv")]
    ['a file that is not here']
    """
    for pattern, words in ASKED_FOR.items():
        if re.search(pattern, error[:1000]):
            yield words


def not_run():
    """Return the outputs of a cell that was left out."""
    return [new_output("stream", name="stdout", text=NOT_RUN)]


def with_verdict(outputs, verdict):
    """Return the outputs of a check for nbgrader, to which an error means no points."""
    shown = [_harmless(output) for output in outputs]
    if is_right(verdict):
        text = f"Marked on other problems: {verdict!r}\n"
        return [new_output("stream", name="stdout", text=text), *shown]
    words = verdict if isinstance(verdict, str) else repr(verdict)
    text = f"Marked on other problems: {words}"
    name = {"ename": "NotRight", "evalue": text, "traceback": [text]}
    return [new_output("error", **name), *shown]


def _harmless(output):
    """Return an output that nbgrader takes for neither an error nor a number."""
    if output.output_type == "error":
        text = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
        return new_output("stream", name="stdout", text=text)
    if output.output_type == "stream":
        return new_output("stream", name="stdout", text=output.text)
    return new_output("display_data", data=output.data, metadata=output.metadata)
