"""Errors of probabilities against plain loops, scikit-learn and chance; smooth ECE against its integral."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from faults import Fault, Planted, each_is_seen
from scipy.stats import norm
from sklearn.metrics import brier_score_loss

from penviz.metrics.calibration import chance as CHANCE
from penviz.metrics.calibration import errors as ERRORS
from penviz.metrics.calibration import smooth_ece as SMOOTH
from penviz.metrics.calibration.chance import Gaps
from penviz.metrics.calibration.errors import adaptive_ece, brier, classwise_ece, ece_gaps
from penviz.metrics.calibration.reliability import ece
from penviz.metrics.calibration.smooth_ece import SmoothECE, smooth_ece
from penviz.metrics.calibration.temperature import softmax


def made(n: int = 400, seed: int = 0, power: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and predictions right with probability c^power: 1 is perfect calibration."""
    rng = np.random.default_rng(seed)
    c = 0.2 + 0.8 * rng.beta(4, 1, n)
    return c, (rng.random(n) < c**power).astype(float)


def some_probs(n: int = 300, n_classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(n, n_classes)) * 2
    return softmax(z), np.array([rng.choice(n_classes, p=p) for p in softmax(z / 1.6)])


def plain_ece(c: list[float], a: list[float], edges: list[float]) -> float:
    """Bins (lo, hi], the first with its lower edge."""
    total = 0.0
    for b, (lo, hi) in enumerate(itertools.pairwise(edges)):
        own = [i for i in range(len(c)) if lo < c[i] <= hi or (b == 0 and c[i] == lo)]
        if own:
            total += (
                len(own) / len(c) * abs(sum(a[i] for i in own) / len(own) - sum(c[i] for i in own) / len(own))
            )
    return total


def even(n_bins: int) -> list[float]:
    return [b / n_bins for b in range(n_bins + 1)]


def check_ece_gaps() -> None:
    for n_bins in (1, 10, 15):
        c, a = made()
        c[:40], c[40:60] = 1.0, 0.2
        assert ERRORS.ece_gaps(c, a, n_bins).value == pytest.approx(plain_ece(list(c), list(a), even(n_bins)))
        assert ERRORS.ece_gaps(c, a, n_bins).value == pytest.approx(ece(c, a, n_bins), rel=1e-12)


def test_ece_gaps_average_to_ece() -> None:
    check_ece_gaps()


