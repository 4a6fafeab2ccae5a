"""Where the charts of a paper figure stand, in inches from its lower left corner; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from penviz import InputError
from penviz.plot.chart_look import default_columns, limits_x, limits_y, names_y, ticks
from penviz.plot.paper.layout import EDGE_IN, LEGEND_GAP_IN, LINE, label_lines
from penviz.plot.paper.legend import Entry, Legend, legend_lines
from penviz.plot.paper.typeface import Face
from penviz.plot.paper.venues import Venue
from penviz.projection.chart import Chart

GLYPH_IN = 0.27
"""Width of a line in the legend, inches: room for two dashes."""

TICK_IN, PAD_IN, GAP_IN, ROW_GAP_IN = 0.03, 0.025, 0.1, 0.1
"""Length of a tick; between it, its word and the label; between columns; between rows; inches."""

COMFORT_IN, SMALLEST_IN, LARGEST_IN = 1.05, 0.7, 3.2
"""Width of a plot under which fewer stand in a row, if nobody said how many; least and greatest width."""

ASPECT = 0.74
"""Height over width of a plot whose axes have different units."""

WORD_IN = 0.62
"""Longest word that stands upright under an axis, inches."""


@dataclass(frozen=True)
class Axis:
    """Ticks and label of one axis.

    Attributes:
        limits: of the axis; ticks: (value, word); lines: of its label; upright: words read upward.
        room: from the plot to the end of words and label, inches; words: of the widest or tallest word.
    """

    limits: tuple[float, float]
    ticks: list[tuple[float, str]]
    lines: list[str]
    upright: bool
    room: float
    words: float


@dataclass(frozen=True)
class Box:
    """One chart: its plot and its axes; inches."""

    left: float
    bottom: float
    width: float
    height: float
    x: Axis
    y: Axis


@dataclass(frozen=True)
class ChartPlan:
    """The places.

    Attributes:
        boxes: of the charts, in reading order; head: height of the line over them, 0 without one.
        label_pt, tick_pt: type sizes; legend_top: upper edge of the legend.
    """

    width: float
    height: float
    boxes: list[Box]
    head: float
    legend: Legend
    legend_top: float
    label_pt: float
    tick_pt: float


def chart_plan(
    charts: Sequence[Chart],
    entries: Sequence[Entry],
    venue: Venue,
    width: float,
    face: Face,
    letters: bool,
    columns: int | None,
) -> ChartPlan:
    """Sizes and places of everything.

    Args:
        entries: of the legend; venue: type sizes and tallest figure; width: of the figure, inches; columns:
            charts a row, None to choose.

    Raises:
        InputError: plots would be smaller than `SMALLEST_IN`.
    """
    tried = [columns] if columns else range(min(default_columns(len(charts)), len(charts)), 0, -1)
    plans = [_plan(charts, entries, venue, width, face, letters, n) for n in tried]
    roomy = [p for p in plans if min(b.width for b in p.boxes) >= COMFORT_IN]
    best = roomy[0] if roomy else max(plans, key=lambda p: min(b.width for b in p.boxes))
    if min(min(b.width, b.height) for b in best.boxes) < SMALLEST_IN:
        raise InputError(
            f"{len(charts)} charts do not fit on {width:.2f} x {venue.height_in:.2f} inches: draw fewer, or "
            f"choose a wider figure."
        )
    return best


def _plan(
    charts: Sequence[Chart],
    entries: Sequence[Entry],
    venue: Venue,
    width: float,
    face: Face,
    letters: bool,
    columns: int,
) -> ChartPlan:
    label_pt = max(venue.least_pt, venue.font_pt - 1)
    tick_pt = max(venue.least_pt, venue.font_pt - 1.5)
    n_rows = -(-len(charts) // columns)
    room = width - 2 * EDGE_IN
    legend = legend_lines([[e] for e in entries], face, label_pt, room, glyph_in=GLYPH_IN)
    foot = LEGEND_GAP_IN + legend.height_in if entries else 0.0
    head = LINE * venue.font_pt / 72 if letters or any(c.title for c in charts) else 0.0
    named = names_y(charts, columns)
    own = [_Sizes(c, n, face, label_pt, tick_pt) for c, n in zip(charts, named, strict=True)]
    across, tall = COMFORT_IN, COMFORT_IN
    for _ in range(4):  # ticks depend on the size of the plots, which depends on the room of the ticks
        for one in own:
            one.fit(across, one.height(across, tall))
        lefts = [max(one.left for one in own[c::columns]) for c in range(columns)]
        rights = [max(one.right for one in own[c::columns]) for c in range(columns)]
        taken = sum(lefts) + sum(rights) + GAP_IN * (columns - 1)
        across = min((room - taken) / columns, LARGEST_IN)
        rows = [own[r * columns : (r + 1) * columns] for r in range(n_rows)]
        under = [max(one.under for one in row) for row in rows]
        fixed = 2 * EDGE_IN + n_rows * head + sum(under) + ROW_GAP_IN * (n_rows - 1) + foot
        most = (venue.height_in - fixed) / n_rows
        ratio = max([one.ratio for one in own if one.ratio], default=ASPECT)
        across = min(across, most / ratio) if any(one.ratio for one in own) else across
        across = max(across, 0.2)
        tall = min(across * ratio, most)
    heights = [max(one.height(across, tall) for one in row) for row in rows]
    height = fixed + sum(heights)
    block = taken + columns * across
    boxes = []
    y = height - EDGE_IN
    for row, row_height, row_under in zip(rows, heights, under, strict=True):
        y -= head + row_height
        x = (width - block) / 2
        for column, one in enumerate(row):
            x += lefts[column]
            own_height = one.height(across, row_height)
            bottom = y + row_height - own_height
            boxes.append(Box(x, bottom, across, own_height, one.x, one.y))
            x += across + rights[column] + GAP_IN
        y -= row_under + ROW_GAP_IN
    return ChartPlan(width, height, boxes, head, legend, EDGE_IN + legend.height_in, label_pt, tick_pt)


class _Sizes:
    """The room that the axes of one chart take, for a plot of some size."""

    def __init__(self, chart: Chart, names_its_y: bool, face: Face, label_pt: float, tick_pt: float) -> None:
        self.chart, self.named, self.face = chart, names_its_y, face
        self.label_pt, self.tick_pt = label_pt, tick_pt
        (x0, x1), (y0, y1) = limits_x(chart), limits_y(chart)
        self.ratio = (y1 - y0) / (x1 - x0) if chart.square else 0.0

    def height(self, across: float, tall: float) -> float:
        return across * self.ratio if self.ratio else tall

    def fit(self, across: float, tall: float) -> None:
        """Choose ticks, and break labels, for a plot of these sides."""
        self.x = self._below(across)
        self.y = self._beside(limits_y(self.chart), self.chart.y_label if self.named else "", tall)
        low, high = self.x.limits
        over_left, over_right = 0.0, 0.0
        if not self.x.upright:
            for value, word in self.x.ticks:
                half = self.face.width_in(word, self.tick_pt) / 2
                at = (value - low) / (high - low) * across
                over_left, over_right = max(over_left, half - at), max(over_right, half + at - across)
        self.left = max(self.y.room, over_left)
        self.right = over_right
        self.under = self.x.room

    def _line(self, size: float) -> float:
        return 1.2 * size / 72

    def _beside(self, limits: tuple[float, float], label: str, tall: float) -> Axis:
        most = int(min(6, max(3, tall / (1.7 * self._line(self.tick_pt)))))
        own = ticks(*limits, most)
        words = max((self.face.width_in(word, self.tick_pt) for _, word in own), default=0.0)
        lines = _broken(label, self.face, self.label_pt, tall)
        room = TICK_IN + PAD_IN + words
        room += PAD_IN + len(lines) * self._line(self.label_pt) if lines else 0.0
        return Axis(limits, own, lines, False, room, words)

    def _below(self, across: float) -> Axis:
        limits = limits_x(self.chart)
        own, upright = self._x_ticks(limits, across)
        widest = max((self.face.width_in(word, self.tick_pt) for _, word in own), default=0.0)
        words = widest if upright else self._line(self.tick_pt)
        lines = _broken(self.chart.x_label, self.face, self.label_pt, across)
        room = TICK_IN + PAD_IN + words + len(lines) * self._line(self.label_pt)
        return Axis(limits, own, lines, upright, room + (0.4 * PAD_IN if lines else 0.0), words)

    def _x_ticks(self, limits: tuple[float, float], across: float) -> tuple[list[tuple[float, str]], bool]:
        """Ticks whose words do not touch, and whether they read upward."""
        given = [(v, w) for v, w in self.chart.x_ticks if limits[0] <= v <= limits[1]]
        unit = across / (limits[1] - limits[0])
        if not given:
            for most in range(6, 1, -1):
                own = ticks(*limits, most)
                if self._apart(own, unit):
                    break
            return own, False
        if self._apart(given, unit):
            return given, False
        short = [(v, self.face.fitted(w, self.tick_pt, WORD_IN)) for v, w in given]
        for step in range(1, len(short) + 1):
            own = short[::step]
            gaps = [b - a for (a, _), (b, _) in pairwise(own)]
            if min(gaps, default=1.0) * unit >= self._line(self.tick_pt):
                break
        return own, True

    def _apart(self, own: Sequence[tuple[float, str]], unit: float) -> bool:
        wide = [self.face.width_in(word, self.tick_pt) for _, word in own]
        return all(
            (own[i + 1][0] - own[i][0]) * unit >= (wide[i] + wide[i + 1]) / 2 + 0.04
            for i in range(len(own) - 1)
        )


def _broken(label: str, face: Face, size_pt: float, room: float) -> list[str]:
    """A label in one line, or in two where it is longer than its axis; cut where it is longer still."""
    if not label:
        return []
    return [face.fitted(line, size_pt, room) for line in label_lines(label, face, size_pt, room, 2)]
