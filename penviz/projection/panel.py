"""The figure as data: all that a renderer needs to draw one run and split, nothing left to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from penviz.projection.loss_gradient import Arrows
from penviz.projection.views import PLANE

Float = NDArray[np.float64]

SPLITS = ("train", "validation", "test")
"""Order of the columns."""

CORRECT, INSIDE, OUTSIDE = 0, 1, 2
"""Predicted right; predicted as another of the three classes; predicted as a fourth class."""

POINT_WORDS = {CORRECT: "correct", INSIDE: "among the three", OUTSIDE: "fourth class"}
"""How a prediction is called in points.csv."""


@dataclass(frozen=True, repr=False)
class Panel:
    """One picture: examples of three classes on the plane of their templates.

    m examples drawn, K classes, g the side of the shading grid. All `_xy` are in drawn units; multiply by
    `unit` for feature units.

    Attributes:
        run: run's name; split: one of SPLITS; title: what stands in the panel.
        label_smoothing: alpha of the run, 0 for hard targets, None when unknown or distilled.
        classes: the three names in the order chosen; class_indices: their rows in the head.
        xy: [m, 2] float32, in an order that mixes the classes; labels: [m] position in `classes` (0, 1, 2);
            predictions: [m] in [0, K);
            confidences: [m] float32, the largest softmax probability over all K, NaN without a head;
            kinds: [m] CORRECT, INSIDE or OUTSIDE; indices: [m] rows of the split's source; rows: [m] rows of
            the Activations.
        class_names: all K names, so that a prediction can be named; equal ones with their rows.
        means_xy: [3, 2] class means over all stored examples; templates_xy: [3, 2].
        boundaries: [3, 2, 2] for the pairs (0, 1), (0, 2), (1, 2): two points on the line where the two
            logits are equal; the first is the point where all three are, the second lies on the half that
            is a border of the restricted argmax, far beyond the limits. Walking from the first point to the
            second, the class with the larger logit is to the left 1, 0, 2 and to the right 0, 2, 1 of the
            three lines (`plane.LEFT`, `plane.RIGHT`); `plane.boundary_sides` reads it off. The whole
            straight line parts the two classes, the drawn half only is a border of the restricted argmax.
        ideal_xy: [3, 2] where the targets want each class, or None (hard targets: at infinity; unknown).
        limits: (x0, x1, y0, y1) of the axes; equal for the splits of one run.
        shading: [g, g, 3] float32 softmax restricted to the three classes at cell centres of `limits`;
            axis 0 runs upward in y, axis 1 to the right in x; None without a head.
        density: [h, h, 3] float32 how deep a cell of `limits` lies in the cloud of all stored examples of
            each class (`density.depth`), oriented as `shading`; None where all are drawn or few stored.
        pull: arrows of the loss among the three classes; None unless asked for, without a head, for
            K sigmoids, or where the targets are not known.
        view: one of VIEWS. In all but "plane" there are no boundaries, templates, optima, shading or pull,
            and `remark` says what the picture is (`embedding.embedded`).
        unit: feature units per drawn unit; scale: one of SCALES; bias: whether the template holds the bias.
        n_shown: [3]; n_stored: [3]; n_total: [3] examples a class: drawn, in the file, in the split.
        n_outside: examples drawn that fall outside the limits.
        seed: of the sample drawn.
        metrics: numbers under the picture, by key (study/table.py has their words); no accuracy where
            it needs the full pass. half_widths: where these are means over training seeds, half of the 95 %
            interval of each; else empty.
        class_means: split whose class means stand in for the templates of a network without a head, "" with
            one. Then `boundaries` part the nearest class means. predicted_by: what made the predictions.
        unit_split: split whose class means gave the unit of the scale "distance".
        partial: numbers over all classes need the full pass. remark: what must stand in the picture, or "".
        dataset_id, checkpoint_sha256: what the picture stands on.
        targets: kind of targets, one of run_config.TARGETS.
        epoch: after which of its training the network was in a film; None for the finished network.
        seen: what is known of whether the network has seen the split, as of `Activations`.
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
    shading: NDArray[np.float32] | None
    unit: float
    scale: str
    bias: bool
    n_shown: tuple[int, int, int]
    n_stored: tuple[int, int, int]
    n_total: tuple[int, int, int]
    n_outside: int
    seed: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    half_widths: Mapping[str, float] = field(default_factory=dict)
    dataset_id: str = ""
    checkpoint_sha256: str = ""
    class_means: str = ""
    predicted_by: str = "network"
    unit_split: str = ""
    partial: bool = False
    remark: str = ""
    targets: str = "unknown"
    epoch: int | None = None
    pull: Arrows | None = None
    view: str = PLANE
    density: NDArray[np.float32] | None = None
    seen: str = ""

    def __repr__(self) -> str:
        return f"<panel of {self.run}, {self.place}: {', '.join(self.classes)}, {len(self.xy):,} examples>"

    @property
    def place(self) -> str:
        """Split, and in a film the epoch: "train", "test (unseen)", "train, epoch 5"."""
        split = f"{self.split} ({self.seen})" if self.seen else self.split
        return split if self.epoch is None else f"{split}, epoch {self.epoch}"
