from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic import make, random_rotation

from penviz.metrics.collapse.collapse import cdnv, nc1
from penviz.metrics.collapse.moments import Moments, class_rows
from penviz.metrics.tightness.tightness import class_separation, space_distance, space_radius, space_ratio


def test_moments_by_a_loop() -> None:
    a = make(0)
    m = Moments.of(a.features, a.labels, 7)
    x = a.features.astype(np.float64)
    within = np.zeros((5, 5))
    for k in range(7):
        own = [x[i] for i in range(len(a)) if a.labels[i] == k]
        mean = sum(own) / len(own)
        assert m.count[k] == len(own)
        np.testing.assert_allclose(m.mean[k], mean, rtol=1e-12)
        np.testing.assert_allclose(
            m.unit_mean[k], sum(v / math.sqrt(v @ v) for v in own) / len(own), rtol=1e-12
        )
        assert m.trace[k] == pytest.approx(sum((v - mean) @ (v - mean) for v in own))
        within += sum(np.outer(v - mean, v - mean) for v in own)
    np.testing.assert_allclose(m.within, within, rtol=1e-10)
    assert np.trace(m.within) == pytest.approx(m.trace.sum())


def test_moments_hold_far_from_the_origin() -> None:
    x = np.random.default_rng(0).normal(size=(400, 3))
    y = np.zeros(400, np.int64)
    near, far = Moments.of(x, y, 1), Moments.of(x + 1e6, y, 1)
    assert far.trace[0] == pytest.approx(near.trace[0], rel=1e-6)


def test_rows_of_a_class_rise_with_the_index() -> None:
    rows = class_rows(np.array([1, 0, 1, 0]), 3, np.array([9, 8, 2, 4]))
    assert [r.tolist() for r in rows] == [[3, 1], [2, 0], []]


def test_numbers_ignore_rotation_and_scale_where_they_say_so() -> None:
    a = make(0)
    plain = Moments.of(a.features, a.labels, 7)
    turned = Moments.of(4 * a.features.astype(np.float64) @ random_rotation(5), a.labels, 7)
    for number in (space_ratio, class_separation, cdnv, lambda m: nc1(m)[0]):
        assert number(turned) == pytest.approx(number(plain), rel=1e-9)
    for number in (space_radius, space_distance):
        assert number(turned) == pytest.approx(4 * number(plain), rel=1e-9)


def test_permuted_classes_give_the_same_numbers() -> None:
    a = make(0)
    order = np.random.default_rng(0).permutation(7)
    for number in (space_ratio, class_separation, cdnv, lambda m: nc1(m)[0]):
        assert number(Moments.of(a.features, order[a.labels], 7)) == pytest.approx(
            number(Moments.of(a.features, a.labels, 7)), rel=1e-9
        )


def test_zero_features_have_no_cosine() -> None:
    x = np.vstack([np.zeros((1, 4)), np.random.default_rng(0).normal(size=(9, 4))])
    m = Moments.of(x, np.arange(10) % 2, 2)
    assert m.n_zero == 1
    with pytest.raises(ValueError, match="norm 0"):
        class_separation(m)


def test_nc1_of_isotropic_clusters() -> None:
    """sigma² tr(S_B^+) / K for many examples (paper.md 5.1), truncated at K - 1 below d."""
    rng = np.random.default_rng(0)
    means, sigma, each = rng.normal(size=(5, 12)) * 3, 0.7, 4000
    labels = np.repeat(np.arange(5), each)
    m = Moments.of(means[labels] + sigma * rng.normal(size=(5 * each, 12)), labels, 5)
    value, rank = nc1(m)
    between = np.cov(means.T, bias=True)
    assert rank == 4
    assert value == pytest.approx(sigma**2 * np.trace(np.linalg.pinv(between, rcond=1e-9)) / 5, rel=0.03)


def test_nc1_reports_a_smaller_rank() -> None:
    labels = np.repeat(np.arange(4), 50)
    means = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [4, 0, 0]])
    rng = np.random.default_rng(0)
    x = means[labels] + rng.normal(size=(200, 3)) * 0.1
    x -= np.array([x[labels == k].mean(axis=0) for k in range(4)])[labels] - means[labels]
    value, rank = nc1(Moments.of(x, labels, 4))
    assert rank == 1
    between = np.var([0.0, 1, 2, 4])
    assert value == pytest.approx(np.var(x[:, 0] - means[labels][:, 0]) / between / 4)
    alone = nc1(Moments.of(np.ones((6, 3)), np.arange(6) % 2, 2))
    assert math.isnan(alone[0])
    assert alone[1] == 0


def test_coinciding_means_have_no_cdnv() -> None:
    x = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert math.isnan(cdnv(Moments.of(x, np.array([0, 0, 1, 1]), 2)))
    by_hand = Moments.of(np.array([[0.0], [2], [9], [11]]), np.array([0, 0, 1, 1]), 2)
    assert cdnv(by_hand) == pytest.approx((1 + 1) / (2 * 81))


def test_empty_classes_do_not_count() -> None:
    a = make(0)
    seven, nine = Moments.of(a.features, a.labels, 7), Moments.of(a.features, a.labels, 9)
    for number in (space_radius, space_distance, class_separation, cdnv, lambda m: nc1(m)[0]):
        assert number(nine) == pytest.approx(number(seven), rel=1e-12)
