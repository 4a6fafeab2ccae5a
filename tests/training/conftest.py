"""Small real trainings on scikit-learn's digits, done once for all tests of learn."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from small_training import small_digits

from penviz.store.runs import Run, read_run
from penviz.training import data, defaults, train
from penviz.training.data_set import DataSet
from penviz.training.train_options import TrainOptions

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits() -> DataSet:
    return data.load("digits")


def _trained(digits: DataSet, out: Path, alpha: float) -> Run:
    recipe_here = {"epochs": 6, "batch_size": 64, "lr": 0.05, "weight_decay": 0.004, "clip_norm": 5.0}
    config = defaults.default_config(
        "digits", "tutorial_alexnet", digits.image_shape, label_smoothing=alpha, **recipe_here
    )
    return read_run(train.train(config, digits, out, TrainOptions(device="cpu", validate_every=6)))


@pytest.fixture(scope="session")
def hard_run(digits: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on hard targets; read it, never write into it."""
    return _trained(digits, tmp_path_factory.mktemp("runs") / "hard", 0.0)


@pytest.fixture(scope="session")
def soft_run(digits: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run with label smoothing 0.1; read it, never write into it."""
    return _trained(digits, tmp_path_factory.mktemp("runs") / "soft", 0.1)


@pytest.fixture(scope="session")
def small() -> DataSet:
    return small_digits()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network: whatever torch and torchvision ask for fails as it does without one."""

    def fail(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", fail)
    monkeypatch.setattr("torch.hub.urlopen", fail)
    monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", fail)
