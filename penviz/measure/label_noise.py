"""Wrong labels on purpose: which training examples were given another class, and which one.

Nothing of it is stored. What an example was given follows from its pixels, hashed with the seed, and
its true label, so that a run's activations keep the true labels and a page still knows what it was told.

Axis letters: n examples, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
UInt = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)


def mixed(hashes: UInt, stream: int) -> UInt:
    """Hashes [n] turned into other uniform ones [n]; each stream gives independent ones.

    The hashes of a training split are not uniform by themselves: validation examples are the smallest.

    Source: Steele, Lea & Flood 2014 (the finaliser of SplitMix64).
    """
    with np.errstate(over="ignore"):
        z = np.asarray(hashes, np.uint64) + _STEP * np.uint64(stream + 1)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def given_labels(labels: Int, hashes: UInt, n_classes: int, noise: float) -> Int:
    """What each example was said to be: another class with a probability, all others alike.

    Args:
        labels: y [n], the true classes.
        hashes: [n] of the pixels and the seed (learn/data.py).
        n_classes: K.
        noise: probability of another class, in [0, 1).

    Returns:
        [n]; equal to the true label where the draw left it alone.

    Source: symmetric noise that leaves out the true class (Zhang et al. 2017, partially corrupted labels,
    draws over all K; here a replaced label is always wrong).
    """
    y = np.asarray(labels, np.int64)
    if noise == 0:
        return y
    draw = mixed(hashes, 0).astype(np.float64) / 2.0**64
    shift = 1 + (mixed(hashes, 1) % np.uint64(n_classes - 1)).astype(np.int64)
    return np.where(draw < noise, (y + shift) % n_classes, y)
