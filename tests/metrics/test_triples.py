from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from synthetic import make

from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.tightness import triples as TRIPLES
from penviz.metrics.tightness.triples import TripleMoments, list_triples
from penviz.projection.projection import Projection
from penviz.projection.split_statistics import SplitStatistics, triple_changes
from penviz.store.activations import Activations
from penviz.store.head import Head


def moments(a: Activations) -> TripleMoments:
    return TripleMoments.of(a.head, a.features, class_rows(a.labels, len(a.class_names)))


@pytest.mark.parametrize("bias", [True, False])
def test_all_triples_agree_with_the_path_of_one(bias: bool) -> None:
    a = make(2, d=9, n_classes=10, n=500)
    m = moments(a)
    assert [tuple(t) for t in m.triples.tolist()] == list(itertools.combinations(range(10), 3))
    ratios = m.rho_d(a.head.templates(bias))
    for triple, ratio in zip(m.triples, ratios, strict=True):
        expected = float(Projection.of(a, triple.tolist(), bias).clusters.rho_d())
        assert ratio == pytest.approx(expected, rel=1e-9)


def test_forgetting_the_bias_is_seen() -> None:
    a = make(2, d=9, n_classes=10, n=500)
    m = moments(a)
    assert not np.allclose(m.rho_d(a.head.templates(True)), m.rho_d(a.head.templates(False)), rtol=1e-3)


def test_many_classes_are_sampled_with_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    a = make(2, d=9, n_classes=12, n=300)
    full = moments(a)
    monkeypatch.setattr(TRIPLES, "MOST_CLASSES", 11)
    monkeypatch.setattr(TRIPLES, "SAMPLED", 60)
    some = moments(a)
    assert some.n_all == 220
    assert 20 < len(some.triples) <= 60
    np.testing.assert_array_equal(some.triples, moments(a).triples)
    every = {tuple(t): r for t, r in zip(full.triples.tolist(), full.rho_d(a.head.templates()), strict=True)}
    for triple, ratio in zip(some.triples.tolist(), some.rho_d(a.head.templates()), strict=True):
        assert ratio == pytest.approx(every[tuple(triple)], rel=1e-9)


def test_sample_of_a_thousand_classes() -> None:
    t = list_triples(1000)
    assert t.shape == (20_000, 3)
    assert len(np.unique(t, axis=0)) == len(t)
    assert (np.diff(t, axis=1) > 0).all()
    assert not np.array_equal(t, list_triples(1000, seed=1))


def test_classes_without_examples_are_in_no_triple() -> None:
    a = make(0)
    a = a.take(a.labels != 3)
    m = moments(a)
    assert len(m.triples) == 20
    assert not (m.triples == 3).any()


def test_triples_on_a_line_are_left_out() -> None:
    a = make(0)
    templates = a.head.templates().copy()
    templates[2] = (templates[0] + templates[1]) / 2
    ratios = moments(a).rho_d(templates)
    np.testing.assert_array_equal(np.isnan(ratios), (moments(a).triples == [0, 1, 2]).all(axis=1))


def test_changes_of_all_triples() -> None:
    a, b = make(0), make(1, noise=0.9)
    found = triple_changes(SplitStatistics.of(a), SplitStatistics.of(b))
    assert found is not None
    triples, changes, n_all = found
    assert n_all == len(triples) == 35
    for triple, change in zip(triples.tolist(), changes, strict=True):
        here, there = (float(Projection.of(x, triple).clusters.rho_d()) for x in (a, b))
        assert change == pytest.approx(there / here - 1, rel=1e-9)
    assert triple_changes(SplitStatistics.of(a), SplitStatistics.of(b.take(b.labels != 1))) is None


def test_a_hundred_classes_take_about_a_second() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(4000) % 100
    start = time.perf_counter()
    m = TripleMoments.of(Head(np.eye(100)), rng.normal(size=(4000, 100)), class_rows(labels, 100))
    assert len(m.rho_d(rng.normal(size=(100, 64)))) == 161_700
    assert time.perf_counter() - start < 5  # about 0.3 s on an idle core
