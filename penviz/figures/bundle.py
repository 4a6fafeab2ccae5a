"""The bundle beside a figure: data, numbers, caption, methods and recipe, as bytes; nothing is drawn."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

import numpy as np

from penviz import InputError
from penviz.figures.caption import caption, measured
from penviz.figures.latex_tables import booktabs, include_line, latex, sweep_table
from penviz.figures.methods import methods, methods_files
from penviz.figures.triple import Triple
from penviz.plot.screen import Marks
from penviz.projection.chart import Chart
from penviz.projection.panel import POINT_WORDS, Panel
from penviz.store.csv_text import csv_text
from penviz.store.runs import Run

COLUMNS = (
    "panel", "run", "split", "class", "label", "prediction", "index", "x", "y", "unit", "confidence", "kind",
)  # fmt: skip
"""Of points.csv: number of the panel in reading order; name and row of the label, row of the prediction, row
in the split's source; drawn units, feature units per drawn unit; largest probability over all classes, empty
where the network has no linear head."""

SERIES_COLUMNS = ("chart", "title", "series", "x_label", "y_label", "x", "y", "low", "high", "label")
"""Columns of series.csv; chart counts from 1, low and high are empty where there is no interval."""

ARRAYS = (
    "xy", "labels", "predictions", "indices", "confidences", "kinds", "means_xy", "templates_xy",
    "boundaries", "ideal_xy", "limits", "unit", "classes", "class_indices",
)  # fmt: skip
"""Fields of a panel that go into points.npz, as panel<number>_<field>."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every file in a .zip, so that equal files make equal archives."""


def bundle(
    triples: Sequence[Triple],
    *,
    figures: Mapping[str, bytes],
    recipe: str,
    marks: Marks | None = None,
    bold_best: bool = False,
    corner: Sequence[str] = (),
    runs: Sequence[Run] = (),
) -> dict[str, bytes]:
    """Everything that goes with a figure of planes: file name -> bytes, the same for the same arguments.

    Args:
        triples: in the order of the figure; figures: file name -> bytes, those of one
            figure in several formats; recipe: YAML that makes the figures again; marks: what they show;
        bold_best: of the table (`booktabs`); corner: keys of the numbers in its panels; runs: of the figure.

    Raises:
        InputError: a figure with the name of another file of the bundle.
    """
    data = {
        "points.csv": points_csv([panel for triple in triples for panel in triple.panels]).encode(),
        "points.npz": points_npz(triples),
        "numbers.json": numbers_json(triples).encode(),
        "numbers.tex": "\n".join(booktabs(triple, bold_best) for triple in triples).encode(),
    }
    words = caption(triples, marks or Marks(), corner)
    return _with_words(figures, data, recipe, words, methods(runs, measured(triples)))


def chart_bundle(
    charts: Sequence[Chart],
    *,
    figures: Mapping[str, bytes],
    recipe: str,
    notes: Sequence[str] = (),
    runs: Sequence[Run] = (),
    table: bool = False,
) -> dict[str, bytes]:
    """The same of a figure of charts.

    Args:
        charts: as drawn; notes: sentences that must stand beside the figure; table: whether the numbers are
            written as a LaTeX table too, for curves over one axis.
    """
    data = {"series.csv": series_csv(charts).encode(), "series.npz": series_npz(charts)}
    data |= {"numbers.tex": sweep_table(charts).encode()} if table else {}
    about = list(dict.fromkeys(chart.about for chart in charts if chart.about))
    words = " ".join(dict.fromkeys([*about, *notes]))
    return _with_words(figures, data, recipe, words, methods(runs, " ".join(about)))


def _with_words(
    figures: Mapping[str, bytes], data: Mapping[str, bytes], recipe: str, words: str, about: str
) -> dict[str, bytes]:
    """Figures, the data behind them, their recipe, a caption, and methods with citations.

    Raises:
        InputError: a figure with the name of another file of the bundle.
    """
    texts = {
        "recipe.yaml": recipe,
        "caption.txt": f"{words}\n",
        "caption.tex": f"{latex(words)}\n",
        "include.tex": include_line(list(figures)),
        **methods_files(about, latex),
    }
    files = dict(data) | {name: text.encode() for name, text in texts.items() if text}
    if taken := sorted(files.keys() & figures.keys()):
        raise InputError(f"The bundle has a {taken[0]} of its own: give the figure another name.")
    return dict(figures) | files


