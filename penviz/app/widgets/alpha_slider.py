"""The alpha slider of the Sweep page: shipped networks of rising label smoothing, moved in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from penviz.app.catalogue import directory_digest, sweep_directory
from penviz.app.state import default_classes, in_order, presets
from penviz.app.widgets.legend import legend_html
from penviz.app.widgets.page_head import STILL
from penviz.app.widgets.page_width import is_narrow
from penviz.app.words import panels_in_words
from penviz.plot.alpha_slider import alpha_slider_figure
from penviz.plot.screen import Marks
from penviz.projection.alpha_slider import AlphaSlider, build_alpha_slider
from penviz.store.run_activations import load
from penviz.store.runs import Run, list_runs, shown_splits


def shipped_sweep(class_names: Sequence[str]) -> list[Run]:
    """The networks, by rising alpha; none where they have other classes than these."""
    runs = _networks(_version())
    return runs if len(runs) > 1 and runs[0].class_names == tuple(class_names) else []


def alpha_slider(classes: tuple[int, int, int] | None, dark: bool) -> None:
    """Draw the slider.

    Args:
        classes: of the networks; None for the first preset that they have; dark: for a dark page.
    """
    digest = _version()
    runs = _networks(digest)
    if len(runs) < 2:
        return
    rows = range(len(runs[0].class_names))
    classes = classes or default_classes(presets(runs[0].class_names, rows), rows)
    slider = _alpha_slider(digest, classes)
    alphas = [run.config.label_smoothing or 0.0 for run in runs]
    st.html(
        f'<h2 class="pz-second-finding">Move α: {len(runs)} networks, trained with label smoothing '
        f"{alphas[0]:g} to {alphas[-1]:g}</h2>"
        '<p class="pz-detail">One seed: a picture, not evidence. Points are those of trained networks; '
        "between two networks only the stars move, to the label-smoothing optimum in the plane of the "
        "nearest network.</p>"
    )
    marks = Marks(shading=False, templates=False)
    st.html(legend_html(slider.panels[-1], marks, dark))
    words = panels_in_words([panel for network in slider.panels for panel in network])
    figure = _figure(digest, classes, marks, dark, is_narrow())
    st.plotly_chart(figure, theme=None, key="slider-chart", config=STILL, alt=words)
    st.html(f'<p class="pz-foot">{escape(_provenance(runs, slider))}</p>')


def _version() -> str:
    return directory_digest((sweep_directory(),))


@st.cache_resource(max_entries=4, show_spinner=False)
def _networks(digest: str) -> list[Run]:
    """The shipped networks by rising alpha; keyed by the directory's digest."""
    return in_order(list_runs(sweep_directory())[0])


@st.cache_resource(max_entries=16, show_spinner=False)
def _alpha_slider(digest: str, classes: tuple[int, int, int]) -> AlphaSlider:
    runs = _networks(digest)
    alphas = [run.config.label_smoothing or 0.0 for run in runs]
    splits = [load(run, own) for run, own in zip(runs, shown_splits(runs), strict=True)]
    return build_alpha_slider(splits, alphas, classes, scale="distance")


@st.cache_resource(max_entries=16, show_spinner=False)
def _figure(digest: str, classes: tuple[int, int, int], marks: Marks, dark: bool, narrow: bool) -> Any:
    slider = _alpha_slider(digest, classes)
    return alpha_slider_figure(slider, marks=marks, dark=dark, columns=1 if narrow else None)


def _provenance(runs: Sequence[Run], slider: AlphaSlider) -> str:
    config = runs[0].config
    each = sum(slider.panels[0][0].n_stored) // 3
    weights = ", ".join(f"{run.config.label_smoothing:g}: {run.model_sha256[:8]}" for run in runs)
    return (
        f"{config.model} on {config.dataset}, {config.epochs} epochs, seed {config.seed}, {each} examples a "
        f"class and split. Each network is divided by the mean distance between its class means on train, so "
        f"that radii on screen are ρ/d. Accuracies and ρ/d are those of these examples. SHA-256 of "
        f"weights at α = {weights}."
    )
