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

from penviz import __version__
from penviz.activations import DAMAGED, Activations, Head
from penviz.load.new_directory import new_directory
from penviz.runs import RUN_FILE, SPLITS, RunError, activations_path, sha256_of, write_json
from penviz.safe_text import safe_names

KEYS = ("features", "labels", "weight", "bias", "predictions", "class_names")
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGED, *(SafetensorError,))
BATCH = 4096

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
            with np.load(path, allow_pickle=False) as stored:
                found = {key: stored[key] for key in KEYS if key in stored.files}
        else:
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
    if found["labels"].shape != found["features"].shape[:1] or found["labels"].dtype.kind not in "iu":
        raise RunError(f"{path.name}: labels must hold one integer for each row of features.")
    return found


def class_means(features: NDArray[Any], labels: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Mean features [K, d] a class in float64; NaN for a class without examples."""
    sums = np.zeros((n_classes, features.shape[1]))
    for start in range(0, len(labels), BATCH):
        np.add.at(sums, labels[start : start + BATCH], features[start : start + BATCH].astype(np.float64))
    counts = np.bincount(labels, minlength=n_classes).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums / np.where(counts > 0, counts, np.nan)[:, None]


def nearest_mean(features: NDArray[Any], means: NDArray[np.float64]) -> NDArray[np.int64]:
    """Label [n] of the nearest class mean (Euclidean); classes without examples are never it."""
    known = np.flatnonzero(np.isfinite(means).all(1))
    centres = means[known]
    squares = (centres**2).sum(1)
    parts = []
    for start in range(0, len(features), BATCH):
        x = features[start : start + BATCH].astype(np.float64)
        parts.append(known[(squares - 2 * x @ centres.T).argmin(1)])
    return np.concatenate(parts)


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
        dataset: what to call the data; equal names let penviz compare two runs' examples by row.
        model: what to call the network.
        targets, label_smoothing: as in `adopt.Choices`.

    Raises:
        RunError: files that cannot be read or do not fit each other.
        ActivationsError: values that do not fit.
    """
    unknown = [split for split in files if split not in SPLITS]
    if unknown or not files:
        raise RunError(f"Name the split of each file: {', '.join(SPLITS)}.")
    parts = {split: read_arrays(files[split]) for split in SPLITS if split in files}
    if len({arrays["features"].shape[1] for arrays in parts.values()}) > 1:
        raise RunError("The splits have features of different widths.")
    first = next(iter(parts.values()))
    head = _head(parts)
    width = first["features"].shape[1]
    if head is not None and head.weight.shape[1] != width:
        raise RunError(f"weight has rows of {head.weight.shape[1]} numbers and features have {width}.")
    names = safe_names(class_names or _stored_names(first) or _numbered(parts, head))
    means = class_means(first["features"], first["labels"].astype(np.int64), len(names)) if not head else None
    digest = hashlib.sha256("".join(sha256_of(files[split]) for split in parts).encode()).hexdigest()
    record: dict[str, Any] = {
        "config": {
            "dataset": dataset or out.name,
            "model": model,
            "targets": targets,
            "label_smoothing": label_smoothing,
        },
        "adopted": {
            "file": ", ".join(files[split].name for split in parts),
            "file_sha256": digest,
            "head": {"kind": "stated", "shape": list(head.weight.shape)}
            if head
            else {"kind": "none", "sentence": "No head was given: class means stand in for the templates."},
            "preprocessing": None,
            "variant": None,
            "accuracy": {},
            "unseen": [s for s in ("validation", "test") if s in parts],
            "targets_stated_by": "" if targets == "unknown" else "user",
            "quick_look": None,
        },
        "class_names": list(names),
        "splits": {},
        "status": "finished",
        "metrics": {},
        "model_sha256": "",
        "versions": {"penviz": __version__},
    }
    with new_directory(out) as part:
        for split, arrays in parts.items():
            labels = arrays["labels"].astype(np.int64)
            if labels.min() < 0 or labels.max() >= len(names):
                raise RunError(f"{files[split].name}: labels must lie between 0 and {len(names) - 1}.")
            features = arrays["features"]
            if "predictions" in arrays:
                predictions = arrays["predictions"]
            elif head:
                predictions = head.logits(features).argmax(1)
            else:
                assert means is not None
                predictions = nearest_mean(features, means)
            identity = f"{record['config']['dataset']}:{hashlib.sha256(labels.tobytes()).hexdigest()[:16]}"
            rows = np.arange(len(labels))
            made = Activations(
                features, labels, predictions, rows, names, out.name, split, head, dataset_id=identity
            )
            made.save(activations_path(part, split))
            right = float((made.predictions == labels).mean())
            record["splits"][split] = {"n": len(labels), "dataset_id": identity}
            record["metrics"][split] = {"accuracy": right, "n": float(len(labels))}
        split = next((s for s in ("validation", "test") if s in parts), next(iter(parts)))
        last = record["metrics"][split]
        record["adopted"]["accuracy"] = {
            "measured": last["accuracy"],
            "n": int(last["n"]),
            "split": split,
            "expected": None,
            "warning": "",
        }
        write_json(part / RUN_FILE, record)
    return out


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


def _numbered(parts: Mapping[str, Arrays], head: Head | None) -> tuple[str, ...]:
    highest = max(int(arrays["labels"].max()) for arrays in parts.values())
    return tuple(f"class {i}" for i in range(max(2, head.n_classes if head else highest + 1)))
