"""Small files of every kind written byte by byte, so that any field of them can be a lie."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Put = Callable[..., None]
"""Takes a file of the corpus: its name, bytes and kind, and what must become of it."""


@dataclass(frozen=True)
class Part:
    """A member of a zip; a field that is given overrides the truth, in the directory or the local header."""

    name: str
    data: bytes = b""
    deflate: bool = False
    flags: int = 0
    method: int | None = None
    size: int | None = None
    stored: int | None = None
    crc: int | None = None
    local_name: str | None = None
    local_size: int | None = None
    local_method: int | None = None
    behind: bytes = b""
    header: int | None = None
    attributes: int = 0
    absent: bool = False


def zip_bytes(
    *parts: Part,
    before: bytes = b"",
    after: bytes = b"",
    count: int | None = None,
    length: int | None = None,
    start: int | None = None,
    comment: bytes = b"",
    disk: int = 0,
) -> bytes:
    """A zip of these parts; `before` shifts nothing, so offsets stay those of a file without it."""
    body, directory = b"", b""
    for part in parts:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(part.data) + packer.flush() if part.deflate else part.data
        method = part.method if part.method is not None else 8 if part.deflate else 0
        crc = part.crc if part.crc is not None else zlib.crc32(part.data)
        size = part.size if part.size is not None else len(part.data)
        stored = part.stored if part.stored is not None else len(packed)
        header = part.header if part.header is not None else len(body)
        local = (part.local_name or part.name).encode()
        name = part.name.encode()
        if not part.absent:
            directory += struct.pack(
                "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, part.flags, method, 0, 33, crc, stored, size, len(name),
                0, 0, 0, 0, part.attributes, header,
            ) + name  # fmt: skip
        if part.header is None:
            body += struct.pack(
                "<4s5H3I2H", b"PK\x03\x04", 20, part.flags,
                part.local_method if part.local_method is not None else method, 0, 33, crc, stored,
                part.local_size if part.local_size is not None else size, len(local), 0,
            ) + local + packed + part.behind  # fmt: skip
    n = count if count is not None else sum(not part.absent for part in parts)
    end = struct.pack(
        "<4s4HIIH", b"PK\x05\x06", disk, disk, n, n, len(directory) if length is None else length,
        len(body) if start is None else start, len(comment),
    )  # fmt: skip
    return before + body + directory + end + comment + after


def text(value: str) -> bytes:
    """Push a text (BINUNICODE)."""
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    """Push an integer (LONG1)."""
    raw = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def numbers(values: tuple[int, ...]) -> bytes:
    """Push a tuple of integers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def name(full: str) -> bytes:
    """Push a global (GLOBAL); the last dot parts module and name."""
    module, _, last = full.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def call(full: str, *arguments: bytes) -> bytes:
    """Push the result of a call (GLOBAL, arguments, REDUCE)."""
    return name(full) + b"(" + b"".join(arguments) + b"tR"


def storage(key: str, n: int, kind: str = "torch.FloatStorage") -> bytes:
    """Push a storage (BINPERSID)."""
    return b"(" + text("storage") + name(kind) + text(key) + text("cpu") + number(n) + b"tQ"


def tensor(
    key: str,
    shape: tuple[int, ...],
    *,
    n: int | None = None,
    stride: tuple[int, ...] | None = None,
    offset: int = 0,
    kind: str = "torch.FloatStorage",
) -> bytes:
    """Push a tensor over a storage, as torch.save writes it."""
    steps = [1]
    for length in reversed(shape[1:]):
        steps.insert(0, steps[0] * length)
    stride = tuple(steps[: len(shape)]) if stride is None else stride
    n = int(np.prod(shape)) if n is None else n
    hooks = name("collections.OrderedDict") + b")R"
    return call(
        "torch._utils._rebuild_tensor_v2",
        storage(key, n, kind),
        number(offset),
        numbers(shape),
        numbers(stride),
        b"\x89",
        hooks,
    )


