"""Tightness of every triple of classes at once, from logits alone.

In-plane coordinates are a linear image of the logit differences, so that a quadratic form of the template
differences turns variances of logit differences into squared radii. With E, V_k and M_kl the squared template
distances, the variances within class k and the squared differences of class means, each of the three pairs
(a, b), (a, c), (b, c), the squared length of a logit difference u is
[u_ab (E_ac - g) + u_ac (E_ab - g) + u_bc g] / det,  g = (E_ab + E_ac - E_bc) / 2,  det = E_ab E_ac - g².

Axis letters: t triples, n examples, D width of a template, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.tightness.tightness import ratio
from penviz.projection.plane import PAIRS, SMALLEST_RATIO
from penviz.store.head import Head, row_blocks

Float = NDArray[np.float64]
Int = NDArray[np.int64]

MOST_CLASSES = 150
"""Above it a seeded sample of triples stands for all of them."""

SAMPLED = 20_000
CHUNK = 50_000


def count_triples(n_classes: int) -> int:
    """How many triples there are of some classes."""
    return n_classes * (n_classes - 1) * (n_classes - 2) // 6


def is_sampled(n_all: int) -> bool:
    """Whether `list_triples` gives a sample in place of so many triples."""
    return n_all > count_triples(MOST_CLASSES)


def list_triples(n_classes: int, seed: int = 0) -> Int:
    """All triples a < b < c, [t, 3]; for more than 150 classes 20,000 different ones drawn with the seed."""
    if n_classes <= MOST_CLASSES:
        a, b, c = np.ogrid[:n_classes, :n_classes, :n_classes]
        return np.argwhere((a < b) & (b < c))
    drawn = np.random.default_rng(seed).integers(n_classes, size=(SAMPLED + SAMPLED // 10, 3))
    drawn = np.unique(np.sort(drawn, axis=1), axis=0)
    drawn = drawn[(drawn[:, 0] < drawn[:, 1]) & (drawn[:, 1] < drawn[:, 2])]
    return np.random.default_rng(seed).permutation(drawn)[:SAMPLED]


@dataclass(frozen=True)
class TripleMoments:
    """What the tightness of every triple needs of the logits, in nats squared.

    Attributes:
        triples: [t, 3] classes a < b < c, without those that hold a class of no examples.
        within: [t, 3] variance of the logit difference of each of PAIRS, mean over the three classes.
        between: [t, 3, 3] squared difference of class means: axis 1 the two classes (PAIRS), axis 2 the
            logit difference (PAIRS).
        n_all: number of triples that K classes have.
    """

    triples: Int
    within: Float
    between: Float
    n_all: int

    @classmethod
    def of(
        cls, head: Head, features: NDArray[np.floating], rows: Sequence[Int], seed: int = 0
    ) -> TripleMoments:
        """From the head, features [n, d] and the rows of each class (`class_rows`).

        The logits of a class are computed for the classes alone that share a triple with it.
        """
        n_classes = head.n_classes
        present = np.array([len(r) > 0 for r in rows])
        triples = list_triples(n_classes, seed)
        triples = triples[present[triples].all(axis=1)]
        weight = head.weight.astype(np.float64)
        bias = np.zeros(n_classes) if head.bias is None else head.bias.astype(np.float64)
        first, second = np.array(PAIRS).T
        within, mean = np.zeros((len(triples), 3)), np.zeros((len(triples), 3, 3))

        def spread(k: int, columns: Int | slice) -> tuple[Float, Float]:
            """Mean of logits over class k, and variances of their differences: [m], [m, m]."""
            z = features[rows[k]].astype(np.float64) @ weight[columns].T + bias[columns]
            centred = z - z.mean(axis=0)
            square = centred.T @ centred / len(z)
            own = np.diag(square)
            return z.mean(axis=0), own[:, None] + own - 2 * square

        if n_classes <= MOST_CLASSES:
            means, variance = np.zeros((n_classes, n_classes)), np.zeros((n_classes,) * 3)
            for k in np.flatnonzero(present).tolist():
                means[k], variance[k] = spread(k, slice(None))
            for at in range(0, len(triples), CHUNK):
                t = triples[at : at + CHUNK]
                mean[at : at + CHUNK] = means[t[:, :, None], t[:, None, :]]
                i, j = t[:, first], t[:, second]
                within[at : at + CHUNK] = sum(variance[t[:, [k]], i, j] for k in range(3)) / 3
        else:
            ends = np.cumsum(np.bincount(triples.ravel(), minlength=n_classes))[:-1]
            for k, own in enumerate(np.split(np.argsort(triples, axis=None, kind="stable"), ends)):
                if not len(own):
                    continue
                t, place = np.divmod(own, 3)
                columns, found = np.unique(triples[t], return_inverse=True)
                inside = found.reshape(-1, 3)
                of_class, apart = spread(k, columns)
                mean[t, place] = of_class[inside]
                within[t] += apart[inside[:, first], inside[:, second]] / 3
        between = np.zeros((len(triples), 3, 3))
        for start in range(0, len(triples), CHUNK):
            m = mean[start : start + CHUNK]
            gap = m[:, first] - m[:, second]
            between[start : start + CHUNK] = (gap[..., first] - gap[..., second]) ** 2
        return cls(triples, within, between, count_triples(n_classes))

    def rho_d(self, templates: ArrayLike) -> Float:
        """[t] radius over distance of each triple on the plane of its templates.

        Args:
            templates: [K, D], with or without the bias (`Head.templates`): both modes follow from the same
                moments. NaN where three templates lie on one line or the class means coincide.
        """
        e = np.asarray(templates, np.float64)
        e = e - e.mean(axis=0)
        if len(e) <= MOST_CLASSES:
            square = np.einsum("kd,kd->k", e, e)
            apart = np.maximum(square[:, None] + square - 2 * e @ e.T, 0)
            ab, ac, bc = (apart[self.triples[:, i], self.triples[:, j]] for i, j in PAIRS)
        else:
            ab, ac, bc = np.zeros((3, len(self.triples)))
            for some in row_blocks(len(self.triples), e.shape[1]):
                for out, (i, j) in zip((ab, ac, bc), PAIRS, strict=True):
                    gap = e[self.triples[some, i]] - e[self.triples[some, j]]
                    out[some] = np.einsum("td,td->t", gap, gap)
        g = (ab + ac - bc) / 2
        det = ab * ac - g**2
        det = np.where(det > (SMALLEST_RATIO * (ab + ac)) ** 2, det, np.nan)
        form = np.stack([ac - g, ab - g, g], axis=1) / det[:, None]
        rho = np.sqrt(np.maximum((form * self.within).sum(axis=1), 0))
        sides = np.sqrt(np.maximum(np.einsum("tp,tkp->tk", form, self.between), 0))
        return ratio(rho, sides.mean(axis=1))
