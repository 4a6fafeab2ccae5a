"""Charts on paper: every venue, read back from the files; what the axes hold; that checks see bad cases."""

from __future__ import annotations

import io
import re
import shutil
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from paper_figures import by_gid, overlaps, words
from PIL import Image
from small_charts import bars, cloud, curves, diagram, every_kind
from test_paper_venues import (
    font_faults,
    inches,
    least_size,
    missing_words,
    page_size,
    rim_is_white,
    run,
    typeset,
    word_faults,
)

from penviz import InputError
from penviz.figures.bundle import SERIES_COLUMNS, chart_bundle, series_csv, series_npz
from penviz.plot.paper.chart import paper_charts
from penviz.plot.paper.files import figure_bytes
from penviz.plot.paper.options import PaperOptions
from penviz.plot.paper.venues import VENUES
from penviz.plot.theme import LIGHT
from penviz.projection.chart import Chart, Series

CASES = [
    (name, width)
    for name in VENUES
    for width in ("text", "column")
    if width == "text" or VENUES[name].column_in < VENUES[name].text_in
]


@cache
def kept(name: str, width: str) -> Figure:
    """A figure that several tests read and none changes."""
    charts = every_kind()[:2] if width == "column" or VENUES[name].height_in < 4 else every_kind()
    return paper_charts(charts, PaperOptions(name, width=width))


@pytest.mark.parametrize(("name", "width"), CASES)
def test_text_is_large_enough_and_nothing_overlaps(name: str, width: str) -> None:
    figure = kept(name, width)
    assert figure.get_figwidth() == pytest.approx(inches(name, width))
    assert figure.get_figheight() <= VENUES[name].height_in + 1e-6
    assert min(float(text.get_fontsize()) for text in words(figure)) >= max(5, VENUES[name].least_pt)
    assert overlaps(figure) == []


def test_the_overlap_test_sees_a_tick_over_a_label() -> None:
    figure = paper_charts([curves()])
    label = next(t for t in figure.texts if t.get_gid() == "y label")
    figure.text(*label.get_position(), "0.5", transform=figure.dpi_scale_trans, fontsize=7)
    assert any("'0.5'" in found for found in overlaps(figure))


@pytest.mark.parametrize(("name", "width"), CASES)
def test_pdf(name: str, width: str, tmp_path: Path) -> None:
    figure = kept(name, width)
    data = figure_bytes(figure, "pdf")
    path = tmp_path / "f.pdf"
    path.write_bytes(data)
    assert least_size(data) >= max(5, VENUES[name].least_pt)
    assert page_size(path)[0] == pytest.approx(72 * inches(name, width), abs=0.5)
    assert font_faults(path) == []
    assert word_faults(path) == [[]]
    upright = {t.get_text() for t in figure.texts if t.get_rotation() == 90}
    assert missing_words(figure, path)[0] <= {word for text in upright for word in text.split()}


@pytest.mark.parametrize("format", ["pdf", "svg", "png", "tikz"])
def test_files_are_the_same_bytes_again(format: str) -> None:
    made = [figure_bytes(paper_charts(every_kind(), PaperOptions("icml")), format, dpi=100) for _ in range(2)]
    assert made[0] == made[1]
    if format == "png":
        picture = Image.open(io.BytesIO(made[0]))
        assert picture.width == 675
        assert rim_is_white(picture)


def test_tikz_is_set_at_its_size_and_looks_the_same(tmp_path: Path) -> None:
    if shutil.which("kpsewhich") is None or not run("kpsewhich", "pgfplots.sty").strip():
        pytest.skip("LaTeX with pgfplots is not installed")
    figure = kept("neurips", "text")
    path = typeset([figure_bytes(figure, "tikz")], tmp_path)
    assert page_size(path)[0] == pytest.approx(72 * 5.5, abs=0.5)
    assert word_faults(path) == [[]]
    assert font_faults(path) == []
    pictures = []
    (tmp_path / "own.pdf").write_bytes(figure_bytes(figure, "pdf"))
    for name in ("all", "own"):
        run("pdftoppm", "-r", "60", "-singlefile", "-png", tmp_path / f"{name}.pdf", tmp_path / name)
        pictures.append(np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"), np.float64))
    height = min(p.shape[0] for p in pictures)
    apart = np.abs(pictures[0][:height] - pictures[1][:height])
    assert apart.mean() < 4, "bands, bars and lines stand where they stand in the PDF"
    assert np.abs(pictures[1][:height] - 255).mean() > 10, "a white page would be further off"


def test_a_gap_parts_a_line_and_a_band() -> None:
    x = np.arange(6.0)
    y = np.array([1, 1, np.nan, 1, 1, 1])
    figure = paper_charts([Chart("", "x", "y", (Series("s", x, y, y - 1, y + 1),))])
    lines = by_gid(figure, 0, "series-0")
    assert [len(line.get_xdata()) for line in lines] == [2, 3]
    assert len(by_gid(figure, 0, "band-0")) == 2


def test_bars_stand_on_zero_side_by_side() -> None:
    figure = paper_charts([bars()])
    drawn = [patch.get_xy()[:-1] for patch in by_gid(figure, 0, "series-")]
    assert len(drawn) == 8
    assert all(corners[:, 1].min() == 0 for corners in drawn)
    spans = sorted((corners[:, 0].min(), corners[:, 0].max()) for corners in drawn)
    assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(spans))


