"""One panel on paper: shading, boundaries, points, class means, stars, a scale bar in a matplotlib Axes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penviz import InputError
from penviz.measure.panel import CORRECT, INSIDE, Panel
from penviz.measure.pull import Arrows
from penviz.measure.views import VIEWS
from penviz.show.arrows import arrow_strokes, faded
from penviz.show.frame import bar_length
from penviz.show.paper_face import Face
from penviz.show.screen import Marks, point_groups
from penviz.show.shading import under_points
from penviz.show.theme import CLASS_COLOURS, LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHAPES = ("o", "s", "^")
"""matplotlib's names of `theme.CLASS_SHAPES`."""

DASHES = (0, (4, 3))
"""On and off of a boundary, in line widths."""

CORNER = {
    "rho_d": (r"$\rho/d$ = ", r"$\rho/d$ ", "{:.3f}"),
    "rho": (r"$\rho$ = ", r"$\rho$ ", "{:.3g}"),
    "distance": ("$d$ = ", "$d$ ", "{:.3g}"),
    "accuracy": ("accuracy ", "acc. ", "{:.3f}"),
    "ece": ("ECE ", "ECE ", "{:.3f}"),
    "plane_share": ("in plane ", "plane ", "{:.0%}"),
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
        lines.append((short_word if short else word) + form.format(panel.metrics[key]).replace("%", " %"))
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


def point_look(side_in: float, n: int) -> tuple[float, float]:
    """Diameter in points and opacity of a mark: smaller and fainter in small panels and large crowds.

    Args:
        side_in: of the panel, inches; n: examples in it.
    """
    crowd = min(1.0, 2_000 / max(n, 1))
    size = float(np.clip(0.019 * 72 * side_in, 1.2, 3.0)) * max(crowd**0.2, 0.45)
    return size, 0.75 * max(crowd**0.25, 0.3)


def draw_panel(
    ax: Axes,
    panel: Panel,
    marks: Marks,
    *,
    side_in: float,
    corner: Sequence[str],
    face: Face,
    size_pt: float,
    rasterized: bool,
) -> None:
    """Fill an axes; every artist has a gid that says what it is ("points-0-1": class 0, kind 1).

    Args:
        ax: square, of `side_in` inches; panel: what to draw; marks: what stands beside the points.
        corner: keys of `CORNER`; face, size_pt: of the text inside; rasterized: the points as pixels.
    """
    x0, x1, y0, y1 = panel.limits
    ax.set(xlim=(x0, x1), ylim=(y0, y1), xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set(linewidth=0.5, edgecolor="#9aa3b0", zorder=5)
    under = under_points(panel, marks.shading)
    if under is not None:
        _picture(ax, panel, under)
    if marks.pull and panel.pull is not None:
        _arrows(ax, panel.pull, float(np.clip(0.4 * side_in, 0.3, 0.6)))
    if marks.boundaries:
        for number, ends in enumerate(np.asarray(panel.boundaries, np.float64)):
            inside = clip_segment(ends, panel.limits)
            if inside is not None:
                ax.plot(
                    *inside.T, ls=DASHES, lw=0.7, color=LIGHT.line, zorder=1, gid=f"boundary-{number}",
                    dash_capstyle="butt",
                )  # fmt: skip
    _points(ax, panel, marks, side_in, rasterized)
    _overlays(ax, panel, marks, float(np.clip(3.2 * side_in, 3.5, 6.0)))
    _words(ax, panel, side_in, corner, face, size_pt)


def _picture(ax: Axes, panel: Panel, rgba: NDArray[np.uint8]) -> None:
    """A transparent picture [g, g, 4] on white, below all else: files need no transparency."""
    colours = rgba.astype(np.float32)
    alpha = colours[..., 3:] / 255
    tint = np.rint(255 - alpha * (255 - colours[..., :3])).astype(np.uint8)
    image = ax.imshow(
        tint, extent=panel.limits, origin="lower", interpolation="bilinear", aspect="equal", zorder=0
    )
    image.set_gid("shading")
    x0, x1, y0, y1 = panel.limits
    ax.set(xlim=(x0, x1), ylim=(y0, y1))


def _arrows(ax: Axes, pull: Arrows, width: float) -> None:
    """One line a class, with gaps between the arrows, under all that is data."""
    for k in range(3):
        strokes = arrow_strokes(pull.ends[pull.labels == k])
        if len(strokes):
            gap = np.full((len(strokes), 1, 2), np.nan)
            path = np.concatenate([strokes, gap], axis=1).reshape(-1, 2)
            ax.plot(
                *path.T, lw=width, color=faded(CLASS_COLOURS[k]), zorder=0.5, gid=f"pull-{k}",
                solid_capstyle="butt", solid_joinstyle="miter",
            )  # fmt: skip


def _points(ax: Axes, panel: Panel, marks: Marks, side_in: float, rasterized: bool) -> None:
    size, alpha = point_look(side_in, len(panel.xy))
    xy = np.asarray(panel.xy, np.float32)
    for k, kind, positions in point_groups(panel, marks.errors):
        colour = CLASS_COLOURS[k]
        look: dict[str, Any] = {
            "marker": SHAPES[k],
            "mfc": colour,
            "mec": "none",
            "mew": 0,
            "ms": size,
            "alpha": 0.75,
        }
        if kind == INSIDE:
            look |= {"mfc": "none", "mec": colour, "mew": 0.2 * size, "ms": 1.4 * size, "alpha": 1.2 * alpha}
        elif kind != CORRECT:
            look |= {
                "marker": "x",
                "mec": colour,
                "mew": 0.24 * size,
                "ms": 1.15 * size,
                "alpha": 1.2 * alpha,
            }
        ax.plot(
            xy[positions, 0], xy[positions, 1], ls="none", zorder=2, gid=f"points-{k}-{kind}",
            rasterized=rasterized, **look,
        )  # fmt: skip


def _overlays(ax: Axes, panel: Panel, marks: Marks, size: float) -> None:
    if marks.templates:
        for k, xy in enumerate(np.asarray(panel.templates_xy, np.float32)):
            ax.plot(*xy[:, None], **template_look(size, CLASS_COLOURS[k]), zorder=3, gid=f"template-{k}")
    wanted = []
    if marks.optimum and panel.ideal_xy is not None:
        wanted.append((panel.ideal_xy, star_look(size), "optimum"))
    if marks.means and len(panel.means_xy):
        wanted.append((panel.means_xy, plus_look(size), "mean"))
    for xy, look, gid in wanted:
        x, y = np.asarray(xy, np.float32).T
        ax.plot(x, y, **look, zorder=4, gid=gid)


def template_look(size: float, colour: str) -> dict[str, Any]:
    """A diamond in a class's colour with a rim of ink."""
    return {"ls": "none", "marker": "D", "ms": size * 0.75, "mfc": colour, "mec": LIGHT.text, "mew": 0.6}


def star_look(size: float) -> dict[str, Any]:
    """A white star with a rim of ink."""
    return {"ls": "none", "marker": "*", "ms": size * 1.35, "mfc": LIGHT.page, "mec": LIGHT.text, "mew": 0.6}


def plus_look(size: float) -> dict[str, Any]:
    """A plus of ink with a white rim."""
    return {"ls": "none", "marker": "P", "ms": size * 1.1, "mfc": LIGHT.text, "mec": LIGHT.page, "mew": 0.5}


def _words(ax: Axes, panel: Panel, side_in: float, corner: Sequence[str], face: Face, size: float) -> None:
    """Numbers above right, scale bar below left, points outside below right."""
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
