"""What the paper and the articles about it claim, and whether it held in the runs that were made."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from reproduction.manifest import Recipe
from reproduction.results import Row
from reproduction.tables import Results, change, markdown, percent, three

SOFT = 0.1
FEWEST = 3
"""Pairs of seeds from which a difference of accuracies is called one."""


def claims(results: Results) -> str:
    """A line a claim and recipe, from its pairs of runs of equal seed; verdicts follow from the numbers."""
    lines = []
    for recipe in results.recipes():
        pairs = {s: _pairs(results, recipe, SOFT, s) for s in ("train", "validation")}
        if not pairs["validation"] or not pairs["train"]:
            continue
        where = [recipe.tier, f"{recipe.model}, {recipe.dataset}", str(len(pairs["train"]))]
        for claim, (said, verdict) in {
            "training clusters are tighter": _tighter(pairs["train"]),
            "classes lie farther apart": _apart(pairs["train"]),
            "the triangle is more regular": _regular(pairs["train"]),
            "validation clusters spread towards the centre": _centre(results, recipe),
            "accuracy improves": _accuracy(pairs["validation"]),
        }.items():
            lines.append([*where, claim, said, verdict])
    return markdown(["tier", "network", "pairs", "claim", "measured", "held"], lines)


Pairs = Sequence[tuple[Row, Row]]


def _pairs(results: Results, recipe: Recipe, alpha: float, split: str) -> Pairs:
    hard = {row["seed"]: row for row in results.seeds(recipe, 0.0, split)}
    soft = results.seeds(recipe, alpha, split)
    return [(hard[row["seed"]], row) for row in soft if row["seed"] in hard]


def _all(held: Sequence[bool]) -> str:
    return "yes" if all(held) else "no" if not any(held) else "in some pairs"


def _tighter(pairs: Pairs) -> tuple[str, str]:
    soft = [row for _, row in pairs if row["triple1_change"]]
    if not soft:
        return "the hard run was not at hand", "not measured"
    mean = change(statistics.fmean(float(row["triple1_change"]) for row in soft))
    tighter = [float(row["triples_tighter"]) / float(row["triples_compared"]) for row in soft]
    said = f"ρ/d {mean} %; {100 * statistics.fmean(tighter):.1f} % of all triples are tighter"
    return said, _all([float(row["triple1_change_high"]) < 0 for row in soft])


def _apart(pairs: Pairs) -> tuple[str, str]:
    ratios = [float(soft["triple1_distance"]) / float(hard["triple1_distance"]) for hard, soft in pairs]
    return f"distance of class means times {three(statistics.fmean(ratios))}", _all([r > 1 for r in ratios])


def _regular(pairs: Pairs) -> tuple[str, str]:
    hard, soft = ([float(row["triple1_regularity"]) for row in side] for side in zip(*pairs, strict=True))
    said = f"regularity {three(statistics.fmean(hard))} to {three(statistics.fmean(soft))}"
    return said, _all([b > a for a, b in zip(hard, soft, strict=True)])


def _centre(results: Results, recipe: Recipe) -> tuple[str, str]:
    column = "triple1_towards_centre"
    train, validation = (results.values(recipe, SOFT, s, column) for s in ("train", "validation"))
    means = [f"{100 * statistics.fmean(values):.1f} %" for values in (train, validation)]
    held = _all([b > a for a, b in zip(train, validation, strict=True)])
    return f"share towards the centre {means[0]} in train, {means[1]} in validation", held


def _accuracy(pairs: Pairs) -> tuple[str, str]:
    more = [float(soft["accuracy"]) - float(hard["accuracy"]) for hard, soft in pairs]
    said = f"{change(statistics.fmean(more))} points"
    if len(more) < FEWEST:
        return said, f"undecided: fewer than {FEWEST} pairs of seeds"
    half = 2 * statistics.stdev(more) / len(more) ** 0.5
    said += f" ± {percent(half)} (two standard errors)"
    mean = statistics.fmean(more)
    return said, "yes" if mean > half else "no" if mean < -half else "undecided: within two standard errors"
