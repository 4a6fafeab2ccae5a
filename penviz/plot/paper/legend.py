"""The one legend of a paper figure: what it says, how wide it is, and its lines in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from penviz.plot.arrows import faded
from penviz.plot.paper.panel import DASHES, SHAPES, plus_look, star_look, template_look
from penviz.plot.paper.typeface import Face
from penviz.plot.screen import Marks
from penviz.plot.theme import CLASS_COLOURS, LIGHT
from penviz.plot.words import boundary_word, pull_word, template_word
from penviz.projection.panel import INSIDE, OUTSIDE, Panel
from penviz.projection.views import VIEWS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GLYPH_IN, AFTER_GLYPH_IN, BETWEEN_IN = 0.15, 0.045, 0.15
"""Width of a mark, space to its word, space to the next mark; inches."""


@dataclass(frozen=True)
class Entry:
    """A mark and its word.

    Attributes:
        look: properties of a Line2D; wide: it is a line across its box; mark: properties of a mark upon it.
    """

    word: str
    look: dict[str, Any] = field(default_factory=dict)
    wide: bool = False
    mark: dict[str, Any] = field(default_factory=dict)


def class_entries(classes: Sequence[str], colours: Sequence[str] = CLASS_COLOURS) -> list[Entry]:
    """Three classes by colour and shape."""
    return [
        Entry(name, {"ls": "none", "marker": SHAPES[k], "ms": 4.0, "mfc": colours[k], "mec": "none"})
        for k, name in enumerate(classes)
    ]


def mark_entries(
    panels: Sequence[Panel], marks: Marks, colours: Sequence[str] = CLASS_COLOURS
) -> list[Entry]:
    """The marks that stand in at least one of some panels."""
    kinds = {kind for p in panels for kind in (INSIDE, OUTSIDE) if marks.errors and (p.kinds == kind).any()}
    ring = {"ls": "none", "marker": "o", "ms": 4.0, "mfc": "none", "mec": LIGHT.text, "mew": 0.6}
    cross = {"ls": "none", "marker": "x", "ms": 3.6, "mec": LIGHT.text, "mew": 0.7}
    dashed = {"ls": DASHES, "lw": 0.7, "color": LIGHT.line, "dash_capstyle": "butt"}
    made = []
    if INSIDE in kinds:
        made.append(Entry("predicted as another of the three", ring))
    if OUTSIDE in kinds:
        made.append(Entry("predicted as a fourth class", cross))
    if any(p.density is not None for p in panels):
        cloud = {"ls": "none", "marker": "o", "ms": 6.5, "mfc": faded(colours[0]), "mec": "none"}
        made.append(Entry("density of all examples", cloud))
    if marks.means and any(len(p.means_xy) for p in panels):
        made.append(Entry("class mean", plus_look(5.0)))
    if marks.templates and any(len(p.templates_xy) for p in panels):
        made.append(Entry(template_word(panels), template_look(5.0, LIGHT.page)))
    if marks.optimum and any(p.ideal_xy is not None for p in panels):
        made.append(Entry("label-smoothing optimum", star_look(5.0)))
    if marks.boundaries and any(len(p.boundaries) for p in panels):
        made.append(Entry(boundary_word(panels), dashed, wide=True))
    if marks.pull and any(p.pull is not None for p in panels):
        grey = faded(LIGHT.text)
        arrow = {"ls": "-", "lw": 0.6, "color": grey, "marker": ">", "ms": 2.4, "mfc": grey, "mec": "none"}
        made.append(Entry(pull_word(panels), arrow | {"markevery": [1]}, wide=True))
    bar = {"ls": "-", "lw": 1.0, "color": LIGHT.text, "solid_capstyle": "butt"}
    if units := VIEWS[panels[0].view].units:
        made.append(Entry(f"scale bar, {units}", bar, wide=True))
    return made


@dataclass(frozen=True)
class Legend:
    """Lines of entries, left to right.

    Attributes:
        lines: entries a line, words cut to fit; widths: of each line, inches; line_in: from one to the next;
            glyph_in: width of a wide mark.
    """

    lines: tuple[tuple[Entry, ...], ...]
    widths: tuple[float, ...]
    line_in: float
    size_pt: float
    face: Face
    glyph_in: float = GLYPH_IN

    @property
    def height_in(self) -> float:
        """Of all lines."""
        return self.line_in * len(self.lines)


def legend_lines(
    groups: Sequence[Sequence[Entry]],
    face: Face,
    size_pt: float,
    room_in: float,
    stacked: bool = False,
    glyph_in: float = GLYPH_IN,
) -> Legend:
    """Break groups of entries into lines; a group shares a line with the next where both fit whole.

    Args:
        groups: entries that belong together; room_in: width of a line at most; stacked: an entry a line;
            glyph_in: width of a wide mark.
    """
    word_in = room_in - glyph_in - AFTER_GLYPH_IN
    words = iter(face.fitted_apart([entry.word for group in groups for entry in group], size_pt, word_in))
    lines: list[list[tuple[Entry, float]]] = []
    for group in groups:
        sized = [_sized(replace(entry, word=next(words)), face, size_pt, glyph_in) for entry in group]
        if stacked:
            lines += [[one] for one in sized]
            continue
        if lines and _line_in(lines[-1] + sized) <= room_in:
            lines[-1] += sized
            continue
        n_lines = 1
        while (broken := _broken(sized, n_lines)) and max(_line_in(line) for line in broken) > room_in:
            n_lines += 1
        lines += broken
    return Legend(
        tuple(tuple(entry for entry, _ in line) for line in lines),
        tuple(_line_in(line) for line in lines),
        1.35 * size_pt / 72,
        size_pt,
        face,
        glyph_in,
    )


def _sized(entry: Entry, face: Face, size_pt: float, glyph_in: float) -> tuple[Entry, float]:
    """An entry with its width, inches."""
    across = glyph_in if entry.wide else GLYPH_IN
    return entry, across + AFTER_GLYPH_IN + face.width_in(entry.word, size_pt)


def _line_in(line: Sequence[tuple[Entry, float]]) -> float:
    return sum(width for _, width in line) + BETWEEN_IN * max(0, len(line) - 1)


def _broken(sized: list[tuple[Entry, float]], n_lines: int) -> list[list[tuple[Entry, float]]]:
    """The entries in at most n lines, in order, with the longest line as short as can be."""
    if n_lines >= len(sized):
        return [[one] for one in sized]
    best: list[list[tuple[Entry, float]]] = [sized]
    if n_lines > 1:
        for first in range(1, len(sized)):
            tried = [sized[:first], *_broken(sized[first:], n_lines - 1)]
            if max(map(_line_in, tried)) < max(map(_line_in, best)):
                best = tried
    return best


def draw_legend(figure: Figure, legend: Legend, left_in: float, top_in: float, room_in: float | None) -> None:
    """Draw the lines downward from `top_in`, each centred in `room_in`, or flush left where that is None."""
    from matplotlib.lines import Line2D

    inches = figure.dpi_scale_trans
    for number, (line, width) in enumerate(zip(legend.lines, legend.widths, strict=True)):
        x = left_in + (0.0 if room_in is None else (room_in - width) / 2)
        y = top_in - (number + 0.5) * legend.line_in
        for entry in line:
            across = legend.glyph_in if entry.wide else GLYPH_IN
            middle = x + across / 2
            xs = [x, x + across] if entry.wide else [middle]
            gid = f"legend: {entry.word}"
            figure.add_artist(Line2D(xs, [y] * len(xs), transform=inches, gid=gid, **entry.look))
            if entry.mark:
                figure.add_artist(Line2D([middle], [y], transform=inches, gid=gid, **entry.mark))
            x += across + AFTER_GLYPH_IN
            figure.text(
                x, y, entry.word, transform=inches, fontsize=legend.size_pt, va="center_baseline",
                color=LIGHT.text, parse_math=False, gid="legend",
            )  # fmt: skip
            x += legend.face.width_in(entry.word, legend.size_pt) + BETWEEN_IN
