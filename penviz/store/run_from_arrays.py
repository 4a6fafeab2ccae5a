"""`penviz.from_arrays`: features that NumPy, JAX or TensorFlow made become a run. NumPy only.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from penviz.metrics.collapse.simplex import nearest_means
from penviz.store.activations import Activations
from penviz.store.captured_run import CapturedRun, Statement, check_splits, held_out, in_memory, labels_digest
from penviz.store.head import Head
from penviz.store.run_config import RunError
from penviz.store.runs import SPLITS
from penviz.store.safe_text import safe_names

BATCH = 4096

Array: TypeAlias = NDArray[Any]
BySplit: TypeAlias = Any
"""An array, or "train", "validation" or "test" -> an array."""


def from_arrays(  # noqa: PLR0913 - public: a keyword for each thing that only the caller knows
    features: BySplit,
    labels: BySplit,
    *,
    name: str,
    weight: Any = None,
    bias: Any = None,
    predictions: BySplit = None,
    class_names: Iterable[str] | None = None,
    dataset: str = "",
    model: str = "activations",
    label_smoothing: float | None = None,
    targets: str | None = None,
) -> CapturedRun:
    """A run of penultimate features from anywhere.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> features, weight = rng.normal(size=(12, 8)), rng.normal(size=(3, 8))
    >>> from_arrays({"validation": features}, {"validation": np.arange(12) % 3}, name="mine", weight=weight)
    <CapturedRun 'mine': activations, unknown targets; 3 classes; validation 12 x 8, accuracy 58.3 %>

    Args:
        features: [n, d] what enters the last layer, a split each. One array is called "validation", and is
            marked as images that the network may have seen. Any array that NumPy can read: JAX, TensorFlow,
            torch.
        labels: [n] whole numbers from 0, likewise.
        name: of the run.
        weight: [K, d] of the last layer (a flax or Keras kernel is its transpose); bias: [K]. Without a
            weight, class means stand in.
        predictions: [n] likewise; else those of the head, else of the nearest class mean.
        class_names: K names, numbers without them.
        dataset: what to call the data. Runs with equal names and labels hold the same examples row by row,
            and are compared so; without a name they are not.
        model: what to call the network.
        label_smoothing, targets: as of `penviz.capture`.

    Raises:
        InputError: arrays that do not fit one another, in one sentence.
    """
    x = {split: _checked_features(split, value) for split, value in _by_split(features).items()}
    y = _labels_of(x, _by_split(labels))
    check_splits(x)
    widths = {a.shape[1] for a in x.values()}
    if len(widths) > 1:
        raise RunError("The splits have features of different widths.")
    if weight is not None and (w := _array(weight)).ndim == 2 and w.shape[1] not in widths:
        width = widths.pop()
        hint = ": a flax or Keras kernel is [d, K], give its transpose" if len(w) == width else ""
        raise RunError(f"weight has rows of {w.shape[1]} numbers and features have {width}{hint}.")
    head = None if weight is None else Head(_array(weight), None if bias is None else _array(bias))
    order = [split for split in SPLITS if split in x]
    names = _names(class_names, y, head)
    for split in order:
        if y[split].min() < 0 or y[split].max() >= len(names):
            raise RunError(f"{split}: labels must lie between 0 and {len(names) - 1}.")
    given = {split: _array(value) for split, value in _by_split(predictions).items()}
    means = class_means(x[order[0]], y[order[0]], len(names)) if head is None else np.empty((0, 0))
    called = dataset or f"arrays {labels_digest(y[held_out(y)], names)}"
    splits = {}
    for split in order:
        by = "network" if split in given or head else "nearest class mean"
        predicted = given.get(split)
        if predicted is None:
            predicted = (
                np.concatenate([z.argmax(1) for _, z in head.logit_blocks(x[split])])
                if head
                else nearest_means(x[split], means)
            )
        digest = hashlib.sha256(y[split].tobytes()).hexdigest()[:16]
        splits[split] = Activations(
            *(x[split], y[split], predicted, np.arange(len(y[split])), names, name, split, head),
            dataset_id=f"{dataset}:{digest}" if dataset else "",
            predicted_by=by,
        )
    stated = (
        {"kind": "stated", "shape": list(head.weight.shape)}
        if head
        else {
            "kind": "none",
            "sentence": "No head was given: class means stand in for the templates.",
        }
    )
    seen: dict[str, list[str]] = {} if isinstance(features, Mapping) else {"unseen": []}
    return in_memory(
        Statement(name, label_smoothing, targets),
        splits,
        dataset=called,
        model=model,
        head=stated,
        provenance=seen,
    )


def _array(value: Any) -> Array:
    """A NumPy array of what NumPy, JAX, TensorFlow or torch calls one; bfloat16 becomes float32."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if "bfloat16" in str(value.dtype) else value
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _by_split(value: BySplit) -> dict[str, Any]:
    if value is None:
        return {}
    return dict(value) if isinstance(value, Mapping) else {"validation": value}


def _checked_features(split: str, value: Any) -> Array:
    array = _array(value)
    if array.ndim != 2 or not len(array):
        raise RunError(f"{split}: features must have shape [n, d] with n above 0.")
    return array


def _labels_of(features: Mapping[str, Array], labels: Mapping[str, Any]) -> dict[str, NDArray[np.int64]]:
    if set(features) != set(labels):
        raise RunError(f"Features are of {', '.join(features)}, and labels of {', '.join(labels)}.")
    found = {}
    for split, value in labels.items():
        array = _array(value)
        if array.shape != features[split].shape[:1] or array.dtype.kind not in "iu":
            raise RunError(f"{split}: labels must hold one whole number for each row of features.")
        found[split] = array.astype(np.int64)
    return found


def _names(
    class_names: Iterable[str] | None, labels: Mapping[str, NDArray[np.int64]], head: Head | None
) -> tuple[str, ...]:
    names = safe_names(class_names or ())
    if head and names and len(names) != head.n_classes:
        raise RunError(f"There are {len(names)} class names, and weight has {head.n_classes} rows.")
    highest = max(int(y.max()) for y in labels.values())
    return names or tuple(f"class {k}" for k in range(max(2, head.n_classes if head else highest + 1)))


def class_means(features: Array, labels: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Mean features [K, d] a class in float64; NaN for a class without examples."""
    sums = np.zeros((n_classes, features.shape[1]))
    for start in range(0, len(labels), BATCH):
        np.add.at(sums, labels[start : start + BATCH], features[start : start + BATCH].astype(np.float64))
    counts = np.bincount(labels, minlength=n_classes).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums / np.where(counts > 0, counts, np.nan)[:, None]
