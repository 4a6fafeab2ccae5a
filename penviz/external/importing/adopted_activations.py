"""The activations of a foreign network on the examples of a split."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penviz.external.evidence import scored_set_up
from penviz.external.evidence.head import HeadProof, NoHead, features_and_scores
from penviz.external.evidence.outputs import as_logits, kind_of_scores
from penviz.external.importing.choices import Choices
from penviz.external.networks.variants import varied
from penviz.store.run_config import RunError
from penviz.store.write_shards import Examples
from penviz.training.data_set import DataSet, Split
from penviz.training.extract import first_of_each_class, sprite_grid
from penviz.training.folder import ImageFiles, stored_batches
from penviz.training.split_files import Batch

BATCH = 64


@torch.no_grad()
def forward(
    network: nn.Module, choices: Choices, proof: HeadProof | NoHead, images: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features [n, d] and scores [n, K] of stored images under the chosen set-up."""
    batch = choices.preprocessing.apply(images)
    batch = batch.to(next(iter(network.state_dict().values())).device)
    with varied(network, choices.variant, batch):
        features, scores = features_and_scores(network, proof, batch)
    return features.float().cpu().numpy(), scores.float().cpu().numpy()


@dataclass
class NetworkPass:
    """Images of a split through the network.

    sums: examples that were run, right ones, NLL in nats; logits: of each batch, where there is no head.
    """

    network: nn.Module
    choices: Choices
    proof: HeadProof | NoHead
    split: Split
    chosen: NDArray[np.int64]
    told: Callable[[int], None]
    sums: Tensor = dataclasses.field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    logits: list[NDArray[np.float32]] = dataclasses.field(default_factory=list)

    def __call__(self, batches: Sequence[slice]) -> Iterator[Batch]:
        """Run the chosen examples, some at a time, and hand on their features and predictions."""
        rows = [self.chosen[some] for some in batches]
        for own, images in zip(rows, stored_batches(self.split.images, rows), strict=True):
            h, scores = forward(self.network, self.choices, self.proof, images)
            right, nll = scored_set_up.measure(torch.from_numpy(scores), self.split.labels[own])
            if isinstance(self.proof, NoHead):
                stated = torch.from_numpy(scores)
                self.logits.append(as_logits(stated, kind_of_scores(stated)).numpy())
            self.sums += len(h) * torch.tensor([1.0, right, nll], dtype=torch.float64)
            self.told(len(h))
            yield h, scores.argmax(1)


def examples_of(
    dataset: DataSet,
    name: str,
    chosen: NDArray[np.int64],
    run: str,
    proof: HeadProof | NoHead,
    digest: str,
) -> Examples:
    """What is known of the chosen rows of a split beside their activations."""
    split = dataset.splits[name]
    return Examples(
        split.labels[chosen],
        split.indices[chosen],
        dataset.class_names,
        run,
        name,
        proof.head if isinstance(proof, HeadProof) else None,
        split.dataset_id,
        digest,
        split.hashes[chosen],
        np.bincount(split.labels, minlength=len(dataset.class_names)),
    )


def chosen_rows(split: Split, name: str, classes: Sequence[int], per_class: int) -> NDArray[np.int64]:
    """Rows [m] of the split that are stored."""
    if not classes:
        return first_of_each_class(split.labels, per_class if name == "train" else 0)
    first = first_of_each_class(split.labels, per_class)
    return first[np.isin(split.labels[first], np.asarray(classes))]


def fit_a_sprite(n: int, dataset: DataSet) -> bool:
    """Whether thumbnails of n examples fit one picture."""
    try:
        sprite_grid(n, dataset.image_shape)
    except RunError:
        return False
    return True


def pixels_of(split: Split, rows: NDArray[np.int64]) -> NDArray[np.uint8] | ImageFiles:
    """The images of some rows, read or still to be read."""
    images = split.images
    return images.only(rows) if isinstance(images, ImageFiles) else images[rows]
