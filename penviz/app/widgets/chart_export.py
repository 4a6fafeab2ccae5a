"""The way out to a paper for charts: the same choices, preview and files as for the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import Opened, path_word
from penviz.app.widgets.export import FORMATS, choose_place, offer_files, show_preview
from penviz.figures import chart_figure
from penviz.figures.bundle import zip_bytes
from penviz.figures.chart_spec import ChartRecipe
from penviz.figures.spec_yaml import versions
from penviz.projection.chart import Chart
from penviz.store.runs import Run

Made = tuple[Mapping[str, Any], tuple[Chart, ...]]
"""Options of a figure, and its charts as they are on screen."""


def export_charts(
    opened: Sequence[Opened], figures: Mapping[str, Made], *, key: str = "export", label: str = "Export"
) -> None:
    """The Export button of a page of charts.

    Args:
        opened: the runs drawn, in their order.
        figures: name in `charts.FIGURES` -> options and charts; a choice in the dialog where there are more.
        key, label: of the button, so that a page may have several.
    """
    icon = ":material/picture_as_pdf:"
    if st.button(label, type="primary", key=key, icon=icon, width="stretch", help="for a paper"):
        _dialog([one.run for one in opened], figures)


def chart_recipe(runs: Sequence[Run], figure: str, options: Mapping[str, Any], **choices: Any) -> ChartRecipe:
    """The recipe of a figure on screen; choices: the fields of a ChartRecipe that only a paper has."""
    named = tuple(chart_figure.describe_run(run, path_word(run), figure, options) for run in runs)
    return ChartRecipe(figure, named, options, versions=versions(), **choices)


@st.cache_resource(max_entries=20, show_spinner=False)
def _drawn(text: str, format: str, _recipe: ChartRecipe, _charts: tuple[Chart, ...]) -> bytes:
    """One file of the figure, keyed by the text of its recipe, which names all files by content."""
    return chart_figure.draw(_recipe, _charts, format)


@st.dialog("Export for a paper", width="large")
def _dialog(runs: Sequence[Run], figures: Mapping[str, Made]) -> None:
    """Choices, the figure as it will be written, and the files."""
    left, middle, right = st.columns(3)
    name = next(iter(figures))
    if len(figures) > 1:
        name = left.selectbox("Figure", list(figures), key="paper-figure")
    venue, width = choose_place(left, middle)
    format = middle.selectbox("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="format")
    wanted = right.selectbox(
        "Charts a row", [0, 1, 2, 3, 4], format_func=lambda n: str(n or "as many as fit"), key="chart-columns"
    )
    letters = right.toggle("panel letters", True, key="letters")
    options, made = figures[name]
    try:
        recipe = chart_recipe(
            runs, name, options, venue=venue, width=width, letters=letters, columns=wanted or None
        )
        preview = _drawn(recipe.to_yaml(), "png", recipe, made)
    except InputError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    show_preview(preview, recipe.dpi)
    offer_files(
        format,
        lambda: _drawn(recipe.to_yaml(), format, recipe, made),
        lambda: zip_bytes(chart_figure.pack(recipe, runs, made, [format], "figure")),
        recipe.to_yaml(),
        "Bundle: figure, series, caption (.zip)",
    )
