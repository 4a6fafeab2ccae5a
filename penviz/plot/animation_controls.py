"""What stands around the panels of a film: the slider with its buttons, the curves with the epoch marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from penviz.plot.theme import Ink

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STEP_MS = 500
"""Milliseconds from one epoch to the next: of the points, of the mark in the curves and of the grip."""

BUTTONS_PX = 124
"""Width of the buttons with the space after them."""

TICKS = 8
"""Epochs that are written under a curve at most."""


def put_below(
    layout: dict[str, Any],
    fixed: list[dict[str, Any]],
    curves: Figure,
    epochs: Sequence[int],
    pixels: tuple[int, int, int],
    colours: Ink,
) -> list[dict[str, Any]]:
    """Put the curves under the panels; returns the line in each of them that marks the epoch, without its x.

    Their x axes are spaced as the slider, a step an epoch kept, so that the mark is as far along a curve as
    the grip along the slider.

    Args:
        layout, fixed: of the figure with its panels, which get axes, words and traces.
        curves: as of `film_figure`; epochs: the steps of the slider.
        pixels: width of the figure, height of the curves, height of the figure between its margins.
        colours: of the page.
    """
    width, height, free = pixels
    found = curves.to_plotly_json()
    theirs = found["layout"]
    margin = theirs["margin"]
    inner = height - margin["t"] - margin["b"] - 30
    n_panels = sum(key.startswith("xaxis") for key in layout)

    def moved(name: str) -> str:
        return f"{name[0]}{n_panels + int(name[1:] or 1)}"

    def up(share: float) -> float:
        return float(round((margin["b"] + share * inner) / free, 5))

    left, right = margin["l"] / width, 1 - margin["r"] / width
    last = len(epochs) - 1
    written = range(last, -1, -max(1, -(-len(epochs) // TICKS)))[::-1]
    steps = {
        "range": [-0.02 * max(last, 1), 1.02 * last if last else 0.02],
        "tickmode": "array",
        "tickvals": [*written],
        "ticktext": [str(epochs[step]) for step in written],
    }
    lines = []
    for key, axis in theirs.items():
        if key[:5] not in ("xaxis", "yaxis"):
            continue
        axis = dict(axis)
        if "anchor" in axis:
            axis["anchor"] = moved(axis["anchor"])
        if key[0] == "y":
            axis["domain"] = [up(share) for share in axis["domain"]]
            lines.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": "epoch shown",
                    "showlegend": False,
                    "y": axis["range"],
                    "xaxis": axis["anchor"],
                    "yaxis": moved(f"y{key[5:]}"),
                    "line": {"color": colours.text, "width": 1.5},
                    "hoverinfo": "skip",
                }
            )
        else:
            axis |= {"domain": [round(left + share * (right - left), 5) for share in axis["domain"]], **steps}
        layout[f"{key[:5]}{n_panels + int(key[5:] or 1)}"] = axis
    for note in theirs.get("annotations") or ():
        own = dict(note)
        for ref in ("xref", "yref"):
            axis_name, _, word = str(own[ref]).partition(" ")
            own[ref] = f"{moved(axis_name)} {word}".strip()
        layout["annotations"].append(own)
    for trace, given in zip(found["data"], curves.data, strict=True):
        own = {"xaxis": moved(trace.get("xaxis", "x")), "yaxis": moved(trace.get("yaxis", "y"))}
        step = np.interp(given.x, epochs, range(len(epochs)), np.nan, np.nan)
        own |= {"x": step, "customdata": given.x}
        own |= {"hovertemplate": trace["hovertemplate"].replace("%{x:", "%{customdata:")}
        fixed.append(dict(trace) | own)
    place = {"y": up(1) + margin["t"] / free, "yanchor": "bottom", "x": left, "xanchor": "left"}
    layout["legend"] = dict(theirs["legend"]) | place
    return lines


def film_controls(epochs: Sequence[int], head: int, width: int, colours: Ink) -> dict[str, Any]:
    """Play, pause, and a step of the slider an epoch, over the panels; the last is shown at first.

    Args:
        epochs: of the film; head: pixels between slider and panels, for titles; width: of the figure in
            pixels; colours: of the page.
    """
    glide = {"duration": STEP_MS, "easing": "linear"}
    still = {"duration": 0}

    def to(frames: Any, transition: dict[str, Any], **more: Any) -> dict[str, Any]:
        shown = {"frame": transition | {"redraw": False}, "transition": transition, "mode": "immediate"}
        return {"method": "animate", "args": [frames, shown | more]}

    above = {"xanchor": "left", "y": 1, "yanchor": "bottom"}
    return {
        "updatemenus": [
            above
            | {
                "type": "buttons",
                "direction": "left",
                "showactive": False,
                "x": 0,
                "pad": {"t": 0, "b": head + 16},
                "bgcolor": colours.page,
                "bordercolor": colours.frame,
                "font": {"size": 13, "color": colours.text},
                "buttons": [
                    to(None, glide, fromcurrent=True) | {"label": "▶ Play"},
                    to([None], still) | {"label": "❚❚"},
                ],
            }
        ],
        "sliders": [
            above
            | {
                "active": len(epochs) - 1,
                "x": BUTTONS_PX / width,
                "len": 1 - BUTTONS_PX / width,
                "pad": {"t": 0, "b": head + 8, "l": 6, "r": 6},
                "currentvalue": {"visible": False},
                "bgcolor": colours.frame,
                "activebgcolor": colours.note,
                "bordercolor": colours.frame,
                "tickcolor": colours.note,
                "font": {"size": 11, "color": colours.note},
                "minorticklen": 0,
                "ticklen": 4,
                "transition": glide,
                "steps": [to([str(epoch)], glide) | {"label": str(epoch)} for epoch in epochs],
            }
        ],
    }
