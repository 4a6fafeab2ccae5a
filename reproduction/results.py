"""results.csv: one row a run and split, written whole or not at all."""

from __future__ import annotations

import csv
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from penviz.store.atomic_write import whole_file
from penviz.store.run_config import RunError

Row = dict[str, str]

OF_A_TRIPLE = (
    *("classes", "n", "rho_d", "rho_d_low", "rho_d_high", "distance", "regularity", "towards_centre", "axis"),
    *("change", "change_low", "change_high"),
)
"""Numbers of one triple; the columns have `triple1_` or `triple2_` before them."""

TOGETHER = tuple(
    tuple(f"triple{k}_{name}" for name in group)
    for k in (1, 2)
    for group in (
        [name for name in OF_A_TRIPLE[:-3] if name not in ("rho_d_low", "rho_d_high")],
        ("rho_d_low", "rho_d_high"),
        ("change_low", "change_high"),
    )
)
"""Columns that are all empty in a row, or none of them. Too few examples give a number and no interval."""

CALIBRATION = (
    *("temperature", "temperature_low", "temperature_high", "n_fit"),
    *("n_other", "ece_other", "ece_other_at_temperature"),
)
"""The temperature fitted on half of the validation examples; ECE of the other half, as it is and at it."""

OF_A_STUDENT = ("teacher", "teacher_temperature", "gamma")
"""Whom a student learned from, and how soft that was; empty for a run on labels."""

INFORMATION = ("information", "information_classes", "information_n", "information_samples")
"""Mutual information of a recipe that names two classes; empty for the others."""

OF_ALL_TRIPLES = ("triples_rho_d_q1", "triples_rho_d", "triples_rho_d_q3")
"""Lower quartile, median and upper quartile of rho_d over all triples of classes."""

OF_THE_ARC = ("arc_classes", "arc_isotropy", "arc_continuum")
"""Of two similar classes and a distant one, where a recipe names them (penviz/metrics/tightness/arc.py)."""

ADDED = (*OF_A_STUDENT, *INFORMATION, "loss_over_floor", *OF_ALL_TRIPLES, *OF_THE_ARC)
"""Columns that tables from before they were measured lack."""

COLUMNS = (
    *("id", "tier", "recipe", "dataset", "model", "label_smoothing", "seed", "epochs", "split"),
    *OF_A_STUDENT,
    *("n", "accuracy", "nll", "n_stored", "gap", "spread", "ece", "loss_over_floor"),
    *CALIBRATION,
    *(f"triple{k}_{name}" for k in (1, 2) for name in OF_A_TRIPLE),
    *OF_ALL_TRIPLES,
    *("against", "triples_tighter", "triples_compared", "triples_median_change"),
    *OF_THE_ARC,
    *INFORMATION,
    *("seconds", "command", "config", "versions", "machine", "dataset_id", "model_sha256"),
)
"""All columns, in their order.

n is the number of examples of the split, which accuracy and nll (nats) are over; n_stored those that were
extracted, which gap, spread (nats) and ece (15 bins) are over, and loss_over_floor (nats): the mean loss on
the run's own targets less the entropy of these, the least that it can be. The temperature minimises the nll
of n_fit validation examples, with its 95 % interval over them; n_other are the others. seconds is the
duration of the training, command one that trains this run alone.

Of a triple: its n extracted examples, rho_d with its 95 % interval over examples, the distance between class
means and the axis (half its length; train and validation share it) in feature units, the share of examples
towards the centre, and the change of rho_d, with its 95 % interval over examples, from the run named in
`against`: hard targets, the same recipe and seed. Of all triples compared with that run some are tighter;
triples_rho_d is the median over all triples of this run, between its quartiles. arc_isotropy and
arc_continuum are of the classes that the recipe names, the distant one last.

A student has no label_smoothing. The logits of its teacher are divided by teacher_temperature, and gamma is
the equivalent smoothing of what the teacher then says of its extracted training examples. information, in the
row of the training split, is the mutual information (nats) of the finished network for two classes, over
information_n training examples with information_samples augmented samples for the mean of each.
"""

