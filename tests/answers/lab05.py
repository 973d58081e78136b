"""Answers to the exercises of lab 05."""

import functools

import numpy as np
import torch

from labhelpers import data
from tests.answers import Exercise

COUNTS = "n * k * n + n * n, k * n + n * k"
MULTIPLICATIONS = Exercise(
    "multiplications",
    [
        """
def multiplications(n, k):
    return n * k * n + n * n, k * n + n * k
""",
        """
def multiplications(n: int, k: int):
    def product(p, q, r):
        return p * q * r

    left = product(n, k, n) + product(n, n, 1)
    return [left, product(k, n, 1) + product(n, k, 1)]
""",
        """
def multiplications(n, k, m=1):
    from torch.utils.flop_counter import FlopCounterMode

    A, B, z = torch.ones(n, k), torch.ones(k, n), torch.ones(n, m)
    counts = []
    for work in (lambda: (A @ B) @ z, lambda: A @ (B @ z)):
        with FlopCounterMode(display=False) as counter:
            work()
        counts.append(counter.get_total_flops() / 2)
    return tuple(counts)
""",
        """
def multiplications(n, k):
    return np.int64(n**2 * (k + 1)), torch.tensor(2 * n * k)
""",
    ],
    [
        ([(COUNTS, "2 * n * k, n * n * (k + 1)")], "other order"),
        ([(COUNTS, "2 * (n * k * n + n * n), 4 * n * k")], "additions"),
        (
            [(COUNTS, "n * n * (2 * k - 1) + n * (2 * n - 1), 4 * n * k - n - k")],
            "addit",
        ),
        ([(" + n * n,", ",")], "still multiplies z"),
        ([(" + n * n,", ","), (" + n * k", "")], "still multiplies z"),
        ([(", k * n + n * k", ", n * k")], "one is missing"),
        (
            [("n * k * n + n * n", "n * k * n * n * n"), ("n + n", "n * n")],
            "Add the two",
        ),
        ([("n * k * n + n * n", "k * n * k + k * k")], "k is the length"),
        ([("n * k * n", "n * n")], "takes k multiplications"),
        ([("k * n + n * k", "k * n + n * n")], "B @ z is k × 1"),
        ([("k * n + n * k", "k * n + n")], "B @ z is k × 1"),
        ([(COUNTS, "481296384, 307200")], "numbers of the lab"),
        ([(COUNTS, "(n * k * n + n * n) / (2 * n * k)")], "two counts"),
        ([(COUNTS, "0, 0")], "p · q · r"),
        ([("return", "counts =")], "return"),
        ([(COUNTS, "n * k * n + n**3, 2 * n * k * n")], "a single picture"),
    ],
)

