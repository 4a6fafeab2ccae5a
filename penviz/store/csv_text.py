"""Tables as CSV that no spreadsheet runs. Standard library only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet takes for a formula (OWASP, "CSV Injection")."""


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as the text of a .csv; an apostrophe stands before a word that a spreadsheet would run."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return target.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str) or not value.startswith(_BEGINS_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
