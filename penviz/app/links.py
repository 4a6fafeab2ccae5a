"""Links between the pages, which keep the runs and what the grid showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from penviz.app.catalogue import Group, runs_directory, shown_catalogue
from penviz.app.state import default_runs
from penviz.demo import PAIR
from penviz.store.runs import shown_splits

_QUERY, _PAGE = "grid-query", "page-shown"
PAGES = "pages-by-name"
"""Key in the session: the pages as main.py made them, by what they are called."""
_RUNS = ("of", "runs")
"""Keys of the link that all pages share; those of the runs end in the name of their group."""
_PASSING = ("tour", "targets")
"""Keys that say what stands open, and not what the grid shows."""
_ASKED = "ask-"
"""What stands before a key that is to pass to a page although the last one has a control for it."""


def draw_links(pages: Mapping[str, Page], current: str) -> None:
    """The name of the house and its pages by what they are called there, the grid first, "Your model" last.

    A page that is opened by one of them starts from what was shown before. That is not in the link itself,
    because a control in a fragment could not change it there.
    """
    here = st.session_state.get(_PAGE)
    st.session_state[_PAGE], st.session_state[PAGES] = current, pages
    asked = [key for key in st.query_params if key.startswith(_ASKED)]
    if asked or here not in (None, current):
        for key in asked:
            wanted, values = key.removeprefix(_ASKED), st.query_params.get_all(key)
            del st.query_params[key]
            if _is_runs(wanted):  # anything else is not ours, and Streamlit refuses some names
                st.query_params[wanted] = values
        whole = current == next(iter(pages)) and not st.query_params
        for key, values in (grid_query() if whole else run_query()).items():
            if key not in st.query_params:  # Streamlit leaves out what the last page has controls for
                st.query_params[key] = values
        for key in filter(_is_runs, st.query_params):  # the binding alone reads them from the second page on
            values = st.query_params.get_all(key)
            st.session_state[key] = values[0] if key == "of" else values
        st.rerun()  # in the run that the browser's back button asks for, controls heed nothing said here
    with st.sidebar:
        st.html('<div class="pz-brand">penviz</div>')
        with st.container(key="pages", gap=None):
            *others, own = pages
            for label in others:
                st.page_link(pages[label], label=label)
        with st.container(key="your-model"):  # stays in sight while the controls scroll
            st.page_link(pages[own], label=own, icon=":material/upload_file:", width="stretch")
        if runs_directory() == PAIR:
            st.caption("The demo pair. For runs of your own: `penviz app --runs DIRECTORY`.")
    with st.container(key="your-model-top"):  # on a phone, where the sidebar is a drawer
        st.page_link(pages[own], label=own)


def remember_grid() -> None:
    """Keep the grid's link, which says all that its controls hold, for the way back."""
    kept = [key for key in st.query_params if key not in _PASSING]
    st.session_state[_QUERY] = {key: st.query_params.get_all(key) for key in kept}


def remember_runs() -> None:
    """Keep which runs another page shows, so that the grid and all others show the same."""
    here = {key: st.query_params.get_all(key) for key in st.query_params if _is_runs(key)}
    st.session_state[_QUERY] = {k: v for k, v in grid_query().items() if not _is_runs(k)} | here


def grid_query() -> dict[str, list[str]]:
    """The grid's link as it was last shown."""
    return dict(st.session_state.get(_QUERY, {}))


def run_query() -> dict[str, list[str]]:
    """The part of the grid's link that names the runs."""
    return {key: value for key, value in grid_query().items() if _is_runs(key)}


def _is_runs(key: str) -> bool:
    return key in _RUNS or key.startswith("runs-")


def only_link(label: str, group: Group, runs: Sequence[str]) -> None:
    """A link to the grid with some runs of a group and no others."""
    query = {k: v for k, v in grid_query().items() if not _is_runs(k)}
    query[f"{_ASKED}runs{group.end}"] = list(runs)
    if group.end:
        query[f"{_ASKED}of"] = [group.name]
    _to_grid(label, query)


def grid_link(label: str, directory: Path) -> None:
    """A link to the grid with a run beside those that were shown there, as far as they share a split."""
    query = grid_query()
    for group in shown_catalogue().groups:
        for run in group.runs:
            if run.directory == directory:
                key = f"runs{group.end}"
                split = run.judged_on()
                others = [r for r in group.runs if r is not run and split in shown_splits([r, run])[0]]
                names = {other.name for other in others}
                shown = [n for n in query.get(key, ()) if n in names] or default_runs(others)
                query[key] = [*(name for name in shown if name != run.name), run.name]
                if group.end:
                    query["of"] = [group.name]
    _to_grid(label, query)


def _to_grid(label: str, query: Mapping[str, list[str]]) -> None:
    page = st.session_state[PAGES]["Clusters"]
    st.page_link(page, label=label, icon=":material/scatter_plot:", query_params=query)
