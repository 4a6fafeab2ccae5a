"""Numbers against label smoothing: a small chart a number, a curve a network and split, bands over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.figures.open_study import open_run
from penviz.metrics.wording import series
from penviz.projection.chart import Chart, Series
from penviz.store.run_activations import first_classes
from penviz.store.runs import Run, stored_path
from penviz.study.families import families
from penviz.study.finding import SEEDS_NEEDED
from penviz.study.sweep import HELD_OUT_ONLY, SWEPT_BY_KEY, Swept, curve
from penviz.study.sweep_comparison import swept, values_of

DEFAULT = ("rho_d", "accuracy", "ece", "temperature", "spread", "gap")
"""Numbers drawn when none are chosen."""

SPLITS = ("train", "validation")

SETTINGS: dict[str, Any] = {"numbers": [*DEFAULT], "splits": [*SPLITS], "classes": None, "bias": True}
"""Options of the figure: those of `build`."""


def charts_of(
    by_family: Mapping[str, Sequence[Swept]], numbers: Sequence[str] = DEFAULT, splits: Sequence[str] = SPLITS
) -> tuple[Chart, ...]:
    """The charts of runs that are digested already.

    Args:
        by_family: what a curve is called -> its runs.
        numbers: keys of `study.sweep.SWEPT`; a number that no run has gives no chart.
        splits: which are drawn.

    Raises:
        InputError: an unknown number.
    """
    if unknown := [key for key in numbers if key not in SWEPT_BY_KEY]:
        meant = did_you_mean(unknown[0], SWEPT_BY_KEY)
        raise InputError(f"There is no number {unknown[0]}{meant}: choose among {', '.join(SWEPT_BY_KEY)}.")
    charts = []
    for key in numbers:
        parts = []
        for position, (family, runs) in enumerate(by_family.items()):
            for split in splits:
                if not (split == "train" and key in HELD_OUT_ONLY):
                    parts += _series(runs, key, split, family if len(by_family) > 1 else "", position)
        if any(np.isfinite(s.y).any() for s in parts):
            number = SWEPT_BY_KEY[key]
            charts.append(
                Chart(
                    number.label,
                    "label smoothing α",
                    number.unit if number.unit not in ("", "share") else number.label,
                    tuple(parts),
                    about=_about(by_family, number.meaning),
                )
            )
    return tuple(charts)


def _series(runs: Sequence[Swept], key: str, split: str, family: str, position: int) -> list[Series]:
    """Single runs, faint, under their mean with its band; train is the full line, validation the dashed."""
    found = curve(runs, key, split)
    name = f"{family}, {split}" if family else split
    shown = []
    if len(found.points) > np.isfinite(found.mean).sum():
        shown.append(
            Series(
                f"{name}, single runs",
                np.array([alpha for alpha, _, _ in found.points]),
                np.array([value for _, value, _ in found.points]),
                kind="markers",
                colour=position,
                labels=tuple(run for _, _, run in found.points),
                faint=True,
            )
        )
    banded = bool(np.isfinite(found.low).any())
    shown.append(
        Series(
            name,
            found.alphas,
            found.mean,
            found.low if banded else None,
            found.high if banded else None,
            kind="line+markers",
            colour=position,
            dashed=split != "train",
            labels=tuple(f"{n} seed{'s' if n != 1 else ''}" for n in found.counts),
        )
    )
    return shown


def _about(by_family: Mapping[str, Sequence[Swept]], meaning: str) -> str:
    runs = [run for part in by_family.values() for run in part]
    seeds = series([str(seed) for seed in sorted({run.seed for run in runs})])
    bands = f"bands: 95 % t-interval of the mean, from {SEEDS_NEEDED} seeds on"
    return f"{meaning[0].upper()}{meaning[1:]}. {len(runs)} runs, seeds {seeds}; {bands}."


def build(
    runs: Sequence[Run],
    *,
    classes: Sequence[str | int] | None = None,
    numbers: Sequence[str] = DEFAULT,
    splits: Sequence[str] = SPLITS,
    bias: bool = True,
) -> tuple[Chart, ...]:
    """The charts of some runs on disk.

    Args:
        runs: of one list of classes.
        classes: three of them, for the numbers of the plane; the first three when not given.
        numbers, splits: as in `charts_of`; bias: the template holds the bias.

    Raises:
        InputError: no runs to draw a curve through, runs of several lists of classes, another split, or
            activations that cannot be read.
    """
    if unknown := [split for split in splits if split not in SPLITS]:
        raise InputError(f"A sweep is drawn of {' and '.join(SPLITS)}, not of {unknown[0]}.")
    if len({run.class_names for run in runs if run.class_names}) > 1:
        raise InputError("Runs with different lists of classes cannot share a sweep: choose others.")
    by_family = families(runs)
    if not by_family:
        raise InputError("A sweep needs runs that penviz trained on known targets.")
    digested = {}
    for family, members in by_family.items():
        digested[family] = [swept(run, digest(run, classes, bias)) for run in members]
    return charts_of(digested, numbers, splits)


def files(run: Run, **options: Any) -> tuple[str, ...]:
    """Names of the files in a run's directory that the figure reads, run.json aside."""
    found = [stored_path(run.directory, s) for s in SPLITS if s in run.splits()]
    return tuple(path.relative_to(run.directory).as_posix() for path in found)


def digest(
    run: Run, classes: Sequence[str | int] | None = None, bias: bool = True
) -> Mapping[str, Mapping[str, float | None]]:
    """All numbers of one run; its activations are read and let go again.

    Raises:
        ActivationsError: no activations, or such as cannot be read.
    """
    one = open_run(run, classes or (), SPLITS)
    return values_of(one, first_classes([one.splits]) if classes is None else classes, bias)


FIGURES = {"sweep": (SETTINGS, build, files)}
