"""The tensors in the pickle of a file of torch.save: which names it may ask for, and where each tensor lies.

The zip of torch 1.6 and later (`torch_zip`) and the form before it (`torch_legacy`) hold the same pickle and
differ in where the storages lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penviz.external.reader import next_steps, torch_names
from penviz.external.reader.limits import Limits
from penviz.external.reader.pickle_nodes import Call, Global, Persistent, Tree
from penviz.external.reader.report import Refused, printable
from penviz.external.reader.stored import ITEM_BYTES, StoredTensor

UNREAD = ("torch._utils.", "torch.Q", "torch.per_", "torch.sparse_")
"""Beginnings of the names that quantised and sparse tensors ask for."""


@dataclass(frozen=True)
class TorchFile:
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


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the file: dtype, position and length in bytes."""

    dtype: str
    position: int
    n_bytes: int


@dataclass(frozen=True)
class Reference:
    """What the pickle says of a storage.

    Attributes:
        key: its name in the file; dtype: of its elements; n: how many.
        view: of torch 0.x, which part of the storage stands in its place, else None.
    """

    key: str
    dtype: str
    n: int
    view: Any = None

    @property
    def n_bytes(self) -> int:
        """Of the whole storage."""
        return self.n * ITEM_BYTES[self.dtype]


def reference(node: Persistent, n_fields: int) -> Reference:
    """What a reference in the pickle says; `n_fields` is 5 in a zip and 6 in the older form.

    Raises:
        Refused: no storage, or one of an unknown kind or length.
    """
    identifier = node.identifier
    if isinstance(identifier, tuple) and identifier and _is(identifier[0], "module"):
        raise Refused(WHOLE_MODULE, next_steps.STATE_DICT)
    if not isinstance(identifier, tuple) or len(identifier) != n_fields or not _is(identifier[0], "storage"):
        raise Refused("The pickle refers to something that is no storage.", next_steps.REWRITE)
    kind, key, n = identifier[1], identifier[2], identifier[4]
    if not isinstance(kind, Global) or kind.name not in torch_names.STORAGE_DTYPES:
        raise Refused("The file holds a storage of a kind that penviz does not know.", next_steps.REWRITE)
    if not isinstance(key, str):
        raise Refused("The pickle names a storage that the file does not hold.")
    if not is_length(n):
        raise Refused(wrong_length(key), next_steps.REWRITE)
    return Reference(key, torch_names.STORAGE_DTYPES[kind.name], n, *identifier[5:])


WHOLE_MODULE = "This file holds a whole pickled module, which runs code when it is loaded."


def wrong_length(key: str) -> str:
    """The sentence on a storage whose length is not the one stated."""
    return f"Storage {printable(key, 60)} does not have the length that the pickle states."


def check_names(tree: Tree | None, names: tuple[str, ...]) -> None:
    """Refuse a pickle that asks for names outside the list; `tree` is None where the walk broke off."""
    foreign = [name for name in names if name not in torch_names.ALLOWED]
    found = next_steps.where_weights(tree) if tree and foreign else ""
    if any(name.startswith("torch.nn.modules.") for name in foreign):
        raise Refused(
            f"{WHOLE_MODULE.removesuffix('.')} (it asks for {some(foreign)}).",
            next_steps.of_object(found or ".state_dict()"),
            globals=names,
        )
    if foreign and all(name.startswith(UNREAD) for name in foreign):
        raise Refused(
            f"The file holds tensors of a kind that penviz does not read ({some(foreign)}).",
            next_steps.as_dense(found),
            globals=names,
        )
    if foreign:
        raise Refused(
            f"The pickle in this file asks for {some(foreign)}, which could run code when it is loaded.",
            next_steps.of_object(found),
            globals=names,
        )


def check_calls(tree: Tree) -> None:
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
                next_steps.STATE_DICT,
                globals=tree.globals,
            )


def some(names: list[str]) -> str:
    """The first three of some names, and how many more there are."""
    shown = ", ".join(printable(name, 80) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3:,} more"


