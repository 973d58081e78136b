"""A teacher's guide of each lab, and an overview of all, as pages of HTML to print.

They are made of what is tested anyway: the worked notebook, the checks, and the
teacher's file of the lab. So a guide can't say what the lab doesn't.
"""

import importlib
import re
from typing import NamedTuple

import numpy as np

from labchecks.cases import Case
from labchecks.hunts import LETTERS
from labchecks.student import Hint
from teaching import hunt, labs, lesson
from teaching.handing_out import html_of
from teaching.handing_out.outline import Text, Vote, outline, timed

OVERVIEW = "index.html"
SCHEDULES = "45 minutes", "90 minutes", "2 × 45 minutes"
# What a check may need besides the answer: its first use decides which of them it is.
STAND_INS = ((), (2.0,), (np.array([3.0, 2.0, 1.0]),), (np.diag([3.0, 2.0, 1.0]),))
MARKS = re.compile(r"^[^\n]*### (?:BEGIN|END) SOLUTION[^\n]*\n?", re.M)
HOW_TO_VOTE = re.compile(r"\s*Put your letter between.*", re.S)
# Words in bold that are no term: "Answer.", "not", and whole phrases.
TERM = re.compile(r"\*\*([^*\n]+?)\*\*")
SHORTEST_TERM, MOST_WORDS = 4, 3
CONTRAST = re.compile(r"\*\*, not ")  # bold to tell two things apart: none is defined
# Paragraphs, and in them sentences. A formula on lines of its own ends none.
PARAGRAPH = re.compile(r"(?<![:,$])\n\n(?!\$)|(?<=\$\$)\n\n(?=[A-Z*])|\n(?=- )")
SENTENCE = re.compile(r"(?<=\.\*\*)\s+|(?<=[.!?])\s+(?=[A-Z\"“*`$(\\])")
FEWEST_WORDS = 9  # a sentence that is shorter, or begins so, needs the one before
LEANS = re.compile(r"(It|This|These|They|We|How|Two|From then|If you) ")


class Slip(NamedTuple):
    """What a check says, and to which answers, where these are numbers."""

    says: str
    answers: str = ""


class Line(NamedTuple):
    """A line of the plan: what, its minutes, and when, for each of the schedules."""

    kind: str  # "section", "vote" or "task"
    name: str
    about: str
    minutes: int
    clocks: list


class Schedule(NamedTuple):
    """A way to teach a lab: its name, and when each of its parts is taken."""

    name: str
    spans: dict

    @property
    def lengths(self):
        """The minutes of each session."""
        ends = {}
        for span in self.spans.values():
            ends[span.session] = max(ends.get(span.session, 0), span.end)
        return [end for _, end in sorted(ends.items())]


def pages(worked, *, folder=labs.NOTEBOOKS):
    """Return the guides of worked labs, and their overview, a dict of str to str.

    For ``01_factorisation`` there is ``01_factorisation.html``; the overview is
    ``index.html``.

    Parameters
    ----------
    worked : dict of str to NotebookNode
        By the stem of their files. Each has its checks in ``labchecks``.
    folder : path-like
        Where they lie.

    Raises
    ------
    ValueError
        If a lab or the teacher's file of it doesn't fit; the lab is named.
    """
    result, rows = {}, []
    for name, notebook in worked.items():
        number = labs.number(name)
        checks = importlib.import_module(f"labchecks.lab{number}")
        try:
            plan = lesson.read(number)
            page = guide(notebook, plan, checks, folder=folder)
            lab = outline(notebook)
            lengths = {way.name: way.lengths for way in schedules(lab, plan)}
        except ValueError as error:
            raise ValueError(f"guide of {name}: {error}") from error
        result[f"{name}.html"] = page
        rows.append((f"{name}.html", lab, plan, lengths))
    result[OVERVIEW] = html_of.page(
        "overview.html.j2", labs=rows, names=SCHEDULES, folder=folder
    )
    return result


