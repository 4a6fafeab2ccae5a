"""The numbers of a sweep as a LaTeX table: a row for each setting, a column for each chart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from penviz.figures.bundle_words import latex
from penviz.metrics.wording import three
from penviz.projection.chart import Chart, Series


def sweep_table(charts: Sequence[Chart]) -> str:
    """A booktabs table of curves over one axis, with half of the interval of each mean where it has one.

    Args:
        charts: of `charts.sweep`; single runs under their mean are left out.
    """
    curves = [{s.name: s for s in chart.series if not s.faint} for chart in charts]
    names = list(dict.fromkeys(name for own in curves for name in own))
    titles = [latex(f"{c.title} ({c.y_label})" if c.y_label else c.title) for c in charts]
    axis = latex(charts[0].x_label)
    lines = [
        r"% Means over training seeds, with half of their 95 % t-interval from three seeds on;",
        r"% needs \usepackage{booktabs}.",
        rf"\begin{{tabular}}{{lr{'r' * len(charts)}}}",
        r"\toprule",
        " & ".join(["", axis, *titles]) + r" \\",
    ]
    for name in names:
        lines.append(r"\midrule")
        places = sorted({float(x) for own in curves if name in own for x in own[name].x})
        for number, x in enumerate(places):
            cells = [_cell(own.get(name), x) for own in curves]
            head = latex(name) if number == 0 else ""
            lines.append(" & ".join([head, f"{x:g}", *map(latex, cells)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _cell(curve: Series | None, x: float) -> str:
    at = [] if curve is None else [i for i, own in enumerate(curve.x) if own == x]
    if curve is None or not at:
        return three(None)
    i = at[0]
    if curve.low is None or curve.high is None or not math.isfinite(curve.high[i]):
        return three(float(curve.y[i]))
    return f"{three(float(curve.y[i]))} ± {three(float(curve.high[i] - curve.low[i]) / 2)}"
