"""The command on itself: two runs, killed twice, gone on with, measured and drawn, from one command."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penviz.learn import data, train
from penviz.learn.checkpoints import STATE_FILE
from penviz.runs import RunError, read_run
from reproduction.__main__ import _report as write_own_report
from reproduction.figures import reliabilities
from reproduction.manifest import Manifest, read_manifest
from reproduction.report import draw_blocks, fill
from reproduction.results import locked, read_results
from reproduction.slices import Slice, config_of, take_next

ROOT = Path(__file__).resolve().parents[2]
HARD, SOFT = "digits-fc800-hard", "digits-fc800-soft"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def make_all(out: Path, kill: Callable[[int], bool]) -> tuple[list[int], int]:
    """The one command, killed with SIGKILL when `kill` says so of an epoch; (epochs told, exit status)."""
    child = subprocess.Popen(
        [sys.executable, "-m", "reproduction", "all", "--tier", "digits", "--progress", "json", "--out", out],
        stdout=subprocess.PIPE,
        text=True,
        cwd=out.parent,
        env=ENVIRONMENT,
    )
    assert child.stdout is not None
    epochs = []
    with child.stdout:
        for line in child.stdout:
            message = json.loads(line)
            if message["event"] == "train":
                epochs.append(message["epoch"])
                if kill(message["epoch"]):
                    child.send_signal(signal.SIGKILL)
                    break
    return epochs, child.wait(60)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The directory after two kills and a third start, and what each start told."""
    out = tmp_path_factory.mktemp("clean") / "runs"
    starts = [
        make_all(out, lambda epoch: epoch >= 3),
        make_all(out, lambda epoch: (out / SOFT / STATE_FILE).is_file()),
        make_all(out, lambda epoch: False),
    ]
    return {"out": out, "starts": starts}


def work_in(out: Path, tmp_path: Path, **changes: Any) -> Slice:
    settings: dict[str, Any] = {"progress": "none", **changes}
    return Slice(out, tmp_path / "none", tmp_path / "results.csv", tmp_path, **settings)


def test_killed_twice_and_finished(made: dict[str, Any]) -> None:
    out, starts = made["out"], made["starts"]
    assert [status for _, status in starts] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert starts[0][0][0] == 1
    assert starts[1][0][0] >= 3, "the first run was begun anew, not gone on with"
    assert starts[2][0][0] >= 2, "the second run was begun anew, not gone on with"
    rows = read_results(out / "results.csv")
    assert [(row["id"], row["split"]) for row in rows] == [
        *((HARD, "train"), (HARD, "validation")),
        *((SOFT, "train"), (SOFT, "validation")),
    ]
    left = sorted(p.name for p in out.rglob("*") if p.name.endswith(".part") or p.name == STATE_FILE)
    assert left == []
    assert {row["against"] for row in rows if row["id"] == SOFT} == {HARD}
    assert (out / "reproduction-figure1-digits-fc800.png").read_bytes().startswith(b"\x89PNG")


def test_the_kills_changed_no_bit(made: dict[str, Any], tmp_path: Path) -> None:
    listed = next(run for run in read_manifest().runs if run.id == SOFT)
    digits = data.load("digits")
    train.train(config_of(listed, digits.image_shape), digits, tmp_path / "whole", device="cpu")
    assert read_run(tmp_path / "whole").model_sha256 == read_run(made["out"] / SOFT).model_sha256


def test_the_report_is_what_the_table_holds(made: dict[str, Any]) -> None:
    out = made["out"]
    target, rows = out / "reproduction.md", read_results(out / "results.csv")
    text, manifest = target.read_text(), read_manifest()
    assert fill(text, draw_blocks(manifest, rows, ("digits",), target)) == text
    assert f"{100 * float(rows[1]['accuracy']):.2f}" in text
    rows[1]["accuracy"] = "0.123456"
    assert "12.35" in fill(text, draw_blocks(manifest, rows, ("digits",), target))


