"""The pages side by side: their order, and runs of which a page has little or nothing to draw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from page_client import headline, html, opened
from small_runs import make_adopted, make_filmed, make_run
from streamlit.testing.v1 import AppTest

ORDER = ["Clusters", "Training dynamics", "Sweep", "Calibration", "Distillation", "Your model"]
OF_RUNS = {
    "calibration": "calibration", "distillation": "distillation", "training_dynamics": "training",
    "sweep": "sweep",
}  # fmt: skip
"""Module of a page -> what its function shows."""
OF_TRIPLES = ("training_dynamics", "sweep")

Open = Callable[[str], AppTest]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Open:
    st.cache_resource.clear()
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))

    def start(name: str) -> AppTest:
        app = AppTest.from_string(
            "import streamlit as st\n"
            "from penviz.app.page.clusters import show_clusters\n"
            f"from penviz.app.page.{name} import show_{OF_RUNS[name]}\n"
            "st.navigation([st.Page(show_clusters, default=True)], position='hidden')\n"
            f"show_{OF_RUNS[name]}()\n",
            default_timeout=60,
        ).run()
        assert not app.exception, app.exception[0].value
        return app

    return start


def test_pages_stand_in_the_order_of_thought(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    links = [element.proto.label for element in opened().get("page_link")]
    assert links == ["Your model", *ORDER], "once more for phones, where the others are in a drawer"


@pytest.mark.parametrize("name", OF_RUNS)
def test_two_classes_are_drawn_or_one_sentence(open_page: Open, tmp_path: Path, name: str) -> None:
    make_run(tmp_path, "hard", 0.0, names=("cat", "dog"))
    make_run(tmp_path, "soft", 0.1, names=("cat", "dog"))
    app = open_page(name)
    assert not app.warning
    assert ("three classes" in headline(app)) == (name in OF_TRIPLES)


@pytest.mark.parametrize("name", OF_RUNS)
def test_a_run_without_a_head_and_a_quick_look(open_page: Open, tmp_path: Path, name: str) -> None:
    make_adopted(tmp_path, "headless", head=False)
    make_adopted(tmp_path, "quick", quick_look=("cat", "dog", "bird"))
    assert headline(open_page(name))


@pytest.mark.parametrize("name", OF_RUNS)
def test_one_run_and_four(open_page: Open, tmp_path: Path, name: str) -> None:
    make_filmed(tmp_path, "hard")
    assert headline(open_page(name))
    for number, alpha in enumerate((0.1, 0.1, 0.2)):
        make_filmed(tmp_path, f"soft-{number}", alpha)
    app = open_page(name)
    if app.get("button_group"):
        app.session_state["runs"] = ["hard", "soft-0", "soft-1", "soft-2"]
    assert headline(app.run())
    assert not app.exception
    assert "Traceback" not in html(app)
