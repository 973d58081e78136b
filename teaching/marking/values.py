"""Numbers, tensors and arrays as text, and back, so that no code can come along."""

import base64
import inspect
import json
import math
import re
from typing import NamedTuple

import numpy as np
import torch

from labchecks.given import KINDS

MOST_ITEMS = 100_000  # of a tuple or list
MOST_DEPTH = 30  # of tuples and lists in each other
MOST_TEXT = 50 * 2**20  # characters of a reply
MOST_PARTS = 2**21  # of a reply: items, and names with a value
MOST_DIGITS = 10_000  # of an int
MOST_AXES = MOST_PARAMETERS = 30
NUMBERS = "biufc"  # the kinds of dtypes that are packed


class Other(NamedTuple):
    """Stands for a value that cannot be packed; ``kind`` is the name of its type.

    Where there was an error instead of a value, ``kind`` is what it said.
    """

    kind: str

    @property
    def words(self):
        """What a check calls it."""
        return f"an error: {self.kind}" if ": " in self.kind else f"a {self.kind}"


class Function(NamedTuple):
    """Stands for a function; ``parameters`` are (name, kind, has a default)."""

    parameters: list


def write(reply):
    """Return what JSON can hold as a text of letters, digits and ``+/=`` alone."""
    return base64.b64encode(json.dumps(reply).encode()).decode()


def read(text):
    """Return what ``write`` has made a text of.

    Raises
    ------
    ValueError
        If it is anything else, too long, or of too many parts, before those are made.
    """
    if len(text) > MOST_TEXT or not re.fullmatch("[a-zA-Z0-9+/=]*", text):
        raise ValueError(f"text must be what write returns, got {len(text)} characters")
    raw = base64.b64decode(text)
    parts = sum(raw.count(sign) for sign in (b"[", b"{", b",", b":"))
    if parts > MOST_PARTS:
        raise ValueError(f"text must have at most {MOST_PARTS} parts, got {parts}")
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("text must not be nested so deeply") from None


def pack(value, depth=0):
    """Return a value as lists, dicts and texts that JSON can hold.

    A tuple of any kind becomes a tuple, what NumPy can read an array. What remains is
    packed as a Function, or as the name of its type; and so is what is too long, or
    within more than ``MOST_DEPTH - depth`` tuples and lists.
    """
    if _is_plain(value):
        return {"is": "plain", "value": value}
    if type(value) is int and value.bit_length() <= 4 * MOST_DIGITS:
        return {"is": "int", "value": hex(value)}
    if value is ...:
        return {"is": "ellipsis"}
    if isinstance(value, torch.Generator):
        return {"is": "generator", "state": pack(value.get_state())}
    if isinstance(value, torch.Tensor):
        dtype, grad = str(value.dtype).removeprefix("torch."), value.requires_grad
        raw = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        return {"is": "tensor", "grad": grad, **_bytes(raw, value.shape, dtype)}
    if _is_short(value) and depth < MOST_DEPTH:
        name = "tuple" if isinstance(value, tuple) else "list"
        return {"is": name, "items": [pack(item, depth + 1) for item in value]}
    if isinstance(value, float | np.generic) or hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind in NUMBERS:
            scalar = "scalar" if isinstance(value, np.generic) else "array"
            name = "float" if type(value) is float else scalar
            return {"is": name, **_bytes(array, array.shape, array.dtype.str)}
    if type(value) in KINDS.values():
        plain = pack(value.plain())
        return {"is": "given", "kind": type(value).__name__, "plain": plain}
    if callable(value):
        return {"is": "function", "parameters": _parameters(value)}
    return {"is": "other", "kind": type(value).__name__[:40]}


def unpack(packed):
    """Return what ``pack`` has packed; raise a ValueError for anything else."""
    try:
        return _unpack(packed, 0)
    except (LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"packed must be what pack returns: {error}") from None


def _unpack(packed, depth):
    match packed["is"]:
        case "plain" if _is_plain(packed["value"]):
            return packed["value"]
        case "int" if len(packed["value"]) <= MOST_DIGITS + 3:
            return int(packed["value"], 16)
        case "ellipsis":
            return ...
        case "generator":
            generator = torch.Generator()
            generator.set_state(_unpack(packed["state"], depth))
            return generator
        case "tensor":
            dtype = getattr(torch, packed["dtype"])
            raw = torch.frombuffer(
                bytearray(_raw(packed)) or bytearray(1), dtype=torch.uint8
            )
            raw = raw[: _count(packed["shape"]) * dtype.itemsize].clone()
            tensor = raw.view(dtype).reshape(packed["shape"])
            return tensor.requires_grad_() if packed["grad"] else tensor
        case "tuple" | "list" as name if _is_short(packed["items"]):
            if depth == MOST_DEPTH:
                raise ValueError(f"packed must be at most {depth} deep")
            items = [_unpack(item, depth + 1) for item in packed["items"]]
            return tuple(items) if name == "tuple" else items
        case "array" | "scalar" | "float" as name if _count(packed["shape"]) >= 0:
            array = np.frombuffer(_raw(packed), np.dtype(packed["dtype"]))
            array = array.reshape(packed["shape"]).copy()
            if name == "float":
                return float(array)
            return array[()] if name == "scalar" else array
        case "function" if len(packed["parameters"]) <= MOST_PARAMETERS:
            return Function(
                [(str(n), int(k), bool(d)) for n, k, d in packed["parameters"]]
            )
        case "given":
            return KINDS[packed["kind"]].of(_unpack(packed["plain"], depth))
        case "other":
            return Other(str(packed["kind"])[:40])
    raise ValueError(f"packed must be what pack returns, got {str(packed)[:100]}")


def _is_plain(value):
    return value is None or isinstance(value, bool | str)


def _is_short(value):
    return isinstance(value, tuple | list) and len(value) <= MOST_ITEMS


def _count(shape):
    """Return how many numbers have this shape; no axis is longer than can be filled."""
    if len(shape) > MOST_AXES or any(size not in range(MOST_TEXT) for size in shape):
        raise ValueError(f"shape must be of at most {MOST_AXES} sizes that fit")
    return math.prod(shape)


def _bytes(array, shape, dtype):
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"shape": list(shape), "dtype": dtype, "data": data}


def _raw(packed):
    return base64.b64decode(packed["data"])


def _parameters(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [(p.name, int(p.kind), p.default is not p.empty) for p in parameters]
