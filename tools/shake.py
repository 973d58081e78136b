"""Does a stored digit hang on rounding noise? ``make shake``.

Runs every lab with its inputs moved in the 13th digit, and compares what its cells say
with what is stored, as nbval does. A cell that says something else prints more than is
known: print an inequality there, or fewer digits.

    make shake SHAKE_ARGS="--size 1e-12 --seeds 5 --labs 01 04"
    make shake SHAKE_ARGS=--scan    # from which size on does each cell move?
"""

import argparse
import copy
import difflib
import functools
import os
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import nbformat
import numpy as np
from nbformat.v4 import new_code_cell

from teaching.execute_notebook import execute, not_compared
from tools.render import NOTEBOOKS, ROOT

SIZE = 1e-13
SCANNED = [float(f"1e{power}") for power in range(-15, -5)]
BEFORE = """
import sys
sys.path.insert(0, {root!r})
from tools.shake import shake_inputs
shake_inputs(size={size}, seed={seed})
del sys, shake_inputs
"""
# What makes real numbers in PyTorch and in a generator of NumPy. Draws of integers and
# of orders are exact.
MADE = ("rand", "rand_like", "randn", "randn_like", "normal")
MADE += ("tensor", "as_tensor", "from_numpy")
CONVERTED = ("double", "float", "to")
DRAWN = ("normal", "random", "standard_normal", "uniform")
PICTURES = ("image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json")


# --- In the kernel -------------------------------------------------------------------


def shake_inputs(*, size, seed):
    """From now on, multiply every input by ``1 + size · noise``.

    Inputs are the data of ``labhelpers.data``, what is drawn, and what is made into a
    tensor or rounded to another precision. Integers and bools are exact, and stay. A
    number moves by the rounding of its own dtype at least, so float32 by 1e-7. The
    noise is uniform, of variance 1, from a generator of its own: draws are what they
    were, but for it.
    """
    import torch

    from labhelpers import data

    noise = np.random.default_rng(seed)
    from_numpy, default_rng = torch.from_numpy, np.random.default_rng

    def factor(x, eps):
        kind = np.float64 if eps < 1e-10 else np.float32
        result = noise.random(tuple(x.shape), dtype=kind)  # quick, for many pictures
        return np.asarray(1 + max(size, eps) * 12**0.5 * (result - 0.5), dtype=kind)

    def move(x):
        """Return the numbers of ``x``, moved; whatever else, as it is."""
        if isinstance(x, torch.Tensor) and x.is_floating_point():
            by = from_numpy(factor(x, torch.finfo(x.dtype).eps)).type(x.dtype)
            if x.is_leaf and x.requires_grad:
                with torch.no_grad():
                    return x.mul_(by)
            return x * by
        if isinstance(x, np.ndarray | np.floating) and x.dtype.kind == "f":
            return x * factor(x, np.finfo(x.dtype).eps).astype(x.dtype)
        return float(move(np.float64(x))) if isinstance(x, float) else x

    def moving(function):
        @functools.wraps(function)
        def moved(*args, **kwargs):
            result = function(*args, **kwargs)
            return result if args and result is args[0] else move(result)

        return moved

    def moving_what_rounds(function):
        @functools.wraps(function)
        def moved(x, *args, **kwargs):
            result = function(x, *args, **kwargs)
            rounds = x.is_floating_point() and x.dtype != result.dtype
            return move(result) if rounds else result

        return moved

    def load_iris(**kwargs):
        iris = plain_iris(**kwargs)
        return iris._replace(features=move(iris.features))

    class Generator(np.random.Generator):
        """NumPy's, and what it draws is moved."""

    for name in DRAWN:
        setattr(Generator, name, moving(getattr(np.random.Generator, name)))
    np.random.default_rng = lambda seed=None: Generator(default_rng(seed).bit_generator)
    for name in MADE:
        setattr(torch, name, moving(getattr(torch, name)))
    for name in CONVERTED:
        setattr(torch.Tensor, name, moving_what_rounds(getattr(torch.Tensor, name)))
    plain_iris, data.load_iris = data.load_iris, load_iris
    data.scale_pixels = moving(data.scale_pixels)


# --- Compare -------------------------------------------------------------------------


