"""Weights of a foreign file, read only after its report found nothing to refuse, and loaded strictly."""

from __future__ import annotations

import argparse
import dataclasses
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from penviz.foreign.report import FileReport, Refused
from penviz.load.architectures import compare
from penviz.runs import RunError

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "ema")
INDEX_SUFFIX = ".safetensors.index.json"
MOST_SHARDS = 1000
LONGEST_DIFF = 12
"""Lines of each kind that a diff shows."""


def inspect_weights(path: Path) -> FileReport:
    """The report of a file, or one of all shards of a `*.safetensors.index.json` or a directory with one.

    Every shard is inspected by itself; one refusal refuses all. The shards must lie beside the index.
    """
    from penviz.foreign.inspection import inspect_file

    index = _index_of(path)
    if index is None:
        return inspect_file(path)
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted({str(name) for name in listed.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return FileReport(index.name, "unknown", 0, "", f"{index.name} is not a readable index of shards.")
    if len(shards) > MOST_SHARDS or any(Path(name).name != name for name in shards):
        return FileReport(index.name, "unknown", 0, "", f"{index.name} names shards outside its directory.")
    parts = []
    for name in shards:
        if not (index.parent / name).is_file():
            return FileReport(index.name, "unknown", 0, "", f"{index.name} names {name}, which is not there.")
        parts.append(inspect_file(index.parent / name))
        if parts[-1].refusal or parts[-1].kind != "safetensors":
            refusal = parts[-1].refusal or f"The shard {name} is not a safetensors file."
            return dataclasses.replace(parts[-1], refusal=refusal)
    return dataclasses.replace(
        max(parts, key=lambda part: part.n_classes is not None),
        name=index.name,
        kind="sharded safetensors",
        n_bytes=sum(part.n_bytes for part in parts),
        sha256=parts[0].sha256 if len(parts) == 1 else _together(parts),
        tensors=tuple(entry for part in parts for entry in part.tensors),
        n_parameters=sum(part.n_parameters for part in parts),
        not_finite=tuple(key for part in parts for key in part.not_finite),
    )


def _together(parts: list[FileReport]) -> str:
    import hashlib

    return hashlib.sha256("".join(part.sha256 for part in parts).encode()).hexdigest()


def _index_of(path: Path) -> Path | None:
    if path.is_dir():
        found = sorted(path.glob(f"*{INDEX_SUFFIX}"))
        return found[0] if found else None
    return path if path.name.endswith(INDEX_SUFFIX) else None


def read_weights(path: Path, report: FileReport, trust: bool = False) -> dict[str, Tensor]:
    """Read a file's tensors under the keys of its report, on the CPU, half precisions as float32.

    Args:
        path: the file, or the index of shards, that the report describes.
        report: what `inspect_weights` found.
        trust: for one's own files on the command line only: a pickle is executed, with a warning.

    Raises:
        Refused: the report refuses the file, or a tensor is larger than what is stored of it.
        RunError: the file cannot be read after all, or holds no tensors.
    """
    if report.refusal and not trust:
        raise Refused(report.refusal, report.advice)
    try:
        if report.kind == "sharded safetensors":
            index = _index_of(path)
            assert index is not None
            listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            stored: Any = {}
            for name in sorted({str(shard) for shard in listed.values()}):
                stored |= _read_safetensors(index.parent / name)
        elif report.kind == "safetensors":
            stored = _read_safetensors(path)
        else:
            stored = _read_pickle(path, trust)
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, EOFError, TypeError) as error:
        if isinstance(error, Refused):
            raise
        said = " ".join(str(error).split())[:160].rstrip(".")
        raise RunError(f"{report.name} cannot be read: {said or type(error).__name__}.") from None
    tensors = _named_as(report, stored) if report.tensors else _undo_wrappers(stored)
    if not tensors:
        raise RunError(f"{report.name} holds no weights.")
    return {key: _as_float32(key, tensor, report.name) for key, tensor in tensors.items()}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, framework="pt", device="cpu") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def _read_pickle(path: Path, trust: bool) -> Any:
    if trust:
        warnings.warn(f"{path.name} is unpickled: it may run any code.", UserWarning, stacklevel=3)
        return torch.load(path, map_location="cpu", weights_only=False)
    # What training scripts leave beside the weights, as inert data: options and numpy's numbers.
    scalar: Any = np._core.multiarray.scalar  # type: ignore[attr-defined]
    kinds = [type(np.dtype(code)) for code in "?bBhHiIlLqQefd"]
    inert: list[Any] = [
        argparse.Namespace,
        np.dtype,
        scalar,
        (scalar, "numpy.core.multiarray.scalar"),
        *kinds,
    ]
    with torch.serialization.safe_globals(inert):
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)


