"""Answers to the exercises of lab 03."""

import numpy as np
import pytest
import torch

from labhelpers import data, training
from tests.answers import Exercise

LOOP = """
def mlp_train(data, targets, num_epochs=100, lr=0.01, generator=None):
    inputs, classes = data.shape[1], int(targets.max()) + 1
    W1 = torch.randn(inputs, 12, generator=generator, dtype=data.dtype)
    W2 = torch.randn(12, classes, generator=generator, dtype=data.dtype)
    b1, b2 = torch.zeros(12, dtype=data.dtype), torch.zeros(classes, dtype=data.dtype)
    params = [p.requires_grad_() for p in (W1, b1, W2, b2)]
    for _ in range(num_epochs):
        logits = torch.relu(data @ W1 + b1) @ W2 + b2
        loss = torch.nn.functional.cross_entropy(logits, targets)
        loss.backward()
        with torch.no_grad():
            for p in params:
                p -= lr * p.grad
                p.grad = None
    return tuple(p.detach() for p in params)
"""

OPTIMISER = """
def mlp_train(data, targets, num_epochs=100, lr=0.01, seed=None):
    classes = 1 + int(max(targets))
    W1 = torch.nn.Parameter(torch.randn(data.shape[1], 12).to(data))
    W2 = torch.nn.Parameter(torch.randn(12, classes).to(data))
    b1 = torch.nn.Parameter(torch.zeros(1, 12).to(data))
    b2 = torch.nn.Parameter(torch.zeros(1, classes).to(data))
    optimiser = torch.optim.SGD([W1, b1, W2, b2], lr)
    for epoch in range(num_epochs):
        hidden = (data @ W1 + b1).clamp(min=0)
        loss = torch.nn.CrossEntropyLoss()(hidden @ W2 + b2, targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return [W1.data, b1.data, W2.data, b2.data]
"""

BY_GRAD = """
def mlp_train(data, targets, num_epochs=100, lr=0.01, generator=None, hidden=12):
    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=data.dtype) / 2

    classes = targets.max().item() + 1
    params = [draw(data.shape[1], hidden), 0 * draw(hidden), draw(hidden, classes)]
    params = [p.requires_grad_() for p in [*params, 0 * draw(classes)]]
    for _ in range(num_epochs):
        W1, b1, W2, b2 = params
        P = ((data @ W1 + b1).relu() @ W2 + b2).softmax(dim=1)
        loss = -P[torch.arange(len(data)), targets].log().mean()
        slopes = torch.autograd.grad(loss, params)
        params = [p - lr * g for p, g in zip(params, slopes)]
        params = [p.detach().requires_grad_() for p in params]
    return tuple(p.detach() for p in params)
"""

CROSS = "torch.nn.functional.cross_entropy(logits, targets)"
STEP = LOOP[LOOP.index("        logits") : LOOP.index("    return")]
UPDATE = LOOP[LOOP.index("        with torch.no_grad") : LOOP.index("    return")]
OPTIMISED = "        optimiser.step()\n        optimiser.zero_grad()\n"
BENDS = ["torch.tanh", "torch.sigmoid"]
BENDS += ["torch.nn.functional.gelu", "torch.nn.functional.leaky_relu"]
FOR_BATCHES = """        for i in range(0, len(data), {}):
            rows, labels = data[i : i + {}], targets[i : i + {}]
"""
IN_BATCH = "".join("    " + line for line in STEP.splitlines(keepends=True))
IN_BATCH = IN_BATCH.replace("data @", "rows @").replace("targets)", "labels)")
LOGITS = "torch.relu(data @ W1 + b1) @ W2 + b2"
RETURN = "return tuple(p.detach() for p in params)"

