"""95 % intervals over examples of the change of a number from one run to another.

Deterministic: the jackknife, stratified by class, and paired by example where both runs hold the same ones.
What varies in them is the examples of these networks; training seeds are not in it.

Axis letters: n_k examples of class k, n examples of all classes.
Source: Efron & Stein 1981 (jackknife variance); Arvesen 1969 (several samples).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.intervals.interval_limits import (
    FEWEST_BOUNDED,
    FEWEST_UNBOUNDED,
    REGULAR,
    why_no_interval,
    why_no_mean,
)
from penviz.metrics.tightness.tightness import Clusters

Float = NDArray[np.float64]
Statistic = Callable[[Clusters], Float]

Z95 = 1.959963984540054
"""0.975 quantile of the normal distribution."""

T95: tuple[float, ...] = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
T95 += (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069)
T95 += (2.064, 2.060, 2.056, 2.052, 2.048)
"""0.975 quantiles of Student's t for 1 to 28 degrees of freedom."""


def t95(freedom: float) -> float:
    """0.975 quantile of Student's t, interpolated in 1 / freedom: at most 1.7 % too large from 2 on."""
    return float(np.interp(1 / freedom, [0, *1 / np.arange(len(T95), 0, -1)], [Z95, *T95[::-1]]))


def biased_quantile(bias: float) -> float:
    """0.95 quantile of |Z + bias| for a standard normal Z: 1.96 at 0, |bias| + 1.645 far from it."""
    low, high, root = 1.0, abs(bias) + 2, math.sqrt(2)
    while high - low > 1e-9 * high:  # far from 0 two floats lie more than 1e-9 apart
        middle = (low + high) / 2
        inside = (math.erf((middle - bias) / root) + math.erf((middle + bias) / root)) / 2
        low, high = (middle, high) if inside < 0.95 else (low, middle)
    return high


def widened(error: float, room: tuple[float, float]) -> float:
    """How many times wider than without a bias `biased_bounds` are."""
    return biased_quantile(sum(room) / 2 / error) / Z95 if error > 0 else math.inf


def biased_bounds(value: float, error: float, room: tuple[float, float]) -> tuple[float, float]:
    """The shortest 95 % interval about a normal value that keeps its level for every bias within the room.

    Args:
        value: the estimate; error: its standard error; room: how far the truth may lie below and above the
            value on average.

    Source: Armstrong & Kolesár 2018 (fixed-length intervals).
    """
    if error == 0:
        return value - room[0], value + room[1]
    middle = value + (room[1] - room[0]) / 2
    half = Z95 * widened(error, room) * error
    return middle - half, middle + half


@dataclass(frozen=True)
class Change:
    """How a number differs between two runs.

    Attributes:
        value: after / before - 1 (relative) or after - before (difference).
        low, high: its 95 % interval, or None where there is no cheap honest one.
        relative: which of the two it is.
        why: why it has no interval where one would not hold, else "".
    """

    value: float
    low: float | None = None
    high: float | None = None
    relative: bool = True
    why: str = ""

    @property
    def clear(self) -> bool:
        """The interval exists and excludes no change."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Estimate:
    """A number (or its logarithm) with the variance of its sampling over examples; None where unknown.

    Attributes:
        why: why the variance is not to be used, "" where it is: the interval would not hold.
        room: how far the truth may lie below and above the value on average, for a bias known up to this.
    """

    value: float
    variance: float | None
    why: str = ""
    room: tuple[float, float] = (0.0, 0.0)

    def plus(self, other: Estimate, sign: float = 1.0) -> Estimate:
        """Sum, or difference with sign -1, of two estimates from independent examples."""
        known = self.variance is not None and other.variance is not None
        variance = (self.variance or 0.0) + (other.variance or 0.0) if known else None
        return Estimate(self.value + sign * other.value, variance, self.why or other.why)

    def bounds(self) -> tuple[float, float] | None:
        """The 95 % normal interval, None without a variance or where it would not hold."""
        if self.variance is None or not math.isfinite(self.variance) or self.why:
            return None
        return biased_bounds(self.value, math.sqrt(self.variance), self.room)

    def change(self, relative: bool) -> Change | None:
        """As a Change; a relative one takes the number for a log ratio. None where it is not finite."""
        if not math.isfinite(self.value):
            return None
        out = math.expm1 if relative else float
        bounds = self.bounds()
        if bounds is None:
            return Change(out(self.value), None, None, relative, self.why)
        return Change(out(self.value), out(bounds[0]), out(bounds[1]), relative)


def leave_one_out(points: Sequence[Float]) -> list[Clusters]:
    """For each class k the clusters without one of its examples: Clusters with a leading axis [n_k].

    Args:
        points: in-plane coordinates of the classes, three arrays [n_k, 2] with n_k >= 2.

    The mean moves by -(x - mean) / (n - 1) and the scatter by -|x - mean|² n / (n - 1).
    """
    whole = Clusters.of(points)
    out = []
    for k, p in enumerate(points):
        n = len(p)
        count = np.tile(whole.count, (n, 1))
        mean = np.tile(whole.mean, (n, 1, 1))
        scatter = np.tile(whole.scatter, (n, 1))
        from_mean = p - whole.mean[k]
        count[:, k] -= 1
        mean[:, k] -= from_mean / (n - 1)
        scatter[:, k] = np.maximum(scatter[:, k] - (from_mean**2).sum(axis=1) * n / (n - 1), 0)
        out.append(Clusters(count, mean, scatter))
    return out


def jackknife_variance(values: Sequence[Float]) -> float:
    """Variance from leave-one-out values, an array [n_k] a class.

    The sum over classes of (n_k - 1) / n_k times the sum of squared differences from the mean.
    """
    return float(sum((len(v) - 1) / len(v) * ((v - v.mean()) ** 2).sum() for v in values))


class Jackknifed:
    """The clusters of one run and split with all their leave-one-out versions, kept for several numbers."""

    def __init__(self, points: Sequence[Float]) -> None:
        self.whole = Clusters.of(points)
        self.without = leave_one_out(points) if min(len(p) for p in points) > 1 else None
        squares = [((p - mean) ** 2).sum(axis=1) for p, mean in zip(points, self.whole.mean, strict=True)]
        self.why = {scatter: why_no_interval(squares, scatter=scatter) for scatter in (True, False)}

    def _why(self, statistic: Statistic) -> str:
        """Why a number has no interval, "" where it has one."""
        if statistic is Clusters.regularity:
            return REGULAR
        return self.why[statistic is not Clusters.distance]

    def values(self, statistic: Statistic, log: bool) -> tuple[float, list[Float] | None]:
        """The number, or its logarithm, and its leave-one-out values by class."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(np.log(statistic(self.whole)) if log else statistic(self.whole))
            if self.without is None or not math.isfinite(value):
                return value, None
            left = [np.log(statistic(c)) if log else statistic(c) for c in self.without]
        return value, left if all(np.isfinite(v).all() for v in left) else None

    def estimate(self, statistic: Statistic, log: bool = True) -> Estimate:
        """One run's number (its logarithm) and the jackknife variance."""
        value, left = self.values(statistic, log)
        return Estimate(value, None if left is None else jackknife_variance(left), self._why(statistic))

    def change_to(
        self, after: Jackknifed, statistic: Statistic, *, paired: bool, log: bool = True
    ) -> Estimate:
        """Difference of the number (of its logarithm) from this run to another.

        `paired`: both hold the same examples in the same order, so that one example leaves both at once.
        """
        here, left_here = self.values(statistic, log)
        there, left_there = after.values(statistic, log)
        if left_here is None or left_there is None:
            return Estimate(there - here, None)
        if paired:
            variance = jackknife_variance([b - a for a, b in zip(left_here, left_there, strict=True)])
        else:
            variance = jackknife_variance(left_here) + jackknife_variance(left_there)
        return Estimate(there - here, variance, self._why(statistic) or after._why(statistic))


