"""What stands around the points of a panel on screen: cells, axes, scale bar, name and numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from penviz.metrics.wording import FULL_PASS
from penviz.plot.theme import Ink, as_written, elided, rgb, targets_name
from penviz.projection.panel import Panel
from penviz.projection.views import VIEWS

FOOT_PX = 46
"""Height under a panel for tick labels and its numbers, in pixels."""
GAP = 0.045
"""Space between two columns as a share of the figure's width, for tick labels."""
RUN_LETTERS = 32
"""Letters of a run's name that stand inside a panel of the least size, its accuracy beside them."""


@dataclass(frozen=True)
class Cell:
    """Where one panel stands: names of its axes, and its domain in shares of the figure."""

    x: str
    y: str
    left: float
    right: float
    bottom: float
    top: float

    @property
    def xaxis(self) -> str:
        """Key of the x axis in a Plotly layout."""
        return "xaxis" + self.x[1:]

    @property
    def yaxis(self) -> str:
        """Key of the y axis in a Plotly layout."""
        return "yaxis" + self.y[1:]


def cells(n: int, columns: int, height: int) -> list[Cell]:
    """Cells of n panels in reading order.

    The foot of the last row is the figure's margin, so that one row fits whatever height the page gives it.

    Args:
        n: panels; columns: panels a row; height: of the figure in pixels, for the feet of the other rows.
    """
    rows = -(-n // columns)
    foot = FOOT_PX / (height - FOOT_PX)
    row_height = (1 + foot) / rows
    width = (1 - GAP * (columns - 1)) / columns
    made = []
    for i in range(n):
        row, column = divmod(i, columns)
        left = column * (width + GAP)
        number = str(i + 1) if i else ""
        made.append(
            Cell(
                f"x{number}",
                f"y{number}",
                round(left, 5),
                round(min(left + width, 1), 5),
                round(max(1 + foot - (row + 1) * row_height, 0.0), 5),
                round(1 - row * row_height, 5),
            )
        )
    return made


def axes(panel: Panel, cell: Cell, first: Cell, ink: Ink) -> dict[str, Any]:
    """The two axes of a panel, 1:1; panels of one run move together with its first."""
    x0, x1, y0, y1 = panel.limits
    quiet = {
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "mirror": True,
        "linecolor": ink.frame,
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": 3,
        "tickcolor": ink.frame,
        "tickfont": {"size": 10.5, "color": ink.note},
        "nticks": 4,
        "constrain": "domain",
    }
    quiet_x, quiet_y = quiet | {"constraintoward": "left"}, quiet | {"constraintoward": "top"}
    x = quiet_x | {"domain": [cell.left, cell.right], "anchor": cell.y, "range": [x0, x1]}
    y = quiet_y | {"domain": [cell.bottom, cell.top], "anchor": cell.x, "range": [y0, y1]}
    y |= {"scaleanchor": cell.x, "scaleratio": 1}
    if first is not cell:
        x["matches"], y["matches"] = first.x, first.y
    return {cell.xaxis: x, cell.yaxis: y}


def bar_length(width: float) -> float:
    """Length of a scale bar for a panel of some width, in the same unit: 1, 2 or 5 times a power of ten.

    It is the largest such number below a quarter of the width.
    """
    target = width / 4
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target)


def scale_bar(panel: Panel, cell: Cell, ink: Ink) -> tuple[dict[str, Any], dict[str, Any]]:
    """A bar in the lower left corner with its length in units of the view: a Plotly shape and annotation."""
    x0, x1, y0, y1 = panel.limits
    length = bar_length((x1 - x0) * panel.unit)
    left, base = x0 + 0.03 * (x1 - x0), y0 + 0.045 * (y1 - y0)
    line = {
        "type": "line",
        "xref": cell.x,
        "yref": cell.y,
        "x0": left,
        "x1": left + length / panel.unit,
        "y0": base,
        "y1": base,
        "line": {"color": ink.text, "width": 2},
    }
    units = VIEWS[panel.view].units
    units = units.replace("units", "unit").replace("deviations", "deviation") if length == 1 else units
    label = _text(f"{length:g} {units}", cell, ink.note, 10.5) | {
        "xref": cell.x,
        "yref": cell.y,
        "x": left,
        "y": base,
        "xanchor": "left",
        "yanchor": "bottom",
        "xshift": -3,
    }
    return line, label


