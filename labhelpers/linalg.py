"""Exact answers from linear algebra, to judge gradient descent by.

NumPy and SciPy only: nothing here shares a line, or a library, with the training code.
A tensor is taken for the array of its numbers, on whatever device they lie. Numbers are
finite, and the largest of a matrix is from 1e-100 to 1e100 in size, or 0.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from labhelpers._require import is_tensor, require, require_array, require_count


class TruncatedSVD(NamedTuple):
    """``A ≈ U @ np.diag(s) @ Vt``: U (m, rank), s (rank,) descending, Vt (rank, n).

    Examples
    --------
    >>> svd = truncated_svd(np.ones((5, 3)), 2)
    >>> svd.U.shape, svd.s.shape, svd.Vt.shape
    ((5, 2), (2,), (2, 3))
    """

    U: np.ndarray
    s: np.ndarray
    Vt: np.ndarray


class LinearMap(NamedTuple):
    """``X @ matrix ≈ Y``; ``residual = ‖X @ matrix − Y‖² / ‖Y‖²``, between 0 and 1.

    Examples
    --------
    >>> G, residual = best_linear_map([[1], [1]], [[2], [4]])
    >>> G.round(9), round(residual, 9)
    (array([[3.]]), 0.1)
    """

    matrix: np.ndarray
    residual: float


class PrincipalComponents(NamedTuple):
    """``values`` (k,) descending, unit ``axes`` (d, k), and ``floors`` (k,).

    Examples
    --------
    >>> found = principal_components(np.eye(5), 2)
    >>> found.values.shape, found.axes.shape, found.floors.shape
    ((2,), (5, 2), (2,))
    """

    values: np.ndarray
    axes: np.ndarray
    floors: np.ndarray


def truncated_svd(A, rank):
    """Return the best approximation of ``A`` by a matrix of rank ``rank``.

    The best in the Frobenius norm (Eckart and Young, 1936, Psychometrika 1). Singular
    vectors are only defined up to a sign. Here the entry of largest size in each column
    of ``U`` is positive.

    Parameters
    ----------
    A : array_like, shape (m, n)
        Finite real numbers.
    rank : int
        From 1 to ``min(m, n)``.

    Returns
    -------
    TruncatedSVD

    Examples
    --------
    >>> truncated_svd([[0, -3], [2, 0]], 2).s.round(9)
    array([3., 2.])
    """
    A = _matrix("A", A)
    rank = require_count("rank", rank, 1, min(A.shape))
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    U, s, Vt = U[:, :rank], s[:rank], Vt[:rank]
    signs = _signs(U)
    return TruncatedSVD(U * signs, s, Vt * signs[:, np.newaxis])


def eckart_young_floor(A, rank):
    """Return the least ``‖A − X‖²`` (squared Frobenius norm) over all X of this rank.

    It is the sum of the squared singular values that are left out. No gradient descent
    on ``U @ V.T`` can go below it (Eckart and Young, 1936).

    Parameters
    ----------
    A : array_like, shape (m, n)
    rank : int
        From 1 to ``min(m, n)``.

    Returns
    -------
    float

    Examples
    --------
    >>> round(eckart_young_floor([[0, -3], [2, 0]], 1), 9)
    4.0
    """
    A = _matrix("A", A)
    rank = require_count("rank", rank, 1, min(A.shape))
    s = np.linalg.svd(A, compute_uv=False)
    return float((s[rank:] ** 2).sum())


def second_moment(rows, *, scale=None, chunk_size=5000):
    """Return ``zᵀz / n`` for n examples, one a row, reading a chunk at a time.

    Parameters
    ----------
    rows : array_like, shape (n, d)
        Finite real numbers; may be mapped from disk. Multiplied in float32 where that
        is their dtype, and else in float64.
    scale : callable, optional
        Turns a chunk of rows into as many, as ``data.scale_pixels`` does.
    chunk_size : int
        Rows in memory at once, at least 1.

    Returns
    -------
    ndarray of float64, shape (d, d)

    Examples
    --------
    >>> second_moment(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[5.0, 7.0], [7.0, 10.0]]
    """
    chunk_size = require_count("chunk_size", chunk_size)
    require(scale is None or callable(scale), "scale", repr(scale), "a function")
    if is_tensor(rows) or not hasattr(rows, "shape"):
        rows = require_array("rows", rows, (None, None), kinds="fiub")
    filled = len(rows.shape) == 2 and 0 not in rows.shape
    require(filled, "rows", f"shape {rows.shape}", "at least one row of numbers")
    total, name = 0.0, "rows" if scale is None else "scale(rows)"
    for start in range(0, len(rows), chunk_size):
        chunk = rows[start : start + chunk_size]
        z = chunk if scale is None else scale(chunk)
        z = require_array(name, z, (None, None), kinds="fiub")
        require(len(z) == len(chunk), name, f"{len(z)} rows", f"{len(chunk)} rows")
        if z.dtype != np.float32 or not 1e-15 < np.abs(z).max() < 1e15:
            z = np.asarray(z, dtype=np.float64)
        total = total + (z.T @ z).astype(np.float64)
    return total / len(rows)


def principal_components(moment, k):
    """Return the k largest eigenvalues of ``zᵀz / n``, their axes, and the floors.

    Not centred: PCA proper would take the mean of z away first.

    Parameters
    ----------
    moment : array_like, shape (d, d)
        As from :func:`second_moment`: symmetric, and no eigenvalue that is found here
        below 0, but for rounding.
    k : int
        From 1 to d.

    Returns
    -------
    PrincipalComponents
        ``floors[j]`` is the least mean of ``½ ‖z − A B z‖²`` over the examples with
        j + 1 hidden units: half the sum of the eigenvalues that are left out.

    Examples
    --------
    >>> found = principal_components(np.diag([4.0, 9.0, 1.0]), 2)
    >>> found.values.round(9), found.floors.round(9)
    (array([9., 4.]), array([2.5, 0.5]))
    """
    moment = _matrix("moment", moment)
    d = len(moment)
    require(moment.shape == (d, d), "moment", f"shape {moment.shape}", "square")
    k = require_count("k", k, 1, d)
    rounding = 1e-6 * np.abs(moment.diagonal()).sum()
    symmetric = np.abs(moment - moment.T).max() <= rounding
    require(symmetric, "moment", "a matrix that is not", "symmetric")
    if k < d // 2 and moment.any():
        start = np.random.default_rng(0).normal(size=d)
        values, axes = scipy.sparse.linalg.eigsh(moment, k, v0=start, which="LA")
    else:
        values, axes = np.linalg.eigh(moment)
    least = values[0]
    values, axes = values[::-1][:k], axes[:, ::-1][:, :k]
    floors = (np.trace(moment) - values.cumsum()) / 2
    least, allowed = min(least, floors.min()), "without eigenvalues below 0"
    require(least >= -rounding, "moment", f"{least:.3g} of them", allowed)
    return PrincipalComponents(values, axes * _signs(axes), floors.clip(min=0))


def principal_angles(X, Y):
    """Return the angles between the column spaces of ``X`` and ``Y``, in radians.

    All zero: one space contains the other. Angles as small as 1e-15 are resolved,
    because small ones are measured by their sine (Knyazev and Argentati, 2002).

    Parameters
    ----------
    X : array_like, shape (m, p)
    Y : array_like, shape (m, q)

    Returns
    -------
    ndarray, shape (min(p, q),)
        In descending order, each between 0 and π/2; fewer where a matrix has
        dependent columns.

    Examples
    --------
    >>> principal_angles([[1], [0]], [[1], [1]]).round(4)
    array([0.7854])
    """
    X, Y = _matrix_pair(X, Y)
    return scipy.linalg.subspace_angles(X, Y)


def best_linear_map(X, Y):
    """Return the matrix G for which ``X @ G`` is nearest to ``Y`` (least squares).

    Parameters
    ----------
    X : array_like, shape (m, p)
    Y : array_like, shape (m, q)
        Not all zero.

    Returns
    -------
    LinearMap
        ``matrix`` (p, q) and the ``residual``, the share of ``‖Y‖²`` that is left over.

    Examples
    --------
    >>> best_linear_map([[1], [2]], [[3], [6]]).matrix.round(9)
    array([[3.]])
    """
    X, Y = _matrix_pair(X, Y)
    G = np.linalg.lstsq(X, Y, rcond=None)[0]
    return LinearMap(G, _residual(X @ G, Y))


def best_orthogonal_map(X, Y):
    """Return the rotation, with flips and one scale, that takes ``X`` nearest to ``Y``.

    The orthogonal Procrustes problem (Schönemann, 1966, Psychometrika 31).

    Parameters
    ----------
    X, Y : array_like, shape (m, p)
        Not all zero.

    Returns
    -------
    LinearMap
        ``matrix`` (p, p), a multiple of an orthogonal matrix, and the ``residual``, the
        share of ``‖Y‖²`` that is left over (the "disparity" of Procrustes analysis).

    Examples
    --------
    >>> round(best_orthogonal_map(np.eye(2), [[0, 2], [-2, 0]]).residual, 9)
    0.0
    """
    X, Y = _matrix_pair(X, Y)
    require(X.shape == Y.shape, "Y", f"shape {Y.shape}", f"of shape {X.shape}, as X")
    R, nuclear_norm = scipy.linalg.orthogonal_procrustes(X, Y)
    G = R * (nuclear_norm / (X**2).sum())
    return LinearMap(G, _residual(X @ G, Y))


def _signs(columns):
    """Return 1 or −1 for each column: the sign of its entry of largest size."""
    rows = np.abs(columns).argmax(axis=0)
    return np.where(columns[rows, np.arange(len(rows))] < 0, -1.0, 1.0)


def _residual(approximation, Y):
    rest = float(((approximation - Y) ** 2).sum() / (Y**2).sum())
    return min(rest, 1.0)  # rounding can end just above


def _matrix(argument, A):
    return require_array(argument, A, (None, None)).astype(np.float64)


def _matrix_pair(X, Y):
    X, Y = _matrix("X", X), _matrix("Y", Y)
    rows = len(X)
    require(len(Y) == rows, "Y", f"{len(Y)} rows", f"a matrix of {rows} rows, as X")
    for argument, matrix in ("X", X), ("Y", Y):
        require(matrix.any(), argument, "only zeros", "a matrix that is not all zero")
    return X, Y
