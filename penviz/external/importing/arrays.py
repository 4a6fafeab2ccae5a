"""Activations without a network: one .npz or safetensors file a split becomes a run.

A file holds `features` [n, d] and `labels` [n], and optionally `weight` [K, d] and `bias` [K] of the last
layer, `predictions` [n] and (.npz) `class_names`. For people who use JAX or TensorFlow, or whose model may
not leave their machine. NumPy only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from penviz.store.captured_run import check_new, check_splits, held_out, labels_digest, save
from penviz.store.head import Head
from penviz.store.npz import DAMAGED, whole_array
from penviz.store.run_config import RunError
from penviz.store.run_from_arrays import from_arrays
from penviz.store.runs import SPLITS, sha256_of

KEYS = ("features", "labels", "weight", "bias", "predictions", "class_names")
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGED, *(SafetensorError,))

Arrays = dict[str, NDArray[Any]]


def read_arrays(path: Path) -> Arrays:
    """The arrays of KEYS in an .npz or safetensors file.

    Raises:
        RunError: no such file, not readable, or no features or labels in it.
    """
    try:
        with open(path, "rb") as file:
            zipped = file.read(2) == b"PK"
            if zipped:
                file.seek(0)
                with np.load(file, allow_pickle=False) as stored:
                    found = {key: whole_array(stored[key]) for key in KEYS if key in stored.files}
        if not zipped:
            found = {key: value for key, value in load_file(path).items() if key in KEYS}
    except FileNotFoundError:
        raise RunError(f"There is no file {path}.") from None
    except UNREADABLE:
        raise RunError(f"{path.name} cannot be read as an .npz or safetensors file of arrays.") from None
    missing = [key for key in ("features", "labels") if key not in found]
    if missing:
        raise RunError(f"{path.name} lacks {' and '.join(missing)}: features [n, d] and labels [n].")
    if found["features"].ndim != 2 or not len(found["features"]):
        raise RunError(f"{path.name}: features must have shape [n, d] with n above 0.")
    for key in ("features", "weight", "bias"):
        if key in found:
            _check_finite(path.name, key, found[key])
    if found["labels"].shape != found["features"].shape[:1] or found["labels"].dtype.kind not in "iu":
        raise RunError(f"{path.name}: labels must hold one integer for each row of features.")
    return found


def _check_finite(file: str, key: str, array: NDArray[Any]) -> None:
    """RunError unless an array holds real numbers that float32 can hold."""
    if array.dtype.kind not in "fiu":
        raise RunError(f"{file}: {key} must hold real numbers, not {array.dtype}.")
    with np.errstate(over="ignore"):
        if not np.isfinite(array.astype(np.float32)).all():
            raise RunError(f"{file}: {key} holds NaN or infinity, or numbers beyond float32.")


def adopt_arrays(
    files: Mapping[str, Path],
    out: Path,
    *,
    class_names: Sequence[str] = (),
    dataset: str = "",
    model: str = "activations",
    targets: str = "unknown",
    label_smoothing: float | None = None,
) -> Path:
    """Write a run directory from arrays: predictions are the file's, the head's, or the nearest class mean's.

    Args:
        files: split -> file.
        out: the new directory.
        class_names: K names; those of the file, else "class 0", "class 1", ... when not given.
        dataset: what to call the data; a digest of their labels when not given, so that two runs of the same
            data agree. model: what to call the network.
        targets, label_smoothing: as in `adopt.Choices`.

    The rest is `from_arrays`.

    Raises:
        RunError: files that cannot be read or do not fit each other.
        ActivationsError: values that do not fit.
    """
    check_splits(files)
    check_new(out)
    parts = {split: read_arrays(files[split]) for split in SPLITS if split in files}
    first, head = next(iter(parts.values())), _head(parts)
    names = tuple(class_names) or _stored_names(first)
    labels = np.asarray(parts[held_out(parts)]["labels"], np.int64)
    predictions = {split: a["predictions"] for split, a in parts.items() if "predictions" in a}
    made = from_arrays(
        {split: a["features"] for split, a in parts.items()},
        {split: a["labels"] for split, a in parts.items()},
        name=out.absolute().name,
        weight=head.weight if head else None,
        bias=head.bias if head else None,
        predictions=predictions,
        class_names=names,
        dataset=dataset or f"arrays {labels_digest(labels, names)}",
        model=model,
        label_smoothing=label_smoothing,
        targets=targets,
    )
    adopted = made.run.record["adopted"]
    adopted["unseen"] = [split for split in ("validation", "test") if split in parts]
    adopted["file"] = ", ".join(files[split].name for split in parts)
    adopted["file_sha256"] = hashlib.sha256("".join(sha256_of(files[s]) for s in parts).encode()).hexdigest()
    return save(made, out)


def _head(parts: Mapping[str, Arrays]) -> Head | None:
    """The head of the first file that has one; those of the others must be equal to it."""
    heads = [Head(a["weight"], a.get("bias")) for a in parts.values() if "weight" in a]
    for other in heads[1:]:
        same_bias = (other.bias is None) == (heads[0].bias is None) and (
            other.bias is None or np.array_equal(other.bias, heads[0].bias)  # type: ignore[arg-type]
        )
        if not np.array_equal(other.weight, heads[0].weight) or not same_bias:
            raise RunError("The splits have different head weights: they must come from one network.")
    return heads[0] if heads else None


def _stored_names(arrays: Arrays) -> tuple[str, ...]:
    return tuple(str(name) for name in arrays["class_names"].tolist()) if "class_names" in arrays else ()
