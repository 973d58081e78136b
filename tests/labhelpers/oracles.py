"""A second route to the trainers: NumPy, derivatives by hand, a plain loop.

Arrays may carry a leading axis of runs, as long as all of them do.
"""

import numpy as np
from scipy.sparse.linalg import LinearOperator


def factorise(A, U, V, *, lr, steps):
    """Descend on ``‖A − U Vᵀ‖²``; return U, V and the ``steps + 1`` losses."""
    losses = []
    for _ in range(steps):
        rest = U @ V.mT - A
        losses.append((rest**2).sum(axis=(-2, -1)))
        U, V = U - lr * 2 * rest @ V, V - lr * 2 * rest.mT @ U
    losses.append(((U @ V.mT - A) ** 2).sum(axis=(-2, -1)))
    return U, V, np.array(losses)


def autoencode(z, A, B, *, lr, steps):
    """Descend on ``½ ‖z − A B z‖²``; return A, B and the ``steps + 1`` losses."""
    losses = []
    for _ in range(steps):
        rest = A @ (B @ z) - z
        losses.append((rest**2).sum(axis=(-2, -1)) / 2)
        A, B = A - lr * rest @ (B @ z).mT, B - lr * A.mT @ rest @ z.mT
    losses.append(((A @ (B @ z) - z) ** 2).sum(axis=(-2, -1)) / 2)
    return A, B, np.array(losses)


def factorisation_curvature(A, U, V):
    """Return the Hessian of ``‖A − U Vᵀ‖²``, over the entries of U and then of V."""
    size = U.size + V.size
    directions = np.eye(size)
    dU = directions[:, : U.size].reshape(size, *U.shape)
    dV = directions[:, U.size :].reshape(size, *V.shape)
    rest, d_rest = U @ V.T - A, dU @ V.T + U @ dV.mT
    change_U, change_V = d_rest @ V + rest @ dV, d_rest.mT @ U + rest.T @ dU
    return 2 * np.hstack([change_U.reshape(size, -1), change_V.reshape(size, -1)])


def autoencoder_curvature(z, A, B):
    """Return v ↦ H v, H the Hessian of ``½ ‖z − A B z‖²`` over A and then B."""
    rest = A @ (B @ z) - z

    def product(v):
        dA, dB = v[: A.size].reshape(A.shape), v[A.size :].reshape(B.shape)
        d_rest = (dA @ B + A @ dB) @ z
        change_A = d_rest @ (B @ z).T + rest @ (dB @ z).T
        change_B = (dA.T @ rest + A.T @ d_rest) @ z.T
        return np.concatenate([change_A.ravel(), change_B.ravel()])

    return LinearOperator((A.size + B.size,) * 2, matvec=product, dtype=float)


def network(x, W1, b1, W2, b2):
    """Return the hidden layer before its relu, and the logits."""
    before = x @ W1 + b1[..., np.newaxis, :]
    return before, np.maximum(before, 0) @ W2 + b2[..., np.newaxis, :]


def log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def cross_entropy(logits, y):
    picked = np.take_along_axis(log_softmax(logits), y[..., np.newaxis], axis=-1)
    return -picked.mean(axis=(-2, -1))


def mlp(x, y, W1, b1, W2, b2, *, lr, steps):
    """Train the network by back-propagation; return W1, b1, W2, b2, the losses.

    A bias of one number is added to all units of its layer.
    """
    losses = []
    for _ in range(steps):
        before, logits = network(x, W1, b1, W2, b2)
        losses.append(cross_entropy(logits, y))
        one_hot = np.eye(W2.shape[-1])[y]
        d_logits = (np.exp(log_softmax(logits)) - one_hot) / x.shape[-2]
        d_before = (d_logits @ W2.mT) * (before > 0)
        W2 = W2 - lr * np.maximum(before, 0).mT @ d_logits
        W1 = W1 - lr * x.mT @ d_before
        b2 = b2 - lr * _bias_gradient(d_logits, b2)
        b1 = b1 - lr * _bias_gradient(d_before, b1)
    losses.append(cross_entropy(network(x, W1, b1, W2, b2)[1], y))
    return W1, b1, W2, b2, np.array(losses)


def _bias_gradient(d_layer, bias):
    gradient = d_layer.sum(axis=-2)
    scalar = bias.shape[-1] == 1 < gradient.shape[-1]
    return gradient.sum(axis=-1, keepdims=True) if scalar else gradient
