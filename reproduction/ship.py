"""Copies of trained runs that are small enough to be shipped: the same few examples of each.

These made what is shipped, each after `python -m reproduction ship`:

    cifar10-compact-hard cifar10-compact-soft --per-class 500 --test-per-class 100 --snapshots 25 \\
        --thumbnails --weights
    cifar100-compact-75-hard cifar100-compact-75-soft --per-class 100 --test-per-class 20 --thumbnails
    cifar10-alexnet-hard cifar10-alexnet-soft --per-class 400 --thumbnails --weights
    digits-fc800-hard digits-fc800-soft --per-class 0 --snapshots 20 --epochs 8 --thumbnails --weights
    cifar10-compact-hard cifar10-compact-soft --out checkpoints --to penviz/demo/pair --per-class 200 \\
        --snapshots 15 --split train --split validation --thumbnails

Everything else of a run stays as it was: its config, the digest of its weights, its metrics and command. What
was kept stands under "thinned" in run.json.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penviz.plot.thumbnails import read_sprite
from penviz.store.activations import Activations
from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, RUN_FILE, Run, activations_path, thumbnails_path, write_json
from penviz.store.snapshots import Snapshots, snapshots_path
from penviz.training.extract import first_of_each_class, write_sprite
from reproduction.manifest import KEPT

QUALITY = 45
"""Of thumbnails that were lossy before; at the 35 of an extraction they would lose twice."""


@dataclass(frozen=True)
class Kept:
    """What a copy keeps.

    Attributes:
        per_class: examples a class and split, the first as in an extraction; 0 for all.
        splits: which; () for all that are stored.
        snapshots: examples a class of each snapshot, 0 for no snapshots; epochs: how many snapshots, at equal
            steps of their order, the first and the last among them; 0 for all.
        thumbnails, weights: whether they come along.
        test: examples a class of the test split, which no page opens on; 0 for as many as of the others.
    """

    per_class: int = 100
    splits: tuple[str, ...] = ()
    snapshots: int = 0
    epochs: int = 0
    thumbnails: bool = False
    weights: bool = False
    test: int = 0


def ship(runs: Sequence[Run], place: Path, kept: Kept) -> list[Path]:
    """Write a copy of each run into a directory, features in half precision; returns where they lie.

    Raises:
        RunError: a run that is not finished, or lacks what is kept of it.
    """
    splits = {run.name: kept.splits or tuple(run.splits()) for run in runs}
    for run in runs:
        if not run.model_sha256 or not {*KEPT, *splits[run.name]} <= set(run.splits()):
            raise RunError(f"{run.name} is not finished or not extracted.")
        if (place / run.name).resolve() == run.directory.resolve():
            raise RunError(f"{place / run.name} is the run itself: choose another place for its copy.")
    return [_copy(run, place / run.name, splits[run.name], kept) for run in runs]


def _copy(run: Run, place: Path, splits: Sequence[str], kept: Kept) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    before = run.record.get("thinned") or {}  # where the run is itself a copy
    about: dict[str, Any] = {
        "per_class": kept.per_class or before.get("per_class", "all"),
        "features": "float16",
    }
    if kept.test:
        about["test_per_class"] = kept.test
    pictures: dict[str, Any] = {}
    for split in splits:
        stored = Activations.load(activations_path(run.directory, split))
        if stored.checkpoint_sha256 != run.model_sha256:
            raise RunError(f"{run.name}: its activations are of other weights; extract it again.")
        n = kept.test if kept.test and split == "test" else kept.per_class
        rows = first_of_each_class(stored.labels, n)
        stored.take(rows).save(activations_path(place, split), half=True)
        if kept.thumbnails:
            pictures[split] = _thin_thumbnails(run, split, rows, place)
        if kept.snapshots and split in KEPT:
            whole = Snapshots.load(snapshots_path(run.directory, split))
            thin = _thin_snapshots(whole, kept.snapshots, kept.epochs)
            thin.save(snapshots_path(place, split))
            about["snapshots"] = {
                "per_class": kept.snapshots,
                "epochs": len(thin),
                "of": before.get("snapshots", {}).get("of", len(whole)),
            }
    if kept.weights:
        shutil.copyfile(run.directory / MODEL_FILE, place / MODEL_FILE)
    else:
        about["weights"] = "not shipped; see model_sha256"
    record = {key: value for key, value in run.record.items() if key != "thumbnails"}
    command = str(record.get("command", "")).replace(str(run.directory.resolve()), f"runs/{run.name}")
    record |= {"command": command, "thinned": about} | ({"thumbnails": pictures} if pictures else {})
    write_json(place / RUN_FILE, record)
    return place


def _thin_thumbnails(run: Run, split: str, rows: NDArray[np.int64], place: Path) -> dict[str, Any]:
    """Write the pictures of some rows of a split; returns their layout as run.json has it."""
    layout = (run.record.get("thumbnails") or {}).get(split, {})
    sprite = read_sprite(thumbnails_path(run.directory, split), layout)
    if sprite is None:
        raise RunError(f"{run.name} has no thumbnails of {split}; extract it again.")
    if len(rows) == sprite.count:  # as they are, so that they lose nothing
        shutil.copyfile(thumbnails_path(run.directory, split), thumbnails_path(place, split))
        return dict(layout)
    tiles = np.stack([np.asarray(sprite.tile(row)) for row in rows.tolist()])
    return {**layout, **write_sprite(thumbnails_path(place, split), tiles, QUALITY)}


def _thin_snapshots(whole: Snapshots, per_class: int, epochs: int) -> Snapshots:
    """The first examples of each class of some snapshots, `epochs` of these at equal steps of their order."""
    rows = first_of_each_class(whole.labels, per_class)
    when = np.arange(len(whole))
    if 0 < epochs < len(whole):
        when = np.round(np.linspace(0, len(whole) - 1, epochs)).astype(np.int64)
    return replace(
        whole,
        epochs=whole.epochs[when],
        features=whole.features[when][:, rows],
        labels=whole.labels[rows],
        indices=whole.indices[rows],
        predictions=whole.predictions[when][:, rows],
        weight=whole.weight[when],
        bias=None if whole.bias is None else whole.bias[when],
        planned=tuple(whole.epochs[when].tolist()),
    )
