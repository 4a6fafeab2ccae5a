"""Which examples are drawn: by a hash of seed and index, whatever the row order and the other classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def sample_keys(indices: ArrayLike, seed: int) -> NDArray[np.uint64]:
    """[n] pseudo-random keys, one an example: splitmix64 of the index, from the seed's start."""
    start = (seed * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % 2**64
    x = np.asarray(indices).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def draw(indices: ArrayLike, n: int, seed: int) -> NDArray[np.int64]:
    """Positions [min(n, len)] of the n examples with the smallest keys, by rising key.

    Runs that hold the same examples draw the same ones; a smaller n draws the first of a larger n.
    """
    keys = sample_keys(indices, seed)
    n = max(n, 0)
    if n >= len(keys):
        return np.argsort(keys, kind="stable").astype(np.int64)
    if n == 0:
        return np.zeros(0, np.int64)
    last = np.partition(keys, n - 1)[n - 1]  # the whole order of a hundred thousand is not needed
    first = np.flatnonzero(keys <= last)
    return first[np.argsort(keys[first], kind="stable")][:n].astype(np.int64)
