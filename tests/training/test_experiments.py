"""Dropout, a share of the data, wrong labels and an early stop: what each does to a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_training import EPOCHS, small_config

from penviz.metrics.label_noise import given_labels
from penviz.store.activations import Activations
from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, activations_path, read_run
from penviz.training import checkpoints, data_set, evaluate, extract, models, train
from penviz.training.data_set import DataSet
from penviz.training.progress import Stopped
from penviz.training.split_files import ExtractOptions
from penviz.training.train_options import TrainOptions
from penviz.training.trainer import Training

ALL = {"dropout": 0.5, "data_share": 0.5, "label_noise": 0.2, "stop_after": 2, "batch_size": 32}


def trained(small: DataSet, out: Path, **changes: Any) -> Path:
    return train.train(small_config(**changes), small, out, TrainOptions(device="cpu"))


def weights(out: Path) -> dict[str, torch.Tensor]:
    return checkpoints.read_tensors(out / MODEL_FILE)[0]


def equal(a: Path, b: Path) -> bool:
    return all(torch.equal(value, weights(b)[key]) for key, value in weights(a).items())


def test_dropout_acts_between_features_and_head_while_training_only() -> None:
    network = models.build("fc800", (1, 8, 8), 10, dropout=0.5)
    plain = models.build("fc800", (1, 8, 8), 10)
    assert network.state_dict().keys() == plain.state_dict().keys()
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network.eval()(x), plain.eval()(x))
    network.train()
    torch.manual_seed(7)
    logits = network(x)
    features = network.features(x)
    torch.manual_seed(7)
    kept = torch.nn.functional.dropout(features, 0.5)
    assert torch.allclose(logits, network.head(kept))
    left = (kept == 0) & (features != 0)
    assert 0.4 < float(left.sum() / (features != 0).sum()) < 0.6
    assert torch.allclose(kept[kept != 0], 2 * features[kept != 0])  # the expectation stays
    assert torch.equal(network.features(x), plain.train().features(x))  # the features are clean


def test_the_first_share_of_each_class(digits: DataSet) -> None:
    train_split = digits.splits["train"]
    tenth, half = (data_set.first_share(digits, share).splits["train"] for share in (0.1, 0.5))
    for part, share in ((tenth, 0.1), (half, 0.5)):
        assert (np.diff(part.hashes.astype(object)) >= 0).all()
        for label in range(10):
            whole = sorted(train_split.hashes[train_split.labels == label].tolist())
            mine = sorted(part.hashes[part.labels == label].tolist())
            assert mine == whole[: round(share * len(whole))]
    assert set(tenth.indices) < set(half.indices)
    assert len({s.dataset_id for s in (train_split, tenth, half)}) == 3
    assert data_set.first_share(digits, 1.0) is digits
    assert data_set.first_share(digits, 0.1).splits["validation"] is digits.splits["validation"]
    assert len(data_set.first_share(digits, 1e-6).splits["train"]) == 10  # no class is lost


def test_training_hears_the_given_labels_and_evaluation_the_true_ones(small: DataSet, tmp_path: Path) -> None:
    run = Training(small_config(label_noise=0.2), small, tmp_path, TrainOptions(device="cpu"))
    split = small.splits["train"]
    expected = given_labels(split.labels, split.hashes, 10, 0.2)
    assert np.array_equal(run.labels.numpy(), expected)
    assert 0.1 < (expected != split.labels).mean() < 0.3
    assert np.array_equal(run.dataset.splits["train"].labels, split.labels)
    scores = evaluate.evaluate(run.network, run.dataset.splits["train"], 4)
    _, predictions = evaluate.features_and_predictions(run.network, split, 4)
    assert scores["accuracy"] == pytest.approx((predictions == split.labels).mean())


def test_a_run_of_all_four_can_be_extracted(small: DataSet, tmp_path: Path) -> None:
    out = trained(small, tmp_path / "run", **ALL)
    run = read_run(out)
    assert run.record["splits"]["train"]["n"] == len(data_set.first_share(small, 0.5).splits["train"]) < 165
    extract.extract(run, small, ExtractOptions(per_class=0, thumbnail_quality=0, device="cpu"))
    a = Activations.load(activations_path(out, "train"))
    assert len(a) == run.record["splits"]["train"]["n"]
    rows = {
        int(i): int(y)
        for i, y in zip(small.splits["train"].indices, small.splits["train"].labels, strict=True)
    }
    assert [rows[int(i)] for i in a.indices] == a.labels.tolist()  # the true labels
    assert a.hashes is not None
    told = given_labels(a.labels, a.hashes, 10, 0.2)
    assert 0.05 < (told != a.labels).mean() < 0.35


def test_an_early_stop_cuts_the_schedule_off(small: DataSet, tmp_path: Path) -> None:
    stopped = trained(small, tmp_path / "stopped", stop_after=2)
    history = read_run(stopped).record["history"]
    whole = read_run(trained(small, tmp_path / "whole")).record["history"]
    short = read_run(trained(small, tmp_path / "short", epochs=2)).record["history"]
    assert len(whole) == EPOCHS
    assert history == [*whole[:1], {**whole[1], **history[1]}]  # the same two epochs; its last is validated
    assert "validation_accuracy" in history[-1]
    assert [line["lr"] for line in history] != [line["lr"] for line in short]
    assert read_run(stopped).record["status"] == "finished"


@pytest.mark.parametrize("change", [{"dropout": 0.5}, {"label_noise": 0.2}, {"data_share": 0.8}])
def test_each_changes_the_weights(change: dict[str, Any], small: DataSet, tmp_path: Path) -> None:
    assert not equal(trained(small, tmp_path / "plain"), trained(small, tmp_path / "changed", **change))


def test_stopped_and_resumed_is_never_stopped(small: DataSet, tmp_path: Path) -> None:
    whole = trained(small, tmp_path / "whole", **ALL)
    config = small_config(**ALL)
    for moment in (2, 4, 7):  # inside an epoch, and after the last step of one
        out = tmp_path / f"stopped-{moment}"
        asked = iter([False] * moment + [True] * 99)
        with pytest.raises(Stopped):
            train.train(
                config, small, out, TrainOptions(device="cpu", stopped=lambda asked=asked: next(asked))
            )
        train.train(config, small, out, TrainOptions(device="cpu", resume=True))
        assert equal(whole, out)
        assert json.loads((out / "run.json").read_text())["history"] == read_run(whole).record["history"]


def test_a_share_below_a_batch_is_refused(small: DataSet, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"more than the 3[0-9] training examples"):
        trained(small, tmp_path / "run", data_share=0.1)
    assert not (tmp_path / "run").exists()
