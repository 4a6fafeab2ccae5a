"""Calibration of runs: reliability diagrams, all numbers with intervals, and risk against coverage."""

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
from penviz.metrics.wording import series, three, three_signed
from penviz.projection.chart import Chart, Line, Series
from penviz.store.runs import Run, check_split
from penviz.study.calibration_comparison import CalibrationComparison, calibration_comparison
from penviz.study.calibration_report import change_of
from penviz.study.study_run import StudyRun

MOST_RUNS = 12
"""More cannot be told apart in one figure."""

PERFECT, BAND = "perfect calibration", "95 % consistency band of each run"
TITLES = {PLAIN: "Before temperature scaling", SCALED: "After temperature scaling"}

MOST_INSIDE = 4
"""Names that stand in a diagram; more go into the legend."""

SCORES = {"softmax": "max-softmax", "logit": "max-logit", "norm": "p-norm logit"}

ROOM = 1.45
"""Length of the risk axis over the greatest risk: the names stand above the curves."""

POINTS = 200
"""Of a risk curve, evenly over the coverage: more cannot be seen."""


def measured(runs: Sequence[Run], split: str, seed: int) -> CalibrationComparison:
    """The calibration of every run.

    Raises:
        InputError: too many runs for one figure, no such split, or a run that cannot be measured.
    """
    if len(runs) > MOST_RUNS:
        raise InputError(f"{len(runs)} runs cannot be told apart in one figure: draw at most {MOST_RUNS}.")
    check_split(split)
    found: list[Calibrated] = []
    for run in runs:  # of each its activations are let go again
        found += calibration_comparison([open_run(run, splits=(split,))], split, seed).calibrated
    return CalibrationComparison(tuple(StudyRun(run, {}) for run in runs), tuple(found), split, seed)


def _split_files(run: Run, *, split: str, **others: object) -> tuple[str, ...]:
    """What is read of a run."""
    return (split_file(split),)


def reliability(runs: Sequence[Run], *, split: str, seed: int, scaled: bool) -> tuple[Chart, ...]:
    """All runs in one diagram at T = 1, and in one at the fitted temperatures; errors as `measured`.

    Args:
        seed: of the two halves; scaled: whether the second is drawn.
    """
    return reliability_charts(measured(runs, split, seed), scaled)


def reliability_charts(found: CalibrationComparison, scaled: bool = True) -> tuple[Chart, ...]:
    """The same of what is measured."""
    names = names_of([one.run for one in found.runs])
    about = _about_reliability(found, names, scaled)
    charts = []
    for at in (PLAIN, SCALED) if scaled else (PLAIN,):
        held = [(k, c) for k, c in enumerate(found.calibrated) if at in c.reliability]
        if not held:
            continue
        curves = [curve(_words(c, names[k], at), c.reliability[at], k) for k, c in held]
        charts.append(
            Chart(
                title=TITLES[at],
                x_label="confidence",
                y_label="accuracy",
                series=(*(band_of(c.reliability[at]) for _, c in held), *curves),
                lines=(Line(PERFECT, (0, 0), (1, 1)),),
                x_limits=(0, 1),
                y_limits=(0, 1),
                square=True,
                about=about,
                names_at=_free_corner(curves) if len(held) <= MOST_INSIDE else "",
            )
        )
    return tuple(charts)


def band_of(bins: Reliability) -> Series:
    """Where the accuracy of each bin would fall if the network were perfectly calibrated."""
    held = bins.counts > 0
    confidence = bins.confidence[held]
    low, high = consistency_band(bins.counts[held], confidence)
    nothing = np.full(len(confidence), np.nan)  # a band without a line: its middle is the diagonal
    return Series(BAND, confidence, nothing, low, high, colour=2, faint=True)


def curve(name: str, bins: Reliability, colour: int) -> Series:
    """Bins that hold examples, at their mean confidence, faded by the root of their count."""
    held = bins.counts > 0
    return Series(
        name,
        bins.confidence[held],
        bins.accuracy[held],
        kind="line+markers",
        colour=colour,
        labels=tuple(f"n = {n:,}" for n in bins.counts[held].tolist()),
        weights=np.sqrt(bins.counts[held] / bins.counts.max()),
    )


def _words(c: Calibrated, name: str, at: str) -> str:
    end = f", T = {three(c.temperature.value)}" if at == SCALED else ""
    return f"{name}: ECE {three(c.value('ece', at))}{end}"


def _free_corner(curves: Sequence[Series]) -> str:
    """The corner off the diagonal that holds fewer bins."""
    x, y = (np.concatenate([getattr(c, axis) for c in curves]) for axis in "xy")
    low, high = ((x > 0.4) & (y < 0.3)).sum(), ((x < 0.6) & (y > 0.7)).sum()
    return "lower right" if low <= high else "upper left"


