"""The loss on every kind of targets, whose vectors are those of `metrics/target_vectors.py`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from penviz.metrics.target_vectors import Targets, frequencies, refusal, target_vectors
from penviz.store.run_config import RunConfig, RunError


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean H(y, p) in nats through torch's own cross-entropy: logits [n, K], labels [n] -> scalar.

    Never to be compared between runs of different alpha: its floor is the entropy of the targets
    (0.5003 nats for K = 10, alpha = 0.1).
    """
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def soft_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    example_weights: Tensor | None = None,
    class_weights: Tensor | None = None,
    weighted_terms: bool = False,
) -> Tensor:
    """H(q, p) = -sum_k q_k ln p_k in nats: logits [n, K], targets [n, K] -> scalar.

    Args:
        logits, targets: of n examples; the rows of `targets` sum to 1.
        example_weights: [n]; then the loss is the weighted sum over the number of weights that are not 0, as
            TensorFlow 1's `tf.losses.softmax_cross_entropy` has it (its reduction SUM_BY_NONZERO_WEIGHTS),
            else the mean.
        class_weights: [K]. Torch multiplies each term of the sum over k by the weight of its own class k, so
            that with soft targets a rare class weighs on examples of all others too. This is seldom meant.
        weighted_terms: it is meant. The mean is over n, as torch has it for targets that are probabilities;
            for labels with `label_smoothing` torch divides by the sum of the weights of the labels.

    Raises:
        RunError: class weights, and nobody said that weighted terms are meant.
    """
    if class_weights is not None and not weighted_terms:
        raise RunError(
            "With soft targets torch weights every term of the loss by its own class and not by the label's: "
            "leave out the class weights, or pass weighted_terms=True."
        )
    log_p = F.log_softmax(logits, dim=1)
    if class_weights is not None:
        log_p = log_p * class_weights
    losses = -(targets * log_p).sum(dim=1)
    if example_weights is None:
        return losses.mean()
    return (losses * example_weights).sum() / example_weights.count_nonzero()


def smoothed_sigmoids(
    logits: Tensor, targets: Tensor, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Binary cross-entropy of sigmoids on targets y (1 - a) + a / 2, in nats.

    Args:
        logits: [n, K]; targets: [n, K] of 0 and 1, any number of ones a row; label_smoothing: a.
        reduction: "none" gives [n, K], "mean" the mean over both axes and "sum" the sum, all with a gradient.

    Raises:
        ValueError: another reduction.
    """
    smooth = targets * (1 - label_smoothing) + label_smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, smooth, reduction=reduction)


def redrawn(labels: Tensor, n_classes: int, label_smoothing: float, seed: int, epoch: int) -> Tensor:
    """Sampled smoothing: each of the labels [n] is with probability alpha drawn anew from all K classes.

    What is drawn depends on (seed, epoch, row) only. Its expected loss, and so its expected gradient, are
    those of uniform label smoothing, because the loss is linear in the targets.
    """
    # A stream of its own: the plan of an epoch uses seed * 1_000_003 + epoch.
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch + 2**62) % 2**63)
    chance = torch.rand(len(labels), generator=generator, dtype=torch.float64)
    drawn = torch.randint(n_classes, (len(labels),), generator=generator)
    return torch.where((chance < label_smoothing).to(labels.device), drawn.to(labels), labels)


def targets_of(config: RunConfig, labels: Tensor, n_classes: int) -> Targets:
    """What a config asks for, with the prior it leaves open measured on the labels [n] of the training split.

    Raises:
        RunError: targets that cannot be trained on, by a sentence that says why.
    """
    if (
        config.targets == "distilled"
    ):  # training/distill.py has the teacher's share, the labels' share is hard
        return Targets("hard", 0.0)
    prior = config.prior
    if config.targets == "prior" and not prior:
        prior = frequencies(labels.cpu().numpy(), n_classes)
    targets = Targets(config.targets, config.label_smoothing, prior)
    if sentence := refusal(targets, n_classes):
        raise RunError(sentence)
    return targets


class Objective:
    """The loss of one run on the targets that follow from its labels."""

    def __init__(self, targets: Targets, labels: Tensor, n_classes: int, seed: int):
        """Of a run.

        Args:
            targets: what it asks for (`targets_of`); labels: [n] of the training split, on its device;
                n_classes: K; seed: of the sampled labels.
        """
        self.targets, self.labels, self.n_classes, self.seed = targets, labels, n_classes, seed
        self.asked = labels
        vectors = torch.from_numpy(target_vectors(targets, n_classes)).float()
        self.vectors = vectors.to(labels.device)

    def start_epoch(self, epoch: int) -> None:
        """Draw what an epoch's labels are, where they are sampled."""
        if self.targets.kind == "sampled":
            alpha = self.targets.label_smoothing or 0.0
            self.asked = redrawn(self.labels, self.n_classes, alpha, self.seed, epoch)

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Loss in nats of a batch: logits [b, K] of the training examples in some rows [b] -> scalar.

        K sigmoids have the sum over the classes, the mean over the examples: a step as long as a softmax's.
        """
        labels, kind = self.asked[rows], self.targets.kind
        if kind in ("hard", "uniform", "sampled"):
            alpha = self.targets.label_smoothing if kind == "uniform" else 0.0
            return smoothed_cross_entropy(logits, labels, alpha or 0.0)
        vectors = self.vectors[labels]
        if self.targets.sigmoids:
            return smoothed_sigmoids(logits, vectors) * self.n_classes
        return F.cross_entropy(logits, vectors)