FORMULA = "((images - (images @ B.T) @ A.T) ** 2).sum() / (2 * len(images))"
E = "(images - (images @ B.T) @ A.T)"
LOSS = Exercise(
    "minibatch_loss",
    [
        f"""
def minibatch_loss(A, B, images):
    return {FORMULA}
""",
        """
def minibatch_loss(A, B, images):
    z = images.T
    return 0.5 * torch.linalg.norm(z - A @ (B @ z), dim=0).square().mean()
""",
        """
def minibatch_loss(A, B, images, scale=0.5):
    total = 0
    for z in images:
        total = total + scale * torch.sum((z - A @ (B @ z)) ** 2)
    return total / images.shape[0]
""",
        """
def minibatch_loss(A, B, images):
    linear, mse = torch.nn.functional.linear, torch.nn.functional.mse_loss
    return mse(linear(linear(images, B), A), images) * images.shape[1] / 2
""",
        """
def minibatch_loss(A, B, images):
    codes = torch.einsum("kn,mn->mk", B, images)
    copies = torch.einsum("nk,mk->mn", A, codes)
    return training.autoencoder_loss(A, B, images.T) / len(copies)
""",
    ],
    [
        ([(".sum() / (2 * len(images))", ".mean() / 2")], "pixels of each"),
        ([(".sum() / (2 * len(images))", ".mean()")], "pixels of each"),
        ([("2 * len(images)", "len(images)")], "½ is missing"),
        ([("(2 * len(images))", "2")], "not their sum"),
        ([(" / (2 * len(images))", "")], "not their sum"),
        ([("len(images)", "images.shape[1]")], "not by that of pixels"),
        ([("2 * len(images)", "4 * len(images)")], "½ is there twice"),
        (
            [(FORMULA, "(images - images @ B.T @ A.T).norm(dim=1).mean() / 2")],
            "norm is",
        ),
        ([(FORMULA, "(images - images @ B.T @ A.T).norm() / 2")], "norm is"),
        ([(" ** 2", ".abs()")], "differences are to be squared"),
        ([(" ** 2", "")], "differences are to be squared"),
        ([("images - (images", "(images")], "Compare the copies"),
        ([("(images @ B.T) @ A.T", "(images @ A) @ B")], "exchanged"),
        ([("(images @ B.T) @ A.T", "images @ B @ A")], "Two shapes"),
        ([("(images @ B.T) @ A.T", "A @ (B @ images)")], "Two shapes"),
        ([("(images @ B.T) @ A.T", "(images @ A.T) @ B.T")], "Two shapes"),
        ([("(images @ B.T) @ A.T", "images @ (A @ B).T")], "n × n entries"),
        ([("(images @ B.T) @ A.T", "images @ (B.T @ A.T)")], "n × n entries"),
        ([("(images @ B.T) @ A.T", "(A @ B @ images.T).T")], "n × n entries"),
        (
            [(FORMULA, f"torch.trace({E} @ ({E}).T) / (2 * len(images))")],
            "m × m entries",
        ),
        ([("2 * len(images)", "2 * len(images) ** 2")], "pictures twice"),
        ([(".sum()", ".sum(dim=1)")], "One number for the whole batch"),
        ([("return", "return float("), ("images))", "images)))")], "without .item()"),
        ([("@ A.T", "@ A.detach().T")], "factor detached"),
        ([("(images @ B.T)", "(images @ B.T).detach()")], "factor detached"),
        (
            [("    return", "    A, B = A.detach(), B.detach()\n    return")],
            "graph is cut",
        ),
        (
            [(FORMULA, "((images[0] - A @ (B @ images[0])) ** 2).sum() / 2")],
            "first pict",
        ),
        ([(FORMULA, "0 * A.sum()")], "It is the mean"),
        ([(FORMULA, "0 * A.sum() + 5")], "It is the mean"),
        ([("return", "loss =")], "return"),
        (
            [
                ("return", "images -= (images @ B.T) @ A.T\n    return"),
                ("(images - (images @ B.T) @ A.T)", "images"),
            ],
            "copy",
        ),
        ([("2 * len(images)", "images.shape[1]")], "not by that of pixels"),
        (
            [(FORMULA, "(images - images @ B.T @ A.T).norm() / (2 * len(images))")],
            "norm is",
        ),
        ([(FORMULA, "(images - images @ B.T @ A.T).norm(dim=1).mean()")], "norm is"),
        ([(FORMULA, "(images - images @ B.T @ A.T).norm() / len(images)")], "norm is"),
        ([(FORMULA, "(images - images @ B.T @ A.T).norm()")], "norm is"),
        (
            [(" ** 2", ".abs()"), ("2 * len(images)", "len(images)")],
            "differences are to be squared",
        ),
        (
            [(" ** 2", ""), ("2 * len(images)", "len(images)")],
            "differences are to be squared",
        ),
        (
            [("images - (images", "(images"), ("2 * len(images)", "len(images)")],
            "Compare the copies",
        ),
        (
            [("(images @ B.T) @ A.T", "(images @ A) @ B"), ("(2 * ", "(")],
            "exchanged",
        ),
    ],
)

LOOP = """
def minibatch_loss(A, B, images):
    return ((images - (images @ B.T) @ A.T) ** 2).sum() / (2 * len(images))


def train_epoch(A, B, images, batch_size, lr):
    A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
    losses = []
    for batch in images.split(batch_size):
        loss = minibatch_loss(A, B, batch)
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            A -= lr * A.grad
            B -= lr * B.grad
        A.grad = B.grad = None
    return A.detach(), B.detach(), losses
"""

