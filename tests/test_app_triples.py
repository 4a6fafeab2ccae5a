"""The page "Triples" and the other views of the grid, through Streamlit's own test client."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from page_client import checked, html
from small_runs import make_adopted, make_run
from streamlit.testing.v1 import AppTest

from penviz.figures import umap_points
from penviz.figures.embeddings import UmapPlan
from penviz.metrics.tightness.finder import find
from penviz.projection.split_statistics import SplitStatistics
from penviz.projection.views import VIEWS
from penviz.store import run_activations
from penviz.store.runs import read_run

APP = Path(__file__).parents[1] / "penviz" / "app" / "main.py"
HARNESS = """
import streamlit as st
from penviz.app.pages.triples import show_triples
from penviz.app.links import draw_links
from penviz.app.pages.clusters import show_grid
grid = st.Page(show_grid, title="penviz", default=True)
page = st.Page(show_triples, title="Triples", url_path="triples")
st.navigation([grid, page], position="hidden")
show_triples()
"""

Start = Callable[..., AppTest]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Start:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PENVIZ_CACHE", str(tmp_path / "cache"))

    def start(triples: bool = False, **parameters: Any) -> AppTest:
        app = AppTest.from_string(HARNESS) if triples else AppTest.from_file(str(APP))
        app.default_timeout = 120
        app.query_params["plain"] = "1"
        for key, value in parameters.items():
            app.query_params[key] = value
        return checked(app.run())

    return start


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def pair(root: Path) -> None:
    make_run(root / "runs", "hard", 0.0)
    make_run(root / "runs", "soft", 0.1)


def links(app: AppTest) -> list[Any]:
    return [link.proto for link in app.get("page_link")]


def test_page_ranks_all_triples_and_links_to_ten(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    app = start(triples=True)
    assert "of 120 triples" in html(app)
    assert "ranks" in html(app)
    (chart,) = charts(app)
    names = [trace.get("name") for trace in chart["data"]]
    assert "all 120 triples" in names
    assert "airplane, automobile, bird" in names
    shown = links(app)
    assert len(shown) == 10
    a = run_activations.load(read_run(tmp_path / "runs" / "hard"))["validation"]
    best = find("most-confused", [SplitStatistics.of(a)]).triples[0]
    words = ", ".join(a.class_names[k] for k in best)
    assert shown[0].label == f"1. {words}"
    query = parse_qs(shown[0].query_string)
    wanted = [[f"{a.class_names[k]} ({k})"] for k in best]
    assert [query[key] for key in ("left", "right", "above")] == wanted
    app.radio(key="find").set_value("least-changed")
    again = checked(app.run())
    assert [link.label for link in links(again)] != [link.label for link in shown]
    assert "%" in html(again)


def test_one_run_has_no_changes_to_find(start: Start, tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "hard", 0.0)
    app = start(triples=True)
    assert app.radio(key="find").options == ["most confused", "most alike"]
    assert len(links(app)) == 10
    assert not charts(app)


def test_three_runs_say_which_two_are_compared(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    make_run(tmp_path / "runs", "softer", 0.3)
    app = start(triples=True, runs=["hard", "soft", "softer"])
    assert "3 runs are chosen" in html(app)


def test_a_quick_look_is_one_sentence(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    make_adopted(tmp_path / "runs", "looked", quick_look=["airplane", "bird", "cat"])
    app = start(triples=True, runs=["hard", "looked"])
    assert any("does not hold all its classes" in warning.value for warning in app.warning)


@pytest.mark.parametrize("view", ["pca", "lda", "span"])
def test_views_say_what_they_are_and_drop_what_is_not_theirs(start: Start, tmp_path: Path, view: str) -> None:
    pair(tmp_path)
    plain = start()
    app = start(view=VIEWS[view].label)
    assert app.selectbox(key="view").value == view
    assert "not the paper's projection".replace("'", "&#x27;") in html(app)
    assert "the template plane, whatever is drawn above" in html(app)
    for before, after in zip(charts(plain), charts(app), strict=True):
        texts = [note["text"] for note in after["layout"]["annotations"]]
        assert sum(VIEWS[view].remark in text for text in texts) == 2
        assert not any("ρ/d" in text for text in texts)
        assert not after["layout"]["images"]
        assert not [s for s in after["layout"]["shapes"] if s.get("line", {}).get("dash")]
        assert "label-smoothing optimum" not in {trace["name"] for trace in after["data"]}
        own = [trace for trace in after["data"] if "customdata" in trace]
        assert own[0]["x"]["bdata"] != before["data"][0]["x"]["bdata"]
        assert after["layout"]["xaxis"]["range"] == after["layout"]["xaxis2"]["range"]
    before = charts(app)[0]["data"][0]["x"]["bdata"]
    app.toggle(key="all-classes").set_value(True)
    more = checked(app.run())
    assert charts(more)[0]["data"][0]["x"]["bdata"] != before
    assert "fitted on all classes on train" in html(more)


def test_umap_is_made_only_when_asked_for(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    app = start(view="UMAP")
    assert "has still to be made" in html(app)
    assert "Tightness must not be judged on it" in html(app)
    assert not charts(app)
    assert app.button(key="umap-start")
    assert not (tmp_path / "cache").exists()
    for name in ("hard", "soft"):
        run = run_activations.load(read_run(tmp_path / "runs" / name))
        request = UmapPlan.of(run, (0, 1, 2), False, 0).request
        place = umap_points.cache_directory()
        place.mkdir(parents=True, exist_ok=True)
        np.savez(
            place / f"{request.key}.npz",
            fit_xy=np.random.default_rng(0).normal(size=(len(request.fit), 2)).astype(np.float32),
            more_xy=np.random.default_rng(1).normal(size=(len(request.more), 2)).astype(np.float32),
        )
    made = checked(app.run())
    assert len(charts(made)) == 2
    notes = [note["text"] for note in charts(made)[0]["layout"]["annotations"]]
    assert sum("tightness must not be judged here" in text for text in notes) == 2
    assert not any("unit" in text for text in notes)
    assert "no unit, each run on axes of its own" in html(made)


def test_pull_is_drawn_when_asked_for(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    assert not [s for c in charts(start()) for s in c["layout"]["shapes"] if s["type"] == "path"]
    app = start(pull="true")
    for chart in charts(app):
        assert [s for s in chart["layout"]["shapes"] if s["type"] == "path"]
    assert "pull of the loss" in html(app)
