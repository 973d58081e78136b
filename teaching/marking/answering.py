"""In the kernel: what is asked for is called, and it is watched what that enters."""

import contextlib
import functools
import io
import json
import os
import sys
import threading
import warnings

import torch

import labchecks
import labhelpers
from labchecks import given
from labchecks.student import frames_of, measure, same_state_after, seed_all
from teaching.marking.values import pack, unpack, write

PACKAGES = tuple(
    os.path.join(os.path.dirname(package.__file__), "")
    for package in (labhelpers, labchecks)
)
MOST_FRAMES = 10  # of an error


def reply(names, request):
    """Evaluate an expression, or call what it stands for; return a text.

    Parameters
    ----------
    names : dict
        The student's names.
    request : str
        JSON: ``answer``, an expression; and for a call ``args``, ``kwargs``, ``seed``,
        and whether to ``measure`` it.

    Returns
    -------
    str
        By ``values.write``: ``value``, ``given`` (what the arguments are afterwards),
        ``gradients`` of the value, ``changed`` settings, ``entered`` functions of the
        package, and ``multiplications`` and ``peak`` bytes if they were measured; or
        ``error``: its name, its text, and the frames of the student's code, each a
        function, a line's number, and the line.
    """
    request = json.loads(request)
    try:
        answer = eval(request["answer"], names)
        if "args" not in request:
            return write({"value": pack(answer)})
        return write(_call(answer, request))
    except BaseException as error:  # whatever a student's code may raise
        frames = [[f.name, f.lineno, f.line or ""] for f in frames_of(error)]
        said = [type(error).__name__, str(error)[:500], frames[-MOST_FRAMES:]]
        return write({"error": said})


def _call(function, request):
    args = [unpack(each) for each in request["args"]]
    kwargs = {name: unpack(each) for name, each in request["kwargs"].items()}
    entered = set()
    function = watched(function, entered)
    if request["measure"]:
        function = functools.partial(measure, function)
    with (
        torch.enable_grad(),  # as in the thread of a student's own check
        same_state_after() as changed,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        seed_all(request["seed"])
        value = function(*args, **kwargs)
    taken = {}
    if request["measure"]:
        taken = {"multiplications": value.multiplications, "peak": value.peak}
        value = value.result
    return taken | {
        "value": pack(value),
        "given": [pack(each) for each in [*args, *kwargs.values()]],
        "gradients": _gradients(value, args),
        "changed": changed,
        "entered": sorted(entered),
    }


def watched(function, entered):
    """Return a function that adds to ``entered`` what it calls of the package.

    Parameters
    ----------
    function : callable
    entered : set
        Gets names such as ``training.factorise`` and ``labchecks.lab01.svd_loss``: of
        functions that code from elsewhere has called, not of what those call in turn,
        nor of what a check has given.
    """

    def enter(frame, event, argument):
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(PACKAGES) and file != given.__file__:
            caller = frame.f_back and frame.f_back.f_code.co_filename
            if not (caller and caller.startswith(PACKAGES)):
                entered.add(_name(frame))

    def call(*args, **kwargs):
        before = sys.getprofile()
        threading.setprofile(enter)
        sys.setprofile(enter)
        try:
            return function(*args, **kwargs)
        finally:
            sys.setprofile(before)
            threading.setprofile(None)

    return call


def _name(frame):
    module = str(frame.f_globals.get("__name__", "")).removeprefix("labhelpers.")
    name = frame.f_code.co_qualname.replace(".<locals>", "")
    return f"{module}.{name}".replace("<", "").replace(">", "")


def leaves(args):
    """Return those of the arguments that are tensors and ask for a gradient."""
    return [x for x in args if isinstance(x, torch.Tensor) and x.requires_grad]


def _gradients(value, args):
    """Return the gradients of one number, for each tensor that asks for its own."""
    asking = leaves(args)
    has_graph = isinstance(value, torch.Tensor) and value.requires_grad
    if not asking or not has_graph or value.numel() != 1:
        return []
    gradients = torch.autograd.grad(value.sum(), asking, materialize_grads=True)
    return [pack(gradient.detach()) for gradient in gradients]
