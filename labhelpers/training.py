"""The training code of the course: draw the start, state the loss, descend.

Every trainer takes ``lr`` as a number or one number per run; ``runs``, the number of
starts that train as one batch; and either ``seed`` or an explicit ``start``. Run i has
the seed ``seed + i``. Several rates without ``runs`` share one start, so that only the
rates are compared. Results have a leading ``runs`` axis where there are several runs.
"""

import os
from typing import NamedTuple

import torch
from torch.nn.functional import mse_loss
from tqdm.auto import tqdm

from labhelpers._require import require, require_count, require_finite, require_like
from labhelpers.descent import descend, draw_start, learning_rates, normal, uniform


class Factorisation(NamedTuple):
    """``A ≈ U @ V.mT``: U (m, rank), V (n, rank); the rest as in ``descent.Trace``."""

    U: torch.Tensor
    V: torch.Tensor
    losses: torch.Tensor
    diverged: torch.Tensor


class MLP(NamedTuple):
    """``relu(data @ W1 + b1) @ W2 + b2``; the rest as in ``descent.Trace``.

    W1 (features, hidden), b1 (hidden,), W2 (hidden, classes), b2 (classes,); a scalar
    bias has shape (1,).
    """

    W1: torch.Tensor
    b1: torch.Tensor
    W2: torch.Tensor
    b2: torch.Tensor
    losses: torch.Tensor
    diverged: torch.Tensor


class Autoencoder(NamedTuple):
    """``z ≈ A @ (B @ z)``: A (n, k), B (k, n); the rest as in ``descent.Trace``."""

    A: torch.Tensor
    B: torch.Tensor
    losses: torch.Tensor
    diverged: torch.Tensor


class MinibatchAutoencoder(NamedTuple):
    """``z ≈ A @ (B @ z)`` for one image z: A (pixels, k), B (k, pixels), float32.

    ``losses`` (steps,): the mean of ``½ ‖z − A B z‖²`` over each mini-batch, before its
    update. ``ratio``: the mean over all images at the end over the floor, None where no
    floor was given. ``interrupted``: True if training ended early.
    """

    A: torch.Tensor
    B: torch.Tensor
    losses: torch.Tensor
    ratio: float | None
    interrupted: bool


def factorisation_loss(U, V, A):
    """Return ``‖A − U Vᵀ‖²``, the sum of squares, one per run."""
    return _squared_distance(U @ V.mT, A)


def mlp_logits(data, W1, b1, W2, b2):
    """Return ``relu(data @ W1 + b1) @ W2 + b2``, of shape (*runs, rows, classes)."""
    hidden = (data @ W1).add_(b1.unsqueeze(-2)).relu_()  # in place: large with runs
    return hidden @ W2 + b2.unsqueeze(-2)


def cross_entropy(logits, targets):
    """Return the mean of ``−log softmax(logits)[target]`` over rows, one per run.

    ``logits`` (*runs, rows, classes); ``targets`` (rows,) or (*runs, rows), int64.
    """
    targets = targets.expand(logits.shape[:-1]).unsqueeze(-2)
    log_p = logits.mT.log_softmax(dim=-2)  # classes last would be slower: too few
    return -log_p.gather(-2, targets).mean(dim=(-2, -1))


def accuracy(logits, targets):
    """Return the share of rows whose largest logit is the target's, one per run."""
    return (logits.argmax(dim=-1) == targets).double().mean(dim=-1)