def mapping(items: dict[str, bytes]) -> bytes:
    """Push a dictionary."""
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def pickled(body: bytes) -> bytes:
    """A whole pickle of protocol 2."""
    return b"\x80\x02" + body + b"."


def torch_parts(pickle: bytes, storages: dict[str, bytes] | None = None, root: str = "archive") -> list[Part]:
    """The members of what torch.save writes."""
    parts = [Part(f"{root}/data.pkl", pickle), Part(f"{root}/byteorder", b"little")]
    parts += [Part(f"{root}/data/{key}", data) for key, data in (storages or {}).items()]
    return [*parts, Part(f"{root}/version", b"3\n")]


def torch_zip(pickle: bytes, storages: dict[str, bytes] | None = None) -> bytes:
    """A checkpoint."""
    return zip_bytes(*torch_parts(pickle, storages))


def old_torch(
    pickle: bytes,
    storages: dict[str, bytes] | None = None,
    *,
    keys: bytes | None = None,
    little: bytes = b"\x88",
) -> bytes:
    """A checkpoint in the form of before torch 1.6, with the storages that the pickle names.

    A reference to a storage has a sixth field there: None, or which part of it is meant.
    """
    named = {
        k: data for k, data in (storages or {}).items() if text("storage") in pickle and text(k) in pickle
    }
    start = OLD_MAGIC + pickled(number(1001))
    start += pickled(mapping({"protocol_version": number(1001), "little_endian": little, "type_sizes": b"}"}))
    listed = pickled(b"]" + b"".join(text(key) + b"a" for key in named)) if keys is None else keys
    data = b"".join(struct.pack("<q", len(raw) // 4) + raw for raw in named.values())
    return start + pickle.replace(b"tQ", b"NtQ") + listed + data


OLD_MAGIC = b"\x80\x02\x8a\x0a" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little") + b"."


def floats(n: int, fill: float = 0.5) -> bytes:
    """n float32 numbers."""
    return np.full(n, fill, "<f4").tobytes()


def network(n_classes: int = 10, width: int = 8, fill: float = 0.5) -> bytes:
    """A sound checkpoint of a layer and a head."""
    items = {
        "body.weight": tensor("0", (width, 3, 3, 3)),
        "head.weight": tensor("1", (n_classes, width)),
        "head.bias": tensor("2", (n_classes,)),
    }
    sizes = {"0": 27 * width, "1": n_classes * width, "2": n_classes}
    return torch_zip(pickled(mapping(items)), {key: floats(n, fill) for key, n in sizes.items()})


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file; a header of bytes is written as it is."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(shape: list[Any], start: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    """An entry of a safetensors header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def head_safetensors(n_classes: int, width: int = 4, fill: float = 0.5) -> bytes:
    """A sound safetensors file of a head alone, in float16."""
    n = n_classes * width
    header = {
        "head.bias": entry([n_classes], 0, 2 * n_classes, "F16"),
        "head.weight": entry([n_classes, width], 2 * n_classes, 2 * n_classes + 2 * n, "F16"),
    }
    return safetensors(header, np.full(n + n_classes, fill, "<f2").tobytes())


def npy(header: str, data: bytes = b"") -> bytes:
    """An .npy file with this header."""
    raw = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + data


def npy_of(array: np.ndarray[Any, Any]) -> bytes:
    """An .npy file of a contiguous array."""
    return npy(
        f"{{'descr': {array.dtype.str!r}, 'fortran_order': False, 'shape': {array.shape!r}, }}",
        array.tobytes(),
    )


def png(width: int = 4, height: int = 4, claim: tuple[int, int] | None = None) -> bytes:
    """A grey PNG, which may claim another size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", *(claim or (width, height)), 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def image_folder(**more: bytes) -> bytes:
    """A sound zip of two classes with two images each."""
    paths = [f"train/{c}/{i}.png" for c in ("cat", "dog") for i in range(2)]
    return zip_bytes(*(Part(p, png()) for p in paths), *(Part(p, data) for p, data in more.items()))
