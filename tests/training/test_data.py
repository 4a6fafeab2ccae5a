from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_images import assert_one_sentence, key, make, write_folder

from penviz.store.run_config import RunError
from penviz.training import data, data_set


def write_npz(path: Path, **changes: Any) -> Path:
    x, y = make(60)
    x_test, y_test = make(20, seed=1)
    arrays = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test, "class_names": list("abcd")}
    arrays |= changes
    np.savez_compressed(path, **{k: np.asarray(v) for k, v in arrays.items() if v is not None})
    return path


def slow_hash(seed: int, image: np.ndarray) -> int:
    """First 8 bytes, big-endian, of sha256(seed as 8 bytes, the pixels row by row)."""
    digest = hashlib.sha256()
    for i in range(8):
        digest.update(bytes([seed >> (8 * i) & 255]))
    for value in image.ravel():
        digest.update(bytes([int(value)]))
    return int(digest.hexdigest()[:16], 16)


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


# The held-out split.


@pytest.mark.parametrize("seed", [0, 7])
def test_hashes_by_brute_force(seed: int) -> None:
    images, _ = make(5)
    assert data_set.pixel_hashes(images, seed).tolist() == [slow_hash(seed, image) for image in images]


def test_the_smallest_hashes_of_each_class_are_held_out() -> None:
    images, _ = make(40)
    labels = np.repeat(np.arange(4), 10)
    hashes = [slow_hash(3, image) for image in images]
    expected = {
        row
        for label in range(4)
        for row in sorted((r for r in range(40) if labels[r] == label), key=lambda r: hashes[r])[:3]
    }
    mask = data_set.hold_out(labels, data_set.pixel_hashes(images, 3), 12)
    assert set(np.flatnonzero(mask)) == expected
    assert set(np.flatnonzero(data_set.hold_out(labels, data_set.pixel_hashes(images, 4), 12))) != expected


def test_unequal_classes_share_by_largest_remainder() -> None:
    labels = np.repeat([0, 1, 2], [10, 7, 3])
    hashes = np.arange(20, dtype=np.uint64)
    # 6 of 20: 3.0, 2.1, 0.9 -> floors 3, 2, 0, and the one that is left to the largest remainder
    assert Counter(labels[data_set.hold_out(labels, hashes, 6)].tolist()) == {0: 3, 1: 2, 2: 1}
    # 10 of 20: 5, 3.5, 1.5: a tie goes to the smaller label
    assert Counter(labels[data_set.hold_out(labels, hashes, 10)].tolist()) == {0: 5, 1: 4, 2: 1}


@pytest.mark.parametrize("n", [0, 20, 21, -1])
def test_too_many_or_none_to_hold_out(n: int) -> None:
    with pytest.raises(RunError, match="Cannot hold out"):
        data_set.hold_out(np.repeat([0, 1], 10), np.arange(20, dtype=np.uint64), n)


def test_a_class_without_training_examples_is_refused() -> None:
    with pytest.raises(RunError, match="without training examples"):
        data_set.hold_out(np.array([0] * 18 + [1] * 2), np.arange(20, dtype=np.uint64), 19)


def test_the_split_does_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    images, labels = make(80)
    order = np.random.default_rng(5).permutation(80)
    x_test, y_test = make(9, seed=2)
    sets = []
    for name, rows in (("a", np.arange(80)), ("b", order)):
        write_npz(tmp_path / name, x_train=images[rows], y_train=labels[rows], x_test=x_test, y_test=y_test)
        sets.append(data.load(str(tmp_path / f"{name}.npz"), n_hold_out=20))
    a, b = sets
    assert len(a.splits["validation"]) == 20
    for split in ("train", "validation", "test"):
        assert np.array_equal(a.splits[split].images, b.splits[split].images)
        assert np.array_equal(a.splits[split].labels, b.splits[split].labels)
        assert a.splits[split].dataset_id.split(":")[1] == b.splits[split].dataset_id.split(":")[1]
    assert not np.array_equal(a.splits["train"].indices, b.splits["train"].indices)
    assert {key(i) for i in a.splits["test"].images} == {key(i) for i in x_test}
    other = data.load(str(tmp_path / "a.npz"), n_hold_out=20, seed=1)
    assert {key(i) for i in other.splits["validation"].images} != {
        key(i) for i in a.splits["validation"].images
    }


def test_indices_are_rows_of_the_source_and_hashes_ascend(tmp_path: Path) -> None:
    images, labels = make(80)
    path = write_npz(tmp_path / "own.npz", x_train=images, y_train=labels)
    loaded = data.load(str(path), n_hold_out=20, seed=2)
    seen: list[int] = []
    for name in ("train", "validation"):
        split = loaded.splits[name]
        assert np.array_equal(images[split.indices], split.images)
        assert np.array_equal(labels[split.indices], split.labels)
        assert split.hashes.tolist() == sorted(slow_hash(2, image) for image in split.images)
        seen += split.indices.tolist()
    assert sorted(seen) == list(range(80))
    test = loaded.splits["test"]
    assert np.array_equal(np.load(path)["x_test"][test.indices], test.images)


def test_dataset_id_names_exactly_these_examples(tmp_path: Path) -> None:
    images, labels = make(60)[0], np.zeros(60, int)
    ids = set()
    for change in ("none", "pixel", "label", "fewer"):
        x, y = images.copy(), labels.copy()
        if change == "pixel":
            x[7, 0, 0, 0] ^= 1
        elif change == "label":
            y[7] = (y[7] + 1) % 4
        elif change == "fewer":
            x, y = x[:-1], y[:-1]
        write_npz(tmp_path / "own", x_train=x, y_train=y)
        ids.add(data.load(str(tmp_path / "own.npz")).splits["train"].dataset_id)
    assert len(ids) == 4


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
