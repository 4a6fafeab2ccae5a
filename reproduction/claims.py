"""What the paper and the articles about it claim, and whether it held in the runs that were made."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from penviz.metrics.intervals.bootstrap import seed_change
from penviz.store.pilots import conditions
from penviz.study.sweep import t_interval
from reproduction.distillation import gathered, taught
from reproduction.manifest import Recipe
from reproduction.results import Row
from reproduction.tables import Results, change, count, markdown, percent, three

SOFT = 0.1
CALIBRATED = (0.05, 0.1)
"""Smoothings that the paper sets beside a fitted temperature (Table 3)."""

FEWEST = 3
"""Pairs of seeds from which a difference is judged over seeds."""


def claims(results: Results) -> str:
    """A line a claim and recipe, from its pairs of runs of equal seed; verdicts follow from the numbers."""
    lines = []
    for recipe in results.recipes():
        pairs = {s: _pairs(results, recipe, SOFT, s) for s in ("train", "validation")}
        if not pairs["validation"] or not pairs["train"]:
            continue
        where, n = [recipe.tier, f"{recipe.model}, {recipe.dataset}"], str(len(pairs["train"]))
        for k, triple in enumerate(recipe.triples, start=1):
            for claim, found in {
                "training clusters are tighter": _tighter(pairs["train"], k),
                "classes lie farther apart": _apart(pairs["train"], k),
                "the whole picture shrinks": _shrinks(results, recipe, pairs["train"], k),
                "the triangle is more regular": _regular(pairs["train"], k),
                "validation clusters spread towards the centre": _centre(results, recipe, k),
            }.items():
                lines.append([*where, ", ".join(map(str, triple)), n, claim, *found])
        lines.append([*where, "all", n, "most triples are tighter in train", *_most(pairs["train"])])
        lines.append([*where, "all", n, "accuracy improves", *_accuracy(pairs["validation"])])
        lines += [[*where, "all", *line] for line in _calibration(results, recipe)]
    lines += _teaching(results)
    return markdown(["tier", "network", "classes", "pairs", "claim", "measured", "held"], lines)


Pairs = Sequence[tuple[Row, Row]]


def _pairs(results: Results, recipe: Recipe, alpha: float, split: str) -> Pairs:
    hard = {row["seed"]: row for row in results.seeds(recipe, 0.0, split)}
    soft = results.seeds(recipe, alpha, split)
    return [(hard[row["seed"]], row) for row in soft if row["seed"] in hard]


def _all(held: Sequence[bool]) -> str:
    return "yes" if all(held) else "no" if not any(held) else "in some pairs"


def _tighter(pairs: Pairs, k: int) -> tuple[str, str]:
    """The change of rho/d with its 95 % interval: over seeds from three pairs on, else over examples."""
    if len(pairs) >= FEWEST:
        sides = [[float(row[f"triple{k}_rho_d"]) for row in side] for side in zip(*pairs, strict=True)]
        found = seed_change(sides)
        said = (
            f"ρ/d {change(found.value)} [{change(found.low or 0)}, {change(found.high or 0)}] %, over seeds"
        )
        return said, _verdict([(found.low or 0, found.high or 0)])
    soft = [row for _, row in pairs if row[f"triple{k}_change"]]
    if not soft:
        return "the hard run was not at hand", "not measured"
    if not all(row[f"triple{k}_change_low"] for row in soft):
        values = "; ".join(f"{change(float(row[f'triple{k}_change']))} %" for row in soft)
        return f"ρ/d {values}, of too few examples for an interval", "undecided"
    parts = [[float(row[f"triple{k}_change{end}"]) for end in ("", "_low", "_high")] for row in soft]
    told = [f"{change(value)} [{change(low)}, {change(high)}] %" for value, low, high in parts]
    return f"ρ/d {'; '.join(told)}, over examples", _verdict([(low, high) for _, low, high in parts])


def _verdict(intervals: Sequence[tuple[float, float]]) -> str:
    """Whether a change is below 0: "undecided" where an interval holds 0."""
    words = ["yes" if high < 0 else "no, looser" if low > 0 else "undecided" for low, high in intervals]
    if len(set(words)) > 1:
        return "not in all pairs: " + ", ".join(words)
    return "undecided: the interval contains 0" if words[0] == "undecided" else words[0]


def _most(pairs: Pairs) -> tuple[str, str]:
    soft = [row for _, row in pairs if row["triples_compared"]]
    if not soft:
        return "the hard run was not at hand", "not measured"
    shares = [float(row["triples_tighter"]) / float(row["triples_compared"]) for row in soft]
    median = change(statistics.fmean(float(row["triples_median_change"]) for row in soft))
    said = (
        f"{100 * statistics.fmean(shares):.1f} % of {count(soft[0]['triples_compared'])}, median {median} %"
    )
    return said, _all([share > 0.5 for share in shares])


def _apart(pairs: Pairs, k: int) -> tuple[str, str]:
    ratios = [float(soft[f"triple{k}_distance"]) / float(hard[f"triple{k}_distance"]) for hard, soft in pairs]
    return f"distance of class means times {three(statistics.fmean(ratios))}", _all([r > 1 for r in ratios])


def _shrinks(results: Results, recipe: Recipe, pairs: Pairs, k: int) -> tuple[str, str]:
    ratios = [float(soft[f"triple{k}_axis"]) / float(hard[f"triple{k}_axis"]) for hard, soft in pairs]
    said = f"axis times {three(statistics.fmean(ratios))}"
    hard, soft = (results.printed(recipe, alpha, "paper").get("axis") for alpha in (0.0, SOFT))
    if hard and soft:
        said += f"; in the paper {three(soft / hard)}"
    return said, _all([r < 1 for r in ratios])


def _regular(pairs: Pairs, k: int) -> tuple[str, str]:
    hard, soft = ([float(row[f"triple{k}_regularity"]) for row in side] for side in zip(*pairs, strict=True))
    said = f"regularity {three(statistics.fmean(hard))} to {three(statistics.fmean(soft))}"
    return said, _all([b > a for a, b in zip(hard, soft, strict=True)])


def _centre(results: Results, recipe: Recipe, k: int) -> tuple[str, str]:
    column = f"triple{k}_towards_centre"
    train, validation = (results.values(recipe, SOFT, s, column) for s in ("train", "validation"))
    means = [f"{100 * statistics.fmean(values):.1f} %" for values in (train, validation)]
    held = _all([b > a for a, b in zip(train, validation, strict=True)])
    return f"share towards the centre {means[0]} in train, {means[1]} in validation", held


def _calibration(results: Results, recipe: Recipe) -> list[list[str]]:
    """Lines on ECE (15 bins) over the validation examples that no temperature was fitted on."""
    lines = []
    temperatures = results.values(recipe, 0.0, "validation", "temperature")
    if temperatures:
        said = f"T {statistics.fmean(temperatures):.2f}"
        held = _all([t > 1 for t in temperatures])
        lines.append([str(len(temperatures)), "hard targets are overconfident: T above 1", said, held])
    for alpha in CALIBRATED:
        pairs = [
            (float(hard["ece_other"]), float(hard["ece_other_at_temperature"]), float(soft["ece_other"]))
            for hard, soft in _pairs(results, recipe, alpha, "validation")
            if hard["ece_other_at_temperature"] and soft["ece_other"]
        ]
        if pairs:
            hard, fitted, soft = (statistics.fmean(values) for values in zip(*pairs, strict=True))
            said = f"ECE {soft:.4f}, hard targets {hard:.4f}"
            n, name = str(len(pairs)), f"α = {alpha:g}"
            lower, as_low = (_all([p[2] < p[k] for p in pairs]) for k in (0, 1))
            lines.append([n, f"{name} calibrates better than hard targets", said, lower])
            said = f"ECE {soft:.4f}, hard targets at T {fitted:.4f}"
            lines.append([n, f"{name} calibrates better than hard targets at T", said, as_low])
    return lines


def _teaching(results: Results) -> list[list[str]]:
    """Lines on students: those of each smoothed teacher beside those of the hard one, each at its best T.

    T is chosen on validation, the accuracies are those of the test split, a pair is of one seed.
    """
    lines = []
    for students, teachers in taught(results):
        tuned = {
            one.label_smoothing: one
            for one in conditions(gathered(results, students, teachers))
            if one.role == "distilled" and one.tuned
        }
        hard = tuned.pop(0.0, None)
        if hard is None:
            continue
        where = [students.tier, f"{students.model} of {teachers.model}, {students.dataset}", "all"]
        for alpha, soft in tuned.items():
            known = {row.seed: row.accuracy["test"] for row in hard.rows if "test" in row.accuracy}
            told = {row.seed: row.accuracy["test"] for row in soft.rows if "test" in row.accuracy}
            more = [known[seed] - told[seed] for seed in sorted(known.keys() & told.keys())]
            if more:
                said, held = _points(more)
                claim = f"a teacher with α = {alpha:g} has worse students than a hard one"
                measured = f"student of hard (T = {hard.temperature:g}) {said}, test"
                lines.append([*where, str(len(more)), claim, measured, held])
    return lines


def _accuracy(pairs: Pairs) -> tuple[str, str]:
    return _points([float(soft["accuracy"]) - float(hard["accuracy"]) for hard, soft in pairs])


def _points(more: Sequence[float]) -> tuple[str, str]:
    """The mean of differences of accuracy, one a seed, judged by its 95 % interval from three of them on.

    Source: Student 1908, the differences of the pairs.
    """
    said = f"{change(statistics.fmean(more))} points"
    if len(more) < FEWEST:
        return said, f"undecided: fewer than {FEWEST} pairs of seeds"
    low, high = t_interval(more)
    said += f" ± {percent((high - low) / 2)} (95 %, over seeds)"
    return said, "yes" if low > 0 else "no" if high < 0 else "undecided: the interval contains 0"
