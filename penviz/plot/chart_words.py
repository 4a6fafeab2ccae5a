"""The words in and around charts on screen: titles, names, the legend, and what hover says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penviz.plot.chart_look import SERIES_SIGNS, series_colour
from penviz.plot.theme import as_written, ink, rgb
from penviz.projection.chart import Chart, Series
from penviz.projection.panel import SPLITS

WORDED = 12
"""Values of a series that its words name at most."""


def words_of(chart: Chart, x: str, y: str, dark: bool) -> list[dict[str, Any]]:
    """Its title, and the names that stand in a corner of it: annotations on the axes x and y."""
    refs = {"xref": f"{x} domain", "yref": f"{y} domain", "showarrow": False}
    title = {
        "text": f"<b>{as_written(chart.title)}</b>",
        "font": {"color": ink(dark).text, "size": 13},
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 3,
        "align": "left",
    }
    made = [refs | title] if chart.title else []
    return made + ([refs | _names(chart, dark)] if chart.names_at else [])


def _names(chart: Chart, dark: bool) -> dict[str, Any]:
    """The names of the series in their corner, each after its mark or a piece of its line."""
    lines, colours = [], ink(dark)
    for series in filter(chart.named_inside, chart.series):
        sign = "━" if series.kind == "line" else SERIES_SIGNS[series.colour % len(SERIES_SIGNS)]
        colour = series_colour(series.colour, dark)
        lines.append(f'<span style="color:{colour}">{sign}</span> {as_written(series.name)}')
    right, low = "right" in chart.names_at, "lower" in chart.names_at
    return {
        "text": "<br>".join([*lines, *map(as_written, chart.notes)]),
        "font": {"color": colours.text, "size": 11},
        "bgcolor": "rgba({},{},{},0.7)".format(*rgb(colours.page)),
        "align": "left",
        "x": float(right),
        "y": float(not low),
        "xanchor": "right" if right else "left",
        "yanchor": "bottom" if low else "top",
        "xshift": -4 if right else 4,
        "yshift": 4 if low else -4,
    }


def in_legend(chart: Chart) -> bool:
    """Whether a name of a chart stands in the legend."""
    named = (series.name for series in chart.series if not chart.named_inside(series))
    return any(named) or any(line.words for line in chart.lines)


def entry_of(name: str) -> str:
    """What the legend calls a series: "hard" for "hard, train" and for "hard, validation"."""
    of, _, split = name.rpartition(", ")
    return of if of and split in SPLITS else name


def legend_entry(name: str, named: set[str]) -> dict[str, Any]:
    """The legend of a trace: the first of an entry stands for all."""
    entry = entry_of(name)
    first = bool(entry) and entry not in named
    named.add(entry)
    return {"name": as_written(entry), "legendgroup": entry, "showlegend": first}


def hover_words(series: Series) -> list[str] | None:
    """What hover says of each value besides its numbers: its interval and its label."""
    if not series.labels and series.low is None:
        return None
    labels = [f"<br>{as_written(label)}" if label else "" for label in series.labels] or [""] * len(series.x)
    if series.low is None or series.high is None:
        return labels
    ends = zip(series.low.tolist(), series.high.tolist(), strict=True)
    return [f" [{low:.3g}, {high:.3g}]{label}" for (low, high), label in zip(ends, labels, strict=True)]


def hover_template(chart: Chart, series: Series) -> str:
    """x, y and the interval, each with its name and unit."""
    said = "%{text}" if series.labels or series.low is not None else ""
    return (
        f"<b>{as_written(series.name)}</b><br>{as_written(chart.x_label) or 'x'}: %{{x:.4~g}}"
        f"<br>{as_written(chart.y_label) or 'y'}: %{{y:.4~g}}{said}<extra></extra>"
    )


def in_words(charts: Sequence[Chart]) -> str:
    """Charts for who cannot see them: what each shows, then the numbers of its series."""
    said = []
    for chart in charts:
        axes = " against ".join(filter(None, (chart.y_label, chart.x_label)))
        head = ". ".join(filter(None, (chart.title, axes, chart.about.rstrip("."))))
        said.append(f"{head}. " + " ".join(_in_words(chart, series) for series in chart.series))
    return " ".join(said)


def _in_words(chart: Chart, series: Series) -> str:
    """All values of a short series, some of a long one, the ends of a cloud."""
    held = np.flatnonzero(np.isfinite(series.x) & np.isfinite(series.y))
    if series.band_alone or not len(held):
        return ""
    if series.kind == "points":
        ends = [f"{v.min():.3g} to {v.max():.3g}" for v in (series.x[held], series.y[held])]
        return f"{series.name}: {len(held)} points, {ends[0]} across, {ends[1]} up."
    shown = held[np.unique(np.linspace(0, len(held) - 1, WORDED).round().astype(int))]
    words = dict(chart.x_ticks)
    values = []
    for i in shown:
        x = words.get(float(series.x[i]), f"{series.x[i]:.4g}")
        span = ""
        if series.low is not None and series.high is not None:
            span = f" [{series.low[i]:.3g}, {series.high[i]:.3g}]"
        label = f" ({series.labels[i]})" if series.labels and series.labels[i] not in ("", x) else ""
        values.append(f"{series.y[i]:.3g}{span} at {x}{label}")
    some = f" ({len(shown)} of {len(held)} values)" if len(shown) < len(held) else ""
    return f"{series.name}{some}: {', '.join(values)}."
