"""The exercises of lab 05 on the spectrum, and on what it asks of an optimiser."""

import itertools

import numpy as np
import torch

from labchecks.compare import (
    expect,
    number,
    recognise,
    recognise_number,
    tensor,
)
from labchecks.student import NotBegun, Student, kind
from labchecks.verdicts import exercise

CRAWL = "lab 05, Why plain descent crawls"
DTYPES = (torch.float64, torch.float32, torch.float64)


def _two(answer, seed, notes):
    """Return an answer of two numbers, each of which may not be there yet."""
    if answer is None or answer is ...:
        raise NotBegun
    fits = isinstance(answer, tuple | list) and len(answer) == 2
    hint = "Hand over both: [predicted_lr, steps_tenfold]."
    expect(fits, kind(answer), "two numbers", hint)
    return answer


@exercise("5.5", _two)
def spectrum_limits(pair, values):
    """Compare [predicted_lr, steps_tenfold] with what the eigenvalues demand."""
    values = np.asarray(values, dtype=np.float64)
    first, last = float(values[0]), float(values[-1])
    right = 0.5 / first
    slips = [
        ("That is the largest stable rate itself: half of it is asked for.", 2 * right),
        ("The limit is 1 / λ₁ here, not 2 / λ₁; and take half.", 4 * right),
        ("That is halved twice.", right / 2),
        ("That is λ₅₀: λ₁, the largest, sets the limit.", 0.5 / last),
        ("That is λ₅₀: λ₁, the largest, sets the limit.", 1 / last),
        ("That is λ₂: Python counts from 0.", 0.5 / values[1]),
        ("That is λ₂: Python counts from 0.", 1 / values[1]),
        ("That is upside down: a rate is 1 divided by an eigenvalue.", first / 2),
        ("That is upside down: a rate is 1 divided by an eigenvalue.", first),
        ("No square root, no square: λ₁ is an eigenvalue of S.", 0.5 / first**0.5),
        ("No square root, no square: λ₁ is an eigenvalue of S.", 0.5 / first**2),
        ("λ₁ alone sets the limit, not the sum.", 0.5 / values.sum()),
        ("λ₁ alone sets the limit, not the mean.", 0.5 / values.mean()),
    ]
    otherwise = "predicted_lr: above which rate is λ₁ unstable? Take half of that."
    lr = number(pair[0])
    recognise_number(lr, right, slips, otherwise, where=CRAWL)
    _compare_steps(number(pair[1]), right * last)


def _compare_steps(steps, x):
    """Compare with ln 10 / ln (1 + x)."""
    right = np.log(10) / np.log1p(x)
    kinds = "ln 10 is missing, or two kinds of logarithm are mixed."
    linear = "Growth is compounded: each step multiplies by 1 + lr λ, it doesn't add."
    slips = [
        (kinds, 1 / np.log1p(x)),
        (kinds, np.log(10) / np.log10(1 + x)),
        (kinds, np.log(10) / np.log2(1 + x)),
        (kinds, np.log2(10) / np.log1p(x)),
        (linear, 9 / x),
        (linear, 10 / x),
        (linear, 10 / (1 + x)),
        (
            "That is λ₁: the part along component 50 grows by λ₅₀.",
            np.log(10) / np.log(1.5),
        ),
        ("The rate is predicted_lr, half the largest stable one.", right / 2),
        (
            "The rate is predicted_lr, half the largest stable one: halved twice?",
            2 * right,
        ),
        ("The factor is 1 + lr λ₅₀: the 1 + is missing.", np.log(10) / np.log(x)),
        ("The factor is 1 + lr λ₅₀: the 1 + is missing.", -np.log(10) / np.log(x)),
        ("A number of steps is positive: it grows by 1 + lr λ₅₀.", -right),
        ("That is upside down.", 1 / right),
        ("Those are epochs: count the steps.", right / 196),
        ("That is the growth in one step, not the number of steps.", 1 + x),
        ("That is doubling: tenfold is asked for.", np.log(2) / np.log1p(x)),
    ]
    otherwise = "steps_tenfold: how often must 1 + lr λ₅₀ be multiplied to make 10?"
    tol = max(0.01, 1 / right)
    recognise_number(steps, right, slips, otherwise, where=CRAWL, tol=tol)


@exercise("5.6", Student)
def orthogonal(student):
    """Compare orthogonal with U Vᵀ by NumPy, for tall, square and wide matrices."""
    shapes = [(6, 3), (4, 4), (3, 5)]
    for shape, dtype in zip(shapes, DTYPES):
        G = student.rng.normal(size=shape)
        U, s, Vt = np.linalg.svd(G, full_matrices=False)
        s = np.linspace(3, 0.5, len(s))
        G = U * s @ Vt
        result = student(torch.tensor(G, dtype=dtype))
        hint = "Return one matrix, of the shape of the gradient: U @ Vt."
        seen = tensor(result, "the result", shape, dtype, otherwise=hint)
        slips = [
            ("The gradient comes back: Σ is to be left out.", G),
            ("The sign is turned: it is U Vᵀ.", -(U @ Vt)),
            ("All are divided by one number: Σ still differs.", G / np.linalg.norm(G)),
            ("All are divided by one number: Σ still differs.", G / s[0]),
            ("Divide by Σ once: twice makes it Σ⁻¹.", U / s @ Vt),
            ("Σ is to be left out, not squared.", U * s**2 @ Vt),
            ("Σ is to be left out: a root of it is in.", U * s**0.5 @ Vt),
            ("That is the sign of each entry, not of the SVD.", np.sign(G)),
            (
                "Columns of length 1 are not orthogonal yet.",
                G / np.linalg.norm(G, axis=0),
            ),
            (
                "Rows of length 1 are not orthogonal yet.",
                G / np.linalg.norm(G, axis=1, keepdims=True),
            ),
        ]
        if U.shape == shape:
            turned = "Vt is transposed already: U @ Vt, without .T."
            for signs in itertools.product([1, -1], repeat=len(s)):  # an SVD's choice
                P, Q = U * signs, Vt.T * signs
                slips += [("U alone: Vᵀ is missing.", P), (turned, P @ Q)]
            Q = np.linalg.qr(G)[0]
            slips += [("That is Q of a QR decomposition.", Q)]
            slips += [("That is Q of a QR decomposition.", -Q)]

        def say(X, right=U @ Vt):
            rest = np.linalg.norm(X - right)
            values = [float(f"{v:.3f}") for v in np.linalg.svd(X, compute_uv=False)]
            return f"‖X − U Vᵀ‖ = {rest:.4f}, singular values {values}"

        otherwise = "With U, _, Vt = svd(gradient, full_matrices=False): U @ Vt."
        recognise(seen, U @ Vt, slips, otherwise, say=say, where=CRAWL, tol=1e-3)
