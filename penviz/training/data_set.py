"""A data set in memory: its splits, what identifies its images, and how examples are held out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from penviz.store.run_config import RunError
from penviz.store.safe_text import safe_names

Uint8 = NDArray[np.uint8]

Int64 = NDArray[np.int64]

Parts = dict[str, tuple[Uint8, Int64]]


@dataclass(frozen=True)
class Split:
    """One split in memory.

    Attributes:
        images: [n, height, width, channels] uint8, or `ImageFiles` of that shape.
        labels: [n] int64.
        indices: [n] int64, rows of the source array that the split was taken from.
        hashes: [n] uint64, first 8 bytes of sha256(seed, pixels), ascending within the split.
        dataset_id: name and digest of exactly these images and labels in this order.
    """

    images: Uint8
    labels: Int64
    indices: Int64
    hashes: NDArray[np.uint64]
    dataset_id: str

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class DataSet:
    """Splits of one set of images.

    Attributes:
        name: of the data.
        splits: by name: "train", and "validation" or "test" or both.
        class_names: K names.
        held_out_here: "validation" is a part of the training images that penviz set aside, so that a network
            that penviz did not train may have seen it.
        source_id: digest of all images and labels, whatever the seed that parted them (`source_digest`).
    """

    name: str
    splits: dict[str, Split]
    class_names: tuple[str, ...]
    held_out_here: bool = False
    source_id: str = ""

    @property
    def unseen(self) -> tuple[str, ...]:
        """Splits that a network of any origin has not been trained on, the one to judge it on first."""
        names = ("test",) if self.held_out_here else ("validation", "test")
        return tuple(name for name in names if name in self.splits)

    @property
    def judged_on(self) -> str:
        """Split on which a network is judged: one that it has not seen, where there is one."""
        return next((name for name in (*self.unseen, "validation") if name in self.splits), "train")

    @property
    def shown(self) -> tuple[str, ...]:
        """Splits that stand side by side: train, and the one that a network is judged on."""
        return tuple(name for name in dict.fromkeys(("train", self.judged_on)) if name in self.splits)

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", safe_names(self.class_names))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        height, width, channels = next(iter(self.splits.values())).images.shape[1:]
        return height, width, channels


def pixel_hashes(images: Uint8, seed: int) -> NDArray[np.uint64]:
    """First 8 bytes, big-endian, of sha256(seed as 8 little-endian bytes, pixels): [n, ...] -> [n] uint64."""
    prefix = hashlib.sha256(seed.to_bytes(8, "little"))
    hashes = np.empty(len(images), np.uint64)
    for row, image in enumerate(np.ascontiguousarray(images)):
        digest = prefix.copy()
        digest.update(image.data)
        hashes[row] = int.from_bytes(digest.digest()[:8], "big")
    return hashes


def fingerprint(images: Uint8) -> str:
    """16 hex digits that identify a set of images whatever the order of its rows."""
    return _digest(pixel_hashes(images, 0))


def _digest(hashes: NDArray[np.uint64]) -> str:
    return hashlib.sha256(np.sort(hashes).astype(">u8").tobytes()).hexdigest()[:16]


def source_digest(parts: Parts, hashes: NDArray[np.uint64] | None = None) -> str:
    """16 hex digits that identify images and labels, whatever the order of the rows.

    Args:
        parts: name -> (images, labels), before any example is held out; hashes: [n] of "train" by seed 0,
            where they are known.
    """
    digest = hashlib.sha256()
    for name, (images, labels) in sorted(parts.items()):
        own = hashes if hashes is not None and name == "train" else pixel_hashes(images, 0)
        order = np.lexsort((labels, own))
        digest.update(name.encode() + own[order].astype(">u8").tobytes())
        digest.update(labels[order].astype(">i8").tobytes())
    return digest.hexdigest()[:16]


def hold_out(labels: Int64, hashes: NDArray[np.uint64], n: int) -> NDArray[np.bool_]:
    """Mask [n_all] of n examples, stratified, the smallest hashes of each class.

    Classes share n in proportion to their size (largest remainders first, ties to the smaller label), so
    10,000 of CIFAR-10 are 1,000 a class.

    Raises:
        RunError: n is not below the number of examples, or leaves a class without a training example.
    """
    counts = np.bincount(labels)
    if not 0 < n < len(labels):
        raise RunError(f"Cannot hold out {n} of {len(labels)} training examples.")
    exact = counts * (n / len(labels))
    quota = np.floor(exact).astype(int)
    for label in np.argsort(quota - exact, kind="stable")[: n - quota.sum()]:
        quota[label] += 1
    if (quota[counts > 0] >= counts[counts > 0]).any():
        raise RunError(f"Holding out {n} examples would leave a class without training examples.")
    mask = np.zeros(len(labels), bool)
    for label, wanted in enumerate(quota):
        rows = np.flatnonzero(labels == label)
        mask[rows[np.argsort(hashes[rows], kind="stable")[:wanted]]] = True
    return mask


def first_share(dataset: DataSet, share: float) -> DataSet:
    """The same data set with a share of its training split: of each class the first in hash order.

    At least one example a class. Which ones they are depends on the seed of the hashes alone, so that all
    runs of a seed see the same, and a smaller share lies within a larger one.
    """
    if share == 1:
        return dataset
    train = dataset.splits["train"]
    kept = []
    for label in np.unique(train.labels):
        rows = np.flatnonzero(train.labels == label)
        kept.append(rows[: max(1, round(share * len(rows)))])
    rows = np.sort(np.concatenate(kept))
    part = _split(
        dataset.name, train.images[rows], train.labels[rows], train.indices[rows], train.hashes[rows]
    )
    return replace(dataset, splits={**dataset.splits, "train": part})


def _split(name: str, images: Uint8, labels: Int64, indices: Int64, hashes: NDArray[np.uint64]) -> Split:
    order = np.lexsort((labels, hashes))
    if (order[1:] < order[:-1]).any():  # else they are in order: no second copy of the images
        images, labels, indices, hashes = images[order], labels[order], indices[order], hashes[order]
    digest = hashlib.sha256(hashes.astype(">u8").tobytes() + labels.astype(">i8").tobytes())
    return Split(images, labels, indices, hashes, f"{name}:{digest.hexdigest()[:16]}")
