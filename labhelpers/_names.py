"""Names beside what they name, in place of a legend. Only ``plots`` uses it."""

from itertools import combinations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

HALO = withStroke(linewidth=3, foreground="white")
DARKER = 0.65  # of a line's colour, so that thin letters can be read on white


class Names(Artist):
    """The labels of lines, at their ends, and of clouds of points, in their middle.

    They are placed anew whenever the figure is drawn, by what the limits show then, and
    pushed apart upwards and downwards. The layout makes room for them.
    """

    def __init__(self, ax, named):
        super().__init__()
        self.set(clip_on=False, zorder=5, figure=ax.figure)
        self.named, self.texts = named, []
        for each in named:
            is_line = isinstance(each, Line2D)
            colour = each.get_color() if is_line else each.get_facecolor()[0]
            text = Text(0, 0, each.get_label(), size=12, va="center")
            text.set(color=DARKER * np.array(to_rgb(colour)), path_effects=[HALO])
            text.set(ha="left" if is_line else "center", figure=ax.figure)
            self.texts.append(text)

    def get_children(self):
        return self.texts

    def draw(self, renderer):
        self._place(renderer)
        for text in self.texts:
            text.draw(renderer)

    def get_window_extent(self, renderer=None):
        self._place(renderer)
        boxes = [t.get_window_extent(renderer) for t in self.texts if t.get_visible()]
        return Bbox.union(boxes) if boxes else Bbox.null()

    def _place(self, renderer):
        """Put each text beside the last point, or on the middle, of what is seen."""
        frame, point = self.axes.bbox, self.figure.dpi / 72
        spots = np.array([_seen(each, frame) for each in self.named])
        at_right = spots[:, 0] > frame.x1 - 0.1 * frame.width  # in one column
        spots[at_right, 0] = spots[at_right, 0].max(initial=0)
        boxes = []
        for text, each, (x, y) in zip(self.texts, self.named, spots):
            text.set_visible(np.isfinite(x))
            text.set_position((x + 5 * point * isinstance(each, Line2D), y))
            if text.get_visible():
                box = text.get_window_extent(renderer)
                boxes.append([y, text, box.x0, box.x1, 0.9 * box.height])
        boxes.sort(key=lambda box: box[0])
        for _ in range(200):
            close = [
                (a, b)
                for a, b in combinations(boxes, 2)
                if a[2] < b[3] and b[2] < a[3] and b[0] - a[0] < (a[4] + b[4]) / 2
            ]
            for low, high in close:
                low[0], high[0] = low[0] - 0.5 * point, high[0] + 0.5 * point
            if not close:
                break
        for y, text, *_ in boxes:
            text.set_y(y)


def _seen(each, frame):
    """Return the pixel of a line's last point, or a cloud's middle, in the frame."""
    is_line = isinstance(each, Line2D)
    points = each.get_xydata() if is_line else each.get_offsets()
    transform = each.get_transform() if is_line else each.get_offset_transform()
    points = transform.transform(np.ma.filled(np.asarray(points, float), np.nan))
    low, high = np.array(frame.padded(1)).reshape(2, 2)
    points = points[((low <= points) & (points <= high)).all(axis=1)]
    if not len(points):
        return np.full(2, np.nan)
    return points[-1] if is_line else points.mean(axis=0)
