"""The numbers of a training over its epochs: tightness, accuracy, losses, gap and spread of the logits."""

from __future__ import annotations

from collections.abc import Sequence

from penviz.figures import snapshot_animation
from penviz.plot.theme import short_names
from penviz.projection.chart import Chart
from penviz.store.runs import Run
from penviz.store.snapshots import snapshots_path, splits_of
from penviz.study.animation_charts import film_charts

SETTINGS = {"classes": [0, 1, 2]}
"""Three classes, by name or by their rows in the head."""


def files(run: Run, *, classes: Sequence[str | int]) -> tuple[str, ...]:
    """What `build` reads of a run."""
    return tuple(snapshots_path(run.directory, split).name for split in splits_of(run))


def build(runs: Sequence[Run], *, classes: Sequence[str | int]) -> tuple[Chart, ...]:
    """Six charts over the epochs, a colour a run.

    Raises:
        InputError: a run without snapshots, or as `build_films`.
    """
    films = snapshot_animation.films_of(runs, [snapshot_animation.load(run) for run in runs], list(classes))
    names = short_names([film.label_smoothing for film in films], [film.run for film in films])
    return film_charts(films, [run.record.get("history") or [] for run in runs], names)
