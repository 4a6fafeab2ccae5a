"""The lower half of Clusters: all triples of classes, as a wall, as a scatter and as a matrix of classes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import Opened, key_of, study_of
from penviz.app.state import State
from penviz.app.widgets.controls import URL
from penviz.app.widgets.export import export_charts
from penviz.app.widgets.page_head import CONFIG, STILL
from penviz.app.widgets.triple_tiles import Tile, tile_wall, triple_tile
from penviz.figures.charts.stored_splits import names_of
from penviz.figures.charts.triples import charts_of
from penviz.figures.new_figure import class_words
from penviz.metrics.tightness.finder import FINDS, HALVED, Ranking, find, value_words
from penviz.plot.chart_screen import chart_figure
from penviz.plot.chart_words import in_words
from penviz.plot.class_matrix import class_matrix
from penviz.plot.theme import as_written
from penviz.store.runs import SPLITS
from penviz.study.triple_comparison import TripleComparison

MEANINGS = {
    "most-confused": "their examples are most often predicted as another of the three",
    "most-alike": "their templates point the same way (mean cosine about the mean of all templates)",
    "most-changed": "ρ/d differs most between the two runs, in either direction",
    "least-changed": "ρ/d differs least between the two runs",
}
TILES = 8
"""Tiles of the wall; the first is the current triple."""
SCATTER_PX = 440
_CHARTS = "triple-charts"


def triples_section(state: State, opened: Sequence[Opened], dark: bool) -> None:
    """Heading, wall, scatter with the panels of a chosen point, and the matrix.

    Args:
        state: of the page; opened: its runs, hard before soft; dark: for a dark page.
    """
    runs = [opened[0], opened[-1]] if len(opened) > 1 else list(opened)
    splits = [s for s in SPLITS if all(s in one.splits for one in runs)]
    if not splits:
        return
    if _CHARTS not in st.session_state:  # before the controls, which drop their defaults from the link
        st.session_state[_CHARTS] = any(key in st.query_params for key in ("find", "split"))
    with st.container(key="triples"):
        head = st.container(horizontal=True, key="triples-head", vertical_alignment="top", gap="medium")
        how, split = _choices(len(runs), splits)
        try:
            if len(runs) == 2:
                _of_two(state, runs, how, split, dark, head)
            else:
                with head:
                    _say("Other triples", "Choose a second run to compare the tightness of all triples.")
                _wall(state, runs, how, split, dark)
        except InputError as error:
            with head:
                _say("Other triples", str(error))


def _say(headline: str, detail: str) -> None:
    st.html(
        f'<h2 class="pz-second-finding">{escape(headline[:1].upper() + headline[1:])}</h2>'
        f'<p class="pz-detail">{escape(detail)}</p>'
    )


def _choices(n_runs: int, splits: Sequence[str]) -> tuple[str, str]:
    """How triples are found, and in which split."""
    offered = [how for how in FINDS if n_runs == 2 or not how.endswith("changed")]
    first = "most-changed" if n_runs == 2 else offered[0]
    with st.container(horizontal=True, vertical_alignment="bottom", key="find-triples"):
        how = st.segmented_control(
            "Show the triples that are",
            offered,
            format_func=FINDS.__getitem__,
            default=first,
            required=True,
            key="find",
            bind=URL,
        )
        split = st.segmented_control(
            "on the examples of", splits, default=splits[0], required=True, key="split", bind=URL
        )
    return how or first, split or splits[0]


@st.cache_resource(max_entries=16, show_spinner=False)
def _comparison(key: str, split: str, bias: bool, _runs: Sequence[Opened]) -> TripleComparison:
    return study_of(_runs).triples(split, bias)


def compared_triples(runs: Sequence[Opened], bias: bool) -> dict[str, TripleComparison]:
    """Split -> all triples of two runs; empty for other numbers of runs and where they cannot be compared."""
    found: dict[str, TripleComparison] = {}
    if len(runs) == 2:
        for split in SPLITS:
            if all(split in one.splits for one in runs):
                try:
                    found[split] = _comparison(key_of(runs), split, bias, runs)
                    found[split].pair  # noqa: B018  computed once, here where its error is caught
                except InputError:
                    return {}
    return found


@st.cache_resource(max_entries=64, show_spinner=False)
def _found(key: str, how: str, split: str, bias: bool, m: int, _runs: Sequence[Opened]) -> Ranking:
    """Triples of a kind in one run or two."""
    return find(how, [one.statistics[split] for one in study_of(_runs).runs], m, bias)


def _of_two(state: State, runs: Sequence[Opened], how: str, split: str, dark: bool, head: Any) -> None:
    found = _comparison(key_of(runs), split, state.bias, runs)
    first, second = names_of([one.run for one in runs])
    finding = found.finding(state.classes, (first, second))
    names, class_names = (first, second), state.group.class_names
    charts = charts_of(found.statistics, names, class_names, split, state.classes, how)
    with head:
        _say(finding.headline, finding.detail)
        options = {"split": split, "classes": list(class_words(state.classes, class_names)), "find": how}
        with st.container(width="content", key="triples-out"):
            export_charts(runs, {"triples": (options, charts)}, key="export-triples", label="Export triples")
    _wall(state, runs, how, split, dark)
    # The wall is light; these load Plotly, which the grid above should not wait for.
    label = "Scatter of all triples, and matrix of all pairs of classes"
    charted = st.expander(label, key=_CHARTS, on_change="rerun")
    if not charted.open:
        return
    with charted:
        left, middle, right = st.columns([5, 2, 5], gap="medium")
        with left:
            picked = _scatter(state, runs, found, charts, dark)
        with middle:
            most = int(abs(found.pair.change).argmax())
            _picked(state, runs, most if picked is None else picked, split, dark)
        with right:
            st.html('<h3 class="pz-chart-title">Each pair: median ρ/d of the triples with both classes</h3>')
            st.plotly_chart(
                _matrix(key_of(runs), split, state.bias, names, dark, found),
                theme=None,
                key="class-matrix",
                config=STILL,
                alt=_matrix_words(found, names, class_names),
            )
            st.html(
                f'<p class="pz-note">Below the diagonal {escape(first)}, above it {escape(second)}, '
                f"on {split}. Dark is tight.</p>"
            )


@st.cache_resource(max_entries=16, show_spinner=False)
def _matrix(
    key: str, split: str, bias: bool, names: tuple[str, str], dark: bool, _found: TripleComparison
) -> Any:
    class_names = _found.statistics[0].activations.class_names
    return class_matrix(_found.matrices, names, class_names, dark=dark, height=SCATTER_PX)


def _matrix_words(found: TripleComparison, names: tuple[str, str], class_names: Sequence[str]) -> str:
    """The least and the greatest value of each run."""
    said = []
    for name, ends in zip(names, found.extreme_pairs(), strict=True):
        low, high = (f"{v:.3f} for {class_names[i]} and {class_names[j]}" for v, i, j in ends)
        said.append(f"{name}: from {low} to {high}")
    return f"Matrix of the median ρ/d for each pair of classes. {'; '.join(said)}."


def _wall(state: State, runs: Sequence[Opened], how: str, split: str, dark: bool) -> None:
    """The current triple, then those found."""
    ranking = _found(key_of(runs), how, split, state.bias, TILES, runs)
    own = tuple(sorted(state.classes))
    tiles = [Tile(state.classes, "current triple", current=True)]
    for triple, value in zip(ranking.triples.tolist(), ranking.values, strict=True):
        if tuple(triple) != own:
            words = value_words(how, float(value)).replace("-", "−")
            tiles.append(Tile(tuple(triple), words))
    tile_wall(tiles[:TILES], state, runs, split, dark)
    names = names_of([one.run for one in runs])
    who = f" of {names[0]}" if how in ("most-confused", "most-alike") and len(names) > 1 else ""
    sides = f"Left {names[0]}, right {names[1]}. " if len(names) > 1 else ""
    note = (
        f"{sides}{FINDS[how].capitalize()}{who}: {MEANINGS[how]}; out of {ranking.among}. "
        f"{HALVED if ranking.halved else ''} A click shows the triple in the grid above."
    )
    st.html(f'<p class="pz-note">{escape(note)}</p>')


def _scatter(
    state: State, runs: Sequence[Opened], found: TripleComparison, charts: Any, dark: bool
) -> int | None:
    """All triples, first run against second; the place in the pair of the one that was clicked."""
    first, second = names_of([one.run for one in runs])
    st.html(f'<h3 class="pz-chart-title">Every triple: ρ/d of {escape(second)} against {escape(first)}</h3>')
    figure = chart_figure(charts, dark=dark, height=SCATTER_PX)
    class_names = state.group.class_names
    for at in found.outliers():
        triple = found.pair.triples[at]
        figure.add_annotation(
            x=float(found.pair.before[at]),
            y=float(found.pair.after[at]),
            text=as_written(", ".join(class_names[k] for k in triple)),
            showarrow=False,
            font={"size": 11},
            xanchor="right",
            xshift=-7,
        )
    event = st.plotly_chart(
        figure,
        theme=None,
        key="triples-chart",
        on_select="rerun",
        selection_mode="points",
        alt=in_words(charts),
        config=CONFIG,
    )
    st.html(f'<p class="pz-note">{escape(charts[0].about)} Below the line: tighter in {escape(second)}.</p>')
    point = next(iter(event["selection"]["points"]), None)
    return None if point is None else found.nearest(point["x"], point["y"])


def _picked(state: State, runs: Sequence[Opened], at: int, split: str, dark: bool) -> None:
    """The two panels of one triple, one above the other."""
    found = _comparison(key_of(runs), split, state.bias, runs)
    change = f"{100 * float(found.pair.change[at]):+.0f} %".replace("-", "−")
    st.html('<h3 class="pz-chart-title">A click on a point shows its two panels</h3>')
    tile = Tile(tuple(found.pair.triples[at].tolist()), change)
    triple_tile(tile, state, runs, split, dark, key="picked", alone=True)