RETURN = "return A.detach(), B.detach(), losses"
SPLIT = "images.split(batch_size)"
WINDOWS = "[images[i : i + batch_size] for i in range(len(images))]"
BATCH, APPEND = "minibatch_loss(A, B, batch)", "losses.append(loss.item())"
KEPT = "        losses.append(loss.item())\n"
AGAIN = "A, B = (p.detach().clone().requires_grad_() for p in first)"
CLEARED = "        A.grad = B.grad = None\n"
LEAVES = "A.clone().requires_grad_(), B.clone().requires_grad_()"
STEPS = "            A -= lr * A.grad\n            B -= lr * B.grad\n"
TRAIN = Exercise(
    "train_epoch",
    [
        LOOP,
        """
def train_epoch(A, B, images, batch_size, lr, momentum=0.0):
    A, B = (torch.nn.Parameter(p.detach().clone()) for p in (A, B))
    optimiser = torch.optim.SGD([A, B], lr=lr, momentum=momentum)
    losses = torch.zeros(-(-len(images) // batch_size), dtype=torch.float64)
    data = torch.utils.data.TensorDataset(images)
    loader = torch.utils.data.DataLoader(data, batch_size=batch_size)
    for i, (batch,) in enumerate(loader):
        optimiser.zero_grad()
        loss = (batch - batch @ B.T @ A.T).square().sum(dim=1).mean() / 2
        loss.backward()
        optimiser.step()
        losses[i] = loss.detach()
    return A.data, B.data, losses
""",
        """
def train_epoch(A, B, images, batch_size, lr):
    losses = ()
    for begin in range(0, len(images), batch_size):
        z = images[begin : begin + batch_size].T
        A, B = (p.detach().clone().requires_grad_() for p in (A, B))
        loss = training.autoencoder_loss(A, B, z) / z.shape[1]
        dA, dB = torch.autograd.grad(loss, (A, B))
        A, B = A - lr * dA, B - lr * dB
        losses += (float(loss),)
    return [A.detach(), B.detach(), losses]
""",
        """
def train_epoch(A, B, images, *, batch_size, lr):
    losses = []
    for Z in torch.split(images, batch_size):
        codes = Z @ B.T
        E = Z - codes @ A.T
        losses.append(0.5 * (E * E).sum(1).mean())
        A, B = A + lr * E.T @ codes / len(Z), B + lr * A.T @ E.T @ Z / len(Z)
    return A, B, np.array(losses)
""",
    ],
    [
        ([(CLEARED, "")], "not cleared"),
        ([(CLEARED, "        A.grad = None\n")], "Only some gradients"),
        ([(CLEARED, "        B.grad = None\n")], "Only some gradients"),
        (
            [
                ("losses = []", "first, losses = (A, B), []"),
                (f"        loss = {BATCH}", f"        {AGAIN}\n        loss = {BATCH}"),
            ],
            "start from the inputs again",
        ),
        ([("-= lr", "-= 2 * lr")], "twice as long"),
        ([("-= lr", "-= lr / len(batch)")], "pictures twice"),
        ([("-= lr", "+= lr")], "uphill"),
        ([(LEAVES, "A.requires_grad_(), B.requires_grad_()")], "copy"),
        (
            [(LEAVES, "A.detach().requires_grad_(), B.detach().requires_grad_()")],
            "copy",
        ),
        ([(f"for batch in {SPLIT}", "for batch in [images]")], "one update for all"),
        ([(BATCH, "minibatch_loss(A, B, images)")], "use the batch in the loss"),
        (
            [(f"for batch in {SPLIT}", f"for batch in {SPLIT}[:1]")],
            "return in the loop",
        ),
        ([(CLEARED, CLEARED + f"        {RETURN}\n")], "return in the loop"),
        ([(f"for batch in {SPLIT}", f"for batch in {SPLIT}[-1:]")], "after the loop"),
        (
            [
                (
                    f"for batch in {SPLIT}",
                    "for batch in images[: len(images) // batch_size * batch_size]"
                    ".split(batch_size)",
                )
            ],
            "last, smaller batch is dropped",
        ),
        (
            [(BATCH, BATCH + " * len(batch) / batch_size")],
            "divide by its own length",
        ),
        *(
            ([(BATCH, f"minibatch_loss(A, B, images[{rows}])")], "same batch again")
            for rows in (":batch_size", "-batch_size:")
        ),
        ([(SPLIT, SPLIT + "[::-1]")], "another order"),
        ([(SPLIT, "images.split(1)")], "rows in a batch"),
        ([(SPLIT, "images.chunk(batch_size)")], "rows in a batch"),
        ([("2 * len(images)", "len(images)")], "factor ½ missing"),
        ([(".sum() / (2 * len(images))", ".mean() / 2")], "pixels of each"),
        ([("(2 * len(images))", "2")], "not their sum"),
        ([("            A -= lr * A.grad\n", "")], "A never moves"),
        ([("            B -= lr * B.grad\n", "")], "B never moves"),
        ([(STEPS, "            pass\n")], "reach the tensors"),
        ([("        with torch.no_grad():\n", "        if True:\n")], "no_grad"),
        ([("A -= lr", "A = A - lr"), ("B -= lr", "B = B - lr")], "lost a tensor"),
        ([("lr * ", "0.001 * ")], "lr is ignored"),
        (
            [
                (KEPT, ""),
                (CLEARED, CLEARED + f"        {APPEND}\n"),
                (APPEND, f"losses.append({BATCH}.item())"),
            ],
            "after the update",
        ),
        ([("loss.item()", "loss")], "whole graph"),
        ([("loss.item()", "minibatch_loss(A, B, images).item()")], "of its own batch"),
        ([("loss.item()", "loss.item() * len(batch)")], "not their sum"),
        (
            [("loss.item()", "loss.item() / len(batch)")],
            "divided by the number of pict",
        ),
        ([(RETURN, RETURN + " + [minibatch_loss(A, B, images).item()]")], "too many"),
        ([(RETURN, RETURN + "[-1:]")], "Only one loss"),
        ([(RETURN, RETURN + "[-1]")], "list with one number"),
        ([(RETURN, "return A.detach(), B.detach(), [np.mean(losses)]")], "mean comes"),
        ([(RETURN, "return A.detach(), B.detach(), np.cumsum(losses)")], "added up"),
        ([(RETURN, "return A, B, losses")], "detached"),
        ([(RETURN, "return A.detach(), B.detach()")], "three things"),
        ([(RETURN, "return B.detach(), A.detach(), losses")], "wrong order"),
        ([(RETURN, "return 0 * A.detach(), 0 * B.detach(), losses")], "reach the"),
        (
            [
                (
                    "            B -= lr * B.grad\n",
                    "            E = batch - batch @ B.T @ A.T\n"
                    "            B += lr * A.T @ E.T @ batch / len(batch)\n",
                )
            ],
            "both gradients",
        ),
        ([("(2 * len(images))", "1")], "not their sum"),
        ([(".sum() / (2 * len(images))", ".mean()")], "pixels of each"),
        (
            [(f"for batch in {SPLIT}", f"for batch in {SPLIT} * 2")],
            "more than one pass",
        ),
        ([(SPLIT, WINDOWS)], "in one batch alone"),
        (
            [
                (KEPT, ""),
                (CLEARED, CLEARED + f"        {APPEND}\n"),
                ("loss.item()", "minibatch_loss(A, B, images).item()"),
            ],
            "of its own batch",
        ),
        (
            [
                ("losses = []", "losses, start = [], (0 + A.detach(), 0 + B.detach())"),
                ("loss.item()", "minibatch_loss(*start, batch).item()"),
            ],
            "those of the start",
        ),
        ([(RETURN, RETURN + "[:1]")], "Only one loss"),
        (
            [(RETURN, "return A.detach(), B.detach(), [2 * loss for loss in losses]")],
            "½ is missing",
        ),
    ],
)