def test_figure_2_is_what_the_table_holds(made: dict[str, Any]) -> None:
    out = made["out"]
    hard, soft = (row for row in read_results(out / "results.csv") if row["split"] == "validation")
    curves = reliabilities([read_run(out / HARD), read_run(out / SOFT)])
    assert [f"{bins.ece:.6g}" for bins in curves.values()] == [
        *(hard["ece_other"], hard["ece_other_at_temperature"]),
        soft["ece_other"],
    ]
    assert f"T = {float(hard['temperature']):.2f}" in list(curves)[1]
    assert (out / "reproduction-figure2-digits-fc800.png").is_file()


def test_the_tables_need_no_drawing(
    made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "penviz.show.paper", None)  # as where matplotlib is not installed
    shutil.copy(made["out"] / "results.csv", tmp_path)
    target = tmp_path / "reproduction.md"
    write_own_report(read_manifest(), tmp_path / "results.csv", target, made["out"], "digits")
    assert "the figures are not" in capsys.readouterr().err
    assert "| digits | fc800 |" in target.read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["reproduction.md", "results.csv"]


def test_a_finished_run_is_measured_and_not_trained(made: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "runs"
    shutil.copytree(made["out"], out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    manifest, said = read_manifest(), []
    work = work_in(out, tmp_path, say=said.append)
    while take_next(manifest, "digits", work):
        pass
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sum("not trained again" in sentence for sentence in said) == 2
    assert work.results.read_bytes() == (made["out"] / "results.csv").read_bytes()


def test_the_smoothed_run_waits_for_the_hard_one(made: dict[str, Any], tmp_path: Path) -> None:
    manifest, work = read_manifest(), work_in(made["out"], tmp_path)
    with locked(made["out"] / HARD) as held:  # another process works on it
        assert held
        assert not take_next(manifest, "digits", work)
        assert not work.results.exists()
    assert take_next(manifest, "digits", work)
    assert {row["id"] for row in read_results(work.results)} == {HARD}
    assert take_next(manifest, "digits", work)
    assert [row["against"] for row in read_results(work.results)] == ["", "", HARD, HARD]


def test_a_slice_ends_in_the_middle_of_a_run(tmp_path: Path) -> None:
    said: list[str] = []
    work = work_in(tmp_path / "runs", tmp_path, deadline=time.monotonic(), say=said.append)
    assert take_next(read_manifest(), "digits", work)
    assert (tmp_path / "runs" / HARD / STATE_FILE).is_file()
    assert not work.results.exists()
    assert "goes on with it" in said[-1]


def changed(manifest: Manifest, **options: Any) -> Manifest:
    """The digits with another recipe."""
    recipe = manifest.recipes["digits-fc800"]
    other = dataclasses.replace(recipe, options={**recipe.options, **options})
    runs = tuple(dataclasses.replace(run, recipe=other) for run in manifest.of_tier("digits"))
    return Manifest({other.name: other}, runs)


def test_a_changed_recipe_is_not_mixed_with_old_runs(made: dict[str, Any], tmp_path: Path) -> None:
    manifest = changed(read_manifest(), epochs=3)
    with pytest.raises(RunError, match=r"another config than the manifest \(epochs"):
        take_next(manifest, "digits", work_in(made["out"], tmp_path))
    shutil.copy(made["out"] / "results.csv", tmp_path / "results.csv")
    with pytest.raises(RunError, match="with another epochs than the manifest"):
        take_next(manifest, "digits", work_in(tmp_path / "runs", tmp_path))


CHILD = """
import dataclasses, json, sys
import reproduction.__main__ as command
sys.path.insert(0, {here!r})
from test_reproduction_digits import changed
small = changed(command.read_manifest(), epochs=1)
command.read_manifest = lambda: small
sys.argv = ["reproduction", "next", "--tier", "digits", "--out", {out!r}, "--progress", "none"]
try:
    command.main()
except SystemExit as stop:
    assert not stop.code, stop.code
print(json.dumps(sorted(m for m in ("streamlit", "plotly", "matplotlib", "umap") if m in sys.modules)))
"""


def test_next_needs_no_page_and_no_drawing(tmp_path: Path) -> None:
    """Through training, extraction and measuring, in a process of its own."""
    code = CHILD.format(here=str(Path(__file__).parent), out=str(tmp_path / "runs"))
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=ENVIRONMENT
    )
    assert child.returncode == 0, child.stderr
    assert len(read_results(tmp_path / "runs" / "results.csv")) == 2
    assert json.loads(child.stdout) == []
