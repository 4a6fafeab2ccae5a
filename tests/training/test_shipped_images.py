"""The test images that come with the package: which they are, and that they are what their labels say."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

from penviz.store.activations import Activations
from penviz.store.run_config import RunError
from penviz.store.runs import activations_path, read_run
from penviz.training import checkpoints, data, data_set, evaluate, shipped_images
from penviz.training.data import load_published
from reproduction.test_images import choose

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
HUNDRED = "cifar100-compact-75-soft"


@pytest.mark.parametrize(
    ("name", "k", "shipped"),
    [("cifar10-1000", 10, "cifar10-alexnet-hard"), ("cifar100-1000", 100, HUNDRED)],
)
def test_they_are_a_thousand_of_the_test_images_with_the_classes_of_a_shipped_run(
    name: str, k: int, shipped: str
) -> None:
    dataset, run = load_published(name), read_run(CHECKPOINTS / shipped)
    split = dataset.splits["test"]
    assert dataset.class_names == run.class_names
    assert (dataset.shown, dataset.unseen, dataset.judged_on) == (("test",), ("test",), "test")
    assert np.bincount(split.labels).tolist() == [1000 // k] * k
    assert len(np.unique(split.hashes)) == len(split)


def test_a_shipped_network_is_as_accurate_on_them_as_on_the_whole_test_split() -> None:
    name, run = "cifar10-1000", read_run(CHECKPOINTS / "cifar10-alexnet-hard")
    split = load_published(name).splits["test"]
    found = evaluate.evaluate(checkpoints.load_network(run), split, run.config.crop)["accuracy"]
    whole = run.metrics["test"]["accuracy"]
    assert abs(found - whole) < 2.5 * math.sqrt(whole * (1 - whole) / 1000)
    shuffled = data_set._split(name, split.images, np.roll(split.labels, 1), split.indices, split.hashes)
    wrong = evaluate.evaluate(checkpoints.load_network(run), shuffled, run.config.crop)["accuracy"]
    assert abs(wrong - whole) > 0.3, "wrong labels must be noticed, or this test shows nothing"


def test_those_that_a_shipped_run_holds_have_its_labels_and_accuracy() -> None:
    """The network of CIFAR-100 is shipped without weights: its stored predictions stand in."""
    split, run = load_published("cifar100-1000").splits["test"], read_run(CHECKPOINTS / HUNDRED)
    stored = Activations.load(activations_path(run.directory, "test"))
    _, ours, theirs = np.intersect1d(split.hashes, stored.hashes, return_indices=True)
    assert len(ours) >= 900
    np.testing.assert_array_equal(split.labels[ours], stored.labels[theirs])
    right = (stored.predictions[theirs] == split.labels[ours]).mean()
    whole = run.metrics["test"]["accuracy"]
    assert abs(right - whole) < 2.5 * math.sqrt(whole * (1 - whole) / len(ours))


def test_none_of_them_is_trained_on() -> None:
    with pytest.raises(RunError, match=r"test images alone, .* train on cifar10"):
        data.load("cifar10-1000")


def test_the_choice_by_a_plain_loop_and_the_sheet_without_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (90, 32, 32, 3), np.uint8), np.arange(90) % 2
    train = np.concatenate([rng.integers(0, 256, (6, 32, 32, 3), np.uint8), x[[4, 7]]])
    np.savez(
        tmp_path / "two.npz",
        x_train=train,
        y_train=np.arange(8) % 2,
        x_test=x,
        y_test=y,
        class_names=["a", "b"],
    )
    dataset = load_published(str(tmp_path / "two.npz"))
    images = dataset.splits["test"].images[choose(dataset, 80)]
    expected = []
    for label in (0, 1):
        own = [i for i in range(90) if y[i] == label and i not in (4, 7)]
        own.sort(key=lambda i: hashlib.sha256(bytes(8) + x[i].tobytes()).digest()[:8])
        expected += own[:40]
    np.testing.assert_array_equal(images, x[expected])
    first = data_set.pixel_hashes(x, 0).argsort()  # another order of the source
    np.savez(
        tmp_path / "again.npz",
        x_train=train,
        y_train=np.arange(8) % 2,
        x_test=x[first],
        y_test=y[first],
        class_names=["a", "b"],
    )
    again = load_published(str(tmp_path / "again.npz"))
    np.testing.assert_array_equal(again.splits["test"].images[choose(again, 80)], images)
    sheet = shipped_images.write(images, ("a", "b"), "two", tmp_path / "out")
    assert sheet.read_bytes()[12:16] == b"VP8L", "a lossless WebP"
    monkeypatch.setattr(shipped_images, "TEST_IMAGES", tmp_path / "out")
    monkeypatch.setitem(shipped_images.SHIPPED, "two-80", "two")
    read, labels, names = shipped_images.read("two-80")
    np.testing.assert_array_equal(read, images)
    assert labels.tolist() == [0] * 40 + [1] * 40
    assert names == ("a", "b")
