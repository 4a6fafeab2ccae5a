"""A chart as data: curves, bars and points with their words, for figures that are not template planes.

What a `Panel` is to the template plane, a `Chart` is to all other figures: enough to draw on screen, on
paper, or to write to CSV without computing anything again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

KINDS = ("line", "markers", "line+markers", "steps", "bars", "points")
"""How a series is drawn: "steps" is a histogram's outline, "points" a cloud of many small marks."""


@dataclass(frozen=True)
class Series:
    """One curve, set of bars, or cloud of points; m values.

    Attributes:
        name: in the legend; equal names share one entry.
        x, y: [m], finite or NaN (a gap).
        low, high: [m] ends of an interval about y, drawn as a band (lines) or whiskers (markers, bars); None
            without one. A line whose y are all NaN is a band alone.
        kind: one of KINDS.
        colour: position in the colours of the theme, 0, 1, 2, ...; equal for what belongs together.
        dashed: a second line of the same colour, such as "after temperature scaling".
        labels: [m] words of the single values (a class, "n = 312"), shown on hover and written to CSV; empty
            for none.
        faint: in the background (a consistency band, single runs under their mean).
        weights: [m] in [0, 1], by which the single marks fade; None where all weigh the same.
    """

    name: str
    x: Float
    y: Float
    low: Float | None = None
    high: Float | None = None
    kind: str = "line"
    colour: int = 0
    dashed: bool = False
    labels: tuple[str, ...] = ()
    faint: bool = False
    weights: Float | None = None

    @property
    def band_alone(self) -> bool:
        """An interval with nothing in it."""
        return self.kind == "line" and self.low is not None and not np.isfinite(self.y).any()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"A series is drawn as one of {', '.join(KINDS)}, not {self.kind}.")
        for name in ("x", "y", "low", "high", "weights"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        lengths = {len(v) for v in (self.x, self.y, self.low, self.high, self.weights) if v is not None}
        if len(lengths) > 1 or (self.labels and len(self.labels) != len(self.x)):
            raise ValueError(f"The series {self.name} has parts of different lengths.")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"The series {self.name} has one end of its interval only.")


@dataclass(frozen=True)
class Line:
    """A straight line that is no data: a diagonal, an optimum, a boundary.

    Attributes:
        words: its entry in the legend, or "" for none.
        start, end: (x, y) of two points on it, in the units of the axes; the line ends there.
    """

    words: str
    start: tuple[float, float]
    end: tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """One set of axes with all that stands in it.

    Attributes:
        title: a few words over the axes; x_label, y_label: with units ("NLL (nats)").
        series: in the order in which they are drawn.
        lines: straight lines below the series.
        x_limits, y_limits: (least, greatest), or None to fit the series.
        x_ticks: (value, word) of ticks by hand; empty for the renderer's own.
        square: one unit is as long on both axes.
        names_at: corner ("lower right", "upper left") in which the names of the series stand, each beside its
            mark, in place of the legend; those in the background stay there. "" for the legend.
        notes: lines under these names.
        about: one sentence for the caption: what is drawn, of which runs, split, seed and how many examples.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    lines: tuple[Line, ...] = ()
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    x_ticks: tuple[tuple[float, str], ...] = ()
    square: bool = False
    about: str = ""
    names_at: str = ""
    notes: tuple[str, ...] = ()

    def named_inside(self, series: Series) -> bool:
        """Whether the name of a series stands in the chart and not in the legend."""
        return bool(self.names_at and series.name) and not series.faint
