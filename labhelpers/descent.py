"""Gradient descent from raw tensors: one loop for every lab.

A batch of runs is a shape, not a loop: parameters may carry a leading ``runs`` axis,
and the loss then returns one value per run. The losses are summed before they are
differentiated; a run's parameters occur in its own loss only, so the runs stay
independent, and one that diverges turns NaN alone.
"""

from functools import partial
from typing import NamedTuple

import torch

from labhelpers._bar import Steps
from labhelpers._require import require, require_count, require_number, require_tensor


class Trace(NamedTuple):
    """Where a descent ended, and how it went.

    ``params``: the parameters after the last update. ``losses``, of shape
    ``(steps + 1, *runs)``: ``losses[t]`` is the loss after t updates. ``diverged``, of
    shape ``runs``: True where a loss became infinite or NaN. After an interrupt (Ctrl-C
    or the stop button) there are fewer losses; the last is that of ``params``.

    Examples
    --------
    >>> start = torch.tensor([4.0, -3.0])
    >>> descend(lambda x: x**2, [start], lr=[0.25, 1e30], steps=2).diverged.tolist()
    [False, True]
    """

    params: tuple
    losses: torch.Tensor
    diverged: torch.Tensor


class Sharpness(NamedTuple):
    """The largest Hessian eigenvalue, its unit eigenvector, and how it was found.

    Examples
    --------
    >>> value, (v,), *_ = sharpness(lambda x: 3 * x**2, [torch.tensor(1.0)])
    >>> value, abs(v.item())
    (6.0, 1.0)
    """

    value: float
    direction: tuple
    iterations: int
    converged: bool


@torch.enable_grad()
def descend(loss_fn, params, *, lr, steps, precondition=None):
    """Minimise a loss by gradient descent: ``p ← p − lr · ∂loss/∂p``, ``steps`` times.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(*params)`` returns a scalar, or one loss per run, shape ``runs``. A
        parameter that it does not use stays where it is.
    params : sequence of Tensor
        The start, left unchanged; float32 or float64, on any device. With several runs,
        each has shape ``(*runs, ...)``.
    lr : float or Tensor of shape runs
        The learning rate, positive, for all runs or one for each.
    steps : int
        The number of updates, at least 1.
    precondition : callable, optional
        ``precondition(params, gradients)`` returns what to step along instead of the
        gradients, in their shapes.

    Returns
    -------
    Trace
        The parameters after the last update, ``steps + 1`` losses, and which runs
        diverged. Divergence is a result: nothing is raised. An interrupt is none
        either: what has been learned so far comes back, with its losses.

    Examples
    --------
    >>> start = torch.tensor([4.0, -3.0])  # two runs, one number each
    >>> descend(lambda x: x**2, [start], lr=0.25, steps=2).losses.tolist()
    [[16.0, 9.0], [4.0, 2.25], [1.0, 0.5625]]
    """
    steps = require_count("steps", steps)
    params = _variables(params)
    loss = _loss(loss_fn, params)
    rates = _rates(lr, loss, params)
    ones = torch.ones_like(loss)
    losses = loss.new_empty(steps + 1, *loss.shape)  # pieces would leave gaps in memory
    with Steps(steps, doing="descent") as progress:
        for t in progress:
            loss = loss_fn(*params)
            losses[t] = loss.detach()
            gradients = torch.autograd.grad(loss, params, ones, materialize_grads=True)
            if precondition is not None:
                gradients = _directions(precondition, params, gradients)
            with torch.no_grad():
                for p, rate, gradient in zip(params, rates, gradients, strict=True):
                    p.addcmul_(rate, gradient, value=-1)  # p −= rate · gradient
    losses = losses[: progress.done + 1]
    losses[-1] = loss_fn(*params).detach()
    diverged = ~losses.isfinite().all(dim=0)
    return Trace(tuple(p.detach() for p in params), losses, diverged)


