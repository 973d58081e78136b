"""Answers to the exercises of lab 02."""

import numpy as np
import torch

from labhelpers import data, training
from tests.answers import Exercise

SORTED_BY_CHANCE = """values, axes = np.linalg.eig(np.cov(X.T))
    return centred @ axes[:, :k]"""

OF_RAW = """P, s, Qt = np.linalg.svd({}, full_matrices=False)
    return centred @ Qt[:k].T"""
BOTH = "return P[:, :k] * s[:k]"

SCORES = Exercise(
    "pca_scores",
    [
        """
def pca_scores(X, k):
    centred = X - X.mean(axis=0)
    P, s, Qt = np.linalg.svd(centred, full_matrices=False)
    return P[:, :k] * s[:k]
""",
        """
def pca_scores(X, k):
    from sklearn.decomposition import PCA

    return PCA(n_components=k).fit_transform(X)
""",
        """
def pca_scores(X, k, ddof=1):
    Y = X.copy()
    Y -= Y.mean(0)
    values, vectors = np.linalg.eigh(Y.T @ Y)
    return -Y @ vectors[:, ::-1][:, :k]
""",
    ],
    [
        ([(" - X.mean(axis=0)", "")], "not centred"),
        ([("return P[:, :k] * s[:k]", "return X @ Qt[:k].T")], "not centred"),
        ([("P[:, :k] * s[:k]", "centred @ Qt[:, :k]")], "rows of Qt"),
        ([("P[:, :k] * s[:k]", "X @ Qt[:, :k]")], "rows of Qt"),
        ([("P[:, :k] * s[:k]", "(P * s)[:k]")], "keeps the first k rows"),
        ([(" * s[:k]", "")], "That is P"),
        ([(" * s[:k]", " * len(X) ** 0.5")], "That is P"),
        ([("return P[:, :k] * s[:k]", "return Qt[:k].T")], "axes"),
        ([("return P[:, :k] * s[:k]", "return Qt[:k]")], "axes"),
        ([("return P[:, :k] * s[:k]", "return (P[:, :k] * s[:k]).T")], "transposed"),
        (
            [("return P[:, :k] * s[:k]", "return abs(P[:, :k] * s[:k])")],
            "Signs are lost",
        ),
        (
            [("X.mean(axis=0)", "X.mean(axis=0)\n    centred /= X.std(axis=0)")],
            "standard deviation",
        ),
        (
            [
                (
                    "X.mean(axis=0)",
                    "X.mean(axis=0)\n    centred /= X.std(axis=0, ddof=1)",
                )
            ],
            "standard deviation",
        ),
        ([(BOTH, OF_RAW.format("X"))], "those of the raw X"),
        (
            [(BOTH, OF_RAW.format("centred / X.std(axis=0)"))],
            "standard deviation",
        ),
        ([(BOTH, "return centred @ abs(Qt[:k]).T")], "entries of both"),
        ([("axis=0", "axis=1, keepdims=True")], "each column"),
        ([("axis=0", "")], "each column"),
        (
            [("centred = X - X.mean(axis=0)", "X -= X.mean(axis=0); centred = X")],
            "copy",
        ),
        ([("[:, :k] * s[:k]", " * s")], "first k columns"),
        ([("P[:, :k] * s[:k]", "(P * s)[:, -k:]")], "keep the first"),
        ([(" * s[:k]", " * s[:k] ** 2")], "multiplied in twice"),
        ([(" * s[:k]", " * s[:k] / (len(X) - 1) ** 0.5")], "divide by √"),
        ([("P[:, :k] * s[:k]", "np.zeros((len(X), k))")], "the scores are"),
        ([("P[:, :k] * s[:k]", "np.ones((len(X), k))")], "the scores are"),
        ([("[:, :k]", "[:k]")], "keeps the first k rows"),
        ([("return P[:, :k] * s[:k]", SORTED_BY_CHANCE)], "eig does not sort"),
        ([("* s[:k]", "* s[:k] @ Qt[:k]")], "table rebuilt"),
        ([("* s[:k]", "* s[:k] @ Qt[:k] + X.mean(axis=0)")], "table rebuilt"),
        ([(" * s[:k]", " * s[:k] / len(X)")], "divide by n"),
        ([(" * s[:k]", " * s[:k] / len(X) ** 0.5")], "divide by n"),
        ([(" * s[:k]", " * s[:k] ** 0.5")], "not by its root"),
        ([("P[:, :k] * s[:k]", "(P * s)[:, 1 : k + 1]")], "counts from 0"),
        (
            [("P[:, :k] * s[:k]", "np.sign(P[:, :1]) * P[:, :k] * s[:k]")],
            "Signs are lost",
        ),
        ([(" - X.mean(axis=0)", ""), (" * s[:k]", "")], "not centred"),
        ([(" * s[:k]", " * (len(X) - 1) ** 0.5")], "That is P"),
        ([("P[:, :k] * s[:k]", "(P * s)[:, ::-1][:, :k]")], "keep the first"),
    ],
)

