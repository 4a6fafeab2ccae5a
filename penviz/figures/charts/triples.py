"""The tightness of all triples in two runs, one against the other, some of them marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penviz import InputError
from penviz.figures.charts.stored_splits import names_of, split_file
from penviz.figures.open_study import open_run
from penviz.metrics.tightness.finder import FINDS, find
from penviz.projection.chart import Chart
from penviz.projection.projection import class_indices, distinct_names
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.runs import Run, check_split
from penviz.study.triple_chart import TriplePair, triple_chart

SETTINGS: dict[str, Any] = {"split": "validation", "classes": [0, 1, 2], "find": "most-confused"}
"""The split; the triple that is marked, by name or by rows of the head; which ten others are, by FINDS."""

SHOWN = 10


def files(run: Run, *, split: str, classes: Sequence[str | int], find: str) -> tuple[str, ...]:
    """What `build` reads of a run."""
    return (split_file(split),)


def build(runs: Sequence[Run], *, split: str, classes: Sequence[str | int], find: str) -> tuple[Chart, ...]:
    """One chart: the first run across, the second upward.

    Raises:
        InputError: not two runs, fewer than three classes, no such split, or as `TriplePair.of` and `find`.
    """
    if len(runs) != 2:
        raise InputError(f"Triples are compared in two runs, not in {len(runs)}.")
    if few := next((run for run in runs if len(run.class_names) < 3), None):
        raise InputError(f"{few.name} has {len(few.class_names)} classes: a triple needs three.")
    check_split(split)
    summaries = [SplitStatistics.of(open_run(run, splits=(split,)).splits[split]) for run in runs]
    chosen = class_indices(list(classes), runs[0].class_names)
    return charts_of(summaries, names_of(runs), runs[0].class_names, split, chosen, find)


def charts_of(
    summaries: Sequence[SplitStatistics],
    names: Sequence[str],
    class_names: Sequence[str],
    split: str,
    chosen: Sequence[int],
    how: str,
) -> tuple[Chart, ...]:
    """The same of summaries.

    Args:
        summaries: of one split of two runs; names: of the runs; class_names: K.
        split: of the values; chosen: rows of three classes; how: one of FINDS.
    """
    pair, ranking = TriplePair.of(summaries[0], summaries[1]), find(how, summaries, SHOWN)
    chart = triple_chart(
        pair,
        names=(names[0], names[1]),
        class_names=distinct_names(class_names),
        chosen=chosen,
        found=(FINDS[how], ranking.triples),
        split=split,
    )
    return (chart,)


FIGURES = {"triples": (SETTINGS, build, files)}
