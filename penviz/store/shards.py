"""Activations too many for one file: shards on disk, memory-mapped and sorted by class.

A split is a directory: manifest.json, the head once, and a directory a shard. A shard holds a range of the
split; its rows are sorted by class, so that the examples of a class are one slice of it. What a shard holds
depends on its number alone, so that several processes can write shards side by side, in any order.

Axis letters: n examples, m examples of a shard, d penultimate width, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penviz.store.activations import Activations
from penviz.store.float16 import widen
from penviz.store.head import ActivationsError, Head
from penviz.store.runs import MANIFEST
from penviz.store.safe_text import safe_names, safe_text
from penviz.store.shard_files import (
    AGAIN,
    DTYPES,
    EXTRA,
    LOSSY,
    Arrays,
    Int,
    read_arrays,
    read_head,
    read_manifest,
    read_note,
    shard_name,
)

ROWS = 32_768
"""Examples a shard of `shard` has at most."""

LARGEST_FILE = 2**30
"""Bytes of features, as float32, up to which a split is one file unless shards are asked for."""


@dataclass(frozen=True)
class Block:
    """Some rows of one class or several, as they lie on disk.

    Attributes:
        features: [m, d] float32 or float16, a view of the file.
        labels: [m] int64, rising.
        predictions: [m] int64.
    """

    features: NDArray[Any]
    labels: Int
    predictions: Int


@dataclass(frozen=True, eq=False)
class ShardedActivations:
    """One split of one run in shards; attributes as of `Activations`, which `triple` and `load` give.

    Attributes:
        directory: of the split.
        n: examples; width: d; dtype: "float32" (exact) or "float16" (lossy), of the features on disk.
        shards: name, number of examples and digest of each.
        counts: [K] examples stored a class.
        digest: of the manifest, which has those of the shards.
    """

    directory: Path
    class_names: tuple[str, ...]
    run: str
    split: str
    n: int
    width: int
    dtype: str
    head: Head | None
    dataset_id: str
    checkpoint_sha256: str
    predicted_by: str
    total: Int | None
    shards: tuple[tuple[str, int, str], ...]
    counts: Int
    digest: str
    _arrays: tuple[Arrays, ...] = field(repr=False)

    @classmethod
    def open(cls, directory: Path | str) -> ShardedActivations:
        """Read the manifest and map the shards; no features are read.

        Raises:
            ActivationsError: no manifest, another version, or a shard that is missing, damaged, or other than
                the one that the manifest was written for.
        """
        directory = Path(directory)
        manifest = read_manifest(directory)
        with open(directory / MANIFEST, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            names = safe_names(manifest["class_names"])
            n, width, dtype = int(manifest["n"]), int(manifest["width"]), str(manifest["dtype"])
            listed = tuple((str(s["name"]), int(s["n"]), str(s["digest"])) for s in manifest["shards"])
            extra, layers = list(manifest["extra"]), list(manifest["head"])
            total = manifest["total"]
            total = None if total is None else np.array([int(count) for count in total], np.int64)
            words = [safe_text(str(manifest[k])) for k in ("run", "split", "dataset_id", "checkpoint_sha256")]
            predicted_by = str(manifest["predicted_by"])
            fits = layers in ([], ["weight"], ["weight", "bias"]) and dtype in DTYPES
            fits = fits and extra == [name for name in EXTRA if name in extra]
            fits = fits and len(names) > 1 and len(listed) > 0 and sum(m for _, m, _ in listed) == n
            fits = fits and all(name == shard_name(j) for j, (name, _, _) in enumerate(listed))
            if not fits or (total is not None and total.shape != (len(names),)):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ActivationsError(f"{directory.name} has a damaged {MANIFEST}: {AGAIN}.") from None
        arrays = []
        for name, m, digest in listed:
            if read_note(directory / name)["digest"] != digest:
                raise ActivationsError(f"{name} of {directory.name} is not that of its manifest: {AGAIN}.")
            arrays.append(read_arrays(directory / name, m, width, dtype, len(names), extra))
        head = read_head(directory, layers, len(names), width) if layers else None
        counts = np.sum([np.diff(one.offsets) for one in arrays], axis=0)
        run, split, dataset_id, sha = words
        return cls(
            directory, names, run, split, n, width, dtype, head, dataset_id, sha, predicted_by, total, listed,
            counts, sha256, tuple(arrays),
        )  # fmt: skip

    def __len__(self) -> int:
        """n, the number of examples."""
        return self.n

    @property
    def remark(self) -> str:
        """What must be said of the numbers of this split: LOSSY, or "" where they are exact."""
        return LOSSY if self.dtype == "float16" else ""

    def class_totals(self) -> Int:
        """[K] examples a class in the split that these were taken from."""
        return self.counts if self.total is None else self.total

    def held(self) -> list[int]:
        """Classes that have examples, rising."""
        return [int(k) for k in np.flatnonzero(self.counts)]

    def class_slices(self, k: int) -> list[tuple[int, int, int]]:
        """Where the examples of class k lie: (shard, first row, end) of every shard that has some."""
        ends = [(j, int(one.offsets[k]), int(one.offsets[k + 1])) for j, one in enumerate(self._arrays)]
        return [(j, start, end) for j, start, end in ends if end > start]

    def triple(self, classes: Sequence[int]) -> Activations:
        """All examples of some classes, read as one slice a class and shard: [n, d] with n of these alone.

        Rows stand class by class, each class in the order of the split.

        Raises:
            ActivationsError: a class that does not exist, or features that are not finite.
        """
        if any(not 0 <= k < len(self.class_names) for k in classes):
            raise ActivationsError(f"{self.run} has classes 0 to {len(self.class_names) - 1}.")
        found = [(k, at) for k in dict.fromkeys(classes) for at in self.class_slices(k)]
        ends = np.concatenate([[0], np.cumsum([end - start for _, (_, start, end) in found])]).astype(int)
        features = np.empty((ends[-1], self.width), np.float32)
        for (_, (j, start, end)), at in zip(found, ends[:-1], strict=True):
            widen(self._arrays[j].features[start:end], features[at : at + end - start])
        parts = [(k, self._arrays[j], slice(start, end)) for k, (j, start, end) in found]
        return self._activations(
            features,
            _joined([np.full(at.stop - at.start, k) for k, _, at in parts], np.int64),
            _joined([one.predictions[at] for _, one, at in parts], np.int64),
            _joined([one.indices[at] for _, one, at in parts], np.int64),
            self._extra("hashes", [(one, at) for _, one, at in parts]),
            self._extra("confidences", [(one, at) for _, one, at in parts]),
            partial=True,
        )

    def load(self) -> Activations:
        """All examples in the order of the split: the inverse of `shard`, but for digits lost to float16."""
        whole = [(one, slice(0, len(one.indices))) for one in self._arrays]
        starts = np.concatenate([[0], np.cumsum([len(one.indices) for one in self._arrays])])
        back = np.empty(self.n, np.int64)
        features = np.empty((self.n, self.width), np.float32)
        labels = np.empty(self.n, np.int64)
        for one, start in zip(self._arrays, starts, strict=False):
            rows = start + one.order.astype(np.int64)
            features[rows] = one.features.astype(np.float32)
            labels[rows] = _labels(one.offsets, 0, len(rows))
            back[rows] = np.arange(start, start + len(rows))
        hashes, confidences = (self._extra(name, whole) for name in EXTRA)
        return self._activations(
            features,
            labels,
            _joined([one.predictions for one in self._arrays], np.int64)[back],
            _joined([one.indices for one in self._arrays], np.int64)[back],
            None if hashes is None else hashes[back],
            None if confidences is None else confidences[back],
            partial=False,
        )

    def blocks(self, rows: int = 8192, part: int = 0, parts: int = 1) -> Iterator[Block]:
        """All examples a few rows at a time, shard by shard, for one pass that never holds them together.

        Args:
            rows: of a block at most; no block reaches over two shards.
            part, parts: of `parts` processes the one with this number gets shards part, part + parts, ...
        """
        for one in self._arrays[part::parts]:
            for start in range(0, len(one.indices), rows):
                end = min(start + rows, len(one.indices))
                labels = _labels(one.offsets, start, end)
                yield Block(one.features[start:end], labels, one.predictions[start:end].astype(np.int64))

    def _extra(self, name: str, parts: Sequence[tuple[Arrays, slice]]) -> NDArray[Any] | None:
        if getattr(self._arrays[0], name) is None:
            return None
        return _joined([getattr(one, name)[at] for one, at in parts], EXTRA[name])

    def _activations(
        self,
        features: NDArray[np.float32],
        labels: Int,
        predictions: Int,
        indices: Int,
        hashes: NDArray[np.uint64] | None,
        confidences: NDArray[np.float32] | None,
        *,
        partial: bool,
    ) -> Activations:
        return Activations(
            features,
            labels,
            predictions,
            indices,
            self.class_names,
            self.run,
            self.split,
            self.head,
            self.dataset_id,
            self.checkpoint_sha256,
            hashes,
            self.class_totals() if partial else self.total,
            partial,
            self.predicted_by,
            confidences=confidences,
        )


def _joined(parts: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.empty(0, dtype)


def _labels(offsets: Int, start: int, end: int) -> Int:
    """Classes of rows start to end of a shard, [end - start]."""
    ends = np.clip(offsets, start, end)
    inside = ends[1:] - ends[:-1]
    return np.repeat(np.arange(len(inside)), inside)
