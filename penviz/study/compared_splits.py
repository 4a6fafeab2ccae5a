"""One split of one run as the table compares it, and of two runs: what has an interval.

Axis letters: n examples, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from penviz.metrics.intervals.bootstrap import Estimate, Jackknifed, mean_difference, mean_log_ratio
from penviz.metrics.numbers import BY_KEY
from penviz.metrics.tightness.tightness import SURE, Clusters
from penviz.projection.plane import DegeneratePlane
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations

CLUSTER: Mapping[str, Callable[[Clusters], np.ndarray]] = {
    "rho_d": Clusters.rho_d,
    "rho": Clusters.rho,
    "distance": Clusters.distance,
    "within_total": Clusters.within_total,
    "regularity": Clusters.regularity,
    "rho_0": lambda c: c.class_rho()[..., 0],
    "rho_1": lambda c: c.class_rho()[..., 1],
    "rho_2": lambda c: c.class_rho()[..., 2],
}
"""Numbers that follow from the sums of three clusters in the plane, so that the jackknife applies."""

EXAMPLE = ("gap", "spread", "confidence", "top5", "nll")
"""Numbers that are the mean of one number an example; `accuracy` is too."""


def bias_counts(activations: Activations, classes: Sequence[int]) -> bool:
    """Whether the bias switch changes the plane of three classes: the head's biases for them differ."""
    head = activations.head
    return head is not None and head.bias is not None and bool(np.ptp(head.bias[list(classes)]) > 0)


def one_network(first: Activations, other: Activations) -> bool:
    """Whether two runs are one network: of one checkpoint file, or with one head and one set of features."""
    a, b = first, other
    if a.checkpoint_sha256 and a.checkpoint_sha256 == b.checkpoint_sha256:
        return True
    if (a.head is None) != (b.head is None) or a.features.shape != b.features.shape:
        return False
    if a.head is not None and b.head is not None and not np.array_equal(a.head.weight, b.head.weight):
        return False
    return bool(len(a)) and np.array_equal(a.features, b.features)


class ComparedSplit:
    """One run's split with what several numbers need, computed once.

    Attributes:
        summary, projection: of it; probs: softmax restricted to the three classes, three arrays [n_k, 3].
        jackknifed: the clusters in the plane; switched: those on the plane with the bias switch turned, None
            where there is no other plane.
    """

    def __init__(self, summary: SplitStatistics, classes: Sequence[str | int], bias: bool) -> None:
        self.summary = summary
        self.projection = summary.project(classes, bias)
        self.probs = self.projection.probs()
        self.jackknifed = Jackknifed(self.projection.points)
        self.switched = self._switched(not bias)

    def _switched(self, bias: bool) -> Jackknifed | None:
        """The clusters on the plane with the bias switch turned; None where there is no other plane."""
        if not bias_counts(self.summary.activations, self.projection.classes):
            return None
        try:
            return Jackknifed(self.summary.project(self.projection.classes, bias).points)
        except DegeneratePlane:
            return None

    @property
    def why(self) -> str:
        """Why rho_d has no interval, "" where it has one."""
        return self.jackknifed.estimate(Clusters.rho_d).why

    def interval(self) -> tuple[float, float] | None:
        """95 % interval of rho_d over the examples."""
        bounds = self.jackknifed.estimate(Clusters.rho_d).bounds()
        return None if bounds is None else (math.exp(bounds[0]), math.exp(bounds[1]))


class SplitPair:
    """The two runs of a change, one split: everything that has an interval."""

    def __init__(self, before: ComparedSplit, after: ComparedSplit) -> None:
        self.paired = before.summary.same_examples(after.summary, before.projection.classes)
        self.paired_all = before.summary.same_examples(after.summary)
        self.before, self.after = before, after
        self.known: dict[str, Estimate | None] = {}

    def estimate(self, key: str) -> Estimate | None:
        """Change of a number with its variance; None for numbers without a cheap honest interval."""
        if key not in self.known:
            self.known[key] = self._estimate(key)
        return self.known[key]

    def _estimate(self, key: str) -> Estimate | None:
        relative = BY_KEY[key].relative
        if key in CLUSTER:
            here, there = self.before.jackknifed, self.after.jackknifed
            return here.change_to(there, CLUSTER[key], paired=self.paired, log=relative)
        if key.startswith("towards_centre_"):
            k = int(key[-1])
            a, b = ((s.probs[k][:, k] < SURE).astype(np.float64) for s in (self.before, self.after))
            return mean_difference(a, b, paired=self.paired)
        if key in (*EXAMPLE, "accuracy"):
            field_name = "correct" if key == "accuracy" else key
            first, second = (s.summary.by_example(field_name) for s in (self.before, self.after))
            if first is None or second is None:
                return None
            return (mean_log_ratio if relative else mean_difference)(first, second, paired=self.paired_all)
        return None
