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

from labchecks.student import kind
from labchecks.verdicts import Check

_noted = {}  # {title: the option}
_told = set()  # titles whose outcome was shown: what is noted there stays


class Question(NamedTuple):
    """The options of a question, the right one, and {option: its reason}."""

    options: list
    right: str
    reasons: dict


def seal(question):
    """Return a Question as a text that nobody reads by chance.

    >>> unseal(seal(Question("ab", "b", {"a": "So it seems.", "b": "It is."}))).right
    'b'
    """
    packed = zlib.compress(json.dumps(question, ensure_ascii=False).encode(), 9)
    return base64.b85encode(packed).decode()


def unseal(sealed):
    """Return the Question in what ``seal`` returns."""
    return Question(*json.loads(zlib.decompress(base64.b85decode(sealed))))


@dataclass(frozen=True, eq=False, repr=False)
class Noted(Check):
    """A prediction that is on record: ``seen`` is the option, ``told`` if for good."""

    told: bool = False
    state = "noted"
    lines = ()

    @property
    def verdict(self):
        """What is on record, and what to do now."""
        stays = "and it stays so: you have seen the outcome." if self.told else ""
        return f"noted: {self.seen}{', ' + stays if stays else '. Run the next cell.'}"


@dataclass(frozen=True, eq=False, repr=False)
class Outcome(Check):
    """What comes of a prediction: ``seen`` was said, ``expected`` is right.

    ``hint`` is why that is right, ``belief`` what a wrong one comes from.
    """

    belief: str = ""

    @property
    def state(self):
        """The key of its sign: after the experiment, a wrong one has no "yet"."""
        return "not right" if self.passed is False else super().state

    @property
    def verdict(self):
        """What was said, and what is right."""
        if self.passed is None:
            return (
                "not begun. There is no verdict without a prediction: choose, run its "
                "cell, and then this one."
            )
        if self.passed:
            return f"right, it is {self.expected}."
        return f"you said {self.seen}, but it is {self.expected}."

    @property
    def lines(self):
        """The reasons, that of the right option first."""
        said = [(self.expected, self.hint), (self.seen, self.belief)]
        return [(option, reason) for option, reason in said if reason]


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
    where = f"lab {lab}"

    def unknown(question):
        hint = "Leave the name of the question as it stands in the lab."
        seen, known = f"the question {question!r}", ", ".join(sorted(questions))
        title = f"Prediction {question}, lab {lab}"
        return Check(title, False, seen, f"one of {known}", hint, where)

    def prediction(question, answer=None):
        """Note the answer to a question of "Predict, then run"; judge nothing yet.

        ``question`` is named after the cell that follows; ``answer`` is one of the
        options, or empty as long as there is none. It can be changed until
        ``outcome`` has been shown.
        """
        if question not in questions:
            return unknown(question)
        title = f"Prediction {question}, lab {lab}"
        options = questions[question].options
        if title in _told:
            return Noted(title, None, seen=_named(_noted[title]), told=True)
        _noted.pop(title, None)
        if answer is None or answer is ... or str(answer).strip() == "":
            return Check(title, None)
        option = _meant(answer, options)
        if option is None:
            said = repr(answer) if isinstance(answer, str) else kind(answer)
            known = ", ".join(f'"{each}"' for each in options)
            hint = "Commit to one of the options, in quotes, even if you are not sure."
            seen = f"the answer {said}"
            return Check(title, False, seen, f"one of {known}", hint, where)
        _noted[title] = option
        return Noted(title, None, seen=_named(option))

    def outcome(question):
        """Say what comes of the prediction that was noted, and why.

        Call it as the last line of the experiment's own cell.
        """
        if question not in questions:
            return unknown(question)
        title = f"Prediction {question}, lab {lab}"
        _, right, reasons = questions[question]
        if title not in _noted:
            return Outcome(title, None)
        _told.add(title)
        said = _noted[title]
        return Outcome(
            title,
            said == right,
            seen=_named(said),
            expected=_named(right),
            hint=reasons[right],
            belief="" if said == right else reasons[said],
        )

    prediction.questions = questions
    return prediction, outcome


def _named(option):
    return f"({option})" if _is_letter(option) else option


def _is_letter(option):
    return len(option) == 1 and option.isalpha()


def _meant(answer, options):
    """Return the option that an answer clearly stands for, or None.

    >>> _meant(" (C) ", ["a", "b", "c"]), _meant("(a) above", ["a", "b"])
    ('c', 'a')
    >>> _meant(198, ["50", "100", "200"]), _meant("faster", ["a", "b"])
    ('200', None)
    >>> _meant("about 20", ["1000", "200", "20"]), _meant("c", ["1000", "200", "20"])
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
