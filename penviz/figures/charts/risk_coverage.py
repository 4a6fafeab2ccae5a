"""Risk-coverage curves: errors among the surest examples, for three scores of sureness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.figures.charts.calibrations import calibrations, listed, names_of, split_file
from penviz.metrics.calibration.calibrated import PLAIN, Calibrated
from penviz.metrics.wording import three
from penviz.projection.chart import Chart, Series
from penviz.store.runs import Run

SCORES = {"softmax": "max-softmax", "logit": "max-logit", "norm": "p-norm logit"}

SETTINGS = {"split": "validation", "seed": 0, "scores": tuple(SCORES)}
"""The split; seed of its two halves, of which one chooses p; which scores, a chart each."""

POINTS = 200
"""Of a curve, evenly over the coverage: more cannot be seen."""


def files(run: Run, *, split: str, seed: int, scores: Sequence[str]) -> tuple[str, ...]:
    """What `build` reads of a run."""
    return (split_file(split),)


def build(runs: Sequence[Run], *, split: str, seed: int, scores: Sequence[str]) -> tuple[Chart, ...]:
    """A chart a score, a curve a run.

    Raises:
        InputError: as `calibrations`, or an unknown score.
    """
    return charts_of(calibrations(runs, split, seed), names_of(runs), seed, scores)


def charts_of(
    found: Sequence[Calibrated], names: Sequence[str], seed: int, scores: Sequence[str] = tuple(SCORES)
) -> tuple[Chart, ...]:
    """The same of calibrations: found, names: of the runs; seed: of their halves; scores: keys of SCORES."""
    if unknown := [s for s in scores if s not in SCORES]:
        raise InputError(
            f"There is no score {unknown[0]}{did_you_mean(unknown[0], SCORES)}: choose {', '.join(SCORES)}."
        )
    if not scores:
        raise InputError(f"Choose at least one score out of {', '.join(SCORES)}.")
    areas = [[c.value(f"aurc_{key}") for key in scores] for c in found]
    words = [f"{n}: AURC {', '.join(map(three, own))}" for n, own in zip(names, areas, strict=True)]
    top = max(float(c.risk[f"aurc_{key}", PLAIN].risk[-1]) for c in found for key in scores)
    charts = []
    for key in scores:
        series = []
        for number, (c, name) in enumerate(zip(found, words, strict=True)):
            curve = c.risk[f"aurc_{key}", PLAIN]
            n = len(curve.risk)
            at = np.unique(np.ceil(np.linspace(0, 1, POINTS + 1)[1:] * n - 1e-9).astype(np.int64)) - 1
            series.append(Series(name, curve.coverage[at], curve.risk[at], colour=number))
        charts.append(
            Chart(
                title=SCORES[key],
                x_label="coverage",
                y_label="risk (share of errors)",
                series=tuple(series),
                x_limits=(0, 1),
                y_limits=(0, 1.1 * top if top else 1.0),
                about=_about(found, names, seed, scores),
            )
        )
    return tuple(charts)


def _about(found: Sequence[Calibrated], names: Sequence[str], seed: int, scores: Sequence[str]) -> str:
    runs = [f"{name} is {c.run}" if name != c.run else name for c, name in zip(found, names, strict=True)]
    sizes = listed([f"{n:,}" for n in sorted({c.n for c in found})])
    order = " in the order of the charts" if len(scores) > 1 else ""
    said = f"Risk against coverage of {listed(runs)}, {found[0].split} split: the share of errors among the "
    said += "examples of highest score, for every share of the examples. AURC, in the legend"
    said += f"{order}, is the mean of the risk over all coverages. Reported on {sizes} examples, one of two "
    said += f"halves parted with seed {seed}"
    if "norm" in scores:
        norms = listed([f"{c.norm} ({name})" for c, name in zip(found, names, strict=True)])
        said += f"; the other half chose p, {norms}"
    return said + f". Curves are drawn at {POINTS} coverages."
