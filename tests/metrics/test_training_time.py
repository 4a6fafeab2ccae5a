from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from penviz.metrics.tightness.training_time import (
    nearest_epoch,
    quartiles,
    relative_change,
    time_to_fit,
    triples_over_epochs,
)
from penviz.store.activations import Activations
from penviz.store.head import Head


def frame(seed: int, spread: float) -> Activations:
    """Four classes of 12 examples in five dimensions, about their templates."""
    rng = np.random.default_rng(seed)
    templates = np.random.default_rng(0).normal(size=(4, 5))
    labels = np.repeat(np.arange(4), 12)
    features = templates[labels] * 3 + spread * rng.normal(size=(48, 5))
    head = Head(templates.astype(np.float32), rng.normal(size=4).astype(np.float32))
    return Activations(
        features.astype(np.float32),
        labels,
        labels,
        np.arange(48),
        ("a", "b", "c", "d"),
        "run",
        "train",
        head,
    )


def slow_rho_d(a: Activations, triple: tuple[int, int, int]) -> float:
    """By the definition: project on the plane through the templates with their biases, then measure there."""
    assert a.head is not None
    assert a.head.bias is not None
    t = np.c_[a.head.weight, a.head.bias].astype(float)[list(triple)]
    first = t[1] - t[0]
    first /= math.sqrt(first @ first)
    second = t[2] - t[0]
    second -= (second @ first) * first
    second /= math.sqrt(second @ second)
    means, squares = [], []
    for k in triple:
        points = []
        for x, label in zip(a.features.astype(float), a.labels, strict=True):
            if label == k:
                x1 = np.append(x, 1.0)
                points.append((float(x1 @ first), float(x1 @ second)))
        mean = (sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points))
        means.append(mean)
        squares.append(sum((p[0] - mean[0]) ** 2 + (p[1] - mean[1]) ** 2 for p in points) / len(points))
    sides = [math.dist(p, q) for p, q in itertools.combinations(means, 2)]
    return math.sqrt(sum(squares) / 3) / (sum(sides) / 3)


def test_each_epoch_stands_on_the_plane_of_its_own_head() -> None:
    frames = [frame(1, 1.0), frame(2, 0.3), frame(3, 0.1)]
    found = triples_over_epochs(frames)
    triples = list(itertools.combinations(range(4), 3))
    expected = [[slow_rho_d(a, triple) for triple in triples] for a in frames]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    moved = triples_over_epochs([replace(frames[0], head=frames[1].head)])
    assert not np.allclose(moved, found[0], rtol=1e-3), "the head of another epoch would be seen"
    with pytest.raises(ValueError, match="head"):
        triples_over_epochs([replace(frames[0], head=None)])


def test_quartiles_leave_triples_without_a_plane_out() -> None:
    values = np.array([[4.0, 1.0, 3.0, 2.0, np.nan, 5.0], [1.0] * 6])
    np.testing.assert_array_equal(quartiles(values), [[2, 3, 4], [1, 1, 1]])
    np.testing.assert_allclose(relative_change([2.0, 4.0], [1.0, 5.0]), [-0.5, 0.25])


def test_time_to_fit_is_the_first_epoch_that_reaches_the_share() -> None:
    assert time_to_fit([0.5, 0.989, 0.99, 0.98, 1.0]) == 3
    assert time_to_fit([0.5, 0.989]) is None
    assert time_to_fit([0.5, 0.7], share=0.6) == 2
    assert time_to_fit([]) is None


def test_the_nearest_epoch_is_nearest_on_the_log_scale() -> None:
    kept = [1, 10, 100]
    assert nearest_epoch(kept, 40) == 2  # 100 / 40 < 40 / 10, although 10 is nearer on the plain scale
    assert nearest_epoch(kept, 30) == 1
    assert nearest_epoch(kept, 100) == 2
    assert nearest_epoch(kept, 101) is None
    assert nearest_epoch([], 1) is None
