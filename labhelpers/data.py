"""The data of the labs, from files on disk. Nothing here needs the network."""

import csv
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_sample_images

from labhelpers._require import is_tensor, require, require_count

DATA_DIR = Path(__file__).resolve().parents[1] / "data"
IRIS_SHA256 = "f7fac79ad999fd2d001fd012dd70c0f42c738a7e7cfb7069e71371b55c29341e"

# The rows (from 0) in which the UCI repository's copy differs from Fisher's table.
UCI_ROWS = {34: (4.9, 3.1, 1.5, 0.1), 37: (4.9, 3.1, 1.5, 0.1)}

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
CIFAR10_CLASSES += ("dog", "frog", "horse", "ship", "truck")
CIFAR10_RECORDS = 10_000  # in each file
CIFAR10_RECORD = 1 + 3072  # bytes: the label, then the pixels


class Iris(NamedTuple):
    """150 flowers: ``features`` (150, 4) float64, in cm, with ``feature_names``.

    ``labels`` (150,) int64: 0, 1 or 2, fifty of each, in this order; ``class_names``.

    Examples
    --------
    >>> load_iris().class_names
    ('setosa', 'versicolor', 'virginica')
    """

    features: np.ndarray
    labels: np.ndarray
    feature_names: tuple
    class_names: tuple


def load_iris(*, variant="fisher"):
    """Return the iris flowers (Fisher, 1936, Annals of Eugenics 7, 179-188).

    Parameters
    ----------
    variant : {"fisher", "uci"}
        Fisher's own values, which scikit-learn has too, or those of the copy in the UCI
        Machine Learning Repository. The copy differs in two rows: row 35 (index 34)
        ends in 0.1 for 0.2, and row 38 (index 37) has 3.1, 1.5 for 3.6, 1.4. Much that
        was published on "Iris" used the copy.

    Returns
    -------
    Iris
        A new copy at each call.

    Raises
    ------
    FileNotFoundError
        If ``data/iris.csv`` is not beside the package.
    ValueError
        If a single digit of it was changed.

    Examples
    --------
    >>> load_iris().features[34].tolist()
    [4.9, 3.1, 1.5, 0.2]
    """
    known = str(variant) in ("fisher", "uci")
    require(known, "variant", repr(variant), '"fisher" or "uci"')
    path = DATA_DIR / "iris.csv"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: labhelpers reads it from the checkout that it was "
            "installed from. Run 'make lab', or 'pip install -e .', in the checkout."
        )
    text = path.read_bytes().replace(b"\r\n", b"\n")  # as git may leave it on Windows
    found = hashlib.sha256(text).hexdigest()
    way_back = "'git checkout data/iris.csv', or a new copy of the pack, brings it back"
    require(found == IRIS_SHA256, path, "another one", f"as it came ({way_back})")
    header, *rows = csv.reader(text.decode().splitlines())
    features = np.array([row[:4] for row in rows], dtype=np.float64)
    species = [row[4] for row in rows]
    class_names = tuple(dict.fromkeys(species))
    labels = np.array([class_names.index(name) for name in species], dtype=np.int64)
    if variant == "uci":
        for row, values in UCI_ROWS.items():
            features[row] = values
    return Iris(features, labels, tuple(header[:4]), class_names)


class Images(NamedTuple):
    """Colour pictures of 32 × 32 pixels.

    ``pixels`` (n, 3072) uint8: 1024 red, then green, then blue, each row by row;
    ``labels`` (n,) int64; ``class_names`` tuple of str.

    Examples
    --------
    >>> images = photo_patches(5, seed=0)
    >>> images.pixels[0].reshape(3, 32, 32).dtype, images.labels.shape
    (dtype('uint8'), (5,))
    """

    pixels: np.ndarray
    labels: np.ndarray
    class_names: tuple


