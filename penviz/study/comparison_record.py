"""A comparison as `penviz measure --json` prints it; a number that does not exist is null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penviz.study.comparison import Comparison
from penviz.study.table import Table


def comparison_record(comparison: Comparison, geometry: bool = True) -> dict[str, Any]:
    """Finding, notes and numbers as a dictionary for JSON; an unknown alpha is null.

    Args:
        comparison: of some runs; geometry: with the geometry of all classes, which takes a pass more.
    """
    table, names = comparison.table, comparison.names
    record = {
        "finding": vars(comparison.finding),
        "notes": list(comparison.notes),
        "runs": names,
        "label_smoothings": [one.targets.label_smoothing for one in comparison.runs],
        "class_means_as_templates": [n for n, m in zip(names, table.class_means, strict=True) if m],
        "classes": list(table.classes),
        "bias": table.bias,
        "reference": names[table.reference],
        "numbers": _numbers(table, names),
    }
    if geometry:
        own, remark = comparison.geometry
        record["geometry"] = {"remark": remark, "numbers": _numbers(own, names)}
    return record


def _numbers(table: Table, names: Sequence[str]) -> dict[str, Any]:
    return {
        row.number.key: {
            "label": row.number.label,
            "meaning": row.number.meaning,
            "unit": row.number.unit,
            "scale_free": row.number.scale_free,
            "note": row.note,
            "values": {name: dict(values) for name, values in zip(names, row.values, strict=True)},
            "changes": {k: None if c is None else vars(c) for k, c in row.changes.items()},
            "needs_full_pass": [n for n, p in zip(names, row.pending, strict=True) if p],
        }
        for row in table.rows
    }
