"""Runs that are looked at together: what they share, in what they differ, and what can be asked of them.

study = Study.of([hard, soft])
study.compare(["airplane", "automobile", "bird"]).finding.headline
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Protocol

from penviz import InputError
from penviz.metrics.tightness.finder import Ranking
from penviz.store.activations import Activations
from penviz.store.run_activations import first_classes
from penviz.store.run_config import RunConfig
from penviz.store.run_differences import differences
from penviz.store.runs import Run
from penviz.study.calibration_comparison import CalibrationComparison, calibration_comparison
from penviz.study.comparison import Comparison, ComparisonOptions
from penviz.study.study_run import StudyRun, notes_of, splits_of
from penviz.study.sweep_comparison import SweepComparison, sweep_comparison
from penviz.study.triple_comparison import TripleComparison, find_triples, triple_comparison


class WithActivations(Protocol):
    """A run with its activations, whoever made it."""

    @property
    def run(self) -> Run:
        """What is known of the run."""

    @property
    def splits(self) -> Mapping[str, Activations]:
        """Split -> activations."""


@dataclass(frozen=True, repr=False)
class Study:
    """Runs of one list of classes, each under a name of its own.

    Attributes:
        runs: in the order in which they are shown.

    Raises:
        InputError: no runs, a run without activations, two runs of one name, or different lists of classes.

    >>> import numpy as np, penviz
    >>> labels = np.arange(60) % 3
    >>> arrays = {"features": 4.0 * np.eye(3)[labels], "labels": labels, "weight": np.eye(3)}
    >>> names = {"hard": 0, "soft": 0.1}
    >>> runs = [penviz.from_arrays(**arrays, name=n, label_smoothing=a) for n, a in names.items()]
    >>> study = penviz.Study.of(runs)
    >>> study.compare([0, 2, 1], penviz.ComparisonOptions(per_class=5)).panels[0].n_shown
    (5, 5, 5)
    """

    runs: tuple[StudyRun, ...]

    def __post_init__(self) -> None:
        if not self.runs:
            raise InputError("A study needs at least one run.")
        for one in self.runs:
            if not one.splits:
                raise InputError(f"{one.name} has no activations: extract or capture them first.")
        names = [one.name for one in self.runs]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"Two runs are called {repeated[0]}: give each a name of its own.")
        if len({a.class_names for one in self.runs for a in one.splits.values()}) > 1:
            raise InputError("Runs with different lists of classes cannot share a study: choose others.")

    def __repr__(self) -> str:
        return f"<penviz study of {', '.join(one.name for one in self.runs)}>"

    @classmethod
    def of(cls, runs: Iterable[WithActivations]) -> Study:
        """A study of runs that are in memory; errors as those of the class."""
        return cls(tuple(r if isinstance(r, StudyRun) else StudyRun.of(r.run, r.splits) for r in runs))

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names."""
        return next(iter(self.runs[0].splits.values())).class_names

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that some run has, in the order of the columns."""
        return splits_of(self.runs)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that must stand beside every answer."""
        return notes_of(self.runs)

    @cached_property
    def differences(self) -> tuple[str, ...]:
        """In what the runs differ, as far as it is known (`run_differences.differences`)."""
        return tuple(differences([one.run for one in self.runs]))

    @property
    def shared(self) -> dict[str, Any]:
        """Config fields with one value in all runs that penviz trained -> that value."""
        configs = [one.run.config for one in self.runs if not one.run.adopted]
        first = configs[0].to_json() if configs else {}
        return {
            f.name: first[f.name]
            for f in fields(RunConfig)
            if configs and all(getattr(c, f.name) == getattr(configs[0], f.name) for c in configs)
        }

    def first_classes(self) -> tuple[int, int, int]:
        """Rows of the first three classes that every run can draw."""
        return first_classes([one.splits for one in self.runs])

    def compare(
        self, classes: Sequence[str | int] | None = None, options: ComparisonOptions | None = None
    ) -> Comparison:
        """Three classes of every run, side by side.

        Args:
            classes: three names or rows of the head, in the order left, right, above; the first three
                when not given.
            options: how they are drawn and measured.

        Returns:
            Panels, table and finding, each computed when it is first asked for.

        Raises:
            InputError: classes that are unknown, repeated or not three.
        """
        return Comparison.of(self.runs, classes or self.first_classes(), options or ComparisonOptions())

    def calibration(self, split: str | None = None, seed: int = 0) -> CalibrationComparison:
        """Confidence against accuracy of every run, before and after temperature scaling.

        Args:
            split: whose examples are parted in two halves, one to fit on and one to report; the first of
                validation, test and train that a run has when not given.
            seed: of the halves.

        Raises:
            InputError: no run whose calibration can be measured; it says why.
        """
        return calibration_comparison(self.runs, split, seed)

    def sweep(self, classes: Sequence[str | int] | None = None, bias: bool = True) -> SweepComparison:
        """Every number against label smoothing, over the runs that differ in nothing else but the seed.

        Args:
            classes: as in `compare`; bias: the template holds the bias.

        Raises:
            InputError: no runs that penviz trained on known targets.
        """
        return sweep_comparison(self.runs, classes or self.first_classes(), bias)

    def find(self, how: str, split: str | None = None, bias: bool = True) -> tuple[str, Ranking]:
        """The split and the first ten triples of one of `finder.FINDS`.

        Confusion and likeness are those of the first run, changes go from the first of two to the second.

        Args:
            split: one that all runs have, not seen in training if there is one when not given; bias: the
                template holds the bias.

        Raises:
            InputError: an unknown word, no split in common, or runs without their triples.
        """
        return find_triples(self.runs, how, split, bias)

    def triples(self, split: str | None = None, bias: bool = True) -> TripleComparison:
        """rho/d of every triple of classes in two runs, from the less smoothed one to the other.

        Args:
            split: of the values, the first that both have when not given; bias: the template holds the bias.

        Raises:
            InputError: not two runs, no split in common, or runs without their triples.
        """
        return triple_comparison(self.runs, split, bias)
