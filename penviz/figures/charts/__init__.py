"""Figures of runs on disk that are not template planes: each file builds the charts of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pkgutil import resolve_name
from typing import NamedTuple

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.projection.chart import Chart
from penviz.store.runs import SPLITS, Run, judged_split, shown_splits

FIGURES = {
    "calibration": "penviz.figures.charts.calibration_numbers",
    "distillation": "penviz.figures.charts.distillation",
    "erasure": "penviz.figures.charts.erasure",
    "over-training": "penviz.figures.charts.training",
    "reliability": "penviz.figures.charts.calibration",
    "risk-coverage": "penviz.figures.charts.calibration",
    "sweep": "penviz.figures.charts.sweep",
    "training-time": "penviz.figures.charts.training",
    "triples": "penviz.figures.charts.triples",
    "two-classes": "penviz.figures.charts.two_classes",
}
"""Name of a figure -> its module here, imported when it is asked for; `FIGURES` in there has the name
with the fields of a `ChartFigure`."""


class ChartFigure(NamedTuple):
    """A figure of charts.

    Attributes:
        options: what they are when not given, each a word, a number, a truth value, a list of them, or None
            in place of a list.
        build: (runs, **options) -> its charts.
        files: (run, **options) -> names of the files in the run's directory that it reads, run.json aside.
    """

    options: Mapping[str, object]
    build: Callable[..., tuple[Chart, ...]]
    files: Callable[..., tuple[str, ...]]


def chart_figure(name: str) -> ChartFigure:
    """A figure by its name.

    Raises:
        InputError: no figure has the name; it lists those known.
    """
    if name not in FIGURES:
        raise InputError(
            f"There is no figure {name}{did_you_mean(name, FIGURES)}: choose {', '.join(FIGURES)}."
        )
    return ChartFigure(*resolve_name(FIGURES[name]).FIGURES[name])


def settings(name: str, options: Mapping[str, object]) -> dict[str, object]:
    """All options of a figure: those given, and the others as they are when not given.

    Raises:
        InputError: an option that the figure does not have, or one of another kind.
    """
    known = chart_figure(name).options
    for key, value in options.items():
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InputError(f"The figure {name} has no option {key}{did_you_mean(key, known)}: {has}.")
        like = known[key]
        fits = (
            (like is None and (value is None or _plain_list(value)))
            or (isinstance(like, float) and type(value) is int)
            or (isinstance(like, list | tuple) and _plain_list(value))
            or (type(value) is type(like) and not isinstance(like, list | tuple))
        )
        if not fits:
            raise InputError(f"The option {key} of the figure {name} cannot be {value!r}.")
    return {key: options.get(key, value) for key, value in known.items()}


def of_splits(name: str, splits: Sequence[str]) -> dict[str, object]:
    """Splits as the option that a figure has for them: `splits`, or `split` where it is drawn of one."""
    if "splits" in chart_figure(name).options:
        return {"splits": [*splits]}
    return {"split": splits[0] if len(splits) == 1 else [*splits]}


def own_splits(name: str, runs: Sequence[Run]) -> dict[str, object]:
    """The splits that a figure is drawn of when nothing is said: those that its runs are judged on."""
    known = chart_figure(name).options
    if "split" in known:
        return {"split": judged_split(runs)}
    if name != "two-classes":
        return {}
    shown = {split for own in shown_splits(runs) for split in own}
    return {"splits": [split for split in SPLITS if split in shown] or known["splits"]}


def _plain_list(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str | int | float) for one in value)


def build(name: str, runs: Sequence[Run], options: Mapping[str, object]) -> tuple[Chart, ...]:
    """The charts of a figure.

    Raises:
        InputError: as `settings`, no runs, or runs that the figure cannot be drawn of.
    """
    if not runs:
        raise InputError("Name the runs to draw.")
    return chart_figure(name).build(runs, **settings(name, options))


def files(name: str, run: Run, options: Mapping[str, object]) -> tuple[str, ...]:
    """Names of the files in a run's directory that a figure reads, run.json aside; errors as `settings`."""
    return chart_figure(name).files(run, **settings(name, options))