def _about_reliability(found: CalibrationComparison, names: Sequence[str], scaled: bool) -> str:
    halves = sorted({(c.n_fit, c.n) for c in found.calibrated})
    counts = series([f"{fit:,} to fit on and {n:,} to report on" for fit, n in halves])
    infinite = [n for n, c in zip(names, found.calibrated, strict=True) if not c.temperature.finite]
    bins = len(found.calibrated[0].reliability[PLAIN].counts)
    said = (
        f"Reliability diagrams of {runs_words(found, names)}: mean accuracy against mean confidence in "
        f"{bins} bins of equal width, closed on the right. Bins fade with the number of their examples. The "
        "grey band of a run holds 95 % of the accuracies of each bin if the network is perfectly "
        "calibrated (Bröcker & Smith 2007). The examples are divided into two halves with seed "
        f"{found.seed}, {counts}."
    )
    if scaled:
        said += " After temperature scaling: logits divided by the T of lowest NLL on the other half."
        if infinite:
            said += f" No finite temperature fits {series(infinite)} best."
    if any(np.count_nonzero(c.reliability[PLAIN].counts) < 2 for c in found.calibrated):
        said += " Where all confidences lie in one bin there is one point."
    return said


def runs_words(found: CalibrationComparison, names: Sequence[str]) -> str:
    """What the runs are called, and the split."""
    called = [
        name if name == c.run else f"{name} is {c.run}"
        for c, name in zip(found.calibrated, names, strict=True)
    ]
    return f"{series(called)}, {found.split} split"


def risk_coverage(runs: Sequence[Run], *, split: str, seed: int, scores: Sequence[str]) -> tuple[Chart, ...]:
    """A chart a score, a curve a run; errors as `measured`, or an unknown score.

    Args:
        seed: of the two halves, of which one chooses p; scores: keys of SCORES.
    """
    return risk_charts(measured(runs, split, seed), scores)


def risk_charts(found: CalibrationComparison, scores: Sequence[str] = tuple(SCORES)) -> tuple[Chart, ...]:
    """The same of what is measured."""
    if unknown := [s for s in scores if s not in SCORES]:
        raise InputError(
            f"There is no score {unknown[0]}{did_you_mean(unknown[0], SCORES)}: choose {', '.join(SCORES)}."
        )
    if not scores:
        raise InputError(f"Choose at least one score out of {', '.join(SCORES)}.")
    names = names_of([one.run for one in found.runs])
    top = max(float(c.risk[f"aurc_{key}", PLAIN].risk[-1]) for c in found.calibrated for key in scores)
    charts = []
    for key in scores:
        drawn = []
        for number, (c, name) in enumerate(zip(found.calibrated, names, strict=True)):
            risks = c.risk[f"aurc_{key}", PLAIN]
            n = len(risks.risk)
            at = np.unique(np.ceil(np.linspace(0, 1, POINTS + 1)[1:] * n - 1e-9).astype(np.int64)) - 1
            words = f"{name}: AURC {three(c.value(f'aurc_{key}'))}"
            drawn.append(Series(words, risks.coverage[at], risks.risk[at], colour=number))
        charts.append(
            Chart(
                title=SCORES[key],
                x_label="coverage",
                y_label="risk (share of errors)",
                series=tuple(drawn),
                x_limits=(0, 1),
                y_limits=(0, ROOM * top if top else 1.0),
                about=_about_risk(found, names, scores),
                names_at="upper left",
                notes=_difference(found.calibrated, f"aurc_{key}"),
            )
        )
    return tuple(charts)


def _difference(found: Sequence[Calibrated], key: str) -> tuple[str, ...]:
    """From the first of two runs to the second, over its 95 % interval where it has one."""
    change = change_of(found, key, PLAIN)
    if change is None:
        return ()
    lines = [f"difference {three_signed(change.value)}"]
    if change.low is not None and change.high is not None:
        lines.append(f"[{three_signed(change.low)}, {three_signed(change.high)}]")
    return tuple(line.replace("-", "−") for line in lines)


def _about_risk(found: CalibrationComparison, names: Sequence[str], scores: Sequence[str]) -> str:
    sizes = series([f"{n:,}" for n in sorted({c.n for c in found.calibrated})])
    said = (
        f"Risk against coverage of {runs_words(found, names)}: the share of errors among the examples of "
        "highest score, for every share of the examples. AURC is the mean of the risk over all coverages"
    )
    if len(found.calibrated) == 2:
        said += f"; the difference is {names[1]} minus {names[0]}, with its 95 % CI over examples"
    said += f". Reported on {sizes} examples, one of two halves divided with seed {found.seed}"
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
