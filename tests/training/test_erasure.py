from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import small_config, small_digits

from penviz.metrics.information import mutual_information
from penviz.store.run_config import RunError
from penviz.store.runs import read_run
from penviz.training import erasure, images, models, train
from penviz.training.network import Network
from penviz.training.train_options import TrainOptions

N = 20


def network() -> Network:
    return models.build("tutorial_alexnet", (1, 4, 4), 10, 0).eval()


def test_augmented_differences_by_a_plain_loop() -> None:
    config, split = small_config(), small_digits().splits["train"]
    found = erasure.augmented_differences(network(), split, config, (3, 8), per_class=N, samples=2, seed=5)
    rows = [i for i in range(len(split)) if split.labels[i] in (3, 8)]
    rows = [i for i in rows if sum(split.labels[j] == split.labels[i] for j in rows if j < i) < N]
    assert found.shape == (3, 2 * N)
    for draw in range(3):
        plan = images.plan_epoch(len(rows), (6, 6), True, 5, draw)
        for place, row in enumerate(rows):
            padded = np.pad(split.images[row, :, :, 0], 1).astype(float)
            top, left = int(plan.top[place]), int(plan.left[place])
            crop = padded[top : top + 4, left : left + 4]
            crop = crop[:, ::-1] if plan.mirrored[place] else crop
            crop = (crop - crop.mean()) / max(crop.std(), 1 / 4)
            with torch.no_grad():
                z = network()(torch.tensor(crop.copy(), dtype=torch.float32)[None, None])[0]
            assert found[draw, place] == pytest.approx(float(z[3] - z[8]), abs=1e-5)
    other = erasure.augmented_differences(network(), split, config, (3, 8), per_class=N, samples=2, seed=6)
    assert not np.allclose(found, other)  # the seed decides
    assert not np.allclose(found[0], found[1])  # each sample is augmented anew


class Blind(torch.nn.Module):
    """Features of nothing but the mean brightness of the top left pixel's sign: two answers, no example."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 192)


def test_a_network_that_says_nothing_has_no_information() -> None:
    one = network()
    one.features = Blind()
    values = erasure.erasure(one, small_digits(), small_config(), (3, 8), per_class=N)
    assert values["mutual_information"] == 0
    assert values["train_instability"] == pytest.approx(0)
    told = erasure.erasure(network(), small_digits(), small_config(), (3, 8), per_class=N)
    assert 0 < told["mutual_information"] <= math.log(2 * N)
    assert told["train_wrong_logit_spread"] > 0


def test_information_is_that_of_the_first_sample_against_the_others() -> None:
    config, dataset = small_config(), small_digits()
    rows = erasure.augmented_differences(network(), dataset.splits["train"], config, (0, 1), per_class=N)
    values = erasure.erasure(network(), dataset, config, (0, 1), per_class=N)
    assert values["mutual_information"] == mutual_information(rows[0], rows[1:])
    assert values["mutual_information"] != mutual_information(rows[1], rows[1:])


def test_classes() -> None:
    cifar = ("airplane", "automobile", "bird", "cat", "deer", "dog")
    assert erasure.class_pair(cifar, None) == (0, 5)
    assert erasure.class_pair(("x", "y"), None) == (0, 1)
    assert erasure.class_pair(cifar, ("cat", "bird")) == (3, 2)
    assert erasure.class_pair(cifar, ("cat", "2")) == (3, 2)
    assert erasure.class_pair(("a", "a", "b"), None) == (0, 1)
    assert erasure.class_pair(("a", "a", "b"), ("b", "1")) == (2, 1)
    with pytest.raises(RunError, match="Several classes are called a"):
        erasure.class_pair(("a", "a", "b"), ("a", "b"))
    with pytest.raises(RunError, match="There is no class wolf: these are airplane"):
        erasure.class_pair(cifar, ("wolf", "dog"))
    with pytest.raises(RunError, match="two different classes"):
        erasure.class_pair(cifar, ("dog", "dog"))
    with pytest.raises(RunError, match="two different classes"):
        erasure.augmented_differences(network(), small_digits().splits["train"], small_config(), (3, 12))


def test_history_follows_erasure_and_the_weights_do_not_notice(tmp_path: Path) -> None:
    plain = train.train(
        small_config(dropout=0.2), small_digits(), tmp_path / "plain", TrainOptions(device="cpu")
    )
    watched = train.train(
        small_config(dropout=0.2),
        small_digits(),
        tmp_path / "watched",
        TrainOptions(device="cpu", erasure=(0, 1)),
    )
    assert read_run(plain).model_sha256 == read_run(watched).model_sha256
    history = read_run(watched).record["history"]
    values = [line["mutual_information"] for line in history]
    assert len(values) == 3
    assert len(set(values)) == 3
    assert "mutual_information" not in read_run(plain).record["history"][0]