def guide(notebook, plan, checks, *, folder=labs.NOTEBOOKS):
    """Return the guide of one lab as a page of HTML, complete in itself.

    Parameters
    ----------
    notebook : NotebookNode
        The worked lab.
    plan : lesson.Lesson
        The teacher's file of it.
    checks : module
        Its checks.
    folder : path-like
        Where pictures lie that a text names.
    """
    lab = outline(notebook)
    ways = schedules(lab, plan)
    return html_of.page(
        "guide.html.j2",
        lab=lab,
        plan=plan,
        ways=ways,
        lines=lines(lab, ways),
        votes=[
            (vote, HOW_TO_VOTE.sub("", vote.question), questions(checks).get(vote.key))
            for vote in lab.votes
        ],
        tasks=[(task, _asked(task), *_answered(task, checks)) for task in lab.tasks],
        hunts=_hunts(notebook, plan),
        letters=LETTERS,
        numbered=_numbered_code,
        recall=recall(notebook),
        glossary=glossary(notebook),
        folder=folder,
    )


# --- Plan ----------------------------------------------------------------------------


def schedules(lab, plan):
    """Return the Schedules that a lesson has for a lab's Outline, a list.

    Raises
    ------
    ValueError
        If the plan names what the lab doesn't have.
    """
    cuts = plan.cut_for_45, plan.cut_for_90, plan.cut_for_90
    known = plan.cut_for_45 or lab.minutes <= 45, True, plan.second_half
    halves = "", "", plan.second_half
    return [
        Schedule(name, timed(lab, cut=cut, second_half=half))
        for name, cut, half, is_known in zip(SCHEDULES, cuts, halves, known)
        if is_known
    ]


def lines(lab, ways):
    """Return the Lines of a plan: each section, and below it its votes and tasks."""
    result = []
    for i, part in enumerate(lab.parts):
        if isinstance(part, Text) and part.name:
            own = [j for j, p in enumerate(lab.parts) if p.section == part.section]
            texts = [lab.parts[j] for j in own if isinstance(lab.parts[j], Text)]
            minutes = sum(text.minutes for text in texts)
            clocks = [_clock([w.spans[j] for j in own if j in w.spans]) for w in ways]
            clocks = [c if i in w.spans else "" for c, w in zip(clocks, ways)]
            result.append(Line("section", part.name, "", minutes, clocks))
        elif not isinstance(part, Text):
            clocks = [_clock([w.spans[i]] if i in w.spans else []) for w in ways]
            is_vote = isinstance(part, Vote)
            kind, about = ("vote", "") if is_vote else ("task", part.stars)
            result.append(Line(kind, part.name, about, part.minutes, clocks))
    return result


def _clock(spans):
    """Return when spans begin and end, in each session, as text.

    >>> from teaching.handing_out.outline import Span
    >>> _clock([Span(0, 0, 6), Span(0, 6, 8)]), _clock([Span(1, 70, 72)]), _clock([])
    ('0:00–0:08', '2nd, 1:10–1:12', '')
    """
    told = []
    for session in sorted({span.session for span in spans}):
        own = [span for span in spans if span.session == session]
        ends = own[0].begin, own[-1].end
        both = dict.fromkeys(f"{end // 60}:{end % 60:02}" for end in ends)
        told.append("2nd, " * session + "–".join(both))
    return "; ".join(told)


# --- What the checks know ------------------------------------------------------------


def questions(checks):
    """Return the predictions that a lab notes, {name: Question}."""
    return getattr(getattr(checks, "prediction", None), "questions", {})


def slips(check):
    """Return what a check can say, a list of Slip, in the order in which it looks.

    Empty, if the check needs besides the answer what is not among ``STAND_INS``.
    """
    for given in STAND_INS:
        try:
            stated = [
                item
                for _, items in check.stated(np.random.default_rng(0), given)
                for item in items
            ]
        except (TypeError, IndexError, ValueError):  # LinAlgError is a ValueError
            continue
        by_number = not given and all(
            isinstance(item, Case) and item.given is None for item in stated
        )
        said = {}
        for item in stated:
            for text, answer in _said(item):
                said.setdefault(text, {})[answer if by_number else ""] = None
        return [
            Slip(text, " or ".join(filter(None, answers)))
            for text, answers in said.items()
        ]
    return []


