"""The exercises of lab 02."""

import numpy as np

from labchecks.compare import (
    NO_RETURN,
    array,
    expect,
    number,
    recognise,
    recognise_number,
    scalar,
    shape_of,
)
from labchecks.predictions import prediction  # noqa: F401
from labchecks.student import Hint, Student, kind
from labchecks.verdicts import Check, exercise, progress, strict  # noqa: F401
from labhelpers import linalg

PCA, CENTRE = "lab 02, What PCA computes", "lab 02, What if you forget to centre?"
MIXTURE, BALANCED = "lab 02, Beside descent's $U$", "lab 02, A balanced start"
PROJECTION = "lab 02, Why it is the plane of PCA"


def _table(rng, n, spread):
    """Draw a matrix of n rows with these singular values."""
    d = len(spread)
    P, Q = (np.linalg.qr(rng.normal(size=(rows, d)))[0] for rows in (n, d))
    return P * spread @ Q.T


def _compare_scores(scores, right, slips, otherwise):
    """Compare columns, each up to its sign."""

    def signed(x):
        fits = x.shape == right.shape
        return x * np.where((x * right).sum(axis=0) < 0, -1.0, 1.0) if fits else x

    def say(x):
        return f"first row {x[0].round(3).tolist()}, up to the sign of each column"

    lost = "Signs are lost: only a whole column may change its sign."
    slips = [(lost, np.abs(right)), *slips]
    slips = [(hint, signed(slip)) for hint, slip in slips]
    recognise(signed(scores), right, slips, otherwise, say=say, where=PCA)


@exercise("2.1", Student)
def pca_scores(student):
    """Compare pca_scores with the SVD of the centred table, up to signs."""
    for n, spread, k in [(9, [6, 3, 1.5], 2), (7, [8, 4, 2, 1], 3), (6, [5, 2], 1)]:
        X = _table(student.rng, n, spread) + student.rng.uniform(2, 4, len(spread))
        centred = X - X.mean(axis=0)
        P, s, Qt = np.linalg.svd(centred, full_matrices=False)

        def of(table, k=k):
            svd = linalg.truncated_svd(table, k)
            return svd.U * svd.s

        hint = "One row for each row of X, and only the first k columns."
        result = student(X, k)
        if shape_of(result) in [(len(spread), k), (k, len(spread))]:
            hint = Hint("Those are the axes: scores are positions along them.", PCA)
            expect(False, kind(result), f"shape {(n, k)}", hint)
        scores = array(result, "the scores", (n, k), otherwise=hint)
        no_centre = Hint("X is not centred: take its column means away.", CENTRE)
        by_columns = Hint("Take away the mean of each column, axis=0.", CENTRE)
        standardised = "Centre only, do not divide by the standard deviation."
        unit = "That is P, or a multiple: multiply each column by its singular value."
        slips = [
            (no_centre, of(X)),
            (no_centre, linalg.truncated_svd(X, k).U),
            (no_centre, X @ Qt[:k].T),
            (by_columns, of(X - X.mean(axis=1, keepdims=True))),
            (by_columns, of(X - X.mean())),
            (unit, P[:, :k]),
            (unit, P[:, :k] * n**0.5),
            (unit, P[:, :k] * (n - 1) ** 0.5),
            ("σ is multiplied in twice.", (P * s**2)[:, :k]),
            ("Those are the last components: keep the first.", (P * s)[:, -k:]),
            ("Those are the last components: keep the first.", (P * s)[:, ::-1][:, :k]),
            (standardised, of(centred / X.std(axis=0))),
            (standardised, of(centred / X.std(axis=0, ddof=1))),
            ("Do not divide by √(n − 1).", (P * s)[:, :k] / (n - 1) ** 0.5),
        ]
        otherwise = "With P, s, Qt of the centred X, the scores are P[:, :k] * s[:k]."
        _compare_scores(scores, (P * s)[:, :k], slips, otherwise)


@exercise("2.2", Student)
def best_linear_map(student):
    """Compare best_linear_map with least squares, and with an exact mixture."""
    for n, k in [(8, 2), (7, 3)]:
        U, Z = student.rng.normal(size=(2, n, k)) + 0.3
        result = student(U, Z)
        hint = "Return G, of shape (k, k)."
        if isinstance(result, tuple) and len(result) == 4:
            hint = "np.linalg.lstsq returns four things: G is the first, [0]."
        elif shape_of(result) == (n, k):
            hint = "That is U @ G: return G alone."
        G = array(result, "G", (k, k), otherwise=hint)
        right, back = (
            linalg.best_linear_map(*pair).matrix for pair in [(U, Z), (Z, U)]
        )
        P, _, Qt = np.linalg.svd(U.T @ Z)
        slips = [
            ("The wrong way round: that takes Z to U.", back),
            ("The wrong way round: that takes Z to U.", np.linalg.inv(right)),
            ("G is transposed: U @ G mixes the columns of U.", right.T),
            ("UᵀZ alone: (UᵀU)⁻¹ is missing, as U is not orthonormal.", U.T @ Z),
            ("That is a rotation only: any matrix G is allowed.", P @ Qt),
            (
                "That is a rotation and a scale: any matrix G is allowed.",
                linalg.best_orthogonal_map(U, Z).matrix,
            ),
            (
                "Only a scale per column: any matrix G is allowed.",
                np.diag((U * Z).sum(axis=0) / (U**2).sum(axis=0)),
            ),
        ]

        def say(G, U=U, Z=Z):
            return f"‖U G − Z‖² = {((U @ G - Z) ** 2).sum():.4f}"

        otherwise = "It is the least-squares solution: np.linalg.lstsq(U, Z)."
        recognise(G, right, slips, otherwise, say=say, where=MIXTURE)


