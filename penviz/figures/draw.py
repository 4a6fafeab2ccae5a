"""A figure as the bytes of a file: PDF, SVG, PNG, HTML, TikZ, and of a film an animation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from penviz import InputError
from penviz.figures import snapshot_animation
from penviz.figures.spec import FigureSpec
from penviz.figures.spec_files import find_font
from penviz.figures.triple import Grid
from penviz.plot.paper.options import PaperOptions
from penviz.plot.paper.style import FigureStyle
from penviz.projection.chart import Chart

FORMATS = ("pdf", "svg", "png", "html", "tex")
"""Endings of the files that any figure can be written to; tex is TikZ."""

FILM_FORMATS = (*FORMATS, "gif")
"""Those of a film; gif is its animation."""


def checked_format(format: str, known: Sequence[str] = FILM_FORMATS) -> str:
    """The same format; InputError where figures are not written so."""
    if format not in known:
        raise InputError(f"A figure is not written as {format}: choose {', '.join(FORMATS)}.")
    return format


def draw_planes(
    spec: FigureSpec,
    grids: Sequence[Grid],
    format: str,
    place: Path = Path(),
    report: Callable[[int, int], None] = lambda done, of: None,
) -> bytes:
    """A figure of template planes, or of another view.

    Args:
        spec: what to draw; grids: the panels of each triple; format: one of FILM_FORMATS; place: where the
            path of a font starts; report: told the pictures of an animation that are drawn, and their number.

    Raises:
        InputError: an unknown format, or a figure that cannot be drawn so.
    """
    from penviz.plot.paper.files import figure_bytes, html_bytes
    from penviz.plot.paper.plane import paper_figure

    if checked_format(format) == "gif":
        if not spec.film:
            raise InputError("A gif is the animation of a film: name its epochs with --film.")
        still = replace(spec, layout="grid", dpi=min(spec.dpi, snapshot_animation.GIF_DPI))
        return snapshot_animation.animation(
            grids[0], lambda one: draw_planes(still, [one], "png", place), report
        )
    rows = _paper_rows(spec, grids)
    if format == "html":
        if spec.style != FigureStyle():
            raise InputError(
                "A style is of figures on paper, not of html: leave it out, or choose pdf or svg."
            )
        flat = [panel for row in rows for panel in row]
        columns = len(flat) if spec.layout == "strip" else max(map(len, rows))
        return html_bytes(flat, columns=columns, marks=spec.marks)
    drawn = paper_figure(
        rows,
        _paper(spec, place),
        layout=spec.layout,
        marks=spec.marks,
        letters=spec.letters,
        corner=spec.corner,
        style=spec.style,
    )
    return figure_bytes(drawn, "tikz" if format == "tex" else format, dpi=spec.dpi, text=spec.text)


def draw_charts(spec: FigureSpec, charts: Sequence[Chart], format: str, place: Path = Path()) -> bytes:
    """A figure of charts; arguments and errors as `draw_planes`, but format is one of FORMATS."""
    from penviz.plot.chart_screen import chart_figure
    from penviz.plot.paper.chart import paper_charts
    from penviz.plot.paper.files import figure_bytes, html_page

    if checked_format(format, FORMATS) == "html":
        return html_page(chart_figure(charts, columns=spec.columns))
    drawn = paper_charts(charts, _paper(spec, place), letters=spec.letters, columns=spec.columns)
    return figure_bytes(drawn, "tikz" if format == "tex" else format, dpi=spec.dpi, text=spec.text)


def _paper(spec: FigureSpec, place: Path) -> PaperOptions:
    return PaperOptions(spec.venue, spec.width, spec.dpi, find_font(spec.font, place))


def _paper_rows(spec: FigureSpec, grids: Sequence[Grid]) -> Grid:
    """Rows as they stand on the paper: a row a run, or with "figure1" a row a triple."""
    if spec.layout != "figure1":
        return grids[0]
    if spec.style.by_split:
        grids = [[list(column) for column in zip(*grid, strict=True)] for grid in grids]
    return [[panel for row in grid for panel in row] for grid in grids]
