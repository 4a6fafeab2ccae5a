"""Which runs a page other than the grid shows: the same controls, the same link, remembered between pages."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import Catalogue, Group, Opened, open_runs, shown_catalogue
from penviz.app.links import remember_runs
from penviz.app.state import in_order
from penviz.app.style import style_sheet
from penviz.app.widgets.controls import choose_group, choose_runs
from penviz.app.widgets.empty import show_damaged, show_empty, show_warnings
from penviz.app.widgets.page_head import head_html


def open_catalogue() -> Catalogue | None:
    """Begin a page: its style, and the runs; None where there are none, and the page says what to do."""
    st.html(style_sheet(st.context.theme.type == "dark"))
    catalogue = shown_catalogue()
    if catalogue.groups:
        return catalogue
    show_empty(catalogue.roots[0])
    show_damaged(catalogue.damaged)
    return None


def with_chosen_runs(key: str, draw: Callable[[Group, list[Opened]], None]) -> None:
    """A page for the runs chosen in the sidebar; a change of any control in it reruns this and nothing else.

    Args:
        key: of the page's container, for the style sheet.
        draw: what the page shows of the usable runs, at least one, hard before soft; it may add controls to
            the sidebar with `st.sidebar`, and raise InputError with a sentence for the page.
    """
    catalogue = open_catalogue()
    if catalogue is None:
        return

    @st.fragment(key=f"{key}-page")
    def page() -> None:
        with st.sidebar:
            group = choose_group(catalogue.groups)
            wanted = choose_runs(group)
        opened = open_runs([run for run in in_order(group.runs) if run.name in wanted])
        usable = [one for one in opened if one.splits]
        warnings = [sentence for one in opened for sentence in one.warnings]
        with st.container(key=key):
            if not usable:
                st.html(head_html("Choose a run."))
            else:
                try:
                    draw(group, usable)
                except InputError as error:
                    st.html(head_html("These runs cannot be drawn here."))
                    warnings.insert(0, str(error))
            show_warnings(warnings)
            show_damaged(catalogue.damaged)
        remember_runs()

    page()
