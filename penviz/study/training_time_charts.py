"""rho/d of all triples over a training, as charts with the epochs on a log scale.

Axis letters: S epochs kept, t triples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.tightness.training_time import FIT, quartiles, relative_change
from penviz.projection.chart import Chart, Line, Series

Float = NDArray[np.float64]

TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
EPOCH_LABEL = "epoch (log scale)"


@dataclass(frozen=True)
class Timeline:
    """One run over its training.

    Attributes:
        name: in the legend; epochs: [S] ascending.
        rho_d: split -> [S, t] of every triple, each epoch on the plane of its own head.
        fit: its time to fit in epochs, None where it never fits or it is not known.
        alpha: label smoothing, 0 for hard targets, None when unknown.
    """

    name: str
    epochs: tuple[int, ...]
    rho_d: Mapping[str, Float]
    fit: int | None = None
    alpha: float | None = None


def log_epochs(epochs: Sequence[int]) -> Float:
    """Where epochs stand on the axis."""
    return np.log10(np.asarray(epochs, np.float64))


def log_ticks(last: int) -> tuple[tuple[float, str], ...]:
    """Ticks of that axis up to the last epoch."""
    return tuple((float(np.log10(tick)), str(tick)) for tick in TICKS if tick <= last)


def time_charts(runs: Sequence[Timeline], same_examples: bool) -> tuple[Chart, ...]:
    """The median triple with its quartiles, a colour a run; of a hard and a soft run the change too.

    Args:
        runs: in the order of the grid.
        same_examples: whether all of them kept the same examples, so that triples can be compared.
    """
    last = max(run.epochs[-1] for run in runs)
    shared = {"x_limits": (0.0, float(np.log10(max(last, 2)))), "x_ticks": log_ticks(last)}
    series, low, high = [], np.inf, -np.inf
    for colour, run in enumerate(runs):
        for split, values in run.rho_d.items():
            q1, median, q3 = quartiles(values).T
            low, high = min(low, float(q1.min())), max(high, float(q3.max()))
            series.append(
                Series(
                    *(f"{run.name}, {split}", log_epochs(run.epochs), median, q1, q3),
                    colour=colour,
                    dashed=split != "train",
                    labels=tuple(f"epoch {epoch}" for epoch in run.epochs),
                )
            )
    about = (
        "Median over all triples of classes, with quartiles; each epoch on the plane of its own head, of the "
        f"examples kept in the snapshots of {', '.join(run.name for run in runs)}. A run fits when it is "
        f"right about {100 * FIT:g} % of the training examples as they are seen in an epoch."
    )
    charts = [
        Chart(
            *("ρ/d of all triples", EPOCH_LABEL, "ρ/d", tuple(series), _fits(runs, low, high)),
            about=about,
            **shared,  # type: ignore[arg-type]
        )
    ]
    pair = _pair(runs) if same_examples else None
    if pair is not None:
        hard, soft = pair
        changes = {
            split: 100 * quartiles(relative_change(hard.rho_d[split], soft.rho_d[split])).T
            for split in soft.rho_d
            if split in hard.rho_d
        }
        series = [
            Series(
                *(f"change, {split}", log_epochs(soft.epochs), median, q1, q3),
                colour=runs.index(soft),
                dashed=split != "train",
                labels=tuple(f"epoch {epoch}" for epoch in soft.epochs),
            )
            for split, (q1, median, q3) in changes.items()
        ]
        ends = [float(v) for values in changes.values() for v in (values.min(), values.max())]
        marks = _fits(runs, min(0.0, *ends), max(0.0, *ends))
        charts.append(
            Chart(
                *("Change from hard targets", EPOCH_LABEL, "change of ρ/d, %", tuple(series), marks),
                about=f"{about} The change is taken triple by triple.",
                **shared,  # type: ignore[arg-type]
            )
        )
    return tuple(charts)


def _pair(runs: Sequence[Timeline]) -> tuple[Timeline, Timeline] | None:
    """A hard and a soft run that kept the same epochs; None for any other runs."""
    if len(runs) != 2 or runs[0].epochs != runs[1].epochs:
        return None
    hard, soft = sorted(runs, key=lambda run: run.alpha or 0.0)
    return (hard, soft) if hard.alpha == 0 and soft.alpha else None


def _fits(runs: Sequence[Timeline], low: float, high: float) -> tuple[Line, ...]:
    """A line at the time to fit of each run that has one."""
    return tuple(
        Line(f"{run.name} fits (epoch {run.fit})", (x, low), (x, high))
        for run in runs
        if run.fit is not None
        for x in [float(np.log10(run.fit))]
    )
