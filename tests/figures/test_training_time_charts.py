"""The figure of all triples over a training: its numbers, its files, and when there is a change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import make_filmed, make_run

from penviz import InputError
from penviz.figures import charts
from penviz.metrics.tightness.triples import list_triples
from penviz.projection.projection import Projection
from penviz.store.runs import Run, read_run
from penviz.store.snapshots import Snapshots, snapshots_path


def filmed(root: Path, name: str, alpha: float, fit: int | None) -> Run:
    """A small run whose training accuracy passes 99 % at an epoch."""
    directory = make_filmed(root, name, alpha)
    path = directory / "run.json"
    record = json.loads(path.read_text())
    seen = [0.5 if fit is None or epoch < fit else 1.0 for epoch in range(1, 10)]
    record["history"] = [{"epoch": e, "train_accuracy": a} for e, a in enumerate(seen, start=1)]
    path.write_text(json.dumps(record))
    return read_run(directory)


@pytest.fixture
def pair(tmp_path: Path) -> list[Run]:
    return [filmed(tmp_path, "hard", 0.0, 3), filmed(tmp_path, "soft", 0.1, 5)]


def slowly(run: Run, split: str) -> np.ndarray:
    own = Snapshots.load(snapshots_path(run.directory, split))
    triples = list_triples(len(own.class_names))
    frames = [own.at(i) for i in range(len(own))]
    return np.array([[float(Projection.of(a, t).clusters.rho_d()) for t in triples] for a in frames])


def test_the_median_triple_of_each_run_and_the_change_between_them(pair: list[Run]) -> None:
    tightness, change = charts.build("training-time", pair[::-1], {})
    by_name = {series.name: series for series in tightness.series}
    assert len(by_name) == 4
    for run in pair:
        series, expected = by_name[f"{run.name}, validation"], slowly(run, "validation")
        np.testing.assert_allclose(10**series.x, [1, 2, 5, 9])
        np.testing.assert_allclose(series.y, np.median(expected, axis=1), rtol=1e-6)
        assert series.low is not None
        np.testing.assert_allclose(series.low, np.percentile(expected, 25, axis=1), rtol=1e-6)
        assert series.dashed
    moved = 100 * (slowly(pair[1], "train") / slowly(pair[0], "train") - 1)
    np.testing.assert_allclose(change.series[0].y, np.median(moved, axis=1), rtol=1e-5)
    assert not change.series[0].dashed
    assert [round(10 ** line.start[0]) for line in tightness.lines] == [5, 3], "in the order of the runs"


def test_no_change_of_other_examples_or_epochs_or_of_two_soft_runs(pair: list[Run], tmp_path: Path) -> None:
    other = filmed(tmp_path, "other", 0.2, None)
    found = charts.build("training-time", [pair[1], other], {})
    assert len(found) == 1
    assert len(found[0].lines) == 1, "one of the two never fits"
    path = snapshots_path(pair[1].directory, "train")
    own = Snapshots.load(path)
    replace(own, indices=own.indices + 1).save(path)
    assert len(charts.build("training-time", pair, {})) == 1
    assert len(charts.build("training-time", pair[:1], {})) == 1


def test_files_and_refusal(pair: list[Run], tmp_path: Path) -> None:
    assert charts.files("training-time", pair[0], {}) == ("snapshots-train.npz", "snapshots-validation.npz")
    bare = read_run(make_run(tmp_path, "bare"))
    with pytest.raises(InputError, match="bare has no snapshots"):
        charts.build("training-time", [bare], {})