VALUES = np.array([1038.2, 138.4, 61.0, 4.33, 0.51, 0.484])
FIRST, LAST = VALUES[0], VALUES[-1]
LR = 0.5 / FIRST
STEPS_RIGHT = np.log(10) / np.log(1 + LR * LAST)
LIMITS = Exercise(
    "spectrum_limits",
    [
        (LR, STEPS_RIGHT),
        [np.float32(LR), int(np.ceil(STEPS_RIGHT))],
        (0.00048, 9900),
        (LR, np.log(10) / (LR * LAST)),
        (LR, 1 / np.log10(1 + LR * LAST)),
    ],
    [
        ((2 * LR, STEPS_RIGHT / 2), "half of it"),
        ((4 * LR, STEPS_RIGHT / 4), "not 2 / λ₁"),
        ((LR / 2, STEPS_RIGHT), "halved twice"),
        ((0.5 / LAST, STEPS_RIGHT), "That is λ₅₀"),
        ((1 / LAST, STEPS_RIGHT), "That is λ₅₀"),
        ((0.5 / VALUES[1], STEPS_RIGHT), "counts from 0"),
        ((FIRST / 2, STEPS_RIGHT), "upside down"),
        ((0.5 / FIRST**0.5, STEPS_RIGHT), "No square root"),
        ((0.5 / VALUES.sum(), STEPS_RIGHT), "not the sum"),
        ((0.001, STEPS_RIGHT), "predicted_lr: above"),
        ((0.0, STEPS_RIGHT), "predicted_lr: above"),
        ((LR, np.log(10) / np.log10(1 + LR * LAST)), "logarithm"),
        ((LR, np.log10(10) / np.log(1 + LR * LAST)), "logarithm"),
        ((LR, 9 / (LR * LAST)), "compounded"),
        ((LR, 10 / (LR * LAST)), "compounded"),
        ((LR, np.log(10) / np.log(1 + LR * FIRST)), "grows by λ₅₀"),
        ((LR, STEPS_RIGHT / 2), "half the largest stable"),
        ((LR, np.log(10) / np.log(LR * LAST)), "1 + is missing"),
        ((LR, -STEPS_RIGHT), "positive"),
        ((LR, 1 / STEPS_RIGHT), "upside down"),
        ((LR, STEPS_RIGHT / 196), "epochs"),
        ((LR, 1 + LR * LAST), "growth in one step"),
        ((LR, np.log(2) / np.log(1 + LR * LAST)), "tenfold"),
        ((LR, 1000), "steps_tenfold: how often"),
        (LR, "Hand over both"),
        ((LR, STEPS_RIGHT, 1.0), "Hand over both"),
        (("0.00048", STEPS_RIGHT), "one number"),
        ((1 / VALUES[1], STEPS_RIGHT), "counts from 0"),
        ((FIRST, STEPS_RIGHT), "upside down"),
        ((0.5 / FIRST**2, STEPS_RIGHT), "No square root"),
        ((0.5 / VALUES.mean(), STEPS_RIGHT), "not the mean"),
        ((LR, np.log(10) / np.log2(1 + LR * LAST)), "logarithm"),
        ((LR, np.log2(10) / np.log(1 + LR * LAST)), "logarithm"),
        ((LR, 10 / (1 + LR * LAST)), "compounded"),
        ((LR, 2 * STEPS_RIGHT), "halved twice?"),
        ((LR, -np.log(10) / np.log(LR * LAST)), "1 + is missing"),
    ],
    (VALUES,),
)

