"""The plots draw what they are given, and nothing else."""

import base64
import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from IPython.utils.capture import capture_output
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Annotation, Text
from PIL import Image
from traitlets.config import Config

from labhelpers import graph, plots

CURVES = np.array([[4.0, 8.0], [2.0, np.inf], [1.0, np.nan]])
POINTS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
LABELS = np.array([0, 1, 0, 2])
X, Y = np.arange(4.0), np.arange(3.0)
HEIGHTS = X + 10 * Y[:, np.newaxis]
CLASSES = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 2, 2]])

DRAWINGS = {
    "losses": (lambda a, **o: plots.losses(a, floor=0.5, **o), [CURVES]),
    "histogram": (plots.histogram, [np.array([1.0, 2.0, 2.0, 3.0])]),
    "scatter": (
        lambda p, c, **o: plots.scatter(p, c, ["a", "b", "c"], **o),
        [POINTS, LABELS],
    ),
    "contours": (plots.contours, [X, Y, HEIGHTS]),
    "regions": (plots.regions, [X, Y, CLASSES]),
    "images": (plots.images, [np.linspace(0, 1, 3 * 3072).reshape(3, 3072)]),
}
every_drawing = pytest.mark.parametrize(
    ("draw", "arrays"), DRAWINGS.values(), ids=DRAWINGS
)


@pytest.fixture(autouse=True)
def _static_and_closed(monkeypatch):
    monkeypatch.setenv("LAB_VIEW", "static")
    yield
    plt.close("all")


@every_drawing
def test_drawings_return_their_axes(draw, arrays):
    ax = plots.axes()
    assert draw(*arrays, ax=ax) is ax
    assert ax.has_data()
    new = draw(*arrays)
    assert new.has_data()
    assert new.figure is not ax.figure
    new.figure.canvas.draw()


@every_drawing
def test_drawings_change_none_of_their_arguments(draw, arrays):
    copies = [array.copy() for array in arrays]
    for array in copies:
        array.flags.writeable = False
    draw(*copies).figure.canvas.draw()
    for array, copy in zip(arrays, copies):
        np.testing.assert_array_equal(array, copy)


@every_drawing
def test_lists_and_tensors_are_arrays_too(draw, arrays):
    for convert in np.ndarray.tolist, torch.tensor:
        draw(*map(convert, arrays)).figure.canvas.draw()


@every_drawing
def test_drawings_leave_the_settings_alone(draw, arrays):
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        before = dict(matplotlib.rcParams)
        draw(*arrays)
        assert dict(matplotlib.rcParams) == before


def test_nothing_is_drawn_on_a_figure_of_someone_else():
    other = plt.figure().add_subplot()
    for draw, arrays in DRAWINGS.values():
        draw(*arrays)
    assert not other.has_data()


# --- Axes ----------------------------------------------------------------------------


def test_axes_are_one_or_a_row():
    assert isinstance(plots.axes(), plt.Axes)
    row = plots.axes(3, width=9, height=2)
    assert row.shape == (3,)
    assert len({ax.figure for ax in row}) == 1
    assert row[0].figure.get_size_inches().tolist() == [9, 2]


@every_drawing
def test_new_axes_have_the_size_of_their_kind(draw, arrays):
    square, strip = [4.8, 4.2], [6.4, 3.6]
    sizes = {"losses": strip, "histogram": strip, "images": [6.4, 0.8]}
    (kind,) = (name for name, (other, _) in DRAWINGS.items() if other is draw)
    inches = draw(*arrays).figure.get_size_inches()
    np.testing.assert_allclose(inches, sizes.get(kind, square))


def test_curves_differ_without_colour():
    ax = plots.axes()
    lines = ax.plot(np.ones((2, 6)))
    assert [line.get_color() for line in lines] == plots.COLOURS
    assert (
        len({str(line.get_linestyle()) + str(line._dash_pattern) for line in lines})
        == 6
    )
    assert len(plots.COLOURS) == len(plots.LINES) == len(plots.MARKERS)
    assert len(set(plots.COLOURS)) == len(set(plots.MARKERS)) == 6


