"""All triples under the grid, and the other views of it, through Streamlit's own test client."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_client import charts, checked, html, opened
from small_runs import make_adopted, make_run
from streamlit.testing.v1 import AppTest

from penviz.figures import umap_points
from penviz.figures.embeddings import UmapPlan
from penviz.metrics.tightness.finder import find
from penviz.projection.split_statistics import SplitStatistics
from penviz.projection.views import VIEWS
from penviz.store import run_activations
from penviz.store.runs import read_run

Start = Callable[..., AppTest]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Start:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PENVIZ_CACHE", str(tmp_path / "cache"))

    def start(**parameters: Any) -> AppTest:
        return opened(**parameters)

    return start


def pair(root: Path) -> None:
    make_run(root / "runs", "hard", 0.0)
    make_run(root / "runs", "soft", 0.1)


def unfolded(app: AppTest) -> AppTest:
    """With the scatter and the matrix, which are drawn when they are asked for."""
    app.session_state["triple-charts"] = True
    return checked(app.run())


def tiles(app: AppTest) -> list[str]:
    """The names on the wall, the current triple first."""
    return [b.label for b in app.button if b.key and re.fullmatch(r"show-triple-\d+", b.key)]


def test_a_wall_of_triples_and_a_click_shows_one(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    app = start(find="most confused", split="validation")
    assert "of 120 triples" in html(app)
    assert "ranks" in html(app)
    (chart,) = charts(app, "triples-chart")
    names = [trace.get("name") for trace in chart["data"]]
    assert "all 120 triples" in names
    assert "airplane, automobile, bird" in names
    a = run_activations.load(read_run(tmp_path / "runs" / "hard"))["validation"]
    best = find("most-confused", [SplitStatistics.of(a)]).triples[0]
    shown = tiles(app)
    assert len(shown) == 8
    assert shown[:2] == ["airplane, automobile, bird", ", ".join(a.class_names[k] for k in best)]
    app.button_group(key="find").set_value("least-changed")
    assert tiles(checked(app.run()))[1:] != shown[1:]
    app.button_group(key="find").set_value("most-confused")
    checked(app.run()).button(key="show-triple-1").click()
    checked(app.run())
    assert [app.selectbox(key=key).value for key in ("left", "right", "above")] == best.tolist()
    assert tiles(app)[0] == shown[1]


def test_the_matrix_holds_the_median_of_the_triples_of_two_classes(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    (chart,) = charts(unfolded(start()), "class-matrix")
    z = chart["data"][0]["z"]
    matrix = np.frombuffer(base64.b64decode(z["bdata"]), z["dtype"]).reshape(10, 10)
    for name, (row, column) in (("hard", (7, 3)), ("soft", (3, 7))):
        a = run_activations.load(read_run(tmp_path / "runs" / name))["train"]
        found = SplitStatistics.of(a)
        with_both = [
            value
            for triple, value in zip(found.triples.triples.tolist(), found.rho_d[True], strict=True)
            if {3, 7} <= set(triple)
        ]
        assert len(with_both) == 8
        assert matrix[row, column] == pytest.approx(np.median(with_both), rel=1e-6)
    assert np.isnan(np.diag(matrix)).all()


def test_one_run_has_no_changes_to_find(start: Start, tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "hard", 0.0)
    app = start()
    assert app.button_group(key="find").options == ["most confused", "most alike"]
    assert len(tiles(app)) == 8
    assert not charts(app, "triples-chart")


def test_the_first_page_opens_without_the_charts_of_all_triples(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    app = start()
    assert len(tiles(app)) == 8
    assert not charts(app, "triples-chart")
    assert not charts(app, "class-matrix")


def test_a_link_that_names_the_defaults_opens_the_charts_and_they_stay_open(
    start: Start, tmp_path: Path
) -> None:
    pair(tmp_path)
    app = start(find="most changed", split="train")
    for how in ("most-changed", "most-alike", "most-changed"):
        app.button_group(key="find").set_value(how)
        assert charts(checked(app.run()), "class-matrix"), how


def test_of_three_runs_the_first_and_the_last_are_compared(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    make_run(tmp_path / "runs", "softer", 0.3)
    app = unfolded(start(runs=["hard", "soft", "softer"]))
    assert "triples" in html(app)
    (chart,) = charts(app, "triples-chart")
    assert chart["layout"]["yaxis"]["title"]["text"] == "ρ/d, soft"


def test_a_quick_look_is_one_sentence(start: Start, tmp_path: Path) -> None:
    pair(tmp_path)
    make_adopted(tmp_path / "runs", "looked", quick_look=["airplane", "bird", "cat"])
    app = start(runs=["hard", "looked"])
    assert "does not hold all its classes" in html(app)


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
    assert "Compute UMAP" in html(app)
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
    assert "loss gradient" in html(app)
