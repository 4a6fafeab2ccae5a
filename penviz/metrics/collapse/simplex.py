"""How near the class means and the templates are to a simplex, to each other, and to the nearest-mean rule.

Every number names its variant, because the literature has several of each. Axis letters: n examples, d
penultimate width, K classes. All are free of scale but for the norms, which are in feature (weight) units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.class_sample import class_sample
from penviz.metrics.collapse.moments import Moments
from penviz.metrics.tightness.tightness import ratio
from penviz.store.head import affine_blocks

Float = NDArray[np.float64]


def attainable(width: int, n_classes: int) -> bool:
    """A regular simplex of K class means fits into d dimensions: d >= K - 1."""
    return width >= n_classes - 1


def _unit(rows: Float) -> Float:
    """[K, d] rows over their norms; NaN for a row of zeros."""
    return ratio(rows, np.sqrt(np.einsum("kd,kd->k", rows, rows))[:, None])


@dataclass(frozen=True)
class Simplex:
    """NC2: how far K centred vectors m_k [K, d] are from a regular simplex with its centre at 0.

    Attributes:
        equinorm: std_k ‖m_k‖ / mean_k ‖m_k‖ (std over K).
        equiangular: std over pairs i < j of cos(m_i, m_j).
        angle: mean over pairs of |cos(m_i, m_j) + 1 / (K - 1)|.
        etf: ‖M Mᵀ / ‖M Mᵀ‖_F - (I - 11ᵀ / K) / sqrt(K - 1)‖_F, in [0, sqrt(2 - 2 / sqrt(K - 1))]: neither
            matrix has an eigenvalue below 0, and vectors on one line through 0 are the farthest.
        attainable: all four can be 0, d >= K - 1.

    All are 0 for the simplex; NaN where a vector or all are 0. Of more than a thousand vectors a sample
    (`class_sample`) has its pairs compared; norms and the Gram matrix are of all.

    Source: Papyan, Han & Donoho 2020, figures 2 to 4 (equinorm, equiangular, angle); Zhu et al. 2021 (etf).
    """

    equinorm: float
    equiangular: float
    angle: float
    etf: float
    attainable: bool

    @classmethod
    def of(cls, vectors: ArrayLike) -> Simplex:
        """From class means or templates [K, d], K >= 2; their mean over the classes is subtracted."""
        m = np.asarray(vectors, np.float64)
        n_classes = len(m)
        m = m - m.mean(axis=0)
        norm = np.sqrt(np.einsum("kd,kd->k", m, m))
        unit = _unit(m)[class_sample(np.arange(n_classes))]
        cosine = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
        return cls(
            float(ratio(norm.std(), norm.mean())),
            float(cosine.std()),
            float(np.abs(cosine + 1 / (n_classes - 1)).mean()),
            _etf(m),
            attainable(m.shape[1], n_classes),
        )


def _etf(m: Float) -> float:
    """`Simplex.etf` of centred vectors [K, d], from the K - 1 eigenvalues of M Mᵀ off the ones.

    The ideal has 1 / sqrt(K - 1) for all of them. Those beyond d are 0, and the others are those of Mᵀ M.
    """
    n_classes, width = m.shape
    values = np.zeros(n_classes - 1)
    found = np.linalg.eigvalsh(m.T @ m if width < n_classes else m @ m.T)[::-1][: n_classes - 1]
    values[: len(found)] = np.maximum(found, 0)
    return float(np.linalg.norm(ratio(values, np.linalg.norm(values)) - 1 / np.sqrt(n_classes - 1)))


def nc3(means: ArrayLike, weight: ArrayLike) -> float:
    """NC3, self-duality: ‖W / ‖W‖_F - M / ‖M‖_F‖²_F of the centred templates W and class means M, in [0, 4].

    Args:
        means: [K, d]; weight: [K, d], the head without its bias.

    0 where the templates are the class means up to shift and scale; 2 where they are orthogonal. NaN where
    all means or all templates coincide.

    Source: Papyan, Han & Donoho 2020, figure 5.
    """
    m, w = np.asarray(means, np.float64), np.asarray(weight, np.float64)
    m, w = m - m.mean(axis=0), w - w.mean(axis=0)
    return float(((ratio(w, np.linalg.norm(w)) - ratio(m, np.linalg.norm(m))) ** 2).sum())


def alignment(means: ArrayLike, weight: ArrayLike) -> Float:
    """[K] cosine of each centred class mean with its own centred template, in [-1, 1]; 1 under collapse.

    Args:
        means: [K, d]; weight: [K, d], the head without its bias.

    NaN for a class whose mean or template is the mean of all.
    """
    m, w = np.asarray(means, np.float64), np.asarray(weight, np.float64)
    cosines: Float = np.einsum("kd,kd->k", _unit(m - m.mean(axis=0)), _unit(w - w.mean(axis=0)))
    return cosines


def nearest_means(features: ArrayLike, means: ArrayLike) -> NDArray[np.int64]:
    """[n] class whose mean [K, d] is nearest to each of the features [n, d]; rows of NaN are no means."""
    x, m = np.asarray(features), np.asarray(means, np.float64)
    kept = np.flatnonzero(np.isfinite(m).all(axis=1))
    centre = m[kept].mean(axis=0)
    m = m[kept] - centre
    square = np.einsum("kd,kd->k", m, m)
    found = np.zeros(len(x), np.int64)
    for rows, apart in affine_blocks(x, -2 * m, square, origin=centre):
        found[rows] = apart.argmin(axis=1)
    return kept[found]


def nc4_terms(features: ArrayLike, predictions: ArrayLike, means: ArrayLike) -> Float:
    """[n] 1 where the prediction is not the class of the nearest class mean, else 0; NC4 is their mean.

    Args:
        features: [n, d]; predictions: [n], the network's own; means: [K, d], of the training examples also
            where the features are those of validation.

    Source: Papyan, Han & Donoho 2020, figure 7.
    """
    apart: Float = (np.asarray(predictions) != nearest_means(features, means)).astype(np.float64)
    return apart


def effective_rank(singular_values: ArrayLike) -> float:
    """exp of the entropy of the singular values over their sum: from 1 (one direction) to their number.

    0 where all are 0. Source: Roy & Vetterli 2007, definition 1 (the values, not their squares).
    """
    s = np.asarray(singular_values, np.float64)
    total = s.sum()
    if total == 0:
        return 0.0
    p = s[s > 0] / total
    return float(np.exp(-(p * np.log(p)).sum()))


def feature_rank(moments: Moments) -> float:
    """Effective rank of the centred features [n, d], from their moments; between 1 and d.

    Their singular values are the square roots of the eigenvalues of the total scatter: within the classes
    plus the classes' means about the mean of all examples.
    """
    n = moments.count.sum()
    if not n:
        return float("nan")
    mean = moments.count @ moments.mean / n
    centred = (moments.mean - mean) * np.sqrt(moments.count)[:, None]
    values = np.linalg.eigvalsh(moments.within + centred.T @ centred)
    return effective_rank(np.sqrt(np.maximum(values, 0)))


def mean_rank(moments: Moments) -> float:
    """Effective rank of the centred class means; at most min(d, K - 1), which a regular simplex has."""
    mean = moments.mean[moments.count > 0]
    if not len(mean):
        return float("nan")
    return effective_rank(np.linalg.svd(mean - mean.mean(axis=0), compute_uv=False))


def mean_norm(rows: ArrayLike) -> float:
    """Mean Euclidean norm of features [n, d] or templates [K, d], in their own units."""
    x = np.asarray(rows, np.float64)
    return float(np.sqrt(np.einsum("nd,nd->n", x, x)).mean()) if len(x) else float("nan")
