"""What stored activations tell of the wrong classes: the numbers of a teacher that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penviz.metrics.calibration.temperature import softmax
from penviz.metrics.information import equivalent_smoothing, stability
from penviz.metrics.logits import LogitNumbers
from penviz.store.activations import Activations

TEMPERATURES = (1.0, 2.0, 3.0)
"""Those that Chandrasegaran et al. 2022 compare."""


@dataclass(frozen=True)
class Erased:
    """The numbers of one split of one run.

    Attributes:
        spread: mean standard deviation of the wrong logits, nats.
        instability: 1 - S of Shen et al. 2021, in [0, 1); lower: the answers for a class are more alike.
        gamma: temperature -> equivalent smoothing of what the network would tell a student.
    """

    spread: float
    instability: float
    gamma: dict[float, float]

    @classmethod
    def of(cls, activations: Activations, temperatures: Sequence[float] = TEMPERATURES) -> Erased | None:
        """From features and head; None where there is no head, and so no logits, or no example."""
        if activations.head is None or activations.class_means is not None or not len(activations):
            return None
        logits = activations.head.logits(activations.features)
        labels = activations.labels
        return cls(
            float(LogitNumbers.of(logits, labels).spread.mean()),
            1 - stability(softmax(logits), labels),
            {t: equivalent_smoothing(softmax(logits, t), labels) for t in temperatures},
        )
