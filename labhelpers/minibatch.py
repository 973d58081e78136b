"""Many images: training on a batch of them at a time, from disk if need be."""

import contextlib
from typing import NamedTuple

import torch
from torch.nn.functional import mse_loss

from labhelpers._bar import Steps
from labhelpers._require import (
    require,
    require_array,
    require_axes,
    require_count,
    require_number,
    require_start,
    require_tensor,
)
from labhelpers.data import scale_pixels
from labhelpers.descent import learning_rates, normal


class MinibatchAutoencoder(NamedTuple):
    """``z ≈ A @ (B @ z)`` for one image z: A (pixels, k), B (k, pixels).

    ``losses`` (steps,): the mean of ``½ ‖z − A B z‖²`` over each mini-batch, before its
    update; ``diverged``, whether one is infinite or NaN. ``ratio``: the mean over all
    images at the end over the floor, None where no floor was given or an interrupt left
    no time. ``interrupted``: whether there was one; fewer losses are there then.

    Examples
    --------
    >>> images, fit = torch.eye(4), train_autoencoder_minibatch
    >>> run = fit(images, 3, num_epochs=2, batch_size=2, seed=0)
    >>> run.A.shape, run.losses.shape, run.ratio, run.diverged, run.interrupted
    (torch.Size([4, 3]), torch.Size([4]), None, False, False)
    """

    A: torch.Tensor
    B: torch.Tensor
    losses: torch.Tensor
    diverged: bool
    ratio: float | None
    interrupted: bool
    params = property(lambda self: self[:2])


@torch.no_grad()
def scaled_step(A, z, *, lr, damping=0.03):
    """Take one step of scaled descent on a batch; the encoder is always the best one.

    With orthonormal columns of A the best encoder (AᵀA)⁻¹Aᵀ is Aᵀ. The loss is flat
    along it, so the gradient of A alone is the whole gradient: ``A C − zᵀY / m``, for
    the codes ``Y = z A`` and ``C = YᵀY / m``. It is multiplied by C⁻¹, as Tong, Ma and
    Chi (2021, JMLR 22) do for the factorisation. The columns are then made orthonormal,
    which changes neither their space nor the step after.

    Parameters
    ----------
    A : Tensor, shape (pixels, k)
        Its columns are orthonormal.
    z : Tensor, shape (m, pixels)
        One image a row. With less than some k of them, C says little.
    lr : float
        From 0 to 2. With 1 on all images this is alternating least squares.
    damping : float
        Add this much of C's mean eigenvalue to each: weak ones are noisy in a batch.

    Returns
    -------
    A : Tensor, shape (pixels, k)
        Its columns are orthonormal.
    loss : Tensor, a scalar
        The mean of ``½ ‖z − A Aᵀ z‖²`` before the step, to rounding of ``½ ‖z‖²``.

    Examples
    --------
    >>> A, z = torch.tensor([[1.0], [0.0]]), torch.tensor([[3.0, 4.0]])
    >>> scaled_step(A, z, lr=1, damping=0)
    (tensor([[0.6000],
            [0.8000]]), tensor(8.))
    """
    require_axes(A=(A, "nk"), z=(z, "mn"))
    require(A.ndim == z.ndim == 2, "z", f"{z.ndim} axes, A {A.ndim}", "a matrix, as A")
    lr, damping = require_number("lr", lr, high=2), require_number("damping", damping)
    Y = z @ A
    C = Y.T @ Y / len(z)
    loss = (torch.linalg.vector_norm(z) ** 2 / len(z) - C.trace()) / 2  # Pythagoras
    gradient = torch.addmm(z.T @ Y, A, C, beta=-1 / len(z))
    tiny = torch.finfo(A.dtype).tiny
    C.diagonal().add_((damping * C.diagonal().mean()).clamp(min=tiny))
    A = A - lr * torch.cholesky_solve(gradient.T, torch.linalg.cholesky_ex(C).L).T
    lower = torch.linalg.cholesky_ex(A.T @ A).L  # of NaN, NaN
    A = torch.linalg.solve_triangular(lower.T, A, upper=True, left=False)
    return A, loss.clamp(min=0)


