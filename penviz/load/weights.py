"""Weights of a foreign file, read only after its report found nothing to refuse, and loaded strictly."""

from __future__ import annotations

import argparse
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from penviz import InputError
from penviz.activations import DAMAGED
from penviz.foreign.limits import Limits
from penviz.foreign.report import FileReport, Refused
from penviz.foreign.safetensors_header import INDEX_SUFFIX, shard_paths
from penviz.foreign.weights_found import WRAPPERS, undo_prefixes
from penviz.load.architectures import compare
from penviz.runs import RunError

UNREADABLE: tuple[type[Exception], ...] = (
    *DAMAGED,
    *(SafetensorError, StopIteration, pickle.UnpicklingError),
)
"""What reading a file that changed after its inspection raises."""

LONGEST_DIFF = 12
"""Lines of each kind that a diff shows."""


def read_weights(path: Path, report: FileReport, trust: bool = False) -> dict[str, Tensor]:
    """Read a file's tensors under the keys of its report, on the CPU, half precisions as float32.

    Args:
        path: the file, the index of shards or the directory that the report describes.
        report: what `penviz.foreign.inspection.inspect_file` found.
        trust: for one's own files on the command line only: a pickle is executed, with a warning.

    Raises:
        Refused: the report refuses the file, or a tensor is larger than what is stored of it.
        RunError: the file cannot be read after all, or holds no tensors.
    """
    if report.refusal and not trust:
        raise Refused(report.refusal, report.advice)
    try:
        stored = _read_shards(path) if report.kind == "safetensors" else _read_pickle(path, trust)
    except InputError:
        raise
    except UNREADABLE as error:
        said = " ".join(str(error).split())[:160].rstrip(".")
        raise RunError(f"{report.name} cannot be read: {said or type(error).__name__}.") from None
    tensors = _named_as(report, stored) if report.tensors else _undo_wrappers(stored)
    if not tensors:
        raise RunError(f"{report.name} holds no weights.")
    return {key: _as_float32(key, tensor, report.name) for key, tensor in tensors.items()}


def _read_shards(path: Path) -> dict[str, Tensor]:
    """Tensors of one safetensors file, or of all that an index or a directory names."""
    if path.is_dir():
        indexes = sorted(path.glob(f"*{INDEX_SUFFIX}"))
        path = indexes[0] if indexes else next(iter(sorted(path.glob("*.safetensors"))))
    paths = shard_paths(path, Limits())[1] if path.name.endswith(INDEX_SUFFIX) else [path]
    stored: dict[str, Tensor] = {}
    for part in paths:
        with safe_open(part, framework="pt", device="cpu") as file:
            stored |= {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    return stored


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
    """Tensors of a payload under the keys of the report: down its wrapper, then by their stored keys."""
    group = {"tensor": stored} if isinstance(stored, Tensor) else stored
    for name in report.wrapper:
        group = _below(group, name)
    found = {}
    for entry in report.tensors:
        tensor = _below(group, entry.stored_key)
        if not isinstance(tensor, Tensor) or tuple(tensor.shape) != entry.shape:
            raise RunError(f"{report.name} has changed since it was inspected: {entry.stored_key} differs.")
        found[entry.key] = tensor
    return found


def _below(group: Any, name: str) -> Any:
    """An item of a mapping or a list by its name as a report has it; None where there is none."""
    if isinstance(group, Mapping):
        return group.get(name, group.get(int(name)) if name.isdecimal() else None)
    if isinstance(group, list | tuple) and name.isdecimal() and int(name) < len(group):
        return group[int(name)]
    return None


def _undo_wrappers(stored: Any) -> dict[str, Tensor]:
    """The state dict in what a trusted pickle gave: a module, or mappings inside each other."""
    tensors: dict[str, Tensor] = {}
    while stored is not None and not tensors:
        if isinstance(stored, nn.Module):
            stored = stored.state_dict()
        if not isinstance(stored, Mapping):
            return {}
        tensors = {str(key): value for key, value in stored.items() if isinstance(value, Tensor)}
        stored = next((stored[name] for name in WRAPPERS if name in stored), None)
    keys, _, _ = undo_prefixes(list(tensors))
    return {key: t for key, t in zip(keys, tensors.values(), strict=True) if key is not None}


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
