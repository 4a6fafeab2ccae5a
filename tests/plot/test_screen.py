"""What the Plotly figure holds, read back from it and compared with the Panel."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import struct
from typing import Any

import numpy as np
import plotly.io
import pytest
from PIL import Image

from penviz.metrics.target_vectors import Targets
from penviz.plot.frame import FOOT_PX, bar_length, cells
from penviz.plot.screen import Marks, point_groups, selected_points, template_figure
from penviz.plot.shading import density_rgba, png, shading_rgba
from penviz.plot.theme import (
    CLASS_COLOURS,
    CLASS_SHAPES,
    DARK,
    DENSITY_ALPHA,
    LIGHT,
    elided,
    short_names,
    targets_name,
)
from penviz.projection.build_panel import build_panel
from penviz.projection.panel import CORRECT, INSIDE, OUTSIDE, Panel
from penviz.projection.panel_options import PanelOptions
from penviz.store.activations import Activations
from penviz.store.head import Head


@pytest.fixture(scope="module")
def panel() -> Panel:
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(6, 8))
    labels = np.tile(np.arange(6), 40)
    features = weight[labels] + rng.normal(size=(240, 8)) * 1.4
    head = Head(weight, rng.normal(size=6) / 5)
    a = Activations(
        features,
        labels,
        head.logits(features).argmax(axis=1),
        np.arange(240) * 7,
        tuple("abcdef"),
        "run",
        "train",
        head,
    )
    made = build_panel(a, (1, 4, 2), PanelOptions(30), targets=Targets.of(0.1))
    assert {CORRECT, INSIDE, OUTSIDE} <= set(made.kinds.tolist()), "the example must hold every kind"
    return made


def spec(*panels: Panel | None, **settings: Any) -> dict[str, Any]:
    text = plotly.io.to_json(template_figure(panels, **settings), validate=True)
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def decode(array: dict[str, Any]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])
    return flat.reshape([int(side) for side in array["shape"].split(",")]) if "shape" in array else flat


def examples(figure: dict[str, Any]) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if "customdata" in trace]


def test_every_example_is_drawn_once_at_its_place_with_its_colour(panel: Panel) -> None:
    seen = {}
    for trace in examples(spec(panel)):
        k = CLASS_COLOURS.index(trace["marker"]["color"])
        xs, ys, data = decode(trace["x"]), decode(trace["y"]), decode(trace["customdata"])
        assert trace["x"]["dtype"] == "f4"
        for x, y, (index, confidence) in zip(xs, ys, data, strict=True):
            seen[int(index)] = (k, x, y, confidence, trace["marker"]["symbol"])
    assert len(seen) == len(panel.xy)
    for i, index in enumerate(panel.indices):
        k, x, y, confidence, symbol = seen[int(index)]
        assert k == panel.labels[i]
        assert (x, y) == tuple(panel.xy[i])
        assert confidence == pytest.approx(panel.confidences[i])
        wanted = {CORRECT: CLASS_SHAPES[k], INSIDE: f"{CLASS_SHAPES[k]}-open", OUTSIDE: "x-thin-open"}
        assert symbol == wanted[int(panel.kinds[i])]


def test_hover_names_example_label_prediction_and_confidence(panel: Panel) -> None:
    for trace, (k, kind, positions) in zip(examples(spec(panel)), point_groups(panel), strict=True):
        hover = trace["hovertemplate"]
        assert f"label <b>{panel.classes[k]}</b>" in hover
        assert "customdata[0]" in hover
        assert "customdata[1]" in hover
        if kind == CORRECT:
            assert f"prediction <b>{panel.classes[k]}</b>" in hover
        else:
            assert trace["text"] == [panel.class_names[p] for p in panel.predictions[positions]]


def test_a_selection_finds_its_examples(panel: Panel) -> None:
    panels = [None, panel, panel]
    figure = spec(*panels)
    points = [
        {"curve_number": curve, "point_index": 1, "index": int(decode(trace["customdata"])[1, 0])}
        for curve, trace in enumerate(examples(figure))
        if len(decode(trace["x"])) > 1
    ]
    found = selected_points(panels, True, points)
    assert [number for number, _ in found] == sorted(number for number, _ in found)
    assert {number for number, _ in found} == {1, 2}
    assert [int(panel.indices[position]) for _, position in found] == [point["index"] for point in points]


def test_marks_that_are_no_examples_are_passed_over(panel: Panel) -> None:
    figure = spec(panel)
    overlay = len(examples(figure))
    assert figure["data"][overlay]["name"] == "label-smoothing optimum"
    strange: list[dict[str, Any]] = [
        {"curve_number": overlay, "point_index": 0},
        {"curve_number": -1, "point_index": 0},
        {"curve_number": 0, "point_index": 10**6},
        {"point_index": 0},
        {},
    ]
    assert selected_points([panel], True, strange) == []


def test_errors_can_look_like_the_others(panel: Panel) -> None:
    traces = examples(spec(panel, marks=Marks(errors=False)))
    assert [trace["marker"]["symbol"] for trace in traces] == list(CLASS_SHAPES)
    assert sum(len(decode(trace["x"])) for trace in traces) == len(panel.xy)


def test_marks_stand_where_the_panel_says(panel: Panel) -> None:
    figure = spec(panel, marks=Marks(templates=True))
    drawn = {trace["name"]: trace for trace in figure["data"] if "customdata" not in trace}
    for name, xy in (
        ("class mean", panel.means_xy),
        ("label-smoothing optimum", panel.ideal_xy),
        ("template", panel.templates_xy),
    ):
        assert xy is not None
        np.testing.assert_allclose(decode(drawn[name]["x"]), xy[:, 0], rtol=1e-6)
        np.testing.assert_allclose(decode(drawn[name]["y"]), xy[:, 1], rtol=1e-6)
    dashed = [shape for shape in figure["layout"]["shapes"] if shape["line"].get("dash")]
    ends = np.array([[[s["x0"], s["y0"]], [s["x1"], s["y1"]]] for s in dashed])
    np.testing.assert_allclose(ends, panel.boundaries)


def test_hard_targets_have_no_star(panel: Panel) -> None:
    names = [trace["name"] for trace in spec(dataclasses.replace(panel, ideal_xy=None))["data"]]
    assert "label-smoothing optimum" not in names
    assert "class mean" in names


def test_axes_are_one_to_one_within_the_limits_and_splits_move_together(panel: Panel) -> None:
    other = dataclasses.replace(panel, split="validation")
    layout = spec(panel, other)["layout"]
    for x, y in (("xaxis", "yaxis"), ("xaxis2", "yaxis2")):
        assert layout[x]["range"] + layout[y]["range"] == pytest.approx(list(panel.limits))
        assert layout[y]["scaleanchor"] == x.replace("axis", "")
        assert layout[x]["constrain"] == layout[y]["constrain"] == "domain"
    assert layout["xaxis2"]["matches"] == "x"
    another_run = spec(panel, dataclasses.replace(panel, run="other"))["layout"]
    assert "matches" not in another_run["xaxis2"]


def test_scale_bar_has_its_length_in_feature_units(panel: Panel) -> None:
    layout = spec(panel)["layout"]
    bar = next(shape for shape in layout["shapes"] if not shape["line"].get("dash"))
    label = next(note["text"] for note in layout["annotations"] if "feature unit" in note["text"])
    assert (bar["x1"] - bar["x0"]) * panel.unit == pytest.approx(float(label.split()[0]))


@pytest.mark.parametrize(("width", "length"), [(8.0, 2.0), (7.9, 1.0), (20.0, 5.0), (0.4, 0.1), (400, 100)])
def test_bar_length_is_one_two_or_five(width: float, length: float) -> None:
    assert bar_length(width) == pytest.approx(length)


def test_nothing_is_written_on_a_panel(panel: Panel) -> None:
    """What is said stands above or below it, and so does the bar: by which side of it is anchored where."""
    odd = dataclasses.replace(panel, class_means="train", remark="odd", n_outside=3)
    for view in ("plane", "pca", "umap"):
        layout = spec(dataclasses.replace(odd, view=view))["layout"]
        for note in layout["annotations"]:
            side = (note["y"], note["yanchor"])
            assert side in {(1, "bottom"), (0, "top"), (0, "middle")}, note["text"]
            assert side != (0, "middle") or note["yshift"] <= -10
            assert note["yref"].endswith("domain")
        bars = [s for s in layout["shapes"] if "domain" in s["yref"]]
        assert len(bars) == (view != "umap")
        assert all(s["ysizemode"] == "pixel" and s["yanchor"] == 0 and s["y0"] == s["y1"] < -10 for s in bars)


def test_points_outside_are_counted(panel: Panel) -> None:
    def notes(n: int) -> str:
        layout = spec(dataclasses.replace(panel, n_outside=n))["layout"]
        return " ".join(note["text"] for note in layout["annotations"])

    assert "drawn, 3 outside" in notes(3)
    assert "outside" not in notes(0)


def test_panel_says_its_targets_run_accuracy_and_numbers(panel: Panel) -> None:
    words = " ".join(note["text"] for note in spec(panel)["layout"]["annotations"])
    assert "label smoothing α = 0.1" in words
    assert f"accuracy {panel.metrics['accuracy']:.3f}" in words
    assert f"{panel.metrics['rho_d']:.3f}" in words
    assert "90 of 120 drawn" in words


def test_shading_is_faint_and_in_the_colours_of_the_classes() -> None:
    sure = np.eye(3, dtype=np.float32)[None]
    rgba = shading_rgba(sure)
    assert [f"#{r:02X}{g:02X}{b:02X}" for r, g, b, _ in rgba[0]] == list(CLASS_COLOURS)
    assert (rgba[..., 3] <= 0.08 * 255).all()
    assert (rgba[..., 3] >= 18).all()
    assert shading_rgba(np.full((1, 1, 3), 1 / 3, np.float32))[0, 0, 3] == 0


def test_density_is_said_and_drawn_where_a_panel_has_one(panel: Panel) -> None:
    plain = spec(panel)
    depth = np.zeros((4, 4, 3), np.float32)
    depth[0, 3] = [0, 0.5, 0]
    dense = spec(dataclasses.replace(panel, density=depth))
    (before,), (after,) = (figure["layout"]["images"] for figure in (plain, dense))
    assert before["source"] != after["source"]
    assert spec(dataclasses.replace(panel, density=depth), marks=Marks(shading=False))["layout"]["images"]
    assert any("drawn + density" in note["text"] for note in dense["layout"]["annotations"])
    assert not any("density" in note["text"] for note in plain["layout"]["annotations"])
    rgba = density_rgba(depth)
    assert rgba[0, 3].tolist() == [0xD5, 0x5E, 0x00, round(255 * DENSITY_ALPHA * 0.5)]
    assert (rgba[1:, :, 3] == 0).all()


def test_shading_picture_is_the_right_way_up(panel: Panel) -> None:
    image = spec(panel)["layout"]["images"][0]
    x0, x1, y0, y1 = panel.limits
    assert [image["x"], image["y"], image["sizex"], image["sizey"]] == pytest.approx(
        [x0, y1, x1 - x0, y1 - y0]
    )
    picture = Image.open(io.BytesIO(base64.b64decode(image["source"].split(",")[1])))
    top_row = np.asarray(picture)[0]
    np.testing.assert_array_equal(top_row, shading_rgba(panel.shading)[-1])


def test_png_is_read_back_by_another_decoder() -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (5, 7, 4)).astype(np.uint8)
    data = png(rgba)
    assert struct.unpack(">II", data[16:24]) == (7, 5)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), rgba)


def test_dark_page_takes_its_own_inks(panel: Panel) -> None:
    light, dark = spec(panel), spec(panel, dark=True)
    assert light["layout"]["font"]["color"] == LIGHT.note == "#5b6472"
    assert dark["layout"]["font"]["color"] == DARK.note
    assert [t["marker"]["color"] for t in examples(light)] == [t["marker"]["color"] for t in examples(dark)]


def contrast(a: str, b: str) -> float:
    """WCAG 2 contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ink", [LIGHT, DARK])
