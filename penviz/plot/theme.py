"""Colours, markers and words that every picture shares, on screen and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import KIND_WORDS

CLASS_COLOURS = ("#0072B2", "#D55E00", "#009E73")
"""Blue, vermilion and green of Okabe and Ito (2008), in the order in which the classes were chosen."""

CLASS_SHAPES = ("circle", "square", "triangle-up")
"""Marker of each class, so that colour is never the only sign; Plotly's names."""

CLASS_SIGNS = ("●", "■", "▲")

SHADING_ALPHA = 0.08
"""Opacity of the shading where one class has all the probability; more would swallow points."""

DENSITY_ALPHA = 0.38
"""Opacity of the density in the densest place of a class; more would swallow the points over it."""


@dataclass(frozen=True)
class Ink:
    """Everything that is not a class colour, for one page colour.

    Attributes:
        page: behind everything; text: names and marks; note: ticks and notes; frame: axes; line: boundaries.
    """

    page: str
    text: str
    note: str
    frame: str
    line: str


LIGHT = Ink(page="#ffffff", text="#11151c", note="#5b6472", frame="#d5dae2", line="#5b6472")
DARK = Ink(page="#0f1319", text="#f4f6f9", note="#a9b2c0", frame="#333c4a", line="#a9b2c0")


def ink(dark: bool) -> Ink:
    """The inks of the dark page or of the light one."""
    return DARK if dark else LIGHT


def blank(colours: Ink) -> dict[str, Any]:
    """What the layout of every Plotly figure begins with: the page shows through, one face, one size."""
    return {
        "template": {},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "Source Sans, Source Sans Pro, sans-serif", "color": colours.note, "size": 12},
        "hovermode": "closest",
    }


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue in [0, 255] of a colour written as "#rrggbb"."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def targets_name(label_smoothing: float | None, kind: str = "") -> str:
    """How a row of the grid is called: "hard targets", "label smoothing α = 0.1".

    Args:
        label_smoothing: alpha, 0 for hard targets, None when unknown or distilled; kind: one of TARGETS,
            by default what alpha alone says.
    """
    words = KIND_WORDS[kind or Targets.of(label_smoothing).kind]
    return words.format("" if label_smoothing is None else f"α = {label_smoothing:g}")


def abbreviated(name: str) -> str:
    """A name of a column or row where there is little room for it: "val.", "α = 0.1"."""
    return name.replace("label smoothing ", "").replace("validation", "val.")


def as_written(words: str) -> str:
    """A name for Plotly, which takes a part of HTML for tags."""
    return escape(words, quote=False)


def elided(name: str, most: int) -> str:
    """A name of at most some letters: what lies in the middle of a longer one gives way to a sign."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[len(name) - (most - 1) // 2 :]}"


def short_names(
    label_smoothings: Sequence[float | None], runs: Sequence[str], kinds: Sequence[str] = ()
) -> list[str]:
    """What runs are called in the head of a column: "hard" and "soft" where that tells them apart, else more.

    Args:
        label_smoothings: alpha of each, None when unknown; runs: their names, for runs of equal or unknown
            targets; kinds: of their targets, as for `targets_name`.
    """
    given = list(zip(label_smoothings, runs, kinds or [""] * len(runs), strict=True))
    words = [name if a is None else "soft" if a else "hard" for a, name, _ in given]
    if len(set(words)) == len(words):
        return words
    named = [name if a is None else targets_name(a, kind) for a, name, kind in given]
    return named if len(set(named)) == len(named) else list(runs)
