"""The calibration of one run and split: every number before and after temperature scaling, with intervals.

Half of the examples, drawn class by class, serve to fit the temperature, the two maps and the norm; every
number comes from the other half. Axis letters: n examples of the reported half, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.calibration.chance import Gaps, SquaredGaps
from penviz.metrics.calibration.errors import adaptive_gaps, class_gaps, ece_gaps
from penviz.metrics.calibration.logit_rows import LogitRows, Scaled, fitted_rows
from penviz.metrics.calibration.recalibration import Isotonic, Platt, log_odds
from penviz.metrics.calibration.reliability import Reliability, ece, reliability, share_bounds
from penviz.metrics.calibration.selective import (
    RiskCoverage,
    aurc_terms,
    choose_norm,
    max_logit,
    max_softmax,
    normalised_aurc,
    normalised_logit,
)
from penviz.metrics.calibration.smooth_ece import SmoothECE, expected_smooth_ece
from penviz.metrics.calibration.temperature import Temperature, fit_temperature, halve, lowest_on_grid
from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.intervals.bootstrap import Estimate, biased_bounds, mean_difference, widened
from penviz.metrics.intervals.interval_limits import FEWEST_BOUNDED, FEWEST_UNBOUNDED, why_no_mean
from penviz.metrics.logits import LogitNumbers
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError

Float = NDArray[np.float64]

PLAIN: Final = "plain"
SCALED: Final = "scaled"
"""At temperature 1; after a fit on the other half."""

FEWEST = 20
"""Examples of the two halves together below which nothing is fitted."""


CHANCE = "perfect calibration would show half as much by chance, or more"
WIDENED = 1.3
"""Times by which a bias may widen an interval at most; above it there is none."""
NEAR = 2.0
"""Times what perfect calibration shows below which an error of absolute gaps has no interval."""


MOST = {"ece": 1.0, "aurc": 1.0, "brier": 2.0}
"""Word in a number's key -> the greatest value that it can have, of those with an interval."""


@dataclass(frozen=True)
class Measured:
    """A number, and the terms [n] whose mean it is where it has an interval.

    Attributes:
        value, terms: the number and its terms.
        bias: the most that chance is likely to add to it on average.
        expected: of an error of absolute gaps, its mean under perfect calibration.
        fewest: examples below which it has no interval.
        span: the interval where it does not come from terms.
    """

    value: float
    terms: Float | None = field(default=None, repr=False)
    bias: float = 0.0
    expected: float | None = None
    fewest: int = FEWEST_BOUNDED
    span: tuple[float, float] | None = None

    @classmethod
    def of_gaps(cls, gaps: Gaps) -> Measured:
        """An error of absolute gaps."""
        return cls(gaps.value, gaps.terms, gaps.bias, gaps.expected)

    @property
    def error(self) -> float:
        """Standard error over examples, without the bias."""
        if self.terms is None or len(self.terms) < 2:
            return math.nan
        return float(self.terms.std(ddof=1)) / math.sqrt(len(self.terms))

    @property
    def near_chance(self) -> bool:
        """An error of absolute gaps at most twice what perfect calibration shows."""
        return self.expected is not None and self.value <= NEAR * self.expected

    @property
    def why(self) -> str:
        """Why it has no interval, "" where it has one or never does."""
        if self.terms is None:
            return ""
        if self.near_chance or (self.bias and widened(self.error, (self.bias, 0.0)) > WIDENED):
            return CHANCE
        return why_no_mean([self.terms], self.fewest)

    def bounds(self) -> tuple[float, float] | None:
        """Its 95 % interval over examples, None where there is none or where it would not hold (`why`)."""
        if self.span is not None or self.terms is None or self.why:
            return self.span
        return biased_bounds(self.value, self.error, (self.bias, 0.0))


