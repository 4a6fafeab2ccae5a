from __future__ import annotations

import numpy as np
import pytest

from penviz.measure.label_noise import given_labels, mixed


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
