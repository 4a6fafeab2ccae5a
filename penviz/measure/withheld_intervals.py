"""Sentences on the intervals of a table that would not hold and are not printed."""

from __future__ import annotations

from collections.abc import Sequence

from penviz.measure.table import Table
from penviz.measure.wording import series


def withheld_intervals(table: Table, names: Sequence[str]) -> list[str]:
    """A sentence for every reason and split: which numbers have no interval, and why.

    Args:
        table: of the runs; names: of them.
    """
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        for split, change in row.changes.items():
            if change is not None and change.why:
                reasons.setdefault((split, change.why), []).append(f"the change of {row.number.label}")
        if len(names) == 1:
            for split, why in row.why[0].items() if row.why else ():
                if why:
                    reasons.setdefault((split, why), []).append(row.number.label)
    return [f"No interval on {split} for {series(of)}: {why}." for (split, why), of in reasons.items()]
