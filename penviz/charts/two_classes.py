"""Two classes along the axis through their templates: a chart a run and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penviz import InputError
from penviz.charts.calibrations import split_file
from penviz.measure.chart import Chart
from penviz.measure.two_classes import SCALES, TwoClasses, two_class_charts
from penviz.run_activations import lacking, load, targets_of
from penviz.runs import Run
from penviz.show.words import column_names

SETTINGS = {"splits": ["train", "validation"], "scale": "distance"}
"""Columns, as far as a run has them; the unit of the axis, "distance" or "nats"."""


def files(run: Run, *, splits: Sequence[str], scale: str) -> tuple[str, ...]:
    """What `build` reads of a run."""
    return tuple(split_file(split) for split in _held(run, splits))


def build(runs: Sequence[Run], *, splits: Sequence[str], scale: str) -> tuple[Chart, ...]:
    """A chart a run and split, a row a run.

    Raises:
        InputError: another number of classes, an unknown split or scale, or none of the splits.
    """
    if scale not in SCALES:
        raise InputError(f"The scale is one of {', '.join(SCALES)}, not {scale}.")
    found = []
    for run in runs:
        parts = load(run, _held(run, splits))
        found.append({split: TwoClasses.of(a) for split, a in parts.items()})
    return charts_of(runs, found, scale)


def charts_of(
    runs: Sequence[Run], found: Sequence[Mapping[str, TwoClasses]], scale: str
) -> tuple[Chart, ...]:
    """The same of projected examples: found, for each run its splits; scale: one of SCALES."""
    return two_class_charts(
        found, titles=names_of(runs, found), targets=[targets_of(run) for run in runs], scale=scale
    )


def names_of(runs: Sequence[Run], found: Sequence[Mapping[str, TwoClasses]]) -> list[str]:
    """What runs are called over their charts; those without a head say so."""
    means = [any(two.means for two in splits.values()) for splits in found]
    configs = [run.config for run in runs]
    names = [run.name for run in runs]
    return column_names([c.label_smoothing for c in configs], names, means, [c.targets for c in configs])


def _held(run: Run, splits: Sequence[str]) -> list[str]:
    """Those of some splits that a run has activations of."""
    held = [split for split in splits if split_file(split) and split in run.splits()]
    if not held:
        raise lacking(run, " or ".join(splits))
    return held
