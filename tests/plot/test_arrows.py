"""Arrows of the pull on screen and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from small_runs import small_activations

from penviz.figures.caption import _marks
from penviz.metrics.target_vectors import Targets
from penviz.plot.arrows import BARB, arrow_strokes, faded
from penviz.plot.paper.files import figure_bytes
from penviz.plot.paper.options import PaperOptions
from penviz.plot.paper.plane import paper_figure
from penviz.plot.screen import Marks, selected_points, template_figure
from penviz.projection.build_panel import build_panel
from penviz.projection.panel import Panel
from penviz.projection.panel_options import PanelOptions


def panel(alpha: float | None = 0.1, pull: bool = True) -> Panel:
    return build_panel(
        small_activations("soft", alpha=0.1),
        (0, 1, 2),
        PanelOptions(pull=pull),
        targets=Targets.of(alpha),
    )


def test_a_stroke_ends_at_its_tip_with_two_barbs() -> None:
    (stroke,) = arrow_strokes([[[0, 0], [2, 0]]])
    np.testing.assert_array_equal(stroke[[0, 1, 3]], [[0, 0], [2, 0], [2, 0]])
    barbs = stroke[[2, 4]] - [2, 0]
    np.testing.assert_allclose(np.hypot(*barbs.T), 2 * BARB)
    assert (barbs[:, 0] < 0).all()
    assert barbs[0, 1] == pytest.approx(-barbs[1, 1])
    assert arrow_strokes(np.zeros((0, 2, 2))).shape == (0, 5, 2)


def test_screen_draws_a_shape_a_class_under_the_points() -> None:
    shown = panel()
    assert shown.pull is not None
    drawn = template_figure([shown], columns=1, marks=Marks(pull=True)).to_dict()
    paths = [s for s in drawn["layout"]["shapes"] if s["type"] == "path"]
    assert len(paths) == len(set(shown.pull.labels.tolist()))
    assert all(s["layer"] == "below" for s in paths)
    tips = [np.array(m.split("L"))[1] for s in paths for m in s["path"].split("M")[1:]]
    xy = np.array([[float(v) for v in tip.split(",")] for tip in tips])
    order = np.concatenate([np.flatnonzero(shown.pull.labels == k) for k in range(3)])
    np.testing.assert_allclose(xy, shown.pull.ends[order, 1], rtol=1e-4, atol=1e-4)
    without = template_figure([shown], columns=1, marks=Marks()).to_dict()
    assert not [s for s in without["layout"]["shapes"] if s["type"] == "path"]
    assert len(without["data"]) == len(drawn["data"])  # selections count curves: arrows are none
    assert selected_points([shown], True, [{"curve_number": 0, "point_index": 0}])


@pytest.mark.parametrize("kind", ["svg", "tikz", "pdf"])
def test_paper_draws_a_line_a_class_with_gaps(kind: str) -> None:
    shown = panel()
    assert shown.pull is not None
    figure = paper_figure([[shown]], PaperOptions(width="3in"), marks=Marks(pull=True))
    lines = [line for line in figure.axes[0].lines if str(line.get_gid()).startswith("pull-")]
    assert sum(np.isnan(line.get_xdata()).sum() for line in lines) == len(shown.pull.ends)
    points = [line for line in figure.axes[0].lines if str(line.get_gid()).startswith("points-")]
    assert max(line.get_zorder() for line in lines) < min(line.get_zorder() for line in points)
    text = figure_bytes(figure, kind).decode("latin-1")
    if kind == "tikz":
        assert text.count("unbounded coords=jump") == len(lines)
    if kind == "svg":
        assert len(re.findall('id="panel-a-pull-[012]"', text)) == len(lines)
        assert "loss gradient" in text
    quiet = paper_figure([[shown]], PaperOptions(width="3in"))
    assert not [line for line in quiet.axes[0].lines if str(line.get_gid()).startswith("pull-")]


def test_legend_and_caption_tell_of_arrows_only_where_they_are(tmp_path: Path) -> None:
    assert "arrows: in the region" in _marks([panel()], Marks(pull=True)).lower()
    assert "arrows" not in _marks([panel(None)], Marks(pull=True))
    figure = paper_figure([[panel(None)]], PaperOptions(width="3in"), marks=Marks(pull=True))
    assert not [t for t in figure.texts if "pull" in t.get_text()]


def test_faded_is_the_colour_on_white_at_that_opacity() -> None:
    assert faded("#0000ff") == "#8080ff"