# --- Losses --------------------------------------------------------------------------


def test_losses_are_drawn_as_they_are():
    ax = plots.losses(CURVES)
    assert len(ax.lines) == 2
    for line, curve in zip(ax.lines, CURVES.T):
        np.testing.assert_array_equal(line.get_xdata(), [0, 1, 2])
        np.testing.assert_array_equal(
            line.get_ydata(), np.where(np.isfinite(curve), curve, np.nan)
        )
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss")
    assert ax.get_legend() is None


def test_one_run_is_one_curve():
    ax = plots.losses([3.0, 2.0, 1.0])
    assert len(ax.lines) == 1
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [3, 2, 1])


@pytest.mark.parametrize("blown_up", [1e150, 1e290, 1.7e308, np.inf, np.nan])
def test_a_diverged_run_leaves_the_axis_finite(blown_up):
    ax = plots.losses([[1.0, 1.0], [0.5, blown_up]])
    ax.figure.canvas.draw()
    assert np.isfinite(ax.get_ylim()).all()


def names(ax):
    """Return {name: (middle of its letters, their box)} in pixels, where it is seen."""
    ax.figure.canvas.draw()
    known = {t for a in ax.artists for t in a.get_children() if isinstance(t, Text)}
    boxes = {t.get_text(): t.get_window_extent() for t in known if t.get_visible()}
    return {name: ((b.y0 + b.y1) / 2, b) for name, b in boxes.items()}


def test_labels_and_floor_stand_where_their_lines_end():
    ax = plots.losses([[9.0, 3.0], [8.0, 2.0]], labels=["lr 1", "lr 2"], floor=0.5)
    assert ax.lines[2].get_ydata() == [0.5, 0.5]
    found = names(ax)
    assert list(sorted(found)) == ["floor", "lr 1", "lr 2"]
    for name, height in {"lr 1": 8, "lr 2": 2, "floor": 0.5}.items():
        x, y = ax.transData.transform((1, height))
        middle, box = found[name]
        assert abs(middle - y) < 3
        assert x < box.x0 < x + 20
        assert box.x1 < ax.figure.bbox.x1, "there is room for it"


def test_a_name_moves_with_the_limits():
    """To where the line leaves the picture; and away with a line that is not seen."""
    steps = np.arange(101.0)
    ax = plots.losses(np.stack([1 + steps, np.full(101, 1e3)], 1), labels=["up", "far"])
    ax.set(xlim=(0, 50), ylim=(0.5, 41), yscale="linear")
    found = names(ax)
    assert found.keys() == {"up"}
    x, y = ax.transData.transform((40, 41))
    assert abs(found["up"][0] - y) < 3
    assert x < found["up"][1].x0 < x + 12


def test_names_of_close_curves_do_not_touch():
    """Seven that end in one point, in the order of the heights, the floor below."""
    ends = 1 + 1e-6 * np.arange(6)
    curves = np.stack([np.linspace(10, end, 30) for end in ends], axis=1)
    labels = [f"run {i}" for i in range(6)]
    found = names(plots.losses(curves, labels=labels, floor=0.99))
    assert len(found) == 7
    ordered = sorted(found, key=lambda name: found[name][0])
    assert ordered == ["floor", *labels]
    middles = [found[name][0] for name in ordered]
    heights = [found[name][1].height for name in ordered]
    assert (np.diff(middles) >= 0.9 * min(heights)).all()
    assert np.ptp([found[name][1].x0 for name in ordered]) < 1


