"""The way out: a link to this view and the command that measures the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import streamlit as st

from penviz.app.catalogue import Group, is_own, path_word
from penviz.app.state import State
from penviz.app.widgets.command_lines import NARROW, command_lines
from penviz.app.widgets.opened_recipe import offer_recipe
from penviz.figures.new_figure import class_words
from penviz.store.runs import Run

_HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")


def query_string(parameters: Mapping[str, Sequence[str]]) -> str:
    """Parameters of the link, as the browser writes them; empty when everything is as at first."""
    return urlencode({key: list(values) for key, values in parameters.items()}, doseq=True)


def measure_command(state: State) -> str:
    """The command line that prints the numbers of this view."""
    parts = ["penviz", "measure", *map(path_word, state.runs)]
    classes = [str(word) for word in class_words(state.classes, state.group.class_names)]
    return shlex.join([*parts, "--classes", *classes, *([] if state.bias else ["--no-bias"])])


def figure_command(runs: Sequence[Run], figure: str, options: Mapping[str, Any]) -> str:
    """The command line that draws a figure of charts of these runs again.

    Args:
        runs: in their order; figure: one of `charts.FIGURES`; options: of it.
    """
    said = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in options.items()}
    given = [word for key, value in said.items() for word in ("--option", f"{key}={value}")]
    paths = [path_word(run) for run in runs]
    return shlex.join(["penviz", "figure", *paths, "--figure", figure, *given, "--out", f"{figure}.pdf"])


def share_figure(runs: Sequence[Run], figure: str, options: Mapping[str, Any]) -> None:
    """`share` with the command that draws a figure; arguments as for `figure_command`."""
    share(runs, figure_command(runs, figure, options))


def share(runs: Sequence[Run], command: str, groups: Sequence[Group] = ()) -> None:
    """One popover with the link, the command, and on the first page a place to open a recipe.

    Args:
        runs: on the page; command: that says the same in a terminal; groups: of the catalogue, on the page
            that can open a recipe.
    """
    icon = ":material/ios_share:"
    popover = st.popover("Share", icon=icon, width="stretch", key="share", on_change="rerun")
    if not popover.open:  # what nobody sees is not sent with every change of a class
        return
    with popover:
        query = query_string({key: st.query_params.get_all(key) for key in st.query_params})
        url = st.context.url or ""
        local = urlsplit(url).hostname in _HERE or not url
        st.markdown("**This view as a link**")
        if not query:
            st.caption("No control has been changed: the plain address shows the same view.")
        elif local:
            st.caption(
                "This page runs on your computer, so its address is of no use to others. Add this to the "
                "address of any penviz that has the same runs:"
            )
            st.code(f"?{query}", language=None, wrap_lines=True)
        else:
            st.code(f"{url.split('?')[0]}?{query}", language=None, wrap_lines=True)
        if own := [run.name for run in runs if is_own(run)]:
            st.caption(
                f"Nobody else sees your own runs ({', '.join(own)}): for others the link leaves them out."
            )
        st.markdown("**The same on the command line**")
        st.code(command_lines(command, NARROW), language="bash", wrap_lines=True)
        if groups:
            offer_recipe(groups)
