"""What is left of the wrong classes over training: mutual information, non-target logits, stability.

As figure 6 of Müller et al. 2019, of runs trained with `penviz train --erasure`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from penviz import InputError
from penviz.metrics.information import SAMPLES, few_samples
from penviz.plot.theme import targets_name
from penviz.projection.chart import Chart, Line, Series
from penviz.store.run_config import RunConfig
from penviz.store.runs import Run
from penviz.study.families import LOOSE, networks, told_apart

KEY = "mutual_information"
NUMBERS = {
    KEY: ("Mutual information", "Mutual information", "nats"),
    "wrong_logit_spread": ("Non-target logits", "Spread of the non-target logits", "spread (nats)"),
    "instability": ("1 − stability", "1 − stability", "0 to 1"),
}
"""Key in a run's history -> title, short enough for a narrow chart; words in a caption; label of the axis."""

CURVES = (
    (KEY, ""),
    ("wrong_logit_spread", "train"),
    ("wrong_logit_spread", "validation"),
    ("instability", "train"),
    ("instability", "validation"),
)
"""Key and split of every chart; mutual information is of training examples only."""

SETTINGS = {"details": True}
"""Options of the figure: the spread of the non-target logits and the stability too."""


def followed(run: Run) -> bool:
    """Whether erasure stands in a run's history."""
    history = run.record.get("history") or []
    return any(KEY in line for line in history)


def build(runs: Sequence[Run], *, details: bool) -> tuple[Chart, ...]:
    """Charts over epochs, a line for runs that differ in nothing but the seed: their mean with a band.

    Args:
        runs: those that were not trained with --erasure are left out; runs of one seed are averaged first.
        details: beside mutual information, the spread of the non-target logits and the stability.

    Raises:
        InputError: none of the runs has such a history, or seeds of one line have no epoch in common.
    """
    by_line = _by_line([r for r in runs if followed(r) and r.config.label_smoothing is not None])
    if not by_line:
        raise InputError("None of these runs was trained with --erasure: its history has no such numbers.")
    names = ", ".join(run.name for of in by_line.values() for run in of)
    bit = math.log(2)
    left = f"ln 2: only the class is left ({bit + few_samples(SAMPLES):.2f} with {SAMPLES} samples)"
    charts = []
    for name, split in CURVES if details else CURVES[:1]:
        title, said, y_label = NUMBERS[name]
        of_split = f", {split}" if split else ""
        key = f"{split}_{name}" if split else name
        series = [_series(words, of, key, colour) for colour, (words, of) in enumerate(by_line.items())]
        last = max(float(s.x.max()) for s in series)
        lines = (Line(left, (1, bit), (last, bit)),)
        charts.append(
            Chart(
                title=f"{title}{of_split}",
                x_label="epoch",
                y_label=y_label,
                series=tuple(series),
                lines=lines if key == KEY else (),
                about=f"{said}{of_split}, over training of {names}.",
            )
        )
    return tuple(charts)


def files(run: Run, *, details: bool) -> tuple[str, ...]:
    """Nothing but run.json: the numbers stand in its history."""
    return ()


def _by_line(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that differ in nothing but the seed, by the words of their targets, alpha ascending.

    Before them stands what tells the networks apart, where there are several.
    """
    parts = networks(sorted(runs, key=lambda run: run.config.label_smoothing or 0.0))
    found: dict[str, list[Run]] = {}
    for network, members in zip(told_apart(parts, LOOSE), parts, strict=True):
        alike: dict[RunConfig, list[Run]] = {}
        for run in members:
            alike.setdefault(replace(run.config, seed=0), []).append(run)
        times: dict[str, int] = {}
        for config, same in alike.items():
            words = targets_name(config.label_smoothing, config.targets)
            times[words] = n = times.get(words, 0) + 1  # two priors have the same words
            words = f"{network}, {words}" if len(parts) > 1 else words
            found[words if n == 1 else f"{words} ({n})"] = same
    return found


def _series(words: str, runs: Sequence[Run], key: str, colour: int) -> Series:
    """Mean over the seeds at the epochs that all runs have; the band is from the least to the greatest."""
    by_seed: dict[int, list[dict[int, float]]] = {}
    for run in runs:
        values = {int(line["epoch"]): float(line[key]) for line in run.record["history"] if key in line}
        by_seed.setdefault(run.config.seed, []).append(values)
    epochs = sorted(set.intersection(*(set(values) for same in by_seed.values() for values in same)))
    if not epochs:
        raise InputError(
            f"The seeds of one network ({words}) were measured at no epoch in common: choose one of them."
        )
    means = np.array([[np.mean([of[e] for of in same]) for e in epochs] for same in by_seed.values()])
    several = len(means) > 1
    return Series(
        words,
        np.array(epochs, np.float64),
        means.mean(axis=0),
        means.min(axis=0) if several else None,
        means.max(axis=0) if several else None,
        kind="line+markers",
        colour=colour,
    )


FIGURES = {"erasure": (SETTINGS, build, files)}
