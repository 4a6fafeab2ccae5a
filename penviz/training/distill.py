"""The loss of a student that learns from a teacher's probabilities in place of the labels.

What a teacher says depends on the augmented image that the student sees in the same step, so that no table of
answers could stand for it: the teacher runs beside the student, in evaluation mode and without a gradient.
It draws no random numbers; a student sees the same images in the same order whoever teaches it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from penviz.store.run_config import RunConfig
from penviz.training.network import Network


@torch.no_grad()
def teacher_logits(teacher: Network, batch: Tensor) -> Tensor:
    """Logits [n, K] float32 of a teacher in evaluation mode for images [n, channels, height, width]."""
    logits: Tensor = teacher(batch).float()
    return logits


def loss(config: RunConfig, logits: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
    """Mean loss of a batch: logits [n, K], labels [n], teacher's logits [n, K] -> scalar.

    "cross-entropy": (1 - b) H(y, p) + b H(p_t(T), p(S)) in nats, with b `distillation_weight`, p_t(T) the
    teacher's softmax at `temperature` and p(S) the student's at `student_temperature`. S is 1 unless chosen:
    a constant factor of the logits can be learned by the last layer, and so the paper has it. Müller et al.
    2019, section 4 and appendix A.

    "squared-logits": (1 - b) H(y, p) + b / 2 times the mean over the classes of the squared difference of the
    logits, the form of the paper's MNIST student (b = 0.6 there); no temperature. That the mean, not the sum,
    over the K classes is meant is this project's reading.
    """
    b = config.distillation_weight
    hard = F.cross_entropy(logits, labels) if b < 1 else logits.new_zeros(())
    if config.distillation_loss == "squared-logits":
        soft = F.mse_loss(logits, teacher) / 2
    else:
        soft = F.cross_entropy(
            logits / config.student_temperature, torch.softmax(teacher / config.temperature, dim=1)
        )
    return (1 - b) * hard + b * soft
