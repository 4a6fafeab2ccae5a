"""One run of a study: what is known of its training, and the activations that are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from penviz.metrics.target_vectors import Targets
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.run_activations import notes, ready, targets_of
from penviz.store.runs import Run


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
