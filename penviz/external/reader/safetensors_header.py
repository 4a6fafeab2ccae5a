"""The header of a safetensors file, and of one that is cut in shards.

Format: eight bytes with the length of the header, little-endian; a JSON object of name -> {dtype, shape,
data_offsets}; the numbers, one array after the other without a gap (README of the safetensors project).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, BinaryIO

from penviz.external.reader.limits import Limits
from penviz.external.reader.report import Refused, printable
from penviz.external.reader.stored import ITEM_BYTES, StoredTensor, contiguous_stride
from penviz.external.reader.torch_tensors import check_shape

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "C64": "complex64",
}
"""Name in the header -> dtype."""

INDEX_SUFFIX = ".safetensors.index.json"


def read_safetensors(file: BinaryIO, path: Path, limits: Limits) -> tuple[list[StoredTensor], dict[str, str]]:
    """Tensors in the order of their bytes, and the metadata.

    Raises:
        Refused: a header that is too long, no JSON, names a key twice, or places arrays outside the file,
            over one another or with gaps.
    """
    n_bytes = file.seek(0, 2)
    file.seek(0)
    (length,) = struct.unpack("<Q", file.read(8))
    if length > limits.header_bytes:
        raise Refused(f"The header claims {length:,} bytes; penviz reads up to {limits.header_bytes:,}.")
    if length > n_bytes - 8:
        raise Refused(f"The header claims {length:,} bytes, and the file has {n_bytes:,}: it is cut short.")
    header = strict_json(file.read(length), "header")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Refused("The metadata in the header is not text.")
    if sum(len(k) + len(v) for k, v in metadata.items()) > limits.metadata_chars:
        raise Refused(f"The metadata in the header is longer than {limits.metadata_chars:,} characters.")
    if len(header) > limits.n_tensors:
        raise Refused(f"The header names {len(header):,} tensors; penviz reads up to {limits.n_tensors:,}.")
    start = 8 + length
    tensors = [_entry(key, entry, path, start, limits) for key, entry in header.items()]
    tensors.sort(key=lambda t: (t.position, t.n_bytes))
    end = start
    for tensor in tensors:
        if tensor.position != end:
            raise Refused(f"The bytes of {printable(tensor.key, 80)} overlap others or leave a gap.")
        end += tensor.n_bytes
    if end != n_bytes:
        behind = "ends too early: it is cut short" if end > n_bytes else "has bytes behind its last tensor"
        raise Refused(f"The file {behind}.")
    return tensors, metadata


def _entry(key: str, entry: Any, path: Path, start: int, limits: Limits) -> StoredTensor:
    shown = printable(key, 80)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise Refused(f"The header does not describe {shown} as it must.")
    shape, offsets = entry["shape"], entry["data_offsets"]
    dtype = DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise Refused(f"{shown} has a dtype that penviz does not know: {printable(str(entry['dtype']), 40)}.")
    if not _are_lengths(shape) or not _are_lengths(offsets) or len(offsets) != 2:
        raise Refused(f"The shape or the place of {shown} is not a list of lengths.")
    shape = tuple(shape)
    check_shape(shape, limits)
    tensor = StoredTensor(
        key, dtype, shape, contiguous_stride(shape), path, start + offsets[0], offsets[1] - offsets[0]
    )
    if tensor.n_elements * ITEM_BYTES[dtype] != tensor.n_bytes:
        raise Refused(f"{shown} of shape {list(shape)} does not fit the {tensor.n_bytes:,} bytes it claims.")
    return tensor


def _are_lengths(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**62 for v in values)


def strict_json(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object in which no key stands twice.

    Raises:
        Refused: anything else; `what` names it in the sentence.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Refused(f"The {what} names a key twice, so that readers disagree on it.")
        return found

    def integer(text: str) -> int:
        if len(text) > 20:
            raise Refused(f"The {what} holds an integer of {len(text):,} digits.")
        return int(text)

    try:
        loaded = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_int=integer)
    except (ValueError, RecursionError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"The {what} is not valid JSON: the file is damaged.") from error
    if not isinstance(loaded, dict):
        raise Refused(f"The {what} is not a JSON object.")
    return loaded


def shard_paths(index: Path, limits: Limits) -> tuple[dict[str, str], list[Path]]:
    """The index of a sharded file: key -> name of its shard, and the shards, all in the index's directory.

    Raises:
        Refused: an index that is too long or wrong, a shard outside the directory or not there.
    """
    if index.stat().st_size > limits.header_bytes:
        raise Refused(f"The index is longer than {limits.header_bytes:,} bytes.")
    places = strict_json(index.read_bytes(), "index").get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(v, str) for v in places.values()):
        raise Refused("The index has no weight_map from keys to files.")
    if len(places) > limits.n_tensors:
        raise Refused(f"The index names {len(places):,} tensors; penviz reads up to {limits.n_tensors:,}.")
    paths = []
    for name in sorted(set(places.values())):
        path = index.parent / name
        plain = name.isprintable() and not set(name) & set("/\\:") and name not in ("", ".", "..")
        if not plain:  # a link is followed: a download cache keeps its files behind links
            raise Refused(f"The index names a shard outside its directory: {printable(name, 80)!r}.")
        if not path.is_file():
            raise Refused(f"The shard {name} is missing.", "Copy all shards into one directory.")
        paths.append(path)
    if len(paths) > limits.n_members:
        raise Refused(f"The index names {len(paths):,} shards.")
    return places, paths
