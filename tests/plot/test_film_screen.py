"""A film as one figure: what is sent, and that every frame is the picture of its epoch."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from penviz.metrics.target_vectors import Targets
from penviz.plot.chart_screen import chart_figure
from penviz.plot.screen import Marks
from penviz.plot.snapshot_animation import HOLLOW, SIDE_PX, WIDTH_PX, common_epochs, film_figure
from penviz.plot.theme import CLASS_SHAPES
from penviz.projection.panel import CORRECT
from penviz.projection.snapshot_animation import Film, build_films
from penviz.study.animation_charts import film_charts
from tests.small_runs import small_snapshots

EPOCHS = (1, 2, 5, 9)


@pytest.fixture(scope="module")
def films() -> list[Film]:
    runs = [
        {s: [small_snapshots(name, s, alpha).at(i) for i in range(4)] for s in ("train", "validation")}
        for name, alpha in (("hard", 0.0), ("soft", 0.1))
    ]
    return build_films(runs, [EPOCHS, EPOCHS], (0, 1, 2), targets=[Targets.of(0.0), Targets.of(0.1)])


def drawn(films: list[Film], **options: Any) -> dict[str, Any]:
    charts = film_charts(films, [[], []][: len(films)], ["hard", "soft"][: len(films)])
    found: dict[str, Any] = json.loads(
        film_figure(films, chart_figure(charts, columns=3), **options).to_json()
    )
    return found


def test_every_frame_is_the_picture_of_its_epoch(films: list[Film]) -> None:
    figure = drawn(films)
    panels = [film.panels[split] for film in films for split in ("train", "validation")]
    assert [f["name"] for f in figure["frames"]] == ["1", "2", "5", "9"]
    for i, frame in enumerate(figure["frames"]):
        traces = [
            figure["data"][n]
            | moved
            | {"marker": figure["data"][n].get("marker", {}) | moved.get("marker", {})}
            for n, moved in zip(frame["traces"], frame["data"], strict=True)
        ]
        for number, own in enumerate(panels):
            axis = f"x{number + 1 if number else ''}"
            points = [t for t in traces if t["xaxis"] == axis and "ids" in t]
            assert len(points) == 3
            for k, trace in enumerate(points):
                chosen = own[i].labels == k
                np.testing.assert_allclose(trace["x"], own[i].xy[chosen, 0], atol=6e-5)
                np.testing.assert_allclose(trace["y"], own[i].xy[chosen, 1], atol=6e-5)
                assert trace["ids"] == [str(n) for n in own[i].indices[chosen]]
                assert trace["marker"]["symbol"] == CLASS_SHAPES[k], "a frame must not change an outline"
                wrong = trace["marker"]["color"].count(HOLLOW)
                assert wrong == (own[i].kinds[chosen] != CORRECT).sum()
            said = next(t["text"][0] for t in traces if t["xaxis"] == axis and "text" in t["mode"])
            assert f"epoch {EPOCHS[i]} " in said
            assert f"ρ/d {own[i].metrics['rho_d']:.3f}" in said
        lines = [t for t in traces if t["name"] == "epoch shown"]
        assert len(lines) == 6
        assert all(t["x"] == [i] * 2 for t in lines), "as far as the step of the slider"


def test_what_stands_first_is_the_last_epoch_and_a_step_of_the_slider_an_epoch(films: list[Film]) -> None:
    figure = drawn(films)
    last = figure["frames"][-1]
    for number, moved in zip(last["traces"], last["data"], strict=True):
        assert {key: figure["data"][number][key] for key in ("x", "y") if key in moved} == {
            key: moved[key] for key in ("x", "y") if key in moved
        }
    slider = figure["layout"]["sliders"][0]
    assert [step["label"] for step in slider["steps"]] == ["1", "2", "5", "9"]
    assert slider["active"] == 3
    assert [step["args"][0] for step in slider["steps"]] == [["1"], ["2"], ["5"], ["9"]]


def test_stars_lie_over_the_examples_and_stay(films: list[Film]) -> None:
    """Traces are painted in their order: what stands before the examples is hidden by them."""
    figure = drawn(films)
    places = [n for n, trace in enumerate(figure["data"]) if trace.get("name") == "label-smoothing optimum"]
    assert len(places) == 2  # train and validation of the soft run
    for frame in figure["frames"]:
        moved = {n: figure["data"][n] for n in frame["traces"]}
        assert set(places) <= set(moved), "the browser puts below what a frame does not name"
        assert min(places) > max(n for n, trace in moved.items() if "ids" in trace)
        assert max(places) < min(n for n, trace in moved.items() if trace["name"] == "class mean")


def test_curves_stand_below_the_panels_on_axes_of_their_own(films: list[Film]) -> None:
    figure = drawn(films)
    layout = figure["layout"]
    panels = [layout[f"yaxis{n}" if n else "yaxis"]["domain"] for n in ("", 2, 3, 4)]
    curves = [layout[f"yaxis{n}"]["domain"] for n in range(5, 11)]
    assert layout["sliders"][0]["y"] == 1, "over the panels"
    assert all(high <= 1 for _, high in panels)
    assert all(0 < low < high < panels[0][0] for low, high in curves)
    assert [t["name"] for t in figure["data"] if t["xaxis"] == "x5" and t["showlegend"]] == ["hard", "soft"]
    assert layout["legend"]["title"]["text"].startswith("solid: train, dashed: validation")


def test_panels_are_squares_that_fill_their_cells(films: list[Film]) -> None:
    for some in (films, films[:1]):
        layout = drawn(some)["layout"]
        free = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
        for n in range(2 * len(some)):
            left, right = layout[f"xaxis{n + 1 if n else ''}"]["domain"]
            low, high = layout[f"yaxis{n + 1 if n else ''}"]["domain"]
            assert (high - low) * free == pytest.approx((right - left) * (WIDTH_PX - 2 * SIDE_PX), abs=1)


def test_a_narrow_page_has_two_panels_a_row(films: list[Film]) -> None:
    layout = film_figure(films, width=360).to_dict()["layout"]
    free = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    places = [(layout[f"xaxis{n}"]["domain"], layout[f"yaxis{n}"]["domain"]) for n in ("", 2, 3, 4)]
    assert len({x[0] for x, _ in places}) == len({y[0] for _, y in places}) == 2
    for (left, right), (low, high) in places:
        assert (high - low) * free == pytest.approx((right - left) * (360 - 2 * SIDE_PX), abs=1)
    buttons, slider = layout["updatemenus"][0], layout["sliders"][0]
    assert slider["x"] - buttons["x"] == pytest.approx(124 / 360)
    assert slider["x"] + slider["len"] == pytest.approx(1)


def test_curves_are_spaced_as_the_slider(films: list[Film]) -> None:
    """Epoch 3 lies a third of the way from epoch 2 to 5, at step 4/3; a hover says the epoch."""
    history = [{"epoch": epoch, "train_loss": 1 / epoch} for epoch in range(1, 13)]
    charts = film_charts(films, [history, history], ["hard", "soft"])
    figure = film_figure(films, chart_figure(charts, columns=3))
    for trace in figure.data:
        if trace.name == "hard" and trace.xaxis == "x5":
            assert list(trace.x) == [0, 1, 2, 3]
        if trace.name == "hard" and trace.xaxis == "x7":
            np.testing.assert_allclose(trace.x[:9], [0, 1, 4 / 3, 5 / 3, 2, 2.25, 2.5, 2.75, 3], atol=1e-6)
            assert np.isnan(trace.x[9:]).all(), "what no step of the slider shows"
            assert trace.customdata[:3].tolist() == [1, 2, 3]
            assert "%{customdata:" in trace.hovertemplate
    assert figure.layout.xaxis7.tickvals == (0, 1, 2, 3)
    assert figure.layout.xaxis7.ticktext == ("1", "2", "5", "9")


def test_marks_can_be_left_out(films: list[Film]) -> None:
    marks = Marks(means=False, boundaries=False, shading=False, optimum=False, errors=False)
    figure = drawn(films, marks=marks, dark=True)
    assert not figure["layout"]["images"]
    assert all(HOLLOW not in t["marker"]["color"] for t in figure["data"] if "ids" in t)
    assert any(
        HOLLOW in t["marker"]["color"] for f in drawn(films)["frames"] for t in f["data"] if "marker" in t
    )
    assert not {"class mean", "label-smoothing optimum"} & {t["name"] for t in figure["data"]}
    with_marks = {t["name"] for t in drawn(films)["data"]}
    assert {"class mean", "label-smoothing optimum"} <= with_marks


def test_runs_of_other_epochs_show_what_they_have_in_common(films: list[Film]) -> None:
    hard, soft = films
    fewer = Film(
        soft.run,
        soft.label_smoothing,
        (2, 9),
        {split: (p[1], p[3]) for split, p in soft.panels.items()},
        {split: {k: v[[1, 3]] for k, v in n.items()} for split, n in soft.numbers.items()},
    )
    assert common_epochs([hard, fewer]) == [2, 9]
    assert [f["name"] for f in film_figure([hard, fewer]).frames] == ["2", "9"]
    none = Film(soft.run, 0.1, (3, 4), fewer.panels, fewer.numbers)
    with pytest.raises(ValueError, match="no epoch"):
        film_figure([hard, none])


def test_what_lies_outside_is_counted_under_its_panel_at_each_epoch(films: list[Film]) -> None:
    counts = (7, 1, 0, 0)
    some = [
        replace(
            film,
            panels={
                split: tuple(replace(panel, n_outside=n) for panel, n in zip(own, counts, strict=True))
                for split, own in film.panels.items()
            },
        )
        for film in films
    ]
    for n, frame in zip(counts, drawn(some)["frames"], strict=True):
        said = [moved["text"][1] for moved in frame["data"] if len(moved.get("text", ())) == 2]
        assert [words.partition("<br>")[2] for words in said] == 4 * [f"{n} outside" if n else ""]
