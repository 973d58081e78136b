"""Many images: training on a batch of them at a time, from disk if need be."""

import os
from typing import NamedTuple

import torch
from torch.nn.functional import mse_loss
from tqdm.auto import tqdm

from labhelpers._require import require, require_count
from labhelpers.data import scale_pixels
from labhelpers.descent import learning_rates, normal


class MinibatchAutoencoder(NamedTuple):
    """``z ≈ A @ (B @ z)`` for one image z: A (pixels, k), B (k, pixels), float32.

    ``losses`` (steps,): the mean of ``½ ‖z − A B z‖²`` over each mini-batch, before its
    update. ``ratio``: the mean over all images at the end over the floor, None where no
    floor was given or an interrupt left no time. ``interrupted``: whether there was.

    Examples
    --------
    >>> images, fit = torch.eye(4), train_autoencoder_minibatch
    >>> run = fit(images, 3, num_epochs=2, batch_size=2, seed=0)
    >>> run.A.shape, run.losses.shape, run.ratio, run.interrupted
    (torch.Size([4, 3]), torch.Size([4]), None, False)
    """

    A: torch.Tensor
    B: torch.Tensor
    losses: torch.Tensor
    ratio: float | None
    interrupted: bool
    params = property(lambda self: self[:2])


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

    Examples
    --------
    >>> orthogonalise(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
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
    images, k, *, num_epochs, batch_size=256, lr=0.02, optimizer=Muon, floor=None, seed
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

    Examples
    --------
    >>> z, floor = torch.eye(4), 3 / 8  # half of three eigenvalues of 1/4
    >>> fit = train_autoencoder_minibatch
    >>> round(fit(z, 1, num_epochs=100, batch_size=4, floor=floor, seed=0).ratio, 1)
    1.0
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
    no_bars = bool(os.environ.get("TQDM_DISABLE"))  # overlooked in notebooks by tqdm
    try:
        with tqdm(total=steps, unit="batch", disable=no_bars) as progress:
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
    try:
        ratio = None if floor is None else mean_image_loss(A, B, images) / floor
    except KeyboardInterrupt:
        ratio, interrupted = None, True
    return MinibatchAutoencoder(A, B, torch.tensor(losses), ratio, interrupted)


def mean_image_loss(A, B, images, *, batch_size=1000):
    """Return the mean of ``½ ‖z − A B z‖²`` over all images (n, pixels), a float.

    Examples
    --------
    >>> mean_image_loss(torch.zeros(3, 1), torch.zeros(1, 3), torch.ones(5, 3))
    1.5
    """
    batches = torch.arange(len(images)).split(batch_size)
    losses = [len(r) * _image_loss(A, B, _image_batch(images, r)) for r in batches]
    return float(sum(losses)) / len(images)


def _image_loss(A, B, z):
    """Return the mean loss of a batch z (rows, pixels). Here, rows are images."""
    return mse_loss((z @ B.T) @ A.T, z, reduction="sum") / (2 * len(z))


def _image_batch(images, rows):
    """Return these rows as float32; uint8 becomes −1 … 1."""
    batch = torch.as_tensor(images[rows.numpy()])
    if batch.dtype == torch.uint8:
        batch = torch.from_numpy(scale_pixels(batch.numpy()))
    return batch.float()


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
