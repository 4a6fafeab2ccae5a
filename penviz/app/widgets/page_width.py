"""Whether the page is as narrow as a phone or a zoomed window leaves it: only the browser knows."""

from __future__ import annotations

from functools import cache
from typing import Any

import streamlit as st

NARROW_PX = 360
"""Width for which figures are drawn on a narrow page."""

WATCH = """export default ({ data, parentElement, setStateValue }) => {
  const main = document.querySelector('[data-testid=stMain]');
  let told = data.narrow;
  parentElement.watch?.disconnect();
  parentElement.watch = new ResizeObserver(() => {
    const narrow = main.clientWidth < data.least;
    if (narrow !== told) setStateValue('narrow', told = narrow);
  });
  parentElement.watch.observe(main);
  return () => parentElement.watch.disconnect();
};
"""

LEAST_PX = 780
"""Width of the page, beside the sidebar, in which charts stand side by side."""


@cache
def _component() -> Any:
    return st.components.v2.component("penviz.width", js=WATCH)


def watch_width() -> None:
    """Let the browser say when the page becomes narrow, and when no longer; a wide page sends nothing."""
    data = {"narrow": is_narrow(), "least": LEAST_PX}
    told = _component()(data=data, key="page-width", on_narrow_change=lambda: None)
    st.session_state["narrow"] = told.get("narrow") is True


def is_narrow() -> bool:
    """Whether charts stand below one another, as on a phone."""
    return bool(st.session_state.get("narrow", False))