def points_csv(panels: Sequence[Panel]) -> str:
    """Every example drawn, one a line, columns as in COLUMNS; x and y are the float32 that are drawn."""
    lines: list[tuple[object, ...]] = [COLUMNS]
    for number, panel in enumerate(panels, start=1):
        rows = np.array(panel.class_indices)[panel.labels]
        names = [panel.class_names[k] for k in rows]
        n = len(names)
        confidences = zip(panel.confidences.tolist(), _shortest(panel.confidences), strict=True)
        lines += zip(
            [number] * n,
            [panel.run] * n,
            [panel.place] * n,
            names,
            rows.tolist(),
            panel.predictions.tolist(),
            panel.indices.tolist(),
            _shortest(panel.xy[:, 0]),
            _shortest(panel.xy[:, 1]),
            [repr(float(panel.unit))] * n,
            ["" if math.isnan(c) else word for c, word in confidences],
            [POINT_WORDS[kind] for kind in panel.kinds.tolist()],
            strict=True,
        )
    return csv_text(lines)


def _shortest(values: np.ndarray) -> list[str]:
    """The shortest decimals that read back as the same float32."""
    made: list[str] = np.asarray(values, np.float32).astype(str).tolist()
    return made


def points_npz(triples: Sequence[Triple]) -> bytes:
    """The panels as arrays, panel<number>_<field>, and the basis and origin of each run's plane or map.

    The feature of example x (with a 1 appended where the template holds the bias) is drawn at
    (x - origin) @ basis.T / unit.
    """
    arrays: dict[str, Any] = {}
    number = 0
    for triple in triples:
        for row, plane in zip_longest(triple.grid, triple.maps):
            for panel in row:
                if panel is None:
                    continue
                number += 1
                head = f"panel{number}"
                arrays |= {f"{head}_run": panel.run, f"{head}_split": panel.place}
                for name in ARRAYS:
                    if getattr(panel, name) is not None:
                        arrays[f"{head}_{name}"] = np.asarray(getattr(panel, name))
                if plane is not None:
                    arrays |= {f"{head}_basis": plane.basis, f"{head}_origin": plane.origin}
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    return target.getvalue()


def numbers_json(triples: Sequence[Triple]) -> str:
    """Every number of every run, split and triple, with its words; null where it is undefined."""
    records = [
        {
            "classes": list(triple.panels[0].classes),
            "bias": triple.table.bias,
            "finding": asdict(triple.finding),
            "notes": list(triple.notes),
            "reference": triple.names[triple.table.reference],
            **(
                {"over_seeds": [{"runs": s.names, "seeds": s.seeds} for s in triple.sides]}
                if triple.sides
                else {}
            ),
            "runs": [
                {
                    "name": one.name,
                    "targets": one.targets.kind,
                    "label_smoothing": one.run.config.label_smoothing,
                    "seed": one.run.seed,
                }
                for one in triple.runs
            ],
            "panels": [
                {
                    "run": panel.run,
                    "split": panel.split,
                    **({} if panel.epoch is None else {"epoch": panel.epoch}),
                    "n_shown": list(panel.n_shown),
                    "n_stored": list(panel.n_stored),
                    "n_total": list(panel.n_total),
                    "n_outside": panel.n_outside,
                    "seed": panel.seed,
                    "unit": panel.unit,
                    "scale": panel.scale,
                    "view": panel.view,
                    "class_means_as_templates": panel.class_means,
                    "metrics": dict(panel.metrics),
                    **({"half_widths": dict(panel.half_widths)} if panel.half_widths else {}),
                    "dataset_id": panel.dataset_id,
                    "checkpoint_sha256": panel.checkpoint_sha256,
                }
                for panel in triple.panels
            ],
            "numbers": {
                row.number.key: {
                    "label": row.number.label,
                    "meaning": row.number.meaning,
                    "unit": row.number.unit,
                    "values": dict(zip(triple.names, map(dict, row.values), strict=True)),
                    "changes": {k: None if c is None else asdict(c) for k, c in row.changes.items()},
                    "intervals": dict(zip(triple.names, map(dict, row.intervals), strict=False)),
                    "note": row.note,
                    "needs_full_pass": [n for n, p in zip(triple.names, row.pending, strict=False) if p],
                }
                for row in triple.table.rows
            },
        }
        for triple in triples
    ]
    return json.dumps({"triples": _finite(records)}, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    """The same with null where a number is not finite: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def series_csv(charts: Sequence[Chart]) -> str:
    """Every value drawn, one a line, columns as in SERIES_COLUMNS; numbers read back as the same float64."""
    lines: list[tuple[object, ...]] = [SERIES_COLUMNS]
    for number, chart in enumerate(charts, start=1):
        for series in chart.series:
            head = (number, chart.title, series.name, chart.x_label, chart.y_label)
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
        arrays |= {f"chart{c}_title": chart.title}
        arrays |= {f"chart{c}_x_label": chart.x_label, f"chart{c}_y_label": chart.y_label}
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


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """One .zip of some files, by rising name; equal files give equal bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return target.getvalue()
