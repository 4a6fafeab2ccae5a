"""Calibration of runs: reliability diagrams, and risk against coverage for three scores of sureness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.figures.charts.stored_splits import names_of, split_file
from penviz.figures.open_study import open_run
from penviz.metrics.calibration.calibrated import PLAIN, SCALED, Calibrated
from penviz.metrics.calibration.chance import consistency_band
from penviz.metrics.calibration.reliability import Reliability
from penviz.metrics.wording import series, three
from penviz.projection.chart import Chart, Line, Series
from penviz.store.run_activations import lacking
from penviz.store.runs import Run
from penviz.study.calibration_comparison import CalibrationComparison, calibration_comparison
from penviz.study.study_run import StudyRun

MOST_RUNS = 12
"""More cannot be told apart in one figure."""

SHARE, PERFECT = "share of examples, T = 1", "perfect calibration"
BAND = "95 % consistency band"

SCORES = {"softmax": "max-softmax", "logit": "max-logit", "norm": "p-norm logit"}

POINTS = 200
"""Of a risk curve, evenly over the coverage: more cannot be seen."""


def _measured(runs: Sequence[Run], split: str, seed: int) -> CalibrationComparison:
    """The calibration of every run.

    Raises:
        InputError: too many runs for one figure, no such split, or a run that cannot be measured.
    """
    if len(runs) > MOST_RUNS:
        raise InputError(f"{len(runs)} runs cannot be told apart in one figure: draw at most {MOST_RUNS}.")
    found: list[Calibrated] = []
    for run in runs:  # of each its activations are let go again
        if split_file(split) and split not in run.splits():
            raise lacking(run, split)
        found += calibration_comparison([open_run(run, splits=(split,))], split, seed).calibrated
    return CalibrationComparison(tuple(StudyRun(run, {}) for run in runs), tuple(found), split, seed)


def _split_files(run: Run, *, split: str, **others: object) -> tuple[str, ...]:
    """What is read of a run."""
    return (split_file(split),)


def reliability(runs: Sequence[Run], *, split: str, seed: int, scaled: bool) -> tuple[Chart, ...]:
    """A diagram a run; errors as `_measured`.

    Args:
        seed: of the two halves; scaled: whether the curve after temperature scaling is drawn too.
    """
    return reliability_charts(_measured(runs, split, seed), scaled)


def reliability_charts(found: CalibrationComparison, scaled: bool = True) -> tuple[Chart, ...]:
    """The same of what is measured."""
    names = names_of([one.run for one in found.runs])
    about = _about_reliability(found, names, scaled)
    charts = []
    for number, (c, name) in enumerate(zip(found.calibrated, names, strict=True)):
        plain = c.reliability[PLAIN]
        ece = three(c.value("ece"))
        drawn = [counts_of(plain), band_of(plain), curve(f"{name}: ECE {ece}", plain, number, False)]
        if scaled and SCALED in c.reliability:
            words = f"{name}, T = {three(c.temperature.value)}: ECE {three(c.value('ece', SCALED))}"
            drawn.append(curve(words, c.reliability[SCALED], number, True))
        charts.append(
            Chart(
                title=name,
                x_label="confidence",
                y_label="accuracy",
                series=tuple(drawn),
                lines=(Line(PERFECT, (0, 0), (1, 1)),),
                x_limits=(0, 1),
                y_limits=(0, 1),
                square=True,
                about=about,
            )
        )
    return tuple(charts)


def counts_of(bins: Reliability) -> Series:
    """How the examples are spread over the bins, in the background."""
    middles = (bins.edges[:-1] + bins.edges[1:]) / 2
    share = bins.counts / bins.counts.sum()
    labels = tuple(f"n = {n:,}" for n in bins.counts.tolist())
    return Series(SHARE, middles, share, kind="bars", colour=2, labels=labels, faint=True)


def band_of(bins: Reliability) -> Series:
    """Where the accuracy of each bin would fall if the network were perfectly calibrated."""
    held = bins.counts > 0
    confidence = bins.confidence[held]
    low, high = consistency_band(bins.counts[held], confidence)
    return Series(BAND, confidence, confidence, low, high, colour=2, faint=True)


def curve(name: str, bins: Reliability, colour: int, dashed: bool) -> Series:
    """Bins that hold examples, at their mean confidence; intervals at temperature 1, which come first."""
    held = bins.counts > 0
    low, high = (ends[held] for ends in bins.bounds())
    labels = tuple(f"n = {n:,}" for n in bins.counts[held].tolist())
    return Series(
        name,
        bins.confidence[held],
        bins.accuracy[held],
        kind="line+markers",
        colour=colour,
        dashed=dashed,
        labels=labels,
        low=None if dashed else low,
        high=None if dashed else high,
    )


def _about_reliability(found: CalibrationComparison, names: Sequence[str], scaled: bool) -> str:
    halves = sorted({(c.n_fit, c.n) for c in found.calibrated})
    counts = series([f"{fit:,} to fit on and {n:,} to report on" for fit, n in halves])
    infinite = [n for n, c in zip(names, found.calibrated, strict=True) if not c.temperature.finite]
    bins = len(found.calibrated[0].reliability[PLAIN].counts)
    said = (
        f"Reliability diagrams of {_runs(found, names)}: mean accuracy against mean confidence in {bins} "
        "bins of equal width, closed on the right; whiskers are 95 % intervals over the examples of a bin "
        "(Wilson 1927); the grey band holds 95 % of the accuracies of each bin if the network is perfectly "
        "calibrated at T = 1 (Bröcker & Smith 2007); bars are the share of examples in each bin. The "
        f"examples are parted into two halves with seed {found.seed}, {counts}."
    )
    if scaled:
        said += " Dashed and hollow: logits divided by the temperature T of lowest NLL on the other half."
        if infinite:
            said += f" No finite temperature fits {series(infinite)} best."
    if any(np.count_nonzero(c.reliability[PLAIN].counts) < 2 for c in found.calibrated):
        said += " Where all confidences lie in one bin there is one point."
    return said


def _runs(found: CalibrationComparison, names: Sequence[str]) -> str:
    """What the runs are called, and the split."""
    called = [
        name if name == c.run else f"{name} is {c.run}"
        for c, name in zip(found.calibrated, names, strict=True)
    ]
    return f"{series(called)}, {found.split} split"


def risk_coverage(runs: Sequence[Run], *, split: str, seed: int, scores: Sequence[str]) -> tuple[Chart, ...]:
    """A chart a score, a curve a run; errors as `_measured`, or an unknown score.

    Args:
        seed: of the two halves, of which one chooses p; scores: keys of SCORES.
    """
    return risk_charts(_measured(runs, split, seed), scores)


def risk_charts(found: CalibrationComparison, scores: Sequence[str] = tuple(SCORES)) -> tuple[Chart, ...]:
    """The same of what is measured."""
    if unknown := [s for s in scores if s not in SCORES]:
        raise InputError(
            f"There is no score {unknown[0]}{did_you_mean(unknown[0], SCORES)}: choose {', '.join(SCORES)}."
        )
    if not scores:
        raise InputError(f"Choose at least one score out of {', '.join(SCORES)}.")
    names = names_of([one.run for one in found.runs])
    areas = [[c.value(f"aurc_{key}") for key in scores] for c in found.calibrated]
    words = [f"{n}: AURC {', '.join(map(three, own))}" for n, own in zip(names, areas, strict=True)]
    top = max(float(c.risk[f"aurc_{key}", PLAIN].risk[-1]) for c in found.calibrated for key in scores)
    charts = []
    for key in scores:
        drawn = []
        for number, (c, name) in enumerate(zip(found.calibrated, words, strict=True)):
            risks = c.risk[f"aurc_{key}", PLAIN]
            n = len(risks.risk)
            at = np.unique(np.ceil(np.linspace(0, 1, POINTS + 1)[1:] * n - 1e-9).astype(np.int64)) - 1
            drawn.append(Series(name, risks.coverage[at], risks.risk[at], colour=number))
        charts.append(
            Chart(
                title=SCORES[key],
                x_label="coverage",
                y_label="risk (share of errors)",
                series=tuple(drawn),
                x_limits=(0, 1),
                y_limits=(0, 1.1 * top if top else 1.0),
                about=_about_risk(found, names, scores),
            )
        )
    return tuple(charts)


def _about_risk(found: CalibrationComparison, names: Sequence[str], scores: Sequence[str]) -> str:
    sizes = series([f"{n:,}" for n in sorted({c.n for c in found.calibrated})])
    order = " in the order of the charts" if len(scores) > 1 else ""
    said = (
        f"Risk against coverage of {_runs(found, names)}: the share of errors among the examples of highest "
        f"score, for every share of the examples. AURC, in the legend{order}, is the mean of the risk over "
        f"all coverages. Reported on {sizes} examples, one of two halves parted with seed {found.seed}"
    )
    if "norm" in scores:
        norms = [f"{c.norm} ({name})" for c, name in zip(found.calibrated, names, strict=True)]
        said += f"; the other half chose p, {series(norms)}"
    return said + f". Curves are drawn at {POINTS} coverages."


FIGURES = {
    "reliability": ({"split": "validation", "seed": 0, "scaled": True}, reliability, _split_files),
    "risk-coverage": (
        {"split": "validation", "seed": 0, "scores": tuple(SCORES)}, risk_coverage, _split_files,
    ),
}  # fmt: skip
"""Name -> options with what they are when not given, builder, files read."""
