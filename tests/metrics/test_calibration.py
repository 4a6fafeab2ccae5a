"""ECE and reliability against plain loops and cases by hand."""

from __future__ import annotations

import numpy as np
import pytest
from references import ece as by_loop

from penviz.metrics.calibration.reliability import ece, reliability


def sample(n: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    c = np.round(rng.beta(4, 1, n), 2)  # two decimals, so that many lie on an edge of ten bins
    c[: n // 10] = 1.0
    c[n // 10 : n // 8] = 0.0
    return c, rng.random(n) < 0.8 * c


@pytest.mark.parametrize("n_bins", [1, 4, 8, 15, 16, 64])
@pytest.mark.parametrize("seed", range(3))
def test_ece_is_that_of_a_plain_loop(n_bins: int, seed: int) -> None:
    c, right = sample(seed=seed)
    assert ece(c, right, n_bins) == pytest.approx(by_loop(c.tolist(), right.tolist(), n_bins), rel=1e-12)


def test_a_confidence_of_one_is_in_the_last_bin() -> None:
    # One bin: |1/2 - 0.975| = 0.475. A bin of its own for 1.0 would give (|1 - 0.95| + |0 - 1|) / 2 = 0.525.
    assert ece([0.95, 1.0], [True, False], 15) == pytest.approx(0.475)
    assert reliability([0.95, 1.0], [True, False], 15).counts[-1] == 2


def test_bins_are_closed_on_the_right_and_the_first_holds_zero() -> None:
    found = reliability([0.0, 0.25, 0.2500001, 0.5, 1.0], [1, 1, 0, 1, 1], 4)
    assert found.counts.tolist() == [2, 2, 0, 1]
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.confidence[[0, 3]] == pytest.approx([0.125, 1.0])
    assert found.accuracy[[0, 1, 3]] == pytest.approx([1.0, 0.5, 1.0])
    assert np.isnan(found.confidence[2])
    assert np.isnan(found.accuracy[2])


def test_every_example_is_in_one_bin() -> None:
    c, right = sample()
    found = reliability(c, right)
    assert found.counts.sum() == len(c)
    held = found.counts > 0
    assert found.counts[held] @ found.accuracy[held] == pytest.approx(right.sum())
    assert found.counts[held] @ found.confidence[held] == pytest.approx(c.sum())


def test_perfect_and_worst() -> None:
    assert ece([0.8] * 10, [True] * 8 + [False] * 2) == pytest.approx(0, abs=1e-12)
    assert ece([1.0] * 5, [False] * 5) == 1
    assert ece([0.0] * 5, [True] * 5) == 1


@pytest.mark.parametrize(
    ("c", "right", "n_bins"),
    [
        ([], [], 15),
        ([0.5], [1, 0], 15),
        ([1.1], [1], 15),
        ([-0.1], [1], 15),
        ([np.nan], [1], 15),
        ([1.0], [1], 0),
    ],
)
def test_what_has_no_ece_is_refused(c: list[float], right: list[int], n_bins: int) -> None:
    with pytest.raises(ValueError, match=r"n_bins|confidences"):
        ece(c, right, n_bins)
