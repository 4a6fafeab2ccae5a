"""The grid as charts of Plotly alone (`?plain=1`): every switch is heard by the server, nothing is linked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from penviz.app.catalogue import Opened, key_of
from penviz.app.state import State
from penviz.app.style import stage_sheet
from penviz.app.widgets.image_drawer import tray
from penviz.app.widgets.legend import legend_html
from penviz.app.widgets.page_head import CONFIG
from penviz.app.words import alt_text
from penviz.plot.ready_figure import ready
from penviz.plot.screen import Marks, selected_points, template_figure
from penviz.projection.panel import Panel
from penviz.projection.views import PLANE

NONCE = "selection-cleared"
LASSO = CONFIG | {"modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d"]}
"""Plotly's settings of all charts, with its lasso and box."""

Cells = Sequence[Sequence[Panel | None]]


def wants_plain() -> bool:
    """Whether the address asks for the grid without the component."""
    return st.query_params.get("plain") == "1"


def plain_panels(state: State, cells: Cells, opened: Sequence[Opened], hint: str, dark: bool) -> None:
    """Legend, charts, and the images of what is selected.

    Args:
        state: of the page; cells: what is drawn; opened: its runs; hint: a sentence under the legend.
        dark: for a dark page.
    """
    if state.view == PLANE:
        figures = _figures(
            key_of(opened), state.classes, state.per_class, state.bias, state.scale, state.marks, dark, cells
        )
    else:
        figures = [_figure(row, state.marks, dark) for row in cells]
    st.html(stage_sheet(state.layout, len(cells), len(cells[0])))
    with st.container(key="stage"):
        charts, side = st.container(key="charts"), st.container(key="side")
    frames = [charts.container(key=f"run-{number}") for number in range(len(cells))]
    selected = [point for n, frame in enumerate(frames) for point in _chart(state, frame, n, cells, figures)]
    flat = [panel for row in cells for panel in row]
    with side:
        st.html(legend_html([panel for panel in flat if panel is not None], state.marks, dark))
        st.html(f'<p class="pz-note">{hint}</p>')
    tray(flat, selected, [one.run for one in opened], NONCE)


@st.cache_resource(max_entries=16, show_spinner=False)
def _figures(
    key: str,
    classes: tuple[int, int, int],
    per_class: int,
    bias: bool,
    scale: str,
    marks: Marks,
    dark: bool,
    _cells: Cells,
) -> list[Any]:
    """A figure for each row of panels."""
    return [_figure(row, marks, dark) for row in _cells]


def _figure(row: Sequence[Panel | None], marks: Marks, dark: bool) -> Any:
    return ready(template_figure(row, columns=len(row), marks=marks, dark=dark, height=240, legend=False))


def _chart(
    state: State, frame: DeltaGenerator, number: int, cells: Cells, figures: Sequence[Any]
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
        config=LASSO,
        alt=alt_text(state, row),
    )
    found = selected_points(row, state.marks.errors, event["selection"]["points"])
    return [(number * len(row) + column, position) for column, position in found]