@torch.enable_grad()
def sharpness(loss_fn, params, *, tol=1e-4, max_iterations=10_000, seed=0):
    """Return the largest eigenvalue of the Hessian of a loss: its curvature.

    Gradient descent near a minimum is stable while ``lr < 2 / sharpness``. The Hessian
    H is never formed: the power iteration needs only products ``H v``, each one more
    pass of autograd (Pearlmutter, 1994). Lab 00 builds this iteration.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(*params)`` returns a scalar.
    params : sequence of Tensor
        The point, left unchanged; float32 or float64, on any device.
    tol : float
        From 1e-16 to 1. Stop when ``‖H v − value · v‖`` is at most ``tol`` times the
        size of H.
    max_iterations : int
        Give up, with ``converged=False``, after so many products.
    seed : int
        Of the direction in which the iteration starts, from 0 to 2⁶³ − 1.

    Returns
    -------
    Sharpness
        ``value``; the unit eigenvector ``direction``, in the shapes of ``params``;
        ``iterations``; and ``converged``: ``value`` is then off by at most ``tol``
        times the size of H, mostly by far less.

    Notes
    -----
    At a saddle, H has eigenvalues of both signs, and the plain iteration would go to
    the largest in size. We iterate with ``H + c``, where c is the largest ``‖H v‖`` met
    so far: this lifts the eigenvalues above zero and keeps their order.

    Examples
    --------
    >>> point = [torch.tensor(1.0), torch.tensor(1.0)]  # of a saddle
    >>> round(sharpness(lambda x, y: x**2 - 3 * y**2, point).value, 3)
    2.0
    """
    tol = require_number("tol", tol, low=1e-16, high=1)
    max_iterations = require_count("max_iterations", max_iterations)
    seed, generator = require_count("seed", seed, 0, 2**63 - 1), torch.Generator()
    params = _variables(params)
    require(not params[0].is_meta, "params", "the device meta", "tensors with numbers")
    loss = _loss(loss_fn, params)
    found = f"a result of shape {tuple(loss.shape)}"
    require(loss.ndim == 0, "loss_fn", found, "a scalar loss")
    flat = sum(0 * (p * p).sum() for p in params)  # a linear loss has a Hessian too: 0
    gradients = torch.autograd.grad(loss + flat, params, create_graph=True)

    def hessian_times(v):
        return torch.autograd.grad(gradients, params, v, retain_graph=True)

    generator.manual_seed(seed)
    v = _unit([normal(*p.shape, generator=generator).to(p) for p in params])
    shift = 0.0
    for iteration in range(1, max_iterations + 1):
        Hv = hessian_times(v)
        value = _dot(v, Hv)
        shift = max(shift, _dot(Hv, Hv) ** 0.5)
        rest = [a - value * b for a, b in zip(Hv, v)]
        error = _dot(rest, rest) ** 0.5
        if not error > tol * shift:  # NaN stops here too
            return Sharpness(value, v, iteration, error <= tol * shift)
        v = _unit([a + shift * b for a, b in zip(Hv, v)])
    return Sharpness(value, v, max_iterations, False)


def uniform(*shape, generator, dtype=torch.float64):
    """Draw a tensor of this shape from the uniform distribution on [0, 1).

    Examples
    --------
    >>> uniform(2, 3, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3])
    """
    return _draw(torch.rand, shape, generator=generator, dtype=dtype)


def normal(*shape, std=1.0, generator, dtype=torch.float64):
    """Draw a tensor of this shape from N(0, std²).

    Drawn on the CPU, in float64, and then converted: the same numbers everywhere.

    Examples
    --------
    >>> normal(3, generator=torch.Generator().manual_seed(0), dtype=torch.float32).dtype
    torch.float32
    """
    std = require_number("std", std)
    sample = partial(torch.normal, 0.0, std)
    return _draw(sample, shape, generator=generator, dtype=dtype)


