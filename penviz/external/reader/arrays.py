"""Arrays in .npy and .npz files: their headers, and whether their numbers are finite.

Format: numpy.lib.format; the header is a Python dictionary as text, read here by its grammar alone.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from io import BufferedReader
from typing import Any

from penviz.external.reader.archive import Archive
from penviz.external.reader.finite import has_not_finite, is_float
from penviz.external.reader.limits import Limits
from penviz.external.reader.report import Refused, TensorEntry, printable
from penviz.external.reader.torch_tensors import check_shape

_FIELD = re.compile(
    r"\s*'(descr|fortran_order|shape)'\s*:\s*('[^']{1,20}'|True|False|\([0-9, ]*\))\s*(,|(?=\}))"
)
_DESCR = re.compile(r"'([<>|=]?)([fiubcSU])([0-9]{1,9})'\Z")
_DTYPES = {
    ("f", 2): "float16",
    ("f", 4): "float32",
    ("f", 8): "float64",
    ("c", 8): "complex64",
    ("c", 16): "complex128",
    ("b", 1): "bool",
    **{("i", n): f"int{8 * n}" for n in (1, 2, 4, 8)},
    **{("u", n): f"uint{8 * n}" for n in (1, 2, 4, 8)},
}
NO_OBJECTS = "Save it as plain numbers or text: numpy.savez('activations.npz', features=..., labels=...)."


def read_npy(file: BufferedReader, limits: Limits) -> dict[str, Any]:
    """Fields of the report of an .npy file.

    Raises:
        Refused: objects, a header that is not understood, another length than it states.
    """
    entry, bad = _read_array("array", _chunks(file, limits), file.seek(0, 2), limits)
    return {"tensors": (entry,), "not_finite": ("array",) if bad else ()}


def read_npz(archive: Archive, limits: Limits) -> dict[str, Any]:
    """Fields of the report of an .npz file, for which every array is read once, a chunk at a time.

    Raises:
        Refused: what read_npy and Archive.chunks raise, and too many arrays.
    """
    if len(archive.members) > limits.n_tensors:
        raise Refused(
            f"The file holds {len(archive.members):,} arrays; at most {limits.n_tensors:,} are read."
        )
    entries, bad = [], []
    for name, member in archive.members.items():
        key = name.removesuffix(".npy")
        entry, is_bad = _read_array(key, archive.chunks(member), member.size, limits)
        entries.append(entry)
        if is_bad:
            bad.append(key)
    found: dict[str, Any] = {"tensors": tuple(entries), "not_finite": tuple(bad)}
    shapes = {entry.key: entry.shape for entry in entries}
    weight, features, labels = (shapes.get(key, ()) for key in ("weight", "features", "labels"))
    if len(weight) == 2:
        found |= {"n_classes": weight[0], "n_classes_evidence": f"weight {list(weight)}"}
    elif len(shapes.get("class_names", ())) == 1:
        n = shapes["class_names"][0]
        found |= {"n_classes": n, "n_classes_evidence": f"class_names [{n}]"}
    if len(features) == 2 and labels == features[:1]:
        n, width = features
        found["notes"] = (
            f"Activations of {n:,} example{'s' * (n != 1)} in {width:,} dimension{'s' * (width != 1)}.",
        )
    return found


def _chunks(file: BufferedReader, limits: Limits) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(limits.chunk_bytes):
        yield chunk


def _read_array(key: str, chunks: Iterable[bytes], n_bytes: int, limits: Limits) -> tuple[TensorEntry, bool]:
    """One array, and whether it holds NaN or infinity."""
    shown = printable(key, 80)
    source = iter(chunks)
    data = b""
    while len(data) < 12 and (chunk := next(source, b"")):
        data += chunk
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        raise Refused(f"{shown} is no array of NumPy.")
    if data[6:8] not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        raise Refused(f"{shown} has an unknown version of NumPy's format.")
    start, code = (10, "<H") if data[6] == 1 else (12, "<I")
    (length,) = struct.unpack(code, data[8:start])
    if length > limits.array_header_bytes:
        raise Refused(f"The header of {shown} claims {length:,} bytes.")
    while len(data) < start + length and (chunk := next(source, b"")):
        data += chunk
    if len(data) < start + length:
        raise Refused(f"{shown} is cut short.")
    dtype, shape, item, swapped = _header(data[start : start + length], shown, limits)
    n = item
    for axis in shape:
        n *= axis
    if start + length + n != n_bytes:
        raise Refused(f"{shown} of shape {list(shape)} does not have the length that its header states.")

    def rest() -> Iterator[bytes]:
        yield data[start + length :]
        yield from source

    bad = False
    if is_float(dtype):
        bad = has_not_finite(dtype, rest(), swapped)
    for _ in source:
        pass  # to the end, for the checksum
    return TensorEntry(key, shape, dtype, n, key), bad


def _header(raw: bytes, shown: str, limits: Limits) -> tuple[str, tuple[int, ...], int, bool]:
    """dtype, shape, bytes of an element, and whether they are big-endian."""
    text = raw.decode("latin-1").strip()
    fields: dict[str, str] = {}
    at = 1
    while text[:1] == "{" and (match := _FIELD.match(text, at)) and match[1] not in fields:
        fields[match[1]], at = match[2], match.end()
    if text[at:].strip() != "}" or len(fields) != 3:
        if re.search(r"'\|?O'", text):
            raise Refused(f"{shown} holds Python objects: reading them can run any code.", NO_OBJECTS)
        raise Refused(f"The header of {shown} is damaged, or describes records, which penviz does not read.")
    descr = _DESCR.match(fields["descr"])
    if fields["descr"] in ("'O'", "'|O'"):
        raise Refused(f"{shown} holds Python objects: reading them can run any code.", NO_OBJECTS)
    if not descr or fields["fortran_order"] not in ("True", "False") or fields["shape"][0] != "(":
        raise Refused(f"{shown} has a type that penviz does not read: {printable(fields['descr'], 40)}.")
    order, kind, size = descr[1], descr[2], int(descr[3])
    parts = [part.strip() for part in fields["shape"][1:-1].split(",")]
    if parts[-1] == "":
        parts = parts[:-1]
    if not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
        raise Refused(f"The shape of {shown} is damaged.")
    shape = tuple(int(part) for part in parts)
    check_shape(shape, limits)
    if kind in "SU":
        return "text", shape, size * (4 if kind == "U" else 1), False
    if (kind, size) not in _DTYPES:
        raise Refused(f"{shown} has a type that penviz does not read: {printable(fields['descr'], 40)}.")
    return _DTYPES[kind, size], shape, size, order == ">"