@dataclass
class TensorReader:
    """Reads the tensors that the calls of a pickle describe.

    Attributes:
        path: of the file; limits: of its lengths; storages: id(reference in the tree) -> where it lies.
        tensors: id(call) -> tensor.
    """

    path: Path
    limits: Limits
    storages: Mapping[int, Storage]
    tensors: dict[int, StoredTensor] = field(default_factory=dict)
    n_tensors: int = 0
    viewed: int = 0

    def read(self, nodes: tuple[Call | Persistent, ...]) -> dict[int, StoredTensor]:
        """The tensors of all calls that make one.

        Raises:
            Refused: a tensor larger than its storage or of an unknown description, too many tensors or views.
        """
        for node in nodes:
            if isinstance(node, Call):
                self._call(node)
        stored = sum(size for _, size in {(s.position, s.n_bytes) for s in self.storages.values()})
        if self.viewed > self.limits.view_ratio * stored:
            raise Refused(
                f"The tensors take {self.viewed / max(stored, 1):,.0f} times the bytes in the file.",
                next_steps.COPIES,
            )
        return self.tensors

    def _call(self, node: Call) -> None:
        name, arguments = node.function.name, node.arguments
        if name == torch_names.SUBCLASS_CALL:
            if (
                len(arguments) < 3
                or not isinstance(arguments[0], Global)
                or not isinstance(arguments[2], tuple)
            ):
                raise _wrong()
            name, arguments = arguments[0].name, arguments[2]
        if name in torch_names.TENSOR_CALLS:
            self.tensors[id(node)] = self._tensor(name, arguments)
        elif name in torch_names.WRAPPING_CALLS:
            inner = self.tensors.get(id(arguments[0])) if arguments else None
            if inner is None:
                raise _wrong()
            self.tensors[id(node)] = inner
        elif node.function.name == torch_names.SUBCLASS_CALL:
            raise _wrong()

    def _tensor(self, name: str, arguments: tuple[Any, ...]) -> StoredTensor:
        self.n_tensors += 1
        if self.n_tensors > self.limits.n_tensors:
            raise Refused(f"The file holds more than {self.limits.n_tensors:,} tensors.")
        if len(arguments) < torch_names.TENSOR_CALLS[name]:
            raise _wrong()
        storage = self.storages.get(id(arguments[0]))
        offset, shape, stride = arguments[1], _lengths(arguments[2]), arguments[3]
        dtype = storage.dtype if storage else ""
        if name.endswith("_v3"):
            dtype = torch_names.DTYPES.get(arguments[6].name, "") if isinstance(arguments[6], Global) else ""
        if storage is None or shape is None or not dtype or not is_length(offset):
            raise _wrong()
        if not isinstance(stride, tuple) or len(stride) != len(shape) or not all(map(is_length, stride)):
            raise _wrong()
        check_shape(shape, self.limits)
        item = ITEM_BYTES[dtype]
        tensor = StoredTensor("", dtype, shape, stride, self.path, storage.position, storage.n_bytes, offset)
        n = tensor.n_elements
        last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
        if n and ((last + 1) * item > storage.n_bytes or n * item > storage.n_bytes):
            raise Refused(
                f"A tensor of shape {list(shape)} in this file is larger than its storage.",
                next_steps.COPIES,
            )
        self.viewed += n * item
        return tensor


def _wrong() -> Refused:
    return Refused(
        "A tensor in this file is described in a way that penviz does not know.", next_steps.REWRITE
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


def is_length(value: Any) -> bool:
    """A count of elements, not so large that sums of products overflow 64 bits."""
    return type(value) is int and 0 <= value < 2**62


def _lengths(node: Any) -> tuple[int, ...] | None:
    if isinstance(node, Call) and node.function.name == "torch.Size" and len(node.arguments) == 1:
        node = node.arguments[0]
    if isinstance(node, list):
        node = tuple(node)
    return node if isinstance(node, tuple) and all(map(is_length, node)) else None
