"""Answers to the exercises of lab 01."""

import functools

import numpy as np
import torch

from labhelpers import data
from tests.answers import Exercise

LOOP = """
def gd_factorise_ad(A, rank, num_epochs=1000, lr=0.01, generator=None):
    m, n = A.shape
    U = torch.rand(m, rank, generator=generator, dtype=A.dtype).requires_grad_()
    V = torch.rand(n, rank, generator=generator, dtype=A.dtype).requires_grad_()
    for _ in range(num_epochs):
        loss = ((A - U @ V.T) ** 2).sum()
        loss.backward()
        with torch.no_grad():
            U -= lr * U.grad
            V -= lr * V.grad
        U.grad = V.grad = None
    return U.detach(), V.detach()
"""

OPTIMISER = """
def gd_factorise_ad(A, rank, num_epochs=1000, lr=0.01, *, verbose=False, **options):
    U = torch.nn.Parameter(torch.rand((A.shape[0], rank), dtype=A.dtype))
    V = torch.nn.Parameter(torch.rand((A.shape[1], rank), dtype=A.dtype))
    optimiser = torch.optim.SGD([U, V], lr=lr)
    for _ in range(num_epochs):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(U @ V.T, A, reduction="sum").backward()
        optimiser.step()
    return [U.detach(), V.detach()]
"""

REBOUND = """
def gd_factorise_ad(A, rank, num_epochs=1000, lr=0.01, generator=None):
    factors = [torch.rand(k, rank, generator=generator, dtype=A.dtype) for k in A.shape]
    while num_epochs > 0:
        factors = [f.detach().requires_grad_() for f in factors]
        loss = torch.linalg.matrix_norm(A - factors[0] @ factors[1].mT) ** 2
        slopes = torch.autograd.grad(loss, factors)
        factors = [f - lr * slope for f, slope in zip(factors, slopes)]
        num_epochs -= 1
    return tuple(f.detach() for f in factors)
"""

BY_HAND = """
def gd_factorise_ad(A, rank, num_epochs=1000, lr=0.01):
    U, V = (0.1 * torch.randn(k, rank).to(A) for k in A.shape)
    for _ in range(num_epochs):
        E = A - U @ V.T
        U, V = U + 2 * lr * E @ V, V + 2 * lr * E.T @ U
    return U, V
"""

STALE = """
def gd_factorise_ad(A, rank, num_epochs=1000, lr=0.01, generator=None):
    U, V = (torch.rand(k, rank, generator=generator).to(A) for k in A.shape)
    for _ in range(num_epochs):
        E = A - U @ V.T
        U = U + 2 * lr * E @ V
        V = V + 2 * lr * E.T @ U
    return U, V
"""

UNRECORDED = """
def gd_factorise_ad(A, rank, num_epochs=1000, lr=0.01, generator=None):
    size = {"generator": generator, "dtype": A.dtype, "requires_grad": True}
    U, V = (torch.rand(k, rank, **size) for k in A.shape)
    with torch.no_grad():
        for _ in range(num_epochs):
            ((A - U @ V.T) ** 2).sum().backward()
            U -= lr * U.grad
            V -= lr * V.grad
            U.grad = V.grad = None
    return U.detach(), V.detach()
"""

AGAIN = "        E = A - U @ V.T\n"

CLEAR = "        U.grad = V.grad = None\n"
STEPS = "            U -= lr * U.grad\n            V -= lr * V.grad\n"
UPDATE = "        with torch.no_grad():\n" + STEPS
LOSS = "((A - U @ V.T) ** 2).sum()"
DRAW = "torch.rand({}, rank, generator=generator, dtype=A.dtype)"
RETURN = "return U.detach(), V.detach()"


def draw(new):
    return [(DRAW.format(k), new.format(k)) for k in ("m", "n")]


WORSE = "loss > before"
STOP = """        if abs(before - loss) < 1e-6:
            break
        before = loss.item()
        loss.backward()"""

