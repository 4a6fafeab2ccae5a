"""The component on a page: registered once, and given what one grid is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st

from penviz.app.component.served_files import FOLDER, PLOTLY, file_url

STUB = """export default async (component) => {
  const module = await import(new URL(component.data.module, document.baseURI).href);
  return module.mount(component);
};
"""
"""All that goes over the websocket: the modules are files of the server, which the browser keeps."""


@cache
def _component() -> Any:
    html, css = ((FOLDER / f"panels.{kind}").read_text(encoding="utf-8") for kind in ("html", "css"))
    return st.components.v2.component("penviz.panels", html=html, css=css, js=STUB, isolate_styles=False)


def linked_panels(
    payload: str, *, marks: Mapping[str, bool], words: Mapping[str, str], head: int, layout: str, config: Any
) -> None:
    """Draw the grid of panels in the browser.

    Args:
        payload: of `payload.payload`; marks: what of it is shown, by the fields of `Marks`.
        words: "legend", HTML of `legend_html` with all marks; "alt", a text alternative; "hint", beside it.
        head: pixels of the window that stand above it; layout: "auto", "strip" or "square"; config: Plotly's.
    """
    data = {
        "module": file_url("panels.js"),
        "plotly": file_url(PLOTLY),
        "payload": payload,
        "marks": json.dumps(dict(marks)),  # for the sake of a mapping Streamlit would import pandas
        "head": head,
        "layout": layout,
        "config": json.dumps(config),
        "selected": st.query_params.get("selected", ""),
        **words,
    }
    _component()(data=data, key="panels", width="stretch", height="content")
