"""From stored pixels to what a network is fed: augmentation and standardisation, a batch at a time.

The whole split stays in memory as one uint8 tensor [n, height, width, channels]; cropping and mirroring are
one gather, so no loader workers are needed. What is drawn for an example depends on (seed, epoch, row) only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and std of red, green and blue in [0, 1] over ImageNet's training images."""


@dataclass(frozen=True)
class EpochPlan:
    """All random choices of one epoch, drawn at its start.

    Attributes:
        order: [n] permutation of the rows.
        top, left: [n] offsets of each row's crop, pixels.
        mirrored: [n] bool.
    """

    order: Tensor
    top: Tensor
    left: Tensor
    mirrored: Tensor

    def to(self, device: torch.device) -> EpochPlan:
        """The same plan on another device."""
        return EpochPlan(*(t.to(device) for t in (self.order, self.top, self.left, self.mirrored)))


def plan_epoch(n: int, slack: tuple[int, int], flip: bool, seed: int, epoch: int) -> EpochPlan:
    """Draw an epoch's choices from (seed, epoch); slack is how many pixels a crop can move down and right."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    order = torch.randperm(n, generator=generator)
    top = torch.randint(slack[0] + 1, (n,), generator=generator)
    left = torch.randint(slack[1] + 1, (n,), generator=generator)
    mirrored = torch.rand(n, generator=generator) < (0.5 if flip else 0.0)
    return EpochPlan(order, top, left, mirrored)


def pad(images: Tensor, pixels: int) -> Tensor:
    """Zero-pad [n, height, width, channels] on all four sides."""
    return F.pad(images, (0, 0, pixels, pixels, pixels, pixels)) if pixels else images


def crop_batch(images: Tensor, rows: Tensor, plan: EpochPlan, size: tuple[int, int]) -> Tensor:
    """Gather one batch of crops: images [n, H, W, C] uint8, rows [b] -> [b, *size, C] uint8."""
    down = torch.arange(size[0], device=images.device)
    right = torch.arange(size[1], device=images.device)
    ys = plan.top[rows, None] + down
    xs = plan.left[rows, None] + torch.where(plan.mirrored[rows, None], size[1] - 1 - right, right)
    return images[rows[:, None, None], ys[:, :, None], xs[:, None, :]]


def standardise(images: Tensor) -> Tensor:
    """Per-image standardisation: uint8 [b, h, w, C] -> float32 [b, C, h, w] in channels-last memory.

    (x - mean) / max(std, 1 / sqrt(number of values)), each image by its own pixels and all its channels, as
    the CIFAR pipelines of the paper do it (TensorFlow's per_image_standardization).
    """
    x = images.float()
    flat = x.flatten(1)
    std = flat.std(1, correction=0).clamp_min(flat.shape[1] ** -0.5)
    return ((x - flat.mean(1)[:, None, None, None]) / std[:, None, None, None]).permute(0, 3, 1, 2)


def normalise(images: Tensor) -> Tensor:
    """By ImageNet's mean and std: uint8 [b, h, w, 3] -> float32 [b, 3, h, w] in channels-last memory.

    (x / 255 - mean) / std a channel, as torchvision's pretrained networks are fed.
    """
    mean, std = (255 * torch.tensor(values, device=images.device) for values in IMAGENET)
    return ((images.float() - mean) / std).permute(0, 3, 1, 2)


def input_size(height: int, width: int, crop: int) -> tuple[int, int]:
    """(height, width) of what the network is fed: the crop, or the whole image when crop is 0 or larger."""
    return (min(crop, height), min(crop, width)) if crop else (height, width)


def centre_crop(images: Tensor, crop: int) -> Tensor:
    """The middle of [n, H, W, C], of `input_size`."""
    height, width = images.shape[1:3]
    size = input_size(height, width, crop)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return images[:, top : top + size[0], left : left + size[1]]
