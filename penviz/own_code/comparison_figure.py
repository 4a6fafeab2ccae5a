"""A comparison that shows itself: the finding, the picture and six numbers, on screen and on paper."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from penviz import InputError
from penviz.own_code.comparison_table import ComparisonTable
from penviz.projection.panel import Panel
from penviz.study.comparison import Comparison, ComparisonOptions
from penviz.study.finding import Finding
from penviz.study.study import Study, WithActivations
from penviz.study.study_run import notes_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

    from penviz.plot.paper.shown import PaperFigure
    from penviz.plot.screen import Marks

PICTURE_DPI = 144
"""Of the picture in a notebook: sharp on a screen of twice the usual density."""


class Writer(Protocol):
    """The part of TensorBoard's SummaryWriter that is used."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Keep a number."""

    def add_figure(self, tag: str, figure: Any, global_step: int) -> None:
        """Keep a matplotlib figure."""

    def add_text(self, tag: str, text_string: str, global_step: int) -> None:
        """Keep a sentence."""


class ComparisonFigure:
    """Three classes of several runs, side by side.

    The last line of a notebook cell shows it: the finding, the picture, six numbers.

    Attributes:
        comparison: the data behind it (`study.comparison.Comparison`).
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    @property
    def finding(self) -> Finding:
        """What the numbers say: `headline`, `detail` and `kind`."""
        return self.comparison.finding

    @property
    def panels(self) -> list[Panel]:
        """One a run and split, in reading order."""
        return self.comparison.panels

    @cached_property
    def table(self) -> ComparisonTable:
        """Every number of every run and split."""
        return ComparisonTable(self.comparison)

    def screen(self, *, dark: bool = False, marks: Marks | None = None) -> PlotlyFigure:
        """The interactive figure.

        Args:
            dark: for a dark page; marks: what is drawn beside the points.
        """
        from penviz.plot.screen import template_figure

        cells = [panel for row in self.comparison.rows for panel in row]
        return template_figure(cells, columns=len(self.comparison.splits), marks=marks, dark=dark)

    def paper(self, venue: str = "neurips", *, preset: str | None = None, **options: Any) -> PaperFigure:
        """The figure for a paper, at the venue's own width.

        Args:
            venue: "neurips", "icml", ..., or a width such as "140mm".
            preset: "paper" draws as Figure 1 of Müller et al. 2019; any option wins over it.
            options: `width`, `dpi` and `font` of `PaperOptions`, the keywords of
                `penviz.plot.paper.plane.paper_figure`, and fields of a `FigureStyle`:
                `font_size`, `colours`, `row_titles`, `column_titles`, `group_titles`, `by_split`, `legend`.

        Returns:
            A matplotlib figure that shows itself and has `save(path)`.

        Raises:
            InputError: an unknown venue or option.
        """
        from penviz.plot.paper.options import PaperOptions
        from penviz.plot.paper.plane import paper_figure
        from penviz.plot.paper.style import FigureStyle
        from penviz.plot.paper.style import preset as choices_of

        chosen = choices_of(preset) if preset else {}
        drawing = replace(
            self.comparison.options, **{k: chosen.pop(k) for k in ("per_class", "scale") if chosen}
        )
        chosen |= options
        look = {f.name: chosen.pop(f.name) for f in fields(FigureStyle) if f.name in chosen}
        chosen["style"] = replace(chosen.get("style") or FigureStyle(), **look)
        place = PaperOptions(venue, **{k: chosen.pop(k) for k in ("width", "dpi", "font") if k in chosen})
        one = self.comparison
        shown = one if drawing == one.options else replace(one, options=drawing)
        rows: list[list[Panel | None]] = shown.rows
        if chosen.get("layout") == "figure1":
            rows = [[panel for row in rows for panel in row]]
        return paper_figure(rows, place, **chosen)

    def save(self, path: Path | str, venue: str = "neurips", **options: Any) -> Path:
        """Write `paper(venue, ...)`; arguments and errors as there and as `PaperFigure.save`."""
        return self.paper(venue, **options).save(path)

    def log(self, writer: Writer, step: int) -> None:
        """Keep finding, picture and numbers in TensorBoard.

        Args:
            writer: a SummaryWriter; step: of the training.
        """
        for name, split, key, value in self.table.main_values():
            writer.add_scalar(f"penviz/{name}/{split}/{key}", value, step)
        writer.add_figure("penviz/clusters", self.paper(), step)
        writer.add_text("penviz/finding", f"{self.finding.headline}. {self.finding.detail}", step)

    def __repr__(self) -> str:
        return f"{self.finding.headline}.\n{self.finding.detail}\n\n{self.table.text()}"

    def _repr_html_(self) -> str:
        picture = b64encode(self.paper().png(PICTURE_DPI)).decode()
        notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in notes_of(self.comparison.runs))
        said = ", ".join(self.panels[0].classes)
        return (
            f"<p><b>{escape(self.finding.headline)}.</b><br>{escape(self.finding.detail)}</p>"
            f'<img alt="Clusters of {escape(said)}" style="max-width: 100%" '
            f'src="data:image/png;base64,{picture}">{self.table.html()}{notes}'
        )


def compare(
    runs: Study | WithActivations | str | Path | Sequence[WithActivations | str | Path],
    classes: Sequence[str | int] | None = None,
    **options: Any,
) -> ComparisonFigure:
    """Three classes of several runs, side by side.

    Args:
        runs: captured or loaded runs, or directories of runs, one or several; or a Study.
        classes: three names or rows of the head: left, right, above. The first three when not given.
        options: `per_class`, `seed`, `bias`, `scale`, `pull`, `splits` (`ComparisonOptions`).

    Returns:
        What shows itself in a notebook; `finding`, `table`, `screen()`, `paper()`.

    Raises:
        InputError: runs that cannot be compared, or classes that are unknown.

    >>> import numpy as np, penviz
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(600) % 3
    >>> wide, tight = (np.eye(3)[labels] * 4 + rng.normal(size=(600, 3)) * s for s in (1.0, 0.2))
    >>> hard = penviz.from_arrays(wide, labels, weight=np.eye(3), name="hard", label_smoothing=0)
    >>> soft = penviz.from_arrays(tight, labels, weight=np.eye(3), name="soft", label_smoothing=0.1)
    >>> penviz.compare([hard, soft]).finding.kind
    'tighter'
    """
    if not isinstance(runs, Study):
        runs = study_of(runs, classes or ())
    return ComparisonFigure(runs.compare(classes, ComparisonOptions(**options)))


def study_of(
    runs: WithActivations | str | Path | Sequence[WithActivations | str | Path],
    classes: Sequence[str | int] = (),
) -> Study:
    """A study of runs in memory and directories of runs, in their order; errors as `open_run` and `Study`."""
    from penviz.figures.open_study import open_run
    from penviz.store.runs import read_run

    if isinstance(runs, Mapping):
        raise InputError("compare takes a list of runs, such as [hard, soft].")
    given: Sequence[WithActivations | str | Path]
    given = runs if isinstance(runs, Sequence) and not isinstance(runs, str) else [runs]
    return Study.of(
        [open_run(read_run(Path(one)), classes) if isinstance(one, str | Path) else one for one in given]
    )