class StackedRows:
    """Matrices of uint8 on top of each other, read from disk as rows are asked for.

    Examples
    --------
    >>> rows = StackedRows([np.array([[1, 2], [3, 4]]), np.array([[5, 6]])])
    >>> rows[1:].tolist()
    [[3, 4], [5, 6]]
    """

    def __init__(self, parts):
        several = parts if isinstance(parts, (list, tuple)) else ()
        arrays = [p for p in several if isinstance(p, np.ndarray) and p.ndim == 2]
        kinds = {(p.shape[1], p.dtype) for p in arrays}
        alike = len(kinds) == 1 and len(arrays) == len(parts)
        require(alike, "parts", kinds, "a list of matrices of one width and dtype")
        self.parts = parts
        self.starts = np.cumsum([0, *map(len, parts)])
        self.shape = (int(self.starts[-1]), parts[0].shape[1])
        self.dtype = parts[0].dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Return the rows of these numbers, or of this slice, as an array in memory."""
        rows = rows.numpy(force=True) if is_tensor(rows) else rows
        rows = np.arange(len(self))[rows]
        found = np.empty((rows.size, self.shape[1]), self.dtype)
        part_of_row = np.searchsorted(self.starts, rows.ravel(), side="right") - 1
        for number, part in enumerate(self.parts):
            here = part_of_row == number
            found[here] = part[rows.ravel()[here] - self.starts[number]]
        return found.reshape(*rows.shape, self.shape[1])


def photo_patches(n, *, split="train", seed):
    """Cut n random patches from the two photographs that scikit-learn installs.

    Parameters
    ----------
    n : int
        At least 1.
    split : {"train", "test"}
        Training patches lie in the left four fifths of a photograph, test patches in
        the rest: they share no pixel.
    seed : int

    Returns
    -------
    Images
        ``labels`` say which photograph a patch is from.

    Examples
    --------
    >>> photo_patches(5, split="test", seed=0).class_names
    ('china', 'flower')
    """
    n = require_count("n", n)
    seed = require_count("seed", seed, 0, 2**63 - 1)
    require(str(split) in ("train", "test"), "split", repr(split), '"train" or "test"')
    rng = np.random.default_rng(seed)
    photos = load_sample_images()
    labels = rng.integers(len(photos.images), size=n)
    pixels = np.empty((n, 3, 32, 32), dtype=np.uint8)
    for label, photo in enumerate(photos.images):
        border = photo.shape[1] * 4 // 5
        part = photo[:, :border] if split == "train" else photo[:, border:]
        patches = np.lib.stride_tricks.sliding_window_view(part, (32, 32), axis=(0, 1))
        here = np.flatnonzero(labels == label)
        top, left = rng.integers(patches.shape[:2], size=(len(here), 2)).T
        pixels[here] = patches[top, left]
    names = tuple(Path(name).stem for name in photos.filenames)
    return Images(pixels.reshape(n, -1), labels, names)


def load_cifar10(root=None, *, split="train"):
    """Open CIFAR-10 (Krizhevsky, 2009), the binary version, without reading all of it.

    Parameters
    ----------
    root : path, optional
        The folder of the ``.bin`` files, or the one around it. Without it, the
        environment variable ``CIFAR10_DIR`` (``none``: do without CIFAR-10) or, failing
        that, ``data/cifar-10-batches-bin``.
    split : {"train", "test"}

    Returns
    -------
    Images
        50,000 or 10,000. ``pixels`` are mapped from disk: ``pixels[rows]`` reads them.

    Raises
    ------
    FileNotFoundError
        If a file is missing, or ``CIFAR10_DIR`` is ``none``.
    ValueError
        If a file is not what it should be, or missing where ``CIFAR10_DIR`` says.

    Examples
    --------
    >>> load_cifar10("nowhere")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    FileNotFoundError: data_batch_1.bin is missing in nowhere. 'make cifar10' ...
    """
    require(str(split) in ("train", "test"), "split", repr(split), '"train" or "test"')
    require(isinstance(root, (str, os.PathLike, type(None))), "root", root, "a path")
    named = os.environ.get("CIFAR10_DIR") if root is None else None
    if named == "none":
        raise FileNotFoundError("CIFAR10_DIR=none says to do without CIFAR-10.")
    folder = Path(root or named or DATA_DIR / "cifar-10-batches-bin")
    inner = folder / "cifar-10-batches-bin"
    folder = inner if inner.is_dir() else folder
    train = [f"data_batch_{number}.bin" for number in range(1, 6)]
    names = train if split == "train" else ["test_batch.bin"]
    complete = all((folder / name).exists() for name in names)
    allowed = f"a folder with {', '.join(names)}, or none"
    require(complete or not named, "CIFAR10_DIR", named, allowed)
    records = [_cifar10_records(folder / name) for name in names]
    labels = np.concatenate([part[:, 0] for part in records]).astype(np.int64)
    pixels = StackedRows([part[:, 1:] for part in records])
    return Images(pixels, labels, CIFAR10_CLASSES)


def scale_pixels(pixels):
    """Return uint8 pixels as float32 from −1 (dark) to 1 (bright), the same shape.

    An array becomes an array, a tensor a tensor on its device.

    Examples
    --------
    >>> scale_pixels(np.array([0, 51, 255], dtype=np.uint8))
    array([-1. , -0.6,  1. ], dtype=float32)
    """
    dtype = str(getattr(pixels, "dtype", type(pixels).__name__))
    plain = not isinstance(pixels, np.ma.MaskedArray)
    known = plain and dtype.removeprefix("torch.") == "uint8"
    require(known, "pixels", f"{type(pixels).__name__} of {dtype}", "of dtype uint8")
    scaled = pixels / np.float32(127.5)
    scaled -= 1
    return scaled


def _cifar10_records(path):
    """Map one file of CIFAR-10: uint8, shape (10000, 3073), the label first."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path.name} is missing in {path.parent}. 'make cifar10' fetches CIFAR-10 "
            "(for a copy elsewhere, set CIFAR10_DIR to its folder)."
        )
    size, expected = path.stat().st_size, CIFAR10_RECORDS * CIFAR10_RECORD
    require(size == expected, path, f"{size:,} bytes", f"a file of {expected:,} bytes")
    records = np.memmap(path, np.uint8, "r", shape=(CIFAR10_RECORDS, CIFAR10_RECORD))
    require(records[-1].any(), path, "zeros at its end", "a whole file")
    largest = int(records[:, 0].max())
    require(largest <= 9, path, f"a label {largest}", "a file of labels from 0 to 9")
    return records
