"""The plane through three templates: an exact linear image of the logit differences of three classes.

Axis letters: n examples, d penultimate width, D = d + 1 with the bias or d without, K classes.
Source: Müller, Kornblith & Hinton 2019, section 2. The plane is affine: template differences span it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz import InputError
from penviz.store.head import Head

Float = NDArray[np.float64]

PAIRS = ((0, 1), (0, 2), (1, 2))
"""Order of the three boundaries: positions of the two classes in the chosen triple."""

LEFT, RIGHT = (1, 0, 2), (0, 2, 1)
"""For each of PAIRS the class whose logit is larger to the left, and to the right, of its boundary, walking
from the equal point outwards. It follows from the canonical frame, in which the templates of classes 0, 1, 2
stand counter-clockwise, so that their regions do too."""

SMALLEST_RATIO = 1e-6
"""Singular values of the two template differences: below this ratio the three templates lie on a line."""


class DegeneratePlane(InputError):
    """Three templates that lie on one line (or coincide) and so span no plane."""


def _float(values: ArrayLike) -> Float:
    return np.asarray(values, np.float64)


def _spans(templates: Float) -> bool:
    """Whether three templates [3, D] span a plane and do not lie on one line."""
    if templates.shape[1] < 2:
        return False
    singular = np.linalg.svd((templates[1:] - templates[0]).T, compute_uv=False)
    return bool(singular[1] > SMALLEST_RATIO * singular[0])


@dataclass(frozen=True)
class Plane:
    """An affine plane in a canonical frame: class 0 left and 1 right on a level baseline, 2 above.

    Attributes:
        origin: [D], the centroid of the three templates.
        basis: [2, D], orthonormal rows: the directions of x and y.
        R: [2, 2], upper triangular: [z_1 - z_0, z_2 - z_0] = xy @ R + offset.
        offset: [2], the two logit differences at the origin, biases included, in nats.
    """

    origin: Float
    basis: Float
    R: Float
    offset: Float

    @classmethod
    def through(cls, templates: ArrayLike, biases: ArrayLike | None = None) -> Plane:
        """The plane through three templates.

        Args:
            templates: [3, D]; with the bias as last column where the bias belongs to the template.
            biases: [3] biases that are not part of the templates (they move the boundaries only), or None.

        Raises:
            DegeneratePlane: the templates lie on one line, or two are equal.
            ValueError: a wrong shape or a value that is not finite.

        Source: Müller et al. 2019, section 2; thin QR of the template differences, signs fixed.
        """
        t = _float(templates)
        b = np.zeros(3) if biases is None else _float(biases)
        if t.ndim != 2 or len(t) != 3 or b.shape != (3,):
            raise ValueError(f"A plane needs templates [3, D] and biases [3], not {t.shape} and {b.shape}.")
        if not (np.isfinite(t).all() and np.isfinite(b).all()):
            raise ValueError("The templates hold NaN or infinity.")
        differences = (t[1:] - t[0]).T
        if not _spans(t):
            raise DegeneratePlane(
                "The templates of the three classes lie on one line, so they span no plane."
            )
        q, r = np.linalg.qr(differences)
        signs = np.sign(np.diag(r))
        q, r = q * signs, r * signs[:, None]
        origin = t.mean(axis=0)
        return cls(origin, np.ascontiguousarray(q.T), r, origin @ differences + b[1:] - b[0])

    @classmethod
    def of_head(cls, head: Head, classes: Sequence[int], bias: bool = True) -> Plane:
        """The plane of three classes of a head, by their rows.

        Args:
            head: the last layer; a head without a bias counts as one with bias 0.
            classes: three rows of the head, in the order left, right, above.
            bias: the bias is the last coordinate of the template (D = d + 1; features get a 1 appended), or
                it is left out of the plane (D = d) and moves the boundaries only.

        Raises:
            DegeneratePlane: a class chosen twice, or templates on one line.
        """
        rows = list(classes)
        if len(set(rows)) < 3:
            raise DegeneratePlane("Three different classes are needed: one was chosen twice.")
        templates = head.templates(bias, rows)
        try:
            return cls.through(templates, None if bias or head.bias is None else head.bias[rows])
        except DegeneratePlane as error:
            if bias and head.bias is not None and _spans(head.templates(False, rows)):
                raise DegeneratePlane(
                    "The biases of the three classes are so large beside their weights that the templates "
                    "lie on one line, as where features lie far from 0. Leave the bias out of the templates: "
                    '--no-bias, or the switch "bias in the template".'
                ) from error
            raise

    def project(self, features: ArrayLike) -> Float:
        """In-plane coordinates [n, 2], in feature units, of features [n, d] (a 1 is appended) or [n, D]."""
        x = _float(features)
        width = self.basis.shape[1]
        shift = self.basis @ self.origin
        if x.shape[-1] == width:
            return x @ self.basis.T - shift
        if x.shape[-1] == width - 1:
            return x @ self.basis[:, :-1].T + (self.basis[:, -1] - shift)
        raise ValueError(f"Features of width {x.shape[-1]} do not fit a plane in {width} dimensions.")

    def lift(self, xy: ArrayLike) -> Float:
        """Points [n, D] of the plane at some coordinates [n, 2]: the inverse of `project` on the plane."""
        return self.origin + _float(xy) @ self.basis

    def off_plane(self, features: ArrayLike) -> Float:
        """Distance [n], in feature units, of features [n, d] or [n, D] from the plane."""
        x = _float(features)
        if x.shape[-1] == self.basis.shape[1] - 1:
            x = np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)
        distances: Float = np.linalg.norm(x - self.lift(self.project(x)), axis=-1)
        return distances

    def logit_differences(self, xy: ArrayLike) -> Float:
        """[..., 2] differences z_1 - z_0 and z_2 - z_0 in nats at [..., 2], exact off the plane."""
        return _float(xy) @ self.R + self.offset

    def at_differences(self, differences: ArrayLike) -> Float:
        """Coordinates [..., 2] where the logit differences are the given ones [..., 2]."""
        return (_float(differences) - self.offset) @ np.linalg.inv(self.R)

    def equal_point(self) -> Float:
        """[2], where the three logits are equal and the three boundaries meet."""
        return self.at_differences(np.zeros(2))

    def boundaries(self, length: float = 1.0) -> Float:
        """Where two logits are equal: [3, 2, 2], for each of PAIRS two points of its straight line.

        The first is the equal point; the second lies `length` (feature units) away from it on the half
        that borders two regions of the restricted argmax. `boundary_sides` tells the sides.
        """
        outward = np.array([[0.0, -1.0], [-1.0, 0.0], [1.0, 1.0]]) @ np.linalg.inv(self.R)
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        start = np.broadcast_to(self.equal_point(), (3, 2))
        return np.stack([start, start + length * outward], axis=1)

    def ideal_points(self, targets: ArrayLike, classes: Sequence[int] | None = None) -> Float:
        """Where soft targets want each class: [3, 2], the point whose logit gap of i and j is ln q_i / q_j.

        Args:
            targets: [3, 3], row i the target probabilities of the three classes for an example of class i;
                or [3, K] with `classes`, the columns of the three.
            classes: three columns of `targets`.

        Raises:
            ValueError: a probability of 0 (hard targets: the optimum lies at infinity), or a wrong shape.

        Source: stationary point of the cross-entropy; for label smoothing the gap is ln((1-a+a/K)/(a/K)).
        """
        q = _float(targets)
        if classes is not None:
            q = q[:, list(classes)]
        if q.shape != (3, 3):
            raise ValueError(
                f"Targets must have shape (3, 3) or come with their three columns, not {q.shape}."
            )
        if not (np.isfinite(q).all() and (q > 0).all()):
            raise ValueError("Hard targets have no optimum: it lies at infinity.")
        return self.at_differences(np.log(q[:, 1:] / q[:, :1]))

    def restricted_probs(self, xy: ArrayLike) -> Float:
        """[..., 3] softmax over the three classes only, exact at coordinates [..., 2]."""
        z = self.logit_differences(xy)
        z = np.concatenate([np.zeros((*z.shape[:-1], 1)), z], axis=-1)
        z = np.exp(z - z.max(axis=-1, keepdims=True))
        probs: Float = z / z.sum(axis=-1, keepdims=True)
        return probs


def boundary_sides(boundaries: ArrayLike, xy: ArrayLike) -> NDArray[np.int64]:
    """Which class of each pair has the larger logit, read off the lines: [n, 3] of 0, 1, 2.

    Args:
        boundaries: [3, 2, 2] from `Plane.boundaries` or `Panel.boundaries`.
        xy: [n, 2] in the same unit.
    """
    lines, points = _float(boundaries), _float(xy)
    along = lines[:, 1] - lines[:, 0]
    to = points[:, None, :] - lines[None, :, 0]
    left = along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0] > 0
    return np.where(left, np.array(LEFT), np.array(RIGHT))
