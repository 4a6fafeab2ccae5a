"""The words of a paper figure: where they stand, how they are cut, what they say."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from paper_figures import Rows, by_gid, overlaps, words
from small_charts import curves

from penviz import InputError
from penviz.plot.paper.chart import paper_charts
from penviz.plot.paper.layout import LAYOUTS
from penviz.plot.paper.options import PaperOptions
from penviz.plot.paper.plane import paper_figure
from penviz.plot.paper.style import FigureStyle
from penviz.plot.paper.typeface import SERIF
from penviz.plot.paper.venues import VENUES
from penviz.plot.paper.words import _hidden, _remark

CASES = [(name, width, layout) for name in VENUES for width in ("text", "column") for layout in LAYOUTS]


def drawn(rows: Rows, name: str, width: str, layout: str) -> Figure:
    given = [rows[0] + rows[1]] if layout == "figure1" else rows
    return paper_figure(given, PaperOptions(name, width=width), layout=layout)


@pytest.mark.parametrize(("name", "width", "layout"), CASES)
def test_text_is_large_enough_and_nothing_overlaps(rows: Rows, name: str, width: str, layout: str) -> None:
    figure = drawn(rows, name, width, layout)
    assert min(float(text.get_fontsize()) for text in words(figure)) >= max(5, VENUES[name].least_pt)
    assert overlaps(figure) == []


def test_the_overlap_test_sees_an_overlap_and_a_text_off_the_page(rows: Rows) -> None:
    figure = paper_figure(rows)
    letter = next(t for t in figure.texts if t.get_gid() == "letter")
    x, y = letter.get_position()
    figure.text(x, y, "(z)", transform=figure.dpi_scale_trans, fontsize=8)
    figure.text(5.45, 2, "beyond", transform=figure.dpi_scale_trans, fontsize=8)
    found = overlaps(figure)
    assert any("'(a)' over '(z)'" in own for own in found)
    assert any("'beyond' leaves the page" in own for own in found)


def test_long_names_are_cut_not_clipped(rows: Rows) -> None:
    long = tuple(
        f"{name} with a name that no column of any journal holds, however wide and however small its type"
        for name in "abc"
    )
    renamed = [[dataclasses.replace(p, classes=long) for p in row] for row in rows]
    labels = [
        "a run whose name goes on and on_and_on until the panel ends, and then some more for a second line",
        "$x",
    ]
    figure = paper_figure(renamed, PaperOptions("acl", width="column"), style=FigureStyle(row_titles=labels))
    assert overlaps(figure) == []
    cut = Counter(text.get_gid() for text in words(figure) if text.get_text().endswith("…"))
    assert cut["legend"] == 3
    assert cut["row label"] >= 1
    assert "$x" in {text.get_text() for text in figure.texts}, "a dollar is a dollar"


@pytest.mark.parametrize("layout", ["grid", "strip"])
def test_long_names_are_told_apart_where_they_differ(rows: Rows, layout: str) -> None:
    long = "a_run_whose_name_holds_every_setting_of_its_training_lr0.1_wd5e-4_bs"
    panels = [
        [dataclasses.replace(p, run=f"{long}{n}", label_smoothing=0.0, targets="hard") for p in rows[0]]
        for n in (128, 256)
    ]
    figure = paper_figure(panels, PaperOptions(width="3in"), layout=layout)
    assert overlaps(figure) == []
    gid = "row label" if layout == "grid" else "group"
    names = [text.get_text() for text in figure.texts if text.get_gid() == gid]
    assert [(name[0], name[-5:]) for name in names] == [("…", "bs128"), ("…", "bs256")]


def test_cut_words_of_a_legend_are_told_apart(rows: Rows) -> None:
    start = "a class whose name is so long that no line of a legend can hold it, be it in the smallest type: "
    long = tuple(f"{start}{name} {'and more ' * 9}" for name in ("one", "two", "three"))
    figure = paper_figure([dataclasses.replace(rows[0][0], classes=long)], PaperOptions(width="3in"))
    words = [text.get_text() for text in figure.texts if text.get_gid() == "legend"][:3]
    assert [word.partition(" and")[0] for word in words] == ["…one", "…two", "…three"]


def test_a_letter_that_no_face_has_is_refused(rows: Rows) -> None:
    renamed = [[dataclasses.replace(p, classes=("猫", *p.classes[1:])) for p in row] for row in rows]
    with pytest.raises(InputError, match="No face of the figure has the letter '猫'"):
        paper_figure(renamed)
    with pytest.raises(InputError, match="'猫'"):
        paper_charts([dataclasses.replace(curves(), title="猫")])
    assert SERIF.width_in("Ünïcödé κόσμος", 8) > 0


def test_words_over_beside_and_inside_the_panels(rows: Rows) -> None:
    figure = paper_figure(rows, corner=("rho_d", "plane_share"))
    found = {
        gid: [t.get_text() for t in figure.texts if t.get_gid() == gid]
        for gid in ("letter", "head", "row label")
    }
    assert found["letter"] == ["(a)", "(b)", "(c)", "(d)"]
    assert found["head"] == ["train", "validation"]
    assert found["row label"] == ["hard targets", "label smoothing α = 0.1"]
    for number, panel in enumerate(p for row in rows for p in row):
        (corner,) = by_gid(figure, number, "corner")
        wanted = (
            rf"$\rho/d$ = {panel.metrics['rho_d']:.3f}"
            + f"\nvariance in plane {100 * panel.metrics['plane_share']:.0f} %"
        )
        assert corner.get_text() == wanted
    strip = paper_figure(rows, layout="strip", letters=False, corner=())
    said = Counter(t.get_gid() for t in words(strip))
    assert said["letter"] == said["corner"] == 0
    assert said["head"] == 4
    assert [t.get_text() for t in strip.texts if t.get_gid() == "group"] == [
        "hard targets",
        "label smoothing α = 0.1",
    ]


def test_a_line_is_as_wide_as_it_is_measured() -> None:
    figure = Figure(dpi=1200)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for text, size in (("validation", 8.0), ("label smoothing α = 0.1", 6.0)):
        drawn_text = figure.text(0, 0, text, fontsize=size, family=list(SERIF.family))
        assert SERIF.width_in(text, size) == pytest.approx(
            drawn_text.get_window_extent(renderer).width / 1200, rel=0.03
        )


def test_a_remark_stands_where_it_hides_fewest_points(rows: Rows) -> None:
    panel = rows[0][0]
    assert panel is not None
    x0, x1, y0, y1 = panel.limits

    def crowd(x: float, y: float) -> np.ndarray:
        spot = np.array([x0 + x * (x1 - x0), y0 + y * (y1 - y0)], np.float32)
        return np.repeat(spot[None], 50, 0)

    spots = [(x, y) for x in (0.1, 0.9) for y in (0.07, 0.93)]
    for free in spots:
        others = [crowd(*spot) for spot in spots if spot != free]
        full = dataclasses.replace(panel, xy=np.concatenate(others))
        lines, (x, y) = _remark(full, ["on class means"], SERIF, 6, 2.0, (0.02, 0.05, 0.05, 0.95))
        assert " ".join(lines) == "on class means"
        assert _hidden(full, (x, y), (0.25, 0.05)) == 0
        assert _hidden(dataclasses.replace(panel, xy=crowd(*free)), (x, y), (0.25, 0.05)) == 50
        assert (x < 0.3, y < 0.3) == (free[0] < 0.5, free[1] < 0.5)


@pytest.mark.parametrize(("width", "layout"), [("text", "grid"), ("text", "strip"), ("column", "strip")])
def test_a_remark_and_class_means_are_said_in_every_panel(width: str, layout: str, rows: Rows) -> None:
    known = {"remark": "accuracy 15 points below the stated", "class_means": "train"}
    marked = [[dataclasses.replace(p, **known) for p in row if p] for row in rows]
    figure = paper_figure(marked, PaperOptions(width=width), layout=layout)
    said = [t.get_text() for ax in figure.axes for t in ax.texts if t.get_gid() == "remark"]
    assert {text.replace("\n", " ") for text in said} == {f"on class means {known['remark']}"}
    assert len(said) == 4
    assert overlaps(figure) == []
    plain = paper_figure(rows, PaperOptions(width=width), layout=layout)
    assert not [t for ax in plain.axes for t in ax.texts if t.get_gid() == "remark"]
