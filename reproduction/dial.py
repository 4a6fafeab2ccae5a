"""Thin copies of trained runs: the same few examples of each, small enough to lie in the package.

    python -m reproduction.dial RUN ... --out penviz/demo/dial
    python -m reproduction.dial checkpoints/cifar10-alexnet-hard checkpoints/cifar10-alexnet-soft \\
        --out penviz/demo/pair --per-class 300 --snapshots 20
    python -m reproduction.dial runs/reproduction/digits-fc800-hard runs/reproduction/digits-fc800-soft \\
        --out checkpoints --per-class 0 --snapshots 20 --epochs 12 --weights

The first are the networks of the alpha dial, the second the pair that the app opens where there are no runs,
the third a pair of the long tier as it lies in checkpoints/.
Everything else of a run stays as it was: its config, the digest of its weights, its metrics, its command.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from penviz import exit_codes
from penviz.plot.thumbnails import read_sprite
from penviz.store.activations import Activations
from penviz.store.run_config import RunError
from penviz.store.runs import (
    MODEL_FILE,
    RUN_FILE,
    Run,
    activations_path,
    read_run,
    thumbnails_path,
    write_json,
)
from penviz.store.snapshots import Snapshots, snapshots_path
from penviz.training.extract import first_of_each_class, write_sprite

SPLITS = ("train", "validation")
"""Those that a run needs; the test split comes along where it was extracted."""

QUALITY = 45
"""Of thumbnails that were lossy before; at the 35 of an extraction they would lose twice."""


def thin(
    runs: Annotated[list[Path], typer.Argument(help="Extracted runs that differ in label smoothing.")],
    out: Annotated[Path, typer.Option(help="Directory of the thin copies.")],
    per_class: Annotated[int, typer.Option(min=0, help="Examples a class and split, 0 for all.")] = 100,
    snapshots: Annotated[
        int, typer.Option(min=0, help="Of those kept while training: examples a class; thumbnails too.")
    ] = 0,
    epochs: Annotated[
        int,
        typer.Option(min=0, help="Snapshots that are kept, the first and the last among them; 0 for all."),
    ] = 0,
    weights: Annotated[bool, typer.Option("--weights", help="Copy the weights too.")] = False,
) -> None:
    """Write the first examples of each class of some runs, features in half precision."""
    found = [read_run(path) for path in runs]
    for run in found:
        if not run.model_sha256 or set(run.splits()) < set(SPLITS):
            raise RunError(f"{run.name} is not finished or not extracted.")
    for run in found:
        place = out / run.name
        place.mkdir(parents=True, exist_ok=True)
        pictures: dict[str, Any] = {}
        for split in run.splits():
            a = Activations.load(activations_path(run.directory, split))
            if a.checkpoint_sha256 != run.model_sha256:
                raise RunError(f"{run.name}: its activations are of other weights; extract it again.")
            kept = first_of_each_class(a.labels, per_class)
            a.take(kept).save(activations_path(place, split), half=True)
            if snapshots:
                pictures[split] = _thin_thumbnails(run, split, kept, place)
            if snapshots and split in SPLITS:
                thin = _thin_snapshots(snapshots_path(run.directory, split), snapshots, epochs)
                thin.save(snapshots_path(place, split))
        if weights:
            shutil.copyfile(run.directory / MODEL_FILE, place / MODEL_FILE)
        record = {key: value for key, value in run.record.items() if key != "thumbnails"}
        words = str(record.get("command", "")).replace(str(run.directory.resolve()), f"runs/sweep/{run.name}")
        about: dict[str, Any] = {"per_class": per_class or "all", "features": "float16"}
        about |= {} if weights else {"weights": "not shipped; see model_sha256"}
        record |= {"command": words, "thinned": about} | ({"thumbnails": pictures} if pictures else {})
        write_json(place / RUN_FILE, record)
        exit_codes.say(f"Wrote {place}")


def _thin_thumbnails(run: Run, split: str, kept: NDArray[np.int64], place: Path) -> dict[str, Any]:
    """Write the pictures of some rows of a split; returns their layout as run.json has it."""
    layout = run.record["thumbnails"][split]
    sprite = read_sprite(thumbnails_path(run.directory, split), layout)
    if sprite is None:
        raise RunError(f"{run.name} has no thumbnails of {split}; extract it again.")
    tiles = np.stack([np.asarray(sprite.tile(row)) for row in kept.tolist()])
    return {**layout, **write_sprite(thumbnails_path(place, split), tiles, QUALITY)}


def _thin_snapshots(path: Path, per_class: int, epochs: int) -> Snapshots:
    """The first examples of each class of some snapshots, `epochs` of these at equal steps of their order."""
    own = Snapshots.load(path)
    kept = first_of_each_class(own.labels, per_class)
    when = np.arange(len(own))
    if 0 < epochs < len(own):
        when = np.round(np.linspace(0, len(own) - 1, epochs)).astype(np.int64)
    return replace(
        own,
        epochs=own.epochs[when],
        features=own.features[when][:, kept],
        labels=own.labels[kept],
        indices=own.indices[kept],
        predictions=own.predictions[when][:, kept],
        weight=own.weight[when],
        bias=None if own.bias is None else own.bias[when],
        planned=tuple(own.epochs[when].tolist()),
    )


def main() -> None:
    """Run it; bad input ends with one sentence on standard error and exit status 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(thin)
    exit_codes.run(app)


if __name__ == "__main__":
    main()