def notes(panel: Panel, cell: Cell, ink: Ink) -> list[dict[str, Any]]:
    """Name inside the panel, points outside in its corner, numbers under it."""
    corner = {"xanchor": "left", "yanchor": "top", "x": 0, "y": 1, "xshift": 3, "yshift": -2, "align": "left"}
    shade = "rgba({},{},{},0.55)".format(*rgb(ink.page))
    made = [_text(heading(panel, ink), cell, ink.text, 12.5) | corner | {"bgcolor": shade, "borderpad": 2}]
    if panel.n_outside:
        word = "point" if panel.n_outside == 1 else "points"
        outside = {"xanchor": "right", "yanchor": "bottom", "x": 1, "y": 0, "xshift": -3, "yshift": 2}
        made.append(
            _text(f"{panel.n_outside} {word} outside", cell, ink.note, 11) | outside | {"bgcolor": shade}
        )
    under = {"xanchor": "left", "yanchor": "top", "x": 0, "y": 0, "yshift": -17, "align": "left"}
    made.append(_text(numbers(panel, ink), cell, ink.note, 12) | under | {"name": "numbers"})
    return made


def heading(panel: Panel, ink: Ink) -> str:
    """Lines inside the panel: targets and split; run and accuracy over all classes; what is unusual."""
    accuracy = panel.metrics.get("accuracy")
    by = "" if panel.predicted_by == "network" else f" of the {panel.predicted_by}"
    unknown = FULL_PASS if panel.partial else ""
    measured = unknown if accuracy is None else f"{accuracy:.3f}"
    second = as_written(elided(panel.run, RUN_LETTERS)) + (f" · accuracy{by} {measured}" if measured else "")
    name = targets_name(panel.label_smoothing, panel.targets)
    lines = [f"<b>{name}</b> · {panel.place}", _small(second, ink.note)]
    if panel.class_means:
        lines.append(_small(f"no head: class means on {panel.class_means} as templates", ink.note))
    if panel.remark:
        lines.append(_small(f"<b>{as_written(panel.remark)}</b>", ink.text))
    return "<br>".join(lines)


def _small(words: str, colour: str) -> str:
    return f'<span style="font-size:11px;color:{colour}">{words}</span>'


def numbers(panel: Panel, ink: Ink) -> str:
    """The line under a panel: tightness, share of the variance in the plane, drawn of stored."""
    parts = []
    if "axis_x" in panel.metrics:
        x, y = (f"{100 * panel.metrics[key]:.0f}" for key in ("axis_x", "axis_y"))
        what = "variance between classes" if panel.view == "lda" else "variance"
        parts.append(f'axes <b style="color:{ink.text}">{x} + {y} %</b> of the {what}')
    for key, word, form in (("rho_d", "ρ/d", "{:.3f}"), ("plane_share", "variance in plane", "{:.0%}")):
        value = panel.metrics.get(key)
        if value is not None:
            said = form.format(value).replace("%", " %")
            # Bold is the result; how much of the spread the picture shows is a caution.
            parts.append(
                f'{word} <b style="color:{ink.text}">{said}</b>' if key == "rho_d" else f"{word} {said}"
            )
    over = " + density" if panel.density is not None else ""
    n, stored = sum(panel.n_shown), sum(panel.n_stored)
    parts.append(f"all {n:,} drawn" if n == stored else f"{n:,} of {stored:,} drawn{over}")
    return "   ".join(parts)


def _text(text: str, cell: Cell, colour: str, size: float) -> dict[str, Any]:
    return {
        "text": text,
        "showarrow": False,
        "font": {"color": colour, "size": size},
        "xref": f"{cell.x} domain",
        "yref": f"{cell.y} domain",
    }
