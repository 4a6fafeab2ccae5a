"""The Oxford pets: their splits, and training on them from pretrained weights, all without a network."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_pets import NAMES, NEITHER, TEST, TRAINVAL, write_pets
from torch_cache import cached_weights
from torchvision import models as torchvision_models
from torchvision import transforms

from penviz.cli import main
from penviz.store.run_config import RunConfig
from penviz.store.runs import read_run
from penviz.training import data, evaluate
from penviz.training.train_options import TrainOptions
from penviz.training.trainer import Training

SMALL = ("--image-size", "40", "--crop", "32", "--batch-size", "8", "--epochs", "2", "--device", "cpu")

Verb = Callable[..., tuple[int, str]]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    """The command line in this process: (exit status, what it said)."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["penviz", *map(str, arguments), "--progress", "none"])
        with pytest.raises(SystemExit) as stopped:
            main.main()
        return int(stopped.value.code or 0), capsys.readouterr().err

    return run


def test_the_official_split(tmp_path: Path) -> None:
    write_pets(tmp_path)
    loaded = data.load("pets", data_dir=tmp_path, image_size=40, n_hold_out=8)
    assert loaded.class_names == NAMES
    n = {name: np.bincount(split.labels).tolist() for name, split in loaded.splits.items()}
    assert n == {"train": [TRAINVAL - 2] * 4, "validation": [2] * 4, "test": [TEST] * 4}
    for split in loaded.splits.values():
        loudest = split.images.mean((1, 2)).argmax(1)  # red, green and blue are the first three breeds
        assert (loudest[split.labels < 3] == split.labels[split.labels < 3]).all()
    assert data.HOLD_OUT["pets"] == 3680 // 5


def test_fastais_random_fifth_of_all_images(tmp_path: Path) -> None:
    write_pets(tmp_path)
    n = 4 * (TRAINVAL + TEST + NEITHER)
    splits = []
    for seed in (0, 1):
        loaded = data.load("pets-fastai", data_dir=tmp_path, image_size=40, seed=seed)
        assert loaded.class_names == NAMES
        assert {name: len(s) for name, s in loaded.splits.items()} == {
            "train": n - n // 5,
            "validation": n // 5,
        }
        splits.append(set(loaded.splits["validation"].indices.tolist()))
        both = [loaded.splits[name].indices for name in ("train", "validation")]
        assert sorted(np.concatenate(both).tolist()) == list(range(n))
    assert splits[0] != splits[1]


@pytest.mark.usefixtures("offline")
def test_pets_without_data_or_network(verb: Verb, tmp_path: Path) -> None:
    place = tmp_path / "data"
    place.mkdir()
    for name in ("pets", "pets-fastai"):
        status, said = verb("train", name, "resnet34", "--data-dir", place, "--out", tmp_path / "run")
        assert status == 2
        assert said.count("\n") == 1
        assert "could not be downloaded" in said
    assert list(place.iterdir()) == []
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("offline")
def test_pretrained_without_weights_or_network(
    verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pets(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    status, said = verb(
        *("train", "pets", "resnet34", "--pretrained", "--hold-out", 8),
        *("--data-dir", tmp_path, "--out", tmp_path / "run"),
    )
    assert status == 2
    assert said.count("\n") == 1
    assert "resnet34-b627a593.pth" in said
    assert {p.name for p in tmp_path.iterdir()} == {"oxford-iiit-pet"}


def test_pets_from_pretrained_weights_to_activations(
    verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pets(tmp_path)
    path, state = cached_weights(tmp_path / "cache", "resnet34", monkeypatch)
    out = tmp_path / "run"
    common = (*SMALL, "--data-dir", tmp_path, "--label-smoothing", "0.1")
    status, said = verb("train", "pets-fastai", "resnet34", "--pretrained", *common, "--out", out)
    assert status == 0, said
    run = read_run(out)
    assert run.config.model == "torchvision:resnet34-fastai"
    assert (run.config.pretrained, run.config.frozen) == ("IMAGENET1K_V1", True)
    assert path.name == f"resnet34-{run.config.pretrained_sha256[:8]}.pth"
    assert (run.config.epochs, run.config.flip, run.config.crop) == (2, True, 32)
    assert set(run.metrics) == {"train", "validation"}
    kept = load_file(out / "model.safetensors")
    for key in ("conv1.weight", "layer4.2.conv2.weight"):
        assert torch.equal(kept[f"features.0.{key}"], state[key])
    assert not torch.equal(kept["features.0.layer4.2.bn2.weight"], state["layer4.2.bn2.weight"])
    path.unlink()  # what is extracted needs the run alone
    status, said = verb("extract", out, "--data-dir", tmp_path, "--device", "cpu")
    assert status == 0, said
    from penviz.store.activations import Activations

    activations = Activations.load(out / "activations-validation.npz")
    assert activations.features.shape == (len(activations.labels), 512)
    right = float((activations.predictions == activations.labels).mean())
    assert right == pytest.approx(run.metrics["validation"]["accuracy"])


def test_a_given_file_and_the_whole_network(
    verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pets` trains every layer from a file, and a resumed run needs that file to be the same."""
    write_pets(tmp_path)
    torch.manual_seed(0)
    state = torchvision_models.resnet34(weights=None, num_classes=7).state_dict()
    file, out = tmp_path / "mine.safetensors", tmp_path / "run"
    save_file(state, file)
    order = (
        *("train", "pets", "resnet34", "--weights", file, "--hold-out", 8, *SMALL),
        *("--data-dir", tmp_path, "--lr", 1e-5, "--out", out),
    )
    status, said = verb(*order)
    assert status == 0, said
    run = read_run(out)
    assert (run.config.model, run.config.pretrained) == ("torchvision:resnet34", str(file))
    assert not run.config.frozen
    assert set(run.metrics) == {"train", "validation", "test"}
    kept = load_file(out / "model.safetensors")
    moved = kept["features.conv1.weight"] - state["conv1.weight"]
    assert 0 < float(moved.abs().max()) < 0.5 * float(state["conv1.weight"].abs().max())
    assert kept["head.weight"].shape == (4, 512)
    save_file(state | {"fc.bias": state["fc.bias"] + 1}, file)
    status, said = verb(*order, "--resume")
    assert status == 2
    assert "pretrained_sha256" in said


def test_training_and_evaluation_feed_what_torchvision_would(tmp_path: Path) -> None:
    """By ImageNet's mean and std in both, and not each image by its own."""
    loaded = data.load("pets", data_dir=write_pets(tmp_path), image_size=40, n_hold_out=8)
    config = RunConfig("pets", "torchvision:resnet18", batch_size=8, epochs=1)
    run = Training(config, loaded, tmp_path / "run", TrainOptions(device="cpu"))
    fed: list[torch.Tensor] = []
    run.network.features.register_forward_pre_hook(lambda _, inputs: fed.append(inputs[0]))
    plan = run.plan()
    run.run_step(plan)
    evaluate.evaluate(run.network, loaded.splits["validation"], 0)
    pixels = [loaded.splits["train"].images[plan.order[:8].numpy()], loaded.splits["validation"].images]
    preset = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    for got, shown in zip(fed, pixels, strict=True):
        expected = torch.stack([preset(transforms.functional.to_tensor(image)) for image in shown])
        assert float((got - expected).abs().max()) < 1e-5
