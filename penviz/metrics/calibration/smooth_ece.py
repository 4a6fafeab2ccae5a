"""ECE without bins: the gap between confidence and accuracy, smoothed over confidence.

Axis letters: n examples, m cells of a grid over [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.calibration.chance import upward_bias

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


def _noise(confidences: Float, squares: Float, bandwidth: float) -> Float:
    """[m] sum_i K_h(t, c_i)² w_i at the midpoints t of the cells, for weights w [n].

    The square of a Gaussian is one of bandwidth h / sqrt(2) over 2 sqrt(pi) h; a Gaussian times its own
    reflection at an end stands at the end, with the density of sqrt(2) h at twice the distance to it. Two
    reflections at once are left out: they weigh nothing below h = 0.3.
    """
    c, w, h = confidences, squares / CELLS, bandwidth
    at = np.minimum((c * CELLS).astype(np.int64), CELLS - 1)
    mass = np.bincount(at, w, CELLS) / (2 * np.sqrt(np.pi) * h)
    for end, cell in ((0.0, 0), (1.0, CELLS - 1)):
        mass[cell] += float(w @ np.exp(-(((c - end) / h) ** 2))) / (2 * np.sqrt(np.pi) * h)
    return np.maximum(_smooth(np.asarray(mass, np.float64), h / np.sqrt(2)), 0) * CELLS**2


def expected_smooth_ece(confidences: ArrayLike) -> float:
    """Smooth ECE that a perfectly calibrated network of these confidences shows, in [0, 1].

    The fixed point of h = the integral of sqrt(2 / pi) times the standard deviation of r_h, whose variance is
    sum_i K_h(t, c_i)² c_i (1 - c_i) / n²: the mean of |r_h| where r_h is normal.

    Args:
        confidences: c [n], in [0, 1].
    """
    c = np.asarray(confidences, np.float64)
    low, high = 1 / CELLS, 1.0

    def error(h: float) -> float:
        return float(np.sqrt(2 / np.pi * _noise(c, c * (1 - c), h)).mean()) / len(c)

    if error(low) <= low:
        return error(low)
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if error(middle) > middle else (low, middle)
    return high


@dataclass(frozen=True)
class SmoothECE:
    """Smooth calibration error at its own bandwidth.

    Attributes:
        value: smECE in [0, 1], which is the bandwidth too.
        terms: [n] terms whose mean is the value and whose variance over n is that of its sampling.
        bias: the most that chance is likely to add to it on average (`upward_bias`, at every confidence).
    """

    value: float
    terms: Float
    bias: float = 0.0

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
        noise = _noise(c, gap**2, high) / len(c) ** 2
        bias = float(upward_bias(_smooth(cells, high) * CELLS, noise).mean())
        to_value = 1 / (1 - slope)
        return cls(value, value + (own - own.mean()) * to_value, bias * to_value)


def smooth_ece(confidences: ArrayLike, correct: ArrayLike) -> float:
    """Smooth calibration error in [0, 1] (`SmoothECE.of`)."""
    return SmoothECE.of(confidences, correct).value
