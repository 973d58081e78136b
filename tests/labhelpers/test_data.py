"""The data on disk are what they say."""

import numpy as np
import pytest
import sklearn.datasets
import torch

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


DAMAGE = {
    "cut at a line": lambda text: b"".join(text.splitlines(keepends=True)[:51]),
    "cut in a line": lambda text: text[:-20],
    "no header": lambda text: text.split(b"\n", 1)[1],
    "a wrong number": lambda text: text.replace(b"5.1,3.5", b"5.2,3.5", 1),
    "decimal commas": lambda text: text.replace(b".", b","),
    "another order": lambda text: b"\n".join(sorted(text.split(b"\n"))),
    "a flower twice": lambda text: text + text.splitlines(keepends=True)[-1],
    "empty": lambda text: b"",
    "no text": lambda text: b"\xff\x00" * 99,
}


@pytest.fixture
def own_copy(tmp_path, monkeypatch):
    text = (data.DATA_DIR / "iris.csv").read_bytes()
    monkeypatch.setattr(data, "DATA_DIR", tmp_path)
    return tmp_path / "iris.csv", text


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_named_and_can_be_had_back(own_copy, damage):
    path, text = own_copy
    path.write_bytes(damage(text))
    with pytest.raises(ValueError, match="'git checkout data/iris.csv', or a new") as e:
        data.load_iris()
    assert str(e.value).startswith(f"{path} must be as it came")


def test_line_ends_of_windows_are_no_damage(own_copy):
    path, text = own_copy
    path.write_bytes(text.replace(b"\n", b"\r\n"))
    np.testing.assert_array_equal(
        data.load_iris().features, sklearn.datasets.load_iris().data
    )


def test_the_checksum_is_the_one_in_the_readme():
    assert data.IRIS_SHA256 in (data.DATA_DIR / "README.md").read_text("utf-8")


# --- Where CIFAR-10 is ---------------------------------------------------------------


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """A folder with the files of CIFAR-10, but four pictures in each."""
    monkeypatch.setattr(data, "CIFAR10_RECORDS", 4)
    monkeypatch.setattr(data, "DATA_DIR", tmp_path / "data")
    folder = tmp_path / "elsewhere" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name in [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]:
        (folder / name).write_bytes(bytes([3]) * (4 * 3073))
    return folder


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_folder_around_will_do(cifar10, split, monkeypatch):
    for folder in cifar10, cifar10.parent:
        found = data.load_cifar10(folder, split=split)
        assert set(found.labels) == {3}
        monkeypatch.setenv("CIFAR10_DIR", str(folder))
        again = data.load_cifar10(split=split)
        assert again.pixels.shape == found.pixels.shape


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_variable_that_names_no_cifar10_is_no_fallback(cifar10, split, monkeypatch):
    """Without the variable, FileNotFoundError: the caller may do without."""
    monkeypatch.setenv("CIFAR10_DIR", str(cifar10.parent.parent))
    with pytest.raises(ValueError, match="^CIFAR10_DIR must be a folder with .*, or n"):
        data.load_cifar10(split=split)
    for nothing in "none", "":
        monkeypatch.setenv("CIFAR10_DIR", nothing)
        with pytest.raises(FileNotFoundError):
            data.load_cifar10(split=split)
    monkeypatch.setenv("CIFAR10_DIR", "none")
    assert len(data.load_cifar10(cifar10, split=split).labels) in (4, 20)


def test_none_does_without_cifar10_that_is_there(cifar10, monkeypatch):
    monkeypatch.setattr(data, "DATA_DIR", cifar10.parent)
    monkeypatch.delenv("CIFAR10_DIR", raising=False)
    assert len(data.load_cifar10().labels) == 20
    monkeypatch.setenv("CIFAR10_DIR", "none")
    with pytest.raises(FileNotFoundError, match="^CIFAR10_DIR=none says to do without"):
        data.load_cifar10()


def test_a_file_filled_up_with_zeros_is_noticed(cifar10):
    path = cifar10 / "data_batch_3.bin"
    content = path.read_bytes()
    path.write_bytes(content[:-3073] + bytes(3073))
    with pytest.raises(ValueError, match="must be a whole file, got zeros at its end"):
        data.load_cifar10(cifar10)


@pytest.mark.parametrize("root", [5, True, b"nowhere", ["nowhere"]])
def test_a_root_is_a_path(root):
    with pytest.raises(ValueError, match="^root must be a path, got"):
        data.load_cifar10(root)


# --- Rows of several files -----------------------------------------------------------


@pytest.mark.parametrize("rows", [[0, 4], [[1], [5]], 3, [True, False] * 3])
def test_a_tensor_of_rows_is_an_array_of_rows(rows):
    parts = [np.arange(6).reshape(2, 3), np.arange(12).reshape(4, 3)]
    found = data.StackedRows(parts)[torch.tensor(rows)]
    whole = np.concatenate(parts)
    np.testing.assert_array_equal(found, whole[np.array(rows)], strict=True)


def test_nothing_depends_on_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data.load_iris().features.shape == (150, 4)


def test_all_seeds_draw_patches_of_their_own():
    drawn = [data.photo_patches(3, seed=5 + step).pixels for step in (0, 2**32, 2**62)]
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