def autoencoder_loss(A, B, z):
    """Return ``½ ‖z − A B z‖²``, summed over the columns of ``z``, one per run."""
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
    Factorisation

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    require_finite("A", A, ndim=[2])
    require_count("rank", rank, 1, min(A.shape))
    require_count("num_epochs", num_epochs)
    m, n = A.shape

    def draw(g):
        return uniform(m, rank, generator=g), uniform(n, rank, generator=g)

    def loss(U, V):
        return factorisation_loss(U, V, A)

    start = _start(draw, A, [(m, rank), (n, rank)], seed, start, runs, lr)
    precondition = _scale if scaled else None
    trace = descend(loss, start, lr=lr, steps=num_epochs, precondition=precondition)
    return Factorisation(*trace.params, trace.losses, trace.diverged)


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
    MLP

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    require_finite("data", data, ndim=[2, 3])
    num_classes = _num_classes(targets, data)
    require_count("hidden", hidden)
    require_count("num_epochs", num_epochs)
    require(bias in ("vector", "scalar"), "bias", repr(bias), '"vector" or "scalar"')
    if data.ndim == 3:
        require(runs in (None, len(data)), "runs", runs, f"{len(data)}, as data has")
        runs = len(data)
    features = data.shape[-1]
    biases = (hidden, num_classes) if bias == "vector" else (1, 1)
    shapes = [(features, hidden), biases[:1], (hidden, num_classes), biases[1:]]

    def draw(g):
        W1, W2 = normal(*shapes[0], generator=g), normal(*shapes[2], generator=g)
        return W1, torch.zeros(shapes[1]), W2, torch.zeros(shapes[3])

    def loss(W1, b1, W2, b2):
        return cross_entropy(mlp_logits(data, W1, b1, W2, b2), targets)

    start = _start(draw, data, shapes, seed, start, runs, lr)
    trace = descend(loss, start, lr=lr, steps=num_epochs)
    return MLP(*trace.params, trace.losses, trace.diverged)


