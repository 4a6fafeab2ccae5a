"""Charts in a page, with their numbers in words for who cannot see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from penviz.app.widgets.page_head import CONFIG
from penviz.app.widgets.page_width import is_narrow
from penviz.plot.chart_look import default_columns
from penviz.plot.chart_screen import chart_figure
from penviz.plot.chart_words import in_words
from penviz.projection.chart import Chart


def show_charts(
    charts: Sequence[Chart],
    key: str,
    *,
    config: Mapping[str, Any] = CONFIG,
    said: str = "",
    columns: int | None = None,
    height: int | None = None,
) -> None:
    """One Plotly figure of some charts; below one another where the page is narrow.

    Args:
        charts, columns, height: as for `chart_figure`; key: of the element, for the style sheet.
        config: Plotly's settings; said: what the words begin with.
    """
    if is_narrow():
        columns, height = 1, height_of_one_column(len(charts), columns, height)
    figure = chart_figure(charts, dark=st.context.theme.type == "dark", columns=columns, height=height)
    words = f"{said} {in_words(charts)}".strip()
    st.plotly_chart(figure, theme=None, key=key, config=dict(config), alt=words)


def height_of_one_column(n: int, columns: int | None, height: int | None) -> int | None:
    """Pixels of n charts below one another, each as tall as in rows of some columns; None stays None."""
    return None if height is None else round(height / -(-n // (columns or default_columns(n)))) * n