TRAIN = Exercise(
    "mlp_train",
    [LOOP, OPTIMISER, BY_GRAD],
    [
        ([("                p.grad = None\n", "")], "not cleared"),
        (
            [("                p.grad = None\n", "            W1.grad = None\n")],
            "Only some",
        ),
        (
            [
                (
                    "                p.grad = None\n",
                    "            b1.grad = b2.grad = None\n",
                )
            ],
            "Only some",
        ),
        *(
            ([(STEP, FOR_BATCHES.format(size, size, size) + IN_BATCH)], "no batches")
            for size in (1, 10, 16, 20, 32, 50)
        ),
        (
            [
                ("torch.zeros(12,", "torch.randn(12,"),
                ("torch.zeros(classes,", "torch.randn(classes,"),
            ],
            "biases start as zeros",
        ),
        *(
            (
                [
                    (
                        "        loss.back",
                        f"        if loss < {low}: break\n        loss.back",
                    )
                ],
                "ends early",
            )
            for low in (0.1, 0.01)
        ),
        (
            [
                (
                    CROSS,
                    "torch.nn.functional.cross_entropy(\n            logits, targets, "
                    "weight=1 / targets.bincount().to(data)\n        )",
                )
            ],
            "count alike",
        ),
        (
            [
                ("torch.relu(data @ W1 + b1)", "torch.relu(data @ W1 + b1).detach()"),
                (
                    "in params:\n                p -=",
                    "in (W2, b2):\n                p -=",
                ),
            ],
            "hidden layer",
        ),
        ([("-= lr", "+= lr")], "uphill"),
        ([(LOGITS, f"({LOGITS}).softmax(dim=1)")], "softmax too many"),
        ([("W1 + b1)", "W1)"), ("W2 + b2", "W2")], "lost a tensor"),
        ([(LOGITS, "(torch.relu(data @ W1) + b1) @ W2 + b2")], "after the relu"),
        ([(LOGITS, "(data @ W1 + b1) @ W2 + b2")], "relu between"),
        ([(LOGITS, f"torch.relu({LOGITS})")], "no relu on them"),
        *(([("torch.relu", bend)], "another bend") for bend in BENDS),
        ([(CROSS, "torch.nn.functional.nll_loss(logits, targets)")], "takes log-prob"),
        (
            [(CROSS, "torch.nn.functional.nll_loss(logits.softmax(1), targets)")],
            "logarithm is missing",
        ),
        (
            [(CROSS, "torch.nn.functional.nll_loss(logits.log_softmax(0), targets)")],
            "along each row",
        ),
        ([("-= lr", "-= lr / len(data)")], "mean already"),
        *(
            (
                [
                    (
                        "    inputs",
                        f"    data = (data - data.mean(0)) / data.std({ddof})\n"
                        "    inputs",
                    )
                ],
                "as they are handed in",
            )
            for ddof in ("0", "0, correction=0")
        ),
        ([("p.grad\n", "p.grad.sign()\n")], "as in Adam"),
        *(
            (
                [
                    ("    for _", f"    optimiser = {maker}\n    for _"),
                    (UPDATE, OPTIMISED),
                ],
                hint,
            )
            for maker, hint in (
                ("torch.optim.Adam(params, lr)", "as in Adam"),
                ("torch.optim.SGD(params, lr, momentum=0.9)", "momentum"),
            )
        ),
        ([("loss.back", "loss.item().back")], "plain number already"),
        ([("targets)\n", "targets, reduction='sum')\n")], "not their sum"),
        ([("in params:\n", "in (b1, W2, b2):\n")], "W1 never moves"),
        ([("in params:\n", "in (W1, W2, b2):\n")], "b1 never moves"),
        ([("in params:\n", "in (W1, b1, b2):\n")], "W2 never moves"),
        ([("in params:\n", "in (W1, b1, W2):\n")], "b2 never moves"),
        ([("in params:\n", "in (W1, W2):\n")], "biases never move"),
        (
            [
                (
                    "        with torch.no_grad():\n            for",
                    "        if True:\n            for",
                )
            ],
            "no_grad",
        ),
        ([("lr * p", "0.01 * p")], "lr is ignored"),
        ([("range(num_epochs)", "range(100)")], "number of steps"),
        ([("torch.randn", "torch.zeros"), ("generator=generator, ", "")], "are zero"),
        ([("torch.randn", "torch.ones"), ("generator=generator, ", "")], "start alike"),
        (
            [
                ("torch.zeros(12,", "torch.zeros(1,"),
                ("torch.zeros(classes,", "torch.zeros(1,"),
            ],
            "bias is a vector",
        ),
        ([(" + 1\n", "\n")], "one more than"),
        ([("int(targets.max()) + 1", "len(targets.unique())")], "one more than"),
        ([("int(targets.max()) + 1", "3")], "no fixed number"),
        ([("randn(inputs", "randn(4")], "size of the lab's"),
        ([(RETURN, "return tuple(params)")], "detached"),
        (
            [(RETURN, "return W1.detach(), W2.detach(), b1.detach(), b2.detach()")],
            "W2 (12, classes)",
        ),
        (
            [(RETURN, "return W1.detach().T, b1.detach(), W2.detach().T, b2.detach()")],
            "transposed",
        ),
        ([(RETURN, "return logits.detach()")], "W2 (12, classes)"),
        ([(RETURN, "return loss.detach()")], "W2 (12, classes)"),
        (
            [
                ("dtype=data.dtype", "dtype=torch.float64"),
                ("(data @", "(data.double() @"),
            ],
            "dtype of what",
        ),
        ([("    inputs", "    data -= data.mean(dim=0)\n    inputs")], "copy"),
        ([(" 12", " 8"), ("(12", "(8")], "(inputs, 12)"),
        (
            [
                (
                    "            for",
                    "            return tuple(p.detach() - lr * p.grad for p in"
                    " params)\n            for",
                )
            ],
            "only one step",
        ),
        (
            [
                (
                    "torch.nn.functional.cross_entropy(logits, targets)",
                    "((logits - torch.eye(classes)[targets]) ** 2).mean()",
                )
            ],
            "not squared",
        ),
        (
            [
                (
                    "torch.nn.functional.cross_entropy(logits, targets)",
                    "((logits.softmax(1) - torch.eye(classes)[targets]) ** 2).mean()",
                )
            ],
            "not squared",
        ),
        (
            [(RETURN, "return W1.detach(), b1.detach()[:, None], *params[2:]")],
            "W2 (12, classes)",
        ),
    ],
)

