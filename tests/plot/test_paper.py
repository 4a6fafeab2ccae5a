"""What the panels of a paper figure hold, read back from its artists."""

from __future__ import annotations

import ast
import dataclasses
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from paper_figures import Rows, by_gid, grid, overlaps

from penviz import InputError
from penviz.plot.paper import plane
from penviz.plot.paper.files import figure_bytes
from penviz.plot.paper.options import PaperOptions
from penviz.plot.paper.plane import paper_figure
from penviz.plot.paper.style import FigureStyle
from penviz.plot.paper.words import clip_segment
from penviz.plot.screen import Marks, point_groups
from penviz.plot.theme import CLASS_COLOURS, DENSITY_ALPHA
from penviz.projection.panel import CORRECT, OUTSIDE

ROOT = Path(__file__).resolve().parents[2]


def test_points_of_a_crowd_are_fainter_whatever_was_predicted(rows: Rows) -> None:
    panel = rows[0][0]
    fields = ("xy", "labels", "predictions", "indices", "confidences", "kinds")
    crowd = dataclasses.replace(panel, **{f: np.concatenate([getattr(panel, f)] * 200) for f in fields})
    opacities = []
    for one in (panel, crowd):
        points = by_gid(paper_figure([one]), 0, "points-")
        right = {p.get_alpha() for p in points if p.get_gid().endswith(f"-{CORRECT}")}
        wrong = {p.get_alpha() for p in points if not p.get_gid().endswith(f"-{CORRECT}")}
        opacities.append((*right, *wrong))
    assert opacities[0] == pytest.approx((0.75, 0.9))
    assert max(opacities[1]) < min(opacities[0])


def test_coordinates_drawn_are_the_panels(rows: Rows) -> None:
    figure = paper_figure(rows)
    for number, panel in enumerate(p for row in rows for p in row):
        lines = by_gid(figure, number, "points-")
        groups = point_groups(panel)
        assert len(lines) == len(groups)
        for line, (k, kind, positions) in zip(lines, groups, strict=True):
            assert line.get_gid() == f"points-{k}-{kind}"
            assert np.array_equal(line.get_xydata().astype(np.float32), panel.xy[positions])
            assert line.get_marker() == ("x" if kind == OUTSIDE else "os^"[k])
            colour = line.get_markerfacecolor() if kind == CORRECT else line.get_markeredgecolor()
            assert colour == CLASS_COLOURS[k]
        assert sum(len(line.get_xydata()) for line in lines) == len(panel.xy)
        assert np.allclose(by_gid(figure, number, "mean")[0].get_xydata(), panel.means_xy, atol=1e-6)
        stars = by_gid(figure, number, "optimum")
        assert len(stars) == (panel.ideal_xy is not None)
        if panel.ideal_xy is not None:
            assert np.allclose(stars[0].get_xydata(), panel.ideal_xy, atol=1e-6)


def test_axes_are_square_and_hold_the_limits(rows: Rows) -> None:
    figure = paper_figure(rows)
    for ax, panel in zip(figure.axes, [p for row in rows for p in row], strict=True):
        x0, x1, y0, y1 = panel.limits
        assert ax.get_xlim() == pytest.approx((x0, x1))
        assert ax.get_ylim() == pytest.approx((y0, y1))
        box = ax.get_window_extent()
        assert box.width / (x1 - x0) == pytest.approx(box.height / (y1 - y0), rel=1e-6)


def test_boundaries_are_straight_and_start_where_all_three_are_equal(rows: Rows) -> None:
    figure = paper_figure(rows)
    for number, panel in enumerate(p for row in rows for p in row):
        x0, x1, y0, y1 = panel.limits
        equal = panel.boundaries[0, 0]
        assert x0 < equal[0] < x1, "the example has the equal point inside"
        assert y0 < equal[1] < y1, "the example has the equal point inside"
        lines = by_gid(figure, number, "boundary-")
        assert len(lines) == 3
        for line, ends in zip(lines, panel.boundaries, strict=True):
            start, end = line.get_xydata()
            assert np.allclose(start, equal)
            way, drawn_way = ends[1] - ends[0], end - start
            assert abs(way[0] * drawn_way[1] - way[1] * drawn_way[0]) < 1e-9 * np.linalg.norm(way)
            assert way @ drawn_way > 0
            on_edge = np.isclose(end[0], [x0, x1]).any() or np.isclose(end[1], [y0, y1]).any()
            assert on_edge, "the line ends at the edge of the panel"


