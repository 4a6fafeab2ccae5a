"""What chance does to absolute gaps between confidence and accuracy: expected errors, a band, an upward bias.

The absolute value of a noisy gap is too large on average, and most where the true gap is 0: a perfectly
calibrated network shows an ECE above 0. No estimate of |g| from a noisy g is unbiased (Cai & Low 2011), so
that an interval about ECE needs room for the bias (Armstrong & Kolesár 2018). Squared gaps have an unbiased
estimate, and with it an interval that holds for calibrated networks too (`SquaredGaps`).

Axis letters: n examples, B bins.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.calibration.reliability import N_BINS, checked, equal_width_bins
from penviz.metrics.intervals.bootstrap import Z95

Float = NDArray[np.float64]
Int = NDArray[np.int64]

NEARER = 0.75
"""Standard deviations by which a true gap is taken to lie nearer to 0 than the one found."""


def _each(function: Callable[[float], float], values: Float) -> Float:
    return np.array([function(v) for v in values.ravel().tolist()]).reshape(values.shape)


def expected_gap(counts: ArrayLike, mean: ArrayLike, variance: ArrayLike) -> Float:
    """[B] mean of |sum over a bin of p_i - a_i| under perfect calibration, a_i = 1 with probability p_i.

    That of a binomial variable of n_b examples and the mean probability of the bin,
    2 (m + 1) C(n_b, m + 1) p^(m + 1) (1 - p)^(n_b - m) with m = floor(n_b p), times the ratio of standard
    deviations, because the p_i of a bin differ.

    Args:
        counts: n_b [B]; mean: of the p_i [B], NaN in an empty bin; variance: sum of p_i (1 - p_i) [B].

    Source: de Moivre 1730 (Diaconis & Zabell 1991).
    """
    n, p, v = (np.asarray(x, np.float64) for x in (counts, mean, variance))
    out = np.zeros(n.shape)
    held = (n > 0) & (p > 0) & (p < 1)
    n, p, v = n[held], p[held], v[held]
    m = np.floor(n * p)
    ways = _each(math.lgamma, n + 1) - _each(math.lgamma, m + 2) - _each(math.lgamma, n - m)
    logs = np.log(2 * (m + 1)) + ways + (m + 1) * np.log(p) + (n - m) * np.log1p(-p)
    out[held] = np.exp(logs) * np.sqrt(v / (n * p * (1 - p)))
    return out


def upward_bias(sums: ArrayLike, variances: ArrayLike) -> Float:
    """[...] most that chance is likely to add to |sum|, on average: s b(max(|sum| / s - 3/4, 0)).

    b(t) = E|t + Z| - t = 2 (phi(t) - t Phi(-t)) for a standard normal Z falls from 0.8 at t = 0 to nothing at
    t = 3. It is taken 3/4 of the standard deviation s nearer to 0 than the sum lies, as the true sum may
    be. So chosen, intervals of 2 to 15 such sums with room for it cover 94 % or more from |sum| = s / 2 on.

    Args:
        sums: of noisy gaps; variances: s² of them.
    """
    s = np.sqrt(np.asarray(variances, np.float64))
    t = np.maximum(np.abs(np.asarray(sums, np.float64)) / np.where(s > 0, s, 1) - NEARER, 0)
    density = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
    return s * np.maximum(2 * density - t * (1 - _each(math.erf, t / math.sqrt(2))), 0)


@dataclass(frozen=True)
class Gaps:
    """An error made of absolute gaps: the mean of n terms.

    Attributes:
        terms: [n] whose mean is the error and whose variance over n is that of its sampling, signs held.
        bias: the most that chance is likely to add to it on average (`upward_bias`).
        expected: its mean for a perfectly calibrated network of these confidences and this n.
    """

    terms: Float
    bias: float
    expected: float

    @property
    def value(self) -> float:
        """The error."""
        return float(self.terms.mean())

    @classmethod
    def of_bins(cls, gap: Float, probs: Float, bins: Int, n_bins: int) -> Gaps:
        """(1 / n) sum_b |sum over i in b of gap_i|, with terms s_b(i) gap_i of the sign of each bin.

        Args:
            gap: [n] probability minus outcome; probs: [n] the probabilities; bins: [n] in [0, B); n_bins: B.

        The variance of a bin is that of its gaps or of perfect calibration, whichever is greater: bins
        without an error among few examples show none.
        """
        n = len(gap)
        sums, counts = np.bincount(bins, gap, n_bins), np.bincount(bins, minlength=n_bins)
        model = np.bincount(bins, probs * (1 - probs), n_bins)
        filled = np.maximum(counts, 1)
        spread = np.bincount(bins, gap**2, n_bins) - sums**2 / filled
        bias = float(upward_bias(sums, np.maximum(spread, model)).sum() / n)
        mean = np.bincount(bins, probs, n_bins) / filled
        expected = float(expected_gap(counts, mean, model).sum() / n)
        return cls(np.sign(sums)[bins] * gap, bias, expected)


@dataclass(frozen=True)
class SquaredGaps:
    """Squared calibration error over bins of equal width, its bias removed.

    Attributes:
        value: sum_b n_b / n (gap_b² - s_b² / n_b), where s_b² is the variance of c - a in bin b; unbiased for
            the squared gaps of the bins, below 0 by chance.
        variance: of its sampling over examples: that of the linear part, which vanishes for a calibrated
            network, plus that of the squares of the noise, which does not.
    """

    value: float
    variance: float

    @classmethod
    def of(cls, confidences: ArrayLike, correct: ArrayLike, n_bins: int = N_BINS) -> SquaredGaps:
        """Arguments and errors as `calibration.reliability`; a bin of one example adds nothing.

        With tau_b = s_b² / n_b the variance is the sample variance of 2 gap_b (c_i - a_i) - gap_b² over n,
        less 2 sum_b (n_b / n)² tau_b², which the noise in gap_b² adds twice too often, and at least that;
        there tau_b is that of perfect calibration where this is greater.

        Source: Bröcker 2012; Kumar et al. 2019 (the estimate); Sun, Chaudhari, Barnett & Dobriban 2024 (an
        interval that holds for calibrated networks and others).
        """
        c, a = checked(confidences, correct, n_bins)
        bins = equal_width_bins(c, n_bins)[1]
        gap, n = c - a, len(c)
        counts = np.bincount(bins, minlength=n_bins)
        filled = np.maximum(counts, 1)
        mean = np.bincount(bins, gap, n_bins) / filled
        spread = np.bincount(bins, (gap - mean[bins]) ** 2, n_bins)
        noise = np.where(counts > 1, spread / (np.maximum(counts - 1, 1) * filled), mean**2)
        greater = np.maximum(noise, np.bincount(bins, c * (1 - c), n_bins) / filled**2)
        share = counts / n
        terms = 2 * mean[bins] * gap - mean[bins] ** 2
        second = 2 * float((share**2 * greater**2).sum())
        variance = max(float(terms.var(ddof=1)) / n - second, second) if n > 1 else math.nan
        return cls(float((share * (mean**2 - noise)).sum()), variance)

    def root(self) -> float:
        """Root mean squared calibration error in [0, 1]: sqrt of the value, 0 where it is below 0."""
        return math.sqrt(max(self.value, 0.0))

    def root_bounds(self) -> tuple[float, float]:
        """Its 95 % interval: roots of the ends of the interval of the square."""
        half = Z95 * math.sqrt(self.variance)
        return math.sqrt(max(self.value - half, 0.0)), math.sqrt(max(self.value + half, 0.0))


def consistency_band(counts: ArrayLike, mean: ArrayLike) -> tuple[Float, Float]:
    """Ends [B], [B] between which the accuracy of each bin of a calibrated network falls with 95 % chance.

    The 2.5 % and 97.5 % quantiles of a binomial share of n_b examples with the mean confidence of the bin;
    NaN in an empty bin. Each bin on its own: of 15 bins one leaves the band in about half of all draws.

    Args:
        counts: n_b [B]; mean: confidence [B].

    Source: Bröcker & Smith 2007 (consistency bars), with the confidences as they are.
    """
    ends = np.full((2, len(np.asarray(counts))), np.nan)
    for b, (n, p) in enumerate(zip(np.asarray(counts).tolist(), np.asarray(mean).tolist(), strict=True)):
        if n and 0 < p < 1:
            k = np.arange(n + 1)
            logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
            chance = np.exp(logs[n] - logs - logs[::-1] + k * math.log(p) + (n - k) * math.log1p(-p))
            below = np.cumsum(chance)
            ends[:, b] = np.searchsorted(below, [0.025, 0.975]) / n
        elif n:
            ends[:, b] = p
    return ends[0], np.minimum(ends[1], 1)
