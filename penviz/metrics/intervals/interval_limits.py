"""Where an interval over examples would not hold, and the sentence that stands in its place.

An interval knows only of what its examples show. A far outlier in every hundred examples is missing from a
small set, and a variance that a few examples carry is itself hardly known. The limits are chosen by
simulation (`benchmarks/coverage.py`, docs/intervals.md), so that at most 7 % of all sets show an interval
that misses, for Gaussian clusters, Student's t with 3 degrees of freedom, and 1 % of far outliers.

Axis letters: n examples, n_k of class k.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

FEWEST_UNBOUNDED = 300
"""Examples below which numbers without a bound have no interval: 5 % of such sets hold no outlier of 1 %."""

FEWEST_BOUNDED = 50
"""The same for numbers whose terms are bounded, such as probabilities."""

FEWEST_A_CLASS = 50
"""Examples of one class below which numbers of clusters have no interval."""

CARRIERS = 15.0
"""Examples that must carry a variance (`carriers`) before it counts as known."""

REGULAR = "about a nearly regular triangle it would be up to twice as wide as it need be"
"""Why the regularity of a triangle has no interval: at its greatest value, 1, it has a corner."""

FAR = 0.01
"""Share of the examples that counts as the farthest."""


def carriers(terms: ArrayLike) -> float:
    """How many of n terms carry their variance: (sum d²)² / sum d⁴ with d from the mean.

    n / 3 for normal terms, m for m events among many examples, 1 where one example is all. 0 without
    variation.
    """
    d = np.asarray(terms, np.float64)
    d = d - d.mean()
    largest = float(np.abs(d).max(initial=0))
    if largest == 0:
        return 0.0
    d = (d / largest) ** 2
    return float(d.sum() ** 2 / (d**2).sum())


def why_no_mean(terms: Sequence[ArrayLike], fewest: int) -> str:
    """Why a mean of terms [n], or a difference of independent ones, has no interval; "" where it has one."""
    if min(len(np.asarray(t)) for t in terms) < fewest:
        return f"it takes at least {fewest} examples"
    return "too few examples carry it" if min(map(carriers, terms)) < CARRIERS else ""


def far_share(squares: Sequence[ArrayLike]) -> float:
    """Share of the scatter that the farthest 1 % of the examples make up, in [0, 1].

    Every class counts alike, as in rho. 0.056 for Gaussian clusters in a plane, 0.14 and 0.32 for Student's t
    with 5 and 3 degrees of freedom.

    Args:
        squares: squared distances to the own class mean, an array [n_k] a class.
    """
    each = np.concatenate([np.asarray(s, np.float64) / max(len(np.asarray(s)), 1) for s in squares])
    total = float(each.sum())
    if total == 0:
        return 0.0
    m = math.ceil(FAR * len(each))
    return float(np.partition(each, -m)[-m:].sum() / total)


def most_far_share(n: int) -> float:
    """The greatest `far_share` of n examples with which an interval of a radius holds: 0.12 to 0.2.

    It rises with n, because the farthest of few examples do not show the tail: with t of 3 degrees of
    freedom the share is often small at n = 300, and hardly ever below 0.2 at n = 3,000.
    """
    return min(0.12 + 0.08 * math.log10(max(n, FEWEST_UNBOUNDED) / FEWEST_UNBOUNDED), 0.2)


def why_no_interval(squares: Sequence[ArrayLike], *, scatter: bool) -> str:
    """Why a number of clusters has no interval, "" where it has one.

    Args:
        squares: of its classes, as in `far_share`; scatter: whether it follows from the scatter, not from the
            class means alone.
    """
    counts = [len(np.asarray(s)) for s in squares]
    n = sum(counts)
    if n < FEWEST_UNBOUNDED:
        return f"it takes at least {FEWEST_UNBOUNDED} examples"
    if min(counts) < FEWEST_A_CLASS:
        return f"it takes at least {FEWEST_A_CLASS} examples of each class"
    share = far_share(squares)
    if scatter and share > most_far_share(n):
        return f"the farthest 1 % of the examples make up {round(100 * share)} % of the scatter"
    return ""
