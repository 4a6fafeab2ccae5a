"""The numbers of a figure as LaTeX tables, and the line that includes the figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from penviz.figures.triple import Triple
from penviz.metrics.intervals.verdict import relevant
from penviz.metrics.wording import change_text, three
from penviz.plot.words import column_names
from penviz.projection.chart import Chart, Series
from penviz.study.table import NumberRow, value_text

TABLE = (
    "rho_d",
    "rho",
    "distance",
    "plane_share",
    "triple_ratio",
    "radius_ratio",
    "gap",
    "accuracy",
    "nll",
    "ece",
)
"""Numbers of the booktabs table; numbers.json has them all."""

BEST = {"accuracy": max, "nll": min, "ece": min}
"""Numbers of which more or less is plainly better; tightness is not one of them."""

BOLD = "% Bold: the best off the training split, unless the 95 % interval of the change holds 0."

OVER_SEEDS = "% Means over training seeds, with half of their 95 % t-interval."

SPECIAL: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "−": "$-$", "ρ": r"$\rho$",
    "α": r"$\alpha$", "±": r"$\pm$", "→": r"$\rightarrow$", "²": r"$^2$", "⁺": r"$^+$",
    "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
"""Characters that LaTeX reads as something else, or does not have in its old encodings."""


def latex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return text.translate(str.maketrans(SPECIAL))


def include_line(figures: Sequence[str]) -> str:
    """The line that includes a figure at the width it was drawn for; "" where LaTeX can include none."""
    for ending, line in (
        ("pdf", r"\includegraphics{{{}}}"),
        ("png", r"\includegraphics{{{}}}"),
        ("tex", r"\input{{{}}}"),
    ):
        for name in figures:
            if name.endswith(f".{ending}"):
                return line.format(name) + "\n"
    return ""


def booktabs(triple: Triple, bold_best: bool = False) -> str:
    """The numbers of a triple as a LaTeX table: hard beside soft; it needs booktabs.

    Args:
        triple: of the figure. With two runs a column a split shows the change between them.
        bold_best: the best of the numbers that have one (BEST) in bold, off the training split; where the
            interval of the change holds 0, nothing is.
    """
    table = triple.table
    titles = column_names(triple.alphas, triple.names, table.class_means, triple.kinds)
    order = [table.reference, 1 - table.reference] if len(titles) == 2 else list(range(len(titles)))
    changed = len(titles) == 2 and any(c is not None for row in table.rows for c in row.changes.values())
    each = len(order) + changed
    heads, rules, names = [""], [], ["Number"]
    for number, split in enumerate(table.splits):
        heads.append(rf"\multicolumn{{{each}}}{{c}}{{{latex(split)}}}")
        rules.append(rf"\cmidrule(lr){{{2 + number * each}-{1 + (number + 1) * each}}}")
        names += [latex(titles[i]) for i in order] + (["change [95 \\%]"] if changed else [])
    lines = [
        f"% {' '.join(', '.join(triple.panels[0].classes).split())}; needs \\usepackage{{booktabs}}.",
        rf"\begin{{tabular}}{{l{'r' * (each * len(table.splits))}}}",
        *([BOLD] if bold_best else []),
        *([OVER_SEEDS] if triple.sides else []),
        r"\toprule",
        f"{' & '.join(heads)} \\\\",
        " ".join(rules),
        f"{' & '.join(names)} \\\\",
        r"\midrule",
    ]
    for row in table.rows:
        if row.number.key not in TABLE or _empty(row):
            continue
        unit = f" ({row.number.unit})" if row.number.unit not in ("", "share") else ""
        cells = [latex(f"{row.number.label}{unit}")]
        for split in table.splits:
            best = _best(row, split) if bold_best else set()
            cells += [
                _cell(value_text(row, i, split) + _half(triple, row, i, split), i in best) for i in order
            ]
            cells += [latex(_minus(change_text(row.changes.get(split))))] if changed else []
        lines.append(f"{' & '.join(cells)} \\\\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _best(row: NumberRow, split: str) -> set[int]:
    """Runs with the best value, as it is printed; none where it says nothing."""
    values = {i: v for i, own in enumerate(row.values) if (v := own.get(split)) is not None}
    if row.number.key not in BEST or split == "train" or len(values) < max(2, len(row.values)):
        return set()
    change = row.changes.get(split)
    if change is not None and change.low is not None and not change.clear:
        return set()
    if change is not None and not relevant(change, row.number.least):
        return set()
    printed = {i: float(three(v)) for i, v in values.items()}
    best = BEST[row.number.key](printed.values())
    found = {i for i, v in printed.items() if v == best}
    return found if len(found) < len(values) else set()


def _half(triple: Triple, row: NumberRow, run: int, split: str) -> str:
    """Half of the interval over seeds behind a mean; "" where there is none."""
    ends = row.intervals[run].get(split) if triple.sides else None
    return "" if ends is None else f" ± {three((ends[1] - ends[0]) / 2)}"


def _cell(text: str, bold: bool) -> str:
    return rf"\textbf{{{latex(text)}}}" if bold else latex(text)


def _minus(text: str) -> str:
    """With minus signs, not hyphens."""
    return text.replace("-", "−")


def _empty(row: NumberRow) -> bool:
    return all(value is None for values in row.values for value in values.values())


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
            cells = [_mean(own.get(name), x) for own in curves]
            head = latex(name) if number == 0 else ""
            lines.append(" & ".join([head, f"{x:g}", *map(latex, cells)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _mean(curve: Series | None, x: float) -> str:
    at = [] if curve is None else [i for i, own in enumerate(curve.x) if own == x]
    if curve is None or not at:
        return three(None)
    i = at[0]
    if curve.low is None or curve.high is None or not math.isfinite(curve.high[i]):
        return three(float(curve.y[i]))
    return f"{three(float(curve.y[i]))} ± {three(float(curve.high[i] - curve.low[i]) / 2)}"
