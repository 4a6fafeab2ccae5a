"""Charts as one Plotly figure: the look of the grid for curves, bars and clouds of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penviz.plot.chart_look import (
    LEAST_WEIGHT,
    LINE_ALPHA,
    SERIES_SYMBOLS,
    bar_places,
    default_columns,
    limits_x,
    limits_y,
    names_y,
    pieces,
    series_colour,
    step_outline,
)
from penviz.plot.chart_words import entry_of, hover_template, hover_words, in_legend, legend_entry, words_of
from penviz.plot.theme import Ink, as_written, blank, ink, rgb
from penviz.projection.chart import Chart, Series

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WEBGL_ABOVE = 5_000
"""Points in a series above which it is drawn with WebGL; below it, SVG stays sharp when saved."""

ROW_PX, HEAD_PX, FOOT_PX, LEGEND_PX = 330, 26, 48, 30
"""Height of a row of charts; of the line over a chart; under it for ticks and the label; of a legend."""

GAP, GAP_NAMED = 0.055, 0.095
"""Space between two columns as a share of the width: for ticks, and for a label too."""

BAND_ALPHA, FAINT_ALPHA = 0.16, 0.32
"""Opacity of a band, and of what stands in the background."""


def chart_figure(
    charts: Sequence[Chart],
    *,
    columns: int | None = None,
    dark: bool = False,
    height: int | None = None,
) -> Figure:
    """All charts in one Plotly figure, filled row by row.

    A chart whose two pairs of limits are given is locked: its frame has a meaning. All others can be zoomed.
    The legend has an entry for each name that stands in no chart; a click on one hides what has the name.

    Args:
        charts: what to draw, in reading order.
        columns: charts a row; None for up to three.
        dark: for a dark page.
        height: of the whole figure in pixels, or None for `ROW_PX` a row.

    Raises:
        ValueError: no charts.
    """
    from plotly.graph_objects import Figure

    if not charts:
        raise ValueError("There is nothing to draw: no charts.")
    columns = columns or default_columns(len(charts))
    rows = -(-len(charts) // columns)
    legend = any(map(in_legend, charts))
    height = height or ROW_PX * rows + (LEGEND_PX if legend else 0)
    colours = ink(dark)
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 58, "r": 14, "t": HEAD_PX, "b": FOOT_PX},
        **blank(colours),
        "hoverlabel": {"align": "left", "font": {"size": 12}},
        "dragmode": "zoom",
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "y": 1 + HEAD_PX / _free(height, legend),
            "yanchor": "bottom",
            "x": 0,
            "xanchor": "left",
            "font": {"size": 12, "color": colours.text},
            "itemdoubleclick": "toggleothers",
            "title": {
                "text": _dashes(charts),
                "font": {"size": 12, "color": colours.note},
                "side": "left" if columns > 1 else "top",  # of one column, which may be narrow
            },
        },
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": colours.note, "activecolor": colours.text},
        "barmode": "overlay",
        "annotations": [],
        "shapes": [],
    }
    traces: list[dict[str, Any]] = []
    named: set[str] = set()
    for i, (chart, place) in enumerate(zip(charts, _domains(charts, columns, height, legend), strict=True)):
        x, y = f"x{i + 1 if i else ''}", f"y{i + 1 if i else ''}"
        layout |= _axes(chart, x, y, place, colours, names_y(charts, columns)[i])
        layout["annotations"] += words_of(chart, x, y, dark)
        traces += _lines(chart, x, y, colours, named)
        places = bar_places(chart)
        order = sorted(range(len(chart.series)), key=lambda k: not chart.series[k].faint)
        own = {"xaxis": x, "yaxis": y}
        for k in order:
            traces += [own | trace for trace in _series(chart, k, places.get(k), dark, named)]
    return Figure({"data": traces, "layout": layout}, _validate=False)


def _dashes(charts: Sequence[Chart]) -> str:
    """What tells the splits apart, where the legend has one entry for both."""
    split = any(entry_of(series.name) != series.name for chart in charts for series in chart.series)
    return "solid: train, dashed: validation   " if split else ""


def _free(height: int, legend: bool) -> int:
    """Pixels between the margins of a figure."""
    return max(height - HEAD_PX - FOOT_PX - (LEGEND_PX if legend else 0), 1)


def _domains(
    charts: Sequence[Chart], columns: int, height: int, legend: bool
) -> list[tuple[list[float], list[float]]]:
    """Domains of the x and the y axis of each chart, shares of the figure inside its margins."""
    rows = -(-len(charts) // columns)
    named = names_y(charts, columns)
    inner = [i for i in range(len(charts)) if i % columns]
    gap = GAP_NAMED if any(named[i] for i in inner) else GAP
    width = (1 - gap * (columns - 1)) / columns
    free = _free(height, legend)
    between = (HEAD_PX + FOOT_PX) / free
    tall = (1 - between * (rows - 1)) / rows
    made = []
    for i in range(len(charts)):
        row, column = divmod(i, columns)
        left, top = column * (width + gap), 1 - row * (tall + between)
        across = [round(left, 5), round(min(left + width, 1), 5)]
        made.append((across, [round(max(top - tall, 0), 5), round(top, 5)]))
    return made


def _axes(
    chart: Chart,
    x: str,
    y: str,
    place: tuple[list[float], list[float]],
    colours: Ink,
    names_its_y: bool,
) -> dict[str, Any]:
    """The axes of a chart: thin frame, quiet grid, no line at zero."""
    grid = "rgba({},{},{},0.10)".format(*rgb(colours.note))
    locked = chart.x_limits is not None and chart.y_limits is not None
    quiet: dict[str, Any] = {
        "gridcolor": grid,
        "zeroline": False,
        "showline": True,
        "linecolor": colours.frame,
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": 3,
        "tickcolor": colours.frame,
        "tickfont": {"size": 11, "color": colours.note},
        "tickmode": "auto",
        "nticks": 6,
        "fixedrange": locked,
    }
    name = {"font": {"size": 12, "color": colours.note}, "standoff": 6}
    across = quiet | {"domain": place[0], "anchor": y, "range": list(limits_x(chart)), "mirror": True}
    across["title"] = name | {"text": as_written(chart.x_label)}
    if chart.x_ticks:
        across |= {
            "tickmode": "array",
            "automargin": "height",
            "tickvals": [value for value, _ in chart.x_ticks],
            "ticktext": [as_written(word) for _, word in chart.x_ticks],
        }
    up = quiet | {"domain": place[1], "anchor": x, "range": list(limits_y(chart))}
    up |= {"title": name | {"text": as_written(chart.y_label) if names_its_y else ""}, "mirror": True}
    if chart.square:
        up |= {"scaleanchor": x, "scaleratio": 1, "constrain": "domain", "constraintoward": "top"}
        across |= {"constrain": "domain", "constraintoward": "left"}
    return {"xaxis" + x[1:]: across, "yaxis" + y[1:]: up}


def _lines(chart: Chart, x: str, y: str, colours: Ink, named: set[str]) -> list[dict[str, Any]]:
    """Straight lines that are no data, below the series."""
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": np.array([line.start[0], line.end[0]], np.float32),
            "y": np.array([line.start[1], line.end[1]], np.float32),
            "line": {"color": colours.line, "width": 1.1, "dash": "4px,3px"},
            "hoverinfo": "skip",
            "xaxis": x,
            "yaxis": y,
        }
        | legend_entry(line.words, named)
        for line in chart.lines
    ]


def _series(
    chart: Chart, k: int, bars: tuple[NDArray[np.float64], float] | None, dark: bool, named: set[str]
) -> list[dict[str, Any]]:
    """The traces of one series: its band, then its marks."""
    series = chart.series[k]
    colour = series_colour(series.colour, dark)
    made = []
    if series.low is not None and series.high is not None and series.kind in ("line", "steps"):
        made.append(_band(series, colour))
    if series.band_alone:
        return [made[0] | legend_entry(series.name, named)]
    trace: dict[str, Any] = {
        "x": np.ascontiguousarray(series.x, np.float32),
        "y": np.ascontiguousarray(series.y, np.float32),
        "hovertemplate": hover_template(chart, series),
        "opacity": FAINT_ALPHA if series.faint else 1.0,
    }
    words, error = hover_words(series), _whiskers(series, colour)
    trace |= {"text": words} if words is not None else {}
    if bars is not None:
        middles, width = bars
        trace |= {
            "type": "bar",
            "x": np.ascontiguousarray(middles, np.float32),
            "width": width,
            "textposition": "none",
        }
        pattern = {"shape": "/", "fgcolor": colour, "bgcolor": "rgba(0,0,0,0)", "size": 5}
        trace["marker"] = {
            "color": colour,
            "line": {"width": 1 if series.dashed else 0, "color": colour},
        } | ({"pattern": pattern} if series.dashed else {})
        trace |= {"error_y": error} if error else {}
    else:
        trace |= _scatter(series, colour, dark) | ({"error_y": error} if error else {})
    inside = {"showlegend": False} if chart.named_inside(series) else {}
    return [
        *({"legendgroup": entry_of(series.name)} | band for band in made),
        trace | legend_entry(series.name, named) | inside,
    ]


def _scatter(series: Series, colour: str, dark: bool) -> dict[str, Any]:
    """Lines, outlines of histograms, marks and clouds."""
    many = len(series.x) > WEBGL_ABOVE
    line = {
        "color": colour,
        "width": 1.4 if series.faint else 2,
        "dash": "5px,3px" if series.dashed else "solid",
    }
    symbol = SERIES_SYMBOLS[series.colour % len(SERIES_SYMBOLS)]
    marker: dict[str, Any] = {"color": colour, "symbol": symbol, "size": 7, "line": {"width": 0}}
    if series.dashed:  # hollow: filled with the page
        marker |= {"color": ink(dark).page, "line": {"width": 1.6, "color": colour}}
    made: dict[str, Any] = {"type": "scattergl" if many else "scatter", "connectgaps": False}
    if series.kind == "points":
        cloud = marker | {"size": 5, "symbol": "circle", "opacity": 0.6}
        return made | {"mode": "markers", "marker": cloud}
    if series.kind == "steps":
        x, y = step_outline(series.x, series.y)
        outline = {"x": x.astype(np.float32), "y": y.astype(np.float32), "hoverinfo": "skip"}
        return made | outline | {"mode": "lines", "line": line, "hovertemplate": None, "text": None}
    if series.weights is not None:
        marker["opacity"] = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * series.weights
        line |= {"width": 1, "color": "rgba({},{},{},{})".format(*rgb(colour), LINE_ALPHA)}
    mode = {"line": "lines", "markers": "markers", "line+markers": "lines+markers"}[series.kind]
    return made | {"mode": mode, "line": line, "marker": marker}


def _band(series: Series, colour: str) -> dict[str, Any]:
    """The interval about a line as one filled outline, a part for each stretch without a gap."""
    assert series.low is not None
    assert series.high is not None
    x, y = [], []
    for part, low, high in pieces(series.x, series.low, series.high):
        x += [*part, *part[::-1], np.nan]
        y += [*low, *high[::-1], np.nan]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": np.array(x, np.float32),
        "y": np.array(y, np.float32),
        "fill": "toself",
        "fillcolor": "rgba({},{},{},{})".format(*rgb(colour), BAND_ALPHA),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "name": f"{series.name}, interval",
    }


def _whiskers(series: Series, colour: str) -> dict[str, Any]:
    """Intervals of marks and bars."""
    if series.low is None or series.high is None or series.kind in ("line", "steps"):
        return {}
    return {
        "type": "data",
        "symmetric": False,
        "array": np.asarray(series.high - series.y, np.float32),
        "arrayminus": np.asarray(series.y - series.low, np.float32),
        "color": colour,
        "thickness": 1.2,
        "width": 0,
    }
