"""A zipped run opened again: which of its files come along, and what becomes of damaged ones."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from penviz import InputError
from penviz.external.importing.packed import open_packed
from penviz.store.runs import MODEL_FILE, RUN_FILE, read_run
from penviz.store.snapshots import Snapshots, snapshots_path
from tests.small_runs import make_filmed


def filmed(home: Path) -> Path:
    run = make_filmed(home, "soft", 0.1)
    (run / MODEL_FILE).unlink()  # those of these runs are empty
    return run


def zipped(run: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(run.iterdir()):
            archive.write(path, f"{run.name}/{path.name}")
    return out


def test_a_film_comes_along(tmp_path: Path) -> None:
    run = filmed(tmp_path / "home")
    (run / "erasure.json").write_text("[" * 100_000)
    opened = open_packed(zipped(run, tmp_path / "soft.zip"), tmp_path / "away")
    assert read_run(opened).splits() == ["train", "validation"]
    for split in ("train", "validation"):
        before, after = (Snapshots.load(snapshots_path(d, split)) for d in (run, opened))
        np.testing.assert_array_equal(after.features, before.features)
        np.testing.assert_array_equal(after.epochs, before.epochs)
    assert not (opened / "erasure.json").exists()


def test_a_damaged_film_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    run = filmed(tmp_path / "home")
    path = snapshots_path(run, "train")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"snapshots-train\.npz cannot be read"):
        open_packed(zipped(run, tmp_path / "soft.zip"), tmp_path / "away")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "soft.zip"]


def test_a_history_without_numbers_is_refused(tmp_path: Path) -> None:
    run = filmed(tmp_path / "home")
    record = json.loads((run / RUN_FILE).read_text())
    (run / RUN_FILE).write_text(json.dumps(record | {"history": "long"}))
    with pytest.raises(InputError, match="wrong type"):
        open_packed(zipped(run, tmp_path / "soft.zip"), tmp_path / "away")
    assert not (tmp_path / "away").exists()


def test_a_file_that_is_no_runs_is_refused(tmp_path: Path) -> None:
    run = filmed(tmp_path / "home")
    (run / "snapshots-train.py").write_text("")
    with pytest.raises(InputError, match="no file of a run"):
        open_packed(zipped(run, tmp_path / "soft.zip"), tmp_path / "away")