BEHIND = "U.T @ Z @ np.linalg.inv(U.T @ U)"

MAP = Exercise(
    "best_linear_map",
    [
        """
def best_linear_map(U, Z):
    return np.linalg.lstsq(U, Z, rcond=None)[0]
""",
        """
def best_linear_map(U, Z):
    return np.linalg.solve(U.T @ U, U.T @ Z)
""",
        """
def best_linear_map(U, Z, rcond=1e-15):
    return (np.linalg.pinv(U, rcond=rcond) @ Z).tolist()
""",
    ],
    [
        ([("(U, Z, r", "(Z, U, r")], "wrong way round"),
        ([("return", "return np.linalg.inv("), ("[0]", "[0])")], "wrong way round"),
        ([("[0]", "[0].T")], "G is transposed"),
        ([("np.linalg.lstsq(U, Z, rcond=None)[0]", "U.T @ Z")], "not orthonormal"),
        ([("[0]", "")], "four things"),
        ([("return", "return U @")], "return G alone"),
        (
            [
                (
                    "np.linalg.lstsq(U, Z, rcond=None)[0]",
                    "(lambda P, s, Q: P @ Q)(*np.linalg.svd(U.T @ Z))",
                )
            ],
            "rotation only",
        ),
        (
            [
                (
                    "np.linalg.lstsq(U, Z, rcond=None)[0]",
                    "np.diag((U * Z).sum(axis=0) / (U * U).sum(axis=0))",
                )
            ],
            "scale per column",
        ),
        (
            [("np.linalg.lstsq(U, Z, rcond=None)[0]", "np.eye(U.shape[1])")],
            "least-squares",
        ),
        (
            [("np.linalg.lstsq(U, Z, rcond=None)[0]", "np.zeros((U.shape[1],) * 2)")],
            "least-squares",
        ),
        (
            [("np.linalg.lstsq(U, Z, rcond=None)[0]", "np.array([[2, 1], [0, -1]])")],
            "least-squares",
        ),
        ([("(U, Z, ", "(U, Z.T, ")], "shape"),
        ([("np.linalg.lstsq(U, Z, rcond=None)[0]", "np.linalg.solve(U, Z)")], "square"),
        ([("np.linalg.lstsq(U, Z, rcond=None)[0]", "np.linalg.inv(U) @ Z")], "square"),
        (
            [
                (
                    "np.linalg.lstsq(U, Z, rcond=None)[0]",
                    "(lambda P, s, Q: P @ Q * s.sum())(*np.linalg.svd(U.T @ Z))"
                    " / (U**2).sum()",
                )
            ],
            "rotation and a scale",
        ),
        ([("[0]", "[:2]")], "Return G"),
        ([("np.linalg.lstsq(U, Z, rcond=None)[0]", BEHIND)], "on the left"),
        ([("(U, Z, ", "(U - U.mean(0), Z - Z.mean(0), ")], "not centred"),
        (
            [
                (
                    "np.linalg.lstsq(U, Z, rcond=None)[0]",
                    "(lambda P, s, Q: (P @ Q).T)(*np.linalg.svd(U.T @ Z))",
                )
            ],
            "rotation only",
        ),
        ([("[0]", "[0].repeat(9, axis=0)")], "Return G, of shape"),
    ],
)

LARGEST = "np.linalg.norm({}, 2) ** 2"

TRACE = "np.trace((np.eye(len(Q)) - Q @ Q.T) @ A.T @ A)"

