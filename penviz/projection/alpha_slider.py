"""The alpha slider: trained networks of rising label smoothing in one frame, stars for every alpha between.

Points exist only where a network was trained. Where smoothing wants each class is known for every alpha, on
the plane of any network: so between two trained networks only the stars move.

Axis letters: n examples, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.target_vectors import Targets, target_vectors
from penviz.projection.build_panel import build_grid
from penviz.projection.panel import Panel
from penviz.projection.panel_options import PanelOptions
from penviz.projection.projection import Projection
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError

Float = NDArray[np.float64]

STEP = 0.025
"""Distance of two places of the slider."""

PER_CLASS = 100
"""Examples drawn of a class."""


@dataclass(frozen=True)
class Stop:
    """One place of the slider.

    Attributes:
        label_smoothing: where it stands; network: position of the network whose points are shown.
        trained: that network was trained with this very smoothing.
        stars: for each split [3, 2] in drawn units on that network's plane, or None at alpha 0.
    """

    label_smoothing: float
    network: int
    trained: bool
    stars: tuple[Float | None, ...]


@dataclass(frozen=True)
class AlphaSlider:
    """All that is drawn, whatever the slider says.

    Attributes:
        panels: for each network, by rising alpha, its splits; all on the same axes, and point i of a split is
            the same example in every network.
        stops: by rising alpha; each trained one is among them.
    """

    panels: tuple[tuple[Panel, ...], ...]
    stops: tuple[Stop, ...]


def places(alphas: Sequence[float], step: float = STEP) -> list[tuple[float, int]]:
    """Places of the slider with the nearest trained network, the less smoothed one of two equally near.

    Args:
        alphas: of the networks, rising; step: distance of two places, rounded to thousandths.
    """
    count = round((alphas[-1] - alphas[0]) / step)
    between = [round(alphas[0] + i * step, 3) for i in range(count + 1)]
    every = sorted({*between, *alphas})
    return [(a, min(range(len(alphas)), key=lambda i: (round(abs(alphas[i] - a), 6), i))) for a in every]


def build_alpha_slider(
    runs: Sequence[Mapping[str, Activations]],
    label_smoothings: Sequence[float],
    classes: Sequence[str | int],
    *,
    scale: str = "same",
    step: float = STEP,
) -> AlphaSlider:
    """The slider of some networks.

    Args:
        runs: for each its activations by split, with heads, all of the same examples.
        label_smoothings: alpha of each, rising.
        classes: as for `build_grid`; scale: "same" for feature units or "distance", on axes that do not move
            with the slider in both.

    Raises:
        ActivationsError: fewer than two networks, other examples in one of them, and as `build_grid`.
    """
    alphas = list(label_smoothings)
    if len(runs) < 2 or alphas != sorted(set(alphas)):
        raise ActivationsError(
            "The slider needs two or more networks, each with more smoothing than the last."
        )
    options = PanelOptions(PER_CLASS, scale=scale)
    grid = build_grid(runs, classes, options, targets=[Targets.of(alpha) for alpha in alphas])
    for row in grid[1:]:
        same = len(row) == len(grid[0]) and all(
            p.split == q.split and np.array_equal(p.indices, q.indices)
            for p, q in zip(row, grid[0], strict=True)
        )
        if not same:
            raise ActivationsError(
                "The networks of the slider must hold the same examples: extract them alike."
            )
    stops = []
    for alpha, network in places(alphas, step):
        run, row = runs[network], grid[network]
        stars = tuple(_stars(run[panel.split], panel, alpha) for panel in row)
        stops.append(Stop(alpha, network, alpha == alphas[network], stars))
    return AlphaSlider(tuple(tuple(row) for row in grid), tuple(stops))


def _stars(activations: Activations, panel: Panel, alpha: float) -> Float | None:
    if alpha == 0 or activations.head is None:
        return None
    plane = Projection.of(activations, panel.class_indices, panel.bias).plane
    targets = target_vectors(Targets.of(alpha), len(activations.class_names), panel.class_indices)
    return plane.ideal_points(targets, panel.class_indices) / panel.unit
