"""The calibration of several runs as data: numbers, diagrams and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from penviz import InputError
from penviz.metrics.calibration.calibrated import Calibrated
from penviz.store.activations import Activations
from penviz.study.calibration_finding import calibration_finding
from penviz.study.finding import Compared, Finding
from penviz.study.study_run import StudyRun, notes_of, usual_splits


@dataclass(frozen=True, repr=False)
class CalibrationComparison:
    """Confidence against accuracy of some runs on one split.

    Attributes:
        runs: those that could be measured; calibrated: of each, in the same order.
        split: of the examples; seed: of the two halves.
        refused: a sentence for each run that could not be measured.
    """

    runs: tuple[StudyRun, ...]
    calibrated: tuple[Calibrated, ...]
    split: str
    seed: int
    refused: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<calibration of {', '.join(one.name for one in self.runs)} on {self.split}>"

    @property
    def names(self) -> list[str]:
        """Of the runs."""
        return [one.name for one in self.runs]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that must stand beside the numbers."""
        return notes_of(self.runs)

    @cached_property
    def finding(self) -> Finding:
        """What the numbers say, in one sentence."""
        return calibration_finding(Compared.of([one.run for one in self.runs]), self.calibrated)


def calibration_comparison(runs: Sequence[StudyRun], split: str | None, seed: int) -> CalibrationComparison:
    """Measure every run that can be measured; arguments and errors as `Study.calibration`."""
    if seed < 0:
        raise InputError("The split seed must be at least 0.")
    chosen = split or usual_splits(runs)[0]
    kept, found, refused = [], [], []
    for one in runs:
        try:
            found.append(Calibrated.of(_measurable(one, chosen), seed))
            kept.append(one)
        except InputError as error:
            refused.append(str(error))
    if not found:
        raise InputError(" ".join(refused))
    return CalibrationComparison(tuple(kept), tuple(found), chosen, seed, tuple(refused))


def _measurable(one: StudyRun, split: str) -> Activations:
    """The activations of a split, if they are good for numbers over all classes; else InputError."""
    if split not in one.splits:
        raise InputError(f"{one.name} has no {split} activations.")
    a = one.splits[split]
    if a.over_all is not None:
        raise InputError(f"{one.name} is kept in shards: calibration needs one file of activations.")
    if a.partial:
        raise InputError(f"{one.name} is a quick look at some classes: calibration needs the full pass.")
    if a.head is None and a.own_logits is None:
        raise InputError(f"{one.name} has no single linear head and no logits were kept: bring it in again.")
    return a
