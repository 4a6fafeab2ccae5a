"""Running a network over a split: evaluation mode, no augmentation, float32, no autocast, split order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from penviz.learn import images
from penviz.learn.data import Split
from penviz.learn.models import Network

BATCH = 500
BATCH_PIXELS = BATCH * 64 * 64
"""Pixels of a batch: of larger images fewer are run at once."""


def batches(
    network: Network, split: Split, crop: int, device: torch.device, batch: int = BATCH
) -> Iterator[Tensor]:
    """Images [b, channels, height, width] of a split as its network takes them: centre-cropped, in order."""
    height, width = images.input_size(split.images.shape[1], split.images.shape[2], crop)
    batch = max(1, min(batch, BATCH_PIXELS // (height * width)))
    for start in range(0, len(split), batch):
        raw = torch.from_numpy(split.images[start : start + batch]).to(device)
        yield network.scaling(images.centre_crop(raw, crop))


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
        features = network.features(x).float()
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
        logits = network(x).float()
        nll += float(nn.functional.cross_entropy(logits, y, reduction="sum"))
        correct += int((logits.argmax(1) == y).sum())
        start += len(x)
    network.train(was_training)
    return {"accuracy": correct / len(split), "nll": nll / len(split), "n": float(len(split))}
