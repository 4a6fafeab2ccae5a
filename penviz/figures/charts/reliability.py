"""Reliability diagrams: accuracy against confidence in bins, before and after temperature scaling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penviz.figures.charts.calibrations import calibrations, listed, names_of, split_file
from penviz.metrics.calibration.calibrated import PLAIN, SCALED, Calibrated
from penviz.metrics.calibration.chance import consistency_band
from penviz.metrics.calibration.reliability import Reliability
from penviz.metrics.wording import three
from penviz.projection.chart import Chart, Line, Series
from penviz.store.runs import Run

SETTINGS = {"split": "validation", "seed": 0, "scaled": True}
"""The split; seed of its two halves; whether the curve after temperature scaling is drawn too."""

SHARE, PERFECT = "share of examples, T = 1", "perfect calibration"
BAND = "95 % consistency band"


def files(run: Run, *, split: str, seed: int, scaled: bool) -> tuple[str, ...]:
    """What `build` reads of a run."""
    return (split_file(split),)


def build(runs: Sequence[Run], *, split: str, seed: int, scaled: bool) -> tuple[Chart, ...]:
    """A diagram a run.

    Raises:
        InputError: as `calibrations`.
    """
    return charts_of(calibrations(runs, split, seed), names_of(runs), seed, scaled)


def charts_of(
    found: Sequence[Calibrated], names: Sequence[str], seed: int, scaled: bool = True
) -> tuple[Chart, ...]:
    """The same of calibrations: found, names: of the runs; seed: of their halves; scaled: as in SETTINGS."""
    about = _about(found, names, seed, scaled)
    charts = []
    for number, (c, name) in enumerate(zip(found, names, strict=True)):
        plain = c.reliability[PLAIN]
        ece = three(c.value("ece"))
        series = [counts_of(plain), band_of(plain), curve(f"{name}: ECE {ece}", plain, number, False)]
        if scaled and SCALED in c.reliability:
            words = f"{name}, T = {three(c.temperature.value)}: ECE {three(c.value('ece', SCALED))}"
            series.append(curve(words, c.reliability[SCALED], number, True))
        charts.append(
            Chart(
                title=name,
                x_label="confidence",
                y_label="accuracy",
                series=tuple(series),
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


def _about(found: Sequence[Calibrated], names: Sequence[str], seed: int, scaled: bool) -> str:
    runs = [f"{name} is {c.run}" if name != c.run else name for c, name in zip(found, names, strict=True)]
    sizes = sorted({(c.n_fit, c.n) for c in found})
    counts = listed([f"{fit:,} to fit on and {n:,} to report on" for fit, n in sizes])
    infinite = [n for n, c in zip(names, found, strict=True) if not c.temperature.finite]
    said = f"Reliability diagrams of {listed(runs)}, {found[0].split} split: mean accuracy against mean "
    said += f"confidence in {len(found[0].reliability[PLAIN].counts)} bins of equal width, closed on the "
    said += (
        "right; whiskers are 95 % intervals over the examples of a bin (Wilson 1927); the grey band holds "
    )
    said += "95 % of the accuracies of each bin if the network is perfectly calibrated at T = 1 (Bröcker & "
    said += (
        "Smith 2007); bars are the share of examples in each bin. The examples are parted into two halves "
    )
    said += f"with seed {seed}, {counts}."
    if scaled:
        said += " Dashed and hollow: logits divided by the temperature T of lowest NLL on the other half."
        if infinite:
            said += f" No finite temperature fits {listed(infinite)} best."
    if any(np.count_nonzero(c.reliability[PLAIN].counts) < 2 for c in found):
        said += " Where all confidences lie in one bin there is one point."
    return said