NEEDED = (
    *("id", "tier", "recipe", "dataset", "model", "seed", "epochs", "split", "n", "accuracy", "nll"),
    *("seconds", "command", "config", "versions", "machine", "dataset_id", "model_sha256"),
)
"""Columns that are empty in no row."""

RECORDS = {"config": (), "versions": ("penviz", "torch"), "machine": ("device", "threads")}
"""Columns of JSON objects, and what each at least has."""

WHOLE = (
    *("seed", "epochs", "n", "n_stored", "n_fit", "n_other", "triple1_n", "triple2_n"),
    *("triples_tighter", "triples_compared", "information_n", "information_samples"),
)
"""Columns of whole numbers."""

WORDS = (
    *("id", "tier", "recipe", "dataset", "model", "split", "teacher", "triple1_classes", "triple2_classes"),
    *("against", "arc_classes", "information_classes", "command", "dataset_id", "model_sha256"),
)
"""Columns of text; those of none of these kinds hold numbers."""


def read_results(path: Path) -> list[Row]:
    """All rows; none where there is no file. A column of ADDED that the file lacks is empty.

    Raises:
        RunError: a file that is no table, or with other columns; a row that is cut off or holds what its
            columns do not; or a run and split that are there twice.
    """
    if not path.is_file():
        return []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            found = tuple(next(reader, ()))
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error):
        raise RunError(f"{path} is not a table in UTF-8: move it away and measure the runs again.") from None
    if found != tuple(column for column in COLUMNS if column in found or column not in ADDED):
        raise RunError(f"{path} has other columns than these: move it away and measure the runs again.")
    rows = []
    for number, cells in lines:
        where = f"Line {number} of {path}"
        if len(cells) != len(found):
            raise RunError(
                f"{where} has {len(cells)} cells for {len(found)} columns: take out the rows of that run."
            )
        row = {**dict.fromkeys(COLUMNS, ""), **dict(zip(found, cells, strict=True))}
        needed = NEEDED if row["teacher"] else (*NEEDED, "label_smoothing")
        if lacking := [column for column in needed if not row[column]]:
            raise RunError(f"{where} has no {lacking[0]}: take out the rows of that run.")
        if wrong := [column for column, cell in row.items() if cell and not _fits(column, cell)]:
            raise RunError(f"{where} has an unreadable {wrong[0]}: take out the rows of that run.")
        for group in TOGETHER:
            if (empty := [column for column in group if not row[column]]) and len(empty) < len(group):
                raise RunError(f"{where} has no {empty[0]}: take out the rows of that run.")
        rows.append(row)
    keys = [(row["id"], row["split"]) for row in rows]
    if len(set(keys)) < len(keys):
        raise RunError(f"{path} holds a run and split twice: take one of them out.")
    return rows


def _fits(column: str, cell: str) -> bool:
    """Whether a cell is of its column's kind."""
    if column in WORDS:
        return True
    try:
        if column in RECORDS:
            record = json.loads(cell)
            return isinstance(record, dict) and record.keys() >= set(RECORDS[column])
        int(cell) if column in WHOLE else float(cell)
    except (ValueError, RecursionError):
        return False
    return True


def append_results(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Add the rows of one run, all at once; a kill leaves the old file or the new one.

    Raises:
        RunError: as `read_results`, or the run is there already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent):
        before = read_results(path)
        known = {row["id"] for row in before} & {str(row["id"]) for row in rows}
        if known:
            raise RunError(f"{path} holds {', '.join(sorted(known))} already.")
        with whole_file(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(before)
            writer.writerows([{key: _cell(value) for key, value in row.items()} for row in rows])


def fill_results(path: Path, measured: Mapping[tuple[str, str], Mapping[str, object]]) -> int:
    """Fill empty cells of columns in ADDED of rows that are there; what is measured already stays as it is.

    Args:
        measured: (id, split) -> column -> value.

    Returns:
        How many cells were filled.
    """
    filled = 0
    with _locked(path.parent):
        rows = read_results(path)
        for row in rows:
            for column, value in measured.get((row["id"], row["split"]), {}).items():
                if column in ADDED and not row[column] and value is not None:
                    row[column], filled = _cell(value), filled + 1
        with whole_file(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return filled


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Wait for a directory, and hold it against other processes. A killed process holds nothing."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
