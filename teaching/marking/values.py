"""Numbers, tensors and arrays as text, and back, so that no code can come along."""

import base64
import inspect
import math
from typing import NamedTuple

import numpy as np
import torch

from labchecks.given import KINDS

MOST_ITEMS = 100_000
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


def pack(value):
    """Return a value as lists, dicts and texts that JSON can hold.

    A tuple of any kind becomes a tuple, what NumPy can read an array. What remains is
    packed as a Function, or as the name of its type.
    """
    if value is None or isinstance(value, bool | str):
        return {"is": "plain", "value": value}
    if type(value) is int:
        return {"is": "int", "value": hex(value)}
    if value is ...:
        return {"is": "ellipsis"}
    if isinstance(value, torch.Generator):
        return {"is": "generator", "state": pack(value.get_state())}
    if isinstance(value, torch.Tensor):
        dtype, grad = str(value.dtype).removeprefix("torch."), value.requires_grad
        raw = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        return {"is": "tensor", "grad": grad, **_bytes(raw, value.shape, dtype)}
    if isinstance(value, tuple | list) and len(value) <= MOST_ITEMS:
        name = "tuple" if isinstance(value, tuple) else "list"
        return {"is": name, "items": [pack(item) for item in value]}
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
        return _unpack(packed)
    except (LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"packed must be what pack returns: {error}") from None


def _unpack(packed):
    match packed["is"]:
        case "plain":
            return packed["value"]
        case "int":
            return int(packed["value"], 16)
        case "ellipsis":
            return ...
        case "generator":
            generator = torch.Generator()
            generator.set_state(_unpack(packed["state"]))
            return generator
        case "tensor":
            dtype = getattr(torch, packed["dtype"])
            raw = torch.frombuffer(
                bytearray(_raw(packed)) or bytearray(1), dtype=torch.uint8
            )
            raw = raw[: math.prod(packed["shape"]) * dtype.itemsize].clone()
            tensor = raw.view(dtype).reshape(packed["shape"])
            return tensor.requires_grad_() if packed["grad"] else tensor
        case "tuple":
            return tuple(_unpack(item) for item in packed["items"])
        case "list":
            return [_unpack(item) for item in packed["items"]]
        case "array" | "scalar" | "float" as name:
            array = np.frombuffer(_raw(packed), np.dtype(packed["dtype"]))
            array = array.reshape(packed["shape"]).copy()
            if name == "float":
                return float(array)
            return array[()] if name == "scalar" else array
        case "function":
            return Function(
                [(str(n), int(k), bool(d)) for n, k, d in packed["parameters"]]
            )
        case "given":
            return KINDS[packed["kind"]].of(_unpack(packed["plain"]))
        case "other":
            return Other(str(packed["kind"]))
    raise ValueError(f"packed must be what pack returns, got {packed['is']!r}")


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
