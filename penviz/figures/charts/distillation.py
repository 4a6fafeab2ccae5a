"""Accuracy against the equivalent smoothing: what students learn from hard and soft teachers.

As figure 5 of Müller et al. 2019: teachers and students alone against their alpha, students of a teacher
against the gamma of what they were told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penviz import InputError
from penviz.projection.chart import Chart, Series
from penviz.store.pilots import PILOT_FILE, Condition, Pilot, conditions, read_pilot
from penviz.store.runs import Run


def build(runs: Sequence[Run]) -> tuple[Chart, ...]:
    """The chart of the test that the first run belongs to: the one in whose directory it lies.

    Raises:
        InputError: it belongs to none.
    """
    found = read_pilot(runs[0].directory.parent)
    if found is None or not found.rows:
        raise InputError(
            f"{runs[0].name} belongs to no distillation test: make one with penviz distill --pilot."
        )
    return (chart_of(found),)


def files(run: Run) -> tuple[str, ...]:
    """The results of the test, which lie beside the student."""
    return (f"../{PILOT_FILE}",)


def chart_of(pilot: Pilot) -> Chart:
    """Four curves, means over the seeds with bands from the least to the greatest."""
    split = pilot.reported_on
    all_of = conditions(pilot)
    students = [c for c in all_of if c.role == "distilled"]
    groups = [
        ("teacher, by its α", [c for c in all_of if c.role == "teacher"], 0, False),
        ("student alone, by its α", [c for c in all_of if c.role == "alone"], 1, False),
        ("student of the hard teacher, by T", [c for c in students if c.label_smoothing == 0], 2, False),
        (
            "student of soft teachers, T = 1",
            [c for c in students if c.label_smoothing and c.temperature == 1],
            3,
            False,
        ),
    ]
    warm = [c for c in students if c.label_smoothing and c.temperature != 1]
    for alpha in dict.fromkeys(c.label_smoothing for c in warm):
        same = [c for c in warm if c.label_smoothing == alpha]
        groups.append((f"student of the soft teacher, α = {alpha:g}, other T", same, 3, True))
    series = [_series(name, list(of), split, colour, dashed) for name, of, colour, dashed in groups if of]
    seeds = max(len(c.rows) for c in all_of)
    words = f"{seeds} seeds, bands from the least to the greatest" if seeds > 1 else "one seed"
    return Chart(
        title=f"{pilot.teachers} teaches {pilot.student}, {pilot.dataset}",
        x_label="equivalent smoothing γ (α where there is no teacher)",
        y_label=f"accuracy on {split} (%)",
        series=tuple(series),
        about=(
            f"{pilot.dataset}: {pilot.teachers} teaching {pilot.student}, {pilot.epochs} epochs a student, "
            f"{words}; accuracy on {split}"
            + ("." if pilot.finished else "; the test is under way and not all students are trained.")
        ),
    )


def _series(name: str, of: list[Condition], split: str, colour: int, dashed: bool) -> Series:
    of = sorted(of, key=lambda c: c.gamma or 0.0)
    values = [100 * np.asarray(c.values(split)) for c in of]
    banded = any(len(v) > 1 for v in values)
    labels = tuple(
        (f"T = {c.temperature:g}, best on validation" if c.tuned else f"T = {c.temperature:g}")
        if c.role == "distilled" and c.label_smoothing == 0
        else f"α = {c.label_smoothing:g}"
        + (f", T = {c.temperature:g}" + (", best on validation" if c.tuned else "")) * (c.role == "distilled")
        for c in of
    )
    return Series(
        name,
        np.array([c.gamma or 0.0 for c in of]),
        np.array([v.mean() for v in values]),
        np.array([v.min() for v in values]) if banded else None,
        np.array([v.max() for v in values]) if banded else None,
        kind="line+markers",
        colour=colour,
        dashed=dashed,
        labels=labels,
    )


SETTINGS: dict[str, Any] = {}
FIGURES = {"distillation": (SETTINGS, build, files)}
