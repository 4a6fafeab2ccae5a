"""The page "Calibration" in every state, through Streamlit's own test client: never a traceback."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_client import checked, headline, html, opened_page
from small_runs import make_adopted, make_run
from streamlit.testing.v1 import AppTest

from penviz.cli import main
from penviz.figures import charts
from penviz.metrics.calibration.calibrated import SCALED, Calibrated
from penviz.metrics.numbers import CALIBRATION, TABLES
from penviz.metrics.wording import three
from penviz.store.activations import Activations
from penviz.store.run_activations import load
from penviz.store.runs import activations_path, read_run


def script() -> None:
    from penviz.app.page.calibration import show_calibration

    show_calibration()


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    return partial(opened_page, script)


def figures(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def tables(app: AppTest) -> list[str]:
    return [e.proto.body for e in app.get("html") if "<table" in e.proto.body]


def unfolded(app: AppTest) -> AppTest:
    """The page with all its numbers."""
    app.session_state["all-calibration-numbers"] = True
    return checked(app.run())


def names(figure: dict[str, Any]) -> str:
    """The legend, and the names that stand in the charts."""
    legend = [trace["name"] for trace in figure["data"] if trace.get("showlegend")]
    return "; ".join([*legend, *(note["text"] for note in figure["layout"]["annotations"])])


def test_a_pair_has_finding_diagrams_curves_and_numbers(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    directories = [make_run(tmp_path, "hard"), make_run(tmp_path, "soft", 0.1)]
    app = open_page()
    assert "ECE before temperature scaling" in headline(app)
    diagrams, curves, forest = figures(app)
    runs = [read_run(d) for d in directories]
    for figure, name in (
        (diagrams, "reliability"),
        (curves, "risk-coverage"),
        (forest, "calibration"),
    ):
        built = charts.build(name, runs, {})
        wanted = {s.name for c in built for s in c.series} | {li.words for c in built for li in c.lines}
        assert [word for word in wanted if word not in names(figure)] == []
        for trace in figure["data"]:
            series = next((s for c in built for s in c.series if s.name == trace["name"]), None)
            if series is not None and "x" in trace and name == "risk-coverage":
                assert len(series.x) == len(np.frombuffer(base64.b64decode(trace["y"]["bdata"]), np.float32))
    body = html(app)
    found = [Calibrated.of(load(run)["validation"]) for run in runs]
    for c in found:
        assert three(c.temperature.value) in body
        assert three(c.value("ece", SCALED)) in body
    assert "Platt" not in tables(app)[0]
    assert len(tables(app)) == 1
    short, every = tables(unfolded(app))
    assert every.count("<tr>") > 2 * short.count("<tr>")
    for number in TABLES[CALIBRATION]:
        assert number.label in every.replace("&amp;", "&")


def test_the_table_says_what_the_command_says(
    open_page: Callable[..., AppTest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    directories = [make_run(tmp_path, "hard"), make_run(tmp_path, "soft", 0.1)]
    app = unfolded(open_page(half="5"))
    monkeypatch.setattr("sys.argv", ["penviz", "calibrate", *map(str, directories), "--seed", "5"])
    with pytest.raises(SystemExit):
        main.main()
    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == headline(app).replace("&#x27;", "'") + "."
    table = tables(app)[-1]
    values = {word.replace("-", "−") for word in re.findall(r"(?<= )-?\d[\d.]*(?= \[|$| )", printed, re.M)}
    cells = set(re.findall(r"<td>([+−\d.]+)", table))
    lines = [line for line in printed.splitlines()[3:] if line.strip()]
    assert len(cells) > 30
    assert any(cell.startswith("+") for cell in cells), "a difference has its sign"
    assert cells <= values | {word.replace("-", "−") for line in lines for word in line.split()}


@pytest.mark.parametrize("n", [1, 4])
def test_one_run_and_four(open_page: Callable[..., AppTest], tmp_path: Path, n: int) -> None:
    made = [make_run(tmp_path, f"run{i}", 0.1 * (i % 2), seed=i).name for i in range(n)]
    app = open_page(runs=made)
    diagrams = figures(app)[0]
    assert sum(f"xaxis{k or ''}" in diagrams["layout"] for k in ("", *range(2, 9))) == 2
    assert names(diagrams).count(": ECE ") == 2 * n
    assert "difference [95 %]" not in html(app)


def test_a_control_changes_what_is_drawn(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "hard")
    make_run(tmp_path, "soft", 0.1)
    app = open_page()
    before = names(figures(app)[0])
    (seed,) = [box for box in app.number_input if box.key == "half"]
    checked(seed.set_value(7).run())
    after = names(figures(app)[0])
    assert after != before
    assert "with seed 7" in html(app)
    app = open_page(scaled="false")
    assert ", T = " not in names(figures(app)[0])
    app = open_page(scores=["max-logit"])
    assert names(figures(app)[1]).count("AURC") == 2


def test_without_scores_there_are_no_curves_of_risk(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_run(tmp_path, "hard")
    app = open_page()
    (pills,) = [group for group in app.get("button_group") if group.key == "scores"]
    checked(pills.set_value([]).run())
    assert [names(figure).count("AURC 0") for figure in figures(app)] == [0, 0]


def test_runs_without_head_and_quick_looks_are_a_sentence(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_adopted(tmp_path, "headless", head=False)
    make_adopted(tmp_path, "looked", quick_look=("cat", "dog", "ship"))
    app = open_page(runs=["headless", "looked"])
    assert headline(app) == "No calibration can be measured here."
    said = app.warning[0].value
    assert "headless has no single linear head" in said
    assert "looked is a quick look" in said
    make_run(tmp_path, "whole")
    app = open_page(runs=["headless", "looked", "whole"])
    assert "whole" in headline(app)
    assert "headless has no single linear head" in app.warning[0].value


def test_a_run_without_validation_examples(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "bare", splits=("train",))
    assert "bare has no validation activations" in open_page().warning[0].value


def test_no_runs_and_none_chosen(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    assert headline(open_page()) == "No runs here."
    make_run(tmp_path, "hard")
    app = open_page()
    (pills,) = [group for group in app.get("button_group") if group.key == "runs"]
    checked(pills.set_value([]).run())
    assert headline(app) == "Choose a run."


def test_too_many_runs_are_a_sentence(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    made = [make_run(tmp_path, f"run{i:02}", per_class=4).name for i in range(13)]
    app = open_page(runs=made)
    assert "choose at most 12" in app.warning[0].value


def test_a_network_without_a_head_shows_its_own_logits(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_adopted(tmp_path, "without", 0.1, head=False)
    assert "No calibration can be measured here" in headline(open_page())
    with_head = make_adopted(tmp_path / "other", "with", 0.1)
    path = activations_path(tmp_path / "without", "validation")
    z = Activations.load(activations_path(with_head, "validation")).logits()
    replace(Activations.load(path), own_logits=z.astype(np.float32)).save(path)
    expected = Calibrated.of(load(read_run(with_head))["validation"], 0).value("ece", "plain")
    app = unfolded(open_page())
    assert three(expected) in "".join(tables(app))
