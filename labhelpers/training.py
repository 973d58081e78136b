"""The training code of the course: draw the start, state the loss, descend.

Every trainer takes ``lr`` as a number or one number per run; ``runs``, the number of
starts that train as one batch; and either ``seed`` or an explicit ``start``. Run i has
the seed ``seed + i``. Several rates without ``runs`` share one start, so that only the
rates are compared. Results have a leading ``runs`` axis where there are several runs;
``params`` is the tuple of what was trained. An interrupt is no error: what has been
learned so far comes back, with fewer losses.
"""

from typing import NamedTuple

import torch
from torch.nn.functional import mse_loss

from labhelpers._require import (
    require,
    require_axes,
    require_count,
    require_finite,
    require_number,
    require_start,
    require_targets,
)
from labhelpers.descent import descend, draw_start, learning_rates, normal, uniform


class Factorisation(NamedTuple):
    """``A ≈ U @ V.mT``: U (m, rank), V (n, rank); the rest as in ``descent.Trace``.

    Examples
    --------
    >>> U, V = factorise(torch.ones(4, 3), 2, num_epochs=5, seed=0).params
    >>> U.shape, V.shape
    (torch.Size([4, 2]), torch.Size([3, 2]))
    """

    U: torch.Tensor
    V: torch.Tensor
    losses: torch.Tensor
    diverged: torch.Tensor
    params = property(lambda self: self[:2])


class MLP(NamedTuple):
    """``relu(data @ W1 + b1) @ W2 + b2``; the rest as in ``descent.Trace``.

    W1 (features, hidden), b1 (hidden,), W2 (hidden, classes), b2 (classes,); a scalar
    bias has shape (1,).

    Examples
    --------
    >>> net = train_mlp(torch.eye(3), torch.tensor([0, 1, 0]), hidden=5, seed=0)
    >>> [tuple(p.shape) for p in net.params]
    [(3, 5), (5,), (5, 2), (2,)]
    """

    W1: torch.Tensor
    b1: torch.Tensor
    W2: torch.Tensor
    b2: torch.Tensor
    losses: torch.Tensor
    diverged: torch.Tensor
    params = property(lambda self: self[:4])


class Autoencoder(NamedTuple):
    """``z ≈ A @ (B @ z)``: A (n, k), B (k, n); the rest as in ``descent.Trace``.

    Examples
    --------
    >>> run = train_autoencoder(torch.eye(3), 2, num_epochs=5, lr=[0.1, 0.2], seed=0)
    >>> [tuple(p.shape) for p in run.params], run.losses.shape
    ([(2, 3, 2), (2, 2, 3)], torch.Size([6, 2]))
    """

    A: torch.Tensor
    B: torch.Tensor
    losses: torch.Tensor
    diverged: torch.Tensor
    params = property(lambda self: self[:2])


def factorisation_loss(U, V, A):
    """Return ``‖A − U Vᵀ‖²``, the sum of squares, one per run.

    Examples
    --------
    >>> factorisation_loss(torch.ones(2, 1), torch.zeros(3, 1), 2 * torch.ones(2, 3))
    tensor(24.)
    """
    require_axes(U=(U, "mr"), V=(V, "nr"), A=(A, "mn"))
    return _squared_distance(U @ V.mT, A)


def mlp_logits(data, W1, b1, W2, b2):
    """Return ``relu(data @ W1 + b1) @ W2 + b2``, of shape (*runs, rows, classes).

    Examples
    --------
    >>> W1, b1, W2, b2 = torch.eye(2), torch.zeros(2), torch.ones(2, 1), torch.ones(1)
    >>> mlp_logits(torch.tensor([[3.0, -1.0]]), W1, b1, W2, b2)
    tensor([[4.]])
    """
    layers = {"W1": (W1, "fh"), "b1": (b1, "H"), "W2": (W2, "hc"), "b2": (b2, "C")}
    require_axes(data=(data, "rf"), **layers)
    return _logits(data, (W1, b1, W2, b2))


def _logits(data, layers):
    W1, b1, W2, b2 = layers
    # Rows last, as products of long rows are faster; in place, as runs make it large.
    hidden = (W1.mT @ data.mT).add_(b1.unsqueeze(-1)).relu_()
    return (W2.mT @ hidden).add_(b2.unsqueeze(-1)).mT


