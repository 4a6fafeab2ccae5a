"""The bundle beside a figure: points, numbers, caption and recipe, as bytes; nothing is read or drawn."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from penviz import InputError
from penviz.figures.methods import methods, methods_files
from penviz.metrics.target_vectors import Targets
from penviz.plot.screen import Marks
from penviz.projection.embedding import LinearMap
from penviz.projection.panel import POINT_WORDS, Panel
from penviz.projection.plane import Plane
from penviz.store.csv_text import csv_text
from penviz.store.runs import Run
from penviz.study.finding import Finding
from penviz.study.over_seeds import Side
from penviz.study.table import Table

COLUMNS = (
    "panel", "run", "split", "class", "label", "prediction", "index", "x", "y", "unit", "confidence", "kind",
)  # fmt: skip
"""Of points.csv: number of the panel in reading order; name and row of the label, row of the prediction, row
in the split's source; drawn units, feature units per drawn unit; largest probability over all classes, empty
where the network has no linear head."""

ARRAYS = (
    "xy", "labels", "predictions", "indices", "confidences", "kinds", "means_xy", "templates_xy",
    "boundaries", "ideal_xy", "limits", "unit", "classes", "class_indices",
)  # fmt: skip
"""Fields of a panel that go into points.npz, as panel<number>_<field>."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every file in a .zip, so that equal files make equal archives."""


@dataclass(frozen=True)
class Part:
    """One triple of a figure with all that is known of it.

    Attributes:
        grid: its panels, a row a run, None where a run lacks a split; table, finding: its numbers and what
            they say. names, label_smoothings, seeds, planes (or maps of another view): of its runs, in the
            order of the rows. notes: sentences that must stand beside it (penviz/store/run_activations.py).
            targets: kinds of the runs' targets, by default what alpha alone says.
        sides: where numbers are means over training seeds, the runs behind each of `names`; else empty.
    """

    grid: Sequence[Sequence[Panel | None]]
    table: Table
    finding: Finding
    names: Sequence[str]
    label_smoothings: Sequence[float | None]
    seeds: Sequence[int | None]
    planes: Sequence[Plane | LinearMap] = ()
    notes: Sequence[str] = ()
    targets: Sequence[str] = ()
    sides: Sequence[Side] = ()

    @property
    def kinds(self) -> list[str]:
        """Kind of the targets of each run, one of runs.TARGETS."""
        return list(self.targets) or [Targets.of(alpha).kind for alpha in self.label_smoothings]

    @property
    def panels(self) -> list[Panel]:
        """In reading order."""
        return [panel for row in self.grid for panel in row if panel is not None]


def bundle(
    parts: Sequence[Part],
    *,
    figures: Mapping[str, bytes],
    recipe: str,
    marks: Marks | None = None,
    bold_best: bool = False,
    corner: Sequence[str] = (),
    runs: Sequence[Run] = (),
) -> dict[str, bytes]:
    """Everything that goes with a figure: file name -> bytes, the same bytes for the same arguments.

    Args:
        parts: a triple each, in the order of the figure; figures: file name -> bytes, those of one
            figure in several formats; recipe: YAML that makes the figures again; marks: what they show;
        bold_best: of the table (`booktabs`); corner: keys of the numbers in its panels; runs: of the figure.

    Raises:
        InputError: a figure with the name of another file of the bundle.
    """
    from penviz.figures.bundle_words import booktabs, caption, measured

    data = {
        "points.csv": points_csv([panel for part in parts for panel in part.panels]).encode(),
        "points.npz": points_npz(parts),
        "numbers.json": numbers_json(parts).encode(),
        "numbers.tex": "\n".join(booktabs(part, bold_best) for part in parts).encode(),
    }
    return with_words(
        figures, data, recipe, caption(parts, marks or Marks(), corner), methods(runs, measured(parts))
    )


def with_words(
    figures: Mapping[str, bytes], data: Mapping[str, bytes], recipe: str, words: str, about: str
) -> dict[str, bytes]:
    """The files of a bundle: figures, the data behind them, their recipe, a caption, and methods.

    Args:
        figures, data: file name -> bytes; recipe: YAML; words: of the caption; about: the methods, with
            citations (`methods`).

    Raises:
        InputError: a figure with the name of another file of the bundle.
    """
    from penviz.figures.bundle_words import include_line, latex

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


def points_npz(parts: Sequence[Part]) -> bytes:
    """The panels as arrays, panel<number>_<field>, and the basis and origin of each run's plane or map.

    The feature of example x (with a 1 appended where the template holds the bias) is drawn at
    (x - origin) @ basis.T / unit.
    """
    arrays: dict[str, Any] = {}
    number = 0
    for part in parts:
        for row, plane in zip_longest(part.grid, part.planes):
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


def numbers_json(parts: Sequence[Part]) -> str:
    """Every number of every run, split and triple, with its words; null where it is undefined."""
    records = [
        {
            "classes": list(part.panels[0].classes),
            "bias": part.table.bias,
            "finding": asdict(part.finding),
            "notes": list(part.notes),
            "reference": part.names[part.table.reference],
            **(
                {"over_seeds": [{"runs": s.names, "seeds": s.seeds} for s in part.sides]}
                if part.sides
                else {}
            ),
            "runs": [
                {"name": name, "targets": kind, "label_smoothing": alpha, "seed": seed}
                for name, kind, alpha, seed in zip(
                    part.names, part.kinds, part.label_smoothings, part.seeds, strict=True
                )
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
                for panel in part.panels
            ],
            "numbers": {
                row.number.key: {
                    "label": row.number.label,
                    "meaning": row.number.meaning,
                    "unit": row.number.unit,
                    "values": dict(zip(part.names, map(dict, row.values), strict=True)),
                    "changes": {k: None if c is None else asdict(c) for k, c in row.changes.items()},
                    "intervals": dict(zip(part.names, map(dict, row.intervals), strict=False)),
                    "note": row.note,
                    "needs_full_pass": [n for n, p in zip(part.names, row.pending, strict=False) if p],
                }
                for row in part.table.rows
            },
        }
        for part in parts
    ]
    return json.dumps({"triples": _finite(records)}, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    """The same with null where a number is not finite: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
