"""Which examples are held out: the smallest pixel hashes of each class, in whatever order the rows are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from small_images import key, make, slow_hash, write_npz

from penviz.store.run_config import RunError
from penviz.training import data, data_set


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
