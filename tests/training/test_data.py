from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_images import assert_one_sentence, make, slow_hash, write_folder, write_npz

from penviz.store.run_config import RunError
from penviz.training import data


def test_the_source_is_images_and_labels_in_whatever_order(tmp_path: Path) -> None:
    """The digest by hand, and what leaves it as it is: the rows' order, the seed, the container's name."""
    x, y = make(60)
    x_test, y_test = make(20, seed=1)
    plain = data.load(str(write_npz(tmp_path / "a.npz"))).source_id
    digest = hashlib.sha256()
    for part, images, labels in (("test", x_test, y_test), ("train", x, y)):
        digest.update(part.encode())
        rows = sorted((slow_hash(0, image), int(label)) for image, label in zip(images, labels, strict=True))
        for column in zip(*rows, strict=True):
            digest.update(b"".join(value.to_bytes(8, "big") for value in column))
    assert plain == digest.hexdigest()[:16]
    turned = write_npz(tmp_path / "b.npz", x_train=x[::-1], y_train=y[::-1])
    assert data.load(str(turned), seed=3).source_id == plain
    assert data.load(str(turned), seed=3, n_hold_out=8).source_id == plain
    relabelled = np.where(np.arange(60) == 7, (y + 1) % 4, y)
    assert data.load(str(write_npz(tmp_path / "c.npz", y_train=relabelled))).source_id != plain
    assert data.load(str(write_npz(tmp_path / "d.npz", x_test=255 - x_test))).source_id != plain


# Which data set it is.


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """A small set that is known as CIFAR-10, 24 of its images held out."""
    images, _ = make(60, side=8)
    labels = np.tile(np.arange(4), 15)
    digests = sorted(slow_hash(0, image) for image in images)
    name = hashlib.sha256(b"".join(d.to_bytes(8, "big") for d in digests)).hexdigest()[:16]
    monkeypatch.setattr(data, "FINGERPRINTS", {name: "cifar10"})
    monkeypatch.setattr(data, "HOLD_OUT", data.HOLD_OUT | {"cifar10": 24})
    return images, labels


def test_cifar_is_recognised_whatever_its_container(known: tuple[Any, Any], tmp_path: Path) -> None:
    images, labels = known
    test = make(12, side=8, seed=9)
    order = np.random.default_rng(1).permutation(60)
    shuffled = {"x_train": images[order], "y_train": labels[order], "x_test": test[0], "y_test": test[1]}
    write_npz(tmp_path / "cifar10.npz", x_train=images, y_train=labels, x_test=test[0], y_test=test[1])
    write_npz(tmp_path / "holiday.npz", **shuffled)
    write_folder(tmp_path / "pictures", {"train": known, "test": test})
    loaded = [
        data.load("cifar10", data_dir=tmp_path),
        data.load(str(tmp_path / "holiday.npz")),
        data.load(str(tmp_path / "pictures"), image_size=8),
    ]
    for one in loaded:
        assert one.name == "cifar10"
        assert {name: len(split) for name, split in one.splits.items()} == {
            "train": 36,
            "validation": 24,
            "test": 12,
        }
        for name, split in one.splits.items():
            assert np.array_equal(split.images, loaded[0].splits[name].images)
            assert split.dataset_id == loaded[0].splits[name].dataset_id
    assert Counter(loaded[0].splits["validation"].labels.tolist()) == dict.fromkeys(range(4), 6)


def test_one_pixel_less_is_another_data_set(known: tuple[Any, Any], tmp_path: Path) -> None:
    images, labels = known
    images = images.copy()
    images[0, 0, 0, 0] ^= 1
    x_test, y_test = make(12, side=8, seed=9)
    loaded = data.load(
        str(write_npz(tmp_path / "x.npz", x_train=images, y_train=labels, x_test=x_test, y_test=y_test))
    )
    assert loaded.name == "x"
    assert {name: len(split) for name, split in loaded.splits.items()} == {"train": 60, "validation": 12}


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_a_name_alone_makes_no_known_data_set(name: str, tmp_path: Path) -> None:
    """A directory or file of one's own that is called as a built-in set keeps its own validation part."""
    write_folder(tmp_path / name, {"train": make(600), "validation": make(30, seed=1)})
    loaded = data.load(str(tmp_path / name), image_size=6)
    assert {part: len(split) for part, split in loaded.splits.items()} == {"train": 600, "validation": 30}
    loaded = data.load(str(write_npz(tmp_path / f"{name}.npz")))
    assert {part: len(split) for part, split in loaded.splits.items()} == {"train": 60, "validation": 20}


def test_the_real_fingerprints_are_of_the_right_form() -> None:
    assert set(data.FINGERPRINTS.values()) == {"cifar10", "cifar100"}
    assert all(len(f) == 16 and int(f, 16) for f in data.FINGERPRINTS)


def test_digits() -> None:
    from sklearn.datasets import load_digits

    loaded = data.load("digits")
    assert loaded.class_names == tuple("0123456789")
    assert loaded.image_shape == (8, 8, 1)
    validation = loaded.splits["validation"]
    assert {name: len(s) for name, s in loaded.splits.items()} == {"train": 1437, "validation": 360}
    assert set(Counter(validation.labels.tolist()).values()) <= {35, 36, 37}
    source = load_digits()
    for row in (0, 100, 359):
        index = validation.indices[row]
        assert source.target[index] == validation.labels[row]
        assert np.abs(validation.images[row, ..., 0] - source.images[index] * 255 / 16).max() <= 0.5


# .npz files.