def test_a_segment_is_clipped_as_points_along_it_are() -> None:
    rng = np.random.default_rng(0)
    limits = (-1.0, 2.0, 0.0, 1.0)
    missed = 0
    for ends in rng.normal(scale=2, size=(200, 2, 2)):
        along = ends[0] + np.linspace(0, 1, 20_001)[:, None] * (ends[1] - ends[0])
        inside = along[(along[:, 0] >= -1) & (along[:, 0] <= 2) & (along[:, 1] >= 0) & (along[:, 1] <= 1)]
        part = clip_segment(ends, limits)
        if len(inside) < 2:
            missed += part is None
            continue
        assert part is not None
        assert np.allclose(part, inside[[0, -1]], atol=1e-3)
    assert 20 < missed < 180
    assert clip_segment(np.array([[0.0, 2.0], [1.0, 2.0]]), limits) is None


def test_shading_is_faint_and_of_the_likeliest_class(rows: Rows) -> None:
    panel = rows[0][0]
    (image,) = by_gid(paper_figure(rows), 0, "shading")
    tint = np.asarray(image.get_array(), float)
    assert tint.shape == (*panel.shading.shape[:2], 3)
    assert (255 - tint).max() <= 0.08 * 255 + 0.5
    sure = panel.shading.max(axis=-1) > 0.99
    colours = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in CLASS_COLOURS])
    wanted = 255 - 0.08 * (255 - colours[panel.shading.argmax(axis=-1)])
    assert sure.any()
    assert np.abs(tint - wanted)[sure].max() < 3
    assert image.origin == "lower", "row 0 of the shading is the lowest"
    assert image.get_extent() == list(panel.limits) or tuple(image.get_extent()) == panel.limits


def test_density_lies_over_the_shading_and_both_are_as_on_screen(rows: Rows) -> None:
    panel = rows[0][0]
    depth = np.zeros((8, 8, 3), np.float32)
    depth[2, 5, 1] = 1
    dense = dataclasses.replace(panel, density=depth)
    (image,) = by_gid(paper_figure([[dense]], marks=Marks(shading=False)), 0, "shading")
    tint = np.asarray(image.get_array(), float)
    vermilion = np.array([0xD5, 0x5E, 0x00])
    np.testing.assert_allclose(tint[2, 5], 255 - DENSITY_ALPHA * (255 - vermilion), atol=1)
    assert (np.delete(tint.reshape(64, 3), 2 * 8 + 5, axis=0) == 255).all()
    (below,), (above,) = (by_gid(paper_figure([[p]]), 0, "shading") for p in (panel, dense))
    low, high = (np.asarray(image.get_array(), float) for image in (below, above))
    cells = np.array([int((i + 0.5) / 8 * len(low)) for i in range(8)])
    wanted = low[np.ix_(cells, cells)]
    wanted[2, 5] -= DENSITY_ALPHA * (wanted[2, 5] - vermilion)
    np.testing.assert_allclose(high, wanted, atol=2)


def test_marks_left_out_are_in_neither_panels_nor_legend(rows: Rows) -> None:
    said = {
        t.get_text() for t in paper_figure(rows, marks=Marks(templates=True)).texts if t.get_gid() == "legend"
    }
    assert said == {
        "airplane", "automobile", "bird", "predicted as another of the three", "predicted as a fourth class",
        "class mean", "template", "label-smoothing optimum", "decision boundary",
        "scale bar, feature units",
    }  # fmt: skip
    none = Marks(False, False, False, False, False, False)
    bare = paper_figure(rows, marks=none)
    assert {t.get_text() for t in bare.texts if t.get_gid() == "legend"} == {
        "airplane", "automobile", "bird", "scale bar, feature units",
    }  # fmt: skip
    for start in ("mean", "template", "optimum", "boundary", "shading", "points-0-1", "points-0-2"):
        assert by_gid(bare, 2, start) == [], start
    hard_only = paper_figure(rows[:1])
    assert "label-smoothing optimum" not in {t.get_text() for t in hard_only.texts}


