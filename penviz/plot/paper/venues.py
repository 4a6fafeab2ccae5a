"""Where figures are printed: widths and type sizes of venues, each with the source of its numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from penviz import InputError
from penviz.did_you_mean import did_you_mean

PT = 72.27
"""TeX's points in an inch."""

INCHES = {"in": 1.0, "mm": 1 / 25.4, "cm": 1 / 2.54, "pt": 1 / PT, "bp": 1 / 72}
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
        wide_pt: heads and legend of a figure as wide as the text, points, to fill a slide; or None.
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
    wide_pt: float | None = None


CHECKED = "2026-11"

VENUES: dict[str, Venue] = {
    "neurips": Venue(
        "neurips", "NeurIPS 2025", 5.5, 5.5, True, 8, 6, "neurips_2025.sty", CHECKED
    ),
    "icml": Venue(
        "icml", "ICML 2025", 3.25, 6.75, True, 8, 6, "icml2025.sty", CHECKED
    ),
    "iclr": Venue(
        "iclr", "ICLR 2025", 5.5, 5.5, True, 8, 6, "iclr2025_conference.sty", CHECKED
    ),
    "cvpr": Venue(
        "cvpr", "CVPR, ICCV 2025", 3.28125, 6.875, True, 8, 6, "cvpr.sty of September 2025",
        CHECKED, 8.8,
    ),
    "eccv": Venue(
        "eccv", "ECCV 2024", 12.2 / 2.54, 12.2 / 2.54, True, 8, 6, "eccv.sty of 2024 with its llncs.cls",
        CHECKED, 7.5,
    ),
    "aaai": Venue(
        "aaai", "AAAI 2024", 3.3125, 7.0, True, 8, 6, "aaai24.sty", CHECKED
    ),
    "aistats": Venue(
        "aistats", "AISTATS 2025", 3.25, 6.75, True, 8, 6, "aistats2025.sty", CHECKED
    ),
    "acl": Venue(
        "acl", "ACL 2025", 7.7 / 2.54, 16 / 2.54, True, 8, 6, "acl.sty of August 2025", CHECKED
    ),
    "tmlr": Venue(
        "tmlr", "TMLR 2023", 6.5, 6.5, True, 8, 6, "tmlr.sty of June 2023", CHECKED
    ),
    "jmlr": Venue(
        "jmlr", "JMLR 2024", 6.0, 6.0, True, 8, 6, "jmlr2e.sty of June 2024",
        CHECKED, 8.5,
    ),
    "ieee": Venue(
        "ieee", "IEEE journals, 2015", 252 / PT, 516 / PT, True, 8, 6, "IEEEtran.cls 1.8b", CHECKED
    ),
    "nature": Venue(
        "nature", "Nature 2026", 89 / 25.4, 183 / 25.4, False, 7, 5,
        "Nature's research figure guide (widths, height, type of 5 to 7 points)", CHECKED, 170 / 25.4,
    ),
    "beamer": Venue(
        "beamer", "beamer 16:9, 2022", 191.2 / PT, 398.3386 / PT, False, 8, 6,
        "beamer.cls of TeX Live 2022, aspectratio=169; a column is 0.48 of it", CHECKED, 70 / 25.4, 10,
    ),
}  # fmt: skip
"""Widths as LaTeX prints \\columnwidth and \\textwidth with the style file that is named."""


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
    meant = did_you_mean(key, VENUES)
    raise InputError(
        f"Unknown venue {name!r}{meant}: choose {known}, or give a width such as 5.5in or 140mm."
    )
