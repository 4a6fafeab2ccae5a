"""What goes with a figure of charts: every series as CSV and as arrays, and the caption."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from penviz.figures.bundle import with_words
from penviz.figures.methods import methods
from penviz.projection.chart import Chart
from penviz.store.csv_text import csv_text
from penviz.store.runs import Run

COLUMNS = ("chart", "title", "series", "x_label", "y_label", "x", "y", "low", "high", "label")
"""Columns of series.csv; chart counts from 1, low and high are empty where there is no interval."""


def series_csv(charts: Sequence[Chart]) -> str:
    """Every value drawn, one a line, with columns as in COLUMNS; numbers read back as the same float64."""
    lines: list[tuple[object, ...]] = [COLUMNS]
    for number, chart in enumerate(charts, start=1):
        for series in chart.series:
            y_label = chart.second_label if series.second_axis else chart.y_label
            head = (number, chart.title, series.name, chart.x_label, y_label)
            ends = [series.low, series.high]
            for i in range(len(series.x)):
                bounds = ["" if end is None else _word(end[i]) for end in ends]
                label = series.labels[i] if series.labels else ""
                lines.append((*head, _word(series.x[i]), _word(series.y[i]), *bounds, label))
    return csv_text(lines)


def _word(value: float) -> str:
    """The shortest decimals that read back as the same float64; empty for a gap."""
    return repr(float(value)) if math.isfinite(value) else ""


def series_npz(charts: Sequence[Chart]) -> bytes:
    """The same as arrays: chart<number>_series<number>_<x, y, low, high, name>, counted from 1."""
    arrays: dict[str, Any] = {}
    for c, chart in enumerate(charts, start=1):
        arrays |= {f"chart{c}_title": chart.title, f"chart{c}_x_label": chart.x_label}
        arrays |= {f"chart{c}_y_label": chart.y_label, f"chart{c}_second_label": chart.second_label}
        for k, series in enumerate(chart.series, start=1):
            head = f"chart{c}_series{k}"
            arrays[f"{head}_name"] = series.name
            for name in ("x", "y", "low", "high"):
                if getattr(series, name) is not None:
                    arrays[f"{head}_{name}"] = getattr(series, name)
            if series.labels:
                arrays[f"{head}_labels"] = np.array(series.labels)
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    return target.getvalue()


def chart_caption(charts: Sequence[Chart], notes: Sequence[str] = ()) -> str:
    """A caption to begin from: what the charts say of themselves, each sentence once, then the notes."""
    return " ".join(dict.fromkeys([*(chart.about for chart in charts if chart.about), *notes]))


def chart_bundle(
    charts: Sequence[Chart],
    *,
    figures: Mapping[str, bytes],
    recipe: str,
    notes: Sequence[str] = (),
    runs: Sequence[Run] = (),
) -> dict[str, bytes]:
    """Everything that goes with a figure: file name -> bytes, the same bytes for the same arguments.

    Args:
        charts: as drawn; figures: file name -> bytes, of one figure in several formats; recipe: YAML that
            makes the figures again; notes: sentences that must stand beside the figure; runs: of the figure.

    Raises:
        InputError: a figure with the name of another file of the bundle.
    """
    data = {"series.csv": series_csv(charts).encode(), "series.npz": series_npz(charts)}
    words = chart_caption(charts, notes)
    return with_words(figures, data, recipe, words, methods(runs, chart_caption(charts)))
