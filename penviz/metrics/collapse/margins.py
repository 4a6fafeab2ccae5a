"""How far an example is on the right side: in logits, and as a distance to the nearest decision boundary.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from penviz.store.activations import Activations
from penviz.store.head import row_blocks

Float = NDArray[np.float64]

CLOSE = 1e-4
"""Squared distance of two templates, as a share of their squared norms, below which it is taken directly."""


def margins(activations: Activations) -> tuple[Float, Float]:
    """[n] margin in nats and [n] geometric margin in feature units of the stored examples.

    The margin is z_y - max over j != y of z_j. The geometric margin is the minimum over j != y of
    (z_y - z_j) / ‖w_y - w_j‖: for a right prediction the distance to the nearest decision boundary, for a
    wrong one minus the distance to the farthest of the boundaries that it is beyond. Classes whose template
    is that of y have no boundary with y and are passed over; NaN where no other is left.

    Args:
        activations: with a head of two classes or more.

    Source: margin theory as in Elsayed et al. 2018, equation 3, exact for the last, linear layer.
    """
    a, head = activations, activations.head
    assert head is not None
    weight = np.asarray(head.weight, np.float64)
    centred = weight - weight.mean(axis=0)
    square = np.einsum("kd,kd->k", centred, centred)
    same = (1e-12 * np.linalg.norm(weight, axis=1).max()) ** 2
    margin, geometric = np.full(len(a), np.nan), np.full(len(a), np.nan)
    order = np.argsort(a.labels, kind="stable")  # so that few classes share a block
    for some, z in a.logit_blocks(order):
        rows = order[some]
        y, here = a.labels[rows], np.arange(len(z))
        z -= z[here, y][:, None]
        z[here, y] = -np.inf
        margin[rows] = -z.max(axis=1)
        own, starts = np.unique(y, return_index=True)
        sums = square[own][:, None] + square
        apart = sums - 2 * centred[own] @ centred.T
        i, j = np.nonzero(apart < CLOSE * sums)
        for near in row_blocks(len(i), weight.shape[1]):
            apart[i[near], j[near]] = ((weight[own[i[near]]] - weight[j[near]]) ** 2).sum(axis=1)
        equal = apart <= same
        apart[equal] = 1
        apart = 1 / np.sqrt(apart)
        for part, each, gone in zip(np.split(z, starts[1:]), apart, equal, strict=True):
            part[:, np.flatnonzero(gone)] = -np.inf
            part *= each
        largest = z.max(axis=1)
        geometric[rows] = np.where(np.isneginf(largest), np.nan, -largest)
    return margin, geometric
