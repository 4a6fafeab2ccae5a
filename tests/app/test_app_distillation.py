"""The page "Distillation" through Streamlit's own test client."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_client import html
from small_runs import SHA, make_adopted, make_run, small_activations
from streamlit.testing.v1 import AppTest
from test_pilots import small_pilot, watched

from penviz.metrics.erased import Erased
from penviz.store.activations import Activations
from penviz.store.pilots import write_pilot
from penviz.store.runs import RUN_FILE, write_json

PAGE = """
import streamlit as st
from penviz.app.links import PAGES
from penviz.app.page.distillation import show_distillation
pages = [st.Page(show_distillation, title="Distillation", default=True)]
st.session_state[PAGES] = {"Clusters": pages[0]}
st.navigation(pages, position="hidden").run()
"""


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], AppTest]:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))

    def start() -> AppTest:
        app = AppTest.from_string(PAGE, default_timeout=60).run()
        assert not app.exception, app.exception[0].value
        return app

    return start


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def test_opens_with_the_question_and_gives_no_verdict(
    open_page: Callable[[], AppTest], tmp_path: Path
) -> None:
    make_run(tmp_path, "hard", 0.0)
    make_run(tmp_path, "soft", 0.1)
    app = open_page()
    shown = html(app)
    assert '<h1 class="pz-finding">Is this a good teacher? Clusters alone cannot tell you.</h1>' in shown
    assert "That is not a student&#x27;s accuracy" in shown
    for number in ("71.49", "68.86", "75.79", "0.91 %", "71.82 %", "Lukasik"):
        assert number in shown
    assert "penviz erasure " in shown  # no network has been asked yet
    command = " ".join(app.code[0].value.replace("\\\n", "").split())
    assert "--pilot --out" in command
    assert f"{tmp_path}/hard {tmp_path}/soft --student" in command
    assert not charts(app)  # nothing was followed over training, and there is no student


def test_no_command_for_teachers_that_it_would_refuse(
    open_page: Callable[[], AppTest], tmp_path: Path
) -> None:
    make_run(tmp_path, "hard", 0.0)
    path = make_run(tmp_path, "soft", 0.1) / RUN_FILE
    record = json.loads(path.read_text())
    write_json(path, record | {"config": record["config"] | {"epochs": 7}})
    app = open_page()
    assert "The teachers differ in epochs: a fair test needs equal ones." in html(app)
    assert not any("--pilot" in block.value for block in app.code)


def test_numbers_are_those_of_the_measures(open_page: Callable[[], AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "hard", 0.0)
    shown = html(open_page())
    a = small_activations("hard", "validation", 0.0)
    assert a.head is not None
    z = np.asarray(a.features, float) @ np.asarray(a.head.weight, float).T + a.head.bias
    for t in (1, 2, 3):
        p = np.exp(z / t) / np.exp(z / t).sum(1, keepdims=True)
        gamma = np.mean([1 - p[i, y] for i, y in enumerate(a.labels)]) * 10 / 9
        assert f">{gamma:.3f}<" in shown
    wrong = [np.delete(row, y).std() for row, y in zip(z, a.labels, strict=True)]
    assert f">{np.mean(wrong):.2f}<" in shown


def test_information_is_shown_for_the_present_weights_only(
    open_page: Callable[[], AppTest], tmp_path: Path
) -> None:
    directory = make_run(tmp_path, "hard", 0.0)
    sha = json.loads((directory / RUN_FILE).read_text())["model_sha256"]
    record: dict[str, Any] = {
        "classes": ["airplane", "dog"],
        "examples": 600,
        "checkpoint_sha256": sha,
        "values": {"mutual_information": 2.345},
    }
    write_json(directory / "erasure.json", record)
    shown = html(open_page())
    assert "<td>2.35</td>" in shown or "<td>2.34</td>" in shown
    assert "z(airplane) − z(dog)" in shown
    assert "at most 6.40; with 5 samples an example about 0.63 when only the class is left" in shown
    write_json(directory / "erasure.json", record | {"samples": 100})
    assert "with 100 samples an example about 0.69" in html(open_page())
    write_json(directory / "erasure.json", record | {"samples": 0})
    assert "penviz erasure " in html(open_page())
    write_json(directory / "erasure.json", record | {"checkpoint_sha256": "f" * 64})
    assert "penviz erasure " in html(open_page())
    (directory / "erasure.json").write_text("[")
    assert "penviz erasure " in html(open_page())


def test_charts_of_a_test_and_of_training(open_page: Callable[[], AppTest], tmp_path: Path) -> None:
    watched(tmp_path, "hard", 0.0, [1.0, 3.0, 2.5])
    watched(tmp_path, "soft", 0.1, [1.0, 2.0, 0.9])
    (tmp_path / "pilot").mkdir()
    write_pilot(small_pilot(tmp_path / "pilot", finished=False))
    app = open_page()
    over_training, students = charts(app)
    assert len({t["name"] for t in students["data"] if t.get("name")}) >= 5
    assert over_training["data"]
    shown = html(app)
    assert "student of the hard teacher, T = 2<small>best T on validation" in shown
    assert "student of the hard teacher, T = 4" not in shown  # neither best nor 1
    assert "The experiment is still running" in shown


def test_each_test_of_students_has_an_export_of_its_own_name(
    open_page: Callable[[], AppTest], tmp_path: Path
) -> None:
    make_run(tmp_path, "hard", 0.0)
    for name in ("first", "second"):
        pilot = small_pilot(make_run(tmp_path, name, 0.0))
        student = next(row for row in pilot.rows if row.role != "teacher")
        make_run(pilot.directory, student.run, 0.0)
        write_pilot(pilot)
    labels = [button.label for button in open_page().button if button.label.startswith("Export students")]
    assert labels == ["Export students of first", "Export students of second"]


def test_damaged_results_are_said(open_page: Callable[[], AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "hard", 0.0)
    (tmp_path / "pilot").mkdir()
    (tmp_path / "pilot" / "pilot.json").write_text("{")
    assert "is not readable: run its command again" in open_page().warning[0].value


def test_activations_alone_have_no_command(open_page: Callable[[], AppTest], tmp_path: Path) -> None:
    make_adopted(tmp_path, "theirs")
    app = open_page()
    assert "Choose networks with hard or smoothed labels" in html(app)
    assert not app.code


def test_student_has_a_link_to_both_planes(open_page: Callable[[], AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "hard", 0.0)
    directory = make_run(tmp_path, "student", 0.0)
    record = json.loads((directory / RUN_FILE).read_text())
    record["config"] |= {
        "targets": "distilled",
        "label_smoothing": None,
        "teacher": "hard",
        "teacher_sha256": json.loads((tmp_path / "hard" / RUN_FILE).read_text())["model_sha256"],
    }
    (directory / RUN_FILE).write_text(json.dumps(record))
    app = open_page()
    assert "Students beside their teachers" in html(app)
    link = app.get("page_link")[-1].proto
    assert link.label == "student learned from hard"
    assert "ask-runs=hard&ask-runs=student" in link.query_string


def test_no_logits_without_a_head() -> None:
    a = small_activations("hard", "train", 0.0)
    headless = Activations(
        **{f: getattr(a, f) for f in ("features", "labels", "predictions", "indices")},
        class_names=a.class_names,
        run="x",
        split="train",
        head=None,
        dataset_id="d",
        checkpoint_sha256=SHA,
    )
    assert Erased.of(headless) is None
    assert Erased.of(a) is not None


def test_networks_of_others_teach_where_their_checkpoint_is_here(
    open_page: Callable[[], AppTest], tmp_path: Path
) -> None:
    paths = [
        make_adopted(tmp_path, name, alpha, model="cifar:resnet20-shortcut") / RUN_FILE
        for name, alpha in (("hard", 0.0), ("soft", 0.1))
    ]
    for path in paths:
        record = json.loads(path.read_text()) | {"image_shape": [32, 32, 3]}
        record["adopted"]["preprocessing"] = {"name": "0..1"}
        record["config"] |= {"dataset": "cifar10-1000"}
        write_json(path, record)
    app = open_page()
    command = " ".join(app.code[0].value.replace("\\\n", "").split())
    assert f"{tmp_path}/hard {tmp_path}/soft --student resnet20 --dataset cifar10 --pilot" in command
    assert "The student may be any network of penviz" in html(app)
