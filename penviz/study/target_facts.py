"""Targets in words, in numbers and as a bar chart: what one alpha means in each of its conventions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from penviz.metrics.target_vectors import (
    SHOWN_ONLY,
    Targets,
    equal_alphas,
    least_loss,
    optimal_gaps,
    refusal,
    target_vectors,
)
from penviz.metrics.wording import KIND_WORDS, series
from penviz.projection.chart import Chart, Series

SHOWN = ("uniform", "others", "prior", "binary", "clip", "sampled", SHOWN_ONLY, "hard")
"""Kinds of which there is a vector to show."""

NAMES = {
    "hard": "hard",
    "uniform": "uniform over all classes",
    "others": "uniform over the others",
    "prior": "a prior u(k)",
    "binary": "K sigmoids, to one half",
    "clip": "clipped",
    "sampled": "sampled labels",
    SHOWN_ONLY: "the pair (alpha, 1 - alpha)",
}
"""What the kinds are called in a list."""

WHERE = {
    "hard": "One-hot: all of the mass on the true class. No finite logits reach it.",
    "uniform": "Alpha is spread over all classes, the true one included: the paper's definition, and what "
    "torch's and Keras's label_smoothing mean for a softmax.",
    "others": "Alpha is spread over the other classes only: fairseq's loss, and the formula of many articles "
    "whose code does the former.",
    "prior": "Alpha is spread as u(k), often the class frequencies: Szegedy et al. 2016 in its general form.",
    "binary": "Each class is a question of its own, answered by a sigmoid, and smoothed towards one half: "
    "for networks with several labels an image, and Keras's label_smoothing for a binary loss.",
    "clip": "A one-hot vector clipped to [alpha/9, 1 - alpha], as an MNIST tutorial of cleverhans has it. "
    "The 9 is written for ten classes.",
    "sampled": "With probability alpha an example's label is drawn anew from all classes in every epoch: on "
    "average the same targets and the same gradient as uniform smoothing.",
    SHOWN_ONLY: "Some articles give every class but the true one alpha. This is shown and never trained on.",
}
"""Where a kind comes from."""

TICKED_UP_TO = 12
"""More classes than this have few ticks."""


@dataclass(frozen=True)
class TargetFacts:
    """What one target vector says of an example of one class.

    Attributes:
        targets: asked for; n_classes: K; own: the true class.
        true: its target; low, high: least and greatest target of the other classes.
        total: sum of the vector; least: loss in nats that no network gets below.
        gap: true logit minus the mean of the wrong ones at the optimum, nats.
        equal: alpha with which other kinds give the same vector.
        refusal: why nobody should train on it, or "".
    """

    targets: Targets
    n_classes: int
    own: int
    true: float
    low: float
    high: float
    total: float
    least: float
    gap: float
    equal: dict[str, float]
    refusal: str

    @classmethod
    def of(cls, targets: Targets, n_classes: int, own: int = 0) -> TargetFacts:
        """Of targets for an example of class `own`; ValueError as `target_vectors`."""
        q = target_vectors(targets, n_classes, [own])[0]
        wrong = np.delete(q, own)
        return cls(
            targets,
            n_classes,
            own,
            float(q[own]),
            float(wrong.min()),
            float(wrong.max()),
            float(q.sum()),
            least_loss(targets, n_classes, own),
            float(optimal_gaps(targets, n_classes)[own]),
            equal_alphas(targets, n_classes, own),
            refusal(targets, n_classes),
        )

    @property
    def others(self) -> str:
        """The targets of the other classes: one number, or from which to which."""
        low, high = number(self.low), number(self.high)
        return low if low == high else f"{low} to {high}"

    @property
    def same_as(self) -> str:
        """Which alpha of other kinds gives the same vector; "" where none does."""
        said = [f"{NAMES[kind]} with alpha {number(a)}" for kind, a in self.equal.items()]
        return series(said) if said else ""

    @property
    def headline(self) -> str:
        """One sentence without a full stop."""
        alpha = self.targets.label_smoothing or 0.0
        words = KIND_WORDS.get(self.targets.kind, "the pair {}").format(f"{alpha:g}")
        words = words if self.targets.kind != SHOWN_ONLY else f"the pair ({alpha:g}, {1 - alpha:g})"
        words = words.replace("K sigmoids", f"{self.n_classes} sigmoids")
        rest = "the other" if self.n_classes == 2 else "every other"
        each = "the others have" if self.low != self.high else f"{rest} class has"
        said = f"{words[0].upper()}{words[1:]} of {self.n_classes} classes"
        if "sigmoids" in words:
            said = f"{words[0].upper()}{words[1:]}"
        return f"{said}: the true class has {number(self.true)}, {each} {self.others}"

    @property
    def detail(self) -> str:
        """The sum, and which other alpha means the same."""
        total = f"The targets sum to {number(self.total)}."
        if self.targets.sigmoids:
            total = f"They sum to {number(self.total)}, because each class is a question of its own."
        if self.refusal:
            return self.refusal
        return f"{total} The same as {self.same_as}." if self.same_as else total

    @property
    def command(self) -> str:
        """The options of `penviz train` that ask for it, "" where it is refused."""
        if self.refusal:
            return ""
        words = ["penviz train DATASET NETWORK"]
        if self.targets.kind not in ("hard", "uniform"):
            words.append(f"--targets {self.targets.kind}")
        words.append(f"--label-smoothing {self.targets.label_smoothing or 0.0:g}")
        if self.targets.kind == "prior":
            words.append(f"--prior {','.join(f'{u:.10g}' for u in self.targets.prior)}")
        return " ".join([*words, "--out RUN"])


def number(value: float) -> str:
    """A probability, loss or alpha in at most four significant digits, zeros dropped: 0.91, 0.0111."""
    if math.isinf(value):
        return "infinite"
    digits = 3 if 0 < abs(value) < 0.1 else 4
    return f"{value:.{digits}g}"


def target_chart(targets: Targets, n_classes: int, own: int = 0) -> Chart:
    """The vector as bars over the one-hot vector of the same class.

    Args:
        targets: asked for; n_classes: K; own: the true class.
    """
    facts = TargetFacts.of(targets, n_classes, own)
    q = target_vectors(targets, n_classes, [own])[0]
    hard = target_vectors(Targets("hard", 0.0), n_classes, [own])[0]
    at = np.arange(n_classes, dtype=np.float64)
    step = max(1, -(-n_classes // TICKED_UP_TO))
    labels = tuple(f"q = {number(v)}" for v in q)
    drawn = [Series("hard targets", at, hard, kind="bars", colour=2, faint=True)]
    if targets.kind != "hard":
        drawn.append(Series(NAMES[targets.kind], at, q, kind="bars", labels=labels))
    return Chart(
        title=f"true class {own}",
        x_label="class k",
        y_label="target q(k)",
        series=tuple(drawn),
        x_limits=(-0.6, n_classes - 0.4),
        y_limits=(0, 1.05),
        x_ticks=tuple((float(k), str(k)) for k in range(0, n_classes, step)),
        about=f"{facts.headline}. Targets of an example of class {own}; {facts.detail}",
    )


def comparison(
    alpha: float, n_classes: int, prior: tuple[float, ...] = (), own: int = 0
) -> list[TargetFacts]:
    """Every kind at one alpha, in the order of SHOWN; the prior only where one is given.

    Args:
        alpha: above 0; n_classes: K; prior: u [K], or empty; own: the true class.
    """
    kinds = [k for k in SHOWN if k != "hard" and (k != "prior" or prior)]
    every = [Targets(kind, alpha, prior if kind == "prior" else ()) for kind in kinds]
    return [TargetFacts.of(targets, n_classes, own) for targets in every]
