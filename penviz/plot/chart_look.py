"""What charts share on screen and on paper: colours and marks of the series, outlines, places, limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from penviz.projection.chart import Chart, Series

Float = NDArray[np.float64]

SERIES_COLOURS = ("#7b3294", "#a67c00", "#4a5361", "#d0629f", "#8079d9", "#7d8f0c")
"""Purple, gold, slate, rose, periwinkle, lime: runs are no classes, so none of the three class colours is
among them, and the first two stay apart for every kind of colour blindness, as blue and yellow do."""

SERIES_COLOURS_DARK = ("#c79ae8", "#e3b93c", "#c3cad4", "#f2a0cb", "#9fb1ff", "#b9cf52")
"""The same hues for a dark page."""

SERIES_MARKS = ("D", "v", "p", "X", "<", "P", "h")
"""matplotlib's marks of the series, none of which a class has; one more than colours, so that the pairs of
colour and mark repeat after 42 series only."""

SERIES_SYMBOLS = ("diamond", "triangle-down", "pentagon", "x", "triangle-left", "cross", "hexagon")
"""Plotly's names of `SERIES_MARKS`."""

SERIES_SIGNS = ("◆", "▼", "⬟", "✖", "◀", "✚", "⬢")
"""The same as letters."""

LEAST_WEIGHT = 0.15
"""Opacity of a mark of weight 0."""

LINE_ALPHA = 0.45
"""Opacity of the line through marks that fade."""

BAR_SHARE = 0.86
"""Width of a bar, or of the bars that stand side by side, as a share of the distance between two of them."""

MARGIN = 0.04
"""Free room beyond the values at each end of an axis, as a share of its length."""


def series_colour(position: int, dark: bool = False) -> str:
    """Colour of a series on a page."""
    colours = SERIES_COLOURS_DARK if dark else SERIES_COLOURS
    return colours[position % len(colours)]


def pieces(*columns: Float) -> Iterator[tuple[Float, ...]]:
    """Parts of some columns [m] between rows with a NaN in any of them; no empty ones."""
    whole = np.isfinite(np.column_stack(columns)).all(axis=1)
    ends = np.flatnonzero(np.diff(np.concatenate([[False], whole, [False]]).astype(np.int8)))
    for start, stop in ends.reshape(-1, 2):
        yield tuple(column[start:stop] for column in columns)


def step_outline(x: Float, y: Float) -> tuple[Float, Float]:
    """Outline of a histogram.

    Args:
        x: [m] middles of the bins, rising; y: [m] heights; NaN leaves a bin empty.

    Returns:
        x, y [2 m + 2]: level over each bin, from 0 at the left to 0 at the right; edges lie halfway between
        the middles.
    """
    if not len(x):
        return x, y
    half = np.diff(x) / 2 if len(x) > 1 else np.array([0.5])
    edges = np.concatenate([[x[0] - half[0]], (x[:-1] + x[1:]) / 2, [x[-1] + half[-1]]])
    heights = np.concatenate([[0], np.repeat(np.nan_to_num(y), 2), [0]])
    return np.repeat(edges, 2), heights


def bar_places(chart: Chart) -> dict[int, tuple[Float, float]]:
    """Middles [m] and width of the bars of each series with bars, by its position in the chart.

    Bars of several series stand side by side; faint ones, in the background, have the whole width.
    """
    drawn = [(i, s) for i, s in enumerate(chart.series) if s.kind == "bars"]
    if not drawn:
        return {}
    every = np.unique(np.concatenate([s.x[np.isfinite(s.x)] for _, s in drawn]))
    room = BAR_SHARE * (float(np.diff(every).min()) if len(every) > 1 else 1.0)
    aside = [i for i, s in drawn if not s.faint]
    places = {}
    for i, s in drawn:
        width = room if s.faint else room / len(aside)
        shift = 0.0 if s.faint else (aside.index(i) - (len(aside) - 1) / 2) * width
        places[i] = (s.x + shift, width)
    return places


def limits_x(chart: Chart) -> tuple[float, float]:
    """Limits of the x axis: those given, or all values and bars with a margin."""
    if chart.x_limits is not None:
        return chart.x_limits
    values = [s.x for s in chart.series] + [np.array([line.start[0], line.end[0]]) for line in chart.lines]
    for middles, width in bar_places(chart).values():
        values += [middles - width / 2, middles + width / 2]
    values += [step_outline(s.x, s.y)[0] for s in chart.series if s.kind == "steps"]
    values += [np.array([value for value, _ in chart.x_ticks])]
    return _around(values)


def limits_y(chart: Chart) -> tuple[float, float]:
    """Limits of the y axis: those given, or all values, intervals and 0 of bars."""
    if chart.y_limits is not None:
        return chart.y_limits
    values = [part for s in chart.series for part in (s.y, s.low, s.high) if part is not None]
    values += [np.array([line.start[1], line.end[1]]) for line in chart.lines]
    from_zero = any(s.kind in ("bars", "steps") for s in chart.series)
    low, high = _around(values + ([np.zeros(1)] if from_zero else []))
    stacked = from_zero and not any((v[np.isfinite(v)] < 0).any() for v in values)
    return (0.0 if stacked else low), high


def _around(values: Sequence[Float]) -> tuple[float, float]:
    """Least and greatest finite value with a margin; (0, 1) where there is none."""
    found = np.concatenate([np.zeros(0), *values])
    found = found[np.isfinite(found)]
    if not len(found):
        return 0.0, 1.0
    low, high = float(found.min()), float(found.max())
    spare = MARGIN * (high - low) or 0.5 * abs(high) or 0.5
    return low - spare, high + spare


def ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Round values in an interval, steps of 1, 2, 2.5 or 5 times a power of ten, and their words.

    Args:
        low, high: ends of the axis; most: ticks at most, at least 2.
    """
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    for step in (m * p for p in (power, 10 * power) for m in (1, 2, 2.5, 5)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            break
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    digits += not math.isclose(round(step, digits), step)
    return [(n * step, _number(n * step, digits)) for n in range(first, last + 1)]


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace("-", "−") if value else "0"


def default_columns(n: int) -> int:
    """Charts a row where nobody said: all up to three, two of four, else three."""
    return n if n <= 3 else 2 if n == 4 else 3


def names_y(charts: Sequence[Chart], columns: int) -> list[bool]:
    """Whether each chart names its y axis: not where its left neighbour has the same one."""
    return [
        i % columns == 0 or charts[i - 1].y_label != c.y_label or limits_y(charts[i - 1]) != limits_y(c)
        for i, c in enumerate(charts)
    ]


def sparse(series: Series, n: int, number: int, of: int) -> NDArray[np.int64]:
    """Where marks stand on a line without marks of its own, so that lines can be told apart without colour.

    Args:
        series: m values; n: marks at most; number, of: which of how many lines this is; each begins
            elsewhere.
    """
    held = np.flatnonzero(np.isfinite(series.x) & np.isfinite(series.y))
    if len(held) <= n:
        return held
    at = (np.arange(n) + (number + 0.5) / max(of, 1)) / n
    x = series.x[held]
    span = float(x.max() - x.min())
    wanted = x.min() + at * span
    nearest: NDArray[np.int64] = held[np.unique(np.abs(x[None, :] - wanted[:, None]).argmin(axis=1))]
    return nearest
