from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from penviz.metrics.target_vectors import Targets, target_vectors
from penviz.store.run_config import RunConfig, RunError
from penviz.training.targets import (
    Objective,
    redrawn,
    smoothed_cross_entropy,
    smoothed_sigmoids,
    soft_cross_entropy,
    targets_of,
)


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


# Equal forms of the loss.

EXAMPLES, CLASSES = 20, 7


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [n, K] in float64, and labels [n]."""
    generator = torch.Generator().manual_seed(5)
    logits = 4 * torch.randn(EXAMPLES, CLASSES, dtype=torch.float64, generator=generator)
    return logits, torch.randint(CLASSES, (EXAMPLES,), generator=generator)


def rows_of(targets: Targets, labels: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(target_vectors(targets, CLASSES))[labels]


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.5])
def test_equal_forms_of_the_loss(batch: tuple[torch.Tensor, torch.Tensor], alpha: float) -> None:
    logits, labels = batch
    own = float(F.cross_entropy(logits, labels, label_smoothing=alpha))
    log_p = torch.log_softmax(logits, 1)
    nll = F.nll_loss(log_p, labels)
    uniform = -log_p.mean()  # H(u, p)
    true = logits.gather(1, labels[:, None])[:, 0]
    forms = {
        "soft targets": soft_cross_entropy(logits, rows_of(Targets("uniform", alpha), labels)),
        "torch's soft targets": F.cross_entropy(logits, rows_of(Targets("uniform", alpha), labels)),
        "(1 - a) H(q, p) + a H(u, p)": (1 - alpha) * nll + alpha * uniform,
        "H(u, p) = KL(u || p) + ln K": (1 - alpha) * nll
        + alpha * (F.kl_div(log_p, torch.full_like(log_p, 1 / CLASSES), reduction="batchmean"))
        + alpha * math.log(CLASSES),
        "NLL and the mean log-probability": (1 - alpha) * nll + alpha * (-log_p.mean(dim=1)).mean(),
        "NLL + a (z_y - mean z)": nll + alpha * (true - logits.mean(dim=1)).mean(),
    }
    for form, value in forms.items():
        assert float(value) == pytest.approx(own, abs=1e-12), form
    off = soft_cross_entropy(logits, rows_of(Targets("others", alpha), labels))
    assert abs(float(off) - own) > 1e-3  # a form that is not equal is seen


def test_a_prior_splits_into_two_cross_entropies(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    u = torch.tensor([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1], dtype=torch.float64)
    got = float(soft_cross_entropy(logits, rows_of(Targets("prior", 0.2, tuple(u.tolist())), labels)))
    log_p = torch.log_softmax(logits, 1)
    assert got == pytest.approx(float(0.8 * F.nll_loss(log_p, labels) - 0.2 * (log_p @ u).mean()), abs=1e-12)


def test_example_weights_as_in_tensorflow_1(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    """tf.losses.softmax_cross_entropy with weights and label_smoothing: over the weights that are not 0."""
    logits, labels = batch
    weights = torch.arange(EXAMPLES, dtype=torch.float64) % 4
    q = rows_of(Targets("uniform", 0.1), labels)
    got = float(soft_cross_entropy(logits, q, example_weights=weights))
    total, counted = 0.0, 0
    for i, row in enumerate(logits.tolist()):
        log_z = math.log(sum(math.exp(z) for z in row))
        one_hot = [float(k == int(labels[i])) for k in range(CLASSES)]
        smooth = [y * (1 - 0.1) + 0.1 / CLASSES for y in one_hot]
        loss = -sum(y * (z - log_z) for y, z in zip(smooth, row, strict=True))
        total += float(weights[i]) * loss
        counted += int(weights[i] != 0)
    assert counted == 15
    assert got == pytest.approx(total / counted, abs=1e-12)
    assert abs(got - total / EXAMPLES) > 0.1


def test_class_weights_weigh_every_term(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    q = rows_of(Targets("uniform", 0.1), labels)
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 0.1], dtype=torch.float64)
    with pytest.raises(RunError, match="weights every term of the loss by its own class"):
        soft_cross_entropy(logits, q, class_weights=weights)
    got = float(soft_cross_entropy(logits, q, class_weights=weights, weighted_terms=True))
    assert got == pytest.approx(float(F.cross_entropy(logits, q, weight=weights)), abs=1e-12)
    by_term = by_label = 0.0
    for i, row in enumerate(logits.tolist()):
        log_z = math.log(sum(math.exp(z) for z in row))
        for k, z in enumerate(row):
            by_term -= float(weights[k]) * float(q[i, k]) * (z - log_z)
            by_label -= float(weights[labels[i]]) * float(q[i, k]) * (z - log_z)
    assert got == pytest.approx(by_term / EXAMPLES, abs=1e-12)
    assert abs(by_term - by_label) > 0.1  # what one would expect is another loss
    of_labels = float(F.cross_entropy(logits, labels, weight=weights, label_smoothing=0.1))
    assert of_labels == pytest.approx(by_term / float(weights[labels].sum()), abs=1e-12)


# K sigmoids.


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_sigmoids_with_their_three_reductions(
    batch: tuple[torch.Tensor, torch.Tensor], reduction: str
) -> None:
    logits, _ = batch
    logits.requires_grad_()
    several = (torch.arange(EXAMPLES * CLASSES).reshape(EXAMPLES, CLASSES) % 3 == 0).double()
    got = smoothed_sigmoids(logits, several, 0.1, reduction)
    expected = torch.empty(EXAMPLES, CLASSES, dtype=torch.float64)
    slope = torch.empty_like(expected)
    for i, row in enumerate(logits.tolist()):
        for k, z in enumerate(row):
            y = 0.95 if several[i, k] else 0.05
            p = 1 / (1 + math.exp(-z))
            expected[i, k] = -y * math.log(p) - (1 - y) * math.log(1 - p)
            slope[i, k] = p - y
    size = EXAMPLES * CLASSES
    reduced = {"none": expected, "mean": expected.sum() / size, "sum": expected.sum()}[reduction]
    assert got.shape == reduced.shape
    assert torch.allclose(got, reduced, atol=1e-12, rtol=0)
    (gradient,) = torch.autograd.grad(got.sum(), logits)
    scale = 1 / size if reduction == "mean" else 1.0
    assert torch.allclose(gradient, slope * scale, atol=1e-12, rtol=0)
    assert torch.autograd.gradcheck(lambda z: smoothed_sigmoids(z, several, 0.1, reduction), (logits,))


def test_another_reduction_is_refused(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, _ = batch
    with pytest.raises(ValueError, match="median"):
        smoothed_sigmoids(logits, torch.zeros_like(logits), 0.1, "median")


# Sampled smoothing.


def test_labels_are_redrawn_by_seed_epoch_and_row() -> None:
    labels = torch.arange(4000) % 10
    one = redrawn(labels, 10, 0.3, seed=1, epoch=2)
    assert torch.equal(one, redrawn(labels, 10, 0.3, seed=1, epoch=2))
    assert torch.equal(one[:100], redrawn(labels, 10, 0.3, seed=1, epoch=2)[:100])
    assert not torch.equal(one, redrawn(labels, 10, 0.3, seed=1, epoch=3))
    assert not torch.equal(one, redrawn(labels, 10, 0.3, seed=2, epoch=2))
    assert torch.equal(redrawn(labels, 10, 0.0, seed=1, epoch=2), labels)
    moved = float((one != labels).float().mean())  # a draw may hit the true class: 0.3 * 9/10
    assert moved == pytest.approx(0.27, abs=4 * math.sqrt(0.27 * 0.73 / 4000))


def test_the_expected_gradient_of_sampled_smoothing_is_that_of_smoothing() -> None:
    """Means over epochs come within four standard errors of the gradient of smoothing, and not of others."""
    generator = torch.Generator().manual_seed(3)
    n, n_classes, alpha, epochs = 40, 5, 0.4, 3000
    logits = torch.randn(n, n_classes, dtype=torch.float64, generator=generator)
    labels = torch.randint(n_classes, (n,), generator=generator)
    probs = torch.softmax(logits, 1)  # the gradient of an example is p - q
    draws = torch.stack([redrawn(labels, n_classes, alpha, 0, e) for e in range(epochs)])
    asked = F.one_hot(draws, n_classes).double().mean(dim=0)
    logits.requires_grad_()
    (smooth,) = torch.autograd.grad(smoothed_cross_entropy(logits, labels, alpha) * n, logits)
    error = math.sqrt(0.25 / epochs)
    assert float(((probs - asked) - smooth).abs().max()) < 4 * error
    wrong = torch.from_numpy(target_vectors(Targets("others", alpha), n_classes))[labels]
    assert float(((probs - asked) - (probs - wrong)).abs().max()) > 1.5 * 4 * error


# What a run asks for.

EVERY = ("hard", "uniform", "others", "prior", "binary", "clip", "sampled")


@pytest.mark.parametrize("kind", EVERY)
def test_the_objective_of_every_kind_is_that_of_its_vectors(kind: str) -> None:
    generator = torch.Generator().manual_seed(7)
    logits = torch.randn(30, 10, generator=generator)
    labels = torch.randint(10, (200,), generator=generator)
    rows = torch.randperm(200, generator=generator)[:30]
    config = RunConfig("digits", "fc800", targets=kind, label_smoothing=0.0 if kind == "hard" else 0.1)
    targets = targets_of(config, labels, 10)
    objective = Objective(targets, labels, 10, seed=4)
    objective.start_epoch(2)
    got = float(objective(logits, rows))
    asked = redrawn(labels, 10, 0.1, 4, 2) if kind == "sampled" else labels
    vectors = target_vectors(Targets("hard", 0.0) if kind == "sampled" else targets, 10)
    total = 0.0
    for i, row in enumerate(rows.tolist()):
        z, q = logits[i].tolist(), vectors[int(asked[row])]
        log_sum = math.log(sum(math.exp(v) for v in z))
        for k, v in enumerate(z):
            if kind == "binary":
                p = 1 / (1 + math.exp(-v))
                total -= q[k] * math.log(p) + (1 - q[k]) * math.log(1 - p)
            else:
                total -= q[k] * (v - log_sum)
    assert got == pytest.approx(total / 30, rel=2e-6)


def test_a_prior_left_open_is_that_of_the_labels() -> None:
    labels = torch.tensor([0, 0, 1, 2, 2, 2])
    config = RunConfig("digits", "fc800", targets="prior", label_smoothing=0.1)
    assert targets_of(config, labels, 3).prior == pytest.approx((2 / 6, 1 / 6, 3 / 6))
    given = RunConfig("digits", "fc800", targets="prior", label_smoothing=0.1, prior=(0.5, 0.25, 0.25))
    assert targets_of(given, labels, 3).prior == (0.5, 0.25, 0.25)
    with pytest.raises(RunError, match="The prior has 3 numbers, the data have 4 classes"):
        targets_of(given, labels, 4)
    with pytest.raises(RunError, match=r"sum to 0\.9222 and not to 1 for 3 classes"):
        targets_of(RunConfig("digits", "fc800", targets="clip", label_smoothing=0.1), labels, 3)
