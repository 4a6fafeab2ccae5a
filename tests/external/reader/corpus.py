"""Hostile and broken files with what must become of each: a refusal in one sentence, or a correct report.

Those that would run code make a canary, a file or a directory, if any reader ever executes them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from external.reader.corpus_archives import array_files, image_files, safetensors_files, zip_files
from external.reader.corpus_code import code_routes
from external.reader.corpus_others import broken_files, odd_files, other_files
from external.reader.corpus_pickles import old_files, pickle_files, tensor_files
from external.reader.small_files import (
    entry,
    floats,
    head_safetensors,
    old_torch,
    pickled,
    safetensors,
    torch_zip,
)

GROUPS = (
    pickle_files,
    tensor_files,
    old_files,
    zip_files,
    safetensors_files,
    array_files,
    image_files,
    other_files,
    broken_files,
)


@dataclass(frozen=True)
class HostileFile:
    """A file and what must become of it.

    Attributes:
        path: of the file; kind: what the report must call it.
        expectation: "refused", or "report" for a file that is odd and may be loaded.
        says: a pattern that the sentence of refusal must hold; fields: what the report must say.
        runs_code: pickle.load of the file, or of the pickle in it, touches the canary.
    """

    path: Path
    kind: str
    expectation: str
    says: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)
    runs_code: bool = False

    @property
    def label(self) -> str:
        """Its name, for a test's report."""
        return self.path.name


HEAVY = tuple(
    f"old-{label}.pth"
    for label in (
        *(f"pickle-{kind}" for kind in ("opcode-flood", "deep-tuples", "deep-lists", "laughs", "too-long")),
        "tensor-30000-tensors",
    )
)
"""Old forms of files whose zips are in the corpus too; each takes seconds in the same walk."""


def hostile_files(directory: Path, canary: Path, heavy: bool = False) -> list[HostileFile]:
    """Write the corpus into a directory, HEAVY only when asked to."""
    files: list[HostileFile] = []

    def put(
        label: str, data: bytes, kind: str, says: str | dict[str, object], runs_code: bool = False
    ) -> None:
        path = directory / label
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if isinstance(says, str):
            files.append(HostileFile(path, kind, "refused", says, runs_code=runs_code))
        else:
            files.append(HostileFile(path, kind, "report", fields=says))

    for label, pickle in code_routes(canary).items():
        put(f"code-{label}.pt", torch_zip(pickle, {"0": floats(4)}), "torch zip", "", runs_code=True)
        put(f"old-code-{label}.pth", old_torch(pickle), "legacy torch file", "", runs_code=True)
        if label in ("reduce", "protocol-0", "inst", "stack-global", "int-desync", "nested"):
            put(f"legacy-{label}.pth", pickle, "legacy pickle", "torch did not write", runs_code=True)
    for write in GROUPS:
        write(put, canary)
    odd_files(put)
    _on_disk(directory, files)
    return [file for file in files if heavy or file.label not in HEAVY]


def _on_disk(directory: Path, files: list[HostileFile]) -> None:
    """Files that are long without taking room, indexes of shards, and a link to the outside."""

    def sparse(label: str, head: bytes, length: int, kind: str, says: str) -> None:
        path = directory / label
        path.write_bytes(head)
        os.truncate(path, length)
        files.append(HostileFile(path, kind, "refused", says))

    sparse("sparse-10-gb.pt", b"", 10 * 10**9, "unknown", "GiB")
    sparse("sparse-10-gb.safetensors", safetensors({"w": entry([4], 0, 16)}), 10 * 10**9, "unknown", "GiB")
    sparse("header-100-mb.safetensors", safetensors(b"{", length=10**8), 2 * 10**8, "safetensors", "claims")
    sparse("sparse-zip.pt", b"PK\x03\x04", 2**28, "unknown", "cut short")

    def index(label: str, places: dict[str, str], says: str, shards: dict[str, bytes]) -> None:
        folder = directory / label
        folder.mkdir()
        for shard, data in shards.items():
            (folder / shard).write_bytes(data)
        path = folder / "model.safetensors.index.json"
        path.write_text(json.dumps({"weight_map": places}))
        files.append(HostileFile(path, "safetensors", "refused", says))

    head = {"a.safetensors": head_safetensors(10)}
    both = {"head.weight": "a.safetensors", "head.bias": "a.safetensors"}
    index("shard-parent", {"w": "../../../etc/passwd"}, "outside", {})
    index("shard-absolute", {"w": "/etc/passwd"}, "outside", {})
    index("shard-missing", {**both, "w": "b.safetensors"}, "missing", head)
    index(
        "shard-elsewhere",
        {**both, "head.bias": "b.safetensors"},
        "place",
        {**head, "b.safetensors": head_safetensors(10)},
    )
    index("shard-short", {**both, "more": "a.safetensors"}, "names 3", head)
    index("shard-pickle", {"w": "a.safetensors"}, "no safetensors", {"a.safetensors": pickled(b"N")})
    index("shard-none", {}, "weight_map", {})
