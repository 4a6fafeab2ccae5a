"""Rows of results.csv as tests write them: of runs that the manifest lists."""

from __future__ import annotations

from typing import Any

from reproduction.manifest import read_manifest
from reproduction.results import COLUMNS, Row

MANIFEST = read_manifest()
LISTED = {run.id: run for run in MANIFEST.runs}


def row(listed_id: str, split: str = "validation", **values: Any) -> Row:
    """A row of a run of the manifest; the rest is empty."""
    listed = LISTED[listed_id]
    told: dict[str, Any] = {
        "id": listed_id,
        "tier": listed.recipe.tier,
        "recipe": listed.recipe.name,
        "model": listed.recipe.model,
        "dataset": listed.recipe.dataset,
        "label_smoothing": "" if listed.teacher else listed.label_smoothing,
        "teacher": listed.teacher.id if listed.teacher else "",
        "teacher_temperature": listed.temperature or "",
        "seed": listed.seed,
        "epochs": listed.recipe.options["epochs"],
        "split": split,
        **values,
    }
    return {column: str(told.get(column, "")) for column in COLUMNS}


ABOUT = {"seconds": 60, "nll": 1.0, "machine": '{"device": "cpu", "threads": 1}', "model_sha256": "0" * 64}
ABOUT |= {"versions": '{"penviz": "0", "torch": "2"}'}


def measured(listed_id: str, split: str = "validation", **values: Any) -> Row:
    """A row with everything that no row of a file lacks."""
    told = {"n": 10, "accuracy": 0.5, "command": "penviz train", "config": "{}", "dataset_id": "digits:0"}
    return row(listed_id, split, **ABOUT | told | values)
