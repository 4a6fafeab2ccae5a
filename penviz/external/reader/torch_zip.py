"""What torch.save writes since 1.6: a zip with the pickle, and every storage as a member of its own."""

from __future__ import annotations

import re
from pathlib import Path

from penviz.external.reader import next_steps, torch_names
from penviz.external.reader.archive import Archive
from penviz.external.reader.limits import Limits
from penviz.external.reader.pickle_nodes import Persistent, Tree
from penviz.external.reader.pickle_tree import read_tree
from penviz.external.reader.report import Refused, printable
from penviz.external.reader.torch_tensors import (
    Storage,
    TensorReader,
    TorchFile,
    check_calls,
    check_names,
    reference,
    some,
    wrong_length,
)

_KEY = re.compile(r"[\w.-]{1,100}\Z")
_PLAIN = (
    "data.pkl",
    "version",
    "byteorder",
    ".format_version",
    ".storage_alignment",
    ".data/serialization_id",
)


def read_torch_zip(archive: Archive, path: Path, limits: Limits) -> TorchFile:
    """Read a checkpoint from its zip; no name in it is looked up and nothing is called.

    Raises:
        Refused: names outside the list, a pickle that is not understood, a storage that is missing or of
            another length, a tensor larger than its storage, compressed members, other byte orders.
    """
    archive.require_stored("a file of torch.save", next_steps.REWRITE)
    root = next(name for name in archive.members if name.endswith("/data.pkl")).removesuffix("data.pkl")
    outside = [name for name in archive.members if not name.startswith(root)]
    if outside:
        raise Refused(f"The zip holds {printable(outside[0])} beside the checkpoint.", next_steps.REWRITE)
    members = {name.removeprefix(root): member for name, member in archive.members.items()}
    if (order := members.get("byteorder")) and archive.content(order, 64) != b"little":
        raise Refused(
            "The numbers in this file are big-endian, which penviz does not read.", next_steps.REWRITE
        )
    tree = read_checked(archive.content(members["data.pkl"], limits.pickle_bytes), limits)
    if tree.end != members["data.pkl"].size:
        raise Refused("Bytes stand behind the end of the pickle.", next_steps.REWRITE, globals=tree.globals)
    try:
        storages = {}
        for node in tree.nodes:
            if isinstance(node, Persistent):
                told = reference(node, 5)
                member = members.get(f"data/{told.key}") if _KEY.match(told.key) else None
                if member is None:
                    raise Refused("The pickle names a storage that the file does not hold.")
                if told.n_bytes != member.size:
                    raise Refused(wrong_length(told.key), next_steps.REWRITE)
                storages[id(node)] = Storage(told.dtype, member.position, member.size)
        tensors = TensorReader(path, limits, storages).read(tree.nodes)
    except Refused as refused:
        refused.found.setdefault("globals", tree.globals)
        raise
    notes = []
    if archive.is_unchecked:
        notes.append("The file was written without checksums, so damage to it cannot be seen.")
    unknown = [name for name in members if name not in _PLAIN and not name.startswith("data/")]
    if unknown:
        notes.append(f"The zip also holds {some(unknown)}, which penviz does not read.")
    return TorchFile(tree, tensors, tuple(notes))


def read_checked(data: bytes, limits: Limits, at: int = 0) -> Tree:
    """The tree of the pickle that begins at a byte, every name and call in it on the list.

    Raises:
        Refused: what `read_tree`, `check_names` and `check_calls` refuse.
    """
    try:
        tree = read_tree(data, limits, at)
    except Refused as refused:
        names = refused.found.get("globals", ())
        check_names(None, names)  # what it asks for says more than where it breaks
        if any(name in torch_names.NUMPY_ARRAYS for name in names):
            refused.advise(
                next_steps.STATE_DICT
            )  # large arrays lie in the pickle itself, where tensors do not
        raise
    check_names(tree, tree.globals)
    check_calls(tree)
    return tree