BEST, COVARIANCE = "torch.linalg.solve(A.T @ A, A.T)", "codes.T @ codes / len(images)"
NEW = "A.detach() - lr * A.grad @ torch.linalg.inv(C)"
MEAN_LOSS = "((images - codes @ A.T) ** 2).sum() / (2 * len(images))"
SCALED_STEP = Exercise(
    "scaled_step",
    [
        f"""
def scaled_step(A, images, lr):
    B = {BEST}
    codes = images @ B.T
    C = {COVARIANCE}
    A = A.clone().requires_grad_()
    loss = {MEAN_LOSS}
    loss.backward()
    return {NEW}
""",
        """
def scaled_step(A, images, lr):
    A = A.detach().clone().requires_grad_()
    B = torch.linalg.pinv(A)
    loss = training.autoencoder_loss(A, B, images.T) / len(images)
    loss.backward()
    with torch.no_grad():
        Y = images @ B.T
        A -= lr * torch.linalg.solve(Y.T @ Y / len(images), A.grad.T).T
    return A.detach()
""",
        """
def scaled_step(A, images, lr=1.0):
    best = torch.linalg.lstsq(images @ torch.linalg.pinv(A).T, images).solution.T
    return (1 - lr) * A + lr * best
""",
        """
def scaled_step(A, images, lr):
    Z, m = images.numpy(), images.shape[0]
    Y = Z @ np.linalg.pinv(A.numpy()).T
    C, M = np.einsum("ij,ik->jk", Y, Y) / m, np.einsum("ij,ik->jk", Z, Y) / m
    return A - lr * torch.from_numpy((A.numpy() @ C - M) @ np.linalg.inv(C))
""",
    ],
    [
        ([("A.detach() - lr", "A.detach() + lr")], "uphill"),
        ([(" @ torch.linalg.inv(C)", "")], "plain step"),
        ([("torch.linalg.inv(C)", "C")], "not by C"),
        ([(" / len(images)\n    A", "\n    A")], "divide YᵀY by m"),
        ([("(2 * len(images))", "2")], "loss is a sum here"),
        (
            [(MEAN_LOSS, "training.autoencoder_loss(A, B, images.T)")],
            "loss is a sum here",
        ),
        ([(COVARIANCE, "codes.T @ codes / len(B)")], "divide YᵀY by m"),
        ([(MEAN_LOSS, "((images - codes @ A.T) ** 2).mean() / 2")], "pixels of each"),
        ([(MEAN_LOSS, "((images - codes @ A.T) ** 2).mean()")], "pixels of each"),
        ([("2 * len(images)", "len(images)")], "½ is missing"),
        ([("inv(C)", "inv(A.detach().T @ A.detach())")], "play the part of V"),
        ([(BEST, "A.T")], "B is Aᵀ there"),
        ([("torch.linalg.inv(C)", "(1 / C)")], "inverted by itself"),
        (
            [(COVARIANCE, "(images @ A).T @ (images @ A) / len(images)")],
            "codes are Z Bᵀ",
        ),
        ([("lr * ", "")], "lr is ignored"),
        ([("A.detach() - lr", "lr")], "step alone"),
        ([("A.detach() - lr", "-lr")], "step alone"),
        ([(NEW, "A.grad")], "step is still to be taken"),
        ([(NEW, "A.grad @ torch.linalg.inv(C)")], "step is still to be taken"),
        ([("inv(C)", "inv(C @ C)")], "multiplied twice"),
        ([(f"return {NEW}", f"A = {NEW}")], "return"),
        ([(NEW, NEW + ", B")], "one matrix"),
        ([(NEW, "A - lr * A.grad @ torch.linalg.inv(C)")], "detach"),
        ([(NEW, f"0 * ({NEW})")], "With B = encoder(A)"),
        ([("lr * A.grad @ torch.linalg.inv(C)", "torch.linalg.inv(C)")], "Two shapes"),
        ([("images @ B.T", "B @ images")], "Two shapes"),
        ([("A = A.clone().requires_grad_()", "A.requires_grad_()")], "copy"),
    ],
)


