"""Which tensors of a file hold NaN or infinity, read a few megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from penviz.external.reader.limits import Limits
from penviz.external.reader.stored import ITEM_BYTES, StoredTensor

_EXPONENTS: dict[str, tuple[str, int, int]] = {
    "float64": ("<u8", 0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0000),
    "float32": ("<u4", 0x7F80_0000, 0x7F80_0000),
    "float16": ("<u2", 0x7C00, 0x7C00),
    "bfloat16": ("<u2", 0x7F80, 0x7F80),
    "complex64": ("<u4", 0x7F80_0000, 0x7F80_0000),
    "complex128": ("<u8", 0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0000),
    "float8_e5m2": ("<u1", 0x7C, 0x7C),
    "float8_e4m3fn": ("<u1", 0x7F, 0x7F),
    "float8_e4m3fnuz": ("<u1", 0xFF, 0x80),
    "float8_e5m2fnuz": ("<u1", 0xFF, 0x80),
    "float8_e8m0fnu": ("<u1", 0xFF, 0xFF),
}
"""dtype -> the bits as an integer type, a mask, and what the masked bits of NaN and infinity equal.

IEEE 754 (3.4): all bits of the exponent set. bfloat16 has the exponent of float32. The 8-bit types follow
the OCP 8-bit floating point specification 1.0; their fnuz forms have one NaN, the bits of minus zero.
"""


def is_float(dtype: str) -> bool:
    """The dtype can hold NaN."""
    return dtype in _EXPONENTS


def has_not_finite(dtype: str, chunks: Iterable[bytes], big_endian: bool = False) -> bool:
    """Whether numbers, in chunks of any length, hold NaN or infinity."""
    code, mask, value = _EXPONENTS[dtype]
    code = code.replace("<", ">") if big_endian else code
    item, left = np.dtype(code).itemsize, b""
    for chunk in chunks:
        data = left + chunk
        whole = len(data) - len(data) % item
        bits = np.frombuffer(data, code, whole // item)
        if _any(bits, mask, value):
            return True
        left = data[whole:]
    return False


def _any(bits: NDArray[np.unsignedinteger], mask: int, value: int) -> bool:
    return bool(((bits & bits.dtype.type(mask)) == bits.dtype.type(value)).any())


def not_finite(tensors: Sequence[StoredTensor], limits: Limits) -> list[str]:
    """Keys of the tensors with NaN or infinity; tensors that share their bytes are read once."""
    known: dict[tuple[object, ...], bool] = {}
    found = []
    for tensor in tensors:
        if not is_float(tensor.dtype) or not tensor.n_elements:
            continue
        place = (tensor.path, tensor.position, tensor.offset, tensor.dtype, tensor.shape, tensor.stride)
        if place not in known:
            with tensor.path.open("rb") as file:
                known[place] = _tensor_is_bad(file, tensor, limits)
        if known[place]:
            found.append(tensor.key)
    return found


def _tensor_is_bad(file: BinaryIO, tensor: StoredTensor, limits: Limits) -> bool:
    item = ITEM_BYTES[tensor.dtype]
    if tensor.is_contiguous:
        start = tensor.position + tensor.offset * item
        return has_not_finite(
            tensor.dtype, _pieces(file, start, tensor.n_elements * item, limits.chunk_bytes)
        )
    code, mask, value = _EXPONENTS[tensor.dtype]
    part = np.dtype(code).itemsize  # a complex number has two parts
    last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride, strict=True))
    mapped = np.memmap(file, code, "r", tensor.position, ((last + 1) * item // part,))
    view = np.lib.stride_tricks.as_strided(
        mapped[tensor.offset * item // part :],
        (*tensor.shape, item // part),
        (*(s * item for s in tensor.stride), part),
        writeable=False,
    )
    size = limits.chunk_bytes // part
    with np.nditer(view, ["external_loop", "buffered"], ["readonly"], buffersize=size) as pieces:
        return any(_any(np.asarray(piece), mask, value) for piece in pieces)


def _pieces(file: BinaryIO, at: int, length: int, most: int) -> Iterable[bytes]:
    file.seek(at)
    while length and (piece := file.read(min(length, most))):
        length -= len(piece)
        yield piece
