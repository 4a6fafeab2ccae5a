"""The page "Training dynamics" through Streamlit's own test client: films, empty states, training here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_client import html
from small_runs import make_filmed, make_run
from streamlit.testing.v1 import AppTest

from penviz.app.widgets.export import chosen_epochs
from penviz.external.sandbox.answer import SandboxError


def page() -> None:
    from penviz.app.page.training_dynamics import show_training

    show_training()


def empty_page() -> None:
    from penviz.app.page.clusters import show_clusters
    from penviz.app.widgets.train_here import choose_trained

    choose_trained()
    show_clusters()


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path / "runs"))
    (tmp_path / "runs").mkdir()

    def start(script: Callable[[], None] = page) -> AppTest:
        app = AppTest.from_function(script, default_timeout=60).run()
        assert not app.exception, app.exception[0].value
        return app

    return start


def test_two_filmed_runs_are_played(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    make_filmed(tmp_path / "runs", "hard")
    make_filmed(tmp_path / "runs", "soft", 0.1)
    app = open_page()
    chart, triples = app.get("plotly_chart")
    figure = json.loads(chart.proto.spec)
    assert "Change from hard targets" in triples.proto.spec
    assert [f["name"] for f in figure["frames"]] == ["1", "2", "5", "9"]
    assert "Between epochs 1 and 9 ρ/d on train goes from" in html(app)
    before = chart.proto.spec
    app.selectbox(key="left").set_value(5).run()
    assert not app.exception
    assert app.get("plotly_chart")[0].proto.spec != before
    app.toggle(key="all-triples-True").set_value(False).run()
    assert len(app.get("plotly_chart")) == 1


def test_runs_without_snapshots_say_how_to_get_them(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_run(tmp_path / "runs", "hard")
    make_run(tmp_path / "runs", "soft", 0.1)
    app = open_page()
    assert "No snapshots of hard and soft." in html(app)
    assert "--snapshots" in app.code[0].value
    assert not app.get("plotly_chart")


def test_one_without_snapshots_is_named_and_the_other_played(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_filmed(tmp_path / "runs", "hard")
    make_run(tmp_path / "runs", "soft", 0.1)
    app = open_page()
    assert len(app.get("plotly_chart")) == 2
    assert "soft has no snapshots and cannot be played." in app.warning[0].value


def test_a_damaged_file_is_a_sentence(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    make_filmed(tmp_path / "runs", "hard")
    (tmp_path / "runs/hard/snapshots-train.npz").write_bytes(b"PK")
    app = open_page()
    assert "hard, train: snapshots-train.npz cannot be read" in app.warning[0].value
    assert len(app.get("plotly_chart")) == 2, "validation is played"


class FakeJob:
    """A job of the sandbox that goes as a test wants."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.done, self.progress = directory, False, {}
        self.answer: Any = None
        self.cancelled = False

    def result(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def cancel(self) -> None:
        self.cancelled = self.done = True

    def wait(self, timeout: float) -> bool:
        return True


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeJob:
    made = FakeJob(tmp_path / "job")
    made.directory.mkdir()
    asked: list[Any] = []

    def start(
        workspace: Any, sandbox: Any, task: str, arguments: dict[str, Any], budget: Any, makes: Any
    ) -> FakeJob:
        asked.append((task, arguments, makes))
        return made

    monkeypatch.setattr("penviz.external.sandbox.workspace.Workspace.start", start)
    made.asked = asked  # type: ignore[attr-defined]
    return made


def start_training(app: AppTest) -> AppTest:
    app.button(key="train-empty").click().run()
    assert not app.exception
    return app


def test_training_here_draws_every_epoch_and_ends_with_two_runs_chosen(
    open_page: Callable[..., AppTest], job: FakeJob
) -> None:
    app = start_training(open_page(empty_page))
    ((task, arguments, makes),) = job.asked  # type: ignore[attr-defined]
    assert (task, arguments["names"]) == ("train digits", ["digits-hard", "digits-soft"])
    assert [path.name for path in makes] == arguments["names"]
    assert arguments["epochs"] == 200, "past the fit unless the visitor asks for less"
    assert "Starting" in app.get("progress")[0].proto.text
    make_filmed(job.directory, "digits-hard")
    job.progress = {"run": 0, "epoch": 9, "epochs": 20, "done": 9, "of": 40, "seconds_left": 12.3}
    app.run()
    assert app.get("progress")[0].proto.value == 22
    assert "hard targets: epoch 9 of 20 · 12 s left" in app.get("progress")[0].proto.text
    assert "after epoch 9" in app.get("plotly_chart")[0].proto.spec
    for place, alpha in zip(makes, (0.0, 0.1), strict=True):
        make_filmed(place.parent, place.name, alpha, per_class=120)  # fewer examples have no interval
    job.done = True
    app.run()
    assert not app.exception
    assert app.session_state["runs"] == ["digits-hard", "digits-soft"]
    assert "training clusters are" in html(app)


def test_cancel_ends_the_job_and_offers_again(open_page: Callable[..., AppTest], job: FakeJob) -> None:
    app = start_training(open_page(empty_page))
    app.button(key="train-cancel").click().run()
    assert job.cancelled
    assert not app.exception
    assert app.button(key="train-empty")
    assert not app.warning


def test_a_training_that_fails_says_why(open_page: Callable[..., AppTest], job: FakeJob) -> None:
    app = start_training(open_page(empty_page))
    job.answer, job.done = (
        SandboxError("memory", "This needs more than the 2 GB of memory that it may use."),
        True,
    )
    app.run()
    assert not app.exception
    assert "more than the 2 GB" in app.warning[0].value
    assert app.button(key="train-empty")


def test_chosen_epochs_hold_both_ends() -> None:
    assert chosen_epochs([1, 2, 3, 5, 8, 12, 17]) == [1, 3, 8, 17]
    assert chosen_epochs([4]) == [4]
    assert chosen_epochs([4, 7]) == [4, 7]
