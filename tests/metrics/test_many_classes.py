"""Heads of many classes: the same numbers, and no array of examples or classes by classes."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
from itertools import combinations

import numpy as np
import pytest
from synthetic import make

from penviz.metrics import class_sample as SAMPLE
from penviz.metrics import logits as LOGITS
from penviz.metrics.calibration.temperature import softmax
from penviz.metrics.class_sample import class_sample, sample_words
from penviz.metrics.collapse.collapse import cdnv
from penviz.metrics.collapse.margins import margins
from penviz.metrics.collapse.moments import Moments
from penviz.metrics.collapse.simplex import Simplex
from penviz.metrics.erased import Erased
from penviz.metrics.information import equivalent_smoothing, stability
from penviz.metrics.logits import LogitNumbers
from penviz.metrics.target_vectors import Targets, optimal_gaps, optimal_logits, refusal, target_vectors
from penviz.metrics.tightness import finder as FINDER
from penviz.metrics.tightness.finder import find
from penviz.metrics.tightness.tightness import space_distance
from penviz.projection.projection import Projection
from penviz.projection.split_statistics import SplitStatistics
from penviz.store import head as HEAD
from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.study.geometry import geometry_table, measure_geometry
from penviz.study.table import compare


def large(n_classes: int, n: int, d: int = 6) -> Activations:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((n_classes, d)).astype(np.float32)
    y = np.arange(n) % n_classes
    x = (weight[y] + 0.5 * rng.standard_normal((n, d))).astype(np.float32)
    head = Head(weight, rng.standard_normal(n_classes).astype(np.float32))
    guess = np.concatenate([z.argmax(1) for _, z in head.logit_blocks(x)])
    names = tuple(map(str, range(n_classes)))
    return Activations(x, y, guess, np.arange(n), names, "many", "train", head)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a = make(3, n=200, d=9, n_classes=7)
    z = a.logits()
    whole = margins(a)
    monkeypatch.setattr(HEAD, "BLOCK", 30)
    monkeypatch.setattr(LOGITS, "CACHED", 20)
    order = np.random.default_rng(0).permutation(200)
    found = np.concatenate([part.copy() for _, part in a.logit_blocks(order)])
    np.testing.assert_allclose(found, z[order], rtol=1e-12)
    assert [rows.stop - rows.start for rows, _ in a.logit_blocks()] == [4] * 50
    for own, blocked in zip(whole, margins(a), strict=True):
        np.testing.assert_allclose(blocked, own, rtol=1e-10)
    of_all = LogitNumbers.of_all(a)
    for i, (row, y) in enumerate(zip(z, a.labels.tolist(), strict=True)):
        wrong = np.delete(row, y)
        assert of_all.nll[i] == pytest.approx(math.log(sum(math.exp(v - row[y]) for v in row)), rel=1e-10)
        assert of_all.gap[i] == pytest.approx(row[y] - wrong.mean(), rel=1e-10)
        assert of_all.spread[i] == pytest.approx(wrong.std(), rel=1e-10)
        assert of_all.top5[i] == (sum(wrong > row[y]) < 5)
    np.testing.assert_allclose(a.head.confidences(a.features), of_all.confidence, rtol=1e-5)


def test_near_templates_have_their_own_distance() -> None:
    """A difference that a Gram matrix rounds away."""
    a = make(3, n=60, d=9, n_classes=6)
    weight = 1000 + a.head.weight.astype(np.float64)
    weight[1] = weight[0]
    weight[1, 3] += 2**-8  # exact in float32
    head = Head(weight)
    near = Activations(a.features, a.labels, a.predictions, a.indices, a.class_names, "r", "train", head)
    w, z = head.weight.astype(np.float64), near.logits()
    for i in np.flatnonzero(a.labels < 2):
        y = a.labels[i]
        each = [(z[i, y] - z[i, j]) / math.dist(w[y], w[j]) for j in range(6) if j != y]
        assert margins(near)[1][i] == pytest.approx(min(each), rel=1e-6)


def test_a_sample_of_classes_stands_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    a = make(5, d=8, n_classes=30, n=900)
    monkeypatch.setattr(SAMPLE, "MOST", 11)
    some = class_sample(np.arange(30))
    assert len(some) == 11
    assert (np.diff(some) > 0).all()
    np.testing.assert_array_equal(some, class_sample(np.arange(30)))
    assert sample_words(30) == "over 11 of 30 classes, drawn with seed 0"
    assert sample_words(11) == ""
    m, w = Moments.of(a.features, a.labels, 30), a.head.weight.astype(np.float64)
    pairs = list(combinations(some.tolist(), 2))
    apart = [math.dist(m.mean[i], m.mean[j]) for i, j in pairs]
    assert space_distance(m) == pytest.approx(np.mean(apart))
    v = m.trace / m.count
    each = [(v[i] + v[j]) / (2 * r**2) for (i, j), r in zip(pairs, apart, strict=True)]
    assert cdnv(m) == pytest.approx(np.mean(each))
    centred = w - w.mean(axis=0)
    cosines = [
        centred[i] @ centred[j] / np.linalg.norm(centred[i]) / np.linalg.norm(centred[j]) for i, j in pairs
    ]
    found = Simplex.of(w)
    assert found.equiangular == pytest.approx(np.std(cosines))
    assert found.angle == pytest.approx(np.mean(np.abs(np.array(cosines) + 1 / 29)))
    gram = centred @ centred.T
    ideal = (np.eye(30) - 1 / 30) / math.sqrt(29)
    assert found.etf == pytest.approx(np.linalg.norm(gram / np.linalg.norm(gram) - ideal), rel=1e-10)


def test_the_sample_is_said_where_the_number_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SAMPLE, "MOST", 11)
    runs = [{"train": SplitStatistics.of(make(5, d=8, n_classes=30, n=900))}]
    table = compare(runs, (0, 1, 2))
    geometry = geometry_table(table, runs, [measure_geometry(one) for one in runs])
    said = {row.number.key for row in (*table.rows, *geometry.rows) if "11 of 30 classes" in row.note}
    assert said == {
        *("space_distance", "space_ratio", "cdnv", "means_equiangular", "means_angle"),
        *("templates_equiangular", "templates_angle"),
    }


def test_the_finder_looks_at_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    a = make(5, d=8, n_classes=30, n=900)
    runs = [SplitStatistics.of(a)]
    every = {
        how: {tuple(t): v for t, v in zip(found.triples.tolist(), found.values, strict=True)}
        for how in ("most-confused", "most-alike")
        for found in [find(how, runs, 4060)]
    }
    monkeypatch.setattr(SAMPLE, "MOST", 11)
    for how, values in every.items():
        found = FINDER.find(how, runs, 200)
        assert (found.n, found.n_all, found.sampled) == (165, 4060, True)
        assert set(found.triples.ravel().tolist()) <= set(class_sample(np.arange(30)).tolist())
        for triple, value in zip(found.triples.tolist(), found.values, strict=True):
            assert value == pytest.approx(values[tuple(triple)])


def test_sampled_triples_of_many_classes_agree_with_the_path_of_one() -> None:
    s = SplitStatistics.of(large(400, 2000))
    assert len(s.triples.triples) == 20_000
    for at in np.random.default_rng(1).choice(20_000, 40, replace=False):
        for bias in (True, False):
            own = float(Projection.of(s.activations, s.triples.triples[at].tolist(), bias).clusters.rho_d())
            assert s.rho_d[bias][at] == pytest.approx(own, rel=1e-9)


@pytest.mark.parametrize("kind", ["uniform", "others", "prior", "binary", "clip", "pair", "hard"])
def test_gaps_and_refusals_are_those_of_all_vectors(kind: str) -> None:
    u = np.random.default_rng(0).random(12)
    for prior in (u / u.sum(), np.eye(12)[3]):
        for alpha in (0.1, 0.9):
            targets = Targets(kind, 0.0 if kind == "hard" else alpha, tuple(prior))
            rows, z = target_vectors(targets, 12), optimal_logits(targets, 12)
            gaps = [z[k, k] - np.delete(z[k], k).mean() for k in range(12)]
            np.testing.assert_allclose(optimal_gaps(targets, 12), gaps, rtol=1e-10)
            beaten = any(np.delete(rows[k], k).max() >= rows[k, k] for k in range(12))
            uneven = not targets.sigmoids and abs(rows.sum(axis=1).max() - 1) > 1e-5
            assert bool(refusal(targets, 12)) == (beaten or uneven)


def peak(work: str) -> float:
    """MB that Python and NumPy hold at most in a child, beyond what they hold before."""
    code = f"""
        import sys, tracemalloc
        sys.path[:0] = {[str(__import__("pathlib").Path(__file__).parent)]!r}
        from test_many_classes import large
        from penviz.study.geometry import measure_geometry
        from penviz.projection.split_statistics import SplitStatistics
        from penviz.study.table import compare
        from penviz.metrics.target_vectors import Targets
        from penviz.metrics.tightness.finder import find
        from penviz.metrics.calibration.calibrated import Calibrated
        from penviz.store import head as A
        from penviz.metrics import class_sample as S
        from penviz.metrics.calibration import logit_rows as L
        a = large(4000, 8000)
        tracemalloc.start()
        {work}
        print(tracemalloc.get_traced_memory()[1] / 1e6)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.parametrize(
    "work",
    [
        "runs = [{'train': SplitStatistics.of(a)}]; measure_geometry(runs[0]); "
        "compare(runs, (0, 1, 2), targets=[Targets('uniform', 0.1)])",
        "find('most-confused', [SplitStatistics.of(a)])",
        "Calibrated.of(a)",
    ],
)
def test_memory_is_bounded(work: str) -> None:
    """[n, K] alone would be 256 MB in float64, and [K, K] 128 MB."""
    assert peak(f"L.FITTED = 10**6; {work}") < 100


@pytest.mark.parametrize("bound", ["A.BLOCK = 2**30", "S.MOST = 10**6"])
def test_without_a_bound_it_is_not(bound: str) -> None:
    assert peak(f"{bound}; measure_geometry({{'train': SplitStatistics.of(a)}})") > 250


def test_what_a_teacher_tells_is_that_of_all_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    a = make(3, n=200, d=9, n_classes=6)
    monkeypatch.setattr(HEAD, "BLOCK", 30)
    found = Erased.of(a)
    p = softmax(a.logits())
    assert found.instability == pytest.approx(1 - stability(p, a.labels), rel=1e-9)
    for t, gamma in found.gamma.items():
        assert gamma == pytest.approx(equivalent_smoothing(softmax(a.logits(), t), a.labels), rel=1e-9)