def test_an_npz_beside_the_archive_is_taken_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("torchvision was asked")

    monkeypatch.setattr(torchvision.datasets, "MNIST", never)
    monkeypatch.setattr(data, "HOLD_OUT", data.HOLD_OUT | {"mnist": 12})
    x, y = make(60, side=8, channels=1)
    test = make(20, side=8, channels=1, seed=1)
    write_npz(tmp_path / "mnist.npz", x_train=x[..., 0], y_train=y, x_test=test[0][..., 0], y_test=test[1])
    loaded = data.load("mnist", data_dir=tmp_path)
    assert {name: len(s) for name, s in loaded.splits.items()} == {"train": 48, "validation": 12, "test": 20}
    assert loaded.image_shape == (8, 8, 1)


BAD_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "no class names": ({"class_names": None}, "lacks class_names"),
    "no images": ({"x_train": None}, "must hold x_train"),
    "no labels": ({"y_train": None}, "must hold x_train"),
    "images to test on without labels": ({"y_test": None}, "must hold x_train"),
    "floats": ({"x_train": np.zeros((60, 6, 6, 3))}, "must be uint8"),
    "channels first": ({"x_train": np.zeros((60, 3, 6, 6), np.uint8)}, "must have shape"),
    "flat": ({"x_train": np.zeros((60, 108), np.uint8)}, "must have shape"),
    "none": ({"x_train": np.zeros((0, 6, 6, 3), np.uint8)}, "must have shape"),
    "too few labels": ({"y_train": np.zeros(59, int)}, "one integer label an image"),
    "one-hot labels": ({"y_train": np.eye(4, dtype=int)[[0] * 60]}, "one integer label an image"),
    "labels as floats": ({"y_train": np.zeros(60)}, "one integer label an image"),
    "a label too large": ({"y_train": np.full(60, 4)}, "between 0 and 3"),
    "a label below 0": ({"y_test": np.full(20, -1)}, "between 0 and 3"),
    "one class": ({"class_names": ["a"]}, "at least two"),
    "one string of names": ({"class_names": np.array("abcd")}, "class_names"),
    "other sizes": ({"x_test": np.zeros((20, 8, 8, 3), np.uint8)}, "one size"),
    "objects": ({"class_names": np.array([b"a", {}], object)}, "cannot be read"),
    "images as objects": ({"x_train": np.array([None] * 60, object)}, "cannot be read"),
    "no validation": ({"x_test": None, "y_test": None}, "no validation examples"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays(case: str, tmp_path: Path) -> None:
    changes, sentence = BAD_ARRAYS[case]
    path = write_npz(tmp_path / "bad.npz", **changes)
    with pytest.raises(RunError, match=sentence) as caught:
        data.load(str(path))
    assert_one_sentence(caught.value)


def not_a_zip(path: Path) -> None:
    path.write_bytes(b"hello")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def a_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"x_train": 1}))


def a_single_array(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def flipped_bytes(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for i in range(200, len(raw) - 2000, 7):
        raw[i] ^= 255
    path.write_bytes(bytes(raw))


@pytest.mark.parametrize("damage", [not_a_zip, truncated, empty, a_pickle, a_single_array, flipped_bytes])
def test_damaged_files(damage: Any, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "bad.npz")
    damage(path)
    with pytest.raises(RunError, match="cannot be read") as caught:
        data.load(str(path))
    assert_one_sentence(caught.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    for name in (str(tmp_path / "none.npz"), "cifar11", str(tmp_path / "none")):
        with pytest.raises(RunError, match="There is no data set"):
            data.load(name)
    (tmp_path / "images.zip").touch()
    with pytest.raises(RunError, match=r"images.zip is no data set: .* a directory with train/ .unpacked"):
        data.load(str(tmp_path / "images.zip"))


def test_a_download_that_fails_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.error

    import torchvision

    for error in (
        urllib.error.URLError("no route"),
        RuntimeError("File not found or corrupted."),
        OSError(28),
    ):

        def fail(root: str, *args: object, error: Exception = error, **kwargs: object) -> None:
            (Path(root) / "CIFAR" / "raw").mkdir(parents=True, exist_ok=True)
            raise error

        monkeypatch.setattr(torchvision.datasets, "CIFAR100", fail)
        with pytest.raises(RunError, match=r"put cifar100\.npz there or name its place") as caught:
            data.load("cifar100", data_dir=tmp_path / "data")
        assert_one_sentence(caught.value)
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "data" / "mine").mkdir(parents=True)
        with pytest.raises(RunError, match=r"put cifar100\.npz there"):
            data.load("cifar100", data_dir=tmp_path / "data")
        assert [p.name for p in (tmp_path / "data").rglob("*")] == ["mine"]  # empty, and not the download's
        (tmp_path / "data" / "mine").rmdir()
        (tmp_path / "data").rmdir()


def test_torchvision_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    parts = {True: make(60, side=8), False: make(20, side=8, seed=1)}

    class Fake:
        classes = tuple("abcd")

        def __init__(self, root: str, train: bool, download: bool):
            assert (root, download) == (str(tmp_path), True)
            self.data, self.targets = parts[train][0], parts[train][1].tolist()

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", Fake)
    monkeypatch.setattr(data, "HOLD_OUT", data.HOLD_OUT | {"cifar10": 8})
    loaded = data.load("cifar10", data_dir=tmp_path)
    assert {name: len(s) for name, s in loaded.splits.items()} == {"train": 52, "validation": 8, "test": 20}
    test = loaded.splits["test"]
    assert np.array_equal(parts[False][0][test.indices], test.images)
