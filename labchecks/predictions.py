"""Predict, then run: did you commit to an answer, and was it the right one?"""

from hashlib import sha256

from labchecks.verdicts import Check, record, register

# {question: (lab, what can be answered, a digest of the question and its answer)}
_QUESTIONS = {
    "uncleared": ("01", "abc", "cfe601f4ac80"),
    "starts": ("01", ("50", "100", "200"), "e7c281d53c28"),
    "scaled": ("01", ("5", "50", "500"), "2bf097bfccd8"),
    "centre": ("02", "abc", "9328c30ec367"),
    "drift": ("02", "abc", "6d1311dcf113"),
    "loss": ("03", "abc", "b795109ad1a7"),
    "twice": ("03", "abc", "157b724fb62f"),
    "proper": ("03", "abc", "ba7ee5f8f219"),
    "baseline": ("03", "abc", "d6e836d399ff"),
    "zero-run": ("04", "abc", "da17ab5b09d0"),
    "escape": ("04", ("20", "200", "1000"), "16848e6d2ea1"),
    "rate-sweep": ("04", "abcd", "d0d8d248b212"),
    "pca": ("04", "abc", "d0253ed84bb7"),
    "ratio": ("05", ("2", "50", "more"), "ae285c72edd6"),
    "test-loss": ("05", "ab", "f8a55a8a06de"),
    "copies": ("05", ("colour", "brightness", "detail"), "87aea2135603"),
    "steps": ("05", ("tens", "hundreds", "thousands"), "a129a48a39d6"),
}


def prediction(question, answer=None):
    """Compare the answer to a question of "Predict, then run" with what happens.

    ``question`` is named after the cell that follows; ``answer`` is one of the options,
    or None as long as there is none.
    """
    given = [question] if question in _QUESTIONS else sorted(_QUESTIONS)
    lab, options, digest = _QUESTIONS[given[0]]
    title, where = f"Prediction {question}, lab {lab}", f"lab {lab}"
    if question not in _QUESTIONS:
        hint = "Leave the name of the question as it stands in the lab."
        seen, known = f"the question {question!r}", ", ".join(given)
        return Check(title, False, seen, f"one of {known}", hint, where)
    if answer is None or answer is ...:
        return record(Check(title, None))
    answer = str(answer).strip(" ()").lower()
    if answer not in options:
        hint = "Commit to one of the options, even if you are not sure."
        seen, expected = f"the answer {answer!r}", f"one of {', '.join(options)}"
        return record(Check(title, False, seen, expected, hint, where))
    if _digest(question, answer) == digest:
        return record(Check(title, True))
    hint = "Go on. What did you expect, and what happens instead?"
    seen, expected = f"the answer {answer!r}", "another option"
    return record(Check(title, False, seen, expected, hint, where))


def _digest(question, answer):
    return sha256(f"autograd-labs {question} {answer}".encode()).hexdigest()[:12]


for _question, (_lab, _, _) in _QUESTIONS.items():
    register(_question, f"Prediction {_question}, lab {_lab}")
