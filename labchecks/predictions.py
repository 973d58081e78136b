"""Predict, then run: first an answer is noted, and after the experiment it is judged.

Each option has a reason: of the right one, why it is right; of a wrong one, the belief
that it comes from. They are written down unreadably, so that a look into a lab's file
gives nothing away; ``python -m labchecks`` makes such an entry, and reads it.
"""

import base64
import json
import re
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from labchecks import room
from labchecks.student import kind
from labchecks.verdicts import Check

_noted = {}  # {(lab, question): the option}
_told = set()  # of them, those whose outcome was shown: what is noted stays


class Question(NamedTuple):
    """The options of a question, the right one, and {option: its reason}."""

    options: list
    right: str
    reasons: dict


def seal(question):
    """Return a Question, or another named tuple, as a text that nobody reads by chance.

    >>> unseal(seal(Question("ab", "b", {"a": "So it seems.", "b": "It is."}))).right
    'b'
    """
    packed = zlib.compress(json.dumps(question, ensure_ascii=False).encode(), 9)
    return base64.b85encode(packed).decode()


def unseal(sealed, made=Question):
    """Return the Question, or what else was ``made``, in what ``seal`` returns."""
    return made(*json.loads(zlib.decompress(base64.b85decode(sealed))))


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Check):
    """What is said of a prediction: the key of its sign, the words, and the reasons.

    ``passed`` is None as long as the outcome has not been shown.
    """

    state: str = "not begun"
    verdict: str = ""
    lines: tuple = ()


def predictions(lab, **sealed):
    """Return the functions ``prediction`` and ``outcome`` of a lab.

    Parameters
    ----------
    lab : str
        Its number, such as "04".
    **sealed : str
        By the name of the question, with _ for -, what ``seal`` returns.
    """
    questions = {name.replace("_", "-"): unseal(text) for name, text in sealed.items()}

    def said(
        question, verdict, *, option=None, passed=None, state="not begun", lines=()
    ):
        title = f"Prediction {question}, lab {lab}"
        if option is not None:
            room.tell(title, state, option=option)
        return Prediction(title, passed, state=state, verdict=verdict, lines=lines)

    def unknown(question):
        known = ", ".join(sorted(questions))
        return said(question, f"the lab has no question of this name, but {known}.")

    def prediction(question, answer=None):
        """Note the answer to a question of "Predict, then run"; judge nothing yet.

        ``question`` is named after the cell that follows; ``answer`` is one of the
        options, or empty as long as there is none. It can be changed until
        ``outcome`` has been shown.
        """
        if question not in questions:
            return unknown(question)
        options = questions[question].options
        if (lab, question) in _told:
            noted = _named(_noted[lab, question])
            stays = f"noted: {noted}, and it stays so: you have seen the outcome."
            return said(question, stays, state="noted")
        _noted.pop((lab, question), None)
        if answer is None or answer is ... or str(answer).strip() == "":
            return said(
                question, "not begun. Write your choice in quotes, and run this."
            )
        option = meant(answer, options)
        if option is None:
            seen = repr(answer)[:40] if isinstance(answer, str) else kind(answer)
            known = " or ".join(f'"{each}"' for each in options)
            words = f"{seen} is no option. Commit to {known}, even if you are not sure."
            return said(question, words)
        _noted[lab, question] = option
        words = f"noted: {_named(option)}. Run the next cell."
        return said(question, words, option=option, state="noted")

    def outcome(question):
        """Say what comes of the prediction that was noted, and why.

        Call it as the last line of the experiment's own cell.
        """
        if question not in questions:
            return unknown(question)
        _, right, reasons = questions[question]
        if (lab, question) not in _noted:
            return said(
                question,
                "not begun. There is no verdict without a prediction: choose, run its "
                "cell, and then this one.",
            )
        _told.add((lab, question))
        chosen = _noted[lab, question]
        passed = chosen == right
        words = f"right, it is {_named(right)}."
        if not passed:
            words = f"you said {_named(chosen)}, but it is {_named(right)}."
        each = dict.fromkeys([right, chosen])
        return said(
            question,
            words,
            option=chosen,
            passed=passed,
            state="right" if passed else "not right",
            lines=tuple((_named(option), reasons[option]) for option in each),
        )

    prediction.questions = questions
    return prediction, outcome


def _named(option):
    return f"({option})" if _is_letter(option) else option


def _is_letter(option):
    return len(option) == 1 and option.isalpha()


def meant(answer, options):
    """Return the option that an answer clearly stands for, or None.

    >>> meant(" (C) ", ["a", "b", "c"]), meant("(a) above", ["a", "b"])
    ('c', 'a')
    >>> meant(198, ["50", "100", "200"]), meant("faster", ["a", "b"])
    ('200', None)
    >>> meant("about 20", ["1000", "200", "20"]), meant("c", ["1000", "200", "20"])
    ('20', '20')
    """
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", str(answer).strip().lower())
    if text in options:
        return text
    letters = [each for each in options if _is_letter(each)]
    several = re.match(r"\(?[a-z]\)?\s*(?:,|/|or\b|and\b)\s*\(?[a-z]\b", text)
    first = re.match(r"(?:\(([a-z])\)|([a-z])(?:[).,:;]|$| +[-–—]))", text)
    if first:
        letter = first[1] or first[2]
        place = ord(letter) - ord("a")
        in_order = letters or options[:26]
        if several or (letters and letter not in letters) or place >= len(in_order):
            return None
        return letter if letters else options[place]
    for option in options:
        if not option.isdigit() and not _is_letter(option) and text.startswith(option):
            return option
    try:
        (number,) = map(float, re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text))
    except ValueError:
        return None
    numbers = [each for each in options if each.isdigit()]
    close = [each for each in numbers if 0.8 <= number / float(each) <= 1.25]
    return close[0] if len(close) == 1 else None
