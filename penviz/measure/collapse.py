"""Neural collapse: how small the within-class scatter is against the spread of the class means.

Axis letters: d penultimate width, K classes.
"""

from __future__ import annotations

import numpy as np

from penviz.measure.moments import Moments

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


def cdnv(moments: Moments) -> float:
    """Class-distance normalised variance: mean over pairs of (v_i + v_j) / (2 ‖m_i - m_j‖²).

    v_k is the mean squared distance to the class mean m_k. Free of scale; NaN where two class means
    coincide. Classes without examples do not count.

    Source: Galanti, György & Hutter 2022.
    """
    present = moments.count > 0
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
