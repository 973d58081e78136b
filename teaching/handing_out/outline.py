"""What a lab asks for and how long it takes: its sections, exercises and predictions.

All of it is read from the worked notebook. A plan puts it on the clock.
"""

import re
from itertools import accumulate
from typing import NamedTuple

from nbformat import NotebookNode

from teaching.labs import TASK

OPENING = "Opening"
VOTE = 2  # minutes, for a prediction
HEADING = r"^(?=###? )"
QUESTION = re.compile(r"\*\*Predict[^*]*\*\*\s*(.+?)(?=\n\n|\Z)", re.S)
SEALED = re.compile(r"\bchecks\.prediction\(\s*[\"']([^\"']+)")
READING = re.compile(r"(\d+) minutes to read")
# What nobody reads before class ends: folded answers, and the list of books.
UNREAD = re.compile(r"<details>.*?</details>|\*\*Go further\*\*.*", re.S)


class Text(NamedTuple):
    """Text to read and cells to run, all in one section."""

    section: str
    name: str  # that of the section where it begins, or ""
    words: int
    minutes: int = 0


class Vote(NamedTuple):
    """A prediction: ``key`` is what the checks call it, "" where nothing is noted.

    Without a heading of its own, its name is its last question.
    """

    section: str
    name: str
    question: str
    key: str = ""
    after: str = ""  # what the text then says of the outcome
    shown: str = ""  # what the next cell printed
    minutes: int = VOTE


class Task(NamedTuple):
    """An exercise or a question.

    ``name`` is "Exercise 3.1", ``text`` what is asked for, ``cells`` are all that
    belong to it, and ``points`` what its graded cell is worth.
    """

    section: str
    name: str
    text: str
    minutes: int
    stars: str
    cells: tuple[NotebookNode, ...] = ()
    points: int = 0

    @property
    def number(self):
        """Its number, such as "3.2b"."""
        return self.name.split()[1]

    @property
    def is_written(self):
        """Whether its answer is a text, which a person marks."""
        return bool(self.cells) and self.cells[-1].cell_type == "markdown"


class Outline(NamedTuple):
    """A lab as a list of Text, Vote and Task, in order, and what its head says."""

    title: str
    head: dict  # {"What you need": text, …}
    objectives: tuple
    parts: tuple

    @property
    def tasks(self):
        """Its exercises and questions."""
        return [part for part in self.parts if isinstance(part, Task)]

    @property
    def votes(self):
        """Its predictions."""
        return [part for part in self.parts if isinstance(part, Vote)]

    @property
    def minutes(self):
        """How long all of it takes."""
        return sum(part.minutes for part in self.parts)


def outline(notebook):
    """Return the Outline of a worked lab.

    The minutes that the lab's head gives to reading are shared by the number of words.

    Raises
    ------
    ValueError
        If the lab has no title, or doesn't say how many minutes it takes to read.
    """
    head = notebook.cells[0].source
    title, reading = re.match(r"# (.+)", head), READING.search(head)
    if not (title and reading):
        wanted = '"# 06 Title" and "5 minutes to read"'
        raise ValueError(f"the first cell of a lab must say {wanted}, got {head!r:.60}")
    said = dict(re.findall(r"\*\*([^*]+?)\.?\*\*\s*(.*?)\s*(?=\*\*|\Z)", head, re.S))
    learn = said.get("What you will learn", "").strip()
    objectives = re.findall(r"^- (.+?)[;.]?$", learn, re.M) or [learn]
    parts = _paced(_parts(notebook), int(reading[1]))
    return Outline(title[1], said, tuple(objectives), tuple(parts))


def _paced(parts, minutes):
    """Give each Text its share of the minutes, whole ones, as the clock rounds them."""
    words = [part.words if isinstance(part, Text) else 0 for part in parts]
    clock = [round(minutes * each / sum(words)) for each in accumulate(words)]
    return [
        part._replace(minutes=end - begin) if isinstance(part, Text) else part
        for part, begin, end in zip(parts, [0, *clock], clock)
    ]


