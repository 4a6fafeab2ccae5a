"""Names and numbers in the words of a page: as they are written, whatever a widget makes of its text."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from page_client import checked, html
from small_runs import make_run
from streamlit.testing.v1 import AppTest

from penviz.app.words import minus_signs, plain, plain_sentence


def page() -> None:
    from penviz.app.page.clusters import show_clusters

    show_clusters()


def opened(monkeypatch: pytest.MonkeyPatch, root: Path) -> AppTest:
    st.cache_resource.clear()
    monkeypatch.setenv("PENVIZ_RUNS", str(root))
    app = AppTest.from_function(page, default_timeout=60)
    app.query_params["plain"] = "1"  # the linked panels hold their legend in the browser
    return checked(app.run())


def test_markdown_in_a_name_is_no_markdown() -> None:
    assert plain("a*b* _c_") == r"a\*b\* \_c\_"
    assert plain("$x$ :red[y]") == r"\$x\$ \:red\[y\]"
    assert plain(":smile:, dogs: 2") == r"\:smile\:, dogs: 2"
    assert plain("maple_tree-1.5: <b>") == "maple_tree-1.5: <b>"


def test_a_command_in_a_sentence_stays_as_it_is() -> None:
    said = plain_sentence("run_ is *stale*. Run `penviz extract run_`.")
    assert said == r"run\_ is \*stale\*. Run `penviz extract run_`."


def test_negative_numbers_have_a_minus_and_names_their_hyphens() -> None:
    assert minus_signs("run-2: 4 % looser [-5, 12 %], -0.1 to 3") == "run-2: 4 % looser [−5, 12 %], −0.1 to 3"


def test_a_damaged_run_is_named_as_it_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_run(tmp_path, "whole")
    (make_run(tmp_path, "my *best* run") / "run.json").write_text("{")
    (warning,) = opened(monkeypatch, tmp_path).warning
    assert warning.value.startswith(r"1 run left out: my \*best\* run")


def test_no_fourth_class_among_three(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_run(tmp_path, "three", names=("x", "y", "z"))
    assert "predicted as a fourth class" not in html(opened(monkeypatch, tmp_path))
    make_run(tmp_path / "more", "four", names=("x", "y", "z", "w"))
    assert "predicted as a fourth class" in html(opened(monkeypatch, tmp_path / "more"))
