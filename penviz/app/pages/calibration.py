"""The page "Calibration": confidence against accuracy, and which errors can be left out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import Group, Opened, again
from penviz.app.run_selection import with_chosen_runs
from penviz.app.widgets.calibration_table import ALL, calibration_table
from penviz.app.widgets.controls import URL
from penviz.app.widgets.empty import show_warnings
from penviz.app.widgets.export import export_charts
from penviz.app.words import minus_signs
from penviz.figures.charts import reliability, risk_coverage
from penviz.figures.charts.calibrations import MOST_RUNS, checked, names_of
from penviz.metrics.calibration.calibrated import Calibrated
from penviz.plot.chart_screen import LEGEND_PX, ROW_PX, chart_figure
from penviz.projection.chart import Chart
from penviz.store.run_activations import targets_of
from penviz.store.runs import differences, judged_split
from penviz.study.calibration_finding import describe

MOST_SEED = 999
CHART_PX, LEAST_PX = {"reliability": 365, "risk-coverage": 272}, 560
"""Width of a chart of each figure, and of a figure at least, so that its legend has room."""
CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "toImageButtonOptions": {"format": "svg", "filename": "penviz"},
    "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d", "select2d", "lasso2d"],
}


def show_calibration() -> None:
    """Draw the page for the runs chosen in the sidebar."""
    with_chosen_runs("calibration", _draw)


@st.cache_resource(max_entries=64, show_spinner="Fitting temperatures …")
def read_calibration(digest: str, seed: int, split: str, _one: Opened) -> Calibrated:
    """The calibration of a run; keyed by what its numbers are cached by, the seed of the halves, the split.

    Raises:
        InputError: a network without a head, or a quick look.
    """
    return Calibrated.of(checked(_one.run, _one.splits[split]), seed)


def _controls() -> tuple[int, bool, list[str]]:
    """Seed of the halves, whether the scaled curves are drawn, and the scores of the risk curves."""
    with st.sidebar:
        st.html('<div class="pz-head">Halves</div>')
        seed = st.number_input(
            "Seed of the halves",
            0,
            MOST_SEED,
            0,
            key="half",
            bind=URL,
            help="One half of the examples is fitted on, every number comes from the other.",
        )
        st.html('<div class="pz-head">Reliability</div>')
        scaled = st.toggle("after temperature scaling too", True, key="scaled", bind=URL)
        st.html('<div class="pz-head">Scores of risk and coverage</div>')
        scores = st.pills(
            "Scores",
            list(risk_coverage.SCORES),
            selection_mode="multi",
            default=list(risk_coverage.SCORES),
            format_func=risk_coverage.SCORES.__getitem__,
            key="scores",
            bind=URL,
            label_visibility="collapsed",
        )
    return int(seed), scaled, [s for s in risk_coverage.SCORES if s in scores]


def _measured(
    opened: Sequence[Opened], seed: int, split: str
) -> tuple[list[Opened], list[Calibrated], list[str]]:
    """Runs that have a calibration, their calibrations, and a sentence for each of the others."""
    kept, found, refused = [], [], []
    for one in opened:
        if split not in one.splits:
            refused.append(f"{one.run.name} has no {split} activations. {again(one.run, split)}")
            continue
        try:
            found.append(read_calibration(one.digests[split], seed, split, one))
            kept.append(one)
        except InputError as error:
            refused.append(str(error))
    return kept, found, refused


def _draw(group: Group, opened: list[Opened]) -> None:
    """Finding, diagrams, curves, table, provenance."""
    seed, scaled, scores = _controls()
    if len(opened) > MOST_RUNS:
        raise InputError(f"{len(opened)} runs cannot be told apart here: choose at most {MOST_RUNS}.")
    split = judged_split([one.run for one in opened])
    opened, found, refused = _measured(opened, seed, split)
    if not found:
        st.html('<h1 class="pz-finding">No calibration can be measured here.</h1>')
        show_warnings([*refused, *(w for one in opened for w in one.warnings)])
        return
    runs = [one.run for one in opened]
    names = names_of(runs)
    finding = describe(
        found,
        names=[run.name for run in runs],
        label_smoothings=[run.config.label_smoothing for run in runs],
        seeds=[run.seed for run in runs],
        differences=differences(runs),
        adopted=[run.adopted for run in runs],
        targets=[targets_of(run) for run in runs],
    )
    diagrams = reliability.charts_of(found, names, seed, scaled)
    figures: dict[str, tuple[dict[str, Any], tuple[Chart, ...]]] = {
        "reliability": ({"split": split, "seed": seed, "scaled": scaled}, diagrams)
    }
    if scores:
        curves = risk_coverage.charts_of(found, names, seed, scores)
        figures["risk-coverage"] = ({"split": split, "seed": seed, "scores": scores}, curves)
    header = st.container(horizontal=True, key="header", vertical_alignment="top", gap="medium")
    with header:
        st.html(
            f'<h1 class="pz-finding">{escape(finding.headline)}</h1>'
            f'<p class="pz-detail">{escape(minus_signs(finding.detail))}</p>'
        )
        with st.container(key="ways-out", width="content", gap="xsmall"):
            export_charts(opened, figures)
    show_warnings([*refused, *(w for one in opened for w in one.warnings)])
    dark = st.context.theme.type == "dark"
    with st.container(horizontal=True, key="diagrams", gap="small"):  # side by side where the window is wide
        for name, (_, charts) in figures.items():
            _chart(name, charts, dark)
    st.html(calibration_table(found, names))
    unfolded = st.expander("All numbers", key="all-calibration-numbers", on_change="rerun")
    if unfolded.open:
        unfolded.html(calibration_table(found, names, ALL))
    foot = " ".join(
        [
            *(charts[0].about for _, charts in figures.values()),
            *(note for one in opened for note in one.notes),
        ]
    )
    st.html(f'<p class="pz-foot">{escape(foot)}</p>')


def _chart(name: str, charts: Sequence[Chart], dark: bool) -> None:
    """One figure; diagrams of a run each stand in rows of at most four."""
    columns = min(len(charts), 4)
    rows = -(-len(charts) // columns)
    figure = chart_figure(charts, columns=columns, dark=dark, height=rows * ROW_PX + LEGEND_PX)
    with st.container(width=max(columns * CHART_PX[name], LEAST_PX)):
        st.plotly_chart(figure, theme=None, key=f"chart-{name}", config=CONFIG, alt=charts[0].about)