def contrast(colour):
    """Return the contrast of a colour to white, by the formula of WCAG 2."""
    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_names_and_level_lines_can_be_read_on_white():
    labels = [f"run {i}" for i in range(6)]
    ax = plots.losses(np.ones((2, 6)), labels=labels)
    letters = [t for t in ax.findobj(Text) if t.get_text() in labels]
    assert len(letters) == 6
    assert min(contrast(t.get_color()) for t in letters) >= 4.5
    colours = plots.contours(X, Y, HEIGHTS).collections[0].get_edgecolor()
    assert min(contrast(colour) for colour in colours) >= 3


def test_more_than_six_curves_have_a_legend():
    labels = [f"run {i}" for i in range(7)]
    ax = plots.losses(np.ones((2, 7)), labels=labels, floor=0.5)
    legend = ax.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == [*labels, "floor"]
    assert not legend.get_frame_on()
    assert names(ax) == {}


def test_lines_of_any_plot_can_be_named():
    ax = plots.axes()
    ax.loglog([1, 10, 100], [3, 2, 1], label="one")
    ax.plot([1, 100], [5, 4])
    assert plots.name_lines(ax) is ax
    assert names(ax).keys() == {"one"}


def test_each_curve_has_its_label():
    with pytest.raises(ValueError, match="^labels must be 2 texts, got"):
        plots.losses(CURVES, labels=["only one"])


# --- Histogram, scatter --------------------------------------------------------------


def test_a_histogram_counts():
    ax = plots.histogram([1.0, 2.0, 2.0, 3.0], bins=[0.5, 1.5, 2.5, 3.5])
    (shape,) = ax.patches
    assert set(shape.get_xy()[:, 1]) == {0, 1, 2}
    assert ax.get_ylabel() == "count"


def test_each_class_has_its_points_and_its_marker():
    ax = plots.scatter(POINTS, LABELS, ["a", "b", "c"])
    groups = ax.collections
    assert [group.get_label() for group in groups] == ["a", "b", "c"]
    for label, group in enumerate(groups):
        of_class = np.flatnonzero(label == LABELS)
        np.testing.assert_array_equal(group.get_offsets(), POINTS[of_class])
        assert to_hex(group.get_facecolor()[0]).upper() == plots.COLOURS[label]
    shapes = {group.get_paths()[0].vertices.tobytes() for group in groups}
    assert len(shapes) == 3
    assert ax.get_legend() is None
    found = names(ax)
    for label, name in enumerate("abc"):
        x, y = ax.transData.transform(POINTS[label == LABELS].mean(axis=0))
        assert abs(found[name][0] - y) < 15, "pushed a little, where names are close"
        assert found[name][1].x0 < x < found[name][1].x1


def test_a_class_without_points_keeps_its_place():
    ax = plots.scatter(POINTS[:3], [0, 2, 2], ["a", "b", "c"])
    assert [len(group.get_offsets()) for group in ax.collections] == [1, 0, 2]
    assert names(ax).keys() == {"a", "c"}


def test_no_colour_stands_for_two_classes():
    seven = np.arange(7)
    with pytest.raises(ValueError, match="^names must be "):
        plots.scatter(np.zeros((7, 2)), seven, list("abcdefg"))
    with pytest.raises(ValueError, match="^classes must be from 0 to 5, got 0 to 6"):
        plots.regions(seven, [0, 1], np.stack([seven, seven]))


# --- Contours, regions ---------------------------------------------------------------


def test_contours_lie_where_the_heights_are():
    ax = plots.contours(X, Y, HEIGHTS, levels=[1.5, 12.0])
    (lines,) = [c for c in ax.collections if hasattr(c, "levels")]
    assert lines.levels.tolist() == [1.5, 12.0]
    for level, path in zip(lines.levels, lines.get_paths()):
        x, y = path.vertices.T
        assert len(x) >= 2
        np.testing.assert_allclose(x + 10 * y, level)
    assert {text.get_text() for text in ax.texts} == {"1.5", "12.0"}


