"""Moments in one pass over features that are never held together: float32 products, float64 sums.

Every class has a fixed reference, the mean of its first examples. What is multiplied is the distance of
the features from it, so that float32 loses nothing to a mean that lies far from the origin, nor to class
means that lie far apart (shifted data, Chan, Golub & LeVeque 1983). The references cancel out of the result.

Axis letters: n examples, m examples of a piece, d penultimate width, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.collapse.moments import Float, Int, Moments
from penviz.store.float16 import widen

FIRST = 64
"""Examples at most that the reference of a class is the mean of."""

PIECE = 2**24
"""Numbers that are held in float32 at a time: 8,192 rows for d = 2,048."""

CLOSE = 0.01
"""Squared norm, as a share of the reference's, below which an example is measured by itself in float64."""


class MomentSums:
    """Sums over the examples seen so far, in memory of order d (d + K); as `Moments.of` but for rounding.

    Float32 changes a mean by less than 1e-6 of its length or the standard deviation of its class, whichever
    is larger, and scatters by less than 1e-6 of the product of the two standard deviations, for means up to a
    thousand standard deviations.
    """

    def __init__(self, n_classes: int, width: int) -> None:
        self.n_zero = 0
        self._count = np.zeros(n_classes, np.int64)
        self._reference = np.zeros((n_classes, width), np.float32)
        self._reference_square = np.zeros(n_classes)
        self._shift = np.zeros((n_classes, width))
        self._square = np.zeros(n_classes)
        self._unit = np.zeros((n_classes, width))
        self._inverse = np.zeros(n_classes)
        self._product = np.zeros((width, width))
        self._piece = np.empty((max(PIECE // max(width, 1), 1), width), np.float32)

    def add(self, features: NDArray[np.floating], labels: Int) -> None:
        """Take in features [n, d], float16 or float32, with labels [n] in [0, K).

        Rows that stand class by class are read where they lie; others are sorted a piece at a time.
        """
        rows = len(self._piece)
        for start in range(0, len(labels), rows):
            x, k = features[start : start + rows], labels[start : start + rows]
            if (k[1:] < k[:-1]).any():
                order = np.argsort(k, kind="stable")
                x, k = x[order], k[order]
            starts = np.flatnonzero(np.diff(k, prepend=-1))
            shifted = self._piece[: len(k)]
            for a, b in zip(starts, [*starts[1:], len(k)], strict=True):
                self._add_class(int(k[a]), x[a:b], shifted[a:b])
            self._product += shifted.T @ shifted  # a symmetric product, at half the cost of a general one

    def _add_class(self, k: int, x: NDArray[np.floating], y: NDArray[np.float32]) -> None:
        """Take in rows [m, d] of class k; y [m, d] becomes their distance from its reference."""
        widen(x, y)
        if not self._count[k]:
            self._reference[k] = y[:FIRST].astype(np.float64).mean(axis=0)
            self._reference_square[k] = (self._reference[k].astype(np.float64) ** 2).sum()
        reference, reference_square = self._reference[k], self._reference_square[k]
        y -= reference
        square = np.einsum("md,md->m", y, y).astype(np.float64)
        norm_square = square + 2.0 * (y @ reference) + reference_square
        inverse = np.zeros(len(y))
        far = norm_square > CLOSE * reference_square
        inverse[far] = 1 / np.sqrt(norm_square[far])
        if not far.all():
            self._add_close(k, x[~far].astype(np.float64))
        largest = inverse.max()
        scaled = inverse / largest if largest else inverse
        total, weighted = np.stack([np.ones(len(y)), scaled]).astype(np.float32) @ y
        self._count[k] += len(y)
        self._shift[k] += total
        self._square[k] += square.sum()
        self._unit[k] += largest * weighted.astype(np.float64)
        self._inverse[k] += inverse.sum()

    def _add_close(self, k: int, x: Float) -> None:
        """Directions of rows [m, d] that lie close to the origin, where the shift would cost digits."""
        norm = np.sqrt(np.einsum("md,md->m", x, x))
        zero = norm == 0
        self.n_zero += int(zero.sum())
        self._unit[k] += (1 / np.where(zero, 1.0, norm)) @ x

    def moments(self) -> Moments:
        """Moments of all that was added."""
        n = np.maximum(self._count, 1)[:, None]
        mean = self._reference.astype(np.float64)
        unit_mean = mean * self._inverse[:, None]
        unit_mean += self._unit
        unit_mean /= n
        shift = self._shift / n
        mean += shift
        trace = self._square - self._count * np.einsum("kd,kd->k", shift, shift)
        shift *= np.sqrt(self._count)[:, None]
        within = self._product - shift.T @ shift
        return Moments(self._count.copy(), mean, trace, unit_mean, within, self.n_zero)