def test_words_and_marks_stand_out(ink: Any) -> None:
    assert contrast(ink.note, ink.page) >= 4.5
    assert contrast(ink.text, ink.page) >= 12
    assert all(contrast(colour, ink.page) >= 3 for colour in CLASS_COLOURS)


def test_many_points_use_webgl(panel: Panel) -> None:
    many = {
        name: np.tile(getattr(panel, name), (60, 1) if name == "xy" else 60)
        for name in ("xy", "labels", "predictions", "confidences", "kinds", "indices", "rows")
    }
    kinds = {trace["type"] for trace in examples(spec(dataclasses.replace(panel, **many)))}
    assert kinds == {"scattergl"}
    assert {trace["type"] for trace in examples(spec(panel))} == {"scatter"}


def test_cells_fill_the_figure_without_overlap() -> None:
    grid = cells(4, 2, 700, head=30)
    assert grid[0].top == 1
    assert grid[2].bottom == pytest.approx(0, abs=1e-4)
    assert (grid[0].bottom - grid[2].top) * (700 - 30 - FOOT_PX) == pytest.approx(30 + FOOT_PX, abs=0.1)
    assert grid[0].right < grid[1].left
    assert [(cell.x, cell.y) for cell in grid][:2] == [("x", "y"), ("x2", "y2")]


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        template_figure([])


