"""The data of the labs, from files on disk. Nothing here needs the network."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from labhelpers._require import require

DATA_DIR = Path(__file__).resolve().parents[1] / "data"

# The rows (from 0) in which the UCI repository's copy differs from Fisher's table.
UCI_ROWS = {34: (4.9, 3.1, 1.5, 0.1), 37: (4.9, 3.1, 1.5, 0.1)}


class Iris(NamedTuple):
    """150 flowers.

    Attributes
    ----------
    features : ndarray of float64, shape (150, 4)
        In cm.
    labels : ndarray of int64, shape (150,)
        0, 1 or 2, fifty of each, in this order.
    feature_names : tuple of str
    class_names : tuple of str
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
    ValueError
        If ``variant`` is not one of the two.
    FileNotFoundError
        If ``data/iris.csv`` is not beside the package.
    """
    require(variant in ("fisher", "uci"), "variant", repr(variant), '"fisher" or "uci"')
    path = DATA_DIR / "iris.csv"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: labhelpers reads it from the checkout that it was "
            "installed from. Run 'make lab', or 'pip install -e .', in the checkout."
        )
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    features = np.array([row[:4] for row in rows], dtype=np.float64)
    species = [row[4] for row in rows]
    class_names = tuple(dict.fromkeys(species))
    labels = np.array([class_names.index(name) for name in species], dtype=np.int64)
    if variant == "uci":
        for row, values in UCI_ROWS.items():
            features[row] = values
    return Iris(features, labels, tuple(header[:4]), class_names)
