"""One run of a study: what is known of its training, and the activations that are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from penviz.metrics.target_vectors import Targets
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.run_activations import notes, ready, targets_of, unmeasured
from penviz.store.runs import SPLITS, Run

PREFERRED = ("validation", "test", "train")
"""Splits in the order in which networks are judged on them."""


@dataclass(frozen=True, repr=False)
class StudyRun:
    """A run and its activations.

    Attributes:
        run: its name, config and record.
        splits: split -> activations under the run's name (`run_activations.ready`).
        notes: sentences that must stand wherever the run is shown (`run_activations.notes`).
    """

    run: Run
    splits: Mapping[str, Activations]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        sizes = ", ".join(f"{split}: {len(a):,} examples" for split, a in self.splits.items())
        return f"<penviz run {self.run.name} ({sizes})>"

    @classmethod
    def of(cls, run: Run, splits: Mapping[str, Activations]) -> StudyRun:
        """A run with its raw activations: they get its name, and class means where there is no head."""
        own = ready(run, splits)
        return cls(run, own, tuple(notes(run, own)))

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.run.name

    @property
    def targets(self) -> Targets:
        """What the run was trained on."""
        return targets_of(self.run)

    def unmeasured(self) -> list[str]:
        """Splits in shards whose numbers over all classes were not measured."""
        return unmeasured(self.run, self.splits)

    @cached_property
    def statistics(self) -> dict[str, SplitStatistics]:
        """Split -> what does not depend on the triple, computed when it is first asked for."""
        return {split: SplitStatistics.of(a) for split, a in self.splits.items()}

    @property
    def statistics_at_hand(self) -> dict[str, SplitStatistics]:
        """Those computed already: a picture saves time with them and needs none."""
        found: dict[str, SplitStatistics] = vars(self).get("statistics", {})
        return found

    def with_statistics(self, found: Mapping[str, SplitStatistics]) -> StudyRun:
        """The same run with statistics of its splits that were computed before."""
        vars(self)["statistics"] = dict(found)
        return self


def splits_of(runs: Sequence[StudyRun]) -> tuple[str, ...]:
    """Splits that some run has, in the order of the columns."""
    return tuple(s for s in SPLITS if any(s in one.splits for one in runs))


def notes_of(runs: Sequence[StudyRun]) -> tuple[str, ...]:
    """Sentences that must stand beside every answer."""
    return tuple(dict.fromkeys(note for one in runs for note in one.notes))


def usual_splits(runs: Sequence[StudyRun]) -> list[str]:
    """Splits that some run holds; first those that all hold and none was trained on."""
    held = [s for s in PREFERRED if any(s in one.splits for one in runs)]
    unseen = [s for s in held if all(s in one.splits and s in one.run.unseen for one in runs)]
    return list(dict.fromkeys([*unseen, *held]))
