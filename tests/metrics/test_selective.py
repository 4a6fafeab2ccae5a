"""Risk and coverage against plain loops, ties against all their orders, the score against its definition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from faults import Planted, each_is_seen

from penviz.metrics.calibration import selective as SELECTIVE
from penviz.metrics.calibration.selective import RiskCoverage, aurc, best_aurc, normalised_aurc


def made(n: int = 300, n_classes: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose largest is right more often where it is large, and whether it is right."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n)
    z = rng.normal(size=(n, n_classes)) + 1.5 * np.eye(n_classes)[labels] * rng.exponential(size=(n, 1))
    return z, (z.argmax(axis=1) == labels).astype(float)


def plain_curve(scores: list[float], correct: list[float]) -> list[float]:
    """Error rates of the i surest examples."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    return [sum(1 - correct[j] for j in order[:i]) / i for i in range(1, len(order) + 1)]


def check_curve() -> None:
    z, correct = made()
    scores = z.max(axis=1)
    expected = plain_curve(scores.tolist(), correct.tolist())
    curve = SELECTIVE.RiskCoverage.of(scores, correct)
    assert curve.risk == pytest.approx(expected, abs=1e-12)
    assert curve.coverage == pytest.approx([i / 300 for i in range(1, 301)])
    assert curve.aurc() == pytest.approx(sum(expected) / 300, rel=1e-12)


def test_curve_and_area_are_those_of_a_plain_loop() -> None:
    check_curve()


def check_ties() -> None:
    """Every order of the tied examples once: the mean of the curves."""
    scores, correct = [3.0, 1.0, 1.0, 1.0, 2.0, 1.0], [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    curves = [
        plain_curve([scores[i] for i in order], [correct[i] for i in order])
        for order in itertools.permutations(range(6))
    ]
    assert SELECTIVE.RiskCoverage.of(scores, correct).risk == pytest.approx(
        np.mean(curves, axis=0), abs=1e-12
    )


def test_ties_are_the_mean_over_their_orders() -> None:
    check_ties()


def test_points_of_a_curve_by_hand() -> None:
    curve = RiskCoverage.of([5, 4, 3, 2, 1], [1, 0, 1, 1, 0])
    assert curve.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4, 2 / 5])


def check_normalised() -> None:
    z, correct = made()
    everything = [sum(correct), len(correct)]
    right, n = int(everything[0]), everything[1]
    best = sum(max(0, i - right) / i for i in range(1, n + 1)) / n
    assert SELECTIVE.best_aurc(correct) == pytest.approx(best, rel=1e-12)
    own = sum(plain_curve(z.max(axis=1).tolist(), correct.tolist())) / n
    expected = (own - best) / (1 - right / n - best)
    assert SELECTIVE.normalised_aurc(z.max(axis=1), correct) == pytest.approx(expected, rel=1e-12)


def test_normalised_area() -> None:
    check_normalised()
    _, correct = made()
    assert normalised_aurc(correct + 1e-3 * np.arange(300), correct) == pytest.approx(0, abs=0.05)
    assert normalised_aurc(np.zeros(300), correct) == pytest.approx(1)
    assert math.isnan(normalised_aurc([1, 2], [1, 1]))
    assert best_aurc([1, 1]) == 0
    assert aurc([1, 2], [0, 0]) == 1


