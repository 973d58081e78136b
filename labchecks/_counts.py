"""The exercise of lab 05 on counting multiplications."""

from labchecks.compare import NO_RETURN, expect, recognise, scalar
from labchecks.student import Student, kind
from labchecks.verdicts import exercise

COUNT = "lab 05, Where the 43 minutes went"


@exercise("5.1", Student)
def multiplications(student):
    """Compare multiplications with the counts for three sizes."""
    for _ in range(3):
        n, k = int(student.rng.integers(20, 40)), int(student.rng.integers(3, 8))
        result = student(n, k)
        expect(result is not None, "None", "two numbers", NO_RETURN)
        fits = isinstance(result, tuple | list) and len(result) == 2
        hint = "Return two counts: of (A @ B) @ z, and then of A @ (B @ z)."
        expect(fits, kind(result), "two numbers", hint)
        seen = [scalar(count, "each count") for count in result]
        left, right, first = n * k * n + n * n, 2 * n * k, n * k * n
        additions = "Count multiplications alone: the additions are in it, too."
        second = "The second product is missing: (A @ B) still multiplies z."
        slips = [
            ("They come in the other order: (A @ B) @ z first.", [right, left]),
            (additions, [2 * left, 2 * right]),
            (additions, [first + n * n * (k - 1) + n * (2 * n - 1), 4 * n * k - n - k]),
            (second, [first, right]),
            (second, [first, n * k]),
            ("A @ (B @ z) takes two products: one is missing.", [left, n * k]),
            (
                "Add the two products, they come one after the other.",
                [first * n * n, (n * k) ** 2],
            ),
            (
                "A @ B is n × n: k is the length that is summed, not a side.",
                [k * n * k + k * k, right],
            ),
            (
                "A @ B is n × n, and each entry takes k multiplications.",
                [n * n + n * n, right],
            ),
            ("B @ z is k × 1: A has to multiply k numbers.", [left, k * n + n * n]),
            ("B @ z is k × 1: A has to multiply k numbers.", [left, k * n + n]),
            ("z is n × 1, a single picture.", [first + n**3, k * n * n + n * k * n]),
            (
                "Those are the numbers of the lab: compute them from n and k.",
                [481_296_384, 307_200],
            ),
        ]

        def say(pair, n=n, k=k):
            return f"({pair[0]:g}, {pair[1]:g}) for n = {n}, k = {k}"

        otherwise = "Write p · q · r for each of the two products, and add."
        recognise(seen, [left, right], slips, otherwise, say=say, where=COUNT, tol=1e-9)