def learning_rates(lr):
    """Return ``lr``, a number or one per run, as a tensor; refuse what is neither.

    Examples
    --------
    >>> learning_rates([0.1, 0.5])
    tensor([0.1000, 0.5000], dtype=torch.float64)
    """
    try:
        values = lr.tolist() if hasattr(lr, "tolist") else lr  # from whatever device
        rates = torch.as_tensor(values, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        rates = torch.empty(0)
    positive = rates.numel() > 0 and bool((rates.isfinite() & (rates > 0)).all())
    require(positive, "lr", repr(lr), "positive and finite, a number or one per run")
    return rates


def draw_start(draw, *, seed, runs=None):
    """Draw the start of one run, or of many.

    Parameters
    ----------
    draw : callable
        ``draw(generator)`` returns a tuple of tensors, the start of one run.
    seed : int
        From 0 to 2⁶³ − 1. Run ``i`` of many gets the generator of seed ``seed + i``: it
        is the run that you would get alone with that seed.
    runs : int, optional
        How many. Without it the tensors have no ``runs`` axis.

    Returns
    -------
    tuple of Tensor
        With ``runs``, each has shape ``(runs, ...)``.

    Examples
    --------
    >>> [x] = draw_start(lambda g: (uniform(3, generator=g),), seed=0, runs=2)
    >>> x.shape
    torch.Size([2, 3])
    """
    seed, generator = require_count("seed", seed, 0, 2**63 - 1), torch.Generator()
    first = draw(generator.manual_seed(seed)) if callable(draw) else None
    drawn = isinstance(first, (tuple, list)) and all(map(torch.is_tensor, first))
    require(drawn, "draw", repr(draw), "a function that returns a tuple of tensors")
    if runs is None:
        return tuple(first)
    runs = require_count("runs", runs)
    starts = tuple(p.new_empty(runs, *p.shape) for p in first)
    for low in range(0, runs, 1000):  # many at once: quicker than one by one
        seeds = range(seed + low, seed + min(low + 1000, runs))
        block = [draw(generator.manual_seed(number)) for number in seeds]
        try:
            for start, tensors in zip(starts, zip(*block, strict=True), strict=True):
                torch.stack(tensors, out=start[low : low + 1000])
        except (TypeError, ValueError, RuntimeError):
            require(False, "draw", repr(draw), "a function that keeps to its shapes")
    return starts


def _draw(sample, shape, *, generator, dtype):
    known = isinstance(generator, torch.Generator) and isinstance(dtype, torch.dtype)
    try:
        if known and dtype.is_floating_point:
            return sample(shape, generator=generator, dtype=torch.float64).to(dtype)
    except (TypeError, RuntimeError):  # torch's own words name no argument
        pass
    allowed = "sizes, a torch.Generator of the CPU and a floating-point dtype"
    seen = f"{shape}, {generator!r} and {dtype!r}"
    return require(False, "shape, generator and dtype", seen, allowed)


def _variables(params):
    """Copy the parameters, ready to be differentiated by."""
    several = isinstance(params, (tuple, list))
    require(several, "params", type(params).__name__, "a tuple or list of tensors")
    require(len(params) > 0, "params", "none", "at least one tensor")
    for p in params:
        require_tensor("params", p, params[0])
    return tuple(p.detach().clone().requires_grad_() for p in params)


def _loss(loss_fn, params):
    """Return the loss there, which autograd must be able to differentiate, by run."""
    loss = loss_fn(*params) if callable(loss_fn) else loss_fn
    differentiable = torch.is_tensor(loss) and loss.requires_grad
    differentiable = differentiable and loss.is_floating_point()
    allowed = "a function with a result that autograd can differentiate"
    require(differentiable, "loss_fn", f"one that returns {loss!r}", allowed)
    allowed = "a function that returns a scalar, or one loss per run"
    for p in params:
        found = f"shape {tuple(loss.shape)} for a parameter of shape {tuple(p.shape)}"
        require(p.shape[: loss.ndim] == loss.shape, "loss_fn", found, allowed)
    return loss


def _directions(precondition, params, gradients):
    found = precondition(params, gradients) if callable(precondition) else None
    several = found if isinstance(found, (tuple, list)) else ()
    shapes = [d.shape for d in several if torch.is_tensor(d)]
    allowed = "a function that returns a tensor for each parameter, in its shape"
    fits = shapes == [p.shape for p in params]
    require(fits, "precondition", f"one that returns shapes {shapes}", allowed)
    return found


def _rates(lr, loss, params):
    """Return ``lr`` for each parameter, ready to be multiplied by its gradient."""
    rates = learning_rates(lr).to(params[0])
    several = f" or of shape {tuple(loss.shape)}" if loss.ndim else ""
    fits = rates.ndim == 0 or rates.shape == loss.shape
    require(fits, "lr", f"shape {tuple(rates.shape)}", f"a number{several}")
    return [rates.reshape(rates.shape + (1,) * (p.ndim - loss.ndim)) for p in params]


def _dot(u, v):
    return float(sum((a * b).sum() for a, b in zip(u, v)))


def _unit(v):
    length = _dot(v, v) ** 0.5
    return tuple(a / length for a in v)
