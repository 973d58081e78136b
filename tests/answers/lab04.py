"""Answers to the exercises of lab 04."""

import numpy as np
import torch

from tests.answers import Exercise

LOSS = Exercise(
    "autoencoder_loss",
    [
        """
def autoencoder_loss(A, B, z):
    return ((z - A @ (B @ z)) ** 2).sum() / 2
""",
        """
def autoencoder_loss(A, B, z):
    return 0.5 * torch.norm(z - (A @ B) @ z) ** 2
""",
        """
def autoencoder_loss(A, B, z, reduction="sum"):
    E = torch.addmm(z, A, B @ z, alpha=-1)
    return torch.trace(E @ E.mT).div(2)
""",
        """
def autoencoder_loss(A, B, z):
    return torch.nn.functional.mse_loss(A @ B @ z, z, reduction="sum").mul_(0.5)
""",
    ],
    [
        ([(" ** 2", "^2")], "write ** 2"),
        (
            [("((z - A @ (B @ z)) ** 2).sum()", "(z - A @ (B @ z)).sum() ** 2")],
            "Square each",
        ),
        (
            [
                (
                    "((z - A @ (B @ z)) ** 2).sum()",
                    "torch.linalg.norm(z - A @ (B @ z), 2) ** 2",
                )
            ],
            "largest singular value",
        ),
        (
            [
                ("    return", "    loss ="),
                ("/ 2", "/ 2\n    loss.backward()\n    return loss"),
            ],
            "leave backward()",
        ),
        ([(" / 2", "")], "½ is missing"),
        ([(".sum() / 2", ".mean()")], "not a mean"),
        ([(".sum()", ".mean()")], "not a mean"),
        ([("sum() / 2", "sum(dim=0).mean() / 2")], "not a mean"),
        ([(".sum() / 2", ".sum() ** 0.5")], "norm is to be squared"),
        ([(" ** 2", ".abs()")], "differences are to be squared"),
        ([(" ** 2", "")], "differences are to be squared"),
        ([("z - A @ (B @ z)", "A @ (B @ z)")], "Compare the copies"),
        ([("sum()", "sum(dim=0)")], "one number"),
        ([("return ((", "return float((("), ("/ 2", "/ 2)")], "without .item()"),
        ([("/ 2", "/ 2)"), ("return ((", "return torch.tensor(((")], "or torch.tensor"),
        ([("return ((z - A", "return ((z - A.detach()")], "detached"),
        ([("(B @ z)", "(B @ z).detach()")], "detached"),
        ([("A @ (B @ z)", "B @ (A @ z)")], "Two shapes"),
        ([("A @ (B @ z)", "A * B @ z")], "a * that should be @"),
        (
            [
                (
                    "((z - A @ (B @ z)) ** 2).sum() / 2",
                    "((z - A @ B @ z) / 2).square().sum()",
                )
            ],
            "Square first, then halve",
        ),
        ([("A @ (B @ z)", "z @ B.T @ A.T")], "Two shapes"),
        ([("((z - A @ (B @ z)) ** 2).sum() / 2", "(0 * A).sum() + 4919.1")], "It is ½"),
        ([("((z - A @ (B @ z)) ** 2).sum() / 2", "(0 * A).sum()")], "It is ½"),
        ([("return", "loss =")], "return"),
        (
            [
                ("    return", "    z -= A @ (B @ z)\n    return"),
                ("(z - A @ (B @ z))", "z"),
            ],
            "copy",
        ),
        ([("sum() / 2", "sum(dim=0).mean()")], "not a mean"),
        (
            [("((z - A @ (B @ z)) ** 2).sum() / 2", "torch.norm(z - A @ (B @ z)) / 2")],
            "norm is to be squared",
        ),
        ([(" ** 2", ".abs()"), (" / 2", "")], "differences are to be squared"),
    ],
)

LOOP = """
def train_ab(A, B, z, steps, lr):
    A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
    losses = []
    for _ in range(steps):
        loss = ((z - A @ (B @ z)) ** 2).sum() / 2
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            A -= lr * A.grad
            B -= lr * B.grad
        A.grad = B.grad = None
    losses.append((((z - A @ (B @ z)) ** 2).sum() / 2).item())
    return A.detach(), B.detach(), losses
"""

