"""`penviz.Recorder`: the features of a few examples at some epochs of a training loop, and then a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from penviz import InputError
from penviz.external.evidence.batches import BatchReader, Inputs, joined
from penviz.external.evidence.head import HeadProof
from penviz.external.evidence.loaders import class_names_of, rows_dealt
from penviz.external.evidence.outputs import unwrap
from penviz.external.evidence.restored_state import restored
from penviz.own_code.capture import capture
from penviz.own_code.capture_pass import (
    Batch,
    Seen,
    chosen_rows,
    class_totals,
    first_batches,
    read_batches,
    rows_of,
    see,
)
from penviz.own_code.network_reader import Layer, NetworkReader, find_head
from penviz.store.captured_run import CapturedRun, Statement, check_new, check_splits, save
from penviz.store.run_config import RunError
from penviz.store.snapshots import Snapshots
from penviz.training.snapshots import appended
from penviz.training.train_options import SNAPSHOTS_PER_CLASS

LARGEST_INPUTS = 2**30
"""Bytes of inputs that are kept at most."""

BATCH = 256
"""Examples that are run at once."""


@dataclass(frozen=True, eq=False)
class _Examples:
    """The examples of a split that are run again and again: batches; indices [m]; total [K] of the split."""

    batches: list[Batch]
    indices: NDArray[np.int64]
    total: NDArray[np.int64]


class Recorder:
    """Films a training loop of your own, and writes a run that the app and every command read.

    >>> import penviz, torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    >>> loader = [(torch.randn(30, 8), torch.arange(30) % 3)]
    >>> recorder = penviz.Recorder(network, loader, name="soft", label_smoothing=0.1)
    >>> for epoch in range(3):
    ...     recorder.after_epoch(train_loss=1.0)  # after the steps of this epoch
    >>> recorder.save("runs/soft").name
    'soft'

    The first `per_class` examples of each class are kept in memory as the loaders first gave them, and the
    network is run on these very inputs: loaders with random augmentation should be given without it. The
    training is the same to the bit with and without a Recorder, for it changes nothing, as `capture`.
    """

    def __init__(  # noqa: PLR0913 - public: a keyword for each thing that only the caller knows
        self,
        model: nn.Module,
        loaders: Any,
        *,
        name: str,
        every: int = 1,
        per_class: int = SNAPSHOTS_PER_CLASS,
        directory: Path | str | None = None,
        label_smoothing: float | None = None,
        targets: str | None = None,
        class_names: Iterable[str] | None = None,
        head: Layer = None,
        batch: Callable[[Any], tuple[Any, Any]] | None = None,
        device: torch.device | str | None = None,
    ):
        """Read the loaders once, choose the examples and prove the head: errors come before the first epoch.

        Args:
            model, loaders, name, label_smoothing, targets, class_names, head, batch, device: as of `capture`.
            every: epochs from one snapshot to the next; the first and the last are kept in any case.
            per_class: examples a class and split.
            directory: where `save` writes the run.

        Raises:
            InputError: as `capture`; no linear head; inputs too many to keep; a directory that is in use.
        """
        if every < 1 or per_class < 1:
            raise RunError("every and per_class must be at least 1.")
        self.directory = None if directory is None else Path(directory)
        if self.directory is not None:
            check_new(self.directory)
        Statement(name, label_smoothing, targets).config("data", "network")
        self.model, self.name, self.every, self.per_class = model, name, every, per_class
        self.head, self.device = head, None if device is None else torch.device(device)
        self.splits = dict(loaders) if isinstance(loaders, Mapping) else {"validation": loaders}
        check_splits(self.splits)
        self.reader = BatchReader(unwrap(model), batch)
        self.epoch, self.history, self.snapshots = 0, list[dict[str, float]](), dict[str, Snapshots]()
        with self._reading():
            self.examples = {split: self._choose(split, loader) for split, loader in self.splits.items()}
        n_classes = len(next(iter(self.examples.values())).total)
        names = class_names_of(next(iter(self.splits.values())), unwrap(model), n_classes)[0]
        self.class_names = names if class_names is None else tuple(class_names)
        if len(self.class_names) != n_classes:
            raise RunError(
                f"There are {len(self.class_names)} class names for a network of {n_classes} outputs."
            )
        self.options: dict[str, Any] = {
            "label_smoothing": label_smoothing,
            "targets": targets,
            "batch": batch,
            "device": device,
        }

    def after_epoch(self, **numbers: float) -> None:
        """Call it once at the end of every epoch; a snapshot is taken when one is due.

        What cannot be kept, such as the features of a training that has diverged, is left out with a warning.

        Args:
            numbers: of the epoch, for the curves beside the film: train_loss in nats.
        """
        self.epoch += 1
        if numbers:
            self.history.append({"epoch": self.epoch, **{k: float(v) for k, v in numbers.items()}})
        if self.epoch == 1 or self.epoch % self.every == 0:
            self._keep()

    def run(self) -> CapturedRun:
        """The network as it is now, over all examples of the loaders, with the snapshots so far."""
        if self.epoch and self.epoch not in next((s.epochs for s in self.snapshots.values()), ()):
            self._keep()
        names, head = self.class_names, self.head
        made = capture(self.model, self.splits, name=self.name, class_names=names, head=head, **self.options)
        if self.history:
            made.run.record["history"] = self.history
        return replace(made, snapshots=dict(self.snapshots))

    def save(self, directory: Path | str | None = None) -> Path:
        """Write `run()` to a directory, that of the constructor when not given; raises as `penviz.save`."""
        where = directory or self.directory
        if where is None:
            raise RunError("Say where the run is written: save(directory).")
        return save(self.run(), where)

    def _reading(self) -> AbstractContextManager[None]:
        return restored(self.model, self.splits.values(), self.device)

    def _found(self, first: list[Inputs]) -> tuple[NetworkReader, HeadProof]:
        """How the network is read, as it is now."""
        found = find_head(self.model, self.reader, first, self.head, self.device)
        if not isinstance(found.proof, HeadProof):
            raise RunError(f"A film needs a linear head. {found.proof.sentence}")
        return found, found.proof

    def _choose(self, split: str, loader: Any) -> _Examples:
        """The first examples of each class that a loader gives, and how many it has."""
        seen, size = Seen(), 0
        parts: list[Inputs] = []
        with rows_dealt(loader) as dealt:
            batches = read_batches(loader, self.reader, f"{self.name}, {split}")
            first = list(first_batches(batches))
            if not first:
                raise RunError(f"The loader of {split} has no batches.")
            n_classes = self._found([inputs for inputs, _ in first])[0].n_classes
            found = chosen_rows(seen, n_classes, chain(first, batches), dealt, self.per_class)
            for inputs, labels, rows in found:
                parts.append(inputs.take(rows))
                seen.labels.append(labels[rows])
                size += sum(t.numel() * t.element_size() for _, t in parts[-1].tensors())
                if size > LARGEST_INPUTS:
                    raise RunError(
                        f"{self.per_class} inputs a class take over 1 GiB: choose a smaller per_class=."
                    )
        seen.rows = rows_of(loader, dealt, seen)
        places = np.concatenate(seen.kept)
        indices = places if seen.rows is None else seen.rows[places]
        labels, together = np.concatenate(seen.labels), joined(parts)
        if len(together) == len(labels):
            cuts = [slice(i, i + BATCH) for i in range(0, len(labels), BATCH)]
            kept = [(together.rows(some), labels[some]) for some in cuts]
        else:  # inputs of several shapes
            kept = list(zip(parts, seen.labels, strict=True))
        return _Examples(kept, indices, class_totals(seen, n_classes))

    def _keep(self) -> None:
        """A snapshot of this epoch, of every split or of none."""
        try:
            with self._reading():
                new = {split: self._snapshot(split, one) for split, one in self.examples.items()}
        except InputError as error:
            warnings.warn(f"No snapshot of epoch {self.epoch}: {error}", stacklevel=3)
            return
        for split, one in new.items():
            known = self.snapshots.get(split)
            self.snapshots[split] = one if known is None else appended(known, one)

    def _snapshot(self, split: str, examples: _Examples) -> Snapshots:
        found, proof = self._found([examples.batches[0][0]])
        seen = see(found, examples.batches)
        features = seen.features.array()
        if np.abs(features).max() > np.finfo(np.float16).max:
            raise RunError("Its features are too large for float16.")
        bias = proof.head.bias
        return Snapshots(
            np.array([self.epoch]),
            features[None].astype(np.float16),
            np.concatenate(seen.labels),
            examples.indices,
            np.concatenate(seen.predictions)[None],
            proof.head.weight.copy()[None],  # not a view of weights that training changes
            None if bias is None else bias.copy()[None],
            self.class_names,
            examples.total,
            self.name,
            split,
        )
