"""What is left of the wrong classes over training: mutual information, wrong logits, stability.

As figure 6 of Müller et al. 2019, of runs trained with `penviz train --erasure`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from penviz import InputError
from penviz.measure.chart import Chart, Line, Series
from penviz.runs import Run

KEY = "mutual_information"
CURVES = (
    (KEY, "", "Mutual information", "nats"),
    ("wrong_logit_spread", "train", "Spread of the wrong logits, train", "nats"),
    ("wrong_logit_spread", "validation", "Spread of the wrong logits, validation", "nats"),
    ("instability", "train", "1 − stability, train", "0 to 1"),
    ("instability", "validation", "1 − stability, validation", "0 to 1"),
)


SETTINGS = {"details": True}
"""Options of the figure: the spread of the wrong logits and the stability too."""


def followed(run: Run) -> bool:
    """Whether erasure stands in a run's history."""
    history = run.record.get("history") or []
    return any(KEY in line for line in history)


def build(runs: Sequence[Run], *, details: bool) -> tuple[Chart, ...]:
    """Charts over epochs, a line for each smoothing, the mean of its seeds with a band.

    Args:
        runs: those that were not trained with --erasure are left out.
        details: beside mutual information, the spread of the wrong logits and the stability.

    Raises:
        InputError: none of the runs has such a history.
    """
    by_alpha: dict[float, list[Run]] = {}
    for run in runs:
        if followed(run) and run.config.label_smoothing is not None:
            by_alpha.setdefault(run.config.label_smoothing, []).append(run)
    if not by_alpha:
        raise InputError("None of these runs was trained with --erasure: its history has no such numbers.")
    names = ", ".join(run.name for of in by_alpha.values() for run in of)
    charts = []
    for name, split, title, unit in CURVES if details else CURVES[:1]:
        key = f"{split}_{name}" if split else name
        series = [
            _series(alpha, by_alpha[alpha], key, colour) for colour, alpha in enumerate(sorted(by_alpha))
        ]
        last = max(float(s.x.max()) for s in series)
        lines = (Line("ln 2: only the class is left", (1, math.log(2)), (last, math.log(2))),)
        charts.append(
            Chart(
                title=title,
                x_label="epoch",
                y_label=f"{title[0].lower() if title[0] != '1' else title[0]}{title[1:]} ({unit})",
                series=tuple(series),
                lines=lines if key == KEY else (),
                about=f"{title} over training of {names}.",
            )
        )
    return tuple(charts)


def files(run: Run, *, details: bool) -> tuple[str, ...]:
    """Nothing but run.json: the numbers stand in its history."""
    return ()


def _series(alpha: float, runs: Sequence[Run], key: str, colour: int) -> Series:
    """Mean over the runs at the epochs that all of them have; the band is from the least to the greatest."""
    found = [
        {int(line["epoch"]): float(line[key]) for line in run.record["history"] if key in line}
        for run in runs
    ]
    epochs = sorted(set.intersection(*(set(f) for f in found)))
    if not epochs:
        raise InputError("Runs of one smoothing were measured at no epoch in common: choose one of them.")
    values = np.array([[f[e] for e in epochs] for f in found])
    return Series(
        "hard targets" if alpha == 0 else f"label smoothing α = {alpha:g}",
        np.array(epochs, np.float64),
        values.mean(axis=0),
        values.min(axis=0) if len(found) > 1 else None,
        values.max(axis=0) if len(found) > 1 else None,
        kind="line+markers",
        colour=colour,
    )
