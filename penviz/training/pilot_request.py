"""What a fair test of teachers is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penviz.store.run_config import RunError
from penviz.store.runs import Run
from penviz.study.teacher_comparison import by_smoothing, unfair
from penviz.training import students

TEMPERATURES = (1.0, 2.0, 4.0)
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Request:
    """What is to be tested.

    Attributes:
        teachers: finished runs that differ in nothing but smoothing and seed, one of each smoothing or the
            same seeds of each; soft ones are of one kind of targets.
        student: name of its network.
        out: directory of the students and of the results.
        kind: "pilot" (every teacher at every temperature) or "sweep" (only hard teachers at every one, soft
            ones at T = 1, and the student alone at every teacher's smoothing).
        temperatures: to choose from; 1 must be among them.
        seeds: of the students of a single teacher; where there are several seeds of each teacher, a student
            has its teacher's.
        chosen: further RunConfig fields of all students.
        device: as in `train`.
        data_dir: where data sets lie; dataset: the data, where the teachers' own name does not say where.
        command: the command line, kept with the results.
    """

    teachers: tuple[Run, ...]
    student: str
    out: Path
    kind: str = "pilot"
    temperatures: tuple[float, ...] = TEMPERATURES
    seeds: tuple[int, ...] = SEEDS
    chosen: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    data_dir: Path = Path("data")
    dataset: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        if not self.teachers:
            raise RunError("A test needs a teacher.")
        for run in self.teachers:
            students.image_shape_of(run)
            if run.config.label_smoothing is None:
                why = "learned from a teacher itself"
                if run.adopted:
                    why = "has unknown targets (state them to penviz extract with --label-smoothing)"
                raise RunError(f"{run.name} {why}: a test is of hard and soft teachers.")
        if reason := unfair(self.teachers):
            raise RunError(reason)
        if 1 not in self.temperatures or not all(0 < t < math.inf for t in self.temperatures):
            raise RunError("The temperatures must be finite and above 0, and 1 must be among them.")
        if self.chosen.get("distillation_loss") == "squared-logits" and set(self.temperatures) != {1}:
            raise RunError("Squared logits have no temperature: use --temperatures 1.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise RunError("The seeds of the students must differ: one network counts once.")
        named = {  # what directories of students are called by
            "teachers": [run.name for run in self.teachers],
            "smoothings of teachers": [f"{alpha:g}" for alpha in self.groups],
            "temperatures": [f"{t:g}" for t in sorted(set(self.temperatures))],
        }
        for what, words in named.items():
            twice = next((word for word in words if words.count(word) > 1), None)
            if twice is not None:
                raise RunError(
                    f"Two {what} would both be called {twice}, and so would their students: "
                    f"{'rename the directory of' if what == 'teachers' else 'leave out'} one of them."
                )

    @property
    def groups(self) -> dict[float, list[Run]]:
        """Teachers by smoothing, ascending."""
        return by_smoothing(self.teachers)

    def pairs(self, alpha: float) -> list[tuple[Run, int]]:
        """(teacher, seed of its student) for a smoothing of the teachers."""
        group = self.groups[alpha]
        return (
            [(run, run.config.seed) for run in group]
            if len(group) > 1
            else [(group[0], s) for s in self.seeds]
        )

    def tried(self, alpha: float) -> tuple[float, ...]:
        """Temperatures of a teacher, ascending."""
        return tuple(sorted(set(self.temperatures))) if self.kind == "pilot" or alpha == 0 else (1.0,)
