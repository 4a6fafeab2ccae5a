"""Accuracy under noise and under a one-step attack.

A caveat that belongs to every number of the attack: it follows the gradient, and a network whose gradient is
small, or exactly 0 in float32 because it is sure, looks robust without being so (Athalye et al. 2018:
gradient masking). So the margin is attacked beside the loss, and the share of examples without a gradient is
counted. A gain that the margin or more steps undo is none.

Pixels are float32 in [0, 1], [b, height, width, channels]; sigma and epsilon are in the same unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from penviz.training import images
from penviz.training.data_set import Split
from penviz.training.network import Network

BATCH = 250
LOSSES = ("cross-entropy", "margin")


def noisy(pixels: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Pixels with Gaussian noise of a standard deviation, cut at 0 and 1."""
    return (pixels + sigma * torch.randn(pixels.shape, generator=generator)).clamp(0, 1)


def loss_gradient(network: Network, pixels: Tensor, labels: Tensor, loss: str = "cross-entropy") -> Tensor:
    """Gradient in the pixels [b, ...] of each example's own loss.

    Args:
        network: in evaluation mode.
        pixels: [b, height, width, channels] in [0, 1]; labels: [b].
        loss: "cross-entropy", to the hard label for every network, or "margin", the largest wrong logit
            minus the true one, which does not saturate.
    """
    x = pixels.clone().requires_grad_(True)
    logits = network(network.scaling(x * 255))
    if loss == "margin":
        own = F.one_hot(labels, logits.shape[1]).bool()
        total = (logits.masked_fill(own, -torch.inf).amax(1) - logits[own]).sum()
    elif loss == "cross-entropy":
        total = F.cross_entropy(logits, labels, reduction="sum")
    else:
        raise ValueError(f"The loss is one of {', '.join(LOSSES)}, not {loss}.")
    (gradient,) = torch.autograd.grad(total, x)
    return gradient


def attacked(
    network: Network,
    pixels: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    loss: str = "cross-entropy",
    steps: int = 1,
) -> Tensor:
    """Pixels moved by at most epsilon each so that the loss rises, cut at 0 and 1.

    One step is the fast gradient sign method; with more, each is 2 epsilon / steps long and the whole is cut
    back to epsilon.

    Source: Goodfellow et al. 2015 (one step); Kurakin et al. 2017 (more).
    """
    x, size = pixels, epsilon if steps == 1 else 2 * epsilon / steps
    for _ in range(steps):
        x = x + size * loss_gradient(network, x, labels, loss).sign()
        x = torch.maximum(torch.minimum(x, pixels + epsilon), pixels - epsilon).clamp(0, 1)
    return x.detach()


@dataclass(frozen=True)
class Robustness:
    """Accuracies of one network on the first n examples of a split.

    Attributes:
        clean: without any change; noise: with Gaussian noise; fgsm: one step up the cross-entropy;
        steps10: ten steps up the margin.
        no_gradient: share of examples whose cross-entropy has no gradient at all in float32.
        n: examples.
    """

    clean: float
    noise: float
    fgsm: float
    steps10: float
    no_gradient: float
    n: int


def robustness(
    network: Network, split: Split, crop: int, *, sigma: float, epsilon: float, n: int = 1000, seed: int = 0
) -> Robustness:
    """Measure one network on a CPU; the noise is the same for all networks of a seed.

    Args:
        network: of penviz; its training mode is put back.
        split: its first n examples are used, which are a sample: a split is sorted by hashes.
        crop: of the run; sigma: of the noise; epsilon: of the attacks; seed: of the noise.
    """
    was_training = network.training
    network.eval()
    generator = torch.Generator().manual_seed(seed)
    sums = torch.zeros(5, dtype=torch.float64)
    n = min(n, len(split))
    for start in range(0, n, BATCH):
        raw = torch.from_numpy(split.images[start : min(start + BATCH, n)])
        pixels = images.centre_crop(raw, crop).float() / 255
        labels = torch.from_numpy(split.labels[start : min(start + BATCH, n)])
        changed = (
            pixels,
            noisy(pixels, sigma, generator),
            attacked(network, pixels, labels, epsilon),
            attacked(network, pixels, labels, epsilon, loss="margin", steps=10),
        )
        with torch.no_grad():
            for i, x in enumerate(changed):
                sums[i] += (network(network.scaling(x * 255)).argmax(1) == labels).sum()
        flat = loss_gradient(network, pixels, labels).flatten(1)
        sums[4] += (flat.abs().amax(1) == 0).sum()
    network.train(was_training)
    clean, noise, fgsm, steps, none = (sums / n).tolist()
    return Robustness(clean, noise, fgsm, steps, none, n)
