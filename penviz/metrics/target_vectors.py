"""What a network is asked to say: the target vectors of every kind of targets, and the optimum that they set.

The one source of target vectors for the training, the numbers, the pictures and the app. Axis letters: K
classes. Row k belongs to an example of class k. Logits, gaps and losses are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

CLIP_DIVISOR = 9
"""A clipped 0 becomes alpha / 9 whatever K is: it was written for the ten digits."""

WITHOUT_VECTOR = ("distilled", "unknown")
"""Kinds whose targets are not a function of the label."""

SHOWN_ONLY = "pair"
"""The independent pair (alpha, 1 - alpha) of some articles: shown beside the others, never trained on."""


@dataclass(frozen=True)
class Targets:
    """What a run was asked to say.

    Attributes:
        kind: one of run_config.TARGETS, or SHOWN_ONLY.
        label_smoothing: alpha in [0, 1), 0 for hard targets, None for distilled and unknown ones.
        prior: u [K] of the kind "prior", empty where it is not known.
    """

    kind: str
    label_smoothing: float | None = None
    prior: tuple[float, ...] = ()

    @classmethod
    def of(cls, label_smoothing: float | None) -> Targets:
        """Of a run of which alpha alone is known: hard, uniform over all classes, or unknown."""
        if label_smoothing is None:
            return cls("unknown")
        return cls("uniform" if label_smoothing else "hard", label_smoothing)

    @property
    def smoothed(self) -> bool:
        """Whether they are soft and follow from the label and alpha."""
        return bool(self.label_smoothing) and self.kind not in ("hard", *WITHOUT_VECTOR)

    @property
    def sigmoids(self) -> bool:
        """Whether each logit goes through a sigmoid of its own, in place of one softmax over all."""
        return self.kind == "binary"


def target_vectors(targets: Targets, n_classes: int, classes: Sequence[int] | None = None) -> Float:
    """Target vectors of some classes: row i is that of an example of class classes[i], [K, K] or [m, K].

    With a for alpha, q of the true class and of every other one:

        hard      1, 0
        uniform   1 - a + a/K, a/K           Müller et al. 2019, section 1.1; torch's `label_smoothing`
        sampled   the same on average: with probability a the label is drawn anew from all K classes
        others    1 - a, a/(K - 1)           Shen et al. 2021, equation 1; fairseq
        prior     1 - a + a u(y), a u(k)     Szegedy et al. 2016, section 7
        binary    1 - a/2, a/2               towards one half: K sigmoids, not one distribution
        clip      1 - a, a/9                 one-hot clipped to [a/9, 1 - a]; sums to 1 for K = 10 only
        pair      1 - a, a                   sums to 1 for K = 2 only; nobody should train on it

    Raises:
        ValueError: distilled or unknown targets, which follow from no label, an unknown kind, or a prior that
            has not one number a class.
    """
    kind, a = targets.kind, targets.label_smoothing
    if kind in WITHOUT_VECTOR or a is None:
        raise ValueError(f"Targets of the kind {kind} do not follow from the label.")
    rows = list(range(n_classes) if classes is None else classes)
    own = np.zeros((len(rows), n_classes))
    own[np.arange(len(rows)), rows] = 1
    if kind == "hard":
        return own
    if kind in ("uniform", "sampled"):
        return own * (1 - a) + a / n_classes
    if kind == "others":
        return np.where(own == 1, 1 - a, a / (n_classes - 1))
    if kind == "prior":
        u = np.asarray(targets.prior, np.float64)
        if u.shape != (n_classes,):
            raise ValueError(f"A prior for {n_classes} classes has as many numbers, not {len(u)}.")
        return own * (1 - a) + a * u
    if kind == "binary":
        return own * (1 - a) + a / 2
    if kind == "clip":
        return np.clip(own, a / CLIP_DIVISOR, 1 - a)
    if kind == SHOWN_ONLY:
        return np.where(own == 1, 1 - a, a)
    raise ValueError(f"There are no targets of the kind {kind}.")


def own_and_wrong(targets: Targets, n_classes: int) -> tuple[Float, Float]:
    """Target of each class for its own examples and for those of any other class, [K] each.

    All that the vectors hold: what a class gets where it is wrong does not depend on which one is right, and
    what it gets more where it is right is the same for all. Arguments and errors as `target_vectors`.
    """
    (first, *rest), (wrong, *_) = target_vectors(targets, n_classes, [0, 1])
    every = np.array([wrong, *rest])
    return every + (first - wrong), every


def refusal(targets: Targets, n_classes: int) -> str:
    """Why nobody should train on some targets, as a sentence; "" where nothing speaks against it."""
    if targets.kind in WITHOUT_VECTOR:
        return f"Targets of the kind {targets.kind} do not follow from the label."
    if targets.kind == "prior" and len(targets.prior) != n_classes:
        given = len(targets.prior)
        return f"The prior has {given} numbers, the data have {n_classes} classes: give one a class."
    own, wrong = own_and_wrong(targets, n_classes)
    total = float(wrong.sum() + (own - wrong).max())
    if not targets.sigmoids and not math.isclose(total, 1, abs_tol=1e-5):
        return (
            f"The targets of an example sum to {total:.4g} and not to 1 for {n_classes} classes, "
            "so they are no distribution: choose others."
        )
    second, first = np.sort(wrong)[-2:]
    if (np.where(np.arange(n_classes) == wrong.argmax(), second, first) >= own).any():
        return "With so much smoothing the true class is not asked for most: choose a smaller alpha."
    return ""


def optimal_logits(targets: Targets, n_classes: int, classes: Sequence[int] | None = None) -> Float:
    """Logits [K, K] or [m, K] at which the loss of an example is least; minus infinity for a target of 0.

    Those of a softmax, ln q, are free up to a constant a row: only their differences mean something. Those of
    K sigmoids, ln(q / (1 - q)), are not.

    Source: stationary points of the cross-entropy, where the probabilities equal the targets.
    """
    return _logits(target_vectors(targets, n_classes, classes), targets)


def _logits(q: Float, targets: Targets) -> Float:
    with np.errstate(divide="ignore"):
        return np.log(q) - np.log1p(-q) if targets.sigmoids else np.log(q)


def optimal_gaps(targets: Targets, n_classes: int) -> Float:
    """[K] true logit minus the mean of the wrong ones at the optimum, for an example of each class.

    Infinite for hard targets. K = 10, alpha = 0.1: uniform 4.511, others 4.394, binary 5.889.
    """
    own, wrong = (_logits(q, targets) for q in own_and_wrong(targets, n_classes))
    none = np.isneginf(wrong)
    known = np.where(none, 0.0, wrong)
    others = (known.sum() - known) / (n_classes - 1)
    return own - np.where(none.sum() > none, -np.inf, others)


def least_loss(targets: Targets, n_classes: int, own: int = 0) -> float:
    """Least possible loss in nats of an example of class `own`: the entropy of its targets, 0 for hard ones.

    Of K sigmoids the sum of K binary entropies. Targets that sum to S and not to 1 are compared with the
    softmax that comes nearest, q / S.
    """
    q = target_vectors(targets, n_classes, [own])[0]
    parts = np.concatenate([q, 1 - q]) if targets.sigmoids else q
    total = 1.0 if targets.sigmoids else float(q.sum())
    parts = parts[parts > 0]
    return float(-(parts * np.log(parts / total)).sum())


def equal_alphas(targets: Targets, n_classes: int, own: int = 0) -> dict[str, float]:
    """Alpha with which other kinds give the same vector for an example of class `own`, by kind.

    For targets that are one distribution with equal wrong classes, w each: uniform over K has alpha = K w,
    over the others (K - 1) w; for K = 2 the pair has w and binary 2 w. Empty for any other. An alpha of 1 or
    more, which that kind does not have, is left out.
    """
    q = target_vectors(targets, n_classes, [own])[0]
    wrong = np.delete(q, own)
    distribution = math.isclose(q.sum(), 1, abs_tol=1e-9)
    if not distribution or np.ptp(wrong) > 1e-12 or (targets.sigmoids and n_classes > 2):
        return {}
    w = float(wrong[0])
    found = {"uniform": n_classes * w, "others": (n_classes - 1) * w}
    if n_classes == 2:
        found |= {"binary": 2 * w, SHOWN_ONLY: w}
    return {kind: a for kind, a in found.items() if kind != targets.kind and a < 1 - 1e-12}


def weights(values: Sequence[float], n_classes: int | None = None) -> tuple[float, ...]:
    """A prior [K] from numbers in proportion to it; ValueError where they are not K of at least 0."""
    u = np.asarray(values, np.float64)
    if (
        (n_classes is not None and len(u) != n_classes)
        or not np.isfinite(u).all()
        or (u < 0).any()
        or not u.any()
    ):
        raise ValueError("A prior has a number of at least 0 for each class.")
    return tuple(float(v) for v in u / u.sum())


def frequencies(labels: NDArray[np.int64], n_classes: int) -> tuple[float, ...]:
    """Share of each class among some labels [n], as a prior [K]."""
    counts = np.bincount(labels, minlength=n_classes)
    return tuple(float(c) for c in counts / counts.sum())
