"""Running a network over a split: evaluation mode, no augmentation, float32, no autocast, split order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from penviz.training import images
from penviz.training.data_set import Split
from penviz.training.folder import stored_batches
from penviz.training.network import Network
from penviz.training.ranks import ALONE, Ranks

BATCH = 500
BATCH_PIXELS = BATCH * 64 * 64
"""Pixels of a batch: of larger images fewer are run at once."""

PART_PIXELS, FEWEST = 64 * 32 * 32, 8
"""On a CPU a batch goes through the network in parts of as many pixels, and at least as many images: what a
layer hands to the next then stays in the cache. The parts do not depend on who runs the batch."""


def dealt(split: Split, crop: int, batch: int = BATCH, ranks: Ranks = ALONE) -> list[slice]:
    """Rows of each batch of a split that this rank runs.

    Whole batches, the last and smaller one included, are dealt to the ranks in turn. So what a batch holds
    does not depend on their number, and nothing is run twice.
    """
    height, width = images.input_size(split.images.shape[1], split.images.shape[2], crop)
    batch = max(1, min(batch, BATCH_PIXELS // (height * width)))
    starts = range(ranks.rank * batch, len(split), ranks.size * batch)
    return [slice(start, min(start + batch, len(split))) for start in starts]


def batches(
    network: Network,
    split: Split,
    crop: int,
    device: torch.device,
    batch: int = BATCH,
    chosen: Sequence[slice] | None = None,
) -> Iterator[Tensor]:
    """Images [b, channels, height, width] as the network takes them: centre-cropped, in order.

    Those of the chosen batches, given by their rows; of all when not given.
    """
    for pixels in stored_batches(split.images, dealt(split, crop, batch) if chosen is None else chosen):
        raw = torch.from_numpy(pixels)
        raw = raw.pin_memory() if device.type == "cuda" else raw
        yield network.scaling(images.centre_crop(raw.to(device, non_blocking=True), crop))


def features_of(network: Network, x: Tensor) -> Tensor:
    """Penultimate features [b, d] float32 of a batch [b, channels, height, width]; on a CPU part by part."""
    if x.device.type != "cpu":
        features: Tensor = network.features(x).float()
        return features
    part = max(FEWEST, PART_PIXELS // (x.shape[2] * x.shape[3]))
    return torch.cat([network.features(few).float() for few in torch.split(x, part)])


@torch.no_grad()
def features_and_predictions(
    network: Network, split: Split, crop: int, batch: int = BATCH
) -> tuple[np.ndarray, np.ndarray]:
    """Penultimate features [n, d] float32 of a split and the network's own argmax [n] int64."""
    found = list(features_of_batches(network, split, crop, dealt(split, crop, batch)))
    return np.concatenate([h for h, _ in found]), np.concatenate([predicted for _, predicted in found])


@torch.no_grad()
def features_of_batches(
    network: Network,
    split: Split,
    crop: int,
    chosen: Sequence[slice],
    report: Callable[[int, int], None] = lambda done, n: None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Features [b, d] float32 and predictions [b] int64 of each of some batches, given by their rows.

    `report` is told after each batch up to which image of n the work is done.
    """
    device = network.head.weight.device
    was_training = network.training
    network.eval()
    for rows, x in zip(chosen, batches(network, split, crop, device, chosen=chosen), strict=True):
        features = features_of(network, x)
        predicted = network.head(features).argmax(1)
        report(rows.stop, len(split))
        yield features.cpu().numpy(), predicted.cpu().numpy()
    network.train(was_training)


@torch.no_grad()
def evaluate(network: Network, split: Split, crop: int, ranks: Ranks = ALONE) -> dict[str, float]:
    """Scores of a split: {"accuracy": top-1 in [0, 1], "nll": mean -log p of the label, nats, "n"}.

    The NLL is the plain one for hard and soft runs alike, so that they can be compared. Several ranks run
    some batches each, and all learn the scores of the whole.
    """
    device = network.head.weight.device
    was_training = network.training
    network.eval()
    correct = nll = 0.0
    labels = torch.from_numpy(split.labels).to(device)
    mine = dealt(split, crop, ranks=ranks)
    for rows, x in zip(mine, batches(network, split, crop, device, chosen=mine), strict=True):
        y = labels[rows]
        logits = network.head(features_of(network, x)).float()
        nll += float(nn.functional.cross_entropy(logits, y, reduction="sum"))
        correct += int((logits.argmax(1) == y).sum())
    network.train(was_training)
    correct, nll = ranks.sum(torch.tensor([correct, nll], dtype=torch.float64)).tolist()
    return {"accuracy": correct / len(split), "nll": nll / len(split), "n": float(len(split))}
