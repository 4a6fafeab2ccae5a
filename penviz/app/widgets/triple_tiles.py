"""Triples as tiles: small panels over the names of the classes; a click shows them in the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from penviz.app.catalogue import Opened, key_of, study_of
from penviz.app.state import CLASS_KEYS, State
from penviz.app.words import plain
from penviz.plot.small_multiple import small_multiple
from penviz.plot.theme import CLASS_SIGNS
from penviz.projection.projection import distinct_names
from penviz.study.comparison import ComparisonOptions

PER_CLASS = 60
"""Examples drawn of a class in a tile."""


@dataclass(frozen=True)
class Tile:
    """One triple of a wall.

    Attributes:
        classes: rows of the head; words: under their names; current: it is the one in the grid.
    """

    classes: tuple[int, int, int]
    words: str
    current: bool = False


def tile_wall(tiles: Sequence[Tile], state: State, runs: Sequence[Opened], split: str, dark: bool) -> None:
    """All tiles, as many in a row as fit."""
    with st.container(key="wall"):
        for number, tile in enumerate(tiles):
            triple_tile(tile, state, runs, split, dark, key=f"{number}")


def triple_tile(
    tile: Tile,
    state: State,
    runs: Sequence[Opened],
    split: str,
    dark: bool,
    *,
    key: str,
    alone: bool = False,
) -> None:
    """The panels of a triple, its classes as a button, and what is said of it; larger where it is alone."""
    names = distinct_names(state.group.class_names)
    words = ", ".join(names[k] for k in tile.classes)
    with st.container(key=f"triple-{key}", gap=None):
        drawn = "".join(
            f'<img src="{source}" alt="">'
            for source in _drawn(key_of(runs), tile.classes, split, state.bias, dark, alone, runs)
        )
        st.html(f'<div class="pz-tile{" pz-current" if tile.current else ""}">{drawn}</div>')
        st.button(
            plain(words),
            key=f"show-triple-{key}",
            type="tertiary",
            disabled=tile.current,
            on_click=_show,
            args=(state, tile.classes),
        )
        signs = ""
        if alone:  # the tiles of a wall are too many for a legend each
            signs = " ".join(f"{sign} {names[k]}" for sign, k in zip(CLASS_SIGNS, tile.classes, strict=True))
            signs = f"<br>{escape(signs)}"
        st.html(f'<span class="pz-value">{escape(tile.words)}{signs}</span>')


def _show(state: State, classes: tuple[int, int, int]) -> None:
    """Let the three pickers hold the triple."""
    for key, k in zip(CLASS_KEYS, classes, strict=True):
        st.session_state[f"{key}{state.group.end}"] = k
    st.session_state[f"preset{state.group.end}"] = None


@st.cache_resource(max_entries=256, show_spinner=False)
def _drawn(
    key: str,
    classes: tuple[int, int, int],
    split: str,
    bias: bool,
    dark: bool,
    alone: bool,
    _runs: Sequence[Opened],
) -> list[str]:
    """One picture of all runs side by side, or one for each."""
    options = ComparisonOptions(PER_CLASS, bias=bias, splits=(split,))
    panels = study_of(_runs).compare(classes, options).panels
    if alone:
        return [small_multiple([panel], dark=dark, side=150) for panel in panels]
    return [small_multiple(panels, dark=dark, side=100)]
