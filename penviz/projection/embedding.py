"""PCA, LDA and span + PCA of the features of some classes: fitted on one split, applied to all.

None of them is the paper's projection. They are linear, so that train and validation share one map, and the
map is written beside the points. UMAP (penviz/figures/umap_points.py) only brings its coordinates here.

Axis letters: n examples, d penultimate width, K classes, m points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz import InputError
from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.tightness.tightness import Clusters
from penviz.projection.frame import frame_of, share_frames
from penviz.projection.panel import SPLITS, Panel
from penviz.projection.projection import class_indices
from penviz.projection.views import VIEWS
from penviz.store.activations import Activations

Float = NDArray[np.float64]
Int = NDArray[np.int64]

LINEAR = ("pca", "lda", "span")
"""Views that are linear maps of the features."""

KEPT_NUMBERS = ("accuracy", "ece", "n")
"""Numbers of a panel that hold whatever is drawn; the others belong to the template plane."""

FLAT = 1e-12
"""Share of the largest variance below which a direction holds rounding only."""

SINGULAR = 1e-4
"""Singular values of the standardised within-class features below this are no directions (LDA)."""


@dataclass(frozen=True)
class LinearMap:
    """(x - origin) @ basis.T, features to the picture.

    Attributes:
        origin: [d]; basis: [2, d], orthonormal rows but for LDA.
        shares: share of the variance of the examples it was fitted on that each axis holds (PCA, span + PCA),
            or of the variance between their classes (LDA).
    """

    origin: Float
    basis: Float
    shares: tuple[float, float]

    def project(self, features: ArrayLike) -> Float:
        """Coordinates [n, 2] of features [n, d]."""
        return np.asarray((np.asarray(features, np.float64) - self.origin) @ self.basis.T)


def _two(values: Float, vectors: Float, total: float, what: str) -> tuple[Float, tuple[float, float]]:
    """The last two of rising eigenvalues as rows [2, .], and their shares of a total."""
    if len(values) < 2 or values[-2] <= FLAT * max(values[-1], 0.0):
        raise InputError(f"{what} needs features that vary in two directions at least.")
    return vectors[:, [-1, -2]].T, (float(values[-1] / total), float(values[-2] / total))


def pca(features: ArrayLike) -> LinearMap:
    """Principal components of features [n, d], centred, not scaled.

    Raises:
        InputError: the features do not vary in two directions.

    Source: Hotelling 1933; the two largest eigenvalues of the covariance.
    """
    x = np.asarray(features, np.float64)
    mean = x.mean(axis=0)
    centred = x - mean
    covariance = centred.T @ centred / max(len(x) - 1, 1)
    values, vectors = np.linalg.eigh(covariance)
    basis, shares = _two(values, vectors, float(np.trace(covariance)), "PCA")
    return LinearMap(mean, basis, shares)


def lda(features: ArrayLike, labels: ArrayLike) -> LinearMap:
    """Linear discriminants of features [n, d] with labels [n]: three classes or more.

    The within-class covariance (over n) is the identity in the picture. Directions without spread inside
    the classes (dead units) are left out: singular values of the standardised features below SINGULAR.

    Raises:
        InputError: fewer than three classes, or class means on one line.

    Source: Fisher 1936, Rao 1948; priors are the shares of the classes among the examples.
    """
    x, y = np.asarray(features, np.float64), np.asarray(labels)
    names, y, count = np.unique(y, return_inverse=True, return_counts=True)
    if len(names) < 3 or len(x) <= len(names):
        raise InputError("LDA to two directions needs three classes with several examples each.")
    mean = np.stack([x[y == k].mean(axis=0) for k in range(len(names))])
    share = count / len(x)
    origin = share @ mean
    inside = x - mean[y]
    spread = inside.std(axis=0)
    spread[spread == 0] = 1.0
    inside = inside / spread / np.sqrt(len(x))
    _, size, ways = np.linalg.svd(inside, full_matrices=False)
    kept = size > SINGULAR
    whiten = (ways[kept] / spread).T / size[kept]
    between = np.sqrt(share)[:, None] * (mean - origin) @ whiten
    values, vectors = np.linalg.eigh(between.T @ between)
    turn, shares = _two(values, vectors, float((between**2).sum()), "LDA")
    return LinearMap(origin, turn @ whiten.T, shares)


def span_pca(features: ArrayLike, templates: ArrayLike) -> LinearMap:
    """PCA inside the span of three template vectors [3, d], bias left out: not the paper's projection.

    Raises:
        InputError: templates on one line through the origin, or features without spread in their span.

    Source: what public reproductions of Müller et al. 2019 draw (paper.md 2.1 lists them).
    """
    _, size, ways = np.linalg.svd(np.asarray(templates, np.float64), full_matrices=False)
    span = ways[size > FLAT * size[0]] if size[0] > 0 else ways[:0]
    if len(span) < 2:
        raise InputError("The templates of the three classes lie on one line through the origin.")
    x = np.asarray(features, np.float64)
    inside = pca(x @ span.T)
    centred = x - x.mean(axis=0)
    part = float(((centred @ span.T) ** 2).sum() / max((centred**2).sum(), np.finfo(float).tiny))
    first, second = inside.shares
    return LinearMap(inside.origin @ span, inside.basis @ span, (first * part, second * part))


@dataclass(frozen=True)
class Placed:
    """Where the stored examples of three classes of one split are drawn.

    Attributes:
        rows: for each class [n_k] rows of the Activations; points: for each class [n_k, 2]; clusters: their
            sums.
    """

    rows: tuple[Int, ...]
    points: tuple[Float, ...]
    clusters: Clusters

    def at(self, rows: Int) -> Float:
        """[m, 2] the points of some of the rows."""
        known, points = np.concatenate(self.rows), np.concatenate(self.points)
        order = np.argsort(known)
        return np.asarray(points[order[np.searchsorted(known[order], rows)]])


@dataclass(frozen=True)
class Embedding:
    """One run drawn another way.

    Attributes:
        view: one of VIEWS; placed: by split; fitted_on: split; n_fitted: examples; all_classes: whether those
            of all classes, or of the three.
        map: the linear map, None for UMAP.
    """

    view: str
    placed: Mapping[str, Placed]
    fitted_on: str
    n_fitted: int
    all_classes: bool
    map: LinearMap | None = None


def fitting_rows(
    splits: Mapping[str, Activations], classes: Sequence[str | int], all_classes: bool
) -> tuple[str, list[Int]]:
    """The split that an embedding is fitted on, the first there is, and its rows by class.

    Args:
        splits: of one run; classes: three; all_classes: fit on all of them.
    """
    name = next((s for s in SPLITS if s in splits), "")
    if not name:
        raise InputError("A run has no activations: extract them first.")
    a = splits[name]
    rows = class_rows(a.labels, len(a.class_names), a.indices)
    chosen = range(len(rows)) if all_classes else class_indices(classes, a.class_names)
    return name, [rows[k] for k in chosen]


def embed(
    splits: Mapping[str, Activations], classes: Sequence[str | int], view: str, all_classes: bool = False
) -> Embedding:
    """A linear embedding of one run, fitted on its train split (the first there is) and applied to all.

    Args:
        splits: of one run; classes: three, drawn; view: one of LINEAR; all_classes: fitted on the examples of
            all classes and not of the three only.

    Raises:
        InputError: features or templates without two directions, unknown classes, no activations.
        ValueError: an unknown view.
    """
    if view not in LINEAR:
        raise ValueError(f"A linear view is one of {', '.join(LINEAR)}, not {view}.")
    name, fitting = fitting_rows(splits, classes, all_classes)
    a = splits[name]
    chosen = class_indices(classes, a.class_names)
    rows = np.concatenate(fitting)
    if view == "pca":
        found = pca(a.features[rows])
    elif view == "lda":
        found = lda(a.features[rows], a.labels[rows])
    else:
        found = span_pca(a.features[rows], a.planar_head()[0].weight[list(chosen)])
    means = [found.project(a.features[a.labels == k]).mean(axis=0) for k in chosen]
    signs = np.array([_sign(means[1][0] - means[0][0]), _sign(2 * means[2][1] - means[0][1] - means[1][1])])
    found = replace(found, basis=found.basis * signs[:, None])
    placed = {}
    for split, own in splits.items():
        rows_of = three_rows(own, chosen)
        points = tuple(found.project(own.features[r]) for r in rows_of)
        placed[split] = Placed(rows_of, points, Clusters.of(points))
    return Embedding(view, placed, name, len(rows), all_classes, found)


def _sign(value: float) -> float:
    """Class 0 left of 1, class 2 above: an axis has no sign of its own."""
    return -1.0 if value < 0 else 1.0


def three_rows(a: Activations, classes: Sequence[int]) -> tuple[Int, ...]:
    """Rows of the stored examples of three classes.

    Raises:
        InputError: a class without examples.
    """
    every = class_rows(a.labels, len(a.class_names), a.indices)
    rows = tuple(every[k] for k in classes)
    for k, own in zip(classes, rows, strict=True):
        if not len(own):
            raise InputError(f"No {a.split} examples of {a.class_names[k]} are stored for {a.run}.")
    return rows


def turned(points: Sequence[Float], anchor: Sequence[Float]) -> tuple[Float, ...]:
    """Coordinates turned so that of three clusters the first is left, the second right, the third above.

    For maps without axes of their own: distances stay as they are.

    Args:
        points: arrays [m, 2] to turn; anchor: the three clusters [n_k, 2] that say how.
    """
    first, second, third = (p.mean(axis=0) for p in anchor)
    x, y = second - first
    size = float(np.hypot(x, y)) or 1.0
    turn = np.array([[x, y], [-y, x]]) / size
    up = (third - (first + second) / 2) @ turn[1]
    turn[1] *= _sign(float(up))
    centre = np.mean([first, second, third], axis=0)
    return tuple((p - centre) @ turn.T for p in points)


def embedded(
    rows: Sequence[Sequence[Panel]], embeddings: Sequence[Embedding], scale: str = "distance"
) -> list[list[Panel]]:
    """Panels of another view: the same examples, colours and errors at other places.

    What belongs to the template plane is left out: boundaries, shading, optima, templates, pull, ρ/d. All
    splits of a run share the map and the limits. UMAP has no unit, so every run has axes of its own there.

    Args:
        rows: of the template plane (`build_grid`), a row a run; embeddings: one a run; scale: one of SCALES.
    """
    frames = []
    for row, one in zip(rows, embeddings, strict=True):
        own = "own" if one.map is None else scale
        frames.append(frame_of([one.placed[p.split] for p in row], None, own))
    if all(one.map is not None for one in embeddings):
        frames = share_frames(frames, scale)
    none = np.zeros((0, 2))
    made = []
    for row, one, frame in zip(rows, embeddings, frames, strict=True):
        view = VIEWS[one.view]
        for_row = []
        for p in row:
            xy = (one.placed[p.split].at(p.rows) / frame.unit).astype(np.float32)
            numbers = {key: p.metrics[key] for key in KEPT_NUMBERS if key in p.metrics}
            shares = one.map.shares if one.map is not None else None
            numbers |= {} if shares is None else {"axis_x": shares[0], "axis_y": shares[1]}
            for_row.append(
                replace(
                    p,
                    view=one.view,
                    title=f"{view.label}: {p.title}",
                    xy=xy,
                    means_xy=none if one.map is None else one.placed[p.split].clusters.mean / frame.unit,
                    templates_xy=none,
                    boundaries=np.zeros((0, 2, 2)),
                    ideal_xy=None,
                    shading=None,
                    density=None,
                    pull=None,
                    limits=frame.limits,
                    unit=frame.unit,
                    scale="own" if one.map is None else scale,
                    n_outside=frame.outside(xy),
                    metrics=numbers,
                    class_means="",
                    unit_split=row[0].split,
                    remark="; ".join([*([p.remark] if p.remark else []), view.remark]),
                )
            )
        made.append(for_row)
    return made