def _said(item):
    """Yield the hints of one comparison, and for each an answer that leads to it."""
    shows = item.say.format if isinstance(getattr(item, "say", None), str) else None
    for _, hint, value in item.known():
        plain = shows and np.ndim(value) == 0 and not callable(value)
        yield _text(hint), shows(value) if plain else ""
    for _, hint in (*getattr(item, "odd", ()), *getattr(item, "errors", ())):
        yield _text(hint), ""
    for hint in (getattr(item, "hint", ""), getattr(item, "otherwise", "")):
        if hint:
            yield _text(hint), ""


def _text(hint):
    return hint.text if isinstance(hint, Hint) else hint


def _answered(task, checks):
    """Return what is worth knowing of a task: its slips, and the model answer."""
    called = re.findall(r"\bchecks\.(\w+)\(", task.cells[-1].source)
    known = [getattr(checks, name, None) for name in dict.fromkeys(called)]
    said = [slip for each in known if hasattr(each, "stated") for slip in slips(each)]
    sources = [c.source for c in task.cells if labs.SOLUTION.search(c.source)]
    return said, "\n\n".join(map(_solution, sources))


def _solution(source):
    """Return a model answer: of a function all, else what stands between the marks."""
    if re.search(r"^[ \t]+### BEGIN SOLUTION", source, re.M):
        return MARKS.sub("", source).strip()
    return "".join(labs.SOLUTION.findall(source)).removeprefix("**Answer.** ").strip()


def _hunts(notebook, plan):
    """Return the bugs of a lab's hunt, those for students and those held: two Pools."""
    if not plan.hunt:
        return []
    return [hunt.pool(notebook, plan.hunt, held=held) for held in (False, True)]


def _numbered_code(lines):
    return html_of.code("\n".join(f"{i:2}  {line}" for i, line in enumerate(lines, 1)))


# --- What the notebook says ----------------------------------------------------------


def recall(notebook):
    """Return the questions to recall a lab by, with their answers: a list of pairs."""
    source = notebook.cells[-1].source
    asked = re.search(r"\*\*Recall\*\*(.*?)(?=<details>|\*\*|\Z)", source, re.S)
    told = re.search(r"<details>(.*?)</details>", source, re.S)
    both = [_numbered(found[1]) if found else {} for found in (asked, told)]
    return [(question, both[1].get(i, "")) for i, question in both[0].items()]


def _numbered(text):
    """Return the entries of a numbered list, {number: text}."""
    found = re.findall(r"^(\d+)\. (.+?)(?=\n\d+\. |\n\n|\Z)", text, re.M | re.S)
    return dict(found)


def glossary(notebook):
    """Return the terms in bold, with the sentence that brings them up: a sorted list.

    Terms of one sentence stand together.
    """
    found = {}
    for cell in notebook.cells[1:-1]:
        if cell.cell_type != "markdown" or cell.metadata.get("nbgrader"):
            continue
        for sentence, told in _sentences(cell.source):
            terms = [] if CONTRAST.search(sentence) else TERM.findall(sentence)
            terms = [t for t in terms if _is_term(t) and t.lower() not in found]
            found |= {t.lower(): (t, told) for t in terms}
    together = {}
    for term, sentence in found.values():
        together.setdefault(sentence, []).append(term)
    pairs = [(", ".join(terms), sentence) for sentence, terms in together.items()]
    return sorted(pairs, key=lambda pair: pair[0].strip("`").lower())


def _sentences(source):
    """Yield each sentence of a text, and the same with what it leans on."""
    for paragraph in PARAGRAPH.split(source):
        sentences = SENTENCE.split(paragraph.removeprefix("- "))
        for i, each in enumerate(sentences):
            leans = LEANS.match(each) or len(each.split()) < FEWEST_WORDS
            yield each, " ".join(sentences[max(i - 1, 0) if leans else i : i + 1])


def _is_term(text):
    return (
        len(text) >= SHORTEST_TERM
        and len(text.split()) <= MOST_WORDS
        and not re.search(r"[.?:\d]$", text)  # "rank 1" is a case of a term
    )


def _asked(task):
    """Return what a task asks for in short: of code, its first words and signature."""
    paragraphs = re.sub(r"<details>.*?</details>", "", task.text, flags=re.S)
    paragraphs = [p for p in paragraphs.strip().split("\n\n") if p]
    if not task.is_written:
        paragraphs = paragraphs[:1] + [p for p in paragraphs[1:] if p.startswith("`")]
    return "\n\n".join(paragraphs)
