from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from synthetic import make

from penviz.metrics.intervals.bootstrap import (
    Change,
    Estimate,
    Jackknifed,
    biased_quantile,
    jackknife_variance,
    leave_one_out,
    mean_difference,
    mean_log_ratio,
    seed_change,
)
from penviz.metrics.intervals.interval_limits import carriers, far_share, most_far_share
from penviz.metrics.tightness.tightness import Clusters
from penviz.projection.projection import Projection
from penviz.projection.split_statistics import SplitStatistics
from penviz.study.table import CLUSTER, compare


def two_pictures(n: int = 40, together: float = 0.9) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Points of two runs on the same examples; the second is tighter and shares some of the noise."""
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0], [4, 0], [2, 3]])
    before = [m + rng.normal(size=(n + 3 * k, 2)) for k, m in enumerate(means)]
    after = [
        m + 0.7 * (together * (p - m) + math.sqrt(1 - together**2) * rng.normal(size=p.shape))
        for m, p in zip(means, before, strict=True)
    ]
    return before, after


@pytest.mark.parametrize("key", list(CLUSTER))
def test_leave_one_out_by_a_loop(key: str) -> None:
    points, _ = two_pictures(8)
    for k, without in enumerate(leave_one_out(points)):
        values = CLUSTER[key](without)
        assert values.shape == (len(points[k]),)
        for i in range(len(points[k])):
            rest = [np.delete(p, i, axis=0) if j == k else p for j, p in enumerate(points)]
            assert values[i] == pytest.approx(float(CLUSTER[key](Clusters.of(rest))), rel=1e-10)


def plain_jackknife(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    """Variance of log(rho/d after / rho/d before), one example of both runs left out at a time."""
    total = 0.0
    for k, own in enumerate(before):
        values = []
        for i in range(len(own)):
            logs = []
            for points in (before, after):
                rest = [np.delete(p, i, axis=0) if j == k else p for j, p in enumerate(points)]
                logs.append(math.log(float(Clusters.of(rest).rho_d())))
            values.append(logs[1] - logs[0])
        total += (len(own) - 1) / len(own) * sum((v - sum(values) / len(values)) ** 2 for v in values)
    return total


def test_variance_is_that_of_the_plain_jackknife() -> None:
    before, after = two_pictures()
    a, b = Jackknifed(before), Jackknifed(after)
    paired = a.change_to(b, Clusters.rho_d, paired=True)
    assert paired.variance == pytest.approx(plain_jackknife(before, after), rel=1e-9)
    assert paired.value == pytest.approx(math.log(b.whole.rho_d() / a.whole.rho_d()))
    unpaired = a.change_to(b, Clusters.rho_d, paired=False)
    alone = a.estimate(Clusters.rho_d).variance + b.estimate(Clusters.rho_d).variance
    assert unpaired.variance == pytest.approx(alone)
    assert unpaired.variance > 2 * paired.variance


def test_interval_is_that_of_a_brute_bootstrap() -> None:
    before, after = two_pictures(150)
    change = Jackknifed(before).change_to(Jackknifed(after), Clusters.rho_d, paired=True).change(True)
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(1500):
        picks = [rng.integers(len(p), size=len(p)) for p in before]
        ratios = [
            float(Clusters.of([p[i] for p, i in zip(points, picks, strict=True)]).rho_d())
            for points in (before, after)
        ]
        drawn.append(ratios[1] / ratios[0] - 1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    width = high - low
    assert change.low == pytest.approx(low, abs=0.12 * width)
    assert change.high == pytest.approx(high, abs=0.12 * width)
    assert change.clear


def test_interval_covers_the_truth() -> None:
    """Two runs of one distribution: no change in about 95 of 100 pairs, and far less with half the width."""
    rng = np.random.default_rng(2)
    means = np.array([[0.0, 0], [4, 0], [2, 3]])
    held = half = 0
    for _ in range(300):
        runs = [[m + rng.normal(size=(120, 2)) for m in means] for _ in range(2)]
        e = Jackknifed(runs[0]).change_to(Jackknifed(runs[1]), Clusters.rho_d, paired=False)
        low, high = e.bounds()
        held += low < 0 < high
        half += low - e.value < -2 * e.value < high - e.value
    assert 0.9 < held / 300 < 0.99
    assert half / 300 < 0.8


def test_pairing_in_the_wrong_order_is_seen() -> None:
    before, after = two_pictures()
    a = Jackknifed(before)
    right = a.change_to(Jackknifed(after), Clusters.rho_d, paired=True).variance
    wrong = a.change_to(Jackknifed([p[::-1] for p in after]), Clusters.rho_d, paired=True).variance
    assert wrong > 1.5 * right


def test_differences_of_means() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=500) + 3
    b = a + 0.1 + 0.2 * rng.normal(size=500)
    paired, apart = (mean_difference(a, b, paired=p) for p in (True, False))
    assert paired.value == pytest.approx(np.mean(b) - np.mean(a))
    assert paired.variance == pytest.approx(stats.sem(b - a) ** 2)
    assert apart.variance == pytest.approx(stats.sem(a) ** 2 + stats.sem(b) ** 2)
    log = mean_log_ratio(a, b, paired=True)
    loop = [math.log(np.delete(b, i).mean() / np.delete(a, i).mean()) for i in range(500)]
    assert log.value == pytest.approx(math.log(b.mean() / a.mean()))
    assert log.variance == pytest.approx(499 * np.var(loop), rel=1e-9)
    assert math.isnan(mean_log_ratio(a - 10, b, paired=True).value)


def test_what_does_not_vary_has_no_interval() -> None:
    assert mean_difference(np.zeros(50), np.zeros(50), paired=True).bounds() is None
    assert mean_difference([1.0], [2.0], paired=True).bounds() is None
    one = [np.zeros((1, 2)), np.ones((4, 2)), np.eye(2)]
    assert Jackknifed(one).estimate(Clusters.rho).bounds() is None
    assert Estimate(float("nan"), None).change(True) is None


def test_change_is_clear_when_its_interval_leaves_zero_out() -> None:
    assert Change(-0.2, -0.3, -0.1).clear
    assert Change(0.2, 0.1, 0.3).clear
    assert not Change(0.2, -0.1, 0.3).clear
    assert not Change(0.2).clear
    assert jackknife_variance([np.ones(4)]) == 0


def test_interval_over_seeds_is_that_of_welch() -> None:
    hard, soft = [0.32, 0.34, 0.31, 0.33], [0.25, 0.27, 0.22]
    change = seed_change([hard, soft])
    theirs = stats.ttest_ind(np.log(soft), np.log(hard), equal_var=False).confidence_interval(0.95)
    assert change.value == pytest.approx(stats.gmean(soft) / stats.gmean(hard) - 1)
    assert math.log1p(change.low) == pytest.approx(theirs.low, rel=0.01)
    assert math.log1p(change.high) == pytest.approx(theirs.high, rel=0.1)
    many = seed_change([np.exp(np.linspace(0, 1, 60)), np.exp(np.linspace(0, 2, 60))])
    theirs = stats.ttest_ind(np.linspace(0, 2, 60), np.linspace(0, 1, 60), equal_var=False)
    assert math.log1p(many.low) == pytest.approx(theirs.confidence_interval(0.95).low, rel=0.001)


def test_table_pairs_the_same_examples_in_any_order_and_no_others() -> None:
    a, b = make(0, n=900), make(0, n=900, noise=0.8)
    plain = (
        compare([{"train": SplitStatistics.of(a)}, {"train": SplitStatistics.of(b)}], (0, 1, 2))
        .row("rho_d")
        .changes["train"]
    )
    order = np.random.default_rng(0).permutation(900)
    for other, same in (
        (b.take(order), True),
        (make(0, n=900, noise=0.8, dataset_id="other"), False),
        (make(0, n=900, noise=0.8, dataset_id=""), False),
    ):
        table = compare([{"train": SplitStatistics.of(a)}, {"train": SplitStatistics.of(other)}], (0, 1, 2))
        change = table.row("rho_d").changes["train"]
        assert change.value == pytest.approx(plain.value, rel=1e-9)
        assert (change.low == pytest.approx(plain.low, rel=1e-9)) is same
    points = [Projection.of(x, (0, 1, 2)).points for x in (a.take(np.argsort(a.indices)), b)]
    expected = (
        Jackknifed(points[0]).change_to(Jackknifed(points[1]), Clusters.rho_d, paired=True).change(True)
    )
    assert plain == expected


def test_table_changes_have_the_right_sign_and_variance() -> None:
    runs = [
        {
            split: SplitStatistics.of(make(0, split=split, n=400, noise=noise))
            for split in ("train", "validation")
        }
        for noise in (1.0, 0.8)
    ]
    table = compare(runs, (0, 1, 2), label_smoothings=[0, 0.1])
    for row in table.rows:
        for split, change in row.changes.items():
            before, after = row.values[0].get(split), row.values[1].get(split)
            if change is None:
                assert before is None or after is None
                continue
            expected = after / before - 1 if row.number.relative else after - before
            assert change.value == pytest.approx(expected, rel=1e-9, abs=1e-12)
            assert change.low is None or change.low < change.value < change.high
    other_way = compare(runs[::-1], (0, 1, 2), label_smoothings=[0.1, 0])
    assert other_way.reference == 1
    assert other_way.row("rho_d").changes == table.row("rho_d").changes
    accuracy = table.row("accuracy").changes["train"]
    a, b = (run["train"].activations for run in runs)
    each = (b.predictions == b.labels).astype(float) - (a.predictions == a.labels)
    assert accuracy.high - accuracy.value == pytest.approx(1.96 * stats.sem(each), rel=1e-4)
    for key in ("nc1", "cdnv", "plane_share"):
        assert table.row(key).changes["train"].low is None


def far_share_by_a_loop(points: list[np.ndarray]) -> float:
    each = [float(((x - p.mean(axis=0)) ** 2).sum()) / len(p) for p in points for x in p]
    return sum(sorted(each)[-math.ceil(len(each) / 100) :]) / sum(each)


MEANS = np.array([[0.0, 0], [4, 0], [2, 3.5]])


def drawn(kind: str, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Three clusters of n points: Gaussian, of t with 3 degrees of freedom, or 1 % 20 times as far."""
    noise = rng.normal(size=(3, n, 2))
    if kind == "t3":
        noise /= np.sqrt(rng.chisquare(3, (3, n, 1)) / 3)
    if kind == "outliers":
        noise *= np.where(rng.random((3, n, 1)) < 0.01, 20, 1)
    return list(noise + MEANS[:, None])


