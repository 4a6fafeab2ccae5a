"""Values that no control can have, from an old tab or a proxy: back to the default, with a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_client import checked
from small_runs import make_filmed
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from penviz.app.widget_states import RESET

PAGES = {
    "calibration": "show_calibration",
    "clusters": "show_clusters",
    "distillation": "show_distillation",
    "sweep": "show_sweep",
    "training_dynamics": "show_training",
    "your_model": "show_model",
}
WRONG: dict[str, object] = {
    "string_value": "nonsense",
    "int_value": 7,
    "string_array_value": ["nonsense"],
    "double_array_value": [1e300],
    "json_value": '{"a": 1}',
}
SCRIPT = """
from penviz.app.page.{0} import {1}
from penviz.app.widget_states import mend_widget_states, say_reset
mend_widget_states()
{1}()
say_reset()
"""


def sent(app: AppTest, kind: str, only_of: bool) -> tuple[WidgetStates, int]:
    """The states of all controls with nonsense of one kind in those of that kind, or in all the others."""
    states = WidgetStates()
    states.CopyFrom(
        app.get_widget_states() if hasattr(app, "get_widget_states") else app._tree.get_widget_states()
    )
    changed = 0
    for widget in states.widgets:
        held = widget.WhichOneof("value")
        if held is None or (held == kind) != only_of:
            continue
        changed += 1
        widget.ClearField(held)
        value = WRONG[kind]
        if isinstance(value, list):
            getattr(widget, kind).data.extend(value)
        else:
            setattr(widget, kind, value)
    return states, changed


@pytest.mark.parametrize("page", PAGES)
def test_what_no_control_can_hold_goes_back_to_the_default(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_filmed(tmp_path, "hard")
    make_filmed(tmp_path, "soft", 0.1)
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    app = checked(AppTest.from_string(SCRIPT.format(page, PAGES[page]), default_timeout=60).run())
    assert not app.toast
    for kind in WRONG:
        for only_of in (False, True):
            states, changed = sent(app, kind, only_of)
            if changed:
                checked(app._run(states))
                if not only_of and kind != "json_value":
                    assert [toast.value for toast in app.toast] == [RESET]


def test_a_field_of_whole_numbers_takes_the_integer_that_a_browser_sends() -> None:
    """Streamlit registers such a field for doubles; its own test client sends doubles, a browser does not."""
    script = """
import streamlit as st
from penviz.app.widget_states import mend_widget_states, say_reset
mend_widget_states()
st.number_input("Seed", 0, 9, 0)
say_reset()
"""
    app = checked(AppTest.from_string(script).run())
    states = WidgetStates()
    states.widgets.add(id=app.number_input[0].proto.id, int_value=3)
    checked(app._run(states))
    assert app.number_input[0].value == 3
    assert not app.toast
