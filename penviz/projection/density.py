"""Where the points of a class lie when there are too many to draw: a field over the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 128
"""Cells on a side of the field."""

ABOVE = 5_000
"""Examples stored for a panel above which a field lies under those that are drawn."""

_KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""Binomial weights: counts in neighbouring cells, so that single points leave no spots."""


def counts(
    points: NDArray[np.floating[Any]], limits: tuple[float, float, float, float], grid: int = GRID
) -> NDArray[np.int64]:
    """Points in each cell of a square grid over the limits.

    Args:
        points: [n, 2] in the unit of the limits; those outside are left out.
        limits: (x0, x1, y0, y1).
        grid: g, cells on a side.

    Returns:
        [g, g]; axis 0 runs upward in y, axis 1 to the right in x.
    """
    x0, x1, y0, y1 = limits
    columns = np.floor((points[:, 0] - x0) * (grid / (x1 - x0)))
    rows = np.floor((points[:, 1] - y0) * (grid / (y1 - y0)))
    inside = (columns >= 0) & (columns < grid) & (rows >= 0) & (rows < grid)
    cells = (rows[inside] * grid + columns[inside]).astype(np.int64)
    return np.bincount(cells, minlength=grid * grid).reshape(grid, grid)


def depth(
    points: NDArray[np.floating[Any]], limits: tuple[float, float, float, float], grid: int = GRID
) -> NDArray[np.float32]:
    """How deep every cell lies in a cloud: the share of its points that lie in no denser cell.

    1 in the densest cell, 0 where there are no points; the cells of at least 1 - p are the smallest region
    that holds a share p of the points (Hyndman 1996, highest density regions). For a normal cloud it is
    exp(-r^2 / 2) at r standard deviations.

    Args:
        points: [n, 2]; limits: (x0, x1, y0, y1) in the same unit; grid: g, cells on a side.

    Returns:
        [g, g]; axis 0 runs upward in y, axis 1 to the right in x.
    """
    smooth = counts(points, limits, grid).astype(np.float64)
    for axis in (0, 1):
        padded = np.pad(smooth, [(2, 2) if a == axis else (0, 0) for a in (0, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(_KERNEL), axis=axis)
        smooth = windows @ np.array(_KERNEL)
    flat = smooth.ravel()
    total = flat.sum()
    if total == 0:
        return np.zeros((grid, grid), np.float32)
    order = np.argsort(-flat, kind="stable")
    denser = np.concatenate([[0.0], np.cumsum(flat[order])[:-1]])
    found = np.zeros_like(flat)
    found[order] = np.where(flat[order] > 0, 1 - denser / total, 0)
    return found.reshape(grid, grid).astype(np.float32)
