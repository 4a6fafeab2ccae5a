"""The numbers under the finding of a pair: plane, feature space, typical triple, accuracy, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from penviz.metrics.wording import signed_percent, three
from penviz.study.table import NumberRow, Table
from penviz.study.triple_comparison import TripleComparison

COLUMNS = {
    "rho_d": (
        "radius / distance (ρ/d), plane",
        "cluster radius over distance between clusters: less is tighter",
    ),
    "triple_ratio": ("ρ/d in all features", "the same three classes, off the plane too"),
    "accuracy": ("accuracy", "all classes"),
    "ece": ("calibration error (ECE)", "mean gap between confidence and accuracy: 0 is best"),
}
"""Key of a number -> what its column is called, and what it is."""

TYPICAL = "median triple"
"""The column between those of the triple and those of all classes."""


def key_facts(
    table: Table,
    titles: Sequence[str],
    triples: Mapping[str, TripleComparison],
    classes: Sequence[int],
    sides: Mapping[str, Sequence[str]],
) -> str:
    """A small table as HTML, a row a split; nothing but for two runs.

    Args:
        table: of the runs; titles: what the two are called, in the order of the change.
        triples: split -> all triples of the two, where they are known; classes: of the three on the page.
        sides: split -> "over-confident", "under-confident" or nothing of each, in the same order.
    """
    if len(table.row("rho_d").values) != 2:
        return ""
    known = {r.number.key: r for r in table.rows}
    keys = [key for key in COLUMNS if key in known and any(_both(known[key], s) for s in table.splits)]
    if "rho_d" not in keys:
        return ""
    heads = [f'<th title="{escape(COLUMNS[k][1])}">{escape(COLUMNS[k][0])}</th>' for k in keys]
    at = sum(k in ("rho_d", "triple_ratio") for k in keys)
    if triples:
        n = len(next(iter(triples.values())).pair.triples)
        title = f"Median change of ρ/d in the plane, over all {n:,} triples"
        heads.insert(at, f'<th title="{title}">median of {n:,} triples, plane</th>')
    body = ""
    for split in table.splits:
        under = {"ece": _direction(sides[split])} if split in sides else {}
        cells = [_cell(known[k], table.reference, split, COLUMNS[k][0], under.get(k, "")) for k in keys]
        if triples:
            cells.insert(at, _typical(triples.get(split), classes))
        body += f"<tr><th>{escape(split)}</th>{''.join(cells)}</tr>"
    head = f"<thead><tr><th>{escape(' → '.join(titles))}</th>{''.join(heads)}</tr></thead>"
    return f'<table class="pz-key-facts">{head}<tbody>{body}</tbody></table>'


def _both(row: NumberRow, split: str) -> bool:
    return all(values.get(split) is not None for values in row.values)


def _cell(row: NumberRow, reference: int, split: str, label: str, under: str) -> str:
    """The change where it is relative, both values, and what stands under them."""
    if not _both(row, split):
        return f'<td data-label="{escape(label)}">–</td>'
    before, after = (three(row.values[i][split]) for i in (reference, 1 - reference))
    change = row.changes.get(split)
    moved = f"<b>{signed_percent(change.value)}</b> " if change is not None and change.relative else ""
    return f'<td data-label="{escape(label)}"><span>{moved}{before} → {after}{under}</span></td>'


def _direction(sides: Sequence[str]) -> str:
    """Which way each ECE points, where that is clear of both: it has no sign, and can rise in between."""
    if len(sides) != 2 or not all(sides):
        return ""
    first, last = sides
    return f"<small>{f'both {first}' if first == last else f'{first} → {last}'}</small>"


def _typical(found: TripleComparison | None, classes: Sequence[int]) -> str:
    """The median change, and where the triple on the page stands."""
    if found is None:
        return f'<td data-label="{TYPICAL}">–</td>'
    rank = found.rank(classes)
    more = {None: "", 1: "none tightens more than these three", 2: "1 tightens more than these three"}.get(
        rank, f"{(rank or 1) - 1:,} tighten more than these three"
    )
    median = signed_percent(float(np.median(found.pair.change)))
    return f'<td data-label="{TYPICAL}"><span><b>{median}</b> {more}</span></td>'
