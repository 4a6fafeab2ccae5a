"""The finding in one sentence, computed from the numbers on the page and from nothing else.

Tightness is rho/d: the radius of clusters over the distance between their means, over all stored examples.
The words are chosen by rule: never a judgement, never a claim on absolute distances, which shrink.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from penviz.measure.intervals import Change, one_a_seed, seed_change
from penviz.measure.summary import Summary, triple_changes
from penviz.measure.table import Table
from penviz.measure.target_vectors import Targets
from penviz.measure.wording import (
    CAUSES,
    FULL_PASS,
    change_text,
    direction,
    ordinal,
    percent,
    percent_range,
    series,
    soft_words,
    targets_words,
    three,
    value_text,
)

__all__ = ["FULL_PASS", "Finding", "build_finding", "change_text", "three", "value_text"]

TARGETS = ("label_smoothing", "targets", "seed")
"""Config fields in which runs may differ and still be compared."""

SEEDS_NEEDED = 3
NEGLIGIBLE = 1e-6
"""A rho/d below it is rounding of float32 features: the clusters are points."""
POINTS = "Clusters that are single points cannot be compared"
ADJECTIVE = {"train": "training", "validation": "validation", "test": "test"}
NOTHING = "penviz draws them and concludes nothing"
DRAWN = "penviz draws these runs and concludes nothing"
STATED = "Targets are as stated: penviz did not train these networks and does not know what else differs."


@dataclass(frozen=True)
class Finding:
    """What the page says at its top.

    Attributes:
        kind: "none", "one", "unknown", "adopted", "planes", "equal", "differs", "tighter", "looser",
            "unclear", "series".
        headline: one sentence without a full stop.
        detail: the numbers behind it, with what varies in the intervals.
    """

    kind: str
    headline: str
    detail: str = ""


def build_finding(
    table: Table,
    *,
    names: Sequence[str],
    label_smoothings: Sequence[float | None],
    seeds: Sequence[int | None],
    targets: Sequence[Targets] | None = None,
    differences: Sequence[str] = (),
    runs: Sequence[Mapping[str, Summary]] = (),
    adopted: Sequence[bool] = (),
) -> Finding:
    """The sentence for the runs of a table.

    Args:
        table: of the same runs in the same order (`table.compare`).
        names: of the runs.
        label_smoothings: alpha of each, 0 for hard targets, None when unknown.
        seeds: training seed of each, None when unknown.
        targets: of each; without them those of `label_smoothings`, uniform over all classes.
        differences: config fields in which the runs differ (`runs.differences`), those of `TARGETS` ignored.
        runs: the summaries, for the rank among all triples; without them the rank is left out.
        adopted: whether penviz did not train a run; none of them by default. Their targets are as stated.
    """
    if not names:
        return Finding("none", "No runs are chosen")
    row = table.row("rho_d")
    common = [s for s in table.splits if all(v.get(s) is not None for v in row.values)]
    if not common:
        return Finding("none", "The chosen runs have no split in common whose clusters can be measured")
    foreign = list(adopted) or [False] * len(names)
    asked = [Targets.of(a) for a in label_smoothings] if targets is None else list(targets)
    if len(names) == 1:
        return _one(table, names[0], common, asked[0], foreign[0])
    plain = _plain(table, names, common)
    taught = [n for n, t in zip(names, asked, strict=True) if t.kind == "distilled"]
    unknown = [n for n, t in zip(names, asked, strict=True) if t.kind == "unknown"]
    if taught and not unknown:
        return Finding("unknown", f"{series(taught)} learned from a teacher: {DRAWN}", plain)
    if unknown:
        head = f"The targets of {series(unknown)} are not known: {DRAWN}"
        return Finding("unknown", head, plain)
    if any(foreign) and not all(foreign):
        others = series([n for n, f in zip(names, foreign, strict=True) if f])
        head = f"penviz did not train {others} and does not know what else differs: it draws these runs and"
        return Finding("adopted", f"{head} concludes nothing", plain)
    if not table.one_kind:
        headless = series([n for n, means in zip(names, table.class_means, strict=True) if means])
        head = f"Class means stand in for the templates of {headless} and not of the others: {DRAWN}"
        return Finding("planes", head, plain)
    alphas = [t.label_smoothing or 0.0 for t in asked]
    kinds = dict.fromkeys(t.kind for t in asked if t.smoothed)
    if len(kinds) > 1:
        said = series([CAUSES[kind] for kind in kinds])
        return Finding(
            "differs", f"These runs differ in the kind of their targets ({said}); {NOTHING}", plain
        )
    cause = soft_words(asked)
    fields = [f.replace("_", " ") for f in differences if f not in TARGETS]
    levels = sorted(set(alphas))
    stated = all(foreign)
    if len(levels) == 1:
        return _equal(table, names, asked[0], fields, seeds, common, stated)
    if fields:
        what = f"These runs differ in {series(fields)} too; {NOTHING}"
        return Finding("differs", what, plain)
    if len(levels) > 2:
        return _by_alpha(table, alphas, seeds, common, stated, cause)
    sides = [[i for i, a in enumerate(alphas) if a == level] for level in levels]
    counts = [len({seeds[i] for i in side if seeds[i] is not None}) for side in sides]
    if len(names) == 2:
        return _pair(table, levels, [seeds[s[0]] for s in sides], common, runs, stated, cause)
    if stated:
        head = f"ρ/d of {len(names)} runs whose training seeds are not known: no conclusion"
        return Finding("series", head, f"{plain} {STATED}")
    if min(counts) < SEEDS_NEEDED or None in seeds:
        detail = f"{plain} An interval over seeds needs three different ones a side."
        return Finding("series", f"ρ/d of {len(names)} runs; too few seeds for a conclusion", detail)
    return _over_seeds(table, levels, [[(seeds[i], i) for i in side] for side in sides], common, cause)


def _one(table: Table, name: str, common: Sequence[str], asked: Targets, stated: bool) -> Finding:
    row = table.row("rho_d")
    said, spans = [], []
    for split in common:
        said.append(f"{three(row.values[0][split])} on {split}")
        bounds = row.intervals[0].get(split) if row.intervals else None
        if bounds is not None:
            spans.append(f"{split} [{three(bounds[0])}, {three(bounds[1])}]")
    tail = "95 % over examples of this network; training seeds are not in it."
    detail = f"{', '.join(spans)}. {tail}" if spans else "Too few examples for an interval."
    if asked.kind == "unknown":
        detail += " Its targets are not known."
    elif stated:
        targets = targets_words(asked)
        detail += f" {targets[0].upper()}{targets[1:]}, as stated: penviz did not train it."
    return Finding("one", f"{name}: ρ/d {series(said)}", f"{detail[0].upper()}{detail[1:]}")


def _plain(table: Table, names: Sequence[str], common: Sequence[str]) -> str:
    """rho/d of every run on the first common split."""
    values = table.row("rho_d").values
    said = [f"{three(v[common[0]])} ({n})" for n, v in zip(names, values, strict=True)]
    return f"ρ/d on {common[0]}: {', '.join(said)}."


def _equal(
    table: Table,
    names: Sequence[str],
    asked: Targets,
    fields: Sequence[str],
    seeds: Sequence[int | None],
    common: Sequence[str],
    stated: bool,
) -> Finding:
    who = "Both runs" if len(names) == 2 else f"All {len(names)} runs"
    targets = f"{targets_words(asked)}, as stated" if stated else targets_words(asked)
    head = f"{who} have the same targets ({targets}): there is no difference between targets to see"
    others = [*fields, *(["seed"] if len(set(seeds)) > 1 else [])]
    detail = _plain(table, names, common)
    if others:
        detail += f" They differ in {series(others)}."
    change = table.row("rho_d").changes.get(common[0])
    if change is not None and change.low is not None:
        word = direction(change)
        said = f"{percent(change.value)} {word}" if change.clear else "no clear difference"
        detail += f" Between the two: {said} {percent_range(change, word)}, 95 % over examples."
    if stated:
        detail += f" {STATED}"
    return Finding("equal", head, detail)


def _by_alpha(
    table: Table,
    alphas: Sequence[float],
    seeds: Sequence[int | None],
    common: Sequence[str],
    stated: bool,
    cause: str,
) -> Finding:
    values = table.row("rho_d").values
    levels = sorted(set(alphas))
    lines = []
    for split in common:
        means = []
        for level in levels:
            rows = zip(seeds, values, alphas, strict=True)
            means.append(float(np.mean(one_a_seed((seed, v[split]) for seed, v, a in rows if a == level))))
        lines.append([three(m) for m in means])
    at = series([f"{a:g}" for a in levels])
    head = f"ρ/d on {common[0]} is {series(lines[0])} at {cause} {at}"
    head += ", as stated" if stated else ""
    rest = [f"{split}: {series(line)}." for split, line in zip(common[1:], lines[1:], strict=True)]
    runs = "Means over the runs of one alpha." if len(alphas) > len(levels) else "One run an alpha."
    detail = " ".join([*rest, runs, "Training seeds are not in it.", *([STATED] if stated else [])])
    return Finding("series", head, f"{detail[0].upper()}{detail[1:]}")


def _pair(
    table: Table,
    levels: Sequence[float],
    seeds: Sequence[int | None],
    common: Sequence[str],
    runs: Sequence[Mapping[str, Summary]],
    stated: bool,
    noun: str,
) -> Finding:
    row = table.row("rho_d")
    split = common[0]
    change = row.changes.get(split)
    before, after = row.values[table.reference][split], row.values[1 - table.reference][split]
    plain = f"ρ/d {three(before)} to {three(after)}"
    if change is None or change.low is None:
        detail = f"{plain} on {split}. {STATED}" if stated else f"{plain} on {split}."
        return Finding("unclear", "Too few examples for an interval", detail)
    word = direction(change)
    clusters = f"{ADJECTIVE[split]} clusters"
    if change.clear:
        value = f"alpha = {levels[1]:g}" + (f", not {levels[0]:g}" if levels[0] else "")
        cause = f"{'more ' if levels[0] else ''}{noun} ({value}{', as stated' if stated else ''})"
        head = f"In this pair of networks, {cause} goes with {percent(change.value)} {word} {clusters}"
        parts = [f"{plain} {percent_range(change, word)}"]
        kind = word
    else:
        head = f"No clear difference in the tightness of the {clusters} of this pair of networks"
        parts = [f"{plain}, {percent(change.value)} {word} {percent_range(change, word)}"]
        kind = "unclear"
    for other in common[1:]:
        more = row.changes.get(other)
        if more is not None and more.low is not None:
            same = direction(more)
            said = f"{percent(more.value)} {percent_range(more, same).replace(' %', '')}"
            if same != word or not change.clear:
                said = f"{percent(more.value)} {same} {percent_range(more, same).replace(' %', '')}"
            parts.append(f"{other} {said}" if more.clear else f"{other} no clear difference, {said}")
    tail = "95 % over examples of these two networks; training seeds are not in it."
    if None not in seeds and seeds[0] != seeds[1]:
        tail = f"The two have different seeds ({seeds[0]} and {seeds[1]}). {tail}"
    rank = _rank(table, split, runs, change)
    sentences = [f"{'; '.join(parts)}.", STATED if stated else "", tail, rank]
    return Finding(kind, head, " ".join(filter(None, sentences)))


def _rank(table: Table, split: str, runs: Sequence[Mapping[str, Summary]], change: Change) -> str:
    """How the chosen triple stands among all: a lucky one shows."""
    if len(runs) != 2:
        return ""
    if table.partial:
        return f"The rank among all triples {FULL_PASS}."
    found = triple_changes(runs[table.reference][split], runs[1 - table.reference][split], table.bias)
    if found is None or len(found[1]) < 2:
        return ""
    triples, changes, n_all = found
    own = (triples == np.sort(table.classes)).all(axis=1)
    others = changes[~own]
    word = direction(change) if change.clear else "tighter"
    sign = 1 if word == "looser" else -1
    rank = 1 + int((sign * others > sign * change.value).sum())
    moved = int((sign * np.append(others, change.value) > 0).sum())
    total = len(others) + 1
    median = float(np.median(np.append(others, change.value)))
    middle = (
        percent(median)
        if (median > 0) == (word == "looser")
        else f"{percent(median)} {direction(Change(median))}"
    )
    of = f"all {total:,} triples" if total == n_all else f"{total:,} of all {n_all:,} triples"
    return f"Of {of} {moved:,} are {word} (median {middle}); this one ranks {ordinal(rank)}."


def _over_seeds(
    table: Table,
    levels: Sequence[float],
    sides: Sequence[Sequence[tuple[int | None, int]]],
    common: Sequence[str],
    noun: str,
) -> Finding:
    """Welch's interval of the difference of mean log rho/d over seeds; sides: (seed, row of the table)."""
    split = common[0]
    values = table.row("rho_d").values
    measured = [one_a_seed((seed, values[i][split]) for seed, i in side) for side in sides]
    if min(map(min, measured)) < NEGLIGIBLE:
        return Finding("unclear", POINTS, f"ρ/d on {split} is 0 in one of these networks.")
    change = seed_change(measured)
    word = direction(change)
    low_side, high_side = (three(math.exp(np.mean(np.log(side)))) for side in measured)
    counts = sorted({len(side) for side in measured})
    seeds = f"{series([str(c) for c in counts])} training seeds a side"
    clusters = f"{ADJECTIVE[split]} clusters"
    if change.clear:
        cause = f"{noun[0].upper()}{noun[1:]} (alpha = {levels[1]:g})"
        if levels[0]:
            cause = f"More {noun} (alpha = {levels[1]:g}, not {levels[0]:g})"
        head = f"{cause} makes {clusters} {percent(change.value)} {word}"
    else:
        head = f"No clear difference in the tightness of the {clusters}"
    detail = f"ρ/d {low_side} to {high_side} {percent_range(change, word)}. 95 % over {seeds}."
    return Finding(word if change.clear else "unclear", head, detail)
