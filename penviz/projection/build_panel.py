"""Panels of runs and splits: what is drawn, in one frame, with the numbers under each picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.calibration.reliability import ece
from penviz.metrics.logits import confidences_of
from penviz.metrics.target_vectors import Targets, optimal_logits
from penviz.metrics.wording import targets_words
from penviz.projection.density import ABOVE, depth
from penviz.projection.frame import Frame, frame_of, share_frames
from penviz.projection.loss_gradient import Arrows, restricted_targets
from penviz.projection.panel import CORRECT, INSIDE, OUTSIDE, SPLITS, Float, Panel
from penviz.projection.panel_options import DEFAULTS, PanelOptions
from penviz.projection.projection import Projection, distinct_names
from penviz.projection.sample import draw, sample_keys
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError

GRID = 96
"""Cells on a side of the shading."""


@dataclass(frozen=True)
class _Placed:
    """One split of one run on its plane, with its summary where that is at hand."""

    activations: Activations
    projection: Projection
    targets: Targets
    summary: SplitStatistics | None


def ideal_points(a: Activations, projection: Projection, targets: Targets) -> Float | None:
    """Where the targets want each of three classes, [3, 2] feature units; None where they have no optimum."""
    if not targets.smoothed or a.head is None:
        return None
    if targets.kind == "prior" and len(targets.prior) != len(a.class_names):
        return None  # a prior that nobody wrote down
    z = optimal_logits(targets, len(a.class_names), projection.classes)[:, list(projection.classes)]
    return projection.plane.at_differences(z[:, 1:] - z[:, :1]) if np.isfinite(z).all() else None


def _place(
    a: Activations,
    classes: Sequence[str | int],
    bias: bool,
    targets: Targets,
    s: SplitStatistics | None = None,
) -> _Placed:
    projection = Projection.of(a, classes, bias) if s is None else s.project(classes, bias)
    return _Placed(a, projection, targets, s)


def _frame(splits: Sequence[_Placed], scale: str) -> Frame:
    """Of the splits of one run."""
    first = splits[0]
    stars = ideal_points(first.activations, first.projection, first.targets)
    return frame_of([one.projection for one in splits], stars, scale)


def _title(run: str, split: str, targets: Targets) -> str:
    return f"{run if targets.kind == 'unknown' else targets_words(targets)}, {split}"


def _confidences(a: Activations, s: SplitStatistics | None, rows: NDArray[np.int64]) -> Float:
    """Largest probability of some examples, [m]; NaN without a head."""
    known = a.confidences if s is None or s.logits is None else s.logits.confidence
    if known is not None:
        return known[rows].astype(np.float64)
    if a.head is None:
        return np.full(len(rows), np.nan)
    return confidences_of(a, rows)


def _scores(a: Activations, s: SplitStatistics | None) -> dict[str, float]:
    """Accuracy and ECE over all classes, where they are known and where there is a head."""
    known = (a.over_all or {}) if s is None else s.numbers
    scores = {key: v for key in ("accuracy", "ece") if (v := known.get(key)) is not None}
    if a.partial:
        return scores
    right = a.predictions == a.labels
    scores["accuracy"] = float(right.mean())
    if a.head is not None and "ece" not in scores:
        scores["ece"] = ece(_confidences(a, s, np.arange(len(a))), right)
    return scores


def _shading(projection: Projection, frame: Frame) -> NDArray[np.float32]:
    x0, x1, y0, y1 = frame.limits
    centres = (np.arange(GRID) + 0.5) / GRID
    x, y = np.meshgrid(x0 + (x1 - x0) * centres, y0 + (y1 - y0) * centres)
    return projection.plane.restricted_probs(np.stack([x, y], axis=-1) * frame.unit).astype(np.float32)


def _density(projection: Projection, frame: Frame, n_shown: int) -> NDArray[np.float32] | None:
    """The field of all stored examples, where they are many and not all drawn."""
    n_stored = sum(len(points) for points in projection.points)
    if n_stored <= ABOVE or n_shown == n_stored:
        return None
    limits = tuple(edge * frame.unit for edge in frame.limits)
    return np.stack([depth(p, (limits[0], limits[1], limits[2], limits[3])) for p in projection.points], -1)


def _pull(a: Activations, projection: Projection, frame: Frame, targets: Targets) -> Arrows | None:
    """Arrows of the pull, from the ideal points: there the probabilities are the targets.

    None for K sigmoids: their pull depends on the logits themselves, which differences do not tell.
    """
    ideal = ideal_points(a, projection, targets)
    if a.head is None or targets.sigmoids or (ideal is None and targets.kind != "hard"):
        return None
    plane = projection.plane
    wanted = restricted_targets(None if ideal is None else plane.restricted_probs(ideal))
    return Arrows.over(plane, frame.limits, frame.unit, wanted)


def _panel(one: _Placed, frame: Frame, options: PanelOptions, *, unit_split: str, remark: str) -> Panel:
    a, p, targets, summary, seed = one.activations, one.projection, one.targets, one.summary, options.seed
    drawn = [draw(a.indices[rows], options.per_class, seed) for rows in p.rows]
    rows = np.concatenate([own[at] for own, at in zip(p.rows, drawn, strict=True)])
    points = np.concatenate([own[at] for own, at in zip(p.points, drawn, strict=True)])
    labels = np.repeat(np.arange(3), [len(at) for at in drawn])
    mixed = np.argsort(sample_keys(a.indices[rows], seed), kind="stable")
    rows, labels = rows[mixed], labels[mixed]
    xy = (points[mixed] / frame.unit).astype(np.float32)
    predictions = a.predictions[rows]
    kinds = np.where(np.isin(predictions, p.classes), INSIDE, OUTSIDE)
    kinds[predictions == a.labels[rows]] = CORRECT
    ideal = ideal_points(a, p, targets)
    head, bias = a.planar_head(options.bias)
    names = distinct_names(a.class_names)
    x0, x1, y0, y1 = frame.limits
    start = p.plane.equal_point()
    corner = np.array([max(abs(x0), abs(x1)), max(abs(y0), abs(y1))]) * frame.unit
    reach = 2 * float(np.linalg.norm(corner) + np.linalg.norm(start))
    totals = a.class_totals()
    first, second, third = (int(k) for k in p.classes)
    rho, distance = float(p.clusters.rho()), float(p.clusters.distance())
    return Panel(
        run=a.run,
        split=a.split,
        seen=a.seen,
        title=_title(a.run, a.split_words, targets),
        label_smoothing=targets.label_smoothing,
        classes=(names[first], names[second], names[third]),
        class_indices=(first, second, third),
        class_names=names,
        xy=xy,
        labels=labels,
        predictions=predictions,
        confidences=_confidences(a, summary, rows).astype(np.float32),
        kinds=kinds,
        indices=a.indices[rows],
        rows=rows,
        means_xy=p.clusters.mean / frame.unit,
        templates_xy=p.plane.project(head.templates(bias, p.classes)) / frame.unit,
        boundaries=p.plane.boundaries(reach) / frame.unit,
        ideal_xy=None if ideal is None else ideal / frame.unit,
        limits=frame.limits,
        shading=None if a.head is None else _shading(p, frame),
        unit=frame.unit,
        scale=options.scale,
        bias=bias,
        n_shown=_three(len(at) for at in drawn),
        n_stored=_three(len(r) for r in p.rows),
        n_total=_three(int(totals[k]) for k in p.classes),
        n_outside=frame.outside(xy),
        seed=seed,
        metrics={
            "rho_d": float(p.clusters.rho_d()),
            "rho": rho,
            "distance": distance,
            "plane_share": p.share,
            "off_plane": p.off_plane,
            **_scores(a, summary),
            "n": float(p.clusters.count.sum()),
        },
        dataset_id=a.dataset_id,
        checkpoint_sha256=a.checkpoint_sha256,
        class_means="" if a.head is not None or a.class_means is None else a.class_means.split,
        predicted_by=a.predicted_by,
        unit_split=unit_split,
        partial=a.partial,
        remark=remark,
        targets=targets.kind,
        pull=_pull(a, p, frame, targets) if options.pull else None,
        density=_density(p, frame, len(rows)),
    )


def _three(values: Iterable[int]) -> tuple[int, int, int]:
    first, second, third = values
    return first, second, third


def build_panel(
    activations: Activations,
    classes: Sequence[str | int],
    options: PanelOptions = DEFAULTS,
    *,
    targets: Targets | None = None,
    frame: Frame | None = None,
    remark: str = "",
) -> Panel:
    """The picture of one run and split.

    Args:
        activations: with a head, or with class means in its place.
        classes: three names or indices: left, right, above.
        targets: of the run, unknown when not given; hard and unknown ones have no ideal points.
        frame: unit and limits shared with other panels; without it those of this split alone.
        remark: a few words that must stand in the picture.

    Raises:
        ActivationsError: neither head nor class means, unknown, repeated or empty classes.
        DegeneratePlane: templates on one line.
    """
    one = _place(activations, classes, options.bias, targets or Targets.of(None))
    frame = frame or _frame([one], options.scale)
    return _panel(one, frame, options, unit_split=activations.split, remark=remark)


def build_grid(
    runs: Sequence[Mapping[str, Activations]],
    classes: Sequence[str | int],
    options: PanelOptions = DEFAULTS,
    *,
    targets: Sequence[Targets] | None = None,
    summaries: Sequence[Mapping[str, SplitStatistics]] | None = None,
    remarks: Sequence[str] | None = None,
) -> list[list[Panel]]:
    """Rows of panels: a row a run, its splits train, validation, test, as far as they are there.

    Args:
        runs: for each run its activations by split; all with one list of classes.
        classes, options: as for `build_panel`; all splits of a run are drawn.
        targets: of each run, unknown when not given.
        summaries: of the same activations, to save time.
        remarks: a few words for each run that must stand in all of its panels.

    Raises:
        ActivationsError: runs of different class lists, a run without activations, and as `build_panel`.
    """
    asked = [Targets.of(None)] * len(runs) if targets is None else list(targets)
    if len(asked) != len(runs):
        raise ActivationsError(f"{len(runs)} runs need as many targets, not {len(asked)}.")
    if len({a.class_names for run in runs for a in run.values()}) > 1:
        raise ActivationsError("Runs with different lists of classes cannot share a picture: choose others.")
    rows: list[list[_Placed]] = []
    for number, (run, own) in enumerate(zip(runs, asked, strict=True)):
        splits = [s for s in SPLITS if s in run]
        if not splits:
            raise ActivationsError("A run has no activations: extract them first.")
        known = summaries[number] if summaries is not None else {}
        rows.append([_place(run[s], classes, options.bias, own, known.get(s)) for s in splits])
    frames = share_frames([_frame(row, options.scale) for row in rows], options.scale)
    return [
        [_panel(one, frame, options, unit_split=row[0].activations.split, remark=said) for one in row]
        for row, frame, said in zip(rows, frames, remarks or [""] * len(runs), strict=True)
    ]
