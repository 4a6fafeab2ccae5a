"""A film as one Plotly figure: panels with a slider and a play button, and curves with the epoch marked.

All epochs are sent once; the browser moves the points by itself. Between two epochs that were kept they move
on straight lines, which are no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from penviz.plot.animation_controls import film_controls, put_below
from penviz.plot.frame import BAR_PX, Cell, axes, head_px, heading, scale_bar
from penviz.plot.screen import Marks, boundary_shapes, overlay_traces
from penviz.plot.shading import under_image
from penviz.plot.theme import CLASS_COLOURS, CLASS_SHAPES, Ink, as_written, blank, ink
from penviz.projection.panel import CORRECT, Panel
from penviz.projection.snapshot_animation import Film

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MEAN = "class mean"
DIGITS = 4
"""Decimals of a coordinate: a ten-thousandth of the distance between the class means."""

WIDTH_PX = 954
"""Width of the figure at which panels fill their cells; the page lets its height grow with its width."""

READOUT_PX, SLIDER_PX, SIDE_PX = BAR_PX + 18, 54, 12
"""Height of the two lines under a panel, of the slider with its labels; the margin at the sides."""

HOLLOW = "rgba(0,0,0,0)"
"""Fill of a wrong prediction, whichever class it names."""

GAP = 0.02
"""Space between two columns as a share of the figure's width."""


