"""The letters of paper figures: two faces that ship with matplotlib, and how wide they set a line."""

from __future__ import annotations

from dataclasses import dataclass

ELLIPSIS = "…"


@dataclass(frozen=True)
class Face:
    """The faces of a figure; all ship with matplotlib, so that every machine draws the same letters.

    Attributes:
        family: in order of preference, the second for letters that the first lacks; math: matplotlib's
            name of the matching mathematical letters.
    """

    family: tuple[str, ...]
    math: str

    def width_in(self, text: str, size_pt: float, bold: bool = False, math: bool = False) -> float:
        """Width of one line, inches: as vector formats set it and a hundredth, as pixels round letters up."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        weight = "bold" if bold else "normal"
        font = FontProperties(
            family=list(self.family), size=size_pt, weight=weight, math_fontfamily=self.math
        )
        return 1.01 * float(text_to_path.get_text_width_height_descent(text, font, math)[0]) / 72

    def fitted(self, text: str, size_pt: float, room_in: float, short: str = "") -> str:
        """The text, or its short form, or as much of either as the room holds and an ellipsis."""
        for whole in (text, short):
            if whole and self.width_in(whole, size_pt) <= room_in:
                return whole
        while text and self.width_in(text + ELLIPSIS, size_pt) > room_in:
            text = text[:-1]
        return text.rstrip() + ELLIPSIS if text else ""


SERIF = Face(("STIXGeneral", "DejaVu Sans"), "stix")
SANS = Face(("DejaVu Sans",), "dejavusans")
