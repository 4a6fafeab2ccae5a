"""Mutual information at its limits and against an integral; stability and gamma against plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from faults import Fault, Planted, each_is_seen
from scipy import integrate, special

from penviz.metrics import information as INFORMATION
from penviz.metrics.information import equivalent_smoothing, left_words, mutual_information, stability
from penviz.metrics.target_vectors import Targets, target_vectors


def noisy(mean: np.ndarray, noise: float, seed: int = 0, n_samples: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """One fresh sample and L others about each mean."""
    rng = np.random.default_rng(seed)
    return mean + noise * rng.normal(size=len(mean)), mean + noise * rng.normal(size=(n_samples, len(mean)))


TWO = np.repeat([-5.0, 5.0], 300)
SPREAD = np.random.default_rng(1).uniform(-50, 50, size=600)


def check_two_clusters() -> None:
    """Only the class is left: one bit, however wide apart; less by the error of the means."""
    for noise in (0.01, 0.3):
        for factor in (1, 1000):
            y, _ = noisy(TWO, noise)
            bits = INFORMATION.mutual_information(factor * y, factor * TWO)
            assert bits == pytest.approx(math.log(2), abs=1e-9)
    for n_samples in (5, 100):
        values = [INFORMATION.mutual_information(*noisy(TWO, 0.1, seed, n_samples)) for seed in range(20)]
        expected = math.log(2) + INFORMATION.few_samples(n_samples)
        assert np.mean(values) == pytest.approx(expected, abs=0.01)


def test_two_tight_clusters_give_one_bit() -> None:
    check_two_clusters()


def check_nothing_left() -> None:
    """One cluster: a little below 0, by the error of the means; 0 with exact ones."""
    for n_samples in (1, 2, 5, 20):
        drawn = [noisy(np.zeros(900), 1, seed, n_samples) for seed in range(40)]
        values = [INFORMATION.mutual_information(*one) for one in drawn]
        assert INFORMATION.few_samples(n_samples) == pytest.approx(np.mean(values), abs=0.004)
    assert INFORMATION.few_samples(5) == pytest.approx(-0.0658, abs=1e-4)
    assert math.log(2) + INFORMATION.few_samples(5) == pytest.approx(0.627, abs=5e-4)
    assert math.log(2) + INFORMATION.few_samples(100) == pytest.approx(0.688, abs=5e-4)
    assert INFORMATION.few_samples(10**6) == pytest.approx(0, abs=1e-6)


def test_nothing_left_is_a_little_below_zero() -> None:
    check_nothing_left()
    assert left_words(5) == (
        "with 5 samples an example about 0.63 when only the class is left and -0.07 when nothing is"
    )
    assert left_words(1000).endswith("about 0.69 when only the class is left and 0.00 when nothing is")


def check_far() -> None:
    """Exact means, as in 1.7: 600 of them on +-50."""
    for noise, expected, about in ((0.01, 6.21, 0.04), (0.5, 3.84, 0.05), (1e-6, math.log(600), 1e-3)):
        y = SPREAD + noise * np.random.default_rng(2).normal(size=600)
        assert INFORMATION.mutual_information(y, SPREAD) == pytest.approx(expected, abs=about)


def test_examples_far_apart_give_the_logarithm_of_their_number() -> None:
    check_far()


def test_literal_formula_is_a_constant() -> None:
    """One index for both sums, as printed: (ln 2 - 1) / 2 whatever the network; ours differs."""
    for mean, noise in ((TWO, 0.3), (SPREAD, 0.5), (SPREAD, 5.0)):
        values = []
        for seed in range(10):
            y, samples = noisy(mean, noise, seed)
            e = (y - samples.mean(axis=0)) ** 2
            e = e / (2 * e.mean())
            values.append((-e - math.log(np.exp(-e).mean())).mean())
        assert np.mean(values) == pytest.approx((math.log(2) - 1) / 2, abs=0.01)
        assert mutual_information(*noisy(mean, noise)) > 0.5


def check_against_an_integral() -> None:
    """h(Y) - h(Y | X) of a mixture of 40 Gaussians, by quadrature."""
    mean, noise = np.random.default_rng(3).normal(size=40) * 2, 0.4

    def density(v: float) -> float:
        return float(np.mean(np.exp(-(((v - mean) / noise) ** 2) / 2) / (noise * math.sqrt(2 * math.pi))))

    whole = integrate.quad(lambda v: special.entr(density(v)), -12, 12, limit=400)[0]
    expected = whole - 0.5 * math.log(2 * math.pi * math.e * noise**2)
    drawn = np.random.default_rng(0).normal(size=(400, 40))
    values = [INFORMATION.mutual_information(mean + noise * e, mean) for e in drawn]
    assert np.mean(values) == pytest.approx(expected, abs=0.02)


def test_mutual_information_is_that_of_an_integral() -> None:
    check_against_an_integral()


def check_guard() -> None:
    exact = np.arange(50.0)
    assert INFORMATION.mutual_information(exact, exact) == pytest.approx(math.log(50), rel=1e-9)
    assert INFORMATION.mutual_information(TWO, [TWO, TWO]) == pytest.approx(math.log(2), rel=1e-9)
    assert INFORMATION.mutual_information(np.ones(9), np.ones((3, 9))) == 0
    assert INFORMATION.mutual_information([2.0], [2.0]) == 0
    assert math.isnan(INFORMATION.mutual_information([], np.zeros((2, 0))))
    outlier = np.zeros(4000)
    outlier[7] = 100  # 63 standard deviations: every term of its inner sum underflows
    assert INFORMATION.mutual_information(outlier, np.zeros(4000)) == pytest.approx(0, abs=1e-9)


@pytest.mark.filterwarnings("error")
def test_no_noise_is_guarded() -> None:
    check_guard()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    y, samples = noisy(SPREAD, 2)
    whole = mutual_information(y, samples)
    monkeypatch.setattr(INFORMATION, "CHUNK", 700)
    assert mutual_information(y, samples) == pytest.approx(whole, rel=1e-12)


def some_probs(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(5), size=60), np.concatenate([rng.integers(4, size=57), [0, 1, 3]])


def check_stability() -> None:
    p, y = some_probs()
    spreads = []
    for k in range(4):
        own = [row for row, label in zip(p, y, strict=True) if label == k]
        centre = sum(own) / len(own)
        spreads.append(sum(float(sum((row - centre) ** 2)) for row in own) / len(own))
    assert INFORMATION.stability(p, y) == pytest.approx(1 - sum(spreads) / 4, rel=1e-12)


def test_stability_by_a_loop() -> None:
    check_stability()
    assert stability(target_vectors(Targets.of(0.1), 5), np.arange(5)) == 1
    assert stability([[1, 0], [0, 1.0]], [0, 0]) == 0.5
    assert math.isnan(stability(np.zeros((0, 3)), []))


def check_gamma() -> None:
    y = np.arange(30) % 6
    assert INFORMATION.equivalent_smoothing(np.full((30, 6), 1 / 6), y) == pytest.approx(1)
    assert INFORMATION.equivalent_smoothing(np.eye(6)[y], y) == 0
    for alpha in (0.1, 0.6):
        p = target_vectors(Targets.of(alpha), 6)[y]
        assert INFORMATION.equivalent_smoothing(p, y) == pytest.approx(alpha)
    p, y = some_probs()
    loop = sum(sum(v for k, v in enumerate(row) if k != label) for row, label in zip(p, y, strict=True)) / 60
    assert INFORMATION.equivalent_smoothing(p, y) == pytest.approx(loop * 5 / 4, rel=1e-12)


def test_gamma_of_known_teachers() -> None:
    check_gamma()
    assert math.isnan(equivalent_smoothing(np.zeros((0, 3)), []))


def written(half: float = 0.5, scaled: bool = True, shifted: bool = True, own: float = 1.0) -> Fault:
    """The formula once more, with one part of it wrong."""

    def wrong(fresh: np.ndarray, samples: np.ndarray) -> float:
        y, mean = np.asarray(fresh, float), np.atleast_2d(samples).mean(axis=0)
        scale = max(np.sqrt(((y - mean) ** 2).mean()), 1e-6 * mean.std() if len(y) else 0) if scaled else 1
        far = -(((y[:, None] - mean) / scale) ** 2) * half
        top = far.max(axis=1) if shifted else np.zeros(len(y))
        inner = top + np.log(np.exp(far - top[:, None]).mean(axis=1))
        return float((own * np.diag(far) - inner).mean())

    return lambda _: wrong


def spread_over(n: Callable[[np.ndarray], float], classes: Callable) -> Fault:
    """Stability from the squares of a class over n(class), and from those of all classes."""

    def wrong(p: np.ndarray, y: np.ndarray) -> float:
        groups = [p[y == k] for k in np.unique(y)]
        return 1 - float(classes([((q - q.mean(axis=0)) ** 2).sum() / n(q) for q in groups]))

    return lambda _: wrong


MUTUAL, GAMMA = "mutual_information", "equivalent_smoothing"
MUTANTS: dict[str, Planted] = {
    "a sum over the examples": (
        check_two_clusters,
        INFORMATION,
        MUTUAL,
        lambda of: lambda y, samples: of(y, samples) - math.log(len(y)),
    ),
    "noise of 1": (check_two_clusters, INFORMATION, MUTUAL, written(scaled=False)),
    "the other variance": (
        check_nothing_left,
        INFORMATION,
        "few_samples",
        lambda of: lambda n: of(n) + 1 / (2 * (1 + 1 / n)) - 1 / (2 * (1 + 2 / n)),
    ),
    "means of 0": (check_nothing_left, INFORMATION, MUTUAL, lambda of: lambda y, samples: of(y, 0 * samples)),
    "without the own term": (check_far, INFORMATION, MUTUAL, written(own=0.0)),
    "twice the exponent": (check_against_an_integral, INFORMATION, MUTUAL, written(half=1.0)),
    "noise without a least": (check_guard, INFORMATION, "SMALLEST_NOISE", lambda _: 0.0),
    "an inner sum of zeros": (check_guard, INFORMATION, MUTUAL, written(shifted=False)),
    "squares that are not divided": (
        check_stability,
        INFORMATION,
        "stability",
        spread_over(lambda q: 1, np.mean),
    ),
    "a sum over classes": (check_stability, INFORMATION, "stability", spread_over(len, np.sum)),
    "a share of the wrong classes alone": (
        check_gamma,
        INFORMATION,
        GAMMA,
        lambda of: lambda p, y: of(p, y) * (len(p[0]) - 1) / len(p[0]),
    ),
    "one class for all": (check_gamma, INFORMATION, GAMMA, lambda of: lambda p, y: of(p, 0 * y)),
}


test_an_error_is_seen = each_is_seen(MUTANTS)
