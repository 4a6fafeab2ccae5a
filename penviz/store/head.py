"""The last linear layer of a network as arrays, and logits from it in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penviz import InputError

BLOCK = 2**20
"""Logits that are held at a time."""

FloatArray = NDArray[np.floating[Any]]

IntArray = NDArray[np.int64]


class ActivationsError(InputError):
    """An array or a file that is not what penviz needs; the message is one sentence for the user."""


def float_array(name: str, values: ArrayLike, ndim: int) -> NDArray[np.float32]:
    """Values as float32 of a number of dimensions, all finite; ActivationsError otherwise."""
    array = np.asarray(values)
    if array.ndim != ndim:
        raise ActivationsError(f"{name} must have {ndim} axes, not {array.ndim}.")
    if array.dtype.kind not in "fiu":
        raise ActivationsError(f"{name} must hold real numbers, not {array.dtype}.")
    with np.errstate(over="ignore"):  # beyond float32 is infinity, which is said below
        array = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise ActivationsError(f"{name} holds NaN or infinity.")
    return array


def row_blocks(n: int, width: int, most: int = 0) -> Iterator[slice]:
    """Rows of [n, width] in order, at least one at a time and at most `most` numbers (BLOCK unless given)."""
    step = max((most or BLOCK) // max(width, 1), 1)
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def affine_blocks(
    features: FloatArray,
    weight: NDArray[Any],
    bias: FloatArray | None = None,
    rows: IntArray | None = None,
    *,
    origin: FloatArray | None = None,
    most: int = 0,
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """(features - origin) @ weight.T + bias a few rows at a time, so that [n, K] is never held.

    Args:
        features: [n, d]; weight: [K, d], whose type the result has; bias: [K]; origin: [d].
        rows: [m] of the features, all without them; most: numbers held at a time, BLOCK unless given.

    Yields:
        which of the rows, and [., K] in a buffer that the next ones overwrite.
    """
    held = np.empty((0, len(weight)), weight.dtype)
    for some in row_blocks(len(features) if rows is None else len(rows), len(weight), most):
        x = features[some if rows is None else rows[some]].astype(weight.dtype)
        if origin is not None:
            x -= origin
        held = held if len(held) >= len(x) else np.empty((len(x), len(weight)), weight.dtype)
        z = np.matmul(x, weight.T, out=held[: len(x)])
        if bias is not None:
            z += bias
        yield some, z


@dataclass(frozen=True, repr=False)
class Head:
    """The last linear layer: logits = features @ weight.T + bias.

    Attributes:
        weight: [K, d] float32, one template a row.
        bias: [K] float32, or None where the layer has none.

    Raises:
        ActivationsError: a wrong number of axes, lengths that do not fit, NaN or infinity.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", float_array("weight", self.weight, 2))
        if self.bias is not None:
            object.__setattr__(self, "bias", float_array("bias", self.bias, 1))
            if len(self.bias) != len(self.weight):
                raise ActivationsError(
                    f"bias has {len(self.bias)} entries for {len(self.weight)} rows of weight."
                )

    def __repr__(self) -> str:
        n_classes, d = self.weight.shape
        return f"<head of K = {n_classes:,}, d = {d:,}, {'with a' if self.bias is not None else 'no'} bias>"

    @property
    def n_classes(self) -> int:
        """K, the number of rows of the weight."""
        return len(self.weight)

    def of_classes(self, classes: Sequence[int] | IntArray) -> Head:
        """Some rows, in their order."""
        rows = np.asarray(classes, np.int64)
        return Head(self.weight[rows], None if self.bias is None else self.bias[rows])

    def logits(self, features: FloatArray) -> NDArray[np.float64]:
        """Logits of some features, in float64: [n, d] -> [n, K], in nats up to a shift a row."""
        z = np.asarray(features, np.float64) @ self.weight.astype(np.float64).T
        return z if self.bias is None else z + self.bias.astype(np.float64)

    def logit_blocks(
        self, features: FloatArray, rows: IntArray | None = None
    ) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """The same of all or some rows [m], in order, as `affine_blocks`."""
        return affine_blocks(features, self.weight.astype(np.float64), self.bias, rows)

    def confidences(self, features: FloatArray) -> NDArray[np.float32]:
        """Largest softmax probability of some features in float32: [n, d] -> [n], a few rows at a time."""
        out = np.empty(len(features), np.float32)
        for rows, z in affine_blocks(features, self.weight, self.bias):
            z -= z.max(axis=1, keepdims=True)
            out[rows] = 1 / np.exp(z, out=z).sum(axis=1)
        return out

    def templates(self, bias: bool = True, classes: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Rows of the head, [K, D]: with the bias as a last column (D = d + 1), or without (D = d).

        Only those of some `classes` where they are given, in their order.

        With it, a template is what Müller et al. 2019 (section 2) call w: weights and bias, x having a 1
        appended. A head without a bias gives a last column of zeros, so that D does not depend on the head.
        """
        rows = slice(None) if classes is None else list(classes)
        weight = self.weight[rows].astype(np.float64)
        if not bias:
            return weight
        column = np.zeros(len(weight)) if self.bias is None else self.bias[rows].astype(np.float64)
        return np.column_stack([weight, column])


@dataclass(frozen=True)
class ClassMeans:
    """Class means that stand in for the templates of a network without a single linear head.

    Attributes:
        head: weight mu_k and bias -|mu_k|^2 / 2 up to a constant, so that its argmax is the class of the
            nearest mean. It is no head of the network, and its logits are none of the network's.
        split: whose examples the means are of; present: [K] whether a class has any.
    """

    head: Head
    split: str
    present: NDArray[np.bool_]
