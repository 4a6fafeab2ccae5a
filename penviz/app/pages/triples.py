"""The page "Triples": all triples at once, which of them to look at, and where the chosen one ranks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import Group, Opened, directory_digest, read_catalogue, run_roots, summaries_of
from penviz.app.links import grid_query, triple_link
from penviz.app.run_selection import with_chosen_runs
from penviz.app.state import CLASS_KEYS, default_classes, presets, suffix
from penviz.app.widgets.controls import URL, heading
from penviz.app.widgets.empty import show_too_few
from penviz.app.widgets.export import export_charts
from penviz.app.words import plain
from penviz.figures.charts.calibrations import names_of
from penviz.figures.charts.triples import SHOWN, charts_of
from penviz.figures.new_figure import class_words
from penviz.metrics.tightness.finder import FINDS, HALVED, Ranking, find, value_words
from penviz.plot.chart_screen import chart_figure
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.runs import SPLITS, differences
from penviz.study.triple_chart import TriplePair
from penviz.study.triples_finding import describe_triples

MEANINGS = {
    "most-confused": "the examples of its classes are most often predicted as another of the three",
    "most-alike": "its templates point the same way (mean cosine about the mean of all)",
    "most-changed": "ρ/d differs most between the two runs, in either direction",
    "least-changed": "ρ/d differs least between the two runs",
}


def show_triples() -> None:
    """Draw the page for the runs chosen in the sidebar."""
    with_chosen_runs("triples", _draw)


def _draw(group: Group, opened: Sequence[Opened]) -> None:
    """Finding, chart, and the first ten triples with links."""
    if len(group.class_names) < 3:
        show_too_few(group.name)
        return
    runs = _two(opened)
    splits = [s for s in SPLITS if all(s in one.splits for one in runs)]
    if not splits:
        raise InputError("The two runs have no split in common: extract one.")
    with st.sidebar:
        how, split = _choices(len(runs), splits)
    summaries = [summaries_of(one)[split] for one in runs]
    names = names_of([one.run for one in runs])
    ranking = find(how, summaries, SHOWN)
    chosen = _chosen(group)
    if len(runs) == 2:
        pair = TriplePair.of(summaries[0], summaries[1])
        charts = charts_of(summaries, names, group.class_names, split, chosen, how)
        with st.container(horizontal=True, key="header", vertical_alignment="top", gap="medium"):
            said = describe_triples(
                pair,
                TriplePair.of(summaries[0], summaries[1], bias=False),
                names=names,
                class_names=group.class_names,
                chosen=chosen,
                split=split,
                differences=differences([one.run for one in runs]),
            )
            st.html(
                f'<h1 class="pz-finding">{escape(said.headline[:1].upper() + said.headline[1:])}</h1>'
                f'<p class="pz-detail">{escape(said.detail)}</p>'
            )
            with st.container(key="ways-out", width="content", gap="xsmall"):
                options = {
                    "split": split,
                    "classes": list(class_words(chosen, group.class_names)),
                    "find": how,
                }
                export_charts(runs, {"triples": (options, charts)})
        left, right = st.columns([3, 2], gap="large")
        dark = st.context.theme.type == "dark"
        left.plotly_chart(
            chart_figure(charts, dark=dark, height=560),
            theme=None,
            key="triples-chart",
            alt=charts[0].about,
            config={"displaylogo": False, "showSendToCloud": False, "plotlyServerURL": ""},
        )
        below = f"A point below the diagonal is a triple that {names[1]} draws tighter."
        left.html(f'<p class="pz-note">{escape(f"{charts[0].about} {below}")}</p>')
    else:
        right = st.container()
        st.html(
            '<h1 class="pz-finding">Which triples to look at</h1>'
            '<p class="pz-detail">Choose a second run to compare the tightness of all triples.</p>'
        )
    with right:
        _table(group, how, ranking, summaries, names)


def _two(opened: Sequence[Opened]) -> list[Opened]:
    """The runs compared: the hardest and the softest of those chosen, or the only one."""
    if len(opened) < 2:
        return list(opened)
    if len(opened) > 2:
        first, last = opened[0].run.name, opened[-1].run.name
        words = f"{len(opened)} runs are chosen; the first and the last are compared: {first}, {last}."
        st.html(f'<p class="pz-note">{escape(words)}</p>')
    return [opened[0], opened[-1]]


def _choices(n_runs: int, splits: Sequence[str]) -> tuple[str, str]:
    """How triples are found, and in which split."""
    offered = [how for how in FINDS if n_runs == 2 or not how.endswith("changed")]
    heading("Find triples that are")
    how = st.radio(
        "Find triples that are",
        offered,
        format_func=FINDS.__getitem__,
        key="find",
        bind=URL,
        label_visibility="collapsed",
    )
    heading("Split")
    split = st.segmented_control(
        "Split",
        splits,
        default=splits[-1],
        required=True,
        key="split",
        bind=URL,
        label_visibility="collapsed",
    )
    return how or offered[0], split or splits[-1]


def _chosen(group: Group) -> tuple[int, int, int]:
    """The triple that the grid shows, or would show."""
    roots = run_roots()
    alone = len(read_catalogue(roots, directory_digest(roots)).groups) == 1
    names = group.class_names
    rows = range(len(names))
    at = {f"{name} ({k})": k for k, name in enumerate(names)}
    query = grid_query()
    first = default_classes(presets(names, rows), rows)
    found = [
        at.get(next(iter(query.get(f"{key}{suffix(group, alone)}", [])), ""), first[place])
        for place, key in enumerate(CLASS_KEYS)
    ]
    return (found[0], found[1], found[2]) if len(set(found)) == 3 else first


def _table(
    group: Group, how: str, ranking: Ranking, summaries: Sequence[SplitStatistics], names: Sequence[str]
) -> None:
    """A line a triple: what it is ordered by, and a link to it in the plane."""
    meaning = MEANINGS[how]
    who = f" of {plain(names[0])}" if how in ("most-confused", "most-alike") and len(names) > 1 else ""
    st.markdown(f"**The {len(ranking.triples)} {FINDS[how]}**{who}: {meaning}.")
    if not len(ranking.triples):
        st.html('<p class="pz-note">There are none: this needs a head and examples of all classes.</p>')
        return
    for number, (triple, value) in enumerate(zip(ranking.triples.tolist(), ranking.values, strict=True), 1):
        with st.container(horizontal=True, vertical_alignment="center", key=f"triple-{number}", gap="small"):
            triple_link(group, triple, f"{number}. {', '.join(group.class_names[k] for k in triple)}")
            st.html(
                f'<span class="pz-value">{escape(value_words(how, float(value)).replace("-", "−"))}</span>',
                width="content",
            )
    note = f"Out of {ranking.among}. {HALVED if ranking.halved else ''} A link shows the triple in the plane."
    st.html(f'<p class="pz-note">{note}</p>')
