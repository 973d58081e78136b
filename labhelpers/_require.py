"""The one way to refuse an argument: name it, its value and the allowed range.

Here stands what public functions demand at their door, without importing torch.
"""

import numbers
import operator
import sys

import numpy as np

MOST = 10**7  # of whatever is counted
LARGEST, SMALLEST = 1e100, 1e-100  # in size, so that squares are numbers too


def require(condition, argument, value, allowed):
    """Raise a ``ValueError`` unless the condition holds.

    >>> lr = -0.1
    >>> require(lr > 0, "lr", lr, "positive")
    Traceback (most recent call last):
    ValueError: lr must be positive, got -0.1
    """
    if not condition:
        raise ValueError(f"{argument} must be {allowed}, got {value}")


def require_count(argument, value, low=1, high=None):
    """Return a whole number from ``low`` to ``high`` (None: ``MOST``) as an int."""
    try:
        count = None if isinstance(value, bool) else operator.index(value)
    except (TypeError, RuntimeError):
        count = None
    allowed = f"a whole number, at least {low}"
    if high is not None or (count is not None and count > MOST):
        allowed += f" and at most {high or MOST}"
    in_range = count is not None and low <= count <= (high or MOST)
    require(in_range, argument, repr(value), allowed)
    return count


def require_number(argument, value, *, low=0, high=LARGEST):
    """Return a real number from ``low`` to ``high`` as a float."""
    real = isinstance(value, (float, numbers.Real)) and not isinstance(value, bool)
    in_range = real and low <= value <= high
    require(in_range, argument, repr(value), f"a number from {low} to {high}")
    return float(value)


