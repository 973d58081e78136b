"""In a kernel: which names does a cell change? And values to be handed to another.

The worked lab is watched once, cell by cell. So it is known of each cell what it
changes besides the names that it gives a value to, whatever way it takes.
"""

import base64
import contextlib
import functools
import io
import pickle
import random
import types
import zlib
from collections import deque

import numpy as np
import pandas as pd
import torch

SETTINGS, RANDOM = "<settings>", "<random>"  # global state, under names of its own
MOST = 8 * 2**20  # bytes of a value that is handed over
SIMPLE = bool | int | float | complex | str | bytes | range | slice | np.generic
SIMPLE |= torch.dtype | torch.device | torch.Size | type(None) | type(...)
MANY = list | tuple | set | frozenset | deque
TABLES = pd.DataFrame | pd.Series | pd.Index
DRAWN = ("matplotlib", "mpl_toolkits", "ipywidgets", "IPython", "PIL")
SHELL = {"In", "Out", "exit", "quit", "open", "get_ipython"}
USE = "__import__('teaching.marking.watched_values', fromlist=['x'])."


class _Untold(Exception):
    """The state of a value cannot be told."""


def digests(names):
    """Return a list of (name, which object it is, its state) for a kernel's names.

    The state is a text, and empty where it cannot be told: of an iterator, of a tensor
    with a graph. Drawings are not looked into.
    """
    found = [
        (name, id(value), _digest(value))
        for name, value in sorted(names.items())
        if name not in SHELL and not name.startswith("_")
    ]
    settings = torch.get_default_dtype(), torch.is_grad_enabled()
    settings = *settings, torch.get_num_threads()
    numpy = np.random.get_state(legacy=True)  # noqa: NPY002
    drawn = torch.get_rng_state(), list(numpy), list(random.getstate())
    return [*found, (SETTINGS, 0, _digest(settings)), (RANDOM, 0, _digest(drawn))]


def saved(names, wanted, before):
    """Return a list of (name, text) of those values that another kernel can be given.

    They are exact, and share nothing with the names in ``before``.
    """
    places, texts = {}, {}
    for name in before:
        with contextlib.suppress(_Untold, KeyError):
            _look(names[name], None, places)
    for name in wanted:
        mine = {}
        try:
            _look(names[name], None, mine)
            _Careful(io.BytesIO()).dump(names[name])
            stream = io.BytesIO()
            torch.save(names[name], stream)
        except Exception:  # whatever cannot be pickled is not handed over
            continue
        if stream.tell() <= MOST and not mine.keys() & places.keys():
            texts[name] = base64.b64encode(zlib.compress(stream.getvalue(), 1)).decode()
    return list(texts.items())


def load(names, name, text):
    """Give a name the value that ``saved`` has put into a text."""
    data = zlib.decompress(base64.b64decode(text))
    names[name] = torch.load(io.BytesIO(data), weights_only=False)


class _Careful(pickle.Pickler):
    def reducer_override(self, value):
        if "__main__" in (getattr(value, "__module__", ""), type(value).__module__):
            raise _Untold
        if isinstance(value, torch.Tensor) and value.grad_fn is not None:
            raise _Untold
        return NotImplemented


def _digest(value):
    state = [0]

    def feed(data):
        state[0] = zlib.crc32(data, state[0])

    try:
        _look(value, feed, {})
    except Exception:
        return ""
    return f"{state[0]:08x}"


def _look(value, feed, seen):
    """Go through all that a value is made of; raise an error where that can't be told.

    ``feed``, if any, gets the bytes of it; ``seen`` holds what can be changed in place:
    {id of an object, or address of memory: the object}.
    """
    tell = feed or (lambda data: None)
    kind = type(value)
    tell(kind.__qualname__.encode())
    if isinstance(value, SIMPLE) and kind is not torch.Size:
        return tell(repr(value).encode())
    if isinstance(value, types.ModuleType) or kind.__module__.startswith(DRAWN):
        return None
    if id(value) in seen:
        return None
    ours = getattr(value, "__module__", "") == "__main__"
    is_code = isinstance(value, type | types.FunctionType)
    if is_code and not ours or isinstance(value, types.BuiltinFunctionType):
        return tell(value.__qualname__.encode())
    if type(value) is not tuple:
        seen[id(value)] = value
    within = functools.partial(_look, feed=feed, seen=seen)
    if isinstance(value, torch.Tensor):
        if feed and value.grad_fn is not None:
            raise _Untold
        seen[value.untyped_storage().data_ptr()] = value
        tell(f"{value.dtype}{tuple(value.shape)}{value.requires_grad}".encode())
        if feed:
            feed(
                value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            )
        return within(value.grad)
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return within(value.tolist())
        base = value
        while isinstance(base.base, np.ndarray):
            base = base.base
        seen[base.__array_interface__["data"][0]] = value
        tell(f"{value.dtype}{value.shape}".encode())
        if feed:
            feed(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
        return None
    if isinstance(value, TABLES):
        columns = value.items() if isinstance(value, pd.DataFrame) else [("", value)]
        axes = [] if isinstance(value, pd.Index) else [a.to_numpy() for a in value.axes]
        return within([*axes, *(column.to_numpy() for _, column in columns)])
    if isinstance(value, torch.Generator):
        return within(value.get_state())
    if isinstance(value, np.random.Generator):
        return tell(repr(value.bit_generator.state).encode())
    if isinstance(value, dict):
        return within([each for pair in value.items() for each in pair])
    if isinstance(value, MANY):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        for item in items:
            within(item)
        return None
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        tell(value.__code__.co_code)
        more = [value.__defaults__, value.__kwdefaults__, vars(value), cells]
        return within(more)
    if isinstance(value, type):
        return within([v for v in vars(value).values() if not _is_slot(v)])
    if isinstance(value, types.MethodType):
        return within([value.__func__, value.__self__])
    if isinstance(value, functools.partial):
        return within([value.func, value.args, value.keywords])
    if hasattr(value, "__dict__") and not hasattr(value, "__next__"):
        return within(vars(value))
    raise _Untold


def _is_slot(value):
    return isinstance(value, types.GetSetDescriptorType | types.MappingProxyType)
