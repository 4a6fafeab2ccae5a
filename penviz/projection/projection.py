"""Three classes of one run and split on the plane of their templates: all stored examples, errors included.

Axis letters: n_k examples of class k, d penultimate width, K classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penviz.did_you_mean import did_you_mean
from penviz.metrics.collapse.moments import Moments, class_rows
from penviz.metrics.tightness.tightness import Clusters, ratio
from penviz.projection.plane import Plane
from penviz.store.activations import Activations
from penviz.store.class_lookup import rows_named
from penviz.store.head import ActivationsError

Float = NDArray[np.float64]
Int = NDArray[np.int64]


def class_indices(classes: Sequence[str | int], class_names: Sequence[str]) -> tuple[int, int, int]:
    """Rows of the head of three classes given by name or by index (`rows_named`).

    Raises:
        ActivationsError: not three, an unknown name, an index out of range, or a class chosen twice.
    """
    if isinstance(classes, str) or len(classes) != 3:
        raise ActivationsError("Choose three classes.")
    left, right, above = different_rows(classes, class_names)
    return left, right, above


def _offered(class_names: Sequence[str]) -> str:
    """Which classes there are, in words."""
    last = len(class_names) - 1
    if tuple(class_names) == tuple(map(str, range(len(class_names)))):
        return f"the classes have numbers for names, 0 to {last}"
    shown = ", ".join(class_names[:10])
    return f"the classes are {shown}{', ...' if last >= 10 else ''}"


def different_rows(classes: Sequence[str | int], class_names: Sequence[str]) -> list[int]:
    """Rows of the head of some different classes; errors as `class_indices`."""
    found: list[int] = []
    for wanted in classes:
        rows = rows_named(wanted, class_names)
        if len(rows) > 1:
            raise ActivationsError(f"Several classes are called {wanted}: choose it by its index.")
        if not rows and str(wanted).removeprefix("-").isdecimal():
            raise ActivationsError(f"There is no class {wanted}: they run from 0 to {len(class_names) - 1}.")
        if not rows:
            meant = did_you_mean(wanted, class_names)
            raise ActivationsError(f"There is no class {wanted}{meant}: {_offered(class_names)}.")
        found += rows
    if len(set(found)) < len(found):
        words = {2: "two", 3: "three"}.get(len(found), "some")
        raise ActivationsError(f"Choose {words} different classes: one was chosen twice.")
    return found


def distinct_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Names that tell classes apart: one that several share gets its row, as in "crane (517)"."""
    counts = Counter(class_names)
    return tuple(n if counts[n] == 1 else f"{n} ({k})" for k, n in enumerate(class_names))


CACHED = 2**16
"""Numbers in float64 that are projected at a time."""


@dataclass(frozen=True, repr=False)
class Projection:
    """Where the examples of three classes lie on their plane, and how much of them lies off it.

    Attributes:
        classes: rows of the three classes in the head; plane: through their templates, or class means.
        rows: for each class [n_k] rows of the Activations, by rising index of the example.
        points: for each class [n_k, 2] in-plane coordinates in feature units, float64.
        clusters: their sums.
        share: share in [0, 1] of the variance of these examples in feature space that the plane holds.
        off_plane: RMS distance from the plane in feature units.
    """

    classes: tuple[int, int, int]
    plane: Plane
    rows: tuple[Int, ...]
    points: tuple[Float, ...]
    clusters: Clusters
    share: float
    off_plane: float

    def __repr__(self) -> str:
        n = sum(map(len, self.points))
        return f"<projection of {n:,} examples of classes {self.classes}>"

    @classmethod
    def of(
        cls,
        activations: Activations,
        classes: Sequence[str | int],
        bias: bool = True,
        *,
        errors: bool = True,
        rows: Sequence[Int] | None = None,
        moments: Moments | None = None,
    ) -> Projection:
        """Project all stored examples of three classes.

        Args:
            activations: of one run and split, with a head or with class means in its place.
            classes: three names or indices, in the order left, right, above.
            bias: the template holds the bias.
            errors: keep the examples that the network got wrong.
            rows, moments: of these activations, to save their computation (`class_rows`, `Moments.of`).

        Raises:
            ActivationsError: neither head nor class means, a class that is unknown or has no examples here.
            DegeneratePlane: templates on one line.
        """
        chosen = class_indices(classes, activations.class_names)
        head, bias = activations.planar_head(bias)
        means = activations.class_means if activations.head is None else None
        if means is not None and (none := [k for k in chosen if not means.present[k]]):
            raise ActivationsError(
                f"No {means.split} examples of {activations.class_names[none[0]]} are stored for "
                f"{activations.run}, so there is no class mean to draw on."
            )
        plane = Plane.of_head(head, chosen, bias)
        if rows is None:
            rows = class_rows(activations.labels, len(activations.class_names), activations.indices)
        picked = [rows[k] for k in chosen]
        if not errors:
            picked = [r[activations.predictions[r] == k] for k, r in zip(chosen, picked, strict=True)]
            moments = None
        for k, r in zip(chosen, picked, strict=True):
            if not len(r):
                more = ": other classes need the full pass." if activations.partial else "."
                raise ActivationsError(
                    f"No {activations.split} examples of {activations.class_names[k]} are stored "
                    f"for {activations.run}{more}"
                )
        found = [_project(plane, activations.features, r, moments is None) for r in picked]
        points = [xy for xy, _, _ in found]
        clusters = Clusters.of(points)
        if moments is None:
            mean, trace = np.array([m for _, m, _ in found]), np.array([t for _, _, t in found])
        else:
            mean, trace = moments.mean[list(chosen)], moments.trace[list(chosen)]
        n = clusters.count
        total = trace.sum() + _between(n, mean)
        inside = clusters.scatter.sum() + _between(n, clusters.mean)
        off = plane.off_plane(mean) ** 2 + (trace - clusters.scatter) / n
        return cls(
            chosen,
            plane,
            tuple(picked),
            tuple(points),
            clusters,
            float(ratio(inside, total)),
            float(np.sqrt(max((n * off).sum() / n.sum(), 0.0))),
        )

    def probs(self) -> list[Float]:
        """Softmax restricted to the three classes: three arrays [n_k, 3]."""
        return [self.plane.restricted_probs(p) for p in self.points]


def _project(
    plane: Plane, features: NDArray[np.float32], rows: Int, moments: bool
) -> tuple[Float, Float, float]:
    """Coordinates [n_k, 2] of the rows of one class, their mean [d] and the trace of their scatter.

    In float64, a few rows at a time, so that they stay in the processor's cache; sums are of the distance to
    the first row (shifted data, Chan, Golub & LeVeque 1983). Without `moments` mean and trace mean nothing.
    """
    width = features.shape[1]
    first = features[rows[0]].astype(np.float64)
    points, total, square = np.empty((len(rows), 2)), np.zeros(width), 0.0
    step = max(CACHED // max(width, 1), 1)
    for start in range(0, len(rows), step):
        x = features[rows[start : start + step]].astype(np.float64)
        points[start : start + step] = plane.project(x)
        if moments:
            x -= first
            total += x.sum(axis=0)
            square += float(np.vdot(x, x))
    shift = total / len(rows)
    return points, first + shift, square - len(rows) * float(shift @ shift)


def _between(count: Float, mean: Float) -> float:
    """Sum of squares of the class means [3, .] about the mean of all examples."""
    centred = mean - count @ mean / count.sum()
    return float((count * (centred**2).sum(axis=1)).sum())
