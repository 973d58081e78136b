"""The exercises of lab 03."""

import numpy as np
import torch

from labchecks.compare import (
    NO_RETURN,
    Descent,
    expect,
    follow,
    measured_start,
    near,
    number,
    recognise,
    scalar,
    shape_of,
    tensors,
)
from labchecks.lab01 import DEFAULTS
from labchecks.predictions import prediction  # noqa: F401
from labchecks.student import Hint, Student, kind
from labchecks.verdicts import Check, exercise, progress, strict  # noqa: F401
from labhelpers import training

OTHER_START = (
    "the start is not torch.randn(…, generator=generator) for W1, then W2, in data's "
    "dtype, and biases 0. It works, but the numbers will differ from the lab's."
)
PASS, ENTROPY = "lab 03, One forward pass", "lab 03, From logits to a loss"
TWICE, DEAD = "lab 03, A softmax too many", "lab 03, One number for a whole layer"
TOO_MANY = Hint("cross_entropy takes logits: there is one softmax too many.", TWICE)
BEFORE = Hint("b1 is added after the relu: it belongs inside.", PASS)
NO_RELU = Hint("The relu between the layers is missing.", PASS)
RELU_TWICE = Hint("The logits must be free to be negative: no relu on them.", PASS)
NO_BIAS = Hint("The biases are not added.", PASS)
SUM = Hint("The loss is the mean over the rows, not their sum.", ENTROPY)


def _logits(data, W1, b1, W2, b2):
    return np.maximum(data @ W1 + b1, 0) @ W2 + b2


def _softmax(Z):
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    return P / P.sum(axis=1, keepdims=True)


def _entropy(P, y):
    return -np.log(P[np.arange(len(y)), y]).mean()


def _descent(X, y, start):
    n, Y = len(y), np.eye(y.max() + 1)[y]

    def loss(*params):
        return _entropy(_softmax(_logits(X, *params)), y)

    def gradient(W1, b1, W2, b2):
        H = np.maximum(X @ W1 + b1, 0)
        dZ = (_softmax(H @ W2 + b2) - Y) / n
        dH = dZ @ W2.T * (H > 0)
        return [X.T @ dH, dH.sum(axis=0), H.T @ dZ, dZ.sum(axis=0)]

    data, targets = torch.tensor(X), torch.tensor(y)

    def by_autograd(network, cost=torch.nn.functional.cross_entropy):
        def gradient(*params):
            params = [torch.tensor(p, requires_grad=True) for p in params]
            value = cost(network(*params), targets)
            zeros = torch.autograd.grad(value, params, materialize_grads=True)
            return [g.numpy() for g in zeros]

        return gradient

    def network(W1, b1, W2, b2):
        return training.mlp_logits(data, W1, b1, W2, b2)

    def squares(logits, targets):
        return ((logits - torch.tensor(Y)) ** 2).mean()

    def smooth(bend):
        return lambda W1, b1, W2, b2: bend(data @ W1 + b1) @ W2 + b2

    relu = Hint("The hidden units are relu: another bend is used.", PASS)
    squared = Hint("The loss is the cross-entropy, not squared differences.", ENTROPY)
    others = [
        (TOO_MANY, by_autograd(lambda *p: network(*p).softmax(dim=1))),
        (
            BEFORE,
            by_autograd(
                lambda W1, b1, *p: torch.relu(data @ W1) @ p[0] + b1 @ p[0] + p[1]
            ),
        ),
        (NO_RELU, by_autograd(smooth(lambda t: t))),
        (RELU_TWICE, by_autograd(lambda *p: network(*p).relu())),
        (relu, by_autograd(smooth(torch.sigmoid))),
        (relu, by_autograd(smooth(torch.tanh))),
        (squared, by_autograd(network, squares)),
        (squared, by_autograd(lambda *p: network(*p).softmax(dim=1), squares)),
    ]
    others += [
        (
            "The biases never move: update them too.",
            lambda *params: [k * g for k, g in zip((1, 0, 1, 0), gradient(*params))],
        )
    ]
    names = ("W1", "b1", "W2", "b2")
    return Descent(names, start, loss, gradient, [(SUM, n)], others)


@exercise("3.1", Student)
def mlp_train(student):
    """Follow mlp_train for some steps, on two small sets of labelled rows."""
    _train(student, 9, 2, 3, torch.float64)
    _train(student, 8, 5, 4, torch.float32)