def check_scores() -> None:
    z, _ = made()
    probs = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(SELECTIVE.max_softmax(z)), probs.max(axis=1), rtol=1e-12)
    cool = np.exp(z / 3) / np.exp(z / 3).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(SELECTIVE.max_softmax(z, 3)), cool.max(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(SELECTIVE.max_logit(z), [max(row) for row in z.tolist()])
    for p in (1, 2, 5):
        for row, score in zip(z.tolist(), SELECTIVE.normalised_logit(z, p), strict=True):
            centred = [v - sum(row) / len(row) for v in row]
            assert score == pytest.approx(max(centred) / sum(abs(v) ** p for v in centred) ** (1 / p))


def test_scores_are_their_definitions() -> None:
    check_scores()


def test_what_a_score_is_blind_to() -> None:
    z, correct = made()
    shift, scale = np.random.default_rng(1).uniform(1, 9, size=(2, 300, 1))
    for p in (1, 4, 10):
        np.testing.assert_allclose(
            SELECTIVE.normalised_logit(z * scale + shift, p), SELECTIVE.normalised_logit(z, p), rtol=1e-10
        )
    assert SELECTIVE.normalised_logit([[2.0, 2.0]], 3)[0] == 0
    assert np.isfinite(SELECTIVE.normalised_logit(z * 1e100, 10)).all()
    np.testing.assert_allclose(SELECTIVE.max_softmax(z + shift), SELECTIVE.max_softmax(z), rtol=1e-9)
    assert SELECTIVE.max_logit(z + shift) != pytest.approx(SELECTIVE.max_logit(z))
    sure = np.array([[60.0, 0], [70.0, 0]])  # both have probability 1 in float64
    assert SELECTIVE.max_softmax(sure)[1] > SELECTIVE.max_softmax(sure)[0]
    for values in (z * 2, z + 1):
        assert aurc(SELECTIVE.max_logit(values), correct) == aurc(SELECTIVE.max_logit(z), correct)


def check_terms() -> None:
    """Mean and variance beside the ordinary jackknife, one example left out at a time."""
    z, correct = made(400)
    scores = z.max(axis=1)
    terms = SELECTIVE.aurc_terms(scores, correct)
    assert terms.mean() == pytest.approx(aurc(scores, correct), rel=1e-12)
    left = np.array([aurc(np.delete(scores, i), np.delete(correct, i)) for i in range(400)])
    assert terms.var() / 400 == pytest.approx(399 / 400 * ((left - left.mean()) ** 2).sum(), rel=0.03)
    assert np.corrcoef(terms, -left)[0, 1] > 0.999


def test_terms_are_the_jackknife() -> None:
    check_terms()
    tied = np.round(made()[0].max(axis=1))
    correct = made()[1]
    assert SELECTIVE.aurc_terms(tied, correct).mean() == pytest.approx(aurc(tied, correct), rel=1e-12)


def check_choice() -> None:
    z, correct = made()
    areas = {p: sum(plain_curve(list(SELECTIVE.normalised_logit(z, p)), list(correct))) for p in range(1, 11)}
    assert SELECTIVE.choose_norm(z, correct) == min(areas, key=areas.get)
    assert max(areas.values()) > 1.01 * min(areas.values())


def test_norm_of_the_lowest_area_is_chosen() -> None:
    check_choice()


def unrooted(_: Callable) -> Callable:
    def wrong(z: np.ndarray, p: float) -> np.ndarray:
        v = z - z.mean(axis=1, keepdims=True)
        return v.max(axis=1) / (np.abs(v) ** p).sum(axis=1)

    return wrong


def own_errors(_: Callable) -> Callable:
    """Terms of the right mean, in which an example does not move those below it."""

    def wrong(scores: np.ndarray, correct: np.ndarray) -> np.ndarray:
        order, n = np.argsort(-scores), len(scores)
        out = np.empty(n)
        out[order] = (1 - correct)[order] * np.cumsum(1 / np.arange(n, 0, -1))[::-1]
        return out

    return wrong


MUTANTS: dict[str, Planted] = {
    "errors over all examples": (
        check_curve,
        RiskCoverage,
        "of",
        lambda of: staticmethod(lambda s, c: replace(of(s, c), risk=of(s, c).risk * of(s, c).coverage)),
    ),
    "ties in the order of the file": (
        check_ties,
        SELECTIVE._Tied,
        "mean",
        lambda _: lambda self, values: values,
    ),
    "a best area that is not taken off": (
        check_normalised,
        SELECTIVE,
        "normalised_aurc",
        lambda _: lambda s, c: (aurc(s, c) - best_aurc(c)) / (1 - np.mean(c)),
    ),
    "errors first": (check_normalised, SELECTIVE, "best_aurc", lambda _: lambda c: aurc(1 - c, c)),
    "without the largest": (
        check_scores,
        SELECTIVE,
        "max_softmax",
        lambda of: lambda z, t=1.0: -np.log(np.expm1(-of(z, t))),
    ),
    "multiplied by T": (check_scores, SELECTIVE, "max_softmax", lambda of: lambda z, t=1.0: of(z, 1 / t)),
    "no root": (check_scores, SELECTIVE, "normalised_logit", unrooted),
    "logits about 0": (
        check_scores,
        SELECTIVE,
        "normalised_logit",
        lambda _: lambda z, p: z.max(axis=1) / np.linalg.norm(z, p, axis=1),
    ),
    "an example moves no other": (check_terms, SELECTIVE, "aurc_terms", own_errors),
    "the highest area": (
        check_choice,
        SELECTIVE,
        "choose_norm",
        lambda _: lambda z, c: max(SELECTIVE.NORMS, key=lambda p: aurc(SELECTIVE.normalised_logit(z, p), c)),
    ),
}


test_an_error_is_seen = each_is_seen(MUTANTS)


@pytest.mark.parametrize(("n_classes", "norms"), [(2, range(1, 11)), (5, [1])])
def test_rounding_does_not_order_examples_that_a_norm_leaves_equal(n_classes: int, norms: range) -> None:
    """One logit above the mean and the others below: for p = 1 its share of the norm is a half."""
    rng = np.random.default_rng(0)
    z = -rng.uniform(0.9, 1.1, size=(2000, n_classes)) * rng.uniform(0.1, 30, size=(2000, 1))
    z[:, 0] = rng.uniform(3, 90, size=2000)
    correct = (z[:, 0] > 20).astype(float)
    for p in norms:
        scores = SELECTIVE.normalised_logit(z, p)
        assert len(np.unique(scores)) == 1
        assert aurc(scores, correct) == pytest.approx(1 - correct.mean())
    if n_classes > 2:
        assert len(np.unique(SELECTIVE.normalised_logit(z, 2))) > 1900
