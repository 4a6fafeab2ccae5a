"""The words in a panel on paper: numbers, scale bar, points outside and remarks, where they hide little."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penviz import InputError
from penviz.plot.frame import bar_length
from penviz.plot.paper.typeface import Face
from penviz.plot.theme import LIGHT
from penviz.projection.panel import Panel
from penviz.projection.views import VIEWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CORNER = {
    "rho_d": (r"$\rho/d$ = ", r"$\rho/d$ ", "{:.3f}"),
    "rho": (r"$\rho$ = ", r"$\rho$ ", "{:.3g}"),
    "distance": ("$d$ = ", "$d$ ", "{:.3g}"),
    "accuracy": ("accuracy ", "acc. ", "{:.3f}"),
    "ece": ("ECE ", "ECE ", "{:.3f}"),
    "plane_share": ("variance in plane ", "in plane ", "{:.0%}"),
    "off_plane": ("off plane ", "off ", "{:.3g}"),
    "n": ("n = ", "n ", "{:,.0f}"),
}
"""Numbers that can stand in a panel's corner: key in `Panel.metrics`, words before it, the same where there
is no room, format."""

REMARK_WIDTHS = (20, 15, 10)
"""Characters a line of a panel's remark; the first that fits."""

INSET_PT = 3.0
"""From the axes to the text inside them, points."""


def corner_text(panel: Panel, keys: Sequence[str], short: bool = False) -> str:
    """The numbers in the corner, one a line; with short words where there is little room.

    Raises:
        InputError: a key that is not in `CORNER`, or a number that this panel does not have.
    """
    lines = []
    for key in keys:
        if key not in CORNER:
            raise InputError(f"Unknown number {key!r} for a corner: choose {', '.join(CORNER)}.")
        if key not in panel.metrics:
            raise InputError(f"{panel.run}, {panel.split} has no {key}: leave it out of the corner.")
        word, short_word, form = CORNER[key]
        said = form.format(panel.metrics[key])
        if key in panel.half_widths and key != "n":
            said += f" ± {form.format(panel.half_widths[key])}"
        lines.append((short_word if short else word) + said.replace("%", " %"))
    return "\n".join(lines)


def clip_segment(
    ends: NDArray[np.float64], limits: tuple[float, float, float, float]
) -> NDArray[np.float64] | None:
    """The part of a segment inside a box (Liang and Barsky 1984).

    Args:
        ends: [2, 2] two points; limits: (x0, x1, y0, y1) in the same unit.

    Returns:
        [2, 2] in the same direction, or None where it misses the box.
    """
    start, way = ends[0], ends[1] - ends[0]
    enter, leave = 0.0, 1.0
    for axis, low, high in ((0, limits[0], limits[1]), (1, limits[2], limits[3])):
        if way[axis] == 0:
            if not low <= start[axis] <= high:
                return None
            continue
        near, far = sorted(((low - start[axis]) / way[axis], (high - start[axis]) / way[axis]))
        enter, leave = max(enter, near), min(leave, far)
    return None if enter >= leave else np.stack([start + enter * way, start + leave * way])


def write_words(
    ax: Axes, panel: Panel, side_in: float, corner: Sequence[str], face: Face, size: float
) -> None:
    """Numbers above right, scale bar below left, points outside below right, remarks where there is room.

    Args:
        side_in: of the panel, inches; corner: keys of `CORNER`; size: of the type, points.
    """
    x0, x1, _, _ = panel.limits
    point = 1 / 72 / side_in
    inset = INSET_PT * point
    box = {"facecolor": LIGHT.page, "edgecolor": "none", "alpha": 0.65, "pad": 0.8}
    said: dict[str, Any] = {"transform": ax.transAxes, "fontsize": size, "zorder": 4.5, "linespacing": 1.15}

    def write(x: float, y: float, text: str, ha: str, va: str, colour: str, gid: str) -> None:
        lines = text.split("\n")
        width = max(face.width_in(line, size, math="$" in line) for line in lines) / side_in
        height = 1.2 * size * len(lines) * point
        left = x - {"left": 0.0, "center": width / 2, "right": width}[ha]
        low = y - height if va == "top" else y
        paper = box if _covers(panel, (left, left + width, low, low + height)) else None
        ax.text(x, y, text, ha=ha, va=va, color=colour, gid=gid, bbox=paper, **said)

    text = _fitted_corner(panel, corner, face, size, side_in)
    if text:
        write(1 - inset, 1 - inset, text, "right", "top", LIGHT.text, "corner")
    if VIEWS[panel.view].units:
        length = bar_length((x1 - x0) * panel.unit)
        share = length / panel.unit / (x1 - x0)
        ax.plot(
            [inset, inset + share], [inset, inset], transform=ax.transAxes, color=LIGHT.text, lw=1.0,
            solid_capstyle="butt", zorder=4.6, gid="bar",
        )  # fmt: skip
        middle = max(inset + share / 2, inset + face.width_in(f"{length:g}", size) / side_in / 2)
        write(middle, inset + 2.5 * point, f"{length:g}", "center", "baseline", LIGHT.text, "bar length")
    if panel.n_outside:
        write(1 - inset, inset, f"{panel.n_outside:,} outside", "right", "baseline", LIGHT.note, "outside")
    said_too = [*(["on class means"] if panel.class_means else []), *([panel.remark] if panel.remark else [])]
    if said_too:
        taken = 1.25 * size * len(text.split("\n")) * point if text else 0.0
        over = 1.5 * size * point
        room = (inset, inset + over, inset if not panel.n_outside else inset + over, 1 - inset - taken)
        lines, (x, y) = _remark(panel, said_too, face, size, side_in, room)
        write(x, y, "\n".join(lines), "left", "bottom", LIGHT.text, "remark")


