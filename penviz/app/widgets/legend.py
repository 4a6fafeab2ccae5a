"""The one legend of the grid: what each colour, shape and mark means, as small HTML."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from penviz.plot.screen import Marks
from penviz.plot.theme import CLASS_COLOURS, ink
from penviz.plot.words import boundary_word, optimum_words, pull_word, template_word
from penviz.projection.panel import Panel
from penviz.projection.views import PLANE

_SHAPES = (
    '<circle cx="7" cy="7" r="4.6" {}/>',
    '<rect x="2.6" y="2.6" width="8.8" height="8.8" {}/>',
    '<path d="M7 2 L12.2 11.4 L1.8 11.4 Z" {}/>',
)
_STAR = "M7 .6 L8.8 5 L13.5 5.3 L9.9 8.3 L11.1 12.9 L7 10.4 L2.9 12.9 L4.1 8.3 L.5 5.3 L5.2 5 Z"


def _svg(inner: str, width: int = 14) -> str:
    """A picture as an <img>: Streamlit's HTML lets no <svg> through."""
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 14">{inner}</svg>'
    source = base64.b64encode(drawn.encode()).decode("ascii")
    return f'<img width="{width}" height="14" alt="" src="data:image/svg+xml;base64,{source}">'


def _item(mark: str, inner: str) -> str:
    """An entry that goes when the mark is hidden: the component hides it by the name of the mark."""
    return f'<span data-mark="{mark}">{inner}</span>'


def legend_html(panels: Sequence[Panel], marks: Marks, dark: bool, crosses: bool = True) -> str:
    """A line that wraps, or a column: three classes, then each mark that is drawn.

    Args:
        panels: of the three classes, at least one.
        marks: what is drawn.
        dark: for a dark page.
        crosses: a fourth class has a sign of its own; else all errors are hollow, as in a film.
    """
    colours = ink(dark)
    line = f'fill="none" stroke="{colours.note}" stroke-width="1.4"'
    items = []
    for name, colour, shape in zip(panels[0].classes, CLASS_COLOURS, _SHAPES, strict=True):
        drawn = shape.format(f'fill="{colour}"')
        items.append(f"<span>{_svg(drawn)}<b>{escape(name)}</b></span>")
    if marks.errors:
        hollow = "predicted as another of the three" if crosses else "wrong prediction"
        items.append(_item("errors", f"{_svg(_SHAPES[0].format(line))}{hollow}"))
    if marks.errors and crosses and len(panels[0].class_names) > 3:
        cross = f'<path d="M3 3 L11 11 M11 3 L3 11" {line}/>'
        items.append(_item("errors", f"{_svg(cross)}predicted as a fourth class"))
    if any(p.density is not None for p in panels):
        cloud = "".join(
            f'<circle cx="7" cy="7" r="{r}" fill="{CLASS_COLOURS[0]}" fill-opacity=".2"/>'
            for r in (6.6, 4.6, 2.4)
        )
        items.append(f"<span>{_svg(cloud)}density of all stored examples</span>")
    if marks.means and any(len(p.means_xy) for p in panels):
        plus = f'<path d="M7 1.2 V12.8 M1.2 7 H12.8" stroke="{colours.text}" stroke-width="3.4"/>'
        items.append(_item("means", f"{_svg(plus)}class mean"))
    if marks.optimum and panels[0].view == PLANE:
        star = f'<path d="{_STAR}" fill="{colours.page}" stroke="{colours.text}" stroke-width="1.2"/>'
        items.append(_item("optimum", f"{_svg(star)}{optimum_words(panels)}"))
    if marks.templates and panels[0].view == PLANE:
        diamond = (
            f'<path d="M7 1 L13 7 L7 13 L1 7 Z" fill="none" stroke="{colours.text}" stroke-width="1.4"/>'
        )
        items.append(_item("templates", f"{_svg(diamond)}{template_word(panels)}"))
    if marks.boundaries and panels[0].view == PLANE:
        dashes = f'<path d="M0 7 H26" {line} stroke-dasharray="4 3"/>'
        items.append(_item("boundaries", f"{_svg(dashes, 26)}{boundary_word(panels)}"))
    if marks.pull and panels[0].view == PLANE:
        arrow = f'<path d="M1 7 H24 M17 3 L24 7 L17 11" {line}/>'
        items.append(_item("pull", f"{_svg(arrow, 26)}{pull_word(panels)}"))
    return f'<div class="pz-legend">{"".join(items)}</div>'
