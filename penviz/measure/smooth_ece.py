"""ECE without bins: the gap between confidence and accuracy, smoothed over confidence.

Axis letters: n examples, m cells of a grid over [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]

CELLS = 4096
"""m; bandwidths below 1 / m are not told apart."""


def _smooth(cells: Float, bandwidth: float) -> Float:
    """Values [m] of the cells under the Gaussian kernel of this bandwidth, reflected at 0 and 1.

    Reflection is the convolution of the even extension, of period 2, with a Gaussian.
    """
    m = len(cells)
    waves = np.pi * np.arange(m + 1) * bandwidth
    whole = np.fft.rfft(np.concatenate([cells, cells[::-1]])) * np.exp(-(waves**2) / 2)
    return np.fft.irfft(whole, 2 * m)[:m]


@dataclass(frozen=True)
class SmoothECE:
    """Smooth calibration error at its own bandwidth.

    Attributes:
        value: smECE in [0, 1], which is the bandwidth too.
        terms: [n] terms whose mean is the value and whose variance over n is that of its sampling.
    """

    value: float
    terms: Float

    @classmethod
    def of(cls, confidences: ArrayLike, correct: ArrayLike) -> SmoothECE:
        """The fixed point smECE_h = h.

        With r_h(t) = (1 / n) sum_i K_h(t, c_i) (c_i - a_i), smECE_h is the integral of |r_h| over [0, 1];
        K_h is the Gaussian kernel of standard deviation h, reflected at 0 and 1. It falls as h grows, so h is
        found by bisection. Computed on a grid of 4096 cells.

        Args:
            confidences: c [n], in [0, 1]; correct: a [n], 0 or 1.

        The terms are the derivative of the fixed point in the weight of each example (Jaeckel 1972).
        Raises ValueError without examples or for a confidence outside of [0, 1].

        Source: Błasiok & Nakkiran 2024, definitions 1 and 4.
        """
        c, a = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
        if c.ndim != 1 or c.shape != a.shape or not len(c):
            raise ValueError(f"confidences {c.shape} and correct {a.shape} must be [n] with n > 0")
        if not ((c >= 0) & (c <= 1)).all():
            raise ValueError("confidences must lie in [0, 1]")
        place = c * CELLS - 0.5  # among the midpoints of the cells; shared by the two nearest
        left = np.floor(place)
        share = place - left
        left, right = (np.clip(v, 0, CELLS - 1).astype(np.int64) for v in (left, left + 1))
        gap = c - a
        both = np.concatenate([(1 - share) * gap, share * gap]) / len(c)
        cells = np.asarray(np.bincount(np.concatenate([left, right]), both, CELLS), np.float64)

        def error(bandwidth: float) -> float:
            return float(np.abs(_smooth(cells, bandwidth)).sum())

        low, high = 1 / CELLS, 1.0
        if error(low) <= low:
            high = low
        while high - low > 1e-10:
            middle = (low + high) / 2
            low, high = (middle, high) if error(middle) > middle else (low, middle)
        value = error(high)
        signs = _smooth(np.sign(_smooth(cells, high)), high)
        own = ((1 - share) * signs[left] + share * signs[right]) * gap
        slope = (error(high * 1.001) - error(high / 1.001)) / (high * (1.001 - 1 / 1.001))
        return cls(value, value + (own - own.mean()) / (1 - slope))


def smooth_ece(confidences: ArrayLike, correct: ArrayLike) -> float:
    """Smooth calibration error in [0, 1] (`SmoothECE.of`)."""
    return SmoothECE.of(confidences, correct).value
