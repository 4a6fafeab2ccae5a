"""One set-up of a network (preprocessing and body) and what it scores on labelled images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from penviz.external.evidence.label_order import permuted_accuracy
from penviz.external.evidence.outputs import as_logits, kind_of_scores, run
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.networks import variants as bodies
from penviz.external.networks.variants import Variant

BATCH = 64


@dataclass(frozen=True)
class Row:
    """One set-up and what it scores.

    Attributes:
        preprocessing, variant: the set-up.
        accuracy: top-1 in [0, 1]; nll: mean -log p of the label, nats; n: images.
        permuted: accuracy under the best assignment of outputs to labels, found on one half of the images and
            counted on the other, both ways round.
        temperature: fitted on these images, where ties were settled (ties.py); None elsewhere.
    """

    preprocessing: Preprocessing
    variant: Variant
    accuracy: float
    nll: float
    n: int
    permuted: float
    temperature: float | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        numbers: dict[str, Any] = {"accuracy": self.accuracy, "nll": self.nll, "n": self.n}
        finite = self.temperature is not None and 0 < self.temperature < float("inf")
        numbers |= {"permuted": self.permuted, "temperature": self.temperature if finite else None}
        said = {"describe": self.preprocessing.describe(), "body": self.variant.describe()}
        setup = {"preprocessing": self.preprocessing.to_json(), "variant": self.variant.to_json()}
        return setup | said | numbers


@torch.no_grad()
def scores_of(
    network: nn.Module,
    preprocessing: Preprocessing,
    images: NDArray[np.uint8],
    variant: Variant | None = None,
) -> Tensor:
    """Scores [n, K] of stored images under one set-up."""
    first = preprocessing.apply(images[:2])
    with bodies.varied(network.eval(), variant or Variant(), first):
        parts = range(0, len(images), BATCH)
        return torch.cat([run(network, preprocessing.apply(images[i : i + BATCH])) for i in parts]).float()


def measure(scores: Tensor, labels: NDArray[np.int64]) -> tuple[float, float]:
    """Top-1 accuracy in [0, 1] and NLL in nats of scores [n, K], whichever scores they are."""
    y = torch.from_numpy(labels)
    logits = as_logits(scores, kind_of_scores(scores))
    return float((scores.argmax(1) == y).double().mean()), float(F.cross_entropy(logits, y))


def row_of(preprocessing: Preprocessing, variant: Variant, scores: Tensor, labels: NDArray[np.int64]) -> Row:
    """The row of one set-up whose scores [n, K] are known."""
    accuracy, nll = measure(scores, labels)
    permuted = permuted_accuracy(scores.argmax(1).numpy(), labels, scores.shape[1])
    return Row(preprocessing, variant, accuracy, nll, len(labels), permuted)
