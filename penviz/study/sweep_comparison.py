"""A sweep over label smoothing as data: the numbers of runs that differ only in alpha and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penviz import InputError
from penviz.projection.projection import class_indices
from penviz.store.runs import Run
from penviz.study.families import families
from penviz.study.finding import Finding
from penviz.study.study_run import StudyRun
from penviz.study.sweep import Curve, Swept, Values, curve, run_values, sweep_finding


@dataclass(frozen=True, repr=False)
class SweepComparison:
    """Runs that differ only in alpha and seed, with their numbers.

    Attributes:
        families: what tells the network of some runs from the others -> its runs, digested.
        classes: rows of the three classes in the head; bias: the template holds the bias.
    """

    families: dict[str, tuple[Swept, ...]]
    classes: tuple[int, int, int]
    bias: bool = True

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}: {len(runs)} runs" for name, runs in self.families.items())
        return f"<sweep of {counts}>"

    def curve(self, key: str, split: str, family: str | None = None) -> Curve:
        """One number of one split against alpha, of the first family when none is named."""
        return curve(self.families[family or next(iter(self.families))], key, split)

    def finding(self, family: str | None = None) -> Finding:
        """What rho/d of a family says against alpha, of the first family when none is named."""
        name = family or next(iter(self.families))
        called = name if len(self.families) > 1 else ""
        return sweep_finding(self.families[name], self.classes, self.bias, called)


def sweep_comparison(runs: Sequence[StudyRun], classes: Sequence[str | int], bias: bool) -> SweepComparison:
    """Arguments and errors as `Study.sweep`."""
    by_name = {one.name: one for one in runs}
    found = families([one.run for one in runs])
    if not found:
        raise InputError("A sweep needs runs that penviz trained on known targets.")
    names = next(iter(runs[0].splits.values())).class_names
    chosen = class_indices(list(classes), names)
    digested = {}
    for family, members in found.items():
        digested[family] = tuple(swept(run, values_of(by_name[run.name], chosen, bias)) for run in members)
    return SweepComparison(digested, chosen, bias)


def values_of(one: StudyRun, classes: Sequence[str | int], bias: bool) -> Values:
    """Every number of one run, by split and key; arguments as `Study.sweep`."""
    noise = one.run.config.label_noise
    return run_values(one.statistics, classes, bias=bias, targets=one.targets, label_noise=noise)


def swept(run: Run, values: Values) -> Swept:
    """A run of a family with its numbers (`values_of`)."""
    assert run.config.label_smoothing is not None  # else it belongs to no family
    return Swept(run.name, run.config.label_smoothing, run.config.seed, values, run.config.targets)
