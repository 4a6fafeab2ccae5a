"""Numbers that need the logits: gap, spread of the non-target logits, accuracy, NLL, confidence.

Axis letters: n examples, K classes. Logits, gaps and losses are in nats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.store.activations import Activations
from penviz.store.head import row_blocks

Float = NDArray[np.float64]

CACHED = 2**17
"""Logits that are gone through at a time, so that they stay in the processor's cache."""


def by_rows(function: Callable[[Float], Float], logits: ArrayLike) -> Float:
    """[n] what a function gives of logits [m, K], which it may overwrite, a few examples at a time."""
    z = np.asarray(logits)
    out = np.empty(len(z))
    for rows in row_blocks(len(z), z.shape[1], CACHED):
        out[rows] = function(z[rows].astype(np.float64))
    return out


def confidences_of(activations: Activations, rows: NDArray[np.int64]) -> Float:
    """[m] largest probability of the examples in some rows; errors as `Activations.logits`."""
    out = np.empty(len(rows))
    for some, z in activations.logit_blocks(rows):
        z -= z.max(axis=1, keepdims=True)
        out[some] = 1 / np.exp(z, out=z).sum(axis=1)
    return out


@dataclass(frozen=True)
class LogitNumbers:
    """One number an example, so that two runs can be compared example by example.

    Attributes:
        correct: [n] the prediction is the label, 0 or 1.
        top5: [n] fewer than five logits are above the true one, 0 or 1; None for K <= 5.
        nll: [n] minus log of the probability of the label, nats.
        confidence: [n] largest probability.
        gap: [n] true logit minus the mean of the wrong ones, nats.
        spread: [n] standard deviation of the non-target logits (over K - 1, not K - 2), nats; 0 for K = 2.
    """

    correct: Float
    top5: Float | None
    nll: Float
    confidence: Float
    gap: Float
    spread: Float

    @classmethod
    def of(cls, logits: ArrayLike, labels: ArrayLike, predictions: ArrayLike | None = None) -> LogitNumbers:
        """From logits [n, K] and labels [n]; `predictions` [n] are the network's own where they are known."""
        z, y = np.asarray(logits), np.asarray(labels, np.int64)
        guess = z.argmax(axis=1) if predictions is None else np.asarray(predictions)
        blocks = row_blocks(len(z), z.shape[1], CACHED)
        parts = [cls._of(z[rows].astype(np.float64), y[rows], guess[rows]) for rows in blocks]
        return cls.joined(parts) if parts else cls._of(z.astype(np.float64), y, guess)

    @classmethod
    def of_all(cls, activations: Activations, rows: NDArray[np.int64] | None = None) -> LogitNumbers:
        """Of all examples or some, whose logits are never held together; errors as `Activations.logits`."""
        a, every = activations, np.arange(len(activations)) if rows is None else rows
        parts = ((every[some], z) for some, z in a.logit_blocks(rows))
        return cls.joined([cls.of(z, a.labels[k], a.predictions[k]) for k, z in parts])

    @classmethod
    def joined(cls, parts: Sequence[LogitNumbers]) -> LogitNumbers:
        """One after another, of one part or more."""
        every = {f.name: [getattr(part, f.name) for part in parts] for f in fields(cls)}
        joined: dict[str, Any] = {k: None if v[0] is None else np.concatenate(v) for k, v in every.items()}
        return cls(**joined)

    @classmethod
    def _of(cls, z: Float, y: NDArray[np.int64], guess: NDArray[np.int64]) -> LogitNumbers:
        """Of logits [m, K], which are overwritten, labels [m] and predictions [m]."""
        n_classes = z.shape[1]
        z -= z[np.arange(len(z)), y][:, None]
        above = (z > 0).sum(axis=1)
        wrong_mean = z.sum(axis=1) / (n_classes - 1)
        top = z.max(axis=1)
        centred = z - wrong_mean[:, None]
        square = np.einsum("nk,nk->n", centred, centred) - wrong_mean**2
        z -= top[:, None]
        log_sum = top + np.log(np.exp(z, out=z).sum(axis=1))
        return cls(
            (guess == y).astype(np.float64),
            (above < 5).astype(np.float64) if n_classes > 5 else None,
            log_sum,
            np.exp(top - log_sum),
            -wrong_mean,
            np.sqrt(np.maximum(square, 0) / (n_classes - 1)),
        )
