"""Streamed moments against a plain loop in float64, whatever the pieces, the centring and the classes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from penviz.metrics.collapse import moment_sums
from penviz.metrics.collapse.collapse import cdnv, nc1, nc1_trace
from penviz.metrics.collapse.moment_sums import MomentSums
from penviz.metrics.collapse.moments import Moments
from penviz.metrics.tightness.tightness import class_separation, space_distance, space_radius, space_ratio
from penviz.store.activations import Activations

K, WIDTH = 9, 12
CENTRES = {"at the origin": 0.0, "a hundred spreads away": 100.0, "a thousand spreads away": 1e3}


@dataclass(frozen=True)
class Loop:
    """The definitions, one example after another."""

    count: np.ndarray
    mean: np.ndarray
    trace: np.ndarray
    unit_mean: np.ndarray
    within: np.ndarray
    n_zero: int

    @classmethod
    def of(cls, features: np.ndarray, labels: np.ndarray) -> Loop:
        count, trace, n_zero = np.zeros(K, int), np.zeros(K), 0
        mean, unit_mean = np.zeros((K, WIDTH)), np.zeros((K, WIDTH))
        within = np.zeros((WIDTH, WIDTH))
        own: list[list[np.ndarray]] = [[] for _ in range(K)]
        for x, k in zip(features, labels, strict=True):
            own[k].append(x.astype(np.float64))
        for k, rows in enumerate(own):
            if not rows:
                continue
            count[k] = len(rows)
            mean[k] = sum(rows) / len(rows)
            for x in rows:
                norm = math.sqrt(x @ x)
                n_zero += norm == 0
                unit_mean[k] += x / norm / len(rows) if norm else 0
                gap = x - mean[k]
                trace[k] += gap @ gap
                within += np.outer(gap, gap)
        return cls(count, mean, trace, unit_mean, within, n_zero)


def data(
    centre: float = 0.0, apart: float = 3.0, n: int = 3000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Classes 4 and 8 are empty, class 0 has one example, sizes differ; the features are correlated."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([1, 2, 3, 5, 6, 7], p=[0.4, 0.2, 0.2, 0.1, 0.05, 0.05], size=n)
    labels[n // 2] = 0
    means = rng.normal(size=(K, WIDTH)) * apart + centre * rng.normal(size=WIDTH)
    mixed = rng.normal(size=(n, WIDTH)) @ rng.normal(size=(WIDTH, WIDTH)) / math.sqrt(WIDTH)
    return (means[labels] + mixed).astype(np.float32), labels


def pieces(
    features: np.ndarray, labels: np.ndarray, ends: Sequence[int], sort: bool = True
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Shards that end at some rows, each sorted by class as shards on disk are."""
    for start, end in zip([0, *ends], [*ends, len(labels)], strict=True):
        x, k = features[start:end], labels[start:end]
        order = np.argsort(k, kind="stable") if sort else np.arange(len(k))
        yield x[order], k[order]


def stream_moments(blocks: Iterable[tuple[np.ndarray, np.ndarray]], n_classes: int, width: int) -> Moments:
    """Moments of blocks of features and labels, one after the other."""
    sums = MomentSums(n_classes, width)
    for features, labels in blocks:
        sums.add(features, labels)
    return sums.moments()


def largest_error(got: Moments, wanted: Loop) -> float:
    """Of all fields, relative: for a product to that of two spreads; for a mean to its length or the spread
    of its class, whichever is larger, for a sum that nearly cancels keeps no digits."""
    np.testing.assert_array_equal(got.count, wanted.count)
    assert got.n_zero == wanted.n_zero
    spread = np.sqrt(np.diag(wanted.within))
    some = wanted.trace > 0
    deviation = np.sqrt(wanted.trace / np.maximum(wanted.count, 1))[:, None]
    length = np.maximum(np.linalg.norm(wanted.mean, axis=1, keepdims=True), np.maximum(deviation, 1e-30))
    return float(
        max(
            (np.abs(got.mean - wanted.mean) / length).max(),
            np.abs(got.trace[some] / wanted.trace[some] - 1).max(),
            np.abs(got.unit_mean - wanted.unit_mean).max(),
            (np.abs(got.within - wanted.within) / np.outer(spread, spread)).max(),
        )
    )


