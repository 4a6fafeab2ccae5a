"""The numbers of a comparison: as text and HTML, a data frame, LaTeX and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from penviz.metrics.wording import change_text
from penviz.study.comparison import Comparison
from penviz.study.comparison_record import comparison_record
from penviz.study.table import NumberRow, Table, value_text
from penviz.text_table import text_table

if TYPE_CHECKING:
    from pandas import DataFrame

MAIN = ("rho_d", "triple_ratio", "plane_share", "accuracy", "nll", "ece")
"""Six numbers: tightness in the plane and in feature space, what the picture shows of it, what it costs."""


class ComparisonTable:
    """Every number of every run and split, and the change between two runs."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    @property
    def data(self) -> Table:
        """The rows behind it."""
        return self.comparison.table

    def main_values(self) -> Iterator[tuple[str, str, str, float]]:
        """Run, split, key and value of the six numbers, where they exist."""
        for row in self._main():
            for one, values in zip(self.comparison.runs, row.values, strict=True):
                yield from ((one.name, s, row.number.key, v) for s, v in values.items() if v is not None)

    def text(self) -> str:
        """The six numbers in columns of one width."""
        return "\n".join(text_table(self._cells()))

    def html(self) -> str:
        """The six numbers as an HTML table."""
        head, *body = [[escape(cell) for cell in line] for line in self._cells()]
        rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in body)
        heads = "".join(f"<th>{cell}</th>" for cell in head)
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"

    def to_pandas(self) -> DataFrame:
        """Every number, a row each.

        Returns:
            A frame indexed by key, with columns (split, run) and for two runs (split, "change"),
            (split, "low"), (split, "high"), the last two of the 95 % interval.
        """
        from pandas import DataFrame, MultiIndex

        records: dict[str, dict[tuple[str, str], float | None]] = {}
        for row in self.data.rows:
            own = records.setdefault(row.number.key, {})
            for split in self.data.splits:
                for one, values in zip(self.comparison.runs, row.values, strict=True):
                    own[split, one.name] = values.get(split)
                change = row.changes.get(split)
                if len(self.comparison.runs) == 2:
                    own[split, "change"] = None if change is None else change.value
                    own[split, "low"] = None if change is None else change.low
                    own[split, "high"] = None if change is None else change.high
        columns = MultiIndex.from_tuples(next(iter(records.values())), names=["split", "run"])
        frame = DataFrame([list(r.values()) for r in records.values()], list(records), columns, dtype=float)
        return frame.rename_axis("number")

    def to_latex(self) -> str:
        r"""The table for a paper; it needs \usepackage{booktabs}."""
        from penviz.figures.latex_tables import booktabs
        from penviz.figures.triple import Triple

        return booktabs(Triple(self.comparison, self.comparison.rows))

    def to_json(self) -> str:
        """Finding and numbers as `penviz measure --json` prints them, but for the geometry of all classes."""
        return json.dumps(comparison_record(self.comparison, geometry=False), indent=1)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _main(self) -> list[NumberRow]:
        rows = [self.data.row(key) for key in MAIN]
        return [row for row in rows if any(v is not None for values in row.values for v in values.values())]

    def _cells(self) -> list[list[str]]:
        """A line of heads and one a number; with two runs the change stands after them."""
        from penviz.plot.words import column_names

        runs = self.comparison.runs
        pair = len(runs) == 2
        called = column_names(
            [one.run.config.label_smoothing for one in runs],
            [one.name for one in runs],
            self.data.class_means,
            [one.targets.kind for one in runs],
        )
        heads = [""]
        for split in self.data.splits:
            heads += [f"{split}: {called[0]}", *called[1:], *(["change [95 % CI]"] if pair else [])]
        lines = [heads]
        for row in self._main():
            line = [row.number.label]
            for split in self.data.splits:
                line += [value_text(row, i, split) for i in range(len(runs))]
                line += [change_text(row.changes.get(split))] if pair else []
            lines.append(line)
        return lines
