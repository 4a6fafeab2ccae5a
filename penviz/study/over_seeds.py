"""Numbers of networks that differ in their training seed only: mean over the seeds and its 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from penviz import InputError
from penviz.metrics.intervals.bootstrap import Change, one_a_seed, seed_change
from penviz.projection.panel import Panel
from penviz.store.runs import Run
from penviz.study.families import alike
from penviz.study.finding import SEEDS_NEEDED
from penviz.study.sweep import mean_change, t_interval
from penviz.study.table import NumberRow, Table, reference_run


@dataclass(frozen=True)
class Side:
    """The runs of one recipe.

    Attributes:
        positions: of the runs, the first of which is drawn; names, seeds: of the same runs.
    """

    positions: tuple[int, ...]
    names: tuple[str, ...]
    seeds: tuple[int | None, ...]

    @property
    def n_seeds(self) -> int:
        """Different seeds; a run of unknown seed is one of its own."""
        return len(one_a_seed((seed, 0.0) for seed in self.seeds))

    def of(self, values: Sequence[float | None]) -> list[float]:
        """One value a seed, from one a run."""
        return one_a_seed(zip(self.seeds, values, strict=True))


def sides_of(runs: Sequence[Run]) -> list[Side]:
    """Runs that differ in the training seed alone, together, in the order in which they come.

    Raises:
        InputError: a side with too few seeds for an interval.
    """
    sides = [
        Side(tuple(own), tuple(runs[i].name for i in own), tuple(runs[i].seed for i in own))
        for own in alike(runs, ("seed",))
    ]
    for side in sides:
        if side.n_seeds < SEEDS_NEEDED:
            raise InputError(
                f"A mean over seeds needs at least {SEEDS_NEEDED} seeds per setting, "
                f"{side.names[0]} has {side.n_seeds}."
            )
    return sides


def panel_over_seeds(panel: Panel, side: Side, others: Sequence[Panel]) -> Panel:
    """A panel whose numbers are means over the seeds of its side.

    Args:
        panel: of the run that is drawn; others: of the same split of all runs of the side, in its order.
    """
    means, halves = {}, {}
    for key in panel.metrics:
        if all(key in other.metrics for other in others):
            values = side.of([other.metrics[key] for other in others])
            low, high = t_interval(values)
            means[key], halves[key] = sum(values) / len(values), (high - low) / 2
    return replace(panel, metrics=means, half_widths=halves)


def table_over_seeds(table: Table, sides: Sequence[Side], label_smoothings: Sequence[float | None]) -> Table:
    """A table whose columns are the sides: means over seeds, with 95 % t-intervals of the mean.

    Args:
        table: of all runs (`table.compare`); sides: their runs, from `sides_of`; label_smoothings: alpha
            of each side.

    The change between two sides has Welch's interval, of a relative number on its logarithms (`seed_change`).
    """
    first = reference_run(label_smoothings) if len(sides) == 2 else 0
    rows = tuple(_row(row, table.splits, sides, first) for row in table.rows)
    on_means = tuple(any(table.class_means[i] for i in side.positions) for side in sides)
    return replace(table, rows=rows, reference=first, class_means=on_means)


def _row(row: NumberRow, splits: Sequence[str], sides: Sequence[Side], first: int) -> NumberRow:
    held = [{s: side.of([row.values[i].get(s) for i in side.positions]) for s in splits} for side in sides]
    complete = [
        {s: own[s] for s in splits if len(own[s]) == side.n_seeds}
        for side, own in zip(sides, held, strict=True)
    ]
    values = tuple({s: sum(v) / len(v) for s, v in own.items()} for own in complete)
    intervals = tuple({s: t_interval(v) for s, v in own.items()} for own in complete)
    changes: dict[str, Change | None] = {}
    if len(sides) == 2:
        before, after = complete[first], complete[1 - first]
        changes = {
            s: _change(row, before[s], after[s]) if s in before and s in after else None for s in splits
        }
    pending = tuple(any(row.pending[i] for i in side.positions) for side in sides) if row.pending else ()
    return replace(row, values=values, intervals=intervals, changes=changes, pending=pending)


def _change(row: NumberRow, before: list[float], after: list[float]) -> Change | None:
    if not row.number.relative:
        return mean_change(before, after)
    return seed_change([before, after]) if min(*before, *after) > 0 else None
