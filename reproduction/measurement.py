"""The numbers of one finished run, as rows of results.csv."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from penviz.metrics.calibration.reliability import ece
from penviz.metrics.calibration.temperature import fit_temperature, halve, softmax
from penviz.metrics.information import equivalent_smoothing
from penviz.metrics.target_vectors import Targets, least_loss
from penviz.metrics.tightness.arc import Arc
from penviz.metrics.tightness.training_time import quartiles
from penviz.projection.build_panel import build_grid
from penviz.projection.panel_options import PanelOptions
from penviz.projection.split_statistics import SplitStatistics, triple_changes
from penviz.store.activations import Activations
from penviz.store.runs import SPLITS, Run, activations_path
from penviz.study.table import compare
from reproduction.manifest import Listed
from reproduction.results import OF_ALL_TRIPLES


def summarise(run: Run) -> dict[str, SplitStatistics]:
    """The stored activations of a run, digested, by split."""
    return {s: SplitStatistics.of(Activations.load(activations_path(run.directory, s))) for s in run.splits()}


def measure(
    listed: Listed,
    run: Run,
    reference: Mapping[str, SplitStatistics] | None,
    command: str,
    *,
    teacher: Run | None = None,
    information: Mapping[str, object] | None = None,
) -> list[dict[str, object]]:
    """Rows of a run: one a split that was evaluated.

    Args:
        listed: its entry in the manifest; run: finished and extracted; command: that trains it alone.
        reference: the run on hard targets of equal recipe and seed, None where there is none.
        teacher: the run that a student learned from; information: `results.INFORMATION`, where measured.
    """
    own = summarise(run)
    taught = {} if teacher is None else of_a_student(run, teacher)
    rows = []
    for split in (s for s in SPLITS if s in run.metrics):
        scores = run.metrics[split]
        row: dict[str, object] = {
            "id": listed.id,
            "tier": listed.recipe.tier,
            "recipe": listed.recipe.name,
            "dataset": run.config.dataset,
            "model": run.config.model,
            "label_smoothing": run.config.label_smoothing,
            "seed": run.config.seed,
            "epochs": run.config.epochs,
            "split": split,
            "n": int(scores["n"]),
            "accuracy": scores["accuracy"],
            "nll": scores["nll"],
            **taught,
        }
        if split in own:
            row["n_stored"] = len(own[split].activations)
            row |= {key: own[split].numbers.get(key) for key in ("gap", "spread", "ece")}
            row |= of_one_split(listed, own[split])
        if split == "validation" and split in own:
            row |= fit(own[split])
        if split == "train":
            row |= information or {}
        if reference is not None and split in own and split in reference:
            row["against"] = reference[split].activations.run
            row |= _triples(reference[split], own[split])
        rows.append(row | _provenance(run, split, command))
    for k, triple in enumerate(listed.recipe.triples, start=1):
        for split, numbers in measure_triple(listed, own, triple, reference).items():
            row = next(row for row in rows if row["split"] == split)
            row |= {f"triple{k}_{key}": value for key, value in numbers.items()}
    return rows


def of_one_split(listed: Listed, summary: SplitStatistics) -> dict[str, object]:
    """Columns that need one extracted split alone: loss over its floor, quartiles over all triples, the arc.

    With the uniform distribution u and the one-hot y, H(u, p) - H(y, p) is (K - 1) / K times the mean gap, so
    that the loss of label smoothing, (1 - alpha) H(y, p) + alpha H(u, p), is the NLL plus alpha of that.
    """
    found, label_smoothing = arc_of(summary, listed.recipe.arc), listed.label_smoothing
    n_classes, numbers = len(summary.activations.class_names), summary.logits
    if label_smoothing is not None and numbers is not None:
        gap = float(numbers.gap.mean()) * (n_classes - 1) / n_classes
        loss = float(numbers.nll.mean()) + label_smoothing * gap
        found["loss_over_floor"] = loss - least_loss(Targets.of(label_smoothing), n_classes)
    if summary.rho_d:
        found |= zip(OF_ALL_TRIPLES, map(float, quartiles(summary.rho_d[True])), strict=True)
    return found


def arc_of(summary: SplitStatistics, classes: Sequence[str] | None) -> dict[str, object]:
    """`results.OF_THE_ARC` of two similar classes and a distant one; nothing where none are named."""
    if classes is None:
        return {}
    *similar, distant = summary.project(classes).points
    arc = Arc.of(similar, distant)
    return {
        "arc_classes": ", ".join(classes),
        "arc_isotropy": arc.isotropy,
        "arc_continuum": arc.continuum,
    }


def of_a_student(run: Run, teacher: Run) -> dict[str, object]:
    """`results.OF_A_STUDENT`; no gamma where the teacher's training examples are not extracted."""
    path, temperature = activations_path(teacher.directory, "train"), run.config.temperature
    gamma = None
    if path.is_file():
        stored = Activations.load(path)
        gamma = equivalent_smoothing(softmax(stored.logits(), temperature), stored.labels)
    return {"teacher": teacher.name, "teacher_temperature": f"{temperature:g}", "gamma": gamma}


