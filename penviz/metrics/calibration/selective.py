"""Selective classification: how well a score puts the errors last, so that they can be left out.

A score says how sure a network is of an example; the examples are taken from the surest down. Smoothing hurts
this order more than it hurts accuracy (Xia et al. 2025), which neither accuracy nor ECE shows.

Axis letters: n examples, K classes. Scores have no unit; only their order counts. Risks and coverages are
shares in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.metrics.logits import by_rows

Float = NDArray[np.float64]

NORMS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
"""The p among which the one of the normalised logit is chosen."""


def max_softmax(logits: ArrayLike, temperature: float = 1.0) -> Float:
    """[n] logarithm of the largest probability, nats: the order of max_k p_k, without its ties at 1.

    Args:
        logits: [n, K], nats.
        temperature: the logits are divided by it; it changes the order where K > 2.
    """

    def score(z: Float) -> Float:
        z /= temperature
        here, top = np.arange(len(z)), z.argmax(axis=1)
        z -= z[here, top][:, None]
        np.exp(z, out=z)
        z[here, top] = 0
        values: Float = -np.log1p(z.sum(axis=1))
        return values

    return by_rows(score, logits)


def max_logit(logits: ArrayLike) -> Float:
    """[n] largest logit, nats, of logits [n, K]. A shift of all logits of an example changes it."""
    return by_rows(lambda z: z.max(axis=1), logits)


def normalised_logit(logits: ArrayLike, p: float) -> Float:
    """[n] largest entry of v = (z - mean z) / ‖z - mean z‖_p, for logits z [n, K]; no unit.

    The norm is taken example by example, so that neither a shift nor a scale of the logits of one example
    changes its score. Equal logits score 0. In float64: float32 rounds the scores of sure examples to ties.
    Scores that are equal but for rounding are equal: all of two classes, for any p, and for p = 1 all whose
    logits but one lie below their mean. Such a score does not order the examples.

    Source: Cattelan & Silva 2024 (MaxLogit-pNorm); the mean is subtracted first.
    """

    def score(z: Float) -> Float:
        z -= z.mean(axis=1, keepdims=True)
        top = z.max(axis=1)
        np.abs(z, out=z)
        largest = z.max(axis=1)
        scale = np.where(largest > 0, largest, 1)  # so that a high power neither overflows nor vanishes
        z /= scale[:, None]
        norm = _power(z, p).sum(axis=1) ** (1 / p)
        values: Float = np.round(top / scale / np.where(norm > 0, norm, 1), EQUAL)
        return values

    return by_rows(score, logits)


def _power(x: Float, p: float) -> Float:
    """x ** p; by products for a whole p, which are several times as fast."""
    if p not in NORMS:
        return x**p
    out = x.copy()
    for _ in range(int(p) - 1):
        out *= x
    return out


EQUAL = 12
"""Decimals to which scores of a normalised logit, at most 1, are told apart; float64 has about sixteen."""


@dataclass(frozen=True)
class RiskCoverage:
    """The share of errors among the surest examples, for every number of them.

    Attributes:
        coverage: [n] i / n for i = 1 ... n.
        risk: [n] errors among the i examples of highest score, over i. Where scores tie, the mean over all
            orders of the tied ones, so that the order of the file does not matter.
    """

    coverage: Float
    risk: Float

    @classmethod
    def of(cls, scores: ArrayLike, correct: ArrayLike) -> RiskCoverage:
        """From scores [n] and whether each prediction is the label [n], 0 or 1."""
        tied = _Tied.of(scores, correct)
        errors = np.cumsum(tied.mean(tied.errors))
        rank = np.arange(1, len(errors) + 1)
        return cls(rank / max(len(errors), 1), errors / rank)

    def aurc(self) -> float:
        """Mean of the risk over all coverages (area under the risk-coverage curve)."""
        return float(self.risk.mean())


@dataclass(frozen=True)
class _Tied:
    """Examples from the highest score down: their order [n], where ties begin [g] and end, the errors [n]."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    errors: Float

    @classmethod
    def of(cls, scores: ArrayLike, correct: ArrayLike) -> _Tied:
        s = np.asarray(scores, np.float64)
        order = np.argsort(-s, kind="stable").astype(np.int64)
        s = s[order]
        starts = np.flatnonzero(np.append(True, s[1:] != s[:-1])[: len(s)]).astype(np.int64)
        errors = 1 - np.asarray(correct, np.float64)[order]
        return cls(order, starts, np.diff(np.append(starts, len(s))), errors)

    def mean(self, values: Float) -> Float:
        """[n] values, replaced by their mean where examples tie."""
        if len(self.starts) == len(values):
            return values
        return np.repeat(np.add.reduceat(values, self.starts) / self.sizes, self.sizes)


def aurc(scores: ArrayLike, correct: ArrayLike) -> float:
    """Area under the risk-coverage curve: mean over i of the share of errors among the i surest examples.

    Args:
        scores: [n], the higher the surer.
        correct: [n] the prediction is the label, 0 or 1.

    0 without errors, about the share of errors for a score that knows nothing. NaN without examples.

    Source: Geifman & El-Yaniv 2017; Geifman, Uziel & El-Yaniv 2019.
    """
    return RiskCoverage.of(scores, correct).aurc() if len(np.asarray(scores)) else float("nan")


def best_aurc(correct: ArrayLike) -> float:
    """AURC of a score that puts every error last: what these predictions allow at the least."""
    hits = np.asarray(correct, np.float64)
    return aurc(hits, hits) if hits.all() else aurc(np.argsort(np.argsort(hits, kind="stable")), hits)


def normalised_aurc(scores: ArrayLike, correct: ArrayLike) -> float:
    """(AURC - best AURC) / (error rate - best AURC): 0 for a perfect order, 1 for a random one on average.

    Free of the accuracy, so that networks of different accuracy can be compared. NaN where all predictions
    or none are right.

    Source: Cattelan & Silva 2024 (NAURC).
    """
    hits = np.asarray(correct, np.float64)
    if not len(hits) or hits.all() or not hits.any():
        return float("nan")
    best = best_aurc(hits)
    return (aurc(scores, hits) - best) / (1 - float(hits.mean()) - best)


def aurc_terms(scores: ArrayLike, correct: ArrayLike) -> Float:
    """[n] terms whose mean is the AURC and whose variance over n is that of its sampling, in file order.

    AURC = mean_j e_j H_j with e_j = 1 for an error of rank j and H_j = sum over i >= j of 1 / i. One more
    example of rank j also moves those below it down: the derivative of AURC in the weight of example j is
    e_j H_j - sum over k >= j of e_k / k, up to a constant.

    Source: Jaeckel 1972 (the infinitesimal jackknife); the derivative is of the formula above.
    """
    tied = _Tied.of(scores, correct)
    rank = np.arange(1, len(tied.order) + 1)
    tail = tied.mean(np.cumsum((1 / rank)[::-1])[::-1])
    moved = tied.mean(np.cumsum((tied.errors / rank)[::-1])[::-1])
    out = np.empty(len(rank))
    out[tied.order] = tied.errors * tail - moved + moved.mean()
    return out


def choose_norm(logits: ArrayLike, correct: ArrayLike, norms: Sequence[int] = NORMS) -> int:
    """The p of lowest AURC of the normalised logit; the smallest of equal ones.

    Args:
        logits: [n, K], nats, of examples that nothing is reported on.
        correct: [n] the prediction is the label, 0 or 1.
        norms: candidates.
    """
    return min(norms, key=lambda p: aurc(normalised_logit(logits, p), correct))