RETURN = "return A.detach(), B.detach(), losses"
LAST = "    losses.append((((z - A @ (B @ z)) ** 2).sum() / 2).item())\n"
STEPS = "            A -= lr * A.grad\n            B -= lr * B.grad\n"

TRAIN = Exercise(
    "train_ab",
    [
        LOOP,
        """
def train_ab(A, B, z, steps, lr, momentum=0.0):
    A, B = (torch.nn.Parameter(p.detach().clone()) for p in (A, B))
    optimiser = torch.optim.SGD([A, B], lr=lr, momentum=momentum)
    losses = torch.zeros(steps + 1, dtype=torch.float64)
    for step in range(steps + 1):
        loss = 0.5 * torch.linalg.norm(z - (A @ B) @ z) ** 2
        losses[step] = loss.detach()
        if step < steps:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return A.data, B.data, losses
""",
        """
def train_ab(A, B, z, *, steps, lr):
    def loss_of(A, B):
        return (z - A @ B @ z).square().sum() / 2

    losses = [float(loss_of(A, B))]
    for _ in range(steps):
        A, B = (p.detach().clone().requires_grad_() for p in (A, B))
        dA, dB = torch.autograd.grad(loss_of(A, B), (A, B))
        A, B = A - lr * dA, B - lr * dB
        losses += [loss_of(A, B).item()]
    return [A.detach(), B.detach(), tuple(losses)]
""",
        """
def train_ab(A, B, z, steps, lr):
    run = training.train_autoencoder(
        z, A.shape[1], num_epochs=steps, lr=lr, start=(A, B)
    )
    return run.A, run.B, run.losses
""",
    ],
    [
        ([("        A.grad = B.grad = None\n", "")], "not cleared"),
        ([("A.grad = B.grad = None", "A.grad = None")], "Only some"),
        ([("A.grad = B.grad = None", "B.grad = None")], "Only some"),
        ([("-= lr", "+= lr")], "uphill"),
        (
            [
                (
                    "A.clone().requires_grad_(), B.clone().requires_grad_()",
                    "A.requires_grad_(), B.requires_grad_()",
                )
            ],
            "copy",
        ),
        (
            [
                (
                    "A.clone().requires_grad_(), B.clone().requires_grad_()",
                    "A.detach().requires_grad_(), B.detach().requires_grad_()",
                )
            ],
            "copy",
        ),
        ([(LAST, "")], "after the last update is missing"),
        (
            [(LAST, "    losses.append(loss.item())\n")],
            "after the last update is missing",
        ),
        (
            [("loss.item()", "loss"), (".item())\n    return", ")\n    return")],
            "whole graph",
        ),
        (
            [
                (
                    "        loss.back",
                    "        if losses[-1] > min(losses):\n            break\n"
                    "        loss.back",
                )
            ],
            "where the loss rises",
        ),
        (
            """
def train_ab(A, B, z, steps, lr):
    A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
    losses = []
    for step in range(steps + 1):
        loss = ((z - A @ (B @ z)) ** 2).sum() / 2
        losses.append(loss.item())
        if losses[-1] == min(losses):
            best = A.detach().clone(), B.detach().clone()
        if step < steps:
            loss.backward()
            with torch.no_grad():
                A -= lr * A.grad
                B -= lr * B.grad
            A.grad = B.grad = None
    return *best, losses
""",
            "keeps the best",
        ),
        (
            [
                ("lr * A.grad", "lr * A.grad / z.shape[1]"),
                ("lr * B.grad", "lr * B.grad / z.shape[1]"),
            ],
            "in the step",
        ),
        (
            [(RETURN, "return A.detach(), B.detach(), [round(x, 2) for x in losses]")],
            "not rounded",
        ),
        (
            [(RETURN, "return A.detach(), B.detach(), [round(x) for x in losses]")],
            "not rounded",
        ),
        (
            [(RETURN, "return A.detach().numpy(), B.detach().numpy(), losses")],
            "from_numpy",
        ),
        ([(" / 2", "")], "½ is missing"),
        ([("** 2).sum() / 2", "** 2).mean()")], "not a mean"),
        ([("            A -= lr * A.grad\n", "")], "A never moves"),
        ([("            B -= lr * B.grad\n", "")], "B never moves"),
        ([(STEPS, "            pass\n")], "reach the tensors"),
        ([("        with torch.no_grad():\n", "        if True:\n")], "no_grad"),
        ([("A -= lr", "A = A - lr"), ("B -= lr", "B = B - lr")], "lost a tensor"),
        ([("lr * ", "0.001 * ")], "lr is ignored"),
        ([("losses.append(loss.i", "losses = losses.append(loss.i")], "stands alone"),
        *(
            (
                [(RETURN, f"{RETURN[:-6]}[x / {count} for x in losses]")],
                "not a mean",
            )
            for count in ("z.shape[1]", "z.numel()")
        ),
        ([(RETURN, "return A, B, losses")], "detached"),
        ([(RETURN, "return A.detach(), B.detach()")], "three things"),
        ([(RETURN, "return B.detach(), A.detach(), losses")], "wrong order"),
        (
            [(RETURN, "return A.detach(), B.detach(), losses[-1]")],
            "list with one number",
        ),
        ([(RETURN, "return A.detach(), B.detach(), losses[-1:]")], "Only the last"),
        (
            [(RETURN, "return A.detach(), B.detach(), losses[1:]")],
            "first loss is missing",
        ),
        (
            [(RETURN, "return torch.zeros_like(A).detach(), 0 * B.detach(), losses")],
            "reach the tensors",
        ),
        ([("range(steps)", "range(100)")], "number of steps"),
        (
            [
                (
                    "            B -= lr * B.grad\n",
                    "            B -= lr * (-A.T @ (z - A @ (B @ z)) @ z.T)\n",
                )
            ],
            "both gradients",
        ),
        ([("sum() / 2", "mean() / 2")], "not a mean"),
        ([("sum() / 2", "sum(dim=0).mean() / 2")], "not a mean"),
        ([("sum() / 2", "sum(dim=0).mean()")], "not a mean"),
        (
            [("((z - A @ (B @ z)) ** 2).sum() / 2", "torch.norm(z - A @ (B @ z))")],
            "norm is to be squared",
        ),
        (
            [(RETURN, f"{RETURN}[1:] + losses[-1:]")],
            "first loss is missing",
        ),
        (
            [(RETURN, "return A.detach(), B.detach(), [2 * loss for loss in losses]")],
            "½ is missing",
        ),
        ([(RETURN, f"{RETURN}[:1] * len(losses)")], "same value each time"),
        ([("A -= lr * A.grad", "A -= lr * B.grad.T")], "by the gradient of B"),
        ([("B -= lr * B.grad", "B -= lr * A.grad.T")], "by the gradient of A"),
        ([("losses.append(loss.item())", "losses = [loss.item()]")], "place of the"),
        ([("losses.append(loss.i", "losses.insert(0, loss.i")], "come backwards"),
        ([(RETURN, f"{RETURN}[::-1]")], "come backwards"),
    ],
)