def test_regions_have_the_colour_of_their_class():
    ax = plots.regions(X, Y, CLASSES)
    filled, borders = [c for c in ax.collections if hasattr(c, "levels")]
    assert filled.levels.tolist() == [-0.5, 0.5, 1.5, 2.5]
    assert borders.levels.tolist() == [0.5, 1.5]
    wanted = [to_rgba(colour, 0.25) for colour in plots.COLOURS[:3]]
    np.testing.assert_allclose(filled.get_facecolor(), wanted)


def test_every_colour_can_be_a_class():
    classes = np.arange(len(plots.COLOURS))
    ax = plots.regions(classes, [0, 1], [classes, classes])
    (filled, *_) = [c for c in ax.collections if hasattr(c, "levels")]
    assert len(filled.get_facecolor()) == len(classes)


@pytest.mark.parametrize("label", [0, 2])
def test_one_class_alone_has_no_border(label):
    ax = plots.regions(X, Y, np.full((3, 4), label))
    (filled,) = [c for c in ax.collections if hasattr(c, "levels")]
    assert filled.levels.tolist() == [-0.5 + n for n in range(label + 2)]


def test_borders_lie_between_the_classes_that_there_are():
    ax = plots.regions([0, 1], [0, 1], [[1, 2], [1, 2]])
    borders = [c for c in ax.collections if hasattr(c, "levels")][1]
    assert borders.levels.tolist() == [1.5]
    assert np.unique(borders.get_paths()[0].vertices[:, 0]).tolist() == [0.5]


# --- Show ----------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell that displays figures as a notebook does, with no file of its own."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": 0}}))
    select_figure_formats(shell, {"png"})
    yield shell
    InteractiveShell.clear_instance()


def test_images_lie_in_rows_the_right_way_up():
    """The first picture is red at its top left pixel, the last green all over."""
    pictures = np.zeros((5, 3, 32, 32))
    pictures[0, 0, 0, 0] = 1
    pictures[4, 1] = 1
    ax = plots.images(pictures.reshape(5, 3072), columns=3, labels=["one", "two"])
    (drawn,) = ax.images
    canvas = drawn.get_array()
    assert canvas.shape == (2 * 34, 3 * 34, 3)
    assert canvas[1, 1].tolist() == [1, 0, 0]
    assert canvas[1:33, 1:33].sum() == 1
    assert (canvas[35:67, 35:67] == [0, 1, 0]).all()
    assert (canvas[35:, 68:] == 1).all(), "a place without a picture is white"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    assert ax.get_yticks().tolist() == [16.5, 50.5]
    np.testing.assert_allclose(ax.figure.get_size_inches(), [2.4, 1.6])


def test_what_is_outside_of_black_and_white_is_cut():
    shades = np.full((3, 3072), [[-0.5], [0.5], [1.5]])
    (drawn,) = plots.images(shades, columns=3).images
    assert drawn.get_array()[10, [10, 44, 78], 0].tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("labels", [None, ["one"]])
def test_images_have_no_frame(labels):
    ax = plots.images(np.zeros((8, 3072)), labels=labels)
    assert not any(spine.get_visible() for spine in ax.spines.values())
    assert ax.get_xticks().size == 0
    assert len(ax.get_yticks()) == len(labels or [])
    assert all(
        tick.tick1line.get_markersize() == 0 for tick in ax.yaxis.get_major_ticks()
    )


