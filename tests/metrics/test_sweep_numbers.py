from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from penviz.metrics.calibration.temperature import halve
from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.target_vectors import Targets
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.study.sweep import (
    SWEPT,
    SWITCHED,
    Swept,
    calibrated_values,
    curve,
    mean_change,
    run_values,
    sweep_finding,
    t_interval,
)
from penviz.study.table import compare

RNG = np.random.default_rng(5)


def activations(split: str = "validation", n: int = 600, reach: float = 1.0, seed: int = 0) -> Activations:
    """Ten classes that overlap; `reach` makes the network more or less sure."""
    rng = np.random.default_rng([seed, split == "train"])
    labels = np.arange(n) % 10
    features = np.eye(10)[labels] * 2 + rng.normal(size=(n, 10))
    head = Head(np.eye(10) * reach, np.zeros(10))
    guess = head.logits(features).argmax(axis=1)
    names = tuple("abcdefghij")
    return Activations(features, labels, guess, np.arange(n), names, "run", split, head, "data")


def run_of(alpha: float, seed: int, rho_d: float, **more: float) -> Swept:
    values = {"train": {"rho_d": rho_d, **more}, "validation": {"rho_d": 1.2 * rho_d, **more}}
    return Swept(f"net-{alpha:g}-{seed}", alpha, seed, values)


@pytest.mark.parametrize("n", [3, 4, 10, 60])
def test_the_interval_over_seeds_is_students(n: int) -> None:
    values = RNG.normal(size=n)
    low, high = t_interval(values.tolist())
    half = (high - low) / 2
    assert (low + high) / 2 == pytest.approx(values.mean())
    assert half == pytest.approx(stats.t.ppf(0.975, n - 1) * stats.sem(values), rel=1e-3)
    assert half != pytest.approx(stats.norm.ppf(0.975) * stats.sem(values), rel=1e-2)  # what it must not be
    assert all(map(math.isnan, t_interval(values[:2].tolist())))


def test_the_interval_of_a_difference_is_welchs() -> None:
    for _ in range(20):
        a, b = RNG.normal(size=3), RNG.normal(3, 2, size=5)
        found = mean_change(a.tolist(), b.tolist())
        expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
        close = 0.01 * (expected.high - expected.low)  # an end may lie anywhere, at 0 too
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=close)
        assert found.value == pytest.approx(b.mean() - a.mean())
    assert mean_change(a[:2].tolist(), b.tolist()).low is None


def test_a_curve_against_a_plain_loop() -> None:
    runs = [run_of(alpha, seed, RNG.uniform(0.2, 0.5)) for seed in range(3) for alpha in (0.1, 0.0, 0.4)]
    runs.append(Swept("without", 0.4, 9, {"train": {"rho_d": None}, "validation": {}}))
    found = curve(runs, "rho_d", "train")
    assert found.alphas.tolist() == [0.0, 0.1, 0.4]
    assert found.counts.tolist() == [3, 3, 3]
    for i, alpha in enumerate((0.0, 0.1, 0.4)):
        side = [r.values["train"]["rho_d"] for r in runs if r.label_smoothing == alpha and r.seed != 9]
        assert found.mean[i] == pytest.approx(sum(side) / 3)
        assert found.low[i] < found.mean[i] < found.high[i]
    assert len(found.points) == 9
    assert [a for a, _, _ in found.points] == sorted(a for a, _, _ in found.points)
    assert np.isnan(curve(runs, "nll", "train").mean).all()


def test_the_numbers_of_a_run_are_those_of_the_table() -> None:
    splits = {s: SplitStatistics.of(activations(s)) for s in ("train", "validation")}
    values = run_values(splits, (2, 5, 7), targets=Targets.of(0.1))
    table = compare([splits], (2, 5, 7), label_smoothings=[0.1])
    for split in splits:
        for row in table.rows:
            assert values[split][row.number.key] == row.values[0].get(split), row.number.key
    assert (
        values["train"]["rho_d"] != run_values(splits, (0, 1, 2), targets=Targets.of(0.1))["train"]["rho_d"]
    )
    assert {key for v in values.values() for key in v} <= {number.key for number in SWEPT}
    assert "temperature" not in values["train"]  # known by heart
    assert values["validation"]["temperature"] is not None
    others = run_values(splits, (2, 5, 7), targets=Targets("others", 0.1))["train"]
    wanted = values["train"]["gap"] / (np.log(0.9) - np.log(0.1 / 9))  # type: ignore[operator]
    assert others["gap_ratio"] == pytest.approx(wanted)
    assert others["gap_ratio"] != values["train"]["gap_ratio"]


