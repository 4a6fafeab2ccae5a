"""Moments of the features of each class.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

TOGETHER = 32
"""Examples below which classes are multiplied together: a product costs d² however few there are."""


def class_rows(labels: ArrayLike, n_classes: int, indices: ArrayLike | None = None) -> list[Int]:
    """Rows of each class, K arrays: in the order of their `indices` [n], or of the rows without them."""
    labels = np.asarray(labels, np.int64)
    order = (
        np.argsort(labels, kind="stable") if indices is None else np.lexsort((np.asarray(indices), labels))
    )
    order = order.astype(np.int64)
    ends = np.cumsum(np.bincount(labels, minlength=n_classes)).tolist()
    return [order[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def within_scatter(
    features: NDArray[np.floating], rows: Sequence[Int], mean: Float, weight: Float | None = None
) -> Float:
    """[d, d] sum over all examples of the outer product of x - mean, times the weight of its class.

    Args:
        features: [n, d]; rows: of each class; mean: [K, d].
        weight: [K] of x - mean, so that products have its square; 1 without.
    """
    within = np.zeros((features.shape[1],) * 2)
    group: list[int] = []
    held = 0
    for k, own in enumerate(rows):
        group.append(k)
        held += len(own)
        if k + 1 < len(rows) and held < TOGETHER:
            continue
        labels = np.repeat(group, [len(rows[j]) for j in group])
        part = features[np.concatenate([rows[j] for j in group])].astype(np.float64)
        part -= mean[labels]
        if weight is not None:
            part *= weight[labels, None]
        within += part.T @ part
        group, held = [], 0
    return within


@dataclass(frozen=True)
class Moments:
    """What the numbers over all classes need of the features.

    Attributes:
        count: [K] examples; 0 is allowed.
        mean: [K, d] class means, 0 for an empty class.
        trace: [K] sum of squared distances to the class mean (trace of the scatter), feature units squared.
        unit_mean: [K, d] mean of the features divided by their norm.
        within: [d, d] pooled within scatter, the sum over all examples of the outer product of x - mean;
            [0, 0] where it was not asked for.
        n_zero: examples of norm 0, whose direction is undefined; they count as 0 in `unit_mean`.
    """

    count: Int
    mean: Float
    trace: Float
    unit_mean: Float
    within: Float
    n_zero: int = 0

    @classmethod
    def of(
        cls,
        features: ArrayLike,
        labels: ArrayLike,
        n_classes: int,
        rows: Sequence[Int] | None = None,
        *,
        scatter: bool = True,
    ) -> Moments:
        """Moments of features in memory, all in float64; `moment_sums` has those of larger ones.

        Args:
            features: [n, d]; labels: [n] in [0, K); n_classes: K; rows: from `class_rows`, to save a sort.
            scatter: whether `within` is wanted, which costs most.
        """
        x = np.asarray(features)
        if rows is None:
            rows = class_rows(labels, n_classes)
        d = x.shape[1]
        mean, unit_mean = np.zeros((n_classes, d)), np.zeros((n_classes, d))
        trace, n_zero = np.zeros(n_classes), 0
        for k, r in enumerate(rows):
            if not len(r):
                continue
            part = x[r].astype(np.float64)
            norm = np.sqrt(np.einsum("nd,nd->n", part, part))
            zero = norm == 0
            n_zero += int(zero.sum())
            unit_mean[k] = (1 / np.where(zero, 1.0, norm)) @ part / len(r)
            mean[k] = part.mean(axis=0)
            part -= mean[k]
            trace[k] = np.einsum("nd,nd->", part, part)
        within = within_scatter(x, rows, mean) if scatter else np.zeros((0, 0))
        count = np.array([len(r) for r in rows], np.int64)
        return cls(count, mean, trace, unit_mean, within, n_zero)
