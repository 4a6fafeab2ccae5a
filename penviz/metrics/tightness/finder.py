"""Which triples to look at: most confused, most alike, most or least changed, and where a chosen one ranks.

Axis letters: t triples, n examples, D width of a template, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz import InputError
from penviz.metrics.class_sample import class_sample
from penviz.metrics.tightness.tightness import ratio
from penviz.metrics.tightness.triples import count_triples, is_sampled
from penviz.projection.split_statistics import SplitStatistics, triple_changes

Float = NDArray[np.float64]
Int = NDArray[np.int64]


HALVED = "Chosen on one half of the examples of each class (seed 0); the values are those of the other half."
"""Why values of a ranking need not fall: the highest of many noisy values are too high."""

MISSING = "the others without a plane or without examples"
"""Why triples are not compared where no sample stands for them."""


@dataclass(frozen=True)
class Ranking:
    """Triples in an order, the first ones of it.

    Attributes:
        triples: [m, 3] classes a < b < c.
        values: [m] what they are ordered by.
        n: triples that were compared.
        n_all: triples that K classes have; above n where some have no value, or
            where a sample stands for all (sampled).
        halved: the order comes from one half of the examples and the values from the other.
    """

    triples: Int
    values: Float
    n: int
    n_all: int
    sampled: bool = False
    halved: bool = False

    @property
    def among(self) -> str:
        """Out of how many: "all 120", "84 of 120 triples, the others without ..."."""
        if self.n == self.n_all:
            return f"all {self.n:,} triples"
        why = "a sample drawn with seed 0" if self.sampled else MISSING
        return f"{self.n:,} of {self.n_all:,} triples, {why}"


def confusion(labels: ArrayLike, predictions: ArrayLike, n_classes: int) -> Int:
    """[K, K] examples of class i (row) predicted as class j (column)."""
    y, guess = np.asarray(labels, np.int64), np.asarray(predictions, np.int64)
    counts = np.bincount(y * n_classes + guess, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def confused_pairs(summary: SplitStatistics, classes: Int) -> Float:
    """[c, c] symmetric, of some classes: a third of the share of i predicted as j plus that of j as i.

    Summed over the pairs of a triple: the mean over its classes of the share predicted as another of the
    three, in [0, 1]. NaN for classes without examples.
    """
    a = summary.activations
    place = np.full(len(a.class_names), len(classes))
    place[classes] = np.arange(len(classes))
    c = confusion(place[a.labels], place[a.predictions], len(classes) + 1)[:-1].astype(np.float64)
    share = ratio(c, c.sum(axis=1, keepdims=True))[:, :-1]
    return (share + share.T) / 3


def alike_pairs(templates: ArrayLike, classes: Int | None = None) -> Float:
    """[c, c] symmetric, of some classes: a third of the cosine of two templates about the mean of all.

    Summed over the pairs of a triple: the mean of its three cosines, in [-1/2, 1]. The mean is subtracted
    because a shift of all templates changes no probability; a regular simplex has -1 / (K - 1) everywhere.

    Args:
        templates: [K, D] (`Head.templates`).
    """
    w = np.asarray(templates, np.float64)
    w = w - w.mean(axis=0)
    w = ratio(w, np.sqrt(np.einsum("kd,kd->k", w, w))[:, None])
    w = w if classes is None else w[classes]
    return w @ w.T / 3


def highest(pairs: ArrayLike, m: int = 10) -> Ranking:
    """The m triples of the highest sum over their three pairs, highest first; exact for any K.

    Args:
        pairs: [K, K] symmetric (`confused_pairs`, `alike_pairs`), the diagonal unused; triples with a NaN
            are left out.
        m: how many; equal sums in the order of the classes.
    """
    p = np.asarray(pairs, np.float64)
    n_classes = len(p)
    kept = np.zeros((0, 3), np.int64)
    values = np.zeros(0)
    n = 0
    for a in range(n_classes - 2):
        b, c = np.triu_indices(n_classes - a - 1, 1)
        sums = (p[a, a + 1 :, None] + p[a, a + 1 :] + p[a + 1 :, a + 1 :])[b, c]
        best = np.isfinite(sums)
        n += int(best.sum())
        if best.sum() > m:
            best &= sums >= np.partition(sums[best], -m)[-m]
        b, c, sums = b[best], c[best], sums[best]
        here = np.column_stack([np.full(len(b), a), b + a + 1, c + a + 1])
        kept, values = np.concatenate([kept, here]), np.concatenate([values, sums])
        first = np.argsort(-values, kind="stable")[:m]
        kept, values = kept[first], values[first]
    return Ranking(kept, values, n, count_triples(n_classes))


def _highest_of(pairs: Callable[[Int], Float], classes: Int, m: int, n_classes: int) -> Ranking:
    """`highest` of the pairs of some of K classes, or of a sample of them (`class_sample`)."""
    some = class_sample(classes)
    found = highest(pairs(some), m)
    n_all = count_triples(n_classes)
    return replace(found, triples=some[found.triples], n_all=n_all, sampled=len(some) < len(classes))


def most_confused(summary: SplitStatistics, m: int = 10) -> Ranking:
    """Triples whose examples are most often predicted as another of the three; values in [0, 1]."""
    held = np.flatnonzero(summary.moments.count)
    n_classes = len(summary.activations.class_names)
    return _highest_of(lambda some: confused_pairs(summary, some), held, m, n_classes)


def most_alike(summary: SplitStatistics, m: int = 10, bias: bool = True) -> Ranking:
    """Triples of the most alike templates; values are mean cosines. Empty without a head."""
    a = summary.activations
    if a.head is None:
        return Ranking(np.zeros((0, 3), np.int64), np.zeros(0), 0, count_triples(len(a.class_names)))
    templates = a.head.templates(bias)
    every = np.arange(len(templates))
    return _highest_of(lambda some: alike_pairs(templates, some), every, m, len(templates))


def most_changed(
    before: SplitStatistics, after: SplitStatistics, m: int = 10, *, bias: bool = True, least: bool = False
) -> Ranking:
    """Triples whose rho/d changes most (or least) from one run to another, in either direction.

    Values are relative changes; the order is that of |ln(after / before)|, so that half and double count the
    same. Triples without a plane in one of the runs are left out; empty where the runs share no triples.
    """
    found = triple_changes(before, after, bias)
    if found is None:
        n_all = count_triples(len(before.activations.class_names))
        return Ranking(np.zeros((0, 3), np.int64), np.zeros(0), 0, n_all)
    triples, change, n_all = found
    with np.errstate(divide="ignore"):
        size = np.abs(np.log1p(change))
    first = np.argsort(size if least else -size, kind="stable")[:m]
    return Ranking(triples[first], change[first], len(triples), n_all, is_sampled(n_all))


FINDS = {
    "most-confused": "most confused",
    "most-alike": "most alike",
    "most-changed": "most changed",
    "least-changed": "least changed",
}
"""Ways to find triples -> words; the last two compare two runs."""


def _values(how: str, triples: Int, halves: Sequence[SplitStatistics], bias: bool) -> Float:
    """[m] what triples [m, 3] are ordered by, on other examples than those that chose them; NaN without."""
    if how == "most-confused":
        classes, found = np.unique(triples, return_inverse=True)
        pairs = confused_pairs(halves[0], classes)
        first, second, third = found.reshape(-1, 3).T
        return pairs[first, second] + pairs[first, third] + pairs[second, third]
    changes = triple_changes(halves[0], halves[1], bias)
    known = (
        {}
        if changes is None
        else dict(zip(map(tuple, changes[0].tolist()), changes[1].tolist(), strict=True))
    )
    return np.array([known.get(tuple(t), np.nan) for t in triples.tolist()])


def find(how: str, runs: Sequence[SplitStatistics], m: int = 10, bias: bool = True) -> Ranking:
    """The first triples of one of FINDS.

    Args:
        how: one of FINDS; runs: summaries of one split, the reference first: confusion and likeness are those
            of the first, changes go from the first to the second; m: how many; bias: the template holds it.

    What depends on examples is ordered by one half of them (`SplitStatistics.halves`) and its values come
    from the other, because the highest of many noisy values are too high. Likeness of templates is exact.

    Raises:
        InputError: an unknown name, or a change with fewer than two runs.
    """
    if how not in FINDS:
        raise InputError(f"Triples are found by {', '.join(FINDS)}, not {how}.")
    if how == "most-alike":
        return most_alike(runs[0], m, bias)
    if how != "most-confused" and len(runs) != 2:
        raise InputError(f"A change is between two runs, not {len(runs)}: name a hard and a soft one.")
    chosen, others = zip(*(run.halves() for run in runs), strict=True)
    if how == "most-confused":
        found = most_confused(chosen[0], m)
    else:
        found = most_changed(chosen[0], chosen[1], m, bias=bias, least=how == "least-changed")
    values = _values(how, found.triples, others, bias)
    held = np.isfinite(values)
    return replace(found, triples=found.triples[held], values=values[held], halved=True)


def value_words(how: str, value: float) -> str:
    """What a Ranking of `find` is ordered by, for people: "34 % confused", "cosine 0.21", "-45 %"."""
    if how == "most-confused":
        return f"{100 * value:.1f} % confused"
    return f"cosine {value:.2f}" if how == "most-alike" else f"{100 * value:+.1f} %"


def rank_of(chosen: Sequence[int], triples: Int, values: ArrayLike, *, lowest: bool = False) -> int | None:
    """Place of a triple, 1 for the highest value (or the lowest); None where it is not among them.

    Args:
        chosen: three classes in any order.
        triples: [t, 3] rising (`TripleMoments.triples`, `triple_changes`); values: [t]. Equal values share
            the better place.
    """
    v = np.asarray(values, np.float64)
    own = np.flatnonzero((triples == np.sort(np.asarray(chosen))).all(axis=1))
    if not len(own) or not np.isfinite(v[own[0]]):
        return None
    above = v < v[own[0]] if lowest else v > v[own[0]]
    return 1 + int(above.sum())
