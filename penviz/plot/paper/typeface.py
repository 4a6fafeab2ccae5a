"""The letters of paper figures: two faces that ship with matplotlib, and how wide they set a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import takewhile

from penviz import InputError

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
        """Width of one line, inches: as vector formats set it and a hundredth, as pixels round letters up.

        Raises:
            InputError: a letter that none of the faces has: a box would stand in its place.
        """
        if lacking := next((letter for letter in text if ord(letter) not in _letters(self.family)), ""):
            raise InputError(f"No face of the figure has the letter {lacking!r}: give a --font that has it.")
        return 1.01 * _width_pt(self, text, size_pt, "bold" if bold else "normal", math) / 72

    def fitted(self, text: str, size_pt: float, room_in: float, short: str = "") -> str:
        """The text, or its short form, or as much of either as the room holds and an ellipsis."""
        for whole in (text, short):
            if whole and self.width_in(whole, size_pt) <= room_in:
                return whole
        while text and self.width_in(text + ELLIPSIS, size_pt) > room_in:
            text = text[:-1]
        return text.rstrip() + ELLIPSIS if text else ""

    def fitted_apart(self, texts: Sequence[str], size_pt: float, room_in: float) -> list[str]:
        """Each as `fitted`; texts that would be cut to the same words show their ends, where they differ."""
        cut = [self.fitted(text, size_pt, room_in) for text in texts]
        for word in {word for word in cut if cut.count(word) > 1}:
            alike = [text for text, own in zip(texts, cut, strict=True) if own == word]
            if len(set(alike)) > 1:
                same = takewhile(lambda letters: len(set(letters)) == 1, zip(*alike, strict=False))
                shared = len(list(same))
                ends = {text: self._end(text, shared, size_pt, room_in) for text in alike}
                cut = [ends.get(text, own) for text, own in zip(texts, cut, strict=True)]
        return cut

    def _end(self, text: str, latest: int, size_pt: float, room_in: float) -> str:
        """As much of the end of a text as the room holds, from its letter `latest` on at least."""
        tails = [ELLIPSIS + text[start:] for start in range(latest + 1)]
        whole = next((tail for tail in tails if self.width_in(tail, size_pt) <= room_in), tails[-1])
        return self.fitted(whole, size_pt, room_in)


@lru_cache(maxsize=8192)
def _width_pt(face: Face, text: str, size_pt: float, weight: str, math: bool) -> float:
    """Width of one line in points; words are cut letter by letter, so the same ones are asked for often."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=list(face.family), size=size_pt, weight=weight, math_fontfamily=face.math)
    return float(text_to_path.get_text_width_height_descent(text, font, math)[0])


@cache
def _letters(family: tuple[str, ...]) -> frozenset[int]:
    """Code points of the letters that at least one of some faces has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    paths = [findfont(FontProperties(family=[name]), fallback_to_default=False) for name in family]
    return frozenset(code for path in paths for code in get_font(path).get_charmap())


SERIF = Face(("STIXGeneral", "DejaVu Sans"), "stix")
SANS = Face(("DejaVu Sans",), "dejavusans")
