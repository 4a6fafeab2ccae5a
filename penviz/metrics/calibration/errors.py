"""Errors of probabilities beside ECE: bins of equal count, every class, the Brier score.

Each is the mean of one term an example. The variance of the terms over n is the sampling variance of the
error (Jaeckel 1972, the infinitesimal jackknife), also of ECE: with the sign s_b of the gap of each bin,
sum_b |sum over i in b of (c_i - a_i)| / n = mean_i s_b(i) (c_i - a_i). Near perfect calibration the signs are
chance and the error is too high: `calibration_chance` says by how much at most.

Axis letters: n examples, K classes, B bins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.calibration.chance import Gaps
from penviz.metrics.calibration.reliability import N_BINS, checked, equal_width_bins

Float = NDArray[np.float64]


def ece_gaps(confidences: ArrayLike, correct: ArrayLike, n_bins: int = N_BINS) -> Gaps:
    """Terms and chance of `calibration.ece`, whose arguments and errors these are."""
    c, a = checked(confidences, correct, n_bins)
    return Gaps.of_bins(c - a, c, equal_width_bins(c, n_bins)[1], n_bins)


def adaptive_gaps(confidences: ArrayLike, correct: ArrayLike, n_bins: int = N_BINS) -> Gaps:
    """Terms and chance of `adaptive_ece`."""
    c, a = checked(confidences, correct, n_bins)
    n = len(c)
    order = np.argsort(c, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(c[order]) > 0))
    sizes = np.diff(np.append(starts, n))
    right = np.repeat(np.add.reduceat(a[order], starts) / sizes, sizes)
    found = Gaps.of_bins(c[order] - right, c[order], np.arange(n) * n_bins // n, n_bins)
    terms = np.empty(n)
    terms[order] = found.terms
    return replace(found, terms=terms)


def adaptive_ece(confidences: ArrayLike, correct: ArrayLike, n_bins: int = N_BINS) -> float:
    """ECE over B bins of equal count instead of equal width, in [0, 1].

    Bin b holds the examples of rank ceil(b n / B) and on, by rising confidence. Examples of equal confidence
    count as their mean, so that the order of the file does not matter where an edge falls among them.

    Args:
        confidences: c [n], in [0, 1]; correct: a [n], 0 or 1; n_bins: B.

    Raises:
        ValueError: as `calibration.reliability`.

    Source: Nguyen & O'Connor 2015; Mukhoti et al. 2020 (AdaECE).
    """
    return adaptive_gaps(confidences, correct, n_bins).value


def classwise_gaps(probs: ArrayLike, labels: ArrayLike, n_bins: int = N_BINS) -> Gaps:
    """Terms and chance of `classwise_ece`."""
    return class_gaps(enumerate(np.asarray(probs, np.float64).T), labels, n_bins)


def class_gaps(columns: Iterable[tuple[int, Float]], labels: ArrayLike, n_bins: int = N_BINS) -> Gaps:
    """The same from some classes and their probabilities [n], one after another."""
    y = np.asarray(labels, np.int64)
    terms, bias, expected, n_classes = np.zeros(len(y)), 0.0, 0.0, 0
    for k, own in columns:
        own, _ = checked(own, own, n_bins)
        found = Gaps.of_bins(own - (y == k), own, equal_width_bins(own, n_bins)[1], n_bins)
        terms += found.terms
        bias += found.bias
        expected += found.expected
        n_classes += 1
    return Gaps(terms / n_classes, bias / n_classes, expected / n_classes)


def classwise_ece(probs: ArrayLike, labels: ArrayLike, n_bins: int = N_BINS) -> float:
    """Mean over the classes k of the ECE of the probability of k against whether the label is k, in [0, 1].

    All n examples count for every class, in B bins of equal width, closed on the right, the first with 0.
    Small where K is large, because most probabilities are nearly 0.

    Args:
        probs: [n, K]; labels: [n]; n_bins: B.

    Raises:
        ValueError: no examples, a probability outside of [0, 1], or no bins.

    Source: Kull et al. 2019, definition 3 (classwise-ECE); Nixon et al. 2019 (static calibration error).
    """
    return classwise_gaps(probs, labels, n_bins).value


def brier_terms(probs: ArrayLike, labels: ArrayLike) -> Float:
    """[n] Brier score of each example: sum_k (p_k - 1[y = k])², in [0, 2].

    Args:
        probs: [n, K]; labels: y [n].

    Source: Brier 1950, the sum over all classes (half of it for K = 2 is the score of one probability).
    """
    p, y = np.asarray(probs, np.float64), np.asarray(labels, np.int64)
    gap = p.copy()
    gap[np.arange(len(p)), y] -= 1
    squares: Float = np.einsum("nk,nk->n", gap, gap)
    return squares


def brier(probs: ArrayLike, labels: ArrayLike) -> float:
    """Mean Brier score in [0, 2] (`brier_terms`)."""
    return float(brier_terms(probs, labels).mean())
