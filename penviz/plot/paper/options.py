"""What a figure is printed on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from penviz.plot.paper.font import face_from
from penviz.plot.paper.typeface import SANS, SERIF, Face
from penviz.plot.paper.venues import Venue, width_in
from penviz.plot.paper.venues import venue as venue_of


@dataclass(frozen=True)
class PaperOptions:
    """The paper of a figure.

    Attributes:
        venue: one of `venues.VENUES` by name, a width such as "140mm", or a Venue of one's own.
        width: "text" (None too) or "column" for the venue's, else a width such as "5in", or inches.
        dpi: of rasterised points.
        font: a .ttf or .otf of one's own in place of the faces that ship with matplotlib, and its sha256.
    """

    venue: str | Venue = "neurips"
    width: str | float | None = None
    dpi: int = 300
    font: tuple[Path, str] | None = None

    def printed_on(self, font_size: float | None = None) -> tuple[Venue, float, Face]:
        """Venue, width in inches and face, with the text in a size of one's own where that is given.

        Raises:
            InputError: an unknown venue, a width that is none, or a font that cannot be used.
        """
        place = self.venue if isinstance(self.venue, Venue) else venue_of(self.venue)
        across = self._width_in(place)
        if font_size is not None:
            place = replace(place, font_pt=font_size, least_pt=min(place.least_pt, font_size))
        elif place.wide_pt is not None and across == place.text_in:
            place = replace(place, font_pt=place.wide_pt)
        face = SERIF if place.serif else SANS
        return place, across, face if self.font is None else face_from(*self.font, otherwise=face)

    def _width_in(self, place: Venue) -> float:
        """Inches of what was asked for."""
        if self.width is None or self.width == "text":
            return place.text_in
        if self.width == "column":
            return place.column_in
        return width_in(self.width if isinstance(self.width, str) else f"{self.width:.6f}in")


DEFAULTS = PaperOptions()
