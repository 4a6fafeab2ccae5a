"""How accurate a foreign network is on images it has not seen, beside what the user or its file says."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from penviz.external.evidence import accuracy, scored_set_up
from penviz.external.evidence.accuracy import POINTS
from penviz.external.evidence.scored_set_up import Row
from penviz.external.evidence.set_up_table import FEWEST
from penviz.training.data_set import DataSet

MOST = 10_000
"""Images of a split that are measured at most."""

TRAINING_IMAGES = 2000
"""Training images that are measured beside them at most."""

SECONDS = 60.0
STANDARD_ERRORS = 2.0
"""Accuracies within this many standard errors of each other are not called different."""

STORED_KEYS = (
    *("acc", "accuracy", "best_acc", "best_accuracy", "test_acc", "test_accuracy", "val_acc"),
    *("val_accuracy", "valid_acc", "best_acc1", "best_val_acc", "best_test_acc", "best_prec1", "best_prec"),
    *("best_top1", "prec1", "acc1", "top1", "top1_acc", "best_metric"),
)
"""Names under which training scripts store an accuracy beside the weights."""


def stored_accuracy(extras: Mapping[str, str]) -> tuple[str, float] | None:
    """Key and value in [0, 1] of the accuracy that a file stores beside its weights, None where it has none.

    Args:
        extras: of its report. Up to 1 a number is a share, above it per cent; 1 itself says neither.
    """
    for key, text in extras.items():
        if key.rpartition(".")[2].lower() not in STORED_KEYS:
            continue
        try:
            value = float(text)
        except ValueError:
            continue
        if 0 < value < 1 or 1 < value <= 100:
            return key, value if value < 1 else value / 100
    return None


@dataclass(frozen=True)
class Judgement:
    """Accuracy on the split that a network is judged on, beside that on training images and that stated.

    Attributes:
        split: its name; unseen: whether the network has not been trained on it.
        accuracy: top-1 in [0, 1]; nll: nats; n: images.
        train_accuracy: the same on n_train training images, None where there are none.
        stated: accuracy in [0, 1] that is known of the network, or None; stated_by: "user", or the key under
            which its file stores it.
    """

    split: str
    unseen: bool
    accuracy: float
    nll: float
    n: int
    train_accuracy: float | None = None
    n_train: int = 0
    stated: float | None = None
    stated_by: str = "user"

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON, which `Judgement(**...)` reads."""
        return dataclasses.asdict(self)

    @property
    def question(self) -> str:
        """What is measured, and the question whether it is what is known."""
        which = "" if self.unseen or self.split == "train" else ", which the network may have been trained on"
        return (
            f"penviz measures {100 * self.accuracy:.1f} % on {self.n:,} {self.split} images{which}. "
            "Is that the accuracy you expect?"
        )

    @property
    def evidence(self) -> str:
        """What the file's own accuracy and that on training images tell."""
        return " ".join(filter(None, (self._agreement, self._gap)))

    @property
    def _agreement(self) -> str:
        if self.stated is None or self.stated_by == "user" or self.warning:
            return ""
        return f"The file stores {self.stated_by} = {100 * self.stated:.1f} %, which agrees."

    @property
    def _gap(self) -> str:
        """What accuracy on training images tells of the images that the network has seen."""
        if self.split == "train":
            return ""
        if self.train_accuracy is None:
            return "There are no training images here to compare with."
        train = f"On {self.n_train:,} training images the accuracy is {100 * self.train_accuracy:.1f} %"
        gap = self.train_accuracy - self.accuracy
        spread = math.hypot(_error(self.accuracy, self.n), _error(self.train_accuracy, self.n_train))
        if gap > max(POINTS, STANDARD_ERRORS * spread):
            return f"{train}: the network has seen those, but not the {self.split} images."
        return f"{train}, which does not show which images the network has seen."

    @property
    def seen(self) -> str:
        """A sentence where the images look seen, or may be; "" otherwise."""
        if self.stated is not None and self.train_accuracy is not None and self.split != "train":
            lower = self.accuracy - self.stated > self._tolerance
            if lower and abs(self.train_accuracy - self.accuracy) <= self._tolerance:
                return (
                    f"its {self.split} images look like training images: {100 * self.accuracy:.1f} % on them "
                    f"is the accuracy on training images and not the {100 * self.stated:.1f} % stated."
                )
        if not self.unseen:
            return f"its {self.split} images may be training images: accuracy on unseen ones is not known."
        return ""

    @property
    def warning(self) -> str:
        """A sentence where the measured and the stated accuracy differ; "" otherwise."""
        sentence = accuracy.expectation_warning(self.accuracy, self.stated, self.n)
        if sentence and self.stated_by != "user":
            return f"The file stores {self.stated_by} = {100 * (self.stated or 0):.1f} %. {sentence}"
        return sentence

    @property
    def _tolerance(self) -> float:
        return max(POINTS, STANDARD_ERRORS * _error(self.accuracy, self.n))


def _error(share: float, n: int) -> float:
    """Standard error of a share of n images; of none or all, that of one image of them."""
    held = min(max(share, 1 / (n + 1)), n / (n + 1))
    return math.sqrt(held * (1 - held) / n)


def judge(
    network: nn.Module,
    row: Row,
    dataset: DataSet,
    *,
    stated: float | None = None,
    extras: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> Judgement:
    """Measure one set-up on as many images of the split that counts as fit into some seconds.

    Args:
        network: with its weights; row: the set-up.
        dataset: its labels in the order of the outputs.
        stated: accuracy in [0, 1] that the user knows; extras: of the file's report, which may store one.
        seconds: for the split; the training images take as long at most.

    Raises:
        RunError: the network does not run so.
    """
    split = dataset.judged_on
    found = _measured(network, row, dataset, split, MOST, seconds)
    train = None
    if split != "train" and "train" in dataset.splits:
        train = _measured(network, row, dataset, "train", TRAINING_IMAGES, seconds)
    stored = stored_accuracy(extras or {})
    by = "user"
    if stated is None and stored is not None:
        by, stated = stored
    return Judgement(
        split,
        split in dataset.unseen,
        found.accuracy,
        found.nll,
        found.n,
        None if train is None else train.accuracy,
        0 if train is None else train.n,
        stated,
        by,
    )


def _measured(network: nn.Module, row: Row, dataset: DataSet, name: str, most: int, seconds: float) -> Row:
    split = dataset.splits[name]
    first = accuracy.sample(split.labels, FEWEST)
    started = time.monotonic()
    scored_set_up.scores_of(network, row.preprocessing, split.images[first], row.variant)
    each = (time.monotonic() - started) / len(first)
    n = int(min(most, max(accuracy.IMAGES, seconds / max(each, 1e-9))))
    rows = accuracy.sample(split.labels, n)
    return accuracy.measure_setup(
        network, row.preprocessing, row.variant, split.images[rows], split.labels[rows]
    )
