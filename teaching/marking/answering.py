"""The side of the student: call an answer in the kernel where it was written.

What is returned here may be forged by what runs in that kernel. It is taken for the
result of the student's function, never for a verdict: see ``judging``.
"""

import contextlib
import io
import json
import random
import tracemalloc
import warnings

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from labchecks import student as safety
from teaching.marking.values import pack, unpack


def reply(names, request):
    """Evaluate an expression, or call what it stands for; return JSON, a str.

    Parameters
    ----------
    names : dict
        The student's names.
    request : str
        JSON: ``answer``, an expression; and for a call ``args``, ``kwargs``, ``seed``,
        and whether to ``count`` what is multiplied and to ``trace`` what is held.

    Returns
    -------
    str
        JSON: ``value``, ``given`` (what the arguments are afterwards), ``gradients``
        of the value, ``flops``, ``peak`` bytes, ``changed`` settings; or ``error``,
        its name and text.
    """
    request = json.loads(request)
    try:
        answer = eval(request["answer"], names)
        if "args" not in request:
            return json.dumps({"value": pack(answer)})
        return json.dumps(_call(answer, request))
    except BaseException as error:  # whatever a student's code may raise
        return json.dumps({"error": [type(error).__name__, str(error)[:500]]})


def _call(function, request):
    args = [unpack(each) for each in request["args"]]
    kwargs = {name: unpack(each) for name, each in request["kwargs"].items()}
    settings, states = safety._settings(), safety._random_states()
    counter = FlopCounterMode(display=False) if request["count"] else None
    if request["trace"]:
        tracemalloc.start()
    _seed(request["seed"])
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            counter or contextlib.nullcontext(),
        ):
            warnings.simplefilter("ignore")
            value = function(*args, **kwargs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        now = safety._settings()
        safety._restore(settings)
        for put_back, state in states:
            put_back(state)
    return {
        "value": pack(value),
        "given": [pack(each) for each in [*args, *kwargs.values()]],
        "gradients": _gradients(value, args),
        "flops": counter.get_total_flops() if counter else 0,
        "peak": peak,
        "changed": [name for name in now if now[name] != settings[name]],
    }


def _seed(seed):
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)


def _gradients(value, args):
    """Return the gradients of one number, for each tensor that asks for its own."""
    leaves = [x for x in args if isinstance(x, torch.Tensor) and x.requires_grad]
    has_graph = isinstance(value, torch.Tensor) and value.requires_grad
    if not leaves or not has_graph or value.numel() != 1:
        return []
    gradients = torch.autograd.grad(value.sum(), leaves, materialize_grads=True)
    return [pack(gradient) for gradient in gradients]
