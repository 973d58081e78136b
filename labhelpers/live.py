"""Pictures that move under your hand: a slider over what was computed beforehand."""

import base64
import functools
import html
import io
import numbers

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.transforms import Bbox
from PIL import Image

from labhelpers import plots
from labhelpers._require import require, require_array, require_count

FRAMES = "application/vnd.autograd-labs.frames+json"


def scrub(values, draw, *, label, alt, still=None, columns=1, width=6.4, height=3.6):
    """Show ``draw(ax, i)`` under a slider, or one picture where nobody could move it.

    Whatever takes time is computed before, in one batch: the slider's positions are its
    axis of runs, or its epochs. ``plots.view`` says where there is a slider. The Axes
    keep their place from position to position; so should their limits, set by ``draw``.

    Parameters
    ----------
    values : sequence of float or of str
        The positions of the slider, at least 2.
    draw : function (ax, i)
        Draws position ``i`` into empty Axes, a row of them if ``columns`` is above 1.
    label : str
        What the slider sets.
    alt : str or function (i)
        What there is to see, for those who cannot see it, or what returns it.
    still : int, optional
        Where the slider starts, and what is stored and printed. Default: the middle.
    columns, width, height
        As in ``plots.axes``.

    Examples
    --------
    >>> losses = [[4, 3.9, 3.8], [4, 3, 2.5], [4, 9, 20]]
    >>> def draw(ax, i):
    ...     plots.losses(losses[i], ax=ax).set(ylim=(1, 30))
    >>> def alt(i):
    ...     return f"The loss goes from 4 to {losses[i][-1]}."
    >>> scrub([0.001, 0.01, 0.1], draw, label="lr", alt=alt)  # doctest: +SKIP
    """
    if not isinstance(values, (list, tuple, range)):
        values = require_array("values", values, (None,), finite=False)
    texts, last = [_text(value) for value in values], len(values) - 1
    require(1 <= last <= 999, "values", f"{last + 1} of them", "2 to 1000 positions")
    require(callable(draw), "draw", repr(draw), "a function of Axes and a position")
    named = isinstance(label, str) and bool(label.strip())
    require(named, "label", repr(label), "a text that says what the slider sets")
    still = len(texts) // 2 if still is None else require_count("still", still, 0, last)
    panels = plots.axes(columns, width=width, height=height)
    own = np.atleast_1d(panels)
    figure = own[0].figure
    plt.close(figure)  # shown by nobody else

    def picture(i):
        with plt.rc_context(plots.STYLE):
            for ax in figure.axes:  # others may have come since, by twinx
                ax.clear() if ax in own else ax.remove()
            draw(panels, i)
        return plots.picture(own[0], alt=alt(i) if callable(alt) else alt)

    boxes = []
    for i in (0, last, still):  # room for the widest of their labels
        picture(i)
        boxes.append([ax.get_position(original=True) for ax in own])
    figure.set_layout_engine(None)  # "none" would have each picture drawn twice
    for ax, *places in zip(own, *boxes):
        ax.set_position(functools.reduce(Bbox.intersection, places))
    if plots.view() in ("live", "projector"):
        display(_slider(texts, picture, label=label, still=still))
        return
    data, metadata = picture(still)
    if plots.view() == "frames":
        frames, about = zip(*map(picture, range(len(texts))))
        frame = {"label": label, "values": texts, "still": still}
        frame |= metadata["image/png"]
        del frame["alt"]
        frame["alts"] = [each["image/png"]["alt"] for each in about]
        frame["frames"] = [_webp(each["image/png"]) for each in frames]
        data[FRAMES] = frame
    display(data, metadata=metadata, raw=True)


def _slider(texts, picture, **knobs):
    """Return a slider above its picture. Positions that were drawn are kept."""
    label, still = knobs["label"], knobs["still"]
    page = ipywidgets.HTML()
    slider = ipywidgets.SelectionSlider(
        options=[(text, i) for i, text in enumerate(texts)],
        value=still,
        description=label,
        style={"description_width": "initial"},
        layout={"width": "100%", "max_width": "640px"},
    )

    @functools.cache
    def tag(i):
        return picture(i)[0]["text/html"]

    def move(change):
        i = change["new"]
        try:
            page.value = tag(i)
        except Exception as error:  # it would end in a log that nobody reads
            said = f"{label} = {texts[i]}: {type(error).__name__}: {error}"
            page.value = f'<pre role="alert">{html.escape(said)}</pre>'

    page.value = tag(still)
    slider.observe(move, "value")
    return ipywidgets.VBox([slider, page])


def _text(value):
    """Return a position in short."""
    value = value.tolist() if hasattr(value, "tolist") else value
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    is_text = isinstance(value, str) and bool(value.strip())
    require(is_number or is_text, "values", repr(value), "numbers or texts")
    if is_text or isinstance(value, int):
        return str(value)
    return f"{float(value):.3g}"


def _webp(png):
    """Return the same pixels as lossless WebP, which is smaller; both in base64."""
    file = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    picture.save(file, "webp", lossless=True)
    return base64.b64encode(file.getvalue()).decode()
