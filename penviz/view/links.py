"""Links between the pages, which keep what the grid showed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

_QUERY = "grid-query"


def draw_links(grid: Page, model: Page) -> None:
    """The name of the house and its pages, at the head of the sidebar."""
    with st.sidebar:
        st.html('<div class="pz-brand">penviz</div>')
        with st.container(key="pages", gap=None):
            st.page_link(grid, label="Template plane", query_params=grid_query())
            st.page_link(model, label="Your model")


def remember_grid() -> None:
    """Keep the grid's link, which says all that its controls hold, for the way back."""
    st.session_state[_QUERY] = {key: st.query_params.get_all(key) for key in st.query_params}


def grid_query() -> dict[str, list[str]]:
    """The grid's link as it was last shown."""
    return dict(st.session_state.get(_QUERY, {}))


def grid_link(label: str, run: Path) -> None:
    """A link to the grid with a run among those shown."""
    from penviz.view.page_grid import show_grid

    page = st.Page(show_grid, title="penviz", default=True)
    st.page_link(page, label=label, icon=":material/scatter_plot:", query_params=grid_query())
