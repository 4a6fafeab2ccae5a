from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_runs import CLASSES, small_activations

from penviz.demo import SWEEP
from penviz.metrics.target_vectors import Targets, optimal_gaps
from penviz.plot.alpha_slider import alpha_slider_figure
from penviz.plot.screen import Marks
from penviz.projection.alpha_slider import build_alpha_slider, places
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError
from penviz.store.run_activations import load
from penviz.store.runs import list_runs

ALPHAS = (0.0, 0.1, 0.4)
TRIPLE = (2, 0, 5)


def networks() -> list[dict[str, Activations]]:
    """Three networks; features shrink with alpha, predictions stay."""
    made = []
    for alpha in ALPHAS:
        splits = {s: small_activations(f"net-{alpha:g}", s, alpha) for s in ("train", "validation")}
        made.append({s: replace(a, features=a.features * (1 - alpha)) for s, a in splits.items()})
    return made


def values(array: object) -> list[float]:
    """What a browser reads: numbers that Plotly packed as bytes."""
    if isinstance(array, dict):
        return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"]).tolist()
    return list(array)  # type: ignore[call-overload]


def test_places_and_the_nearest_network() -> None:
    assert places(ALPHAS, 0.1) == [(0.0, 0), (0.1, 1), (0.2, 1), (0.3, 2), (0.4, 2)]
    assert places((0.0, 0.05, 0.1), 0.025) == [(0.0, 0), (0.025, 0), (0.05, 1), (0.075, 1), (0.1, 2)]
    assert (0.33, 1) in places((0.0, 0.33, 0.7), 0.1)  # a trained one off the steps is kept
    for alpha, network in places(ALPHAS, 0.025):
        assert abs(ALPHAS[network] - alpha) == pytest.approx(min(abs(a - alpha) for a in ALPHAS))


def test_a_star_is_where_the_network_itself_has_the_optimal_gap() -> None:
    """Lift each star into feature space by hand: its logits differ by the gap of its alpha."""
    runs = networks()
    slider = build_alpha_slider(runs, ALPHAS, TRIPLE, step=0.05)
    splits = [panel.split for panel in slider.panels[0]]
    seen = 0
    for stop in slider.stops:
        for split, stars in zip(splits, stop.stars, strict=True):
            if stop.label_smoothing == 0:
                assert stars is None  # hard targets have no optimum
                continue
            panel = next(p for p in slider.panels[stop.network] if p.split == split)
            head = runs[stop.network][split].head
            t = head.templates(True)[list(TRIPLE)]
            # in-plane coordinates of the templates themselves fix the affine frame of the plane
            corners = np.column_stack([panel.templates_xy * panel.unit, np.ones(3)])
            weights = np.column_stack([stars * panel.unit, np.ones(3)]) @ np.linalg.inv(corners)
            points = weights @ t  # [3, D]: features with a last entry that stands for the appended 1
            z = points @ t.T
            expected = optimal_gaps(Targets.of(stop.label_smoothing), len(CLASSES))[0]
            for k in range(3):
                for other in {0, 1, 2} - {k}:
                    assert z[k, k] - z[k, other] == pytest.approx(expected, rel=1e-6)
                    seen += 1
    assert seen == 8 * 2 * 6


def test_points_move_with_networks_and_only_stars_between() -> None:
    slider = build_alpha_slider(networks(), ALPHAS, TRIPLE, step=0.05)
    figure = alpha_slider_figure(slider)
    frames = {frame["name"]: frame["data"] for frame in figure.to_dict()["frames"]}
    assert list(frames) == [f"{stop.label_smoothing:g}" for stop in slider.stops]

    def traces(name: str, star: bool) -> list[tuple[object, ...]]:
        return [
            (t["name"], t["xaxis"], str(values(t["x"])), str(values(t["y"])))
            for t in frames[name]
            if t["name"].startswith("optimum") == star
        ]

    assert traces("0.1", False) == traces("0.15", False) == traces("0.25", False)
    assert traces("0.1", True)[0][2:] != traces("0.15", True)[0][2:]
    assert traces("0.3", False) == traces("0.4", False) != traces("0.1", False)
    limits = {panel.limits for row in slider.panels for panel in row}
    assert len(limits) == 1  # the frame does not move, so that motion is real
    assert {panel.unit for row in slider.panels for panel in row} == {1.0}