EVALUATE = Exercise(
    "evaluate",
    [
        """
def evaluate(data, targets, W1, b1, W2, b2):
    logits = torch.relu(data @ W1 + b1) @ W2 + b2
    loss = torch.nn.functional.cross_entropy(logits, targets)
    right = logits.argmax(dim=1) == targets
    return loss.item(), right.double().mean().item()
""",
        """
def evaluate(data, targets, W1, b1, W2, b2, digits=4):
    logits = (data @ W1 + b1).clamp(min=0) @ W2 + b2
    P = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    loss = -P[torch.arange(len(targets)), targets].log().mean()
    right = sum(P.max(dim=1).indices == targets)
    return [loss.double().numpy()[()], right.item() / len(targets)]
""",
        """
def evaluate(data, targets, W1, b1, W2, b2):
    hidden = torch.relu(data @ W1 + b1)
    log_p = (hidden @ W2 + b2).log_softmax(dim=1)
    loss = -log_p[torch.arange(len(targets)), targets].mean()
    accuracy = (log_p.argmax(dim=1) == targets).double().mean()
    return loss.item(), accuracy.item()
""",
        """
def evaluate(data, targets, *params):
    logits = training.mlp_logits(data, *params)
    loss = training.cross_entropy(logits, targets)
    return float(loss), np.mean(logits.numpy().argmax(1) == targets.numpy())
""",
    ],
    [
        ([("loss.item()", "loss")], "makes one of a tensor"),
        ([("mean().item()", "mean()")], "makes one of a tensor"),
        (
            [("loss.item(), right", "torch.stack([loss, right"), ("().item()", "()])")],
            "makes one of a tensor",
        ),
        *(
            (
                [
                    (
                        "    logits",
                        f"    data = (data - data.mean(0)) / data.std({ddof})\n"
                        "    logits",
                    )
                ],
                "as they are handed in",
            )
            for ddof in ("0", "0, correction=0")
        ),
        (
            [
                (
                    CROSS,
                    "torch.nn.functional.cross_entropy(\n        logits, targets, "
                    "weight=1 / (1e-9 + targets.bincount(minlength=len(b2))).to(data)"
                    "\n    )",
                )
            ],
            "count alike",
        ),
        (
            [("cross_entropy(logits", "cross_entropy(logits.softmax(dim=1)")],
            "softmax too many",
        ),
        (
            [("targets)\n    right", "targets, reduction='sum')\n    right")],
            "not their sum",
        ),
        (
            [("torch.relu(data @ W1 + b1)", "(torch.relu(data @ W1) + b1)")],
            "after the relu",
        ),
        ([("torch.relu", "")], "relu between"),
        ([("+ b2\n", "+ b2\n    logits = logits.relu()\n")], "no relu on them"),
        *(([("torch.relu", bend)], "another bend") for bend in BENDS),
        ([(CROSS, "torch.nn.functional.nll_loss(logits, targets)")], "takes log-prob"),
        (
            [(CROSS, "torch.nn.functional.nll_loss(logits.log_softmax(0), targets)")],
            "along each row",
        ),
        ([(CROSS, "-logits.log_softmax(1)[:, targets].mean()")], "its own target"),
        ([(CROSS, "-logits.log_softmax(1).amax(1).mean()")], "not of the guess"),
        ([("loss.item()", "loss.item() / len(data)")], "mean already"),
        ([("right.double()", "right")], "True or False"),
        ([(CROSS, "((logits - torch.eye(len(b2))[targets]) ** 2).mean()")], "squared"),
        (
            [
                (
                    CROSS,
                    "((logits.softmax(1) - torch.eye(len(b2))[targets]) ** 2).mean()",
                )
            ],
            "squared",
        ),
        ([(" + b1", ""), (" + b2", "")], "biases are not"),
        ([("mean()", "sum()")], "not a count"),
        ([("mean().item()", "mean().item() * 100")], "per cent"),
        (
            [
                (
                    "loss.item(), right.double().mean().item()",
                    "right.double().mean().item(), loss.item()",
                )
            ],
            "wrong order",
        ),
        ([(" == ", " != ")], "wrong rows"),
        ([("loss.item()", "-loss.item()")], "sign of the loss"),
        ([("dim=1", "dim=0")], "along another dim"),
        ([("data @ W1", "data @ torch.zeros(4, 12).double()")], "size of the lab's"),
        ([(".argmax(dim=1)", ".max(dim=1)")], "argmax gives the places"),
        ([(".argmax(dim=1)", ".max(dim=1).values")], "argmax, the place"),
        ([(".mean().item()", ".sum().item() // len(targets)")], "not //"),
        *(
            ([("loss.item()", f"round(loss.item(), {digits})")], "Do not round")
            for digits in (2, 3, 4)
        ),
        (
            [
                (
                    "right.double().mean().item()",
                    "round(right.double().mean().item(), 2)",
                )
            ],
            "Do not round",
        ),
        *(
            ([("mean().item()", f"sum().item() / {rows}")], "number of rows is fixed")
            for rows in (50, 100, 150)
        ),
        ([("loss.item(), ", "")], "two numbers"),
        ([("loss.item()", "1.0986")], "mean of −log"),
        ([("loss.item()", "0.0")], "mean of −log"),
        ([("right.double().mean().item()", "1.0")], "largest logit"),
        ([("right.double().mean().item()", "0.0")], "the largest logit"),
        (
            [
                (
                    "torch.nn.functional.cross_entropy(logits, targets)",
                    "torch.nn.functional.nll_loss(logits.softmax(dim=1), targets)",
                )
            ],
            "logarithm is missing",
        ),
        ([(" + b2", "")], "biases are not"),
        ([(" + b1", "")], "biases are not"),
        ([("mean().item()", "sum().item() / logits.numel()")], "not of all logits"),
    ],
)

