"""The table of the numbers as light HTML: no data frame, no pandas."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from penviz.app.style import SCROLLER
from penviz.metrics.numbers import MEASURE, TABLES
from penviz.metrics.wording import FULL_PASS, change_text
from penviz.study.geometry import FROM_TABLE
from penviz.study.table import NumberRow, Table, value_text

MAIN = (
    "rho_d",
    "rho",
    "distance",
    "plane_share",
    "triple_ratio",
    "radius_ratio",
    "accuracy",
    "nll",
    "ece",
)
"""Numbers of the table under the grid; all the others unfold below it."""

ALL = tuple(number.key for number in TABLES[MEASURE] if number.key not in FROM_TABLE)
"""Those of neural collapse unfold with the rest of their kind."""


def _cell(words: str, kind: str = "") -> str:
    return f'<td class="{kind}">{words}</td>' if kind else f"<td>{words}</td>"


def _value(row: NumberRow, run: int, split: str) -> str:
    text = value_text(row, run, split)
    return f"<small>{text}</small>" if text == FULL_PASS else text


def _change(row: NumberRow, split: str) -> str:
    return change_text(row.changes.get(split)).replace("-", "−")


def _name(row: NumberRow) -> str:
    unit = f", {row.number.unit}" if row.number.unit not in ("", "share") else ""
    note = f"; {row.note}" if row.note else ""
    meaning = escape(f"{row.number.meaning}{unit}{note}")
    return f"<td>{escape(row.number.label)}<small>{meaning}</small></td>"


def _empty(row: NumberRow) -> bool:
    missing = all(value is None for values in row.values for value in values.values())
    return missing and not any(row.pending)


def _rows(table: Table, keys: Sequence[str]) -> list[NumberRow]:
    return [row for key in keys for row in table.rows if row.number.key == key and not _empty(row)]


def _wrap(head: str, body: str) -> str:
    table = f'<table class="pz-table"><thead>{head}</thead><tbody>{body}</tbody></table>'
    return f"{SCROLLER}{table}</div>"


def pair_table(table: Table, titles: Sequence[str], keys: Sequence[str] = MAIN) -> str:
    """A number a row; for each split the runs side by side, and the change where there are two.

    Args:
        table: of one or more runs; titles: what each run is called; keys: which numbers, in order.
    """
    # The reference stands first, so that the change reads from left to right.
    order = sorted(range(len(titles)), key=lambda i: i != table.reference)
    with_change = len(titles) == 2
    columns = [*(titles[i] for i in order), *(["change [95 %]"] if with_change else [])]
    top = "".join(
        f'<th class="pz-split pz-top" colspan="{len(columns)}">{escape(split)}</th>' for split in table.splits
    )
    first = "".join(
        f'<th class="{"pz-split" if place == 0 else ""}">{escape(column)}</th>'
        for _ in table.splits
        for place, column in enumerate(columns)
    )
    body = []
    for row in _rows(table, keys):
        cells = [_name(row)]
        for split in table.splits:
            cells += [
                _cell(_value(row, i, split), "pz-split" if place == 0 else "")
                for place, i in enumerate(order)
            ]
            if with_change:
                cells.append(_cell(_change(row, split), "pz-change"))
        body.append(f"<tr>{''.join(cells)}</tr>")
    head = f'<tr><th rowspan="2">metric</th>{top}</tr><tr class="pz-second">{first}</tr>'
    return _wrap(head, "".join(body))


def run_table(table: Table, titles: Sequence[str], keys: Sequence[str] = MAIN) -> str:
    """A run a row, a number a column with train and validation in it; for three runs and more.

    Args:
        table: of the runs; titles: what each is called; keys: which numbers, in order.
    """
    rows = _rows(table, keys)
    top = "".join(
        f'<th class="pz-split" colspan="{len(table.splits)}" title="{escape(row.number.meaning)}">'
        f"{escape(row.number.label)}</th>"
        for row in rows
    )
    first = "".join(
        f'<th class="{"pz-split" if place == 0 else ""}">{escape(split[:5])}</th>'
        for _ in rows
        for place, split in enumerate(table.splits)
    )
    body = "".join(
        f"<tr><td>{escape(title)}</td>"
        + "".join(
            _cell(_value(row, i, split), "pz-split" if place == 0 else "")
            for row in rows
            for place, split in enumerate(table.splits)
        )
        + "</tr>"
        for i, title in enumerate(titles)
    )
    meanings = "; ".join(f"<b>{escape(row.number.label)}</b> {escape(row.number.meaning)}" for row in rows)
    head = f'<tr><th rowspan="2">run</th>{top}</tr><tr class="pz-second">{first}</tr>'
    return _wrap(head, body) + f'<p class="pz-note">{meanings}.</p>'
