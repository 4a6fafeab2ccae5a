"""What is left of the wrong classes: mutual information, stability of probabilities, equivalent smoothing.

Axis letters: N examples (n elsewhere, N where a formula counts them), K classes, L samples an example.
The spread of the non-target logits, the fourth number of this kind, is in `logits.LogitNumbers`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

SMALLEST_NOISE = 1e-6
"""The noise counts as at least this share of the spread of the means."""

SAMPLES = 5
"""Augmented samples for the mean of each example: the paper's."""

CHUNK = 2**22
"""Numbers held at once by the sum over pairs of examples."""


def mutual_information(fresh: ArrayLike, samples: ArrayLike) -> float:
    """Nats that the difference of two logits still tells of which example it came from; at most ln N.

    X is the index of an example, uniform over N; Y the difference of two logits under random augmentation,
    Gaussian about mu_x with one variance for all:
    I = mean_i [-(y_i - mu_i)² / (2 s²) - ln((1 / N) sum_j exp(-(y_i - mu_j)² / (2 s²)))],
    s² = mean_i (y_i - mu_i)².

    The printed formula has one index for both sums, which gives (ln 2 - 1) / 2 = -0.153 for every network;
    the inner sum needs an index of its own. Two tight clusters give ln 2, examples far apart ln N. The error
    of a mean over few samples lowers it (`few_samples`): two tight clusters give 0.627 with L = 5 and 0.688
    with L = 100, and one, where nothing is left to tell, -0.066 and -0.005.

    Args:
        fresh: y [N], the difference for one augmented sample of each example, nats.
        samples: [L, N] the difference for L other samples of the same examples, whose mean is mu.

    Without noise (s = 0, no augmentation) s is taken as 1e-6 of the spread of the means: examples with
    different means count as told apart. 0 where the means do not vary either, NaN without examples.

    Source: Müller et al. 2019, section 4; the index is this project's reading.
    """
    y = np.asarray(fresh, np.float64)
    mean = np.atleast_2d(np.asarray(samples, np.float64)).mean(axis=0)
    n = len(y)
    if not n:
        return float("nan")
    spread = float(mean.std())
    scale = max(float(np.sqrt(((y - mean) ** 2).mean())), SMALLEST_NOISE * spread)
    if scale == 0:
        return 0.0
    rows = max(1, CHUNK // n)
    total = 0.0
    for at in range(0, n, rows):
        far = -(((y[at : at + rows, None] - mean) / scale) ** 2) / 2
        top = far.max(axis=1)
        inner = top + np.log(np.exp(far - top[:, None]).mean(axis=1))
        own = far[np.arange(len(far)), np.arange(at, at + len(far))]
        total += float((own - inner).sum())
    return total / n


def few_samples(n_samples: int) -> float:
    """Nats that means over L samples add to `mutual_information` of tight clusters: below 0, -0.066 at L = 5.

    1 / (2 (1 + 2 / L)) - 1 / 2 - ln((1 + 1 / L) / (1 + 2 / L)) / 2 for many examples, 0 for many samples.

    Source: the Gaussian integrals over y, of variance 1, and mu_j, of 1 / L, in that formula.
    """
    own, other = 1 + 1 / n_samples, 1 + 2 / n_samples
    return 1 / (2 * other) - 0.5 - math.log(own / other) / 2


def left_words(n_samples: int) -> str:
    """What the mutual information shows of means over L samples, where nothing but the class is left."""
    low = few_samples(n_samples)
    return (
        f"with {n_samples} samples an example about {math.log(2) + low:.2f} when only the class is left "
        f"and {round(low, 2) + 0:.2f} when nothing is"
    )


def stability(probs: ArrayLike, labels: ArrayLike) -> float:
    """1 - (1 / K) sum_c (1 / n_c) sum_i ‖p_i - mean of p over class c‖²; 1 where a class has one answer.

    Args:
        probs: p [n, K].
        labels: [n], the true classes; those without examples do not count.

    In (0, 1]. Shen et al. report 1 - S, which falls under label smoothing. NaN without examples.

    Source: Shen et al. 2021, the stability metric.
    """
    p, y = np.asarray(probs, np.float64), np.asarray(labels, np.int64)
    spreads = [
        float(((q - q.mean(axis=0)) ** 2).sum(axis=1).mean()) for k in np.unique(y) for q in [p[y == k]]
    ]
    return 1 - float(np.mean(spreads)) if spreads else float("nan")


def equivalent_smoothing(probs: ArrayLike, labels: ArrayLike) -> float:
    """Gamma: the smoothing that takes as much from the true class as a teacher does, in [0, K / (K - 1)].

    gamma = mean_i sum over k != y_i of p_ik, times K / (K - 1): alpha for label smoothing towards the uniform
    distribution over K, 0 for a one-hot teacher, 1 for a uniform one.

    Args:
        probs: p [n, K] of the teacher at its temperature.
        labels: y [n].

    NaN without examples.

    Source: Müller et al. 2019, section 4 (the x-axis of figure 5).
    """
    p, y = np.asarray(probs, np.float64), np.asarray(labels, np.int64)
    if not len(p):
        return float("nan")
    n_classes = p.shape[1]
    wrong = p.copy()
    wrong[np.arange(len(p)), y] = 0
    return float(wrong.sum(axis=1).mean() * n_classes / (n_classes - 1))
