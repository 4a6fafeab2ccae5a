"""One pass of a network over a loader: features, predictions, and what identifies the examples.

Axis letters: n examples, b of a batch, d penultimate width, K classes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from penviz.external.evidence.batches import BatchReader, Inputs, example_hashes
from penviz.external.evidence.head import HeadProof, features_and_scores
from penviz.external.evidence.loaders import in_order
from penviz.external.evidence.outputs import as_logits
from penviz.own_code.feature_rows import FeatureRows
from penviz.own_code.network_reader import PROOF_EXAMPLES, NetworkReader
from penviz.store.run_config import RunError

Int: TypeAlias = NDArray[np.int64]
Batch: TypeAlias = tuple[Inputs, Int]
"""Inputs and labels [b]."""


@dataclass
class Seen:
    """What one pass over a loader has collected; one entry an example, in the order in which they came.

    Attributes:
        features: [m, d] of those kept; labels, predictions, hashes: [m], a part a batch.
        kept: [m] positions of those among all that came; all_labels: [n] of all that came.
        rows: of the data set, of all that came, or None where they are not known; repeated: examples that
            came again and were left out.
        nll: sum of -log p of the labels, nats; error, spread: sums of squares of W h + b less the logits, and
            of the logits less their mean over the classes.
    """

    features: FeatureRows = field(default_factory=FeatureRows)
    labels: list[Int] = field(default_factory=list)
    predictions: list[Int] = field(default_factory=list)
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)
    kept: list[Int] = field(default_factory=list)
    all_labels: list[Int] = field(default_factory=list)
    rows: Int | None = None
    repeated: int = 0
    nll: float = 0.0
    error: Tensor | float = 0.0
    spread: Tensor | float = 0.0


def read_batches(loader: Any, reader: BatchReader, title: str) -> Iterator[Batch]:
    """Inputs and labels of every batch, under a bar where somebody looks at a pass of seconds."""
    from tqdm import tqdm

    try:
        total = len(loader)
    except (TypeError, NotImplementedError):
        total = None
    hidden = None if "ipykernel" not in sys.modules else False  # None: hidden unless on a terminal
    with tqdm(loader, total=total, desc=title, unit="batch", leave=False, delay=1, disable=hidden) as bar:
        for one in bar:
            yield reader.read(one)


def first_batches(batches: Iterator[Batch]) -> Iterator[Batch]:
    """As many batches as hold PROOF_EXAMPLES."""
    n = 0
    for one in batches:
        yield one
        n += len(one[1])
        if n >= PROOF_EXAMPLES:
            return


def see(
    found: NetworkReader,
    batches: Iterable[Batch],
    dealt: list[list[int]] | None = None,
    max_per_class: int | None = None,
) -> Seen:
    """Run the network over batches; the network is in evaluation mode and gradients are off.

    Args:
        found: how the network is read; batches, dealt, max_per_class: as of `chosen_rows`.

    Raises:
        RunError: labels that are no class, features or scores that are not finite, or no scores.
    """
    seen = Seen()
    for inputs, labels, rows in chosen_rows(seen, found.n_classes, batches, dealt, max_per_class):
        _take(found, seen, inputs, labels, rows)
    return seen


def chosen_rows(
    seen: Seen,
    n_classes: int,
    batches: Iterable[Batch],
    dealt: list[list[int]] | None = None,
    max_per_class: int | None = None,
) -> Iterator[tuple[Inputs, Int, Int]]:
    """Inputs and labels [b] of every batch that has rows to keep, and which rows those are.

    Args:
        seen: takes in all labels and the places of those kept; n_classes: K; batches: inputs and labels.
        dealt: rows of the data set of each batch, filled while the batches come; None where not known. A row
            that comes again is not kept.
        max_per_class: see `capture`.

    Raises:
        RunError: labels that are no class.
    """
    n, counts, before = 0, np.zeros(n_classes, np.int64), set[int]()
    for i, (inputs, labels) in enumerate(batches):
        if len(labels) and (labels.min() < 0 or labels.max() >= n_classes):
            raise RunError(
                f"Labels run from {labels.min()} to {labels.max()}, and the network has {n_classes} "
                f"outputs: they must lie between 0 and {n_classes - 1}."
            )
        mask = np.ones(len(labels), bool)
        if dealt is not None and len(dealt) > i and len(dealt[i]) == len(labels):
            mask = _new(dealt[i], before)
            seen.repeated += int((~mask).sum())
        if max_per_class is not None:
            mask &= _early(labels, mask, counts) < max_per_class
        counts += np.bincount(labels[mask], minlength=n_classes)
        rows = np.flatnonzero(mask)
        seen.all_labels.append(labels)
        if len(rows):
            seen.kept.append(n + rows)
            yield inputs, labels, rows
        n += len(labels)


def _new(rows: Sequence[int], before: set[int]) -> NDArray[np.bool_]:
    """[b] whether each row comes for the first time; `before` takes them in."""
    new = np.zeros(len(rows), bool)
    for i, row in enumerate(rows):
        new[i] = row not in before
        before.add(row)
    return new


def _early(labels: Int, mask: NDArray[np.bool_], counts: Int) -> Int:
    """[b] how many examples of its class come before each one that may be kept, `counts` [K] included."""
    before = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        own = labels == label
        before[own] = counts[label] + np.cumsum(mask[own]) - mask[own]
    return before


def _take(found: NetworkReader, seen: Seen, inputs: Inputs, labels: Int, rows: Int) -> None:
    """One batch through the network, and what is kept of it into `seen`."""
    h, scores = features_and_scores(found.network, found.proof, found.inputs(inputs))
    if scores.shape != (len(labels), found.n_classes):
        raise RunError(f"The network returns {tuple(scores.shape)} scores for {len(labels)} examples.")
    seen.hashes.append(example_hashes(inputs)[rows])
    proof = found.proof
    if len(rows) < len(labels):
        chosen = torch.from_numpy(rows).to(h.device)
        h, scores = h[chosen], scores[chosen]
    logits = as_logits(scores, proof.outputs).float()
    h = h.float()
    y = torch.from_numpy(labels[rows]).to(logits.device)
    seen.nll += float(F.cross_entropy(logits, y, reduction="sum"))
    if isinstance(proof, HeadProof):
        weight, bias = proof.head.weight, proof.head.bias
        made = h @ torch.from_numpy(weight).to(h.device).T
        made = made if bias is None else made + torch.from_numpy(bias).to(h.device)
        centred = logits - logits.mean(1, keepdim=True)
        if proof.outputs != "logits":
            made, logits = made - made.mean(1, keepdim=True), centred
        seen.error, seen.spread = seen.error + ((made - logits) ** 2).sum(), seen.spread + (centred**2).sum()
    features = h.cpu().numpy()
    if not np.isfinite(features).all():
        raise RunError("The features of the network hold NaN or infinity: it cannot be drawn.")
    seen.features.append(features)
    seen.labels.append(labels[rows])
    seen.predictions.append(scores.argmax(1).cpu().numpy())


def rows_of(loader: Any, dealt: list[list[int]] | None, seen: Seen) -> Int | None:
    """Rows of the data set of all that came, [n], where they are known."""
    n = sum(map(len, seen.all_labels))
    if dealt is not None and list(map(len, dealt)) == list(map(len, seen.all_labels)):
        return np.array([row for rows in dealt for row in rows], np.int64)
    return np.arange(n) if in_order(loader) and dealt is None else None


def class_totals(seen: Seen, n_classes: int) -> Int:
    """[K] examples of each class that came, each row of the data set once."""
    every = np.concatenate(seen.all_labels)
    if seen.rows is not None:
        every = every[np.unique(seen.rows, return_index=True)[1]]
    return np.bincount(every, minlength=n_classes)
