"""Answers to the exercises of lab 00."""

import torch

from tests.answers import Exercise, changed

BOOK = """
def backward(value):
    order, seen = [], set()

    def visit(v):
        if v not in seen:
            seen.add(v)
            for parent in v.parents:
                visit(parent)
            order.append(v)

    visit(value)
    value.grad = 1.0
    for v in reversed(order):
        for parent, slope in zip(v.parents, v.slopes):
            parent.grad += slope * v.grad
"""

# A value waits until all that was made of it has passed its gradient on.
WAITING = """
def backward(value):
    uses, stack, seen = {}, [value], {id(value)}
    while stack:
        for parent in stack.pop().parents:
            uses[id(parent)] = uses.get(id(parent), 0) + 1
            if id(parent) not in seen:
                seen.add(id(parent))
                stack.append(parent)
    value.grad, ready = 1.0, [value]
    while ready:
        v = ready.pop()
        for parent, slope in zip(v.parents, v.slopes):
            parent.grad = parent.grad + slope * v.grad
            uses[id(parent)] -= 1
            if uses[id(parent)] == 0:
                ready.append(parent)
    return value.grad
"""

# Each path on its own: right, but dear where there are many.
PATHS = """
def backward(value, so_far=1.0):
    value.grad += so_far
    for parent, slope in zip(value.parents, value.slopes):
        backward(parent, so_far * slope)
"""

RECURSION = """
def backward(value):
    def visit(v):
        for parent, slope in zip(v.parents, v.slopes):
            parent.grad {} slope * v.grad
            visit(parent)
    value.grad = 1.0
    visit(value)
"""

ONCE = """
def backward(value):
    seen = set()
    def visit(v):
        if v in seen:
            return
        seen.add(v)
        for parent, slope in zip(v.parents, v.slopes):
            parent.grad += slope * v.grad
            visit(parent)
    value.grad = 1.0
    visit(value)
"""

# Each call puts 1 into its value: first, so that a parent's goes, or as it adds.
ONES = """
def backward(value):
    value.grad = 1.0
    for parent, slope in zip(value.parents, value.slopes):
        parent.grad += slope * value.grad
        backward(parent)
"""

ONES_LATE = """
def backward(value):
    value.grad = 1.0
    for parent, slope in zip(value.parents, value.slopes):
        backward(parent)
        parent.grad += slope * value.grad
"""

SKIPPED = """        done = set()
        for parent, slope in zip(v.parents, v.slopes):
            if parent in done:
                continue
            done.add(parent)
"""

LEVELS = """
def backward(value):
    order = [value]
    for v in order:
        for parent in v.parents:
            if parent not in order:
                order.append(parent)
    value.grad = 1.0
    for v in order:
        for parent, slope in zip(v.parents, v.slopes):
            parent.grad += slope * v.grad
"""

BACKWARD = Exercise(
    "backward",
    [BOOK, WAITING, PATHS],
    [
        ([("+= slope", "= slope")], "is replaced"),
        (RECURSION.format("="), "is replaced"),
        (RECURSION.format("+="), "passes on all its grad"),
        ([("reversed(order)", "order")], "from its end"),
        (ONCE, "before all of it"),
        (LEVELS, "before all of it"),
        ([("if v not in seen", "if True")], "more than once"),
        (
            [
                ("if v not in seen", "if v.number not in seen"),
                ("(v)\n            for", "(v.number)\n            for"),
            ],
            "once, after all",
        ),
        (ONES, "1 belongs to the last value"),
        (ONES_LATE, "1 belongs to the last value"),
        (
            [
                (
                    "slope * v.grad",
                    "slope * v.grad\n        if v.parents:\n            v.grad = 0.0",
                )
            ],
            "keeps its grad",
        ),
        (
            [("        for parent, slope in zip(v.parents, v.slopes):\n", SKIPPED)],
            "comes twice",
        ),
        (
            [("zip(v.parents, v.slopes)", "dict(zip(v.parents, v.slopes)).items()")],
            "comes twice",
        ),
        ([("    value.grad = 1.0\n", "")], "of value itself is 1"),
        ([("slope * v.grad", "v.grad")], "slopes are left out"),
        ([("slope * v.grad", "slope")], "is a product"),
        ([("slope * v.grad", "parent.number * v.grad")], "are in v.slopes"),
        ([("= 1.0", "= 2.0")], "alone start at 1"),
        ([("+= slope * v.grad", "= torch.ones(3)")], "is a number"),
        ([(".slopes", ".slope")], "did you mean slopes"),
    ],
)