def cross_entropy(logits, targets):
    """Return the mean of ``−log softmax(logits)[target]`` over rows, one per run.

    ``logits`` (*runs, rows, classes); ``targets`` (rows,) or (*runs, rows), int64, from
    0 to classes − 1.

    Examples
    --------
    >>> cross_entropy(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0]))  # log 2
    tensor(0.6931)
    """
    require_axes(logits=(logits, "rc"))
    require_targets(targets, logits, most=logits.shape[-1])
    return _cross_entropy(logits, targets)


def _cross_entropy(logits, targets):
    targets = targets.expand(logits.shape[:-1]).unsqueeze(-2)
    log_p = logits.mT.log_softmax(dim=-2)  # rows last, as _logits has them
    return -log_p.gather(-2, targets).mean(dim=(-2, -1))


def accuracy(logits, targets):
    """Return the share of rows whose largest logit is the target's, one per run.

    Examples
    --------
    >>> accuracy(torch.tensor([[1.0, 2.0], [5.0, 0.0]]), torch.tensor([1, 1])).item()
    0.5
    """
    require_axes(logits=(logits, "rc"))
    require_targets(targets, logits, most=logits.shape[-1])
    return (logits.argmax(dim=-1) == targets).double().mean(dim=-1)


def autoencoder_loss(A, B, z):
    """Return ``½ ‖z − A B z‖²``, summed over the columns of ``z``, one per run.

    Examples
    --------
    >>> autoencoder_loss(torch.zeros(2, 1), torch.ones(1, 2), torch.ones(2, 3))
    tensor(3.)
    """
    require_axes(A=(A, "nk"), B=(B, "kn"), z=(z, "ne"))
    return _squared_distance(A @ (B @ z), z) / 2


def _squared_distance(X, Y):
    """Return ``‖Y − X‖²``, one per run, in one pass over both."""
    return mse_loss(X, Y.expand_as(X), reduction="none").sum(dim=(-2, -1))


def factorise(
    A, rank, *, num_epochs=1000, lr=0.01, runs=None, scaled=False, seed=None, start=None
):
    """Factorise a matrix by gradient descent on ``‖A − U Vᵀ‖²``.

    Parameters
    ----------
    A : Tensor, shape (m, n)
        Floating point, finite.
    rank : int
        From 1 to ``min(m, n)``.
    num_epochs : int
        The number of updates, at least 1.
    lr, runs, seed, start
        As for every trainer. ``start`` is ``(U, V)``; drawn, it is uniform on [0, 1).
        Stable below about ``lr = 1 / (2 σ₁)``, σ₁ the largest singular value of A.
    scaled : bool
        Multiply the gradients of U and V by ``(VᵀV)⁻¹`` and ``(UᵀU)⁻¹`` (Tong, Ma and
        Chi, 2021, JMLR 22). A good ``lr`` is then 0.25, however stretched A is; from a
        start that is far off, a few runs wander.

    Returns
    -------
    Factorisation, with fewer losses after an interrupt

    Examples
    --------
    >>> run = factorise(torch.tensor([[0.0, -3.0], [2.0, 0.0]]), 1, seed=0)
    >>> round(run.losses[-1].item(), 3)  # 2², what rank 1 must leave
    4.0
    """
    require_finite("A", A, ndim=[2])
    rank = require_count("rank", rank, 1, min(A.shape))
    num_epochs = require_count("num_epochs", num_epochs)
    require(isinstance(scaled, bool), "scaled", repr(scaled), "True or False")
    m, n = A.shape

    def draw(g):
        return uniform(m, rank, generator=g), uniform(n, rank, generator=g)

    def loss(U, V):
        return _squared_distance(U @ V.mT, A)

    shapes = [(m, rank), (n, rank)]
    start = _start(draw, A, shapes, seed=seed, start=start, runs=runs, lr=lr)
    precondition = _scale if scaled else None
    trace = descend(loss, start, lr=lr, steps=num_epochs, precondition=precondition)
    return Factorisation(*trace.params, *trace[1:])


