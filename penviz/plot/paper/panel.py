"""One panel on paper: shading, boundaries, points, class means and stars in a matplotlib Axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penviz.plot.arrows import arrow_strokes, faded
from penviz.plot.paper.typeface import Face
from penviz.plot.paper.words import clip_segment, write_words
from penviz.plot.screen import Marks, point_groups
from penviz.plot.shading import under_points
from penviz.plot.theme import LIGHT
from penviz.projection.loss_gradient import Arrows
from penviz.projection.panel import CORRECT, INSIDE, POINT_WORDS, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHAPES = ("o", "s", "^")
"""matplotlib's names of `theme.CLASS_SHAPES`."""

DASHES = (0, (4, 3))
"""On and off of a boundary, in line widths."""


def point_look(side_in: float, n: int) -> tuple[float, float]:
    """Diameter in points and opacity of a mark: smaller and fainter in small panels and large crowds.

    Args:
        side_in: of the panel, inches; n: examples in it.
    """
    crowd = min(1.0, 2_000 / max(n, 1))
    size = float(np.clip(0.019 * 72 * side_in, 1.2, 3.0)) * max(crowd**0.2, 0.45)
    return size, 0.75 * max(crowd**0.25, 0.3)


@dataclass(frozen=True)
class PanelLook:
    """What the panels of a figure have in common.

    Attributes:
        marks: what stands beside the points; side_in: of a panel, inches; corner: keys of `CORNER`.
        face, size_pt: of the text inside; colours: of the three classes; rasterized: the points as pixels.
    """

    marks: Marks
    side_in: float
    corner: Sequence[str]
    face: Face
    size_pt: float
    colours: Sequence[str]
    rasterized: bool


def draw_panel(ax: Axes, panel: Panel, look: PanelLook) -> None:
    """Fill a square axes; every artist has a gid that says what it is ("points-0-1": class 0, kind 1)."""
    marks, side_in = look.marks, look.side_in
    x0, x1, y0, y1 = panel.limits
    ax.set(xlim=(x0, x1), ylim=(y0, y1), xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set(linewidth=0.5, edgecolor="#9aa3b0", zorder=5)
    under = under_points(panel, marks.shading, look.colours)
    if under is not None:
        _picture(ax, panel, under)
    if marks.pull and panel.pull is not None:
        _arrows(ax, panel.pull, float(np.clip(0.4 * side_in, 0.3, 0.6)), look.colours)
    if marks.boundaries:
        for number, ends in enumerate(np.asarray(panel.boundaries, np.float64)):
            inside = clip_segment(ends, panel.limits)
            if inside is not None:
                ax.plot(
                    *inside.T, ls=DASHES, lw=0.7, color=LIGHT.line, zorder=1, gid=f"boundary-{number}",
                    dash_capstyle="butt",
                )  # fmt: skip
    _points(ax, panel, look)
    _overlays(ax, panel, marks, float(np.clip(3.2 * side_in, 3.5, 6.0)), look.colours)
    write_words(ax, panel, side_in, look.corner, look.face, look.size_pt)


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


def _arrows(ax: Axes, pull: Arrows, width: float, colours: Sequence[str]) -> None:
    """One line a class, with gaps between the arrows, under all that is data."""
    for k in range(3):
        strokes = arrow_strokes(pull.ends[pull.labels == k])
        if len(strokes):
            gap = np.full((len(strokes), 1, 2), np.nan)
            path = np.concatenate([strokes, gap], axis=1).reshape(-1, 2)
            ax.plot(
                *path.T, lw=width, color=faded(colours[k]), zorder=0.5, gid=f"pull-{k}",
                solid_capstyle="butt", solid_joinstyle="miter",
            )  # fmt: skip


def _points(ax: Axes, panel: Panel, own: PanelLook) -> None:
    size, alpha = point_look(own.side_in, len(panel.xy))
    xy = np.asarray(panel.xy, np.float32)
    for k, kind, positions in point_groups(panel, own.marks.errors):
        colour = own.colours[k]
        look: dict[str, Any] = {
            "marker": SHAPES[k],
            "mfc": colour,
            "mec": "none",
            "mew": 0,
            "ms": size,
            "alpha": alpha,
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
            label=f"points {panel.classes[k]} {POINT_WORDS[kind]}", rasterized=own.rasterized, **look,
        )  # fmt: skip


def _overlays(ax: Axes, panel: Panel, marks: Marks, size: float, colours: Sequence[str]) -> None:
    if marks.templates:
        for k, xy in enumerate(np.asarray(panel.templates_xy, np.float32)):
            ax.plot(*xy[:, None], **template_look(size, colours[k]), zorder=3, gid=f"template-{k}")
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