@dataclass(frozen=True, repr=False)
class Calibrated:
    """The calibration of one run and split.

    Attributes:
        run, split: names.
        temperature: fitted by NLL; ece_temperature: that of least ECE on the same half.
        norm: the p of the normalised logit.
        n: examples reported on; n_fit: examples fitted on.
        numbers: (key, PLAIN or SCALED) -> number; without SCALED where the temperature is not finite and for
            what no temperature changes.
        reliability: PLAIN or SCALED -> the reported half in bins.
        risk: key of an AURC and PLAIN or SCALED -> the curve that it is the area of.
        examples: dataset_id and the indices [n], which say whether two runs hold the same examples.
        n_classes: K; the classwise errors of many are over a sample (`class_sample`).
    """

    run: str
    split: str
    temperature: Temperature
    ece_temperature: float
    norm: int
    n: int
    n_fit: int
    numbers: Mapping[tuple[str, str], Measured]
    examples: tuple[str, NDArray[np.int64]] = field(repr=False)
    reliability: Mapping[str, Reliability] = field(default_factory=dict, repr=False)
    risk: Mapping[tuple[str, str], RiskCoverage] = field(default_factory=dict, repr=False)
    n_classes: int = 0

    def __repr__(self) -> str:
        return f"<calibration of {self.run}, {self.split}: n = {self.n:,}>"

    @classmethod
    def of(cls, activations: Activations, seed: int = 0) -> Calibrated:
        """Fit on one half, measure on the other.

        Args:
            activations: with a head.
            seed: of the halves.

        Raises:
            ActivationsError: no head, or fewer than 20 examples.
        """
        a = activations
        n_classes = len(a.class_names)
        fit, report = halve(class_rows(a.labels, n_classes, a.indices), seed)
        fit = fitted_rows(fit, n_classes, seed)
        if len(a) < FEWEST or not len(fit):
            raise ActivationsError(f"{a.run} has too few {a.split} examples to fit on one half of them.")
        report = report[np.argsort(a.indices[report], kind="stable")]
        right = (a.predictions == a.labels).astype(np.float64)
        temperature, lowest, norm, fitted = _fitted(LogitRows(a, fit).all(), a.labels[fit], right[fit])
        here, label, hits = LogitRows(a, report), a.labels[report], right[report]
        at = {PLAIN: 1.0} | ({SCALED: temperature.value} if temperature.finite else {})
        scaled = {k: Scaled.of(here, label, t) for k, t in at.items()}
        numbers = {
            (key, k): m for k, s in scaled.items() for key, m in numbers_at(here, label, hits, s).items()
        }
        odds = here.each(log_odds)
        maps = {
            "ece_lowest": np.exp(here.each(lambda z: max_softmax(z, lowest))),
            "ece_isotonic": Isotonic.fit(fitted, right[fit])(odds),
            "ece_platt": Platt.fit(fitted, right[fit])(odds),
        }
        for key, confidences in maps.items():
            numbers |= {(k, SCALED): m for k, m in _with_expected(key, ece_gaps(confidences, hits)).items()}
        spread = LogitNumbers.of_all(a, report).spread
        numbers |= {("accuracy", PLAIN): _mean(hits), ("spread", PLAIN): _mean(spread, FEWEST_UNBOUNDED)}
        bins = {k: reliability(s.confidence, hits) for k, s in scaled.items()}
        risk = {("aurc_softmax", k): RiskCoverage.of(s.score, hits) for k, s in scaled.items()}
        norms = here.each(lambda z: normalised_logit(z, norm))
        for key, score in (("logit", here.each(max_logit)), ("norm", norms)):
            risk["aurc_" + key, PLAIN] = RiskCoverage.of(score, hits)
            numbers["aurc_" + key, PLAIN] = _mean(aurc_terms(score, hits))
            numbers["naurc_" + key, PLAIN] = Measured(normalised_aurc(score, hits))
        examples = (a.dataset_id, a.indices[report])
        sizes = len(report), len(fit)
        return cls(
            a.run, a.split, temperature, lowest, norm, *sizes, numbers, examples, bins, risk, n_classes
        )

    def value(self, key: str, at: str = PLAIN) -> float | None:
        """A number, None where it does not exist."""
        found = self.numbers.get((key, at))
        return found.value if found is not None and math.isfinite(found.value) else None

    def bounds(self, key: str, at: str = PLAIN) -> tuple[float, float] | None:
        """Its 95 % interval over examples, None where there is none; cut where its range ends."""
        found = self.numbers.get((key, at))
        if key == "accuracy" and found is not None:
            low, high = share_bounds(found.value, self.n)
            return float(low), float(high)
        bounds = None if found is None else found.bounds()
        if bounds is None or key == "confidence_gap":
            return bounds
        most = next((top for word, top in MOST.items() if word in key), math.inf)
        return max(bounds[0], 0.0), min(bounds[1], most)

    def same_examples(self, other: Calibrated) -> bool:
        """Both report on the same examples: equal data set, split and indices."""
        (here, own), (there, theirs) = self.examples, other.examples
        return bool(here) and here == there and self.split == other.split and np.array_equal(own, theirs)

    def difference_to(self, after: Calibrated, key: str, at: str = PLAIN) -> Estimate | None:
        """Difference of a number from this run to another, paired where both hold the same examples.

        Where a bias widens the interval of a difference of absolute gaps by more than 30 %, it stands if it
        excludes 0 all the same.
        """
        here, there = self.numbers.get((key, at)), after.numbers.get((key, at))
        if here is None or there is None:
            return None
        if here.terms is None or there.terms is None:
            return Estimate(there.value - here.value, None)
        paired = self.same_examples(after)
        found = mean_difference(here.terms, there.terms, paired=paired, fewest=here.fewest)
        room = (there.bias, here.bias)
        error = math.sqrt(found.variance or 0.0)
        low, high = biased_bounds(found.value, error, room)
        wide = any(room) and widened(error, room) > WIDENED and low <= 0 <= high
        chance = CHANCE if wide or (here.near_chance and there.near_chance) else ""
        return replace(found, why=found.why or chance, room=room)

    def why(self, key: str, at: str = PLAIN) -> str:
        """Why a number has no interval, "" where it has one or never does."""
        found = self.numbers.get((key, at))
        return "" if found is None or key == "accuracy" else found.why


