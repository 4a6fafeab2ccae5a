"""How far an example is on the right side: in logits, and as a distance to the nearest decision boundary.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from penviz.activations import Activations
from penviz.measure.moments import class_rows
from penviz.measure.tightness import ratio

Float = NDArray[np.float64]


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
    largest = np.linalg.norm(weight, axis=1).max()
    margin, geometric = np.full(len(a), np.nan), np.full(len(a), np.nan)
    for k, rows in enumerate(class_rows(a.labels, len(weight))):
        if not len(rows):
            continue
        z = np.asarray(head.logits(a.features[rows]), np.float64)
        ahead = np.delete(z[:, [k]] - z, k, axis=1)
        apart = np.linalg.norm(np.delete(weight, k, axis=0) - weight[k], axis=1)
        apart[apart < 1e-12 * largest] = 0
        margin[rows] = ahead.min(axis=1)
        geometric[rows] = np.fmin.reduce(ratio(ahead, apart), axis=1)
    return margin, geometric
