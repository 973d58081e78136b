"""Schematics: matrices as blocks, layers as circles. They draw sizes, not numbers."""

import numpy as np
from matplotlib.patches import Circle, Rectangle

from labhelpers import plots
from labhelpers._require import require, require_array, require_count, require_texts

PALE = {"facecolor": "#DCE9F4", "edgecolor": plots.COLOURS[0], "linewidth": 1.5}
TALLEST, THINNEST, LETTER = 1.9, 0.12, 0.1  # inches
FEWER, SHOWN = 5, 7  # places for circles in a layer, and in the largest


def blocks(parts, *, ax=None):
    """Draw a formula of matrices as blocks of their shapes, with signs between them.

    The examples are a product of two thin matrices, the linear autoencoder as one, and
    a mini-batch: rows taken at random, and what is made of them. Sides grow with the
    square roots of the lengths; equal lengths are equal sides.

    Parameters
    ----------
    parts : sequence of str, (name, shape) or (name, shape, rows)
        A text is a sign. A matrix has a name, (rows, columns), and the numbers of those
        rows that stand out, if any.
    ax : Axes, optional

    Examples
    --------
    >>> ax = blocks(
    ...     [("A", (150, 4)), "≈", ("U", (150, 2)), "·", ("Vᵀ", (2, 4))]
    ... )

    >>> ax = blocks(
    ...     [("z", (64, 200)), "≈", ("A", (64, 8)), "·", ("B", (8, 64)), "·"]
    ...     + [("z", (64, 200))]
    ... )

    >>> rows = np.random.default_rng(0).choice(50_000, size=12, replace=False)
    >>> ax = blocks(
    ...     [("images", (50_000, 3072), rows), "→", ("batch", (256, 3072), range(256))]
    ...     + ["→", ("gradient of A", (3072, 50))]
    ... )
    """
    listed = isinstance(parts, (list, tuple))
    fits = listed and parts and all(isinstance(p, str) or _is_matrix(p) for p in parts)
    wanted = "texts, (name, shape) or (name, shape, rows)"
    require(fits, "parts", repr(parts), wanted)
    matrices = [part for part in parts if not isinstance(part, str)]
    require(matrices, "parts", "none of them", "some (name, shape) among them")
    for _, shape, *_ in matrices:
        for length in shape:
            require_count("parts", length)
    most = max(max(shape) for _, shape, *_ in matrices)
    drawn, x = [], 0.0
    for part in parts:
        if isinstance(part, str):
            drawn.append((part, x + 0.2 + LETTER * len(part) / 2, None))
            x += 0.4 + LETTER * len(part)
            continue
        name, (m, n), *rows = part
        high, wide = (max(THINNEST, TALLEST * (k / most) ** 0.5) for k in (m, n))
        text = f"{name}\n{m} × {n}"
        slot = max(wide, LETTER * max(map(len, text.split("\n"))))
        drawn.append((text, x + slot / 2, (high, wide, _stripes(rows, m))))
        x += slot
    low = -max(s[0] for *_, s in drawn if s) / 2 - 0.6
    ax = _canvas(ax, (0, x), (low, -low - 0.6))
    for text, middle, sizes in drawn:
        if sizes is None:
            ax.text(middle, 0, text, ha="center", va="center", size=18)
            continue
        high, wide, stripes = sizes
        left, top = middle - wide / 2, high / 2
        ax.add_patch(Rectangle((left, -top), wide, high, **PALE))
        for share, thick in stripes:
            thick = max(0.03, thick * high)
            low = max(-top, top - share * high - thick)
            stripe = {"color": plots.COLOURS[1], "linewidth": 0}
            ax.add_patch(Rectangle((left, low), wide, thick, **stripe))
        ax.text(middle, -top - 0.08, text, ha="center", va="top", size=12)
    return ax


def network(sizes, *, names, weights=None, ax=None):
    """Draw layers as columns of circles, each joined to all of the next.

    The examples are the MLP and the linear autoencoder. Of a large layer, some circles
    are drawn: fewer of one that is not the largest.

    Parameters
    ----------
    sizes : sequence of int
        How many numbers there are in each layer; 2 to 10 layers.
    names : sequence of str
        One for each layer, written under it with its size.
    weights : sequence of str, optional
        One for each gap, written above it.
    ax : Axes, optional

    Examples
    --------
    >>> ax = network(
    ...     [4, 16, 3],
    ...     names=["features", "hidden", "logits"],
    ...     weights=["W₁, b₁", "W₂, b₂"],
    ... )
    >>> ax = network([64, 8, 64], names=["z", "B z", "A (B z)"], weights=["B", "A"])
    """
    listed = isinstance(sizes, (list, tuple)) and 2 <= len(sizes) <= 10
    require(listed, "sizes", repr(sizes), "2 to 10 whole numbers")
    sizes = [require_count("sizes", size) for size in sizes]
    names = require_texts("names", names, [len(sizes)])
    if weights is not None:
        require_texts("weights", weights, [len(sizes) - 1])
    step = max(1.6, LETTER * max(map(len, [*names, *(weights or [])])) + 0.2)
    top = 0.2 * (min(SHOWN, max(sizes)) - 1) + 0.25
    x = step * np.arange(len(sizes))
    ax = _canvas(ax, (-step / 2, x[-1] + step / 2), (-top - 0.5, top + 0.3))
    places = [min(n, SHOWN if n == max(sizes) else FEWER) for n in sizes]
    seen = [0.2 * np.arange(1 - n, n, 2) for n in places]
    seen = [y if n == len(y) else y[y != 0] for n, y in zip(sizes, seen)]
    for i, (n, name, circles) in enumerate(zip(sizes, names, seen)):
        for y in circles:
            ax.add_patch(Circle((x[i], y), 0.14, zorder=3, **PALE))
            for there in seen[i + 1] if i + 1 < len(sizes) else ():
                ax.plot(x[i : i + 2], [y, there], "-", color="0.7", linewidth=0.7)
        if n > len(circles):
            ax.text(x[i], 0, "⋮", ha="center", va="center", size=16)
        ax.text(x[i], -top, f"{name}\n{n}", ha="center", va="top", size=12)
    for i, name in enumerate(weights or ()):
        ax.text(x[i] + step / 2, top + 0.1, name, ha="center", size=12)
    return ax


def _is_matrix(part):
    is_tuple = isinstance(part, tuple) and len(part) in (2, 3)
    named = is_tuple and isinstance(part[0], str)
    return named and isinstance(part[1], tuple) and len(part[1]) == 2


def _stripes(rows, m):
    """Return where rows lie from above, and how thick they are, as shares."""
    if not rows:
        return []
    rows = require_array("parts", rows[0], (None,), kinds="iu")
    inside = rows.min() >= 0 and rows.max() < m
    require(inside, "parts", f"rows up to {rows.max()}", f"with rows below {m}")
    return [(row / m, 1 / m) for row in np.unique(rows)]


def _canvas(ax, x, y):
    """Return Axes without a frame, in inches if they are new."""
    width, height = x[1] - x[0], y[1] - y[0]
    width, height = min(width + 0.2, 100), height + 0.2
    ax = plots.axes(width=width, height=height) if ax is None else ax
    require(isinstance(ax, plots.plt.Axes), "ax", type(ax).__name__, "Axes")
    edge = np.array([-0.05, 0.05])  # for half a line
    ax.set(xlim=x + edge, ylim=y + edge, aspect="equal")
    ax.set_axis_off()
    return ax
