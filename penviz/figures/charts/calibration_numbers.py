"""The calibration table as a forest plot: each number of each run with its interval, before and after T."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penviz.figures.charts.calibration import measured, runs_words
from penviz.figures.charts.stored_splits import names_of, split_file
from penviz.metrics.calibration.calibrated import PLAIN, SCALED, Calibrated
from penviz.metrics.numbers import BY_KEY
from penviz.metrics.wording import SEEDS_OUT, series, three
from penviz.projection.chart import Chart, Line, Series
from penviz.store.runs import Run
from penviz.study.calibration_comparison import CalibrationComparison

SHOWN = ("ece", "nll", "brier", "accuracy", "aurc_softmax")
"""Numbers with a panel, after that of the fitted T."""

PLACES = {PLAIN: 0.0, SCALED: 1.0}
TICKS = ((0.0, "T = 1"), (1.0, "fitted T"))

APART = 0.5
"""Width in which the runs stand side by side about a tick."""

EXPECTED = "ECE expected if perfectly calibrated"


def numbers(runs: Sequence[Run], *, split: str, seed: int) -> tuple[Chart, ...]:
    """A panel a number; seed: of the two halves. Errors as `measured`."""
    return number_charts(measured(runs, split, seed))


def _files(run: Run, *, split: str, seed: int) -> tuple[str, ...]:
    """What is read of a run."""
    return (split_file(split),)


def number_charts(comparison: CalibrationComparison) -> tuple[Chart, ...]:
    """The same of what is measured."""
    found, names = comparison.calibrated, names_of([one.run for one in comparison.runs])
    about = _about(comparison, names)
    shifts = np.linspace(-APART / 2, APART / 2, len(found)) if len(found) > 1 else np.zeros(1)
    charts = [_temperatures(found, names, shifts, about)]
    for key in SHOWN:
        drawn = [
            _series(c, n, key, s, k) for k, (c, n, s) in enumerate(zip(found, names, shifts, strict=True))
        ]
        if key == "ece":
            drawn += [_expected(c, s) for c, s in zip(found, shifts, strict=True)]
        scaled = any((key, SCALED) in c.numbers for c in found)
        number = BY_KEY[key]
        charts.append(
            Chart(
                title=number.label[0].upper() + number.label[1:],
                x_label="logits divided by" if scaled else "run",
                y_label="" if number.unit == "share" else number.unit,
                series=tuple(drawn),
                x_limits=(-0.5, 1.5) if scaled else (-0.5, 0.5),
                x_ticks=TICKS if scaled else tuple(zip(shifts.tolist(), names, strict=True)),
                about=about,
            )
        )
    return tuple(charts)


def _temperatures(found: Sequence[Calibrated], names: Sequence[str], shifts: np.ndarray, about: str) -> Chart:
    drawn = []
    for k, (c, name, shift) in enumerate(zip(found, names, shifts, strict=True)):
        t = c.temperature
        if t.finite:
            low, high = (np.nan if end is None else end for end in (t.low, t.high))
            drawn.append(_marks(name, [(shift, t.value, low, high)], k))
    one = Line("T = 1", (-0.5, 1.0), (0.5, 1.0))
    ticks = tuple(zip(shifts.tolist(), names, strict=True))
    return Chart("Fitted T", "run", "", tuple(drawn), (one,), (-0.5, 0.5), x_ticks=ticks, about=about)


def _series(c: Calibrated, name: str, key: str, shift: float, colour: int) -> Series:
    rows = []
    for at, place in PLACES.items():
        if (value := c.value(key, at)) is not None:
            rows.append((place + shift, value, *(c.bounds(key, at) or (np.nan, np.nan))))
    return _marks(name, rows, colour)


def _expected(c: Calibrated, shift: float) -> Series:
    values = [(p + shift, c.value("ece_floor", at)) for at, p in PLACES.items()]
    held = np.array([(x, y) for x, y in values if y is not None], np.float64).reshape(-1, 2)
    return Series(EXPECTED, held[:, 0], held[:, 1], kind="markers", colour=2, faint=True)


def _marks(name: str, rows: Sequence[tuple[float, ...]], colour: int) -> Series:
    """Rows of place, value, and ends of the interval, NaN without one."""
    x, y, low, high = np.array(rows, np.float64).reshape(-1, 4).T
    labels = tuple(f"{name}: {three(value)}" for value in y.tolist())
    return Series(name, x, y, low, high, kind="markers", colour=colour, labels=labels)


def _about(found: CalibrationComparison, names: Sequence[str]) -> str:
    sizes = series([f"{fit:,} and {n:,}" for fit, n in sorted({(c.n_fit, c.n) for c in found.calibrated})])
    return (
        f"Calibration of {runs_words(found, names)}, before and after the logits are divided by the T of "
        f"lowest NLL on the other half; whiskers: 95 % CI over examples, where one holds; {SEEDS_OUT}. "
        f"Fitted and reported on {sizes} examples, halves divided with seed {found.seed}."
    )


FIGURES = {"calibration": ({"split": "validation", "seed": 0}, numbers, _files)}
"""Name -> options with what they are when not given, builder, files read."""