@pytest.mark.parametrize(("kind", "square"), [("gauss", 2.0), ("t3", 6.0), ("outliers", 2 * (0.99 + 4))])
@pytest.mark.parametrize("n", [5, 100, 400])
def test_no_radius_shows_an_interval_that_misses(kind: str, square: float, n: int) -> None:
    """The jackknife alone misses far too often with heavy tails, with outliers and with few examples."""
    truth = math.log(math.sqrt(square) / float(np.mean([4, math.hypot(2, 3.5), math.hypot(2, 3.5)])))
    rng, sets, alone, shown, missed = np.random.default_rng(5), 150, 0, 0, 0
    for _ in range(sets):
        points = drawn(kind, n, rng)
        found = Jackknifed(points).estimate(Clusters.rho_d)
        alone += abs(found.value - truth) > 1.96 * math.sqrt(found.variance)
        bounds = found.bounds()
        shown += bounds is not None
        missed += bounds is not None and not bounds[0] <= truth <= bounds[1]
        assert (bounds is None) == (found.why != "")
    assert missed / sets <= 0.13  # 0.07 and 3 standard deviations of a share of 150
    if n == 5:
        assert shown == 0
    if kind == "gauss" and n > 5:
        assert shown == sets
    if (kind, n) in (("t3", 100), ("t3", 400), ("outliers", 5), ("outliers", 100), ("gauss", 5)):
        assert alone / sets > 0.12


