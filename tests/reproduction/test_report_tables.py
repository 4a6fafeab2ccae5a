"""results.csv and what the report makes of it."""

from __future__ import annotations

import os
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from penviz.runs import RunError
from reproduction.__main__ import REPORT, RESULTS
from reproduction.claims import claims
from reproduction.manifest import TIERS, read_manifest
from reproduction.report import BEGIN, END, HEADS, draw_blocks, fill
from reproduction.results import COLUMNS, Row, append_results, read_results
from reproduction.tables import Results, accuracy, read_published, tightness

SHOWN = tuple(tier for tier in TIERS if tier != "digits")


def row(listed_id: str, split: str = "validation", **values: Any) -> Row:
    """A row of a run of the manifest; the rest is empty."""
    listed = next(run for run in read_manifest().runs if run.id == listed_id)
    told: dict[str, Any] = {
        "id": listed_id,
        "tier": listed.recipe.tier,
        "recipe": listed.recipe.name,
        "model": listed.recipe.model,
        "dataset": listed.recipe.dataset,
        "label_smoothing": listed.label_smoothing,
        "seed": listed.seed,
        "epochs": listed.recipe.options["epochs"],
        "split": split,
        **values,
    }
    return {column: str(told.get(column, "")) for column in COLUMNS}


def results(*rows: Row) -> Results:
    return Results(read_manifest(), rows, SHOWN, read_published())


def test_the_report_holds_what_the_table_holds() -> None:
    text, rows = REPORT.read_text(encoding="utf-8"), read_results(RESULTS)
    assert fill(text, draw_blocks(read_manifest(), rows, SHOWN, REPORT)) == text
    for column in ("accuracy", "triple1_rho_d", "gap", "seconds"):
        moved = [{**r, column: str(float(r[column]) * 1.5)} if r[column] else r for r in rows]
        assert fill(text, draw_blocks(read_manifest(), moved, SHOWN, REPORT)) != text, column


def test_the_prose_holds_no_measured_number() -> None:
    """Outside the drawn blocks a decimal is a smoothing or a learning rate, never a result."""
    text = REPORT.read_text(encoding="utf-8")
    for name in HEADS:
        before, _, rest = text.partition(BEGIN.format(name))
        text = before + rest.partition(END.format(name))[2]
    assert set(re.findall(r"\d+\.\d+", text)) <= {"0.05", "0.1", "0.75", "1906.02629"}


def test_tiers_are_never_in_one_row() -> None:
    table = accuracy(
        results(
            row("cifar10-alexnet-hard", accuracy=0.5),
            row("cifar10-alexnet-hard-seed1", accuracy=0.6),
            row("full-cifar10-alexnet-hard", accuracy=0.9),
        )
    )
    full, short = sorted(line for line in table.splitlines() if "alexnet" in line)
    assert "| 90.00 |" in full
    assert full.endswith("| 1 |")
    assert f"| 55.00 ± {100 * statistics.stdev([0.5, 0.6]):.2f} |" in short
    assert short.endswith("| 2 |")
    assert "−31.8" in short  # 55.0 - 86.8, the paper's


def test_an_interval_stands_only_where_there_is_one_seed() -> None:
    numbers = {"triple1_rho_d": 0.25, "triple1_rho_d_low": 0.21, "triple1_rho_d_high": 0.29, "triple1_n": 30}
    one = row("cifar10-alexnet-hard", **numbers)
    assert "0.250 [0.210, 0.290]" in tightness(results(one))
    two = row("cifar10-alexnet-hard-seed1", **{**numbers, "triple1_rho_d": 0.35})
    assert "0.300 ± 0.0707 |" in tightness(results(one, two))


def told(low: float, high: float, distance: float, seeds: int = 1) -> dict[str, str]:
    """Claim -> its line, of pairs whose radius over distance falls by a fifth and a little more each seed."""
    shared = {"accuracy": 0.8, "triple1_regularity": 0.9, "triple1_towards_centre": 0.1, "triple1_axis": 2}
    soft = {
        **shared,
        "triple1_distance": distance,
        "triple1_change": -0.2,
        "triple1_change_low": low,
        "triple1_change_high": high,
        "triples_tighter": 100,
        "triples_compared": 120,
        "triples_median_change": -0.1,
    }
    rows = []
    for seed in range(seeds):
        name = f"-seed{seed}" if seed else ""
        for split in ("train", "validation"):
            rho = {"triple1_rho_d": 0.3}
            rows.append(row(f"cifar10-alexnet-hard{name}", split, triple1_distance=2.0, **shared, **rho))
            rho = {"triple1_rho_d": 0.24 - seed / 1000}
            rows.append(row(f"cifar10-alexnet-soft{name}", split, **soft, **rho))
    return {line.split(" | ")[4]: line for line in claims(results(*rows)).splitlines()[2:]}


@pytest.mark.parametrize(
    ("low", "high", "distance", "tighter", "apart"),
    [
        (-0.3, -0.1, 1.0, "yes", "no"),
        (-0.3, 0.1, 3.0, "undecided: the interval contains 0", "yes"),
        (0.1, 0.3, 3.0, "no, looser", "yes"),
    ],
)
def test_verdicts_follow_the_numbers(
    low: float, high: float, distance: float, tighter: str, apart: str
) -> None:
    said = told(low, high, distance)
    assert said["training clusters are tighter"].endswith(f"over examples | {tighter} |")
    assert said["classes lie farther apart"].endswith(f"| {apart} |")
    assert "83.3 % of 120" in said["most triples are tighter in train"]
    assert "undecided" in said["accuracy improves"]


def test_three_pairs_are_judged_over_seeds() -> None:
    """The intervals over examples, which hold no change here, give way to the one over seeds."""
    line = told(-0.3, 0.1, 1.0, seeds=3)["training clusters are tighter"]
    assert line.endswith("over seeds | yes |")
    assert "ρ/d −20.3 [" in line  # (0.24 0.239 0.238)^(1/3) / 0.3 - 1


def test_a_run_is_never_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    append_results(path, [row("cifar10-alexnet-hard", "train"), row("cifar10-alexnet-hard")])
    before = path.read_bytes()
    with pytest.raises(RunError, match="holds cifar10-alexnet-hard already"):
        append_results(path, [row("cifar10-alexnet-hard", "test")])
    assert path.read_bytes() == before
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")
    with pytest.raises(RunError, match="twice"):
        read_results(path)


def test_rows_are_added_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.csv"
    append_results(path, [row("cifar10-alexnet-hard")])
    before = path.read_bytes()

    def fail(*names: object) -> None:
        raise OSError("killed")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="killed"):
        append_results(path, [row("cifar10-alexnet-soft")])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["results.csv"]


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("id,split\n")
    with pytest.raises(RunError, match="other columns"):
        append_results(path, [row("cifar10-alexnet-hard")])


def test_a_report_without_markers_is_refused() -> None:
    with pytest.raises(RunError, match="needs the line"):
        fill("# Reproduction\n", {"accuracy": "x"})
