"""Neural collapse: how small the within-class scatter is against the spread of the class means, and the rest.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penviz.metrics.class_sample import class_sample
from penviz.metrics.collapse.moments import Moments, class_rows, within_scatter
from penviz.metrics.collapse.simplex import Simplex, alignment, feature_rank, mean_norm, mean_rank, nc3
from penviz.store.activations import Activations

RANK_TOLERANCE = 1e-10
"""Eigenvalues of the between scatter below this share of the largest count as 0."""


def nc1(moments: Moments) -> tuple[float, int]:
    """NC1 in the variant tr(S_W S_B^+) / K, and the rank r at which the inverse was truncated.

    S_W [d, d] is the within scatter over all n examples; S_B [d, d] is the mean over classes of the outer
    product of the class mean minus the mean of the class means. The pseudo-inverse keeps the largest
    r = min(d, K - 1, numerical rank) eigenvalues, because a default threshold lets noise explode. Classes
    without examples do not count.

    Returns:
        (NC1, r); NC1 is NaN where r is 0 (class means that coincide).

    Source: Papyan, Han & Donoho 2020; the trace is taken in the span of the class means.
    """
    present = moments.count > 0
    n_classes, n = int(present.sum()), int(moments.count.sum())
    if n_classes < 2:
        return float("nan"), 0
    centred = moments.mean[present] - moments.mean[present].mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    values = singular**2 / n_classes
    numerical = int((values > RANK_TOLERANCE * values[0]).sum()) if values[0] > 0 else 0
    rank = min(len(moments.within), n_classes - 1, numerical)
    kept = directions[:rank]
    along = np.einsum("rd,rd->r", kept @ moments.within, kept) / n
    return (float((along / values[:rank]).sum() / n_classes) if rank else float("nan")), rank


def nc1_trace(moments: Moments) -> float:
    """NC1 in the variant tr S_W / tr S_B, with the S_W and S_B of `nc1`; needs no inverse and no rank.

    In [0, infinity); NaN where the class means coincide. Classes without examples do not count.

    Source: the ratio of traces in common use beside that of Papyan, Han & Donoho 2020.
    """
    present = moments.count > 0
    if present.sum() < 2:
        return float("nan")
    centred = moments.mean[present] - moments.mean[present].mean(axis=0)
    between = float((centred**2).sum() / present.sum())
    return float(moments.trace.sum() / moments.count.sum()) / between if between > 0 else float("nan")


def cdnv(moments: Moments) -> float:
    """Class-distance normalised variance: mean over pairs of (v_i + v_j) / (2 ‖m_i - m_j‖²).

    v_k is the mean squared distance to the class mean m_k. Free of scale; NaN where two class means
    coincide. Classes without examples do not count. Over the pairs of a sample of more than a thousand
    classes (`class_sample`).

    Source: Galanti, György & Hutter 2022.
    """
    present = class_sample(np.flatnonzero(moments.count))
    mean = moments.mean[present]
    variance = moments.trace[present] / moments.count[present]
    if len(mean) < 2:
        return float("nan")
    i, j = np.triu_indices(len(mean), 1)
    mean = mean - mean.mean(axis=0)
    square = np.einsum("kd,kd->k", mean, mean)
    apart = np.maximum((square[:, None] + square - 2 * mean @ mean.T)[i, j], 0)
    if not (apart > 1e-14 * square.max()).all():
        return float("nan")
    return float(((variance[i] + variance[j]) / (2 * apart)).mean())


def vci(activations: Activations, moments: Moments) -> float:
    """Variability collapse index: 1 - tr(S_T^+ S_B) / rank(S_B), S_T = S_W + S_B; 0 under collapse.

    S_B is that of `nc1`, S_W here the mean over classes of the covariance of a class, so that S_T is the
    covariance of all examples with every class weighing the same. In [0, 1] and, unlike NC1, unchanged by
    any invertible linear map of the features. NaN where the class means coincide. Classes without examples
    do not count.

    Source: Xu & Liu 2023.
    """
    present = np.flatnonzero(moments.count)
    if len(present) < 2:
        return float("nan")
    if len(set(moments.count[present].tolist())) == 1:
        within = moments.within / moments.count.sum()
    else:  # the pooled scatter weighs classes by their examples
        rows = class_rows(activations.labels, len(moments.count))
        weight = np.sqrt(1 / (np.maximum(moments.count, 1) * len(present)))
        within = within_scatter(activations.features, rows, moments.mean, weight)
    centred = (moments.mean[present] - moments.mean[present].mean(axis=0)) / np.sqrt(len(present))
    between = np.linalg.svd(centred, compute_uv=False) ** 2
    rank = int((between > RANK_TOLERANCE * between[0]).sum()) if between[0] > 0 else 0
    values, directions = np.linalg.eigh(within + centred.T @ centred)
    kept = values > RANK_TOLERANCE * values[-1]
    along = centred @ (directions[:, kept] / np.sqrt(values[kept]))
    if not rank:
        return float("nan")
    found = 1 - float((along**2).sum()) / rank
    return found if found > RANK_TOLERANCE else 0.0  # rounding is no number of which a change can be said


@dataclass(frozen=True)
class Collapse:
    """Means, templates and norms of one run and split; None where there is no head, NaN where undefined.

    Attributes:
        nc1_trace: tr S_W / tr S_B (`nc1_trace`).
        vci: variability collapse index (`vci`).
        means, templates: NC2 of the class means and of the head's weight (`Simplex`).
        nc3: distance of templates and class means up to scale (`nc3`).
        alignment: mean over classes of the cosine of template and class mean (`alignment`).
        feature_norm, weight_norm: mean norms of features and templates, in their own units.
        centred_norm: mean norm of the centred class means, feature units.
        feature_rank, mean_rank: effective ranks of centred features and class means.
    """

    nc1_trace: float
    vci: float
    means: Simplex
    templates: Simplex | None
    nc3: float | None
    alignment: float | None
    feature_norm: float
    weight_norm: float | None
    centred_norm: float
    feature_rank: float
    mean_rank: float

    @classmethod
    def of(cls, activations: Activations, moments: Moments | None = None) -> Collapse:
        """From the activations of one run and split; classes without examples are left out.

        Args:
            activations: with examples of two classes or more.
            moments: of the same activations, where the caller has them.

        Raises:
            ValueError: fewer than two classes have examples.
        """
        a = activations
        m = moments or Moments.of(a.features, a.labels, len(a.class_names))
        present = m.count > 0
        if present.sum() < 2:
            raise ValueError("Neural collapse needs examples of two classes or more.")
        means = m.mean[present]
        weight = None if a.head is None else np.asarray(a.head.weight, np.float64)
        shared = None if weight is None else weight[present]
        return cls(
            nc1_trace(m),
            vci(a, m),
            Simplex.of(means),
            None if weight is None else Simplex.of(weight),
            None if shared is None else nc3(means, shared),
            None if shared is None else float(alignment(means, shared).mean()),
            mean_norm(a.features),
            None if weight is None else mean_norm(weight),
            mean_norm(means - means.mean(axis=0)),
            feature_rank(m),
            mean_rank(m),
        )