def test_share_of_the_farthest() -> None:
    points = drawn("t3", 150, np.random.default_rng(0))
    squares = [((p - p.mean(axis=0)) ** 2).sum(axis=1) for p in points]
    assert far_share(squares) == pytest.approx(far_share_by_a_loop(points))
    assert far_share([np.zeros(4)] * 3) == 0
    assert [most_far_share(n) for n in (300, 3000, 10**6)] == pytest.approx([0.12, 0.2, 0.2])
    assert carriers(np.r_[np.zeros(990), np.ones(10)]) == pytest.approx(10, rel=0.05)
    assert carriers(np.ones(9)) == 0
    assert carriers(np.random.default_rng(0).normal(size=30_000)) == pytest.approx(10_000, rel=0.1)


def test_few_events_have_no_interval() -> None:
    none = np.zeros(1000)
    for events in (4, 40):
        some = np.r_[np.ones(events), np.zeros(1000 - events)]
        found = mean_difference(none, some, paired=True)
        assert (found.bounds() is None) == (events == 4)
        assert found.change(False).why == ("too few examples carry it" if events == 4 else "")
    assert mean_difference(none[:40], np.arange(40.0), paired=True).bounds() is None


def test_a_bias_of_any_size_has_a_quantile() -> None:
    for bias in (0.0, 3.0, 1e5, 1e9, 1e300):
        assert biased_quantile(bias) == pytest.approx(bias + 1.645 if bias else 1.96, rel=1e-3)