def _remark(
    panel: Panel,
    words: Sequence[str],
    face: Face,
    size: float,
    side_in: float,
    room: tuple[float, float, float, float],
) -> tuple[list[str], tuple[float, float]]:
    """What must stand in a panel besides its numbers: its lines, and their lower left corner.

    Of several widths and the four corners of the panel, those that hide fewest points.

    Args:
        words: sentences, each on lines of its own; size: of the type, points.
        room: left edge, bottom on the left, bottom on the right, top; shares of the axes.
    """
    tried = []
    for width in REMARK_WIDTHS:
        lines = [line for sentence in words for line in textwrap.wrap(sentence, width)]
        across = max(face.width_in(line, size) for line in lines) / side_in
        if across <= 1 - 2 * room[0] or width == REMARK_WIDTHS[-1]:
            box = (across, 1.2 * size * len(lines) / 72 / side_in)
            tried += [(lines, corner, _hidden(panel, corner, box)) for corner in _corners(box, room)]
    lines, corner, _ = min(tried, key=lambda one: one[2])
    return lines, corner


def _corners(box: tuple[float, float], room: tuple[float, float, float, float]) -> list[tuple[float, float]]:
    """Lower left corners of a box in the four corners of a room: above right first."""
    left, bottom_left, bottom_right, top = room
    right, high = 1 - left - box[0], top - box[1]
    return [(right, high), (left, high), (right, bottom_right), (left, bottom_left)]


def _hidden(panel: Panel, corner: tuple[float, float], box: tuple[float, float]) -> int:
    """Points of a panel under a box; its lower left corner and sides in shares of the axes."""
    x0, x1, y0, y1 = panel.limits
    xy = (panel.xy - (x0, y0)) / (x1 - x0, y1 - y0)
    return int(((xy > corner) & (xy < (corner[0] + box[0], corner[1] + box[1]))).all(axis=1).sum())


def _fitted_corner(panel: Panel, keys: Sequence[str], face: Face, size: float, side_in: float) -> str:
    """The numbers in words that the panel has room for.

    Raises:
        InputError: it has none for so many, or for such a long one.
    """
    room, spare = side_in - 2 * INSET_PT / 72, 2 * INSET_PT + 2.5 + size  # the scale bar stands below
    for short in (False, True):
        lines = corner_text(panel, keys, short).split("\n")
        if max(face.width_in(line, size, math="$" in line) for line in lines) <= room:
            break
    else:
        raise InputError(
            f"{lines[0]!r} is too wide for panels of {side_in:.2f} inches: choose a wider figure."
        )
    if 1.2 * size * len(lines) + spare > 72 * side_in:
        raise InputError(
            f"Panels of {side_in:.2f} inches have no room for {len(lines)} numbers: choose fewer."
        )
    return "\n".join(lines)


def _covers(panel: Panel, box: tuple[float, float, float, float]) -> bool:
    """Whether a box in shares of the axes, (left, right, bottom, top), lies over a point or a boundary."""
    x0, x1, y0, y1 = panel.limits
    left, right = x0 + box[0] * (x1 - x0), x0 + box[1] * (x1 - x0)
    low, high = y0 + box[2] * (y1 - y0), y0 + box[3] * (y1 - y0)
    x, y = panel.xy[:, 0], panel.xy[:, 1]
    if bool(((x > left) & (x < right) & (y > low) & (y < high)).any()):
        return True
    return any(clip_segment(ends, (left, right, low, high)) is not None for ends in panel.boundaries)
