"""All triples of classes of two runs as data: which tighten, by how much, and where one of them ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from penviz import InputError
from penviz.metrics.tightness.class_pairs import Float, pair_medians
from penviz.metrics.tightness.finder import Ranking, find
from penviz.projection.split_statistics import SplitStatistics
from penviz.study.finding import Compared, Finding
from penviz.study.study_run import StudyRun, usual_splits
from penviz.study.table import reference_run
from penviz.study.triple_chart import TriplePair
from penviz.study.triples_finding import triples_finding


@dataclass(frozen=True, repr=False)
class TripleComparison:
    """rho/d of every triple in two runs.

    Attributes:
        before, after: the runs, the less smoothed one first; split: of the examples; bias: the template
            holds the bias.
    """

    before: StudyRun
    after: StudyRun
    split: str
    bias: bool = True

    def __repr__(self) -> str:
        return f"<triples of {self.before.name} and {self.after.name} on {self.split}>"

    @property
    def statistics(self) -> tuple[SplitStatistics, SplitStatistics]:
        """Of the split, in the order of the runs."""
        return self.before.statistics[self.split], self.after.statistics[self.split]

    @cached_property
    def pair(self) -> TriplePair:
        """Triples [t, 3] with their rho/d [t] in both runs; InputError where they share none."""
        return TriplePair.of(*self.statistics, self.bias)

    @cached_property
    def matrices(self) -> tuple[Float, Float]:
        """[K, K] of each run: for two classes the median rho/d of the triples that hold both."""
        pair, n_classes = self.pair, len(self.statistics[0].activations.class_names)
        before, after = (pair_medians(pair.triples, v, n_classes) for v in (pair.before, pair.after))
        return before, after

    def extreme_pairs(self) -> list[tuple[tuple[float, int, int], tuple[float, int, int]]]:
        """Of each run the least and the greatest value of `matrices`, with its two classes."""
        found = []
        for matrix in self.matrices:
            i, j = np.nonzero(np.tri(len(matrix), k=-1, dtype=bool) & np.isfinite(matrix))
            known = sorted(zip(matrix[i, j].tolist(), i.tolist(), j.tolist(), strict=True))
            found.append((known[0], known[-1]))
        return found

    def outliers(self, m: int = 5) -> list[int]:
        """Places in `pair` of at most m triples whose change is far from that of the others, farthest first.

        Far is more than three deviations of ln(after / before) from its median; a deviation is 1.4826 times
        the median distance from the median, as for a normal law.
        """
        with np.errstate(divide="ignore"):
            moved = np.log(self.pair.after / self.pair.before)
        away = np.abs(moved - np.median(moved))
        far = away > 3 * 1.4826 * np.median(away)
        return [int(at) for at in np.argsort(-away, kind="stable")[:m] if far[at]]

    def nearest(self, before: float, after: float) -> int:
        """Place in `pair` of the triple whose rho/d in the two runs come nearest to two values."""
        return int(np.argmin(np.hypot(self.pair.before - before, self.pair.after - after)))

    def finding(self, classes: Sequence[int], names: tuple[str, str] | None = None) -> Finding:
        """What all triples say, and where that of three classes stands among them.

        Args:
            classes: rows of the head; names: what the runs are called, their own when not given.
        """
        compared = Compared.of([self.before.run, self.after.run])
        return triples_finding(
            replace(compared, names=names or compared.names),
            self.pair,
            TriplePair.of(*self.statistics, not self.bias),
            self.statistics[0].activations.class_names,
            classes,
            self.split,
        )

    def find(self, how: str, m: int = 10) -> Ranking:
        """The first m triples of one of `finder.FINDS`; InputError for another word."""
        return find(how, list(self.statistics), m, self.bias)

    def rank(self, classes: Sequence[int]) -> int | None:
        """Place of a triple by its change, 1 for the one that tightens most; None where it is not held."""
        return self.pair.rank(classes)


def triple_comparison(runs: Sequence[StudyRun], split: str | None, bias: bool) -> TripleComparison:
    """Arguments and errors as `Study.triples`."""
    if len(runs) != 2:
        raise InputError(f"Triples are compared in two runs, not in {len(runs)}.")
    first = reference_run([one.run.config.label_smoothing for one in runs])
    before, after = runs[first], runs[1 - first]
    shared = [s for s in ("train", "validation", "test") if s in before.splits and s in after.splits]
    if not shared or (split and split not in shared):
        raise InputError(f"Not both runs have {f'{split} ' if split else ''}activations to compare.")
    return TripleComparison(before, after, split or shared[0], bias)


def find_triples(runs: Sequence[StudyRun], how: str, split: str | None, bias: bool) -> tuple[str, Ranking]:
    """Arguments and errors as `Study.find`."""
    shared = [s for s in usual_splits(runs) if all(s in one.splits for one in runs)]
    if not shared or (split is not None and split not in shared):
        of = split or "one split"
        raise InputError(f"Not all of these runs have activations of {of}: extract them first.")
    chosen = split or shared[0]
    for one in runs:
        if one.splits[chosen].over_all is not None:
            raise InputError(f"{one.name} is kept in shards: triples are found in one file of activations.")
    return chosen, find(how, [one.statistics[chosen] for one in runs], bias=bias)