@pytest.mark.parametrize("reach", [0.5, 4.0])
def test_the_temperature_is_that_of_a_logistic_fit(reach: float) -> None:
    """Features scaled by one number: scikit-learn's fit without penalty finds 1 / T up to its own freedom."""
    a = activations(n=4000, reach=reach)
    t = calibrated_values(a, "validation")["temperature"]
    best = min(
        np.geomspace(0.1, 10, 401),
        key=lambda s: (
            -np.mean(
                np.log(np.exp(a.logits() / s)[np.arange(4000), a.labels] / np.exp(a.logits() / s).sum(axis=1))
            )
        ),
    )
    assert t == pytest.approx(best, rel=0.1)  # fitted on half of the examples
    assert (t > 1) == (reach > 2)
    model = LogisticRegression(C=np.inf, fit_intercept=False).fit(a.logits(), a.labels)
    weights = np.diag(model.coef_ - model.coef_.mean(axis=0)).mean() / 0.9
    assert t == pytest.approx(1 / weights, rel=0.2)


def test_ece_after_scaling_by_a_loop() -> None:
    """Over the half that the temperature was not fitted on, in 15 right-closed bins."""
    a = activations(n=2000, reach=4.0)
    found = calibrated_values(a, "validation")
    _, report = halve(class_rows(a.labels, 10, a.indices))
    bins: list[list[tuple[float, float]]] = [[] for _ in range(15)]
    for row in report:
        z = a.logits()[row] / found["temperature"]
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        bins[math.ceil(p.max() * 15) - 1].append((p.max(), float(p.argmax() == a.labels[row])))
    expected = sum(abs(sum(c for c, _ in b) - sum(r for _, r in b)) for b in bins) / len(report)
    assert found["ece_scaled"] == pytest.approx(expected)
    assert found["ece_scaled"] < ece_at_one(a)


def ece_at_one(a: Activations) -> float:
    return SplitStatistics.of(a).numbers["ece"] or 0.0


def test_the_order_of_errors_by_hand() -> None:
    a = activations(n=40)
    z = a.logits()
    p = np.exp(z - z.max(axis=1, keepdims=True))
    sure = (p / p.sum(axis=1, keepdims=True)).max(axis=1)
    wrong = (a.predictions != a.labels)[np.argsort(-sure)]
    expected = np.mean([wrong[: i + 1].mean() for i in range(40)])
    assert calibrated_values(a, "train") == {"aurc": pytest.approx(expected)}
    assert calibrated_values(activations(n=10), "train") == {}


def test_findings() -> None:
    def sweep(changes: dict[float, float], seeds: int) -> list[Swept]:
        noise = (1.0, 1.01, 0.99)
        return [run_of(a, s, 0.4 * c * noise[s]) for a, c in changes.items() for s in range(seeds)]

    def words(runs: list[Swept]) -> tuple[str, str]:
        found = sweep_finding(runs, (0, 1, 2), True)
        return found.headline, found.detail

    head, detail = words(sweep({0.0: 1, 0.1: 0.75}, 3))
    assert "training clusters are 25 % tighter" in head
    assert "95 % CI over 3 training seeds per setting" in detail
    assert "30 % looser" in words(sweep({0.0: 1, 0.1: 1.3}, 3))[0]
    assert words(sweep({0.0: 1, 0.1: 1.001}, 3))[0] == "No clear difference"
    head, detail = words(sweep({0.0: 1, 0.1: 0.75}, 2))
    assert (
        head == "ρ/d on train is 0.402 and 0.302 at label smoothing 0 and 0.1; too few seeds for a conclusion"
    )
    head, detail = words(sweep({0.0: 1, 0.1: 0.75, 0.4: 1.001}, 3))
    assert head == "ρ/d on train is 0.400, 0.300 and 0.400 at label smoothing 0, 0.1 and 0.4"
    assert detail.startswith(
        "Compared with hard targets, α = 0.1: ρ/d 0.400 → 0.300 (−25 %, 95 % CI −27 to −23);"
    )
    assert "), no clear difference. 95 % CI over 3 training seeds per setting. Validation: 0.480, " in detail
    assert "tighter" not in words(sweep({0.0: 1, 0.1: 0.75, 0.4: 1.001}, 2))[0]
    assert sweep_finding(sweep({0.1: 1}, 3), (0, 1, 2), True).kind == "equal"
    clipped = [replace(run, kind="clip") for run in sweep({0.0: 1, 0.1: 0.75}, 3)]
    assert words(clipped)[0].startswith("Clipping of the targets (α = 0.1): ")
    few = [replace(run, kind="clip") for run in sweep({0.0: 1, 0.1: 0.75}, 2)]
    assert "at clipping of the targets 0 and 0.1; too few" in words(few)[0]
    same = [replace(run, kind="clip") for run in sweep({0.1: 1}, 3)]
    assert words(same)[0].startswith("All 3 runs have the same targets (targets clipped by 0.1)")
    assert sweep_finding(sweep({0.0: 1, 0.1: 0.7}, 3), (0, 1, 2), True, "net").headline.startswith("net: ")


