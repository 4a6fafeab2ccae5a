"""What the calibration of some runs says, by the rule of `conclusion.py`.

Higher, lower or no clear difference; over- or under-confident; nothing is called good or bad. A direction is
named where the interval excludes no change and the change is larger than that of two seeds of one recipe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from penviz.metrics.calibration.calibrated import PLAIN, SCALED, Calibrated, confidence_gap, side
from penviz.metrics.intervals.bootstrap import Change, seed_change
from penviz.metrics.intervals.verdict import Verdict, judge
from penviz.metrics.wording import SEEDS_OUT, change_words, three
from penviz.projection.split_statistics import SplitStatistics
from penviz.study.conclusion import Evidence, Judged, conclude
from penviz.study.finding import Compared, Finding

BEFORE, AFTER = "before temperature scaling", "after it"
NEAR_FLOOR = 2.0
LEAST: Mapping[str, float] = {"ece": 0.02, "aurc_softmax": 0.005}
"""Least relevant difference of one network a side. `python benchmarks/null_pairs.py`: of 780 pairs of seeds
of one recipe on 180 examples, 95 % differ by less than 0.016 in ECE and 0.005 in AURC."""


def calibration_finding(runs: Compared, found: Sequence[Calibrated]) -> Finding:
    """What the ECE of some runs on one split says; found: the calibration of each, at least one."""
    same = [(i, j) for i, j in combinations(range(len(found)), 2) if _one_network(found[i], found[j])]
    evidence = CalibrationEvidence(
        short="ECE",
        where=f"ECE {BEFORE}",
        noun=f"ECE {BEFORE} is",
        words={"lower": "lower", "higher": "higher"},
        values=[c.value("ece") for c in found],
        vanishing=f"ECE {BEFORE} is 0 in one of these networks",
        alike=same,
        tail=_halves(found),
        worth=f"95 % CI over examples; {SEEDS_OUT}, nor is the uncertainty of the fitted T.",
        found=found,
    )
    return conclude(runs, evidence)


@dataclass(frozen=True, kw_only=True)
class CalibrationEvidence(Evidence):
    """ECE of some runs; found: the calibration of each."""

    found: Sequence[Calibrated]

    def alone(self, runs: Compared) -> Finding:
        """ECE of one run before and after the scaling, and on which side its confidence is."""
        (c,) = self.found
        head = f"{runs.names[0]}: ECE {three(c.value('ece'))} {BEFORE}"
        if c.temperature.finite:
            head += f" and {three(c.value('ece', SCALED))} {AFTER}"
        detail = (
            f"{_temperature(c)}; before scaling {_side(c)}. {self.tail} {_by_chance([c])} "
            f"Brackets: {self.worth}"
        )
        return Finding("one", head, f"{detail[0].upper()}{detail[1:]}")

    def pair(self, runs: Compared, first: int, second: int) -> Judged:
        """Two runs over their examples."""
        before, after = both = self.found[first], self.found[second]
        verdict, change, said = _moved(before, after, "ece")
        parts = [f"ECE {BEFORE} {said}; the first is {_side(before)}, the second {_side(after)}."]
        parts.append(_by_chance(both))
        if before.temperature.finite and after.temperature.finite:
            later, _, scaled = _moved(before, after, "ece", SCALED)
            fitted = f"Scaled by {_temperature(before)} and {_temperature(after)}"
            chance = " and ".join(three(c.value("ece_floor", SCALED)) for c in both)
            parts.append(f"{fitted}: {scaled}{_unclear(later)}; by chance {chance}.")
        kind, _, risk = _moved(before, after, "aurc_softmax")
        parts.append(f"AURC of max-softmax {risk}{_unclear(kind)}.")
        least = (
            f"Two seeds of one recipe may differ by {LEAST['ece']:g} in ECE: less is not called a difference."
        )
        values = (before.value("ece"), after.value("ece"))
        return Judged(verdict, change, values, " ".join(parts), last=[least])

    def over_seeds(self, runs: Compared) -> list[str]:
        """The fitted temperatures of both sides, where every one is finite."""
        fitted = [c.temperature.value if c.temperature.finite else None for c in self.found]
        if None in fitted:
            return []
        sides = [runs.by_seed(fitted, side) for side in runs.sides]
        before, after = (math.exp(float(np.mean(np.log(side)))) for side in sides)
        return [f"Fitted T {change_words(before, after, seed_change(sides))}."]


def _one_network(first: Calibrated, other: Calibrated) -> bool:
    """Whether two runs are one network: the same loss on each of the same examples."""
    here, there = (c.numbers["nll", PLAIN].terms for c in (first, other))
    return first.same_examples(other) and here is not None and np.array_equal(here, np.asarray(there))


def _halves(found: Sequence[Calibrated]) -> str:
    sizes = list(dict.fromkeys((c.n_fit, c.n) for c in found))
    if len(sizes) == 1:
        return f"Fitted on {sizes[0][0]:,} {found[0].split} examples, measured on {sizes[0][1]:,} others."
    return f"Fitted on one half of the {found[0].split} examples of each run, measured on the other."


def _temperature(c: Calibrated) -> str:
    t = c.temperature
    if not t.finite:
        return "no finite temperature fits best"
    span = "" if t.low is None or t.high is None else f" [{three(t.low)}, {three(t.high)}]"
    return f"T = {three(t.value)}{span}"


def _side(c: Calibrated) -> str:
    """ "over-confident by 0.0186", "neither over- nor under-confident", at temperature 1."""
    gap = c.value("confidence_gap")
    if gap is None or not (found := side(gap, c.bounds("confidence_gap"))):
        return "neither clearly over- nor under-confident"
    return f"{found} by {three(abs(gap))}"


def sides_of(found: Sequence[SplitStatistics]) -> list[str]:
    """`side` of some networks at temperature 1, over all stored examples of a split."""
    gaps = [
        None if s.logits is None else confidence_gap(s.logits.confidence, s.logits.correct) for s in found
    ]
    return ["" if gap is None else side(gap.value, gap.bounds()) for gap in gaps]


def _by_chance(found: Sequence[Calibrated]) -> str:
    chance = " and ".join(three(c.value("ece_floor")) for c in found)
    return f"Perfect calibration would show an ECE of {chance} by chance."


def _near_floor(c: Calibrated, at: str) -> bool:
    """Whether an ECE is no more than `NEAR_FLOOR` times what perfect calibration shows by chance.

    The terms of such an ECE take their signs from chance too: its interval is too short.
    """
    value, floor = c.value("ece", at), c.value("ece_floor", at)
    return value is not None and floor is not None and value <= NEAR_FLOOR * floor


def _moved(
    before: Calibrated, after: Calibrated, key: str, at: str = PLAIN
) -> tuple[Verdict, Change | None, str]:
    """What the difference allows to say, the difference, and both values with it in words."""
    estimate = before.difference_to(after, key, at)
    change = None if estimate is None else estimate.change(relative=False)
    said = change_words(before.value(key, at), after.value(key, at), change)
    by_chance = key == "ece" and _near_floor(before, at) and _near_floor(after, at)
    return "unclear" if by_chance else judge(change, LEAST[key]), change, said


def _unclear(verdict: Verdict) -> str:
    return ", no clear difference" if verdict == "unclear" else ""
