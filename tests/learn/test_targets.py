from __future__ import annotations

import math

import pytest
import torch

from penviz.learn.targets import smoothed_cross_entropy, target_probs


def test_targets_by_hand() -> None:
    probs = target_probs(torch.tensor([2, 0]), 4, 0.2)
    expected = torch.tensor([[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]])
    assert torch.allclose(probs, expected, atol=1e-7)
    assert torch.equal(target_probs(torch.tensor([1]), 3), torch.tensor([[0.0, 1.0, 0.0]]))
    # torch's 0.8 gives the true class 0.28 of ten, not 0.2
    assert float(target_probs(torch.tensor([0]), 10, 0.8)[0, 0]) == pytest.approx(0.28)
    assert torch.allclose(target_probs(torch.arange(7), 7, 0.3).sum(1), torch.ones(7))


def plain_losses(logits: torch.Tensor, labels: torch.Tensor, alpha: float) -> tuple[float, float]:
    """Soft-target cross-entropy, and (1 - a) H(q, p) + a H(u, p), in Python floats."""
    soft = mixed = 0.0
    n, k = logits.shape
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        top = max(row)
        log_z = top + math.log(sum(math.exp(z - top) for z in row))
        log_p = [z - log_z for z in row]
        q = [(1 - alpha) * (j == label) + alpha / k for j in range(k)]
        soft -= sum(a * b for a, b in zip(q, log_p, strict=True)) / n
        mixed += ((1 - alpha) * -log_p[label] + alpha * -sum(log_p) / k) / n
    return soft, mixed


@pytest.mark.parametrize("alpha", [0.0, 0.05, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_loss_against_a_plain_loop(alpha: float, n_classes: int) -> None:
    generator = torch.Generator().manual_seed(n_classes)
    logits = 5 * torch.randn(20, n_classes, dtype=torch.float64, generator=generator)
    labels = torch.randint(n_classes, (20,), generator=generator)
    got = float(smoothed_cross_entropy(logits, labels, alpha))
    soft, mixed = plain_losses(logits, labels, alpha)
    assert got == pytest.approx(soft, abs=1e-12)
    assert got == pytest.approx(mixed, abs=1e-12)
    if alpha:  # the variant that spreads alpha over the others only is another loss
        wrong, _ = plain_losses(logits, labels, alpha * n_classes / (n_classes - 1))
        assert abs(got - wrong) > 1e-6


def test_the_loss_is_the_cross_entropy_to_the_targets() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(9, 5, dtype=torch.float64, generator=generator)
    labels = torch.randint(5, (9,), generator=generator)
    torch.set_default_dtype(torch.float64)
    try:
        q = target_probs(labels, 5, 0.1)
    finally:
        torch.set_default_dtype(torch.float32)
    expected = float(-(q * torch.log_softmax(logits, 1)).sum(1).mean())
    assert float(smoothed_cross_entropy(logits, labels, 0.1)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("n_classes", "alpha", "gap", "floor"),
    [
        (10, 0.1, 4.511, 0.5003),
        (100, 0.05, 7.550, 0.4245),
        (100, 0.1, 6.804, 0.7778),
        (100, 0.3, None, 1.9731),
        (1000, 0.1, 9.105, None),
    ],
)
def test_the_floor_of_the_loss(n_classes: int, alpha: float, gap: float | None, floor: float | None) -> None:
    """At the optimum the true logit stands ln((1 - a + a/K) / (a/K)) above the others."""
    optimum = math.log((1 - alpha + alpha / n_classes) / (alpha / n_classes))
    if gap is not None:
        assert optimum == pytest.approx(gap, abs=5e-4)
    logits = torch.zeros(1, n_classes, dtype=torch.float64)
    label = torch.tensor([3])

    def loss(at: float) -> float:
        logits[0, 3] = at
        return float(smoothed_cross_entropy(logits, label, alpha))

    if floor is not None:
        assert loss(optimum) == pytest.approx(floor, abs=5e-5)
    assert loss(optimum) < min(loss(optimum - 0.01), loss(optimum + 0.01))
