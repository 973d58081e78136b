"""Find lines of the solutions where they must not be: in what students get."""

import contextlib
import html
import json
import re

from teaching import hunt, labs, lesson
from teaching.labs import SOLUTION

# Shorter lines and sentences, such as `else:` and "In the formula:", are anywhere.
SHORTEST, SHORTEST_SENTENCE = 12, 30


def secrets(notebooks, helpers):
    """Return the lines that only solutions have, a dict of str: where it is from.

    Of written answers each sentence counts as a line, and of code with a comment also
    the code alone. What the teacher's file of a lab says is secret, too: answers,
    rubric, and the lines and reasons of all bugs. What a hunt shows is open.

    Parameters
    ----------
    notebooks : dict of str to NotebookNode
        The worked labs, by the stem of their files.
    helpers : str
        The code that students get: what is in it is no secret.

    Returns
    -------
    dict of str to str
        The lines without the lab's own code (see ``shown``), and for each the lab's
        name and the cell's id.
    """
    lines = {}
    for name, notebook in notebooks.items():
        for cell in notebook.cells:
            lines |= dict.fromkeys(_solution_lines(cell), f"{name}.ipynb, {cell.id}")
        place = f"lessons/{labs.number(name)}.toml"
        lines |= dict.fromkeys(_lesson_lines(name, notebook), place)
    open_lines = _given(notebooks) | _hunted(notebooks)
    return {
        line: where
        for line, where in lines.items()
        if line not in helpers and not any(line in each for each in open_lines)
    }


def refuse(notebooks, files):
    """Raise a ValueError if a line of ``secrets`` is in one of the files.

    ``files`` is {path: bytes}: all that students get. The error names the file, the
    line and its lab and cell.
    """
    code = [content for name, content in files.items() if name.endswith(".py")]
    lines = secrets(notebooks, b"\n".join(code).decode())
    for name, content in files.items():
        for line in found(lines, content):
            message = f"{name} holds a line of a solution ({lines[line]}): {line}"
            raise ValueError(message + ". If it may be seen, show it in a code cell.")


def shown(notebooks):
    """Return those lines of solutions that a code cell shows to everybody: a set."""
    cells = [cell for notebook in notebooks.values() for cell in notebook.cells]
    return _given(notebooks) & set().union(*map(_solution_lines, cells))


def _given(notebooks):
    """Return the lines of code that everybody sees, a set."""
    return {
        line.strip()
        for notebook in notebooks.values()
        for cell in notebook.cells
        if cell.cell_type == "code"
        for line in SOLUTION.sub("", cell.source).splitlines()
    }


def found(lines, content):
    """Return those of the lines that occur in a file, a sorted list.

    Blanks and line breaks don't count. A notebook, or any JSON, is searched as it is
    written and as it is read, and both also without the tags of HTML, and with what
    ``&lt;`` or ``\\n`` stand for.
    """
    text = content.decode(errors="replace")
    forms = [text]
    with contextlib.suppress(ValueError):
        forms += _strings(json.loads(text))
    text = "\n".join(forms)
    text += "\n" + re.sub(r"<[^<>]*>", "", text)
    text = "\n".join(map(_dense, [text, html.unescape(text), _unescape(text)]))
    return sorted(line for line in lines if _dense(line) in text)


def _solution_lines(cell):
    """Return the lines of a cell's solutions that are long enough to count, a set."""
    lines = [
        line for part in SOLUTION.findall(cell.source) for line in part.split("\n")
    ]
    if cell.cell_type == "code":
        lines += [re.sub(r"\s+#.*", "", line) for line in lines]
    else:
        lines += _sentences(lines)
    return {line.strip() for line in lines if len(line.strip()) >= SHORTEST}


def _hunted(notebooks):
    """Return the lines that hunts show, a bug among them: a set."""
    outputs = [
        output.get("data", {}).get("text/plain", "")
        for notebook in notebooks.values()
        for cell in notebook.cells
        if "checks.hunt(" in cell.source
        for output in cell.get("outputs", [])
    ]
    return {
        re.sub(r"^ *\d+ +", "", line) for text in outputs for line in text.splitlines()
    }


def _lesson_lines(lab, notebook):
    """Return what only the teacher has of a lab, sentence by sentence, a set."""
    found = lesson.read(labs.number(lab))
    texts = [each.answer for each in found.expect]
    texts += [line for lines in found.rubric.values() for line in lines]
    lines = set()
    if found.hunt:
        pools = [hunt.pool(notebook, found.hunt, held=held) for held in (False, True)]
        bugs = [bug for pool in pools for bug in pool.bugs]
        texts += [bug.why for bug in bugs]
        lines = {b.text.strip() for b in bugs if len(b.text.strip()) >= SHORTEST}
    return lines.union(_sentences(texts))


def _sentences(texts):
    """Return the sentences in texts that are long enough to count, a list."""
    parts = [part for text in texts for part in re.split(r"(?<=[.:;?!])\s", text)]
    return [part.strip() for part in parts if len(part.strip()) >= SHORTEST_SENTENCE]


def _strings(value):
    """Return every text in what JSON holds; a list of lines is one text."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [
            text for pair in value.items() for part in pair for text in _strings(part)
        ]
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ["".join(value)]
    return (
        [text for part in value for text in _strings(part)]
        if isinstance(value, list)
        else []
    )


def _unescape(text):
    """Return a text without the backslashes that strings are written with."""
    code = r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(n|t)|(.))"
    return re.sub(
        code,
        lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else m[4] or " ",
        text,
    )


def _dense(text):
    return "".join(text.split())
