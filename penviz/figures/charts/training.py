"""Training of runs with snapshots: numbers over the epochs, rho/d of all triples against training time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from penviz.figures import snapshot_animation
from penviz.metrics.tightness.training_time import time_to_fit, triples_over_epochs
from penviz.plot.theme import short_names
from penviz.projection.chart import Chart
from penviz.store.runs import Run
from penviz.store.snapshots import Snapshots, snapshots_path, splits_of
from penviz.study.animation_charts import film_charts
from penviz.study.training_time_charts import Timeline, time_charts


def _snapshot_files(run: Run, **options: object) -> tuple[str, ...]:
    """What is read of a run."""
    return tuple(snapshots_path(run.directory, split).name for split in splits_of(run))


def over_training(runs: Sequence[Run], *, classes: Sequence[str | int]) -> tuple[Chart, ...]:
    """Six charts over the epochs, a colour a run: tightness, accuracy, losses, gap and spread of the logits.

    Raises:
        InputError: a run without snapshots, or as `build_films`.
    """
    films = snapshot_animation.films_of(runs, [snapshot_animation.load(run) for run in runs], list(classes))
    names = short_names([film.label_smoothing for film in films], [film.run for film in films])
    return film_charts(films, [run.record.get("history") or [] for run in runs], names)


def training_time(runs: Sequence[Run]) -> tuple[Chart, ...]:
    """One chart of all triples, and of a hard and a soft run another one of the change.

    Raises:
        InputError: a run without snapshots, or one with files that cannot be read.
    """
    return time_charts_of(runs, [snapshot_animation.load(run) for run in runs])


def time_charts_of(runs: Sequence[Run], loaded: Sequence[Mapping[str, Snapshots]]) -> tuple[Chart, ...]:
    """The same of runs whose snapshots are read already, by split."""
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


FIGURES = {
    "over-training": ({"classes": [0, 1, 2]}, over_training, _snapshot_files),
    "training-time": ({}, training_time, _snapshot_files),
}
