"""The page of sweeps and its alpha slider, through Streamlit's own test client."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from page_client import checked, html, opened_page
from small_runs import make_adopted, make_run
from streamlit.testing.v1 import AppTest

from penviz.app.catalogue import read_catalogue, sweep_directory
from penviz.demo import SWEEP
from penviz.figures.charts.sweep import build, digest
from penviz.store.runs import list_runs, read_run


def page() -> None:
    from penviz.app.page.sweep import show_sweep

    show_sweep()


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    st.cache_resource.clear()
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    return partial(opened_page, page)


def traces(app: AppTest) -> list[dict[str, Any]]:
    (chart,) = [c for c in app.get("plotly_chart") if c.proto.id.endswith("-sweep-chart")]
    return json.loads(chart.proto.spec)["data"]


def values(array: Any) -> list[float]:
    if isinstance(array, dict):
        return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"]).tolist()
    return list(array)


def sweep_in(root: Path, alphas: tuple[float, ...] = (0.0, 0.1, 0.4), seeds: int = 3) -> None:
    for seed in range(seeds):
        for alpha in alphas:
            make_run(root, f"net-{alpha:g}-seed{seed}", alpha, seed=seed, per_class=12)


def test_the_means_on_the_page_are_those_of_the_runs(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    sweep_in(tmp_path)
    app = open_page()
    said = html(app)
    assert "ρ/d on train is" in said
    assert "95 % CI over 3 training seeds per setting" in said
    assert "9 runs of cifar10 (10 classes), seeds 0, 1, 2" in said
    expected = {}
    for alpha in (0.0, 0.1, 0.4):
        runs = [read_run(tmp_path / f"net-{alpha:g}-seed{s}") for s in range(3)]
        expected[alpha] = np.mean([digest(run)["validation"]["rho_d"] for run in runs])
    means = [
        values(t["y"]) for t in traces(app) if t.get("name") == "validation" and len(values(t["y"])) == 3
    ]
    assert any(np.allclose(mean, list(expected.values()), rtol=1e-5) for mean in means)


def test_one_seed_is_one(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    sweep_in(tmp_path, (0.0, 0.1), 1)
    app = open_page()
    assert app.multiselect(key="families").value == ["shipped sweep"], "two runs are no curve"
    assert "6 runs of cifar10 (10 classes), seed 0;" in html(app)
    own = next(name for name in app.multiselect(key="families").options if name != "shipped sweep")
    checked(app.multiselect(key="families").set_value([own]).run())
    assert "2 runs of cifar10 (10 classes), seed 0;" in html(app)


def test_two_alphas_and_three_seeds_conclude(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    sweep_in(tmp_path, (0.0, 0.1))
    assert "Label smoothing (α = 0.1): training clusters are" in html(open_page())


def test_a_number_and_a_split_less(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    sweep_in(tmp_path, seeds=1)
    app = open_page()
    before = len(traces(app))
    checked(app.multiselect(key="numbers").set_value(["accuracy", "nc1"]).run())
    assert len(traces(app)) < before
    assert "<b>NC1</b>" in html(app)
    checked(app.multiselect(key="numbers").set_value([]).run())
    assert not app.get("plotly_chart")
    assert "Choose a metric and a split" in html(app)


def test_another_class_changes_the_plane_and_not_the_rest(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    sweep_in(tmp_path, seeds=1)
    app = open_page()
    checked(app.multiselect(key="numbers").set_value(["rho_d", "accuracy"]).run())

    def shown() -> list[list[float]]:
        return [values(t["y"]) for t in traces(app) if t.get("name") == "validation"]

    before = shown()
    checked(app.selectbox(key="above").set_value(9).run())
    after = shown()
    changed = [not np.allclose(a, b) for a, b in zip(before, after, strict=True)]
    assert any(changed)
    assert not all(changed)


def test_nothing_to_sweep_gives_the_command(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "alone", 0.1)
    make_adopted(tmp_path, "theirs", 0.0)
    app = open_page()
    assert app.multiselect(key="families").value == ["shipped sweep"]
    checked(app.multiselect(key="families").set_value([]).run())
    assert "Choose a network" in html(app)
    assert "penviz sweep digits fc800" in app.code[0].value


def test_an_empty_directory(open_page: Callable[..., AppTest]) -> None:
    assert "No runs here." in html(open_page())


def test_a_damaged_run_is_named_and_the_others_drawn(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    sweep_in(tmp_path, seeds=1)
    (tmp_path / "net-0.4-seed0" / "activations-train.npz").write_bytes(b"PK cut off")
    app = open_page()
    assert "net-0.4-seed0" in "\n".join(w.value for w in app.warning)
    assert traces(app)


def test_numbers_are_read_once(
    open_page: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from penviz.app.page import sweep

    sweep_in(tmp_path, seeds=1)
    read: list[str] = []

    def counted(run: Any, classes: Any) -> Any:
        read.append(run.name)
        return digest(run, classes)

    monkeypatch.setattr(sweep, "digest", counted)
    app = open_page()
    assert len(read) == 3
    checked(app.multiselect(key="numbers").set_value(["nll"]).run())
    assert len(read) == 3
    sweep_in(tmp_path / "more", seeds=1)
    (tmp_path / "more" / "net-0.1-seed0" / "activations-train.npz").replace(
        tmp_path / "net-0.1-seed0" / "activations-train.npz"
    )  # written again: another file
    checked(app.run())
    assert read[3:] == ["net-0.1-seed0"]


def test_what_is_exported_is_what_is_drawn(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    sweep_in(tmp_path)
    runs, _ = list_runs(tmp_path)
    chart = build(runs, numbers=["rho_d"], splits=["train", "validation"], classes=[0, 1, 2])[0]
    app = open_page()
    checked(app.multiselect(key="numbers").set_value(["rho_d"]).run())
    on_page = [values(t["y"]) for t in traces(app) if t.get("name") == "train"]
    mean = next(s for s in chart.series if s.name == "train")
    assert any(np.allclose(y, mean.y) for y in on_page if len(y) == len(mean.y))
    assert any(button.label == "Export" for button in app.button)


def test_a_pair_shows_the_shipped_networks_and_their_slider(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_run(tmp_path, "hard", 0.0)
    make_run(tmp_path, "soft", 0.1)
    app = open_page()
    said = html(app)
    assert "Move α: 6 networks, trained with label smoothing 0 to 0.6" in said
    assert "between two networks only the stars move" in said
    (chart,) = [c for c in app.get("plotly_chart") if c.proto.id.endswith("-slider-chart")]
    spec = json.loads(chart.proto.spec)
    assert [step["label"] for step in spec["layout"]["sliders"][0]["steps"] if "<b>" in step["label"]] == [
        f"<b>{a}</b>" for a in ("0", "0.05", "0.1", "0.2", "0.4", "0.6")
    ]
    assert len(spec["frames"]) == 25
    own = [name for name in app.multiselect(key="families").options if name != "shipped sweep"]
    checked(app.multiselect(key="families").set_value(own).run())
    assert "Move α" not in html(app)


def test_in_a_checkout_the_shipped_sweep_is_named_by_its_place_and_other_pages_leave_it_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints" / "sweep").mkdir(parents=True)  # somebody's own
    monkeypatch.chdir(tmp_path)
    assert sweep_directory() == SWEEP
    monkeypatch.chdir(Path(__file__).parents[2])
    assert sweep_directory() == Path("checkpoints/sweep")
    catalogue = read_catalogue((Path("checkpoints"),), "")
    assert not catalogue.damaged
    assert {run.directory.parent for group in catalogue.groups for run in group.runs} == {Path("checkpoints")}


def test_runs_of_other_classes_see_the_slider_with_its_own(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_run(tmp_path, "hard", 0.0, names=("a", "b", "c", "d"))
    said = html(open_page())
    assert "No two of these runs differ" in said
    assert "airplane" in said
