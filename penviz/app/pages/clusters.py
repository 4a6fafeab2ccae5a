"""The first page: the finding, the grid of panels, its numbers, and what stands behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from threading import Lock
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from penviz import InputError
from penviz.app.catalogue import (
    Catalogue,
    Group,
    Opened,
    directory_digest,
    most_stored,
    open_runs,
    read_catalogue,
    run_roots,
    summaries_of,
)
from penviz.app.component.mount import linked_panels
from penviz.app.component.payload import payload
from penviz.app.links import remember_grid
from penviz.app.pages.two_classes import choose_axis, draw_two_classes
from penviz.app.state import State, in_order, suffix
from penviz.app.style import HEAD_PX, stage_sheet, style_sheet
from penviz.app.widgets.alpha_slider import dial_switch, show_dial
from penviz.app.widgets.controls import choose_group, choose_runs, controls
from penviz.app.widgets.empty import show_damaged, show_empty, show_warnings
from penviz.app.widgets.export import export
from penviz.app.widgets.geometry import show_geometry
from penviz.app.widgets.image_drawer import sprite_addresses, tray
from penviz.app.widgets.legend import legend_html
from penviz.app.widgets.numbers import ALL, pair_table, run_table
from penviz.app.widgets.other_views import embeddings_of
from penviz.app.widgets.share import measure_command, share
from penviz.app.widgets.train_here import train_here
from penviz.app.words import alt_text, minus_signs, provenance
from penviz.plot.ready_figure import ready
from penviz.plot.screen import ALL_MARKS, Marks, selected_points, template_figure
from penviz.plot.words import column_names
from penviz.projection.embedding import embedded
from penviz.projection.panel import Panel, build_grid
from penviz.projection.views import PLANE, VIEWS
from penviz.store.run_activations import classes_held, targets_of
from penviz.store.runs import SPLITS, Run, differences, recipe_of
from penviz.study.finding import Finding, build_finding
from penviz.study.table import Table, compare
from penviz.study.withheld_intervals import withheld_intervals

HINT = "ρ/d: radius of the clusters over the distance between them. "
HINT_POINTS = (
    "Point at a dot to see its image in every panel that has it; click it, or draw a lasso, to select. "
    "Keys: arrows from dot to dot, Page Up and Down from panel to panel, Enter to select."
)
PLAIN_POINTS = "Click a point, or draw a lasso or a box with the tools beside the panels, to see the images."
INTRODUCTION = (
    '<p class="pz-intro">Each dot is an image, placed by its features before the last layer. '
    "Hard targets are 1 for the label and 0 for all other classes; label smoothing (α = 0.1, ten classes) "
    "makes them 0.91 and 0.01. It draws each class into a tight cluster, equally far from the others. "
    "Calibration can gain; distillation can suffer (Müller, Kornblith &amp; Hinton 2019).</p>"
)
"""What a first-time visitor sees, and why it matters."""
NONCE = "selection-cleared"
CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "toImageButtonOptions": {"format": "svg", "filename": "penviz"},
    "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d"],
}


def show_grid() -> None:
    """Draw the page for the runs of the runs directory."""
    dark = st.context.theme.type == "dark"
    st.html(style_sheet(dark))
    roots = run_roots()
    catalogue = read_catalogue(roots, directory_digest(roots))
    if not catalogue.groups:
        show_empty(roots[0])
        show_damaged(catalogue.damaged)
        return
    _page(catalogue, dark)
    train_here("grid")


@st.fragment(key="page")
def _page(catalogue: Catalogue, dark: bool) -> None:
    """All that a control changes; a change reruns this and nothing else."""
    opened: list[Opened] = []

    def stored(runs: Sequence[Run]) -> tuple[int, list[int]]:
        opened.extend(open_runs(runs))
        return most_stored(opened), classes_held([one.stored() for one in opened])

    with st.sidebar:
        above = st.container()
        group = choose_group(catalogue.groups)
        end = suffix(group, len(catalogue.groups) == 1)
        turned = False
        if len(group.class_names) > 2:
            with above:
                turned = dial_switch()
        if len(group.class_names) == 2:
            wanted = choose_runs(group, end)
            opened = open_runs([run for run in in_order(group.runs) if run.name in wanted])
            axis = choose_axis()
        else:
            state = controls(group, end, stored)
            if any(one.shards for one in opened):
                opened = open_runs([one.run for one in opened], state.classes)
    warnings = [sentence for one in opened for sentence in one.warnings]
    usable = [one for one in opened if one.splits]
    with st.container(key="page"):
        if turned:
            show_dial(state, dark)
        elif usable:
            try:
                if len(group.class_names) == 2:
                    draw_two_classes(usable, axis, catalogue.groups, dark)
                    show_warnings(warnings)
                else:
                    _draw(state, usable, catalogue.groups, warnings, dark)
            except InputError as error:
                number = "two" if len(group.class_names) == 2 else "three"
                st.html(f'<h1 class="pz-finding">These {number} classes cannot be drawn.</h1>')
                show_warnings([str(error), *warnings])
        else:
            st.html('<h1 class="pz-finding">Choose a run.</h1>')
            show_warnings(warnings)
        show_damaged(catalogue.damaged)
    remember_grid()


def _draw(
    state: State, opened: Sequence[Opened], groups: Sequence[Group], warnings: Sequence[str], dark: bool
) -> None:
    """Finding, legend, grid, images, table, provenance."""
    runs = [one.run for one in opened]
    alphas = [run.config.label_smoothing for run in runs]
    targets = [targets_of(run) for run in runs]
    known = _key(opened)
    plain = st.query_params.get("plain") == "1"
    pull = state.marks.pull or not plain
    rows = _rows(known, state.classes, state.per_class, state.bias, state.scale, pull, opened)
    if state.view != PLANE:
        view = VIEWS[state.view]
        over = st.container()  # the head, above a button that says how far UMAP is
        found = embeddings_of(state, opened)
        if found is None:
            over.html(_head(f"{view.label} has still to be made.", f"{view.sentence} {view.caution}"))
            show_warnings(warnings)
            return
        rows = embedded(rows, found, state.scale)
    splits = [split for split in SPLITS if any(split in one.splits for one in opened)]
    cells = [[next((p for p in row if p.split == split), None) for split in splits] for row in rows]
    if not plain:
        sent = payload(cells, sprite_addresses(runs, splits), dark)
    elif state.view == PLANE:
        figures = _figures(
            known, state.classes, state.per_class, state.bias, state.scale, state.marks, dark, cells
        )
    else:
        figures = [_figure(row, state.marks, dark) for row in cells]
    # The charts go first and together: the browser draws them at one go while the numbers are computed.
    if plain:
        st.html(stage_sheet(state.layout, len(cells), len(splits)))
    st.html(INTRODUCTION)
    header = st.container(horizontal=True, key="header", vertical_alignment="top", gap="medium")
    show_warnings(warnings)
    hint = (HINT if state.view == PLANE else "") + (PLAIN_POINTS if plain else HINT_POINTS)
    shown = [panel for row in rows for panel in row]
    if plain:
        with st.container(key="stage"):
            charts, side = st.container(key="charts"), st.container(key="side")
        frames = [charts.container(key=f"run-{number}") for number in range(len(cells))]
        selected = [
            point for n, frame in enumerate(frames) for point in _chart(state, frame, n, cells, figures)
        ]
        with side:
            st.html(legend_html(shown, state.marks, dark))
            st.html(f'<p class="pz-note">{hint}</p>')
    else:
        legend = legend_html(shown, ALL_MARKS, dark)
        linked_panels(
            sent,
            marks=asdict(state.marks),
            words={"legend": legend, "hint": hint, "alt": " ".join(alt_text(state, row) for row in cells)},
            head=HEAD_PX,
            layout=state.layout,
            config=CONFIG | {"displayModeBar": False},
        )
    table, finding = _table(known, state.classes, state.bias, opened)
    if state.view == PLANE:
        head = _head(finding.headline, finding.detail)
    else:
        head = _head(f"{view.label}, not the paper's projection", f"{view.sentence} {view.caution}")
    with header:
        st.html(head)
        with st.container(key="ways-out", width="content", gap="xsmall"):
            share(state.runs, measure_command(state), groups)
            export(state, opened)
    if plain:
        tray([panel for row in cells for panel in row], selected, runs, NONCE)
    kinds = [own.kind for own in targets]
    titles = column_names(alphas, [run.name for run in runs], table.class_means, kinds)
    if state.view != PLANE:
        st.html(
            '<p class="pz-note">The numbers are those of the template plane, whatever is drawn above.</p>'
        )
    st.html(run_table(table, titles) if len(runs) > 2 else pair_table(table, titles))
    unfolded = st.expander("All numbers", key="all-numbers", on_change="rerun")
    if unfolded.open:  # thirty rows that nobody sees are not sent with every change of a class
        unfolded.html(pair_table(table, titles, ALL))
    show_geometry(table, titles, opened, [summaries_of(one) for one in opened])
    notes = [note for one in opened for note in one.notes]
    foot = " ".join([provenance(state, rows), *notes, *withheld_intervals(table, titles)])
    st.html(f'<p class="pz-foot">{escape(foot)}</p>')


def _key(opened: Sequence[Opened]) -> str:
    """What all that is drawn of some runs is cached by: their files and what is said of them."""
    return "\n".join(
        "|".join([*one.digests.values(), repr(one.run.config), repr(one.run.adoption), one.run.name])
        for one in opened
    )


@st.cache_resource(show_spinner=False)
def _alone() -> Lock:
    """The one lock of the process; a restart of the script shall not make another."""
    return Lock()


@st.cache_resource(max_entries=16, show_spinner=False)
def _rows(
    key: str,
    classes: tuple[int, int, int],
    per_class: int,
    bias: bool,
    scale: str,
    pull: bool,
    _opened: Sequence[Opened],
) -> list[list[Panel]]:
    """The panels, a row a run; they hold the examples drawn and not all that are stored.

    For one visitor at a time: a hundred thousand examples a panel take hundreds of megabytes meanwhile.
    """
    with _alone():
        return build_grid(
            [one.splits for one in _opened],
            classes,
            per_class=per_class,
            bias=bias,
            scale=scale,
            label_smoothings=[one.run.config.label_smoothing for one in _opened],
            targets=[targets_of(one.run) for one in _opened],
            summaries=[summaries_of(one) for one in _opened],
            remarks=[one.run.adoption.mark for one in _opened],
            pull=pull,
        )


@st.cache_resource(max_entries=16, show_spinner=False)
def _figures(
    key: str,
    classes: tuple[int, int, int],
    per_class: int,
    bias: bool,
    scale: str,
    marks: Marks,
    dark: bool,
    _cells: Sequence[Sequence[Panel | None]],
) -> list[Any]:
    """A figure for each row of panels of `_rows`."""
    return [_figure(row, marks, dark) for row in _cells]


def _figure(row: Sequence[Panel | None], marks: Marks, dark: bool) -> Any:
    return ready(template_figure(row, columns=len(row), marks=marks, dark=dark, height=240, legend=False))


@st.cache_resource(max_entries=32, show_spinner=False)
def _table(
    key: str, classes: tuple[int, int, int], bias: bool, _opened: Sequence[Opened]
) -> tuple[Table, Finding]:
    """The numbers, and what they say in one sentence."""
    runs = [one.run for one in _opened]
    summaries = [summaries_of(one) for one in _opened]
    alphas = [run.config.label_smoothing for run in runs]
    targets = [targets_of(run) for run in runs]
    table = compare(summaries, classes, bias=bias, label_smoothings=alphas, targets=targets)
    finding = build_finding(
        table,
        names=[run.name for run in runs],
        label_smoothings=alphas,
        targets=targets,
        seeds=[run.seed for run in runs],
        differences=differences(runs),
        runs=summaries,
        adopted=[run.adopted for run in runs],
        recipe=recipe_of(runs),
    )
    return table, finding


def _head(headline: str, detail: str) -> str:
    said = escape(minus_signs(detail))
    return f'<h1 class="pz-finding">{escape(headline)}</h1><p class="pz-detail">{said}</p>'


def _chart(
    state: State,
    frame: DeltaGenerator,
    number: int,
    cells: Sequence[Sequence[Panel | None]],
    figures: Sequence[Any],
) -> list[tuple[int, int]]:
    """The panels of one run as one figure.

    A figure a run, and not one for all: so the style sheet alone lays them out, side by side or one above the
    other, and follows the window without asking the server.

    Returns:
        The examples selected in it: (number of the panel in the grid, position in the panel).
    """
    row = cells[number]
    event = frame.plotly_chart(
        figures[number],
        height="stretch",
        theme=None,
        key=f"chart-{number}-{st.session_state.get(NONCE, 0)}",
        on_select="rerun",
        config=CONFIG,
        alt=alt_text(state, row),
    )
    found = selected_points(row, state.marks.errors, event["selection"]["points"])
    return [(number * len(row) + column, position) for column, position in found]