SLIPS = [
    (
        [
            ("    for _", "    before = 1e9\n    for _"),
            ("        loss.backward()", STOP),
        ],
        "on a plateau",
    ),
    (
        [
            ("    for _", "    before = 1e9\n    for _"),
            (
                "        loss.backward()",
                STOP.replace("abs(before - loss) < 1e-6", WORSE),
            ),
        ],
        "where the loss rises",
    ),
    ([(CLEAR, "")], "not cleared"),
    ([("U.grad = V.grad", "U.grad")], "Only some"),
    ([("-= lr", "+= lr")], "The step goes uphill"),
    ([("U -= lr", "U += lr")], "U goes uphill"),
    ([("V -= lr", "V += lr")], "V goes uphill"),
    ([(".sum()", ".mean()")], "not a mean"),
    ([("** 2).sum()", "** 2).sum() / 2")], "no factor ½"),
    ([("** 2).sum()", "** 2).sum().sqrt()")], "squared"),
    ([(" ** 2).sum()", ").sum() ** 2")], "Square each"),
    ([(" ** 2).sum()", ").abs().sum()")], "Square each"),
    ([(".sum()", ".sum(dim=0).mean()")], "not a mean"),
    ([(".sum()", ".sum(dim=1).mean()")], "not a mean"),
    ([("lr * ", "2 * lr * ")], "twice as long"),
    (
        [("loss.backward()", "loss.backward()\n        U.grad *= 0; V.grad *= 0")],
        "come before",
    ),
    ([("            U -= lr * U.grad\n", "")], "U never moves"),
    ([("            V -= lr * V.grad\n", "")], "V never moves"),
    ([(UPDATE, STEPS.replace("    " * 3, "    " * 2))], "no_grad"),
    ([("U -= lr * U.grad", "U = U - lr * U.grad")], "lost a tensor"),
    (
        [
            (
                "V.grad\n        U.grad",
                "V.grad; return U.detach(), V.detach()\n        U.grad",
            )
        ],
        "only one step",
    ),
    ([("range(num_epochs)", "range(num_epochs - 1)")], "one step too few"),
    ([("range(num_epochs)", "range(num_epochs + 1)")], "one step too many"),
    ([("range(num_epochs)", "range(100)")], "number of steps"),
    ([("lr * ", "0.01 * ")], "lr is ignored"),
    (draw("torch.zeros({}, rank, dtype=A.dtype)"), "are zero"),
    (draw("torch.ones({}, rank, dtype=A.dtype)"), "start alike"),
    (
        [("dtype=A.dtype", "dtype=torch.float64"), ("A - U", "A.double() - U")],
        "dtype of what",
    ),
    ([("V.T) ** 2", "V) ** 2")], "Two shapes"),
    ([(".requires_grad_()\n    V", "\n    V")], "lost a tensor"),
]

