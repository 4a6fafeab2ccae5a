"""A training as a film: the same examples epoch after epoch, in the one frame of the last epoch.

Every picture stands on the plane through the templates of the last epoch's head, with its unit and limits, so
that a point that moves on screen is an example whose features moved. On planes of their own the pictures
would turn and stretch with the head. Boundaries, shading and optimum are those of the last epoch throughout.

Axis letters: S epochs, n examples, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from penviz.activations import Activations, ActivationsError
from penviz.measure.frame import Frame
from penviz.measure.logits import LogitNumbers
from penviz.measure.panel import Panel, build_grid, build_panel
from penviz.measure.plane import DegeneratePlane
from penviz.measure.projection import Projection

Float = NDArray[np.float64]

NUMBERS = ("rho_d", "rho_d_own", "accuracy", "gap", "spread", "nll")
"""What is known of each epoch: radius over distance on the film's plane and on the epoch's own; over all
classes the accuracy, and in nats the mean gap of the true logit over the wrong ones, the mean spread of the
wrong logits, and the NLL."""


@dataclass(frozen=True)
class Film:
    """One run over its training.

    Attributes:
        run: its name; label_smoothing: alpha, 0 for hard targets, None when unknown.
        epochs: [S] ascending; the picture i is that of epochs[i].
        panels: split -> S panels of equal limits; the point j is the same example in all of them.
        numbers: split -> one of NUMBERS -> [S], over all examples kept, NaN where it is undefined.
    """

    run: str
    label_smoothing: float | None
    epochs: tuple[int, ...]
    panels: Mapping[str, tuple[Panel, ...]]
    numbers: Mapping[str, Mapping[str, Float]]


def build_films(
    runs: Sequence[Mapping[str, Sequence[Activations]]],
    epochs: Sequence[Sequence[int]],
    classes: Sequence[str | int],
    *,
    bias: bool = True,
    scale: str = "distance",
    label_smoothings: Sequence[float | None] | None = None,
) -> list[Film]:
    """Films of some runs, whose last pictures are comparable as panels of `build_grid` are.

    Args:
        runs: for each run, split -> its activations epoch after epoch, the same examples in each.
        epochs: of each run, as many as it has activations.
        classes, bias, scale, label_smoothings: as for `build_grid`.

    Raises:
        ActivationsError: as `build_grid`; other examples at another epoch, or lengths that do not fit.
        DegeneratePlane: templates of a last epoch on one line.
    """
    for run, own in zip(runs, epochs, strict=True):
        for split, frames in run.items():
            if len(frames) != len(own) or not frames:
                raise ActivationsError(f"{len(own)} epochs need as many snapshots of {split}.")
            if any(not np.array_equal(a.indices, frames[-1].indices) for a in frames):
                raise ActivationsError(f"The snapshots of {split} are not of the same examples.")
    last = [{split: frames[-1] for split, frames in run.items()} for run in runs]
    grid = build_grid(
        last, classes, per_class=_all(last), bias=bias, scale=scale, label_smoothings=label_smoothings
    )
    films = []
    for run, own, row in zip(runs, epochs, grid, strict=True):
        alpha = row[0].label_smoothing
        panels, numbers = {}, {}
        for final in row:
            frames = run[final.split]
            panels[final.split] = tuple(
                replace(_picture(a, final, frames[-1]), epoch=int(epoch))
                for a, epoch in zip(frames, own, strict=True)
            )
            numbers[final.split] = _numbers(frames, panels[final.split], final)
        films.append(Film(row[0].run, alpha, tuple(int(e) for e in own), panels, numbers))
    return films


def _all(last: Sequence[Mapping[str, Activations]]) -> int:
    """More examples than any split has: a film draws all that were kept."""
    return max(len(a) for run in last for a in run.values())


def _picture(a: Activations, final: Panel, last: Activations) -> Panel:
    """One epoch in the frame of the last: its own features and predictions on the plane of the last head."""
    panel = build_panel(
        replace(a, head=last.head),
        final.class_indices,
        per_class=len(a),
        seed=final.seed,
        bias=final.bias,
        scale=final.scale,
        label_smoothing=final.label_smoothing,
        frame=Frame(final.unit, final.limits),
    )
    z = a.logits()[panel.rows]
    confidences = 1 / np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1)
    # the error of its calibration would need the epoch's own head, and is no number of the picture
    metrics = {key: value for key, value in panel.metrics.items() if key != "ece"}
    return replace(
        panel, confidences=confidences.astype(np.float32), metrics=metrics, unit_split=final.unit_split
    )


def _numbers(frames: Sequence[Activations], panels: Sequence[Panel], final: Panel) -> dict[str, Float]:
    found: dict[str, list[float]] = {key: [] for key in NUMBERS}
    for a, panel in zip(frames, panels, strict=True):
        try:
            own = float(Projection.of(a, final.class_indices, final.bias).clusters.rho_d())
        except DegeneratePlane:
            own = float("nan")
        logits = LogitNumbers.of(a.logits(), a.labels, a.predictions)
        found["rho_d"].append(panel.metrics["rho_d"])
        found["rho_d_own"].append(own)
        found["accuracy"].append(float(logits.correct.mean()))
        found["gap"].append(float(logits.gap.mean()))
        found["spread"].append(float(logits.spread.mean()))
        found["nll"].append(float(logits.nll.mean()))
    return {key: np.array(values) for key, values in found.items()}


def film_finding(films: Sequence[Film]) -> str:
    """One sentence on how rho/d on train went, for the head of a page; facts of these runs only."""
    said = []
    for film in films:
        split = "train" if "train" in film.numbers else next(iter(film.numbers))
        values = film.numbers[split]["rho_d"]
        said.append((film, split, float(values[0]), float(values[-1])))
    splits = {split for _, split, _, _ in said}
    spans = {(film.epochs[0], film.epochs[-1]) for film, _, _, _ in said}
    parts = [f"from {first:.3g} to {end:.3g} ({_name(film, films)})" for film, _, first, end in said]
    when = ""
    if len(spans) == 1:
        start, stop = next(iter(spans))
        when = f"Between epochs {start} and {stop} " if stop > start else f"At epoch {stop} "
    where = f" on {next(iter(splits))}" if len(splits) == 1 else ""
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    sentence = f"{when}ρ/d{where} goes {listed}."
    return sentence[0].upper() + sentence[1:] if when else sentence


def _name(film: Film, films: Sequence[Film]) -> str:
    kinds = ["" if f.label_smoothing is None else "soft" if f.label_smoothing else "hard" for f in films]
    own = "" if film.label_smoothing is None else "soft" if film.label_smoothing else "hard"
    return own if own and kinds.count(own) == 1 else film.run
