"""What the page says when there is nothing to draw, or when something is wrong with a run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import streamlit as st

from penviz.app.catalogue import OPEN_DEMO
from penviz.app.widgets.train_here import train_here
from penviz.app.words import plain, plain_sentence
from penviz.store.runs import DamagedRun


def show_empty(directory: Path) -> None:
    """No usable run: what to do about it."""
    with st.container(key="empty"):
        st.html(
            '<h1 class="pz-finding">No runs here.</h1>'
            '<p class="pz-detail">penviz draws the penultimate layer of trained classifiers.</p>'
        )
        st.button("Open the demo pair", type="primary", on_click=_open_demo)
        st.html(
            '<p class="pz-detail">Or bring your own checkpoint: open <b>Your model</b> at the left.</p>'
            '<p class="pz-detail">Or train your own: two small networks on scikit-learn’s digits, one with '
            "hard targets and one with label smoothing, without a download.</p>"
        )
        train_here("empty", open=True)
        st.html('<p class="pz-detail">The same from a terminal; then reload this page:</p>')
        place = directory.as_posix()
        st.code(
            f"penviz train digits fc800 --epochs 200 --out {place}/digits-hard\n"
            f"penviz train digits fc800 --epochs 200 --label-smoothing 0.1 --out {place}/digits-soft\n"
            f"penviz extract {place}/digits-hard {place}/digits-soft",
            language="bash",
            wrap_lines=True,
        )
        st.html(
            '<p class="pz-detail">To see runs in another directory, start the app with '
            "<code>penviz app --runs DIRECTORY</code> or set the variable <code>PENVIZ_RUNS</code>.</p>"
        )


def _open_demo() -> None:
    st.session_state[OPEN_DEMO] = True


def show_too_few(name: str) -> None:
    """A page of triples, and a group that has none.

    Args:
        name: of the group, which says how many classes it has.
    """
    st.html(
        '<h1 class="pz-finding">This page needs three classes.</h1>'
        f'<p class="pz-detail">{escape(name)}: too few for a triple. The page Clusters draws them along '
        "one axis; Calibration and Distillation have all their numbers.</p>"
    )


def show_damaged(damaged: Sequence[DamagedRun]) -> None:
    """Runs that cannot be shown, each with its sentence of advice."""
    if damaged:
        names = plain(", ".join(run.name for run in damaged))
        word = "run" if len(damaged) == 1 else "runs"
        lines = "\n".join(f"- **{plain(run.name)}**: {plain_sentence(run.advice)}" for run in damaged)
        st.warning(f"{len(damaged)} {word} left out: {names}\n\n{lines}", icon=":material/report:")


def show_warnings(warnings: Sequence[str]) -> None:
    """Sentences about runs that are shown all the same, or in part."""
    if warnings:
        st.warning("\n\n".join(map(plain_sentence, warnings)), icon=":material/warning:")
