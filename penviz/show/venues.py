"""Where figures are printed: widths and type sizes of venues, each with the source of its numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from penviz import InputError

MEASURED = "style file of 2024, widths measured with tueplots 0.2.5"
GUIDELINES = "author guidelines, not re-read"

INCHES = {"in": 1.0, "mm": 1 / 25.4, "cm": 1 / 2.54, "pt": 1 / 72.27, "bp": 1 / 72}
"""Inches in a unit of length; pt is TeX's point, as \\the\\textwidth prints it, bp is PDF's."""

NARROWEST_IN, WIDEST_IN = 1.5, 20.0


@dataclass(frozen=True)
class Venue:
    """How wide a figure is and how large its text, at final size: never scaled in LaTeX.

    Attributes:
        name: key in `VENUES`; label: for people, with the year of the style.
        column_in, text_in: width of a column and of the text, inches; equal where there is one column.
        serif: a Times-like face, else a sans.
        font_pt: heads and legend, points (penviz's choice: one or two under the venue's body text).
        least_pt: smallest text in a figure, points; never under 5.
        source: where the widths come from; checked: year and month in which they were compared with it, or
            "" where they were not.
        height_in: tallest figure, inches.
    """

    name: str
    label: str
    column_in: float
    text_in: float
    serif: bool
    font_pt: float
    least_pt: float
    source: str
    checked: str
    height_in: float = 9.0


VENUES: dict[str, Venue] = {
    "neurips": Venue("neurips", "NeurIPS 2024", 5.5, 5.5, True, 8, 6, MEASURED, "2026-11"),
    "icml": Venue("icml", "ICML 2024", 3.25, 6.75, True, 8, 6, MEASURED, "2026-11"),
    "iclr": Venue("iclr", "ICLR 2024", 5.5, 5.5, True, 8, 6, MEASURED, "2026-11"),
    "cvpr": Venue("cvpr", "CVPR, ICCV 2024", 3.25, 6.875, True, 8, 6, MEASURED, "2026-11"),
    "eccv": Venue("eccv", "ECCV 2024", 4.8, 4.8, True, 8, 6, GUIDELINES, "", 7.5),
    "aaai": Venue("aaai", "AAAI 2024", 3.3, 7.0, True, 8, 6, GUIDELINES, ""),
    "aistats": Venue("aistats", "AISTATS 2025", 3.25, 6.75, True, 8, 6, GUIDELINES, ""),
    "acl": Venue("acl", "ACL 2024", 3.03, 6.3, True, 8, 6, GUIDELINES, ""),
    "tmlr": Venue("tmlr", "TMLR 2023", 6.5, 6.5, True, 8, 6, GUIDELINES, ""),
    "jmlr": Venue("jmlr", "JMLR 2001", 6.0, 6.0, True, 8, 6, GUIDELINES, "", 8.5),
    "ieee": Venue("ieee", "IEEE Transactions 2024", 3.5, 7.16, True, 8, 6, GUIDELINES, ""),
    "nature": Venue("nature", "Nature 2024", 89 / 25.4, 183 / 25.4, False, 7, 5, GUIDELINES, "", 9.7),
    "beamer": Venue(
        "beamer",
        "beamer 16:9, 2024",
        66 / 25.4,
        140 / 25.4,
        False,
        8,
        6,
        "class defaults: a page of 160 x 90 mm with margins of 10 mm, not re-read",
        "",
        70 / 25.4,
    ),
}


def width_in(text: str) -> float:
    """A width typed by hand, in inches.

    Args:
        text: a number and one of in, mm, cm, pt (TeX's, 72.27 to the inch), bp (72 to the inch): "140mm".

    Raises:
        InputError: no such width, or one that no page has.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(in|mm|cm|pt|bp)", text.strip().lower())
    if found is None:
        raise InputError(f"{text!r} is not a width: write one as 5.5in, 140mm, 14cm or 397pt.")
    inches = float(found[1]) * INCHES[found[2]]
    if not NARROWEST_IN <= inches <= WIDEST_IN:
        raise InputError(f"A figure of {text} cannot be drawn: give {NARROWEST_IN:g}in to {WIDEST_IN:g}in.")
    return inches


def venue(name: str) -> Venue:
    """The venue of a name in `VENUES`, in any case, or one made for a width typed by hand.

    Raises:
        InputError: neither of them; it lists those known.
    """
    key = name.strip().lower()
    if key in VENUES:
        return VENUES[key]
    if key[:1].isdigit() or key[:1] == ".":
        width = width_in(key)
        return Venue(key, f"width {key}", width, width, True, 8, 6, "typed by hand", "")
    known = ", ".join(VENUES)
    raise InputError(f"Unknown venue {name!r}: choose {known}, or give a width such as 5.5in or 140mm.")
