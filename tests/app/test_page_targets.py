"""The popover of targets through Streamlit's own test client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_client import checked, html
from streamlit.testing.v1 import AppTest

from penviz.app.widgets.targets_popover import _prior


def page() -> None:
    import streamlit as st

    from penviz.app.widgets.targets_popover import targets_popover

    st.query_params["targets"] = "open"
    targets_popover(10, 0.1)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AppTest:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    return checked(AppTest.from_function(page, default_timeout=60).run())


def set_to(app: AppTest, **values: Any) -> AppTest:
    widgets = {
        w.key: w for kind in ("selectbox", "number_input", "slider", "text_input") for w in app.get(kind)
    }
    for key, value in values.items():
        widgets[key].set_value(value)
    return checked(app.run())


def test_the_three_conventions_in_numbers(app: AppTest) -> None:
    body = html(app)
    assert "the true class has 0.91, every other class has 0.01." in body
    assert "<td>0.9</td><td>0.0111</td><td>1</td><td>4.394</td>" in body
    assert "uniform over all classes with alpha 0.1111" in body
    assert "<td>0.95</td><td>0.05</td><td>1.4</td><td>5.889</td>" in body
    words = app.code[0].value.replace("\\\n", "").split()
    assert words == ["penviz", "train", "DATASET", "NETWORK", "--label-smoothing", "0.1", "--out", "RUN"]


def test_the_pair_is_shown_and_refused(app: AppTest) -> None:
    set_to(app, kind="pair")
    assert "sum to 1.8 and not to 1 for 10 classes" in html(app)
    assert not app.code
    set_to(app, k=2)
    assert "sum to 1." in html(app)


def test_clipping_is_a_distribution_for_ten_classes_only(app: AppTest) -> None:
    set_to(app, kind="clip")
    assert "--targets clip --label-smoothing 0.1" in app.code[0].value
    set_to(app, k=3)
    assert "sum to 0.9222 and not to 1 for 3 classes" in html(app)
    assert not app.code


def test_a_true_class_beyond_the_classes_gives_way(app: AppTest) -> None:
    set_to(app, true=9)
    set_to(app, k=4)
    assert "of 4 classes" in html(app)


def test_a_prior_is_asked_for_and_checked(app: AppTest) -> None:
    set_to(app, kind="prior", k=3)
    set_to(app, prior="2, 1, 1")
    assert "--prior 0.5,0.25,0.25" in app.code[0].value
    assert "the true class has 0.95, every other class has 0.025." in html(app)
    set_to(app, prior="2, x")
    assert "A prior has 3 numbers" in app.warning[0].value


def test_what_is_typed_as_a_prior() -> None:
    assert _prior("1,1", 2) == ((0.5, 0.5), "")
    assert _prior("", 2) == ((2 / 3, 1 / 3), "")
    for text in ("1", "1,-1", "0,0", "1,nan", "1,inf", "1;1", "1,1,1"):
        prior, sentence = _prior(text, 2)
        assert prior == pytest.approx((2 / 3, 1 / 3))
        assert sentence.startswith("A prior has 2 numbers")
