"""The command on itself: two runs and a student, each killed and gone on with, measured and drawn."""

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
from contextvars import Context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.directory_lock import locked
from penviz.store.run_config import RunError
from penviz.store.runs import activations_path, read_run
from penviz.training import data, students, train
from penviz.training.checkpoints import STATE_FILE
from penviz.training.train_options import TrainOptions
from reproduction.__main__ import _report as write_own_report
from reproduction.figures import reliabilities
from reproduction.manifest import Listed, Manifest, read_manifest
from reproduction.report import draw_blocks, fill
from reproduction.results import (
    INFORMATION,
    OF_A_STUDENT,
    OF_ALL_TRIPLES,
    append_results,
    read_results,
)
from reproduction.slices import Slice, config_of, take_next

ROOT = Path(__file__).resolve().parents[2]
HARD, SOFT, STUDENT = "check-digits-hard", "check-digits-soft", "check-digits-student-of-hard-T2"
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
    """The directory after three kills and a fourth start, and what each start told."""
    out = tmp_path_factory.mktemp("clean") / "runs"
    starts = [
        make_all(out, lambda epoch: epoch >= 3),
        make_all(out, lambda epoch: (out / SOFT / STATE_FILE).is_file()),
        make_all(out, lambda epoch: (out / STUDENT / STATE_FILE).is_file()),
        make_all(out, lambda epoch: False),
    ]
    return {"out": out, "starts": starts}


def work_in(out: Path, tmp_path: Path, **changes: Any) -> Slice:
    settings: dict[str, Any] = {"progress": "none", **changes}
    return Slice(out, tmp_path / "none", tmp_path / "results.csv", tmp_path, **settings)


def test_killed_thrice_and_finished(made: dict[str, Any]) -> None:
    out, starts = made["out"], made["starts"]
    assert [status for _, status in starts] == [-signal.SIGKILL] * 3 + [0]
    assert starts[0][0][0] == 1
    assert starts[1][0][0] >= 3, "the first run was begun anew, not gone on with"
    assert starts[2][0][0] >= 2, "the second run was begun anew, not gone on with"
    assert starts[3][0][0] >= 2, "the student was begun anew, not gone on with"
    rows = read_results(out / "results.csv")
    assert [(row["id"], row["split"]) for row in rows] == [
        *((HARD, "train"), (HARD, "validation")),
        *((SOFT, "train"), (SOFT, "validation")),
        *((STUDENT, "train"), (STUDENT, "validation")),
    ]
    left = sorted(p.name for p in out.rglob("*") if p.name.endswith(".part") or p.name == STATE_FILE)
    assert left == []
    assert {row["against"] for row in rows if row["id"] == SOFT} == {HARD}
    drawn = ("figure1-digits-fc800", "figure5-digits-student", "figure6-digits-fc800")
    for name in drawn:
        assert (out / f"reproduction-{name}.png").read_bytes().startswith(b"\x89PNG")


def entry(name: str) -> Listed:
    return next(run for run in read_manifest().runs if run.id == name)


def test_the_kills_changed_no_bit(made: dict[str, Any], tmp_path: Path) -> None:
    """Nor did the mutual information that the killed run was followed by."""
    digits = data.load("digits")
    train.train(
        config_of(entry(SOFT), digits.image_shape), digits, tmp_path / "whole", TrainOptions(device="cpu")
    )
    assert read_run(tmp_path / "whole").model_sha256 == read_run(made["out"] / SOFT).model_sha256


def test_a_killed_student_is_that_of_its_teacher(made: dict[str, Any], tmp_path: Path) -> None:
    digits, teacher = data.load("digits"), read_run(made["out"] / HARD)
    config = config_of(entry(STUDENT), digits.image_shape, teacher)
    assert (config.teacher_sha256, config.temperature) == (teacher.model_sha256, 2)
    students.distil(config, digits, teacher, tmp_path / "whole", TrainOptions(device="cpu"))
    assert read_run(tmp_path / "whole").model_sha256 == read_run(made["out"] / STUDENT).model_sha256


def test_what_is_measured_of_a_student(made: dict[str, Any]) -> None:
    rows = {(row["id"], row["split"]): row for row in read_results(made["out"] / "results.csv")}
    row = rows[STUDENT, "train"]
    assert (row["teacher"], row["teacher_temperature"], row["label_smoothing"]) == (HARD, "2", "")
    teacher = Activations.load(activations_path(made["out"] / HARD, "train"))
    says = np.exp(teacher.logits() / 2)
    wrong = 1 - says[np.arange(len(says)), teacher.labels] / says.sum(axis=1)
    assert row["gamma"] == f"{wrong.mean() * 10 / 9:.6g}"  # all K classes, the true one included
    assert {rows[run, "train"][column] for run in (HARD, SOFT) for column in OF_A_STUDENT} == {""}


def test_the_information_is_that_of_the_last_epoch(made: dict[str, Any]) -> None:
    rows = {(row["id"], row["split"]): row for row in read_results(made["out"] / "results.csv")}
    for name in (HARD, SOFT):
        history = read_run(made["out"] / name).record["history"]
        assert [line["epoch"] for line in history if "mutual_information" in line] == list(range(1, 9))
        row = rows[name, "train"]
        assert float(row["information"]) == pytest.approx(history[-1]["mutual_information"], rel=1e-5)
        assert (row["information_classes"], row["information_samples"]) == ("0, 1", "5")
        assert int(row["information_n"]) == int(row["triple1_n"]) - np.count_nonzero(labels_of(made) == 2)
    assert {rows[key][column] for key in rows if key[1] != "train" for column in INFORMATION} == {""}
    assert {rows[STUDENT, "train"][column] for column in INFORMATION} == {""}


