"""Three classes of several runs as data: panels to draw, a table of numbers, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.projection.panel import SCALES, Panel, build_grid
from penviz.projection.projection import class_indices
from penviz.store.runs import SPLITS, recipe_of
from penviz.study.conclusion import Finding
from penviz.study.finding import build_finding
from penviz.study.table import Table, compare

if TYPE_CHECKING:
    from penviz.study.study import Study


@dataclass(frozen=True)
class ComparisonOptions:
    """How a comparison is drawn and measured.

    Attributes:
        per_class: examples drawn of a class at most; every number uses all that are stored.
        seed: of the sample drawn.
        bias: the template holds the bias, as in the paper.
        scale: "distance", "own" or "same" (`panel.SCALES`).
        pull: whether the gradient of the loss is drawn.
        splits: columns, () for all that some run has.

    Raises:
        InputError: a value out of range.
    """

    per_class: int = 250
    seed: int = 0
    bias: bool = True
    scale: str = "distance"
    pull: bool = False
    splits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "splits", tuple(self.splits))
        if self.per_class < 1:
            raise InputError("At least one example per class must be drawn.")
        if self.scale not in SCALES:
            meant = did_you_mean(self.scale, SCALES)
            raise InputError(f"There is no scale {self.scale}{meant}: choose {', '.join(SCALES)}.")
        if unknown := [split for split in self.splits if split not in SPLITS]:
            meant = did_you_mean(unknown[0], SPLITS)
            raise InputError(f"There is no split {unknown[0]}{meant}: choose {', '.join(SPLITS)}.")


@dataclass(frozen=True, repr=False)
class Comparison:
    """One triple of classes in all runs of a study.

    Attributes:
        study: the runs; classes: rows of the three classes in the head; options: of drawing and measuring.
    """

    study: Study
    classes: tuple[int, int, int]
    options: ComparisonOptions

    def __repr__(self) -> str:
        names = ", ".join(self.study.class_names[k] for k in self.classes)
        return f"<comparison of {names} in {len(self.study.runs)} runs>"

    @classmethod
    def of(cls, study: Study, classes: Sequence[str | int], options: ComparisonOptions) -> Comparison:
        """Classes by name or row; errors as `Study.compare`."""
        return cls(study, class_indices(list(classes), study.class_names), options)

    @property
    def splits(self) -> tuple[str, ...]:
        """The columns: those asked for that some run has."""
        held = self.study.splits
        return tuple(s for s in held if s in self.options.splits) if self.options.splits else held

    @cached_property
    def rows(self) -> list[list[Panel | None]]:
        """A row a run, a column a split; None where a run lacks one."""
        runs, options = self.study.runs, self.options
        if not self.splits:
            raise InputError(f"No run has {' or '.join(options.splits)} activations.")
        built = build_grid(
            [one.splits for one in runs],
            self.classes,
            per_class=options.per_class,
            seed=options.seed,
            bias=options.bias,
            scale=options.scale,
            label_smoothings=[one.run.config.label_smoothing for one in runs],
            targets=[one.targets for one in runs],
            summaries=[one.statistics_at_hand for one in runs],
            remarks=[one.run.adoption.mark for one in runs],
            pull=options.pull,
        )
        return [[next((p for p in row if p.split == s), None) for s in self.splits] for row in built]

    @property
    def panels(self) -> list[Panel]:
        """In reading order."""
        return [panel for row in self.rows for panel in row if panel is not None]

    @cached_property
    def table(self) -> Table:
        """Every number of every run and split, over all stored examples."""
        runs = self.study.runs
        return compare(
            [one.statistics for one in runs],
            self.classes,
            bias=self.options.bias,
            label_smoothings=[one.run.config.label_smoothing for one in runs],
            targets=[one.targets for one in runs],
        )

    @cached_property
    def finding(self) -> Finding:
        """What the numbers say, in one sentence."""
        runs = self.study.runs
        return build_finding(
            self.table,
            names=[one.name for one in runs],
            label_smoothings=[one.run.config.label_smoothing for one in runs],
            targets=[one.targets for one in runs],
            seeds=[one.run.seed for one in runs],
            differences=self.study.differences,
            runs=[one.statistics for one in runs],
            adopted=[one.run.adopted for one in runs],
            recipe=recipe_of([one.run for one in runs]),
        )