def train_autoencoder(
    z, k, *, steps, lr, init_scale=None, runs=None, seed=None, start=None
):
    """Train a linear autoencoder on ``½ ‖z − A B z‖²``; each column of z is an example.

    Parameters
    ----------
    z : Tensor, shape (n, examples)
        Floating point, finite.
    k : int
        The number of hidden units, from 1 to n.
    steps : int
        The number of updates, at least 1, each on all columns.
    init_scale : float, optional
        The standard deviation of a drawn start, ``1 / k`` where it is not given.
    lr, runs, seed, start
        As for every trainer. ``start`` is ``(A, B)``; drawn, they are normal.

    Returns
    -------
    Autoencoder

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    require_finite("z", z, ndim=[2])
    n = len(z)
    require_count("k", k, 1, n)
    require_count("steps", steps)
    std = 1 / k if init_scale is None else init_scale
    require(0 <= std < torch.inf, "init_scale", std, "a finite number, at least 0")

    def draw(g):
        return normal(n, k, std=std, generator=g), normal(k, n, std=std, generator=g)

    def loss(A, B):
        return autoencoder_loss(A, B, z)

    start = _start(draw, z, [(n, k), (k, n)], seed, start, runs, lr)
    trace = descend(loss, start, lr=lr, steps=steps)
    return Autoencoder(*trace.params, trace.losses, trace.diverged)


class Muon(torch.optim.Optimizer):
    """Steps equally far along every singular direction of a gradient, with momentum.

    So weak directions of the data are learned as fast as strong ones (Jordan et al.,
    2024). ``torch.optim.Muon`` approximates the same step in bfloat16, which takes 35
    times as long on processors that can't multiply in it; for a thin matrix the exact
    step is as fast everywhere. Parameters are matrices.
    """

    def __init__(self, params, *, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        """Update every parameter by its gradient, smoothed and orthogonalised."""
        for group in self.param_groups:
            for p in group["params"]:
                smooth = self.state[p].setdefault("smooth", torch.zeros_like(p))
                smooth.lerp_(p.grad, 0.05)
                direction = orthogonalise(p.grad.lerp(smooth, 0.95))
                rows, columns = p.shape
                p -= group["lr"] * max(1, rows / columns) ** 0.5 * direction


def orthogonalise(gradient):
    """Return ``U @ Vt`` of ``gradient = U @ diag(s) @ Vt``: every s > 0 becomes 1.

    Singular values below a millionth of the largest stay small: they may be rounding.
    """
    rows, columns = gradient.shape
    if rows < columns:
        return orthogonalise(gradient.T).T
    tall = gradient.double()
    values, axes = torch.linalg.eigh(tall.T @ tall)  # s², and the rows of Vt
    tiny = torch.finfo(torch.float64).tiny
    scales = values.clamp(min=max(1e-12 * values[-1].item(), tiny)).rsqrt()
    return (tall @ (axes * scales @ axes.T)).to(gradient)


def train_autoencoder_minibatch(
    images,
    k,
    *,
    num_epochs,
    batch_size=256,
    lr=0.02,
    optimizer=Muon,
    floor=None,
    seed,
):
    """Train a linear autoencoder on the mean of ``½ ‖z − A B z‖²`` over many images.

    Parameters
    ----------
    images : array or Tensor, shape (n, pixels)
        One image a row. uint8 is scaled to [−1, 1] a batch at a time, and may be mapped
        from disk; floating point is taken as it is.
    k : int
        The number of hidden units, from 1 to ``pixels``.
    num_epochs : int
        The number of passes over all images, at least 1.
    batch_size : int
        From 1 to n. The last batch of an epoch may be smaller.
    lr : float
        The learning rate of the first step. It falls to 0 in a straight line.
    optimizer : callable
        ``optimizer(params, lr=lr)``, such as :class:`Muon` or ``torch.optim.Adam``.
    floor : float, optional
        The least loss there is, as from ``linalg.principal_components``.
    seed : int
        Of the start, N(0, 1 / pixels), and of the order of the images.

    Returns
    -------
    MinibatchAutoencoder
        An interrupt (``KeyboardInterrupt``) is no error: what has been learned so far
        comes back.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n, pixels = _require_images(images)
    require_count("k", k, 1, pixels)
    require_count("num_epochs", num_epochs)
    require_count("batch_size", batch_size, 1, n)
    require_count("seed", seed, 0)
    require(learning_rates(lr).ndim == 0, "lr", repr(lr), "a single number")
    require(floor is None or floor > 0, "floor", floor, "positive, or left out")
    g = torch.Generator().manual_seed(seed)
    std = pixels**-0.5  # columns of A, rows of B of length about 1
    A = normal(pixels, k, std=std, generator=g, dtype=torch.float32).requires_grad_()
    B = normal(k, pixels, std=std, generator=g, dtype=torch.float32).requires_grad_()
    stepper = optimizer([A, B], lr=lr)
    steps = num_epochs * -(-n // batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(stepper, lambda t: 1 - t / steps)
    losses, interrupted = [], False
    try:
        with tqdm(total=steps, unit="batch", disable=_no_bars()) as progress:
            for _ in range(num_epochs):
                for rows in torch.randperm(n, generator=g).split(batch_size):
                    loss = _image_loss(A, B, _image_batch(images, rows))
                    stepper.zero_grad()
                    loss.backward()
                    stepper.step()
                    schedule.step()
                    losses.append(loss.item())
                    progress.update()
                    progress.set_postfix(loss=f"{losses[-1]:.2f}", refresh=False)
    except KeyboardInterrupt:
        interrupted = True
    A, B = A.detach(), B.detach()
    ratio = None if floor is None else mean_image_loss(A, B, images) / floor
    return MinibatchAutoencoder(A, B, torch.tensor(losses), ratio, interrupted)


def mean_image_loss(A, B, images, *, batch_size=1000):
    """Return the mean of ``½ ‖z − A B z‖²`` over all images (n, pixels), a float."""
    batches = torch.arange(len(images)).split(batch_size)
    losses = [len(r) * _image_loss(A, B, _image_batch(images, r)) for r in batches]
    return float(sum(losses)) / len(images)


def _image_loss(A, B, z):
    """Return the mean loss of a batch z (rows, pixels). Here, rows are images."""
    return mse_loss((z @ B.T) @ A.T, z, reduction="sum") / (2 * len(z))


def _image_batch(images, rows):
    """Return these rows as float32; uint8 becomes −1 … 1."""
    if isinstance(images, torch.Tensor):
        batch = images[rows]
    else:
        batch = torch.from_numpy(images[rows.numpy()])
    if batch.dtype == torch.uint8:
        return batch.float().div_(127.5).sub_(1)
    return batch.float()


def _no_bars():
    """Tell whether TQDM_DISABLE is set, which tqdm itself overlooks in a notebook."""
    return bool(os.environ.get("TQDM_DISABLE"))


def _require_images(images):
    """Check the images; return their number and their size."""
    shape = tuple(getattr(images, "shape", ()))
    filled = len(shape) == 2 and 0 not in shape
    require(filled, "images", f"shape {shape}", "a non-empty matrix, one image a row")
    dtype = str(images.dtype).removeprefix("torch.")
    known = dtype == "uint8" or dtype.startswith("float")
    require(known, "images", f"dtype {dtype}", "of uint8 or floating point")
    if dtype != "uint8":
        batches = torch.arange(len(images)).split(1000)
        finite = all(_image_batch(images, rows).isfinite().all() for rows in batches)
        require(finite, "images", "NaN or infinity in it", "finite everywhere")
    return shape


def _scale(params, gradients):
    """Right-multiply the gradients of U and V by ``(VᵀV)⁻¹`` and ``(UᵀU)⁻¹``."""
    (U, V), (dU, dV) = params, gradients
    return dU @ _inverse(V.mT @ V), dV @ _inverse(U.mT @ U)


def _inverse(matrix):
    """Invert. A singular matrix gives infinity or NaN in its own run, and no error."""
    return torch.linalg.inv_ex(matrix).inverse


def _start(draw, like, shapes, seed, start, runs, lr):
    """Return the start, drawn or given; several rates share a single one."""
    if runs is not None:
        require_count("runs", runs)
    if start is None:
        require(
            seed is not None, "seed", seed, "a whole number where no start is given"
        )
        start = [p.to(like) for p in draw_start(draw, seed=seed, runs=runs)]
    else:
        require(seed is None, "seed", seed, "left out where a start is given")
        _require_start(start, like, shapes, runs)
    rates = learning_rates(lr)
    if rates.ndim == 1 and start[0].ndim == len(shapes[0]):
        start = [p.expand(len(rates), *p.shape) for p in start]
    return start


def _require_start(start, like, shapes, runs):
    count = len(shapes)
    is_sequence = isinstance(start, (tuple, list))
    seen = f"{len(start)} of them" if is_sequence else type(start).__name__
    require(is_sequence and len(start) == count, "start", seen, f"{count} tensors")
    for p in start:
        require_like("start", p, like)
    given = start[0].shape[-3:-2] if runs is None else (runs,)
    for p, shape in zip(start, shapes):
        seen, wanted = tuple(p.shape), (*given, *shape)
        require(seen == wanted, "start", f"shape {seen}", f"of shape {wanted}")


def _num_classes(targets, data):
    """Check the targets against the rows of ``data``; return the number of classes."""
    is_tensor = isinstance(targets, torch.Tensor)
    dtype = targets.dtype if is_tensor else type(targets).__name__
    require(dtype == torch.int64, "targets", dtype, "a torch.Tensor of dtype int64")
    seen, shapes = tuple(targets.shape), [tuple(data.shape[:-1]), (data.shape[-2],)]
    require(seen in shapes, "targets", f"shape {seen}", f"of shape {shapes[0]}")
    device = targets.device
    require(device == data.device, "targets", f"device {device}", f"on {data.device}")
    low, high = int(targets.min()), int(targets.max())
    seen = f"{low} to {high}"
    require(low >= 0 and high >= 1, "targets", seen, "classes 0, 1, … (at least two)")
    return high + 1
