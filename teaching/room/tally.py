"""Count what the lines of a class say of one lab."""

import itertools
import statistics
from collections import Counter
from typing import NamedTuple

BREAK, RERUN = 30 * 60, 20  # seconds: a longer gap is no work, nor is less in all
FEWEST = 3  # times, for a median


class Standing(NamedTuple):
    """Where a class stands in an exercise: how many sessions, and what most are told.

    ``hint`` is the key of the commonest hint of those who are not right yet, if two
    have it, and ``hints`` how many have it; ``minutes`` the median, or None.
    """

    right: int
    wrong: int
    not_begun: int
    hint: str | None
    hints: int
    minutes: float | None


def sessions(lines, lab):
    """Return {session: its lines} of those with a line on a lab, in order."""
    found = {}
    for line in lines:
        if line.lab == lab:
            found.setdefault(line.session, []).append(line)
    return found


def standing(found, exercise):
    """Return the Standing of an exercise in what ``sessions`` found."""
    last = [
        [line for line in lines if line.about == exercise][-1:]
        for lines in found.values()
    ]
    last = list(itertools.chain(*last))
    states = Counter(line.state for line in last)
    wrong = [line.hint for line in last if line.state == "not right yet"]
    hints = Counter(hint for hint in wrong if hint)
    [(hint, count)] = hints.most_common(1) or [(None, 0)]
    if count < 2:
        hint, count = None, 0  # of one person alone nothing is told
    right, wrong = states["right"], len(wrong)
    times = [minutes(lines, exercise) for lines in found.values()]
    times = [each for each in times if each is not None]
    took = statistics.median(times) if len(times) >= FEWEST else None
    return Standing(right, wrong, len(found) - right - wrong, hint, count, took)


def minutes(lines, exercise):
    """Return how long one session took for an exercise, or None if that isn't known.

    It is the time between lines that follow each other, added up over those on this
    exercise, to the first that is right. It isn't known where that is still to come,
    where no line came before, where a gap is longer than a break, and where all is done
    in no time: a lab that was run again.
    """
    total = 0
    for before, line in itertools.pairwise([None, *lines]):
        if line.about != exercise:
            continue
        gap = line.time - before.time if before else BREAK + 1
        if gap > BREAK:
            return None
        total += gap
        if line.state == "right":
            return total / 60 if total >= RERUN else None
    return None


def votes(found, question, options):
    """Return {option: how many sessions have it noted}."""
    last = {
        line.session: line.option
        for lines in found.values()
        for line in lines
        if line.about == question
    }
    count = Counter(last.values())
    return {option: count[option] for option in options}


def liveliest(lines):
    """Return the lab that most sessions have a line on, or None."""
    pairs = {(line.session, line.lab) for line in lines}
    count = Counter(lab for _, lab in sorted(pairs))
    return max(count, key=lambda lab: (count[lab], lab), default=None)