def _parts(notebook):
    """Walk through the cells; return the parts, without the minutes of reading."""
    parts, section, is_asked = [Text(OPENING, OPENING, 0)], OPENING, False
    for cell in notebook.cells:
        grader = cell.metadata.get("nbgrader", {})
        is_text = cell.cell_type == "markdown" and not grader
        # Such a text comes before the figure that gives the outcome away.
        tells = "overleaf" not in cell.metadata.get("tags", [])
        for source in re.split(HEADING, cell.source, flags=re.M) if is_text else []:
            title = re.match(r"## (.+)", source)
            if task := TASK.match(source):
                name, _, minutes, stars = task.groups()
                text = source.partition("\n")[2]
                parts.append(Task(section, name, text, int(minutes), stars))
                is_asked = True
            elif title:
                section, is_asked = title[1], False
                parts.append(Text(section, section, 0))
            if not is_asked:
                parts += _read(parts, section, source, tells)
        if is_asked:
            parts[-1] = parts[-1]._replace(cells=(*parts[-1].cells, cell))
        elif sealed := SEALED.search(cell.source):
            parts[-1] = parts[-1]._replace(key=sealed[1])
        elif isinstance(parts[-1], Vote) and not parts[-1].shown:
            parts[-1] = parts[-1]._replace(shown=_printed(cell))
        if grader.get("grade"):
            parts[-1] = parts[-1]._replace(points=grader["points"])
            is_asked = False
    return parts


def _printed(cell):
    """Return what a cell has printed, its tables too, as text; of a figure, nothing."""
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.get("outputs", [])
        if "image/png" not in output.get("data", {})
    ]
    return "\n".join(text.strip("\n") for text in texts if text)


def _read(parts, section, source, tells):
    """Count what is read of a text that is no task; return what is new of it.

    ``tells``: whether it may tell the outcome of a prediction.
    """
    text = re.sub(r"^#.*", "", UNREAD.sub("", source), flags=re.M).strip()
    first = text.split("\n\n")[0]
    for i in range(len(parts))[-2:]:  # a vote, and what was read since
        vote = parts[i]
        is_open = isinstance(vote, Vote) and vote.section == section and not vote.after
        if is_open and tells and "?" not in first:
            parts[i] = vote._replace(after=first)
    words, last, new = len(text.split()), parts[-1], []
    if isinstance(last, Text):
        parts[-1] = last._replace(words=last.words + words)
    else:
        new = [Text(section, "", words)]
    if asked := QUESTION.search(source):
        title = re.search(r"^### (Predict: .+)", source, re.M)
        last = re.split(r"(?<=[.?!])\s+", asked[1])[-1]
        name = title[1] if title else f"Predict: {last[0].lower()}{last[1:]}"
        new.append(Vote(section, name, asked[1]))
    return new


class Span(NamedTuple):
    """When something is: in which session, from which minute to which."""

    session: int
    begin: int
    end: int


def timed(lab, *, cut=(), second_half=""):
    """Put a lab on the clock, in one session or in two.

    Parameters
    ----------
    lab : Outline
    cut : sequence of str
        Names of what is left out. A section's name stands for its text and its
        predictions; its exercises and questions are cut by their own names.
    second_half : str
        The part with which the second session begins; "" for one session.

    Returns
    -------
    dict of int to Span
        When each part of ``lab.parts`` that stays is taken, by its place there.

    Raises
    ------
    ValueError
        If a name is that of no part, or the second half begins with what is left out.
    """
    names = [part.name for part in lab.parts if part.name]
    for name in (*cut, *filter(None, [second_half])):
        if name not in names:
            raise ValueError(f"the plan must name a part of the lab, got {name!r}")
    if second_half in cut:
        raise ValueError(f"a session can't begin with what is cut: {second_half!r}")
    spans, session, clock = {}, 0, 0
    for i, part in enumerate(lab.parts):
        if part.name and part.name == second_half:
            session, clock = 1, 0
        in_section = part.section in cut and not isinstance(part, Task)
        if part.name not in cut and not in_section:
            spans[i] = Span(session, clock, clock + part.minutes)
            clock += part.minutes
    return spans
