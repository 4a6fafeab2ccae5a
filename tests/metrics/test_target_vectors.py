"""Target vectors of every kind against hand and plain loops, and the optimum found by descent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from penviz.metrics import target_vectors as tv
from penviz.metrics.target_vectors import Targets, equal_alphas, least_loss, optimal_gaps, target_vectors

PRIOR = (0.5, 0.3, 0.2)

BY_HAND = [
    # kind, alpha, K, true class, every other class, sum
    ("hard", 0.0, 10, 1.0, 0.0, 1.0),
    ("uniform", 0.1, 10, 0.91, 0.01, 1.0),
    ("sampled", 0.1, 10, 0.91, 0.01, 1.0),
    ("others", 0.1, 10, 0.9, 1 / 90, 1.0),
    ("clip", 0.1, 10, 0.9, 1 / 90, 1.0),
    ("clip", 0.1, 3, 0.9, 1 / 90, 0.9 + 2 / 90),  # 0.922: a ninth was written for ten classes
    ("binary", 0.1, 10, 0.95, 0.05, 1.4),
    ("pair", 0.1, 10, 0.9, 0.1, 1.8),
    ("pair", 0.1, 37, 0.9, 0.1, 4.5),
    ("pair", 0.1, 2, 0.9, 0.1, 1.0),
    ("uniform", 0.1, 2, 0.95, 0.05, 1.0),  # dog and cat: not 0.9 and 0.1
    ("uniform", 0.8, 10, 0.28, 0.08, 1.0),  # not 0.2 and 0.8 in all
]


@pytest.mark.parametrize(("kind", "alpha", "n_classes", "true", "other", "total"), BY_HAND)
def test_vectors_by_hand(
    kind: str, alpha: float, n_classes: int, true: float, other: float, total: float
) -> None:
    rows = target_vectors(Targets(kind, alpha), n_classes)
    assert rows.shape == (n_classes, n_classes)
    for i in range(n_classes):
        for j in range(n_classes):
            assert rows[i, j] == pytest.approx(true if i == j else other, abs=1e-15)
    assert rows.sum(axis=1) == pytest.approx(np.full(n_classes, total), abs=1e-12)
    assert np.array_equal(target_vectors(Targets(kind, alpha), n_classes, [1, 0]), rows[[1, 0]])


def test_a_prior_by_hand() -> None:
    rows = target_vectors(Targets("prior", 0.2, PRIOR), 3)
    assert rows == pytest.approx(np.array([[0.9, 0.06, 0.04], [0.1, 0.86, 0.04], [0.1, 0.06, 0.84]]))
    flat = Targets("prior", 0.2, (1 / 3,) * 3)
    assert target_vectors(flat, 3) == pytest.approx(target_vectors(Targets("uniform", 0.2), 3))
    assert tv.frequencies(np.array([2, 0, 2, 2]), 4) == (0.25, 0.0, 0.75, 0.0)
    with pytest.raises(ValueError, match="A prior for 4 classes has as many numbers, not 3"):
        target_vectors(Targets("prior", 0.2, PRIOR), 4)


def test_targets_of_an_alpha_alone() -> None:
    assert Targets.of(0.0) == Targets("hard", 0.0)
    assert Targets.of(0.1) == Targets("uniform", 0.1)
    assert Targets.of(None) == Targets("unknown")
    assert [Targets.of(a).smoothed for a in (None, 0.0, 0.1)] == [False, False, True]
    for kind in ("distilled", "unknown"):
        with pytest.raises(ValueError, match="do not follow from the label"):
            target_vectors(Targets(kind), 3)
    with pytest.raises(ValueError, match="no targets of the kind cosine"):
        target_vectors(Targets("cosine", 0.1), 3)


@pytest.mark.parametrize(
    ("kind", "n_classes", "gap"),
    [
        ("uniform", 10, 4.511),
        ("uniform", 100, 6.804),
        ("others", 10, 4.394),
        ("clip", 10, 4.394),
        ("binary", 10, 5.889),
        ("binary", 100, 5.889),
        ("sampled", 10, 4.511),
        ("uniform", 2, 2.944),
        ("others", 2, 2.197),
        ("hard", 10, math.inf),
    ],
)
def test_gaps(kind: str, n_classes: int, gap: float) -> None:
    found = optimal_gaps(Targets(kind, 0.0 if kind == "hard" else 0.1), n_classes)
    assert found == pytest.approx(np.full(n_classes, gap), abs=5e-4)


def loss(z: np.ndarray, q: np.ndarray, sigmoids: bool) -> float:
    """The loss of one example, in a plain loop."""
    if sigmoids:
        parts = []
        for value, target in zip(z, q, strict=True):
            p = 1 / (1 + math.exp(-value))
            parts.append(-(target * math.log(p) + (1 - target) * math.log(1 - p)))
        return sum(parts)
    log_sum = math.log(sum(math.exp(value) for value in z))
    return -sum(target * (value - log_sum) for value, target in zip(z, q, strict=True))


ALL = [
    (Targets("uniform", 0.1), 4),
    (Targets("others", 0.3), 4),
    (Targets("prior", 0.2, PRIOR), 3),
    (Targets("binary", 0.1), 4),
    (Targets("clip", 0.1), 10),
    (Targets("clip", 0.1), 3),
    (Targets("pair", 0.1), 5),
]


@pytest.mark.parametrize(("targets", "n_classes"), ALL, ids=lambda v: getattr(v, "kind", v))
def test_the_optimum_is_where_no_step_helps(targets: Targets, n_classes: int) -> None:
    rows = target_vectors(targets, n_classes)
    best = tv.optimal_logits(targets, n_classes)
    for k in range(n_classes):
        least = loss(best[k], rows[k], targets.sigmoids)
        assert least == pytest.approx(least_loss(targets, n_classes, k), abs=1e-12)
        for axis in range(n_classes):
            for step in (-1e-2, 1e-2):
                z = best[k].copy()
                z[axis] += step
                assert loss(z, rows[k], targets.sigmoids) > least + 1e-9
        wrong = [best[k, j] for j in range(n_classes) if j != k]
        gap = best[k, k] - sum(wrong) / len(wrong)
        assert optimal_gaps(targets, n_classes)[k] == pytest.approx(gap, abs=1e-12)


@pytest.mark.parametrize(("n_classes", "alpha"), [(2, 0.2), (10, 0.1111), (100, 0.10101), (1000, 0.1001)])
def test_over_the_others_is_uniform_with_more(n_classes: int, alpha: float) -> None:
    found = equal_alphas(Targets("others", 0.1), n_classes)
    assert found["uniform"] == pytest.approx(alpha, abs=5e-5)
    uniform = target_vectors(Targets("uniform", found["uniform"]), n_classes)
    assert np.allclose(uniform, target_vectors(Targets("others", 0.1), n_classes), rtol=0, atol=1e-15)


def test_equal_alphas() -> None:
    assert equal_alphas(Targets("others", 0.8), 10)["uniform"] == pytest.approx(0.889, abs=5e-4)
    assert equal_alphas(Targets("uniform", 0.1), 10) == pytest.approx({"others": 0.09})
    assert equal_alphas(Targets("binary", 0.1), 10) == {}
    assert equal_alphas(Targets("pair", 0.1), 10) == {}
    assert equal_alphas(Targets("clip", 0.1), 3) == {}
    assert equal_alphas(Targets("prior", 0.1, PRIOR), 3) == {}
    two = equal_alphas(Targets("uniform", 0.1), 2)
    assert two == pytest.approx({"others": 0.05, "pair": 0.05, "binary": 0.1})
    for kind, alpha in two.items():
        same = target_vectors(Targets(kind, alpha), 2)
        assert same == pytest.approx(target_vectors(Targets("uniform", 0.1), 2), abs=1e-15)
    assert "uniform" not in equal_alphas(Targets("others", 0.9), 10)  # it would be 1


@pytest.mark.parametrize(
    ("targets", "n_classes", "sentence"),
    [
        (Targets("pair", 0.1), 10, "sum to 1.8 and not to 1 for 10 classes"),
        (Targets("clip", 0.1), 3, "sum to 0.9222 and not to 1 for 3 classes"),
        (Targets("prior", 0.1, PRIOR), 4, "prior has 3 numbers, the data have 4 classes"),
        (Targets("others", 0.9), 10, "true class is not asked for most"),
        (Targets("distilled"), 10, "do not follow from the label"),
        (Targets("pair", 0.1), 2, ""),
        (Targets("clip", 0.1), 10, ""),
        (Targets("binary", 0.1), 10, ""),
        (Targets("uniform", 0.99), 10, ""),
        (Targets("hard", 0.0), 10, ""),
        (Targets("prior", 0.1, PRIOR), 3, ""),
    ],
)
def test_what_nobody_should_train_on(targets: Targets, n_classes: int, sentence: str) -> None:
    found = tv.refusal(targets, n_classes)
    assert sentence in found
    assert bool(found) == bool(sentence)


def test_a_reference_that_is_off_is_noticed() -> None:
    """The loop above tells the kinds apart: an optimum of the wrong kind is no optimum."""
    q = target_vectors(Targets("others", 0.1), 10)[0]
    uniform = tv.optimal_logits(Targets("uniform", 0.1), 10)[0]
    assert loss(uniform, q, False) > least_loss(Targets("others", 0.1), 10) + 1e-4
