"""A paper figure that shows itself in a notebook and writes itself to a file."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from penviz import InputError
from penviz.plot.paper.files import FORMATS, figure_bytes
from penviz.store.atomic_write import whole_file

ENDINGS = {"tex": "tikz"}
"""Ending of a file -> format, where the two differ."""


class PaperFigure(Figure):
    """A matplotlib figure whose file has the same bytes wherever the same versions write it."""

    def save(self, path: Path | str, *, dpi: int = 300, text: str = "text") -> Path:
        """Write the figure; a reader never sees half of it.

        Args:
            path: its ending is the format: .pdf, .svg, .png or .tex (TikZ).
            dpi, text: as for `figure_bytes`.

        Raises:
            InputError: another ending, or a file that cannot be written.
        """
        path = Path(path)
        ending = path.suffix.lower().removeprefix(".")
        format = ENDINGS.get(ending, ending)
        if format not in FORMATS or ending == "tikz":
            raise InputError(f"{path.name} has no ending of a figure: choose .pdf, .svg, .png or .tex.")
        made = figure_bytes(self, format, dpi=dpi, text=text)
        try:
            with whole_file(path) as part:
                part.write_bytes(made)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}.") from None
        return path

    def png(self, dpi: int = 300) -> bytes:
        """The figure as a PNG."""
        return figure_bytes(self, "png", dpi=dpi)

    def _repr_png_(self) -> bytes:
        return self.png(144)