def mean_difference(
    before: ArrayLike, after: ArrayLike, *, paired: bool, fewest: int = FEWEST_BOUNDED
) -> Estimate:
    """Difference of the means of numbers [n] an example, by the normal approximation.

    `paired`: both hold the same examples in the same order; `fewest`: below which there is no interval.
    Numbers that do not vary at all (no example
    below a threshold in either run, say) tell nothing of the rest of the population: no variance.
    """
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    value = float(b.mean() - a.mean())
    if min(len(a), len(b)) < 2:
        return Estimate(value, None)
    if paired:
        variance = float((b - a).var(ddof=1) / len(a))
    else:
        variance = float(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    return Estimate(value, variance or None, why_no_mean([b - a] if paired else [a, b], fewest))


def mean_log_ratio(before: ArrayLike, after: ArrayLike, *, paired: bool) -> Estimate:
    """Log of the ratio of the means of positive numbers [n] an example, with its jackknife variance.

    NaN where a mean is not positive. `paired`: both hold the same examples in the same order.
    """
    left = []
    for values in (np.asarray(before, np.float64), np.asarray(after, np.float64)):
        n, mean = len(values), float(values.mean())
        if n < 2 or mean <= 0:
            return Estimate(float("nan"), None)
        rest = (n * mean - values) / (n - 1)
        if not (rest > 0).all():
            return Estimate(float("nan"), None)
        left.append((math.log(mean), np.log(rest)))
    (here, left_here), (there, left_there) = left
    each = [left_there - left_here] if paired else [left_here, left_there]
    variance = sum(jackknife_variance([one]) for one in each)
    return Estimate(there - here, variance, why_no_mean(each, FEWEST_UNBOUNDED))


def welch(before: ArrayLike, after: ArrayLike) -> tuple[float, float]:
    """Difference of the means of two small samples, and half of its 95 % interval.

    Source: Welch 1947.
    """
    sides = [np.asarray(side, np.float64) for side in (before, after)]
    difference = float(sides[1].mean() - sides[0].mean())
    parts = [float(x.var(ddof=1)) / len(x) for x in sides]
    total = sum(parts)
    if total == 0:
        return difference, 0.0
    freedom = total**2 / sum(p**2 / (len(x) - 1) for p, x in zip(parts, sides, strict=True))
    return difference, t95(freedom) * math.sqrt(total)


def one_a_seed(measured: Iterable[tuple[int | None, float | None]]) -> list[float]:
    """One value a training seed, because intervals are over seeds: the mean of the runs that have the same.

    Args:
        measured: (seed, value) of runs of one recipe; a run of unknown seed stands for itself, one without
            the number is left out.
    """
    by_seed: dict[object, list[float]] = {}
    for seed, value in measured:
        if value is not None:
            by_seed.setdefault(object() if seed is None else seed, []).append(value)
    return [float(np.mean(values)) for values in by_seed.values()]


def seed_change(sides: Sequence[Sequence[float]]) -> Change:
    """Relative change of the geometric mean of a positive number from one side of seeds to the other, 95 %.

    Args:
        sides: two lists of one value a seed, three or more each.

    Source: `welch`, on the logarithms.
    """
    theta, half = welch(*(np.log(np.asarray(side, np.float64)) for side in sides))
    return Change(math.expm1(theta), math.expm1(theta - half), math.expm1(theta + half))