@functools.cache
def _problem():
    """Return A, B and sixteen pictures like those of the lab."""
    draw = torch.Generator().manual_seed(0)
    start = (torch.randn(size, generator=draw) for size in [(3072, 50), (50, 3072)])
    pictures = data.scale_pixels(data.photo_patches(16, seed=0).pixels)
    return *(p / 3072**0.5 for p in start), torch.from_numpy(pictures)


def _ends(function, size, images=None):
    A, B, pictures = _problem()
    pictures = pictures if images is None else images
    return function(A, B, pictures, batch_size=size, lr=1e-3)


def _right(wrong, right, size):
    """Return whether A and B are right in batches of a size, and whether losses are."""
    found, wanted = _ends(wrong, size), _ends(right, size)
    ends = all(torch.allclose(*each, atol=1e-6) for each in zip(found[:2], wanted))
    losses = len(found[2]) == len(wanted[2])
    return ends, losses and np.allclose(found[2], wanted[2])


@functools.cache
def _without_effect(function, size):
    """Return the numbers of pictures that can change while A and B stay the same."""
    *ends, _ = _ends(function, size)
    idle = []
    for i, picture in enumerate(_problem()[2]):
        images = _problem()[2].clone()
        images[i] = torch.where(picture > 0, -1, 1)
        *others, _ = _ends(function, size, images)
        if all(torch.equal(*each) for each in zip(ends, others)):
            idle.append(i)
    return idle


def _only_in_several(wrong, right):
    return _right(wrong, right, 16)[0] and not _right(wrong, right, 6)[0]


SYMPTOMS = {
    "a": lambda wrong, right: not _right(wrong, right, 16)[0],
    "b": lambda wrong, right: (
        _only_in_several(wrong, right) and bool(_without_effect(wrong, 6))
    ),
    "c": lambda wrong, right: (
        _only_in_several(wrong, right) and not _without_effect(wrong, 6)
    ),
    "d": lambda wrong, right: (
        all(_right(wrong, right, size)[0] for size in (16, 6, 5, 1))
        and not _right(wrong, right, 6)[1]
    ),
}
EXERCISES = [MULTIPLICATIONS, LOSS, TRAIN, LIMITS, SCALED_STEP]
