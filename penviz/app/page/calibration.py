"""The page "Calibration": confidence against accuracy, and which errors can be left out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import Group, Opened, key_of, study_of
from penviz.app.run_selection import with_chosen_runs
from penviz.app.widgets.calibration_table import ALL, calibration_table
from penviz.app.widgets.charts import show_charts
from penviz.app.widgets.controls import URL, heading
from penviz.app.widgets.empty import show_warnings
from penviz.app.widgets.export import export_charts
from penviz.app.widgets.page_head import head_html, page_head
from penviz.app.widgets.share import share_figure
from penviz.app.words import minus_signs
from penviz.figures.charts.calibration import MOST_RUNS, SCORES, reliability_charts, risk_charts
from penviz.figures.charts.calibration_numbers import number_charts
from penviz.figures.charts.stored_splits import names_of
from penviz.plot.chart_screen import LEGEND_PX, ROW_PX
from penviz.projection.chart import Chart
from penviz.store.runs import judged_split
from penviz.study.calibration_comparison import CalibrationComparison

MOST_SEED = 999
LOW_PX = 240
"""Height of a row of charts where there are several."""
CHART_PX, LEAST_PX = {"reliability": 365, "calibration": 272, "risk-coverage": 272}, 560
"""Width of a chart of each figure, and of a figure at least, so that its legend has room."""


def show_calibration() -> None:
    """Draw the page for the runs chosen in the sidebar."""
    with_chosen_runs("calibration", _draw)


@st.cache_resource(max_entries=64, show_spinner="Fitting temperatures …")
def _calibration(key: str, split: str, seed: int, _opened: Sequence[Opened]) -> CalibrationComparison:
    """Keyed by the runs and their files. Raises InputError where no run has a calibration."""
    return study_of(_opened).calibration(split, seed)


def _controls() -> tuple[int, bool, list[str]]:
    """The split seed, whether the scaled curves are drawn, and the scores of the risk curves."""
    with st.sidebar:
        heading("Split seed")
        seed = st.number_input(
            "Split seed",
            0,
            MOST_SEED,
            0,
            key="half",
            bind=URL,
            label_visibility="collapsed",
            help=(
                "Temperatures are fitted on one half of the examples; every number comes from the other half."
            ),
        )
        heading("Reliability")
        scaled = st.toggle("show after temperature scaling", True, key="scaled", bind=URL)
        heading("Confidence score")
        scores = st.pills(
            "Confidence score",
            list(SCORES),
            selection_mode="multi",
            default=list(SCORES),
            format_func=SCORES.__getitem__,
            key="scores",
            bind=URL,
            label_visibility="collapsed",
        )
    return int(seed), scaled, [s for s in SCORES if s in scores]


def _draw(group: Group, opened: list[Opened]) -> None:
    """Finding, diagrams, curves, table, provenance."""
    seed, scaled, scores = _controls()
    if len(opened) > MOST_RUNS:
        raise InputError(f"{len(opened)} runs cannot be told apart here: choose at most {MOST_RUNS}.")
    split = judged_split([one.run for one in opened])
    warnings = [sentence for one in opened for sentence in one.warnings]
    try:
        found = _calibration(key_of(opened), split, seed, opened)
    except InputError as error:
        st.html(head_html("No calibration can be measured here."))
        show_warnings([str(error), *warnings])
        return
    runs, finding = [one.run for one in found.runs], found.finding
    opened = [one for one in opened if one.run in runs]
    names = names_of(runs)
    diagrams = reliability_charts(found, scaled)
    figures: dict[str, tuple[dict[str, Any], tuple[Chart, ...]]] = {
        "reliability": ({"split": split, "seed": seed, "scaled": scaled}, diagrams)
    }
    if scores:
        curves = risk_charts(found, scores)
        figures["risk-coverage"] = ({"split": split, "seed": seed, "scores": scores}, curves)
    figures["calibration"] = ({"split": split, "seed": seed}, number_charts(found))
    with page_head(finding.headline):
        share_figure(runs, "reliability", figures["reliability"][0])
        export_charts(opened, figures)
    show_warnings([*found.refused, *warnings])
    with st.container(horizontal=True, key="diagrams", gap="small"):  # side by side where the window is wide
        for name, (_, charts) in figures.items():
            _chart(name, charts)
    st.html(f'<p class="pz-note">{escape(minus_signs(finding.detail))}</p>')
    st.html(calibration_table(found.calibrated, names))
    unfolded = st.expander("All metrics", key="all-calibration-numbers", on_change="rerun")
    if unfolded.open:
        unfolded.html(calibration_table(found.calibrated, names, ALL))
    foot = " ".join(
        [
            *(charts[0].about for _, charts in figures.values()),
            *(note for one in opened for note in one.notes),
        ]
    )
    st.html(f'<p class="pz-foot">{escape(foot)}</p>')


def _chart(name: str, charts: Sequence[Chart]) -> None:
    """One figure; more than four charts stand in rows of three."""
    columns = 3 if len(charts) > 4 else len(charts)
    rows = -(-len(charts) // columns)
    row_px = ROW_PX if rows == 1 else LOW_PX
    with st.container(width=max(columns * CHART_PX[name], LEAST_PX)):
        show_charts(charts, f"chart-{name}", columns=columns, height=rows * row_px + LEGEND_PX)
