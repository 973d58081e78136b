"""Pictures: patches of photographs, CIFAR-10 on disk, and what cannot be read."""

import ast
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from labhelpers import data
from tests import ROOT

RECORDS = 4
TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
PHOTOS = load_sample_images().images


# --- Patches -------------------------------------------------------------------------


def places(patch, photo):
    """Return every (top, left) at which the photograph holds the patch."""
    height, width, _ = photo.shape
    corners = np.argwhere((photo == patch[0, 0]).all(axis=-1))
    return [
        (top, left)
        for top, left in corners.tolist()
        if top + 32 <= height
        and left + 32 <= width
        and np.array_equal(photo[top : top + 32, left : left + 32], patch)
    ]


@pytest.mark.parametrize("split", ["train", "test"])
def test_patches_have_the_shape_of_cifar10(split):
    images = data.photo_patches(7, split=split, seed=0)
    assert images.pixels.shape == (7, 3072)
    assert images.pixels.dtype == np.uint8
    assert images.labels.shape == (7,)
    assert images.labels.dtype == np.int64
    assert images.class_names == ("china", "flower")


@pytest.mark.parametrize("split", ["train", "test"])
def test_patches_are_pieces_of_the_photographs(split):
    images = data.photo_patches(12, split=split, seed=1)
    assert set(images.labels) == {0, 1}
    for row, label in zip(images.pixels, images.labels):
        red, green, blue = row.reshape(3, 32, 32)
        found = places(np.stack([red, green, blue], axis=-1), PHOTOS[label])
        assert found
        border = PHOTOS[label].shape[1] * 4 // 5
        for _, left in found:
            assert (left + 32 <= border) if split == "train" else (left >= border)


@pytest.mark.parametrize(
    ("split", "first", "last"), [("train", 0, 159), ("test", 160, 199)]
)
def test_every_place_of_a_split_can_come_up_and_no_other(
    monkeypatch, split, first, last
):
    """Photographs in which red is the column, green the row, blue the photograph."""
    rows, columns = np.mgrid[:40, :200]
    photos = [np.dstack([columns, rows, 0 * rows + i]).astype(np.uint8) for i in (0, 1)]
    made_up = SimpleNamespace(images=photos, filenames=["/x/a.jpg", "/x/b.jpg"])
    monkeypatch.setattr(data, "load_sample_images", lambda: made_up)
    images = data.photo_patches(2000, split=split, seed=0)
    red, green, blue = images.pixels.reshape(-1, 3, 32, 32).swapaxes(0, 1)
    assert np.array_equal(np.unique(red), np.arange(first, last + 1))
    assert np.array_equal(np.unique(green), np.arange(40))
    assert (blue == images.labels[:, np.newaxis, np.newaxis]).all()
    assert images.class_names == ("a", "b")


def test_the_seed_decides():
    one, two, other = (data.photo_patches(20, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.pixels, two.pixels)
    assert np.array_equal(one.labels, two.labels)
    assert not np.array_equal(one.pixels, other.pixels)
    for large in 3 + 2**32, 3 + 2**62:
        assert not np.array_equal(one.pixels, data.photo_patches(20, seed=large).pixels)
    state = np.random.get_state()[1].copy()  # noqa: NPY002, it must stay as it is
    data.photo_patches(2, seed=0)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_training_patches_are_the_default():
    default = data.photo_patches(5, seed=0)
    assert np.array_equal(
        default.pixels, data.photo_patches(5, split="train", seed=0).pixels
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("n", 0), ("n", 1.5), ("n", True), ("n", "3"), ("seed", -1), ("seed", None)]
    + [("split", "valid"), ("split", None), ("split", ["train"])],
)
def test_patches_refuse_bad_arguments(name, value):
    arguments = {"n": 3, "split": "train", "seed": 0} | {name: value}
    with pytest.raises(
        ValueError, match=f"^{name} must be .*got {value!r}".replace("[", r"\[")
    ):
        data.photo_patches(arguments.pop("n"), **arguments)


# --- CIFAR-10 ------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of six small files; label and pixels of each picture tell them apart."""
    monkeypatch.setattr(data, "CIFAR10_RECORDS", RECORDS)
    monkeypatch.delenv("CIFAR10_DIR", raising=False)
    return write_files(tmp_path / "cifar", seed=0)


def write_files(folder, seed):
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for name in [*TRAIN, "test_batch.bin"]:
        shape = (data.CIFAR10_RECORDS, data.CIFAR10_RECORD)
        records = rng.integers(256, size=shape, dtype=np.uint8)
        records[:, 0] %= 10
        records.tofile(folder / name)
    return folder


def on_disk(folder, names):
    content = b"".join((folder / name).read_bytes() for name in names)
    return np.frombuffer(content, np.uint8).reshape(-1, 3073)


@pytest.mark.parametrize(
    ("split", "names"), [("train", TRAIN), ("test", ["test_batch.bin"])]
)
def test_cifar10_is_what_is_on_disk(folder, split, names):
    images = data.load_cifar10(folder, split=split)
    records = on_disk(folder, names)
    assert images.pixels.shape == (RECORDS * len(names), 3072)
    assert images.pixels.dtype == np.uint8
    assert len(images.pixels) == len(records)
    np.testing.assert_array_equal(images.pixels[:], records[:, 1:])
    np.testing.assert_array_equal(images.labels, records[:, 0])
    assert images.labels.dtype == np.int64
    assert images.class_names[3] == "cat"
    assert len(images.class_names) == 10


def test_the_real_files_have_the_published_size():
    assert data.CIFAR10_RECORDS * data.CIFAR10_RECORD == 30_730_000