def film_figure(
    films: Sequence[Film],
    curves: Figure | None = None,
    *,
    marks: Marks | None = None,
    dark: bool = False,
    width: int = WIDTH_PX,
) -> Figure:
    """Panels of all runs and splits, four a row (two where it is narrow), under a slider, over curves.

    Runs are shown at the same epochs, those that all of them kept.

    Args:
        films: of one triple of classes (`build_films`).
        curves: a figure of `chart_figure` whose x axes are epochs; a line in each marks the epoch shown.
        marks: what is drawn beside the points.
        dark: for a dark page.
        width: pixels at which panels fill their cells.

    Raises:
        ValueError: no films, or no epoch that all of them kept.
    """
    from plotly.graph_objects import Figure

    epochs = common_epochs(films)
    if not epochs:
        raise ValueError("There is no epoch that all of the runs kept.")
    marks, colours = marks or Marks(), ink(dark)
    strips = [
        [panels[film.epochs.index(e)] for e in epochs] for film in films for panels in film.panels.values()
    ]
    narrow = width < WIDTH_PX
    columns = 2 if narrow else max(3, min(4, len(strips)))
    side = round((1 - GAP * (columns - 1)) / columns * (width - 2 * SIDE_PX))
    below = int(curves.layout.height) if curves is not None else 0
    head = head_px([_titled(strip[-1]) for strip in strips], narrow)
    row = head + side + READOUT_PX
    free = -(-len(strips) // columns) * row - head + below
    cells = _cells(len(strips), columns, (side / free, row / free))
    layout: dict[str, Any] = {
        "height": SLIDER_PX + head + free + 1,
        "margin": {"l": SIDE_PX, "r": SIDE_PX, "t": SLIDER_PX + head, "b": 1},
        **blank(colours),
        "dragmode": "pan",
        "showlegend": curves is not None,
        "annotations": [],
        "shapes": [],
        "images": [],
    }
    fixed: list[dict[str, Any]] = []
    stars: list[dict[str, Any]] = []
    moving: list[list[dict[str, Any]]] = [[] for _ in epochs]
    for strip, cell in zip(strips, cells, strict=True):
        final = strip[-1]
        both = axes(final, cell, cell, colours)
        for axis in both.values():
            axis["fixedrange"] = True
        both[cell.xaxis]["constraintoward"] = "center"
        layout |= both
        bar, length = scale_bar(final, cell, colours)
        layout["shapes"].append(bar)
        layout["annotations"] += [length, heading(_titled(final), cell, colours, narrow)]
        if (picture := under_image(final, cell.x, cell.y, marks.shading)) is not None:
            layout["images"].append(picture)
        if marks.boundaries:
            layout["shapes"] += boundary_shapes(final, cell, colours.line)
        own_stars = overlay_traces(final, cell, replace(marks, means=False), colours)
        stars += own_stars
        for number, panel in enumerate(strip):
            # A frame names the stars too, though they stay: the browser puts what it does not name below.
            said = "" if narrow else f"epoch {epochs[number]}   "
            moving[number] += [*_picture(panel, cell, marks, colours, said), *own_stars]
    pixels = width, below, free
    lines = put_below(layout, fixed, curves, epochs, pixels, colours) if curves is not None else []
    for number, shown in enumerate(moving):
        shown += [line | {"x": [number, number]} for line in lines]
    # Painted in this order: curves, examples, the stars that they would hide, the class means over all.
    still = [*map(id, stars)]
    examples = [trace for trace in moving[-1] if trace["name"] != MEAN and id(trace) not in still]
    means = [trace for trace in moving[-1] if trace["name"] == MEAN]
    data = [*fixed, *examples, *stars, *means]
    traces = [next(n for n, one in enumerate(data) if one is trace) for trace in moving[-1]]
    frames = [
        {"name": str(epoch), "data": [_moved(trace) for trace in data], "traces": traces}
        for epoch, data in zip(epochs, moving, strict=True)
    ]
    layout |= film_controls(epochs, head, width, colours)
    return Figure({"data": data, "layout": layout, "frames": frames}, _validate=False)


def common_epochs(films: Sequence[Film]) -> list[int]:
    """Epochs that all of some films have, ascending."""
    return sorted(set.intersection(*(set(film.epochs) for film in films))) if films else []


def _cells(n: int, columns: int, high: tuple[float, float]) -> list[Cell]:
    """Cells of n panels in reading order; high: a panel and a row of them, shares of the figure's height."""
    width = (1 - GAP * (columns - 1)) / columns
    made = []
    for i in range(n):
        line, column = divmod(i, columns)
        number = str(i + 1) if i else ""
        top = 1 - line * high[1]
        left = column * (width + GAP)
        across = round(left, 5), round(min(left + width, 1), 5)
        made.append(Cell(f"x{number}", f"y{number}", *across, round(top - high[0], 5), round(top, 5)))
    return made


def _titled(panel: Panel) -> Panel:
    """What its heading says: the accuracy changes and stands under the panel."""
    return replace(panel, metrics={}, epoch=None)


def _picture(panel: Panel, cell: Cell, marks: Marks, colours: Ink, epoch: str) -> list[dict[str, Any]]:
    """What moves: the examples of each class, the class means, and the line under the panel, epoch first."""
    own = {"xaxis": cell.x, "yaxis": cell.y, "showlegend": False}
    made = []
    for k, (name, colour, shape) in enumerate(
        zip(map(as_written, panel.classes), CLASS_COLOURS, CLASS_SHAPES, strict=True)
    ):
        chosen = np.flatnonzero(panel.labels == k)
        kinds = panel.kinds[chosen] if marks.errors else np.full(len(chosen), CORRECT)
        # hollow by its fill and not by another symbol: a browser cannot turn one outline into the other
        fills = np.where(kinds == CORRECT, colour, HOLLOW)
        made.append(
            own
            | {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": np.round(panel.xy[chosen, 0].astype(np.float64), DIGITS).tolist(),
                "y": np.round(panel.xy[chosen, 1].astype(np.float64), DIGITS).tolist(),
                "ids": [str(i) for i in panel.indices[chosen].tolist()],
                "text": [as_written(panel.class_names[p]) for p in panel.predictions[chosen]],
                "marker": {
                    "color": fills.tolist(),
                    "size": 5.5,
                    "opacity": 0.75,
                    "symbol": shape,
                    "line": {"width": 1.2, "color": colour},
                },
                "hovertemplate": f"{panel.split} example %{{id}}<br>label <b>{name}</b><br>prediction "
                "<b>%{text}</b><extra></extra>",
            }
        )
    x0, x1, y0, _ = panel.limits
    inside = (x1 - x0) / 1000  # what lies on the edge may fall outside by rounding, and is not drawn
    said = f"{epoch}ρ/d {panel.metrics['rho_d']:.3f}   accuracy {panel.metrics['accuracy']:.3f}"
    outside = f"\u200b<br>{panel.n_outside} outside" if panel.n_outside else ""  # beside the scale bar
    if marks.means:
        plus = {"symbol": "cross", "size": 12, "color": colours.text, "opacity": 1}
        made.append(
            own
            | {
                "type": "scatter",
                "mode": "markers",
                "name": MEAN,
                "x": np.round(panel.means_xy[:, 0], DIGITS).tolist(),
                "y": np.round(panel.means_xy[:, 1], DIGITS).tolist(),
                "marker": plus | {"line": {"width": 1.5, "color": colours.page}},
                "text": [*map(as_written, panel.classes)],
                "hovertemplate": "class mean of <b>%{text}</b><extra></extra>",
            }
        )
    made.append(
        own
        | {
            "type": "scatter",
            "mode": "markers+text",  # an unseen marker holds the line off the frame
            "marker": {"size": 7, "opacity": 0},
            "name": "numbers",
            "x": [round(x0 + inside, DIGITS), round(x1 - inside, DIGITS)],
            "y": [round(y0 + inside, DIGITS)] * 2,
            "text": [said, outside],
            "textposition": ["bottom right", "bottom left"],
            "textfont": {"size": 12, "color": colours.note},
            "cliponaxis": False,
            "hoverinfo": "skip",
        }
    )
    return made


def _moved(trace: dict[str, Any]) -> dict[str, Any]:
    """The part of a trace that a frame changes."""
    moved: dict[str, Any] = {key: trace[key] for key in ("x", "y", "text") if key in trace}
    if trace["mode"] == "markers" and "ids" in trace:
        moved["marker"] = {"color": trace["marker"]["color"]}
    return moved