SPLIT = Exercise(
    "split",
    [
        """
def split(A, Q):
    scores = A @ Q
    return (scores ** 2).sum(), ((A - scores @ Q.T) ** 2).sum()
""",
        """
def split(A, Q):
    projection = Q @ Q.T
    rest = A @ (np.eye(len(projection)) - projection)
    return [np.linalg.norm(A @ projection) ** 2, np.linalg.norm(rest) ** 2]
""",
        """
def split(A, Q, names=("explained", "left over")):
    explained = float(np.trace(Q.T @ A.T @ A @ Q))
    return np.array([explained, float(np.square(A - A @ Q @ Q.T).sum())])
""",
    ],
    [
        (
            [
                (
                    "(scores ** 2).sum(), ((A - scores @ Q.T) ** 2).sum()",
                    "((A - scores @ Q.T) ** 2).sum(), (scores ** 2).sum()",
                )
            ],
            "wrong order",
        ),
        ([(".sum()", ".sum() ** 0.5")], "square root"),
        ([("@ Q.T) ** 2).sum()", "@ Q.T) ** 2).sum() ** 0.5")], "square root"),
        (
            [
                ("(scores ** 2)", "scores"),
                ("(A - scores @ Q.T) ** 2", "A - scores @ Q.T"),
            ],
            "each entry",
        ),
        (
            [
                (" ** 2).sum(), ((", ".sum()) ** 2, ("),
                (") ** 2).sum()", ").sum() ** 2"),
            ],
            "each entry",
        ),
        ([(".sum()", ".sum() / (len(A) - 1)")], "not variances"),
        ([(" ** 2).sum()", ").var(axis=0).sum()")], "not variances"),
        ([(" ** 2).sum()", ").var(axis=0, ddof=1).sum()")], "not variances"),
        ([(".sum()", ".sum() / (A ** 2).sum() * 100")], "not shares"),
        ([("((A - scores @ Q.T) ** 2)", "(A ** 2)")], "not asked for"),
        (
            [
                ("((A - scores @ Q.T) ** 2)", "(scores ** 2)"),
                ("return (scores", "return (A"),
            ],
            "not asked for",
        ),
        ([(".sum()", ".mean()")], "not means"),
        ([(".sum()", ".sum() / (A ** 2).sum()")], "not shares"),
        ([("(scores ** 2)", "(A ** 2)")], "is the total"),
        ([("(scores ** 2)", "(A ** 2)"), ("scores @ Q.T", "A")], "is the total"),
        (
            [("((A - scores @ Q.T) ** 2)", "(A ** 2).sum() - (scores ** 2)")],
            "form A − A Q Qᵀ first",
        ),
        (
            [("((A - scores @ Q.T) ** 2).sum()", TRACE)],
            "form A − A Q Qᵀ first",
        ),
        (
            [("(scores ** 2)", "(A ** 2).sum() - ((A - scores @ Q.T) ** 2)")],
            "form A Q first",
        ),
        ([(" ** 2).sum()", ").var(axis=0).sum() * len(A)")], "var takes"),
        (
            [(".sum()", ""), ("(scores ** 2)", LARGEST.format("scores"))]
            + [("((A - scores @ Q.T) ** 2)", LARGEST.format("A - scores @ Q.T"))],
            "largest singular value",
        ),
        (
            [(".sum()", ""), ("(scores ** 2)", LARGEST.format("scores"))]
            + [("((A - scores @ Q.T) ** 2)", LARGEST.format("A - scores @ Q.T"))]
            + [(") ** 2", ")")],
            "largest singular value",
        ),
        (
            [("    scores", "    A = A - A.mean(axis=0)\n    scores")],
            "not to be centred",
        ),
        ([("    scores", "    A -= A.mean(axis=0)\n    scores")], "copy"),
        ([("(scores ** 2).sum(), ", "")], "two numbers"),
        ([(" @ Q.T", "")], "go back by Qᵀ"),
        (
            [
                (
                    "return (scores ** 2).sum(), ((A - scores @ Q.T) ** 2).sum()",
                    "return 0.0, 0.0",
                )
            ],
            "Explained is",
        ),
        (
            [
                (
                    "return (scores ** 2).sum(), ((A - scores @ Q.T) ** 2).sum()",
                    "return 630.008, 51.363",
                )
            ],
            "Explained is",
        ),
        ([("return", "result =")], "return"),
        ([("2).sum()", "2).sum() / len(A)")], "not means"),
        ([("@ Q.T) ** 2).sum()", "@ Q.T) ** 2).sum(), 0.0")], "Return two numbers"),
    ],
)

TABLE = np.diag([1.5, 0.4, 0.15])[[0, 1, 1, 2] * 10]
P, S, _ = np.linalg.svd(TABLE, full_matrices=False)
OF_DESCENT = training.factorise(torch.tensor(TABLE), 2, seed=0).U.numpy()
OF_DESCENT = np.linalg.lstsq(OF_DESCENT, P[:, :2] * S[:2])[0]
RATIO = S[0] / S[1]

COND = Exercise(
    "predicted_cond",
    [float(RATIO**0.5), round(RATIO**0.5, 3), np.array(RATIO**0.5)],
    [
        (RATIO, "root is missing"),
        (RATIO**2, "not squared"),
        (RATIO**-0.5, "not the other way"),
        (1 / RATIO, "not the other way"),
        (1, "Only a rotation"),
        (RATIO**0.25, "One root too many"),
        *((each**power, "one axis") for each in S[:2] for power in (0.5, -0.5)),
        (S[0], "one axis"),
        (S[1], "ordinary starts"),
        (S[0] / S[-1], "k = 2"),
        ((S[0] / S[-1]) ** 0.5, "k = 2"),
        (0, "each axis"),
        (np.linalg.cond(OF_DESCENT), "descent's own"),
        ([2.0, 1.0], "one number"),
    ],
    (TABLE,),
)

