"""The activations of a split written in shards, and the manifest that joins them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True)
class Examples:
    """All that is known of the examples of a split before the network has seen them.

    Attributes are those of `Activations` of the same names; n, the number of examples, is that of `labels`.
    """

    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    class_names: tuple[str, ...]
    run: str
    split: str
    head: Head | None
    dataset_id: str
    checkpoint_sha256: str
    hashes: NDArray[np.uint64] | None
    total: NDArray[np.int64]
    predicted_by: str = "network"

    def activations(
        self, features: NDArray[np.float32], predictions: NDArray[np.int64], rows: slice
    ) -> Activations:
        """Of some rows, once the network has seen them."""
        e, hashes = self, None if self.hashes is None else self.hashes[rows]
        return Activations(
            *(features, e.labels[rows], predictions, e.indices[rows], e.class_names, e.run, e.split, e.head),
            *(e.dataset_id, e.checkpoint_sha256, hashes, e.total),
            predicted_by=e.predicted_by,
        )


def finish(
    directory: Path, n_shards: int, of: Activations | Examples, *, source: str = ""
) -> ShardedActivations:
    """Check that shards 0 to n_shards - 1 belong together; write the head, then the manifest.

    Shards of higher numbers, left by an earlier extraction, are removed.

    Args:
        directory: of the split; of: whose run, split, classes and head the manifest names; source: of all
            shards.

    Raises:
        ActivationsError: a shard that is missing, damaged, or of another source, width, type or class list.
    """
    notes = [read_note(directory / shard_name(j)) for j in range(n_shards)]
    if not notes:
        raise ActivationsError(f"{directory.name} has no shards.")
    names = safe_names(of.class_names)
    for j, note in enumerate(notes):
        if note["source"] != source or note["n_classes"] != len(names):
            raise ActivationsError(f"{shard_name(j)} of {directory.name} is of another run: {AGAIN}.")
        if any(note[key] != notes[0][key] for key in ("width", "dtype", "extra")):
            raise ActivationsError(f"{shard_name(j)} of {directory.name} does not fit the others: {AGAIN}.")
    for name in ("weight", "bias"):
        (directory / f"{name}.npy").unlink(missing_ok=True)
    if of.head is not None:
        with naming(directory / "weight.npy"):
            np.save(directory / "weight.npy", of.head.weight)
            if of.head.bias is not None:
                np.save(directory / "bias.npy", of.head.bias)
    manifest = {
        "format_version": FORMAT_VERSION,
        "run": of.run,
        "split": of.split,
        "class_names": list(names),
        "n": sum(note["n"] for note in notes),
        "width": notes[0]["width"],
        "dtype": notes[0]["dtype"],
        "remark": LOSSY if notes[0]["dtype"] == "float16" else "",
        "extra": notes[0]["extra"],
        "head": [] if of.head is None else ["weight"] if of.head.bias is None else ["weight", "bias"],
        "dataset_id": of.dataset_id,
        "checkpoint_sha256": of.checkpoint_sha256,
        "predicted_by": of.predicted_by,
        "total": None if of.total is None else of.total.tolist(),
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
    starts = range(0, max(len(activations), 1), rows)
    for j, start in enumerate(starts):
        write_shard(directory, j, activations.take(slice(start, start + rows)), half=half)
    return finish(directory, len(starts), activations)
