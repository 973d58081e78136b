"""Predict, then run: did you commit to an answer, and was it the right one?

Each option has a reason: of the right one, why it is right; of a wrong one, the belief
that it comes from. They are written down unreadably, so that a look into a lab's file
gives nothing away; ``python -m labchecks`` makes such an entry, and reads it.
"""

import base64
import json
import re
import zlib
from typing import NamedTuple

from labchecks.verdicts import Check, record, register


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


def predictions(lab, **sealed):
    """Return the function ``prediction`` of a lab.

    Parameters
    ----------
    lab : str
        Its number, such as "04".
    **sealed : str
        By the name of the question, with _ for -, what ``seal`` returns.
    """
    questions = {name.replace("_", "-"): unseal(text) for name, text in sealed.items()}
    titles = {name: register(f"Prediction {name}, lab {lab}") for name in questions}
    where = f"lab {lab}"

    def prediction(question, answer=None):
        """Compare the answer to a question of "Predict, then run" with what happens.

        ``question`` is named after the cell that follows; ``answer`` is one of the
        options, or None as long as there is none.
        """
        if question not in questions:
            hint = "Leave the name of the question as it stands in the lab."
            seen, known = f"the question {question!r}", ", ".join(sorted(questions))
            title = f"Prediction {question}, lab {lab}"
            return Check(title, False, seen, f"one of {known}", hint, where)
        title, (options, right, reasons) = titles[question], questions[question]
        if answer is None or answer is ...:
            return record(Check(title, None))
        seen, option = f"the answer {str(answer)!r}", _meant(answer, options)
        if option is None:
            hint = "Commit to one of the options, even if you are not sure."
            expected = f"one of {', '.join(options)}"
            return record(Check(title, False, seen, expected, hint, where))
        if option == right:
            return record(Check(title, True, hint=reasons[option]))
        hint = f"{reasons[option]} Go on: what happens instead?"
        return record(Check(title, False, seen, "another option", hint, where))

    prediction.questions = questions
    return prediction


def _meant(answer, options):
    """Return the option that an answer stands for, or None.

    >>> _meant(" (C) ", ["a", "b", "c"]), _meant("(a) above", ["a", "b"])
    ('c', 'a')
    >>> _meant(198, ["50", "100", "200"]), _meant("faster", ["a", "b"])
    ('200', None)
    """
    text = str(answer).strip().lower()
    word = re.match(r"\(?([\w.]+)(\)|$)", text)
    for candidate in (text, word and word[1]):
        if candidate in options:
            return candidate
    numbers = [float(each) for each in options if each.isdigit()]
    try:
        value = float(text)
    except ValueError:
        return None
    close = [each for each in numbers if abs(value - each) <= 0.05 * each]
    return f"{close[0]:.0f}" if close else None
