from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from penviz.metrics.logits import LogitNumbers
from penviz.metrics.target_vectors import Targets, least_loss, optimal_gaps, target_vectors


@pytest.mark.parametrize(
    ("n_classes", "alpha", "gap", "floor"),
    [
        (10, 0.1, 4.511, 0.5003),
        (100, 0.05, 7.550, 0.4245),
        (100, 0.1, 6.804, 0.7778),
        (1000, 0.1, 9.105, None),
    ],
)
def test_optimum_of_smoothing(n_classes: int, alpha: float, gap: float, floor: float | None) -> None:
    """Values of paper.md 1.1, and the loss of torch at that gap."""
    assert optimal_gaps(Targets.of(alpha), n_classes)[0] == pytest.approx(gap, abs=5e-4)
    if floor is not None:
        assert least_loss(Targets.of(alpha), n_classes) == pytest.approx(floor, abs=5e-5)
    z = torch.zeros(1, n_classes, dtype=torch.float64)
    z[0, 3] = optimal_gaps(Targets.of(alpha), n_classes)[0]
    z.requires_grad_(True)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor([3]), label_smoothing=alpha)
    assert loss.item() == pytest.approx(least_loss(Targets.of(alpha), n_classes), abs=1e-12)
    loss.backward()
    assert z.grad is not None
    assert z.grad.abs().max() < 1e-12


def test_hard_targets_have_no_optimum() -> None:
    assert math.isinf(optimal_gaps(Targets.of(0), 10)[0])
    assert least_loss(Targets.of(0), 10) == 0
    np.testing.assert_array_equal(target_vectors(Targets.of(0), 4), np.eye(4))


def test_targets_are_those_of_the_paper() -> None:
    np.testing.assert_allclose(target_vectors(Targets.of(0.1), 10, [2])[0], [0.01, 0.01, 0.91] + [0.01] * 7)
    np.testing.assert_allclose(target_vectors(Targets.of(0.3), 6).sum(axis=1), 1)


def test_by_hand() -> None:
    numbers = LogitNumbers.of([[2.0, 0.0, 1.0]], [2])
    total = math.exp(2) + 1 + math.exp(1)
    assert numbers.correct[0] == 0
    assert numbers.top5 is None
    assert numbers.nll[0] == pytest.approx(-math.log(math.exp(1) / total))
    assert numbers.confidence[0] == pytest.approx(math.exp(2) / total)
    assert numbers.gap[0] == pytest.approx(1 - (2 + 0) / 2)
    assert numbers.spread[0] == pytest.approx(1.0)


def test_huge_logits_stay_finite_and_a_shift_changes_nothing() -> None:
    z = np.random.default_rng(0).normal(size=(50, 8)) * 1000
    y = np.arange(50) % 8
    plain, shifted = LogitNumbers.of(z, y), LogitNumbers.of(z + 1e4, y)
    for key in ("nll", "confidence", "gap", "spread"):
        assert np.isfinite(getattr(plain, key)).all()
        np.testing.assert_allclose(getattr(plain, key), getattr(shifted, key), rtol=1e-7, atol=1e-7)


def test_own_predictions_of_the_network_count() -> None:
    assert LogitNumbers.of([[0.0, 1.0]], [0], [0]).correct[0] == 1
    assert LogitNumbers.of([[0.0, 1.0]], [0]).correct[0] == 0