GD = Exercise(
    "gd_factorise_ad",
    [LOOP, OPTIMISER, REBOUND, BY_HAND],
    [
        *SLIPS,
        (
            [
                ("        loss = " + LOSS + "\n", ""),
                ("    for _", "    loss = " + LOSS + "\n    for _"),
            ],
            "once only",
        ),
        ([(RETURN, "return U @ V.T")], "pair (U, V)"),
        ([(RETURN, "return U.detach() @ V.detach().T")], "pair (U, V)"),
        ([(RETURN, "return U.detach(), V.detach().T")], "transposed"),
        ([(RETURN, "return V.detach(), U.detach()")], "wrong order"),
        ([(RETURN, "return U, V")], "detached"),
        ([(RETURN, "")], "return"),
        ([(RETURN, "return 15.2")], "pair (U, V)"),
        ([("rank, gen", "2, gen")], "(m, rank)"),
        (
            [
                (", dtype=A.dtype", ""),
                ("A - U", "A.float() - U"),
                (RETURN, "return U.detach().to(A), V.detach().to(A)"),
            ],
            "dtype of what",
        ),
        ([("U @ V.T", "(U @ V.T).detach()")], "not recorded"),
        (UNRECORDED, "not recorded"),
        (STALE, "Take both gradients"),
        (STALE.replace("        V =", AGAIN + "        V ="), "Take both gradients"),
        ([("m, n = A.shape", "m, n = 150, 4")], "size of the lab's data"),
        ([(LOSS, "((torch.ones(150, 4).to(A) - U @ V.T) ** 2).sum()")], "lab's data"),
        ([("A.shape\n", "A.shape\n    A -= A.mean(dim=0)\n")], "copy"),
        ([("A.shape\n", "A.shape\n    A = A - A.mean(dim=0)\n")], "not − lr"),
        ([("num_epochs=1000, lr=0.01", "num_epochs, lr")], "value in the first line"),
        ([("range(num_epochs)", "range(1000)")], "number of steps"),
    ],
)

SVD = Exercise(
    "svd_loss",
    [
        """
def svd_loss(A, rank):
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    truncated = U[:, :rank] * s[:rank] @ Vt[:rank]
    return float(((A - truncated) ** 2).sum())
""",
        """
def svd_loss(A, rank):
    return (np.linalg.svd(A, compute_uv=False)[rank:] ** 2).sum()
""",
        """
def svd_loss(A, rank, verbose=False):
    U, s, V = torch.linalg.svd(torch.as_tensor(A), full_matrices=False)
    kept = U[:, :rank] @ torch.diag(s[:rank]) @ V[:rank]
    return torch.linalg.norm(torch.as_tensor(A) - kept) ** 2
""",
    ],
    [
        ([("** 2).sum()", "** 2).sum() ** 0.5")], "norm is to be squared"),
        ([("** 2).sum()", "** 2).mean()")], "not a mean"),
        ([("** 2).sum()", "** 2).sum() / 2")], "no factor ½"),
        (
            [("truncated) ** 2).sum()", "truncated) ** 2).sum() / len(s[rank:])")],
            "mean",
        ),
        ([(" ** 2).sum()", ").sum() ** 2")], "Square each"),
        ([("((A - truncated) ** 2).sum()", "s[rank:].sum() ** 2")], "Square each"),
        ([("((A - truncated) ** 2)", "np.abs(A - truncated)")], "Square each"),
        ([("((A - truncated) ** 2).sum()", "s[rank] ** 2")], "the first one left out"),
        ([("((A - truncated) ** 2).sum()", "s[rank]")], "the first one left out"),
        ([(":rank]", ":]")], "Nothing is left out"),
        ([("A - truncated", "A")], "nothing is kept"),
        ([(":rank]", "1:rank]")], "first term is missing"),
        ([(":rank]", "-rank:]")], "Those are the last"),
        ([("2).sum()", "2).sum() / (A ** 2).sum()")], "not its share"),
        ([("return float(", "return round("), ("sum())", "sum(), 1)")], "round"),
        ([(":rank]", ":2]")], "fixed at 2"),
        ([("(A - truncated)", "truncated")], "what is left out"),
        ([("((A - truncated) ** 2).sum()", "s[rank:].sum()")], "Square the singular"),
        ([(":rank]", ":rank - 1]")], "too few"),
        ([(":rank]", ":rank + 1]")], "too many"),
        ([(" * s[:rank]", "")], "are missing"),
        (
            [
                ("svd(A,", "svd(A - A.mean(axis=0),"),
                ("((A -", "((A - A.mean(axis=0) -"),
            ],
            "not to be centred",
        ),
        ([("float(((A - truncated) ** 2).sum())", "15.2046")], "lab's number"),
        ([("float(((A - truncated) ** 2).sum())", "15.2")], "lab's number"),
        ([("float(((A - truncated) ** 2).sum())", "-1.0")], "Try the parts"),
        (
            [("float(((A - truncated) ** 2).sum())", "None if A is None else None")],
            "return",
        ),
        ([("Vt[:rank]", "Vt[:, :rank].T")], "not its columns"),
        ([("U[:, :rank]", "U[:rank].T")], "columns of P"),
        (
            [
                (
                    "U[:, :rank] * s[:rank] @ Vt[:rank]",
                    "sum(s[i] * np.outer(U[i], Vt[i]) for i in range(rank))",
                )
            ],
            "columns of P",
        ),
        ([("    U, s", "    A -= A.mean(axis=0)\n    U, s")], "copy"),
        (
            [("float(((A - truncated) ** 2).sum())", "(A - truncated) ** 2")],
            "one number",
        ),
    ],
)

