"""Answers as students write them: right ones in several styles, and typical wrong ones.

A wrong answer is written as what differs from the first right one: pairs of a piece of
text and what stands there instead. With it goes a phrase of the hint that is meant for
it. A number needs no source.
"""

import itertools
import linecache
from typing import NamedTuple

import numpy as np
import torch

from labhelpers import minibatch, training

_numbers = itertools.count()


class Exercise(NamedTuple):
    """Right answers, and pairs of a wrong answer and a phrase of its hint.

    ``given`` is what the check gets besides the answer.
    """

    name: str
    right: list
    wrong: list
    given: tuple = ()


def _minibatch_loss(A, B, images):
    return training.autoencoder_loss(A, B, images.T) / len(images)


# What a lab has at hand: modules, and functions that earlier exercises asked for.
AT_HAND = {"np": np, "torch": torch, "minibatch": minibatch, "training": training}
AT_HAND |= {"autoencoder_loss": training.autoencoder_loss}
AT_HAND |= {"minibatch_loss": _minibatch_loss}


def written(source):
    """Return the function that a source text defines; tracebacks show its lines."""
    filename = f"<answer {next(_numbers)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    names = dict(AT_HAND)
    exec(compile(source, filename, "exec"), names)
    functions = [value for value in names.values() if hasattr(value, "__code__")]
    own = [each for each in functions if each.__code__.co_filename == filename]
    return max(own, key=lambda each: each.__code__.co_firstlineno)


def changed(source, changes):
    """Return the source with each piece of text replaced, wherever it occurs."""
    if isinstance(changes, str):
        return changes
    for old, new in changes:
        assert old in source, f"{old!r} is not in the right answer"
        source = source.replace(old, new)
    return source


def answers(exercise):
    """Return the right answers, and the wrong ones as pairs with their hints."""
    if not isinstance(exercise.right[0], str):
        return exercise.right, exercise.wrong
    right = [written(source) for source in exercise.right]
    wrong = [
        (written(changed(exercise.right[0], changes)), hint)
        for changes, hint in exercise.wrong
    ]
    return right, wrong
