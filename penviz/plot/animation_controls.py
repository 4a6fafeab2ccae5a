"""What stands under the panels of a film: the curves with the epoch marked, the slider and its buttons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penviz.plot.theme import Ink

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STEP_MS = 650
"""Milliseconds from one epoch to the next while it plays."""


def put_below(
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
        return float(round((margin["b"] + share * inner) / free, 5))

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


def film_controls(epochs: Sequence[int], top: float, colours: Ink) -> dict[str, Any]:
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