@pytest.mark.parametrize("centre", CENTRES.values(), ids=CENTRES)
@pytest.mark.parametrize("ends", [[], [1], [700, 701, 2200], list(range(100, 3000, 100))])
def test_streamed_moments_are_those_of_a_loop(
    centre: float, ends: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moment_sums, "PIECE", 256 * WIDTH)  # several pieces a shard
    x, labels = data(centre)
    got = stream_moments(pieces(x, labels, ends), K, WIDTH)
    assert largest_error(got, Loop.of(x, labels)) < 1e-6
    whole = Moments.of(x, labels, K)
    for number in (space_radius, space_distance, space_ratio, nc1_trace, cdnv, lambda m: nc1(m)[0]):
        assert number(got) == pytest.approx(number(whole), rel=1e-6)
    assert nc1(got)[1] == nc1(whole)[1]
    assert not got.mean[4].any()
    assert not got.unit_mean[8].any()


@pytest.mark.parametrize("apart", [0.0, 1e3])
def test_class_means_that_lie_far_apart_cost_no_digits(apart: float) -> None:
    x, labels = data(apart=apart)
    assert largest_error(stream_moments(pieces(x, labels, [999]), K, WIDTH), Loop.of(x, labels)) < 1e-6


def test_rows_need_no_order_and_half_is_taken_as_it_is() -> None:
    x, labels = data()
    half = x.astype(np.float16)
    got = stream_moments(pieces(half, labels, [1700], sort=False), K, WIDTH)
    assert largest_error(got, Loop.of(half, labels)) < 1e-6
    assert largest_error(got, Loop.of(x, labels)) > 1e-5  # float16 is lossy, and that is not hidden


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0])
def test_examples_near_the_origin_have_their_own_direction(scale: float) -> None:
    x, labels = data(100.0)
    x[::50] *= np.float32(scale) * 1e-2
    x[25::50] = 0
    assert largest_error(stream_moments(pieces(x, labels, [1100]), K, WIDTH), Loop.of(x, labels)) < 1e-6


def test_nothing_at_all() -> None:
    m = stream_moments([], K, WIDTH)
    assert not m.count.any()
    assert not m.within.any()


def test_class_separation_far_from_the_origin() -> None:
    x, labels = data(30.0)
    got, whole = stream_moments(pieces(x, labels, [1500]), K, WIDTH), Moments.of(x, labels, K)
    assert class_separation(got) == pytest.approx(class_separation(whole), rel=1e-5)


class WithoutReference(MomentSums):
    """A mutant: products of the features themselves."""

    def _add_class(self, k: int, x: np.ndarray, y: np.ndarray) -> None:
        seen = int(self._count[k])
        self._count[k] = max(seen, 1)
        super()._add_class(k, x, y)
        self._count[k] -= seen == 0


class WithoutCorrection(MomentSums):
    """A mutant: the reference is taken for the mean."""

    def moments(self) -> Moments:
        self._shift[:] = 0
        return super().moments()


@pytest.mark.parametrize("mutant", [WithoutReference, WithoutCorrection])
def test_the_comparison_sees_a_mutant(mutant: type[MomentSums]) -> None:
    x, labels = data(1e3)
    errors = []
    for kind in (MomentSums, mutant):
        sums = kind(K, WIDTH)
        for features, k in pieces(x, labels, [700, 2200]):
            sums.add(features, k)
        errors.append(largest_error(sums.moments(), Loop.of(x, labels)))
    assert errors[0] < 1e-6
    assert errors[1] > 1e-5


def test_the_working_set_is_bounded() -> None:
    sums = MomentSums(4, 64)
    assert sums._piece.nbytes <= 4 * moment_sums.PIECE
    many = np.zeros((moment_sums.PIECE // 64 + 10, 64), np.float16)
    sums.add(many, np.zeros(len(many), np.int64))
    assert sums.moments().n_zero == len(many)


def test_activations_stream_as_blocks_do() -> None:
    x, labels = data()
    a = Activations(x, labels, labels, np.arange(len(x)), tuple("abcdefghi"), "run", "train")
    got = stream_moments([(a.features, a.labels)], K, WIDTH)
    assert largest_error(got, Loop.of(x, labels)) < 1e-6