def shown(ax, alt):
    """Return the one output of ``show``, and the size of its PNG in pixels."""
    with capture_output() as captured:
        assert plots.show(ax, alt=alt) is None
    assert captured.stdout == captured.stderr == ""
    (output,) = captured.outputs
    png = output.data.get("image/png")
    if png is None:
        start = output.data["text/html"].index(";base64,") + len(";base64,")
        png = output.data["text/html"][start:].split('"')[0]
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    return output, picture.size


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("view", ["static", "frames"])
def test_what_is_stored_is_a_png_of_two_pixels_for_one(view, monkeypatch):
    monkeypatch.setenv("LAB_VIEW", view)
    output, pixels = shown(plots.losses(CURVES), "Two curves fall.")
    assert output.data.keys() == {"image/png", "text/plain"}
    assert output.data["text/plain"] == "<Figure size 640x360 with 1 Axes>"
    about = {"alt": "Two curves fall.", "width": 640, "height": 360}
    assert output.metadata == {"image/png": about}
    assert pixels == (1280, 720)
    assert plt.get_fignums() == []


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize(
    ("view", "larger"), [(None, 1), ("live", 1), ("projector", 1.5)]
)
def test_a_person_sees_an_image_with_its_text(view, larger, monkeypatch):
    monkeypatch.delenv("LAB_VIEW")
    if view:
        monkeypatch.setenv("LAB_VIEW", view)
    output, pixels = shown(plots.losses(CURVES), 'It falls "below" 1 < 2.')
    assert output.data.keys() == {"text/html", "text/plain"}
    assert output.data["text/plain"] == "<Figure size 640x360 with 1 Axes>"
    (tag,) = BeautifulSoup(output.data["text/html"], "html.parser").find_all()
    assert (tag.name, tag["alt"]) == ("img", 'It falls "below" 1 < 2.')
    assert int(tag["width"]) == 640 * larger
    assert int(tag["height"]) == 360 * larger
    assert pixels == (1280 * larger, 720 * larger)
    assert plt.get_fignums() == []


def test_there_are_four_views(monkeypatch):
    monkeypatch.setenv("LAB_VIEW", "paper")
    with pytest.raises(ValueError, match="^LAB_VIEW must be one of live, .*'paper'"):
        plots.view()
    ax = plots.axes()
    with pytest.raises(ValueError, match="^LAB_VIEW"):
        plots.show(ax, alt="Nothing.")


@pytest.mark.usefixtures("shell")
def test_no_letter_is_smaller_than_12_points():
    ax = plots.losses(CURVES, floor=0.6, labels=["a", "b"])
    ax.set_title("large", size=15)
    ax.text(0, 1, "small", size=7)
    ax.legend(fontsize=6)
    with capture_output():
        plots.show(ax, alt="Letters.")
    sizes = {t.get_size() for t in ax.figure.findobj(Text) if t.get_text()}
    assert sizes == {12, 15}


@pytest.mark.usefixtures("shell")
def test_show_takes_any_axes_of_a_row():
    row, other = plots.axes(2), plots.axes()
    with capture_output() as captured:
        plots.show(row[1], alt="Two empty axes.")
    assert len(captured.outputs) == 1
    assert plt.get_fignums() == [other.figure.number]


@pytest.mark.parametrize("alt", ["", "   ", "\n"])
def test_a_figure_without_a_text_is_not_shown(alt, capsys):
    ax = plots.axes()
    with pytest.raises(ValueError, match="^alt must be a text that describes"):
        plots.show(ax, alt=alt)
    assert capsys.readouterr().out == ""
    assert plt.get_fignums() == [ax.figure.number]


def test_the_look_is_the_one_that_was_seen_in_grey_print():
    """Each of these was chosen by eye: a change is to be looked at, then noted here."""
    long_dots, far_dots = (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3))
    assert plots.LINES[4:] == [long_dots, far_dots]
    assert plots.FLOOR == {"color": "black", "linewidth": 1, "linestyle": (0, (1, 1))}
    assert plots.STYLE["axes.grid"] is plots.STYLE["axes.axisbelow"] is True
    assert plots.STYLE["figure.dpi"] == 100
    engine = plots.axes().figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    assert plots.STYLE["figure.figsize"] == (6.4, 3.6)
    assert plots.STYLE["lines.linewidth"] == 1.8
    ax = plots.scatter([[0, 0], [1, 1]], [0, 1], ["a", "b"])
    spines = {side: spine.get_visible() for side, spine in ax.spines.items()}
    assert spines == {"left": True, "bottom": True, "right": False, "top": False}
    assert ax.figure.get_size_inches().tolist() == [4.8, 4.2]
    assert ax.collections[0].get_sizes() == [22]
    assert ax.collections[0].get_linewidths() == [0.4]
    grid = np.add.outer(np.arange(5), np.arange(5))
    lines = plots.contours(range(5), range(5), grid)
    assert lines.figure.get_size_inches().tolist() == [4.8, 4.2]
    assert len(lines.collections[0].levels) > 15
    assert {text.get_fontsize() for text in lines.texts} == {12}
    ax = plots.regions(range(5), range(5), grid > 4)
    assert ax.figure.get_size_inches().tolist() == [4.8, 4.2]
    assert ax.collections[0].get_alpha() == 0.25
    assert set(ax.collections[1].get_linewidths()) == {0.8}
    (steps,) = plots.histogram(np.arange(100)).patches
    assert steps.get_alpha() == 0.6
    assert len(set(steps.get_xy()[:, 0])) == 41  # edges of 40 bins
    plt.close("all")


