"""Schematics: what is equal is drawn equal, what is larger larger, nothing overlaps."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, Rectangle

from labhelpers import diagrams, plots


@pytest.fixture(autouse=True)
def _close_all():
    yield
    plt.close("all")


def blocks(parts):
    """Return {text: (left, low, wide, high)} of blocks, their stripes, and the Axes."""
    ax = diagrams.blocks(parts)
    every = [p for p in ax.patches if isinstance(p, Rectangle)]
    stripes = [
        p for p in every if to_hex(p.get_facecolor()).upper() == plots.COLOURS[1]
    ]
    matrices = [p for p in every if p not in stripes]
    texts = [t for t in ax.texts if "\n" in t.get_text()]
    assert len(texts) == len(matrices)
    for text, block in zip(texts, matrices):
        x, _ = text.get_position()
        assert x == pytest.approx(block.get_x() + block.get_width() / 2)
    found = {t.get_text(): p.get_bbox().bounds for t, p in zip(texts, matrices)}
    return found, [p.get_bbox().bounds for p in stripes], ax


PRODUCT = [("A", (150, 4)), "≈", ("U", (150, 2)), "·", ("Vᵀ", (2, 4))]
BATCH = [("images", (50_000, 3072), [0, 49_999]), "→", ("batch", (2, 3072), range(2))]


@pytest.mark.parametrize("parts", [PRODUCT, BATCH])
def test_texts_and_blocks_do_not_overlap(parts):
    ax = diagrams.blocks(parts)
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts]
    whole = [p for p in ax.patches if p.get_linewidth()]
    boxes += [p.get_window_extent() for p in whole]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    frame = ax.figure.bbox
    assert all(frame.x0 <= b.x0 and b.x1 <= frame.x1 for b in boxes)
    assert all(frame.y0 <= b.y0 and b.y1 <= frame.y1 for b in boxes)


def test_equal_lengths_are_equal_sides():
    found, stripes, ax = blocks(PRODUCT)
    (*_, a_wide, a_high), (*_, u_wide, u_high), (*_, v_wide, v_high) = found.values()
    assert list(found) == ["A\n150 × 4", "U\n150 × 2", "Vᵀ\n2 × 4"]
    assert a_high == pytest.approx(u_high)
    assert a_high > 5 * a_wide
    assert a_wide == pytest.approx(v_wide)
    assert u_wide == pytest.approx(v_high)
    assert u_wide < a_wide
    assert stripes == []
    signs = [t.get_text() for t in ax.texts if "\n" not in t.get_text()]
    assert signs == ["≈", "·"]


def test_sides_keep_within_bounds():
    found, _, _ = blocks([("a", (1, 1)), ("b", (10**7, 1))])
    (*_, wide, high), (*_, thin, tall) = found.values()
    assert [wide, high, thin] == pytest.approx([0.12] * 3)
    assert tall == pytest.approx(1.9)


def test_rows_stand_out_where_they_lie():
    """Within their block, the first at the top; all of a batch fill it."""
    found, stripes, _ = blocks([("images", (100, 50), [0, 25, 99])])
    ((left, low, wide, high),) = found.values()
    assert len(stripes) == 3
    for (x, y, w, h), row in zip(stripes, [0, 25, 99]):
        assert (x, w) == (left, wide)
        assert y >= low - 1e-9
        assert abs(low + high - (y + h) - row / 100 * high) <= 0.03
    _, all_rows, _ = blocks([("batch", (40, 50), range(40))])
    tops = sorted((y + h, y) for _, y, _, h in all_rows)
    assert all(below[0] >= above[1] - 1e-9 for below, above in zip(tops, tops[1:]))


@pytest.mark.parametrize(
    "parts",
    [
        ["only a sign"],
        [("A", (3, -1))],
        [("A", (3,))],
        [("A", (3, 2), [3])],
        [("A", (3, 2), [-1])],
        ["=", 5],
        "text",
        [],
    ],
)
def test_parts_are_signs_and_matrices(parts):
    with pytest.raises(ValueError, match="^parts must be "):
        diagrams.blocks(parts)


def circles(ax):
    """Return {x: heights of the circles there}."""
    centres = np.array([p.center for p in ax.patches if isinstance(p, Circle)])
    return {x: sorted(centres[centres[:, 0] == x, 1]) for x in np.unique(centres[:, 0])}


def test_a_network_has_its_layers_and_joins_all_circles():
    ax = diagrams.network([4, 2, 3], names=["x", "h", "y"], weights=["W₁", "W₂"])
    found = circles(ax)
    assert [len(heights) for heights in found.values()] == [4, 2, 3]
    joined = {tuple(line.get_xydata().ravel()) for line in ax.lines}
    (a, first), (b, second), (c, third) = found.items()
    wanted = {(a, y, b, there) for y in first for there in second}
    assert joined == wanted | {(b, y, c, there) for y in second for there in third}
    texts = {t.get_text(): t.get_position()[0] for t in ax.texts}
    between = {"W₁": (a + b) / 2, "W₂": (b + c) / 2}
    assert texts == {"x\n4": a, "h\n2": b, "y\n3": c} | between


def test_a_large_layer_shows_some_of_its_circles():
    """Six of the largest, four of another, dots in the gap; small ones show all."""
    ax = diagrams.network([64, 8, 5, 64], names=["z", "h", "k", "c"])
    found = [*circles(ax).values()]
    assert [len(heights) for heights in found] == [6, 4, 5, 6]
    dots = [t.get_position() for t in ax.texts if t.get_text() == "⋮"]
    places = [*circles(ax)]
    assert dots == [(places[0], 0), (places[1], 0), (places[3], 0)]
    assert all(min(abs(y) for y in found[i]) > 0.3 for i in (0, 1, 3))


def test_each_layer_and_each_gap_has_its_name():
    with pytest.raises(ValueError, match="^names must be 2 texts"):
        diagrams.network([4, 3], names=["x"])
    with pytest.raises(ValueError, match="^weights must be 1 texts"):
        diagrams.network([4, 3], names=["x", "y"], weights=["a", "b"])
    with pytest.raises(ValueError, match="^sizes must be 2 to 10"):
        diagrams.network([4], names=["x"])


def test_schematics_are_drawn_into_given_axes():
    row = plots.axes(2, width=9)
    assert diagrams.blocks(PRODUCT, ax=row[0]) is row[0]
    assert diagrams.network([2, 1], names=["x", "y"], ax=row[1]) is row[1]
    assert len(plt.get_fignums()) == 1
