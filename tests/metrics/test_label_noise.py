from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from penviz.metrics.label_noise import given_labels, misled, mixed
from penviz.metrics.target_vectors import Targets
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError, Head
from penviz.study.sweep import run_values


def splitmix(hash_: int, stream: int) -> int:
    """The published finaliser in Python's integers."""
    mask = 2**64 - 1
    z = (hash_ + 0x9E3779B97F4A7C15 * (stream + 1)) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def examples(n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and hashes of which the smallest fifth is missing, as in a training split."""
    rng = np.random.default_rng(3)
    low = 2**64 // 5
    return rng.integers(0, 10, n), rng.integers(low, 2**64, n, dtype=np.uint64)


def test_the_known_first_numbers_of_splitmix64() -> None:
    # the generator seeded with 0 gives these (its published test vector)
    assert [int(mixed(np.zeros(1, np.uint64), s)[0]) for s in range(2)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
    ]


def test_against_a_plain_loop() -> None:
    labels, hashes = examples(500)
    expected = []
    for y, h in zip(labels.tolist(), hashes.tolist(), strict=True):
        wrong = splitmix(h, 0) / 2**64 < 0.2
        expected.append((y + 1 + splitmix(h, 1) % 9) % 10 if wrong else y)
    assert given_labels(labels, hashes, 10, 0.2).tolist() == expected


def test_a_fifth_is_wrong_and_every_other_class_alike() -> None:
    labels, hashes = examples()
    given = given_labels(labels, hashes, 10, 0.2)
    wrong = given != labels
    assert wrong.mean() == pytest.approx(0.2, abs=0.01)  # 3.5 standard errors
    pairs = np.bincount(labels[wrong] * 10 + given[wrong], minlength=100).reshape(10, 10)
    assert (np.diag(pairs) == 0).all()
    expected = wrong.sum() / 90
    chi = (((pairs - expected) ** 2) / expected)[~np.eye(10, dtype=bool)].sum()
    assert chi < 140  # the 99.9 % quantile of 89 degrees of freedom is 135
    # without the mixing, a split whose smallest hashes are held out would have too few wrong labels
    assert (hashes.astype(np.float64) / 2.0**64 < 0.2).mean() < 0.01


def test_a_subset_and_another_order_are_told_the_same() -> None:
    labels, hashes = examples(1000)
    given = given_labels(labels, hashes, 10, 0.3)
    rows = np.random.default_rng(0).permutation(1000)[:300]
    assert np.array_equal(given_labels(labels[rows], hashes[rows], 10, 0.3), given[rows])
    assert np.array_equal(given_labels(labels, hashes, 10, 0.0), labels)


def told_wrong(believed: float) -> Activations:
    """Five classes in five directions; a share of the examples with a wrong label lies where it was told."""
    labels, hashes = (values[:2000] for values in examples())
    labels = labels % 5
    rng = np.random.default_rng(8)
    given = given_labels(labels, hashes, 5, 0.2)
    at = np.where(rng.random(2000) < believed, given, labels)
    features = 4 * np.eye(5)[at] + rng.normal(size=(2000, 5)) / 4
    head = Head(np.eye(5), np.zeros(5))
    return Activations(
        features, labels, at, np.arange(2000), tuple("abcde"), "run", "train", head, hashes=hashes
    )


@pytest.mark.parametrize("believed", [0.0, 0.7, 1.0])
def test_wrong_labels_are_found_where_they_were_put(believed: float) -> None:
    a = told_wrong(believed)
    found = misled(a, 0.2)
    wrong = given_labels(a.labels, a.hashes, 5, 0.2) != a.labels
    assert found.n == wrong.sum()
    assert found.given == pytest.approx((a.predictions != a.labels)[wrong].mean(), abs=1e-6)
    assert found.given + found.true + found.third == pytest.approx(1)
    assert found.third < 0.001


def test_wrong_labels_against_a_plain_loop() -> None:
    """On tangled features, each example on the three planes of its two classes and one other."""
    a = told_wrong(0.5)
    rng = np.random.default_rng(9)
    a = replace(a, features=a.features + rng.normal(size=a.features.shape) * 2)
    given = given_labels(a.labels, a.hashes, 5, 0.2)
    wrong = given != a.labels
    means = np.array([a.features[(a.labels == k) & ~wrong].mean(axis=0) for k in range(5)])
    count = {"given": 0, "true": 0, "third": 0}
    weight = a.head.weight.astype(float)
    for i in np.flatnonzero(wrong):
        for other in set(range(5)) - {int(given[i]), int(a.labels[i])}:
            three = {"given": int(given[i]), "true": int(a.labels[i]), "third": other}
            first = weight[three["given"]]
            span = np.array([weight[three["true"]] - first, weight[other] - first])
            project = np.linalg.pinv(span) @ span  # orthogonal, on the directions of the plane
            far = {name: np.linalg.norm(project @ (a.features[i] - means[k])) for name, k in three.items()}
            count[min(far, key=far.get)] += 1
    total = sum(count.values())
    found = misled(a, 0.2, bias=False)
    assert (found.given, found.true, found.third) == pytest.approx(tuple(v / total for v in count.values()))
    assert min(count.values()) > 0.05 * total  # tangled enough to tell a wrong rule from the right one


def test_without_wrong_labels_there_is_nothing_to_say() -> None:
    a = told_wrong(0.5)
    with pytest.raises(ActivationsError, match="None of the examples"):
        misled(a, 0.0)
    with pytest.raises(ActivationsError, match="extract it again"):
        misled(replace(a, hashes=None), 0.2)


def test_without_a_plane_there_is_no_share() -> None:
    """All wrong labels name a class without right ones: a sweep must not have a point at 0 for them."""
    a = told_wrong(0.5)
    given = given_labels(a.labels, a.hashes, 5, 0.2)
    left = a.take((a.labels != 4) & ((given == a.labels) | (given == 4)))
    found = misled(left, 0.2)
    assert np.isnan([found.given, found.true, found.third]).all()
    assert found.n > 0
    assert a.head is not None
    line = replace(a, head=Head(np.outer(np.arange(5), np.ones(5)), a.head.bias))  # templates span no plane
    assert np.isnan(misled(line, 0.2).given)
    for kept, there in ((a, True), (left, False)):
        summaries = {"train": SplitStatistics.of(kept)}
        values = run_values(summaries, (0, 1, 2), targets=Targets.of(0.1), label_noise=0.2)["train"]
        assert ("misled_given" in values, "misled_true" in values) == (there, there)


def test_a_class_without_right_labels_is_in_no_plane() -> None:
    """Four classes of five: the same shares as if the fifth had never been there, to the planes that go."""
    a = told_wrong(0.7)
    left = a.take(a.labels != 4)
    found = misled(left, 0.2)
    given = given_labels(left.labels, left.hashes, 5, 0.2)
    wrong = given != left.labels
    at = left.predictions
    inside = wrong & (given != 4)  # those said to be the fifth lie in no plane of the four
    assert found.given == pytest.approx((at == given)[inside].mean(), abs=1e-6)
    assert found.third < 0.001
