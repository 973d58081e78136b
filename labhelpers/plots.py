"""Plots of the labs. They draw what they are given, compute nothing, return the Axes.

Colours (Okabe and Ito, 2008) are told apart by colour-blind readers. Each comes with
a line style and a marker of its own, so that a grey print can be read too.
"""

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython.display import display

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
LINES = ["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3))]
MARKERS = ["o", "^", "s", "D", "v", "P"]
FLOOR = {"color": "black", "linewidth": 1, "linestyle": (0, (1, 1))}

STYLE = {
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLOURS, linestyle=LINES),
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.figsize": (6.4, 3.6),
    "grid.color": "0.9",
    "lines.linewidth": 1.8,
}


def axes(columns=1, *, width=6.4, height=3.6):
    """Return new Axes in the style of the labs, or a row of them."""
    with plt.rc_context(STYLE):
        return plt.subplots(1, columns, figsize=(width, height))[1]


def show(ax, *, alt):
    """Display the figure that ``ax`` belongs to, once, with a text in its place.

    Parameters
    ----------
    ax : Axes
    alt : str
        What there is to see, for those who cannot see it; not empty.
    """
    if not alt.strip():
        raise ValueError(f"alt must be a text that describes the figure, got {alt!r}")
    display(ax.figure, metadata={"image/png": {"alt": alt}})
    plt.close(ax.figure)


def losses(losses, *, labels=None, floor=None, ax=None):
    """Draw one curve per run over the steps, on a logarithmic loss axis.

    Parameters
    ----------
    losses : array_like, shape (steps + 1,) or (steps + 1, runs)
        Values that are not finite, or above 1e200, are left out.
    labels : sequence of str, optional
        One for each curve.
    floor : float, optional
        The least loss there is, drawn as a dotted line.
    ax : Axes, optional
    """
    ax = axes() if ax is None else ax
    losses = np.asarray(losses, dtype=float)
    lines = ax.plot(np.where(losses < 1e200, losses, np.nan))
    if labels is not None:
        for line, label in zip(lines, labels, strict=True):
            line.set_label(label)
    if floor is not None:
        ax.axhline(floor, **FLOOR, label="floor")
    ax.set(xlabel="step", ylabel="loss", yscale="log")
    if labels is not None or floor is not None:
        ax.legend(frameon=False)
    return ax


def histogram(values, *, bins=40, label=None, ax=None):
    """Draw how often values occur; ``values`` of shape (n,). Return the Axes."""
    ax = axes() if ax is None else ax
    ax.hist(values, bins=bins, label=label, histtype="stepfilled", alpha=0.6)
    ax.set(ylabel="count")
    return ax


def scatter(points, labels, names, *, ax=None):
    """Draw points in the plane, each class with a colour and a marker of its own.

    Parameters
    ----------
    points : array_like, shape (n, 2)
    labels : array_like of int, shape (n,)
        From 0 to ``len(names) - 1``.
    names : sequence of str
    ax : Axes, optional
    """
    ax = axes(width=4.8, height=4.2) if ax is None else ax
    points, labels = np.asarray(points), np.asarray(labels)
    for label, name in enumerate(names):
        x, y = points[labels == label].T
        kind = {"color": COLOURS[label], "marker": MARKERS[label]}
        ax.scatter(x, y, s=22, edgecolors="white", linewidths=0.4, label=name, **kind)
    ax.legend(frameon=False)
    return ax


def contours(x, y, heights, *, levels=20, ax=None):
    """Draw a function of two variables as labelled level lines.

    Parameters
    ----------
    x : array_like, shape (columns,)
    y : array_like, shape (rows,)
    heights : array_like, shape (rows, columns)
        ``heights[i, j]`` belongs to ``x[j], y[i]``.
    levels : int or sequence of float
    ax : Axes, optional
    """
    ax = axes(width=4.8, height=4.2) if ax is None else ax
    lines = ax.contour(x, y, heights, levels=levels, cmap="cividis")
    ax.clabel(lines, fontsize=7)
    return ax


def regions(x, y, classes, *, ax=None):
    """Shade the part of the plane that belongs to each class.

    Parameters
    ----------
    x : array_like, shape (columns,)
    y : array_like, shape (rows,)
    classes : array_like of int, shape (rows, columns)
    ax : Axes, optional
    """
    ax = axes(width=4.8, height=4.2) if ax is None else ax
    classes = np.asarray(classes)
    low, high = int(classes.min()), int(classes.max())
    edges = [label - 0.5 for label in range(high + 2)]
    colours = [COLOURS[label] for label in range(high + 1)]
    ax.contourf(x, y, classes, levels=edges, colors=colours, alpha=0.25)
    if low < high:
        borders = edges[low + 1 : -1]
        ax.contour(x, y, classes, levels=borders, colors="0.3", linewidths=0.8)
    return ax


def images(pictures, *, columns=8, labels=None, ax=None):
    """Draw pictures of 32 × 32 pixels side by side, row after row.

    Parameters
    ----------
    pictures : array_like, shape (n, 3072) or (n, 3, 32, 32)
        Red, then green, then blue, from 0 (dark) to 1 (bright). What is outside is cut.
    columns : int
        Pictures in a row.
    labels : sequence of str, optional
        One for each row.
    ax : Axes, optional
    """
    pictures = np.asarray(pictures, dtype=float).reshape(-1, 3, 32, 32).clip(0, 1)
    rows = -(-len(pictures) // columns)
    ax = axes(width=0.8 * columns, height=0.8 * rows) if ax is None else ax
    canvas = np.ones((rows, 34, columns, 34, 3))  # with a white border of 1 pixel
    for i, picture in enumerate(pictures):
        canvas[i // columns, 1:33, i % columns, 1:33] = picture.transpose(1, 2, 0)
    ax.imshow(canvas.reshape(34 * rows, 34 * columns, 3))
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    if labels is not None:
        middles = 34 * np.arange(rows) + 16.5
        ax.set_yticks(middles, labels)
        ax.tick_params(length=0)
    return ax
