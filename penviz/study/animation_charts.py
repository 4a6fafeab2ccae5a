"""The numbers under a film as charts over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from penviz.projection.chart import Chart, Series
from penviz.projection.snapshot_animation import Film

SPLITS = ("train", "validation")

TITLES = {
    "rho_d": (
        "ρ/d in the picture",
        "ρ/d",
        "Radius over distance of {classes}, on the plane of the last epoch",
    ),
    "accuracy": ("Accuracy", "accuracy", "Over all classes"),
    "nll": ("NLL", "nats", "Mean -log p of the label over all classes"),
    "gap": ("Logit gap", "nats", "Mean of the true logit less the mean of the wrong ones"),
    "spread": ("Spread of the non-target logits", "nats", "Mean of their standard deviation in an example"),
}
"""Number of a film -> title, unit, and what it is."""


def film_charts(
    films: Sequence[Film], histories: Sequence[Sequence[Mapping[str, Any]]], names: Sequence[str]
) -> tuple[Chart, ...]:
    """Six charts over the epochs: tightness, accuracy, training loss, NLL, gap and spread of the logits.

    Args:
        films: of the runs, on one triple of classes; histories: of each, the lines of its run.json, one a
            dictionary an epoch; names: of the runs in the legend.
    """
    first = next(iter(films[0].panels.values()))[0]
    runs = ", ".join(film.run for film in films)
    limits = (
        float(min(film.epochs[0] for film in films)),
        float(max(film.epochs[-1] for film in films)),
    )
    charts = []
    for key, (title, unit, about) in TITLES.items():
        series = _of_films(films, names, key)
        if key == "rho_d":
            about = about.format(classes=", ".join(first.classes))
        said = f"{about}; of the examples kept in the snapshots of {runs}; dashed: validation."
        charts.append(Chart(title, "epoch", unit, tuple(series), x_limits=limits, about=said))
    loss = Chart(
        "Training loss",
        "epoch",
        "nats",
        tuple(_of_histories(histories, names)),
        x_limits=limits,
        about=f"Mean over the images of each epoch as they were seen, against the run's targets; {runs}.",
    )
    return (*charts[:2], loss, *charts[2:])


def _of_films(films: Sequence[Film], names: Sequence[str], key: str) -> list[Series]:
    """A series a run and split, dashed for validation."""
    return [
        Series(
            f"{name}, {split}",
            np.array(film.epochs, np.float64),
            film.numbers[split][key],
            colour=place,
            dashed=split != "train",
        )
        for place, (film, name) in enumerate(zip(films, names, strict=True))
        for split in SPLITS
        if split in film.numbers
    ]


def _of_histories(histories: Sequence[Sequence[Mapping[str, Any]]], names: Sequence[str]) -> list[Series]:
    made = []
    for place, (lines, name) in enumerate(zip(histories, names, strict=True)):
        found = [(line["epoch"], line["train_loss"]) for line in lines if "train_loss" in line]
        if found:
            x, y = np.array(found, np.float64).T
            made.append(Series(f"{name}, train", x, y, colour=place))
    return made
