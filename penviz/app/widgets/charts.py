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
    charts: Sequence[Chart], key: str, *, config: Mapping[str, Any] = CONFIG, said: str = "", **look: Any
) -> None:
    """One Plotly figure of some charts; below one another where the page is narrow.

    Args:
        charts, look: as for `chart_figure`; key: of the element, for the style sheet.
        config: Plotly's settings; said: what the words begin with.
    """
    if is_narrow():
        look = below_one_another(look, len(charts))
    figure = chart_figure(charts, dark=st.context.theme.type == "dark", **look)
    words = f"{said} {in_words(charts)}".strip()
    st.plotly_chart(figure, theme=None, key=key, config=dict(config), alt=words)


def below_one_another(look: Mapping[str, Any], n: int) -> dict[str, Any]:
    """The look of n charts in one column, each as tall as in their rows."""
    columns, height = look.get("columns") or default_columns(n), look.get("height")
    tall = None if height is None else round(height / -(-n // columns)) * n
    return {**look, "columns": 1, "height": tall}
