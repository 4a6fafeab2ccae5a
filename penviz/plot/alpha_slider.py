"""The alpha slider as one Plotly figure: in the browser it moves the points through trained networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penviz.plot.frame import FOOT_PX, LINE_PX, Cell, axes, cells, head_px, notes, scale_bar
from penviz.plot.screen import Marks
from penviz.plot.theme import CLASS_COLOURS, CLASS_SHAPES, Ink, as_written, blank, ink
from penviz.projection.alpha_slider import AlphaSlider, Stop
from penviz.projection.panel import CORRECT, INSIDE, OUTSIDE, Panel

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SLIDER_PX = 92
"""Height of the slider under the panels."""

ROW_PX = 453
"""Height of a row of panels, with what stands above and below each."""

TURN_MS = 450
"""How long the points travel from one network to the next."""


def alpha_slider_figure(
    slider: AlphaSlider,
    *,
    marks: Marks | None = None,
    dark: bool = False,
    columns: int | None = None,
) -> Figure:
    """The splits, a slider over alpha under them, a button that plays the trained networks.

    Args:
        slider: what is drawn; marks: beside the points; there is no shading and there are no templates.
        dark: for a dark page.
        columns: panels a row; if not given, the splits stand side by side.
    """
    from plotly.graph_objects import Figure

    marks = marks or Marks()
    colours = ink(dark)
    head = head_px(slider.panels[0]) + LINE_PX  # a line more between two networks
    n = len(slider.panels[0])
    columns = columns or n
    height = ROW_PX * -(-n // columns) + SLIDER_PX
    grid = cells(n, columns, height - SLIDER_PX, head)
    first = slider.stops[0]
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 30, "t": head, "b": FOOT_PX + SLIDER_PX},
        **blank(colours),
        "dragmode": "pan",
        "showlegend": False,
        "shapes": [],
        **_words(slider, first, grid, colours),
        "sliders": [_slider(slider, 0.06 if columns > 1 else 0.15, colours)],
        "updatemenus": [_play(slider, colours)],
    }
    for panel, cell in zip(slider.panels[first.network], grid, strict=True):
        layout.update(axes(panel, cell, grid[0], colours))
        layout["shapes"].append(scale_bar(panel, cell, colours)[0])
    frames = [
        {
            "name": _name(stop),
            "data": _traces(slider, stop, grid, marks, colours),
            "layout": _words(slider, stop, grid, colours),
        }
        for stop in slider.stops
    ]
    data = _traces(slider, first, grid, marks, colours)
    return Figure({"data": data, "layout": layout, "frames": frames}, _validate=False)


def _name(stop: Stop) -> str:
    return f"{stop.label_smoothing:g}"


def _traces(
    slider: AlphaSlider, stop: Stop, grid: list[Cell], marks: Marks, colours: Ink
) -> list[dict[str, Any]]:
    """For each split: lines, three classes of points, stars, means; the same traces at every place."""
    made: list[dict[str, Any]] = []
    for panel, cell, stars in zip(slider.panels[stop.network], grid, stop.stars, strict=True):
        if marks.boundaries:
            made.append(_lines(panel, cell, colours))
        for k in range(3):
            made += _points(panel, cell, k, marks.errors)
        plus = {
            "symbol": "cross",
            "size": 12,
            "color": colours.text,
            "line": {"width": 1.5, "color": colours.page},
        }
        star = {
            "symbol": "star",
            "size": 15,
            "color": colours.page,
            "line": {"width": 1.5, "color": colours.text},
        }
        if marks.optimum:
            made.append(_marks(f"optimum at α = {_name(stop)}", stars, panel, cell, star))
        if marks.means:
            made.append(_marks("class mean", panel.means_xy, panel, cell, plus))
    return made


def _points(panel: Panel, cell: Cell, k: int, errors: bool) -> list[dict[str, Any]]:
    """The examples of one class, a trace a kind; each keeps its id, so that it travels.

    A kind has one symbol in all networks: the browser cannot turn one symbol into another.
    """
    colour, shape = CLASS_COLOURS[k], CLASS_SHAPES[k]
    looks: dict[int, dict[str, Any]] = {
        CORRECT: {"symbol": shape, "size": 6, "opacity": 0.78},
        INSIDE: {"symbol": f"{shape}-open", "size": 7, "line": {"width": 1.3}},
        OUTSIDE: {"symbol": "x-thin-open", "size": 5.5, "line": {"width": 1.3}},
    }
    name = as_written(panel.classes[k])
    made = []
    for kind, look in looks.items():
        own = np.flatnonzero((panel.labels == k) & ((panel.kinds == kind) if errors else kind == CORRECT))
        own = own[np.argsort(panel.indices[own], kind="stable")]
        made.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": np.ascontiguousarray(panel.xy[own, 0], np.float32),
                "y": np.ascontiguousarray(panel.xy[own, 1], np.float32),
                "ids": [str(i) for i in panel.indices[own]],
                "marker": look | {"color": colour},
                "text": [as_written(panel.class_names[p]) for p in panel.predictions[own]],
                "hovertemplate": f"label <b>{name}</b><br>prediction <b>%{{text}}</b><extra></extra>",
                "xaxis": cell.x,
                "yaxis": cell.y,
            }
        )
    return made


def _marks(name: str, xy: Any, panel: Panel, cell: Cell, marker: dict[str, Any]) -> dict[str, Any]:
    """Three marks, or none of them at alpha 0, where hard targets have no optimum."""
    points = np.full((3, 2), np.nan) if xy is None else np.asarray(xy, np.float64)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": points[:, 0].astype(np.float32),
        "y": points[:, 1].astype(np.float32),
        "ids": list(panel.classes),
        "text": [*map(as_written, panel.classes)],
        "marker": marker | {"opacity": 1},
        "hovertemplate": f"{name} of <b>%{{text}}</b><extra></extra>",
        "xaxis": cell.x,
        "yaxis": cell.y,
    }


def _lines(panel: Panel, cell: Cell, colours: Ink) -> dict[str, Any]:
    """The three boundaries as one dashed line with gaps."""
    ends = np.full((3, 3, 2), np.nan)
    ends[:, :2] = np.asarray(panel.boundaries, np.float64)
    flat = ends.reshape(-1, 2)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "boundaries",
        "x": flat[:, 0].astype(np.float32),
        "y": flat[:, 1].astype(np.float32),
        "line": {"color": colours.line, "width": 1.1, "dash": "4px,3px"},
        "hoverinfo": "skip",
        "xaxis": cell.x,
        "yaxis": cell.y,
    }


def _words(slider: AlphaSlider, stop: Stop, grid: list[Cell], colours: Ink) -> dict[str, Any]:
    """What stands over and under the panels at one place of the slider."""
    said: list[dict[str, Any]] = []
    for panel, cell in zip(slider.panels[stop.network], grid, strict=True):
        lines = notes(panel, cell, colours)
        if not stop.trained:
            alpha = f"{panel.label_smoothing:g}" if panel.label_smoothing else "0"
            between = f"stars at α = {_name(stop)}; points of the nearest network, α = {alpha}"
            small = f'<span style="font-size:11px;color:{colours.text}"><b>{between}</b></span>'
            lines[0] = lines[0] | {"text": f"{lines[0]['text']}<br>{small}"}
        said += [*lines, scale_bar(panel, cell, colours)[1]]
    return {"annotations": said}


def _slider(slider: AlphaSlider, left: float, colours: Ink) -> dict[str, Any]:
    quiet = {"color": colours.note, "size": 11}
    return {
        "active": 0,
        "x": left,
        "len": 1 - left,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": FOOT_PX + 18, "b": 0},
        "currentvalue": {
            "prefix": "label smoothing α = ",
            "font": {"size": 14, "color": colours.text},
            "xanchor": "left",
            "offset": 6,
        },
        "font": quiet,
        "bgcolor": colours.frame,
        "activebgcolor": CLASS_COLOURS[0],
        "bordercolor": colours.note,
        "borderwidth": 1,
        "tickcolor": colours.note,
        "ticklen": 4,
        "minorticklen": 3,
        "transition": {"duration": TURN_MS, "easing": "cubic-in-out"},
        "steps": [
            {
                "label": f"<b>{_name(stop)}</b>" if stop.trained else _name(stop),
                "value": _name(stop),
                "method": "animate",
                "args": [[_name(stop)], _turning("immediate")],
            }
            for stop in slider.stops
        ],
    }


def _turning(mode: str, pause: int = 0) -> dict[str, Any]:
    return {
        "mode": mode,
        "frame": {"duration": TURN_MS + pause, "redraw": True},
        "transition": {"duration": TURN_MS, "easing": "cubic-in-out"},
    }


def _play(slider: AlphaSlider, colours: Ink) -> dict[str, Any]:
    """Through the trained networks, a moment at each."""
    names = [_name(stop) for stop in slider.stops if stop.trained]
    return {
        "type": "buttons",
        "showactive": False,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": FOOT_PX + 34, "r": 0},
        "bgcolor": "rgba(0,0,0,0)",
        "bordercolor": colours.frame,
        "font": {"color": colours.text, "size": 13},
        "buttons": [{"label": "▶", "method": "animate", "args": [names, _turning("immediate", 650)]}],
    }
