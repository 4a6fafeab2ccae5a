"""What a change allows to say, case by case, and the spread of seeds beside a draw of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from penviz.metrics.intervals.bootstrap import Change
from penviz.metrics.intervals.seed_spread import MEASURED, SeedSpread, seed_spread
from penviz.metrics.intervals.verdict import judge, readable, relevant


@pytest.mark.parametrize(
    ("change", "least", "said"),
    [
        (Change(-0.2, -0.25, -0.15), 0.02, "lower"),
        (Change(0.2, 0.15, 0.25), 0.02, "higher"),
        (Change(0.2, -0.01, 0.4), 0.02, "unclear"),
        (Change(5e-10, 4e-10, 6e-10), 0.02, "unclear"),
        (Change(-0.2, -0.25, -0.15), 0.3, "unclear"),
        (Change(-0.2), 0.02, "none"),
        (Change(-0.2, -0.6, 0.7), 0.02, "none"),
        (Change(0.0735, 0.07, 0.08, False), 0.02, "higher"),
        (Change(0.0735, -0.5, 2.0, False), 0.02, "unclear"),
        (None, 0.02, "none"),
    ],
)
def test_verdicts(change: Change | None, least: float, said: str) -> None:
    assert judge(change, least) == said


def test_a_pair_counts_alike_in_both_orders() -> None:
    assert relevant(Change(0.25), 0.25)
    assert relevant(Change(1 / 1.25 - 1), 0.25 - 1e-12)
    assert not relevant(Change(-0.19), 0.25)
    assert readable(Change(-0.3, -0.5, 0.5)) != readable(Change(-0.3, -0.5, 1.01))


def test_the_spread_of_seeds_beside_draws() -> None:
    """Half of pairs differ by more than `usual`; 5 % by more than `least`, where the deviation is known."""
    rng = np.random.default_rng(0)
    apart = np.expm1(np.abs(np.diff(rng.normal(0, 0.05, size=(200_000, 2)))))[:, 0]
    spread = SeedSpread(0.05, 10**6, 0, "many")
    assert np.mean(apart > spread.usual) == pytest.approx(0.5, abs=0.005)
    assert np.mean(apart > spread.least) == pytest.approx(0.05, abs=0.002)
    few = SeedSpread(0.05, 4, 6, "few")
    assert few.least == pytest.approx(math.expm1(2.776 * math.sqrt(2) * 0.05))
    deviations = np.sqrt((rng.normal(0, 0.05, size=(200_000, 4)) ** 2).mean(axis=1))
    beyond = np.log1p(apart) > 2.776 * math.sqrt(2) * deviations
    assert np.mean(beyond) == pytest.approx(0.05, abs=0.002)  # a deviation measured with 4 degrees of freedom


def test_a_recipe_that_was_not_measured_gets_the_widest() -> None:
    other = seed_spread("my-data", "my-network", "train")
    assert not other.recipe
    assert other.least == max(spreads["train"].least for spreads in MEASURED.values())
    assert "was not measured" in other.sentence()
    known = seed_spread("digits", "fc800", "test")
    assert known is MEASURED["digits", "fc800"]["validation"]
    assert "fc800 on digits, 40 networks" in known.sentence()
