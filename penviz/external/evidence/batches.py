"""What a loader hands out, read as the inputs of a network and the labels of its examples."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penviz.store.run_config import RunError

NAMED = ("pixel_values", "input_ids")
"""Keys of a dict whose entries a network takes by name, with the others that its forward names."""

IMAGES = ("image", "images", "img", "x", "input", "inputs")
"""Keys of a dict whose entry is the one input of a network."""

LABELS = ("labels", "label", "targets", "target", "y")
"""Keys of a dict under which the labels stand."""

ADVICE = "pass batch=, a function from a batch to (inputs, labels)"


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a network is called with; the first axis of every tensor counts the n examples."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """n."""
        return len(self.tensors()[0][1])

    def tensors(self) -> list[tuple[str, Tensor]]:
        """All tensors, with their names or places."""
        named = [*((str(i), a) for i, a in enumerate(self.args)), *sorted(self.kwargs.items())]
        return [(name, value) for name, value in named if isinstance(value, Tensor)]

    @property
    def shape(self) -> torch.Size:
        """Of the first tensor."""
        return self.tensors()[0][1].shape

    def map(self, change: Callable[[Tensor], Tensor]) -> Inputs:
        """The same with every tensor changed."""
        args = tuple(change(a) if isinstance(a, Tensor) else a for a in self.args)
        return Inputs(args, {k: change(v) if isinstance(v, Tensor) else v for k, v in self.kwargs.items()})

    def cast(self, dtype: torch.dtype) -> Inputs:
        """The same with real numbers of another type."""
        return self.map(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def double(self) -> Inputs:
        """The same with real numbers as float64."""
        return self.cast(torch.float64)

    def rows(self, some: slice) -> Inputs:
        """Some of the examples, as views."""
        return self.map(lambda t: t[some])

    def take(self, some: NDArray[np.int64]) -> Inputs:
        """Some of the examples, copied."""
        return self.map(lambda t: t[torch.from_numpy(some).to(t.device)])


def joined(parts: Sequence[Inputs]) -> Inputs:
    """The inputs of several batches as one; of the first alone where their shapes do not fit."""
    first = parts[0]
    try:
        args = tuple(
            torch.cat([p.args[i] for p in parts]) if isinstance(a, Tensor) else a
            for i, a in enumerate(first.args)
        )
        kwargs = {
            k: torch.cat([p.kwargs[k] for p in parts]) if isinstance(v, Tensor) else v
            for k, v in first.kwargs.items()
        }
    except (RuntimeError, KeyError, IndexError, TypeError):
        return first
    return Inputs(args, kwargs)


def check_loaders(loaders: Mapping[str, Any]) -> None:
    """RunError for what gives no batches, with the way to a loader."""
    for split, loader in loaders.items():
        kind = type(loader).__name__
        if isinstance(loader, torch.utils.data.Dataset) and not isinstance(
            loader, torch.utils.data.IterableDataset
        ):
            raise RunError(f"{kind}, given for {split}, is a Dataset: wrap it in a DataLoader.")
        if not (hasattr(loader, "__iter__") or hasattr(loader, "__getitem__")):
            way = "take its train_dataloader() and val_dataloader()" if hasattr(loader, "setup") else "pass"
            way = f"{way} a DataLoader" if way == "pass" else way
            raise RunError(f"{kind}, given for {split}, gives no batches: {way}, or a dict of splits.")
        if isinstance(loader, list | tuple) and any(
            isinstance(one, torch.utils.data.DataLoader) for one in loader
        ):
            raise RunError('Several loaders need names: pass {"train": ..., "validation": ...}.')


@dataclass(frozen=True)
class BatchReader:
    """Reads batches for one network.

    Attributes:
        network: whose forward says which entries of a dict it takes by name.
        batch: the user's own function from a batch to (inputs, labels), or None. Inputs are a tensor, a tuple
            of arguments, or a dict of named ones.
    """

    network: nn.Module
    batch: Callable[[Any], tuple[Any, Any]] | None = None

    def read(self, batch: Any) -> tuple[Inputs, NDArray[np.int64]]:
        """Inputs and labels [n] of a batch.

        A tuple or list is (inputs, labels, ...), and what follows is left out. A dict has its inputs under
        one of NAMED or IMAGES, and its labels under one of LABELS.

        Raises:
            RunError: a batch of another form, no tensor in it, or labels that are not one whole number each.
        """
        if self.batch is not None:
            read = self.batch(batch)
            if not isinstance(read, tuple | list) or len(read) != 2:
                raise RunError(f"batch= must return (inputs, labels), not {type(read).__name__}.")
            x, y = read
            inputs = self._inputs(x, everything=True)
        elif isinstance(batch, Mapping):
            inputs, y = self._of_mapping(batch)
        elif isinstance(batch, tuple | list) and len(batch) >= 2:
            inputs, y = self._inputs(batch[0]), batch[1]
        else:
            raise RunError(
                f"A batch must be (inputs, labels) or a dict, not {type(batch).__name__}: {ADVICE}."
            )
        if not inputs.tensors():
            raise RunError(f"The inputs of a batch are no tensor: {ADVICE}.")
        labels = _labels(y)
        if any(t.ndim == 0 or len(t) != len(labels) for _, t in inputs.tensors()):
            raise RunError(f"A batch has {len(labels)} labels for inputs of another number: {ADVICE}.")
        return inputs, labels

    def _of_mapping(self, batch: Mapping[str, Any]) -> tuple[Inputs, Any]:
        label = next((key for key in LABELS if key in batch), None)
        named = any(key in batch for key in NAMED)
        image = next((key for key in IMAGES if key in batch), None)
        if label is None or not (named or image):
            found = ", ".join(map(str, list(batch)[:8])) or "nothing"
            raise RunError(f"A batch is a dict of {found}, without known images and labels: {ADVICE}.")
        if not named:
            assert image is not None
            return Inputs((batch[image],)), batch[label]
        return self._inputs({k: v for k, v in batch.items() if k not in LABELS}), batch[label]

    def _inputs(self, x: Any, everything: bool = False) -> Inputs:
        if isinstance(x, Mapping):
            taken = inspect.signature(self.network.forward).parameters
            return Inputs(kwargs={k: v for k, v in x.items() if everything or k in taken or k in NAMED})
        return Inputs(tuple(x) if isinstance(x, tuple | list) else (x,))


def _labels(y: Any) -> NDArray[np.int64]:
    array = y.detach().cpu().numpy() if isinstance(y, Tensor) and y.dtype != torch.bfloat16 else np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        shape = " x ".join(map(str, array.shape)) or "no axis"
        raise RunError(
            f"Labels must be one whole number for each example, not {array.dtype} of {shape}: {ADVICE}."
        )
    return array.astype(np.int64)


def example_hashes(inputs: Inputs) -> NDArray[np.uint64]:
    """First 8 bytes, big-endian, of the sha256 of all that a network is fed of each example: [n] uint64.

    Names, types and shapes are part of it; how the numbers lie in memory, and on which device, is not.
    """
    start, columns = hashlib.sha256(), []
    for name, tensor in inputs.tensors():
        start.update(f"{name} {tensor.dtype} {tuple(tensor.shape[1:])}\n".encode())
        flat = tensor.detach().cpu().reshape(len(tensor), -1).contiguous()
        columns.append(flat.view(torch.uint8).numpy())
    hashes = np.empty(len(inputs), np.uint64)
    for row in range(len(hashes)):
        digest = start.copy()
        for column in columns:
            digest.update(column[row].data)
        hashes[row] = int.from_bytes(digest.digest()[:8], "big")
    return hashes
