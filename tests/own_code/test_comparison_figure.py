"""A comparison shows itself in a notebook, goes to paper and screen, and hands its numbers on."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import make_run

import penviz
from penviz import InputError
from penviz.plot.paper.files import figure_bytes

TRIPLE = ["airplane", "automobile", "bird"]


@pytest.fixture
def figure(tmp_path: Path) -> penviz.ComparisonFigure:
    make_run(tmp_path, "one", per_class=110)  # enough for intervals
    make_run(tmp_path, "two", 0.1, per_class=110)
    return penviz.compare([tmp_path / "one", str(tmp_path / "two")], TRIPLE, per_class=20)


def test_text_holds_finding_and_six_numbers_and_is_short(figure: penviz.ComparisonFigure) -> None:
    text = repr(figure)
    assert text.startswith(figure.finding.headline)
    assert len(figure.table.text().splitlines()) == 7
    assert len(text.encode()) < 2_000
    assert len(repr(figure.panels[0]).encode()) < 2_000


def test_html_holds_finding_picture_and_numbers(figure: penviz.ComparisonFigure) -> None:
    html = figure._repr_html_()
    assert figure.finding.headline in html
    picture = re.search(r"base64,([^\"]+)", html)
    assert picture is not None
    assert b64decode(picture[1]).startswith(b"\x89PNG")
    value = figure.comparison.table.row("rho_d").values[0]["train"]
    assert f"{value:.3f}" in html


def test_names_of_others_are_not_html(tmp_path: Path) -> None:
    make_run(tmp_path, "one", names=("<b>x</b>", "y&z", "w"))
    html = penviz.compare([tmp_path / "one"])._repr_html_()
    assert "<b>x</b>" not in html
    assert "&lt;b&gt;x" in html


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_a_saved_figure_has_the_bytes_of_every_other_way(
    figure: penviz.ComparisonFigure, ending: str, tmp_path: Path
) -> None:
    path = figure.paper(venue="icml").save(tmp_path / f"f.{ending}")
    assert path.read_bytes() == figure_bytes(figure.paper(venue="icml"), ending)


def test_a_figure_shows_itself(figure: penviz.ComparisonFigure) -> None:
    assert figure.paper()._repr_png_().startswith(b"\x89PNG")


def test_a_look_by_keyword_and_the_papers_preset(figure: penviz.ComparisonFigure) -> None:
    from penviz.plot.paper.plane import paper_figure
    from penviz.plot.paper.style import FigureStyle

    own = figure.paper(font_size=11, legend="none")
    same = paper_figure(figure.comparison.rows, style=FigureStyle(font_size=11, legend="none"))
    assert figure_bytes(own, "svg") == figure_bytes(same, "svg")
    paper = figure.paper(preset="paper", letters=True)
    assert len({ax.get_position().y0 for ax in paper.axes}) == 1  # one row
    lines = [line for line in paper.axes[0].lines if (line.get_gid() or "").startswith("points")]
    stored = figure.panels[0].n_stored
    assert sum(len(line.get_xdata()) for line in lines) == sum(min(100, n) for n in stored)
    assert {line.get_gid() for line in paper.axes[0].lines} == {
        "points-0-0",
        "points-1-0",
        "points-2-0",
        "bar",
    }


def test_a_file_that_cannot_be_written_is_one_sentence(
    figure: penviz.ComparisonFigure, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"choose \.pdf"):
        figure.paper().save(tmp_path / "figure.docx")
    with pytest.raises(InputError, match=r"cannot be written"):
        figure.paper().save(tmp_path / "no" / "such" / "figure.pdf")
    assert not list(tmp_path.glob("*.part"))


def test_the_screen_has_every_example(figure: penviz.ComparisonFigure) -> None:
    from penviz.plot.screen import point_groups

    sizes = [len(at) for panel in figure.panels for _, _, at in point_groups(panel)]
    drawn = [len(trace.x) for trace in figure.screen().data]
    assert drawn[: len(sizes)] == sizes
    assert sum(sizes) == 4 * 3 * 20
    assert figure.screen(dark=True).layout.font.color != figure.screen().layout.font.color


def test_the_table_as_a_data_frame(figure: penviz.ComparisonFigure) -> None:
    frame = figure.table.to_pandas()
    row = figure.comparison.table.row("rho_d")
    assert frame.loc["rho_d", ("validation", "two")] == row.values[1]["validation"]
    change = row.changes["train"]
    assert change is not None
    assert frame.loc["rho_d", ("train", "low")] == change.low
    assert len(frame) == len(figure.comparison.table.rows)


def test_the_table_as_latex_and_json(figure: penviz.ComparisonFigure) -> None:
    latex = figure.table.to_latex()
    assert latex.count(r"\toprule") == 1
    assert "hard" in latex
    record = json.loads(figure.table.to_json())
    assert record["numbers"]["rho_d"]["values"]["one"]["train"] == figure.panels[0].metrics["rho_d"]


class Kept:
    """What TensorBoard's writer would keep."""

    def __init__(self) -> None:
        self.scalars: dict[str, tuple[float, int]] = {}
        self.figures: list[Any] = []
        self.texts: list[str] = []

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        self.scalars[tag] = scalar_value, global_step

    def add_figure(self, tag: str, figure: Any, global_step: int) -> None:
        self.figures.append(figure)

    def add_text(self, tag: str, text_string: str, global_step: int) -> None:
        self.texts.append(text_string)


def test_a_training_can_log_it(figure: penviz.ComparisonFigure) -> None:
    kept = Kept()
    figure.log(kept, 7)
    value = figure.comparison.table.row("rho_d").values[1]["train"]
    assert kept.scalars["penviz/two/train/rho_d"] == (value, 7)
    assert len(kept.scalars) == 6 * 2 * 2
    assert kept.figures[0].axes
    assert figure.finding.headline in kept.texts[0]


def test_a_plane_in_axes_of_ones_own(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    make_run(tmp_path, "one")
    axes = Figure(figsize=(6, 3)).subplots(1, 2)
    panel = penviz.draw_plane(axes[0], tmp_path / "one", TRIPLE, split="validation")
    lines = [line.get_xydata() for line in axes[0].lines if (line.get_gid() or "").startswith("points")]
    drawn = np.concatenate(lines)
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(panel.xy, axis=0), rtol=1e-6)
    assert not axes[1].lines
    with pytest.raises(InputError, match="no test activations"):
        penviz.draw_plane(axes[1], tmp_path / "one", TRIPLE, split="test")


def test_runs_are_a_list_and_a_figure_can_be_saved_at_once(
    figure: penviz.ComparisonFigure, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"a list of runs"):
        penviz.compare({"a": tmp_path})  # type: ignore[arg-type]
    made = figure.save(tmp_path / "now.svg", venue="icml")
    assert made.read_bytes() == figure_bytes(figure.paper(venue="icml"), "svg")


def test_one_run_alone_needs_no_list(tmp_path: Path) -> None:
    make_run(tmp_path, "one")
    assert penviz.compare(str(tmp_path / "one")).finding.kind == "one"
