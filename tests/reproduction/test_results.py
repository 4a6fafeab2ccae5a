"""results.csv: rows are added whole, columns grow, damage is one sentence."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from result_rows import measured

from penviz.store.run_config import RunError
from reproduction.__main__ import app
from reproduction.results import ADDED, COLUMNS, append_results, fill_results, read_results


def test_a_run_is_never_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    append_results(path, [measured("cifar10-alexnet-hard", "train"), measured("cifar10-alexnet-hard")])
    before = path.read_bytes()
    with pytest.raises(RunError, match="holds cifar10-alexnet-hard already"):
        append_results(path, [measured("cifar10-alexnet-hard", "test")])
    assert path.read_bytes() == before
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")
    with pytest.raises(RunError, match="twice"):
        read_results(path)


def test_rows_are_added_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.csv"
    append_results(path, [measured("cifar10-alexnet-hard")])
    before = path.read_bytes()

    def fail(*names: object) -> None:
        raise OSError("killed")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="killed"):
        append_results(path, [measured("cifar10-alexnet-soft")])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["results.csv"]


def test_a_table_from_before_a_column_was_measured_is_read_and_grows(tmp_path: Path) -> None:
    path, old = tmp_path / "results.csv", [column for column in COLUMNS if column not in ADDED]
    first = measured("cifar10-alexnet-hard", accuracy=0.5)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([old, [first[column] for column in old]])
    assert read_results(path) == [first]
    append_results(path, [measured("cifar10-alexnet-soft")])
    assert path.read_text().startswith(",".join(COLUMNS) + "\n")
    assert read_results(path) == [first, measured("cifar10-alexnet-soft")]
    for bad in (old[::-1], [*old, "colour"], old[:-1]):
        path.write_text(",".join(bad) + "\n")
        with pytest.raises(RunError, match="other columns"):
            read_results(path)


def test_only_empty_cells_of_added_columns_are_filled(tmp_path: Path) -> None:
    path, known = tmp_path / "results.csv", {"arc_isotropy": 0.5}
    append_results(path, [measured("cifar100-resnet20-hard"), measured("cifar100-resnet20-soft", **known)])
    new = {"arc_isotropy": 0.25, "arc_classes": "a, b, c", "accuracy": 0.9, "loss_over_floor": None}
    both = {(f"cifar100-resnet20-{kind}", "validation"): new for kind in ("hard", "soft")}
    assert fill_results(path, both) == 3
    hard, soft = read_results(path)
    assert [hard["arc_isotropy"], soft["arc_isotropy"]] == ["0.25", "0.5"]
    assert {row["accuracy"] for row in (hard, soft)} == {"0.5"}
    assert hard["arc_classes"] == soft["arc_classes"] == "a, b, c"
    assert fill_results(path, both) == 0


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("id,split\n")
    with pytest.raises(RunError, match="other columns"):
        append_results(path, [measured("cifar10-alexnet-hard")])


def spoilt(**cells: str) -> Callable[[bytes], bytes]:
    """Bytes of a table with other cells in its second row."""

    def spoil(text: bytes) -> bytes:
        lines = list(csv.reader(io.StringIO(text.decode(), newline="")))
        for column, cell in cells.items():
            lines[2][COLUMNS.index(column)] = cell
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(lines)
        return out.getvalue().encode()

    return spoil


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda text: text.replace(b"digits:0", b"digits:\xff"), "is not a table in UTF-8"),
        (lambda text: text[:-70], r"Line 3 of .* has \d+ cells for \d+ columns"),
        (lambda text: b",".join(text.split(b",")[:-67]) + b"\n", r"Line 3 of .* has \d cells for"),
        (lambda text: text[:-1] + b",more\n", r"Line 3 of .* has \d+ cells for \d+ columns"),
        (spoilt(config='{"seed": '), "Line 3 of .* has an unreadable config"),
        (spoilt(config="[]"), "Line 3 of .* has an unreadable config"),
        (spoilt(config="[" * 100_000), "Line 3 of .* has an unreadable config"),
        (spoilt(machine="cpu"), "Line 3 of .* has an unreadable machine"),
        (spoilt(machine="{}"), "Line 3 of .* has an unreadable machine"),
        (spoilt(accuracy="high"), "Line 3 of .* has an unreadable accuracy"),
        (spoilt(triple1_n="3.5"), "Line 3 of .* has an unreadable triple1_n"),
        (spoilt(accuracy=""), "Line 3 of .* has no accuracy"),
        (spoilt(triple1_n="90"), "Line 3 of .* has no triple1_classes"),
        (spoilt(triple2_change_low="-0.1"), "Line 3 of .* has no triple2_change_high"),
        (spoilt(label_smoothing=""), "Line 3 of .* has no label_smoothing"),
    ],
)
def test_a_damaged_table_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, spoil: Callable[[bytes], bytes], sentence: str
) -> None:
    path, out = tmp_path / "results.csv", tmp_path / "runs"
    append_results(path, [measured("cifar10-alexnet-hard", "train"), measured("cifar10-alexnet-hard")])
    path.write_bytes(spoil(path.read_bytes()))
    before = path.read_bytes()
    for verb in ("next", "all", "report", "list"):
        with pytest.raises(RunError, match=sentence):
            app([verb, "--results", str(path), "--out", str(out)], standalone_mode=False)
    with pytest.raises(RunError, match=sentence):
        append_results(path, [measured("cifar10-alexnet-soft")])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["results.csv"]


def test_a_row_of_another_recipe_than_the_manifest_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    append_results(path, [measured("cifar10-alexnet-hard", recipe="short-cifar10")])
    with pytest.raises(RunError, match="the recipe short-cifar10, the manifest says short-cifar10-alexnet"):
        app(
            ["report", "--results", str(path), "--report", str(tmp_path / "report.md")], standalone_mode=False
        )
    assert [p.name for p in tmp_path.iterdir()] == ["results.csv"]
