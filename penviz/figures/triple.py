"""Three classes of some runs in a figure, with all that is said of them: numbers, finding, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from penviz.figures.snapshot_animation import NOTE
from penviz.projection.embedding import Embedding, LinearMap
from penviz.projection.panel import Panel
from penviz.projection.plane import Plane
from penviz.study.comparison import Comparison
from penviz.study.finding import Finding
from penviz.study.over_seeds import Side, table_over_seeds
from penviz.study.study_run import StudyRun, notes_of
from penviz.study.table import Table

Grid = list[list[Panel | None]]
"""Rows of panels of one triple: a row a run, a column a split; None where the run lacks it."""


@dataclass(frozen=True, repr=False)
class Triple:
    """One triple of a figure.

    Attributes:
        comparison: of all its runs; grid: the panels drawn.
        sides: where numbers are means over training seeds, the runs behind each row; else empty.
        embeddings: of each row, in a view other than the plane.
    """

    comparison: Comparison
    grid: Grid
    sides: Sequence[Side] = ()
    embeddings: Sequence[Embedding] = ()

    @property
    def runs(self) -> list[StudyRun]:
        """Of the rows, in their order."""
        every = self.comparison.runs
        return [every[side.positions[0]] for side in self.sides] if self.sides else list(every)

    @property
    def names(self) -> list[str]:
        """Of the runs."""
        return [one.name for one in self.runs]

    @property
    def alphas(self) -> list[float | None]:
        """Label smoothing of the runs."""
        return [one.run.config.label_smoothing for one in self.runs]

    @property
    def kinds(self) -> list[str]:
        """Kind of the targets of the runs, one of run_config.TARGETS."""
        return [one.targets.kind for one in self.runs]

    @property
    def panels(self) -> list[Panel]:
        """In reading order."""
        return [panel for row in self.grid for panel in row if panel is not None]

    @cached_property
    def table(self) -> Table:
        """Every number of the rows."""
        whole = self.comparison.table
        return table_over_seeds(whole, self.sides, self.alphas) if self.sides else whole

    @property
    def finding(self) -> Finding:
        """What the numbers say."""
        return self.comparison.finding

    @property
    def notes(self) -> list[str]:
        """Sentences that must stand beside it."""
        film = any(panel.epoch is not None for panel in self.panels)
        return [*notes_of(self.comparison.runs), *([NOTE] if film else [])]

    @property
    def maps(self) -> list[Plane | LinearMap]:
        """What took the features of each row to the picture; empty for UMAP."""
        if self.embeddings:
            return [one.map for one in self.embeddings if one.map is not None]
        bias = self.comparison.options.bias
        heads = [next(iter(one.splits.values())).planar_head(bias) for one in self.runs]
        return [Plane.of_head(head, self.comparison.classes, counted) for head, counted in heads]
