"""What the browser is sent: the grid's figure, and what its points are."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from penviz.plot.frame import FOOT_PX, head_px
from penviz.plot.screen import ALL_MARKS, point_groups, template_spec
from penviz.plot.shading import under_image
from penviz.plot.theme import CLASS_COLOURS, CLASS_SHAPES, CLASS_SIGNS, abbreviated, ink, targets_name
from penviz.projection.panel import Panel

PADS = {"left": 8, "right": 40, "gap": 40, "foot": FOOT_PX, "least": 210, "beside": 300, "above": 40}
"""Pixels around the panels: numbers, what stands beside the figure or above it."""


class Thumbnails(TypedDict):
    """Where a browser finds the thumbnails of a split, and how many tiles there are, in a row and in all."""

    url: str
    columns: int
    count: int


Sprites = Mapping[tuple[str, str], Thumbnails]
"""What there is of them, by run and split."""


def payload(cells: Sequence[Sequence[Panel | None]], sprites: Sprites, dark: bool) -> str:
    """The grid as JSON for panels.js, the same text whatever of its marks is shown.

    Args:
        cells: rows of panels, a row a run; None leaves a cell empty.
        sprites: the thumbnails, where there are any.
        dark: for a dark page.
    """
    flat = [panel for row in cells for panel in row]
    first = next(panel for panel in flat if panel is not None)
    figure = template_spec(flat, columns=len(cells[0]), marks=ALL_MARKS, dark=dark, legend=False)
    for trace in figure["data"]:
        trace |= {axis: _packed(trace[axis], np.float32) for axis in ("x", "y")}
        for key in ("customdata", "text", "hovertemplate", "unselected"):  # said by the page's own tooltip
            trace.pop(key, None)
    return json.dumps(
        {
            "figure": figure,
            "panels": _panels(cells, sprites),
            "source": "|".join(_sources(flat)),
            "unshaded": {f"x{n + 1 if n else ''}": _unshaded(p) for n, p in enumerate(flat) if p is not None},
            "splits": len(cells[0]),
            "classes": first.classes,
            "signs": CLASS_SIGNS,
            "colours": CLASS_COLOURS,
            "shapes": CLASS_SHAPES,
            "names": {int(k): first.class_names[k] for k in _named(flat)},
            "ink": asdict(ink(dark)),
            "pads": PADS | {"head": head_px(flat)},
        }
    )


def _unshaded(panel: Panel) -> str | None:
    """The picture under the points when the shading is off: the density of all, where there is one."""
    picture = under_image(panel, "x", "y", shaded=False)
    return None if picture is None else str(picture["source"])


def _named(panels: Sequence[Panel | None]) -> NDArray[np.int64]:
    """Classes that a tooltip may have to name, as rows of the head."""
    parts = [np.append(p.predictions, p.class_indices) for p in panels if p is not None]
    return np.unique(np.concatenate(parts))


def _panels(cells: Sequence[Sequence[Panel | None]], sprites: Sprites) -> list[dict[str, Any] | None]:
    """For each cell what its points are, in the order in which its traces hold them."""
    made: list[dict[str, Any] | None] = []
    flat = [panel for row in cells for panel in row if panel is not None]
    sources, names = _sources(flat), _names(flat)
    trace = 0
    for number, panel in enumerate(panel for row in cells for panel in row):
        if panel is None:
            made.append(None)
            continue
        groups = point_groups(panel)
        order = np.concatenate([positions for _, _, positions in groups]) if groups else np.arange(0)
        made.append(
            {
                "run": panel.run,
                "split": panel.split,
                "place": panel.place,
                "source": sources[_identity(panel)],
                "name": names[panel.run],
                "short": abbreviated(names[panel.run]),
                "row": number // len(cells[0]),
                "axis": str(number + 1) if number else "",
                "traces": list(range(trace, trace + len(groups))),
                "groups": [[k, kind, len(positions)] for k, kind, positions in groups],
                "indices": _packed(panel.indices[order], np.int32),
                "tiles": _packed(panel.rows[order], np.int32),
                "predictions": _packed(panel.predictions[order], np.int32),
                "confidences": _packed(np.nan_to_num(panel.confidences[order], nan=-1.0), np.float32),
                "class_indices": panel.class_indices,
                "limits": panel.limits,
                "sprite": sprites.get((panel.run, panel.split)),
            }
        )
        trace += len(groups)
    return made


def _identity(panel: Panel) -> str:
    """What says whether two panels show the same images: only equal data that have an identity do."""
    return f"{panel.split} {panel.dataset_id or 'of ' + panel.checkpoint_sha256 + panel.run}"


def _sources(panels: Sequence[Panel | None]) -> dict[str, str]:
    """Names of what images come from, by identity: the split, from the second one on with a number."""
    made: dict[str, str] = {}
    for panel in panels:
        if panel is not None and _identity(panel) not in made:
            count = sum(name.rstrip("0123456789") == panel.split for name in made.values())
            made[_identity(panel)] = f"{panel.split}{count + 1 if count else ''}"
    return made


def _names(panels: Sequence[Panel]) -> dict[str, str]:
    """What each run is called: its targets, or its own name where these are unknown or not its alone."""
    made = {panel.run: targets_name(panel.label_smoothing, panel.targets) for panel in panels}
    known = {panel.run: panel.targets != "unknown" for panel in panels}
    return {run: n if known[run] and [*made.values()].count(n) == 1 else run for run, n in made.items()}


def _packed(values: NDArray[Any], dtype: type[np.generic]) -> dict[str, str]:
    """An array as Plotly packs its own."""
    packed = np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<"))
    return {"dtype": np.dtype(dtype).str[1:], "bdata": base64.b64encode(packed.tobytes()).decode("ascii")}
