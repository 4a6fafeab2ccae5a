"""How tight clusters are: of three classes in their plane, and of all classes in feature space.

Axis letters: n examples, d penultimate width, K classes; "..." any leading axes (one set of numbers each).
Scale-free numbers stand beside absolute ones, because soft targets shrink the whole picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.class_sample import class_sample
from penviz.metrics.collapse.moments import Moments
from penviz.projection.plane import PAIRS

Float = NDArray[np.float64]

SURE = 0.9
"""Restricted probability of the own class below which an example counts as spread towards the centre."""

ROUNDING = 1e-13
"""Distances below this share of the coordinates are rounding."""


def ratio(above: ArrayLike, below: ArrayLike) -> Float:
    """above / below, NaN where below is 0."""
    a, b = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    out = np.full(a.shape, np.nan)
    divided: Float = np.divide(a, b, out=out, where=b != 0)
    return divided


@dataclass(frozen=True)
class Clusters:
    """Three clusters in the plane, by the sums that all numbers of the triple follow from.

    Attributes:
        count: [..., 3] examples.
        mean: [..., 3, 2] class means, feature units.
        scatter: [..., 3] sum of squared distances to the own class mean, feature units squared.
    """

    count: Float
    mean: Float
    scatter: Float

    @classmethod
    def of(cls, points: Sequence[Float]) -> Clusters:
        """From the in-plane coordinates of the three classes, three arrays [n_k, 2], none empty."""
        mean = np.array([p.mean(axis=0) for p in points])
        scatter = np.array([((p - m) ** 2).sum() for p, m in zip(points, mean, strict=True)])
        return cls(np.array([len(p) for p in points], np.float64), mean, scatter)

    def class_rho(self) -> Float:
        """[..., 3] radius of each class: sqrt of the mean squared distance to the own class mean."""
        return np.sqrt(self.scatter / self.count)

    def rho(self) -> Float:
        """[...] radius: sqrt of the mean over the three classes of the mean squared distance."""
        radius: Float = np.sqrt((self.scatter / self.count).mean(axis=-1))
        return radius

    def sides(self) -> Float:
        """[..., 3] distances between the class means, in the order of PAIRS."""
        return self._sides

    @cached_property
    def _sides(self) -> Float:
        i, j = np.array(PAIRS).T
        gap = self.mean[..., i, :] - self.mean[..., j, :]
        return np.hypot(gap[..., 0], gap[..., 1])

    def distance(self) -> Float:
        """[...] mean of the three distances between class means; 0 where they differ by rounding only."""
        return self._distance

    @cached_property
    def _distance(self) -> Float:
        distance = self.sides().mean(axis=-1)
        return np.where(distance > ROUNDING * np.abs(self.mean).max(axis=(-1, -2)), distance, 0.0)

    def rho_d(self) -> Float:
        """[...] radius over distance, the headline; NaN where the class means coincide.

        Free of the unit of the coordinates. Not of h -> s h, W -> W / s where the bias is a coordinate of the
        templates: that turns the plane, because the appended 1 stays as it is.
        """
        return ratio(self.rho(), self.distance())

    def within_total(self) -> Float:
        """[...] within over total scatter in [0, 1], every class weighing the same."""
        within = self.rho() ** 2
        centred = self.mean - self.mean.mean(axis=-2, keepdims=True)
        return ratio(within, within + (centred**2).sum(axis=-1).mean(axis=-1))

    def regularity(self) -> Float:
        """[...] 1 - std / mean of the three sides (std over 3, not 2): 1 for a regular triangle."""
        return 1 - ratio(self.sides().std(axis=-1), self.distance())


def towards_centre(probs: Sequence[Float]) -> Float:
    """[3] share of each class whose restricted probability of its own class is below 0.9.

    Args:
        probs: three arrays [n_k, 3], `Plane.restricted_probs` of the examples of class k.
    """
    return np.array([float((p[:, k] < SURE).mean()) for k, p in enumerate(probs)])


def _present(moments: Moments, classes: Sequence[int] | None = None) -> NDArray[np.int64]:
    chosen = np.arange(len(moments.count)) if classes is None else np.asarray(classes, np.int64)
    return chosen[moments.count[chosen] > 0]


def space_radius(moments: Moments, classes: Sequence[int] | None = None) -> float:
    """Radius in feature space: sqrt of the mean over classes of the mean squared distance to the class mean.

    Over all classes that have examples, or over some. In feature units.
    """
    k = _present(moments, classes)
    return float(np.sqrt((moments.trace[k] / moments.count[k]).mean())) if len(k) else float("nan")


def space_distance(moments: Moments, classes: Sequence[int] | None = None) -> float:
    """Mean over pairs of classes of the distance between class means in feature space, in feature units.

    Of more than a thousand classes over the pairs of a sample (`class_sample`).
    """
    mean = moments.mean[class_sample(_present(moments, classes))]
    if len(mean) < 2:
        return float("nan")
    i, j = np.triu_indices(len(mean), 1)
    mean = mean - mean.mean(axis=0)
    square = np.einsum("kd,kd->k", mean, mean)
    return float(np.sqrt(np.maximum((square[:, None] + square - 2 * mean @ mean.T)[i, j], 0)).mean())


def space_ratio(moments: Moments, classes: Sequence[int] | None = None) -> float:
    """Radius over distance in feature space; free of scale."""
    return float(ratio(space_radius(moments, classes), space_distance(moments, classes)))


def space_within_total(moments: Moments) -> float:
    """Within over total scatter in feature space in [0, 1], every class weighing the same."""
    k = _present(moments)
    within = space_radius(moments) ** 2
    mean = moments.mean[k]
    between = float(((mean - mean.mean(axis=0)) ** 2).sum(axis=1).mean()) if len(k) else float("nan")
    return float(ratio(within, within + between))


def class_separation(moments: Moments) -> float:
    """R² = 1 - d_within / d_total of cosine distances, self-pairs included (Kornblith et al. 2021, eq. 11).

    Raises:
        ValueError: an example of norm 0, whose cosine is undefined.
    """
    if moments.n_zero:
        raise ValueError(f"{moments.n_zero} examples have norm 0, so their cosine distance is undefined.")
    unit = moments.unit_mean[_present(moments)]
    if not len(unit):
        return float("nan")
    within = 1 - (unit**2).sum(axis=1).mean()
    total = 1 - (unit.mean(axis=0) ** 2).sum()
    return float(1 - ratio(within, total))
