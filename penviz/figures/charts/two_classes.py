"""Two classes along the axis through their templates: a chart a run and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penviz import InputError
from penviz.figures.charts.stored_splits import split_file
from penviz.plot.words import column_names
from penviz.projection.chart import Chart
from penviz.projection.two_classes import SCALES, TwoClasses, two_class_charts
from penviz.store.run_activations import lacking, load, targets_of
from penviz.store.runs import Run, check_split

SETTINGS: dict[str, Any] = {"splits": ["train", "validation"], "scale": "distance", "classes": None}
"""Columns, as far as a run has them; unit of the axis, "distance" or "nats"; two of the classes of a run with
more."""


def files(
    run: Run, *, splits: Sequence[str], scale: str, classes: Sequence[str | int] | None
) -> tuple[str, ...]:
    """What `build` reads of a run."""
    return tuple(split_file(split) for split in _held(run, splits))


def build(
    runs: Sequence[Run], *, splits: Sequence[str], scale: str, classes: Sequence[str | int] | None
) -> tuple[Chart, ...]:
    """A chart a run and split, a row a run.

    Raises:
        InputError: not two classes, an unknown split or scale, runs of several lists of classes, or none of
            the splits.
    """
    if len({run.class_names for run in runs if run.class_names}) > 1:
        raise InputError("Runs with different lists of classes cannot share an axis: choose others.")
    if scale not in SCALES:
        raise InputError(f"The scale is one of {', '.join(SCALES)}, not {scale}.")
    found, n_classes = [], 2
    for run in runs:
        parts = load(run, _held(run, splits), classes or ())
        found.append({split: TwoClasses.of(a, classes=classes) for split, a in parts.items()})
        n_classes = len(next(iter(parts.values())).class_names)
    return charts_of(runs, found, scale, n_classes)


def charts_of(
    runs: Sequence[Run], found: Sequence[Mapping[str, TwoClasses]], scale: str, n_classes: int = 2
) -> tuple[Chart, ...]:
    """The same of projected examples: found, for each run its splits; scale: one of SCALES; K of the runs."""
    targets = [targets_of(run) for run in runs]
    return two_class_charts(
        found, titles=names_of(runs, found), targets=targets, scale=scale, n_classes=n_classes
    )


def names_of(runs: Sequence[Run], found: Sequence[Mapping[str, TwoClasses]]) -> list[str]:
    """What runs are called over their charts; those without a head say so."""
    means = [any(two.means for two in splits.values()) for splits in found]
    configs = [run.config for run in runs]
    names = [run.name for run in runs]
    return column_names([c.label_smoothing for c in configs], names, means, [c.targets for c in configs])


def _held(run: Run, splits: Sequence[str]) -> list[str]:
    """Those of some splits that a run has activations of."""
    for split in splits:
        check_split(split)
    held = [split for split in splits if split in run.splits()]
    if not held:
        raise lacking(run, " or ".join(splits))
    return held


FIGURES = {"two-classes": (SETTINGS, build, files)}
