"""What torch.save wrote before 1.6: five pickles, one behind the other, and then the storages as in memory.

The pickles are a magic number, the version 1001, what the machine was, the object, and the keys of the
storages in the order in which they follow. Each storage is its number of elements in 8 bytes, then the
elements. Source: `_legacy_save` and `_legacy_load` of torch/serialization.py (2.14).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from penviz.external.reader import next_steps
from penviz.external.reader.limits import Limits
from penviz.external.reader.pickle_nodes import Mapping, Persistent, Tree
from penviz.external.reader.pickle_tree import read_tree
from penviz.external.reader.report import Refused, printable
from penviz.external.reader.stored import ITEM_BYTES
from penviz.external.reader.torch_tensors import (
    Reference,
    Storage,
    TensorReader,
    TorchFile,
    is_length,
    reference,
    wrong_length,
)
from penviz.external.reader.torch_zip import read_checked

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
VERSION = 1001
COUNT_BYTES = 8
NOT_WHOLE = "The file is cut short, or something stands behind its end."


def is_legacy_torch(head: bytes, limits: Limits) -> bool:
    """Whether a file that begins so begins with torch's magic number."""
    if head[:1] not in (b"\x80", b"L"):
        return False
    try:
        return bool(_is_number(read_tree(head, limits).root, MAGIC_NUMBER))
    except Refused:
        return False


def read_torch_legacy(file: BinaryIO, path: Path, limits: Limits) -> TorchFile:
    """Read a checkpoint of before torch 1.6; no name in it is looked up and nothing is called.

    Raises:
        Refused: what `read_torch_zip` refuses, and a file that does not end behind its last storage.
    """
    n_bytes = file.seek(0, 2)
    file.seek(0)
    data = file.read(limits.pickle_bytes)
    try:
        at = _check_start(data, limits)
        tree = read_checked(data, limits, at)
        keys = read_checked(data, limits, tree.end)
    except Refused as refused:
        if "cut short" in str(refused) and n_bytes > len(data):
            sentence = f"The pickle of this file is longer than {limits.pickle_bytes:,} bytes."
            raise Refused(sentence, next_steps.STATE_DICT, **refused.found) from None
        raise
    try:
        told = {id(node): reference(node, 6) for node in tree.nodes if isinstance(node, Persistent)}
        places = _places(file, keys, told, n_bytes, limits)
        views: dict[str, tuple[Any, ...]] = dict.fromkeys(places, ())
        storages = {node: _viewed(one, places[one.key], views) for node, one in told.items()}
        tensors = TensorReader(path, limits, storages).read(tree.nodes)
    except Refused as refused:
        refused.found.setdefault("globals", tree.globals)
        raise
    return TorchFile(
        tree, tensors, ("Files of before torch 1.6 have no checksums, so damage cannot be seen.",)
    )


def _check_start(data: bytes, limits: Limits) -> int:
    """Where the pickle of the object begins, behind the three that say what wrote it."""
    magic = read_checked(data, limits)
    version = read_checked(data, limits, magic.end)
    machine = read_checked(data, limits, version.end)
    if not _is_number(version.root, VERSION):
        raise Refused("This form of torch's old files is unknown.", next_steps.REWRITE)
    little = [value for key, value in _pairs(machine.root) if key == "little_endian"]
    if little != [True]:
        raise Refused(
            "The numbers in this file are big-endian, which penviz does not read.", next_steps.REWRITE
        )
    return machine.end


def _stated(names: list[str], told: dict[int, Reference]) -> dict[str, Reference]:
    """What the pickle says of each storage that the file names."""
    if len(set(names)) < len(names):
        raise Refused("Two storages have the same key.", next_steps.REWRITE)
    stated: dict[str, Reference] = {}
    for one in told.values():
        first = stated.setdefault(one.key, one)
        if (first.dtype, first.n) != (one.dtype, one.n):
            raise Refused(f"Storage {printable(one.key, 60)} is described in two ways.", next_steps.REWRITE)
    if stated.keys() - set(names):
        raise Refused("The pickle names a storage that the file does not hold.")
    return stated


def _places(
    file: BinaryIO, keys: Tree, told: dict[int, Reference], n_bytes: int, limits: Limits
) -> dict[str, Storage]:
    """Where each storage lies: they follow the pickles in the order of the keys, to the end of the file."""
    names = keys.root
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused("The keys of the storages are no list of texts.", next_steps.REWRITE)
    if len(names) > limits.n_tensors:
        raise Refused(f"The file names more than {limits.n_tensors:,} storages.")
    stated = _stated(names, told)
    places, at = {}, keys.end
    for name in names:
        if name not in stated:
            raise Refused(f"The pickle does not describe storage {printable(name, 60)}.", next_steps.REWRITE)
        one = stated[name]
        file.seek(at)
        count = file.read(COUNT_BYTES)
        if len(count) < COUNT_BYTES:
            raise Refused(NOT_WHOLE, "Copy or download it again.")
        if int.from_bytes(count, "little", signed=True) != one.n:
            raise Refused(wrong_length(name), next_steps.REWRITE)
        places[name] = Storage(one.dtype, at + COUNT_BYTES, one.n_bytes)
        at += COUNT_BYTES + one.n_bytes
        if at > n_bytes:
            raise Refused(NOT_WHOLE, "Copy or download it again.")
    if at != n_bytes:
        raise Refused(NOT_WHOLE, "Copy or download it again.")
    return places


def _viewed(told: Reference, whole: Storage, views: dict[str, tuple[Any, ...]]) -> Storage:
    """The part of a storage that stands in its place: (key, offset, length), as torch 0.x wrote.

    `views` holds what each key stands for so far: torch takes the first of two that differ.
    """
    if told.view is None:
        return whole
    if not isinstance(told.view, tuple) or len(told.view) != 3 or not all(map(is_length, told.view[1:])):
        raise Refused("The pickle refers to something that is no storage.", next_steps.REWRITE)
    view, offset, n = told.view
    if not isinstance(view, str) or views.setdefault(view, (told.key, offset, n)) != (told.key, offset, n):
        raise Refused("A view of a storage is described in two ways.", next_steps.REWRITE)
    if offset + n > told.n:
        raise Refused(
            f"A view of storage {printable(told.key, 60)} is larger than that storage.", next_steps.REWRITE
        )
    item = ITEM_BYTES[told.dtype]
    return Storage(told.dtype, whole.position + offset * item, n * item)


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    return node.pairs if isinstance(node, Mapping) else []


def _is_number(node: Any, value: int) -> bool:
    return type(node) is int and node == value
