"""Shards of activations written from one pass, sorted by class."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from penviz.store.activations import Activations
from penviz.store.atomic_write import naming
from penviz.store.head import ActivationsError, Head
from penviz.store.runs import MANIFEST, write_json
from penviz.store.safe_text import safe_names
from penviz.store.shard_files import (
    AGAIN,
    FORMAT_VERSION,
    LOSSY,
    read_note,
    shard_name,
    write_shard,
)
from penviz.store.shards import ROWS, ShardedActivations


def finish(
    directory: Path,
    n_shards: int,
    *,
    run: str,
    split: str,
    class_names: Sequence[str],
    head: Head | None,
    dataset_id: str = "",
    checkpoint_sha256: str = "",
    total: ArrayLike | None = None,
    predicted_by: str = "network",
    source: str = "",
) -> ShardedActivations:
    """Check that shards 0 to n_shards - 1 belong together; write the head, then the manifest.

    Shards of higher numbers, left by an earlier extraction, are removed. Arguments as of `Activations`.

    Raises:
        ActivationsError: a shard that is missing, damaged, or of another source, width, type or class list.
    """
    notes = [read_note(directory / shard_name(j)) for j in range(n_shards)]
    if not notes:
        raise ActivationsError(f"{directory.name} has no shards.")
    names = safe_names(class_names)
    for j, note in enumerate(notes):
        if note["source"] != source or note["n_classes"] != len(names):
            raise ActivationsError(f"{shard_name(j)} of {directory.name} is of another run: {AGAIN}.")
        if any(note[key] != notes[0][key] for key in ("width", "dtype", "extra")):
            raise ActivationsError(f"{shard_name(j)} of {directory.name} does not fit the others: {AGAIN}.")
    for name in ("weight", "bias"):
        (directory / f"{name}.npy").unlink(missing_ok=True)
    if head is not None:
        with naming(directory / "weight.npy"):
            np.save(directory / "weight.npy", head.weight)
            if head.bias is not None:
                np.save(directory / "bias.npy", head.bias)
    manifest = {
        "format_version": FORMAT_VERSION,
        "run": run,
        "split": split,
        "class_names": list(names),
        "n": sum(note["n"] for note in notes),
        "width": notes[0]["width"],
        "dtype": notes[0]["dtype"],
        "remark": LOSSY if notes[0]["dtype"] == "float16" else "",
        "extra": notes[0]["extra"],
        "head": [] if head is None else ["weight"] if head.bias is None else ["weight", "bias"],
        "dataset_id": dataset_id,
        "checkpoint_sha256": checkpoint_sha256,
        "predicted_by": predicted_by,
        "total": None if total is None else np.asarray(total).astype(int).tolist(),
        "shards": [
            {"name": shard_name(j), "n": note["n"], "digest": note["digest"]} for j, note in enumerate(notes)
        ],
    }
    write_json(directory / MANIFEST, manifest)
    for path in directory.glob("shard-*"):
        if path.name not in {shard["name"] for shard in manifest["shards"]}:
            shutil.rmtree(path, ignore_errors=True)
    return ShardedActivations.open(directory)


def shard(
    activations: Activations, directory: Path, *, rows: int = ROWS, half: bool = False
) -> ShardedActivations:
    """Write activations as shards of at most some rows each; `ShardedActivations.load` reads them back."""
    a = activations
    starts = range(0, max(len(a), 1), rows)
    for j, start in enumerate(starts):
        some = slice(start, start + rows)
        write_shard(
            directory,
            j,
            features=a.features[some],
            labels=a.labels[some],
            predictions=a.predictions[some],
            indices=a.indices[some],
            n_classes=len(a.class_names),
            head=a.head,
            hashes=None if a.hashes is None else a.hashes[some],
            half=half,
        )
    return finish(
        directory,
        len(starts),
        run=a.run,
        split=a.split,
        class_names=a.class_names,
        head=a.head,
        dataset_id=a.dataset_id,
        checkpoint_sha256=a.checkpoint_sha256,
        total=a.total,
        predicted_by=a.predicted_by,
    )
