"""Which classes stand for all of them, where a number compares every class with every other.

Axis letters: K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST = 1000
"""Classes whose pairs are all compared; of more a seeded sample of so many is."""


def class_sample(classes: ArrayLike, seed: int = 0) -> NDArray[np.int64]:
    """Rows of the classes to compare, rising: all of them, or `MOST` drawn with the seed.

    Args:
        classes: rows of those that there are; runs that have the same ones are compared on one sample.
    """
    k = np.asarray(classes, np.int64)
    return k if len(k) <= MOST else np.sort(np.random.default_rng(seed).choice(k, MOST, replace=False))


def sample_words(n_classes: int) -> str:
    """How many of so many classes were compared: "over 1,000 of 10,000 classes, drawn with seed 0", or ""."""
    return f"over {MOST:,} of {n_classes:,} classes, drawn with seed 0" if n_classes > MOST else ""
