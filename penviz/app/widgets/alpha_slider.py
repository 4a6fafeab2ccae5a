"""The alpha dial of the first page: shipped networks of rising label smoothing, turned in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from penviz.app.catalogue import directory_digest
from penviz.app.state import State, default_classes, in_order, presets
from penviz.app.widgets.legend import legend_html
from penviz.demo import DIAL
from penviz.figures.charts.sweep import swept
from penviz.plot.alpha_slider import dial_figure
from penviz.plot.screen import Marks
from penviz.projection.alpha_slider import Dial, build_dial
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.run_activations import load, targets_of
from penviz.store.runs import Run, list_runs, shown_splits
from penviz.study.sweep import Swept, run_values, sweep_finding

CONFIG = {"displaylogo": False, "displayModeBar": False}


def dial_switch() -> bool:
    """A toggle in the sidebar; nothing where no networks are shipped."""
    if len(_networks(DIAL, directory_digest((DIAL,)))) < 2:
        return False
    return st.toggle(
        "alpha dial",
        key="dial",
        bind="query-params",
        help="Turn label smoothing from 0 to 0.6 and watch the clusters of six trained networks.",
    )


def show_dial(state: State, dark: bool) -> None:
    """Draw the dial.

    Args:
        state: of the controls; where the shipped networks have other classes, their first preset stands in.
        dark: for a dark page.
    """
    digest = directory_digest((DIAL,))
    runs = _networks(DIAL, digest)
    own = runs[0].class_names
    classes, bias = state.classes, state.bias
    if state.group.class_names != own:
        classes = default_classes(presets(own, range(len(own))), range(len(own)))
    dial, numbers = _dial(digest, classes, bias)
    alphas = [run.config.label_smoothing or 0.0 for run in runs]
    finding = sweep_finding(numbers, classes, bias)
    st.html(
        f'<h1 class="pz-finding">Turn the dial: {len(runs)} networks, trained with label smoothing '
        f"{alphas[0]:g} to {alphas[-1]:g}</h1>"
        f'<p class="pz-detail">{escape(finding.headline)}; one seed, so this is a picture and no proof. '
        "Points move through trained networks only; between two of them only the stars move, to where "
        "smoothing would want the classes on the plane of the nearest network.</p>"
    )
    marks = replace(state.marks, shading=False, templates=False)
    st.html(legend_html(dial.panels[-1], marks, dark))
    st.plotly_chart(_figure(digest, classes, bias, marks, dark), theme=None, key="dial-chart", config=CONFIG)
    st.html(f'<p class="pz-foot">{escape(_provenance(runs, dial))}</p>')


@st.cache_resource(max_entries=4, show_spinner=False)
def _networks(root: Path, digest: str) -> list[Run]:
    """The shipped networks by rising alpha; keyed by the directory's digest."""
    return in_order(list_runs(root)[0])


@st.cache_resource(max_entries=16, show_spinner=False)
def _dial(digest: str, classes: tuple[int, int, int], bias: bool) -> tuple[Dial, list[Swept]]:
    runs = _networks(DIAL, digest)
    alphas = [run.config.label_smoothing or 0.0 for run in runs]
    splits = [load(run, own) for run, own in zip(runs, shown_splits(runs), strict=True)]
    numbers = []
    for run, parts in zip(runs, splits, strict=True):
        summaries = {split: SplitStatistics.of(a) for split, a in parts.items()}
        numbers.append(swept(run, run_values(summaries, classes, bias=bias, targets=targets_of(run))))
    return build_dial(splits, alphas, classes, bias=bias), numbers


@st.cache_resource(max_entries=16, show_spinner=False)
def _figure(digest: str, classes: tuple[int, int, int], bias: bool, marks: Marks, dark: bool) -> Any:
    return dial_figure(_dial(digest, classes, bias)[0], marks=marks, dark=dark)


def _provenance(runs: Sequence[Run], dial: Dial) -> str:
    config = runs[0].config
    each = sum(dial.panels[0][0].n_stored) // 3
    weights = ", ".join(f"{run.config.label_smoothing:g}: {run.model_sha256[:8]}" for run in runs)
    return (
        f"{config.model} on {config.dataset}, {config.epochs} epochs, seed {config.seed}, {each} examples a "
        f"class and split, one scale in feature units for all networks: the picture shrinks because the "
        f"features do. Accuracies and ρ/d are those of these examples. SHA-256 of weights at α = {weights}."
    )
