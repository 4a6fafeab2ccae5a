"""Venues: their widths against numbers written down apart, and widths typed by hand."""

from __future__ import annotations

import pytest

from penviz import InputError
from penviz.plot.paper.venues import VENUES, venue, width_in

POINTS = {
    "neurips": (397.48, 397.48), "icml": (234.88, 487.82), "iclr": (397.48, 397.48),
    "cvpr": (237.14, 496.86), "eccv": (347.12, 347.12), "aaai": (239.39, 505.89),
    "aistats": (234.88, 487.82), "acl": (219.09, 455.24), "tmlr": (469.75, 469.75),
    "jmlr": (433.62, 433.62), "ieee": (252.0, 516.0), "nature": (253.23, 520.69),
    "beamer": (191.20, 398.34),
}  # fmt: skip
"""Column and text width in TeX's points, as \\the\\columnwidth and \\the\\textwidth print them."""


def test_every_venue_of_the_list_has_its_width() -> None:
    assert list(VENUES) == list(POINTS)
    for name, (column, text) in POINTS.items():
        own = VENUES[name]
        assert own.column_in * 72.27 == pytest.approx(column, abs=0.01), name
        assert own.text_in * 72.27 == pytest.approx(text, abs=0.01), name


def test_every_venue_says_where_its_numbers_are_from_and_of_which_year() -> None:
    for name, own in VENUES.items():
        assert own.name == name
        assert any(year in own.label for year in ("2015", "2022", "2023", "2024", "2025", "2026")), name
        assert own.least_pt >= 5
        assert own.font_pt > own.least_pt
        assert own.source, name
        assert own.checked, name
        assert own.column_in <= own.text_in, name


def test_a_venue_is_found_in_any_case_and_a_width_makes_one() -> None:
    assert venue(" NeurIPS ") is VENUES["neurips"]
    assert venue("140mm").text_in == pytest.approx(5.5118, abs=1e-4)
    assert venue("140mm").column_in == venue("140mm").text_in


@pytest.mark.parametrize(
    ("text", "inches"),
    [("5.5in", 5.5), ("140mm", 5.5118), ("14 cm", 5.5118), ("397.48pt", 5.5), ("396bp", 5.5), (".2e", None)],
)
def test_a_width_typed_by_hand(text: str, inches: float | None) -> None:
    if inches is None:
        with pytest.raises(InputError, match="not a width"):
            width_in(text)
    else:
        assert width_in(text) == pytest.approx(inches, abs=1e-4)


def test_what_cannot_be_used_is_said_in_a_sentence() -> None:
    with pytest.raises(
        InputError,
        match=r"Unknown venue 'nips' \(did you mean neurips\?\): choose neurips, icml.*beamer.*5\.5in",
    ):
        venue("nips")
    for wrong in ("5.5", "-5in", "5.5 inches", "1,5in"):
        with pytest.raises(InputError, match="not a width"):
            width_in(wrong)
    for wrong in ("1in", "21in", "0in"):
        with pytest.raises(InputError, match="cannot be drawn"):
            width_in(wrong)
