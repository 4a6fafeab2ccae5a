"""A film as one Plotly figure: panels with a slider and a play button, and curves with the epoch marked.

All epochs are sent once; the browser moves the points by itself. Between two epochs that were kept they move
on straight lines, which are no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from penviz.measure.film import Film
from penviz.measure.panel import CORRECT, Panel
from penviz.show.frame import Cell, axes, heading, scale_bar
from penviz.show.screen import Marks, boundary_shapes, overlay_traces
from penviz.show.shading import under_image
from penviz.show.theme import CLASS_COLOURS, CLASS_SHAPES, Ink, ink, rgb

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STEP_MS = 650
"""Milliseconds from one epoch to the next while it plays."""

MEAN = "class mean"
DIGITS = 4
"""Decimals of a coordinate: a ten-thousandth of the distance between the class means."""

PANEL_PX, READOUT_PX, SLIDER_PX, TOP_PX, SIDE_PX = 255, 22, 78, 8, 12
"""Height of a row of panels, of the line under it, of the slider with its labels; the margins."""

HOLLOW = "rgba(0,0,0,0)"
"""Fill of a wrong prediction, whichever class it names."""

GAP = 0.02
"""Space between two columns as a share of the figure's width."""


def film_figure(
    films: Sequence[Film], curves: Figure | None = None, *, marks: Marks | None = None, dark: bool = False
) -> Figure:
    """Panels of all runs and splits, four a row, over a slider, over curves.

    Runs are shown at the same epochs, those that all of them kept.

    Args:
        films: of one triple of classes (`build_films`).
        curves: a figure of `chart_figure` whose x axes are epochs; a line in each marks the epoch shown.
        marks: what is drawn beside the points.
        dark: for a dark page.

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
    columns = min(4, len(strips))
    rows = -(-len(strips) // columns)
    below = int(curves.layout.height) if curves is not None else 0
    height = TOP_PX + rows * (PANEL_PX + READOUT_PX) + SLIDER_PX + below
    free = height - TOP_PX - 1
    cells = _cells(len(strips), columns, free)
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": SIDE_PX, "r": SIDE_PX, "t": TOP_PX, "b": 1},
        "template": {},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "Source Sans, Source Sans Pro, sans-serif", "color": colours.note, "size": 12},
        "hovermode": "closest",
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
            axis |= {"showticklabels": False, "ticks": "", "fixedrange": True}
        both[cell.xaxis]["constraintoward"] = "center"
        layout |= both
        bar, length = scale_bar(final, cell, colours)
        layout["shapes"].append(bar)
        layout["annotations"] += [length, _heading(final, cell, colours)]
        if (picture := under_image(final, cell.x, cell.y, marks.shading)) is not None:
            layout["images"].append(picture)
        if marks.boundaries:
            layout["shapes"] += boundary_shapes(final, cell, colours.line)
        stars += overlay_traces(final, cell, replace(marks, means=False), colours)
        for number, panel in enumerate(strip):
            moving[number] += _picture(panel, cell, marks, colours, epochs[number])
    lines = _below(layout, fixed, curves, len(cells), below, free, colours) if curves is not None else []
    for number, epoch in enumerate(epochs):
        moving[number] += [line | {"x": [epoch, epoch]} for line in lines]
    # Painted in this order: curves, examples, the stars that they would hide, the class means over all.
    examples = [trace for trace in moving[-1] if trace["name"] != MEAN]
    means = [trace for trace in moving[-1] if trace["name"] == MEAN]
    data = [*fixed, *examples, *stars, *means]
    traces = [next(n for n, one in enumerate(data) if one is trace) for trace in moving[-1]]
    frames = [
        {"name": str(epoch), "data": [_moved(trace) for trace in data], "traces": traces}
        for epoch, data in zip(epochs, moving, strict=True)
    ]
    top = 1 - rows * (PANEL_PX + READOUT_PX) / free
    layout |= _controls(epochs, top, colours)
    return Figure({"data": data, "layout": layout, "frames": frames}, _validate=False)


def common_epochs(films: Sequence[Film]) -> list[int]:
    """Epochs that all of some films have, ascending."""
    return sorted(set.intersection(*(set(film.epochs) for film in films))) if films else []


def _cells(n: int, columns: int, free: int) -> list[Cell]:
    """Cells of n panels in reading order; free: height of the figure between its margins, pixels."""
    width = (1 - GAP * (columns - 1)) / columns
    made = []
    for i in range(n):
        row, column = divmod(i, columns)
        number = str(i + 1) if i else ""
        top = 1 - row * (PANEL_PX + READOUT_PX) / free
        left = column * (width + GAP)
        made.append(
            Cell(
                f"x{number}", f"y{number}", round(left, 5), round(min(left + width, 1), 5),
                round(top - PANEL_PX / free, 5), round(top, 5),
            )
        )  # fmt: skip
    return made


def _heading(panel: Panel, cell: Cell, colours: Ink) -> dict[str, Any]:
    """Targets, split and run; the accuracy changes and stands under the panel."""
    quiet = replace(panel, metrics={}, epoch=None)
    return {
        "text": heading(quiet, colours),
        "showarrow": False,
        "font": {"color": colours.text, "size": 12.5},
        "xref": f"{cell.x} domain",
        "yref": f"{cell.y} domain",
        "xanchor": "left",
        "yanchor": "top",
        "x": 0,
        "y": 1,
        "xshift": 3,
        "yshift": -2,
        "align": "left",
        "bgcolor": "rgba({},{},{},0.55)".format(*rgb(colours.page)),
        "borderpad": 2,
    }


def _picture(panel: Panel, cell: Cell, marks: Marks, colours: Ink, epoch: int) -> list[dict[str, Any]]:
    """What moves: the examples of each class, the class means, and the line under the panel."""
    own = {"xaxis": cell.x, "yaxis": cell.y, "showlegend": False}
    made = []
    for k, (name, colour, shape) in enumerate(zip(panel.classes, CLASS_COLOURS, CLASS_SHAPES, strict=True)):
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
                "text": [panel.class_names[p] for p in panel.predictions[chosen]],
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
    said = f"epoch {epoch}   ρ/d {panel.metrics['rho_d']:.3f}   accuracy {panel.metrics['accuracy']:.3f}"
    if panel.n_outside:
        said += f"   {panel.n_outside} outside"
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
                "text": list(panel.classes),
                "hovertemplate": "class mean of <b>%{text}</b><extra></extra>",
            }
        )
    made.append(
        own
        | {
            "type": "scatter",
            "mode": "text",
            "name": "numbers",
            "x": [round(x0 + inside, DIGITS)],
            "y": [round(y0 + inside, DIGITS)],
            "text": [said],
            "textposition": "bottom right",
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


def _below(
    layout: dict[str, Any],
    fixed: list[dict[str, Any]],
    curves: Figure,
    n_panels: int,
    height: int,
    free: int,
    colours: Ink,
) -> list[dict[str, Any]]:
    """Put the curves under the slider; returns the line in each chart that marks the epoch, without its x."""
    found = curves.to_plotly_json()
    theirs = found["layout"]
    margin = theirs["margin"]
    inner = height - margin["t"] - margin["b"] - 30
    legend = dict(theirs.get("legend") or {})

    def moved(name: str) -> str:
        return f"{name[0]}{n_panels + int(name[1:] or 1)}"

    def up(share: float) -> float:
        return round((margin["b"] + share * inner) / free, 5)

    left, right = margin["l"] / 1000, 1 - margin["r"] / 1000
    lines = []
    for key, axis in theirs.items():
        if key[:5] not in ("xaxis", "yaxis"):
            continue
        axis = dict(axis)
        if "anchor" in axis:
            axis["anchor"] = moved(axis["anchor"])
        if key[0] == "y":
            axis["domain"] = [up(share) for share in axis["domain"]]
            low, high = axis["range"]
            lines.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": "epoch shown",
                    "showlegend": False,
                    "y": [low, high],
                    "xaxis": axis["anchor"],
                    "yaxis": moved(f"y{key[5:]}"),
                    "line": {"color": colours.text, "width": 1},
                    "hoverinfo": "skip",
                }
            )
        else:
            axis["domain"] = [round(left + share * (right - left), 5) for share in axis["domain"]]
        layout[f"{key[:5]}{n_panels + int(key[5:] or 1)}"] = axis
    for note in theirs.get("annotations") or ():
        own = dict(note)
        for ref in ("xref", "yref"):
            axis_name, _, word = str(own[ref]).partition(" ")
            own[ref] = f"{moved(axis_name)} {word}".strip()
        layout["annotations"].append(own)
    for trace in found["data"]:
        own = {"xaxis": moved(trace.get("xaxis", "x")), "yaxis": moved(trace.get("yaxis", "y"))}
        fixed.append(dict(trace) | own)
    place = {"y": up(1) + margin["t"] / free, "yanchor": "bottom", "x": left, "xanchor": "left"}
    layout["legend"] = legend | place
    return lines


def _controls(epochs: Sequence[int], top: float, colours: Ink) -> dict[str, Any]:
    """Play, pause, and a step of the slider an epoch; the last is shown at first."""
    plain = {"redraw": False}
    play = {
        "frame": plain | {"duration": STEP_MS},
        "transition": {"duration": STEP_MS, "easing": "linear"},
        "fromcurrent": True,
        "mode": "immediate",
    }
    jump = {"frame": plain | {"duration": 200}, "transition": {"duration": 200}, "mode": "immediate"}
    halt = {"frame": plain | {"duration": 0}, "transition": {"duration": 0}, "mode": "immediate"}
    button = {"method": "animate"}
    return {
        "updatemenus": [
            {
                "type": "buttons",
                "direction": "left",
                "showactive": False,
                "x": 0,
                "xanchor": "left",
                "y": top,
                "yanchor": "top",
                "pad": {"t": 14, "r": 0},
                "bgcolor": colours.page,
                "bordercolor": colours.frame,
                "font": {"size": 13, "color": colours.text},
                "buttons": [
                    button | {"label": "▶ Play", "args": [None, play]},
                    button | {"label": "❚❚", "args": [[None], halt]},
                ],
            }
        ],
        "sliders": [
            {
                "active": len(epochs) - 1,
                "x": 0.13,
                "len": 0.87,
                "xanchor": "left",
                "y": top,
                "yanchor": "top",
                "pad": {"t": 12, "b": 0, "l": 6, "r": 6},
                "currentvalue": {"visible": False},
                "bgcolor": colours.frame,
                "activebgcolor": colours.note,
                "bordercolor": colours.frame,
                "tickcolor": colours.note,
                "font": {"size": 11, "color": colours.note},
                "minorticklen": 0,
                "ticklen": 4,
                "transition": {"duration": 0},
                "steps": [
                    {"label": str(epoch), "method": "animate", "args": [[str(epoch)], jump]}
                    for epoch in epochs
                ],
            }
        ],
    }
