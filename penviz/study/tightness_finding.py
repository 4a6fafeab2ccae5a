"""What rho/d says of some runs, in the plane of three classes and on the axis of two.

Tightness is rho/d: the radius of clusters over the distance between their means, over all stored examples.
The words never judge and claim nothing of absolute distances, which shrink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypedDict

import numpy as np

from penviz.metrics.intervals.bootstrap import Change
from penviz.metrics.intervals.seed_spread import seed_spread
from penviz.metrics.intervals.verdict import judge, relevant
from penviz.metrics.wording import (
    FULL_PASS,
    SEEDS_OUT,
    change_words,
    direction,
    ordinal,
    percent,
    series,
    signed_percent,
    targets_words,
    three,
)
from penviz.projection.split_statistics import SplitStatistics, triple_changes
from penviz.projection.two_classes import TwoClasses
from penviz.study.conclusion import Evidence, Judged, conclude
from penviz.study.finding import BIAS, NO_INTERVAL, NONE_DRAWN, TOO_FEW, Compared, Finding
from penviz.study.table import NumberRow, Table

TIGHTNESS: Mapping[str, str] = {"lower": "tighter", "higher": "looser"}
"""What a lower and a higher rho/d are called."""
POINTS = "Clusters that are single points cannot be compared"
ADJECTIVE = {"train": "training"}
NO_SPLIT = "The chosen runs have no split in common whose clusters can be measured"

Spans = Mapping[str, tuple[float | None, tuple[float, float] | None, str]]
"""Split -> rho/d of a run, its interval, and why there is none."""


def plane_finding(
    runs: Compared, table: Table, statistics: Sequence[Mapping[str, SplitStatistics]] = ()
) -> Finding:
    """What rho/d of three classes says.

    Args:
        runs: of the table, in its order; table: `table.compare`; statistics: of the runs, for the rank among
            all triples; () to leave it out.
    """
    if not runs.names:
        return Finding("none", "No runs are chosen")
    values = table.row("rho_d").values
    common = [s for s in table.splits if all(v.get(s) is not None for v in values)]
    return (
        conclude(runs, PlaneEvidence.of(table, common, statistics)) if common else Finding("none", NO_SPLIT)
    )


def axis_finding(runs: Compared, measured: Sequence[Mapping[str, TwoClasses]]) -> Finding:
    """What rho/d of two classes says; measured: of each run its splits.

    The bias switch does not touch it: the axis is a linear image of the logit difference, biases included,
    and a ratio along it is free of its length.
    """
    common = [s for s in measured[0] if all(s in run for run in measured)]
    return conclude(runs, AxisEvidence.on(measured, common)) if common else Finding("none", NO_SPLIT)


def single_run(runs: Compared, spans: Spans) -> Finding:
    """rho/d of one run on its splits."""
    said = [f"{three(value)} on {split}" for split, (value, *_) in spans.items()]
    bounds = [f"{three(b[0])} to {three(b[1])} on {split}" for split, (_, b, _) in spans.items() if b]
    why = next((why for *_, why in spans.values() if why), "")
    detail = f"{NO_INTERVAL}: {why}." if why else f"{TOO_FEW}."
    if bounds:
        detail = f"95 % CI of ρ/d {series(bounds)}, over examples; {SEEDS_OUT}."
    targets = targets_words(runs.targets[0])
    if runs.targets[0].kind == "unknown":
        detail += " Its targets are not known."
    elif runs.stated:
        detail += f" {targets[0].upper()}{targets[1:]}, as stated: penviz did not train it."
    return Finding("one", f"{runs.names[0]}: ρ/d {series(said)}", detail)


@dataclass(frozen=True, kw_only=True)
class PlaneEvidence(Evidence):
    """rho/d of three classes.

    Attributes:
        table: of the runs; splits: that all of them have, the headline's first; statistics: of each run.
    """

    table: Table
    splits: Sequence[str]
    statistics: Sequence[Mapping[str, SplitStatistics]] = ()

    @classmethod
    def of(
        cls, table: Table, splits: Sequence[str], statistics: Sequence[Mapping[str, SplitStatistics]] = ()
    ) -> PlaneEvidence:
        """From the table of the runs."""
        row, turned = table.row("rho_d"), table.switched
        return cls(
            **_tightness(splits, [[v.get(s) for v in row.values] for s in splits]),
            turned=None if turned is None else [v.get(splits[0]) for v in turned.values],
            bias=table.bias,
            alike=table.alike,
            table=table,
            splits=splits,
            statistics=statistics,
        )

    def alone(self, runs: Compared) -> Finding:
        """rho/d of one run, with its intervals."""
        row = self.table.row("rho_d")
        spans = row.intervals[0] if row.intervals else {}
        why = row.why[0] if row.why else {}
        return single_run(runs, {s: (row.values[0][s], spans.get(s), why.get(s, "")) for s in self.splits})

    def objection(self, runs: Compared) -> Finding | None:
        """Planes of templates and of class means are not compared."""
        return _other_planes(runs, self.table.class_means)

    def pair(self, runs: Compared, first: int, second: int) -> Judged | None:
        """Two runs; None where the table holds no change over examples."""
        table, split = self.table, self.splits[0]
        row, turned = table.row("rho_d"), table.switched
        if not row.changes:
            return None
        spreads = {s: seed_spread(*(runs.recipe or ("", "")), s) for s in self.splits}
        verdicts = {s: judge(row.changes.get(s), spreads[s].least) for s in self.splits}

        def words(one: NumberRow, s: str) -> str:
            before, after = (one.values[i].get(s) for i in (first, second))
            return change_words(before, after, one.changes.get(s))

        change = row.changes.get(split)
        values = (row.values[first][split], row.values[second][split])
        numbers = [f"ρ/d {words(row, split)}"]
        for s in self.splits[1:]:
            if verdicts[s] != "none":
                numbers.append(f"{s} {words(row, s)}{', no clear difference' * (verdicts[s] == 'unclear')}")
        remarks, last, but, depends = [], [spreads[split].sentence()], "", False
        if turned is not None:
            there = turned.changes.get(split)
            depends = judge(there, spreads[split].least) != verdicts[split]
            if change and there and abs(change.value - there.value) >= row.number.least:
                where = "Without" if table.bias else "With"
                remarks.append(
                    f"{where} the bias in the templates the change is {signed_percent(there.value)}."
                )
        if split in table.unpaired:
            remarks.append("The two hold different examples: the interval treats these as independent.")
        if depends and turned is not None:
            with_bias, without = (row, turned) if table.bias else (turned, row)
            numbers = [f"ρ/d {words(with_bias, split)} with the bias, {words(without, split)} without it"]
            remarks = [BIAS, *remarks]
        elif verdicts[split] != "none" and change is not None:
            rank, median = self._rank(first, second, change)
            last.append(rank)
            against = median is not None and median.value * change.value < 0
            if verdicts[split] != "unclear" and median and against and relevant(median, row.number.least):
                but = f", but the median of all triples is {percent(median.value)} {direction(median)}"
        said = f"{'; '.join(numbers)}."
        return Judged(verdicts[split], change, values, said, remarks, last, depends, but)

    def _rank(self, first: int, second: int, change: Change) -> tuple[str, Change | None]:
        """How the chosen triple stands among all, so that a lucky one shows; and their median change."""
        table, split = self.table, self.splits[0]
        if len(self.statistics) != 2:
            return "", None
        if table.partial:
            return f"The rank among all triples {FULL_PASS}.", None
        found = triple_changes(self.statistics[first][split], self.statistics[second][split], table.bias)
        if found is None or len(found[1]) < 2:
            return "", None
        triples, changes, n_all = found
        own = (triples == np.sort(table.classes)).all(axis=1)
        every = np.append(changes[~own], change.value)
        word = direction(change) if change.clear else "tighter"
        sign = 1 if word == "looser" else -1
        rank = 1 + int((sign * every[:-1] > sign * change.value).sum())
        moved, total = int((sign * every > 0).sum()), len(every)
        median = Change(float(np.median(every)))
        of = f"all {total:,} triples" if total == n_all else f"{total:,} of all {n_all:,} triples"
        place = f"(median {signed_percent(median.value)}); the current triple ranks {ordinal(rank)}"
        return f"Of {of} {moved:,} are {word} {place}.", median


@dataclass(frozen=True, kw_only=True)
class AxisEvidence(Evidence):
    """rho/d of two classes; measured: of each run its splits, of which all share some."""

    measured: Sequence[Mapping[str, TwoClasses]]
    split: str

    @classmethod
    def on(cls, measured: Sequence[Mapping[str, TwoClasses]], splits: Sequence[str]) -> AxisEvidence:
        """From runs and the splits that all have."""
        same = [
            (i, j)
            for i, j in combinations(range(len(measured)), 2)
            if all(measured[i][s].same_as(measured[j][s]) for s in splits)
        ]
        values = [[run[s].rho_d for run in measured] for s in splits]
        return cls(**_tightness(splits, values), alike=same, measured=measured, split=splits[0])

    def alone(self, runs: Compared) -> Finding:
        """rho/d of one run, with its intervals."""
        own = self.measured[0].items()
        return single_run(runs, {s: (two.rho_d, two.interval(), two.why_no_interval()) for s, two in own})

    def objection(self, runs: Compared) -> Finding | None:
        """Axes of templates and of class means are not compared."""
        return _other_planes(runs, [run[self.split].means for run in self.measured])

    def pair(self, runs: Compared, first: int, second: int) -> Judged:
        """Two runs over their examples."""
        before, after = (self.measured[i][self.split] for i in (first, second))
        found, spread = before.change_to(after), seed_spread(*(runs.recipe or ("", "")), self.split)
        why = before.why_no_interval() or after.why_no_interval()
        ratio = after.rho_d / before.rho_d - 1 if before.rho_d else 0.0
        change = Change(*found) if found else Change(ratio, why=why)
        values = (before.rho_d, after.rho_d)
        numbers = f"ρ/d {change_words(*values, change)}."
        return Judged(judge(change, spread.least), change, values, numbers, last=[spread.sentence()])


class _Tightness(TypedDict):
    short: str
    where: str
    noun: str
    words: Mapping[str, str]
    values: Sequence[float | None]
    others: Mapping[str, Sequence[float | None]]
    vanishing: str


def _tightness(splits: Sequence[str], values: Sequence[Sequence[float | None]]) -> _Tightness:
    """What all evidence on rho/d shares; values: of each split, of the runs."""
    return {
        "short": "ρ/d",
        "where": f"ρ/d on {splits[0]}",
        "noun": f"{ADJECTIVE.get(splits[0], splits[0])} clusters are",
        "words": TIGHTNESS,
        "values": values[0],
        "others": dict(zip(splits[1:], values[1:], strict=True)),
        "vanishing": POINTS,
    }


def _other_planes(runs: Compared, on_means: Sequence[bool]) -> Finding | None:
    """No conclusion where class means stand in for the templates of some runs only."""
    if len(set(on_means)) < 2:
        return None
    who = series([n for n, means in zip(runs.names, on_means, strict=True) if means])
    head = f"Class means stand in for the templates of {who} and not of the others: {NONE_DRAWN}"
    return Finding("planes", head)
