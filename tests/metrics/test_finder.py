"""The finder against loops over all triples, and all triples of 100 classes against the path of one."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from faults import Fault, Planted, each_is_seen
from sklearn.metrics import confusion_matrix
from sklearn.metrics.pairwise import cosine_similarity
from synthetic import make

from penviz.metrics.calibration.temperature import halve
from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.tightness import finder as FINDER
from penviz.metrics.tightness.finder import Ranking, highest, most_alike, most_changed, most_confused, rank_of
from penviz.projection.projection import Projection
from penviz.projection.split_statistics import SplitStatistics, triple_changes
from penviz.store.activations import Activations

A, B = make(0, n=300, n_classes=8, noise=2.5), make(1, n=300, n_classes=8, noise=1.5)
ALL = list(itertools.combinations(range(8), 3))


def as_loop(ranking: Ranking, values: dict[tuple[int, ...], float], m: int) -> None:
    """The ranking is the first m of the values, highest first."""
    expected = sorted(values, key=lambda t: -values[t])[:m]
    assert [values[tuple(t)] for t in ranking.triples.tolist()] == pytest.approx(
        [values[t] for t in expected]
    )
    assert ranking.values == pytest.approx([values[t] for t in expected])
    assert len({tuple(t) for t in ranking.triples.tolist()}) == m


def check_confused() -> None:
    shares = {}
    for triple in ALL:
        parts = []
        for k in triple:
            own = [p for p, y in zip(A.predictions, A.labels, strict=True) if y == k]
            parts.append(sum(p != k and p in triple for p in own) / len(own))
        shares[triple] = sum(parts) / 3
    found = FINDER.most_confused(SplitStatistics.of(A), 12)
    as_loop(found, shares, 12)
    assert (found.n, found.n_all) == (56, 56)
    assert found.values[0] > 1.2 * found.values[-1]


def test_most_confused_by_a_loop() -> None:
    check_confused()


def check_confusion() -> None:
    np.testing.assert_array_equal(
        FINDER.confusion(A.labels, A.predictions, 8),
        confusion_matrix(A.labels, A.predictions, labels=range(8)),
    )


def test_confusion_is_scikit_learns() -> None:
    check_confusion()


def check_alike() -> None:
    for bias in (True, False):
        w = A.head.templates(bias)
        cosine = cosine_similarity(w - w.mean(axis=0))
        values = {t: sum(cosine[i, j] for i, j in itertools.combinations(t, 2)) / 3 for t in ALL}
        as_loop(FINDER.most_alike(SplitStatistics.of(A), 9, bias), values, 9)


def test_most_alike_is_scikit_learns() -> None:
    check_alike()
    bare = Activations(A.features, A.labels, A.predictions, A.indices, A.class_names, "r", "train")
    assert most_alike(SplitStatistics.of(bare)).n == 0


def check_changed() -> None:
    changes = {}
    for triple in ALL:
        here, there = (float(Projection.of(a, triple).clusters.rho_d()) for a in (A, B))
        changes[triple] = there / here - 1
    order = sorted(ALL, key=lambda t: -abs(math.log1p(changes[t])))
    for least in (False, True):
        found = FINDER.most_changed(SplitStatistics.of(A), SplitStatistics.of(B), 5, least=least)
        expected = order[::-1][:5] if least else order[:5]
        assert [tuple(t) for t in found.triples.tolist()] == expected
        assert found.values == pytest.approx([changes[t] for t in expected], rel=1e-9)
        assert (found.n, found.n_all) == (56, 56)
    triples, values, _ = triple_changes(SplitStatistics.of(A), SplitStatistics.of(B))
    for place in (0, 7, 55):
        down = sorted(ALL, key=lambda t: -changes[t])[place]
        assert FINDER.rank_of((down[2], down[0], down[1]), triples, values) == place + 1
        assert FINDER.rank_of(down, triples, values, lowest=True) == 56 - place


def test_most_and_least_changed_and_the_rank_of_the_chosen() -> None:
    check_changed()
    triples, values, _ = triple_changes(SplitStatistics.of(A), SplitStatistics.of(B))
    assert rank_of((0, 1, 8), triples, values) is None
    assert rank_of((0, 1, 2), triples, np.where((triples == [0, 1, 2]).all(axis=1), np.nan, values)) is None
    assert rank_of((0, 1, 3), triples, np.ones(len(triples))) == 1


def test_half_and_double_count_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    triples = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    monkeypatch.setattr(FINDER, "triple_changes", lambda *_: (triples, np.array([0.9, -0.5, 0.1]), 3))
    assert most_changed(SplitStatistics.of(A), SplitStatistics.of(B), 1).values == pytest.approx([-0.5])
    assert most_changed(SplitStatistics.of(A), SplitStatistics.of(B), 1, least=True).values == pytest.approx(
        [0.1]
    )


def test_runs_without_common_triples() -> None:
    fewer = SplitStatistics.of(B.take(B.labels != 1))
    assert most_changed(SplitStatistics.of(A), fewer).n == 0
    found = most_confused(fewer, 100)
    assert (found.n, found.n_all) == (35, 56)
    assert not (found.triples == 1).any()


def test_equal_sums_stand_in_the_order_of_the_classes() -> None:
    assert highest(np.zeros((5, 5)), 4).triples.tolist() == [[0, 1, 2], [0, 1, 3], [0, 1, 4], [0, 2, 3]]
    assert highest(np.zeros((2, 2))).n == 0


def test_two_hundred_triples_of_a_hundred_classes_are_those_of_one() -> None:
    a = make(5, d=64, n_classes=100, n=3000)
    whole = SplitStatistics.of(a)
    assert len(whole.triples.triples) == 161_700
    for bias in (True, False):
        for at in np.random.default_rng(0).choice(161_700, 200, replace=False):
            triple = whole.triples.triples[at].tolist()
            expected = float(Projection.of(a, triple, bias).clusters.rho_d())
            assert whole.rho_d[bias][at] == pytest.approx(expected, rel=1e-9)


def test_the_finder_does_a_thousand_classes() -> None:
    rng = np.random.default_rng(0)
    w = rng.normal(size=(1000, 32))
    w[700], w[20] = w[431] + 0.01, w[431] - 0.01
    start = time.perf_counter()
    found = highest(FINDER.alike_pairs(w), 3)
    assert found.triples[0].tolist() == [20, 431, 700]
    assert found.n == 166_167_000
    assert time.perf_counter() - start < 60  # about 5 s on an idle core


def check_halves() -> None:
    """Ordered by one half of the examples, with the values of the other, by a loop over all triples."""
    parts = []
    for a in (A, B):
        fit, report = halve(class_rows(a.labels, 8, a.indices))
        assert not set(fit) & set(report)
        assert len(fit) + len(report) == len(a)
        parts.append((a.take(fit), a.take(report)))

    def changes(half: int) -> dict[tuple[int, ...], float]:
        ratios = [{t: float(Projection.of(p[half], t).clusters.rho_d()) for t in ALL} for p in parts]
        return {t: ratios[1][t] / ratios[0][t] - 1 for t in ALL}

    chosen, other = changes(0), changes(1)
    order = sorted(ALL, key=lambda t: -abs(math.log1p(chosen[t])))
    runs = [SplitStatistics.of(A), SplitStatistics.of(B)]
    for how, expected in (("most-changed", order[:6]), ("least-changed", order[::-1][:6])):
        found = FINDER.find(how, runs, 6)
        assert [tuple(t) for t in found.triples.tolist()] == expected
        assert found.values == pytest.approx([other[t] for t in expected], rel=1e-9)
        assert found.halved
    first, second = (SplitStatistics.of(half) for half in parts[0])
    confused, everything = FINDER.find("most-confused", runs[:1], 6), FINDER.most_confused(second, 56)
    values = {tuple(t): v for t, v in zip(everything.triples.tolist(), everything.values, strict=True)}
    assert confused.triples.tolist() == FINDER.most_confused(first, 6).triples.tolist()
    assert confused.values == pytest.approx([values[tuple(t)] for t in confused.triples.tolist()])
    assert not FINDER.find("most-alike", runs[:1]).halved


def test_what_is_found_is_not_judged_on_what_found_it() -> None:
    check_halves()


def test_the_highest_of_many_noisy_changes_are_not_too_high() -> None:
    """Two networks of one kind: the triples chosen on a half seem to move there, and do not on the other."""
    flattered, honest = [], []
    for seed in range(4):
        runs = [SplitStatistics.of(make(10 * seed + i, n=480, n_classes=12, dataset_id="")) for i in (1, 2)]
        found = FINDER.find("most-changed", runs, 10)
        own = most_changed(runs[0].halves()[0], runs[1].halves()[0], 10)
        assert own.triples.tolist() == found.triples.tolist()
        sign = np.sign(own.values)
        flattered.append(float(np.mean(sign * np.log1p(own.values))))
        honest.append(float(np.mean(sign * np.log1p(found.values))))
    assert min(flattered) > 0.2
    assert np.mean(honest) < 0.5 * np.mean(flattered)


def shares(along: int, both: bool) -> Fault:
    """Shares of the examples of a class (1) or of a prediction (0); of both directions or of one."""

    def wrong(summary: SplitStatistics, classes: np.ndarray) -> np.ndarray:
        a = summary.activations
        counts = confusion_matrix(a.labels, a.predictions, labels=range(8))
        share = counts / np.maximum(counts.sum(axis=along, keepdims=True), 1)
        return (share + share.T * both) / 3

    return lambda _: wrong


def of_two_pairs(_: Callable) -> Callable:
    """The highest sums of two of the three pairs."""

    def wrong(pairs: np.ndarray, m: int = 10) -> Ranking:
        values = {t: pairs[t[0], t[1]] + pairs[t[0], t[2]] for t in ALL}
        first = sorted(values, key=lambda t: -values[t])[:m]
        return Ranking(np.array(first), np.array([values[t] for t in first]), 56, 56)

    return wrong


def passing_over(highest: Callable) -> Callable:
    """Every second of the highest."""

    def wrong(pairs: np.ndarray, m: int = 10) -> Ranking:
        found = highest(pairs, 2 * m)
        return replace(found, triples=found.triples[::2], values=found.values[::2])

    return wrong


def upward(_: Callable) -> Callable:
    """Only a rise counts as a change."""

    def wrong(before: SplitStatistics, after: SplitStatistics, m: int, *, least: bool = False) -> Ranking:
        triples, change, n = triple_changes(before, after)
        first = np.argsort(change if least else -change, kind="stable")[:m]
        return Ranking(triples[first], change[first], len(triples), n)

    return wrong


MUTANTS: dict[str, Planted] = {
    "the half that chose": (
        check_halves,
        SplitStatistics,
        "halves",
        lambda halves: lambda self: halves(self)[:1] * 2,
    ),
    "one direction": (check_confused, FINDER, "confused_pairs", shares(1, both=False)),
    "shares of predictions": (check_confused, FINDER, "confused_pairs", shares(0, both=True)),
    "some are passed over": (check_confused, FINDER, "highest", passing_over),
    "columns for rows": (
        check_confusion,
        FINDER,
        "confusion",
        lambda of: lambda y, guess, n: of(guess, y, n),
    ),
    "templates about 0": (
        check_alike,
        FINDER,
        "alike_pairs",
        lambda _: lambda w, classes: cosine_similarity(w) / 3,
    ),
    "two of the pairs": (check_alike, FINDER, "highest", of_two_pairs),
    "a rise alone": (check_changed, FINDER, "most_changed", upward),
    "least for most": (
        check_changed,
        FINDER,
        "most_changed",
        lambda of: lambda *runs, least: of(*runs, least=not least),
    ),
    "classes as they are named": (
        check_changed,
        FINDER,
        "rank_of",
        lambda of: (
            lambda chosen, *a, **way: of(chosen, *a, **way) if list(chosen) == sorted(chosen) else None
        ),
    ),
    "from the top alone": (
        check_changed,
        FINDER,
        "rank_of",
        lambda of: lambda *a, lowest=False: of(*a),
    ),
}


test_an_error_is_seen = each_is_seen(MUTANTS)