def _train(student, n, inputs, classes, dtype):
    data = torch.tensor(student.rng.normal(size=(n, inputs)), dtype=dtype)
    targets = torch.tensor(student.rng.permutation(np.arange(n) % classes))
    expect(student.accepts(data, targets), "no default for lr", "lr=0.01", DEFAULTS)
    sizes = (inputs, 12), (12,), (12, classes), (classes,)
    shapes = dict(zip(("W1", "b1", "W2", "b2"), sizes))
    form = "Shapes: W1 (inputs, 12), b1 (12,), W2 (12, classes), b2 (classes,)."

    def run(lr, steps):
        result = student(data, targets, num_epochs=steps, lr=lr)
        if isinstance(result, tuple | list) and len(result) == 4:
            seen = [shape_of(b) for b in result[1::2]]
            hint = Hint("A bias is a vector, one number for each unit.", DEAD)
            expect((1,) not in seen, f"biases of shapes {seen}", sizes[1::2], hint)
            result = [
                b.reshape(-1) if i % 2 and shape_of(b)[:-1] == (1,) else b
                for i, b in enumerate(result)
            ]
        return tensors(result, shapes, dtype, otherwise=form)

    start, generator = measured_start(run, 0.05), student.generator()
    lab = [torch.randn(s, generator=generator, dtype=dtype) for s in sizes[::2]]
    if not near([start[0], start[2]], [p.double().numpy() for p in lab], 1e-5):
        student.notes.append(OTHER_START)
    X, y = data.double().numpy(), targets.numpy()
    follow(run, _descent(X, y, start), lr=0.05, steps=4)


@exercise("3.2", Student)
def evaluate(student):
    """Compare evaluate with the formulas, in NumPy, on two small networks."""
    for n, inputs, hidden, classes, hits in [(8, 3, 5, 3, 5), (10, 2, 4, 4, 3)]:
        sizes = (n, inputs), (inputs, hidden), (hidden,), (hidden, classes), (classes,)
        data, *params = (student.rng.normal(size=size) for size in sizes)
        W1, b1, W2, b2 = params
        Z = _logits(data, *params)
        y = (Z.argmax(axis=1) + (np.arange(n) >= hits)) % classes
        given = [torch.tensor(x) for x in (data, y, *params)]
        result = student(*given)
        expect(result is not None, "None", "(loss, accuracy)", NO_RETURN)
        pair = isinstance(result, tuple | list) and len(result) == 2
        hint = "Return two numbers: the loss, then the accuracy."
        expect(pair, kind(result), "(loss, accuracy)", hint)
        loss, share = (scalar(part, "each part") for part in result)
        P, right = _softmax(Z), hits / n

        def cost(Z, y=y):
            return _entropy(_softmax(Z), y)

        losses = [
            (TOO_MANY, cost(P)),
            (SUM, n * cost(Z)),
            (BEFORE, cost((np.maximum(data @ W1, 0) + b1) @ W2 + b2)),
            (NO_RELU, cost((data @ W1 + b1) @ W2 + b2)),
            (RELU_TWICE, cost(np.maximum(Z, 0))),
            (NO_BIAS, cost(np.maximum(data @ W1, 0) @ W2)),
            (NO_BIAS, cost(np.maximum(data @ W1 + b1, 0) @ W2)),
            (NO_BIAS, cost(np.maximum(data @ W1, 0) @ W2 + b2)),
            ("The sign of the loss is lost: it is −log p.", -cost(Z)),
            ("The mean of −p: the logarithm is missing.", -P[np.arange(n), y].mean()),
            ("They come back in the wrong order.", right),
        ]
        shares = [
            ("A share, not a count: divide by the rows.", float(hits)),
            ("A share between 0 and 1, not per cent.", 100 * right),
            ("That is the share of wrong rows.", 1 - right),
            ("A share of the rows, not of all logits.", right / classes),
        ]

        def say(value):
            return f"loss {value:.4f}"

        def say_share(value):
            return f"accuracy {value:.4f}"

        otherwise = "The loss is the mean of −log softmax(logits)[target]."
        recognise(loss, cost(Z), losses, otherwise, say=say, where=ENTROPY, tol=1e-5)
        otherwise = "Count rows whose largest logit (argmax, dim=1) is the target's."
        recognise(share, right, shares, otherwise, say=say_share, tol=1e-5)


@exercise("3.3", number)
def predicted_gradient(value):
    """Compare a predicted gradient with the sum of the entries of (P − Y) / n."""
    slips = [
        ("That is the gradient of b1: b2 is added after the relu.", 4.182),
        ("Sum over all three logits: each row of P − Y has a sum.", 1 / 3),
        ("Sum over all three logits: each row of P − Y has a sum.", -1 / 3),
        ("Σ P = 1, but Σ Y is taken away: what is left in a row?", 1.0),
        ("Σ P = 1, but Σ Y is taken away: what is left in a row?", -1.0),
        ("The start of b2 is no matter: sum (P − Y) / n.", 100.0),
    ]
    otherwise = "Add up all entries of (P − Y) / n: what is the sum of a row?"
    expected = "another number"
    if abs(value) > 1e-9:
        recognise(
            value,
            0.0,
            slips,
            otherwise,
            where="lab 03, Four gradients at once",
            say=lambda shown: f"{shown:.4g}" if shown else expected,
            tol=1e-3,
        )
