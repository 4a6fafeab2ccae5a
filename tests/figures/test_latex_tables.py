"""The table of a figure as LaTeX."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from small_triples import triple_of

from penviz.figures.caption import caption
from penviz.figures.latex_tables import booktabs, latex
from penviz.figures.triple import Triple
from penviz.metrics.intervals.bootstrap import Change
from penviz.plot.screen import Marks


@pytest.fixture(scope="module")
def pair() -> Triple:
    return triple_of(per_class=20, seed=4)


def table_faults(text: str) -> list[str]:
    """What LaTeX would stumble over: braces, environments, numbers of cells, characters it lacks."""
    faults = []
    plain = text.replace(r"\{", "").replace(r"\}", "").replace(r"\textbackslash{}", "")
    if plain.count("{") != plain.count("}"):
        faults.append("braces")
    if plain.count(r"\begin{tabular}") != 1 or plain.count(r"\end{tabular}") != 1:
        faults.append("environment")
    columns = len(plain.split(r"\begin{tabular}{")[1].split("}")[0])
    for line in plain.splitlines():
        if line.endswith(r"\\"):
            spans = [int(c.split("}")[0]) for c in line.split(r"\multicolumn{")[1:]]
            cells = line.replace(r"\&", "").count("&") + 1 + sum(spans) - len(spans)
            if cells != columns:
                faults.append(f"{cells} cells, not {columns}: {line}")
        for special in "%#":
            if special in line.replace(f"\\{special}", "") and not line.startswith("%"):
                faults.append(f"bare {special}: {line}")
        if not line.startswith("%") and not line.isascii():
            faults.append(f"not ASCII: {line}")
        if "_" in line.replace(r"\_", "") and not line.startswith("%"):
            faults.append(f"bare _: {line}")
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        if plain.count(rule) != 1:
            faults.append(rule)
    return faults


@pytest.mark.parametrize(
    ("alphas", "columns"), [((0.1,), "lrr"), ((0.0, 0.1), "lrrrrrr"), ((0.0, 0.1, 0.2), "lrrrrrr")]
)
def test_the_table_is_whole(alphas: Sequence[float], columns: str) -> None:
    text = booktabs(triple_of(alphas, per_class=5))
    assert table_faults(text) == []
    assert rf"\begin{{tabular}}{{{columns}}}" in text
    assert r"\textbf" not in text
    assert "radius (feature units)" in text
    assert "logit gap (nats)" in text


def test_a_broken_table_is_seen(pair: Triple) -> None:
    text = booktabs(pair)
    assert table_faults(text.replace("radius (feature units) &", "radius (feature units)"))
    assert table_faults(text.replace(r"\%", "%"))
    assert table_faults(text.replace(r"\end{tabular}", ""))
    assert table_faults(text.replace(r"{2-4}", "{2-4"))


def test_hard_stands_left_of_soft(pair: Triple) -> None:
    swapped = triple_of((0.1, 0.0), per_class=5)
    for text in (booktabs(pair), booktabs(swapped)):
        assert r"Number & hard & soft & change [95 \%] & hard & soft & change [95 \%] \\" in text
    hard, soft = (row["train"] for row in pair.table.row("rho_d").values)
    line = next(line for line in booktabs(pair).splitlines() if line.startswith("radius / distance &"))
    assert [float(cell) for cell in line.split(" & ")[1:3]] == [
        pytest.approx(hard, rel=5e-3),
        pytest.approx(soft, rel=5e-3),
    ]


def bold(text: str) -> dict[str, list[str]]:
    """Bold cells by number."""
    lines = [line.removesuffix(r" \\\\").split(" & ") for line in text.splitlines() if r"\textbf" in line]
    return {cells[0]: [cell[8:-1] for cell in cells[1:] if cell.startswith(r"\textbf{")] for cells in lines}


def with_values(pair: Triple, key: str, values: Sequence[float], change: Change | None) -> Triple:
    row = pair.table.row(key)
    changed = replace(row, values=[dict.fromkeys(pair.table.splits, v) for v in values],
                      changes=dict.fromkeys(pair.table.splits, change))  # fmt: skip
    rows = tuple(changed if r is row else r for r in pair.table.rows)
    other = replace(pair)
    vars(other)["table"] = replace(pair.table, rows=rows)
    return other


CLEAR, OPEN = Change(0.1, 0.05, 0.15, relative=False), Change(0.1, -0.05, 0.15, relative=False)


@pytest.mark.parametrize(
    ("key", "label", "values", "change", "expected"),
    [
        ("accuracy", "accuracy", (0.8, 0.9), CLEAR, ["0.900"]),
        ("nll", "NLL (nats)", (0.8, 0.9), CLEAR, ["0.800"]),
        ("ece", "ECE", (0.08, 0.09), None, ["0.0800"]),
        ("accuracy", "accuracy", (0.8, 0.9), OPEN, None),
        ("ece", "ECE", (0.08001, 0.08002), None, None),
        ("rho_d", "radius / distance", (0.3, 0.2), CLEAR, None),
    ],
)
def test_the_best_is_bold_when_asked_and_off_training(
    key: str, label: str, values: tuple[float, ...], change: Change | None, expected: list[str] | None,
    pair: Triple,
) -> None:  # fmt: skip
    other = with_values(pair, key, values, change)
    assert r"\textbf" not in booktabs(other)
    text = booktabs(other, bold_best=True)
    assert table_faults(text) == []
    assert bold(text).get(label) == expected  # one cell: the training split has none
    assert set(bold(text)) <= {"accuracy", "NLL (nats)", "ECE"}


def test_names_are_escaped_for_latex() -> None:
    assert latex("a_b & 50 % {x} \\ #1 ~ ^ $") == (
        r"a\_b \& 50 \% \{x\} \textbackslash{} \#1 \textasciitilde{} \textasciicircum{} \$"
    )


def test_latex_sets_the_table_and_the_caption(pair: Triple, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    words = latex(caption([pair], Marks(templates=True), ("ece",)))
    tables = (
        booktabs(pair) + booktabs(pair, bold_best=True) + booktabs(triple_of((0.0, 0.1, 0.2), per_class=5))
    )
    document = (
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{words}{tables}\end{{document}}"
    )
    (tmp_path / "a.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in done.stdout