def check_adaptive() -> None:
    c, a = made(407)
    order = sorted(range(407), key=lambda i: c[i])
    total = 0.0
    for b in range(15):
        own = order[-(-b * 407 // 15) : -(-(b + 1) * 407 // 15)]
        assert len(own) in (27, 28)
        total += abs(sum(a[i] for i in own) - sum(c[i] for i in own)) / 407
    assert ERRORS.adaptive_ece(c, a) == pytest.approx(total, rel=1e-10)
    assert ERRORS.adaptive_ece(c, a, 1) == pytest.approx(abs(sum(c) - sum(a)) / 407)


def test_adaptive_ece_by_a_loop() -> None:
    check_adaptive()
    # distinct confidences, a bin each: the mean of |c - a|
    assert adaptive_ece([0.2, 0.5, 0.9], [1, 0, 1], 3) == pytest.approx((0.8 + 0.5 + 0.1) / 3)
    assert adaptive_ece([0.2, 0.9], [1, 0], 15) == pytest.approx(0.85)


def check_ties() -> None:
    """An edge among examples of confidence 1: the order of the file must not matter."""
    c, a = made(100)
    c[:55] = 0.8
    values = set()
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(100)
        values.add(round(ERRORS.adaptive_ece(c[order], a[order]), 12))
    assert len(values) == 1


def test_equal_confidences_in_two_bins() -> None:
    check_ties()


def check_classwise() -> None:
    p, y = some_probs()
    p[:9] = np.eye(5)[y[:9]]
    each = [plain_ece(p[:, k].tolist(), (y == k).astype(float).tolist(), even(15)) for k in range(5)]
    assert ERRORS.classwise_ece(p, y) == pytest.approx(sum(each) / 5, rel=1e-10)


def test_classwise_ece_by_a_loop() -> None:
    check_classwise()
    assert classwise_ece(np.eye(4), np.arange(4)) == 0
    assert classwise_ece(np.eye(2)[::-1], [0, 1]) == 1


def check_edges() -> None:
    """0.2 = 3 / 15 closes the third bin: it stands with 0.15, whose gap has the other sign."""
    assert ERRORS.ece_gaps([0.2, 0.15], [0, 1]).value == pytest.approx(abs(0.2 - 0 + 0.15 - 1) / 2)
    assert ERRORS.ece_gaps([0.2, 0.25], [0, 1]).value == pytest.approx((0.2 + 0.75) / 2)
    assert ERRORS.ece_gaps([1.0, 0.95], [0, 1]).value == pytest.approx(abs(1 - 0 + 0.95 - 1) / 2)
    assert ERRORS.ece_gaps([0.0, 0.05], [0, 1]).value == pytest.approx(0.95 / 2)
    both = [[0.2, 0.8], [0.15, 0.85]]
    assert ERRORS.classwise_ece(both, [1, 0]) == pytest.approx((abs(0.2 + 0.15 - 1) + (0.2 + 0.85)) / 2 / 2)


def test_a_probability_on_an_edge_belongs_to_the_bin_below() -> None:
    check_edges()


def check_brier() -> None:
    p, y = some_probs()
    assert ERRORS.brier(p, y) == pytest.approx(brier_score_loss(y, p, scale_by_half=False), rel=1e-12)


def test_brier_is_scikit_learns() -> None:
    check_brier()
    assert brier([[1.0, 0]], [1]) == 2


def check_floor() -> None:
    c, _ = made(2000)
    rng = np.random.default_rng(0)
    drawn = [ece(c, rng.random(2000) < c) for _ in range(400)]
    assert ERRORS.ece_gaps(c, c).expected == pytest.approx(np.mean(drawn), rel=0.05)


def test_floor_is_what_chance_gives() -> None:
    check_floor()
    assert ece_gaps([1.0, 0.0], [1, 0]).expected == 0


def left_out(statistic, c: np.ndarray, a: np.ndarray) -> float:
    """Variance by the ordinary jackknife."""
    n = len(c)
    values = np.array([statistic(np.delete(c, i, axis=0), np.delete(a, i)) for i in range(n)])
    return float((n - 1) / n * ((values - values.mean()) ** 2).sum())


def check_variances() -> None:
    c, a = made(1500)
    p, y = some_probs(600)
    pairs = [
        (ERRORS.ece_gaps(c, a).terms, left_out(ece, c, a)),
        (ERRORS.adaptive_gaps(c, a, 5).terms, left_out(lambda c, a: adaptive_ece(c, a, 5), c, a)),
        (ERRORS.classwise_gaps(p, y, 3).terms, left_out(lambda p, y: classwise_ece(p, y, 3), p, y)),
        (ERRORS.brier_terms(p, y), left_out(brier, p, y)),
    ]
    for terms, expected in pairs:
        assert terms.var(ddof=1) / len(terms) == pytest.approx(expected, rel=0.06)


def test_variance_of_the_terms_is_that_of_the_jackknife() -> None:
    check_variances()


def true_ece(power: float) -> float:
    c, _ = made(400_000, 99)
    bins = np.maximum(np.ceil(c * 15) - 1, 0).astype(int)
    return float(np.abs(np.bincount(bins, c - c**power)).sum() / len(c))


def test_interval_holds_the_truth_of_a_network_that_is_not_calibrated() -> None:
    truth, inside = true_ece(2.0), 0
    for seed in range(300):
        terms = ece_gaps(*made(2000, seed)).terms
        inside += abs(terms.mean() - truth) < 1.96 * terms.std() / math.sqrt(2000)
    assert 275 <= inside <= 295  # 95 % of 300 is 285


def images(t: np.ndarray, c: float, h: float) -> np.ndarray:
    """The reflected kernel, image by image."""
    return sum(norm.pdf(t, 2 * k + s * c, h) for k in range(-3, 4) for s in (-1, 1))


def plain_smooth(c: np.ndarray, a: np.ndarray, h: float) -> float:
    t = np.linspace(0, 1, 3001)
    r = sum(images(t, float(ci), h) * (ci - ai) for ci, ai in zip(c, a, strict=True)) / len(c)
    return float(np.trapezoid(np.abs(r), t))


def check_smooth() -> None:
    for power in (2.0, 1.0, 0.5):
        c, a = made(120, 3, power)
        c[:20] = 1.0
        c[20] = 0.0
        h = SMOOTH.smooth_ece(c, a)
        assert plain_smooth(c, a, h) == pytest.approx(h, rel=2e-3)
        assert plain_smooth(c, a, h * 1.05) < h * 1.05
        assert plain_smooth(c, a, h * 0.95) > h * 0.95


def test_smooth_ece_is_the_fixed_point_of_its_integral() -> None:
    check_smooth()


def test_smooth_ece_at_its_ends() -> None:
    assert smooth_ece([1.0] * 5, [1] * 5) == 0
    assert smooth_ece([1.0] * 5, [0] * 5) == pytest.approx(1, rel=1e-6)
    assert smooth_ece([0.8] * 10, [1] * 8 + [0] * 2) == pytest.approx(0, abs=1e-12)
    c, a = made(30_000, 0, 1.0)
    assert smooth_ece(c, a) < 0.01
    big = made(30_000, 0, 2.0)
    assert smooth_ece(*big) == pytest.approx(float((big[0] - big[0] ** 2).mean()), rel=0.05)


def check_smooth_terms() -> None:
    c, a = made(400, 5, 1.2)
    found = SMOOTH.SmoothECE.of(c, a)
    assert found.terms.mean() == pytest.approx(found.value, rel=1e-12)
    assert found.terms.var() / 400 == pytest.approx(left_out(smooth_ece, c, a), rel=0.05)


def test_smooth_variance_is_that_of_the_jackknife() -> None:
    check_smooth_terms()
    assert SmoothECE.of([0.5], [1]).terms.shape == (1,)


@pytest.mark.parametrize("function", [adaptive_ece, smooth_ece, ece_gaps])
@pytest.mark.parametrize(
    ("c", "a"), [([], []), ([1.1], [1]), ([-0.1], [1]), ([np.nan], [1]), ([0.5], [1, 1])]
)
def test_what_has_no_error_is_refused(function, c: list[float], a: list[int]) -> None:
    with pytest.raises(ValueError, match="confidences"):
        function(c, a)


def test_no_bins_are_refused() -> None:
    for function in (adaptive_ece, ece_gaps):
        with pytest.raises(ValueError, match="n_bins"):
            function([0.5], [1], 0)


def gaps(of: Callable[[Gaps, np.ndarray], dict[str, object]]) -> Fault:
    """Other fields of what the bins give."""
    return lambda make: staticmethod(lambda gap, *args: replace(found := make(gap, *args), **of(found, gap)))


def untied(adaptive: Callable) -> Callable:
    """Examples of one confidence stand in the order of the file."""

    def wrong(c: np.ndarray, a: np.ndarray, n_bins: int = 15) -> Gaps:
        order = np.argsort(c, kind="stable")
        return Gaps.of_bins(c[order] - a[order], c[order], np.arange(len(c)) * n_bins // len(c), n_bins)

    return wrong


def left_closed(bins: Callable) -> Callable:
    return lambda values, n: (bins(values, n)[0], np.minimum((np.asarray(values) * n).astype(int), n - 1))


def smooth(of: Callable[[SmoothECE], dict[str, object]]) -> Fault:
    return lambda make: staticmethod(lambda c, a: replace(found := make(c, a), **of(found)))


MUTANTS: dict[str, Planted] = {
    "edges belong to the bin above": (check_edges, ERRORS, "equal_width_bins", left_closed),
    "gaps cancel": (check_ece_gaps, Gaps, "of_bins", gaps(lambda found, gap: {"terms": gap})),
    "bins of equal width": (check_adaptive, ERRORS, "adaptive_gaps", lambda _: ERRORS.ece_gaps),
    "ties in the order of the file": (check_ties, ERRORS, "adaptive_gaps", untied),
    "a sum over classes": (
        check_classwise,
        ERRORS,
        "class_gaps",
        lambda of: lambda *args: replace(found := of(*args), terms=5 * found.terms),
    ),
    "one class for all": (
        check_classwise,
        ERRORS,
        "class_gaps",
        lambda of: lambda columns, y, n: of([(0, own) for _, own in columns], y, n),
    ),
    "the largest square": (
        check_brier,
        ERRORS,
        "brier_terms",
        lambda _: lambda p, y: ((p - np.eye(p.shape[1])[y]) ** 2).max(axis=1),
    ),
    "half of what chance gives": (
        check_floor,
        CHANCE,
        "expected_gap",
        lambda of: lambda *args: of(*args) / 2,
    ),
    "terms without signs": (check_variances, Gaps, "of_bins", gaps(lambda _, gap: {"terms": np.abs(gap)})),
    "too wide a kernel": (
        check_smooth,
        SMOOTH,
        "_smooth",
        lambda of: lambda cells, h: of(cells, h * math.sqrt(2)),
    ),
    "no reflection at 1": (
        check_smooth,
        SMOOTH,
        "_smooth",
        lambda of: lambda cells, h: of(np.concatenate([cells, 0 * cells]), h / 2)[: len(cells)],
    ),
    "no fixed point": (
        check_smooth,
        SMOOTH,
        "smooth_ece",
        lambda of: lambda c, a: 1.01 * of(c, a),
    ),
    "a bandwidth that does not move": (
        check_smooth_terms,
        SmoothECE,
        "of",
        smooth(lambda found: {"terms": found.value + 0.9 * (found.terms - found.value)}),
    ),
    "terms of another mean": (
        check_smooth_terms,
        SmoothECE,
        "of",
        smooth(lambda found: {"terms": found.terms + 1e-9}),
    ),
}


test_an_error_is_seen = each_is_seen(MUTANTS)
