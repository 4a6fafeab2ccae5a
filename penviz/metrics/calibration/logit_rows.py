"""Logits of some examples that are computed when they are asked for, and what calibration keeps of them.

Axis letters: n examples, K classes. Logits are in nats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.class_sample import class_sample
from penviz.store.activations import Activations
from penviz.store.head import BLOCK

Float = NDArray[np.float64]
Int = NDArray[np.int64]

FITTED = 25_600_000
"""Logits that something is fitted to at most: of more examples a seeded sample is taken."""


def fitted_rows(rows: Int, n_classes: int, seed: int = 0) -> Int:
    """Rows [m] to fit on: all, or so many drawn with the seed that their logits are FITTED at most."""
    most = max(FITTED // n_classes, 1)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


@dataclass(frozen=True, repr=False)
class LogitRows:
    """Logits of the examples in some rows [n]; errors as `Activations.logits`."""

    activations: Activations
    rows: Int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.activations.class_names)

    def all(self) -> Float:
        """[n, K] together, for few."""
        out = np.empty((len(self), self.n_classes))
        for some, z in self.activations.logit_blocks(self.rows):
            out[some] = z
        return out

    def each(self, function: Callable[[Float], Float]) -> Float:
        """[n] what a function gives of logits [m, K], a few examples at a time."""
        out = np.empty(len(self))
        for some, z in self.activations.logit_blocks(self.rows):
            out[some] = function(z)
        return out

    def columns(self) -> Iterator[tuple[int, Float]]:
        """Each class of a sample (`class_sample`), and its logits [n]."""
        a = self.activations
        classes = class_sample(np.arange(self.n_classes))
        step = max(BLOCK // max(len(self), 1), 1)
        for start in range(0, len(classes), step):
            some = classes[start : start + step]
            if a.head is None:
                z = a.own_logits[:, some][self.rows].astype(np.float64)  # type: ignore[index]
            else:
                z = a.head.of_classes(some).logits(a.features[self.rows])
            yield from zip(some.tolist(), z.T, strict=True)


@dataclass(frozen=True, repr=False)
class Scaled:
    """Logits divided by a temperature, one number [n] an example.

    Attributes:
        temperature: T; score: ln of the largest probability (`selective.max_softmax`).
        log_sum: ln of the sum over the classes of exp(z / T); nll: minus ln of the probability of the label.
        brier: sum over the classes of squared errors of the probability.
    """

    temperature: float
    score: Float
    log_sum: Float
    nll: Float
    brier: Float

    @classmethod
    def of(cls, logits: LogitRows, labels: Int, temperature: float) -> Scaled:
        """From logits and labels [n]."""
        score, log_sum, nll, brier = np.empty((4, len(logits)))
        for some, z in logits.activations.logit_blocks(logits.rows):
            here, y = np.arange(len(z)), labels[some]
            z /= temperature
            top = z.argmax(axis=1)
            largest, own = z[here, top], z[here, y]
            z -= largest[:, None]
            np.exp(z, out=z)
            z[here, top] = 0
            score[some] = -np.log1p(z.sum(axis=1))
            z[here, top] = 1
            total = z.sum(axis=1)
            log_sum[some] = largest + np.log(total)
            nll[some] = np.log(total) - (own - largest)
            z /= total[:, None]
            z[here, y] -= 1
            brier[some] = np.einsum("nk,nk->n", z, z)
        return cls(temperature, score, log_sum, nll, brier)

    @property
    def confidence(self) -> Float:
        """[n] largest probability; rounding may not put it above 1."""
        return np.minimum(np.exp(self.score), 1.0)

    def columns(self, logits: LogitRows) -> Iterator[tuple[int, Float]]:
        """Each class of `LogitRows.columns`, and its probabilities [n]."""
        for k, z in logits.columns():
            yield k, np.minimum(np.exp(z / self.temperature - self.log_sum), 1.0)
