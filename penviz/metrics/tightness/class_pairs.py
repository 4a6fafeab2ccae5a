"""What the triples of two classes have in common: a number for each pair of classes.

Axis letters: t triples, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def pair_medians(triples: NDArray[np.int64], values: Float, n_classes: int) -> Float:
    """[K, K] symmetric: median value of the triples that hold both classes; NaN where none does.

    Args:
        triples: [t, 3] rising; values: [t], of each; n_classes: K.
    """
    pairs = np.concatenate([triples[:, [0, 1]], triples[:, [0, 2]], triples[:, [1, 2]]])
    keys, repeated = pairs[:, 0] * n_classes + pairs[:, 1], np.tile(values, 3)
    order = np.lexsort((repeated, keys))
    found, first, count = np.unique(keys[order], return_index=True, return_counts=True)
    ranked = repeated[order]
    medians = (ranked[first + (count - 1) // 2] + ranked[first + count // 2]) / 2
    matrix = np.full((n_classes, n_classes), np.nan)
    matrix.flat[found] = medians
    symmetric: Float = np.fmax(matrix, matrix.T)
    return symmetric
