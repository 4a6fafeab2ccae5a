"""Activations of a split on disk: batches dealt to the ranks become one file, or shards.

What is written does not depend on the number of ranks. Batches are whole ones of a fixed size, so that each
goes through the network with the same others whoever runs it; a shard is a fixed range of batches.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from penviz.store.runs import activations_path, shards_path
from penviz.store.shard_files import shard_ready, write_shard
from penviz.store.shards import LARGEST_FILE, ROWS, ShardedActivations
from penviz.store.write_shards import Examples, finish
from penviz.training.ranks import ALONE, Ranks

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Features [b, d] and predictions [b] of a batch."""

Forward = Callable[[Sequence[slice]], Iterator[Batch]]
"""Runs some batches, given by their rows, one after another."""


@dataclass(frozen=True)
class Storage:
    """How the activations of a split are stored.

    Attributes:
        ranks: the processes that share the work; rank 0 joins what they did.
        sharded: shards even where one file would do.
        half: features as float16, which loses digits.
        rows: of a shard at most; it holds whole batches.
    """

    ranks: Ranks = ALONE
    sharded: bool = False
    half: bool = False
    rows: int = ROWS

    def in_shards(self, n: int, width: int) -> bool:
        """Whether n features of some width are kept in shards."""
        return self.sharded or 4 * n * width > LARGEST_FILE


ONE_FILE = Storage()


@dataclass(frozen=True)
class ExtractOptions:
    """Which examples of a run are stored, and how.

    Attributes:
        splits: which; validation and test are always whole.
        per_class: training examples a class, 0 for all.
        thumbnail_quality: of the lossy WebP sprite, 1 to 100; 0 for no thumbnails.
        device: as of `TrainOptions`; storage: one file or shards, and the ranks that share the work.
    """

    splits: tuple[str, ...] = ("train", "validation")
    per_class: int = 1000
    thumbnail_quality: int = 35
    device: str = "auto"
    storage: Storage = ONE_FILE


DEFAULTS = ExtractOptions()


def write_split(
    directory: Path,
    examples: Examples,
    batches: Sequence[slice],
    width: int,
    forward: Forward,
    storage: Storage,
) -> Path | None:
    """Run the network over a split and write its activations; all ranks come here.

    Args:
        directory: of the run, which every rank sees.
        examples: of the split; batches: rows of each batch, in order; width: d.
        forward: runs the network; storage: how to store.

    Returns:
        The file of activations, or the directory of shards, on rank 0; None on the others.

    Raises:
        ActivationsError: features that float16 cannot hold, or that are not finite.
    """
    if storage.in_shards(len(examples.labels), width):
        return _write_shards(directory, examples, batches, forward, storage)
    return _write_file(directory, examples, batches, width, forward, storage)


def _write_file(
    directory: Path,
    examples: Examples,
    batches: Sequence[slice],
    width: int,
    forward: Forward,
    storage: Storage,
) -> Path | None:
    ranks = storage.ranks
    n = len(examples.labels)
    features, predictions = np.empty((n, width), np.float32), np.empty(n, np.int64)
    for rows, (h, predicted) in zip(
        batches[ranks.rank :: ranks.size], forward(batches[ranks.rank :: ranks.size]), strict=True
    ):
        features[rows], predictions[rows] = h, predicted
    for sender in range(1, ranks.size):
        for rows in batches[sender :: ranks.size]:
            ranks.hand_over(torch.from_numpy(features[rows]), sender)
            ranks.hand_over(torch.from_numpy(predictions[rows]), sender)
    if not ranks.first:
        return None
    path = activations_path(directory, examples.split)
    examples.activations(features, predictions, slice(None)).save(path, half=storage.half)
    shutil.rmtree(shards_path(directory, examples.split), ignore_errors=True)
    return path


def _write_shards(
    directory: Path, examples: Examples, batches: Sequence[slice], forward: Forward, storage: Storage
) -> Path | None:
    e, ranks = examples, storage.ranks
    place = shards_path(directory, e.split)
    source = _source(e, batches, storage)
    ranges = list(_ranges(batches, storage.rows))
    for j in range(ranks.rank, len(ranges), ranks.size):
        if shard_ready(place, j, source):
            continue
        parts = list(forward(ranges[j]))
        rows = slice(ranges[j][0].start, ranges[j][-1].stop)
        features, predictions = (np.concatenate(part) for part in zip(*parts, strict=True))
        seen = e.activations(features, predictions, rows)
        write_shard(place, j, seen, source=source, half=storage.half)
    ranks.wait()
    if not ranks.first:
        return None
    finish(place, len(ranges), e, source=source)
    activations_path(directory, e.split).unlink(missing_ok=True)
    return place


def _ranges(batches: Sequence[slice], rows: int) -> Iterator[Sequence[slice]]:
    """Batches of each shard: as many whole ones as `rows` examples take, at least one."""
    size = max(1, rows // max(1, batches[0].stop - batches[0].start)) if batches else 1
    for first in range(0, len(batches), size):
        yield batches[first : first + size]


def _source(examples: Examples, batches: Sequence[slice], storage: Storage) -> str:
    """What a shard was computed from: weights, examples, batches and digits."""
    e = examples
    digest = hashlib.sha256(e.indices.tobytes() + e.labels.tobytes())
    digest.update(repr((list(batches), storage.rows, e.dataset_id)).encode())
    return f"{e.checkpoint_sha256} {digest.hexdigest()} {'float16' if storage.half else 'float32'}"


def accuracy(directory: Path, split: str) -> dict[str, float]:
    """{"accuracy": top-1 in [0, 1], "n"} of a split in shards, from the predictions that they hold."""
    sharded = ShardedActivations.open(shards_path(directory, split))
    right: Any = sum(int((block.predictions == block.labels).sum()) for block in sharded.blocks())
    return {"accuracy": right / len(sharded), "n": float(len(sharded))}