def test_splits_stand_below_one_another_where_asked() -> None:
    slider = build_alpha_slider(networks(), ALPHAS, TRIPLE)
    beside, below = (alpha_slider_figure(slider, columns=n).to_dict()["layout"] for n in (None, 1))
    assert beside["yaxis"]["domain"] == beside["yaxis2"]["domain"]
    assert below["yaxis"]["domain"][0] > below["yaxis2"]["domain"][1]
    assert below["xaxis"]["domain"] == below["xaxis2"]["domain"] == [0, 1]

    def side(layout: dict[str, Any]) -> float:
        low, high = layout["yaxis"]["domain"]
        return float((high - low) * (layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]))

    assert side(below) == pytest.approx(side(beside), abs=1)


def test_an_example_keeps_its_id_and_its_trace() -> None:
    slider = build_alpha_slider(networks(), ALPHAS, TRIPLE)
    frames = alpha_slider_figure(slider).to_dict()["frames"]
    shown = []
    for frame in (frames[0], frames[-1]):
        ids: dict[str, tuple[str, float]] = {}
        for trace in frame["data"]:
            if trace["xaxis"] == "x" and trace["name"] in slider.panels[0][0].classes:
                ids |= dict.fromkeys(trace["ids"], (trace["name"], 0.0))
        shown.append(ids)
    assert shown[0] == shown[1]
    assert len(shown[0]) == 90
    kinds = [[t.get("marker", {}).get("symbol") for t in frame["data"]] for frame in frames]
    assert all(k == kinds[0] for k in kinds)  # the browser cannot turn one symbol into another


def test_it_says_when_it_stands_between_networks() -> None:
    slider = build_alpha_slider(networks(), ALPHAS, TRIPLE, step=0.05)
    frames = {f["name"]: f for f in alpha_slider_figure(slider).to_dict()["frames"]}
    words = {name: " ".join(a["text"] for a in f["layout"]["annotations"]) for name, f in frames.items()}
    assert "stars at α = 0.15; points of the nearest network, α = 0.1" in words["0.15"]
    assert "nearest network" not in words["0.1"]
    assert "hard targets" in words["0"]


def test_marks_are_those_asked_for() -> None:
    slider = build_alpha_slider(networks(), ALPHAS, TRIPLE)
    plain = alpha_slider_figure(
        slider, marks=Marks(means=False, optimum=False, boundaries=False, errors=False)
    )
    names = {t["name"] for t in plain.to_dict()["data"]}
    assert names == set(slider.panels[0][0].classes)
    assert sum(len(values(t["x"])) for t in plain.to_dict()["data"] if t["xaxis"] == "x") == 90


def test_what_is_no_slider_is_refused() -> None:
    runs = networks()
    with pytest.raises(ActivationsError, match="two or more networks"):
        build_alpha_slider(runs[:1], (0.0,), TRIPLE)
    with pytest.raises(ActivationsError, match="more smoothing than the last"):
        build_alpha_slider(runs[:2], (0.1, 0.0), TRIPLE)
    other = {s: replace(a, indices=a.indices + 1) for s, a in runs[1].items()}
    with pytest.raises(ActivationsError, match="the same examples"):
        build_alpha_slider([runs[0], other], (0.0, 0.1), TRIPLE)


def test_the_shipped_networks() -> None:
    runs, damaged = list_runs(SWEEP)
    assert not damaged
    assert sorted(run.config.label_smoothing for run in runs) == [0, 0.05, 0.1, 0.2, 0.4, 0.6]
    assert sum(f.stat().st_size for f in SWEEP.rglob("*") if f.is_file()) < 8e6
    assert {run.config.seed for run in runs} == {0}
    for run in runs:
        assert set(runs[0].config.differences(run.config)) <= {"label_smoothing", "targets"}
        assert len(run.model_sha256) == 64
        assert "/" not in run.record["command"].split("--out")[0]
        for a in load(run).values():
            assert np.bincount(a.labels).tolist() == [100] * 10
            assert a.checkpoint_sha256 == run.model_sha256
            assert (a.logits().argmax(axis=1) == a.predictions).mean() > 0.99  # half precision moves few
