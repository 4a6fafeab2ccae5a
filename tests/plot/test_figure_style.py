"""A figure as its author wants it: every wish is seen in the artists, and wrong ones are said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from paper_figures import Rows, by_gid, grid, overlaps

from penviz import InputError
from penviz.plot.paper.options import PaperOptions
from penviz.plot.paper.plane import paper_figure
from penviz.plot.paper.style import LEGENDS, PAPER_COLOURS, FigureStyle, preset
from penviz.plot.paper.venues import VENUES
from penviz.projection.panel import Panel

COLOURS = ("#882255", "#44aa99", "#ddcc77")


@pytest.fixture(scope="module")
def rows() -> Rows:
    return grid(per_class=15)


def drawn(rows: Rows, layout: str = "grid", **wishes: Any) -> Figure:
    return paper_figure(rows, layout=layout, style=FigureStyle(**wishes))


def texts(figure: Figure, gid: str) -> list[str]:
    return [t.get_text() for t in figure.texts if t.get_gid() == gid]


def splits(figure: Figure, rows: Rows) -> list[tuple[str, str]]:
    """(run, split) of the panels in the order of the axes, told by their points."""
    known = {p.xy[p.labels == 0][:, 0].tobytes(): (p.run, p.split) for row in rows for p in row}
    found = []
    for ax in figure.axes:
        (first,) = [a for a in ax.get_children() if a.get_gid() == "points-0-0"]
        found.append(
            next(who for x, who in known.items() if set(map(float, first.get_xdata())) <= _values(x))
        )
    return found


def _values(x: bytes) -> set[float]:
    return set(np.frombuffer(x, np.float32).astype(float).tolist())


def test_type_size_is_that_of_heads_and_legend(rows: Rows) -> None:
    figure = drawn(rows, font_size=11)
    assert {t.get_fontsize() for t in figure.texts if t.get_gid() == "head"} == {11}
    assert {t.get_fontsize() for t in figure.texts if t.get_gid() == "legend"} == {10}
    assert not overlaps(figure)


def test_colours_reach_points_legend_and_shading(rows: Rows) -> None:
    figure, usual = drawn(rows, colours=COLOURS), drawn(rows)
    for k, colour in enumerate(COLOURS):
        assert {to_hex(a.get_markerfacecolor()) for a in by_gid(figure, 0, f"points-{k}-0")} == {colour}
    legend = {a.get_gid(): to_hex(a.get_markerfacecolor()) for a in figure.artists if a.get_gid() is not None}
    assert [legend[f"legend: {name}"] for name in rows[0][0].classes] == list(COLOURS)
    pictures = [by_gid(one, 0, "shading")[0].get_array() for one in (figure, usual)]
    assert (pictures[0] != pictures[1]).any()


def test_titles_by_hand(rows: Rows) -> None:
    figure = drawn(rows, row_titles=("One-hot", "Smoothed"), column_titles=("Seen", "Held out"))
    assert texts(figure, "row label") == ["One-hot", "Smoothed"]
    assert texts(figure, "head") == ["Seen", "Held out"]
    assert texts(drawn(rows, "strip", group_titles=("a", "b")), "group") == ["a", "b"]
    for wishes, words in (
        ({"row_titles": ("one",)}, "2 rows need as many titles, not 1"),
        ({"column_titles": ("a", "b", "c")}, "2 columns need as many titles, not 3"),
        ({"group_titles": ("a",)}, "0 groups of columns need as many titles, not 1"),
    ):
        with pytest.raises(InputError, match=words):
            drawn(rows, **wishes)


def test_panels_of_one_split_together(rows: Rows) -> None:
    figure = drawn(rows, by_split=True)
    assert splits(figure, rows) == [
        ("hard", "train"),
        ("soft", "train"),
        ("hard", "validation"),
        ("soft", "validation"),
    ]
    assert texts(figure, "row label") == ["train", "validation"]
    assert texts(figure, "head") == ["hard targets", "label smoothing α = 0.1"]
    strip = drawn(rows, "strip", by_split=True)
    assert splits(strip, rows) == splits(figure, rows)
    assert texts(strip, "head") == ["train", "train", "validation", "validation"]


def test_columns_stand_in_the_order_given(rows: Rows) -> None:
    turned: list[list[Panel]] = [row[::-1] for row in rows]
    assert [split for _, split in splits(drawn(turned), rows)] == ["validation", "train"] * 2


@pytest.mark.parametrize("legend", LEGENDS)
def test_the_legend_stands_where_it_is_wanted(legend: str, rows: Rows) -> None:
    figure = drawn(rows, legend=legend)
    words = [t for t in figure.texts if t.get_gid() == "legend"]
    assert bool(words) == (legend != "none")
    right = max(ax.get_position().x1 for ax in figure.axes)
    low = min(ax.get_position().y0 for ax in figure.axes)
    width, height = figure.get_size_inches()
    if legend == "right":
        assert all(t.get_position()[0] / width > right for t in words)
    if legend == "below":
        assert all(t.get_position()[1] / height < low for t in words)
    assert not overlaps(figure)


def test_the_papers_preset_draws_points_in_its_colours_and_nothing_else() -> None:
    choices = preset("paper")
    rows = grid(per_class=choices["per_class"])
    flat = [[p for row in rows for p in row]]
    figure = paper_figure(
        flat, layout=choices["layout"], marks=choices["marks"], style=choices["style"], corner=()
    )
    for ax in figure.axes:
        gids = {a.get_gid() for a in ax.get_children() if a.get_gid()}
        assert gids == {"points-0-0", "points-1-0", "points-2-0", "bar", "bar length"}
    assert to_hex(by_gid(figure, 0, "points-1")[0].get_markerfacecolor()) == PAPER_COLOURS[1].lower()
    with pytest.raises(InputError, match="There is no preset nips"):
        preset("nips")


def test_a_slide_is_filled(rows: Rows) -> None:
    figure = paper_figure(grid(), PaperOptions("beamer"))
    width, height = figure.get_size_inches()
    assert height == pytest.approx(VENUES["beamer"].height_in)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [t.get_window_extent(renderer) for t in figure.texts]
    assert max(b.x1 for b in boxes) - min(b.x0 for b in boxes) > 0.9 * width * figure.dpi


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"font_size": 3}, "The font size is 5 to 24 points, not 3"),
        ({"font_size": True}, "The font size is"),
        ({"colours": ("#123456",)}, "The colours are three"),
        ({"colours": ("red", "#123456", "#123456")}, "not 'red'"),
        ({"row_titles": "ab"}, "The row titles are a list"),
        ({"row_titles": ("a\nb",)}, "The row titles are a list"),
        ({"legend": "left"}, "The legend is one of auto, below, right, none, not 'left'"),
        ({"by_split": 1}, "by_split is true or false"),
    ],
)
def test_what_does_not_fit_is_said(wishes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        FigureStyle(**wishes)