def test_scale_bar_is_as_long_as_it_says(rows: Rows) -> None:
    figure = paper_figure(rows)
    for number, panel in enumerate(p for row in rows for p in row):
        bar, label = by_gid(figure, number, "bar")
        (x0, _), (x1, _) = bar.get_xydata()
        width = panel.limits[1] - panel.limits[0]
        assert (x1 - x0) * width * panel.unit == pytest.approx(float(label.get_text()))


def test_a_row_a_triple_names_its_own_classes(rows: Rows) -> None:
    other = grid(("cat", "deer", "dog"))
    figure = paper_figure([rows[0] + rows[1], other[0] + other[1]], layout="figure1")
    legend = [(t.get_position()[1], t.get_text()) for t in figure.texts if t.get_gid() == "legend"]
    lines = [{text for y, text in legend if y == own} for own in dict.fromkeys(y for y, _ in legend)]
    assert lines[:2] == [{"airplane", "automobile", "bird"}, {"cat", "deer", "dog"}]
    assert overlaps(figure) == []
    flat = [p for own in (rows, other) for row in own for p in row]
    assert figure_bytes(paper_figure(flat, layout="figure1"), "svg") == figure_bytes(figure, "svg")
    with pytest.raises(InputError, match="same three classes"):
        paper_figure([[rows[0][0], other[0][1]]])


def test_flat_panels_and_missing_splits(rows: Rows) -> None:
    flat = [p for row in rows for p in row]
    assert figure_bytes(paper_figure(flat), "svg") == figure_bytes(paper_figure(rows), "svg")
    gap = paper_figure([rows[0][1:], rows[1]])
    assert len(gap.axes) == 3
    columns = [ax.get_position().x0 for ax in gap.axes]
    assert columns[0] == columns[2] > columns[1], "validation stands under validation"
    heads = {t.get_text(): t.get_position()[1] for t in gap.texts if t.get_gid() == "head"}
    assert heads["train"] < heads["validation"], "the head stands over the first panel of its column"
    assert overlaps(gap) == []


def test_what_cannot_be_drawn_is_said_in_a_sentence(rows: Rows) -> None:
    panel = rows[0][0]
    no_ece = dataclasses.replace(panel, metrics={k: v for k, v in panel.metrics.items() if k != "ece"})
    for wrong, settings in (
        ("no panels", {"rows": []}),
        ("no panels", {"rows": [[None]]}),
        ("Unknown venue", {"venue": "nips"}),
        ("Unknown layout", {"layout": "ring"}),
        ("not a width", {"width": "wide"}),
        ("cannot be drawn", {"width": 0.5}),
        ("Unknown number 'rho-d'", {"corner": ("rho-d",)}),
        ("no ece", {"rows": [[no_ece]], "corner": ("ece",)}),
        ("2 rows need as many titles, not 1", {"style": FigureStyle(row_titles=("one",))}),
        ("do not fit", {"rows": rows * 8}),
        ("do not fit", {"venue": "acl", "width": "column", "rows": [rows[0] * 5], "layout": "strip"}),
        ("not both", {"rows": [rows[0], rows[1][0]]}),
    ):
        given = {"rows": rows, **settings}
        page = PaperOptions(**{k: given.pop(k) for k in ("venue", "width") if k in given})
        with pytest.raises(InputError, match=wrong):
            paper_figure(given.pop("rows"), page, **given)
    with pytest.raises(InputError, match="Unknown format"):
        figure_bytes(paper_figure(rows), "eps")
    with pytest.raises(InputError, match="'outlines'"):
        figure_bytes(paper_figure(rows), "svg", text="outlines")


def test_the_example_in_the_module_runs(rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ast.get_docstring(ast.parse(Path(plane.__file__).read_text()))
    assert said is not None
    example = textwrap.dedent(said.split("\n\n", 1)[1])
    assert 'paper_figure(panels, PaperOptions("neurips"))' in example
    monkeypatch.chdir(tmp_path)
    names = {
        "panels": rows,
        "paper_figure": paper_figure,
        "PaperOptions": PaperOptions,
        "figure_bytes": figure_bytes,
        "Path": Path,
    }
    exec(compile(example, "example", "exec"), names)
    assert (tmp_path / "figure1.pdf").read_bytes().startswith(b"%PDF")


def test_the_screen_is_imported_without_matplotlib() -> None:
    code = "import sys, penviz.plot.screen, penviz.plot.paper.venues; print('matplotlib' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
