"""Charts for the paper: at a venue's own width, text at its final size, drawn by matplotlib.

figure = paper_charts(charts, PaperOptions("neurips"))
Path("figure2.pdf").write_bytes(figure_bytes(figure, "pdf"))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from penviz import InputError
from penviz.plot.chart_look import (
    LEAST_WEIGHT,
    LINE_ALPHA,
    SERIES_MARKS,
    Float,
    bar_places,
    pieces,
    series_colour,
    sparse,
    step_outline,
)
from penviz.plot.paper.chart_layout import Box, ChartPlan, chart_plan
from penviz.plot.paper.chart_words import fitted_titles, names_inside, write_around, write_head, write_names
from penviz.plot.paper.layout import EDGE_IN
from penviz.plot.paper.legend import Entry, draw_legend
from penviz.plot.paper.options import DEFAULTS, PaperOptions
from penviz.plot.paper.panel import DASHES, point_look
from penviz.plot.paper.plane import VECTOR_LIMIT, letter_of
from penviz.plot.paper.words import clip_segment
from penviz.plot.theme import LIGHT
from penviz.projection.chart import Chart, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_PT, FAINT_PT, MARK_PT = 1.1, 0.8, 3.2
"""Width of a line and of one that is dashed or in the background; size of a mark; points."""

BAND_ALPHA, FAINT_ALPHA, CLOUD_ALPHA = 0.18, 0.38, 0.6
"""Opacity of a band, of what stands in the background, of the points of a cloud."""

SPARSE = 4
"""Marks on a line of several, so that it can be told from the others in grey."""


def paper_charts(
    charts: Sequence[Chart],
    options: PaperOptions = DEFAULTS,
    *,
    letters: bool = True,
    columns: int | None = None,
) -> Figure:
    """A matplotlib figure of charts that goes into a paper as it is, or may be edited further.

    Args:
        charts: in reading order.
        options: the paper.
        letters: (a), (b), ... over the charts, where there is more than one.
        columns: charts a row; None for as many as stay large enough to read.

    Returns:
        The figure; every artist has a gid. Write it with `figure_bytes`.

    Raises:
        InputError: nothing to draw, unknown names, or more charts than fit.
    """
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not charts:
        raise InputError("There is nothing to draw: no charts.")
    place, across, face = options.printed_on()
    letters = letters and len(charts) > 1
    many = sum(len(s.x) for c in charts for s in c.series if s.kind == "points") > VECTOR_LIMIT
    places = chart_plan(charts, _entries(charts), place, across, face, letters, columns)
    named = [
        names_inside(_inside(c), box, face, places.tick_pt)
        for c, box in zip(charts, places.boxes, strict=True)
    ]
    if not all(named):  # too long for their charts: into the legend
        charts = [replace(chart, names_at="") for chart in charts]
        places = chart_plan(charts, _entries(charts), place, across, face, letters, columns)
    settings = {"font.family": list(face.family), "mathtext.fontset": face.math}
    with style.context(["default", settings]):
        figure = Figure(figsize=(across, places.height), dpi=options.dpi, facecolor=LIGHT.page)
        FigureCanvasAgg(figure)
        titles, head_pt = fitted_titles(charts, places, face, letters, place.font_pt)
        for number, (chart, box) in enumerate(zip(charts, places.boxes, strict=True)):
            _draw(figure, chart, box, places, many)
            write_around(figure, box, places)
            if chart.names_at and (names := named[number]):
                write_names(figure, names, chart.names_at, box)
            write_head(figure, titles[number], box, face, letter_of(number) if letters else "", head_pt)
        room = across - 2 * EDGE_IN
        draw_legend(figure, places.legend, EDGE_IN, places.legend_top, room)
    return figure


def _draw(figure: Figure, chart: Chart, box: Box, places: ChartPlan, many: bool) -> None:
    """The axes of a chart with all that stands in them."""
    ax = _axes(figure, box, places)
    ax.set(xlim=box.x.limits, ylim=box.y.limits)
    ax.set_gid(f"chart-{len(figure.axes)}")
    _grid(ax, box)
    for k, line in enumerate(chart.lines):
        ends = clip_segment(np.array([line.start, line.end], np.float64), (*box.x.limits, *box.y.limits))
        if ends is not None:
            ax.plot(*ends.T, zorder=1, gid=f"line-{k}", **_rule_look())
    bars = bar_places(chart)
    for k, series in enumerate(chart.series):
        _series(ax, k, series, bars.get(k), _mark_places(chart, k), (box, many))
        for artist in ax.get_children():
            what, _, own = (artist.get_gid() or "").rpartition("-")
            if what and own == str(k) and what != "line" and series.name:
                artist.set_label(f"{what} {series.name}")


def _axes(figure: Figure, box: Box, places: ChartPlan) -> Axes:
    left, bottom = box.left / places.width, box.bottom / places.height
    size = (box.width / places.width, box.height / places.height)
    ax = figure.add_axes((left, bottom, *size))
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(linewidth=0.5, edgecolor="#9aa3b0", zorder=5)
    return ax


def _grid(ax: Axes, box: Box) -> None:
    """A quiet line at each tick inside the frame."""
    look: dict[str, Any] = {"color": LIGHT.frame, "lw": 0.4, "zorder": 0.5, "gid": "grid"}
    (x0, x1), (y0, y1) = box.x.limits, box.y.limits
    for value, _ in box.x.ticks:
        if x0 < value < x1:
            ax.plot([value, value], [y0, y1], **look)
    for value, _ in box.y.ticks:
        if y0 < value < y1:
            ax.plot([x0, x1], [value, value], **look)


def _rule_look() -> dict[str, Any]:
    return {"ls": DASHES, "lw": 0.7, "color": LIGHT.line, "dash_capstyle": "butt"}


def _stroke(series: Series) -> dict[str, Any]:
    """How the line of a series is drawn."""
    look: dict[str, Any] = {
        "color": series_colour(series.colour),
        "lw": FAINT_PT if series.faint or series.dashed else LINE_PT,
        "ls": DASHES if series.dashed else "-",
        "dash_capstyle": "butt",
        "solid_joinstyle": "round",
    }
    if series.weights is not None:
        look |= {"lw": 0.7, "alpha": LINE_ALPHA}
    return look | ({"alpha": FAINT_ALPHA} if series.faint else {})


def _mark(series: Series) -> dict[str, Any]:
    """How the marks of a series are drawn; hollow where it is dashed."""
    colour = series_colour(series.colour)
    look: dict[str, Any] = {
        "ls": "none",
        "marker": SERIES_MARKS[series.colour % len(SERIES_MARKS)],
        "ms": MARK_PT,
        "mfc": LIGHT.page if series.dashed else colour,
        "mec": colour,
        "mew": 0.7 if series.dashed else 0,
    }
    return look | ({"alpha": FAINT_ALPHA} if series.faint else {})


def _mark_places(chart: Chart, k: int) -> np.ndarray:
    """Positions of the marks of a series: of a line, a few, where there are others of another colour."""
    series = chart.series[k]
    if series.kind in ("markers", "line+markers"):
        return np.flatnonzero(np.isfinite(series.x) & np.isfinite(series.y))
    lines = [i for i, s in enumerate(chart.series) if s.kind in ("line", "steps") and not s.faint]
    if k not in lines or len({chart.series[i].colour for i in lines}) == 1:
        return np.zeros(0, np.int64)
    if series.kind == "steps":  # on the outline's tops, not on the axis
        series = replace(series, y=np.where(series.y > 0, series.y, np.nan))
    return sparse(series, SPARSE, lines.index(k), len(lines))


def _series(
    ax: Axes,
    k: int,
    series: Series,
    bars: tuple[Float, float] | None,
    marked: np.ndarray,
    place: tuple[Box, bool],
) -> None:
    """Draw one series; place: the box of its chart, and whether points are pixels."""
    colour, gid = series_colour(series.colour), f"series-{k}"
    zorder = 1.5 if series.faint else 2.0
    x = series.x if bars is None else bars[0]
    if bars is not None:
        _bars(ax, series, bars, zorder, gid)
    _intervals(ax, k, series, x, zorder)
    if series.kind == "points":
        box, many = place
        size, _ = point_look(min(box.width, box.height), len(x))
        look: dict[str, Any] = {
            "marker": "o",
            "ms": size,
            "mfc": colour,
            "mec": "none",
            "mew": 0,
            "alpha": CLOUD_ALPHA,
        }
        held = np.isfinite(x) & np.isfinite(series.y)
        ax.plot(x[held], series.y[held], ls="none", zorder=zorder, gid=gid, rasterized=many, **look)
    if series.kind in ("line", "line+markers", "steps"):
        drawn = step_outline(x, series.y) if series.kind == "steps" else (x, series.y)
        for part_x, part_y in pieces(*drawn):
            if len(part_x) > 1:
                ax.plot(part_x, part_y, zorder=zorder, gid=gid, **_stroke(series))
            elif not len(marked):
                ax.plot(part_x, part_y, zorder=zorder, gid=gid, **_mark(series) | {"ms": 2.0, "marker": "o"})
    _marks(ax, k, series, x, marked, zorder + 0.1)


def _intervals(ax: Axes, k: int, series: Series, x: np.ndarray, zorder: float) -> None:
    """The band of a line, or a whisker a point."""
    if series.low is None or series.high is None:
        return
    colour = series_colour(series.colour)
    if series.kind in ("line", "steps"):
        for part, low, high in pieces(x, series.low, series.high):
            corners = np.column_stack([[*part, *part[::-1]], [*low, *high[::-1]]])
            _fill(ax, corners, {"fc": colour, "alpha": BAND_ALPHA, "lw": 0}, 1.4, f"band-{k}")
        return
    for at, low, high in zip(x, series.low, series.high, strict=True):
        if np.isfinite([at, low, high]).all():
            ax.plot([at, at], [low, high], color=colour, lw=0.7, zorder=zorder, gid=f"whisker-{k}")


def _marks(ax: Axes, k: int, series: Series, x: np.ndarray, marked: np.ndarray, zorder: float) -> None:
    """The marks of a series, faded by their weights where it has some."""
    if series.weights is None:
        if len(marked):
            ax.plot(x[marked], series.y[marked], zorder=zorder, gid=f"marks-{k}", **_mark(series))
        return
    for at in marked:
        own = {"alpha": LEAST_WEIGHT + (1 - LEAST_WEIGHT) * series.weights[at]}
        ax.plot(x[at], series.y[at], zorder=zorder, gid=f"marks-{k}", **_mark(series) | own)


def _bars(ax: Axes, series: Series, bars: tuple[Float, float], zorder: float, gid: str) -> None:
    """Bars from 0; dashed ones are outlines with a tint."""
    middles, width = bars
    colour = series_colour(series.colour)
    alpha = FAINT_ALPHA if series.faint else 0.25 if series.dashed else 1.0
    look: dict[str, Any] = {"fc": (colour, alpha), "ec": colour, "lw": 0.7 if series.dashed else 0}
    for middle, height in zip(middles, series.y, strict=True):
        if np.isfinite([middle, height]).all():
            left, right = middle - width / 2, middle + width / 2
            corners = np.array([[left, 0], [left, height], [right, height], [right, 0]])
            _fill(ax, corners, look, zorder, gid)


def _fill(ax: Axes, corners: Float, look: dict[str, Any], zorder: float, gid: str) -> None:
    from matplotlib.patches import Polygon

    ax.add_patch(Polygon(corners, closed=True, zorder=zorder, gid=gid, **look))


def _inside(chart: Chart) -> list[Entry]:
    """The names of the series that stand in a chart, and the notes under them."""
    named = [_entry(chart, k) for k, s in enumerate(chart.series) if chart.named_inside(s)]
    named = [replace(e, wide=False, look=e.mark, mark={}) if e.mark else e for e in named]
    return [*named, *(Entry(note, {"ls": "none"}) for note in chart.notes)]


def _entries(charts: Sequence[Chart]) -> list[Entry]:
    """The legend: an entry a name, series first, then the straight lines."""
    found: dict[str, Entry] = {}
    for chart in charts:
        for k, series in enumerate(chart.series):
            if series.name and series.name not in found and not chart.named_inside(series):
                found[series.name] = _entry(chart, k)
    for chart in charts:
        for line in chart.lines:
            if line.words:
                found.setdefault(line.words, Entry(line.words, _rule_look(), wide=True))
    return list(found.values())


def _entry(chart: Chart, k: int) -> Entry:
    series = chart.series[k]
    colour = series_colour(series.colour)
    faint = {"alpha": FAINT_ALPHA} if series.faint else {}
    if series.kind == "bars":
        face = {"mfc": LIGHT.page if series.dashed else colour, "mec": colour}
        square = {"ls": "none", "marker": "s", "ms": 5.0, "mew": 0.7 if series.dashed else 0}
        return Entry(series.name, square | face | faint)
    if series.kind == "points":
        look = {"ls": "none", "marker": "o", "ms": 2.6, "mfc": colour, "mec": "none", "alpha": CLOUD_ALPHA}
        return Entry(series.name, look)
    if series.kind == "markers":
        return Entry(series.name, _mark(series))
    if series.band_alone:
        band = {"ls": "-", "lw": 5.0, "solid_capstyle": "butt", "color": colour, "alpha": BAND_ALPHA}
        return Entry(series.name, band, wide=True)
    marked = len(_mark_places(chart, k)) > 0
    return Entry(series.name, _stroke(series), wide=True, mark=_mark(series) if marked else {})
