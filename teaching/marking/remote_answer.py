"""Ask for an answer in the kernel where it was written; judge it outside.

The checks are those that the student has seen, on problems of other seeds. They run
where no code of a student ever runs; only numbers, tensors and arrays come from the
kernel. So nothing that a notebook does to its own checks can make a wrong answer right.
What a kernel replies may be forged by what runs in it: it is taken for the result of
the student's function, never for a verdict. Its other side is ``answering``.
"""

import ast
import builtins
import importlib
import inspect
import json
import queue
import re
import time
import traceback
from typing import NamedTuple

import numpy as np
import torch

from labchecks.given import KINDS
from labchecks.student import Measured
from teaching.labs import number
from teaching.marking.answering import MOST_FRAMES, leaves
from teaching.marking.clock import PATIENCE
from teaching.marking.values import Function, Other, pack, read, unpack

ASK = "__import__('teaching.marking.answering', fromlist=['reply']).reply("
ASK += "get_ipython().user_ns, {!r})"
NAME = r"[\w.]{1,100}"


class Question(NamedTuple):
    """One check of a cell: its name, and the expressions that it is given."""

    check: str
    answer: str
    given: tuple


class Given(NamedTuple):
    """What the worked lab has for a check.

    ``values`` are packed: what it is given besides the answer. ``calls`` is a set of
    the names of functions of the package that the worked answer calls.
    """

    values: list
    calls: set


class Silent(Exception):
    """The kernel does not answer."""


def checks_of(lab):
    """Return the module with the checks of a lab.

    Raises
    ------
    ValueError
        If there is none of the lab's number.
    """
    name = f"labchecks.lab{number(lab)}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        message = f"lab must be one with checks, got {lab!r}: there is no {name}"
        raise ValueError(message) from None


def questions(source):
    """Return the Questions of a graded cell, in order; predictions are not marked.

    >>> questions("checks.largest_lr_factorisation(rate, A.T)\\nchecks.outcome('b')")
    [Question(check='largest_lr_factorisation', answer='rate', given=('A.T',))]
    """
    asked = [
        (node.func.attr, *map(ast.unparse, node.args))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "checks"
        and node.func.attr not in ("prediction", "outcome")
        and node.args
    ]
    return [Question(name, answer, tuple(given)) for name, answer, *given in asked]


def judge(asker, check, question, given, *, seeds, seconds):
    """Return a Check: the first that isn't passed, or the last.

    Parameters
    ----------
    asker : Asker
        A way to the kernel with the answer.
    check : callable
        That the question names.
    question : Question
    given : tuple
        The values that the check gets besides the answer, not from that kernel.
    seeds : sequence of int
        One for each set of problems.
    seconds : float
        Time limit for one set.

    Raises
    ------
    Silent
        If the kernel does not answer in time, or is dead.
    """
    for seed in seeds:
        asker.limit(seconds)
        try:
            answer = asker.answer(question.answer)
        except Silent:
            raise
        except Exception as error:  # as many kinds as there are students
            answer = Other(f"{type(error).__name__}: {error}")
        verdict = check(answer, *given, seed=seed, seconds=PATIENCE * seconds + 5)
        if asker.silent:
            raise Silent
        if not verdict:
            break
    return verdict


