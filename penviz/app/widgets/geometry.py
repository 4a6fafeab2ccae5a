"""The geometry of all classes under the grid: computed when it is unfolded, and then once a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from penviz.app.catalogue import Opened
from penviz.app.widgets.numbers import pair_table
from penviz.projection.split_statistics import SplitStatistics
from penviz.study.geometry import KEYS, Geometry, geometry_table, measure_geometry, no_room
from penviz.study.table import Table

WORDS = (
    "Over all classes, whichever three are drawn. Numbers in feature or weight units change with the "
    "scale of the features; all others do not. An interval is given where a number is a mean over "
    "examples, and takes the class means and the head as fixed."
)


@st.cache_resource(max_entries=32, show_spinner=False)
def _read_geometry(digests: tuple[str, ...], _splits: Mapping[str, SplitStatistics]) -> dict[str, Geometry]:
    """`measure_geometry` of one run; keyed by the digests of its files."""
    return measure_geometry(_splits)


def show_geometry(
    table: Table,
    titles: Sequence[str],
    opened: Sequence[Opened],
    summaries: Sequence[Mapping[str, SplitStatistics]],
) -> None:
    """A section that is folded at first.

    Args:
        table: of all numbers; titles: what each run is called.
        opened, summaries: the runs.
    """
    unfolded = st.expander("Geometry of all classes (neural collapse)", key="geometry", on_change="rerun")
    if unfolded.open:
        found = [
            _read_geometry(tuple(one.digests.values()), splits)
            for one, splits in zip(opened, summaries, strict=True)
        ]
        shown = geometry_table(table, summaries, found)
        sentence = " ".join([no_room(found), WORDS]).strip()
        unfolded.html(f'<p class="pz-note">{escape(sentence)}</p>' + pair_table(shown, titles, KEYS))
