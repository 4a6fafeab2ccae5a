"""The finding in one sentence, computed from the numbers on the page and from nothing else.

Tightness is rho/d: the radius of clusters over the distance between their means, over all stored examples.
The words are chosen by rule: never a judgement, never a claim on absolute distances, which shrink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from penviz.metrics.intervals.bootstrap import one_a_seed
from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import (
    CAUSES,
    NO_SEEDS,
    SEEDS_OUT,
    interval_words,
    series,
    signed_percent,
    soft_words,
    targets_words,
    three,
)
from penviz.projection.split_statistics import SplitStatistics
from penviz.study.conclusion import (
    NO_INTERVAL,
    SEEDS_NEEDED,
    STATED,
    TOO_FEW,
    TOO_FEW_SEEDS,
    Finding,
    Pair,
    judge_pair,
    judge_seeds,
)
from penviz.study.table import Table

TARGETS = ("label_smoothing", "targets", "seed")
"""Config fields in which runs may differ and still be compared."""

NOTHING = "penviz draws them and concludes nothing"
DRAWN = "penviz draws these runs and concludes nothing"


def build_finding(
    table: Table,
    *,
    names: Sequence[str],
    label_smoothings: Sequence[float | None],
    seeds: Sequence[int | None],
    targets: Sequence[Targets] | None = None,
    differences: Sequence[str] = (),
    runs: Sequence[Mapping[str, SplitStatistics]] = (),
    adopted: Sequence[bool] = (),
    recipe: tuple[str, str] | None = None,
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
        recipe: data set and network of the runs (`runs.recipe_of`), for how far two seeds of it lie apart.
    """
    if not names:
        return Finding("none", "No runs are chosen")
    seeds = list(seeds)
    for first, other in table.alike:
        seeds[other] = seeds[first]  # one network counts once
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
    if copies := [(i, j) for i, j in table.alike if asked[i] != asked[j]]:
        return _same(names, asked, copies[0], plain)
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
        side = [seeds[s[0]] for s in sides]
        one = Pair(table, runs, common[0], common[1:], levels, cause, stated, side, recipe)
        return judge_pair(one)
    if stated:
        head = f"ρ/d of {len(names)} runs whose training seeds are not known: no conclusion"
        return Finding("series", head, f"{plain} {STATED}")
    if min(counts) < SEEDS_NEEDED or None in seeds:
        detail = f"{plain} {TOO_FEW_SEEDS}"
        return Finding("series", f"ρ/d of {len(names)} runs; too few seeds for a conclusion", detail)
    return judge_seeds(table, levels, [[(seeds[i], i) for i in side] for side in sides], common, cause)


def _same(names: Sequence[str], asked: Sequence[Targets], pair: tuple[int, int], plain: str) -> Finding:
    first, other = pair
    both = f"{names[first]} and {names[other]}"
    said = f"{targets_words(asked[first])} and {targets_words(asked[other])}"
    head = f"{both} are one and the same network, called {said}: there is nothing to compare"
    return Finding("same", head, plain)


def _one(table: Table, name: str, common: Sequence[str], asked: Targets, stated: bool) -> Finding:
    row = table.row("rho_d")
    said, spans = [], []
    for split in common:
        said.append(f"{three(row.values[0][split])} on {split}")
        bounds = row.intervals[0].get(split) if row.intervals else None
        if bounds is not None:
            spans.append(f"{three(bounds[0])} to {three(bounds[1])} on {split}")
    why = next((w for split in common for w in [row.why[0].get(split)] if w), "") if row.why else ""
    detail = f"{NO_INTERVAL}: {why}." if why else f"{TOO_FEW}."
    if spans:
        detail = f"95 % CI of ρ/d {series(spans)}, over examples; {SEEDS_OUT}."
    if asked.kind == "unknown":
        detail += " Its targets are not known."
    elif stated:
        targets = targets_words(asked)
        detail += f" {targets[0].upper()}{targets[1:]}, as stated: penviz did not train it."
    return Finding("one", f"{name}: ρ/d {series(said)}", detail)


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
    if change is not None and table.alike:
        detail += " They are one and the same network."
    elif change is not None and change.low is not None:
        detail += f" Between the two: {signed_percent(change.value)}, {interval_words(change)} over examples."
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
    runs = "Means over the runs of one α." if len(alphas) > len(levels) else "One run for each α."
    detail = " ".join([*rest, runs, NO_SEEDS, *([STATED] if stated else [])])
    return Finding("series", head, f"{detail[0].upper()}{detail[1:]}")
