"""The density of a cloud against its formula for a normal one, and against a plain loop."""

from __future__ import annotations

import numpy as np

from penviz.projection.density import counts, depth

LIMITS = (-4.0, 4.0, -4.0, 4.0)


def test_a_normal_cloud_has_the_depth_of_its_formula() -> None:
    points = np.random.default_rng(0).normal(size=(400_000, 2))
    found = depth(points, LIMITS, 64)
    centres = -4 + (np.arange(64) + 0.5) / 8
    x, y = np.meshgrid(centres, centres)
    assert np.abs(found - np.exp(-(x**2 + y**2) / 2)).max() < 0.04


def test_rows_run_upward_and_columns_to_the_right() -> None:
    found = counts(np.array([[3.9, -3.9], [3.9, -3.9], [0.1, 3.9], [9.0, 0.0]]), LIMITS, 8)
    assert found[0, 7] == 2
    assert found[7, 4] == 1
    assert found.sum() == 3


def test_depth_is_the_share_in_no_denser_cell() -> None:
    points = np.random.default_rng(1).normal(size=(500, 2)) * [0.5, 1.0]
    found = depth(points, LIMITS, 16)
    padded = np.pad(counts(points, LIMITS, 16).astype(float), 2)
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    smooth = np.array([[(padded[i : i + 5, j : j + 5] * kernel).sum() for j in range(16)] for i in range(16)])
    for i, j in [(8, 8), (4, 8), (11, 7), (8, 5)]:
        denser = smooth[smooth > smooth[i, j]].sum() / smooth.sum()
        ties = (smooth == smooth[i, j]).sum() * smooth[i, j] / smooth.sum()
        assert 1 - denser - ties - 1e-6 <= found[i, j] <= 1 - denser + 1e-6


def test_the_densest_cell_is_one_and_empty_ones_are_nothing() -> None:
    points = np.full((100, 2), 0.3)
    found = depth(points, LIMITS, 16)
    assert found.max() == 1
    assert found[0, 0] == 0
    assert not depth(np.zeros((0, 2)), LIMITS, 16).any()