def shake(path, *, size=SIZE, seed=0):
    """Run one lab on moved inputs.

    Returns
    -------
    dict of str
        {cell id: what differs, a line each}, for each cell that says something else
        than is stored in the file. Empty: nothing hangs on the noise.
    """
    stored = nbformat.read(path, as_version=4)
    shaken = copy.deepcopy(stored)
    before = new_code_cell(BEFORE.format(root=str(ROOT), size=size, seed=seed))
    shaken.cells.insert(0, before)
    execute(shaken, path.parent, allow_errors=True, OMP_NUM_THREADS="1")
    if error := said(shaken.cells.pop(0)):
        raise RuntimeError(f"the inputs of {path.name} can't be moved: {error}")
    return moved_cells(stored, shaken)


def moved_cells(stored, executed):
    """Return what differs, {cell id: lines}, where nbval compares two notebooks."""
    moved = {}
    for old, new in zip(stored.cells, executed.cells, strict=True):
        if old.cell_type != "code" or not_compared(old) or said(old) == said(new):
            continue
        was, now = said(old), said(new)
        # A table is in its HTML once more, which is hard to read.
        differs = [kind for kind in was | now if was.get(kind) != now.get(kind)]
        kinds = [kind for kind in differs if kind != "text/html"] or differs
        texts = [
            "\n".join(text.get(kind, "") for kind in kinds).splitlines()
            for text in (was, now)
        ]
        lines = difflib.unified_diff(*texts, lineterm="", n=0)
        moved[old.id] = "\n".join(
            line for line in list(lines)[2:] if not line.startswith("@@")
        )
    return moved


def said(cell):
    """Return the texts of a cell's outputs, {stdout or stderr, error, or type: text}.

    Texts of one kind are joined: their order among others may differ between runs.
    """
    texts = {}
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            parts = {output.name: output.text}
        elif output.output_type == "error":
            parts = {"error": f"{output.ename}: {output.evalue}"}
        else:
            parts = {k: v for k, v in output.data.items() if k not in PICTURES}
        for kind, text in parts.items():
            texts[kind] = texts.get(kind, "") + str(text)
    return texts


# --- By hand -------------------------------------------------------------------------


def runs(paths, sizes, seeds):
    """Yield ``(path, size, seed, moved)`` for all of them, as many at once as CPUs."""
    wanted = [(*each, seed) for each in product(paths, sizes) for seed in range(seeds)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda run: shake(run[0], size=run[1], seed=run[2]), wanted)
        for run, moved in zip(wanted, found):
            yield *run, moved


def report(paths, *, size, seeds):
    """Print each cell that moves, and what it says then. Tell whether any does."""
    total = 0
    for path, _, seed, moved in runs(paths, [size], seeds):
        print(f"{path.name}, seed {seed}: {len(moved)} cells move", flush=True)
        for cell_id, lines in moved.items():
            print(textwrap.indent(f"{cell_id}\n{lines}", "    "), flush=True)
        total += len(moved)
    return total > 0


def scan(paths, *, seeds):
    """Print for each cell the size of the noise at which it begins to move."""
    begins = {}
    for path, size, _, moved in runs(paths, SCANNED, seeds):
        for cell_id in moved:
            at = begins.setdefault((path.name, cell_id), size)
            begins[path.name, cell_id] = min(at, size)
    for (name, cell_id), size in sorted(begins.items(), key=lambda item: item[1]):
        print(f"{size:.0e}  {name}  {cell_id}")
    print(f"All other cells hold up to {SCANNED[-1]:.0e}, with {seeds} seeds.")


def main():
    parser = argparse.ArgumentParser(prog="make shake", description=__doc__)
    parser.add_argument("--size", type=float, default=SIZE, help="of the noise")
    parser.add_argument("--seeds", type=int, default=3, help="how many, for each lab")
    parser.add_argument("--labs", nargs="+", default=[""], help="such as 01 04")
    parser.add_argument("--scan", action="store_true", help="from which size on?")
    asked = parser.parse_args()
    paths = sorted({p for lab in asked.labs for p in NOTEBOOKS.glob(f"{lab}*.ipynb")})
    if not paths:
        parser.error(f"no lab in {NOTEBOOKS} is called {' or '.join(asked.labs)}…")
    if asked.scan:
        scan(paths, seeds=asked.seeds)
    elif report(paths, size=asked.size, seeds=asked.seeds):
        sys.exit("Print what is known: an inequality, or fewer digits.")


if __name__ == "__main__":
    main()