def labels_of(made: dict[str, Any]) -> NDArray[np.int64]:
    return Activations.load(activations_path(made["out"] / HARD, "train")).labels


def test_the_loss_over_its_floor_is_that_of_torch(made: dict[str, Any]) -> None:
    """Cross-entropy with torch's label smoothing, less the entropy of the smoothed targets."""
    rows = {(row["id"], row["split"]): row for row in read_results(made["out"] / "results.csv")}
    for name, alpha in ((HARD, 0.0), (SOFT, 0.1)):
        for split in ("train", "validation"):
            a = Activations.load(activations_path(made["out"] / name, split))
            z, labels = torch.from_numpy(a.logits()), torch.from_numpy(a.labels)
            loss = float(torch.nn.functional.cross_entropy(z, labels, label_smoothing=alpha))
            q = np.array([1 - 0.9 * alpha] + [alpha / 10] * 9)
            floor = -float((q * np.log(np.where(q > 0, q, 1))).sum())
            assert float(rows[name, split]["loss_over_floor"]) == pytest.approx(loss - floor, rel=1e-4)
            values = SplitStatistics.of(a).rho_d[True]
            quarter = [float(rows[name, split][column]) for column in OF_ALL_TRIPLES]
            np.testing.assert_allclose(quarter, np.quantile(values, [0.25, 0.5, 0.75]), rtol=1e-5)
    assert rows[STUDENT, "train"]["loss_over_floor"] == ""


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
    hard, soft, _ = (row for row in read_results(out / "results.csv") if row["split"] == "validation")
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
    monkeypatch.setitem(sys.modules, "penviz.plot.paper.files", None)  # as where matplotlib is not installed
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
    assert sum("not trained again" in sentence for sentence in said) == 3
    assert work.results.read_bytes() == (made["out"] / "results.csv").read_bytes()


def test_the_smoothed_run_and_the_student_wait_for_the_hard_one(made: dict[str, Any], tmp_path: Path) -> None:
    manifest, work = read_manifest(), work_in(made["out"], tmp_path)
    with locked(made["out"] / HARD):  # another job works on it
        assert not Context().run(take_next, manifest, "digits", work)
        assert not work.results.exists()
    assert take_next(manifest, "digits", work)
    assert {row["id"] for row in read_results(work.results)} == {HARD}
    assert take_next(manifest, "digits", work)
    assert [row["against"] for row in read_results(work.results)] == ["", "", HARD, HARD]
    assert take_next(manifest, "digits", work)
    assert {row["gamma"] for row in read_results(work.results) if row["id"] == STUDENT} != {""}


def test_a_student_waits_for_its_teacher(made: dict[str, Any], tmp_path: Path) -> None:
    manifest, out, said = read_manifest(), tmp_path / "runs", []
    work = work_in(out, tmp_path, deadline=time.monotonic(), say=said.append)
    assert not take_next(manifest, "digits", work, STUDENT)
    assert not out.exists()
    assert said == []
    rows = [row for row in read_results(made["out"] / "results.csv") if row["id"] == HARD]
    append_results(work.results, rows)  # as where the table came along and the runs did not
    assert not take_next(manifest, "digits", work, STUDENT)
    assert said == [f"{STUDENT}: its teacher {HARD} is measured, but its run is not here."]
    shutil.copytree(made["out"] / HARD, work.shipped / HARD)
    assert take_next(manifest, "digits", work, STUDENT)
    assert (out / STUDENT / STATE_FILE).is_file()


def test_a_student_of_another_teacher_is_refused(made: dict[str, Any], tmp_path: Path) -> None:
    out, manifest = tmp_path / "runs", read_manifest()
    for name in (HARD, STUDENT):
        shutil.copytree(made["out"] / name, out / name)
    record = json.loads((out / STUDENT / "run.json").read_text())
    record["config"]["teacher_sha256"] = "0" * 64
    (out / STUDENT / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"another config than the manifest \(teacher_sha256\)"):
        take_next(manifest, "digits", work_in(out, tmp_path), STUDENT)
    shutil.copy(made["out"] / "results.csv", tmp_path / "results.csv")
    for change, word in (({"temperature": 3}, "temperature"), ({"teacher": entry(SOFT)}, "teacher")):
        runs = [dataclasses.replace(r, **change) if r.id == STUDENT else r for r in manifest.runs]
        with pytest.raises(RunError, match=f"{STUDENT} with another {word} than the manifest"):
            take_next(Manifest(manifest.recipes, tuple(runs)), "digits", work_in(out, tmp_path))


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

    def again(run: Listed) -> Listed:
        teacher = None if run.teacher is None else again(run.teacher)
        return dataclasses.replace(run, recipe=other if run.recipe == recipe else run.recipe, teacher=teacher)

    return Manifest({**manifest.recipes, other.name: other}, tuple(map(again, manifest.of_tier("digits"))))


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
