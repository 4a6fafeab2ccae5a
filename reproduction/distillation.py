"""Distillation (Figure 5): what students learned from teachers, as a test of teachers and as a table."""

from __future__ import annotations

from pathlib import Path

from penviz.store.pilots import Condition, Pilot, conditions
from penviz.store.pilots import Row as Network
from reproduction.manifest import Recipe
from reproduction.results import Row
from reproduction.tables import NOTHING, Results, markdown, over_seeds, percent, three


def taught(results: Results) -> list[tuple[Recipe, Recipe]]:
    """(recipe of the students, recipe of their teachers), for those with a measured student."""
    measured = {row["id"] for row in results.students}
    pairs = [
        (run.recipe, run.teacher.recipe)
        for run in results.manifest.runs
        if run.teacher and run.id in measured
    ]
    return [pair for place, pair in enumerate(pairs) if pair not in pairs[:place]]


def gathered(results: Results, students: Recipe, teachers: Recipe) -> Pilot:
    """The measured students of one recipe, the same network on labels, and the teachers, as one test."""
    known = {run.id: run for run in results.manifest.runs}
    distilled = [
        row
        for row in results.students
        if row["recipe"] == students.name and known[row["teacher"]].recipe == teachers
    ]
    teaching, made = ({row[column] for row in distilled} for column in ("teacher", "id"))
    networks = []
    for role, rows in (
        ("teacher", [row for row in results.rows if row["id"] in teaching]),
        ("alone", [row for row in results.rows if row["recipe"] == students.name]),
        ("distilled", distilled),
    ):
        for name in dict.fromkeys(row["id"] for row in rows):
            own = {row["split"]: row for row in rows if row["id"] == name}
            networks.append(
                _network(role, own, known[own["validation"]["teacher"] or name].label_smoothing or 0.0)
            )
    return Pilot(
        directory=Path(),
        kind="sweep",
        dataset=students.dataset,
        teachers=teachers.model,
        student=students.model,
        epochs=int(distilled[0]["epochs"]),
        loss="cross-entropy",
        weight=1.0,
        finished=all(run.id in made for run in known.values() if run.teacher and run.recipe == students),
        seconds=sum(float(row["seconds"]) for row in distilled if row["split"] == "validation"),
        rows=tuple(networks),
    )


def _network(role: str, own: dict[str, Row], alpha: float) -> Network:
    """One network of a test, from its rows by split; alpha is its own, or its teacher's."""

    def scores(column: str) -> dict[str, float]:
        return {split: float(own[split][column]) for split in ("validation", "test") if split in own}

    row = own["validation"]
    gamma = alpha if role != "distilled" else float(row["gamma"]) if row["gamma"] else None
    heat, seed = float(row["teacher_temperature"] or 1), int(row["seed"])
    return Network(
        role, row["id"], row["teacher"], alpha, heat, gamma, seed, scores("accuracy"), scores("nll")
    )


def distillation(results: Results) -> str:
    """Figure 5: a line a kind of student, with the accuracy of its teachers beside it."""
    lines = []
    for students, teachers in taught(results):
        test = gathered(results, students, teachers)
        found = conditions(test)
        by_alpha = {one.label_smoothing: one for one in found if one.role == "teacher"}
        for one in found:
            if one.role != "teacher":
                teacher = by_alpha.get(one.label_smoothing) if one.role == "distilled" else None
                lines.append(_line(results, students, teachers, test, one, teacher))
    head = ["tier", "student", "teacher", "α", "T", "γ", "student, validation", "student, test"]
    return markdown([*head, "teacher, validation", "teacher, replication (ResNet-56)", "seeds"], lines)


def _line(
    results: Results,
    students: Recipe,
    teachers: Recipe,
    test: Pilot,
    one: Condition,
    teacher: Condition | None,
) -> list[str]:
    def accuracy(of: Condition | None, split: str) -> str:
        rows = [] if of is None else of.rows
        return over_seeds([row.accuracy[split] for row in rows if split in row.accuracy], percent)

    printed = results.printed(teachers, one.label_smoothing, "replication").get("accuracy")
    with_teacher = one.role == "distilled"
    return [
        students.tier,
        f"{students.model}, {test.epochs} epochs",
        teachers.model if with_teacher else "none",
        f"{one.label_smoothing:g}",
        f"{one.temperature:g}" if with_teacher else NOTHING,
        NOTHING if one.gamma is None else three(one.gamma),
        accuracy(one, "validation"),
        accuracy(one, "test"),
        accuracy(teacher, "validation"),
        percent(printed) if with_teacher and printed is not None else NOTHING,
        str(len(one.rows)),
    ]
