"""The geometry of all classes of some runs as a table: neural collapse, norms, ranks and margins.

It takes a pass over the examples more than the other numbers, so it is computed where it is asked for.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.class_sample import sample_words
from penviz.metrics.collapse.collapse import Collapse
from penviz.metrics.collapse.margins import margins
from penviz.metrics.collapse.simplex import attainable, nc4_terms
from penviz.metrics.intervals.bootstrap import Change, mean_difference, mean_log_ratio
from penviz.metrics.numbers import GEOMETRY, TABLES
from penviz.projection.split_statistics import SplitStatistics
from penviz.study.table import NumberRow, Table

Float = NDArray[np.float64]

FROM_TABLE = ("nc1", "cdnv")
"""Numbers of neural collapse that the table of all numbers holds already; they come first."""

KEYS = (*FROM_TABLE, *(number.key for number in TABLES[GEOMETRY]))
"""Of the rows, in their order."""

NEEDS_ROOM = tuple(
    f"{of}_{what}" for of in ("means", "templates") for what in ("equiangular", "angle", "etf")
)
"""Numbers of NC2 that are 0 for a regular simplex only; equal norms need no room."""


@dataclass(frozen=True)
class Geometry:
    """The geometry of one run and split.

    Attributes:
        values: by key of GEOMETRY; None where a number is undefined.
        terms: [n] numbers an example, in the order of `SplitStatistics.rows`; their means have intervals.
        width, n_classes: d and K.
        attainable: a regular simplex of K classes fits, d >= K - 1.
        n_present: classes with examples.
        pending: it needs the full pass, because not all classes are held.
    """

    values: Mapping[str, float | None]
    terms: Mapping[str, Float] = field(repr=False)
    width: int
    n_classes: int
    attainable: bool
    pending: bool = False
    n_present: int = 0

    @classmethod
    def of(cls, summary: SplitStatistics, train: SplitStatistics | None = None) -> Geometry:
        """From the summary of one split.

        Args:
            summary: of it.
            train: of the run's train split, whose class means the rule of NC4 takes; without all classes of
                it there is no NC4.
        """
        a, m = summary.activations, summary.moments
        width, n_classes = a.features.shape[1], len(a.class_names)
        room = attainable(width, n_classes)
        if a.partial or (m.count > 0).sum() < 2:
            return cls({n.key: None for n in TABLES[GEOMETRY]}, {}, width, n_classes, room, a.partial)
        known = None if train is None or train.activations.partial else train.moments
        means = None if known is None else np.where((known.count > 0)[:, None], known.mean, np.nan)
        found = Collapse.of(a, m)
        order = np.concatenate(summary.rows)
        values: dict[str, float | None] = {
            key: getattr(found, key)
            for key in (
                *("nc1_trace", "vci", "nc3", "alignment"),
                *("feature_norm", "centred_norm", "weight_norm", "feature_rank", "mean_rank"),
            )
        }
        for of, simplex in (("means", found.means), ("templates", found.templates)):
            for what in ("equinorm", "equiangular", "angle", "etf"):
                values[f"{of}_{what}"] = None if simplex is None else getattr(simplex, what)
        terms = {"feature_norm": np.linalg.norm(a.features.astype(np.float64), axis=1)[order]}
        if means is not None:
            missed = nc4_terms(a.features, a.predictions, means)
            values["nc4"], terms["nc4"] = float(missed.mean()), missed[order]
        if a.head is not None:
            for key, each in zip(("margin", "geometric_margin"), margins(a), strict=True):
                values[key], terms[key] = float(each.mean()), each[order]
        finite = {
            n.key: v if v is not None and math.isfinite(v) else None
            for n in TABLES[GEOMETRY]
            for v in [values.get(n.key)]
        }
        return cls(finite, terms, width, n_classes, room, n_present=summary.n_present)


def measure_geometry(splits: Mapping[str, SplitStatistics]) -> dict[str, Geometry]:
    """The geometry of every split of one run."""
    return {name: Geometry.of(summary, splits.get("train")) for name, summary in splits.items()}


def geometry_table(
    table: Table, runs: Sequence[Mapping[str, SplitStatistics]], found: Sequence[Mapping[str, Geometry]]
) -> Table:
    """The table of the geometry of all classes, with the columns of another.

    Changes of means over examples (NC4, norm of the features, margins) have an interval over examples, with
    the class means and the head as they are; the others have none.

    Args:
        table: of all numbers of the runs; its rows NC1 and CDNV come first.
        runs: for each run its summaries by split; found: for each run its geometry (`measure_geometry`).
    """
    rows = [table.row(key) for key in FROM_TABLE]
    for number in TABLES[GEOMETRY]:
        values = tuple({s: g.values[number.key] for s, g in one.items()} for one in found)
        changes: dict[str, Change | None] = {}
        if len(runs) == 2:
            before, after = table.reference, 1 - table.reference
            for split in table.splits:
                if split in found[before] and split in found[after]:
                    paired = runs[before][split].same_examples(runs[after][split])
                    changes[split] = _change(
                        number.key, number.relative, found[before][split], found[after][split], paired
                    )
        pending = tuple(any(g.pending for g in one.values()) for one in found)
        note = _note(number.key, found)
        rows.append(NumberRow(number, values, changes, note, pending=pending))
    return replace(table, rows=tuple(rows))


def _change(key: str, relative: bool, before: Geometry, after: Geometry, paired: bool) -> Change | None:
    a, b = before.values[key], after.values[key]
    if a is None or b is None or (relative and a == 0):
        return None
    if key in before.terms and key in after.terms:
        estimate = (mean_log_ratio if relative else mean_difference)(
            before.terms[key], after.terms[key], paired=paired
        )
        return estimate.change(relative)
    return Change(b / a - 1 if relative else b - a, relative=relative)


def _note(key: str, found: Sequence[Mapping[str, Geometry]]) -> str:
    said = ["0 is out of reach"] if key in NEEDS_ROOM and no_room(found) else []
    if key.endswith(("equiangular", "angle")):
        every = [g for one in found for g in one.values()]
        said.append(sample_words(max(g.n_present if key.startswith("means") else g.n_classes for g in every)))
    return "; ".join(filter(None, said))


def no_room(found: Sequence[Mapping[str, Geometry]]) -> str:
    """A sentence where a regular simplex of the classes does not fit into the features of some run, or ""."""
    every = [g for one in found for g in one.values()]
    tight = sorted({g.width for g in every if not g.attainable})
    if not tight:
        return ""
    n_classes = every[0].n_classes
    widths = " or ".join(map(str, tight))
    return (
        f"A regular simplex of {n_classes} classes needs {n_classes - 1} dimensions and features have "
        f"{widths}: equal angles are unattainable, and no angle of NC2 can reach 0."
    )