CENTRAL = """
def numerical_gradient(f, x, h):
    slopes = torch.zeros_like(x)
    for i in range(x.numel()):
        move = torch.zeros_like(x)
        move.view(-1)[i] = h
        slopes.view(-1)[i] = (f(x + move) - f(x - move)) / (2 * h)
    return slopes
"""

IN_PLACE = """
def numerical_gradient(f, x, h=1e-5):
    z = x.clone()
    flat, slopes = z.flatten(), []
    for i in range(len(flat)):
        old = flat[i].item()
        flat[i] = old + h
        up = f(flat.reshape(x.shape))
        flat[i] = old - h
        slopes.append((up - f(flat.reshape(x.shape))).item() / (2 * h))
        flat[i] = old
    return torch.tensor(slopes, dtype=x.dtype).reshape(x.shape)
"""

IDENTITY = """
def numerical_gradient(f, x, h):
    moves = h * torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)
    pairs = [(f(x + m), f(x - m)) for m in moves]
    return torch.stack([(a - b) / (2 * h) for a, b in pairs]).reshape(x.shape)
"""

AUTOGRAD = """
def numerical_gradient(f, x, h):
    z = x.clone().requires_grad_()
    f(z).backward()
    return z.grad
"""

NOT_PUT_BACK = """
def numerical_gradient(f, x, h):
    z, slopes = x.clone(), torch.zeros_like(x)
    for i in range(x.numel()):
        z.view(-1)[i] += h
        up = f(z)
        z.view(-1)[i] -= 2 * h
        slopes.view(-1)[i] = (up - f(z)) / (2 * h)
    return slopes
"""

BY_ROW = """
def numerical_gradient(f, x, h):
    slopes = torch.zeros_like(x)
    for i in range(len(x)):
        move = torch.zeros_like(x)
        move[i] = h
        slopes[i] = (f(x + move) - f(x - move)) / (2 * h)
    return slopes
"""

COPIES = """
def numerical_gradient(f, x, h):
    slopes = torch.zeros_like(x)
    for i in range(x.numel()):
        p, m = x.clone(), x.clone()
        p.view(-1)[i] += h
        m.view(-1)[i] -= h
        slopes.view(-1)[i] = (f(p) - f(m)) / (2 * h)
    return slopes
"""
COPY = "p, m = x.clone(), x.clone()"
ONE_COPY = COPIES.replace(f"        {COPY}\n", "").replace(
    "    for i", f"    {COPY}\n    for i"
)

IN_TURN = """
def numerical_gradient(f, x, h):
    point, slopes = x.clone(), torch.zeros_like(x)
    entries = point.view(-1)
    for i in range(x.numel()):
        before = entries[i].item()
        entries[i] = before + h
        up = f(point)
        entries[i] = before - h
        down = f(point)
        slopes.view(-1)[i] = (up - down) / (2 * h)
        entries[i] = before
    return slopes
"""

NUMERICAL = Exercise(
    "numerical_gradient",
    [CENTRAL, IN_PLACE, IDENTITY, COPIES, IN_TURN],
    [
        ([("f(x - move)) / (2 * h)", "f(x)) / h")], "both sides"),
        ([("f(x + move)", "f(x)"), ("(2 * h)", "h")], "both sides"),
        ([("(2 * h)", "h")], "2 h apart"),
        ([(" / (2 * h)", "")], "Divide the difference"),
        ([("/ (2 * h)", "/ 2 * h")], "Brackets"),
        ([("(f(x + move) - f(x - move))", "f(x + move) - f(x - move)")], "Brackets"),
        ([("(2 * h)", "h**2")], "h is not squared"),
        ([("f(x + move) -", "f(x + move) +")], "not their sum"),
        ([("f(x + move)", "f(x)")], "stays at x"),
        (IN_TURN.replace("= before - h", "-= h"), "stays at x"),
        (IN_TURN.replace("before + h", "before - h"), "of the same point"),
        (IN_TURN.replace("before + h", "h"), "replaced by h"),
        (IN_TURN.replace("before - h", "-h"), "replaced by h"),
        ([("range(x.numel())", "range(len(x))")], "counts the rows"),
        ([("range(x.numel())", "range(x.numel() - 1)")], "last entry is left out"),
        ([("(2 * h)", "(2 + h)")], "by their distance"),
        ([("f(x + move) - f(x - move)", "f(x - move) - f(x + move)")], "downhill"),
        ([("move.view(-1)[i] = h", "move += h")], "move at once"),
        (BY_ROW, "A whole row"),
        (NOT_PUT_BACK, "not put back"),
        (ONE_COPY, "are still moved"),
        (COPIES.replace("+= h", "= h").replace("-= h", "= -h"), "replaced by h"),
        (COPIES.replace("    return", "        return"), "inside the loop"),
        (COPIES.replace("x.clone()", "x.clone().view(-1)"), "of the shape of x"),
        (AUTOGRAD, "use f alone"),
        ([("= h\n", "= 1e-3\n"), ("2 * h", "2e-3")], "use f alone"),
        ([("return slopes", "return slopes.flatten()")], "in the shape of x"),
        ([("return slopes", "return slopes.sum()")], "in the shape of x"),
        ([("return slopes", "")], "return, missing"),
        ([("zeros_like(x)\n    for", "zeros(x.shape)\n    for")], "the dtype of"),
        (NOT_PUT_BACK.replace("x.clone()", "x"), "copy"),
    ],
)

