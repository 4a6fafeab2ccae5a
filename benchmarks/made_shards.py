"""Synthetic activations of any size, streamed to shards: clusters about random class means, none below 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.store.shard_files import shard_ready, write_shard
from penviz.store.shards import ROWS, ShardedActivations
from penviz.store.write_shards import finish


def make_shards(
    directory: Path, n: int, width: int, n_classes: int, *, half: bool = True, rows: int = ROWS, seed: int = 0
) -> ShardedActivations:
    """Shards of n examples, those that are there already kept; a shard at a time is in memory.

    Features are means plus noise, cut off below 0 as behind a rectifier. The head's rows are the means.
    """
    rng = np.random.default_rng(seed)
    means = rng.standard_normal((n_classes, width), dtype=np.float32) / 2
    head = Head(means * np.float32(10 / width**0.5), np.zeros(n_classes))
    source = f"synthetic {n} {width} {n_classes} {half} {rows} {seed}"
    known = (tuple(f"class {k}" for k in range(n_classes)), "synthetic", "train", head, "synthetic")
    n_shards = -(-n // rows)
    for j in range(n_shards):
        if shard_ready(directory, j, source):
            continue
        rng = np.random.default_rng([seed, j])
        m = min(rows, n - j * rows)
        labels = rng.integers(n_classes, size=m)
        x = rng.standard_normal((m, width), dtype=np.float32)
        x /= 2
        x += means[labels]
        np.maximum(x, 0, out=x)
        wrong = rng.random(m) < 0.2
        guess = np.where(wrong, rng.integers(n_classes, size=m), labels)
        indices = np.arange(j * rows, j * rows + m)
        write_shard(directory, j, Activations(x, labels, guess, indices, *known), source=source, half=half)
    none = Activations(np.zeros((0, width)), *np.zeros((3, 0), np.int64), *known)
    return finish(directory, n_shards, none, source=source)