class Muon(torch.optim.Optimizer):
    """Steps equally far along every singular direction of a gradient, with momentum.

    So weak directions of the data are learned as fast as strong ones (Jordan et al.,
    2024). ``torch.optim.Muon`` approximates the same step in bfloat16, which takes 35
    times as long on processors that can't multiply in it; for a thin matrix the exact
    step is as fast everywhere. Parameters are matrices.

    Examples
    --------
    >>> p = torch.zeros(1, 2, requires_grad=True)
    >>> p.grad = torch.tensor([[3.0, 4.0]])
    >>> Muon([p], lr=0.1).step()
    >>> p.detach()
    tensor([[-0.0600, -0.0800]])
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
    Where an entry is not finite, all become NaN.

    Examples
    --------
    >>> orthogonalise(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    require_tensor("gradient", gradient)
    seen = f"{gradient.ndim} axes on {gradient.device}"
    known = gradient.ndim == 2 and not gradient.is_meta
    require(known, "gradient", seen, "a matrix with numbers")
    rows, columns = gradient.shape
    if rows < columns:
        return orthogonalise(gradient.T).T
    if not gradient.isfinite().all():
        return gradient * torch.nan
    tall = gradient.double()
    values, axes = torch.linalg.eigh(tall.T @ tall)  # s², and the rows of Vt
    tiny = torch.finfo(torch.float64).tiny
    scales = values.clamp(min=max(1e-12 * values[-1].item(), tiny)).rsqrt()
    return (tall @ (axes * scales @ axes.T)).to(gradient)


@torch.enable_grad()
def train_autoencoder_minibatch(
    images,
    k,
    *,
    num_epochs=1,
    batch_size=1024,
    lr=1.0,
    optimizer=None,
    floor=None,
    device=None,
    start=None,
    seed,
):
    """Train a linear autoencoder on the mean of ``½ ‖z − A B z‖²`` over many images.

    Parameters
    ----------
    images : array or Tensor, shape (n, pixels)
        One image a row. uint8 is scaled to [−1, 1] a batch at a time, and may be mapped
        from disk. Floating point is taken as it is; its largest entry has a size from
        1e-15 to 1e15, or is 0. float64 is computed in float64, all else in float32.
    k : int
        The number of hidden units, from 1 to ``pixels``.
    num_epochs : int
        The number of passes over all images, at least 1.
    batch_size : int
        At most so many images are in a batch; all batches are of one size, give or take
        an image. For scaled descent, several times k.
    lr : float
        The learning rate of the first step. It falls to 0 in a straight line. Scaled
        descent takes at most 2, and 1 suits it.
    optimizer : callable, optional
        ``optimizer(params, lr=lr)``, such as :class:`Muon` or ``torch.optim.Adam``; its
        ``step()`` needs no closure. Without it, each step is a :func:`scaled_step`.
    floor : float, optional
        The least loss there is, as from ``linalg.principal_components``.
    device : torch.device or str, optional
        Where to train, if not where the images are. Results return to the images.
    start : (Tensor, Tensor), optional
        A and B, shapes as in :class:`MinibatchAutoencoder`; drawn, N(0, 1 / pixels). Of
        A, scaled descent takes the space of the columns, which must be independent.
    seed : int
        Of a drawn start, and of the order of the images.

    Returns
    -------
    MinibatchAutoencoder
        After scaled descent the columns of A are orthonormal, and B is Aᵀ. An interrupt
        (``KeyboardInterrupt``) is no error: what has been learned so far comes back.

    Examples
    --------
    >>> z, floor = torch.eye(4), 3 / 8  # half of three eigenvalues of 1/4
    >>> run = train_autoencoder_minibatch(z, 1, num_epochs=5, floor=floor, seed=0)
    >>> round(run.ratio, 3)
    1.0
    """
    n, pixels, dtype = _require_images(images)
    k = require_count("k", k, 1, pixels)
    num_epochs = require_count("num_epochs", num_epochs)
    batch_size = require_count("batch_size", batch_size)
    seed = require_count("seed", seed, 0, 2**63 - 1)
    rate, scaled = learning_rates(lr), optimizer is None
    allowed = "a single number" + (", at most 2 for scaled descent" if scaled else "")
    fits = rate.ndim == 0 and (rate <= 2 or not scaled)
    require(fits, "lr", repr(lr), allowed)
    floor = None if floor is None else require_number("floor", floor, low=1e-100)
    home = images.device if isinstance(images, torch.Tensor) else torch.device("cpu")
    device = home if device is None else _require_device(device)
    shapes, g = [(pixels, k), (k, pixels)], torch.Generator().manual_seed(seed)
    if start is None:
        start = [normal(*s, std=pixels**-0.5, generator=g) for s in shapes]
    else:
        like = start[0] if isinstance(start, (tuple, list)) and start else start
        require_start(start, like, shapes, runs=None)
    A, B = (p.detach().to(device, dtype, copy=True) for p in start)
    if scaled:
        A = _orthonormal(start[0]).to(A)
    else:
        with _blamed_on(optimizer):
            stepper = optimizer([A.requires_grad_(), B.requires_grad_()], lr=lr)
    losses, ratio, batches = [], None, -(-n // batch_size)
    steps = num_epochs * batches
    with Steps(steps, doing="training") as progress:
        for t in progress:
            if t % batches == 0:
                order = torch.randperm(n, generator=g).tensor_split(batches)
            z, rate = _batch(images, order[t % batches], A), lr * (1 - t / steps)
            if scaled:
                A, loss = scaled_step(A, z, lr=rate)
            else:
                for group in stepper.param_groups:
                    group["lr"] = rate
                loss = _image_loss(A, B, z)
                stepper.zero_grad()
                loss.backward()
                with _blamed_on(optimizer):
                    stepper.step()
            losses.append(loss.item())
            progress.bar.set_postfix(loss=f"{losses[-1]:.2f}", refresh=False)
    A, B = A.detach(), A.T.clone() if scaled else B.detach()
    try:
        ratio = None if floor is None else _mean_loss(A, B, images) / floor
    except KeyboardInterrupt:
        progress.stopped = True
        print("Stopped before the last mean was done: the result has no ratio.")
    losses = torch.tensor(losses, dtype=dtype)
    diverged = not bool(losses.isfinite().all())
    A, B, losses = A.to(home), B.to(home), losses.to(home)
    return MinibatchAutoencoder(A, B, losses, diverged, ratio, progress.stopped)


def mean_image_loss(A, B, images, *, batch_size=1000):
    """Return the mean of ``½ ‖z − A B z‖²`` over all images (n, pixels), a float.

    Examples
    --------
    >>> mean_image_loss(torch.zeros(3, 1), torch.zeros(1, 3), torch.ones(5, 3))
    1.5
    """
    _, pixels, _ = _require_images(images)
    require_axes(A=(A, "nk"), B=(B, "kn"))
    require(len(A) == pixels, "A", f"{len(A)} rows", f"of {pixels} rows, as images")
    batch_size = require_count("batch_size", batch_size)
    return _mean_loss(A, B, images, batch_size=batch_size)


@torch.no_grad()
def _mean_loss(A, B, images, *, batch_size=1000):
    total, batches = 0.0, torch.arange(len(images)).split(batch_size)
    for i in Steps(len(batches), doing="mean over all images"):
        loss = _image_loss(A, B, _batch(images, batches[i], A))
        total += len(batches[i]) * loss.item()
    return total / len(images)


def _image_loss(A, B, z):
    """Return the mean loss of a batch z (rows, pixels). Here, rows are images."""
    return mse_loss((z @ B.T) @ A.T, z, reduction="sum") / (2 * len(z))


@contextlib.contextmanager
def _blamed_on(optimizer):
    try:
        yield
    except (TypeError, ValueError, RuntimeError) as error:
        allowed = "a class of optimisers whose step needs no closure"
        require(False, "optimizer", f"{optimizer!r} ({error})", allowed)


def _batch(images, rows, like):
    """Return these rows, uint8 as −1 … 1, in the dtype and on the device of another."""
    batch = torch.as_tensor(images[rows.numpy()]).detach().to(like.device)
    if batch.dtype == torch.uint8:
        batch = scale_pixels(batch)
    return batch.to(like.dtype)


def _orthonormal(A):
    """Return an orthonormal basis of the space that the columns of A span."""
    Q, R = torch.linalg.qr(A.detach().cpu().double())
    lengths = torch.linalg.vector_norm(R, dim=0)
    independent = bool((R.diagonal().abs() > 1e-6 * lengths).all())
    require(independent, "start", "dependent ones", "an A with independent columns")
    return Q


def _require_device(device):
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError, ValueError):
        return require(False, "device", repr(device), "one that torch finds here")


def _require_images(images):
    """Check the images; return their number and size, and the dtype to compute in."""
    shape = tuple(getattr(images, "shape", ()))
    filled = len(shape) == 2 and 0 not in shape
    require(filled, "images", f"shape {shape}", "a non-empty matrix, one image a row")
    dtype = str(getattr(images, "dtype", type(images))).removeprefix("torch.")
    known = ("uint8", "float16", "float32", "float64")
    dense = str(getattr(images, "layout", "strided")).endswith("strided")
    known = dtype in known and dense
    require(known, "images", f"dtype {dtype}", "dense, of uint8 or floating point")
    for first in range(0, 0 if dtype == "uint8" else shape[0], 1000):
        chunk = require_array("images", images[first : first + 1000], (None, None))
        size, allowed = float(abs(chunk).max()), "0, or from 1e-15 to 1e15, in size"
        require(size == 0 or 1e-15 <= size <= 1e15, "images", size, allowed)
    return *shape, torch.float64 if dtype == "float64" else torch.float32
