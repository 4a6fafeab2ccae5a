"""Which teachers a fair test can compare: the command refuses others, and the page says so beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from penviz.metrics.wording import series
from penviz.store.run_differences import differences
from penviz.store.runs import Run
from penviz.study.finding import other_fields


def by_smoothing(teachers: Sequence[Run]) -> dict[float, list[Run]]:
    """Teachers by smoothing, ascending, those of one smoothing by seed."""
    found: dict[float, list[Run]] = {}
    for run in sorted(teachers, key=lambda r: (r.config.label_smoothing or 0.0, r.config.seed)):
        found.setdefault(run.config.label_smoothing or 0.0, []).append(run)
    return found


def unfair(teachers: Sequence[Run]) -> str:
    """Why a test of these teachers would compare more than their targets, "" where it would not."""
    if fields := other_fields(differences(teachers)):
        return f"The teachers differ in {series(fields)}: a fair test needs equal ones."
    seeds = [[run.config.seed for run in group] for group in by_smoothing(teachers).values()]
    if any(len(set(s)) < len(s) for s in seeds):
        return "Two teachers have the same smoothing and seed: give one of them."
    if any(other != seeds[0] for other in seeds) and any(len(s) > 1 for s in seeds):
        return "Give the same seeds of every teacher, or one run of each."
    return ""
