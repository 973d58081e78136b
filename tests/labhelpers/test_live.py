"""A slider over pictures: the right one each time, as sharp and as soon as wanted."""

import base64
import io
import time

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.figure import Figure
from PIL import Image
from traitlets.config import Config

from labhelpers import live, plots

RATES = np.geomspace(0.001, 0.5, 9)
CURVES = 10 + 50 * np.exp(-np.arange(60)[:, np.newaxis] * RATES)


def draw(ax, i):
    plots.losses(CURVES[:, i], labels=["loss"], floor=10, ax=ax).set(ylim=(5, 100))


def alt(i):
    return f"The loss ends at {CURVES[-1, i]:.3g}."


KNOBS = {"label": "learning rate", "alt": alt}


@pytest.fixture(autouse=True)
def _shell(tmp_path, monkeypatch):
    """A shell of its own, without files. No figure stays open."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.clear_instance()
    InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": 0}}))
    yield
    InteractiveShell.clear_instance()
    assert plt.get_fignums() == []


def displayed(*arguments, **options):
    with capture_output() as captured:
        assert live.scrub(*arguments, **options) is None
    assert captured.stdout == captured.stderr == ""
    (output,) = captured.outputs
    return output


@pytest.fixture
def opened(monkeypatch):
    """Return a function that opens a slider; it returns the slider and its page."""
    shown = []
    monkeypatch.setenv("LAB_VIEW", "live")
    monkeypatch.setattr(live, "display", shown.append)

    def opened(*arguments, **options):
        live.scrub(*arguments, **options)
        return shown.pop().children

    return opened


def pixels(text):
    """Return the pixels of an image in base64, or of the one in a page."""
    if text.startswith("<img"):
        (tag,) = BeautifulSoup(text, "html.parser").find_all()
        text = tag["src"].removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


# --- Where nobody moves it ------------------------------------------------------------


def test_stored_is_one_picture_and_no_widget(monkeypatch):
    monkeypatch.setenv("LAB_VIEW", "static")
    output = displayed(RATES, draw, still=2, **KNOBS)
    assert output.data.keys() == {"image/png", "text/plain"}
    about = {"alt": alt(2), "width": 640, "height": 360}
    assert output.metadata == {"image/png": about}
    assert pixels(output.data["image/png"]).shape == (720, 1280, 3)
    middle = displayed(RATES, draw, **KNOBS)
    assert middle.metadata["image/png"]["alt"] == alt(4)


def test_frames_are_all_positions_without_loss(monkeypatch):
    monkeypatch.setenv("LAB_VIEW", "frames")
    size = {"width": 4, "height": 2}
    output = displayed(RATES[:4], draw, still=3, **KNOBS, **size)
    kinds = {"image/png", "text/plain", "application/vnd.autograd-labs.frames+json"}
    assert output.data.keys() == kinds
    frames = output.data["application/vnd.autograd-labs.frames+json"]
    pictures = [pixels(frame) for frame in frames.pop("frames")]
    assert frames == {
        "label": "learning rate",
        "values": ["0.001", "0.00217", "0.00473", "0.0103"],
        "still": 3,
        "alts": [alt(i) for i in range(4)],
        "width": 400,
        "height": 200,
    }
    np.testing.assert_array_equal(pictures[3], pixels(output.data["image/png"]))
    assert len({picture.tobytes() for picture in pictures}) == 4


# --- Under your hand ------------------------------------------------------------------


def test_a_slider_stands_above_its_picture(opened):
    slider, page = opened(RATES, draw, **KNOBS)
    assert slider.description == "learning rate"
    assert slider.continuous_update
    assert [text for text, _ in slider.options][:3] == ["0.001", "0.00217", "0.00473"]
    for i in (4, 0, 8):
        slider.value = i
        (image,) = BeautifulSoup(page.value, "html.parser").find_all()
        assert (image.name, image["alt"]) == ("img", alt(i))
        assert (image["width"], image["height"]) == ("640", "360")
        assert pixels(page.value).shape == (720, 1280, 3)


def test_one_text_can_stand_for_all_pictures(opened):
    slider, page = opened(RATES, draw, label="lr", alt="A falling curve.")
    slider.value = 0
    assert BeautifulSoup(page.value, "html.parser").img["alt"] == "A falling curve."


def test_a_projector_shows_larger_pictures(opened, monkeypatch):
    monkeypatch.setenv("LAB_VIEW", "projector")
    _, page = opened(RATES, draw, **KNOBS)
    assert BeautifulSoup(page.value, "html.parser").img["width"] == "960"
    assert pixels(page.value).shape == (1080, 1920, 3)


def untidy(ax, i):
    """Leave behind what the next picture must not show."""
    left, right = ax
    left.plot([0, 10 ** (i * 3)], [0, 1], color="black")
    left.set(title=f"at {i}", xlabel="x" if i else "")
    right.twinx().plot([i, 1], [0, i])
    right.set(yscale="log" if i == 1 else "linear", aspect=1)


def test_a_picture_depends_on_its_position_alone(opened):
    """Whichever was drawn before it, and as in new Axes of the same place."""

    def visited(order):
        slider, page = opened(range(3), untidy, label="i", alt="x", columns=2, still=2)
        found = {2: page.value}
        for i in order:
            slider.value = i
            found[i] = page.value
        return found

    assert visited([0, 1]) == visited([1, 0])


def test_the_axes_stay_where_they_are(monkeypatch):
    """Although long labels need more room than short ones."""
    places = []
    for view in "static", "frames":
        monkeypatch.setenv("LAB_VIEW", view)

        def wide(ax, i):
            ax.set_yticks([0.5], ["long" * (i + 1)])
            if ax.figure.get_layout_engine() is None:
                places.append(ax.get_position().bounds)
                ax.figure.canvas.draw()
                assert ax.get_tightbbox().x0 > -4, "cut off, by more than rounding"

        displayed(range(4), wide, label="i", alt="x")
    assert len(places) == 1 + 1 + 4
    assert len(set(places)) == 1


def test_an_error_in_drawing_reaches_the_student(opened):
    def fails(ax, i):
        if i == 2:
            raise KeyError("<no rate> & no run")
        ax.plot([i, 1])

    slider, page = opened(
        [1, 0.5, float("nan"), 3, 4], fails, label="lr", alt="x", still=1
    )
    first = page.value
    slider.value = 2
    (said,) = BeautifulSoup(page.value, "html.parser").find_all()
    assert said.name == "pre"
    assert said["role"] == "alert"
    assert said.text == "lr = nan: KeyError: '<no rate> & no run'"
    slider.value = 1
    assert page.value == first, "it goes on after an error"
    with pytest.raises(KeyError, match="no rate"):
        opened([1, 2, 3], fails, label="lr", alt="x")


def test_a_move_draws_once_and_a_second_visit_not_at_all(opened, monkeypatch):
    drawn, plain = [], Figure.draw

    def counted(figure, renderer):
        drawn.append(figure)
        plain(figure, renderer)

    slider, page = opened(RATES, draw, **KNOBS)
    monkeypatch.setattr(Figure, "draw", counted)
    slider.value = 1
    assert len(drawn) == 1
    slider.value = 2
    slider.value = 1
    assert len(drawn) == 2
    (image,) = BeautifulSoup(page.value, "html.parser").find_all()
    assert image["alt"] == alt(1)


def seconds(call, *arguments):
    """Return the processor's time of a call, on which others have little influence."""
    start = time.process_time()
    call(*arguments)
    return time.process_time() - start


