"""Three classes of several runs as data: panels to draw, a table of numbers, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from penviz import InputError
from penviz.projection.build_panel import build_grid
from penviz.projection.panel import Panel
from penviz.projection.panel_options import PanelOptions
from penviz.projection.projection import class_indices
from penviz.store.runs import check_split
from penviz.study.finding import Compared, Finding
from penviz.study.geometry import geometry_table, measure_geometry, no_room
from penviz.study.study_run import StudyRun, notes_of, splits_of
from penviz.study.table import Table, compare
from penviz.study.tightness_finding import plane_finding
from penviz.study.withheld_intervals import withheld_intervals


@dataclass(frozen=True)
class ComparisonOptions(PanelOptions):
    """How a comparison is drawn and measured.

    Attributes:
        splits: columns, () for all that some run has; the others as of `PanelOptions`.
    """

    splits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "splits", tuple(self.splits))
        for split in self.splits:
            check_split(split)


@dataclass(frozen=True, repr=False)
class Comparison:
    """One triple of classes in all runs of a study.

    Attributes:
        runs: of the study; classes: rows of the three classes in the head; options: of drawing and measuring.
    """

    runs: tuple[StudyRun, ...]
    classes: tuple[int, int, int]
    options: ComparisonOptions

    def __repr__(self) -> str:
        names = ", ".join(self.class_names)
        return f"<comparison of {names} in {len(self.runs)} runs>"

    @classmethod
    def of(
        cls, runs: tuple[StudyRun, ...], classes: Sequence[str | int], options: ComparisonOptions
    ) -> Comparison:
        """Classes by name or row; errors as `Study.compare`."""
        names = next(iter(runs[0].splits.values())).class_names
        return cls(runs, class_indices(list(classes), names), options)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the three classes."""
        names = next(iter(self.runs[0].splits.values())).class_names
        return tuple(names[k] for k in self.classes)

    @property
    def names(self) -> list[str]:
        """Of the runs."""
        return [one.name for one in self.runs]

    @property
    def splits(self) -> tuple[str, ...]:
        """The columns: those asked for that some run has."""
        held = splits_of(self.runs)
        return tuple(s for s in held if s in self.options.splits) if self.options.splits else held

    @cached_property
    def rows(self) -> list[list[Panel | None]]:
        """A row a run, a column a split; None where a run lacks one."""
        runs, options = self.runs, self.options
        if not self.splits:
            raise InputError(f"No run has {' or '.join(options.splits)} activations.")
        built = build_grid(
            [one.splits for one in runs],
            self.classes,
            options,
            targets=[one.targets for one in runs],
            summaries=[one.statistics_at_hand for one in runs],
            remarks=[one.run.adoption.mark for one in runs],
        )
        return [[next((p for p in row if p.split == s), None) for s in self.splits] for row in built]

    @property
    def panels(self) -> list[Panel]:
        """In reading order."""
        return [panel for row in self.rows for panel in row if panel is not None]

    @cached_property
    def table(self) -> Table:
        """Every number of every run and split, over all stored examples."""
        targets = [one.targets for one in self.runs]
        return compare(
            [one.statistics for one in self.runs], self.classes, bias=self.options.bias, targets=targets
        )

    @cached_property
    def geometry(self) -> tuple[Table, str]:
        """Neural collapse of all classes, which costs a pass more; and a sentence on its limits or ""."""
        statistics = [one.statistics for one in self.runs]
        found = [measure_geometry(own) for own in statistics]
        return geometry_table(self.table, statistics, found), no_room(found)

    @cached_property
    def finding(self) -> Finding:
        """What the numbers say, in one sentence."""
        compared = Compared.of([one.run for one in self.runs])
        return plane_finding(compared, self.table, [one.statistics for one in self.runs])

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that must stand beside the numbers: on the runs, and on intervals that would not hold."""
        return (*notes_of(self.runs), *withheld_intervals(self.table))