def test_the_folder_is_root_then_the_variable_then_data(folder, tmp_path, monkeypatch):
    elsewhere = write_files(tmp_path / "elsewhere", seed=1)
    default = write_files(tmp_path / "cifar-10-batches-bin", seed=2)
    monkeypatch.setattr(data, "DATA_DIR", tmp_path)

    def is_from(place, root=None):
        found = data.load_cifar10(root).pixels[:]
        return np.array_equal(found, on_disk(place, TRAIN)[:, 1:])

    assert is_from(default)
    monkeypatch.setenv("CIFAR10_DIR", "")
    assert is_from(default)
    monkeypatch.setenv("CIFAR10_DIR", str(elsewhere))
    assert is_from(elsewhere)
    assert is_from(folder, root=folder)
    assert is_from(folder, root=str(folder))


def test_opening_reads_the_labels_only(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "CIFAR10_RECORDS", 300)  # 0.9 MB a file
    folder = write_files(tmp_path / "cifar", seed=0)
    data.load_cifar10(folder)  # whatever is imported on first use
    tracemalloc.start()
    pixels = data.load_cifar10(folder).pixels
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
    for part in pixels.parts:
        assert isinstance(part, np.memmap)
        assert part.mode == "r"


@pytest.mark.parametrize("name", ["data_batch_1.bin", "data_batch_5.bin"])
def test_a_missing_file_names_folder_and_command(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match="'make cifar10'") as error:
        data.load_cifar10(folder)
    assert str(error.value).startswith(f"{name} is missing in {folder}")
    assert "CIFAR10_DIR" in str(error.value)
    data.load_cifar10(folder, split="test")


def test_a_missing_folder_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="'make cifar10'") as error:
        data.load_cifar10(tmp_path / "nowhere", split="test")
    assert str(tmp_path / "nowhere") in str(error.value)


@pytest.mark.parametrize("name", [*TRAIN, "test_batch.bin"])
@pytest.mark.parametrize("change", [-1, -3073, -4 * 3073, 1, 3073])
def test_a_file_of_another_size_is_refused(folder, name, change):
    path = folder / name
    content = path.read_bytes()
    path.write_bytes(content[:change] if change < 0 else content + bytes(change))
    split = "test" if name == "test_batch.bin" else "train"
    with pytest.raises(ValueError, match=r"must be a file of 12,292 bytes") as error:
        data.load_cifar10(folder, split=split)
    assert str(error.value).startswith(str(path))
    assert str(error.value).endswith(f"got {12292 + change:,} bytes")


@pytest.mark.parametrize("name", ["data_batch_1.bin", "data_batch_4.bin"])
@pytest.mark.parametrize(("record", "label"), [(0, 10), (RECORDS - 1, 255)])
def test_a_label_that_there_is_not_is_refused(folder, name, record, label):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[record * 3073] = label
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=f"labels from 0 to 9, got a label {label}$"
    ) as error:
        data.load_cifar10(folder)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("split", ["valid", "", None, 0])
def test_a_split_that_there_is_not_is_refused(folder, split):
    with pytest.raises(ValueError, match='^split must be "train" or "test", got'):
        data.load_cifar10(folder, split=split)


@pytest.mark.parametrize("path", ["labhelpers/data.py", "tools/cifar10.py"])
def test_nothing_is_ever_unpickled(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.name for alias in node.names}
            names.add(getattr(node, "module", ""))
    assert not names & {"pickle", "joblib", "load", "loads", "unpack_archive"}


# --- Rows of several files -----------------------------------------------------------

PARTS = [np.random.default_rng(n).integers(256, size=(n, 6)) for n in (3, 1, 5)]
PARTS = [part.astype(np.uint8) for part in PARTS]
INDICES = {
    "number": 0,
    "last": 8,
    "negative": -1,
    "numpy-number": np.int64(3),
    "slice": slice(2, 6),
    "all": slice(None),
    "backwards": slice(None, None, -2),
    "empty-slice": slice(4, 4),
    "beyond": slice(7, 100),
    "array": np.array([8, 0, 3, 3, -1]),
    "list": [4, 2],
    "none": np.array([], dtype=int),
    "table": np.array([[0, 8], [3, 4]]),
    "mask": np.arange(9) % 2 == 0,
}


@pytest.mark.parametrize("rows", INDICES.values(), ids=INDICES)
def test_stacked_rows_are_the_concatenated_ones(rows):
    stacked, whole = data.StackedRows(PARTS), np.concatenate(PARTS)
    found = stacked[rows]
    np.testing.assert_array_equal(found, whole[rows], strict=True)
    assert not any(np.shares_memory(found, part) for part in PARTS)


def test_stacked_rows_know_their_size():
    stacked = data.StackedRows(PARTS)
    assert stacked.shape == (9, 6)
    assert len(stacked) == 9
    assert stacked.dtype == np.uint8


@pytest.mark.parametrize("rows", [9, -10, [0, 9], np.array([-10]), [True] * 8])
def test_a_row_that_there_is_not_is_refused(rows):
    with pytest.raises(IndexError):
        data.StackedRows(PARTS)[rows]


# --- Scaling -------------------------------------------------------------------------


def test_pixels_go_from_minus_one_to_one():
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    scaled = data.scale_pixels(pixels)
    np.testing.assert_allclose(scaled.ravel(), np.linspace(-1, 1, 256), atol=1e-7)
    assert scaled.shape == pixels.shape
    assert scaled.dtype == np.float32
    assert (scaled.min(), scaled.max()) == (-1, 1)
    assert np.array_equal(pixels.ravel(), np.arange(256))
