"""Thin copies of runs, as they are shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from small_runs import make_filmed

from penviz.demo import EXAMPLE
from penviz.store.activations import Activations
from penviz.store.runs import MODEL_FILE, activations_path, read_run
from penviz.store.snapshots import Snapshots, snapshots_path
from penviz.training.checkpoints import read_tensors
from penviz.training.extract import first_of_each_class
from reproduction.dial import thin

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


def complete(place: Path) -> Path:
    """A small filmed run with weights and thumbnails."""
    directory = make_filmed(place, "hard", thumbnails=True)
    (directory / MODEL_FILE).write_bytes(b"weights")
    return directory


def test_a_copy_keeps_all_examples_the_weights_and_some_snapshots(tmp_path: Path) -> None:
    directory = complete(tmp_path / "whole")
    thin([directory], tmp_path / "thin", per_class=0, snapshots=2, epochs=3, weights=True)
    before, after = read_run(directory), read_run(tmp_path / "thin" / directory.name)
    assert (after.directory / MODEL_FILE).read_bytes() == b"weights"
    assert after.record["thinned"] == {"per_class": "all", "features": "float16"}
    for split in before.splits():
        old, new = (Activations.load(activations_path(run.directory, split)) for run in (before, after))
        np.testing.assert_array_equal(new.indices, old.indices)
        np.testing.assert_array_equal(new.features, old.features.astype(np.float16))
        film, thinned = (Snapshots.load(snapshots_path(run.directory, split)) for run in (before, after))
        rows = first_of_each_class(film.labels, 2)
        assert thinned.epochs.tolist() == [film.epochs[0], film.epochs[2], film.epochs[3]]
        assert thinned.planned == tuple(thinned.epochs.tolist())
        np.testing.assert_array_equal(thinned.features, film.features[[0, 2, 3]][:, rows])
        np.testing.assert_array_equal(thinned.weight, film.weight[[0, 2, 3]])
        np.testing.assert_array_equal(thinned.predictions, film.predictions[[0, 2, 3]][:, rows])


def test_without_the_weights_it_says_so(tmp_path: Path) -> None:
    directory = complete(tmp_path / "whole")
    thin([directory], tmp_path / "thin", per_class=3, snapshots=0, epochs=0, weights=False)
    after = read_run(tmp_path / "thin" / directory.name)
    assert not (after.directory / MODEL_FILE).exists()
    assert after.record["thinned"]["weights"].startswith("not shipped")
    a = Activations.load(activations_path(after.directory, "train"))
    assert np.bincount(a.labels).max() == 3


def test_the_example_holds_the_weights_and_the_accuracy_of_a_shipped_run() -> None:
    run = read_run(CHECKPOINTS / EXAMPLE.stem)
    stored = torch.load(EXAMPLE, map_location="cpu", weights_only=True)
    tensors, _ = read_tensors(run.directory / MODEL_FILE)
    assert stored["state_dict"].keys() == tensors.keys()
    for key, tensor in tensors.items():
        torch.testing.assert_close(stored["state_dict"][key], tensor.half(), rtol=0, atol=0)
    assert stored["test_acc"] == round(100 * run.metrics["test"]["accuracy"], 2)
