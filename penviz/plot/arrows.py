"""Arrows as strokes, the same on screen and on paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.plot.theme import LIGHT, rgb

ARROW_ALPHA = 0.5
"""Opacity of arrows: quieter than the points."""

BARB, TURN = 0.36, 0.49
"""Length of the two barbs as a share of the arrow, and their angle to it in radians."""


def arrow_strokes(ends: ArrayLike) -> NDArray[np.float64]:
    """[m, 5, 2] points of one stroke an arrow: start, tip, one barb, tip, the other barb.

    Args:
        ends: [m, 2, 2] start and tip.
    """
    pairs = np.asarray(ends, np.float64).reshape(-1, 2, 2)
    start, tip = pairs[:, 0], pairs[:, 1]
    back = (start - tip) * BARB
    cos, sin = np.cos(TURN), np.sin(TURN)
    left, right = back @ np.array([[cos, sin], [-sin, cos]]), back @ np.array([[cos, -sin], [sin, cos]])
    return np.stack([start, tip, tip + left, tip, tip + right], axis=1)


def faded(colour: str) -> str:
    """A colour as it looks on white paper at the opacity of arrows: no transparency is needed in a file."""
    mixed = (
        round(ARROW_ALPHA * own + (1 - ARROW_ALPHA) * page)
        for own, page in zip(rgb(colour), rgb(LIGHT.page), strict=True)
    )
    return "#{:02x}{:02x}{:02x}".format(*mixed)