def test_names_of_curves_and_the_floor_are_asked_for():
    def found(**options):
        return sorted(names(plots.losses([3.0, 2.0, 1.0], **options)))

    assert found() == []
    assert found(labels=["one"]) == ["one"]
    assert found(floor=0.5) == ["floor"]
    assert found(labels=["one"], floor=0.5) == ["floor", "one"]
    plt.close("all")


# --- A record ------------------------------------------------------------------------


def drawn_record(result, names):
    """Return the nodes of a record, {box text: place}, and (from, to, dashed)."""
    nodes = graph.record(result, names)
    ax = plots.graph(nodes)
    ax.figure.canvas.draw()
    boxes = [t for t in ax.texts if not isinstance(t, Annotation)]
    places = {t.get_text(): t.get_position() for t in boxes}
    assert len(boxes) == len(places) == len(nodes)
    arrows = [t for t in ax.texts if isinstance(t, Annotation)]
    arrows = [(t.xyann, t.xy, t.arrow_patch.get_linestyle() == "--") for t in arrows]
    return nodes, places, arrows


def test_a_graph_has_a_box_for_each_node_and_arrows_both_ways():
    x = torch.tensor(3.0, requires_grad=True)
    w = torch.tensor(2.0, requires_grad=True)
    s = x * w
    y = s * s + x
    y.backward()
    nodes, places, arrows = drawn_record(y, {"x": x, "w": w, "s": s, "y": y})
    at = {text.split("  ")[0]: place for text, place in places.items()}
    edges = {("x", "s"), ("w", "s"), ("s", "(1)"), ("(1)", "y"), ("x", "y")}
    forth = {(start, end) for start, end, dashed in arrows if not dashed}
    back = {(start, end) for start, end, dashed in arrows if dashed}
    assert forth == {(at[a], at[b]) for a, b in edges}
    assert back == {(at[b], at[a]) for a, b in edges}
    assert all(start[0] < end[0] for start, end in forth)
    assert "x  leaf\nvalue 3\ngrad 25" in places  # 2 s w + 1
    assert "s  mul\nvalue 6\ngrad –" in places


def test_a_leaf_stands_just_before_its_first_use_and_has_a_thick_border():
    a, b = (torch.tensor(x, requires_grad=True) for x in (1.0, 2.0))
    ax = plots.graph(graph.record(a.exp().exp() * b, {"a": a, "b": b}))
    boxes = {t.get_text()[:4].strip(): t for t in ax.texts if t.get_text()}
    assert [boxes[name].get_position()[0] for name in ("a  l", "b  l")] == [0, 2]
    widths = [t.get_bbox_patch().get_linewidth() for t in boxes.values()]
    assert sorted(widths) == [1, 1, 1, 2.5, 2.5]


def test_what_is_cut_is_not_drawn():
    a = torch.tensor(1.0, requires_grad=True)
    _, places, arrows = drawn_record(a * a.detach(), {"a": a})
    assert len(places) == 2
    assert len(arrows) == 2