GRADIENT = Exercise(
    "predicted_gradient",
    [0.0, 0, 1e-17, np.float64(0)],
    [
        (4.182, "gradient of b1"),
        (1 / 3, "all three logits"),
        (-1 / 3, "all three logits"),
        (1, "what is left"),
        (-1.0, "what is left"),
        (0.01, "sum of a row"),
        (1.0986, "sum of a row"),
        ("zero", "one number"),
        (False, "one number"),
        (100.0, "start of b2 is no matter"),
    ],
)


def _seen(wrong, right):
    """Compare what both return of the lab's validation rows: loss, then accuracy.

    Both are those of the lab's cells "split" and "mlp-check".
    """
    iris = data.load_iris()
    draw = torch.Generator().manual_seed(1)
    order = torch.rand(2000, 150, generator=draw, dtype=torch.float64).argsort(dim=-1)
    X, y = torch.tensor(iris.features), torch.tensor(iris.labels)
    train, valid = order[0, :100], order[0, 100:]
    X = (X - X[train].mean(dim=0)) / X[train].std(dim=0)
    run = training.train_mlp(X[train], y[train], num_epochs=100, lr=0.01, seed=0)
    found, wanted = (f(X[valid], y[valid], *run.params) for f in (wrong, right))
    assert wanted == pytest.approx((0.8228, 0.64), abs=5e-5)  # as the task says
    return [float(np.sign(round(a - b, 9))) for a, b in zip(found, wanted)]


SYMPTOMS = {
    "a": lambda wrong, right: _seen(wrong, right) in ([0, 1], [0, -1]),
    "b": lambda wrong, right: _seen(wrong, right) == [1, 0],
    "c": lambda wrong, right: _seen(wrong, right) == [-1, 0],
    "d": lambda wrong, right: 0 not in _seen(wrong, right),
}
EXERCISES = [TRAIN, EVALUATE, GRADIENT]
