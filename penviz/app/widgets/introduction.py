"""The first line of the first page: what a dot is, what smoothing does, and why one would care."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from penviz.app.catalogue import Opened, study_of
from penviz.app.state import State
from penviz.app.widgets.targets_popover import targets_popover
from penviz.app.widgets.tour import start_tour
from penviz.metrics.target_vectors import Targets
from penviz.study.target_facts import TargetFacts, number

USUAL = 0.1
"""Label smoothing that the introduction speaks of where no run on the page has any."""


def introduction(state: State, opened: Sequence[Opened]) -> None:
    """One line, with the targets of these runs in numbers.

    Args:
        state: of the page; opened: its runs.
    """
    kinds = [one.targets for one in study_of(opened).runs]
    targets = next((t for t in kinds if t.smoothed), Targets("uniform", USUAL))
    facts = TargetFacts.of(targets, len(state.group.class_names))
    alpha = targets.label_smoothing or USUAL
    with st.container(key="intro", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            '<p class="pz-intro">Each dot is an image, placed by its <b>features</b> (the activations before '
            "the last layer) on the plane through three classes’ <b>templates</b> (their weights in that "
            "layer). <b>Hard targets</b> are 1 for the label and 0 for all other classes; <b>label smoothing"
            f"</b> with α = {alpha:g} makes them {number(facts.true)} and {escape(facts.others)}. It draws "
            "the images of a class together, equally far from the other templates. Calibration can gain, "
            "distillation can suffer (Müller, Kornblith &amp; Hinton 2019).</p>"
        )
        with st.container(key="intro-ways", width="content", gap=None):
            start_tour()
            targets_popover(len(state.group.class_names), alpha)
