"""From stored pixels to what a foreign network was trained on: geometry, order of channels, scaling.

None of it leaves a key in a state dict, so every plausible way is tried and shown (accuracy.py).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from penviz.learn import images as stored
from penviz.load.architectures import input_shape
from penviz.runs import RunError

SCALINGS = ("0..1", "-1..1", "0..255", "per image")
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
CIFAR10_NARROW = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
"""The standard deviations that many CIFAR repositories pass on: means of those of single images."""
CIFAR100 = ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762))
MNIST = ((0.1307,), (0.3081,))
OWN_RECIPE = "recipe of penviz: each image standardised"
CAFFE = ((0.4076, 0.4580, 0.4850), (1 / 255,) * 3)
"""Means in the order BGR, without division: networks converted from Caffe."""


@dataclass(frozen=True)
class Preprocessing:
    """One way from uint8 pixels to the input of a network.

    Attributes:
        name: of the scaling, for people.
        size: pixels to which the shorter side is resized first; 0 leaves the image as it is stored.
        crop: side of the centre crop after that; 0 for the whole image.
        channels: 1 or 3 of what the network is fed; grey is repeated, colours are weighted (ITU-R 601).
        order: "RGB" or "BGR".
        scaling: of the pixels before mean and std: one of SCALINGS.
        mean, std: one number a channel in the order fed, or empty.
        interpolation: of the resizing: one of INTERPOLATIONS, antialiased.

    Raises:
        RunError: a value out of range.
    """

    name: str
    size: int = 0
    crop: int = 0
    channels: int = 3
    order: str = "RGB"
    scaling: str = "0..1"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(float(m) for m in self.mean))
        object.__setattr__(self, "std", tuple(float(s) for s in self.std))
        checks = {
            "size and crop must lie between 0 and 4096": 0 <= min(self.size, self.crop) <= 4096
            and max(self.size, self.crop) <= 4096,
            "channels must be 1 or 3": self.channels in (1, 3),
            'the order must be "RGB" or "BGR"': self.order in ("RGB", "BGR"),
            f"the scaling must be one of {', '.join(SCALINGS)}": self.scaling in SCALINGS,
            f"the interpolation must be one of {', '.join(INTERPOLATIONS)}": (
                self.interpolation in INTERPOLATIONS
            ),
            "mean and std need one number a channel": len(self.mean) == len(self.std)
            and len(self.mean) in (0, self.channels),
            "std must be above 0": all(s > 0 for s in self.std),
        }
        for sentence, holds in checks.items():
            if not holds:
                raise RunError(f"{sentence[0].upper()}{sentence[1:]}.")

    @property
    def is_recipe(self) -> bool:
        """Whether a library or a file states it, and it is not merely one of the usual ways."""
        return self.name.startswith("recipe of ")

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json` can write and `from_json` reads back to an equal preprocessing."""
        return dataclasses.asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        """Inverse of `to_json`; RunError on an unknown or missing key or a value of the wrong type."""
        try:
            return cls(**data)
        except RunError:
            raise
        except (TypeError, ValueError):
            raise RunError("The preprocessing has unknown keys or values of the wrong type.") from None

    def describe(self) -> str:
        """One line: geometry, then scaling."""
        size = f"resize {self.size}" if self.size else ""
        crop = f"crop {self.crop}" if self.crop and self.crop != self.size else ""
        return f"{', '.join(part for part in (size, crop) if part) or 'as stored'}; {self.name}"

    def apply(self, images: NDArray[np.uint8]) -> Tensor:
        """Pixels [n, h, w, c] uint8 -> [n, channels, h', w'] float32."""
        pixels = torch.from_numpy(np.ascontiguousarray(images))
        if pixels.shape[3] == 1 and self.channels == 3:
            pixels = pixels.expand(-1, -1, -1, 3)
        elif pixels.shape[3] == 3 and self.channels == 1:
            grey = pixels.float() @ torch.tensor([0.299, 0.587, 0.114])
            pixels = grey.round().to(torch.uint8)[..., None]
        if self.size and min(pixels.shape[1:3]) != self.size:
            pixels = _resize(pixels, self.size, self.interpolation)
        pixels = stored.centre_crop(pixels, self.crop)
        if self.order == "BGR":
            pixels = pixels.flip(3)
        if self.scaling == "per image":
            x = stored.standardise(pixels).contiguous()
        else:
            x = pixels.permute(0, 3, 1, 2).float().contiguous()
            x = {"0..1": x / 255, "-1..1": x / 127.5 - 1, "0..255": x}[self.scaling]
        if self.mean:
            mean, std = (torch.tensor(v)[:, None, None] for v in (self.mean, self.std))
            x = (x - mean) / std
        return x


def _resize(pixels: Tensor, size: int, interpolation: str) -> Tensor:
    """Shorter side to `size`, [n, h, w, c] uint8, rounded to whole values as image libraries do."""
    height, width = pixels.shape[1:3]
    shorter = min(height, width)
    to = (max(size, int(size * height / shorter)), max(size, int(size * width / shorter)))
    x = pixels.permute(0, 3, 1, 2).float()
    if interpolation == "nearest":
        x = F.interpolate(x, to, mode="nearest-exact")
    else:
        x = F.interpolate(x, to, mode=interpolation, antialias=True, align_corners=False)
    return x.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


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
    known = recipe(name, network, channels, directory, side=side, training=training)
    geometries: list[tuple[int, int]] = [(known.size, known.crop)] if known is not None else []
    if usual > side * 1.15:
        geometries += [(usual, usual), (round(usual / 0.875), usual)]
        geometries += [(0, 0)] if _runs_on(network, channels, side) else []
    elif ":" not in name:  # penviz's own crop the middle
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


@torch.no_grad()
def _runs_on(network: nn.Module, channels: int, side: int) -> bool:
    """Whether the network takes images of that side: many have a fixed one, or halve too often."""
    was_training = network.training
    try:
        network.eval()(torch.zeros(2, channels, side, side))
    except (RuntimeError, AssertionError, ValueError):
        return False
    finally:
        network.train(was_training)
    return True


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
    if not rest:
        stated = training if training and training.get("model") == name else {}
        return _own_recipe(network, channels, side, stated)
    if channels != 3:
        return None
    if prefix == "torchvision":
        return _torchvision_recipe(rest)
    if prefix == "timm":
        return _timm_recipe(network)
    return _hugging_face_recipe(directory or Path(rest)) if prefix == "hf" else None


def _own_recipe(network: nn.Module, channels: int, side: int, training: Mapping[str, Any]) -> Preprocessing:
    """What penviz trains its own networks on: the middle of the stored image, standardised, never resized.

    A file that says nothing has the crop of the network's shapes; where the network cannot take the crop of
    these images, they are brought to the side that it can.
    """
    usual = input_shape("", network)[-1]
    wanted = min(training.get("crop", usual) or side, side)  # 0 is the whole image
    size, crop = 0, wanted
    if not _runs_on(network, channels, wanted):
        size, crop = (0 if usual <= side else usual), usual
    return Preprocessing(OWN_RECIPE, size, 0 if crop >= side else crop, channels, scaling="per image")


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