PRODUCT = """
def hessian_times(f, x, v):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(x), x, create_graph=True)
    (product,) = torch.autograd.grad((gradient * v).sum(), x)
    return product
"""

WITH_VECTOR = """
def hessian_times(f, x, v):
    z = x.detach().requires_grad_()
    gradient = torch.autograd.grad(f(z), z, create_graph=True)[0]
    return torch.autograd.grad(gradient, z, grad_outputs=v)[0]
"""

BY_BACKWARD = """
def hessian_times(f, x, v):
    x = torch.nn.Parameter(x.clone())
    f(x).backward(create_graph=True)
    gradient, x.grad = x.grad, None
    (gradient @ v).backward()
    return x.grad.detach()
"""

LIBRARY = """
def hessian_times(f, x, v):
    return torch.autograd.functional.vhp(f, x, v)[1]
"""

STILL_ADDED = """
def hessian_times(f, x, v):
    x = x.clone().requires_grad_()
    f(x).backward(create_graph=True)
    (x.grad @ v).backward()
    return x.grad
"""

# A mark on a copy, and a derivative by what it was copied from.
ORIGINAL = """
def hessian_times(f, x, v):
    z = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(z), z, create_graph=True)
    (product,) = torch.autograd.grad((gradient * v).sum(), x)
    return product
"""
UNPACKED = "gradient = torch.autograd.grad(f(x), x, create_graph=True)"
SECOND = ("v).sum(), x)", "v).sum(), x, create_graph=True)")

TIMES = Exercise(
    "hessian_times",
    [
        PRODUCT,
        WITH_VECTOR,
        BY_BACKWARD,
        LIBRARY,
        changed(PRODUCT, [SECOND]),  # it can be differentiated once more
    ],
    [
        ([("return product", "return gradient.detach()")], "differentiate once more"),
        ([("(gradient * v)", "gradient")], "v is left out"),
        ([(", create_graph=True", "")], "first gradient needs create_graph=True"),
        ([(", create_graph=True", ""), SECOND], "first gradient needs create_graph"),
        ([("create_graph", "retain_graph")], "first gradient needs create_graph=True"),
        ([(".requires_grad_()", "")], "the marked x"),
        (ORIGINAL.replace("f(z)", "f(x)"), "the marked x"),
        (ORIGINAL, "the very tensor"),
        ([("f(x)", "f(x.detach())")], "the marked x"),
        ([("(gradient,) = torch", "gradient = torch")], "returns a tuple"),
        (
            [("(gradient,) =", "gradient ="), ("(gradient * v).sum()", "gradient @ v")],
            "returns a tuple",
        ),
        (
            [("(gradient,) =", "gradient ="), ("(gradient * v)", "gradient")],
            "returns a tuple",
        ),
        ([("return product", "return gradient * v")], "entry by entry"),
        (STILL_ADDED, ".grad adds"),
        ([(".clone()", "")], "copy"),
        ([("return product", "return (gradient * v).detach()")], "entry by entry"),
        ([("return product", "return product @ v")], "one number"),
        ([("return product", "return (gradient @ v).detach()")], "one number"),
        ([("return product", "return product + gradient.detach()")], ".grad adds"),
        ([("return product", "")], "return, missing"),
        ([("return product", "return -product")], "once more by x"),
        ([("return product", "return (product,)")], "returns a tuple"),
        ([("(gradient * v).sum()", "gradient * v")], "the sum of g * v"),
        (
            "def hessian_times(f, x, v):\n"
            "    return torch.autograd.functional.hessian(f, x) @ v\n",
            "never make them",
        ),
        (
            "def hessian_times(f, x, v):\n"
            "    return torch.autograd.functional.hessian(f, x)\n",
            "H itself",
        ),
        (
            "def hessian_times(f, x, v):\n"
            "    return torch.autograd.functional.hessian(f, x).diag() * v\n",
            "Only the diagonal",
        ),
    ],
)