def test_runs_are_named_by_what_tells_them_apart() -> None:
    assert short_names([0, 0.1], ["a", "b"]) == ["hard", "soft"]
    assert short_names([0.1, 0.2], ["a", "b"]) == ["label smoothing α = 0.1", "label smoothing α = 0.2"]
    assert short_names([0.1, 0.1], ["a", "b"]) == ["a", "b"]
    assert targets_name(None) == "targets unknown"


def test_names_stand_as_they_are_written_and_fit(panel: Panel) -> None:
    names = ("<b>x</b>", *panel.class_names[1:])
    long = f"a-run-{'very-' * 10}long-name"
    odd = dataclasses.replace(panel, classes=("<b>x</b>", *panel.classes[1:]), class_names=names, run=long)
    figure = spec(odd)
    own = next(t for t in examples(figure) if t["name"].startswith("&lt;b&gt;x"))
    assert "label <b>&lt;b&gt;x&lt;/b&gt;</b>" in own["hovertemplate"]
    (head,) = [a["text"] for a in figure["layout"]["annotations"] if "a-run-" in a["text"]]
    assert long not in head
    assert "a-run-very-very-…-very-long-name" in head
    assert elided("as-long-as-it-may-be", 20) == "as-long-as-it-may-be"
    assert len(elided(long, 20)) == 20
