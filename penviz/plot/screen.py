"""The grid of panels as one Plotly figure: one figure has locked axes, one toolbar and few WebGL canvases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penviz.plot.arrows import ARROW_ALPHA, arrow_strokes
from penviz.plot.frame import FOOT_PX, Cell, axes, cells, head_px, notes, scale_bar
from penviz.plot.shading import under_image
from penviz.plot.theme import CLASS_COLOURS, CLASS_SHAPES, Ink, as_written, blank, ink, rgb
from penviz.projection.loss_gradient import Arrows
from penviz.projection.panel import CORRECT, INSIDE, OUTSIDE, Panel
from penviz.projection.views import VIEWS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WEBGL_ABOVE = 5_000
"""Points in a panel above which it is drawn with WebGL; below it, SVG stays sharp when saved."""


@dataclass(frozen=True)
class Marks:
    """What is drawn beside the points.

    Attributes:
        means: a plus at each class mean; templates: a diamond at each row of the head; boundaries: dashed
            lines; optimum: a star where label smoothing wants each class; shading: the softmax restricted to
            the three classes; errors: wrong predictions hollow or crossed, else drawn as all the others;
            pull: arrows of the loss, where the panels have them.
    """

    means: bool = True
    templates: bool = False
    boundaries: bool = True
    optimum: bool = True
    shading: bool = True
    errors: bool = True
    pull: bool = False


ALL_MARKS = Marks(templates=True, pull=True)
"""All that can be shown: a browser that has it hides what is not wanted."""


def point_groups(panel: Panel, errors: bool = True) -> list[tuple[int, int, NDArray[np.int64]]]:
    """Points of a panel in the order in which they are drawn: errors last, on top.

    Args:
        panel: m examples.
        errors: whether wrong predictions are groups of their own.

    Returns:
        (class position, kind, positions in the panel), empty groups left out.
    """
    groups = []
    for kind in (CORRECT, INSIDE, OUTSIDE) if errors else (CORRECT,):
        for k in range(3):
            chosen = panel.labels == k
            if errors:
                chosen = chosen & (panel.kinds == kind)
            positions = np.flatnonzero(chosen)
            if len(positions):
                groups.append((k, kind, positions))
    return groups


def selected_points(
    panels: Sequence[Panel | None], errors: bool, points: Sequence[dict[str, Any]]
) -> list[tuple[int, int]]:
    """Which examples a selection in the figure means; marks that are not examples are passed over.

    Args:
        panels: as drawn by `template_figure`.
        errors: as in its `Marks`.
        points: Plotly's selected points, each with `curve_number` and `point_index`.

    Returns:
        (number of the panel, position in it), in the order of the selection, without repeats.
    """
    curves = [
        (i, positions)
        for i, panel in enumerate(panels)
        if panel is not None
        for _, _, positions in point_groups(panel, errors)
    ]
    found: dict[tuple[int, int], None] = {}
    for point in points:
        curve = point.get("curve_number")
        index = point.get("point_index", point.get("point_number"))
        if not isinstance(curve, int) or not isinstance(index, int) or not 0 <= curve < len(curves):
            continue
        number, positions = curves[curve]
        if 0 <= index < len(positions):
            found[number, int(positions[index])] = None
    return list(found)


def template_figure(panels: Sequence[Panel | None], **settings: Any) -> Figure:
    """All panels in one Plotly figure; arguments and errors are those of `template_spec`."""
    from plotly.graph_objects import Figure

    return Figure(template_spec(panels, **settings), _validate=False)


def template_spec(
    panels: Sequence[Panel | None],
    *,
    columns: int = 2,
    marks: Marks | None = None,
    dark: bool = False,
    height: int | None = None,
    legend: bool = True,
) -> dict[str, Any]:
    """All panels as the data and layout of one Plotly figure, filled row by row; made without Plotly.

    Args:
        panels: what to draw, in reading order; None leaves a cell empty.
        columns: panels a row.
        marks: what is drawn beside the points; all but the templates by default.
        dark: for a dark page; shading and halos take the page's colour.
        height: of the whole figure in pixels, or None for 340 a row.
        legend: Plotly's own legend; the app writes one of its own.

    Raises:
        ValueError: no panels.
    """
    if not any(panels):
        raise ValueError("There is nothing to draw: no panels.")
    marks = marks or Marks()
    rows = -(-len(panels) // columns)
    height = height or 340 * rows
    colours = ink(dark)
    head = head_px(panels)
    grid = cells(len(panels), columns, height, head)
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 30, "t": head, "b": FOOT_PX},
        **blank(colours),
        "hoverlabel": {"align": "left", "font": {"size": 12}},
        "dragmode": "pan",
        "clickmode": "event+select",
        "showlegend": legend,
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        "modebar": {
            "orientation": "v",
            "bgcolor": "rgba(0,0,0,0)",
            "color": colours.note,
            "activecolor": colours.text,
        },
        "annotations": [],
        "shapes": [],
        "images": [],
    }
    points: list[dict[str, Any]] = []
    over: list[dict[str, Any]] = []
    first_of_run: dict[str, Cell] = {}
    for panel, cell in zip(panels, grid, strict=True):
        if panel is None:
            continue
        first_drawn = not first_of_run
        layout.update(axes(panel, cell, first_of_run.setdefault(panel.run, cell), colours))
        layout["annotations"] += notes(panel, cell, colours)
        if VIEWS[panel.view].units:
            shape, label = scale_bar(panel, cell, colours)
            layout["shapes"].append(shape)
            layout["annotations"].append(label)
        if (picture := under_image(panel, cell.x, cell.y, marks.shading)) is not None:
            layout["images"].append(picture | {"name": "shading"})
        if marks.pull and panel.pull is not None:
            layout["shapes"] += _arrows(panel.pull, cell)
        if marks.boundaries:
            layout["shapes"] += boundary_shapes(panel, cell, colours.line)
        for k, kind, positions in point_groups(panel, marks.errors):
            points.append(_points(panel, cell, k, kind, positions) | {"showlegend": legend and first_drawn})
        over += overlay_traces(panel, cell, marks, colours)
    return {"data": points + over, "layout": layout}


def _points(panel: Panel, cell: Cell, k: int, kind: int, positions: NDArray[np.int64]) -> dict[str, Any]:
    """One trace: the examples of one class and kind; customdata holds (row of the source, confidence)."""
    name, colour, shape = as_written(panel.classes[k]), CLASS_COLOURS[k], CLASS_SHAPES[k]
    marker: dict[str, Any] = {"color": colour, "size": 5.5, "symbol": shape, "opacity": 0.75}
    if kind == INSIDE:
        marker = {"color": colour, "size": 7, "symbol": f"{shape}-open", "line": {"width": 1.3}}
    elif kind == OUTSIDE:
        marker = {"color": colour, "size": 5.5, "symbol": "x-thin-open", "line": {"width": 1.3}}
    said = "" if np.isnan(panel.confidences).any() else "<br>confidence %{customdata[1]:.3f}"
    right = kind == CORRECT and bool((panel.kinds[positions] == CORRECT).all())
    trace: dict[str, Any] = {
        "type": "scattergl" if len(panel.xy) > WEBGL_ABOVE else "scatter",
        "mode": "markers",
        "name": name + {CORRECT: "", INSIDE: ", predicted as another", OUTSIDE: ", as a fourth class"}[kind],
        "x": np.ascontiguousarray(panel.xy[positions, 0], np.float32),
        "y": np.ascontiguousarray(panel.xy[positions, 1], np.float32),
        "customdata": np.column_stack(
            [panel.indices[positions], np.nan_to_num(panel.confidences[positions])]
        ).astype(np.float32),
        "marker": marker,
        "unselected": {"marker": {"opacity": 0.18}},
        "hovertemplate": (
            f"{panel.split} example %{{customdata[0]:d}}<br>label <b>{name}</b>"
            f"<br>prediction <b>{name if right else '%{text}'}</b>"
            f"{said}<extra></extra>"
        ),
        "xaxis": cell.x,
        "yaxis": cell.y,
    }
    if not right:
        trace["text"] = [as_written(panel.class_names[p]) for p in panel.predictions[positions]]
    return trace


def overlay_traces(panel: Panel, cell: Cell, marks: Marks, colours: Ink) -> list[dict[str, Any]]:
    """Class means, smoothing optima and templates, each with a rim in the page's colour or in ink.

    `meta` of a trace, and `name` of a shape or an image, is the field of `Marks` that it belongs to.
    """
    page, text = colours.page, colours.text
    wanted: list[tuple[str, str, Any, dict[str, Any]]] = []
    if marks.templates and len(panel.templates_xy):
        diamond = {"symbol": "diamond", "size": 11, "color": list(CLASS_COLOURS)}
        word = "class mean as template" if panel.class_means else "template"
        wanted.append(
            ("templates", word, panel.templates_xy, diamond | {"line": {"width": 1.5, "color": text}})
        )
    if marks.optimum and panel.ideal_xy is not None:
        star = {"symbol": "star", "size": 15, "color": page, "line": {"width": 1.5, "color": text}}
        wanted.append(("optimum", "label-smoothing optimum", panel.ideal_xy, star))
    if marks.means and len(panel.means_xy):
        plus = {"symbol": "cross", "size": 12, "color": text, "line": {"width": 1.5, "color": page}}
        wanted.append(("means", "class mean", panel.means_xy, plus))
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "meta": mark,
            "showlegend": False,
            "x": np.asarray(xy, np.float32)[:, 0],
            "y": np.asarray(xy, np.float32)[:, 1],
            "text": [*map(as_written, panel.classes)],
            "marker": marker | {"opacity": 1},
            "unselected": {"marker": {"opacity": 1}},
            "hovertemplate": f"{name} of <b>%{{text}}</b><extra></extra>",
            "xaxis": cell.x,
            "yaxis": cell.y,
        }
        for mark, name, xy, marker in wanted
    ]


def _arrows(pull: Arrows, cell: Cell) -> list[dict[str, Any]]:
    """One quiet shape a class, below the points."""
    return [
        {
            "type": "path",
            "name": "pull",
            "xref": cell.x,
            "yref": cell.y,
            "path": " ".join(
                "M" + "L".join(f"{x:.5g},{y:.5g}" for x, y in stroke)
                for stroke in arrow_strokes(pull.ends[pull.labels == k])
            ),
            "line": {"color": "rgba({},{},{},{})".format(*rgb(CLASS_COLOURS[k]), ARROW_ALPHA), "width": 1.1},
            "layer": "below",
        }
        for k in range(3)
        if (pull.labels == k).any()
    ]


def boundary_shapes(panel: Panel, cell: Cell, colour: str) -> list[dict[str, Any]]:
    """Three dashed half-lines; the axes clip them."""
    return [
        {
            "type": "line",
            "name": "boundaries",
            "xref": cell.x,
            "yref": cell.y,
            "x0": float(start[0]),
            "y0": float(start[1]),
            "x1": float(end[0]),
            "y1": float(end[1]),
            "line": {"color": colour, "width": 1.1, "dash": "4px,3px"},
            "layer": "below",
        }
        for start, end in np.asarray(panel.boundaries, np.float64)
    ]