BEST = Exercise(
    "best_rate",
    [
        """
def best_rate(A, B, z, rates, steps):
    k = A.shape[1]
    run = training.train_autoencoder(z, k, num_epochs=steps, lr=rates, start=(A, B))
    last = run.losses[-1].nan_to_num(nan=float("inf"))
    return rates[int(last.argmin())]
""",
        """
def best_rate(A, B, z, rates, steps):
    best, smallest = None, float("inf")
    for lr in rates:
        U, V = A.clone().requires_grad_(), B.clone().requires_grad_()
        for _ in range(steps):
            (0.5 * torch.norm(z - U @ V @ z) ** 2).backward()
            with torch.no_grad():
                for p in (U, V):
                    p -= lr * p.grad
                    p.grad = None
        last = (0.5 * torch.norm(z - U @ V @ z) ** 2).item()
        if last < smallest:
            best, smallest = lr, last
    return best
""",
        """
def best_rate(A, B, z, rates, steps, **options):
    k = A.shape[1]
    run = training.train_autoencoder(z, k, num_epochs=steps, lr=rates, start=(A, B))
    last = np.where(run.diverged, np.inf, run.losses[-1])
    return torch.tensor(rates, dtype=torch.float64)[np.argmin(last)]
""",
    ],
    [
        (
            [("losses[-1].nan", "losses.nan"), ('inf"))', 'inf")).min(dim=0).values')],
            "hides a run",
        ),
        ([('.nan_to_num(nan=float("inf"))', "")], "smallest: make it infinite"),
        ([('nan=float("inf")', "")], "0 unless you say nan="),
        (
            [
                ('nan_to_num(nan=float("inf"))', "tolist()"),
                ("rates[int(last.argmin())]", "rates[last.index(min(last))]"),
            ],
            "nan in front",
        ),
        (
            [
                ('.nan_to_num(nan=float("inf"))', ""),
                ("last.argmin()", "last[~last.isnan()].argmin()"),
            ],
            "moves the others",
        ),
        ([("losses[-1]", "losses[-2]")], "before the last update"),
        ([("losses[-1].nan", "losses.mean(dim=0).nan")], "how it began"),
        *(([("start=(A, B)", f"seed={seed}")], "Another start") for seed in range(4)),
        *(
            ([("num_epochs=steps", f"num_epochs={count}")], "Another number")
            for count in (100, 1000)
        ),
        (
            [("losses[-1].nan", "losses.min(dim=0).values.nan")],
            "asks for the last",
        ),
        (
            [
                (
                    'last = run.losses[-1].nan_to_num(nan=float("inf"))',
                    "last = run.losses.min(dim=0).values\n"
                    "    last[run.diverged] = torch.inf",
                )
            ],
            "asks for the last",
        ),
        (
            [
                (
                    "rates[int(last.argmin())]",
                    "max(r for r, bad in zip(rates, run.diverged) if not bad)",
                )
            ],
            "not yet best",
        ),
        ([("    return", "    best =")], "return"),
        (
            """
def best_rate(A, B, z, rates, steps):
    A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
    best, smallest = None, float("inf")
    for lr in rates:
        for _ in range(steps):
            (0.5 * torch.norm(z - A @ B @ z) ** 2).backward()
            with torch.no_grad():
                A -= lr * A.grad
                B -= lr * B.grad
            A.grad = B.grad = None
        last = (0.5 * torch.norm(z - A @ B @ z) ** 2).item()
        if last < smallest:
            best, smallest = lr, last
    return best
""",
            "do all runs start",
        ),
        ([("rates[int(last.argmin())]", "rates[0]")], "first rate"),
        ([("rates[int(last.argmin())]", "rates[-1]")], "last rate"),
        ([("rates[int(last.argmin())]", "max(rates)")], "largest rate"),
        ([("rates[int(last.argmin())]", "min(rates)")], "smallest rate"),
        ([("rates[int(last.argmin())]", "int(last.argmin())")], "neither its place"),
        ([("rates[int(last.argmin())]", "last.min()")], "neither its place"),
        ([("rates[int(last.argmin())]", "0.0025")], "neither its place"),
        (
            [('nan=float("inf")', "nan=-1.0, posinf=-1"), ("argmin", "argmax")],
            "largest loss",
        ),
        ([("    k = ", "    rates.sort()\n    k = ")], "copy"),
        (
            """
def best_rate(A, B, z, rates, steps):
    finals = []
    A, B = A.clone(), B.clone()
    for lr in rates:
        run = training.train_autoencoder(
            z, A.shape[1], num_epochs=steps, lr=lr, start=(A, B)
        )
        A, B = run.A, run.B
        finals.append(run.losses[-1].nan_to_num(nan=float("inf")))
    return rates[int(torch.stack(finals).argmin())]
""",
            "where the last one ended",
        ),
        (
            """
def best_rate(A, B, z, rates, steps):
    smallest = []
    A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
    for lr in rates:
        losses = []
        for _ in range(steps):
            loss = 0.5 * torch.norm(z - A @ B @ z) ** 2
            losses.append(loss.item())
            loss.backward()
            with torch.no_grad():
                A -= lr * A.grad
                B -= lr * B.grad
            A.grad = B.grad = None
        smallest.append(min(losses))
    return rates[smallest.index(min(smallest))]
""",
            "where the last one ended",
        ),
    ],
)