def _fitted(z: Float, labels: NDArray[np.int64], right: Float) -> tuple[Temperature, float, int, Float]:
    """Temperature, that of least ECE, norm, and log-odds [n], of the logits [n, K] of the half to fit on."""
    lowest = lowest_on_grid(lambda t: ece(np.exp(max_softmax(z, t)), right))
    return fit_temperature(z, labels), lowest, choose_norm(z, right), log_odds(z)


def _mean(terms: Float, fewest: int = FEWEST_BOUNDED) -> Measured:
    return Measured(float(terms.mean()), terms, fewest=fewest)


def confidence_gap(confidence: Float, right: Float) -> Measured:
    """Mean of confidence minus correctness: above 0 the network is over-confident."""
    return _mean(confidence - right)


def side(gap: float | None, bounds: tuple[float, float] | None) -> str:
    """ "over-confident" or "under-confident"; nothing where the interval of a gap is not known or holds 0."""
    if gap is None or bounds is None or bounds[0] <= 0 <= bounds[1]:
        return ""
    return "over-confident" if gap > 0 else "under-confident"


def _with_expected(key: str, gaps: Gaps) -> dict[str, Measured]:
    """An error of absolute gaps, and what perfect calibration shows of it."""
    return {key: Measured.of_gaps(gaps), f"{key}_floor": Measured(gaps.expected)}


def numbers_at(
    logits: LogitRows, labels: NDArray[np.int64], right: Float, scaled: Scaled
) -> dict[str, Measured]:
    """The numbers of one half that depend on the temperature."""
    confidence, score = scaled.confidence, scaled.score
    smooth = SmoothECE.of(confidence, right)
    squared = SquaredGaps.of(confidence, right)
    return {
        **_with_expected("ece", ece_gaps(confidence, right)),
        **_with_expected("adaptive_ece", adaptive_gaps(confidence, right)),
        **_with_expected("classwise_ece", class_gaps(scaled.columns(logits), labels)),
        **_with_expected("smooth_ece", Gaps(smooth.terms, smooth.bias, expected_smooth_ece(confidence))),
        "rms_ece": Measured(squared.root(), span=squared.root_bounds()),
        "confidence_gap": confidence_gap(confidence, right),
        "nll": _mean(scaled.nll, FEWEST_UNBOUNDED),
        "brier": _mean(scaled.brier),
        "aurc_softmax": _mean(aurc_terms(score, right)),
        "naurc_softmax": Measured(normalised_aurc(score, right)),
    }
