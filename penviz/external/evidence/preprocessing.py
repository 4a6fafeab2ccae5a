"""From stored pixels to what a foreign network was trained on: geometry, order of channels, scaling.

None of it leaves a key in a state dict, so every plausible way is tried and shown (accuracy.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from penviz.store.run_config import RunError
from penviz.training import images as stored

SCALINGS = ("0..1", "-1..1", "0..255", "per image")
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
CIFAR10_NARROW = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
"""The standard deviations that many CIFAR repositories pass on: means of those of single images."""
CIFAR100 = ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762))
MNIST = ((0.1307,), (0.3081,))
OWN_RECIPE = "recipe of penviz: "
"""Begins the name of what penviz trains its own networks on; the name of the scaling follows."""
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

    def is_called(self, words: str) -> bool:
        """Whether words are those of `describe`, or its scaling alone, with or without whose recipe it is."""
        plain = dataclasses.replace(self, name=self.name.removeprefix(OWN_RECIPE))
        return words.lower() in {
            called.lower() for way in (self, plain) for called in (way.describe(), way.name)
        }

    def describe(self) -> str:
        """One line: geometry, then scaling."""
        size = f"resize {self.size}" if self.size else ""
        crop = f"crop {self.crop}" if self.crop and self.crop != self.size else ""
        return f"{', '.join(part for part in (size, crop) if part) or 'as stored'}; {self.name}"

    def apply(self, images: NDArray[np.uint8]) -> Tensor:
        """Pixels [n, h, w, c] uint8 -> [n, channels, h', w'] float32."""
        return self.scale(torch.from_numpy(np.ascontiguousarray(images)))

    def scale(self, pixels: Tensor) -> Tensor:
        """The same of a tensor, on its device."""
        if pixels.shape[3] == 1 and self.channels == 3:
            pixels = pixels.expand(-1, -1, -1, 3)
        elif pixels.shape[3] == 3 and self.channels == 1:
            grey = pixels.float() @ torch.tensor([0.299, 0.587, 0.114], device=pixels.device)
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
            mean, std = (torch.tensor(v, device=x.device)[:, None, None] for v in (self.mean, self.std))
            x = (x - mean) / std
        # One channel makes strides that count as contiguous and that `view` refuses all the same.
        return x.clone(memory_format=torch.contiguous_format) if x.shape[1] == 1 else x


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
