"""rho/d of all triples against training time, and where on that way the networks fit their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from penviz.figures import snapshot_animation
from penviz.metrics.tightness.training_time import time_to_fit, triples_over_epochs
from penviz.plot.theme import short_names
from penviz.projection.chart import Chart
from penviz.store.runs import Run
from penviz.store.snapshots import Snapshots, snapshots_path, splits_of
from penviz.study.training_time_charts import Timeline, time_charts

SETTINGS: dict[str, object] = {}
"""The figure has no options."""


def files(run: Run) -> tuple[str, ...]:
    """What `build` reads of a run."""
    return tuple(snapshots_path(run.directory, split).name for split in splits_of(run))


def build(runs: Sequence[Run]) -> tuple[Chart, ...]:
    """One chart, and of a hard and a soft run another one of the change.

    Raises:
        InputError: a run without snapshots, or one with files that cannot be read.
    """
    return charts_of(runs, [snapshot_animation.load(run) for run in runs])


def charts_of(runs: Sequence[Run], loaded: Sequence[Mapping[str, Snapshots]]) -> tuple[Chart, ...]:
    """The charts of runs whose snapshots are read already, by split."""
    alphas = [run.config.label_smoothing for run in runs]
    names = short_names(alphas, [run.name for run in runs])
    timelines = []
    for run, name, alpha, own in zip(runs, names, alphas, loaded, strict=True):
        rho_d = {s: triples_over_epochs([one.at(i) for i in range(len(one))]) for s, one in own.items()}
        epochs = tuple(next(iter(own.values())).epochs.tolist())
        history = run.record.get("history") or []
        seen = [line["train_accuracy"] for line in history if "train_accuracy" in line]
        timelines.append(Timeline(name, epochs, rho_d, time_to_fit(seen), alpha))
    return time_charts(timelines, _same_examples(loaded))


def _same_examples(loaded: Sequence[Mapping[str, Snapshots]]) -> bool:
    first = loaded[0]
    return all(
        own.keys() == first.keys()
        and all(
            one.dataset_id == first[split].dataset_id and np.array_equal(one.indices, first[split].indices)
            for split, one in own.items()
        )
        for own in loaded
    )