CURVATURE = 760.0
RATE = Exercise(
    "largest_lr_autoencoder",
    [2 / CURVATURE, 0.00263, np.float32(2 / CURVATURE), torch.tensor(2 / CURVATURE)],
    [
        (1 / CURVATURE, "not 1 / c"),
        (1 / (2 * CURVATURE), "not 1 / (2 c)"),
        (4 / CURVATURE, "not 4 / c"),
        (CURVATURE, "divided by it"),
        (CURVATURE / 2, "upside down"),
        (2 / CURVATURE**2, "not to be squared"),
        (2 / CURVATURE**0.5, "No square root"),
        (1 / 371.92, "flattest"),
        (2 / 371.92, "curvature at zero"),
        (0.0026, "keep three digits"),
        (0.003, "keep three digits"),
        (0.0025, "no prediction"),
        (0.01, "no prediction"),
        (0.00265, "no prediction"),
        (0.0027, "flattest"),
        (0.0, "2 divided by"),
        ("2 / 760", "one number"),
    ],
    (CURVATURE,),
)

ENCODER = Exercise(
    "best_encoder",
    [
        """
def best_encoder(A):
    return torch.linalg.pinv(A)
""",
        """
def best_encoder(A):
    return torch.linalg.solve(A.T @ A, A.T)
""",
        """
def best_encoder(A, rcond=None):
    Q, R = torch.linalg.qr(A)
    return torch.linalg.inv(R) @ Q.T
""",
        """
def best_encoder(A):
    return torch.linalg.lstsq(A, torch.eye(len(A), dtype=A.dtype)).solution
""",
    ],
    [
        ([("torch.linalg.pinv(A)", "A.T")], "A.T alone"),
        (
            [
                (
                    "torch.linalg.pinv(A)",
                    "torch.linalg.lstsq(A, torch.eye(len(A), dtype=A.dtype))",
                )
            ],
            ".solution",
        ),
        ([("torch.linalg.pinv(A)", "A.T / (A ** 2).sum()")], "single scale"),
        (
            [("torch.linalg.pinv(A)", "A.T / (A ** 2).sum(dim=0)[:, None]")],
            "unit length",
        ),
        ([("torch.linalg.pinv(A)", "torch.linalg.pinv(A).T")], "transposed"),
        ([("torch.linalg.pinv(A)", "torch.linalg.inv(A.T @ A)")], "one matrix B"),
        ([("torch.linalg.pinv(A)", "A.T @ A @ A.T")], "to be undone"),
        ([("torch.linalg.pinv(A)", "torch.linalg.inv(A)")], "square matrix"),
        ([("torch.linalg.pinv(A)", "torch.linalg.inv(A @ A)")], "Two shapes"),
        ([("torch.linalg.pinv(A)", "torch.linalg.qr(A)[0].T")], "R is to be undone"),
        ([("torch.linalg.pinv(A)", "(A.T @ A) ** -1 @ A.T")], "entry by entry"),
        ([("torch.linalg.pinv(A)", "1 / A.T")], "entry by entry"),
        ([("torch.linalg.pinv(A)", "torch.zeros(A.shape).T.to(A)")], "which y does"),
        ([("torch.linalg.pinv(A)", "torch.ones(A.shape).T.to(A)")], "which y does"),
        (
            [("torch.linalg.pinv(A)", "torch.linalg.pinv(A).requires_grad_()")],
            "detached",
        ),
        ([("torch.linalg.pinv(A)", "torch.linalg.pinv(A).double()")], "dtype of what"),
        ([("torch.linalg.pinv(A)", "np.linalg.pinv(A.numpy())")], "from_numpy"),
    ],
)


