"""Numbers against label smoothing: runs that differ only in alpha and seed, with intervals over seeds.

Axis letters: a values of alpha, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.calibration.logit_rows import LogitRows, Scaled, fitted_rows
from penviz.metrics.calibration.reliability import ece
from penviz.metrics.calibration.selective import aurc, max_softmax
from penviz.metrics.calibration.temperature import fit_temperature, halve
from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.intervals.bootstrap import Change, one_a_seed, t95, welch
from penviz.metrics.label_noise import misled
from penviz.metrics.numbers import BY_KEY, MEASURE, SWEEP, TABLES, Number
from penviz.metrics.target_vectors import Targets
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.study.finding import SEEDS_NEEDED, Compared, Finding
from penviz.study.table import NumberRow, Table, compare
from penviz.study.tightness_finding import NO_SPLIT, plane_finding

Float = NDArray[np.float64]
SWITCHED = "rho_d_switched"
"""Key of rho_d with the bias switch turned (`Table.switched`), which no chart draws."""

Values = Mapping[str, Mapping[str, float | None]]
"""Split -> key of a number -> its value, None where it does not exist."""

SWEPT: tuple[Number, ...] = (*TABLES[MEASURE], *TABLES[SWEEP])
SWEPT_BY_KEY = {number.key: number for number in SWEPT}

HELD_OUT_ONLY = ("temperature", "ece_scaled")
"""Not measured on training examples, which the network was fitted to."""


@dataclass(frozen=True)
class Swept:
    """One run of a sweep, digested to its numbers; kind is that of its targets."""

    name: str
    label_smoothing: float
    seed: int
    values: Values = field(repr=False)
    kind: str = "uniform"


@dataclass(frozen=True)
class Curve:
    """One number of one split against alpha.

    Attributes:
        alphas: [a], rising; mean: [a] over seeds, NaN where the number does not exist.
        low, high: [a] 95 % t-interval of the mean over seeds, NaN below three of them.
        counts: [a] different seeds with this number; runs of one seed are averaged first.
        points: (alpha, value, name of the run) of the single runs.
    """

    alphas: Float
    mean: Float
    low: Float
    high: Float
    counts: NDArray[np.int64]
    points: tuple[tuple[float, float, str], ...]


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of a few values: mean -+ t s / sqrt(n), n - 1 degrees of freedom.

    NaN below `SEEDS_NEEDED` values: two of them span an interval that says nothing.

    Source: Student 1908.
    """
    x = np.asarray(values, np.float64)
    if len(x) < SEEDS_NEEDED:
        return math.nan, math.nan
    half = t95(len(x) - 1) * float(x.std(ddof=1)) / math.sqrt(len(x))
    return float(x.mean()) - half, float(x.mean()) + half


def mean_change(before: Sequence[float], after: Sequence[float]) -> Change:
    """Difference of two means over seeds with its 95 % interval; without one below three seeds a side."""
    if min(len(before), len(after)) < SEEDS_NEEDED:
        return Change(float(np.mean(after) - np.mean(before)), None, None, False)
    value, half = welch(before, after)
    return Change(value, value - half, value + half, False)


def calibrated_values(activations: Activations, split: str) -> dict[str, float | None]:
    """Temperature, ECE at it and AURC of one run and split; empty without a head or below 20 examples."""
    a = activations
    if a.head is None or a.partial or len(a) < 20:
        return {}
    right = (a.predictions == a.labels).astype(np.float64)
    score = LogitRows(a, np.arange(len(a))).each(max_softmax)
    values: dict[str, float | None] = {"aurc": aurc(score, right)}
    if split != "train":
        fit, report = halve(class_rows(a.labels, len(a.class_names), a.indices))
        fit = fitted_rows(fit, len(a.class_names))
        t = fit_temperature(LogitRows(a, fit).all(), a.labels[fit])
        if t.finite:
            confidence = Scaled.of(LogitRows(a, report), a.labels[report], t.value).confidence
            values |= {"temperature": t.value, "ece_scaled": ece(confidence, right[report])}
    return values


def run_values(
    splits: Mapping[str, SplitStatistics],
    classes: Sequence[str | int],
    *,
    bias: bool = True,
    targets: Targets,
    label_noise: float = 0.0,
) -> Values:
    """All numbers of SWEPT for one run.

    Args:
        splits: its summaries; classes, bias: as in `table.compare`; targets: of its training;
            label_noise: probability of a wrong label in it.

    Raises:
        ActivationsError, DegeneratePlane: as `table.compare`.
    """
    table = compare([splits], classes, bias=bias, targets=[targets])
    values: dict[str, dict[str, float | None]] = {split: {} for split in splits}
    for row in table.rows:
        for split in splits:
            values[split][row.number.key] = row.values[0].get(split)
    if table.switched is not None:
        for split in splits:
            values[split][SWITCHED] = table.switched.values[0].get(split)
    for split, summary in splits.items():
        values[split] |= calibrated_values(summary.activations, split)
    train = splits.get("train")
    if label_noise and train is not None and train.activations.hashes is not None:
        found = misled(train.activations, label_noise, bias)
        if math.isfinite(found.given):  # else no plane holds such an example
            values["train"] |= {"misled_given": found.given, "misled_true": found.true}
    return values


def curve(runs: Sequence[Swept], key: str, split: str) -> Curve:
    """One number of one split of some runs against alpha."""
    points = tuple(
        (run.label_smoothing, float(value), run.name)
        for run in sorted(runs, key=lambda run: (run.label_smoothing, run.seed, run.name))
        if (value := run.values.get(split, {}).get(key)) is not None
    )
    alphas = sorted({run.label_smoothing for run in runs})
    sides = [_by_seed(runs, alpha, key, split) for alpha in alphas]
    bounds = np.array([t_interval(side) for side in sides]).reshape(-1, 2)
    means = np.array([float(np.mean(side)) if side else math.nan for side in sides])
    counts = np.array([len(side) for side in sides], np.int64)
    return Curve(np.array(alphas), means, bounds[:, 0], bounds[:, 1], counts, points)


def _by_seed(runs: Sequence[Swept], alpha: float, key: str, split: str) -> list[float]:
    """A number of the runs of one alpha, one value a seed."""
    alike = [run for run in runs if run.label_smoothing == alpha]
    return one_a_seed((run.seed, run.values.get(split, {}).get(key)) for run in alike)


def sweep_finding(
    runs: Sequence[Swept], classes: tuple[int, int, int], bias: bool, name: str = ""
) -> Finding:
    """The sentence over a sweep, on rho/d: by the rule of the first page, over seeds alone.

    Args:
        runs: that differ only in alpha and seed; classes, bias: of rho/d; name: of these runs, where the page
            shows others too.
    """
    splits = tuple(s for s in ("train", "validation") if all(s in run.values for run in runs))
    values = tuple({s: run.values[s].get("rho_d") for s in splits} for run in runs)
    if not splits or any(v[splits[0]] is None for v in values):
        return Finding("none", NO_SPLIT)
    turned = tuple(
        {s: run.values[s].get(SWITCHED, v[s]) for s in splits} for run, v in zip(runs, values, strict=True)
    )
    switched = None if turned == values else NumberRow(BY_KEY["rho_d"], turned)
    table = Table((NumberRow(BY_KEY["rho_d"], values),), splits, classes, bias, switched=switched)
    compared = Compared(
        [run.name for run in runs],
        [Targets(run.kind, run.label_smoothing) for run in runs],
        [run.seed for run in runs],
    )
    found = plane_finding(compared, table)
    return replace(found, headline=f"{name}: {found.headline}") if name else found
