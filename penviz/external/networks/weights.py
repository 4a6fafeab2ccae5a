"""Weights of a foreign file, read only after its report found nothing to refuse, and loaded strictly."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from penviz.external.networks.architectures import compare
from penviz.external.reader.class_count import count_classes
from penviz.external.reader.inspection import read_contents
from penviz.external.reader.report import FileReport, Refused, TensorEntry
from penviz.external.reader.stored import NUMPY_DTYPES, StoredTensor
from penviz.external.reader.weights_found import OF_OPTIMIZER, WRAPPERS, undo_prefixes
from penviz.store.run_config import RunError

LONGEST_DIFF = 12
"""Lines of each kind that a diff shows."""


def read_weights(path: Path, report: FileReport) -> dict[str, Tensor]:
    """Read a file's tensors under the keys of its report, on the CPU, floating numbers as float32.

    The bytes are read where the inspection found them: no pickle is executed, not even in part.

    Args:
        path: the file, the index of shards or the directory that the report describes.
        report: what `penviz.external.reader.inspection.inspect_file` found.

    Raises:
        Refused: the report refuses the file.
        RunError: the file has changed since, or holds no weights of a network.
    """
    if report.refusal:
        raise Refused(report.refusal, report.advice)
    contents = read_contents(path)
    if contents.report.sha256 != report.sha256:
        raise RunError(f"{report.name} has changed since it was inspected.")
    if not contents.stored:
        raise RunError(f"{report.name} holds no weights.")
    return {
        entry.key: _as_float32(_tensor(stored))
        for entry, stored in zip(report.tensors, contents.stored, strict=True)
    }


def _tensor(stored: StoredTensor) -> Tensor:
    numbers = torch.from_numpy(stored.read())
    return numbers.view(getattr(torch, stored.dtype)) if stored.dtype in NUMPY_DTYPES else numbers


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def unpickle(path: Path, report: FileReport) -> tuple[dict[str, Tensor], FileReport]:
    """Execute a pickle of one's own that the report refuses: on the command line, when asked to.

    Returns:
        The weights of the module or of the mappings in it, and the report with what they say.

    Raises:
        RunError: it cannot be unpickled, or holds no dense weights.
    """
    try:
        if report.kind == "legacy pickle":
            with path.open("rb") as file:
                stored = pickle.load(file)
        else:
            stored = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever the code in it raises
        said = " ".join(str(error).split())[:160].rstrip(".")
        raise RunError(f"{report.name} cannot be unpickled: {said or type(error).__name__}.") from None
    tensors = _state_dict(stored)
    keys, prefix, _ = undo_prefixes(list(tensors))
    weights = {
        key: _as_float32(tensor.detach())
        for key, tensor in zip(keys, tensors.values(), strict=True)
        if key is not None
    }
    if not weights or any(t.layout != torch.strided or t.is_quantized for t in weights.values()):
        raise RunError(f"{report.name} holds no dense weights.")
    entries = tuple(
        TensorEntry(key, tuple(t.shape), str(t.dtype).removeprefix("torch."), t.nbytes, prefix + key)
        for key, t in weights.items()
    )
    n_classes, evidence = count_classes(entries)
    found = replace(
        report,
        refusal="",
        advice="",
        tensors=entries,
        prefix=prefix,
        n_classes=n_classes,
        n_classes_evidence=evidence,
        not_finite=tuple(key for key, t in weights.items() if not torch.isfinite(t).all()),
    )
    return weights, found


def _state_dict(stored: Any, depth: int = 4) -> dict[str, Tensor]:
    """The state dict of a module, or in mappings inside each other: under a usual key, else the largest."""
    if isinstance(stored, nn.Module):
        stored = stored.state_dict()
    if not isinstance(stored, Mapping) or depth == 0 or set(stored) >= OF_OPTIMIZER:
        return {}
    tensors = {
        str(key): torch.as_tensor(value)
        for key, value in stored.items()
        if isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiub")
    }
    usual = (_state_dict(stored[name], depth - 1) for name in WRAPPERS if name in stored)
    others = (_state_dict(value, depth - 1) for value in stored.values())
    return next(filter(None, usual), None) or tensors or max(others, key=len, default={})


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
