"""The README shows what the labs have stored; ``make gallery`` copies it there."""

import base64
import io
import shutil
import struct

import nbformat
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from tests import ROOT
from tests.tools.test_environment import read
from tools import gallery


def stored(name):
    """Return width, height and alt text of a figure, straight from its notebook."""
    lab, cell_id, _ = gallery.PICTURES[name]
    cells = nbformat.read(ROOT / "notebooks" / f"{lab}.ipynb", as_version=4).cells
    [cell] = [each for each in cells if each.id == cell_id]
    [output] = [o for o in cell.outputs if "image/png" in o.get("data", {})]
    png = base64.b64decode(output.data["image/png"])
    return *struct.unpack(">II", png[16:24]), output.metadata["image/png"]["alt"]


def shown():
    return BeautifulSoup(read("README.md"), "html.parser").find_all("img")


def test_the_readme_shows_four_pictures_as_the_labs_have_them():
    """Sizes and texts, not bytes: they tell when `make gallery` is due."""
    assert len(shown()) == len(gallery.PICTURES) == 4
    for tag, name in zip(shown(), gallery.PICTURES):
        width, height, alt = stored(name)
        assert tag["src"] == f"docs/gallery/{name}.png"
        assert tag["alt"] == alt, "run make gallery"
        with Image.open(ROOT / tag["src"]) as copied:
            assert copied.size == (width, height), "run make gallery"
        assert int(tag["width"]) <= 400
        assert int(tag["width"]) * height / width <= 241


def test_each_picture_has_its_line_and_its_lab():
    for tag, (lab, _, caption) in zip(shown(), gallery.PICTURES.values()):
        cell = tag.find_parent("td")
        assert cell.a["href"] == f"notebooks/{lab}.ipynb"
        assert cell.get_text().strip() == f"Lab {lab[:2]}. {caption}"


def test_no_other_picture_is_left():
    files = {path.name for path in (ROOT / "docs" / "gallery").iterdir()}
    assert files == {f"{name}.png" for name in gallery.PICTURES}


@pytest.fixture
def pack(tmp_path):
    """Return a copy of what the gallery is made from, with an old picture."""
    (tmp_path / "notebooks").mkdir()
    for lab, _, _ in gallery.PICTURES.values():
        shutil.copy(ROOT / "notebooks" / f"{lab}.ipynb", tmp_path / "notebooks")
    old = f"# Labs\n\n{gallery.START}old \\1\n{gallery.END}\nThe end of it.\n"
    (tmp_path / "README.md").write_text(old, encoding="utf-8")
    (tmp_path / "docs" / "gallery").mkdir(parents=True)
    (tmp_path / "docs" / "gallery" / "old.png").touch()
    return tmp_path


def change(pack, name, how):
    """Change the cell of a picture, in place."""
    lab, cell_id, _ = gallery.PICTURES[name]
    path = pack / "notebooks" / f"{lab}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    how(next(cell for cell in notebook.cells if cell.id == cell_id))
    nbformat.write(notebook, path)


def figure(cell):
    return next(o for o in cell.outputs if "image/png" in o.get("data", {}))


def test_the_gallery_is_what_is_stored_with_fewer_bytes(pack):
    said = 'a "wide" & <flat> curve'
    new = {"image/png": {"alt": said}}
    change(pack, "plateau", lambda cell: figure(cell).update(metadata=new))
    gallery.main(pack)
    readme = (pack / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# Labs\n\n<!--")
    assert readme.endswith("-->\n\nThe end of it.\n")
    assert "old" not in readme
    tags = BeautifulSoup(readme, "html.parser").find_all("img")
    assert tags[0]["alt"] == said
    folder = pack / "docs" / "gallery"
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.png" for name in gallery.PICTURES
    }
    for each in gallery.pictures(pack / "notebooks"):
        path = folder / f"{each.name}.png"
        assert path.stat().st_size < len(each.png)
        with Image.open(io.BytesIO(each.png)) as theirs, Image.open(path) as ours:
            assert theirs.convert("RGBA").tobytes() == ours.convert("RGBA").tobytes()
            ours.save(pack / "plain.png")
        assert path.stat().st_size < (pack / "plain.png").stat().st_size
    gallery.main(pack)
    assert (pack / "README.md").read_text(encoding="utf-8") == readme


def renamed(cell):
    cell.id = "renamed"


def cleared(cell):
    cell.outputs = []


def twice(cell):
    cell.outputs.append(figure(cell))


def mute(cell):
    figure(cell).metadata = {}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (renamed, "has no cell slice-plot"),
        (cleared, "must be rendered, 0 figures are stored in its cell slice-plot"),
        (twice, "2 figures are stored in its cell slice-plot, not 1"),
        (mute, "slice-plot, has no alt text"),
    ],
)
def test_what_is_missing_is_told_and_nothing_is_changed(pack, how, said):
    change(pack, "slice", how)
    before = (pack / "README.md").read_bytes()
    with pytest.raises(SystemExit, match=f"slice: .*04_ab_autoencoder.ipynb.*{said}"):
        gallery.main(pack)
    assert (pack / "README.md").read_bytes() == before
    assert (pack / "docs" / "gallery" / "old.png").exists()


def test_a_lab_or_a_place_in_the_readme_that_is_missing_is_told(pack):
    (pack / "README.md").write_text("# Labs\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="README.md must have one part"):
        gallery.main(pack)
    assert (pack / "docs" / "gallery" / "old.png").exists()
    (pack / "notebooks" / "03_mlp_iris.ipynb").unlink()
    with pytest.raises(SystemExit, match="regions: there is no lab 03_mlp_iris"):
        gallery.main(pack)
