"""Unit and limits of the axes: one for the splits of a run, shared by runs where the scale says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.tightness.tightness import Clusters

Float = NDArray[np.float64]
Limits = tuple[float, float, float, float]

SCALES = ("distance", "own", "same")
"""distance: coordinates divided by the mean distance between class means on train, per run, and axes of one
length for all runs, so that the radius on screen is rho/d (the default); own: feature units, limits per run;
same: feature units, one set of limits for all runs."""

HELD = 0.995
"""Share of the stored examples of each split that the limits hold at least."""

MARGIN = 0.03
"""Empty border on each side, as a share of the axis."""


class Placed(Protocol):
    """What a frame is made for: the drawn coordinates of three classes of one split, and their sums."""

    @property
    def points(self) -> Sequence[Float]:
        """Three arrays [n_k, 2]."""

    @property
    def clusters(self) -> Clusters:
        """Of these points."""


@dataclass(frozen=True)
class Frame:
    """What panels have in common.

    Attributes:
        unit: feature units per drawn unit.
        limits: (x0, x1, y0, y1) in drawn units; x1 - x0 = y1 - y0.
    """

    unit: float
    limits: Limits

    def outside(self, xy: NDArray[np.floating]) -> int:
        """How many of some points [m, 2] in drawn units fall outside the limits."""
        x0, x1, y0, y1 = self.limits
        x, y = xy[:, 0], xy[:, 1]
        return int(((x < x0) | (x > x1) | (y < y0) | (y > y1)).sum())


def _square(low: Float, high: Float, side: float | None = None) -> Limits:
    """The square about a box, or one of a given side about its centre."""
    centre = (low + high) / 2
    half = (float((high - low).max()) if side is None else side) / 2
    half = half if half > 0 else 1.0
    x, y = float(centre[0]), float(centre[1])
    return x - half, x + half, y - half, y + half


def held_box(points: Float, share: float = HELD) -> tuple[Float, Float]:
    """A box with a share of some points [n, 2] at least: at most a quarter of the rest beyond a side."""
    beyond = (1 - share) / 4
    return (
        np.quantile(points, beyond, axis=0, method="lower"),
        np.quantile(points, 1 - beyond, axis=0, method="higher"),
    )


def frame_of(
    splits: Sequence[Placed],
    stars: Float | None = None,
    scale: str = "distance",
    also: Sequence[Float] = (),
) -> Frame:
    """The frame of one run.

    The limits are a square that holds 99.5 % of the stored examples of each split, the class means and the
    ideal points. They stand on the stored examples and not on those drawn, so that neither the number drawn
    nor the seed moves the axes; templates never count, because they may lie far away (paper.md 1.3).

    Args:
        splits: points on the run's one plane, train first; the first gives the unit of "distance".
        stars: [3, 2] ideal points in feature units, or None.
        scale: one of SCALES.
        also: further points [2] in feature units that the limits hold.

    Raises:
        ValueError: an unknown scale.
    """
    if scale not in SCALES:
        raise ValueError(f"The scale is one of {', '.join(SCALES)}, not {scale}.")
    boxes = [held_box(np.concatenate(p.points)) for p in splits]
    corners = [corner for box in boxes for corner in box] + [m for p in splits for m in p.clusters.mean]
    every = np.array(corners + list(also) + ([] if stars is None else list(stars)))
    distance = float(splits[0].clusters.distance()) if scale == "distance" else 1.0
    unit = distance if distance > 0 else 1.0
    low, high = every.min(axis=0) / unit, every.max(axis=0) / unit
    side = float((high - low).max()) * (1 + 2 * MARGIN)
    return Frame(unit, _square(low, high, side))


def share_frames(frames: Sequence[Frame], scale: str) -> list[Frame]:
    """Frames of several runs made comparable, as SCALES says: nothing is cut off that one of them holds."""
    limits = np.array([f.limits for f in frames])
    if scale == "own" or len(frames) < 2:
        return list(frames)
    if scale == "distance":
        side = float((limits[:, 1] - limits[:, 0]).max())
        return [
            replace(f, limits=_square(box[[0, 2]], box[[1, 3]], side))
            for f, box in zip(frames, limits, strict=True)
        ]
    one = _square(limits[:, [0, 2]].min(axis=0), limits[:, [1, 3]].max(axis=0))
    return [replace(f, limits=one) for f in frames]