FORMED = """P, s, Qt = np.linalg.svd(U @ V.T, full_matrices=False)
    return (P * s)[:, : U.shape[1]]"""

OWN = Exercise(
    "scores_from_factors",
    [
        """
def scores_from_factors(U, V):
    Q_U, R_U = np.linalg.qr(U)
    Q_V, R_V = np.linalg.qr(V)
    P, s, Qt = np.linalg.svd(R_U @ R_V.T)
    return Q_U @ (P * s)
""",
        """
def scores_from_factors(U, V):
    Q, R = np.linalg.qr(V)
    P, s, Qt = np.linalg.svd(U @ R.T, full_matrices=False)
    return P * s
""",
        """
def scores_from_factors(U, V):
    R = np.linalg.cholesky(V.T @ V)
    W = U @ R
    values, vectors = np.linalg.eigh(W.T @ W)
    return W @ vectors[:, ::-1]
""",
    ],
    [
        ([(" * s", "")], "That is P alone"),
        ([("R_V.T", "R_V")], "transpose is missing"),
        ([("R_U @ R_V.T", "R_V @ R_U.T")], "turned round"),
        ([("P * s", "Qt * s")], "Qt is taken for P"),
        ([("R_U @ R_V.T", "R_V.T @ R_U")], "turned round"),
        ([("R_U @ R_V.T", "R_U.T @ R_V")], "turned round"),
        ([("Q_U @ (P * s)", "U @ R_V.T")], "an SVD is still missing"),
        ([("Q_U @ (P * s)", "U @ (V.T @ V)")], "an SVD is still missing"),
        ([("Q_U @ (P * s)", "U @ (P * s)")], "by Q_U, not by U"),
        ([("(P * s)", "(P * s)[:, ::-1]")], "smallest σ comes first"),
        (
            [
                (
                    "return Q_U @ (P * s)",
                    "Z = Q_U @ (P * s)\n    return Z - Z.mean(axis=0)",
                )
            ],
            "not to be centred",
        ),
        ([("return Q_U @ (P * s)", "return U")], "comes back as it was"),
        ([("return Q_U @ (P * s)", "return abs(Q_U @ (P * s))")], "Signs are lost"),
        ([("return Q_U @ ", "return ")], "multiply by the Q of U"),
        ([("R_U @ R_V.T", "R_U")], "V matters"),
        ([("qr(U)", "qr(U - U.mean(axis=0))"), ("R_U @ R_V.T", "R_U")], "V matters"),
        ([("(P * s)", "np.diag(s) @ P")], "P comes first"),
        ([("(P * s)", "np.diag(s)")], "singular vectors of the small matrix"),
        ([("* s)", "* s ** 2)")], "multiplied in twice"),
        ([("* s)", "* s ** 0.5)")], "square root"),
        ([("return Q_U @ (P * s)", "return (Q_U @ (P * s)).T")], "transposed"),
        ([("return Q_U @ (P * s)", "return Q_V @ (Qt.T * s)")], "One row for each"),
        ([("return Q_U @ (P * s)", "return np.zeros(U.shape)")], "middle one"),
        ([("return Q_U @ (P * s)", FORMED)], "don't form U @ V.T"),
        ([("return", "product = U @ V.T\n    return")], "don't form U @ V.T"),
        ([("qr(U)", "qr(U - U.mean(axis=0))")], "not to be centred"),
    ],
)

EXERCISES = [SCORES, MAP, SPLIT, COND, OWN]

X = data.load_iris().features
VARIANCES = np.linalg.eigvalsh(np.cov(X.T))[::-1]


def _moved(wrong, right):
    return abs(wrong(X, 2).mean(axis=0)).max() > 1e-9


def _correlated(wrong, right):
    scores = wrong(X, 2)
    correlation = np.corrcoef(scores.T)[0, 1]
    return not _moved(wrong, right) and abs(correlation) > 1e-9


def _places(wrong):
    """Return which component each column has the variance of, if any."""
    variances = wrong(X, 2).var(axis=0, ddof=1)[:, None]
    return [np.flatnonzero(row).tolist() for row in np.isclose(VARIANCES, variances)]


def _other_variances(wrong, right):
    uncorrelated = not _moved(wrong, right) and not _correlated(wrong, right)
    return uncorrelated and _places(wrong) == [[], []]


def _other_components(wrong, right):
    uncorrelated = not _moved(wrong, right) and not _correlated(wrong, right)
    places = _places(wrong)
    return uncorrelated and all(places) and places != [[0], [1]]


SYMPTOMS = {
    "a": _moved,
    "b": _correlated,
    "c": _other_variances,
    "d": _other_components,
}
