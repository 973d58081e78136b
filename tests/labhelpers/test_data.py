"""The data on disk are what they say."""

import numpy as np
import pytest
import sklearn.datasets

from labhelpers import data


def test_iris_is_scikit_learns():
    ours, theirs = data.load_iris(), sklearn.datasets.load_iris()
    np.testing.assert_array_equal(ours.features, theirs.data)
    np.testing.assert_array_equal(ours.labels, theirs.target)
    assert list(ours.feature_names) == theirs.feature_names
    assert list(ours.class_names) == theirs.target_names.tolist()


def test_iris_has_the_types_it_states():
    iris = data.load_iris()
    assert iris.features.shape == (150, 4)
    assert iris.features.dtype == np.float64
    assert iris.labels.dtype == np.int64
    np.testing.assert_array_equal(iris.labels, np.repeat([0, 1, 2], 50))
    for names in iris.feature_names, iris.class_names:
        assert isinstance(names, tuple)
        assert all(isinstance(name, str) for name in names)


def test_fisher_is_the_default():
    np.testing.assert_array_equal(
        data.load_iris().features, data.load_iris(variant="fisher").features
    )


def test_the_uci_copy_differs_in_two_rows():
    fisher, uci = data.load_iris(), data.load_iris(variant="uci")
    differing = (fisher.features != uci.features).any(axis=1)
    assert np.flatnonzero(differing).tolist() == [34, 37]
    assert fisher.features[[34, 37]].tolist() == [
        [4.9, 3.1, 1.5, 0.2],
        [4.9, 3.6, 1.4, 0.1],
    ]
    assert uci.features[[34, 37]].tolist() == [[4.9, 3.1, 1.5, 0.1]] * 2
    np.testing.assert_array_equal(fisher.labels, uci.labels)
    assert fisher[2:] == uci[2:]


@pytest.mark.parametrize("variant", ["fisher", "uci"])
def test_each_call_gives_a_copy(variant):
    first = data.load_iris(variant=variant)
    kept = first.features.copy(), first.labels.copy()
    first.features[:] = 0
    first.labels[:] = 0
    again = data.load_iris(variant=variant)
    np.testing.assert_array_equal(again.features, kept[0])
    np.testing.assert_array_equal(again.labels, kept[1])


@pytest.mark.parametrize("variant", ["Fisher", "", None, 0, ["uci"]])
def test_a_variant_that_there_is_not_is_refused(variant):
    with pytest.raises(
        ValueError, match='^variant must be "fisher" or "uci", got'
    ) as e:
        data.load_iris(variant=variant)
    assert str(e.value).endswith(repr(variant))


def test_a_missing_file_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "DATA_DIR", tmp_path)
    with pytest.raises(FileNotFoundError, match="make lab") as e:
        data.load_iris()
    assert str(tmp_path / "iris.csv") in str(e.value)
    assert "pip install -e ." in str(e.value)


def test_nothing_depends_on_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data.load_iris().features.shape == (150, 4)