def _right(wrong, right, steps):
    """Return whether A, B and the losses are right after so many steps.

    Start and data are drawn as in the lab.
    """
    draw = torch.Generator().manual_seed(2139)
    z, *start = (
        torch.normal(0.0, scale, size, generator=draw).double()
        for size, scale in [((100, 100), 1.0), ((100, 50), 0.02), ((50, 100), 0.02)]
    )
    found, wanted = (f(*start, z, steps, 0.001) for f in (wrong, right))
    A, B = (torch.allclose(*each, atol=1e-9) for each in zip(found[:2], wanted))
    losses = len(found[2]) == len(wanted[2]) and np.allclose(found[2], wanted[2])
    return A, B, losses


SYMPTOMS = {
    "a": lambda wrong, right: not any(_right(wrong, right, 1)[:2]),
    "b": lambda wrong, right: sum(_right(wrong, right, 1)[:2]) == 1,
    "c": lambda wrong, right: (
        all(_right(wrong, right, 1)[:2]) and not all(_right(wrong, right, 2)[:2])
    ),
    "d": lambda wrong, right: (
        all(all(_right(wrong, right, steps)[:2]) for steps in (1, 2, 5))
        and not any(_right(wrong, right, steps)[2] for steps in (2, 5))
    ),
}
EXERCISES = [LOSS, TRAIN, BEST, RATE, ENCODER]
