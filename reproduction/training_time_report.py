"""rho/d against training time, as a table and as a figure of the report, from training_time.csv."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from penviz.metrics.tightness.training_time import MULTIPLES, nearest_epoch
from penviz.projection.chart import Chart, Line, Series
from penviz.study.sweep import t_interval
from penviz.study.training_time_charts import EPOCH_LABEL, log_epochs, log_ticks
from reproduction.manifest import Recipe
from reproduction.results import Row
from reproduction.tables import NOTHING, Results, change, markdown

SOFT = 0.1
SPLITS = ("train", "validation")


def compared(
    times: Sequence[Row], recipe: Recipe, split: str, alpha: float = SOFT
) -> dict[str, list[tuple[int, int, float]]]:
    """When -> (seed, epoch, change) of a recipe's pairs at multiples of their time to fit and at the end.

    The change is the median over all triples, at the snapshot nearest to the multiple; a pair that was not
    trained for so long has none.
    """
    found: dict[str, list[tuple[int, int, float]]] = {}
    chosen = [
        row
        for row in times
        if row["recipe"] == recipe.name and row["split"] == split and row["change"]
        if float(row["label_smoothing"]) == alpha
    ]
    for seed in sorted({int(row["seed"]) for row in chosen}):
        own = [row for row in chosen if int(row["seed"]) == seed]
        epochs = [int(row["epoch"]) for row in own]
        places: dict[str, int | None] = {}
        if own[0]["pair_fit"]:
            places = {
                _times_fit(multiple): nearest_epoch(epochs, multiple * int(own[0]["pair_fit"]))
                for multiple in MULTIPLES
            }
        places["at the end"] = len(own) - 1
        for when, place in places.items():
            if place is not None:
                found.setdefault(when, []).append((seed, epochs[place], float(own[place]["change"])))
    order = [*map(_times_fit, MULTIPLES), "at the end"]
    return {when: found[when] for when in order if when in found}


def _times_fit(multiple: int) -> str:
    return "at fit" if multiple == 1 else f"{multiple} times the time to fit"


def table(results: Results, times: Sequence[Row]) -> str:
    """The change from hard targets to smoothing 0.1 at multiples of the time to fit."""
    measured, lines = results.measured(), []
    times = [row for row in times if row["id"] in measured]
    for recipe in results.recipes():
        for split in SPLITS:
            for when, pairs in compared(times, recipe, split).items():
                values = [value for _, _, value in pairs]
                low, high = t_interval(values)
                interval = f"{change(low)} to {change(high)}" if np.isfinite(low) else NOTHING
                epochs = sorted({epoch for _, epoch, _ in pairs})
                lines.append(
                    [
                        *(recipe.tier, f"{recipe.dataset}: {recipe.model}", split, when),
                        "/".join(map(str, epochs)),
                        change(statistics.fmean(values)),
                        *(interval, str(len(pairs))),
                    ]
                )
    head = ["tier", "network", "split", "when", "epoch", "change of ρ/d, %", "95 % over seeds", "pairs"]
    return markdown(head, lines)


def finding(results: Results, times: Sequence[Row]) -> list[str]:
    """A sentence a recipe with pairs of three seeds or more: the change at fit and at the end."""
    measured, said = results.measured(), []
    times = [row for row in times if row["id"] in measured]
    for recipe in results.recipes():
        parts = []
        for split in SPLITS:
            found = compared(times, recipe, split)
            told = []
            for when in ("at fit", "at the end"):
                values = [value for _, _, value in found.get(when, [])]
                low, high = t_interval(values)
                if np.isfinite(low):
                    interval = f"95 % CI {change(low)} to {change(high)}"
                    told.append(f"{change(statistics.fmean(values))} % {when} ({interval})")
            if len(told) == 2:
                parts.append(f"{' and '.join(told)} on {split}")
        if parts:
            said.append(
                f"{recipe.dataset}, {recipe.model}: label smoothing of {SOFT:g} changes ρ/d of the median "
                f"triple by {', and by '.join(parts)}."
            )
    return said


def block(results: Results, times: Sequence[Row]) -> str:
    """The sentences and the table of the report."""
    return "\n\n".join([*finding(results, times), table(results, times)])


def charts(times: Sequence[Row], recipe: Recipe, alpha: float = SOFT) -> tuple[Chart, ...]:
    """rho/d of the median triple over the epochs, hard and soft, and its change; none without pairs.

    The epochs stand on a log scale. Lines are means over seeds; bands go from the least to the greatest seed.
    Dotted lines stand at the multiples of the time to fit, its median over the pairs.
    """
    own = [row for row in times if row["recipe"] == recipe.name]
    pairs = [row for row in own if float(row["label_smoothing"]) == alpha and row["change"]]
    if not pairs:
        return ()
    seeds = {row["seed"] for row in pairs}
    last = max(int(row["epoch"]) for row in pairs)
    ticks = log_ticks(last)
    hard = [row for row in own if float(row["label_smoothing"]) == 0 and row["seed"] in seeds]
    tightness, changes = [], []
    for split in SPLITS:
        dashed = split == "validation"
        for colour, (name, rows) in enumerate((("hard targets", hard), (f"α = {alpha:g}", pairs))):
            tightness.append(_series(f"{name}, {split}", rows, split, "rho_d", colour, dashed))
        changes.append(_series(f"change, {split}", pairs, split, "change", 1, dashed, 100))
    fits = sorted({(row["seed"], int(row["pair_fit"])) for row in pairs if row["pair_fit"]})
    marks = []
    values = [v for s in changes for side in (s.low, s.high) if side is not None for v in side.tolist()]
    low, high = min(0.0, *values), max(0.0, *values)
    if fits:
        fit = statistics.median(epoch for _, epoch in fits)
        marks = [
            Line(_times_fit(m) if m == 1 else f"{m} times", (x, low), (x, high))
            for m in MULTIPLES
            if (x := float(np.log10(m * fit))) <= np.log10(last)
        ]
    about = (
        f"All triples of classes of {recipe.dataset}, {recipe.model}, examples kept in snapshots, on the "
        f"plane of each epoch's own head; {len(seeds)} seeds, bands from the least to the greatest."
    )
    limits = (0.0, float(np.log10(last)))
    return (
        Chart(
            "tightness of the median triple",
            EPOCH_LABEL,
            "ρ/d",
            tuple(tightness),
            x_limits=limits,
            x_ticks=ticks,
            about=about,
        ),
        Chart(
            "change from hard targets",
            EPOCH_LABEL,
            "change of ρ/d, %",
            tuple(changes),
            tuple(marks),
            x_limits=limits,
            x_ticks=ticks,
            about=about,
        ),
    )


def _series(
    name: str,
    rows: Sequence[Row],
    split: str,
    column: str,
    colour: int,
    dashed: bool,
    factor: float = 1.0,
) -> Series:
    """A mean over seeds against the logarithm of the epoch, with a band where there are several."""
    by_epoch: dict[int, list[float]] = {}
    for row in rows:
        if row["split"] == split and row[column]:
            by_epoch.setdefault(int(row["epoch"]), []).append(factor * float(row[column]))
    epochs = sorted(by_epoch)
    values = [by_epoch[epoch] for epoch in epochs]
    return Series(
        name,
        log_epochs(epochs),
        np.array([statistics.fmean(v) for v in values]),
        np.array([min(v) for v in values]),
        np.array([max(v) for v in values]),
        colour=colour,
        dashed=dashed,
    )
