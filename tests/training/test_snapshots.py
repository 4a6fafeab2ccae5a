"""Snapshots: the training is the same to the bit with and without, and a kill changes none of them."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_training import EPOCHS, small_config
from test_train import AT_EPOCHS, OFTEN, Server, small_train, stopped_at, what_counts

from penviz.store.run_config import RunError
from penviz.store.runs import read_run
from penviz.store.snapshots import Snapshots, snapshots_path
from penviz.training import evaluate, snapshots
from penviz.training.checkpoints import load_network
from penviz.training.data_set import DataSet, Split
from penviz.training.extract import first_of_each_class

FILES = ["snapshots-train.npz", "snapshots-validation.npz"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def kept(out: Path) -> dict[str, list[Any]]:
    """All that the two files hold, so that equal means equal to the bit."""
    found = {}
    for name in FILES:
        with np.load(out / name) as file:
            found[name] = [(key, file[key].dtype.str, file[key].tobytes()) for key in sorted(file.files)]
    return found


@pytest.fixture(scope="module")
def whole(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run with snapshots and one without, never stopped."""
    place = tmp_path_factory.mktemp("whole")
    (place / "a").mkdir()
    points, status = server.train(place / "a" / "run", AT_EPOCHS, snapshots=EPOCHS)
    assert status == 0
    _, status = server.train(place / "plain", AT_EPOCHS)
    assert status == 0
    run = place / "a" / "run"
    return {"points": points, "run": run, "plain": place / "plain", "kept": kept(run)}


def test_training_is_the_same_to_the_bit_with_and_without(whole: dict[str, Any]) -> None:
    counted, plain = what_counts(whole["run"]), what_counts(whole["plain"])
    assert counted.pop("files") == sorted([*plain.pop("files"), *FILES])
    assert counted == plain


def test_a_snapshot_that_leaves_evaluation_mode_on_would_be_seen(
    small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: drawing one random number or moving one weight changes the digest."""
    real = evaluate.features_and_predictions

    def careless(network: torch.nn.Module, *rest: Any) -> Any:
        with torch.no_grad():
            next(network.parameters()).mul_(1 + 1e-6)
        return real(network, *rest)  # type: ignore[arg-type]

    plain = what_counts(small_train(small, tmp_path / "plain"))
    monkeypatch.setattr(evaluate, "features_and_predictions", careless)
    other = what_counts(small_train(small, tmp_path / "other", snapshots=EPOCHS))
    assert other["tensors"] != plain["tensors"]


PLACES = ("step 1 2", "snapshots-train.npz written", "snapshots-validation.npz written", "step 2 5")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("saving", [OFTEN, AT_EPOCHS])
def test_killed_and_resumed_keeps_the_same_snapshots(
    place: str, saving: float, server: Server, whole: dict[str, Any], tmp_path: Path
) -> None:
    points, status = server.train(tmp_path / "count", saving, snapshots=EPOCHS)
    at = [i for i, point in enumerate(points) if point == place][-1 if saving == OFTEN else 0]
    out = tmp_path / "run"
    _, status = server.train(out, saving, snapshots=EPOCHS, stop=at)
    assert status == -signal.SIGKILL
    for path in out.glob("snapshots-*.npz"):
        Snapshots.load(path)
    _, status = server.train(out, saving, snapshots=EPOCHS, resume=True)
    assert status == 0
    assert kept(out) == whole["kept"]
    assert what_counts(out) == what_counts(whole["run"])


def test_the_last_snapshot_is_the_finished_network(small: DataSet, whole: dict[str, Any]) -> None:
    run = read_run(whole["run"])
    network = load_network(run)
    for name in ("train", "validation"):
        split = small.splits[name]
        found = Snapshots.load(snapshots_path(whole["run"], name))
        assert found.epochs.tolist() == [1, 2, 3]
        assert (found.run, found.split, found.dataset_id) == ("run", name, split.dataset_id)
        rows = first_of_each_class(split.labels, 5)
        np.testing.assert_array_equal(found.indices, split.indices[rows])
        np.testing.assert_array_equal(found.labels, split.labels[rows])
        np.testing.assert_array_equal(found.total, np.bincount(split.labels))
        assert np.bincount(found.labels).max() == 5
        part = Split(split.images[rows], split.labels[rows], split.indices[rows], split.hashes[rows], "")
        features, predictions = evaluate.features_and_predictions(network, part, run.config.crop)
        np.testing.assert_array_equal(found.features[-1], features.astype(np.float16))
        np.testing.assert_array_equal(found.predictions[-1], predictions)
        np.testing.assert_array_equal(found.weight[-1], network.head.weight.detach().numpy())
        assert found.bias is not None
        np.testing.assert_array_equal(found.bias[-1], network.head.bias.detach().numpy())
        # and it moved: an earlier epoch is another network
        assert np.abs(found.weight[0] - found.weight[-1]).max() > 1e-4
        assert np.abs(found.features[0].astype(float) - found.features[-1]).max() > 1e-3


def test_only_the_chosen_epochs_are_kept(small: DataSet, tmp_path: Path) -> None:
    out = small_train(small, tmp_path / "run", small_config(epochs=6), snapshots=3, snapshots_per_class=2)
    found = Snapshots.load(snapshots_path(out, "train"))
    assert found.epochs.tolist() == [1, 2, 6]
    assert found.planned == (1, 2, 6)
    assert len(found.labels) == 20
    assert not (tmp_path / "run" / "snapshots-test.npz").exists()


def test_other_snapshots_on_resume_are_refused_in_a_sentence(small: DataSet, tmp_path: Path) -> None:
    options: dict[str, Any] = {"snapshots": 3, "snapshots_per_class": 5}
    out = stopped_at(small, tmp_path / "run", 7, **options)
    for other in ({"snapshots": 0}, options | {"snapshots": 2}, options | {"snapshots_per_class": 4}):
        with pytest.raises(RunError, match="was started with other snapshots"):
            small_train(small, out, resume=True, **other)
    for name in FILES:
        (out / name).unlink()
    with pytest.raises(RunError, match="continue without --snapshots"):
        small_train(small, out, resume=True, **options)
    small_train(small, out, resume=True)
    with pytest.raises(RunError, match="at least"):
        small_train(small, tmp_path / "none", snapshots=-1)
    with pytest.raises(RunError, match="at least"):
        small_train(small, tmp_path / "none", snapshots=1, snapshots_per_class=0)
    assert not (tmp_path / "none").exists()


def test_features_too_large_for_half_precision_are_left_out_and_said(
    small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = evaluate.features_and_predictions
    calls = iter(range(100))

    def large(*arguments: Any) -> Any:
        features, predictions = real(*arguments)
        return features * (1e6 if next(calls) == 2 else 1), predictions  # train, at the second epoch

    monkeypatch.setattr(snapshots.evaluate, "features_and_predictions", large)
    said: list[str] = []
    out = small_train(small, tmp_path / "run", snapshots=EPOCHS, say=said.append)
    assert said == ["The features of epoch 2 are too large for a snapshot (train): left out."]
    assert Snapshots.load(snapshots_path(out, "train")).epochs.tolist() == [1, 3]
    assert json.loads((out / "run.json").read_text())["status"] == "finished"
