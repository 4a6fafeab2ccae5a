"""What an inspection says of a file: a plain record that travels as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from penviz import InputError
from penviz.external.reader.next_steps import NextStep

KINDS = (
    "safetensors",
    "torch zip",
    "legacy torch file",
    "legacy pickle",
    "TorchScript",
    "pt2",
    "ONNX",
    "HDF5",
    "Keras",
    "msgpack",
    "npz",
    "npy",
    "parquet",
    "csv",
    "zip of images",
    "penviz run",
    "empty",
    "unknown",
)
"""What a file can be; told from its bytes, never from its name. Legacy torch files are of before 1.6."""

OF_WEIGHTS = ("torch zip", "legacy torch file", "safetensors")
"""Kinds whose weights are read without running anything."""


class Refused(InputError):
    """A file that may not be loaded; the message is one sentence why.

    Attributes:
        advice: how to convert the file, "" where nothing helps; lines: of Python that do it.
        kind: what the file is, where that was known.
        found: fields of the report that were known by then, such as the globals of a pickle.
    """

    def __init__(self, sentence: str, advice: str | NextStep = "", kind: str = "", **found: Any):
        super().__init__(sentence)
        self.advise(advice)
        self.kind = kind
        self.found = found

    def advise(self, advice: str | NextStep) -> None:
        """Take other advice."""
        step = NextStep(advice) if isinstance(advice, str) else advice
        self.advice, self.lines = step.text, step.lines


@dataclass(frozen=True)
class TensorEntry:
    """One array of a file.

    Attributes:
        key: its name after wrappers and prefixes were undone; stored_key: its name in the file.
        shape: its lengths.
        dtype: "float32", "bfloat16", ... as torch or numpy names it.
        n_bytes: of its elements.
    """

    key: str
    shape: tuple[int, ...]
    dtype: str
    n_bytes: int
    stored_key: str

    @property
    def n_elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class FileReport:
    """What a file is and holds.

    Attributes:
        name: of the file, fit to print; kind: one of KINDS; n_bytes: its length; sha256: hex digest, "" where
            the file was too long to be read. Of a file in several parts both are over all the parts.
        refusal: one sentence, "" for a file that may be loaded; advice: how to convert it;
            lines: of Python that do it.
        tensors: the group of arrays that makes the network, or all arrays of an array file.
        wrapper: the keys that led to that group, such as ("state_dict",); prefix: what was cut off every key.
        extras: short inert text of what lies beside the weights.
        training: what the metadata says of a training by penviz (`own_training.stated_training`).
        globals: the names that a pickle asks for.
        n_parameters: numbers in all floating tensors but the running statistics of normalisation layers.
        n_classes: None where the file does not say it clearly; n_classes_evidence: why.
        not_finite: keys with NaN or infinity.
        notes: what else the user should know, a sentence each.
    """

    name: str
    kind: str
    n_bytes: int
    sha256: str
    refusal: str = ""
    advice: str = ""
    lines: tuple[str, ...] = ()
    tensors: tuple[TensorEntry, ...] = ()
    wrapper: tuple[str, ...] = ()
    prefix: str = ""
    extras: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, str | int] = field(default_factory=dict)
    globals: tuple[str, ...] = ()
    n_parameters: int = 0
    n_classes: int | None = None
    n_classes_evidence: str = ""
    not_finite: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def holds_activations(self) -> bool:
        """Whether it is a file of features and labels, and not of weights."""
        return {tensor.key for tensor in self.tensors} >= {"features", "labels"}

    def to_json(self) -> dict[str, Any]:
        """A dictionary for json.dumps."""
        record = {f.name: getattr(self, f.name) for f in fields(self)}
        record["extras"], record["training"] = dict(self.extras), dict(self.training)
        record["tensors"] = [
            {
                "key": t.key,
                "shape": list(t.shape),
                "dtype": t.dtype,
                "n_bytes": t.n_bytes,
                "stored_key": t.stored_key,
            }
            for t in self.tensors
        ]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in record.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FileReport:
        """The report that to_json wrote."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        values["tensors"] = tuple(
            TensorEntry(**{**entry, "shape": tuple(entry["shape"])}) for entry in data["tensors"]
        )
        return cls(**values)


def printable(text: str, length: int = 200) -> str:
    """Text that can be shown anywhere, cut at a length.

    Stricter than `safe_text`: a no-break space or a joiner is escaped too, because these are technical names,
    of which `str.isprintable` decides in this room what is taken.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: length + 1])
    return shown if len(shown) <= length else shown[: length - 3] + "..."