class Asker:
    """Asks a kernel for values and results.

    ``client`` is a blocking client; ``alive`` a function that tells whether the kernel
    is, and ``clock`` one that returns seconds, for limits. ``silent`` is set once the
    kernel has not answered in time.
    """

    def __init__(self, client, alive, clock=time.monotonic):
        self.client, self.alive, self.clock = client, alive, clock
        self.silent, self.entered = False, self.begin()
        self.limit(10)

    def begin(self):
        """Return a set: from now on, it gets the names of functions of the package that
        answers call.
        """
        self.entered = set()
        return self.entered

    def limit(self, seconds):
        """Give what follows so many seconds together."""
        self.deadline = self.clock() + seconds

    def answer(self, expression):
        """Return the value of an expression; a function comes as one that asks."""
        value = unpack(self.ask({"answer": expression})["value"])
        if isinstance(value, Function):
            return _Remote(self, expression, value.parameters)
        return value

    def ask(self, request):
        """Return the reply to a request, a dict; raise what was raised there."""
        if self.silent:
            raise Silent
        code = {"reply": ASK.format(json.dumps(request))}
        sent = self.client.execute("", silent=True, user_expressions=code)
        text = self._wait(sent)["user_expressions"]["reply"]
        if text["status"] != "ok":
            raise RuntimeError(f"{text.get('ename')}: {text.get('evalue')}"[:500])
        reply = read(text["data"]["text/plain"].strip("'"))
        if "error" in reply:
            raise _error(*reply["error"])
        return reply

    def _wait(self, sent):
        while self.clock() < self.deadline and self.alive():
            try:
                message = self.client.get_shell_msg(timeout=0.2)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") == sent:
                return message["content"]
        self.silent = True
        raise Silent


class _Remote:
    """A function that is called in the kernel, with the signature that it has there."""

    def __init__(self, asker, expression, parameters):
        self.asker, self.expression = asker, expression
        kinds = list(inspect._ParameterKind)
        self.__signature__ = inspect.Signature(
            [
                inspect.Parameter(
                    name, kinds[kind], default=None if default else inspect._empty
                )
                for name, kind, default in parameters
            ]
        )

    def __call__(self, *args, **kwargs):
        value, _ = self._ask(args, kwargs, measure=False)
        return value

    def measured(self, *args, **kwargs):
        """Call the function, and return what it took there, a Measured."""
        value, reply = self._ask(args, kwargs, measure=True)
        return Measured(value, int(reply["multiplications"]), int(reply["peak"]))

    def _ask(self, args, kwargs, *, measure):
        reply = self.asker.ask(
            {
                "answer": self.expression,
                "args": [pack(each) for each in args],
                "kwargs": {name: pack(each) for name, each in kwargs.items()},
                "seed": torch.initial_seed() % 2**32,
                "measure": measure,
            }
        )
        self.asker.entered.update(_names(reply["entered"]))
        if reply["changed"]:
            raise RuntimeError(f"your function changes {', '.join(reply['changed'])}")
        for mine, now in zip([*args, *kwargs.values()], reply["given"]):
            _follow(mine, unpack(now))
        value = unpack(reply["value"])
        gradients = [unpack(gradient) for gradient in reply["gradients"]]
        return _with_graph(value, gradients, args) if gradients else value, reply


def _names(entered):
    """Return the names of functions; what else may be there was forged."""
    return [str(name) for name in entered[:100] if re.fullmatch(NAME, str(name))]


def _follow(mine, now):
    """Change an argument as it was changed in the kernel."""
    if isinstance(mine, list) and isinstance(now, list):
        mine[:] = now
    if type(mine) in KINDS.values() and type(now) is type(mine):
        mine.follow(now)
    if isinstance(mine, torch.Tensor | np.ndarray):
        with torch.no_grad():
            if isinstance(now, type(mine)) and now.shape == mine.shape:
                mine[...] = now
                if isinstance(now, torch.Tensor) and now.requires_grad:
                    mine.requires_grad_()
            else:
                mine[...] = float("nan")


def _with_graph(value, gradients, args):
    asking = leaves(args)
    value = value.detach()

    class Returned(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *asking):
            return value.clone()

        @staticmethod
        def backward(ctx, weight):
            return tuple(weight * gradient for gradient in gradients)

    return Returned.apply(*asking)


def _error(name, text, frames=()):
    """Return an error like the one in the kernel, if it is of a kind that all know."""
    name, text = str(name)[:100], str(text)[:500]
    kind = getattr(builtins, name, None)
    plain = isinstance(kind, type) and issubclass(kind, Exception)
    known = plain and kind is not UnicodeDecodeError
    error = kind(text) if known else RuntimeError(f"{name}: {text}")
    error.frames = [
        traceback.FrameSummary("", int(number), str(name)[:100], line=str(line)[:500])
        for name, number, line in frames[-MOST_FRAMES:]
    ]
    return error
