"""The waist: what a network leaves behind for everything downstream, checked once, saved as .npz.

Axis letters: n examples, d penultimate width, D = d + 1 with the bias or d without, K classes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz.store.head import ActivationsError, ClassMeans, Head, IntArray, float_array, row_blocks
from penviz.store.npz import read_npz, write_npz
from penviz.store.safe_text import safe_name, safe_names, safe_text

FORMAT_VERSION = 1
"""Version of the .npz layout; a file of another version is refused."""

PREDICTORS = ("network", "nearest class mean")
"""What predictions can come from: the network, or the nearest class mean where its own are unknown."""


def _integers(name: str, values: ArrayLike, length: int, below: int | None = None) -> IntArray:
    array = np.asarray(values)
    if array.shape != (length,):
        raise ActivationsError(f"{name} must have shape ({length},), not {array.shape}.")
    if array.dtype.kind not in "iu":
        raise ActivationsError(f"{name} must hold integers, not {array.dtype}.")
    array = array.astype(np.int64)
    if length and (array.min() < 0 or (below is not None and array.max() >= below)):
        raise ActivationsError(f"{name} must lie between 0 and {'n' if below is None else below - 1}.")
    return array


@dataclass(frozen=True, repr=False)
class Activations:
    """Penultimate features of one split of one run, raw, with all that is needed to read them.

    Attributes:
        features: [n, d] float32, what enters the head in evaluation mode; never normalised.
        labels: [n] int64 in [0, K).
        predictions: [n] int64 in [0, K), the network's own argmax (but see `predicted_by`).
        indices: [n] int64, the row of each example in the split's source.
        class_names: K names.
        run: name of the run; split: "train", "validation" or "test".
        head: the last layer, or None where the network has no single linear head.
        dataset_id: what identifies the examples; two runs with equal ids and indices saw the same images.
        checkpoint_sha256: hex digest of the model file the features came from.
        hashes: [n] uint64 or None, the first 8 bytes of sha256(seed, pixels) (training/data.py).
        total: n of each class in the split the examples were taken from, [K], or None when all are here.
        partial: examples of some classes only were taken; numbers over all classes need the full pass.
        predicted_by: what made the predictions, one of PREDICTORS.
        class_means: stand in where there is no head (`measure.class_means`); never stored.
        confidences: [n] float32 largest probability of each example, where it is known already (from
            shards); else None, and it follows from the head. Never stored in an .npz.
        over_all: numbers over all classes by key, measured in one pass over a split that is kept in shards
            and that these are some classes of; empty where the pass has still to be made, None where the
            split is no such one. Never stored here.
        own_logits: [n, K] float32 logits of the network up to a shift a row, kept only without a head.
        seen: "unseen", "may be seen", or "" where nothing need be said of it (`Run.seen_word`); never stored.

    Raises:
        ActivationsError: an axis, a length, a type or a value that does not fit.
    """

    features: NDArray[np.float32]
    labels: IntArray
    predictions: IntArray
    indices: IntArray
    class_names: tuple[str, ...]
    run: str
    split: str
    head: Head | None = None
    dataset_id: str = ""
    checkpoint_sha256: str = ""
    hashes: NDArray[np.uint64] | None = None
    total: IntArray | None = None
    partial: bool = False
    predicted_by: str = "network"
    class_means: ClassMeans | None = None
    confidences: NDArray[np.float32] | None = None
    over_all: Mapping[str, float | None] | None = None
    seen: str = ""
    own_logits: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("class_names", safe_names(self.class_names))
        put("run", safe_name(self.run))
        put("split", safe_name(self.split))
        put("dataset_id", safe_text(self.dataset_id))
        put("features", float_array("features", self.features, 2))
        n, n_classes = len(self.features), len(self.class_names)
        if n_classes < 2:
            raise ActivationsError(f"At least two class names are needed, not {n_classes}.")
        put("labels", _integers("labels", self.labels, n, n_classes))
        put("predictions", _integers("predictions", self.predictions, n, n_classes))
        put("indices", _integers("indices", self.indices, n))
        self._check_optional(n, n_classes)
        if self.predicted_by not in PREDICTORS:
            raise ActivationsError(f"predicted_by is one of {', '.join(PREDICTORS)}.")
        if self.head is not None and self.head.weight.shape != (n_classes, self.features.shape[1]):
            raise ActivationsError(
                f"The head has shape {self.head.weight.shape}, but there are {n_classes} classes "
                f"and features of width {self.features.shape[1]}."
            )

    def _check_optional(self, n: int, n_classes: int) -> None:
        """Check what may be None."""

        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        if self.hashes is not None:
            hashes = np.asarray(self.hashes)
            if hashes.shape != (n,) or hashes.dtype != np.uint64:
                raise ActivationsError(f"hashes must be uint64 of shape ({n},).")
            put("hashes", hashes)
        if self.confidences is not None:
            put("confidences", float_array("confidences", self.confidences, 1))
            if len(self.confidences) != n:
                raise ActivationsError(f"confidences must have shape ({n},).")
        if self.own_logits is not None:
            put("own_logits", float_array("logits", self.own_logits, 2))
            if self.own_logits.shape != (n, n_classes):
                raise ActivationsError(f"logits must have shape ({n}, {n_classes}).")
        if self.total is not None:
            put("total", _integers("total", self.total, n_classes))
            if (np.bincount(self.labels, minlength=n_classes) > self.total).any():
                raise ActivationsError("total is below the number of examples stored for a class.")

    def __repr__(self) -> str:
        n, d = self.features.shape
        return (
            f"<activations of {self.run}, {self.split}: n = {n:,}, d = {d:,}, K = {len(self.class_names):,}>"
        )

    def __len__(self) -> int:
        """n, the number of examples."""
        return len(self.features)

    @property
    def split_words(self) -> str:
        """The split, and whether the network has seen it: "test (unseen)"."""
        return f"{self.split} ({self.seen})" if self.seen else self.split

    def logits(self) -> NDArray[np.float64]:
        """Logits [n, K] in float64, derived from the head, else the network's own where they were kept.

        Raises:
            ActivationsError: neither is there.
        """
        if self.head is not None:
            return self.head.logits(self.features)
        return self._stated_logits().astype(np.float64)

    def logit_blocks(self, rows: IntArray | None = None) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """`logits` of all examples or of some rows [m], in order, a few at a time: which of them, and [., K].

        Raises:
            ActivationsError: as `logits`.
        """
        if self.head is not None:
            yield from self.head.logit_blocks(self.features, rows)
            return
        z, every = self._stated_logits(), np.arange(len(self)) if rows is None else rows
        yield from ((some, z[every[some]].astype(np.float64)) for some in row_blocks(len(every), z.shape[1]))

    def _stated_logits(self) -> NDArray[np.float32]:
        if self.own_logits is None:
            raise ActivationsError(f"{self.run} has no linear head, so it has no logits here.")
        return self.own_logits

    def planar_head(self, bias: bool = True) -> tuple[Head, bool]:
        """The head whose rows span the plane, and whether its bias is a coordinate of a template.

        Without a head the class means stand in; their bias is never a coordinate, it only moves boundaries.

        Raises:
            ActivationsError: neither a head nor class means.
        """
        if self.head is not None:
            return self.head, bias
        if self.class_means is None:
            raise ActivationsError(f"{self.run} has no linear head, so it has no templates to draw on.")
        return self.class_means.head, False

    def take(self, rows: NDArray[Any] | slice) -> Activations:
        """The same run and split with some rows only; `rows` is an index [m], a mask [n] or a slice."""
        return replace(
            self,
            features=self.features[rows],
            labels=self.labels[rows],
            predictions=self.predictions[rows],
            indices=self.indices[rows],
            hashes=None if self.hashes is None else self.hashes[rows],
            confidences=None if self.confidences is None else self.confidences[rows],
            own_logits=None if self.own_logits is None else self.own_logits[rows],
            total=self.class_totals(),
        )

    def class_totals(self) -> IntArray:
        """[K] examples a class in the split that these were taken from."""
        if self.total is not None:
            return self.total
        return np.bincount(self.labels, minlength=len(self.class_names)).astype(np.int64)

    def save(self, path: Path | str, half: bool = False) -> None:
        """Write a compressed .npz under a temporary name, then rename it: readers never see half a file.

        Args:
            path: of the file.
            half: features as float16, for pictures that are shipped; they are read back as float32.
        """
        arrays: dict[str, Any] = {
            "features": self.features.astype(np.float16) if half else self.features,
            "labels": self.labels,
            "predictions": self.predictions,
            "indices": self.indices,
            "class_names": np.array(self.class_names),
            "meta": json.dumps(
                {
                    "format_version": FORMAT_VERSION,
                    "run": self.run,
                    "split": self.split,
                    "dataset_id": self.dataset_id,
                    "checkpoint_sha256": self.checkpoint_sha256,
                    **({"partial": True} if self.partial else {}),
                    **({} if self.predicted_by == "network" else {"predicted_by": self.predicted_by}),
                }
            ),
        }
        if self.head is not None:
            arrays["weight"] = self.head.weight
            if self.head.bias is not None:
                arrays["bias"] = self.head.bias
        if self.hashes is not None:
            arrays["hashes"] = self.hashes
        if self.total is not None:
            arrays["total"] = self.total
        if self.own_logits is not None:
            arrays["logits"] = self.own_logits
        write_npz(Path(path), arrays)

    @classmethod
    def load(cls, path: Path | str) -> Activations:
        """Read what `save` wrote.

        Raises:
            ActivationsError: no such file, not an .npz, keys missing, another version, or arrays that do not
                fit.
        """
        needed = ("features", "labels", "predictions", "indices", "class_names")
        stored, meta = read_npz(Path(path), needed, "activations", FORMAT_VERSION, "extract it again")
        head = Head(stored["weight"], stored.get("bias")) if "weight" in stored else None
        return cls(
            stored["features"],
            stored["labels"],
            stored["predictions"],
            stored["indices"],
            tuple(stored["class_names"].tolist()),
            str(meta.get("run", "")),
            str(meta.get("split", "")),
            head,
            str(meta.get("dataset_id", "")),
            str(meta.get("checkpoint_sha256", "")),
            stored.get("hashes"),
            stored.get("total"),
            bool(meta.get("partial", False)),
            str(meta.get("predicted_by", "network")),
            own_logits=stored.get("logits"),
        )