@exercise("2.3", Student)
def split(student):
    """Compare split with both formulas, for planes and for a whole space."""
    for n, d, k in [(6, 4, 2), (5, 3, 1), (7, 3, 3)]:
        A = student.rng.normal(size=(n, d)) + 1
        Q = np.linalg.qr(student.rng.normal(size=(d, k)))[0]
        result = student(A, Q)
        expected = "(explained, left over)"
        expect(result is not None, "None", expected, NO_RETURN)
        fits = shape_of(result) == (2,) or isinstance(result, tuple | list)
        fits = fits and len(result) == 2
        hint = "Return two numbers: explained, left over."
        expect(fits, kind(result), expected, hint)
        seen = [scalar(part, "each part") for part in result]
        scores = A @ Q
        explained, left = (scores**2).sum(), ((A - scores @ Q.T) ** 2).sum()
        left = left if k < d else 0.0
        total = explained + left
        centred = A - A.mean(axis=0)
        inside = ((centred @ Q) ** 2).sum()
        slips = [
            ("They come back in the wrong order.", [left, explained]),
            ("Sums of squares: no square root.", [explained**0.5, left**0.5]),
            ("Sums, not variances.", [explained / (n - 1), left / (n - 1)]),
            ("Sums, not means.", [explained / n, left / n]),
            ("Sums, not means.", [explained / scores.size, left / A.size]),
            ("Sums, not shares of the total.", [explained / total, left / total]),
            ("The first is the total: project on Q.", [total, left]),
            ("A is not to be centred here.", [inside, (centred**2).sum() - inside]),
        ]

        def say(pair):
            return f"({pair[0]:.4f}, {pair[1]:.4f})"

        otherwise = "Explained is ‖A Q‖², left over is ‖A − A Q Qᵀ‖²."
        right = [explained, left]
        recognise(seen, right, slips, otherwise, say=say, where=PROJECTION, least=1e-9)


@exercise("2.4", number)
def predicted_cond(value, A):
    """Compare a predicted condition number with √(σ₁ / σ₂) of A."""
    s = np.linalg.svd(np.asarray(A), compute_uv=False)
    ratio = float(s[0] / s[1])
    slips = [
        ("The axes are divided by √σ, so the root is missing.", ratio),
        ("σ is not squared here: √σ is in the formula.", ratio**2),
        ("The largest divided by the smallest, not the other way.", ratio**-0.5),
        ("The largest divided by the smallest, not the other way.", 1 / ratio),
        ("Only a rotation has 1; here axes are stretched by √σ, too.", 1.0),
        ("One root too many: √σ is in the formula.", ratio**0.25),
        ("That is the factor of the first axis: divide by the other.", s[0] ** 0.5),
        ("That is the largest of all four: only k = 2 axes count.", s[0] / s[-1]),
        (
            "Only k = 2 axes count: take σ₂, not the last one.",
            float(s[0] / s[-1]) ** 0.5,
        ),
    ]
    otherwise = "From U = Z Σ^(−½) R, what must G do to each axis?"
    recognise_number(value, ratio**0.5, slips, otherwise, where=BALANCED)


@exercise("2.5", Student)
def scores_from_factors(student):
    """Compare scores_from_factors with the SVD of the product, up to signs."""
    for n, d, k in [(8, 5, 2), (4, 9, 3), (6, 5, 1)]:
        U, V = student.rng.normal(size=(n, k)), student.rng.normal(size=(d, k)) + 0.5
        result = student(U, V)
        hint = "One row for each row of U, and k columns."
        if shape_of(result) == (k, k) != (n, k):
            hint = "That is k × k: multiply by the Q of U from the left."
        scores = array(result, "the scores", (n, k), otherwise=hint)
        (Q_U, R_U), (_, R_V) = np.linalg.qr(U), np.linalg.qr(V)
        svd, turned = linalg.truncated_svd(U @ V.T, k), np.linalg.svd(R_U @ R_V)
        product = U @ V.T
        product = linalg.truncated_svd(product - product.mean(axis=0), k)
        alone = linalg.truncated_svd(U, k)
        slips = [
            ("That is P alone: multiply each column by its singular value.", svd.U),
            (
                "The small matrix is R_U @ R_V.T: a transpose is missing.",
                (Q_U @ turned[0] * turned[1]),
            ),
            ("U comes back as it was: the scores need V too.", U),
            ("Those are the scores of U: V matters too.", alone.U * alone.s),
            ("The product is not to be centred here.", product.U * product.s),
            ("The singular vectors of the small matrix are missing.", Q_U * svd.s),
            ("σ is multiplied in twice.", svd.U * svd.s**2),
            ("Multiply by σ, not by its square root.", svd.U * svd.s**0.5),
        ]
        otherwise = "With P, s of R_U @ R_V.T, the scores are Q_U @ (P * s)."
        _compare_scores(scores, svd.U * svd.s, slips, otherwise)
    n, d = 400, 300
    U, V = student.rng.normal(size=(n, 2)), student.rng.normal(size=(d, 2))
    hint = "The scores are right, but the way is dear: don't form U @ V.T."
    small = student.measure(U, V).peak < 0.9 * n * d * U.itemsize
    seen = f"a matrix as large as the product, for U {U.shape} and V {V.shape}"
    expect(small, seen, "none larger than U and V", hint)
