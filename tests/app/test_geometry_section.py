"""The geometry of all classes where it reaches the user: on the page, in text and in JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from small_runs import make_adopted, make_run
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from penviz.cli.main import application
from penviz.metrics.numbers import BY_KEY
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.runs import activations_path
from penviz.study.geometry import KEYS, measure_geometry

APP = Path(__file__).parents[2] / "penviz" / "app" / "main.py"
MANY = [f"class {k}" for k in range(20)]


def unfolded(monkeypatch: pytest.MonkeyPatch, runs: Path, **open_: bool) -> str:
    """The section's HTML, "" while it is folded."""
    monkeypatch.setenv("PENVIZ_RUNS", str(runs))
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key, value in open_.items():
        app.session_state[key] = value
    app.run()
    assert not app.exception
    bodies = [e.proto.body for e in app.get("html")]
    return next((body for body in bodies if BY_KEY["nc4"].label in body), "")


def measured(*arguments: object) -> str:
    ended = CliRunner().invoke(application(), ["measure", *map(str, arguments)])
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_the_section_is_folded_and_then_shows_every_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_run(tmp_path, "hard")
    make_run(tmp_path, "soft", 0.1)
    assert unfolded(monkeypatch, tmp_path) == ""
    shown = unfolded(monkeypatch, tmp_path, geometry=True)
    for key in KEYS:
        assert f"<td>{BY_KEY[key].label}<small>" in shown, key
    assert "unattainable" not in shown
    assert "inverse truncated at rank 9" in shown


def test_too_few_dimensions_are_said_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """16 dimensions, 20 classes."""
    directory = make_run(tmp_path, "hard", names=MANY, dataset="made")
    sentence = "A regular simplex of 20 classes needs 19 dimensions and features have 16"
    assert sentence in unfolded(monkeypatch, tmp_path, geometry=True)
    assert sentence in measured(directory)
    record = json.loads(measured(directory, "--json"))["geometry"]
    assert record["remark"].startswith(sentence)
    assert record["numbers"]["means_etf"]["note"] == "0 is out of reach"


def test_json_holds_the_numbers_and_text_says_each_once(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, "hard"), make_run(tmp_path, "soft", 0.1)]
    record = json.loads(measured(*runs, "--json"))["geometry"]
    assert tuple(record["numbers"]) == KEYS
    for run in runs:
        splits = {s: Activations.load(activations_path(run, s)) for s in ("train", "validation")}
        found = measure_geometry({s: SplitStatistics.of(a) for s, a in splits.items()})
        for split, geometry in found.items():
            for key, value in geometry.values.items():
                assert record["numbers"][key]["values"][run.name][split] == pytest.approx(value)
    assert record["numbers"]["feature_norm"]["scale_free"] is False
    assert record["numbers"]["margin"]["changes"]["train"]["low"] is not None
    assert record["numbers"]["nc3"]["changes"]["train"]["low"] is None
    lines = measured(*runs).splitlines()
    for key in KEYS:
        label = re.escape(BY_KEY[key].label)
        assert sum(bool(re.match(rf"{label}(  | \()", line)) for line in lines) == 1, key


def test_a_quick_look_needs_the_full_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_adopted(tmp_path, "theirs", quick_look=("bird", "cat", "deer"))
    shown = unfolded(monkeypatch, tmp_path, geometry=True)
    row = shown.split(BY_KEY["nc4"].label)[1].split("</tr>")[0]
    assert row.count("needs the full pass") == 2
