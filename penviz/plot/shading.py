"""Transparent pictures under the points: the softmax restricted to three classes, and the density of all."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penviz.plot.theme import CLASS_COLOURS, DENSITY_ALPHA, SHADING_ALPHA, rgb
from penviz.projection.panel import Panel


def shading_rgba(
    probs: NDArray[np.floating[Any]], alpha: float = SHADING_ALPHA, hues: Sequence[str] = CLASS_COLOURS
) -> NDArray[np.uint8]:
    """Colours of the shading, with the page showing through where no class leads.

    Args:
        probs: [g, g, 3] softmax restricted to the three classes, sums 1.
        alpha: opacity where one class has all the probability; hues: of the three classes, "#rrggbb".

    Returns:
        [g, g, 4] red, green, blue, opacity in [0, 255]; opacity falls to 0 where all three are equal.
    """
    colours = np.array([rgb(c) for c in hues], np.float32)
    lead = (probs.max(axis=-1, keepdims=True) - 1 / 3) * 1.5
    rgba = np.concatenate([probs @ colours, 255 * alpha * np.clip(lead, 0, 1)], axis=-1)
    pixels: NDArray[np.uint8] = np.rint(rgba).astype(np.uint8)
    return pixels


def density_rgba(
    depth: NDArray[np.floating[Any]], alpha: float = DENSITY_ALPHA, hues: Sequence[str] = CLASS_COLOURS
) -> NDArray[np.uint8]:
    """Colours of the density: the deeper in the cloud of a class, the less of the page shows through.

    Args:
        depth: [g, g, 3] as `Panel.density`; where clouds overlap their colours mix as their depths.
        alpha: opacity in the densest cell of a class; hues: of the three classes, "#rrggbb".

    Returns:
        [g, g, 4] red, green, blue, opacity in [0, 255].
    """
    colours = np.array([rgb(c) for c in hues], np.float32)
    total = depth.sum(axis=-1, keepdims=True)
    mixed = depth @ colours / np.where(total > 0, total, 1)
    opacity = 255 * alpha * depth.max(axis=-1, keepdims=True)
    pixels: NDArray[np.uint8] = np.rint(np.concatenate([mixed, opacity], axis=-1)).astype(np.uint8)
    return pixels


def png(rgba: NDArray[np.uint8]) -> bytes:
    """An RGBA picture [h, w, 4] as the bytes of a PNG, first row on top."""
    height, width = rgba.shape[:2]
    lines = np.zeros((height, 1 + 4 * width), np.uint8)
    lines[:, 1:] = rgba.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines.tobytes(), 6))
        + chunk(b"IEND", b"")
    )


def under_points(panel: Panel, shaded: bool, hues: Sequence[str] = CLASS_COLOURS) -> NDArray[np.uint8] | None:
    """What lies under the points of a panel: its density over its shading, None where it has neither.

    One picture and not two: Plotly draws only one of two that fill the same place.

    Args:
        panel: m examples; shaded: whether the shading is wanted; hues: of the three classes, "#rrggbb".

    Returns:
        [g, g, 4] red, green, blue, opacity in [0, 255]; row 0 is the lowest.
    """
    low = shading_rgba(panel.shading, hues=hues) if shaded and panel.shading is not None else None
    high = None if panel.density is None else density_rgba(panel.density, hues=hues)
    if low is None or high is None:
        return low if high is None else high
    at = ((np.arange(len(high)) + 0.5) / len(high) * len(low)).astype(np.int64)
    below, above = low[np.ix_(at, at)].astype(np.float32), high.astype(np.float32)
    over, left = above[..., 3:] / 255, below[..., 3:] / 255 * (1 - above[..., 3:] / 255)
    alpha = over + left
    mixed = (over * above[..., :3] + left * below[..., :3]) / np.where(alpha > 0, alpha, 1)
    pixels: NDArray[np.uint8] = np.rint(np.concatenate([mixed, 255 * alpha], axis=-1)).astype(np.uint8)
    return pixels


def under_image(panel: Panel, xref: str, yref: str, shaded: bool = True) -> dict[str, Any] | None:
    """`under_points` as a Plotly layout image that fills the limits of a panel."""
    rgba = under_points(panel, shaded)
    if rgba is None:
        return None
    x0, x1, y0, y1 = panel.limits
    return {
        "source": "data:image/png;base64," + base64.b64encode(png(rgba[::-1])).decode("ascii"),
        "xref": xref,
        "yref": yref,
        "x": x0,
        "y": y1,
        "sizex": x1 - x0,
        "sizey": y1 - y0,
        "sizing": "stretch",
        "layer": "below",
    }
