"""A paper figure as the bytes of a file: the same bytes whenever and wherever the same versions write it."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from penviz import InputError
from penviz.plot.paper.font import without_tags
from penviz.plot.paper.svg_ids import unique_ids
from penviz.plot.paper.tikz import tikz_source
from penviz.plot.screen import Marks, template_figure
from penviz.projection.panel import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

FORMATS = ("pdf", "svg", "png", "tikz")

CREATOR = "penviz"

METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"Creator": CREATOR, "Producer": CREATOR, "CreationDate": None},
    "svg": {"Creator": CREATOR, "Date": None},
    "png": {"Software": CREATOR},
}
"""What files say of themselves: no date and no version, so that bytes depend on the picture alone."""


def figure_bytes(figure: Figure, format: str, *, dpi: int = 300, text: str = "text") -> bytes:
    """A figure of `paper_figure` as a file.

    Args:
        figure: it may have been edited; PDF fonts are embedded as TrueType.
        format: one of FORMATS.
        dpi: of a PNG, and of rasterised points in PDF and SVG.
        text: of SVG: "text" can be edited and searched where the fonts are installed, "path" looks the same
            everywhere.

    Raises:
        InputError: an unknown format or kind of text; more points than TeX holds.
    """
    if format not in FORMATS:
        raise InputError(f"Unknown format {format!r}: choose {', '.join(FORMATS)}.")
    if text not in ("text", "path"):
        raise InputError(f"Text is written as 'text' or as 'path', not as {text!r}.")
    if format == "tikz":
        return tikz_source(figure).encode()
    from matplotlib import style

    settings: dict[str, Any] = {
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "svg.fonttype": "none" if text == "text" else "path",
        "svg.hashsalt": CREATOR,
        "text.hinting": "none",  # hinted text is wider than planned at few dots per inch
    }
    target = io.BytesIO()
    names = unique_ids(figure) if format == "svg" else nullcontext()
    with style.context(["default", settings]), names:
        figure.savefig(target, format=format, dpi=dpi, metadata=METADATA[format])
    return without_tags(target.getvalue()) if format == "svg" else target.getvalue()


def html_bytes(panels: Sequence[Panel | None], *, columns: int = 2, marks: Marks | None = None) -> bytes:
    """The figure of the screen as one HTML file that works offline and sends nothing anywhere.

    Args:
        panels: in reading order; columns: panels a row; marks: what is drawn beside the points.

    Raises:
        InputError: no panels.
    """
    if not any(panels):
        raise InputError("There is nothing to draw: no panels.")
    return html_page(template_figure(panels, columns=columns, marks=marks))


def html_page(figure: PlotlyFigure) -> bytes:
    """A Plotly figure as one HTML file that works offline and sends nothing anywhere."""
    config = {"showSendToCloud": False, "displaylogo": False}
    page: str = figure.to_html(
        config=config, include_plotlyjs=True, full_html=True, div_id=CREATOR, default_height="100%"
    )
    silent = '"showSendToCloud": false'
    return page.replace(silent, silent + ', "plotlyServerURL": ""', 1).encode()  # plotly drops it itself


def true_size(png: bytes, dpi: int) -> tuple[float, float, int]:
    """(width, height) of a PNG in inches at its dpi, and its width in CSS pixels, of which an inch has 96."""
    width, height = struct.unpack(">II", png[16:24])
    return width / dpi, height / dpi, round(width / dpi * 96)