def fit(validation: SplitStatistics) -> dict[str, object]:
    """Fit the temperature on half of the examples, and ECE of the other half: `results.CALIBRATION`."""
    activations, numbers = validation.activations, validation.logits
    assert numbers is not None
    z = activations.logits()
    half, other = halve(validation.rows)
    found = fit_temperature(z[half], activations.labels[half])
    right = numbers.correct[other]
    at = softmax(z[other], found.value).max(axis=1) if found.finite else None
    return {
        "temperature": found.value,
        "temperature_low": found.low,
        "temperature_high": found.high,
        "n_fit": len(half),
        "n_other": len(other),
        "ece_other": ece(numbers.confidence[other], right),
        "ece_other_at_temperature": None if at is None else ece(at, right),
    }


def measure_triple(
    listed: Listed,
    own: Mapping[str, SplitStatistics],
    triple: tuple[int, int, int],
    reference: Mapping[str, SplitStatistics] | None,
) -> dict[str, dict[str, object]]:
    """split -> the numbers of one triple, by the names in `results.OF_A_TRIPLE`."""
    alpha = listed.label_smoothing
    runs = [own] if reference is None else [reference, own]
    table = compare(runs, triple, label_smoothings=[alpha] if reference is None else [0.0, alpha])
    stored = [{s: summary.activations for s, summary in own.items()}]
    options = PanelOptions(1, scale="own")
    (panels,) = build_grid(stored, triple, options, targets=[Targets.of(alpha)], summaries=[own])
    found: dict[str, dict[str, object]] = {}
    for panel in panels:
        split = panel.split

        def value(key: str, split: str = split) -> float | None:
            return table.row(key).values[-1].get(split)

        interval = table.row("rho_d").intervals[-1].get(split)
        change = table.row("rho_d").changes.get(split)
        centre = [value(f"towards_centre_{k}") for k in range(3)]
        found[split] = {
            "classes": " ".join(map(str, triple)),
            "n": sum(panel.n_stored),
            "rho_d": value("rho_d"),
            "rho_d_low": interval[0] if interval else None,
            "rho_d_high": interval[1] if interval else None,
            "distance": value("distance"),
            "regularity": value("regularity"),
            "towards_centre": float(np.mean([c for c in centre if c is not None])),
            "axis": (panel.limits[1] - panel.limits[0]) / 2,
            "change": change.value if change else None,
            "change_low": change.low if change else None,
            "change_high": change.high if change else None,
        }
    return found


def _triples(before: SplitStatistics, after: SplitStatistics) -> dict[str, object]:
    """How rho/d of all triples of classes changes, so that one triple cannot be a lucky one."""
    compared = triple_changes(before, after)
    if compared is None:
        return {}
    changes = compared[1]
    return {
        "triples_tighter": int((changes < 0).sum()),
        "triples_compared": len(changes),
        "triples_median_change": float(np.median(changes)),
    }


def _provenance(run: Run, split: str, command: str) -> dict[str, Any]:
    record = run.record
    return {
        "seconds": float(record["seconds"]),
        "command": command,
        "config": json.dumps(run.config.to_json(), sort_keys=True),
        "versions": json.dumps(record["versions"], sort_keys=True),
        "machine": json.dumps(record["machine"], sort_keys=True),
        "dataset_id": record["splits"][split]["dataset_id"],
        "model_sha256": run.model_sha256,
    }
