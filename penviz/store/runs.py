"""Runs on disk: what was asked for, what came of it, and the runs in a directory. Standard library only."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.store.adopted import HELD_OUT_BEFORE, KNOWN, Adoption
from penviz.store.atomic_write import whole_file
from penviz.store.safe_text import safe_name, safe_names, safe_record, safe_text

RUN_FILE = "run.json"
MODEL_FILE = "model.safetensors"
MANIFEST = "manifest.json"
"""In the directory of the shards of a split; written last."""

SPLITS: tuple[str, ...] = ("train", "validation", "test")
MAY_BE_SEEN = "may be seen"
"""Said of a split of an adopted run that its network may have been trained on."""

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


def activations_path(directory: Path, split: str) -> Path:
    """Where the activations of a split of a run lie."""
    return directory / f"activations-{split}.npz"


def shards_path(directory: Path, split: str) -> Path:
    """Directory of the activations of a split that are kept in shards (penviz/store/shards.py)."""
    return directory / f"activations-{split}"


def stored_path(directory: Path, split: str) -> Path:
    """The file that tells one version of the activations of a split from another, in either form.

    That is the manifest of its shards where there is one, and the .npz otherwise, be it there or not.
    """
    manifest = shards_path(directory, split) / MANIFEST
    return manifest if manifest.is_file() else activations_path(directory, split)


def moments_path(directory: Path, split: str) -> Path:
    """Where the numbers over all classes of a split in shards lie (penviz/store/run_activations.py)."""
    return directory / f"moments-{split}.npz"


def thumbnails_path(directory: Path, split: str) -> Path:
    """Where the sprite of a split of a run lies."""
    return directory / f"thumbnails-{split}.webp"


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


@dataclass(frozen=True)
class Run:
    """One directory with a run.json, read but not yet trusted to have activations.

    Attributes:
        directory: where it lies.
        name: the directory's name; nothing is read from it.
        config: what was asked for.
        metrics: split -> name -> value, as measured by the training at its end.
        class_names: K names.
        model_sha256: digest of model.safetensors when it was written.
        record: the whole of run.json.
    """

    directory: Path
    name: str
    config: RunConfig
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    model_sha256: str = ""
    record: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def adopted(self) -> bool:
        """Whether penviz did not train it; then only the config fields of `adopted.KNOWN` are known."""
        return "adopted" in self.record

    @property
    def adoption(self) -> Adoption:
        """What is known of an adopted run; empty for any other."""
        return Adoption.from_json(self.record.get("adopted") or {})

    @property
    def seed(self) -> int | None:
        """Of its training, None when unknown."""
        return None if self.adopted else self.config.seed

    def splits(self) -> list[str]:
        """Splits whose activations exist, train first."""
        return [s for s in SPLITS if stored_path(self.directory, s).is_file()]

    @property
    def unseen(self) -> tuple[str, ...]:
        """Splits that it was not trained on, the one to judge it on first.

        Runs that version 0.1 adopted do not say; what it called validation of a built-in data set are
        training images of the network's own.
        """
        if self.adoption.unseen is not None:
            return self.adoption.unseen
        carved = self.adopted and self.config.dataset in HELD_OUT_BEFORE
        return ("test",) if carved else ("validation", "test")

    def judged_on(self) -> str:
        """The stored split on which it is judged: one that it has not seen, where there is one."""
        stored = self.splits() or self.unseen
        return next((s for s in (*self.unseen, "validation", "test") if s in stored), "train")

    def seen_word(self, split: str) -> str:
        """What stands beside the name of a split: "unseen", "may be seen", or "" for nothing."""
        if not self.adopted or split == "train":
            return ""
        if split not in self.unseen:
            return MAY_BE_SEEN
        return "unseen" if split == "test" else ""


@dataclass(frozen=True)
class DamagedRun:
    """A directory that looks like a run and cannot be read: its name and one sentence of advice."""

    name: str
    advice: str


class NotFinite(ValueError):
    """A number that JSON does not have."""


def _finite(word: str) -> float:
    """A number of a JSON file; NotFinite for NaN, infinity, and what is too large to be one."""
    value = float(word)
    if not math.isfinite(value):
        raise NotFinite
    return value


def read_run(directory: Path | str) -> Run:
    """Read run.json of a directory.

    Raises:
        RunError: no such directory, no run.json, not JSON, or a config that does not fit.
    """
    directory = Path(directory)
    path = directory / RUN_FILE
    if not directory.is_dir():
        if directory.exists():
            raise RunError(f"{directory} is not the directory of a run.")
        beside = directory.parent.iterdir() if directory.parent.is_dir() else ()
        meant = did_you_mean(directory.name, (place.name for place in beside if place.is_dir()))
        raise RunError(f"There is no directory {directory}{meant}.")
    try:
        record = safe_record(
            json.loads(path.read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_finite)
        )
    except NotFinite:
        raise RunError(f"{path} holds NaN or infinity: train or copy the run again.") from None
    except FileNotFoundError:
        raise RunError(f"{directory} has no {RUN_FILE}: it is not a run of penviz.") from None
    except (OSError, ValueError, RecursionError):
        raise RunError(f"{path} is not readable JSON: train or copy the run again.") from None
    if not isinstance(record, dict) or not isinstance(record.get("config"), dict):
        raise RunError(f"{path} has no config.")
    try:
        config = RunConfig.from_json(record["config"])
        Adoption.from_json(dict(record.get("adopted") or {}))
        if not (_numbers_fit(record) and _shapes_fit(record)):
            raise TypeError
        return Run(
            directory,
            safe_name(directory.resolve().name),
            config,
            dict(record.get("metrics") or {}),
            safe_names(record.get("class_names") or ()),
            str(record.get("model_sha256") or ""),
            record,
        )
    except RunError as error:
        raise RunError(f"{path}: {error}") from None
    except (TypeError, ValueError):
        raise RunError(f"{path} has entries of the wrong type.") from None


def read_runs(directories: Sequence[Path]) -> list[Run]:
    """The runs of some directories, each once, in the order in which they are first named; as `read_run`."""
    first = {directory.resolve(): directory for directory in reversed(directories)}
    return [read_run(first[place]) for place in dict.fromkeys(d.resolve() for d in directories)]


def shown_splits(runs: Sequence[Run]) -> list[list[str]]:
    """The splits of each run that stand side by side: train, and the one that it is judged on.

    That is one that all of the runs have stored and none has seen, where there is such a one.
    """
    stored = [run.splits() for run in runs]
    common = [
        s
        for s in ("validation", "test")
        if all(s in own and s in run.unseen for run, own in zip(runs, stored, strict=True))
    ]
    return [
        [s for s in SPLITS if s in own and s in ("train", *(common or [run.judged_on()])[:1])]
        for run, own in zip(runs, stored, strict=True)
    ]


def judged_split(runs: Sequence[Run]) -> str:
    """The split on which some runs are judged together: that of `shown_splits`, be it stored or not."""
    shown = [split for split in shown_splits(runs)[0] if split != "train"]
    return shown[0] if shown else next(iter(runs[0].unseen), "validation")


def named_apart(runs: Sequence[Run]) -> list[Run]:
    """The same runs, those that share a name called by their directories as they were given."""
    names = [run.name for run in runs]
    return [
        dataclasses.replace(run, name=safe_name(run.directory)) if names.count(run.name) > 1 else run
        for run in runs
    ]


def _numbers_fit(record: dict[str, Any]) -> bool:
    """Whether history, metrics, prior and duration hold numbers: a run may come from anybody."""
    history, metrics = record.get("history") or [], record.get("metrics") or {}
    prior, seconds = record.get("prior") or [], record.get("seconds") or 0
    if not (isinstance(history, list) and isinstance(metrics, dict) and isinstance(prior, list)):
        return False
    lines = [*history, *metrics.values()]
    if not all(isinstance(line, dict) for line in lines):
        return False
    values = [value for line in lines for value in line.values()] + [*prior, seconds]
    return all(isinstance(value, int | float) and abs(value) < LARGEST_NUMBER for value in values)


def _shapes_fit(record: dict[str, Any]) -> bool:
    """Whether what is said of splits and thumbnails stands by split, and an image has a size that can be."""
    for key in ("splits", "thumbnails"):
        parts = record.get(key) or {}
        if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
            return False
    shape = record.get("image_shape") or [1, 1, 1]
    sides = isinstance(shape, list) and len(shape) == 3 and all(type(side) is int for side in shape)
    return sides and all(1 <= side <= LARGEST_SIDE for side in shape)


DATA = "data"
"""What `differences` says where runs hold other images or labels, whatever their data sets are called."""

NAMED_DATA = ("cifar10", "cifar100", "mnist", "fashion_mnist", "digits", "pets", "pets-fastai")
"""Names that stand for one data set each, in records that hold no `source_id`."""

TWO_KINDS = "kind_of_targets"
"""What `differences` adds for runs on soft targets of several kinds: more than a difference of alpha."""

TWO_LOSSES = "loss"
"""What it adds where K sigmoids stand beside one softmax: numbers of the two are not compared."""


def differences(runs: Sequence[Run]) -> list[str]:
    """Names of the config fields in which some runs differ from the first, as far as they are known.

    In place of the data set's name stands DATA where the data differ (`other_data`). Hard targets have no
    prior, so that a prior is a difference between two soft ones only. After the fields stands
    what some of the recipes of adopted runs have and others lack, in words.
    """
    names = dict.fromkeys(name for run in runs[1:] for name in runs[0].config.differences(run.config))
    names.pop("dataset", None)
    if any(other_data(runs[0], run) for run in runs[1:]):
        names = {DATA: None} | names
    soft = [run.config for run in runs if run.config.label_smoothing]
    if len({config.prior for config in soft}) < 2:
        names.pop("prior", None)
    known = [n for n in names if n in (*KNOWN, DATA) or not any(run.adopted for run in runs)]
    known += [TWO_KINDS] if len({config.targets for config in soft}) > 1 else []
    known += [TWO_LOSSES] if len({run.config.targets == "binary" for run in runs}) > 1 else []
    recipes = [run.adoption.recipe for run in runs]
    extras = dict.fromkeys(words for recipe in recipes for words in recipe)
    return known + [words for words in extras if not all(words in recipe for recipe in recipes)]


def other_data(first: Run, other: Run) -> bool:
    """Whether two runs hold other data: their images and labels count, and not how a data set is called.

    The record's `source_id` is a digest of all images and labels before any are held out. Older records have
    a digest of each split instead, which depends on the seed that the split was drawn with. Under one seed
    these are compared; under two, only the names of NAMED_DATA stand for one data set each. Without any
    digest the names are compared.
    """
    sources = [str(run.record.get("source_id") or "") for run in (first, other)]
    if all(sources):
        return sources[0] != sources[1]
    a, b = (_split_ids(run) for run in (first, other))
    shared = [split for split in a if split in b]
    if shared and first.config.held_out_seed == other.config.held_out_seed:
        loose = first.config.data_share != other.config.data_share  # a difference that is named as such
        return any(a[split] != b[split] for split in shared if split != "train" or not loose)
    names = {first.config.dataset, other.config.dataset}
    return len(names) > 1 or (bool(shared) and not names <= set(NAMED_DATA))


def _split_ids(run: Run) -> dict[str, str]:
    """Digest of each split of a run's record; that of a run penviz trained without the name before it."""
    found = {}
    for split, part in (run.record.get("splits") or {}).items():
        if name := str(part.get("dataset_id") or ""):
            found[split] = name if run.adopted else name.rpartition(":")[2]
    return found


def recipe_of(runs: Sequence[Run]) -> tuple[str, str] | None:
    """Data set and network of runs that penviz trained on the same of both; None for others."""
    recipes = {(run.config.dataset, run.config.model) for run in runs}
    return recipes.pop() if len(recipes) == 1 and not any(run.adopted for run in runs) else None


def list_runs(root: Path | str) -> tuple[list[Run], list[DamagedRun]]:
    """All runs directly under a directory, by name, and the damaged ones with advice."""
    root = Path(root)
    runs: list[Run] = []
    damaged: list[DamagedRun] = []
    for directory in sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []:
        has_parts = any((directory / f).exists() for f in (RUN_FILE, MODEL_FILE)) or any(
            stored_path(directory, split).exists() for split in SPLITS
        )
        if not has_parts:
            continue
        try:
            runs.append(read_run(directory))
        except RunError as error:
            damaged.append(DamagedRun(safe_name(directory.name), str(error)))
    return runs, damaged


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    with whole_file(path) as part, open(part, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1, allow_nan=False)
        file.write("\n")


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
