"""Answers to the exercises of lab 05 on speed: 5.1, 5.5 and 5.6."""

import numpy as np

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

SVD = "U, _, Vt = torch.linalg.svd(gradient, full_matrices=False)"
ORTHOGONAL = Exercise(
    "orthogonal",
    [
        f"""
def orthogonal(gradient):
    {SVD}
    return U @ Vt
""",
        """
def orthogonal(gradient):
    svd = np.linalg.svd(gradient.numpy(), full_matrices=False)
    return torch.from_numpy(svd[0] @ svd[2])
""",
        """
def orthogonal(gradient, steps=60):
    X = gradient / torch.linalg.norm(gradient)
    for _ in range(steps):
        X = 1.5 * X - 0.5 * X @ X.T @ X
    return X
""",
        """
def orthogonal(gradient):
    return minibatch.orthogonalise(gradient)
""",
        """
def orthogonal(gradient):
    U, S, V = torch.svd(gradient)
    return U @ torch.diag(torch.ones_like(S)) @ V.mT
""",
    ],
    [
        ([("U @ Vt", "U")], "U alone"),
        ([("U @ Vt", "Vt")], "shape of the gradient"),
        ([("_,", "S,"), ("U @ Vt", "U * S @ Vt")], "gradient comes back"),
        ([(f"{SVD}\n    return U @ Vt", "return gradient")], "gradient comes back"),
        ([("U @ Vt", "U @ Vt.T")], "transposed already"),
        ([("U @ Vt", "(U @ Vt).T")], "transposed"),
        ([("U @ Vt", "-U @ Vt")], "sign is turned"),
        ([("U @ Vt", "gradient / gradient.norm()")], "one number"),
        (
            [("U @ Vt", "gradient / torch.linalg.matrix_norm(gradient, 2)")],
            "one number",
        ),
        ([("U @ Vt", "torch.linalg.pinv(gradient).T")], "Divide by Σ once"),
        ([("_,", "S,"), ("U @ Vt", "U * S.sqrt() @ Vt")], "a root of it"),
        ([("_,", "S,"), ("U @ Vt", "U * S**2 @ Vt")], "not squared"),
        ([("U @ Vt", "gradient.sign()")], "sign of each entry"),
        ([("U @ Vt", "gradient / gradient.norm(dim=0)")], "Columns of length 1"),
        ([("U @ Vt", "torch.linalg.qr(gradient)[0]")], "QR"),
        ([(", full_matrices=False", "")], "Two shapes"),
        ([("U @ Vt", "U, Vt")], "one matrix"),
        ([("U @ Vt", "0 * U @ Vt")], "U @ Vt"),
        (
            [("U @ Vt", "U @ Vt.double()"), ("(gradient,", "(gradient.double(),")],
            "dtype",
        ),
        ([("U @ Vt", "gradient / gradient.norm(dim=1)[:, None]")], "Rows of length 1"),
        ([("U @ Vt", "-torch.linalg.qr(gradient)[0]")], "QR"),
    ],
)
