"""What torch.save wrote: the tree of its pickle, and where each tensor lies in the zip."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penviz.foreign import torch_names
from penviz.foreign.archive import Archive, Member
from penviz.foreign.limits import Limits
from penviz.foreign.pickle_nodes import Call, Global, Persistent, Tree
from penviz.foreign.pickle_tree import read_tree
from penviz.foreign.report import Refused, printable
from penviz.foreign.stored import ITEM_BYTES, StoredTensor

SAVE_AGAIN = (
    "Where the file comes from, load the model there and save its weights alone: "
    "torch.save(model.state_dict(), 'weights.pt')."
)
REWRITE = "Load it where you trust it and write it again with torch.save(weights, 'weights.pt')."
UNREAD = ("torch._utils.", "torch.Q", "torch.per_", "torch.sparse_")
"""Beginnings of the names that quantised and sparse tensors ask for."""
_KEY = re.compile(r"[\w.-]{1,100}\Z")
_PLAIN = (
    "data.pkl",
    "version",
    "byteorder",
    ".format_version",
    ".storage_alignment",
    ".data/serialization_id",
)


@dataclass(frozen=True)
class TorchZip:
    """A checkpoint: its tree, and its tensors by the identity of the call that makes them.

    Attributes:
        tree: of the pickle; tensors: id(call) -> tensor, its key still empty; notes: sentences for the user.
    """

    tree: Tree
    tensors: dict[int, StoredTensor]
    notes: tuple[str, ...]

    def tensor(self, node: Any) -> StoredTensor | None:
        """The tensor that a node of the tree stands for, or None."""
        return self.tensors.get(id(node))


def read_torch_zip(archive: Archive, path: Path, limits: Limits) -> TorchZip:
    """Read a checkpoint from its zip; no name in it is looked up and nothing is called.

    Raises:
        Refused: names outside the list, a pickle that is not understood, a storage that is missing or of
            another length, a tensor larger than its storage, compressed members, other byte orders.
    """
    archive.require_stored("a file of torch.save", REWRITE)
    root = next(name for name in archive.members if name.endswith("/data.pkl")).removesuffix("data.pkl")
    outside = [name for name in archive.members if not name.startswith(root)]
    if outside:
        raise Refused(f"The zip holds {printable(outside[0])} beside the checkpoint.", REWRITE)
    members = {name.removeprefix(root): member for name, member in archive.members.items()}
    if (order := members.get("byteorder")) and archive.content(order, 64) != b"little":
        raise Refused("The numbers in this file are big-endian, which penviz does not read.", REWRITE)
    try:
        tree = read_tree(archive.content(members["data.pkl"], limits.pickle_bytes), limits)
    except Refused as refused:
        names = refused.found.get("globals", ())
        _check_names(names)  # what it asks for says more than where it breaks
        if any(name in torch_names.NUMPY_ARRAYS for name in names):
            refused.advice = SAVE_AGAIN  # large arrays lie in the pickle itself, where tensors do not
        raise
    if tree.end != members["data.pkl"].size:
        raise Refused("Bytes stand behind the end of the pickle.", REWRITE, globals=tree.globals)
    _check_names(tree.globals)
    _check_calls(tree)
    reader = _Reader(members, path, limits)
    try:
        for node in tree.nodes:
            reader.read(node)
        reader.check_views()
    except Refused as refused:
        refused.found.setdefault("globals", tree.globals)
        raise
    notes = []
    if archive.is_unchecked:
        notes.append("The file was written without checksums, so damage to it cannot be seen.")
    unknown = [name for name in members if name not in _PLAIN and not name.startswith("data/")]
    if unknown:
        notes.append(f"The zip also holds {_some(unknown)}, which penviz does not read.")
    return TorchZip(tree, reader.tensors, tuple(notes))


def _check_names(names: tuple[str, ...]) -> None:
    foreign = [name for name in names if name not in torch_names.ALLOWED]
    if any(name.startswith("torch.nn.modules.") for name in foreign):
        raise Refused(
            "This file holds a whole pickled module, which runs code when it is loaded "
            f"(it asks for {_some(foreign)}).",
            SAVE_AGAIN,
            globals=names,
        )
    if foreign and all(name.startswith(UNREAD) for name in foreign):
        raise Refused(
            f"The file holds tensors of a kind that penviz does not read ({_some(foreign)}).",
            "Save them as plain dense tensors: torch.save({k: v.dequantize() for k, v in weights.items()}, "
            "'weights.pt').",
            globals=names,
        )
    if foreign:
        raise Refused(
            f"The pickle in this file asks for {_some(foreign)}, which could run code when it is loaded.",
            SAVE_AGAIN,
            globals=names,
        )


def _check_calls(tree: Tree) -> None:
    """Every call makes what is known, and only what can take items or a state is given them."""
    for node in tree.nodes:
        if not isinstance(node, Call):
            continue
        name = node.function.name
        wrong = (
            f"calls {name}"
            if name not in torch_names.CALLS
            else f"sets items of {name}"
            if (node.pairs and name not in torch_names.MAPPINGS)
            or (node.items and name not in torch_names.COLLECTIONS)
            else f"sets the state of {name}"
            if node.state is not None and name not in torch_names.WITH_STATE
            else ""
        )
        if wrong:
            raise Refused(
                f"The pickle in this file {wrong}, which no checkpoint does.",
                SAVE_AGAIN,
                globals=tree.globals,
            )


def _some(names: list[str]) -> str:
    shown = ", ".join(printable(name, 80) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3:,} more"


@dataclass(frozen=True)
class _Storage:
    member: Member
    dtype: str


class _Reader:
    def __init__(self, members: dict[str, Member], path: Path, limits: Limits):
        self.members = members
        self.path = path
        self.limits = limits
        self.storages: dict[int, _Storage] = {}
        self.tensors: dict[int, StoredTensor] = {}
        self.n_tensors = 0
        self.viewed = 0

    def read(self, node: Call | Persistent) -> None:
        if isinstance(node, Persistent):
            self.storages[id(node)] = self.storage(node)
            return
        name, arguments = node.function.name, node.arguments
        if name == torch_names.SUBCLASS_CALL:
            if (
                len(arguments) < 3
                or not isinstance(arguments[0], Global)
                or not isinstance(arguments[2], tuple)
            ):
                raise self.wrong()
            name, arguments = arguments[0].name, arguments[2]
        if name in torch_names.TENSOR_CALLS:
            self.tensors[id(node)] = self.tensor(name, arguments)
        elif name in torch_names.WRAPPING_CALLS:
            inner = self.tensors.get(id(arguments[0])) if arguments else None
            if inner is None:
                raise self.wrong()
            self.tensors[id(node)] = inner
        elif node.function.name == torch_names.SUBCLASS_CALL:
            raise self.wrong()

    def wrong(self, why: str = "is described in a way that penviz does not know") -> Refused:
        return Refused(f"A tensor in this file {why}.", REWRITE)

    def storage(self, node: Persistent) -> _Storage:
        identifier = node.identifier
        if not isinstance(identifier, tuple) or len(identifier) != 5 or not _is(identifier[0], "storage"):
            raise Refused("The pickle refers to something that is no storage.", REWRITE)
        kind, key, n = identifier[1], identifier[2], identifier[4]
        if not isinstance(kind, Global) or kind.name not in torch_names.STORAGE_DTYPES:
            raise Refused("The file holds a storage of a kind that penviz does not know.", REWRITE)
        if not isinstance(key, str) or not _KEY.match(key) or f"data/{key}" not in self.members:
            raise Refused("The pickle names a storage that the file does not hold.")
        dtype = torch_names.STORAGE_DTYPES[kind.name]
        member = self.members[f"data/{key}"]
        if not _is_length(n) or n * ITEM_BYTES[dtype] != member.size:
            raise Refused(f"Storage {key} does not have the length that the pickle states.", REWRITE)
        return _Storage(member, dtype)

    def tensor(self, name: str, arguments: tuple[Any, ...]) -> StoredTensor:
        self.n_tensors += 1
        if self.n_tensors > self.limits.n_tensors:
            raise Refused(f"The file holds more than {self.limits.n_tensors:,} tensors.")
        if len(arguments) < torch_names.TENSOR_CALLS[name]:
            raise self.wrong()
        storage = self.storages.get(id(arguments[0]))
        offset, shape, stride = arguments[1], _lengths(arguments[2]), arguments[3]
        dtype = storage.dtype if storage else ""
        if name.endswith("_v3"):
            dtype = torch_names.DTYPES.get(arguments[6].name, "") if isinstance(arguments[6], Global) else ""
        if storage is None or shape is None or not dtype or not _is_length(offset):
            raise self.wrong()
        if not isinstance(stride, tuple) or len(stride) != len(shape) or not all(map(_is_length, stride)):
            raise self.wrong()
        check_shape(shape, self.limits)
        item = ITEM_BYTES[dtype]
        tensor = StoredTensor(
            "", dtype, shape, stride, self.path, storage.member.position, storage.member.size, offset
        )
        n = tensor.n_elements
        last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
        if n and ((last + 1) * item > storage.member.size or n * item > storage.member.size):
            raise Refused(
                f"A tensor of shape {list(shape)} in this file is larger than its storage.",
                "Save a copy of it: torch.save({k: v.contiguous().clone() for k, v in weights.items()}, "
                "'weights.pt').",
            )
        self.viewed += n * item
        return tensor

    def check_views(self) -> None:
        stored = sum(member.size for name, member in self.members.items() if name.startswith("data/"))
        if self.viewed > self.limits.view_ratio * stored:
            raise Refused(
                f"The tensors take {self.viewed / max(stored, 1):,.0f} times the bytes in the file.",
                REWRITE,
            )


def check_shape(shape: tuple[int, ...], limits: Limits) -> None:
    """Refuse a shape with too many axes or elements."""
    n = 1
    for length in shape:
        n *= max(length, 1)
        if n > limits.n_elements:
            raise Refused("A tensor in this file claims more numbers than any file can hold.")
    if len(shape) > limits.n_axes:
        raise Refused(f"A tensor in this file has {len(shape)} axes; at most {limits.n_axes} are read.")


def _is(node: Any, text: str) -> bool:
    return isinstance(node, str) and node == text


def _is_length(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62


def _lengths(node: Any) -> tuple[int, ...] | None:
    if isinstance(node, Call) and node.function.name == "torch.Size" and len(node.arguments) == 1:
        node = node.arguments[0]
    if isinstance(node, list):
        node = tuple(node)
    return node if isinstance(node, tuple) and all(map(_is_length, node)) else None
