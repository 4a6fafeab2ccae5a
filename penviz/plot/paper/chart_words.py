"""The words around the charts of a paper figure: ticks, labels of the axes, letters and titles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penviz.plot.paper.chart_layout import PAD_IN, TICK_IN, Box, ChartPlan
from penviz.plot.paper.legend import Entry, Legend, draw_legend, legend_lines
from penviz.plot.paper.plane import letter_of
from penviz.plot.paper.typeface import Face
from penviz.plot.theme import LIGHT
from penviz.projection.chart import Chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_around(figure: Figure, box: Box, places: ChartPlan) -> None:
    """Ticks, their words and the labels of the axes: text and lines at their place on the page."""
    from matplotlib.lines import Line2D

    inches = figure.dpi_scale_trans
    size = places.tick_pt
    said: dict[str, Any] = {"transform": inches, "color": LIGHT.note, "fontsize": size, "parse_math": False}
    named: dict[str, Any] = said | {"fontsize": places.label_pt, "color": LIGHT.text}
    line = 1.2 * places.label_pt / 72

    def tick(xs: list[float], ys: list[float]) -> None:
        figure.add_artist(Line2D(xs, ys, transform=inches, lw=0.5, color="#9aa3b0", gid="tick"))

    (x0, x1), low = box.x.limits, box.bottom - TICK_IN
    for value, word in box.x.ticks:
        x = box.left + (value - x0) / (x1 - x0) * box.width
        tick([x, x], [low, box.bottom])
        if box.x.upright:
            upward: dict[str, Any] = {
                "rotation": 90,
                "rotation_mode": "anchor",
                "ha": "right",
                "va": "center_baseline",
            }
            figure.text(x, low - PAD_IN, word, gid="x tick", **said, **upward)
        else:
            base = low - PAD_IN - 0.72 * size / 72
            figure.text(x, base, word, ha="center", va="baseline", gid="x tick", **said)
    y = low - PAD_IN - box.x.words - 0.4 * PAD_IN
    for number, text in enumerate(box.x.lines):
        at = y - number * line - 0.8 * places.label_pt / 72
        figure.text(box.left + box.width / 2, at, text, ha="center", va="baseline", gid="x label", **named)
    start = box.left - TICK_IN
    y0, y1 = box.y.limits
    for value, word in box.y.ticks:
        y = box.bottom + (value - y0) / (y1 - y0) * box.height
        tick([box.left, start], [y, y])
        figure.text(start - PAD_IN, y, word, ha="right", va="center_baseline", gid="y tick", **said)
    near = start - (2 * PAD_IN + box.y.words)
    for number, text in enumerate(box.y.lines[::-1]):
        x = near - (number + 0.5) * line
        figure.text(
            x, box.bottom + box.height / 2, text, rotation=90, ha="center", va="center",
            gid="y label", **named,
        )  # fmt: skip


INSIDE_IN = 0.05
"""Between the frame of a chart and the names that stand in it, inches."""


MOST_TALL = 0.65
"""Height of these names at most, as a share of the chart's."""


def names_inside(entries: Sequence[Entry], box: Box, face: Face, size: float) -> Legend | None:
    """The names in a chart, one a line; None where they do not fit in its width and most of its height."""
    room = box.width - 2 * INSIDE_IN
    made = legend_lines([[entry] for entry in entries], face, size, 99.0, stacked=True)
    return (
        made if max(made.widths, default=0.0) <= room and made.height_in <= MOST_TALL * box.height else None
    )


def write_names(figure: Figure, names: Legend, at: str, box: Box) -> None:
    """Write them in the corner `at` of a chart, on a pale ground."""
    from matplotlib.patches import Rectangle

    width = max(names.widths)
    left = box.left + (box.width - INSIDE_IN - width if "right" in at else INSIDE_IN)
    low = box.bottom + (INSIDE_IN if "lower" in at else box.height - INSIDE_IN - names.height_in)
    ground: dict[str, Any] = {"fc": LIGHT.page, "alpha": 0.7, "lw": 0, "gid": "names"}
    figure.add_artist(
        Rectangle((left, low), width, names.height_in, transform=figure.dpi_scale_trans, **ground)
    )
    draw_legend(figure, names, left, low + names.height_in, None)


def fitted_titles(
    charts: Sequence[Chart], places: ChartPlan, face: Face, letters: bool, size: float
) -> tuple[list[str], float]:
    """Titles of the charts and their type size: smaller where that spares cutting one, the same for all."""
    titles = [chart.title for chart in charts]

    def rooms(size: float) -> list[float]:
        taken = [_letter_in(letter_of(n), face, size) if letters else 0.0 for n in range(len(charts))]
        return [box.width - own for box, own in zip(places.boxes, taken, strict=True)]

    for tried in (size, places.label_pt, places.tick_pt):
        if all(face.width_in(t, tried) <= room for t, room in zip(titles, rooms(tried), strict=True)):
            return titles, tried
    return face.fitted_apart(titles, size, min(rooms(size))), size


def _letter_in(letter: str, face: Face, size: float) -> float:
    """Inches that the letter of a chart takes before its title."""
    return face.width_in(f"({letter})", size, bold=True) + 0.35 * size / 72


def write_head(figure: Figure, title: str, box: Box, face: Face, letter: str, size: float) -> None:
    """Letter and title over a chart."""
    said: dict[str, Any] = {
        "transform": figure.dpi_scale_trans,
        "fontsize": size,
        "color": LIGHT.text,
        "va": "baseline",
        "parse_math": False,
    }
    y = box.bottom + box.height + 0.3 * size / 72
    taken = 0.0
    if letter:
        figure.text(box.left, y, f"({letter})", weight="bold", gid="letter", **said)
        taken = _letter_in(letter, face, size)
    if title:
        half = face.width_in(title, size) / 2
        x = max(box.left + box.width / 2, box.left + taken + half)
        figure.text(x, y, title, ha="center", gid="head", **said)
