"""What a training was asked for, as run.json says it. Standard library only."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from penviz import InputError
from penviz.store.safe_text import safe_text

TARGETS: tuple[str, ...] = (
    "hard",
    "uniform",
    "others",
    "prior",
    "binary",
    "clip",
    "sampled",
    "distilled",
    "unknown",
)
"""Kinds of training targets; "unknown" is a network that penviz did not train."""


class RunError(InputError):
    """A run, or a request for one, that penviz cannot use; the message is one sentence for the user."""


LARGEST_NUMBER = 10**300
"""Beyond what any history or score holds; whole numbers of JSON have no end."""

LARGEST_SIDE = 2**14
"""Pixels of an image, beyond what any network is fed."""


def _not_of(kind: object, value: object) -> str:
    """What a field must be, in words, where its value is not of its type as it is written; else nothing."""
    name = str(kind).removesuffix(" | None")
    if value is None and name != kind:
        return ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    held: dict[str, tuple[bool, str]] = {
        "int": (is_number and isinstance(value, int), "a whole number"),
        "float": (is_number, "a number"),
        "str": (isinstance(value, str), "a text"),
        "bool": (isinstance(value, bool), "true or false"),
        "tuple[float, ...]": (
            isinstance(value, list | tuple) and all(not _not_of("float", part) for part in value),
            "a list of numbers",
        ),
    }
    fits, words = held[name]
    return "" if fits else words


@dataclass(frozen=True)
class RunConfig:
    """All that decides the weights of a run, to and from JSON.

    Attributes:
        dataset: a data set's name, a directory, or an .npz file.
        model: a network's name (training/models.py).
        targets: one of TARGETS (training/targets.py says what each gives).
        label_smoothing: alpha in [0, 1), 0 for hard targets, None for distilled and unknown ones.
        epochs: passes over the training split.
        batch_size: examples a step; the last, smaller batch of an epoch is dropped.
        lr: learning rate at the top of the schedule.
        momentum, nesterov: of SGD.
        weight_decay: L2 factor on convolution and linear weights (for `tutorial_alexnet` on its two hidden
            dense layers only, as the paper has it).
        loss_factor: the loss is multiplied by it (Müller et al. 2019 use 3 on CIFAR).
        clip_norm: gradients are scaled down to this norm, 0 for never.
        schedule: "steps" (divide by 10 at the milestones), "one-cycle" or "constant".
        milestones: fractions of the run at which "steps" divides.
        crop: side of the random crop in pixels, 0 for the whole image.
        pad: pixels of zero padding before the crop.
        flip: mirror half of the training images.
        seed: of the held-out split, initial weights, order and augmentation.
        hold_out: validation examples taken out of the training split; 0 for the data set's own way.
        image_size: side in pixels to which images of a directory are resized.
        precision: "float32" or "bfloat16" (autocast).
        prior: u [K] of the targets "prior"; empty for the class frequencies of the training split.
        teacher: name of the run that "distilled" targets come from; teacher_sha256: digest of its weights.
        temperature: that the teacher's logits are divided by.
        distillation_weight: beta, the share of the teacher's targets in the loss; the rest has hard targets.
        student_temperature: that the student's logits are divided by in the teacher's share of the loss.
        distillation_loss: "cross-entropy", or "squared-logits" (training/distill.py says what each is).
        split_seed: seed of the held-out split, None for `seed`; a student has its teacher's.
        dropout: probability, on the input of the head.
        data_share: share of the training split that is used, the same examples for every run of a seed.
        label_noise: probability with which a training label is replaced by another class
            (metrics/label_noise.py); what is stored and measured keeps the true labels.
        stop_after: epochs after which the run ends although its schedule is longer; 0 for never.
        pretrained: weights that the network's body starts from, torchvision's by their name or a file; "" for
            none. pretrained_sha256: digest of that file.
        frozen: whether the body keeps them, but for its batch norms.

    Raises:
        RunError: a value out of range.
    """

    dataset: str
    model: str
    targets: str = "hard"
    label_smoothing: float | None = 0.0
    epochs: int = 30
    batch_size: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 1e-4
    loss_factor: float = 1.0
    clip_norm: float = 0.0
    schedule: str = "one-cycle"
    milestones: tuple[float, ...] = (0.5, 0.75)
    crop: int = 0
    pad: int = 0
    flip: bool = False
    seed: int = 0
    hold_out: int = 0
    image_size: int = 32
    precision: str = "float32"
    prior: tuple[float, ...] = ()
    teacher: str = ""
    teacher_sha256: str = ""
    temperature: float = 1.0
    distillation_weight: float = 1.0
    dropout: float = 0.0
    data_share: float = 1.0
    label_noise: float = 0.0
    stop_after: int = 0
    student_temperature: float = 1.0
    distillation_loss: str = "cross-entropy"
    split_seed: int | None = None
    pretrained: str = ""
    pretrained_sha256: str = ""
    frozen: bool = False

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            if wrong := _not_of(f.type, getattr(self, f.name)):
                raise RunError(f"{f.name.replace('_', ' ').capitalize()} must be {wrong}.")
            if isinstance(text := getattr(self, f.name), str) and text != safe_text(text):
                raise RunError(
                    f"{f.name.replace('_', ' ').capitalize()} must be without control characters: {text}."
                )
        object.__setattr__(self, "milestones", tuple(self.milestones))
        object.__setattr__(self, "prior", tuple(self.prior))
        alpha = self.label_smoothing
        checks = {
            "label smoothing must be at least 0 and below 1": alpha is None or 0 <= alpha < 1,
            f"targets must be one of {', '.join(TARGETS)}": self.targets in TARGETS,
            "distilled and unknown targets have no label smoothing, and only they": (
                (self.targets in ("distilled", "unknown")) == (alpha is None)
            ),
            "hard targets have label smoothing 0, soft ones more than 0": (
                (self.targets == "hard") == (alpha == 0)
            ),
            "epochs must be at least 1": self.epochs >= 1,
            "the batch size must be at least 1": self.batch_size >= 1,
            "the learning rate must be above 0": 0 < self.lr < math.inf,
            "momentum must be at least 0 and below 1": 0 <= self.momentum < 1,
            "weight decay must be at least 0": 0 <= self.weight_decay < math.inf,
            "the loss factor must be above 0": 0 < self.loss_factor < math.inf,
            "the clipping norm must be at least 0": 0 <= self.clip_norm < math.inf,
            'the schedule must be "steps", "one-cycle" or "constant"': (
                self.schedule in ("steps", "one-cycle", "constant")
            ),
            "milestones must be fractions between 0 and 1": all(0 < m < 1 for m in self.milestones),
            "crop, pad and hold-out must be at least 0": min(self.crop, self.pad, self.hold_out) >= 0,
            "the image size must be between 4 and 1024 pixels": 4 <= self.image_size <= 1024,
            "the seed must be between 0 and 2**31 - 1": 0 <= self.seed < 2**31,
            'precision must be "float32" or "bfloat16"': self.precision in ("float32", "bfloat16"),
            "only the targets prior have a prior": not self.prior or self.targets == "prior",
            "a prior is at least 0 for each class and sums to 1": not self.prior
            or (min(self.prior) >= 0 and abs(sum(self.prior) - 1) < 1e-6),
            "distilled targets have a teacher, and only they": bool(self.teacher)
            == (self.targets == "distilled"),
            "the temperature must be above 0": 0 < self.temperature < math.inf,
            "the student's temperature must be above 0": 0 < self.student_temperature < math.inf,
            'the distillation loss must be "cross-entropy" or "squared-logits"': (
                self.distillation_loss in ("cross-entropy", "squared-logits")
            ),
            "the seed of the split must be between 0 and 2**31 - 1": 0 <= self.held_out_seed < 2**31,
            "the distillation weight must be above 0 and at most 1": 0 < self.distillation_weight <= 1,
            "dropout must be at least 0 and below 1": 0 <= self.dropout < 1,
            "the share of the data must be above 0 and at most 1": 0 < self.data_share <= 1,
            "label noise must be at least 0 and below 1": 0 <= self.label_noise < 1,
            "pretrained weights have a digest, and only they": bool(self.pretrained)
            == bool(self.pretrained_sha256),
            "only a pretrained body can be frozen": bool(self.pretrained) or not self.frozen,
            "the run must stop after at most all of its epochs": 0 <= self.stop_after <= self.epochs,
        }
        for sentence, holds in checks.items():
            if not holds:
                raise RunError(f"{sentence[0].upper()}{sentence[1:]}.")

    @property
    def last_epoch(self) -> int:
        """Epochs that are trained: all of the schedule, or those before an early stop."""
        return self.stop_after or self.epochs

    @property
    def held_out_seed(self) -> int:
        """Seed that decides which examples are held out of the training split."""
        return self.seed if self.split_seed is None else self.split_seed

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json` can write and `from_json` reads back to an equal config."""
        return dataclasses.asdict(self) | {
            "milestones": list(self.milestones),
            "prior": list(self.prior),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunConfig:
        """Inverse of `to_json`; RunError on an unknown or missing key or a value of the wrong type."""
        known = {f.name: f for f in dataclasses.fields(cls)}
        unknown = sorted(data.keys() - known.keys())
        if unknown:
            raise RunError(f"The config has unknown keys: {', '.join(unknown)}.")
        try:
            return cls(**data)
        except RunError:
            raise
        except TypeError as error:
            raise RunError("The config lacks a key or has a value of the wrong type.") from error

    def differences(self, other: RunConfig) -> list[str]:
        """Names of the fields in which two configs differ."""
        return [f.name for f in dataclasses.fields(self) if getattr(self, f.name) != getattr(other, f.name)]
