"""Panels side by side as one small SVG, for walls of many: points, class means, boundaries, nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from penviz.plot.theme import CLASS_COLOURS, Ink, ink
from penviz.projection.panel import Panel

GAP_PX = 6
"""Pixels between two panels."""


def small_multiple(panels: Sequence[Panel], *, dark: bool = False, side: int = 100) -> str:
    """The panels at one scale as an address that an <img> takes.

    Args:
        panels: in one unit (scale "distance"); dark: for a dark page; side: of one panel in pixels.
    """
    reach = max(panel.limits[1] - panel.limits[0] for panel in panels)
    colours = ink(dark)
    parts = []
    for number, panel in enumerate(panels):
        left = number * (side + GAP_PX)
        parts.append(_panel(panel, side / reach, side, left, colours))
    width = len(panels) * (side + GAP_PX) - GAP_PX
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{side}" '
        f'viewBox="0 0 {width} {side}">{"".join(parts)}</svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode('ascii')}"


def _panel(panel: Panel, scale: float, side: int, left: int, colours: Ink) -> str:
    """One panel in a frame, shifted to its place; y goes up in the plane and down in an SVG."""

    corner = panel.limits[0], panel.limits[2]

    def placed(xy: object) -> NDArray[np.float64]:
        points = (np.asarray(xy, np.float64).reshape(-1, 2) - corner) * scale
        return np.column_stack([points[:, 0], side - points[:, 1]]).round(1)

    r = max(side / 90, 1.1)
    marks = []
    for a, b in np.asarray(panel.boundaries, np.float64).reshape(-1, 2, 2):
        (ax, ay), (bx, by) = placed([a, b])
        marks.append(
            f'<path d="M{ax:g} {ay:g}L{bx:g} {by:g}" stroke="{colours.line}" stroke-width=".7" '
            'stroke-dasharray="3 2" opacity=".7"/>'
        )
    for k, colour in enumerate(CLASS_COLOURS):
        points = placed(panel.xy[panel.labels == k])
        if k == 2:  # a triangle has no line cap of its own
            step = f"l{r:g} {1.8 * r:g}h{-2 * r:g}z"
            body = "".join(f"M{x:g} {y - r:g}{step}" for x, y in points)
            marks.append(f'<path d="{body}" fill="{colour}" opacity=".75"/>')
        else:
            body = "".join(f"M{x:g} {y:g}h0" for x, y in points)
            cap = ("round", "square")[k]
            marks.append(
                f'<path d="{body}" stroke="{colour}" stroke-width="{(2, 1.7)[k] * r:g}" '
                f'stroke-linecap="{cap}" opacity=".75"/>'
            )
    arm = 2.6 * r
    plus = "".join(
        f"M{x - arm:g} {y:g}h{2 * arm:g}M{x:g} {y - arm:g}v{2 * arm:g}" for x, y in placed(panel.means_xy)
    )
    for colour, width in ((colours.page, 3), (colours.text, 1.4)):
        marks.append(f'<path d="{plus}" stroke="{colour}" stroke-width="{width}"/>')
    frame = (
        f'<rect x=".5" y=".5" width="{side - 1}" height="{side - 1}" fill="none" stroke="{colours.frame}"/>'
    )
    return f'<svg x="{left}" width="{side}" height="{side}" fill="none">{frame}{"".join(marks)}</svg>'
