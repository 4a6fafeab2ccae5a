"""The first page for runs with two classes: two densities along one axis in place of a plane."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from penviz.app.catalogue import Group, Opened
from penviz.app.style import SCROLLER
from penviz.app.widgets.charts import show_charts
from penviz.app.widgets.controls import URL, heading
from penviz.app.widgets.export import export_charts
from penviz.app.widgets.page_head import page_head
from penviz.app.widgets.share import figure_command, share
from penviz.figures.charts.two_classes import charts_of, names_of
from penviz.metrics.wording import three
from penviz.projection.two_classes import SCALES, TwoClasses
from penviz.store.runs import SPLITS
from penviz.study.finding import Compared
from penviz.study.tightness_finding import axis_finding

ROW_PX = 300


def choose_axis() -> str:
    """The sidebar of two classes: the unit of the axis."""
    heading("Scale")
    scale = st.segmented_control(
        "Scale",
        list(SCALES),
        format_func=SCALES.__getitem__,
        default="distance",
        required=True,
        key="axis",
        bind=URL,
        label_visibility="collapsed",
        help="distance = 1: each run divided by the distance between its class means on train, so that "
        "widths on screen are ρ/d; logit difference: in nats, where label smoothing 0.1 has its optimum at "
        "2.944, and half the difference of squared distances for a network without a linear head.",
    )
    return scale or "distance"


def draw_two_classes(opened: Sequence[Opened], scale: str, groups: Sequence[Group]) -> None:
    """Finding, densities, numbers and provenance of runs with two classes.

    Args:
        opened: at least one, each with activations; scale: one of SCALES; groups: of the catalogue.

    Raises:
        InputError: templates that are equal, or a class without examples.
    """
    runs = [one.run for one in opened]
    found = [
        {split: TwoClasses.of(one.splits[split]) for split in SPLITS if split in one.splits} for one in opened
    ]
    finding = axis_finding(Compared.of(runs), found)
    titles = names_of(runs, found)
    charts = charts_of(runs, found, scale)
    columns = max(map(len, found))
    with page_head(finding.headline, finding.detail):
        share(runs, figure_command(runs, "two-classes", {"scale": scale}), groups)
        splits = [split for split in SPLITS if any(split in own for own in found)]
        options = {"splits": splits, "scale": scale}
        export_charts(opened, {"two-classes": (options, charts)}, key="export-two-classes")
    height = 40 + ROW_PX * -(-len(charts) // columns)
    show_charts(charts, "two-classes", said=finding.headline, columns=columns, height=height)
    st.html(_table(found, titles))
    notes = [note for one in opened for note in one.notes]
    foot = " ".join([*(chart.about for chart in charts), *notes])
    st.html(f'<p class="pz-foot">{escape(foot)}</p>')


def _table(found: Sequence[dict[str, TwoClasses]], titles: Sequence[str]) -> str:
    units = {two.unit for splits in found for two in splits.values()}
    one = f", {next(iter(units))}" if len(units) == 1 else ""  # else a cell says its own
    heads = ("run", "split", "ρ/d", "95 %", f"radius{one}", f"distance{one}", "accuracy")
    head = "".join(f"<th>{word}</th>" for word in heads)
    body = []
    for splits, title in zip(found, titles, strict=True):
        for split, two in splits.items():
            span = two.interval()
            bounds = f"{three(span[0])} to {three(span[1])}" if span else "–"
            own = "" if one else f" {two.unit}"
            lengths = [f"{three(v)}{own}" for v in (two.radius, two.distance)]
            words = [title, split, three(two.rho_d), bounds, *lengths, three(two.accuracy)]
            body.append(f"<tr>{''.join(f'<td>{escape(word)}</td>' for word in words)}</tr>")
    table = f'<table class="pz-table"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    return f"{SCROLLER}{table}</div>"
