"""The side of the marker: judge an answer that lives in another process.

The checks are those that the student has seen, on problems of other seeds. They run
here, where no code of a student ever runs; only numbers, tensors and arrays come from
the kernel. So nothing that a notebook does to its own checks can make a wrong answer
right.
"""

import ast
import builtins
import inspect
import json
import queue
import time
import tracemalloc
from typing import NamedTuple

import numpy as np
import torch

import labchecks as checks
from teaching.marking.values import Function, Other, pack, unpack

ASK = "__import__('teaching.marking.answering', fromlist=['reply']).reply("
ASK += "get_ipython().user_ns, {!r})"
MOST_TEXT = MOST_BYTES = 50 * 2**20


class Question(NamedTuple):
    """One check of a cell: its name, and the expressions that it is given."""

    check: str
    answer: str
    given: tuple


class Silent(Exception):
    """The kernel does not answer."""


def questions(source):
    """Return the Questions of a graded cell, in order; predictions are not marked.

    >>> questions("print(1)\\nchecks.largest_lr_factorisation(rate, A.T)")
    [Question(check='largest_lr_factorisation', answer='rate', given=('A.T',))]
    """
    asked = [
        (node.func.attr, *map(ast.unparse, node.args))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "checks"
        and node.args
    ]
    return [Question(name, answer, tuple(given)) for name, answer, *given in asked]


def judge(asker, question, given, *, seeds, seconds):
    """Return a Check: the first that isn't passed, or the last.

    Parameters
    ----------
    asker : Asker
        A way to the kernel with the answer.
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
    check = getattr(checks, question.check)
    for seed in seeds:
        asker.limit(seconds)
        try:
            answer = asker.answer(question.answer)
        except Silent:
            raise
        except Exception as error:  # as many kinds as there are students
            answer = Other(f"{type(error).__name__}: {error}")
        verdict = check(answer, *given, seed=seed, seconds=seconds + 5)
        if asker.silent:
            raise Silent
        if not verdict:
            break
    return verdict


class Asker:
    """Asks a kernel for values and results.

    ``client`` is a blocking client; ``alive`` a function that tells whether the kernel
    is. ``silent`` is set once it has not answered in time.
    """

    def __init__(self, client, alive):
        self.client, self.alive = client, alive
        self.silent = False
        self.limit(10)

    def limit(self, seconds):
        """Give what follows so many seconds together."""
        self.deadline = time.monotonic() + seconds

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
        text = ast.literal_eval(text["data"]["text/plain"][:MOST_TEXT])
        reply = json.loads(text)
        if "error" in reply:
            raise _error(*reply["error"])
        return reply

    def _wait(self, sent):
        while time.monotonic() < self.deadline and self.alive():
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
        reply = self.asker.ask(
            {
                "answer": self.expression,
                "args": [pack(each) for each in args],
                "kwargs": {name: pack(each) for name, each in kwargs.items()},
                "seed": torch.initial_seed() % 2**32,
                "count": _counts(),
                "trace": tracemalloc.is_tracing(),
            }
        )
        if reply["changed"]:
            raise RuntimeError(f"your function changes {', '.join(reply['changed'])}")
        for mine, now in zip([*args, *kwargs.values()], reply["given"]):
            _follow(mine, unpack(now))
        _work(reply["flops"], reply["peak"])
        value = unpack(reply["value"])
        gradients = [unpack(gradient) for gradient in reply["gradients"]]
        return _with_graph(value, gradients, args) if gradients else value


def _counts():
    """Whether somebody counts the work of what is called now."""
    modes = torch.utils._python_dispatch._get_current_dispatch_mode_stack()
    return any("FlopCounter" in type(mode).__name__ for mode in modes)


def _work(flops, peak):
    """Take so much work, and so many bytes, for one who counts them here."""
    if flops:
        row, column = (1, flops // 2), (flops // 2, 1)
        torch.empty(row, device="meta") @ torch.empty(column, device="meta")
    np.empty(min(peak, MOST_BYTES), np.uint8)


def _follow(mine, now):
    """Change an argument as it was changed in the kernel."""
    if isinstance(mine, list) and isinstance(now, list):
        mine[:] = now
    if isinstance(mine, torch.Tensor | np.ndarray):
        with torch.no_grad():
            if isinstance(now, type(mine)) and now.shape == mine.shape:
                mine[...] = now
            else:
                mine[...] = float("nan")


def _with_graph(value, gradients, args):
    leaves = [x for x in args if isinstance(x, torch.Tensor) and x.requires_grad]
    value = value.detach()

    class Returned(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *leaves):
            return value.clone()

        @staticmethod
        def backward(ctx, weight):
            return tuple(weight * gradient for gradient in gradients)

    return Returned.apply(*leaves)


def _error(name, text):
    """Return an error like the one in the kernel, if it is of a kind that all know."""
    kind = getattr(builtins, name, None)
    plain = isinstance(kind, type) and issubclass(kind, Exception)
    return (
        kind(text)
        if plain and kind is not UnicodeDecodeError
        else RuntimeError(f"{name}: {text}")
    )