def _named_as(report: FileReport, stored: Any) -> dict[str, Tensor]:
    """Tensors of a payload under the keys of the report, whichever way down leads to their stored keys."""
    places = [stored]
    for name in report.wrapper:
        inner = places[-1].get(name) if isinstance(places[-1], Mapping) else None
        places += [inner] if inner is not None else []
    found = {}
    for entry in report.tensors:
        tensor = next(
            (t for place in reversed(places) if (t := _at(place, entry.stored_key)) is not None), None
        )
        if tensor is None or tuple(tensor.shape) != entry.shape:
            raise RunError(f"{report.name} has changed since it was inspected: {entry.stored_key} differs.")
        found[entry.key] = tensor
    return found


def _at(place: Any, key: str) -> Tensor | None:
    """The tensor of a dotted key in nested mappings whose own keys may hold dots."""
    if not isinstance(place, Mapping):
        return None
    if isinstance(place.get(key), Tensor):
        return place[key]
    for head, inner in place.items():
        if isinstance(head, str) and isinstance(inner, Mapping) and key.startswith(f"{head}."):
            found = _at(inner, key[len(head) + 1 :])
            if found is not None:
                return found
    return None


def _undo_wrappers(stored: Any) -> dict[str, Tensor]:
    """The state dict in what a trusted pickle gave: a module, or mappings inside each other."""
    while True:
        if isinstance(stored, nn.Module):
            stored = stored.state_dict()
        if not isinstance(stored, Mapping):
            return {}
        tensors = {str(key): value for key, value in stored.items() if isinstance(value, Tensor)}
        if tensors:
            break
        stored = next((stored[name] for name in WRAPPERS if name in stored), None)
    for prefix in ("module.", "_orig_mod.", "module."):
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key[len(prefix) :]: value for key, value in tensors.items()}
    return tensors


def _as_float32(key: str, tensor: Tensor, name: str) -> Tensor:
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise Refused(f"{name}: {key} is sparse or quantised, which penviz does not read.")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise Refused(f"{name}: {key} claims more numbers than the file stores.")
    return tensor.float() if tensor.is_floating_point() else tensor


def load_strict(network: nn.Module, weights: Mapping[str, Tensor], name: str = "the network") -> None:
    """Load weights into a network, every key and shape.

    Raises:
        RunError: keys or shapes differ; a sentence, then the lines of the diff.
    """
    own = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    found = compare(name, own, {key: tuple(tensor.shape) for key, tensor in weights.items()})
    if not found.complete:
        lines = [
            *_lines(f"~ {k}: {a} in the file, {b} in the network" for k, a, b in found.mismatched),
            *_lines(f"- {key}: the file lacks it" for key in found.missing),
            *_lines(f"+ {key}: the network lacks it" for key in found.unexpected),
        ]
        sentence = (
            f"The weights do not fit {name}: {found.n_matched} of {found.n_keys} keys and shapes match."
        )
        raise RunError("\n".join([sentence, *lines]))
    try:
        network.load_state_dict(dict(weights), strict=True)
    except RuntimeError as error:
        said = " ".join(str(error).split())[:300].rstrip(".")
        raise RunError(f"The weights do not fit {name}: {said}.") from None


def _lines(lines: Any) -> list[str]:
    listed = [f"  {line}" for line in lines]
    more = len(listed) - LONGEST_DIFF
    return listed[:LONGEST_DIFF] + ([f"  {listed[0].split()[0]} and {more} more"] if more > 0 else [])
