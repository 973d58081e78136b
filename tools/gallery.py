"""The pictures of the README, out of what the labs have stored: ``make gallery``."""

import base64
import html
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
# Name of the picture: (lab, cell, caption), in the order in which they are shown.
PICTURES = {
    "plateau": (
        "01_factorisation",
        "plateau-plot",
        "Two hundred descents at once. A student who stops at epoch 100, because “the "
        "loss no longer changes”, stops at half the answer.",
    ),
    "slice": (
        "04_ab_autoencoder",
        "slice-plot",
        "Why the loss stands still: the path slows down at a saddle, misses it by a "
        "little, and turns into a valley.",
    ),
    "regions": (
        "03_mlp_iris",
        "regions",
        "Two models that score alike on flowers differ widely where no flower lies.",
    ),
    "copies": (
        "05_cifar10_autoencoder",
        "copies",
        "Test pictures, and what comes back when 20 numbers are kept of each: detail "
        "is lost first.",
    ),
}
COLUMNS = 2
WIDTH, HEIGHT = 400, 240  # at most, in the README
START, END = "<!-- Made by `make gallery`. -->\n", "<!-- End of the gallery. -->\n"


class Missing(Exception):
    """Says which picture there is none of."""


@dataclass(frozen=True)
class Picture:
    """A stored figure: its PNG, the text in its place, and what it says."""

    name: str
    lab: str
    caption: str
    png: bytes
    alt: str

    @property
    def size(self):
        """Width and height, in pixels."""
        return Image.open(io.BytesIO(self.png)).size


def pictures(notebooks=ROOT / "notebooks"):
    """Return the pictures of the README, a list of Picture.

    Raises
    ------
    Missing
        If a lab, its cell, the one figure in it, or the figure's text isn't there.
    """
    return [_picture(name, *row, notebooks) for name, row in PICTURES.items()]


def _picture(name, lab, cell_id, caption, folder):
    path = Path(folder) / f"{lab}.ipynb"
    if not path.exists():
        raise Missing(f"{name}: there is no lab {path.name}")
    cells = nbformat.read(path, as_version=4).cells
    found = [cell for cell in cells if cell.id == cell_id]
    if not found:
        raise Missing(f"{name}: {path.name} has no cell {cell_id}")
    outputs = found[0].get("outputs", [])
    figures = [each for each in outputs if "image/png" in each.get("data", {})]
    if len(figures) != 1:
        said = f"{len(figures)} figures are stored in its cell {cell_id}, not 1"
        raise Missing(f"{name}: {path.name} must be rendered, {said}")
    [figure] = figures
    alt = figure.metadata.get("image/png", {}).get("alt")
    if not alt:
        raise Missing(f"{name}: the figure of {path.name}, {cell_id}, has no alt text")
    return Picture(name, lab, caption, base64.b64decode(figure.data["image/png"]), alt)


def table(pictures):
    """Return the part of the README that shows the pictures, a str of lines."""
    cells = [_cell(each) for each in pictures]
    rows = [cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)]
    lines = ["<tr>\n" + "".join(row) + "</tr>\n" for row in rows]
    return f"{START}<table>\n{''.join(lines)}</table>\n{END}"


def _cell(picture):
    width, height = picture.size
    shown = round(min(WIDTH, HEIGHT * width / height))
    source = f'src="docs/gallery/{picture.name}.png" width="{shown}"'
    link = f'<a href="notebooks/{picture.lab}.ipynb">Lab {picture.lab[:2]}</a>'
    said = f"{link}. {html.escape(picture.caption, quote=False)}"
    return f'<td><img {source} alt="{html.escape(picture.alt)}"><br>{said}</td>\n'


def save(picture, path):
    """Write a PNG of the same pixels with fewer bytes."""
    image = Image.open(io.BytesIO(picture.png)).convert("RGBA")
    if image.getextrema()[3] == (255, 255):  # opaque, as our figures are
        image = image.convert("RGB")
    image.save(path, optimize=True)


def main(root=ROOT):
    """Write docs/gallery and its part of the README; first look that all is there."""
    try:
        found = pictures(root / "notebooks")
    except Missing as error:
        sys.exit(f"The gallery is as it was. {error}")
    readme, folder = root / "README.md", root / "docs" / "gallery"
    text = readme.read_text(encoding="utf-8")
    made = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)
    if len(made.findall(text)) != 1:
        sys.exit(f"The gallery is as it was. README.md must have one part {START!r}")
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for each in found:
        save(each, folder / f"{each.name}.png")
    text = made.sub(lambda _: table(found), text)
    readme.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
