"""The one way to refuse an argument: name it, its value and the allowed range."""

import operator


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
    """Demand a whole number from ``low`` to ``high``, inclusive (None: no limit)."""
    try:
        count = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = None
    allowed = f"a whole number, at least {low}"
    if high is not None:
        allowed += f" and at most {high}"
    in_range = count is not None and low <= count and (high is None or count <= high)
    require(in_range, argument, repr(value), allowed)


def require_tensor(argument, tensor):
    """Demand a non-empty tensor of floating-point numbers; NaN may occur."""
    is_tensor = hasattr(tensor, "is_floating_point")
    require(is_tensor, argument, type(tensor).__name__, "a torch.Tensor")
    is_float = tensor.is_floating_point()
    require(is_float, argument, tensor.dtype, "of a floating-point dtype")
    require(tensor.numel() > 0, argument, f"shape {tuple(tensor.shape)}", "non-empty")


def require_finite(argument, tensor, *, ndim):
    """Demand a non-empty tensor of finite numbers with so many axes."""
    require_tensor(argument, tensor)
    axes = " or ".join(map(str, ndim))
    shape = f"shape {tuple(tensor.shape)}"
    require(tensor.ndim in ndim, argument, shape, f"a tensor of {axes} axes")
    finite = bool(tensor.isfinite().all())
    require(finite, argument, "NaN or infinity in it", "finite everywhere")


def require_like(argument, tensor, like):
    """Demand a floating-point tensor of the dtype and on the device of another."""
    require_tensor(argument, tensor)
    for what in ("dtype", "device"):
        wanted, seen = getattr(like, what), getattr(tensor, what)
        require(seen == wanted, argument, f"{what} {seen}", f"of {what} {wanted}")
