"""What the network is asked to say: hard targets and label smoothing, and the loss on them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def target_probs(labels: Tensor, n_classes: int, label_smoothing: float = 0.0) -> Tensor:
    """Target distributions y (1 - alpha) + alpha / K: labels [n] -> [n, K], rows sum to 1.

    Müller et al. 2019, section 1: the mass alpha is spread over all K classes, the true one included, which
    so has 1 - alpha + alpha / K.
    """
    one_hot = F.one_hot(labels, n_classes).to(torch.get_default_dtype())
    return one_hot * (1 - label_smoothing) + label_smoothing / n_classes


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean H(y, p) in nats through torch's own cross-entropy: logits [n, K], labels [n] -> scalar.

    Never to be compared between runs of different alpha: its floor is the entropy of the targets
    (0.5003 nats for K = 10, alpha = 0.1).
    """
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
