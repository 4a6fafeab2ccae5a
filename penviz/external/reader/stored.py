"""Where in a file the numbers of a tensor lie: enough to read them without the library that wrote them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLOAT8 = ("float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz")

ITEM_BYTES = {
    "complex128": 16,
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
    **dict.fromkeys(("float32", "int32", "uint32"), 4),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("int8", "uint8", "bool", *_FLOAT8), 1),
}
"""Bytes of an element by dtype, for the dtypes that penviz reads."""

NUMPY_DTYPES = {"bfloat16": "uint16", **dict.fromkeys(_FLOAT8, "uint8")}
"""dtype -> the unsigned integer that stands for its bits in NumPy."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as a view of a run of bytes in a file, little-endian.

    Attributes:
        key: its name in the file.
        dtype: a key of ITEM_BYTES; shape: its lengths; stride: steps between neighbours, in elements.
        path: the file; position: where the storage begins, in bytes; n_bytes: length of the storage.
        offset: of the first element in the storage, in elements.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    path: Path
    position: int
    n_bytes: int
    offset: int = 0

    @property
    def n_elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def is_contiguous(self) -> bool:
        """The elements lie in order without gaps."""
        return self.n_elements == 0 or all(
            length == 1 or step == expected
            for length, step, expected in zip(
                self.shape, self.stride, contiguous_stride(self.shape), strict=True
            )
        )

    def read(self) -> NDArray[Any]:
        """Its numbers, copied from the file; dtypes that NumPy lacks come as their bits (NUMPY_DTYPES)."""
        dtype = np.dtype(NUMPY_DTYPES.get(self.dtype, self.dtype)).newbyteorder("<")
        at = self.position + self.offset * dtype.itemsize
        if self.n_elements == 0:
            return np.empty(self.shape, dtype)
        if self.is_contiguous:
            return np.fromfile(self.path, dtype, self.n_elements, offset=at).reshape(self.shape)
        reach = 1 + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        span = np.fromfile(self.path, dtype, reach, offset=at)
        steps = [step * dtype.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(span, self.shape, steps, writeable=False).copy()


def contiguous_stride(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of an array of this shape in C order."""
    steps, step = [], 1
    for length in reversed(shape):
        steps.append(step)
        step *= max(length, 1)
    return tuple(reversed(steps))