def test_a_move_takes_less_than_a_plain_figure_drawn_anew(opened):
    def anew(i):
        ax = plots.axes()
        draw(ax, i)
        ax.figure.savefig(io.BytesIO(), dpi=200)
        plt.close(ax.figure)

    slider, _ = opened(RATES, draw, **KNOBS)
    costs = [
        (seconds(setattr, slider, "value", i), seconds(anew, i))
        for i in (0, 1, 2, 3, 5)
    ]
    assert np.min(costs, axis=0)[0] < 0.9 * np.min(costs, axis=0)[1]
    again = min(seconds(setattr, slider, "value", i) for i in (0, 1, 2, 3))
    assert again < 0.1 * np.min(costs, axis=0)[0]


# --- Positions ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["plain", "scaled"], ["plain", "scaled"]),
        ([0.1, float("nan"), np.float64(1 / 3)], ["0.1", "nan", "0.333"]),
        (range(0, 3000, 1500), ["0", "1500"]),
        (np.array([1e-15, 1.0, 2500.0]), ["1e-15", "1", "2.5e+03"]),
        (torch.tensor([1, 50]), ["1", "50"]),
        ([torch.tensor(0.5), np.int64(70000)], ["0.5", "70000"]),
        ([0.1, 0.10000001], ["0.1", "0.1"]),
    ],
)
def test_positions_are_numbers_or_texts_in_short(values, texts, opened):
    seen = []
    slider, _ = opened(values, lambda ax, i: seen.append(i), label="x", alt="x")
    assert [text for text, _ in slider.options] == texts
    assert set(seen) >= {0, len(texts) - 1}


@pytest.mark.parametrize("values", [[1], [], list(range(1001)), [1, [2]], [1, " "]])
def test_two_to_a_thousand_positions(values):
    with pytest.raises(ValueError, match="^values must be "):
        live.scrub(values, draw, **KNOBS)


@pytest.mark.parametrize("still", [-1, 9, 0.5])
def test_it_stands_still_at_a_position(still):
    with pytest.raises(ValueError, match="^still must be a whole number, at least 0"):
        live.scrub(RATES, draw, still=still, **KNOBS)
