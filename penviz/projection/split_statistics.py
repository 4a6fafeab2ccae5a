"""What one run and split has to say whatever triple is chosen: computed once, kept by the caller.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.calibration.temperature import halve
from penviz.metrics.collapse.all_classes import keys_over_all, numbers_over_all
from penviz.metrics.collapse.moments import Moments, class_rows
from penviz.metrics.logits import LogitNumbers
from penviz.metrics.tightness.tightness import ratio
from penviz.metrics.tightness.triples import TripleMoments
from penviz.projection.projection import Projection, class_indices
from penviz.store.activations import Activations

KEPT = 2
"""Projections a summary keeps, so that picture and table of one triple share one."""


@dataclass(frozen=True, repr=False)
class SplitStatistics:
    """One run's split, digested.

    Attributes:
        activations: the features themselves, by reference.
        rows: for each class [n_k] rows of the activations, by rising index of the example.
        moments: of the features; without the scatter where not all classes are held.
        logits: one number an example, None without a head or where not all classes are held.
        triples: moments of all triples, None without a plane, below three classes, or where not all classes
            are held.
        numbers: those over all classes, by key (`numbers.MEASURE`); None where one is undefined.
        pending: keys of numbers over all classes that need the full pass, because not all classes are held
            and no pass over the shards gave them.
        nc1_rank: at which the inverse in NC1 was truncated.
        n_present: classes with examples, over whose pairs numbers are (`class_sample`); 0 where not known.
        rho_d: [t] radius over distance of all triples, with (True) and without the bias in the templates.
        projections: the last ones that were asked for (`project`).
        halved: the two halves, once they were asked for (`halves`).
    """

    activations: Activations
    rows: tuple[NDArray[np.int64], ...]
    moments: Moments
    logits: LogitNumbers | None
    triples: TripleMoments | None
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    nc1_rank: int = 0
    n_present: int = 0
    pending: frozenset[str] = frozenset()
    rho_d: Mapping[bool, NDArray[np.float64]] = field(default_factory=dict)
    projections: dict[tuple[tuple[int, int, int], bool], Projection] = field(
        default_factory=dict, repr=False, compare=False
    )
    halved: list[SplitStatistics] = field(default_factory=list, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<statistics of {self.activations.run}, {self.activations.split}>"

    @classmethod
    def of(cls, activations: Activations) -> SplitStatistics:
        """Digest the activations of one run and split."""
        a, n_classes = activations, len(activations.class_names)
        rows = class_rows(a.labels, n_classes, a.indices)
        moments = Moments.of(a.features, a.labels, n_classes, rows, scatter=not a.partial)
        logits = triples = None
        if a.partial:
            known = a.over_all or {}
            wanted = keys_over_all(n_classes, a.head is not None)
            numbers = {key: known.get(key) for key in wanted}
            pending, rank = wanted - known.keys(), int(known.get("nc1_rank") or 0)
            n_present = int(known.get("n_present") or 0)
        else:
            if a.head is not None and len(a):
                logits = LogitNumbers.of_all(a)
                triples = TripleMoments.of(a.head, a.features, rows) if n_classes >= 3 else None
            accuracy = float((a.predictions == a.labels).mean()) if len(a) else None
            numbers, rank = numbers_over_all(moments, logits, accuracy)
            pending, n_present = frozenset(), int((moments.count > 0).sum())
        if a.class_means is not None and len(a) and n_classes >= 3 and not a.partial:
            means = a.class_means
            held = [r if known else r[:0] for r, known in zip(rows, means.present, strict=True)]
            triples = TripleMoments.of(means.head, a.features, held)
        ratios = {}
        if triples is not None:
            for bias in (True, False):
                head, counted = a.planar_head(bias)
                ratios[bias] = triples.rho_d(head.templates(counted))
        return cls(a, tuple(rows), moments, logits, triples, numbers, rank, n_present, pending, ratios)

    def project(self, classes: Sequence[str | int], bias: bool = True) -> Projection:
        """All stored examples of three classes on their plane; arguments and errors as `Projection.of`."""
        key = class_indices(classes, self.activations.class_names), bias
        found = self.projections.get(key)
        if found is None:
            found = Projection.of(self.activations, key[0], bias, rows=self.rows, moments=self.moments)
            if len(self.projections) >= KEPT:
                self.projections.clear()
            self.projections[key] = found
        return found

    def halves(self) -> tuple[SplitStatistics, SplitStatistics]:
        """Digests of the two halves of the examples, class by class, drawn with seed 0 and kept.

        Two runs that hold the same examples are halved alike. Of an odd class the second holds one more.
        """
        if not self.halved:
            first, second = (SplitStatistics.of(self.activations.take(half)) for half in halve(self.rows))
            self.halved[:] = first, second  # at once: visitors in other threads look whether it is there
        return self.halved[0], self.halved[1]

    def by_example(self, key: str) -> NDArray[np.float64] | None:
        """[n] one of the `LogitNumbers` in the order of `rows`, None where there is none."""
        values = None if self.logits is None else getattr(self.logits, key)
        return None if values is None else values[np.concatenate(self.rows)]

    def same_examples(self, other: SplitStatistics, classes: Sequence[int] | None = None) -> bool:
        """Both hold the same examples, of all classes or of some: equal data set, split, indices."""
        a, b = self.activations, other.activations
        if not a.dataset_id or a.dataset_id != b.dataset_id or a.split != b.split:
            return False
        chosen = range(len(self.rows)) if classes is None else classes
        return len(self.rows) == len(other.rows) and all(
            np.array_equal(a.indices[self.rows[k]], b.indices[other.rows[k]]) for k in chosen
        )


def triple_changes(
    before: SplitStatistics, after: SplitStatistics, bias: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.float64], int] | None:
    """Relative change of rho/d of every triple from one run to another.

    Returns:
        triples [t, 3], changes [t], and how many triples the classes have; None where the two runs have no
        triples in common. Triples without a plane in one of the runs are left out.
    """
    a, b = before.triples, after.triples
    if a is None or b is None or not np.array_equal(a.triples, b.triples):
        return None
    change = ratio(after.rho_d[bias], before.rho_d[bias]) - 1
    kept = np.isfinite(change)
    return (a.triples[kept], change[kept], a.n_all) if kept.any() else None