def test_lines_of_several_runs_have_marks_and_the_legend_shows_them() -> None:
    figure = paper_charts([curves()])
    assert {m.get_marker() for k in (0, 1) for m in by_gid(figure, 0, f"marks-{k}")} == {"D", "v"}
    legend = [a.get_marker() for a in figure.artists if a.get_gid() == "legend: hard"]
    assert "D" in legend
    alone = Chart("", "x", "y", curves().series[:1])
    assert by_gid(paper_charts([alone]), 0, "marks") == []


def test_outlines_of_two_classes_are_told_apart_without_colour() -> None:
    x = np.linspace(0.0, 1.0, 9)
    heights = np.maximum(0.0, 1 - 8 * (x - 0.5) ** 2)
    parts = tuple(Series(name, x + k, heights, kind="steps", colour=k) for k, name in enumerate("ab"))
    figure = paper_charts([Chart("", "x", "density", parts)])
    marks = [by_gid(figure, 0, f"marks-{k}") for k in (0, 1)]
    assert [own[0].get_marker() for own in marks] == ["D", "v"]
    assert all((own[0].get_ydata() > 0).all() for own in marks)
    assert {a.get_marker() for a in figure.artists if a.get_gid() == "legend: b"} == {"None", "v"}


def test_titles_are_smaller_before_they_are_cut() -> None:
    def heads(*titles: str) -> list[tuple[str, float]]:
        charts = [replace(diagram("", 0), title=title) for title in titles]
        figure = paper_charts(charts, PaperOptions("icml", width="column"), columns=2)
        assert overlaps(figure) == []
        return [(t.get_text(), t.get_fontsize()) for t in figure.texts if t.get_gid() == "head"]

    assert heads("NLL", "gap") == [("NLL", 8), ("gap", 8)]
    assert heads("Spread of the wrong logits", "gap") == [("Spread of the wrong logits", 7), ("gap", 7)]
    long = "a run of many words and settings"
    (first, size), (second, _) = heads(f"{long}, seed 1", f"{long}, seed 2")
    assert size == 8
    assert (first[0], first[-6:], second[-6:]) == ("…", "seed 1", "seed 2")


def test_square_charts_are_square() -> None:
    figure = paper_charts([diagram("hard", 0), diagram("soft", 1)], PaperOptions("icml", width="column"))
    width, height = figure.get_size_inches()
    for ax in figure.axes:
        box = ax.get_position()
        assert box.width * width == pytest.approx(box.height * height, rel=1e-6)


def test_words_that_do_not_fit_read_upward() -> None:
    figure = paper_charts([bars(), bars(), bars()])
    found = [t for t in figure.texts if t.get_gid() == "x tick"]
    assert {t.get_rotation() for t in found} == {90}
    assert any(t.get_text().endswith("…") for t in found)
    wide = paper_charts([bars()], PaperOptions("20in"))
    assert {t.get_rotation() for t in wide.texts if t.get_gid() == "x tick"} == {0}


def test_too_many_charts_are_one_sentence() -> None:
    with pytest.raises(InputError, match="do not fit"):
        paper_charts(every_kind() * 4, PaperOptions("nature", width="column"))
    with pytest.raises(InputError, match="nothing to draw"):
        paper_charts([])


def test_tikz_refuses_a_cloud_that_tex_cannot_hold() -> None:
    with pytest.raises(InputError, match="TeX cannot hold"):
        figure_bytes(paper_charts([cloud(12_000)]), "tikz")


def test_series_are_the_same_numbers_in_csv_and_arrays() -> None:
    charts = every_kind()
    lines = series_csv(charts).splitlines()
    assert lines[0].split(",") == list(SERIES_COLUMNS)
    assert len(lines) == 1 + sum(len(s.x) for c in charts for s in c.series)
    arrays = np.load(io.BytesIO(series_npz(charts)), allow_pickle=False)
    np.testing.assert_array_equal(arrays["chart1_series2_y"], charts[0].series[1].y)
    own = [line.split(",") for line in lines[1:] if line.startswith("1,hard,hard: ECE")]
    read = np.array([float(cells[6]) if cells[6] else np.nan for cells in own])
    np.testing.assert_array_equal(read, charts[0].series[1].y)


def test_the_bundle_holds_everything_and_refuses_a_name_twice() -> None:
    files = chart_bundle(every_kind(), figures={"figure.pdf": b""}, recipe="recipe: 1\n", notes=["A note."])
    assert set(files) == {
        "figure.pdf", "series.csv", "series.npz", "recipe.yaml", "caption.txt", "caption.tex", "include.tex",
        "methods.txt", "methods.tex", "references.bib",
    }  # fmt: skip
    assert files["caption.txt"] == b"Reliability of hard. Reliability of soft. A note.\n"
    with pytest.raises(InputError, match=r"series\.csv"):
        chart_bundle(every_kind(), figures={"series.csv": b""}, recipe="")


def test_the_page_is_white() -> None:
    assert kept("neurips", "text").get_facecolor()[:3] == (1, 1, 1)
    assert LIGHT.page == "#ffffff"


def test_svg_ids_are_unique_and_name_chart_and_series() -> None:
    charts = every_kind()
    svg = figure_bytes(paper_charts(charts), "svg").decode()
    found = re.findall(r'\bid="([^"]*)"', svg)
    assert len(found) == len(set(found))
    assert {f"chart-{k}" for k in range(1, len(charts) + 1)} <= set(found)
    name = re.sub(r"\W+", "-", charts[0].series[1].name).strip("-")
    assert any(one.startswith("chart-1-") and name in one for one in found)
