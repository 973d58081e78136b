"""Plots of the labs. They draw what they are given, compute nothing, return the Axes.

Type is of 12 points or more. Lines and classes carry their names, in place of a legend.
Colours (Okabe and Ito, 2008) are told apart by colour-blind readers. Each comes with
a line style and a marker of its own, so that a grey print can be read too.
"""

import base64
import html
import io
import os

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython.display import display
from matplotlib.colors import ListedColormap
from matplotlib.text import Text

from labhelpers._names import HALO, Names
from labhelpers._require import (
    require,
    require_array,
    require_ascending,
    require_classes,
    require_count,
    require_number,
    require_texts,
)

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
LINES = ["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3))]
MARKERS = ["o", "^", "s", "D", "v", "P"]
FLOOR = {"color": "black", "linewidth": 1, "linestyle": (0, (1, 1))}
HEIGHTS = ListedColormap(plt.get_cmap("cividis")(np.linspace(0, 0.55, 256)))
VIEWS = "live", "projector", "static", "frames"

STYLE = {
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLOURS, linestyle=LINES),
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.figsize": (6.4, 3.6),
    "font.size": 12,
    "grid.color": "0.9",
    "lines.linewidth": 1.8,
}


def axes(columns=1, *, width=6.4, height=3.6):
    """Return new Axes in the style of the labs, or a row of them."""
    columns = require_count("columns", columns, 1, 100)
    width = require_number("width", width, low=0.1, high=100)
    height = require_number("height", height, low=0.1, high=100)
    with plt.rc_context(STYLE):
        size = {"figsize": (width, height), "layout": "constrained"}
        return plt.subplots(1, columns, **size)[1]


def view():
    """Return what the environment variable ``LAB_VIEW`` says of how things are shown.

    - ``live``, or unset: somebody sits before it. Figures are HTML images with a text
      in their place, and ``live.scrub`` has a slider.
    - ``projector``: as live, and figures are drawn 1.5 times as large.
    - ``static``: what is stored, compared and printed. Figures are PNG with the text in
      their metadata; ``live.scrub`` shows one of its pictures.
    - ``frames``: as static, and ``live.scrub`` adds all its pictures, for a site.
    """
    found = os.environ.get("LAB_VIEW") or "live"
    require(found in VIEWS, "LAB_VIEW", repr(found), f"one of {', '.join(VIEWS)}")
    return found


def show(ax, *, alt):
    """Display the figure that ``ax`` belongs to, once, with a text in its place.

    Letters below 12 points are enlarged.

    Parameters
    ----------
    ax : Axes
    alt : str
        What there is to see, for those who cannot see it; not empty.
    """
    require(isinstance(ax, plt.Axes), "ax", type(ax).__name__, "Axes")
    for text in ax.figure.findobj(Text):
        text.set_size(max(12, text.get_size()))
    data, metadata = picture(ax, alt=alt)
    display(data, metadata=metadata, raw=True)
    plt.close(ax.figure)


def picture(ax, *, alt):
    """Return what ``show`` displays: texts by MIME type, and their metadata.

    Two pixels are drawn for one of CSS.
    """
    described = isinstance(alt, str) and bool(alt.strip())
    require(described, "alt", repr(alt), "a text that describes the figure")
    require(isinstance(ax, plt.Axes), "ax", type(ax).__name__, "Axes")
    how, figure, file = view(), ax.figure, io.BytesIO()
    stored, scale = how in ("static", "frames"), 150 if how == "projector" else 100
    width, height = (round(scale * inches) for inches in figure.get_size_inches())
    with plt.rc_context(STYLE):
        level = {"compress_level": 6 if stored else 1}  # small, or fast
        figure.savefig(file, dpi=2 * scale, pil_kwargs=level)
    png = base64.b64encode(file.getvalue()).decode()
    if stored:
        about = {"alt": alt, "width": width, "height": height}
        return {"text/plain": repr(figure), "image/png": png}, {"image/png": about}
    tag = (
        f'<img src="data:image/png;base64,{png}" width="{width}" height="{height}" '
        f'style="max-width: 100%; height: auto" alt="{html.escape(alt)}">'
    )
    return {"text/plain": repr(figure), "text/html": tag}, {}


