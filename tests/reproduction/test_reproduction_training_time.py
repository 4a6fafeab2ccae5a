"""training_time.csv from snapshots of small runs, and what the report makes of it."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from penviz.metrics.tightness.triples import list_triples
from penviz.projection.projection import Projection
from penviz.store.run_config import RunError
from penviz.store.runs import Run
from penviz.store.snapshots import Snapshots, snapshots_path
from reproduction.manifest import read_manifest
from reproduction.results import Row
from reproduction.tables import Results, read_published
from reproduction.training_time import COLUMNS, measure_times, read_times, write_times
from reproduction.training_time_report import block, charts, compared
from tests.small_runs import small_snapshots

MANIFEST = read_manifest()
HARD, SOFT = (
    next(run for run in MANIFEST.runs if run.id == name)
    for name in ("digits-fc800-hard", "digits-fc800-soft")
)


def small_run(place: Path, name: str, snapshots: Snapshots, accuracies: list[float]) -> Run:
    directory = place / name
    directory.mkdir()
    snapshots.save(snapshots_path(directory, "train"))
    history = [{"epoch": i, "train_accuracy": a} for i, a in enumerate(accuracies, start=1)]
    config: Any = None
    return Run(directory, name, config, model_sha256=name, record={"history": history})


def test_rows_are_those_of_each_epoch_and_of_the_pair(tmp_path: Path) -> None:
    first = small_snapshots()
    rng = np.random.default_rng(3)
    moved = first.features + rng.normal(size=first.features.shape).astype(np.float16)
    second = replace(first, features=moved)
    last = int(first.epochs[-1])
    hard = small_run(tmp_path, "hard", first, [0.995] * last)
    soft = small_run(tmp_path, "soft", second, [0.5] * (last - 1) + [1.0])
    rows = measure_times(SOFT, soft, hard)
    assert [int(row["epoch"]) for row in rows] == first.epochs.tolist()
    assert {(row["fit"], row["pair_fit"]) for row in rows} == {(str(last), str(last))}
    for place, row in enumerate(rows):
        values = []
        for triple in list_triples(len(first.class_names)):
            pair = [Projection.of(s.at(place), triple).clusters.rho_d() for s in (first, second)]
            values.append([float(v) for v in pair])
        own = np.array(values)
        assert float(row["rho_d"]) == pytest.approx(np.median(own[:, 1]), rel=1e-4)
        assert float(row["change"]) == pytest.approx(np.median(own[:, 1] / own[:, 0] - 1), rel=1e-3, abs=1e-5)
        assert float(row["tighter"]) == pytest.approx((own[:, 1] < own[:, 0]).mean(), abs=1e-5)
        right = (second.predictions[place] == second.labels).mean()
        assert float(row["accuracy"]) == pytest.approx(right, abs=1e-5)
    alone = measure_times(HARD, hard, None)
    assert {row["pair_fit"] for row in alone} == {""}
    assert not any("change" in row for row in alone)
    other = replace(first, indices=first.indices + 1)
    unlike = small_run(tmp_path, "unlike", other, [0.995] * last)
    assert not any("change" in row for row in measure_times(SOFT, soft, unlike)), "other examples"


def test_a_run_measured_again_takes_the_place_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "times.csv"
    write_times([{"id": "a", "epoch": 1}, {"id": "b", "epoch": 1}], path)
    write_times([{"id": "a", "epoch": 2}], path)
    assert [(row["id"], row["epoch"]) for row in read_times(path)] == [("b", "1"), ("a", "2")]
    path.write_text("id,split\n")
    with pytest.raises(RunError, match="other columns"):
        read_times(path)


EPOCHS = (1, 2, 4, 9, 21, 40)


def times(fit: int | None = 4, seeds: int = 3) -> list[Row]:
    """Pairs whose change at an epoch is minus the epoch in per cent, less a tenth of the seed."""
    rows = []
    for seed in range(seeds):
        for alpha in (0.0, 0.1):
            for split in ("train", "validation"):
                for epoch in EPOCHS:
                    row = dict.fromkeys(COLUMNS, "")
                    end = f"-seed{seed}" if seed else ""
                    row |= {
                        "id": f"digits-fc800-{'soft' if alpha else 'hard'}{end}",
                        "recipe": "long-digits-fc800",
                        "label_smoothing": f"{alpha:g}",
                        "seed": str(seed),
                        "split": split,
                        "epoch": str(epoch),
                        "rho_d": str(0.3 - 0.001 * epoch * bool(alpha)),
                    }
                    if alpha:
                        row |= {
                            "change": str(-epoch / 100 - seed / 1000),
                            "pair_fit": "" if fit is None else str(fit),
                        }
                    rows.append(row)
    return rows


def test_pairs_are_compared_at_multiples_of_their_time_to_fit() -> None:
    found = compared(times(), HARD.recipe, "train")
    assert {when: pairs[0][1] for when, pairs in found.items()} == {
        "at fit": 4,
        "2 times the time to fit": 9,
        "5 times the time to fit": 21,
        "10 times the time to fit": 40,
        "at the end": 40,
    }
    assert found["at fit"] == [(0, 4, -0.04), (1, 4, -0.041), (2, 4, -0.042)]
    late = compared(times(fit=30), HARD.recipe, "train")
    assert list(late) == ["at fit", "at the end"], "a time that was not trained for is not there"
    assert list(compared(times(fit=None), HARD.recipe, "train")) == ["at the end"]


def test_the_block_has_the_interval_over_seeds() -> None:
    ids = {row["id"]: row for row in times()}
    rows = [{"id": name, "recipe": "long-digits-fc800", "seed": row["seed"], "teacher": "",
             "label_smoothing": row["label_smoothing"]} for name, row in ids.items()]  # fmt: skip
    results = Results(MANIFEST, rows, ("long",), read_published())
    text = block(results, times())
    values = [-0.04, -0.041, -0.042]
    low, high = ttest_1samp(values, 0).confidence_interval()
    line = next(line for line in text.splitlines() if "| train | at fit |" in line)
    said = [f"{100 * v:+.1f}".replace("-", "−") for v in (statistics.fmean(values), low, high)]
    assert line.endswith(f"| 4 | {said[0]} | {said[1]} to {said[2]} | 3 |")
    assert text.startswith("digits, fc800: label smoothing of 0.1 changes")
    assert f"{said[0]} % at fit (95 % CI {said[1]} to {said[2]})" in text
    none = Results(MANIFEST, [row for row in rows if row["seed"] == "0"], ("long",), read_published())
    assert block(none, times()).startswith("| tier"), "no sentence without an interval"


def test_the_figure_marks_the_multiples_that_were_reached() -> None:
    tightness, changes = charts(times(), HARD.recipe)
    assert [series.name for series in tightness.series] == [
        *("hard targets, train", "α = 0.1, train", "hard targets, validation", "α = 0.1, validation"),
    ]
    np.testing.assert_allclose(changes.series[0].y, [-e - 0.1 for e in EPOCHS])
    np.testing.assert_allclose(10 ** changes.series[0].x, EPOCHS)
    assert changes.series[0].low is not None
    np.testing.assert_allclose(changes.series[0].low, [-e - 0.2 for e in EPOCHS])
    np.testing.assert_allclose([10 ** line.start[0] for line in changes.lines], [4, 8, 20, 40])
    assert len(charts(times(fit=30), HARD.recipe)[1].lines) == 1
    assert charts(times(), MANIFEST.recipes["long-cifar10-compact"]) == ()


def test_the_table_on_disk_fits_the_results() -> None:
    """Every run of training_time.csv is one of the manifest that keeps snapshots, epochs rising."""
    known = {run.id: run.recipe for run in MANIFEST.runs}
    rows = read_times()
    for row in rows:
        assert known[row["id"]].snapshots
        assert row["recipe"] == known[row["id"]].name
        assert float(row["rho_d"]) > 0