def train_mlp(
    data,
    targets,
    *,
    hidden=12,
    num_epochs=100,
    lr=0.01,
    bias="vector",
    runs=None,
    seed=None,
    start=None,
):
    """Train a network with one hidden layer of relu units, on the cross-entropy.

    Parameters
    ----------
    data : Tensor, shape (rows, features) or (runs, rows, features)
        Floating point, finite. With a ``runs`` axis, each run has its own rows.
    targets : Tensor of int64, shape (rows,) or (runs, rows)
        Classes 0, 1, …; there are as many as the largest one says.
    hidden : int
        The number of hidden units.
    num_epochs : int
        The number of updates, at least 1, each on all rows.
    bias : {"vector", "scalar"}
        One bias for each unit, or a single number for a whole layer.
    lr, runs, seed, start
        As for every trainer. ``start`` is ``(W1, b1, W2, b2)``, shapes as in
        :class:`MLP`; drawn, weights are N(0, 1) and biases 0.

    Returns
    -------
    MLP, with fewer losses after an interrupt

    Examples
    --------
    >>> net = train_mlp(torch.eye(3), torch.arange(3), lr=1.0, seed=0)
    >>> accuracy(mlp_logits(torch.eye(3), *net.params), torch.arange(3)).item()
    1.0
    """
    require_finite("data", data, ndim=[2, 3])
    num_classes = require_targets(targets, data)
    require(num_classes > 1, "targets", "a single class", "of at least two classes")
    hidden = require_count("hidden", hidden)
    num_epochs = require_count("num_epochs", num_epochs)
    known = str(bias) in ("vector", "scalar")
    require(known, "bias", repr(bias), '"vector" or "scalar"')
    if data.ndim == 3:
        runs = require_count("runs", len(data) if runs is None else runs)
        require(runs == len(data), "runs", runs, f"{len(data)}, as data has")
    features = data.shape[-1]
    data = data.mT.contiguous().mT  # rows last in memory, as _logits multiplies
    biases = (hidden, num_classes) if bias == "vector" else (1, 1)
    shapes = [(features, hidden), biases[:1], (hidden, num_classes), biases[1:]]
    b1, b2 = map(torch.zeros, biases)

    def draw(g):
        return normal(*shapes[0], generator=g), b1, normal(*shapes[2], generator=g), b2

    def loss(*layers):
        return _cross_entropy(_logits(data, layers), targets)

    start = _start(draw, data, shapes, seed=seed, start=start, runs=runs, lr=lr)
    trace = descend(loss, start, lr=lr, steps=num_epochs)
    return MLP(*trace.params, *trace[1:])


def train_autoencoder(
    z, k, *, num_epochs, lr, init_scale=None, runs=None, seed=None, start=None
):
    """Train a linear autoencoder on ``½ ‖z − A B z‖²``; each column of z is an example.

    Parameters
    ----------
    z : Tensor, shape (n, examples)
        Floating point, finite.
    k : int
        The number of hidden units, from 1 to n.
    num_epochs : int
        The number of updates, at least 1, each on all columns.
    init_scale : float, optional
        The standard deviation of a drawn start, ``1 / k`` where it is not given.
    lr, runs, seed, start
        As for every trainer. ``start`` is ``(A, B)``; drawn, they are normal.

    Returns
    -------
    Autoencoder, with fewer losses after an interrupt

    Examples
    --------
    >>> run = train_autoencoder(torch.eye(3), 2, num_epochs=200, lr=0.2, seed=0)
    >>> round(run.losses[-1].item(), 3)  # half of 1², one direction is left out
    0.5
    """
    require_finite("z", z, ndim=[2])
    n = len(z)
    k = require_count("k", k, 1, n)
    num_epochs = require_count("num_epochs", num_epochs)
    std = require_number("init_scale", 1 / k if init_scale is None else init_scale)

    def draw(g):
        return normal(n, k, std=std, generator=g), normal(k, n, std=std, generator=g)

    def loss(A, B):
        return _squared_distance(A @ (B @ z), z) / 2

    start = _start(draw, z, [(n, k), (k, n)], seed=seed, start=start, runs=runs, lr=lr)
    trace = descend(loss, start, lr=lr, steps=num_epochs)
    return Autoencoder(*trace.params, *trace[1:])


def _scale(params, gradients):
    """Right-multiply the gradients of U and V by ``(VᵀV)⁻¹`` and ``(UᵀU)⁻¹``."""
    (U, V), (dU, dV) = params, gradients
    inverse = torch.linalg.inv_ex  # singular: infinity or NaN in its run, and no error
    return dU @ inverse(V.mT @ V).inverse, dV @ inverse(U.mT @ U).inverse


def _start(draw, like, shapes, *, seed, start, runs, lr):
    """Return the start, drawn or given; several rates share a single one."""
    if start is None:
        start = [p.to(like) for p in draw_start(draw, seed=seed, runs=runs)]
    else:
        require(seed is None, "seed", seed, "left out where a start is given")
        runs = None if runs is None else require_count("runs", runs)
        require_start(start, like, shapes, runs=runs)
    rates = learning_rates(lr)
    if rates.ndim == 1 and start[0].ndim == len(shapes[0]):
        start = [p.expand(len(rates), *p.shape) for p in start]
    return start