# Not the lab's matrix: the check takes the one that it is given.
TABLE = np.diag([9.0, 3.0, 1.0, 0.5])[[0, 0, 1, 2, 3]]
SIGMA, *OTHERS = np.linalg.svd(TABLE, compute_uv=False)

RATE = Exercise(
    "largest_lr_factorisation",
    [2 / (4 * SIGMA), round(1 / (2 * SIGMA), 4), np.array([0.5 / SIGMA])],
    [
        (1 / (4 * SIGMA), "not 1 / c"),
        (2 / SIGMA, "4 σ₁, not σ₁"),
        (1 / SIGMA, "not 2 σ₁"),
        (2 / 4 * SIGMA, "half of σ₁"),
        (2 / 196.7, "on the plateau"),
        (1 / 196.7, "on the plateau"),
        (196.7, "on the plateau"),
        (1 / (2 * SIGMA**2), "not its square"),
        (1 / SIGMA**2, "not its square"),
        (2 / SIGMA**2, "not its square"),
        (2 * SIGMA, "not c / 2"),
        *((1 / (2 * other), "s[0]") for other in OTHERS),
        (4 * SIGMA, "divided by it"),
        (SIGMA, "That is σ₁"),
        (0.01, "If you mean 1 / c"),
        (0.0, "2 / c"),
        (-1.0, "2 / c"),
        ("0.02", "one number"),
        (float("nan"), "run away"),
        (True, "one number"),
    ],
    (TABLE,),
)

