"""The numbers over all classes of one run and split, from its moments and logits: in memory or in one pass.

Axis letters: n examples, m examples of a block, d penultimate width, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.calibration.reliability import ece
from penviz.metrics.collapse.collapse import cdnv, nc1
from penviz.metrics.collapse.moment_sums import MomentSums
from penviz.metrics.collapse.moments import Int, Moments
from penviz.metrics.logits import LogitNumbers
from penviz.metrics.tightness.tightness import (
    class_separation,
    space_distance,
    space_radius,
    space_ratio,
    space_within_total,
)
from penviz.store.head import Head, affine_blocks

OF_MOMENTS = (
    *("space_radius", "space_distance", "space_ratio", "space_within_total"),
    *("class_separation", "nc1", "cdnv"),
)
OF_LOGITS = ("gap", "spread", "confidence", "nll", "ece")
HELD = 2**24
"""Logits in float32 that are held at a time: those of 335 rows for K = 50,000."""

Numbers = dict[str, float | None]


class Block(Protocol):
    """Some examples of a split."""

    @property
    def features(self) -> NDArray[np.floating]:
        """[m, d] float32 or float16."""

    @property
    def labels(self) -> Int:
        """[m] in [0, K)."""

    @property
    def predictions(self) -> Int:
        """[m] in [0, K)."""


def keys_over_all(n_classes: int, head: bool) -> frozenset[str]:
    """Keys of the numbers that a full pass gives."""
    five = ("top5",) if n_classes > 5 else ()
    return frozenset((*OF_MOMENTS, "accuracy", *((*OF_LOGITS, *five) if head else ())))


def numbers_over_all(
    moments: Moments, logits: LogitNumbers | None, accuracy: float | None
) -> tuple[Numbers, int]:
    """Numbers by key (`metrics.numbers`), None where one is undefined, and the rank of the inverse in NC1.

    Args:
        moments: of all examples; logits: of all examples, None without a head; accuracy: share of correct
            predictions, None without examples.
    """
    collapse, rank = nc1(moments)
    numbers: Numbers = {
        "space_radius": space_radius(moments),
        "space_distance": space_distance(moments),
        "space_ratio": space_ratio(moments),
        "space_within_total": space_within_total(moments),
        "class_separation": None if moments.n_zero else class_separation(moments),
        "nc1": collapse,
        "cdnv": cdnv(moments),
    }
    if logits is not None:
        numbers |= {
            "gap": float(logits.gap.mean()),
            "spread": float(logits.spread.mean()),
            "confidence": float(logits.confidence.mean()),
            "top5": None if logits.top5 is None else float(logits.top5.mean()),
            "nll": float(logits.nll.mean()),
            "ece": ece(logits.confidence, logits.correct),
        }
    if accuracy is not None:
        numbers["accuracy"] = accuracy
    return {key: v if v is not None and np.isfinite(v) else None for key, v in numbers.items()}, rank


@dataclass(frozen=True)
class AllClasses:
    """What one pass over all examples of a split gives.

    Attributes:
        moments: of the features; numbers: over all classes, by key; nc1_rank: at which NC1 is truncated.
    """

    moments: Moments
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    nc1_rank: int = 0

    @classmethod
    def of(
        cls,
        blocks: Iterable[Block],
        n_classes: int,
        width: int,
        head: Head | None = None,
        report: Callable[[int], None] = lambda done: None,
    ) -> AllClasses:
        """One pass over the blocks of a split; products of features and of the head are float32.

        Args:
            blocks: of all examples; n_classes: K; width: d; head: the last layer, None without one.
            report: told the examples done after every block.
        """
        sums = MomentSums(n_classes, width)
        parts: list[LogitNumbers] = []
        done = right = 0
        for block in blocks:
            sums.add(block.features, block.labels)
            if head is not None:
                y, guess = block.labels, block.predictions
                parts += [
                    LogitNumbers.of(z, y[some], guess[some])
                    for some, z in affine_blocks(block.features, head.weight, head.bias, most=HELD)
                ]
            right += int((block.predictions == block.labels).sum())
            done += len(block.labels)
            report(done)
        moments = sums.moments()
        logits = LogitNumbers.joined(parts) if parts else None
        numbers, rank = numbers_over_all(moments, logits, right / done if done else None)
        return cls(moments, numbers, rank)
