"""What kind a file is, told from its bytes; its name plays no part."""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from penviz.external.reader.archive import END, LOCAL, Archive
from penviz.external.reader.limits import Limits
from penviz.external.reader.pickle_tree import read_tree
from penviz.external.reader.report import Refused
from penviz.external.reader.torch_legacy import is_legacy_torch

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
_CODE = re.compile(r"([^/]+/)?(code/.*|constants\.pkl)\Z")
_EXPORTED = re.compile(
    r"([^/]+/)?(archive_format|archive_version|models/[^/]*\.json|serialized_exported_program\.json|"
    r"serialized_state_dict\.(pt|json)|data/(weights|constants|sample_inputs|aotinductor|executorch)/.*)\Z"
)
"""Members of what torch.export.save writes (csrc/export/pt2_archive_constants.h of torch 2.15), and wrote."""

_KNOWN_MAGIC = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"GGUF", "a GGUF file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"RIFF", "a RIFF file"),
    (b"%PDF", "a PDF file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
    (b"<", "a web page or XML, as a failed download leaves"),
    (b"version https://git-lfs", "a Git LFS pointer, whose file was not downloaded"),
)


_MAGIC = ((b"\x93NUMPY", "npy"), (b"PAR1", "parquet"), (b"\x89HDF\r\n\x1a\n", "HDF5"))
"""First bytes of a file -> its kind."""


def kind_of(file: BinaryIO, limits: Limits) -> tuple[str, str]:
    """Kind of a file, one of report.KINDS, and what an unknown one looks like ("" where nothing fits).

    A zip is only "zip" here; its content says more (kind_of_archive). An index of shards is "index".
    """
    n_bytes = file.seek(0, 2)
    if n_bytes == 0:
        return "empty", ""
    file.seek(0)
    head = file.read(512)
    file.seek(max(n_bytes - 22, 0))
    tail = file.read(22)
    if head.startswith((LOCAL, END)) or (len(tail) == 22 and tail.startswith(END)):
        return "zip", ""  # a zip with something before it is one for some readers: the checks refuse it
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind, ""
    if len(head) > 9 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] < 2**40:
        return "safetensors", ""
    if head.lstrip()[:1] == b"{" and n_bytes <= limits.header_bytes and b'"weight_map"' in _whole(file):
        return "index", ""
    if is_legacy_torch(head, limits) or _is_torch_tar(head):
        return "legacy torch file", ""
    if (head[:1] == b"\x80" and head[1:2] in b"\0\1\2\3\4\5") or _is_old_pickle(file, n_bytes, limits):
        return "legacy pickle", ""
    return _other_kind(file, head, n_bytes)


def _other_kind(file: BinaryIO, head: bytes, n_bytes: int) -> tuple[str, str]:
    """As `kind_of`, for files that hold no arrays that are read here."""
    for magic, what in _KNOWN_MAGIC:
        if head.startswith(magic):
            return "unknown", what
    if head[257:262] == b"ustar":
        return "unknown", "a tar archive"
    if is_onnx(file, n_bytes):
        return "ONNX", ""
    if _is_msgpack(head):
        return "msgpack", ""
    if _is_table(head):
        return "csv", ""
    is_text = head.isascii() and head.decode("ascii").replace("\n", "").isprintable()
    return "unknown", "text" if is_text else ""


def _whole(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def kind_of_archive(archive: Archive) -> str:
    """Kind of a zip, from the names of its members; "unknown" where they fit nothing."""
    names = [name for name, member in archive.members.items() if not member.is_folder]
    if any(_EXPORTED.match(name) for name in names):
        return "pt2"
    if any(_CODE.match(name) for name in names):
        return "TorchScript"
    pickles = [name for name in names if name.count("/") <= 1 and name.rsplit("/")[-1] == "data.pkl"]
    if len(pickles) == 1 and "/" in pickles[0]:
        return "torch zip"
    if any(name.rsplit("/")[-1] == "run.json" and name.count("/") <= 1 for name in names):
        return "penviz run"
    if {"config.json", "model.weights.h5"} <= set(names):
        return "Keras"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    if any(name.lower().endswith(IMAGE_SUFFIXES) for name in names):
        return "zip of images"
    return "unknown"


def _is_torch_tar(head: bytes) -> bool:
    """The tar that torch wrote before its 0.1.10; no reader of today opens it without running its pickles."""
    return head[257:262] == b"ustar" and head.startswith(
        (b"sys_info\0", b"pickle\0", b"storages\0", b"tensors\0")
    )


def _is_msgpack(head: bytes) -> bool:
    """A map (0x81 to 0x8f, 0xde, 0xdf) whose first key is a short text, as Flax writes its weights."""
    start = 1 if 0x81 <= head[0] <= 0x8F else {0xDE: 3, 0xDF: 5}.get(head[0], 0)
    if not start or len(head) <= start or not 0xA1 <= head[start] <= 0xBF:
        return False
    key = head[start + 1 : start + 1 + (head[start] & 0x1F)]
    return key.isascii() and key.decode("ascii").isidentifier()


def _is_old_pickle(file: BinaryIO, n_bytes: int, limits: Limits) -> bool:
    """A pickle of protocol 0 or 1 has no magic: it is one if it can be walked to its last byte."""
    file.seek(0)
    first = file.read(1)
    if first not in b"(]})cILFSVNKMJG\x85" or n_bytes > limits.pickle_bytes:
        return False
    file.seek(n_bytes - 1)
    if file.read(1) != b".":
        return False
    file.seek(0)
    data = file.read()
    try:
        tree = read_tree(data, limits)
    except Refused as refused:
        return bool(refused.found.get("globals"))
    return bool(tree.end == len(data) and len(data) > 2)


def is_onnx(file: BinaryIO, n_bytes: int) -> bool:
    """A protocol buffer with the fields of ONNX's ModelProto (onnx.proto: 1 ir_version, 7 graph)."""
    at, fields = 0, set()
    for _ in range(64):
        file.seek(at)
        head = file.read(20)
        if not head:
            break
        tag, used = _varint(head)
        field, wire = tag >> 3, tag & 7
        if used == 0 or field not in (1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26):
            return False
        value, more = _varint(head[used:])
        if more == 0 or wire not in (0, 2) or (wire == 0) != (field in (1, 5)):
            return False
        at += used + more + (value if wire == 2 else 0)
        if at > n_bytes:
            return False
        fields.add(field)
        if at == n_bytes:
            break
    return {1, 7} <= fields


def _varint(data: bytes) -> tuple[int, int]:
    """A base-128 number and how many bytes it takes; 0 bytes where there is none."""
    value = 0
    for i, byte in enumerate(data[:10]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, i + 1
    return 0, 0


def _is_table(head: bytes) -> bool:
    """Text with two columns or more, as far as the first bytes show."""
    try:
        text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    if any(not c.isprintable() and c not in "\t\r\n\ufeff" for c in text):
        return False
    first, end, rest = text.partition("\n")
    return any(sign in first and (not end or sign in rest) for sign in ",;\t")
