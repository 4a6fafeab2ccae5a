"""Tightness of all triples of classes over a training, and how long the network had fitted its data by then.

Axis letters: S epochs kept, E epochs trained, t triples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.tightness.tightness import ratio
from penviz.metrics.tightness.triples import TripleMoments
from penviz.store.activations import Activations

Float = NDArray[np.float64]

FIT = 0.99
"""Share of the training examples that a network is right about when it is said to fit them."""

MULTIPLES = (1, 2, 5, 10)
"""Multiples of the time to fit at which two trainings are compared."""


def triples_over_epochs(frames: Sequence[Activations], bias: bool = True) -> Float:
    """rho/d of every triple after each of some epochs, each on the plane of that epoch's own head: [S, t].

    Args:
        frames: the same examples after S epochs, with the head of each; bias: whether templates have it.

    NaN where a triple has no plane, or where its class means coincide.

    Raises:
        ValueError: an epoch without a head.
    """
    found = []
    for a in frames:
        if a.head is None:
            raise ValueError("Triples over a training need the head of every epoch.")
        rows = class_rows(a.labels, len(a.class_names), a.indices)
        found.append(TripleMoments.of(a.head, a.features, rows).rho_d(a.head.templates(bias)))
    return np.array(found)


def quartiles(values: ArrayLike) -> Float:
    """Lower quartile, median and upper quartile over the last axis, NaN left out: [..., 3]."""
    return np.moveaxis(np.nanpercentile(np.asarray(values, np.float64), (25, 50, 75), axis=-1), 0, -1)


def relative_change(before: ArrayLike, after: ArrayLike) -> Float:
    """after / before - 1, value by value."""
    return ratio(after, before) - 1


def time_to_fit(accuracy: ArrayLike, share: float = FIT) -> int | None:
    """The first epoch, counted from 1, in which a network is right about a share of the training examples.

    Args:
        accuracy: [E] of each epoch, over the training examples as they were seen in it.

    None where no epoch comes so far.
    """
    reached = np.flatnonzero(np.asarray(accuracy, np.float64) >= share)
    return int(reached[0]) + 1 if len(reached) else None


def nearest_epoch(epochs: Sequence[int], wanted: float) -> int | None:
    """Position of the kept epoch whose logarithm is nearest to that of a wanted one; None beyond the last."""
    if not len(epochs) or wanted > epochs[-1]:
        return None
    return int(np.abs(np.log(np.asarray(epochs, np.float64)) - np.log(wanted)).argmin())
