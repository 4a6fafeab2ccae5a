"""How an author wants a figure to look, apart from what it shows: one dataclass, kept in the recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from penviz import InputError
from penviz.plot.screen import Marks
from penviz.plot.theme import CLASS_COLOURS

LEGENDS = ("auto", "below", "right", "none")
"""Where the legend stands; auto is below, or at the right where that leaves the panels larger."""

LEAST_PT, MOST_PT = 5.0, 24.0
MOST_TITLE = 200
"""Characters of a title."""

PAPER_COLOURS = ("#4C72B0", "#55A868", "#C44E52")
"""Blue, green and red of seaborn's palette "deep", as in Figure 1 of Müller, Kornblith & Hinton 2019."""


@dataclass(frozen=True)
class FigureStyle:
    """The look of a paper figure; the defaults are those of the venue and of the theme.

    Attributes:
        font_size: of heads and legend, points; the text inside the panels is 1.5 or 2 points smaller.
        colours: of the three classes in their order, each as "#rrggbb"; empty for the theme's.
        row_titles: a title a row; column_titles: a title a column; group_titles: over groups of columns, in
            the layouts strip and figure1. Empty for those that penviz chooses.
        by_split: panels of one split stand together: in a grid a row a split and a column a run.
        legend: one of LEGENDS.

    Raises:
        InputError: a value that does not fit.
    """

    font_size: float | None = None
    colours: tuple[str, ...] = ()
    row_titles: tuple[str, ...] = ()
    column_titles: tuple[str, ...] = ()
    group_titles: tuple[str, ...] = ()
    by_split: bool = False
    legend: str = "auto"

    def __post_init__(self) -> None:
        size = self.font_size
        if size is not None and not (_is_number(size) and LEAST_PT <= size <= MOST_PT):
            raise InputError(f"The font size is {LEAST_PT:g} to {MOST_PT:g} points, not {size!r}.")
        for name in ("colours", "row_titles", "column_titles", "group_titles"):
            given = getattr(self, name)
            if not isinstance(given, list | tuple) or not all(map(_is_title, given)):
                raise InputError(f"The {name.replace('_', ' ')} are a list of words on one line each.")
            object.__setattr__(self, name, tuple(given))
        wrong = [c for c in self.colours if not re.fullmatch("#[0-9a-fA-F]{6}", c)]
        if wrong or len(self.colours) not in (0, len(CLASS_COLOURS)):
            said = f", not {wrong[0]!r}" if wrong else ""
            raise InputError(f"The colours are three, each written as #0072B2{said}.")
        if not isinstance(self.by_split, bool):
            raise InputError("by_split is true or false.")
        if self.legend not in LEGENDS:
            raise InputError(f"The legend is one of {', '.join(LEGENDS)}, not {self.legend!r}.")

    @property
    def class_colours(self) -> tuple[str, ...]:
        """Of the three classes."""
        return self.colours or CLASS_COLOURS


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_title(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TITLE and (not value or value.isprintable())


def preset(name: str) -> dict[str, Any]:
    """Choices of a recipe by the name of a preset.

    "paper" draws as Figure 1 of Müller, Kornblith & Hinton 2019: 100 examples a class, axes of each network's
    own, its colours, nothing but points.

    Raises:
        InputError: an unknown name.
    """
    if name != "paper":
        raise InputError(f"There is no preset {name}: choose paper.")
    return {
        "layout": "figure1",
        "per_class": 100,
        "scale": "own",
        "letters": False,
        "corner": (),
        "marks": Marks(means=False, boundaries=False, optimum=False, shading=False, errors=False),
        "style": FigureStyle(colours=PAPER_COLOURS),
    }
