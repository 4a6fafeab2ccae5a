"""The head of every page: the finding in one sentence, its numbers, and beside it the two ways out."""

from __future__ import annotations

from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from penviz.app.words import minus_signs

CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "toImageButtonOptions": {"format": "svg", "filename": "penviz"},
    "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d", "select2d", "lasso2d"],
}
"""Plotly's settings of every chart."""
STILL = CONFIG | {"displayModeBar": False}
"""Of a chart without Plotly's own tools."""


def head_html(headline: str, detail: str = "") -> str:
    """A headline with the sentences under it, as HTML."""
    said = f'<p class="pz-detail">{escape(minus_signs(detail))}</p>' if detail else ""
    return f'<h1 class="pz-finding">{escape(headline)}</h1>{said}'


def open_head() -> DeltaGenerator:
    """The place of the head, for a page that draws before it knows what to say."""
    return st.container(horizontal=True, key="header", vertical_alignment="top", gap="medium")


def page_head(
    headline: str, detail: str = "", place: DeltaGenerator | None = None, facts: str = ""
) -> DeltaGenerator:
    """Write the head.

    Args:
        headline: one sentence; detail: its numbers; place: of `open_head`, here when not given; facts: HTML
            in place of the numbers.

    Returns:
        The container of Share and Export.
    """
    with place or open_head():
        st.html(head_html(headline, detail) + facts)
        return st.container(key="ways-out", width="content", gap="xsmall")
