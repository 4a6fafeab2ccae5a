"""Where everything on a paper figure stands, in inches from its lower left corner; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from penviz import InputError
from penviz.plot.paper.legend import Entry, Legend, class_entries, legend_lines, mark_entries
from penviz.plot.paper.style import FigureStyle
from penviz.plot.paper.typeface import Face
from penviz.plot.paper.venues import Venue
from penviz.plot.screen import Marks
from penviz.plot.theme import abbreviated, targets_name
from penviz.projection.panel import SPLITS, Panel

LAYOUTS = ("grid", "strip", "figure1")
"""grid: a row a run; strip: all panels in one row; figure1: a row a triple, its panels in one order."""

EDGE_IN, COLUMN_GAP_IN, ROW_GAP_IN = 0.02, 0.07, 0.08
LEGEND_GAP_IN, ASIDE_GAP_IN = 0.07, 0.14
WIDE_IN, LARGEST_IN, SMALLEST_IN = 2.0, 2.5, 0.55
"""Side of a panel from which the legend moves beside the panels; largest and smallest side."""

LINE = 1.3
"""Height of a line of heads as a multiple of its type size."""

Rows = list[list[Panel | None]]


@dataclass(frozen=True)
class Sheet:
    """What stands in the cells of a figure and about them.

    Attributes:
        rows: of equal length, None an empty cell; heads: text over each panel, "" for none.
        groups: (first column, last column, text) over the heads; labels: at the left of each row.
        row_classes: whether each row names its own classes under itself.
    """

    rows: Rows
    heads: list[list[str]]
    groups: list[tuple[int, int, str]]
    labels: list[str]
    row_classes: bool


@dataclass(frozen=True)
class Plan:
    """The places; inches.

    Attributes:
        side: of a panel; lefts: of the columns; bottoms: of the rows, from the top row down.
        label_lines: rows' labels broken into lines; row_legends: under each row, or empty.
        legend: shared; legend_left, legend_top: its corner; legend_room: width to centre it in, or None
            where it stands beside the panels, flush left.
        head: height of the line over a row with heads.
    """

    width: float
    height: float
    side: float
    lefts: list[float]
    bottoms: list[float]
    label_lines: list[list[str]]
    row_legends: list[Legend]
    legend: Legend
    legend_left: float
    legend_top: float
    legend_room: float | None
    head: float


def sheet(
    rows: Sequence[Panel] | Sequence[Sequence[Panel | None]],
    layout: str,
    style: FigureStyle,
) -> Sheet:
    """Put panels in cells and name rows and columns.

    Raises:
        InputError: no panels, an unknown layout, titles of another number than the rows, columns or groups,
            or a row of panels with different classes.
    """
    if layout not in LAYOUTS:
        raise InputError(f"Unknown layout {layout!r}: choose {', '.join(LAYOUTS)}.")
    filled = _rows(rows, layout, style.by_split)
    columns = max(map(len, filled), default=0)
    filled = [row + [None] * (columns - len(row)) for row in filled]
    by_run = filled if layout == "grid" else []
    if by_run and style.by_split:
        filled = [list(column) for column in zip(*filled, strict=True)]
        columns = len(by_run)
    panels = [p for row in filled for p in row if p is not None]
    if not panels:
        raise InputError("There is nothing to draw: no panels.")
    for row in filled:
        if len({p.classes for p in row if p is not None}) > 1:
            raise InputError("The panels of one row must show the same three classes.")
    by_column = [[row[c] for row in filled] for c in range(columns)]
    one_head = all(len({p.place for p in column if p is not None}) == 1 for column in by_column)
    heads = [
        ["" if p is None or (one_head and any(above[c] for above in filled[:r])) else p.place
         for c, p in enumerate(row)]
        for r, row in enumerate(filled)
    ]  # fmt: skip
    groups = [] if layout == "grid" else _groups(by_column)
    labels = _labels(by_run) if by_run else [""] * len(filled)
    if by_run and style.by_split:
        heads = [labels, *([""] * columns for _ in filled[1:])]
        labels = [next(p.place for p in row if p is not None) for row in filled]
    labels = _titles(style.row_titles, "rows", labels)
    if style.column_titles:
        heads = [_titles(style.column_titles, "columns", heads[0]), *([""] * columns for _ in filled[1:])]
    named = _titles(style.group_titles, "groups of columns", [word for *_, word in groups])
    groups = [(first, last, word) for (first, last, _), word in zip(groups, named, strict=True)]
    return Sheet(filled, heads, groups, labels, len({p.classes for p in panels}) > 1)


def _titles(wanted: Sequence[str], of: str, usual: list[str]) -> list[str]:
    """Titles by hand, or the usual ones where there are none; InputError where their number does not fit."""
    if wanted and len(wanted) != len(usual):
        raise InputError(f"{len(usual)} {of} need as many titles, not {len(wanted)}.")
    return list(wanted) or usual


def _rows(rows: Sequence[Panel] | Sequence[Sequence[Panel | None]], layout: str, by_split: bool) -> Rows:
    nested: Rows = []
    flat: list[Panel | None] = []
    for item in rows:
        if isinstance(item, Panel):
            flat.append(item)
        elif item is not None:
            nested.append(list(item))
    if nested and flat:
        raise InputError("Give either panels or rows of panels, not both.")
    if layout == "strip":
        if by_split:
            nested = [list(column) for column in zip_longest(*nested)]
        return [[p for row in nested for p in row] or flat]
    if not nested:
        given = [p for p in flat if p is not None]
        if layout == "figure1":
            nested = [list(own) for _, own in groupby(given, lambda p: p.classes)]
        else:
            nested = [list(own) for _, own in groupby(given, lambda p: (p.run, p.label_smoothing))]
    if layout == "grid" and all(_distinct([p.split for p in row if p is not None]) for row in nested):
        found = {p.split for row in nested for p in row if p is not None}
        columns = [{p.split for p in column if p is not None} for column in zip_longest(*nested)]
        if len({len(row) for row in nested}) == 1 and all(len(splits) == 1 for splits in columns):
            return [row for row in nested if any(row)]  # in the order that was given
        splits = [s for s in SPLITS if s in found] + sorted(found - set(SPLITS))
        nested = [[next((p for p in row if p and p.split == s), None) for s in splits] for row in nested]
    return [row for row in nested if any(row)]


def _distinct(values: Sequence[str]) -> bool:
    return len(set(values)) == len(values)


def _groups(by_column: Sequence[Sequence[Panel | None]]) -> list[tuple[int, int, str]]:
    names = []
    for column in by_column:
        asked = {(p.label_smoothing, p.targets) for p in column if p is not None}
        several = "label smoothing" if {kind for _, kind in asked} == {"uniform"} else ""
        names.append(targets_name(*asked.pop()) if len(asked) == 1 else several)
    runs = [frozenset(p.run for p in column if p is not None) for column in by_column]
    spans = [list(own) for _, own in groupby(range(len(names)), lambda c: (names[c], runs[c]))]
    words = [names[span[0]] for span in spans]
    if not _distinct(words) and all(len(runs[span[0]]) == 1 for span in spans):
        words = [next(iter(runs[span[0]])) for span in spans]
    return [(span[0], span[-1], word) for span, word in zip(spans, words, strict=True)]


def _labels(rows: Rows) -> list[str]:
    firsts = [next(p for p in row if p is not None) for row in rows]
    names = [targets_name(p.label_smoothing, p.targets) for p in firsts]
    return names if _distinct(names) else [p.run for p in firsts]


def plan(
    content: Sheet,
    venue: Venue,
    width: float,
    face: Face,
    marks: Marks,
    letters: bool,
    style: FigureStyle,
) -> Plan:
    """Sizes and places of everything.

    Args:
        content: what is drawn; venue: type sizes and tallest figure; width: of the figure, inches.
        style: where the legend stands, and the colours in it.

    Raises:
        InputError: panels would be smaller than `SMALLEST_IN`.
    """
    n_rows, n_columns = len(content.rows), len(content.rows[0])
    panels = [p for row in content.rows for p in row if p is not None]
    small = max(venue.least_pt, venue.font_pt - 1)
    line = LINE * venue.font_pt / 72
    room = width - 2 * EDGE_IN
    colours, legend = style.class_colours, style.legend
    kinds = mark_entries(panels, marks, colours)
    firsts = [next(p for p in row if p is not None) for row in content.rows]
    row_legends = [
        legend_lines([class_entries(p.classes, colours)], face, small, room)
        for p in firsts
        if content.row_classes and legend != "none"
    ]
    shared: list[list[Entry]] = (
        [kinds] if content.row_classes else [class_entries(firsts[0].classes, colours), kinds]
    )
    shared = [] if legend == "none" else shared
    under = legend_lines(shared, face, small, room)
    beside = legend_lines(shared, face, small, GLYPH_ROOM * small, stacked=True)
    aside = max(beside.widths) + ASIDE_GAP_IN if beside.lines else 0.0

    heads = [line if letters or any(row) else 0.0 for row in content.heads]
    over = line if any(word for *_, word in content.groups) else 0.0
    fixed = 2 * EDGE_IN + over + sum(heads) + ROW_GAP_IN * (n_rows - 1)
    fixed += sum(own.height_in + 0.03 for own in row_legends)
    foot = LEGEND_GAP_IN + under.height_in if under.lines else 0.0

    def sides(strip: float) -> tuple[float, float, float]:
        """Side with the legend under the panels, before the page's height limits it; after; and beside."""
        across = room - strip - COLUMN_GAP_IN * (n_columns - 1)
        free = across / n_columns
        below = min(free, LARGEST_IN, (venue.height_in - fixed - foot) / n_rows)
        next_to = min((across - aside) / n_columns, LARGEST_IN, (venue.height_in - fixed) / n_rows)
        return free, below, next_to

    for n_lines in (1, 2):
        strip = n_lines * line + 0.03 if any(content.labels) else 0.0
        free, below, next_to = sides(strip)
        tall = n_rows * next_to + fixed - 2 * EDGE_IN
        is_beside = next_to >= min(below, 1.0) and (free > WIDE_IN or next_to >= below)
        is_beside = is_beside and beside.line_in * len(beside.lines) <= tall
        is_beside = legend == "right" or (is_beside and legend == "auto")
        side = next_to if is_beside else below
        broken = [label_lines(text, face, venue.font_pt, side, n_lines) for text in content.labels]
        if all(face.width_in(t, venue.font_pt) <= side for lines in broken for t in lines):
            break
    if side < SMALLEST_IN:
        raise InputError(
            f"{n_columns} columns and {n_rows} rows of panels do not fit on {width:.2f} x "
            f"{venue.height_in:.2f} inches: draw fewer, or choose a wider figure."
        )
    for number, label in enumerate(content.labels):
        if any(face.width_in(t, venue.font_pt) > side for t in broken[number]):
            broken[number] = label_lines(abbreviated(label), face, venue.font_pt, side, n_lines)
    broken = [[face.fitted(t, venue.font_pt, side) for t in lines] for lines in broken]
    if not _distinct([" ".join(lines) for lines in broken]) and _distinct(content.labels):
        broken = [[text] for text in face.fitted_apart(content.labels, venue.font_pt, side)]

    height = fixed + n_rows * side + (0.0 if is_beside else foot)
    block = strip + n_columns * side + COLUMN_GAP_IN * (n_columns - 1)
    left = (width - block - (aside if is_beside else 0.0)) / 2 + strip
    y = height - EDGE_IN - over
    bottoms = []
    for number in range(n_rows):
        y -= heads[number] + side
        bottoms.append(y)
        y -= row_legends[number].height_in + 0.03 if row_legends else 0.0
        y -= ROW_GAP_IN
    return Plan(
        width=width,
        height=height,
        side=side,
        lefts=[left + c * (side + COLUMN_GAP_IN) for c in range(n_columns)],
        bottoms=bottoms,
        label_lines=broken,
        row_legends=row_legends,
        legend=beside if is_beside else under,
        legend_left=left - strip + block + ASIDE_GAP_IN if is_beside else EDGE_IN,
        legend_top=bottoms[0] + side if is_beside else EDGE_IN + under.height_in,
        legend_room=None if is_beside else room,
        head=line,
    )


GLYPH_ROOM = 0.32
"""Width of a legend beside the panels at most, inches for each point of its type size."""


def label_lines(text: str, face: Face, size_pt: float, room: float, n_lines: int) -> list[str]:
    """A label as one line, or as two parted at the space that makes the longer one shortest."""
    words = text.split(" ")
    if n_lines == 1 or len(words) == 1 or face.width_in(text, size_pt) <= room:
        return [text]
    parted = [[" ".join(words[:i]), " ".join(words[i:])] for i in range(1, len(words))]
    return min(parted, key=lambda lines: max(face.width_in(t, size_pt) for t in lines))
