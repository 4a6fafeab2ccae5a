"""Pixels against the libraries that most checkpoints were trained with, and the list of what is plausible."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from penviz.external.evidence import candidates, preprocessing
from penviz.external.evidence.preprocessing import IMAGENET, Preprocessing
from penviz.external.networks import architectures
from penviz.external.reader.report import TensorEntry
from penviz.store.run_config import RunError
from penviz.training import images as own_images
from penviz.training import models


def pictures(n: int = 3, height: int = 40, width: int = 40, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, height // 4, width // 4, channels))
    return coarse.repeat(4, 1).repeat(4, 2).astype(np.uint8)


def test_against_torchvisions_preset() -> None:
    """Resize, centre crop, 0..1, mean and std, image by image through pillow."""
    from PIL import Image
    from torchvision.transforms._presets import ImageClassification

    images = pictures(height=48, width=64)
    preset = ImageClassification(crop_size=24, resize_size=28)
    expected = torch.stack([preset(Image.fromarray(image)) for image in images])
    made = Preprocessing("x", 28, 24, mean=IMAGENET[0], std=IMAGENET[1]).apply(images)
    assert made.shape == (3, 3, 24, 24)
    grey_level = 1 / 255 / 0.225
    assert (made - expected).abs().max() < 2.1 * grey_level  # rounding of two passes in pillow


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (Preprocessing("x"), lambda p: p / 255),
        (Preprocessing("x", scaling="-1..1"), lambda p: p / 127.5 - 1),
        (Preprocessing("x", scaling="0..255"), lambda p: p),
        (Preprocessing("x", order="BGR"), lambda p: p[..., ::-1] / 255),
        (
            Preprocessing("x", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)),
            lambda p: (p / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7],
        ),
        (
            Preprocessing("x", order="BGR", mean=preprocessing.CAFFE[0], std=preprocessing.CAFFE[1]),
            lambda p: p[..., ::-1] - np.array(preprocessing.CAFFE[0]) * 255,
        ),
        (
            Preprocessing("x", scaling="per image"),
            lambda p: (p - p.mean((1, 2, 3), keepdims=True)) / p.std((1, 2, 3), keepdims=True),
        ),
        (Preprocessing("x", crop=20), lambda p: p[:, 10:30, 10:30] / 255),
    ],
)
def test_scalings_against_numpy(way: Preprocessing, expected) -> None:  # type: ignore[no-untyped-def]
    images = pictures()
    made = way.apply(images).numpy()
    assert made.dtype == np.float32
    assert np.allclose(made, expected(images.astype(float)).transpose(0, 3, 1, 2), atol=2e-4)


def test_penvizs_own_is_what_penviz_trains_on() -> None:
    images = pictures()
    first = candidates.plausible("resnet20", architectures.build("resnet20", 10), (40, 40, 3), 10)[0]
    assert first.is_recipe
    assert first.describe() == "crop 32; recipe of penviz: each image standardised"
    cropped = own_images.centre_crop(torch.from_numpy(images), 32)
    assert torch.allclose(first.apply(images), own_images.standardise(cropped), atol=1e-6)


@pytest.mark.parametrize(
    ("model", "side", "training", "geometry"),
    [
        ("resnet20", 32, {}, (0, 0)),
        ("resnet20", 8, {}, (0, 0)),  # penviz never enlarges what it trains on
        ("resnet20", 64, {}, (0, 32)),
        ("resnet20", 64, {"crop": 64}, (0, 0)),
        ("resnet20", 64, {"crop": 0}, (0, 0)),
        ("resnet20", 64, {"crop": 24}, (0, 24)),
        ("resnet20", 64, {"crop": 1000}, (0, 0)),
        ("tutorial_alexnet", 32, {"crop": 24}, (0, 24)),
        ("tutorial_alexnet", 32, {"crop": 8}, (0, 24)),  # the weights take 24 pixels: the text is wrong
        ("tutorial_alexnet", 16, {}, (24, 0)),
        ("resnet32", 64, {"model": "resnet20", "crop": 24}, (0, 32)),  # said of another network
    ],
)
def test_a_stated_crop_is_tried_where_the_network_takes_it(
    model: str, side: int, training: dict[str, object], geometry: tuple[int, int]
) -> None:
    hidden = {"features.9.weight": (384, 64 * 6 * 6)} if model == "tutorial_alexnet" else {}
    network = architectures.build(model, 10, hidden)
    stated = {"model": model} | training if training else None
    ways = candidates.plausible(model, network, (side, side, 3), 10, training=stated)
    assert (ways[0].size, ways[0].crop, ways[0].scaling) == (*geometry, "per image")
    assert [way.is_recipe for way in ways] == [True] + [False] * (len(ways) - 1)
    assert network(
        ways[0].apply(pictures()[:, :side, :side]) if side <= 40 else torch.zeros(2, 3, 24, 24)
    ).shape


def test_a_network_of_ones_own_is_fed_what_is_stored_first() -> None:
    dense = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    ways = candidates.plausible("mine:dense", dense, (8, 8, 1), 3)
    assert {(way.channels, way.size, way.crop) for way in ways} == {(1, 0, 0)}
    pooled = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    ways = candidates.plausible("mine:pooled", pooled, (8, 8, 1), 3)
    assert (ways[0].channels, ways[0].size, ways[0].crop) == (3, 0, 0)
    assert {(way.size, way.crop) for way in ways} == {(0, 0), (224, 224), (256, 224)}


def test_a_torchvision_network_as_penviz_trains_it() -> None:
    """Its keys are penviz's own, and its pixels are normalised and not standardised."""
    images = pictures(height=64, width=64)
    trained = models.build("torchvision:resnet18", (3, 48, 48), 10)
    entries = [
        TensorEntry(key, tuple(t.shape), "float32", t.nbytes, key) for key, t in trained.state_dict().items()
    ]
    name = "penviz:torchvision:resnet18"
    found = architectures.candidates(entries, 10, trained="torchvision:resnet18")
    assert [c.name for c in found if c.complete] == [name]
    network = architectures.build(name, 10, architectures.shapes_of(entries))
    stated = {"model": "torchvision:resnet18", "crop": 48}
    first = candidates.plausible(name, network, (64, 64, 3), 10, training=stated)[0]
    assert (first.is_recipe, first.size, first.crop) == (True, 0, 48)
    cropped = own_images.centre_crop(torch.from_numpy(images), 48)
    assert torch.allclose(first.apply(images), trained.scaling(cropped), atol=1e-5)
    assert first.is_called("crop 48; ImageNet mean and std")
    assert first.is_called("imagenet mean and std")


