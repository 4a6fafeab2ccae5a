"""What stands around a panel on screen: cells, axes, its name above, numbers and scale bar below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penviz.metrics.wording import FULL_PASS
from penviz.plot.theme import Ink, as_written, elided, targets_name
from penviz.projection.panel import Panel
from penviz.projection.views import VIEWS

FOOT_PX = 40
"""Height under a panel for its numbers and its scale bar, in pixels."""
LINE_PX = 14
"""Height of a small line of text, in pixels."""
BAR_PX = 27
"""How far the scale bar stands under its panel, in pixels."""
GAP = 0.045
"""Space between two columns as a share of the figure's width."""
RUN_LETTERS = 32
"""Letters of a run's name that stand over a panel of the least size, its accuracy beside them."""


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


def head_px(panels: Sequence[Panel | None], narrow: bool = False) -> int:
    """Height above each of some panels, for the lines of the longest heading."""
    return 10 + LINE_PX * max(len(_heading_lines(panel, narrow)) for panel in panels if panel is not None)


def cells(n: int, columns: int, height: int, head: int) -> list[Cell]:
    """Cells of n panels in reading order.

    The head of the first row and the foot of the last are the figure's margins, so that one row fits whatever
    height the page gives it.

    Args:
        n: panels; columns: panels a row; height: of the figure in pixels, for what stands between two rows.
        head: height above each panel, in pixels.
    """
    rows = -(-n // columns)
    between = (head + FOOT_PX) / (height - head - FOOT_PX)
    row_height = (1 + between) / rows
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
                round(max(1 + between - (row + 1) * row_height, 0.0), 5),
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
        "ticks": "",
        "showticklabels": False,
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
    """A bar under the panel with its length in units of the view: a Plotly shape and annotation."""
    x0, x1, _, _ = panel.limits
    length = bar_length(0.8 * (x1 - x0) * panel.unit)  # its words stand beside it
    under = {"yref": f"{cell.y} domain", "xref": cell.x}
    line = under | {
        "type": "line",
        "x0": x0,
        "x1": x0 + length / panel.unit,
        "ysizemode": "pixel",
        "yanchor": 0,
        "y0": -BAR_PX,
        "y1": -BAR_PX,
        "line": {"color": ink.text, "width": 2},
    }
    units = VIEWS[panel.view].units
    units = units.replace("units", "unit").replace("deviations", "deviation") if length == 1 else units
    beside = {"x": line["x1"], "y": 0, "xanchor": "left", "yanchor": "middle", "yshift": -BAR_PX, "xshift": 2}
    return line, _text(f"{length:g} {units}", cell, ink.note, 11) | under | beside


def notes(panel: Panel, cell: Cell, ink: Ink) -> list[dict[str, Any]]:
    """Its name above a panel, its numbers under it."""
    result, caution = numbers(panel, ink)
    under = {"yanchor": "top", "y": 0}
    return [
        heading(panel, cell, ink),
        _text(result, cell, ink.note, 12) | under | {"xanchor": "left", "x": 0, "yshift": -2, "xshift": -3},
        _text(caution, cell, ink.note, 11)
        | under
        | {"xanchor": "right", "x": 1, "yshift": 8 - BAR_PX, "xshift": 3},
    ]


def heading(panel: Panel, cell: Cell, ink: Ink, narrow: bool = False) -> dict[str, Any]:
    """The lines above a panel, as a Plotly annotation; narrow: for a panel of half a phone's width."""
    first, *others = _heading_lines(panel, narrow)
    words = "<br>".join([first, *(_small(line, ink.note) for line in others)])
    above = {"xanchor": "left", "yanchor": "bottom", "x": 0, "y": 1, "xshift": -3, "align": "left"}
    return _text(words, cell, ink.text, 12.5) | above


def _heading_lines(panel: Panel, narrow: bool) -> list[str]:
    """Targets and split; run and accuracy over all classes; what is unusual."""
    accuracy = panel.metrics.get("accuracy")
    by = "" if panel.predicted_by == "network" else f" of the {panel.predicted_by}"
    unknown = FULL_PASS if panel.partial else ""
    measured = unknown if accuracy is None else f"{accuracy:.3f}"
    second = as_written(elided(panel.run, RUN_LETTERS)) + (f" · accuracy{by} {measured}" if measured else "")
    name = targets_name(panel.label_smoothing, panel.targets)
    lines = [f"<b>{name}</b>", panel.place] if narrow else [f"<b>{name}</b> · {panel.place}"]
    lines.append(second)
    if panel.class_means:
        lines.append(f"no head: class means on {panel.class_means} as templates")
    if panel.remark:
        lines.append(f"<b>{as_written(panel.remark)}</b>")
    return lines


def _small(words: str, colour: str) -> str:
    return f'<span style="font-size:11px;color:{colour}">{words}</span>'


def numbers(panel: Panel, ink: Ink) -> tuple[str, str]:
    """The lines under a panel: the result, and what the picture leaves out.

    The result is bold; how much of the spread the picture shows is a caution.
    """
    metrics = panel.metrics
    said, where = "", ""
    if "axis_x" in metrics:
        said = f"{100 * metrics['axis_x']:.0f} + {100 * metrics['axis_y']:.0f}\u202f%"
        where = f" of the {'variance between classes' if panel.view == 'lda' else 'variance'}"
    elif "rho_d" in metrics:
        said = f"{metrics['rho_d']:.3f}"
    result = f'{"axes" if where else "ρ/d"} <b style="color:{ink.text}">{said}</b>{where}' if said else ""
    n, stored = sum(panel.n_shown), sum(panel.n_stored)
    drawn = f"all {n:,} drawn" if n == stored else f"{n:,} of {stored:,} drawn"
    drawn += " + density" if panel.density is not None else ""
    drawn += f", {panel.n_outside:,} outside" if panel.n_outside else ""
    if "plane_share" not in metrics:
        return (result, drawn) if result else (drawn, "")
    return f"{result}   {drawn}".strip(), f"variance in plane {100 * metrics['plane_share']:.0f}\u202f%"


def _text(text: str, cell: Cell, colour: str, size: float) -> dict[str, Any]:
    return {
        "text": text,
        "showarrow": False,
        "font": {"color": colour, "size": size},
        "xref": f"{cell.x} domain",
        "yref": f"{cell.y} domain",
    }
