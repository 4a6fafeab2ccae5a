"""The figure for the paper: panels at a venue's own width, text at its final size, drawn by matplotlib.

figure = paper_figure(panels, PaperOptions("neurips"))
figure.axes[0].annotate("see text", (0, 0))
figure.save("figure1.pdf")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penviz.plot.paper.layout import COLUMN_GAP_IN, EDGE_IN, Plan, Sheet, plan, sheet
from penviz.plot.paper.legend import draw_legend
from penviz.plot.paper.options import DEFAULTS, PaperOptions
from penviz.plot.paper.panel import PanelLook, draw_panel
from penviz.plot.paper.style import FigureStyle
from penviz.plot.paper.typeface import Face
from penviz.plot.paper.words import corner_text
from penviz.plot.screen import Marks
from penviz.plot.theme import LIGHT, abbreviated
from penviz.projection.panel import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from penviz.plot.paper.shown import PaperFigure

VECTOR_LIMIT = 20_000
"""Points in a figure up to which markers are vectors; above it they are pixels under vector text."""


def paper_figure(
    rows: Sequence[Panel] | Sequence[Sequence[Panel | None]],
    options: PaperOptions = DEFAULTS,
    *,
    layout: str = "grid",
    marks: Marks | None = None,
    letters: bool = True,
    corner: Sequence[str] = ("rho_d",),
    style: FigureStyle | None = None,
) -> PaperFigure:
    """A matplotlib figure of panels that goes into a paper as it is, or may be edited further.

    Args:
        rows: rows of panels as `build_grid` makes them, or panels one after the other: a row a run
            (grid) or a row a triple (figure1).
        options: the paper.
        layout: one of LAYOUTS.
        marks: what is drawn beside the points; all but the templates by default.
        letters: (a), (b), ... over the panels.
        corner: numbers in the upper right corner of each panel, keys of `CORNER`.
        style: type size, colours, titles, order of panels, place of the legend.

    Returns:
        The figure; every artist has a gid. It shows itself in a notebook, and `save` writes it.

    Raises:
        InputError: nothing to draw, unknown names, or more panels than fit.
    """
    from matplotlib import style as matplotlib_style
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from penviz.plot.paper.shown import PaperFigure

    marks, style = marks or Marks(), style or FigureStyle()
    place, across, face = options.printed_on(style.font_size)
    content = sheet(rows, layout, style)
    panels = [p for row in content.rows for p in row if p is not None]
    for panel in panels:
        corner_text(panel, corner)
    places = plan(content, place, across, face, marks, letters, style)
    inside = max(place.least_pt, place.font_pt - (1.5 if places.side >= 1 else 2))
    many = sum(len(p.xy) for p in panels) > VECTOR_LIMIT
    look = PanelLook(marks, places.side, corner, face, inside, style.class_colours, many)
    settings = {"font.family": list(face.family), "mathtext.fontset": face.math}
    with matplotlib_style.context(["default", settings]):
        figure = PaperFigure(figsize=(across, places.height), dpi=options.dpi, facecolor=LIGHT.page)
        FigureCanvasAgg(figure)
        for row, bottom in zip(content.rows, places.bottoms, strict=True):
            for panel_or_none, left in zip(row, places.lefts, strict=True):
                if panel_or_none is None:
                    continue
                box = (left / across, bottom / places.height)
                size = (places.side / across, places.side / places.height)
                axes = figure.add_axes((*box, *size), gid=f"panel-{letter_of(len(figure.axes))}")
                draw_panel(axes, panel_or_none, look)
        _heads(figure, content, places, face, place.font_pt, letters)
        _labels(figure, places, place.font_pt)
        for legend, bottom in zip(places.row_legends, places.bottoms, strict=False):
            span = places.lefts[-1] + places.side - places.lefts[0]
            draw_legend(figure, legend, places.lefts[0], bottom - 0.03, span)
        draw_legend(figure, places.legend, places.legend_left, places.legend_top, places.legend_room)
    return figure


def _heads(figure: Figure, content: Sheet, places: Plan, face: Face, size: float, letters: bool) -> None:
    """Letters and heads over the panels, and heads over groups of columns."""
    from matplotlib.lines import Line2D

    inches = figure.dpi_scale_trans
    said: dict[str, Any] = {
        "transform": inches,
        "fontsize": size,
        "color": LIGHT.text,
        "va": "baseline",
        "parse_math": False,
    }
    number = 0
    for row, heads, bottom in zip(content.rows, content.heads, places.bottoms, strict=True):
        y = bottom + places.side + 0.3 * size / 72
        for panel, head, left in zip(row, heads, places.lefts, strict=True):
            if panel is None:
                continue
            taken = 0.0
            if letters:
                letter = f"({letter_of(number)})"
                number += 1
                figure.text(left, y, letter, weight="bold", gid="letter", **said)
                taken = face.width_in(letter, size, bold=True) + 0.35 * size / 72
            head = face.fitted(head, size, places.side - taken, abbreviated(head))
            if not head:
                continue
            half = face.width_in(head, size) / 2
            x = max(left + places.side / 2, left + taken + half)
            figure.text(x, y, head, ha="center", gid="head", **said)
    y = places.height - EDGE_IN - places.head + 0.35 * size / 72
    spans = [(places.lefts[first], places.lefts[last] + places.side) for first, last, _ in content.groups]
    rooms = [right - left + COLUMN_GAP_IN / 2 for left, right in spans]
    given = [word for *_, word in content.groups]
    words = [face.fitted(w, size, room, abbreviated(w)) for w, room in zip(given, rooms, strict=True)]
    if len(set(words)) < len(set(given)):
        words = face.fitted_apart(given, size, min(rooms))
    for (first, last, _), (left, right), word in zip(content.groups, spans, words, strict=True):
        figure.text((left + right) / 2, y, word, ha="center", gid="group", **said)
        if last > first:
            rule = [y - 0.4 * size / 72] * 2
            figure.add_artist(Line2D([left, right], rule, transform=inches, lw=0.5, color=LIGHT.note))


def letter_of(number: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    head, tail = divmod(number, 26)
    return (chr(96 + head) if head else "") + chr(97 + tail)


def _labels(figure: Figure, places: Plan, size: float) -> None:
    """Labels at the left of the rows, reading upward."""
    line = places.head
    for lines, bottom in zip(places.label_lines, places.bottoms, strict=True):
        for number, text in enumerate(lines):
            if not text:
                continue
            x = places.lefts[0] - 0.03 - (len(lines) - number - 0.5) * line
            figure.text(
                x, bottom + places.side / 2, text, transform=figure.dpi_scale_trans, fontsize=size,
                color=LIGHT.text, rotation=90, ha="center", va="center", parse_math=False, gid="row label",
            )  # fmt: skip