def test_grey_and_colour_meet() -> None:
    grey = pictures(channels=1)
    assert torch.equal(Preprocessing("x").apply(grey)[:, 0], Preprocessing("x").apply(grey)[:, 2])
    one = Preprocessing("x", channels=1, mean=(0.13,), std=(0.31,)).apply(pictures())
    assert one.shape == (3, 1, 40, 40)


def test_json_there_and_back() -> None:
    way = Preprocessing("x", 256, 224, 3, "BGR", "0..1", *IMAGENET, "bicubic")
    assert Preprocessing.from_json(json.loads(json.dumps(way.to_json()))) == way
    assert way.describe() == "resize 256, crop 224; x"
    for wrong in ({"name": "x", "colour": 1}, {}, {"name": "x", "mean": 3}, {"name": "x", "size": "big"}):
        with pytest.raises(RunError):
            Preprocessing.from_json(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": -1},
        {"crop": 5000},
        {"channels": 2},
        {"order": "GBR"},
        {"scaling": "0..2"},
        {"mean": (0.5,), "std": (0.5,)},
        {"mean": (0.5, 0.5, 0.5)},
        {"mean": (0.5,) * 3, "std": (0.0,) * 3},
        {"interpolation": "area"},
    ],
)
def test_values_out_of_range_are_one_sentence(wrong: dict[str, object]) -> None:
    with pytest.raises(RunError) as caught:
        Preprocessing("x", **wrong)  # type: ignore[arg-type]
    assert str(caught.value).endswith(".")


def names(name: str, network: nn.Module, shape: tuple[int, int, int], k: int = 10) -> list[str]:
    listed = [p.describe() for p in candidates.plausible(name, network, shape, k)]
    assert len(set(listed)) == len(listed)
    return listed


def test_what_is_plausible() -> None:
    cifar = names("cifar:resnet18", architectures.build("cifar:resnet18", 10), (32, 32, 3))
    assert "as stored; CIFAR-10 mean and std" in cifar
    assert "as stored; BGR, 0..1" in cifar
    assert all(line.startswith("as stored") for line in cifar)
    hundred = names("cifar:resnet18", architectures.build("cifar:resnet18", 100), (32, 32, 3), 100)
    assert "as stored; CIFAR-100 mean and std" in hundred

    resnet = names("torchvision:resnet18", architectures.build("torchvision:resnet18", 10), (256, 256, 3))
    assert resnet[0] == "resize 256, crop 224; recipe of torchvision"
    assert "resize 224; 0..1" in resnet
    small = names("torchvision:resnet18", architectures.build("torchvision:resnet18", 10), (32, 32, 3))
    assert "as stored; 0..1" in small  # it runs on 32 pixels too
    vit = names("torchvision:vit_b_32", architectures.build("torchvision:vit_b_32", 10), (32, 32, 3))
    assert not any(line.startswith("as stored") for line in vit)  # it does not

    grey = network_for_digits()
    lines = names("fc800", grey, (28, 28, 1))
    assert "as stored; MNIST mean and std" in lines
    assert not any("BGR" in line or "ImageNet" in line for line in lines)


def network_for_digits() -> nn.Module:
    from penviz.training.models import MODELS

    return MODELS["fc800"].build((1, 28, 28), 10)


def test_recipes_of_timm_and_hugging_face(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    network = architectures.build("timm:vit_tiny_patch16_224", 10)
    way = candidates.recipe("timm:vit_tiny_patch16_224", network, 3)
    assert way is not None
    cfg = network.pretrained_cfg
    assert (way.crop, way.size) == (224, int(224 / cfg["crop_pct"]))
    assert way.mean == tuple(cfg["mean"])
    assert way.interpolation == "bicubic"
    config = {"size": {"shortest_edge": 30}, "do_center_crop": True, "crop_size": {"height": 24, "width": 24}}
    config |= {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "resample": 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    way = candidates.recipe("hf:x", network, 3, tmp_path)
    assert way == Preprocessing(
        "recipe of its directory", 30, 24, 3, "RGB", "0..1", (0.5,) * 3, (0.25,) * 3, "bicubic"
    )
    (tmp_path / "preprocessor_config.json").write_text("[]")
    assert candidates.recipe("hf:x", network, 3, tmp_path) is None
