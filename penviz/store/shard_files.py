"""The files of activations in shards: what they are called and hold, written whole and checked when read.

Axis letters: m examples of a shard, d penultimate width, K classes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penviz.store.activations import Activations
from penviz.store.atomic_write import naming
from penviz.store.head import ActivationsError, Head
from penviz.store.npz import DAMAGED
from penviz.store.runs import MANIFEST

FORMAT_VERSION = 1
"""Version of the layout; a manifest or a shard of another version is refused."""

NOTE = "note.json"
"""In a shard: what it holds and what it was computed from, written by whoever wrote the shard."""

UNREADABLE: tuple[type[Exception], ...] = (*DAMAGED, *(ActivationsError,))
"""What reading a damaged head raises."""

DTYPES = ("float32", "float16")
LOSSY = "features rounded to float16 on disk"
"""Said in the manifest and wherever numbers of such a split are shown."""

EXTRA = {"hashes": "uint64", "confidences": "float32"}
"""Arrays [m] that the shards of a split have or lack, and their types."""

AGAIN = "extract it again"

Int = NDArray[np.int64]


def shard_name(j: int) -> str:
    """Directory of shard j."""
    return f"shard-{j:05d}"


@dataclass(frozen=True, eq=False)
class Arrays:
    """Arrays of one shard: features are memory-mapped, the rest is small."""

    features: NDArray[Any]
    predictions: NDArray[np.int32]
    indices: Int
    order: NDArray[np.int32]
    offsets: Int
    hashes: NDArray[np.uint64] | None
    confidences: NDArray[np.float32] | None


def write_shard(
    directory: Path, j: int, activations: Activations, *, source: str = "", half: bool = False
) -> None:
    """Write shard j under a temporary name, then rename it; an older one of the same number is replaced.

    Where there is a head, the largest probability of every example is kept beside it, so that a picture need
    not compute a thousand logits for each of its points.

    Args:
        directory: of the split; it is made if need be.
        j: number of the shard; shards follow one another as the examples of the split do.
        activations: of the examples of this shard, in the order of the split; all have a head, or none.
        source: what the shard was computed from, in any words; `finish` wants one for all shards, and
            `shard_ready` takes no shard of another.
        half: features as float16, which loses digits.

    Raises:
        ActivationsError: features that float16 cannot hold.
    """
    a = activations
    order = np.argsort(a.labels, kind="stable")
    counts = np.bincount(a.labels, minlength=len(a.class_names))
    arrays: dict[str, NDArray[Any]] = {
        "features": a.features[order],
        "predictions": a.predictions[order].astype(np.int32),
        "indices": a.indices[order],
        "order": order.astype(np.int32),
        "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    }
    if half:
        with np.errstate(over="ignore"):
            arrays["features"] = arrays["features"].astype(np.float16)
        if not np.isfinite(arrays["features"]).all():
            raise ActivationsError("Some features are too large for float16: write them as float32.")
    if a.hashes is not None:
        arrays["hashes"] = a.hashes[order]
    if a.head is not None:
        arrays["confidences"] = a.head.confidences(a.features)[order]
    path = directory / shard_name(j)
    part = path.with_name(path.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        digest = hashlib.sha256()
        for name, array in arrays.items():
            array = np.ascontiguousarray(array)
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.data)
            with naming(path), open(part / f"{name}.npy", "wb") as file:
                np.save(file, array)
                file.flush()
                os.fsync(file.fileno())
        note = {
            "format_version": FORMAT_VERSION,
            "n": len(a),
            "width": a.features.shape[1],
            "n_classes": len(a.class_names),
            "dtype": arrays["features"].dtype.name,
            "extra": [name for name in EXTRA if name in arrays],
            "source": source,
            "digest": digest.hexdigest(),
        }
        with naming(path):
            (part / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        if path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def shard_ready(directory: Path, j: int, source: str = "") -> bool:
    """Whether shard j is there, whole, and computed from `source`: then it need not be computed again."""
    try:
        return bool(read_note(directory / shard_name(j))["source"] == source)
    except ActivationsError:
        return False


def _json(path: Path, whose: str) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ActivationsError(f"{whose} has no {path.name}: it is missing or was not finished.") from None
    except (OSError, ValueError, RecursionError):
        raise ActivationsError(f"{path.name} of {whose} is not readable JSON: {AGAIN}.") from None
    if not isinstance(record, dict):
        raise ActivationsError(f"{path.name} of {whose} is not readable JSON: {AGAIN}.")
    if (version := record.get("format_version")) != FORMAT_VERSION:
        found = str(version)[:40]
        raise ActivationsError(
            f"{path.name} of {whose} has format {found}, this penviz reads {FORMAT_VERSION}: {AGAIN}."
        )
    return record


def is_lossy(manifest: Path) -> bool:
    """Whether the manifest of a split says that its features were rounded."""
    try:
        return bool(read_manifest(manifest.parent).get("remark"))
    except ActivationsError:
        return False


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a split, of this version and not yet checked; ActivationsError where there is none."""
    return _json(directory / MANIFEST, directory.name)


def read_note(path: Path) -> dict[str, Any]:
    """What a shard says of itself, of the types that it should have; ActivationsError where it does not."""
    note = _json(path / NOTE, f"{path.name} of {path.parent.name}")
    kinds = {"n": int, "width": int, "n_classes": int, "extra": list} | dict.fromkeys(
        ("dtype", "source", "digest"), str
    )
    if not all(isinstance(note.get(key), kind) for key, kind in kinds.items()):
        raise ActivationsError(f"{path.name} of {path.parent.name} is damaged: {AGAIN}.")
    return note


def read_arrays(path: Path, m: int, width: int, dtype: str, n_classes: int, extra: Sequence[str]) -> Arrays:
    """The arrays of one shard, each of the type and shape that it should have.

    Args:
        path: of the shard; m: its examples; width: d; dtype: of the features; n_classes: K; extra: which of
            EXTRA it has.

    Raises:
        ActivationsError: anything else.
    """
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {
        "features": (dtype, (m, width)),
        "predictions": ("int32", (m,)),
        "indices": ("int64", (m,)),
        "order": ("int32", (m,)),
        "offsets": ("int64", (n_classes + 1,)),
    }
    wanted |= {name: (EXTRA[name], (m,)) for name in extra}
    found: dict[str, Any] = dict.fromkeys(EXTRA)
    try:
        for name, (kind, shape) in wanted.items():
            mapped = name == "features" and m > 0  # no empty file can be mapped
            array = np.load(path / f"{name}.npy", mmap_mode="r" if mapped else None, allow_pickle=False)
            if array.dtype.name != kind or array.shape != shape or not array.flags.c_contiguous:
                raise ValueError
            found[name] = array.view(np.ndarray)
        offsets = found["offsets"]
        if offsets[0] != 0 or offsets[-1] != m or (np.diff(offsets) < 0).any():
            raise ValueError
        if not np.array_equal(np.sort(found["order"]), np.arange(m)):
            raise ValueError
    except DAMAGED:
        raise ActivationsError(f"{path.name} of {path.parent.name} is damaged: {AGAIN}.") from None
    return Arrays(**found)


def read_head(directory: Path, layers: Sequence[str], n_classes: int, width: int) -> Head:
    """The head of a split from its `layers`, "weight" and perhaps "bias"; ActivationsError if damaged."""
    try:
        head = Head(*(np.load(directory / f"{name}.npy", allow_pickle=False) for name in layers))
        if head.weight.shape != (n_classes, width):
            raise ValueError
    except UNREADABLE:
        raise ActivationsError(f"The head of {directory.name} is damaged: {AGAIN}.") from None
    return head
