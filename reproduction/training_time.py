"""training_time.csv: rho/d of all triples at every snapshot of the runs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from penviz.metrics.tightness.training_time import (
    quartiles,
    relative_change,
    time_to_fit,
    triples_over_epochs,
)
from penviz.store.atomic_write import whole_file
from penviz.store.run_config import RunError
from penviz.store.runs import Run
from penviz.store.snapshots import Snapshots, snapshots_path, splits_of
from reproduction.manifest import HERE, Listed
from reproduction.results import Row

TIMES = HERE / "training_time.csv"

OF_THE_RUN = ("rho_d_q1", "rho_d", "rho_d_q3")
OF_THE_PAIR = ("change_q1", "change", "change_q3")
COLUMNS = (
    *("id", "recipe", "label_smoothing", "seed", "split", "epoch", "fit", "pair_fit", "n", "seen_accuracy"),
    *("accuracy", *OF_THE_RUN, *OF_THE_PAIR, "tighter", "triples", "model_sha256"),
)
"""All columns, in their order; a row a run, split and snapshot.

fit is the run's time to fit in epochs, pair_fit that of the run and of its run on hard targets, the later of
the two; empty where it never fits. n examples are kept; accuracy is over them, seen_accuracy over all
training examples as they were seen in that epoch. rho_d is the median over all triples between its quartiles,
each on the plane of the epoch's own head; change likewise that of rho_d, triple by triple, from the run on
hard targets of equal recipe and seed at the same epoch; tighter is the share of triples in which it is below
0.
"""


def read_times(path: Path = TIMES) -> list[Row]:
    """All rows; none where there is no file. RunError for a file with other columns."""
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise RunError(f"{path} has other columns than these: move it away and measure the runs again.")
        return list(reader)


def write_times(rows: Sequence[Mapping[str, object]], path: Path = TIMES) -> None:
    """Put the rows of some runs in the place of those that the table has of them."""
    new = {str(row["id"]) for row in rows}
    kept = [row for row in read_times(path) if row["id"] not in new]
    with whole_file(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])


def measure_times(listed: Listed, run: Run, hard: Run | None) -> list[dict[str, object]]:
    """The rows of one finished run.

    Args:
        listed: its entry; run: with snapshots, else there are none; hard: the run on hard targets that it is
            compared with, None where there is none or it is not at hand.
    """
    fits = [_time_to_fit(run)] + ([] if hard is None else [_time_to_fit(hard)])
    pair_fit = None if None in fits else max(fit for fit in fits if fit is not None)
    seen = {line["epoch"]: line["train_accuracy"] for line in run.record["history"]}
    rows = []
    for split in splits_of(run):
        snapshots = Snapshots.load(snapshots_path(run.directory, split))
        epochs = snapshots.epochs.tolist()
        own = _triples(snapshots)
        before = None if hard is None else _same(hard, split, snapshots)
        for place, epoch in enumerate(epochs):
            row: dict[str, object] = {
                "id": listed.id,
                "recipe": listed.recipe.name,
                "label_smoothing": f"{listed.label_smoothing:g}",
                "seed": listed.seed,
                "split": split,
                "epoch": epoch,
                "fit": _cell(fits[0]),
                "pair_fit": _cell(pair_fit) if hard is not None else "",
                "n": len(snapshots.labels),
                "seen_accuracy": _cell(seen[epoch]),
                "accuracy": _cell(float((snapshots.predictions[place] == snapshots.labels).mean())),
                **dict(zip(OF_THE_RUN, map(_cell, quartiles(own[place])), strict=True)),
                "triples": int(np.isfinite(own[place]).sum()),
                "model_sha256": run.model_sha256,
            }
            if before is not None:
                changes = relative_change(before[place], own[place])
                row |= dict(zip(OF_THE_PAIR, map(_cell, quartiles(changes)), strict=True))
                row["tighter"] = _cell(float((changes[np.isfinite(changes)] < 0).mean()))
            rows.append(row)
    return rows


def _time_to_fit(run: Run) -> int | None:
    return time_to_fit([line["train_accuracy"] for line in run.record["history"]])


def _triples(snapshots: Snapshots) -> np.ndarray:
    return triples_over_epochs([snapshots.at(place) for place in range(len(snapshots))])


def _same(hard: Run, split: str, snapshots: Snapshots) -> np.ndarray | None:
    """rho/d of the run on hard targets at the same epochs; None where it kept others, or other examples."""
    path = snapshots_path(hard.directory, split)
    if not path.is_file():
        return None
    other = Snapshots.load(path)
    same = np.array_equal(other.epochs, snapshots.epochs) and np.array_equal(other.indices, snapshots.indices)
    return _triples(other) if same else None


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.6g}"
