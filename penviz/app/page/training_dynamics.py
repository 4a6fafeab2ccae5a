"""The page "Training dynamics": the collapse as a film, and its numbers over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

import streamlit as st

from penviz.app.catalogue import Group, Opened, digest_of
from penviz.app.run_selection import with_chosen_runs
from penviz.app.widgets.charts import show_charts
from penviz.app.widgets.command_lines import command_lines
from penviz.app.widgets.controls import choose_classes
from penviz.app.widgets.empty import show_too_few, show_warnings
from penviz.app.widgets.export import export_charts, export_film
from penviz.app.widgets.legend import legend_html
from penviz.app.widgets.page_head import STILL, head_html, page_head
from penviz.app.widgets.page_width import NARROW_PX, is_narrow
from penviz.app.widgets.share import share_figure
from penviz.app.widgets.train_here import train_here
from penviz.figures.charts.training import time_charts_of
from penviz.figures.new_figure import class_words
from penviz.figures.snapshot_animation import films_of
from penviz.metrics.tightness.triples import count_triples
from penviz.plot.chart_screen import chart_figure
from penviz.plot.chart_words import in_words
from penviz.plot.screen import Marks
from penviz.plot.snapshot_animation import WIDTH_PX, common_epochs, film_figure
from penviz.plot.theme import short_names
from penviz.projection.chart import Chart
from penviz.projection.snapshot_animation import Film, film_finding
from penviz.store.head import ActivationsError
from penviz.store.runs import Run
from penviz.store.snapshots import Snapshots, snapshots_path, splits_of
from penviz.study.animation_charts import film_charts

QUICK = 1000
"""Triples that are measured at every epoch without being asked for; 100 classes have 161,700."""

CURVE_PX = 235
"""Height of a row of curves."""

FRAME = (
    "Every epoch is drawn on the plane of the last epoch’s head, in its unit, on axes that cover 99.5 % of "
    "the last epoch’s points and the class means of all epochs. Only the features move: dashed lines, "
    "shading and stars are those of the last epoch throughout. "
    "Between snapshots, points are interpolated along straight lines, not measured."
)
CURVES = (
    "Curves: one step per snapshot, spaced like the slider; ρ/d as in the picture; accuracy, NLL, gap and "
    "spread over all classes, on the examples of the snapshots; the training loss over all images of an "
    "epoch, against the run’s own targets."
)


def show_training() -> None:
    """Draw the page for the runs chosen."""
    with_chosen_runs("training", _draw)
    train_here("training")


def _draw(group: Group, opened: list[Opened]) -> None:
    if len(group.class_names) < 3:
        show_too_few(group.name)
        return
    with st.sidebar:
        classes = choose_classes(group, range(len(group.class_names)))
    marks = Marks()
    warnings: list[str] = []
    runs = [one.run for one in opened if splits_of(one.run)]
    without = [one.run.name for one in opened if not splits_of(one.run)]
    read = {run.name: _read(run, warnings) for run in runs}
    runs = [run for run in runs if read[run.name]]
    if not runs:
        _none(opened)
        show_warnings(warnings)
        return
    if without:
        verb = "has" if len(without) == 1 else "have"
        warnings.append(f"{', '.join(without)} {verb} no snapshots and cannot be played.")
    films = _built(_digest(runs, read), classes, runs, read)
    options = {"classes": list(class_words(classes, group.class_names))}
    with page_head(film_finding(films), _detail(films)):
        share_figure(runs, "over-training", options)
        export_film(runs, films, classes, group.class_names, marks)
    show_warnings(warnings)
    names = short_names([film.label_smoothing for film in films], [film.run for film in films])
    charts = film_charts(films, [run.record.get("history") or [] for run in runs], names)
    dark = st.context.theme.type == "dark"
    width = NARROW_PX if is_narrow() else WIDTH_PX
    columns = 1 if is_narrow() else 3
    curves = chart_figure(charts, columns=columns, dark=dark, height=CURVE_PX * -(-len(charts) // columns))
    if not common_epochs(films):
        show_warnings(["These runs have no snapshot epoch in common: choose one of them."])
        return
    figure = film_figure(films, curves, marks=marks, dark=dark, width=width)
    panels = [panels[-1] for film in films for panels in film.panels.values()]
    st.html(legend_html(panels, marks, dark, crosses=False))
    st.html(f"<style>.st-key-film {{ --tall: {figure.layout.height / width:.4f}; }}</style>")
    with st.container(key="film"):
        alt = in_words(charts)
        st.plotly_chart(figure, theme=None, key="film-chart", config=STILL, height="stretch", alt=alt)
    with st.container(width=180, key="curves-out"):
        shown = [one for one in opened if one.run in runs]
        export_charts(shown, {"over-training": (options, charts)}, key="export-curves", label="Export curves")
    _all_triples(shown, {run.name: read[run.name] for run in runs}, len(group.class_names))
    st.html(f'<p class="pz-foot">{escape(FRAME)} {escape(CURVES)}</p>')


def _all_triples(shown: Sequence[Opened], read: dict[str, dict[str, Snapshots]], n_classes: int) -> None:
    """rho/d of every triple over the training; at once where that is quick, else when asked for."""
    help = "The median triple with its quartiles, on a log scale of the epoch. Many classes take a minute."
    quick = count_triples(n_classes) <= QUICK
    if not st.toggle("ρ/d of all triples", quick, key=f"all-triples-{quick}", help=help):
        return
    runs = [one.run for one in shown]
    charts = _timed(_digest(runs, read), runs, read)
    show_charts(charts, "all-triples", config=STILL, columns=len(charts), height=300)
    with st.container(width=180, key="triples-out"):
        export_charts(shown, {"training-time": ({}, charts)}, key="export-triples", label="Export triples")


@st.cache_resource(max_entries=16, show_spinner="Measuring all triples…")
def _timed(digest: str, _runs: Sequence[Run], _read: dict[str, dict[str, Snapshots]]) -> tuple[Chart, ...]:
    """The charts of all triples, keyed like the films."""
    return time_charts_of(_runs, [_read[run.name] for run in _runs])


def _read(run: Run, warnings: list[str]) -> dict[str, Snapshots]:
    """Snapshots of a run by split; what cannot be read is said."""
    found = {}
    for split in splits_of(run):
        path = snapshots_path(run.directory, split)
        try:
            found[split] = replace(read_snapshots(path, digest_of(path)), run=run.name)
        except (ActivationsError, OSError) as error:
            warnings.append(f"{run.name}, {split}: {error}")
    if len({snapshots.epochs.tobytes() for snapshots in found.values()}) > 1:
        warnings.append(f"{run.name}: its snapshots of train and validation are of different epochs.")
        return {}
    return found


@st.cache_resource(max_entries=16, show_spinner=False)
def read_snapshots(path: Path, digest: str) -> Snapshots:
    """One file of snapshots; `digest` is its `digest_of`. Raises ActivationsError."""
    return Snapshots.load(path)


def _digest(runs: Sequence[Run], read: dict[str, dict[str, Snapshots]]) -> str:
    """Changes with the targets and the snapshots of some runs."""
    return "|".join(
        f"{run.name}:{run.config!r}:{digest_of(snapshots_path(run.directory, split))}"
        for run in runs
        for split in read[run.name]
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _built(
    digest: str, classes: tuple[int, int, int], _runs: Sequence[Run], _read: dict[str, dict[str, Snapshots]]
) -> list[Film]:
    """Films keyed by the digests of their files and the targets of their runs."""
    return films_of(_runs, [_read[run.name] for run in _runs], classes)


def _detail(films: Sequence[Film]) -> str:
    epochs = common_epochs(films)
    counts = {sum(panels[-1].n_stored) for film in films for panels in film.panels.values()}
    m = f"{counts.pop():,} " if len(counts) == 1 else ""
    return (
        f"{len(epochs)} snapshots, each of the same {m}examples of three classes per split. "
        "ρ/d is that of the picture: radius of the clusters over the distance between them."
    )


def _none(opened: Sequence[Opened]) -> None:
    names = " and ".join(one.run.name for one in opened)
    sentence = (
        "An animation needs features saved during training: train with --snapshots, as below. The weights "
        "are the same to the bit with and without it."
    )
    st.html(head_html(f"No snapshots of {names}.", sentence))
    command = "penviz train cifar10 tutorial_alexnet --snapshots 15 --out runs/filmed"
    st.code(command_lines(command), language="bash", wrap_lines=True)
