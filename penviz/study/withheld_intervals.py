"""Sentences on the intervals of a table that would not hold and are not printed."""

from __future__ import annotations

from penviz.metrics.wording import series
from penviz.study.table import Table


def withheld_intervals(table: Table) -> list[str]:
    """A sentence for every reason: which numbers have no interval, on which splits, and why."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for row in table.rows:
        for split, change in row.changes.items():
            if change is not None and change.why:
                label = f"the change of {row.number.label}"
                reasons.setdefault(change.why, {}).setdefault(split, []).append(label)
        if len(row.values) == 1:
            for split, why in row.why[0].items() if row.why else ():
                if why:
                    reasons.setdefault(why, {}).setdefault(split, []).append(row.number.label)
    said = []
    for why, by_split in reasons.items():
        together: dict[str, list[str]] = {}
        for split, labels in by_split.items():
            together.setdefault(series(labels), []).append(split)
        for of, splits in together.items():
            where = "" if len(splits) == len(table.splits) else f" on {series(splits)}"
            said.append(f"No interval{where} for {of}: {why}.")
    return said
