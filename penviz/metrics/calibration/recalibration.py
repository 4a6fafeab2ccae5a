"""Maps from a score to a calibrated confidence, to compare temperature scaling with: isotonic and Platt's.

Both see only the top class: fitted on whether the prediction is right, they say nothing of the other classes.
Fit on one half of the held-out examples, report on the other (`temperature.halve`).

Axis letters: n examples, K classes, m knots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.logits import by_rows

Float = NDArray[np.float64]


def log_odds(logits: ArrayLike) -> Float:
    """[n] log-odds of the largest probability, nats, of logits [n, K]: ln(c / (1 - c)), exact where c is 1.

    The largest logit minus the log of the sum of the exponentials of all others. Under it Platt's map of
    slope 1 and offset 0 is the network's own confidence.
    """

    def odds(z: Float) -> Float:
        here, top = np.arange(len(z)), z.argmax(axis=1)
        own = z[here, top]
        z[here, top] = -np.inf
        second = z.max(axis=1)
        z -= second[:, None]
        values: Float = own - second - np.log(np.exp(z, out=z).sum(axis=1))
        return values

    return by_rows(odds, logits)


@dataclass(frozen=True)
class Isotonic:
    """A rising map from score to confidence: straight between its knots, level beyond them.

    Attributes:
        scores: [m] knots, rising; confidences: [m] in [0, 1], rising.
    """

    scores: Float
    confidences: Float

    @classmethod
    def fit(cls, scores: ArrayLike, correct: ArrayLike) -> Isotonic:
        """Least squares among all rising maps, by pooling adjacent violators.

        Args:
            scores: [n], n > 0; correct: [n], 0 or 1. Equal scores are pooled first.

        Source: Ayer et al. 1955; Zadrozny & Elkan 2002 (for calibration).
        """
        knots, place = np.unique(np.asarray(scores, np.float64), return_inverse=True)
        sums = np.bincount(place, np.asarray(correct, np.float64)).tolist()
        counts = np.bincount(place).tolist()
        blocks: list[list[float]] = []  # sum, count, knots of a block
        for total, count in zip(sums, counts, strict=True):
            blocks.append([total, count, 1])
            while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
                last = blocks.pop()
                blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
        values = np.concatenate([np.full(int(size), total / count) for total, count, size in blocks])
        return cls(knots, values)

    def __call__(self, scores: ArrayLike) -> Float:
        """Confidences [n] of scores [n]."""
        return np.interp(np.asarray(scores, np.float64), self.scores, self.confidences)


@dataclass(frozen=True)
class Platt:
    """confidence = 1 / (1 + exp(-(slope score + offset)))."""

    slope: float
    offset: float

    @classmethod
    def fit(cls, scores: ArrayLike, correct: ArrayLike) -> Platt:
        """Largest likelihood, with Platt's targets (N₊ + 1) / (N₊ + 2) for right and 1 / (N₋ + 2) for wrong.

        The targets keep the slope finite where one score parts right from wrong. Newton's steps on the convex
        loss, each halved until the loss falls.

        Args:
            scores: [n], n > 0; correct: [n], 0 or 1.

        Source: Platt 1999; Lin, Lin & Weng 2007 (the halved steps).
        """
        x, a = np.asarray(scores, np.float64), np.asarray(correct, np.float64)
        centre, scale = x.mean(), x.std() or 1.0
        x = np.column_stack([(x - centre) / scale, np.ones(len(x))])
        right = a.sum()
        target = np.where(a > 0, (right + 1) / (right + 2), 1 / (len(a) - right + 2))

        def loss(w: Float) -> float:
            z = x @ w
            return float((np.logaddexp(0, z) - target * z).sum())

        w = np.zeros(2)
        for _ in range(100):
            p = 1 / (1 + np.exp(-x @ w))
            hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-12 * np.eye(2)
            step = np.linalg.solve(hessian, x.T @ (p - target))
            while np.abs(step).max() > 1e-12 and loss(w - step) > loss(w):
                step /= 2
            w = w - step
            if np.abs(step).max() <= 1e-10:
                break
        return cls(float(w[0] / scale), float(w[1] - w[0] * centre / scale))

    def __call__(self, scores: ArrayLike) -> Float:
        """Confidences [n] of scores [n]."""
        z = self.slope * np.asarray(scores, np.float64) + self.offset
        return np.exp(-np.logaddexp(0, -z))
