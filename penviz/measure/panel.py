"""The figure as data: everything a renderer needs to draw one run and split, without computing anything again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SCALES = ("distance", "own", "same")
"""distance: coordinates divided by the mean distance between class means on train, per run (the default);
own: feature units, limits per run; same: feature units, one set of limits for all runs."""

CORRECT, INSIDE, OUTSIDE = 0, 1, 2
"""Predicted right; predicted as another of the three classes; predicted as a fourth class."""


@dataclass(frozen=True)
class Panel:
    """One picture: examples of three classes on the plane of their templates.

    m examples drawn, K classes, g the side of the shading grid. All `_xy` are in drawn units; multiply by
    `unit` for feature units.

    Attributes:
        run: run's name; split: "train" or "validation"; title: what stands in the panel.
        label_smoothing: alpha of the run, 0 for hard targets, None when unknown.
        classes: the three names in the order chosen; class_indices: their rows in the head.
        xy: [m, 2] float32; labels: [m] position in `classes` (0, 1, 2); predictions: [m] in [0, K);
            confidences: [m] float32, the largest softmax probability over all K; kinds: [m] CORRECT, INSIDE
            or OUTSIDE; indices: [m] rows of the split's source; rows: [m] rows of the Activations.
        class_names: all K names, so that a prediction can be named.
        means_xy: [3, 2] class means over all stored examples; templates_xy: [3, 2].
        boundaries: [3, 2, 2] for the pairs (0, 1), (0, 2), (1, 2): two points on the line where the two
            logits are equal; the first is the point where all three are, the second lies on the half that
            is a border of the restricted argmax, far beyond the limits. Class i of the pair (i, j) lies to the
            left when walking from the first point to the second for (0, 2), to the ... see `boundary_sides`.
        ideal_xy: [3, 2] where label smoothing wants each class, or None (hard targets: at infinity; unknown).
        limits: (x0, x1, y0, y1) of the axes; equal for the splits of one run.
        shading: [g, g, 3] float32 softmax restricted to the three classes at cell centres of `limits`;
            axis 0 runs upward in y, axis 1 to the right in x.
        unit: feature units per drawn unit; scale: one of SCALES; bias: whether the template holds the bias.
        n_shown: [3]; n_stored: [3]; n_total: [3] examples a class: drawn, in the file, in the split.
        n_outside: examples drawn that fall outside the limits.
        seed: of the sample drawn.
        metrics: numbers under the picture, by key (measure/table.py has their words).
        dataset_id, checkpoint_sha256: what the picture stands on.
    """

    run: str
    split: str
    title: str
    label_smoothing: float | None
    classes: tuple[str, str, str]
    class_indices: tuple[int, int, int]
    class_names: tuple[str, ...]
    xy: NDArray[np.float32]
    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    confidences: NDArray[np.float32]
    kinds: NDArray[np.int64]
    indices: NDArray[np.int64]
    rows: NDArray[np.int64]
    means_xy: NDArray[np.float64]
    templates_xy: NDArray[np.float64]
    boundaries: NDArray[np.float64]
    ideal_xy: NDArray[np.float64] | None
    limits: tuple[float, float, float, float]
    shading: NDArray[np.float32]
    unit: float
    scale: str
    bias: bool
    n_shown: tuple[int, int, int]
    n_stored: tuple[int, int, int]
    n_total: tuple[int, int, int]
    n_outside: int
    seed: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    dataset_id: str = ""
    checkpoint_sha256: str = ""
