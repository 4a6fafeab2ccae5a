"""How far confidence is from accuracy: reliability in bins of equal width, and ECE, their mean distance.

Axis letters: n examples, B bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.intervals.bootstrap import Z95

Float = NDArray[np.float64]

N_BINS = 15
"""As in Guo et al. 2017 and Müller et al. 2019."""


@dataclass(frozen=True)
class Reliability:
    """Examples in bins of confidence.

    Attributes:
        edges: [B + 1] of the bins, rising from 0 to 1; bin b holds confidences in (edges[b], edges[b + 1]],
            and the first one 0 too.
        counts: [B] examples.
        confidence: [B] mean confidence; accuracy: [B] share of correct predictions; NaN in an empty bin.
    """

    edges: Float
    counts: NDArray[np.int64]
    confidence: Float
    accuracy: Float

    @property
    def ece(self) -> float:
        """Expected calibration error in [0, 1]: sum over bins of n_b / n |accuracy_b - confidence_b|.

        Source: Guo et al. 2017, equation 3.
        """
        held = self.counts > 0
        apart = np.abs(self.accuracy[held] - self.confidence[held])
        return float(apart @ self.counts[held] / self.counts.sum())

    def bounds(self) -> tuple[Float, Float]:
        """Ends [B], [B] of the 95 % interval of each bin's accuracy; NaN in an empty bin."""
        return share_bounds(self.accuracy, np.where(self.counts > 0, self.counts, np.nan))


def share_bounds(share: ArrayLike, n: ArrayLike) -> tuple[Float, Float]:
    """Ends of the 95 % interval of a share a of n examples, both of one shape.

    Source: Wilson 1927, the score interval:
    (a + z²/2n ± z sqrt(a (1 - a) / n + z²/4n²)) / (1 + z²/n).
    """
    a, square = np.asarray(share, np.float64), Z95**2 / np.asarray(n, np.float64)
    middle = (a + square / 2) / (1 + square)
    half = np.sqrt(a * (1 - a) * square + square**2 / 4) / (1 + square)
    return middle - half, middle + half


def checked(confidences: ArrayLike, correct: ArrayLike, n_bins: int) -> tuple[Float, Float]:
    """Both [n] in float64; ValueError as in `reliability`."""
    c, right = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}: at least one bin is needed")
    if c.ndim != 1 or c.shape != right.shape or not len(c):
        raise ValueError(f"confidences {c.shape} and correct {right.shape} must be [n] with n > 0")
    if not ((c >= 0) & (c <= 1)).all():
        raise ValueError("confidences must lie in [0, 1]")
    return c, right


def equal_width_bins(values: Float, n_bins: int) -> tuple[Float, NDArray[np.int64]]:
    """Edges [B + 1] from 0 to 1, and the bin of each value: (b / B, (b + 1) / B], the first with 0 too."""
    edges = np.linspace(0, 1, n_bins + 1)
    return edges, np.maximum(np.searchsorted(edges, values, side="left") - 1, 0).astype(np.int64)


def reliability(confidences: ArrayLike, correct: ArrayLike, n_bins: int = N_BINS) -> Reliability:
    """Mean confidence and accuracy in bins of equal width, closed on the right.

    A confidence of exactly 1 is in the last bin and not in one of its own, one of exactly 0 in the first.

    Args:
        confidences: [n] largest probability of each example, in [0, 1]; correct: [n] whether its class is
            the label; n_bins: B.

    Raises:
        ValueError: no examples, lengths that differ, a confidence outside [0, 1], or no bins.
    """
    c, right = checked(confidences, correct, n_bins)
    edges, bins = equal_width_bins(c, n_bins)
    counts = np.bincount(bins, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(bins, c, n_bins) / counts
        accuracy = np.bincount(bins, right, n_bins) / counts
    return Reliability(edges, counts, confidence, accuracy)


def ece(confidences: ArrayLike, correct: ArrayLike, n_bins: int = N_BINS) -> float:
    """Expected calibration error in [0, 1] (`Reliability.ece`); arguments and errors as `reliability`."""
    return reliability(confidences, correct, n_bins).ece