POWER = (
    PRODUCT
    + """

def largest_curvature(f, x, v, steps):
    v = v / (v @ v) ** 0.5
    for _ in range(steps):
        v = hessian_times(f, x, v)
        v = v / (v @ v) ** 0.5
    return (v @ hessian_times(f, x, v)).item()
"""
)

CURVATURE = Exercise(
    "largest_curvature",
    [
        POWER,
        """
def largest_curvature(f, x, v, steps):
    H = torch.autograd.functional.hessian(f, x)
    v = torch.linalg.matrix_power(H, steps) @ v
    return v @ H @ v / (v @ v)
""",
        """
def largest_curvature(f, x, v, steps=20):
    def times(v):
        return torch.autograd.functional.hvp(f, x, v)[1]

    while steps:
        v, steps = torch.nn.functional.normalize(times(v), dim=0), steps - 1
    return float(torch.dot(v, times(v)))
""",
    ],
    [
        (
            [("(v @ hessian_times(f, x, v))", "hessian_times(f, x, v).norm()")],
            "has no sign",
        ),
        ([("range(steps)", "range(0)")], "steps is ignored"),
        ([("range(steps)", "range(steps - 1)")], "one step too few"),
        ([("range(steps)", "range(steps + 1)")], "one step too many"),
        ([("        v = v / (v @ v) ** 0.5\n", "")], "length 1"),
        (
            [("        v = v / (v @ v) ** 0.5\n", "        v = v / v.abs().max()\n")],
            "length 1",
        ),
        ([("range(steps)", "range(1000)")], "exactly the steps"),
        ([("(v @ hessian_times(f, x, v)).item()", "v")], "one number"),
        ([("return (v", "(v")], "return, missing"),
        ([("        v = hessian_times(f, x, v)\n", "")], "steps is ignored"),
        ([("(v @ hessian_times(f, x, v)).item()", "0.0")], "In each step"),
        (
            [
                (
                    "        v = v / (v @ v) ** 0.5\n",
                    "        w = v.norm()\n        v /= w\n",
                ),
                ("(v @ hessian_times(f, x, v))", "w"),
            ],
            "has no sign",
        ),
        (
            [
                ("        v = hessian_times(f, x, v)\n", ""),
                (
                    "        v = v / (v @ v) ** 0.5\n",
                    "        v = v / v.norm()\n        v = hessian_times(f, x, v)\n",
                ),
            ],
            "length 1",
        ),
        ([("    return (v", "        return (v")], "inside the loop"),
        (
            [
                (
                    "        v = hessian_times(f, x, v)\n",
                    "        u = hessian_times(f, x, v)\n",
                ),
                (
                    "        v = v / (v @ v) ** 0.5\n",
                    "        u = u / (u @ u) ** 0.5\n",
                ),
                ("(v @ hessian_times(f, x, v))", "(u @ hessian_times(f, x, u))"),
            ],
            "v stay the same",
        ),
        ([(".clone()", "")], "copy"),
        ([(", create_graph=True", "")], "H v is not right yet"),
        ([("(gradient * v).sum()", "gradient * v")], "H v is not right yet"),
        ([("(gradient,) =", "gradient =")], "H v is not right yet"),
        ([("return product", "return gradient.detach()")], "H v is not right yet"),
        ([("gradient * v", "gradient")], "H v is not right yet"),
        (
            [
                (
                    "return product",
                    "return torch.autograd.functional.hessian(f, x).diag() * v",
                )
            ],
            "H v is not right yet",
        ),
        (
            [("return product", "return (gradient * v).detach()")],
            "H v is not right yet",
        ),
        (
            [("return product", "return product + gradient.detach()")],
            "H v is not right yet",
        ),
    ],
)

EXERCISES = [BACKWARD, NUMERICAL, TIMES, CURVATURE]


def _slopes(function, h):
    """Return the slopes that the task tries; all should be 20."""
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).double()
    return function(lambda x: x.sum() ** 2, x, h)


def _vanish(wrong, right):
    first, last = _slopes(wrong, 0.1).abs(), _slopes(wrong, 1e-4).abs()
    return bool((last < 0.01).all() and ((last < 0.01 * first) | (first == 0)).all())


def _grow(wrong, right):
    return bool((_slopes(wrong, 1e-4).abs() > 50 * _slopes(wrong, 0.01).abs()).all())


def _multiple(wrong, right):
    ratios = _slopes(wrong, 1e-4) / 20
    return any(torch.allclose(ratios, 0 * ratios + k, rtol=1e-2) for k in (2, 0.5, -1))


def _first_alone(wrong, right):
    off = (_slopes(wrong, 0.1) - 20).abs().flatten()
    return bool(off[0] < 1e-6 and off.max() > 0.1)


SYMPTOMS = {"a": _vanish, "b": _grow, "c": _multiple, "d": _first_alone}