def losses(losses, *, labels=None, floor=None, ax=None):
    """Draw one curve per run over the steps, on a logarithmic loss axis.

    Names stand at the ends of the curves; above six of them, in a legend.

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
    losses = require_array("losses", losses, (None,), (None, None), finite=False)
    losses = losses.astype(float)
    losses[~(np.abs(losses) < 1e200)] = np.nan
    require((losses > 0).any(), "losses", "none", "some of them positive, below 1e200")
    names = () if labels is None else require_texts("labels", labels, [losses[:1].size])
    floor = None if floor is None else require_number("floor", floor)
    ax = _axes(ax)
    lines = ax.plot(losses)
    for line, name in zip(lines, names):
        line.set_label(name)
    if floor is not None:
        ax.axhline(floor, **FLOOR, label="floor")
    ax.set(xlabel="step", ylabel="loss", yscale="log", xmargin=0.02)
    if len(names) > len(COLOURS):
        ax.legend(frameon=False)
        return ax
    return name_lines(ax)


def name_lines(ax):
    """Write the label of each line of these Axes at its visible end. Return the Axes.

    For up to seven lines, drawn by ``ax.plot(…, label=…)`` or ``ax.axhline``.
    """
    require(isinstance(ax, plt.Axes), "ax", type(ax).__name__, "Axes")
    named = [line for line in ax.lines if not line.get_label().startswith("_")]
    if named:
        ax.add_artist(Names(ax, named))
    return ax


def histogram(values, *, bins=40, ax=None):
    """Draw how often values occur; ``values`` of shape (n,). Return the Axes.

    ``bins``: how many, or their edges.
    """
    values = require_array("values", values, (None,), kinds="fiub").astype(float)
    bins = require_ascending("bins", bins, count=True)
    try:
        np.histogram_bin_edges(values, bins)
    except ValueError as error:  # they differ in their last digits only
        raise ValueError(f"values must be wider apart for {bins} bins") from error
    ax = _axes(ax)
    ax.hist(values, bins=bins, histtype="stepfilled", alpha=0.6)
    ax.set(ylabel="count")
    return ax


def scatter(points, labels, names, *, ax=None):
    """Draw points in the plane, each class with a colour and a marker of its own.

    The name of a class stands in the middle of its points.

    Parameters
    ----------
    points : array_like, shape (n, 2)
    labels : array_like of int, shape (n,)
        From 0 to ``len(names) - 1``.
    names : sequence of str
        At most 6.
    ax : Axes, optional
    """
    names = require_texts("names", names, range(1, len(COLOURS) + 1))
    points = require_array("points", points, (None, 2))
    labels = require_classes("labels", labels, points.shape[:1], most=len(names))
    ax = _axes(ax, width=4.8, height=4.2)
    for label, name in enumerate(names):
        x, y = points[labels == label].T
        kind = {"color": COLOURS[label], "marker": MARKERS[label]}
        ax.scatter(x, y, s=22, edgecolors="white", linewidths=0.4, label=name, **kind)
    ax.add_artist(Names(ax, ax.collections[-len(names) :]))
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
        How many lines, or their heights, ascending.
    ax : Axes, optional
    """
    x, y = require_ascending("x", x), require_ascending("y", y)
    heights = require_array("heights", heights, y.shape + x.shape)
    levels = require_ascending("levels", levels, least=1, count=True)
    ax = _axes(ax, width=4.8, height=4.2)
    lines = ax.contour(x, y, heights, levels=levels, cmap=HEIGHTS)
    for number in ax.clabel(lines, fontsize=12):
        number.set(path_effects=[HALO], clip_on=False)  # half a number misleads
    return ax


def regions(x, y, classes, *, ax=None):
    """Shade the part of the plane that belongs to each class.

    Parameters
    ----------
    x : array_like, shape (columns,)
    y : array_like, shape (rows,)
    classes : array_like of int, shape (rows, columns)
        From 0 to 5.
    ax : Axes, optional
    """
    x, y = require_ascending("x", x), require_ascending("y", y)
    classes = require_classes("classes", classes, y.shape + x.shape, most=len(COLOURS))
    ax = _axes(ax, width=4.8, height=4.2)
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
        Floating point; at most 100 rows of them.
    columns : int
        Pictures in a row, at most 100.
    labels : sequence of str, optional
        One for each row.
    ax : Axes, optional
    """
    shapes = (None, 3072), (None, 3, 32, 32)
    pictures = require_array("pictures", pictures, *shapes, kinds="f")
    pictures = pictures.astype(float).reshape(-1, 3, 32, 32).clip(0, 1)
    columns = require_count("columns", columns, 1, 100)
    rows = -(-len(pictures) // columns)
    require(rows <= 100, "pictures", f"{rows} rows", "at most 100 rows")
    labels = None if labels is None else require_texts("labels", labels, [rows])
    ax = _axes(ax, width=0.8 * columns, height=0.8 * rows)
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


def graph(nodes, *, ax=None):
    """Draw autograd's record: data flow along dark arrows, gradients along dashed ones.

    ``nodes`` is what ``graph.record`` returns. Leaves have a thick border.
    """
    fits = isinstance(nodes, (list, tuple)) and all(hasattr(n, "inputs") for n in nodes)
    require(fits and nodes, "nodes", repr(nodes), "one or more Node")
    column, columns, places = {"–": -1}, {}, {}
    for node in nodes:  # right of all inputs
        require(column.keys() >= {*node.inputs}, "nodes", node, "after their inputs")
        column[node.name] = 1 + max((column[each] for each in node.inputs), default=-1)
    for node in nodes:
        if not node.inputs:  # a leaf: left of what first uses it
            uses = [column[n.name] for n in nodes if node.name in n.inputs]
            column[node.name] = min(uses, default=1) - 1
        columns.setdefault(column[node.name], []).append(node.name)
    for x, names in columns.items():
        places |= {n: (x, (len(names) - 1) / 2 - i) for i, n in enumerate(names)}
    ax = _axes(ax)
    for node in nodes:
        text = f"{node.name}  {node.operation}\nvalue {node.value}\ngrad {node.grad}"
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "0.2"}
        box["linewidth"] = 1 if node.inputs else 2.5
        here = places[node.name]
        ax.text(*here, text, ha="center", va="center", size=12, bbox=box, zorder=3)
        for there in {places[each] for each in node.inputs if each in places}:
            bend = f"arc3,rad={0.15 if here[0] - there[0] == 1 else 0.4}"
            arrow = {"arrowstyle": "-|>", "connectionstyle": bend, "mutation_scale": 11}
            arrow |= {"shrinkA": 36, "shrinkB": 40}
            data = arrow | {"color": "0.2"}
            ax.annotate("", here, there, arrowprops=data)
            back = arrow | {"color": COLOURS[1], "linestyle": "--"}
            ax.annotate("", there, here, arrowprops=back)
    height = max(map(len, columns.values())) / 2 - 0.1
    ax.set(xlim=(-0.5, max(columns) + 0.5), ylim=(-height, height))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def _axes(ax, **size):
    """Return these Axes, or new ones."""
    require(ax is None or isinstance(ax, plt.Axes), "ax", type(ax).__name__, "Axes")
    return axes(**size) if ax is None else ax
