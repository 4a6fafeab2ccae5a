"""Snapshots of a training: the features of the same few examples at some of its epochs, saved as .npz.

Axis letters: S epochs kept, m examples, d penultimate width, K classes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.store.activations import Activations
from penviz.store.head import ActivationsError, Head
from penviz.store.npz import read_npz, write_npz
from penviz.store.runs import SPLITS, Run
from penviz.store.safe_text import safe_name, safe_names, safe_text

FORMAT_VERSION = 1
"""Version of the .npz layout; a file of another version is refused."""


def snapshots_path(directory: Path, split: str) -> Path:
    """Where the snapshots of a split of a run lie."""
    return directory / f"snapshots-{split}.npz"


SPACINGS = ("quadratic", "log")
"""How the epochs of snapshots can be spread: their square roots or their logarithms at equal distances."""


def snapshot_epochs(n: int, epochs: int, spacing: str = "quadratic") -> tuple[int, ...]:
    """Which epochs to keep: n of 1 ... epochs, dense at the start, the first and the last among them.

    With "quadratic" spacing the i-th of n lies at 1 + (epochs - 1) (i / (n - 1))^2, with "log" at
    epochs^(i / (n - 1)), rounded, and at least one after the one before; of 100 epochs 16 are 1, 2, 3, 5, 8,
    12, 17, 23, 29, 37, 45, 54, 64, 75, 87, 100, with "log" 1 to 7, 9, 12, 16, 22, 29, 40, 54, 74, 100. All of
    them where n is not below their number, the last alone for n = 1, none for n = 0.
    """
    if n <= 0:
        return ()
    if n >= epochs:
        return tuple(range(1, epochs + 1))
    if n == 1:
        return (epochs,)
    kept = [1]
    for i in range(1, n):
        done = i / (n - 1)
        place = epochs**done if spacing == "log" else 1 + (epochs - 1) * done**2
        kept.append(max(kept[-1] + 1, round(place)))
    return tuple(kept)


def _checked(
    name: str, values: ArrayLike, kinds: str, shape: tuple[int | None, ...], dtype: type
) -> NDArray[Any]:
    """An array of a kind, a shape (None: any length) and a type; ActivationsError where it does not fit."""
    array = np.asarray(values)
    if array.dtype.kind not in kinds:
        raise ActivationsError(f"{name} must not hold {array.dtype}.")
    if array.ndim != len(shape) or any(s not in (None, t) for s, t in zip(shape, array.shape, strict=False)):
        wanted = ", ".join("any" if s is None else str(s) for s in shape)
        raise ActivationsError(f"{name} must have shape ({wanted}), not {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ActivationsError(f"{name} holds NaN or infinity.")
    return np.ascontiguousarray(array, dtype=dtype)


@dataclass(frozen=True)
class Snapshots:
    """The same examples of one split at some epochs of one run, in evaluation mode.

    Attributes:
        epochs: [S] int64, ascending, counted from 1: the network after so many epochs.
        features: [S, m, d] float16, what enters the head; never normalised.
        labels: [m] int64 in [0, K); indices: [m] int64, rows of the split's source, the same at every epoch.
        predictions: [S, m] int64 in [0, K), the network's own argmax.
        weight: [S, K, d] float32; bias: [S, K] float32, or None where the head has none.
        class_names: K names.
        total: [K] examples a class in the split.
        run: name of the run; split: "train", "validation" or "test".
        dataset_id: what identifies the split's examples.
        planned: the epochs that the training was asked to keep; more than `epochs` while it runs.

    Raises:
        ActivationsError: an axis, a length, a type or a value that does not fit.
    """

    epochs: NDArray[np.int64]
    features: NDArray[np.float16]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    predictions: NDArray[np.int64]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    class_names: tuple[str, ...]
    total: NDArray[np.int64]
    run: str = ""
    split: str = ""
    dataset_id: str = ""
    planned: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        def put(name: str, kinds: str, shape: tuple[int | None, ...], dtype: type) -> None:
            object.__setattr__(self, name, _checked(name, getattr(self, name), kinds, shape, dtype))

        object.__setattr__(self, "class_names", safe_names(self.class_names))
        object.__setattr__(self, "run", safe_name(self.run))
        object.__setattr__(self, "split", safe_name(self.split))
        object.__setattr__(self, "dataset_id", safe_text(self.dataset_id))
        object.__setattr__(self, "planned", tuple(int(epoch) for epoch in self.planned))
        put("epochs", "iu", (None,), np.int64)
        put("features", "f", (len(self.epochs), None, None), np.float16)
        s, m, d = self.features.shape
        n_classes = len(self.class_names)
        put("labels", "iu", (m,), np.int64)
        put("indices", "iu", (m,), np.int64)
        put("predictions", "iu", (s, m), np.int64)
        put("weight", "f", (s, n_classes, d), np.float32)
        if self.bias is not None:
            put("bias", "f", (s, n_classes), np.float32)
        put("total", "iu", (n_classes,), np.int64)
        if s == 0 or self.epochs[0] < 1 or (np.diff(self.epochs) <= 0).any():
            raise ActivationsError("epochs must be at least one, ascending, and counted from 1.")
        for name in ("labels", "predictions"):
            values = getattr(self, name)
            if m and (values.min() < 0 or values.max() >= n_classes):
                raise ActivationsError(f"{name} must lie between 0 and {n_classes - 1}.")

    def __len__(self) -> int:
        """S, the number of epochs kept."""
        return len(self.epochs)

    def at(self, position: int) -> Activations:
        """The split as it was at the epoch of a position in `epochs` (negative ones count from the end)."""
        bias = None if self.bias is None else self.bias[position]
        return Activations(
            self.features[position],
            self.labels,
            self.predictions[position],
            self.indices,
            self.class_names,
            self.run,
            self.split,
            Head(self.weight[position], bias),
            self.dataset_id,
            total=self.total,
        )

    def save(self, path: Path | str) -> None:
        """Write an .npz under a temporary name, then rename it: readers never see half a file.

        It is compressed when all epochs planned are in it: a training writes the file again and again.
        """
        arrays: dict[str, Any] = {
            "epochs": self.epochs,
            "features": self.features,
            "labels": self.labels,
            "indices": self.indices,
            "predictions": self.predictions.astype(np.int32),
            "weight": self.weight,
            "class_names": np.array(self.class_names),
            "total": self.total,
            "meta": json.dumps(
                {
                    "format_version": FORMAT_VERSION,
                    "run": self.run,
                    "split": self.split,
                    "dataset_id": self.dataset_id,
                    "planned": list(self.planned),
                }
            ),
        }
        if self.bias is not None:
            arrays["bias"] = self.bias
        write_npz(Path(path), arrays, compressed=len(self) >= len(self.planned))

    @classmethod
    def load(cls, path: Path | str) -> Snapshots:
        """Read what `save` wrote.

        Raises:
            ActivationsError: no such file, not an .npz, keys missing, another version, or arrays that do not
                fit.
        """
        path = Path(path)
        needed = ("epochs", "features", "labels", "indices", "predictions", "weight", "class_names", "total")
        stored, meta = read_npz(path, needed, "snapshots", FORMAT_VERSION, "train the run again")
        try:
            planned = tuple(int(epoch) for epoch in meta["planned"])
        except (ValueError, KeyError, TypeError):
            raise ActivationsError(f"{path.name} has no readable meta entry.") from None
        try:
            return cls(
                **{key: stored[key] for key in needed if key != "class_names"},
                bias=stored.get("bias"),
                class_names=tuple(stored["class_names"].tolist()),
                run=str(meta.get("run", "")),
                split=str(meta.get("split", "")),
                dataset_id=str(meta.get("dataset_id", "")),
                planned=planned,
            )
        except ActivationsError as error:
            raise ActivationsError(f"{path.name} is damaged: {error}") from None
        except TypeError:
            raise ActivationsError(f"{path.name} has entries of the wrong type.") from None


def splits_of(run: Run) -> list[str]:
    """Splits whose snapshots exist, train first."""
    return [s for s in SPLITS if snapshots_path(run.directory, s).is_file()]
