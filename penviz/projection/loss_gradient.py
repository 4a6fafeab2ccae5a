"""Down the gradient of the loss, from an example in the plane of three templates: W^T (q - p).

With p the softmax restricted to the three classes and q the targets of an example restricted to them (and
divided by their sum), the loss among the three is L = -sum_j q_j ln p_j. Its gradient in the logits is p - q.
Logit differences are xy @ R + offset (`Plane`), and the components of p - q sum to 0, so that

    -dL/dxy = R @ (q - p)[1:] = basis @ sum_j (q_j - p_j) w_j

which is the steepest descent on the activation itself: it lies in the plane, whatever the activation holds
off it. It vanishes where p = q only, because R is regular: under smoothing at the ideal point (the logit gap
of i and j is ln q_i / q_j there, in restricted targets as in full ones), under hard targets nowhere.

Axis letters: D width of a template, m arrows.
Source: derivative of the softmax cross-entropy; Müller et al. 2019, section 1.1, for the targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.projection.plane import Plane

Float = NDArray[np.float64]
Limits = tuple[float, float, float, float]

ARROWS = 13
"""Arrows on a side of the panel."""

LONGEST = 0.85
"""Length of the strongest pull, in cells of the arrows' grid."""

ROOT = 0.25
"""Arrows are as long as the pull to this power, because pulls span orders of magnitude."""

SHORTEST = 0.2
"""Share of the longest that an arrow has at least: a small pull has a direction too. Only 0 has no arrow."""


def restricted_targets(ideal: Float | None) -> Float:
    """Targets [3, 3] among the three classes, row i for an example of class i; hard ones without `ideal`.

    Args:
        ideal: [3, 3] restricted probabilities at the three ideal points (`Plane.restricted_probs`): at the
            optimum the probabilities are the targets.
    """
    return np.eye(3) if ideal is None else np.asarray(ideal, np.float64)


def pull(plane: Plane, xy: ArrayLike, targets: ArrayLike) -> Float:
    """Steepest descent [..., 2] of the loss among the three classes, in nats a feature unit.

    Args:
        plane: of the three templates; xy: [..., 2] coordinates in feature units.
        targets: [..., 3] probabilities of the three classes; divided by their sum.
    """
    q = np.asarray(targets, np.float64)
    q = q / q.sum(axis=-1, keepdims=True)
    return np.asarray((q - plane.restricted_probs(xy))[..., 1:] @ plane.R.T, np.float64)


@dataclass(frozen=True)
class Arrows:
    """A field of arrows: at each place the pull on an example of the class that is most probable there.

    Attributes:
        ends: [m, 2, 2] start and tip of each arrow, drawn units.
        labels: [m] position of the class (0, 1, 2).
        strengths: [m] the pull over the longest side of the triangle of templates, in [0, 1]: 1 is what an
            example feels whose class is the least probable. Lengths go with strength ** ROOT.
    """

    ends: Float
    labels: NDArray[np.int64]
    strengths: Float

    @classmethod
    def over(cls, plane: Plane, limits: Limits, unit: float, targets: ArrayLike, n: int = ARROWS) -> Arrows:
        """Arrows at the centres of n by n cells of the limits.

        Args:
            plane: of the three templates; limits: (x0, x1, y0, y1) in drawn units; unit: feature units per
                drawn unit; targets: [3, 3] among the three classes (`restricted_targets`).
        """
        x0, x1, y0, y1 = limits
        centres = (np.arange(n) + 0.5) / n
        x, y = np.meshgrid(x0 + (x1 - x0) * centres, y0 + (y1 - y0) * centres)
        places = np.column_stack([x.ravel(), y.ravel()])
        labels = plane.restricted_probs(places * unit).argmax(axis=1)
        way = pull(plane, places * unit, np.asarray(targets, np.float64)[labels])
        size = np.hypot(way[:, 0], way[:, 1])
        triangle = np.column_stack([plane.R[:, 0], plane.R[:, 1], plane.R[:, 1] - plane.R[:, 0]])
        strengths = np.minimum(size / np.hypot(*triangle).max(), 1.0)
        length = np.where(size > 0, np.maximum(strengths**ROOT, SHORTEST), 0) * LONGEST * (x1 - x0) / n
        step = way / np.where(size > 0, size, 1)[:, None] * length[:, None] / 2
        return cls(np.stack([places - step, places + step], axis=1), labels.astype(np.int64), strengths)
