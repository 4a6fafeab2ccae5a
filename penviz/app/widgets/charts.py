"""Charts in a page, with their numbers in words for who cannot see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from penviz.app.widgets.page_head import CONFIG
from penviz.plot.chart_screen import chart_figure
from penviz.plot.chart_words import in_words
from penviz.projection.chart import Chart


def show_charts(
    charts: Sequence[Chart], key: str, *, config: Mapping[str, Any] = CONFIG, said: str = "", **look: Any
) -> None:
    """One Plotly figure of some charts.

    Args:
        charts, look: as for `chart_figure`; key: of the element, for the style sheet.
        config: Plotly's settings; said: what the words begin with.
    """
    figure = chart_figure(charts, dark=st.context.theme.type == "dark", **look)
    words = f"{said} {in_words(charts)}".strip()
    st.plotly_chart(figure, theme=None, key=key, config=dict(config), alt=words)
