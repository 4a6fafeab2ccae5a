"""Which ways from pixels to a network's input are plausible: what its library states, then the usual ones."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from penviz.external.evidence.outputs import runs_on
from penviz.external.evidence.preprocessing import (
    CAFFE,
    CIFAR10,
    CIFAR10_NARROW,
    CIFAR100,
    IMAGENET,
    INTERPOLATIONS,
    MNIST,
    OWN_RECIPE,
    Preprocessing,
)
from penviz.external.networks.architectures import input_shape
from penviz.external.networks.builders import is_factory
from penviz.training import images as stored
from penviz.training.network import Network


def _scalings(channels: int, n_classes: int) -> list[dict[str, Any]]:
    """Name, scaling, mean, std and order of the usual ways, the likely ones first."""
    ways: list[dict[str, Any]] = []

    def normalised(name: str, numbers: tuple[tuple[float, ...], tuple[float, ...]], **more: Any) -> None:
        if len(numbers[0]) == channels:
            ways.append({"name": name, "mean": numbers[0], "std": numbers[1], **more})

    normalised("ImageNet mean and std", IMAGENET)
    if n_classes == 100:
        normalised("CIFAR-100 mean and std", CIFAR100)
    normalised("CIFAR-10 mean and std", CIFAR10)
    normalised("CIFAR-10 mean, std 0.20", CIFAR10_NARROW)
    normalised("MNIST mean and std", MNIST)
    ways += [
        {"name": "0..1", "scaling": "0..1"},
        {"name": "-1..1", "scaling": "-1..1"},
        {"name": "0..255", "scaling": "0..255"},
        {"name": "each image standardised", "scaling": "per image"},
    ]
    if channels == 3:
        normalised("BGR, ImageNet mean and std", tuple(v[::-1] for v in IMAGENET), order="BGR")  # type: ignore[arg-type]
        ways.append({"name": "BGR, 0..1", "order": "BGR"})
        normalised("BGR, 0..255 less the mean (Caffe)", CAFFE, order="BGR")
    return ways


def plausible(
    name: str,
    network: nn.Module,
    image_shape: Sequence[int],
    n_classes: int,
    *,
    directory: Path | None = None,
    training: Mapping[str, Any] | None = None,
) -> list[Preprocessing]:
    """Ways in which images of a data set may have been fed to a network, its known recipe first.

    Args:
        name: of the architecture.
        network: as built, which may carry the recipe (timm).
        image_shape: (height, width, channels) of the stored images.
        n_classes: K.
        directory: of a Hugging Face checkpoint, whose preprocessor_config.json is the recipe.
        training: what the file says of a training by penviz (`FileReport.training`).
    """
    channels, _, usual = input_shape(name, network)
    side = min(image_shape[0], image_shape[1])
    own_code = is_factory(name)
    if own_code and not any(p.ndim == 4 for p in network.parameters()):
        channels = image_shape[2]  # nothing in the file says it
    known = recipe(name, network, channels, directory, side=side, training=training)
    geometries: list[tuple[int, int]] = [(known.size, known.crop)] if known is not None else []
    if own_code and runs_on(network, channels, side):
        geometries += [(0, 0)]  # what is stored is most likely what it was trained on
    if own_code and not runs_on(network, channels, usual):
        geometries += [(0, 0)]  # nothing is known of it but these images
    elif usual > side * 1.15:
        geometries += [(usual, usual), (round(usual / 0.875), usual)]
        geometries += [(0, 0)] if runs_on(network, channels, side) else []
    elif isinstance(network, Network):  # penviz's own crop the middle
        geometries += [(0 if usual <= side else usual, usual if usual < side else 0)]
    elif usual >= side:  # CIFAR networks on CIFAR
        geometries += [(0 if usual == side else usual, 0)]
    else:
        geometries += [(round(usual / 0.875), usual), (usual, usual)]
    listed = [known] if known is not None else []
    ways = _scalings(channels, n_classes)
    for size, crop in dict.fromkeys(geometries):
        for way in ways:
            made = Preprocessing(size=size, crop=crop, channels=channels, **way)
            if not any(_same(made, other) for other in listed):
                listed.append(made)
    return listed


def _same(a: Preprocessing, b: Preprocessing) -> bool:
    return dataclasses.replace(a, name=b.name, interpolation=b.interpolation) == b


def recipe(
    name: str,
    network: nn.Module,
    channels: int,
    directory: Path | None = None,
    *,
    side: int = 32,
    training: Mapping[str, Any] | None = None,
) -> Preprocessing | None:
    """The preprocessing that an architecture's own library states, or None.

    Args:
        name, network, directory, training: as of `plausible`.
        channels: that the network is fed; side: the shorter one of the stored images.
    """
    prefix, _, rest = name.partition(":")
    if isinstance(network, Network):
        own = training if training and training.get("model") == name.removeprefix("penviz:") else {}
        return _own_recipe(name, network, channels, side, own)
    if channels != 3:
        return None
    if prefix == "torchvision":
        return _torchvision_recipe(rest)
    if prefix == "timm":
        return _timm_recipe(network)
    return _hugging_face_recipe(directory or Path(rest)) if prefix == "hf" else None


def _own_recipe(
    name: str, network: Network, channels: int, side: int, training: Mapping[str, Any]
) -> Preprocessing:
    """What penviz trains a network on: the middle of the stored image, in the network's own scaling.

    A file that says nothing has the crop of the network's shapes; where the network cannot take the crop of
    these images, they are brought to the side that it can.
    """
    usual = input_shape(name, network)[-1]
    wanted = min(training.get("crop", usual) or side, side)  # 0 is the whole image
    size, crop = 0, wanted
    if not runs_on(network, channels, wanted):
        size, crop = (0 if usual <= side else usual), usual
    crop = 0 if crop >= side else crop
    if network.scaling is stored.normalise:
        mean, std = IMAGENET
        return Preprocessing(f"{OWN_RECIPE}ImageNet mean and std", size, crop, channels, mean=mean, std=std)
    return Preprocessing(f"{OWN_RECIPE}each image standardised", size, crop, channels, scaling="per image")


def _torchvision_recipe(name: str) -> Preprocessing | None:
    from torchvision import models as zoo

    weights = zoo.get_model_weights(name.removesuffix("-without-aux"))
    preset = next(iter(weights)).transforms() if len(weights) else None  # the oldest: what most fine-tune
    if preset is None or not hasattr(preset, "crop_size"):
        return None
    interpolation = str(preset.interpolation.value)
    interpolation = interpolation if interpolation in INTERPOLATIONS else "bilinear"
    size, crop = preset.resize_size[0], preset.crop_size[0]
    mean, std = tuple(preset.mean), tuple(preset.std)
    return Preprocessing("recipe of torchvision", size, crop, 3, "RGB", "0..1", mean, std, interpolation)


def _timm_recipe(network: nn.Module) -> Preprocessing | None:
    known = getattr(network, "pretrained_cfg", None) or {}
    if not known.get("mean") or not known.get("input_size"):
        return None
    crop = int(input_shape("timm:own", network)[-1])
    size = int(crop / float(known.get("crop_pct") or 0.875))
    interpolation = known.get("interpolation", "bicubic")
    interpolation = interpolation if interpolation in INTERPOLATIONS else "bicubic"
    mean, std = tuple(known["mean"]), tuple(known["std"])
    return Preprocessing("recipe of timm", size, crop, 3, "RGB", "0..1", mean, std, interpolation)


def _hugging_face_recipe(directory: Path) -> Preprocessing | None:
    try:
        config = json.loads((directory / "preprocessor_config.json").read_text(encoding="utf-8"))
        size: Any = config.get("size", 224)
        size = size.get("shortest_edge", size.get("height", 224)) if isinstance(size, dict) else size
        size = int(size)
        crop = config.get("crop_size", size) if config.get("do_center_crop") else size
        crop = int(crop["height"] if isinstance(crop, dict) else crop)
        mean = tuple(config["image_mean"]) if config.get("do_normalize", True) else ()
        std = tuple(config["image_std"]) if mean else ()
        way = {2: "bilinear", 3: "bicubic", 0: "nearest"}.get(config.get("resample", 2), "bilinear")
        return Preprocessing("recipe of its directory", size, crop, 3, "RGB", "0..1", mean, std, way)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