def is_tensor(value):
    """Say whether this is a torch.Tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def require_array(argument, value, *shapes, kinds="fiu", finite=True):
    """Return real numbers, a tensor's from any device too, as an array of NumPy.

    In ``shapes``, None is any length; ``kinds`` are of ``numpy.dtype.kind``.
    """
    try:
        array = value.numpy(force=True) if is_tensor(value) else np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # ragged, sparse, meta, bfloat16
        array = np.array(None)
    real = array.dtype.kind in kinds and not isinstance(value, np.ma.MaskedArray)
    seen = f"{type(value).__name__} of dtype {array.dtype}"
    require(real, argument, seen, "an array of real numbers")
    if array.dtype.kind == "f" and array.itemsize not in (4, 8):
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
    shape, wanted = array.shape, [s for s in shapes if len(s) == array.ndim]
    fits = any(all(n in (None, m) for n, m in zip(s, shape)) for s in wanted)
    allowed = " or ".join(map(str, shapes)).replace("None", "any")
    allowed = f"of shape {allowed}, not empty"
    require(fits and array.size, argument, f"shape {shape}", allowed)
    if finite:
        is_finite = np.isfinite(array).all()
        require(is_finite, argument, "NaN or infinity in it", "finite everywhere")
        size = max(float(array.max()), -float(array.min()))
        allowed = f"0, or from {SMALLEST} to {LARGEST}, in size"
        require(not size or SMALLEST <= size <= LARGEST, argument, size, allowed)
    return array


def require_tensor(argument, tensor, like=None):
    """Demand a dense tensor of float32 or float64, as ``like`` is; NaN may occur."""
    require(is_tensor(tensor), argument, type(tensor).__name__, "a torch.Tensor")
    dense = str(tensor.layout) == "torch.strided"
    kind = tensor.dtype if dense else tensor.layout
    is_float = str(kind) in ("torch.float32", "torch.float64")
    require(is_float, argument, kind, "of dtype float32 or float64")
    require(tensor.numel() > 0, argument, f"shape {tuple(tensor.shape)}", "non-empty")
    for what in ("dtype", "device") if like is not None else ():
        wanted, seen = getattr(like, what), getattr(tensor, what)
        require(seen == wanted, argument, f"{what} {seen}", f"of {what} {wanted}")


def require_finite(argument, tensor, *, ndim):
    """Demand a non-empty tensor of finite numbers with so many axes."""
    require_tensor(argument, tensor)
    axes = " or ".join(map(str, ndim))
    shape = f"shape {tuple(tensor.shape)}"
    require(tensor.ndim in ndim, argument, shape, f"a tensor of {axes} axes")
    seen = "the device meta" if tensor.is_meta else "NaN or infinity in it"
    finite = not tensor.is_meta and bool(tensor.isfinite().all())
    require(finite, argument, seen, "finite everywhere")


def require_axes(**arguments):
    """Demand tensors that fit: ``name=(tensor, axes)``, with one letter for each axis.

    Axes of the same letter are equally long; one in capitals may also be 1 long. Axes
    in front of them are runs, those of the first or second tensor, or none.
    """
    like, lengths, runs = next(iter(arguments.values()))[0], {}, ()
    for number, (name, (tensor, axes)) in enumerate(arguments.items()):
        require_tensor(name, tensor, like)
        front, shape = tensor.shape[: -len(axes)], tensor.shape[-len(axes) :]
        runs = runs or (front if number < 2 else ())
        fits = front in ((), runs) and len(shape) == len(axes)
        for axis, length in zip(axes, shape):
            wanted = lengths.setdefault(axis.lower(), length)
            fits = fits and (length == wanted or (length == 1 and axis.isupper()))
        allowed = f"of shape (*runs, {', '.join(axes)}) with {lengths}"
        require(fits, name, f"shape {tuple(tensor.shape)}", allowed)


def require_targets(targets, table, *, most=MOST):
    """Check the classes of the rows of a table; return 1 + the largest, up to most."""
    dtype = targets.dtype if is_tensor(targets) else type(targets).__name__
    require(
        str(dtype) == "torch.int64", "targets", dtype, "a torch.Tensor of dtype int64"
    )
    seen, shapes = tuple(targets.shape), [tuple(table.shape[:-1]), (table.shape[-2],)]
    require(seen in shapes, "targets", f"shape {seen}", f"of shape {shapes[0]}")
    device = targets.device
    require(device == table.device, "targets", f"device {device}", f"on {table.device}")
    if targets.is_meta:
        return most
    low, high = int(targets.min()), int(targets.max())
    allowed = f"classes from 0 to {most - 1}"
    require(low >= 0 and high < most, "targets", f"{low} to {high}", allowed)
    return high + 1


def require_start(start, like, shapes, *, runs):
    """Demand a tensor like another for each shape, behind an axis of runs or none."""
    count = len(shapes)
    is_sequence = isinstance(start, (tuple, list))
    seen = f"{len(start)} of them" if is_sequence else type(start).__name__
    require(is_sequence and len(start) == count, "start", seen, f"{count} tensors")
    given = getattr(start[0], "shape", ())[-3:-2] if runs is None else (runs,)
    for p, shape in zip(start, shapes):
        require_tensor("start", p, like)
        seen, wanted = tuple(p.shape), (*given, *shape)
        require(seen == wanted, "start", f"shape {seen}", f"of shape {wanted}")


def require_texts(argument, texts, counts):
    """Return texts, as many as one of the counts."""
    several = isinstance(texts, (list, tuple)) and len(texts) in counts
    fits = several and all(isinstance(text, str) for text in texts)
    require(fits, argument, repr(texts), f"{' or '.join(map(str, counts))} texts")
    return texts


def require_ascending(argument, numbers, *, least=2, count=False):
    """Return ascending numbers or, where that is allowed, how many there are to be."""
    if count and not hasattr(numbers, "__len__"):
        return require_count(argument, numbers, 1, 1000)
    numbers = require_array(argument, numbers, (None,)).astype(float)
    fits = len(numbers) >= least and (np.diff(numbers) > 0).all()
    require(fits, argument, numbers, f"{least} or more ascending numbers")
    return numbers


def require_classes(argument, classes, shape, *, most):
    """Return whole numbers from 0 to ``most − 1`` in an array of this shape."""
    classes = require_array(argument, classes, shape, kinds="iub")
    seen = f"{classes.min()} to {classes.max()}"
    known = classes.min() >= 0 and classes.max() < most
    require(known, argument, seen, f"from 0 to {most - 1}")
    return classes
