"""The first page: the finding, the grid of panels, its numbers, and all other triples under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from threading import Lock

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from penviz import InputError
from penviz.app.catalogue import (
    Catalogue,
    Group,
    Opened,
    key_of,
    most_stored,
    open_runs,
    study_of,
    summaries_of,
)
from penviz.app.component.mount import linked_panels
from penviz.app.component.payload import Sprites, payload
from penviz.app.links import remember_grid
from penviz.app.run_selection import open_catalogue
from penviz.app.state import SCALE_SENTENCES, State, in_order
from penviz.app.style import HEAD_PX
from penviz.app.widgets.controls import choose_group, choose_runs, controls
from penviz.app.widgets.empty import show_damaged, show_warnings
from penviz.app.widgets.export import export
from penviz.app.widgets.geometry import show_geometry
from penviz.app.widgets.image_drawer import sprite_addresses
from penviz.app.widgets.introduction import introduction
from penviz.app.widgets.key_facts import key_facts
from penviz.app.widgets.legend import legend_html
from penviz.app.widgets.numbers import ALL, pair_table, run_table
from penviz.app.widgets.other_views import embeddings_of
from penviz.app.widgets.page_head import STILL, head_html, open_head, page_head
from penviz.app.widgets.plain_panels import plain_panels, wants_plain
from penviz.app.widgets.share import measure_command, share
from penviz.app.widgets.train_here import train_here
from penviz.app.widgets.triples_section import compared_triples, triples_section
from penviz.app.widgets.two_classes import choose_axis, draw_two_classes
from penviz.app.words import alt_text, minus_signs, provenance
from penviz.plot.screen import ALL_MARKS
from penviz.plot.words import column_names
from penviz.projection.embedding import embedded
from penviz.projection.panel import Panel
from penviz.projection.views import PLANE, VIEWS
from penviz.store.run_activations import classes_held
from penviz.store.runs import Run
from penviz.study.calibration_finding import sides_of
from penviz.study.comparison import ComparisonOptions
from penviz.study.finding import Finding
from penviz.study.table import Table
from penviz.study.withheld_intervals import withheld_intervals

HINT_POINTS = (
    "Point at a dot to see its image and where it lies in the other panels; click, or draw a lasso, to "
    "select. "
    "Keys: arrows from dot to dot, Page Up and Down from panel to panel, Enter to select."
)
PLAIN_POINTS = "Click a point, or draw a lasso or a box with the tools beside the panels, to see the images."

Cells = list[list[Panel | None]]
"""Panels, a row a run and a column a split."""


def show_clusters() -> None:
    """Draw the page for the runs of the runs directory."""
    if catalogue := open_catalogue():
        _page(catalogue, st.context.theme.type == "dark")
        train_here("grid")


@st.fragment(key="page")
def _page(catalogue: Catalogue, dark: bool) -> None:
    """All that a control changes; a change reruns this and nothing else."""
    opened: list[Opened] = []

    def stored(runs: Sequence[Run]) -> tuple[int, list[int]]:
        opened.extend(open_runs(runs))
        return most_stored(opened), classes_held([one.stored() for one in opened])

    with st.sidebar:
        group = choose_group(catalogue.groups)
        if two := len(group.class_names) == 2:
            wanted = choose_runs(group)
            opened = open_runs([run for run in in_order(group.runs) if run.name in wanted])
            axis = choose_axis()
        else:
            state = controls(group, stored)
            if any(one.shards for one in opened):
                opened = open_runs([one.run for one in opened], state.classes)
    warnings = [sentence for one in opened for sentence in one.warnings]
    usable = [one for one in opened if one.splits]
    with st.container(key="page"):
        try:
            if not usable:
                st.html(head_html("Choose a run."))
                show_warnings(warnings)
            elif two:
                draw_two_classes(usable, axis, catalogue.groups)
                show_warnings(warnings)
            else:
                _draw(state, usable, catalogue.groups, warnings, dark)
        except InputError as error:
            st.html(head_html(f"These {'two' if two else 'three'} classes cannot be drawn."))
            show_warnings([str(error), *warnings])
        show_damaged(catalogue.damaged)
    remember_grid()


def _draw(
    state: State, opened: Sequence[Opened], groups: Sequence[Group], warnings: Sequence[str], dark: bool
) -> None:
    """Introduction, finding, grid, numbers, triples, provenance."""
    key = key_of(opened)
    introduction(state, opened)
    header = open_head()
    cells = _cells(key, state, opened)
    if cells is None:
        view = VIEWS[state.view]
        with header:
            st.html(head_html(f"Compute {view.label} first", f"{view.sentence} {view.caution}"))
        show_warnings(warnings)
        return
    show_warnings(warnings)
    # The panels go first: the browser draws them while the numbers are computed.
    if wants_plain():
        plain_panels(state, cells, opened, _hint(state, _flat(cells)) + PLAIN_POINTS, dark)
    else:
        _linked_panels(state, cells, opened, dark)
    table, finding = _table(key, state.classes, state.bias, opened)
    shown = study_of(opened)
    titles = column_names(
        [one.run.config.label_smoothing for one in shown.runs],
        [one.name for one in shown.runs],
        table.class_means,
        [one.targets.kind for one in shown.runs],
    )
    order = [shown.runs[table.reference], *(r for i, r in enumerate(shown.runs) if i != table.reference)]
    whole = not any(one.shards for one in opened)  # of shards three classes are read, and ECE is over all
    held_out = [split for split in table.splits if split != "train" and whole]
    sides = {s: sides_of([r.statistics[s] for r in order if s in r.statistics]) for s in held_out}
    facts = key_facts(table, titles, compared_triples(opened, state.bias), state.classes, sides)
    _head(state, opened, groups, finding, facts, header)
    if state.view != PLANE:
        note = "The numbers are those of the template plane, whatever is drawn above."
        st.html(f'<p class="pz-note">{note}</p>')
    elif facts:
        st.html(f'<p class="pz-note">{escape(minus_signs(finding.detail))}</p>')
    _numbers(table, titles, opened)
    triples_section(state, opened, dark)
    foot = " ".join(
        [
            provenance(state, _flat(cells)),
            *shown.notes,
            *withheld_intervals(table),
        ]
    )
    st.html(f'<p class="pz-foot">{escape(foot)}</p>')


def _flat(cells: Cells) -> list[Panel]:
    return [panel for row in cells for panel in row if panel is not None]


def _cells(key: str, state: State, opened: Sequence[Opened]) -> Cells | None:
    """What is drawn, or None while UMAP has still to be computed."""
    gradient = state.marks.pull or not wants_plain()
    cells = _plane(key, state.classes, state.per_class, state.bias, state.scale, gradient, opened)
    if state.view == PLANE:
        return cells
    over = st.container()  # above the button that says how far UMAP is
    with over:
        found = embeddings_of(state, opened)
    if found is None:
        return None
    rows = [[panel for panel in row if panel is not None] for row in cells]
    moved = embedded(rows, found, state.scale)
    splits = study_of(opened).splits
    return [[next((p for p in row if p.split == split), None) for split in splits] for row in moved]


@st.cache_resource(show_spinner=False)
def _alone() -> Lock:
    """The one lock of the process; a restart of the script makes no other."""
    return Lock()


@st.cache_resource(max_entries=16, show_spinner=False)
def _plane(
    key: str,
    classes: tuple[int, int, int],
    per_class: int,
    bias: bool,
    scale: str,
    gradient: bool,
    _opened: Sequence[Opened],
) -> Cells:
    """The panels; they hold the examples drawn and not all that are stored.

    For one visitor at a time: a hundred thousand examples a panel take hundreds of megabytes meanwhile.
    """
    options = ComparisonOptions(per_class, bias=bias, scale=scale, pull=gradient)
    with _alone():
        return study_of(_opened).compare(classes, options).rows


@st.cache_resource(max_entries=32, show_spinner=False)
def _table(
    key: str, classes: tuple[int, int, int], bias: bool, _opened: Sequence[Opened]
) -> tuple[Table, Finding]:
    """The numbers, and what they say in one sentence."""
    found = study_of(_opened).compare(classes, ComparisonOptions(bias=bias))
    return found.table, found.finding


def _head(
    state: State,
    opened: Sequence[Opened],
    groups: Sequence[Group],
    finding: Finding,
    facts: str,
    place: DeltaGenerator,
) -> None:
    """The finding with its numbers, or what another view is, and the two ways out."""
    headline, detail = finding.headline, "" if facts else finding.detail
    if state.view != PLANE:
        view = VIEWS[state.view]
        headline, detail = f"{view.label}, not the paper's projection", f"{view.sentence} {view.caution}"
    with page_head(headline, detail, place, facts if state.view == PLANE else ""):
        share(state.runs, measure_command(state), groups)
        export(state, opened)


def _hint(state: State, panels: Sequence[Panel]) -> str:
    """How the rows are scaled, and how little of the variance a plane can show."""
    if state.view != PLANE:
        return ""
    shares = [100 * p.metrics["plane_share"] for p in panels if "plane_share" in p.metrics]
    lost = ""
    if shares:
        ends = sorted({f"{min(shares):.0f}", f"{max(shares):.0f}"}, key=float)
        lost = f"The plane holds {' to '.join(ends)} % of the variance; the rest is not visible here. "
    stars = any(p.ideal_xy is not None for p in panels)
    optimum = "A star marks the lowest label-smoothing loss of a class. " if stars else ""
    return f"{SCALE_SENTENCES[state.scale]} {lost}{optimum}"


def _linked_panels(state: State, cells: Cells, opened: Sequence[Opened], dark: bool) -> None:
    """The grid as one component that draws and links its panels in the browser."""
    study = study_of(opened)
    panels = _flat(cells)
    sprites = sprite_addresses([one.run for one in study.runs], study.splits)
    view = (state.classes, state.per_class, state.bias, state.scale, state.view, state.all_classes)
    linked_panels(
        _sent(repr((key_of(opened), view, sprites)), dark, cells, sprites),
        marks=asdict(state.marks),
        words={
            "legend": legend_html(panels, ALL_MARKS, dark),
            "hint": _hint(state, panels) + HINT_POINTS,
            "alt": " ".join(alt_text(state, row) for row in cells),
        },
        head=HEAD_PX,
        layout=state.layout,
        config=STILL,
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _sent(key: str, dark: bool, _cells: Cells, _sprites: Sprites) -> str:
    """What the linked panels are sent, which is the same for the same runs in the same view."""
    return payload(_cells, _sprites, dark)


def _numbers(table: Table, titles: Sequence[str], opened: Sequence[Opened]) -> None:
    """The table under the grid; all other numbers unfold."""
    st.html(run_table(table, titles) if len(titles) > 2 else pair_table(table, titles))
    unfolded = st.expander("All metrics", key="all-numbers", on_change="rerun")
    if unfolded.open:  # thirty rows that nobody sees are not sent with every change of a class
        unfolded.html(pair_table(table, titles, ALL))
    show_geometry(table, titles, opened, [summaries_of(one) for one in opened])
