"""Two classes, of two or of many: an axis in place of a plane, on which the logit difference is exact.

Axis letters: n examples, d penultimate width. Two templates span a line and not a plane. Its direction is
their difference, so that the coordinate of an example is a linear image of z_1 - z_0, however far off the
line the example lies: the same identity that makes the boundaries of the plane exact.

Without a head the class means stand in, with z_k = x . mu_k - |mu_k|^2 / 2 (`class_means`). Then z_1 - z_0 =
(|x - mu_0|^2 - |x - mu_1|^2) / 2 is no difference of logits, but half the difference of squared distances.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.intervals.bootstrap import Z95, jackknife_variance
from penviz.metrics.intervals.interval_limits import why_no_interval
from penviz.metrics.target_vectors import Targets, optimal_logits
from penviz.metrics.wording import three
from penviz.projection.chart import Chart, Line, Series
from penviz.projection.projection import different_rows, distinct_names
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError

Float = NDArray[np.float64]

SCALES = {"distance": "distance = 1", "nats": "logit difference"}
"""Units of the axis: the distance between the class means of the first split, or nats."""

INNER = 0.995
"""Share of the examples that lies within the limits."""

FEWEST_BINS, MOST_BINS = 24, 80
"""Bins between the limits: four roots of the number of examples of the smallest class, within these."""


@dataclass(frozen=True)
class TwoClasses:
    """Examples of two classes on the axis through their templates.

    Attributes:
        run, split, class_names: of the activations.
        differences: for each class [n_k] z_1 - z_0 in `unit`; 0 is the boundary.
        indices: for each class [n_k] rows of the split's source, rising like the differences' order.
        accuracy: over all examples of the two; dataset_id: of the split; classes: their rows in the head.
        means: whether class means stand in for templates, because the network has no head.
    """

    run: str
    split: str
    class_names: tuple[str, str]
    differences: tuple[Float, Float]
    indices: tuple[NDArray[np.int64], NDArray[np.int64]]
    accuracy: float
    dataset_id: str = ""
    means: bool = False
    classes: tuple[int, int] = (0, 1)

    @classmethod
    def of(cls, a: Activations, bias: bool = True, classes: Sequence[str | int] | None = None) -> TwoClasses:
        """Project the examples of two classes.

        Args:
            a: with a head, or with class means in its place; bias: the template holds the bias, which changes
                the length of the axis and not the differences.
            classes: two names or rows; None for those of a run that has no others.

        Raises:
            ActivationsError: not two classes, one without examples, equal templates, or nothing to stand on.
        """
        if classes is None and len(a.class_names) != 2:
            raise ActivationsError(f"{a.run} has {len(a.class_names)} classes: choose two of them.")
        pair = [0, 1] if classes is None else different_rows(classes, a.class_names)
        if len(pair) != 2:
            raise ActivationsError(f"An axis is of two classes, not of {len(pair)}.")
        head, counted = a.planar_head(bias)
        templates = np.asarray(head.templates(counted, pair), np.float64)
        if np.linalg.norm(templates[1] - templates[0]) == 0:
            raise ActivationsError(f"The two templates of {a.run} are equal: they span no axis.")
        z = head.of_classes(pair).logits(a.features)
        difference = z[:, 1] - z[:, 0]
        rows = [np.flatnonzero(a.labels == k) for k in pair]
        rows = [own[np.argsort(a.indices[own], kind="stable")] for own in rows]
        if not all(len(own) for own in rows):
            raise ActivationsError(f"{a.run} has no {a.split} examples of one of its two classes.")
        if difference[rows[0]].mean() == difference[rows[1]].mean():
            raise ActivationsError(f"The two classes of {a.run} have one mean: nothing sets a scale.")
        first, second = rows
        names = distinct_names(a.class_names)
        return cls(
            a.run,
            a.split,
            (names[pair[0]], names[pair[1]]),
            (difference[first], difference[second]),
            (a.indices[first], a.indices[second]),
            float((a.predictions == a.labels)[np.isin(a.labels, pair)].mean()),
            a.dataset_id,
            a.head is None,
            (pair[0], pair[1]),
        )

    def same_as(self, other: TwoClasses) -> bool:
        """Whether the other run is the same network: the same coordinates of the same examples."""
        mine, theirs = (*self.differences, *self.indices), (*other.differences, *other.indices)
        return all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))

    @property
    def unit(self) -> str:
        """Of differences of logits, or of those of squared distances where class means stand in."""
        return "feature units squared" if self.means else "nats"

    @property
    def radius(self) -> float:
        """RMS distance of the examples to the mean of their class along the axis, over the two, in `unit`."""
        return math.sqrt(np.mean([own.var() for own in self.differences]))

    @property
    def distance(self) -> float:
        """Between the means of the two classes along the axis, in `unit`."""
        return abs(float(self.differences[1].mean() - self.differences[0].mean()))

    @property
    def rho_d(self) -> float:
        """Radius over distance, as in the plane; the same in nats and in feature units."""
        return self.radius / self.distance if self.distance else math.nan

    def log_ratio_without(self) -> tuple[Float, Float] | None:
        """Logarithm of rho_d with one example left out, for each class [n_k]: what the jackknife needs.

        None where it has none: fewer than three examples a class, or both a point without one of them.
        """
        if min(map(len, self.differences)) < 3 or not self.rho_d > 0:
            return None
        made = []
        for k in (0, 1):
            own, other = self.differences[k], self.differences[1 - k]
            n = len(own)
            mean = (own.sum() - own) / (n - 1)
            squares = ((own - own.mean()) ** 2).sum() - (own - own.mean()) ** 2 * n / (n - 1)
            radius = (np.maximum(squares, 0) / (n - 1) + other.var()) / 2
            with np.errstate(divide="ignore", invalid="ignore"):
                made.append(np.log(radius) / 2 - np.log(np.abs(mean - other.mean())))
        return (made[0], made[1]) if all(np.isfinite(m).all() for m in made) else None

    def why_no_interval(self) -> str:
        """Why rho_d has no interval, "" where it has one (`interval_limits`)."""
        return why_no_interval([(own - own.mean()) ** 2 for own in self.differences], scatter=True)

    def interval(self) -> tuple[float, float] | None:
        """95 % interval of rho_d over the examples (jackknife of its logarithm); None where none holds."""
        without = self.log_ratio_without()
        if without is None or self.why_no_interval():
            return None
        half = Z95 * math.sqrt(jackknife_variance(without))
        return self.rho_d * math.exp(-half), self.rho_d * math.exp(half)

    def change_to(self, other: TwoClasses) -> tuple[float, float, float] | None:
        """Relative change of rho_d to another run, with its 95 % interval: value, low, high.

        Example by example where both hold the same ones. None for few examples.
        """
        mine, theirs = self.log_ratio_without(), other.log_ratio_without()
        if mine is None or theirs is None or self.why_no_interval() or other.why_no_interval():
            return None
        same = bool(self.dataset_id) and (self.dataset_id, self.split) == (other.dataset_id, other.split)
        if same and all(np.array_equal(a, b) for a, b in zip(self.indices, other.indices, strict=True)):
            variance = jackknife_variance((theirs[0] - mine[0], theirs[1] - mine[1]))
        else:
            variance = jackknife_variance(mine) + jackknife_variance(theirs)
        value, half = math.log(other.rho_d / self.rho_d), Z95 * math.sqrt(variance)
        return math.expm1(value), math.expm1(value - half), math.expm1(value + half)


def optimum(
    targets: Targets, n_classes: int = 2, classes: tuple[int, int] = (0, 1)
) -> tuple[float, float] | None:
    """Logit difference z_1 - z_0 that the targets want of the two classes, nats; None where there is none.

    Label smoothing 0.1 of two classes wants -2.944 and 2.944, K sigmoids -5.889 and 5.889; of ten classes
    label smoothing wants -4.511 and 4.511 of any two.

    Args:
        n_classes: K of the network; classes: rows of the two.
    """
    if not targets.smoothed or (targets.kind == "prior" and len(targets.prior) != n_classes):
        return None
    z = optimal_logits(targets, n_classes, classes)[:, list(classes)]
    if not np.isfinite(z).all():
        return None
    return float(z[0, 1] - z[0, 0]), float(z[1, 1] - z[1, 0])


def two_class_charts(
    runs: Sequence[Mapping[str, TwoClasses]],
    *,
    titles: Sequence[str],
    targets: Sequence[Targets],
    scale: str = "distance",
    n_classes: int = 2,
) -> tuple[Chart, ...]:
    """Densities of both classes along the axis: a chart a run and split, a row a run.

    Args:
        runs: for each run its splits; titles: what each is called; targets: of each; scale: one of SCALES.
        n_classes: K of the networks.

    Raises:
        ValueError: an unknown scale.
    """
    if scale not in SCALES:
        raise ValueError(f"The scale is one of {', '.join(SCALES)}, not {scale}.")
    drawn: list[_Axis] = []
    for splits, title, own in zip(runs, titles, targets, strict=True):
        first = next(iter(splits.values()))
        unit = first.distance if scale == "distance" else 1.0
        wanted = None if first.means else optimum(own, n_classes, first.classes)
        drawn += [_Axis(s, unit, wanted, f"{title}, {name}") for name, s in splits.items()]
    ends = _limits(drawn)
    fewest = min(len(own) for one in drawn for own in one.split.differences)
    bins = int(np.clip(4 * math.sqrt(fewest), FEWEST_BINS, MOST_BINS))
    width = (ends[1] - ends[0]) / bins
    below, above = math.ceil(-ends[0] / width), math.ceil(ends[1] / width)
    ends, n_bins = (-below * width, above * width), below + above  # no bin lies on both sides of the boundary
    densities = [_densities(one, ends, n_bins) for one in drawn]
    top = 1.12 * max(float(y.max()) for pair in densities for y in pair)
    return tuple(_chart(one, own, ends, top, scale) for one, own in zip(drawn, densities, strict=True))


@dataclass(frozen=True)
class _Axis:
    """One chart: a split, the unit of its axis, where the targets want both classes, a title."""

    split: TwoClasses
    unit: float
    wanted: tuple[float, float] | None
    title: str


def _limits(drawn: Sequence[_Axis]) -> tuple[float, float]:
    """Shared by all charts: INNER of the examples of each, every optimum, and the boundary."""
    inside = [0.0]
    for one in drawn:
        ends = np.quantile(np.concatenate(one.split.differences), [(1 - INNER) / 2, (1 + INNER) / 2])
        inside += [float(end) / one.unit for end in (*ends, *(one.wanted or ()))]
    low, high = float(min(inside)), float(max(inside))
    room = 0.05 * (high - low)
    return low - room, high + room


def _densities(one: _Axis, ends: tuple[float, float], n_bins: int) -> list[Float]:
    """Examples a bin over all examples of the class and the width of the bin, for both classes [B]."""
    width = (ends[1] - ends[0]) / n_bins
    return [
        np.histogram(own / one.unit, n_bins, ends)[0].astype(np.float64) / (len(own) * width)
        for own in one.split.differences
    ]


def _chart(
    one: _Axis, densities: Sequence[Float], ends: tuple[float, float], top: float, scale: str
) -> Chart:
    s, unit, wanted = one.split, one.unit, one.wanted
    edges = np.linspace(*ends, len(densities[0]) + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    series = tuple(
        Series(name, middles, y, kind="steps", colour=k)
        for k, (name, y) in enumerate(zip(s.class_names, densities, strict=True))
    )
    boundary = "boundary of the nearest class mean" if s.means else "decision boundary"
    if wanted is not None:
        words = tuple(f"{name}: {w:+.3f} nats" for name, w in zip(s.class_names, wanted, strict=True))
        at = np.array(wanted) / unit
        star = Series(
            "label-smoothing optimum", at, np.full(2, 0.03 * top), kind="markers", colour=2, labels=words
        )
        series += (star,)
    minus = f"z({s.class_names[1]}) − z({s.class_names[0]})"
    on = f"templates, on which the logit difference {minus} is exact"
    if s.means:
        minus = "half the difference of squared distances"
        on = f"class means, on which {minus} to them is exact"
    counted = " and ".join(
        f"{len(own):,} {name}" for name, own in zip(s.class_names, s.differences, strict=True)
    )
    inside = sum(int(((d / unit >= ends[0]) & (d / unit <= ends[1])).sum()) for d in s.differences)
    outside = sum(map(len, s.differences)) - inside
    about = (
        f"{s.run}, {s.split}: {counted} examples on the axis through the two {on}; "
        f"ρ/d {three(s.rho_d)}; {outside:,} outside the limits."
    )
    return Chart(
        title=f"{one.title}: ρ/d {three(s.rho_d)}",
        x_label=f"{minus} ({s.unit})" if scale == "nats" else f"{minus}, distance of the means = 1",
        y_label="density",
        series=series,
        lines=(Line(boundary, (0.0, 0.0), (0.0, top)),),
        x_limits=ends,
        y_limits=(0.0, top),
        about=about,
    )
