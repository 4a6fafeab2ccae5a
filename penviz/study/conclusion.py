"""Conclusions on tightness: of one network a side, and over training seeds.

A direction is named only where the interval excludes no change, the change is one that matters, and the plane
without the bias in the templates says the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from penviz.metrics.intervals.bootstrap import Change, one_a_seed, seed_change
from penviz.metrics.intervals.seed_spread import SeedSpread, seed_spread
from penviz.metrics.intervals.verdict import Verdict, judge, relevant
from penviz.metrics.wording import (
    EXAMPLES_ONLY,
    FULL_PASS,
    cause_words,
    change_words,
    direction,
    ordinal,
    percent,
    series,
    signed_percent,
    than_words,
)
from penviz.projection.split_statistics import SplitStatistics, triple_changes
from penviz.study.table import NumberRow, Table

SEEDS_NEEDED = 3
NEGLIGIBLE = 1e-6
"""A rho/d below it is rounding of float32 features: the clusters are points."""
POINTS = "Clusters that are single points cannot be compared"
ADJECTIVE = {"train": "training", "validation": "validation", "test": "test"}
WORDS: Mapping[Verdict, str] = {"lower": "tighter", "higher": "looser"}
"""What a lower and a higher rho/d are called."""
UNCLEAR = "No clear difference"
TOO_FEW = "Too few examples for an interval"
NO_INTERVAL = "No interval over examples would hold"
NO_CONCLUSION = "No conclusion"
TOO_FEW_SEEDS = "An interval over seeds needs at least three seeds per setting."
STATED = "Targets are as stated: penviz did not train these networks and does not know what else differs."
DEPENDS = "No conclusion on the {} clusters: it depends on whether the bias counts as part of the template"
BIAS = (
    "ρ/d with the bias in the templates changes when features are multiplied and the head is divided by one "
    "number, which leaves the network as it is."
)


@dataclass(frozen=True)
class Finding:
    """What the page says at its top.

    Attributes:
        kind: "none", "one", "unknown", "adopted", "planes", "same", "equal", "differs", "tighter", "looser",
            "mixed" (the chosen triple moves against the median of all), "depends" (on the bias switch),
            "unclear", "series".
        headline: one sentence without a full stop.
        detail: the numbers behind it, with what varies in the intervals.
    """

    kind: str
    headline: str
    detail: str = ""


@dataclass(frozen=True)
class Pair:
    """Two runs that differ in their targets and no more than the seed beside.

    Attributes:
        table: of the two; summaries: of both, or () for no rank among all triples.
        split: that the headline is about; others: those that the detail has too.
        levels: alpha of the two, rising; noun: what their targets are called (CAUSES); stated: by a user.
        seeds: of the two; recipe: data set and network, None when unknown.
    """

    table: Table
    summaries: Sequence[Mapping[str, SplitStatistics]]
    split: str
    others: Sequence[str]
    levels: Sequence[float]
    noun: str
    stated: bool
    seeds: Sequence[int | None]
    recipe: tuple[str, str] | None

    def spread(self, split: str) -> SeedSpread:
        """How far two seeds lie apart."""
        return seed_spread(*(self.recipe or ("", "")), split)

    def verdict(self, row: NumberRow, split: str) -> Verdict:
        """What the change of rho/d of a row allows to say."""
        return judge(row.changes.get(split), self.spread(split).least)

    def words(self, row: NumberRow, split: str) -> str:
        """Both values and the change."""
        first = self.table.reference
        before, after = (row.values[i].get(split) for i in (first, 1 - first))
        return change_words(before, after, row.changes.get(split))


def judge_pair(pair: Pair) -> Finding:
    """The conclusion on two runs, or why there is none."""
    row, turned = pair.table.row("rho_d"), pair.table.switched
    said = pair.verdict(row, pair.split)
    if said == "none":
        detail = f"ρ/d {pair.words(row, pair.split)} on {pair.split}."
        change = row.changes.get(pair.split)
        head = TOO_FEW if change is None or not change.why else f"{NO_CONCLUSION}: {change.why}"
        return Finding("unclear", head, " ".join([detail, *([STATED] if pair.stated else [])]))
    if turned is not None and pair.verdict(turned, pair.split) != said:
        return _depends(pair, turned)
    kind, head = WORDS.get(said, "unclear"), UNCLEAR
    rank, median = _rank(pair)
    if kind != "unclear":
        change = row.changes[pair.split]
        assert change is not None
        cause = cause_words(pair.noun, pair.levels, pair.stated)
        moved = (
            f"{ADJECTIVE[pair.split]} clusters are {percent(change.value)} {kind}{than_words(pair.levels)}"
        )
        head = f"{cause}: {moved}, in this pair of networks"
        if median is not None and median.value * change.value < 0 and relevant(median, row.number.least):
            kind = "mixed"
            head += f", but the median of all triples is {percent(median.value)} {direction(median)}"
    numbers = [f"ρ/d {pair.words(row, pair.split)}", *_other_splits(pair, row)]
    sentences = [f"{'; '.join(numbers)}.", *_remarks(pair, row), pair.spread(pair.split).sentence(), rank]
    return Finding(kind, head, " ".join(filter(None, sentences)))


def _depends(pair: Pair, turned: NumberRow) -> Finding:
    """No conclusion: with the bias in the templates rho/d says something else than without it."""
    row = pair.table.row("rho_d")
    with_bias, without = (row, turned) if pair.table.bias else (turned, row)
    said = [pair.words(one, pair.split) for one in (with_bias, without)]
    head = DEPENDS.format(ADJECTIVE[pair.split])
    sentences = [
        f"ρ/d {said[0]} with the bias, {said[1]} without it.",
        BIAS,
        *_remarks(pair, row),
        pair.spread(pair.split).sentence(),
    ]
    return Finding("depends", head, " ".join(filter(None, sentences)))


def _other_splits(pair: Pair, row: NumberRow) -> list[str]:
    """The numbers of the splits that the headline is not about."""
    found = []
    for split in pair.others:
        said = pair.verdict(row, split)
        if said != "none":
            tail = ", no clear difference" if said == "unclear" else ""
            found.append(f"{split} {pair.words(row, split)}{tail}")
    return found


def _remarks(pair: Pair, row: NumberRow) -> list[str]:
    """What the numbers of a pair are worth."""
    said = [STATED] if pair.stated else []
    turned = pair.table.switched
    here, there = row.changes.get(pair.split), turned.changes.get(pair.split) if turned else None
    if here is not None and there is not None and abs(here.value - there.value) >= row.number.least:
        what = "Without the bias in the templates" if pair.table.bias else "With the bias in the templates"
        said.append(f"{what} the change is {signed_percent(there.value)}.")
    if None not in pair.seeds and pair.seeds[0] != pair.seeds[1]:
        said.append(f"The two have different seeds ({pair.seeds[0]} and {pair.seeds[1]}).")
    if pair.split in pair.table.unpaired:
        said.append("They hold different examples: the interval takes them as independent samples.")
    return [*said, EXAMPLES_ONLY]


def _rank(pair: Pair) -> tuple[str, Change | None]:
    """How the chosen triple stands among all, so that a lucky one shows; and their median change."""
    table, runs, split = pair.table, pair.summaries, pair.split
    change = table.row("rho_d").changes[split]
    if len(runs) != 2 or change is None:
        return "", None
    if table.partial:
        return f"The rank among all triples {FULL_PASS}.", None
    found = triple_changes(runs[table.reference][split], runs[1 - table.reference][split], table.bias)
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
    middle = signed_percent(median.value)
    said = f"Of {of} {moved:,} are {word} (median {middle}); the current triple ranks {ordinal(rank)}."
    return said, median


def judge_seeds(
    table: Table,
    levels: Sequence[float],
    sides: Sequence[Sequence[tuple[int | None, int]]],
    common: Sequence[str],
    noun: str,
) -> Finding:
    """Welch's interval of the difference of mean log rho/d over seeds; sides: (seed, row of the table)."""
    split = common[0]
    found = [
        seed_verdict(row, [[(seed, row.values[i].get(split)) for seed, i in side] for side in sides])
        for row in (table.row("rho_d"), table.switched)
        if row is not None
    ]
    said, change, means = found[0]
    if change is None:
        return Finding("unclear", POINTS, f"ρ/d on {split} is 0 in one of these networks.")
    counts = sorted({len({seed for seed, _ in side}) for side in sides})
    settings = f"{series([str(c) for c in counts])} training seeds per setting"
    detail = f"ρ/d {change_words(*means, change)}. 95 % CI over {settings}."
    if len(found) > 1 and found[1][0] != said and found[1][1] is not None:
        other = change_words(*found[1][2], found[1][1])
        turned = "without" if table.bias else "with"
        detail += f" It is {other} {turned} the bias in the templates. {BIAS}"
        return Finding("depends", DEPENDS.format(ADJECTIVE[split]), detail)
    if said not in WORDS:
        return Finding("unclear", UNCLEAR, detail)
    moved = f"{ADJECTIVE[split]} clusters are {percent(change.value)} {WORDS[said]}{than_words(levels)}"
    head = f"{cause_words(noun, levels)}: {moved}, over {settings}"
    return Finding(WORDS[said], head, detail)


def seed_verdict(
    row: NumberRow, sides: Sequence[Sequence[tuple[int | None, float | None]]]
) -> tuple[Verdict, Change | None, tuple[float, float]]:
    """What (seed, rho/d) of two sides allow to say, the change and both means; no change for points."""
    measured = [one_a_seed(side) for side in sides]
    if not all(measured) or min(map(min, measured)) < NEGLIGIBLE:
        return "none", None, (math.nan, math.nan)
    change = seed_change(measured)
    before, after = (math.exp(float(np.mean(np.log(side)))) for side in measured)
    return judge(change, row.number.least), change, (before, after)
