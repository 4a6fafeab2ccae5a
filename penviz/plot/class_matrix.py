"""A number for each pair of classes as one matrix: below the diagonal the first run, above it the second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penviz.plot.theme import CLASS_COLOURS, as_written, blank, ink

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WRITTEN_UP_TO, NAMED_UP_TO, HOVERED_UP_TO = 12, 40, 160
"""More classes than this have no numbers in the cells, no names on the axes, or no names on hover."""


def class_matrix(
    matrices: tuple[NDArray[np.float64], NDArray[np.float64]],
    names: tuple[str, str],
    class_names: Sequence[str],
    *,
    dark: bool = False,
    height: int = 430,
) -> Figure:
    """A heat map, tight pairs dark.

    Args:
        matrices: [K, K] symmetric of each run, NaN where a pair has no value; names: of the runs;
            class_names: K; dark: for a dark page; height: in pixels.
    """
    from plotly.graph_objects import Figure

    colours = ink(dark)
    n = len(class_names)
    below = np.tri(n, k=-1, dtype=bool)
    shown = np.where(below, *matrices)
    np.fill_diagonal(shown, np.nan)
    written = [as_written(name) for name in class_names]
    whose = np.where(below, as_written(names[0]), as_written(names[1])).tolist()
    said = "%{customdata[0]}: <b>%{customdata[1]}, %{customdata[2]}</b><br>" if n <= HOVERED_UP_TO else ""
    heat: dict[str, Any] = {
        "type": "heatmap",
        "z": shown.astype(np.float32),
        "x": list(range(n)),
        "y": list(range(n)),
        "customdata": [[[whose[i][j], written[i], written[j]] for j in range(n)] for i in range(n)]
        if said
        else None,
        "hovertemplate": f"{said}median ρ/d %{{z:.3f}}<extra></extra>",
        "hoverongaps": False,
        "colorscale": [[0, CLASS_COLOURS[0]], [1, colours.page]],
        "xgap": 1 if n <= NAMED_UP_TO else 0,
        "ygap": 1 if n <= NAMED_UP_TO else 0,
        "colorbar": {
            "title": {"text": "ρ/d", "font": {"size": 12}},
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": {"size": 11, "color": colours.note},
            "nticks": 5,
        },
    }
    if n <= WRITTEN_UP_TO:
        heat |= {"texttemplate": "%{z:.2f}", "textfont": {"size": 11}}
    ticks: dict[str, Any] = {
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"size": 11, "color": colours.note},
        "constrain": "domain",
        "automargin": True,
    }
    if n <= NAMED_UP_TO:
        ticks |= {"tickmode": "array", "tickvals": list(range(n)), "ticktext": written}
    layout = {
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 8, "b": 8},
        **blank(colours),
        "xaxis": ticks | {"side": "bottom"},
        "yaxis": ticks | {"autorange": "reversed", "scaleanchor": "x"},
    }
    return Figure({"data": [heat], "layout": layout}, _validate=False)
