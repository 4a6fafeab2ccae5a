"""Running a network over a split: evaluation mode, no augmentation, float32, no autocast, split order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from penviz.learn import images
from penviz.learn.data import Split
from penviz.learn.folder import stored_batches
from penviz.learn.models import Network

BATCH = 500
BATCH_PIXELS = BATCH * 64 * 64
"""Pixels of a batch: of larger images fewer are run at once."""

PART_PIXELS, FEWEST = 128 * 32 * 32, 8
"""On a CPU a batch goes through the network in parts of as many pixels, and at least as many images: what a
layer hands to the next then stays in the cache. A convolution gives each image the same bits in any part."""


def batches(
    network: Network, split: Split, crop: int, device: torch.device, batch: int = BATCH
) -> Iterator[Tensor]:
    """Images [b, channels, height, width] of a split as its network takes them: centre-cropped, in order."""
    height, width = images.input_size(split.images.shape[1], split.images.shape[2], crop)
    batch = max(1, min(batch, BATCH_PIXELS // (height * width)))
    rows = [slice(start, start + batch) for start in range(0, len(split), batch)]
    for pixels in stored_batches(split.images, rows):
        raw = torch.from_numpy(pixels)
        raw = raw.pin_memory() if device.type == "cuda" else raw
        yield network.scaling(images.centre_crop(raw.to(device, non_blocking=True), crop))


def features_of(network: Network, x: Tensor) -> Tensor:
    """Penultimate features [b, d] float32 of a batch [b, channels, height, width]; on a CPU part by part."""
    if x.device.type != "cpu":
        return network.features(x).float()
    part = max(FEWEST, PART_PIXELS // (x.shape[2] * x.shape[3]))
    return torch.cat([network.features(few).float() for few in x.split(part)])


@torch.no_grad()
def features_and_predictions(
    network: Network,
    split: Split,
    crop: int,
    batch: int = BATCH,
    report: Callable[[int, int], None] = lambda done, n: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Penultimate features [n, d] float32 of a split and the network's own argmax [n] int64.

    `report` is told images done and n after each batch.
    """
    device = network.head.weight.device
    was_training = network.training
    network.eval()
    rows: list[np.ndarray] = []
    predictions: list[np.ndarray] = []
    done = 0
    for x in batches(network, split, crop, device, batch):
        features = features_of(network, x)
        rows.append(features.cpu().numpy())
        predictions.append(network.head(features).argmax(1).cpu().numpy())
        done += len(x)
        report(done, len(split))
    network.train(was_training)
    return np.concatenate(rows), np.concatenate(predictions)


@torch.no_grad()
def evaluate(network: Network, split: Split, crop: int) -> dict[str, float]:
    """Scores of a split: {"accuracy": top-1 in [0, 1], "nll": mean -log p of the label, nats, "n"}.

    The NLL is the plain one for hard and soft runs alike, so that they can be compared.
    """
    device = network.head.weight.device
    was_training = network.training
    network.eval()
    correct = nll = 0.0
    labels = torch.from_numpy(split.labels).to(device)
    start = 0
    for x in batches(network, split, crop, device):
        y = labels[start : start + len(x)]
        logits = network.head(features_of(network, x)).float()
        nll += float(nn.functional.cross_entropy(logits, y, reduction="sum"))
        correct += int((logits.argmax(1) == y).sum())
        start += len(x)
    network.train(was_training)
    return {"accuracy": correct / len(split), "nll": nll / len(split), "n": float(len(split))}
