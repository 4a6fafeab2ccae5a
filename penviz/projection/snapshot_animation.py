"""A training as a film: the same examples epoch after epoch, in the one frame of the last epoch.

Every picture stands on the plane through the templates of the last epoch's head and in that epoch's unit, so
that a point that moves on screen is an example whose features moved. On planes of their own the pictures
would turn and stretch with the head. The limits hold the last epoch as the grid's do, and the class means of
all others. Boundaries, shading and optimum are those of the last epoch throughout.

Axis letters: S epochs, n examples, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.logits import LogitNumbers, confidences_of
from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import three
from penviz.projection.build_panel import build_panel, ideal_points
from penviz.projection.frame import Frame, frame_of, share_frames
from penviz.projection.panel import SPLITS, Panel
from penviz.projection.panel_options import PanelOptions
from penviz.projection.projection import Projection
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError

Float = NDArray[np.float64]

NUMBERS = ("rho_d", "accuracy", "gap", "spread", "nll")
"""What is known of each epoch: radius over distance on the film's plane; over all classes the accuracy, and
in nats the mean gap of the true logit over the wrong ones, the mean spread of the non-target logits, and the
NLL."""


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
    targets: Sequence[Targets] | None = None,
) -> list[Film]:
    """Films of some runs; their axes are shared as the scale says, as those of a grid.

    Args:
        runs: for each run, split -> its activations epoch after epoch, the same examples in each.
        epochs: of each run, as many as it has activations.
        classes, bias, scale: as for `build_grid`.
        targets: of each run; unknown ones have no stars.

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
    if len({frames[-1].class_names for run in runs for frames in run.values()}) > 1:
        raise ActivationsError("Runs with different lists of classes cannot share a picture: choose others.")
    asked = list(targets) if targets is not None else [Targets("unknown")] * len(runs)
    frames_of = [_frame(run, classes, bias, scale, one) for run, one in zip(runs, asked, strict=True)]
    films = []
    for run, own, one, frame in zip(runs, epochs, asked, share_frames(frames_of, scale), strict=True):
        splits = [split for split in SPLITS if split in run]
        panels, numbers = {}, {}
        for split in splits:
            panels[split] = tuple(
                replace(
                    _picture(a, run[split][-1], classes, bias, scale, one, frame),
                    epoch=int(epoch),
                    unit_split=splits[0],
                )
                for a, epoch in zip(run[split], own, strict=True)
            )
            numbers[split] = _numbers(run[split], panels[split])
        name = panels[splits[0]][0].run
        films.append(Film(name, one.label_smoothing, tuple(int(e) for e in own), panels, numbers))
    return films


def _frame(
    run: Mapping[str, Sequence[Activations]],
    classes: Sequence[str | int],
    bias: bool,
    scale: str,
    targets: Targets,
) -> Frame:
    """That of the last epoch as `frame_of` has it, wide enough for the class means of every epoch."""
    splits = [run[split] for split in SPLITS if split in run]
    head = splits[0][-1].head
    placed = [[Projection.of(replace(a, head=head), classes, bias) for a in frames] for frames in splits]
    also = [mean for frames in placed for p in frames for mean in p.clusters.mean]
    last = [frames[-1] for frames in placed]
    return frame_of(last, ideal_points(splits[0][-1], last[0], targets), scale, also)


def _picture(
    a: Activations,
    last: Activations,
    classes: Sequence[str | int],
    bias: bool,
    scale: str,
    targets: Targets,
    frame: Frame,
) -> Panel:
    """One epoch in the frame of the film: its own features and predictions on the plane of the last head."""
    panel = build_panel(
        replace(a, head=last.head),
        classes,
        PanelOptions(len(a), bias=bias, scale=scale),
        targets=targets,
        frame=frame,
    )
    confidences = confidences_of(a, panel.rows)
    # the error of its calibration would need the epoch's own head, and is no number of the picture
    metrics = {key: value for key, value in panel.metrics.items() if key != "ece"}
    return replace(panel, confidences=confidences.astype(np.float32), metrics=metrics)


def _numbers(frames: Sequence[Activations], panels: Sequence[Panel]) -> dict[str, Float]:
    found: dict[str, list[float]] = {key: [] for key in NUMBERS}
    for a, panel in zip(frames, panels, strict=True):
        logits = LogitNumbers.of_all(a)
        found["rho_d"].append(panel.metrics["rho_d"])
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
    parts = [f"from {three(first)} to {three(end)} ({_name(film, films)})" for film, _, first, end in said]
    when = ""
    if len(spans) == 1:
        start, stop = next(iter(spans))
        when = f"Between epochs {start} and {stop} " if stop > start else f"At epoch {stop} "
    where = f" on {next(iter(splits))}" if len(splits) == 1 else ""
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    sentence = f"{when}ρ/d{where} goes {listed}"
    return sentence[0].upper() + sentence[1:] if when else sentence


def _name(film: Film, films: Sequence[Film]) -> str:
    kinds = ["" if f.label_smoothing is None else "soft" if f.label_smoothing else "hard" for f in films]
    own = "" if film.label_smoothing is None else "soft" if film.label_smoothing else "hard"
    return own if own and kinds.count(own) == 1 else film.run
