"""What stored activations tell of the wrong classes: the numbers of a teacher that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penviz.metrics.calibration.logit_rows import LogitRows, Scaled
from penviz.metrics.calibration.temperature import softmax
from penviz.metrics.logits import LogitNumbers
from penviz.store.activations import Activations

TEMPERATURES = (1.0, 2.0, 3.0)
"""Those that Chandrasegaran et al. 2022 compare."""


@dataclass(frozen=True)
class Erased:
    """The numbers of one split of one run.

    Attributes:
        spread: mean standard deviation of the non-target logits, nats.
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
        a, every = activations, LogitRows(activations, np.arange(len(activations)))
        wrong = len(a.class_names) / (len(a.class_names) - 1)
        return cls(
            float(LogitNumbers.of_all(a).spread.mean()),
            _instability(a),
            {t: float(-np.expm1(-Scaled.of(every, a.labels, t).nll).mean() * wrong) for t in temperatures},
        )


def _instability(a: Activations) -> float:
    """1 - `information.stability`, of the probabilities of a few examples at a time."""
    order = np.argsort(a.labels, kind="stable")
    spreads, now, n = [], -1, 0
    total, square = np.zeros(len(a.class_names)), 0.0
    for some, z in a.logit_blocks(order):
        y, p = a.labels[order[some]], softmax(z)
        starts = np.flatnonzero(np.diff(y, prepend=-1))
        for k, part in zip(y[starts].tolist(), np.split(p, starts[1:]), strict=True):
            if k != now:
                spreads += [square / n - float(total @ total) / n**2] if n else []
                total, square, now, n = np.zeros_like(total), 0.0, k, 0
            total, square, n = total + part.sum(axis=0), square + float(np.vdot(part, part)), n + len(part)
    return float(np.mean([*spreads, square / n - float(total @ total) / n**2]))
