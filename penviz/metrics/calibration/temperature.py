"""Temperature scaling: one number that divides all logits, fitted on one half of the held-out examples.

What is reported comes from the other half only. The order of an example's logits stays, and so does the
accuracy.

Axis letters: n examples, K classes. Logits are in nats, temperatures have no unit; above 1 they make a
network less sure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.intervals.bootstrap import Z95
from penviz.metrics.intervals.interval_limits import FEWEST_UNBOUNDED, why_no_mean
from penviz.metrics.logits import CACHED
from penviz.store.head import row_blocks

Float = NDArray[np.float64]
Int = NDArray[np.int64]

GRID = tuple(10 ** (k / 20) for k in range(-20, 21))
"""Temperatures tried first where a criterion has steps, such as ECE: 12 % apart, 1 among them."""

FINER = tuple(10 ** (k / 200) for k in range(-10, 11))
"""Factors of the best of them, tried then: 1.2 % apart."""

FARTHEST = 50.0
"""|ln T| beyond which a temperature counts as infinite or 0."""


def halve(rows: Sequence[Int], seed: int = 0) -> tuple[Int, Int]:
    """Rows of the half to fit on and of the half to report on; every class is halved on its own.

    Args:
        rows: K arrays [n_k] by rising index of the example (`class_rows`), so that two runs that hold the
            same examples are halved alike in whatever order they store them.
        seed: of the draw.

    Returns:
        two sorted arrays of rows; of an odd class the second holds one more.
    """
    fit, report = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for k, own in enumerate(rows):
        drawn = np.random.default_rng([seed, k]).permutation(len(own))
        fit.append(own[drawn[: len(own) // 2]])
        report.append(own[drawn[len(own) // 2 :]])
    return np.sort(np.concatenate(fit)), np.sort(np.concatenate(report))


def softmax(logits: ArrayLike, temperature: float = 1.0) -> Float:
    """Probabilities [n, K] of logits [n, K] divided by a temperature."""
    z = np.asarray(logits, np.float64) / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    probs: Float = z / z.sum(axis=1, keepdims=True)
    return probs


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature.

    Attributes:
        value: T; 0 where the likelihood rises for ever as T falls (every example is right), infinity where it
            rises as T does (the network is worse than chance), NaN without examples.
        low, high: its 95 % interval over the examples it was fitted on, None where there is none.
        n: of the examples it was fitted on.
        why: why it has no interval where one would not hold, else "".
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    why: str = ""

    @property
    def finite(self) -> bool:
        """Logits can be divided by it."""
        return math.isfinite(self.value) and self.value > 0


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> Temperature:
    """The T that minimises the NLL of softmax(z / T).

    Args:
        logits: z [n, K], nats.
        labels: y [n].

    In s = 1 / T the NLL is convex: its derivative mean_i (E_p[z_i] - z_iy), with p = softmax(s z), rises
    with s (its own derivative is mean_i Var_p[z_i]). So the one zero is bracketed in ln T and found by
    Newton's steps, each replaced by a bisection where it leaves the bracket. The interval is that of ln T, by
    the sandwich variance of the zero: mean_i (E_p[z_i] - z_iy)² / (n (s mean_i Var_p[z_i])²).

    Source: Guo et al. 2017, section 4.2; Huber 1967 (the variance).
    """
    z, y = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    if not len(z):
        return Temperature(float("nan"))
    top = z.max(axis=1)
    own = z[np.arange(len(z)), y] - top

    def slope(log_t: float) -> tuple[Float, float]:
        """The derivative in s of every example [n], and the mean second derivative."""
        s = math.exp(-log_t)
        mean, square = np.empty((2, len(z)))
        for rows in row_blocks(len(z), z.shape[1], CACHED):
            below = z[rows] - top[rows, None]
            p = below * s
            np.exp(p, out=p)
            p /= p.sum(axis=1, keepdims=True)
            p *= below
            mean[rows] = p.sum(axis=1)
            square[rows] = np.einsum("nk,nk->n", p, below)
        return mean - own, float(np.maximum(square - mean**2, 0).mean())

    low, high = -1.0, 1.0  # of ln T; the derivative falls from low to high
    while slope(low)[0].mean() <= 0:
        if low <= -FARTHEST:
            return Temperature(0.0, n=len(z))
        low *= 2
    while slope(high)[0].mean() >= 0:
        if high >= FARTHEST:
            return Temperature(math.inf, n=len(z))
        high *= 2
    at = min(max(0.0, low), high)
    for _ in range(100):
        parts, curvature = slope(at)
        mean = float(parts.mean())
        low, high = (at, high) if mean > 0 else (low, at)
        s = math.exp(-at)
        step = 1 - mean / (s * curvature) if curvature > 0 else 0.0
        new = at - math.log(step) if step > 0 else math.inf
        if not low < new < high:
            new = (low + high) / 2
        if mean == 0 or abs(new - at) < 1e-13:
            break
        at = new
    return _with_interval(math.exp(at), parts, curvature)


def _with_interval(value: float, parts: Float, curvature: float) -> Temperature:
    """T with the interval of ln T, from the derivatives [n] at its zero and their mean slope."""
    n = len(parts)
    if n < 2 or curvature == 0:
        return Temperature(value, n=n)
    half = Z95 * math.sqrt(float(parts.var()) / n) / (curvature / value)
    if why := why_no_mean([parts], FEWEST_UNBOUNDED):
        return Temperature(value, n=n, why=why)
    if half > FARTHEST:  # logits that hardly depend on the example tell nothing of T
        return Temperature(value, n=n)
    return Temperature(value, value * math.exp(-half), value * math.exp(half), n)


def at_edge(temperature: float) -> bool:
    """Whether a temperature of `lowest_on_grid` lies at an end of its search, so that others may be lower."""
    return temperature <= GRID[0] or temperature >= GRID[-1]


def lowest_on_grid(criterion: Callable[[float], float]) -> float:
    """The temperature whose criterion is lowest, on GRID and then on a finer grid about the best of it.

    For criteria with steps, such as ECE, that have many local minima. Of equal ones that nearest to 1.
    """

    def best(grid: Iterable[float]) -> float:
        return min(grid, key=lambda t: (criterion(t), abs(math.log(t))))

    about = best(GRID)
    return best(about * factor for factor in FINER)