def test_a_seed_that_stands_twice_counts_once() -> None:
    """Each run beside a copy of itself: the same means and intervals, twice the points."""
    once = [
        run_of(a, s, 0.4 * c * (1.0, 1.04, 0.97)[s])
        for a, c in ((0.0, 1), (0.1, 0.9), (0.4, 0.8))
        for s in range(3)
    ]
    twice = [*once, *(replace(run, name=f"{run.name}-again") for run in once)]
    plain, found = (curve(runs, "rho_d", "train") for runs in (once, twice))
    assert found.counts.tolist() == [3, 3, 3]
    assert np.allclose([found.mean, found.low, found.high], [plain.mean, plain.low, plain.high], rtol=1e-12)
    assert len(found.points) == 2 * len(plain.points) == 18
    assert sweep_finding(twice, (0, 1, 2), True) == sweep_finding(once, (0, 1, 2), True)
    pair = [run for run in twice if run.label_smoothing < 0.4]
    assert sweep_finding(pair, (0, 1, 2), True).detail.endswith("95 % CI over 3 training seeds per setting.")
    two_seeds = [run for run in twice if run.seed < 2]
    assert np.isnan(curve(two_seeds, "rho_d", "train").low).all()  # four runs, two seeds
    assert "at least three seeds" in sweep_finding(two_seeds, (0, 1, 2), True).detail
    hard = [run for run in twice if not run.label_smoothing]
    assert sweep_finding(hard, (0, 1, 2), True).kind == "equal"


def test_runs_of_one_seed_that_differ_are_averaged_first() -> None:
    runs = [run_of(0.1, seed, value) for seed, value in ((0, 0.2), (0, 0.4), (1, 0.5), (2, 0.7))]
    runs.append(Swept("without", 0.1, 2, {"train": {"rho_d": None}}))
    found = curve(runs, "rho_d", "train")
    assert found.mean[0] == pytest.approx((0.3 + 0.5 + 0.7) / 3)
    assert (found.low[0], found.high[0]) == pytest.approx(t_interval([0.3, 0.5, 0.7]))
    assert found.counts.tolist() == [3]
    assert sorted(value for _, value, _ in found.points) == [0.2, 0.4, 0.5, 0.7]


def test_a_sweep_whose_conclusion_depends_on_the_bias_switch_has_none() -> None:
    def made(alpha: float, seed: int, switched: float) -> Swept:
        noise = (1.0, 1.01, 0.99)[seed]
        values = {"rho_d": (0.3 if alpha else 0.4) * noise, SWITCHED: switched * noise}
        return Swept(f"{alpha}-{seed}", alpha, seed, {"train": values})

    agreeing = [made(a, s, 0.3 if a else 0.4) for a in (0.0, 0.1) for s in range(3)]
    other = [made(a, s, 0.4) for a in (0.0, 0.1) for s in range(3)]
    assert sweep_finding(agreeing, (0, 1, 2), True).kind == "tighter"
    assert sweep_finding(other, (0, 1, 2), True).kind == "depends"
    assert sweep_finding(other, (0, 1, 2), False).kind == "depends"
    three = [*other, *(made(0.2, s, 0.4) for s in range(3))]
    assert "it depends on whether the bias counts" in sweep_finding(three, (0, 1, 2), True).detail
