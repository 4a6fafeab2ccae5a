"""A run in memory: what `capture`, `from_arrays` and `load` return, and its way to a directory and back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penviz import InputError, __version__
from penviz.store import run_activations, shards, write_shards
from penviz.store.activations import Activations
from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import RUN_FILE, SPLITS, Run, activations_path, read_run, shards_path, write_json
from penviz.store.safe_text import safe_name
from penviz.store.snapshots import Snapshots, snapshots_path, splits_of
from penviz.store.whole_directory import whole_directory


@dataclass(frozen=True, eq=False, repr=False)
class CapturedRun:
    """A run that is not on disk, or was read from there: who it is, and its activations.

    Attributes:
        run: name, config and provenance, as of an adopted run: of the config only the data set, the model and
            the targets are known. Its directory is the one it was read from, else its name.
        splits: "train", "validation" or "test" -> activations, raw.
        snapshots: split -> the same few examples at some epochs; empty unless they were recorded.
    """

    run: Run
    splits: dict[str, Activations]
    snapshots: dict[str, Snapshots] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the run."""
        return self.run.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names."""
        return self.run.class_names

    def __repr__(self) -> str:
        parts = []
        for split, a in self.splits.items():
            right = self.run.metrics.get(split, {}).get("accuracy")
            accuracy = "" if right is None else f", accuracy {100 * right:.1f} %"
            parts.append(f"{split} {len(a):,} x {a.features.shape[1]:,}{accuracy}")
        if epochs := {len(s) for s in self.snapshots.values()}:
            parts.append(f"snapshots of {max(epochs)} epochs")
        config = self.run.config
        alpha = "" if config.label_smoothing is None else f", label smoothing {config.label_smoothing:g}"
        network = f"{config.model[:80]}, {config.targets} targets{alpha}"
        if any(a.head is None for a in self.splits.values()):
            parts.append("class means stand in for its head")
        text = "; ".join([network, f"{len(self.class_names)} classes", *parts])
        return f"<CapturedRun {self.name[:80]!r}: {text}>"


@dataclass(frozen=True)
class Statement:
    """What the user says of a training that penviz did not see.

    Attributes:
        name: of the run.
        label_smoothing: alpha, or None where it is not known; targets: one of `run_config.TARGETS`, or None
            for the kind that alpha gives: "hard" for 0, "uniform" above it, "unknown" without one.

    Raises:
        RunError: no name, or targets that have a label smoothing stated without one.
    """

    name: str
    label_smoothing: float | None = None
    targets: str | None = None

    def __post_init__(self) -> None:
        name = self.name
        fits = isinstance(name, str) and bool(name.strip()) and "/" not in name and name[0] != "."
        if not fits or name != safe_name(name):
            raise RunError("Give the run a name that can be the name of a directory, such as name='soft'.")
        if self.targets not in (None, "hard", "unknown") and self.label_smoothing is None:
            raise RunError(f"State the label smoothing of the targets {self.targets} with label_smoothing=.")

    def config(self, dataset: str, model: str) -> RunConfig:
        """The config of the run; RunError on values out of range, or kinds that need what is not known."""
        alpha, kind = self.label_smoothing, self.targets
        if alpha is not None and not isinstance(alpha, bool):
            alpha = float(alpha)
        if kind is None:
            kind = "unknown" if alpha is None else "uniform" if alpha else "hard"
        return RunConfig(dataset, model, kind, 0.0 if kind == "hard" and alpha is None else alpha)


def in_memory(
    statement: Statement,
    splits: Mapping[str, Activations],
    *,
    dataset: str,
    model: str,
    head: Mapping[str, Any],
    nll: Mapping[str, float] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> CapturedRun:
    """A run of some activations, with the record that `save` writes.

    Args:
        statement: what the user says of it; splits: its activations.
        dataset, model: what to call the data and the network; equal names are equal data and networks.
        head: how the head was found, as an adoption keeps it.
        nll: split -> mean -log p of the label in nats, where it was measured.
        provenance: more for the record of the adoption, such as "unseen", the splits that the network was not
            trained on; validation and test are when it is not said.

    Raises:
        RunError: no splits, an unknown one, or targets that do not fit.
    """
    check_splits(splits)
    splits = {split: splits[split] for split in SPLITS if split in splits}
    config = statement.config(dataset, model)
    metrics = {
        split: {
            "accuracy": float((a.predictions == a.labels).mean()),
            **({"nll": nll[split]} if nll and split in nll else {}),
            "n": float(len(a)),
        }
        for split, a in splits.items()
    }
    one = next(iter(splits.values()))
    judged = next(metrics[s] for s in ("validation", "test", "train") if s in metrics)
    record: dict[str, Any] = {
        "config": {
            "dataset": config.dataset,
            "model": config.model,
            "targets": config.targets,
            "label_smoothing": config.label_smoothing,
        },
        "adopted": {
            "file": "",
            "head": dict(head),
            "preprocessing": None,
            "variant": None,
            "accuracy": {
                "measured": judged["accuracy"],
                "n": int(judged["n"]),
                "expected": None,
                "warning": "",
            },
            "unseen": [s for s in ("validation", "test") if s in splits],
            "targets_stated_by": "" if config.targets == "unknown" else "user",
            "quick_look": None,
            **(provenance or {}),
        },
        "class_names": list(one.class_names),
        "splits": {split: {"n": len(a), "dataset_id": a.dataset_id} for split, a in splits.items()},
        "status": "finished",
        "metrics": metrics,
        "model_sha256": one.checkpoint_sha256,
        "versions": {"penviz": __version__},
    }
    if config.targets == "prior":
        if "train" not in splits:
            raise RunError(
                "The targets prior need the train split, whose class frequencies they are made of."
            )
        totals = splits["train"].class_totals()
        record["prior"] = (totals / totals.sum()).tolist()
    run = Run(
        Path(statement.name), statement.name, config, metrics, one.class_names, one.checkpoint_sha256, record
    )
    return CapturedRun(run, splits)


def check_splits(splits: Mapping[str, object]) -> None:
    """RunError unless there are splits, and penviz knows them."""
    unknown = [str(split) for split in splits if split not in SPLITS]
    if unknown or not splits:
        said = f"there is no split {unknown[0]}" if unknown else "there are none"
        if unknown and unknown[0] in ("val", "valid", "dev", "eval"):
            said = f"call {unknown[0]} validation"
        raise RunError(f"Name the splits {', '.join(SPLITS[:-1])} or {SPLITS[-1]}: {said}.")


def held_out(splits: Mapping[str, Any]) -> str:
    """The split whose labels identify the data: validation, else test, else train."""
    return next(s for s in ("validation", "test", "train") if s in splits)


def labels_digest(labels: NDArray[np.int64], class_names: Sequence[str]) -> str:
    """8 hex digits of some labels [n], in their order, and the names of the classes."""
    digest = hashlib.sha256("\n".join(class_names).encode())
    digest.update(np.ascontiguousarray(labels, ">i8").tobytes())
    return digest.hexdigest()[:8]


def check_new(directory: Path) -> None:
    """RunError unless a run can be saved there: nothing or an empty directory, where one may write."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise RunError(f"{directory} exists already: choose another directory, or remove it first.")
    above = next(parent for parent in directory.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RunError(f"Nothing can be written in {above}: choose another directory.")


def save(captured: CapturedRun, directory: Path | str) -> Path:
    """Write a run that every command and the app read, whole or not at all.

    A split of more than `shards.LARGEST_FILE` bytes of features is written in shards. The run is then called
    as its directory is.

    Raises:
        RunError: a directory that is not empty, or where nothing can be written.

    >>> import numpy as np, penviz
    >>> labels = np.arange(60) % 3
    >>> run = penviz.from_arrays(4.0 * np.eye(3)[labels], labels, weight=np.eye(3), name="theirs")
    >>> penviz.load(penviz.save(run, "runs/theirs")).name
    'theirs'
    """
    directory = Path(directory)
    check_new(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with whole_directory(directory) as part:
        for split, a in captured.splits.items():
            if 4 * a.features.size > shards.LARGEST_FILE:
                write_shards.shard(a, shards_path(part, split))
            else:
                a.save(activations_path(part, split))
        for split, snapshots in captured.snapshots.items():
            snapshots.save(snapshots_path(part, split))
        kept = {key: value for key, value in captured.run.record.items() if key != "thumbnails"}
        write_json(part / RUN_FILE, kept)
    return directory


def load(directory: Path | str, classes: Sequence[str | int] = ()) -> CapturedRun:
    """Read a run of a directory, one that `save` wrote or any other.

    Args:
        directory: with a run.json and activations.
        classes: those that are read of a split in shards, by name or row; its first three without them.

    Raises:
        RunError: no run there. ActivationsError: files that cannot be read. InputError: no activations.
    """
    run = read_run(Path(directory))
    splits = run_activations.load(run, classes=classes)
    if not splits:
        raise run_activations.lacking(run)
    try:
        snapshots = {s: Snapshots.load(snapshots_path(run.directory, s)) for s in splits_of(run)}
    except InputError as error:
        raise InputError(f"{run.name}: {error}") from error
    return CapturedRun(run, splits, snapshots)