COMPLETE = Exercise(
    "complete",
    [
        LOOP.replace("gd_factorise_ad(A", "complete(A, mask")
        .replace("((A - U", "(mask * (A - U")
        .replace(RETURN, "return (U @ V.T).detach()"),
        OPTIMISER.replace("gd_factorise_ad(A", "complete(A, mask")
        .replace(
            'mse_loss(U @ V.T, A, reduction="sum")',
            ('mse_loss((U @ V.T)[mask == 1], A[mask == 1], reduction="sum")'),
        )
        .replace("return [U.detach(), V.detach()]", "return (U @ V.T).data"),
        REBOUND.replace("gd_factorise_ad(A", "complete(A, mask")
        .replace(
            "norm(A - factors[0] @ factors[1].mT)",
            ("norm(mask * A - mask * (factors[0] @ factors[1].mT))"),
        )
        .replace(
            "return tuple(f.detach() for f in factors)",
            ("return factors[0].detach() @ factors[1].detach().T"),
        ),
        BY_HAND.replace("gd_factorise_ad(A", "complete(A, mask")
        .replace("E = A - U @ V.T", "E = mask * (A - U @ V.T)")
        .replace("return U, V", "return U @ V.T"),
    ],
    [
        *[
            (changes, hint)
            for changes, hint in SLIPS
            if all(LOSS not in old and "V.T) ** 2" not in old for old, _ in changes)
            and hint not in ("only one step", "dtype of what")
        ],
        ([("mask * (A", "(A")], "mask is ignored"),
        ([("mask * (A", "(1 - mask) * (A")], "upside down"),
        ([("mask * (A - U @ V.T)", "(A - U @ V.T)[mask.long()]")], "picks rows"),
        ([("mask * (A - U @ V.T)", "(A - U @ V.T)[mask]")], "mask == 1"),
        ([("mask * (A - U", "(mask * A - U")], "holes count as zeros"),
        (
            [("    m, n", "    mask = mask * mask.min(1)[0][:, None]\n    m, n")],
            "Rows with a hole",
        ),
        ([("return (U @ V.T)", "return ((1 - mask) * (U @ V.T))")], "product itself"),
        ([("return (U @ V.T)", "return (mask * (U @ V.T))")], "whole product"),
        (
            [("return (U @ V.T)", "return ((1 - mask) * (U @ V.T) + mask * A)")],
            "product itself",
        ),
        ([("return (U @ V.T)", "return (U @ V.T).T")], "transposed"),
        (
            [("return (U @ V.T).detach()", "return U.detach(), V.detach()")],
            "product U @ V.T",
        ),
        ([("return (U @ V.T).detach()", "return U @ V.T")], "detached"),
        ([("return (U @ V.T).detach()", "return torch.zeros_like(A)")], "are zero"),
        ([("** 2).sum()", "** 2).sum() / mask.sum()")], "not a mean"),
        ([("    m, n", "    A[mask == 0] = 0\n    m, n")], "copy"),
        # From a start of its own, only what must hold is judged.
        (
            [*draw("torch.randn({}, rank, dtype=A.dtype)"), ("mask * (A", "(A")],
            "only those",
        ),
        (
            [*draw("torch.randn({}, rank, dtype=A.dtype)"), (".sum()", ".mean()")],
            "not a mean",
        ),
        ([*draw("torch.randn({}, rank, dtype=A.dtype)"), ("-=", "+=")], "uphill"),
        ([*draw("torch.randn({}, rank, dtype=A.dtype)"), (CLEAR, "")], "not cleared"),
        ([*draw("torch.randn({}, rank + 1, dtype=A.dtype)")], "(m, rank)"),
    ],
)

EXERCISES = [GD, SVD, RATE, COMPLETE]


@functools.cache
def _ends(function):
    """Return the losses on known entries as epochs go by, and how many are exact.

    As the task has it: a matrix of rank 1, so the least possible loss is 0.
    """
    A = torch.tensor(data.load_iris().features)
    A = A - A.mean(dim=0)
    A, losses, exact = torch.outer(A[:, 2], A[0]) / 3, [], []
    mask = torch.ones_like(A)
    mask[::5, 0] = 0
    for epochs in (5, 30, 300, 320):
        seeded = torch.Generator().manual_seed(0)
        found = function(A, mask, 1, num_epochs=epochs, generator=seeded)
        losses.append(float((mask * (A - found) ** 2).sum()))
        exact.append(int(((found == 0) | (found == A)).sum()))
    return np.array(losses), exact[0]  # later, some are reached by rounding


def _at_rest(wrong):
    *_, before, last = _ends(wrong)[0]
    return abs(last - before) < 1e-4 * before + 1e-6


def _never_at_rest(wrong, right):
    losses, exact = _ends(wrong)
    return not exact and not (np.diff(losses) < 0).all() and not _at_rest(wrong)


def _rests_above(wrong, right):
    losses, exact = _ends(wrong)
    return not exact and _at_rest(wrong) and losses[-1] > 1


def _other_pace(wrong, right):
    losses, exact = _ends(wrong)
    falls = (np.diff(losses) < 1e-9).all() and not (_at_rest(wrong) and losses[-1] > 1)
    return not exact and falls and abs(losses[1] / _ends(right)[0][1] - 1) > 0.1


SYMPTOMS = {
    "a": _never_at_rest,
    "b": _rests_above,
    "c": _other_pace,
    "d": lambda wrong, right: _ends(wrong)[1] > 0,
}
