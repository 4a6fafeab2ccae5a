"""`penviz.capture`: the penultimate features of a network in memory, in one pass over the user's own loaders.

Axis letters: n examples, d penultimate width, K classes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penviz.external.evidence.batches import BatchReader, check_loaders
from penviz.external.evidence.head import HeadProof, NoHead
from penviz.external.evidence.loaders import class_names_of, data_name, rows_dealt
from penviz.external.evidence.outputs import unwrap
from penviz.external.evidence.restored_state import restored
from penviz.own_code.capture_pass import Seen, class_totals, first_batches, read_batches, rows_of, see
from penviz.own_code.network_reader import Layer, NetworkReader, find_head
from penviz.store.activations import Activations
from penviz.store.captured_run import CapturedRun, Statement, check_splits, held_out, in_memory, labels_digest
from penviz.store.run_config import RunError

DEVIATION, DEVIATION_OF_FEW_DIGITS = 1e-3, 5e-2
"""Largest relative deviation of W h + b from the logits over all examples; float16 and bfloat16 round to
2^-11 and 2^-8 of a number, and there the head is proved in float32."""


def capture(  # noqa: PLR0913 - public: a keyword for each thing that only the caller knows
    model: nn.Module,
    loaders: Any,
    *,
    name: str,
    label_smoothing: float | None = None,
    targets: str | None = None,
    class_names: Iterable[str] | None = None,
    head: Layer = None,
    batch: Callable[[Any], tuple[Any, Any]] | None = None,
    max_per_class: int | None = None,
    device: torch.device | str | None = None,
) -> CapturedRun:
    """Read what enters the head of a classifier, and what comes out, over the splits of a data set.

    The network runs in evaluation mode and without gradients, in the precision that it has (under an autocast
    of yours, in that). Its mode, hooks, gradients, device and all random numbers, those of the loaders too,
    are as before when this returns or raises. What a loader without a length has used up is not given back.
    Real inputs are cast to the type of the weights where those have one, unless autocast is on.

    Which examples two captures share is decided by the images: `dataset_id` is a digest of labels and inputs
    as the network saw them, whatever their order. `indices` are rows of the data set where a DataLoader's
    sampler says them, and else ranks by that digest. So two networks captured from one loader are compared
    example by example, shuffled or not; with random augmentation only where the same numbers were drawn. Two
    runs whose validation (else test, else train) inputs differ are said to hold other data.

    Args:
        model: any classifier; one that is wrapped or compiled is read as it was written.
        loaders: "train", "validation" or "test" -> anything that gives batches; images should be as for
            evaluation. A single loader is called "validation", and is marked as images that the network may
            have seen.
        name: of the run.
        label_smoothing: alpha that it was trained with, 0 for hard targets; None where it is not known.
        targets: one of `penviz.store.run_config.TARGETS`; see `Statement`.
        class_names: K names; else those of the data set or the network's config, else numbers.
        head: the layer whose weight is W: None to find it, a module or its dotted name to try that one alone,
            False for none. What is taken is proved: W h + b must be the logits. Without a head, class means
            stand in, and the features are what enters the named or the last layer.
        batch: from a batch to (inputs, labels), where the loader's are neither tuples nor known dicts; inputs
            are a tensor, a tuple of arguments, or a dict of named ones.
        max_per_class: keep the first so many examples of each class, in the order in which they come; a
            loader that shuffles makes them a random sample, by its own seed. The loader is still read to its
            end, to count its examples.
        device: to run on, where it is not the network's own.

    Raises:
        InputError: anything that cannot be used, in one sentence.

    >>> import penviz, torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    >>> images, labels = torch.randn(30, 8), torch.arange(30) % 3
    >>> run = penviz.capture(network, [(images, labels)], name="mine", label_smoothing=0)
    >>> run.splits["validation"].features.shape, run.splits["validation"].head
    ((30, 4), <head of K = 3, d = 4, with a bias>)
    """
    if not isinstance(model, nn.Module):
        raise RunError(f"capture reads a torch.nn.Module, not {_instead(model)}.")
    if max_per_class is not None and max_per_class < 1:
        raise RunError("max_per_class must be at least 1.")
    statement = Statement(name, label_smoothing, targets)
    statement.config("data", "network")  # said before minutes are spent
    splits = dict(loaders) if isinstance(loaders, Mapping) else {"validation": loaders}
    check_splits(splits)
    check_loaders(splits)
    found: NetworkReader | None = None
    seen: dict[str, Seen] = {}
    try:
        wanted = None if device is None else torch.device(device)
    except RuntimeError:
        raise RunError(f"There is no device {device}.") from None
    with restored(model, splits.values(), wanted):
        reader = BatchReader(unwrap(model), batch)
        for split, loader in splits.items():
            with rows_dealt(loader) as dealt:
                batches = read_batches(loader, reader, f"{name}, {split}")
                if found is None:
                    first = list(first_batches(batches))
                    if not first:
                        raise RunError(f"The loader of {split} has no batches.")
                    found = find_head(model, reader, [inputs for inputs, _ in first], head, wanted)
                    batches = chain(first, batches)
                seen[split] = see(found, batches, dealt, max_per_class)
            if not seen[split].all_labels:
                raise RunError(f"The loader of {split} has no batches.")
            seen[split].rows = rows_of(loader, dealt, seen[split])
    assert found is not None
    made = _as_run(statement, found, splits, seen, class_names)
    if head is not False and not made.run.record["adopted"]["head"].get("shape"):
        _warn_of_class_means(name, made.run.record["adopted"]["head"])
    if max_per_class is None:  # else which examples were kept may depend on their order
        made.run.record["source_id"] = made.splits[held_out(splits)].dataset_id
    else:
        made.run.record["source_id"] = made.run.config.dataset
    if not isinstance(loaders, Mapping):
        made.run.record["adopted"]["unseen"] = []  # nobody has said what these images are
    return made


def _instead(model: object) -> str:
    """What was given in place of a network, and what to do with it."""
    if isinstance(model, type):
        return f"the class {model.__name__}: pass an instance, {model.__name__}()"
    if isinstance(model, str | Path):
        return f"a path: load {model} into your network, or run penviz extract {model}"
    return f"{type(model).__name__}: try from_arrays"


def _warn_of_class_means(name: str, found: Mapping[str, Any]) -> None:
    module = found.get("module") or "the last layer"
    said = f"{name}: class means stand in for the head, on what enters {module}. {found.get('sentence', '')}"
    warnings.warn(said.strip(), stacklevel=3)


def _as_run(
    statement: Statement,
    found: NetworkReader,
    splits: Mapping[str, Any],
    seen: Mapping[str, Seen],
    class_names: Iterable[str] | None,
) -> CapturedRun:
    """Activations of what was seen, and the record of the run."""
    proof = _over_all(found, seen)
    judged = held_out(splits)
    names, who = class_names_of(splits[judged], found.network, found.n_classes)
    if class_names is not None:
        names, who = tuple(str(c) for c in class_names), "the caller"
        if len(names) != found.n_classes:
            raise RunError(
                f"There are {len(names)} class names, and the network has {found.n_classes} outputs."
            )
    labels, rows = np.concatenate(seen[judged].all_labels), seen[judged].rows
    ordered = np.sort(labels) if rows is None else labels[np.argsort(rows, kind="stable")]
    dataset = f"{data_name(splits[judged])} {labels_digest(ordered, names)}"
    head = proof.head if isinstance(proof, HeadProof) else None
    digest = weights_digest(found.network)
    activations, nll, told = {}, {}, {}
    for split, one in seen.items():
        y = np.concatenate(one.labels)
        indices, identity = _identity(one, y)
        activations[split] = Activations(
            *(
                one.features.array(),
                y,
                np.concatenate(one.predictions),
                indices,
                names,
                statement.name,
                split,
            ),
            *(head, f"{dataset}:{identity}", digest),
            total=class_totals(one, len(names)),
        )
        nll[split] = one.nll / len(y)
        told[split] = {
            "loader": type(splits[split]).__name__,
            "indices": "ranks by digest" if one.rows is None else "rows of the data set",
            "repeated": one.repeated,
        }
    amount = sum(p.numel() for p in found.network.parameters())
    at = found.device.type
    autocast = str(torch.get_autocast_dtype(at)) if torch.is_autocast_enabled(at) else ""
    return in_memory(
        statement,
        activations,
        dataset=dataset,
        model=f"{type(found.network).__name__}, {amount:,} parameters",
        head=proof.to_json(),
        nll=nll,
        provenance={"captured": told, "class_names_from": who, "autocast": autocast},
    )


def _over_all(found: NetworkReader, seen: Mapping[str, Seen]) -> HeadProof | NoHead:
    """The proof, unless the head that gives the logits of the first examples does not give all of them."""
    proof = found.proof
    if isinstance(proof, NoHead):
        return proof
    error = sum(float(one.error) for one in seen.values())
    spread = sum(float(one.spread) for one in seen.values())
    off = (error / spread) ** 0.5 if spread else float("inf")
    at = found.device.type
    exact = found.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled(at)
    if off <= (DEVIATION if exact else DEVIATION_OF_FEW_DIGITS):
        return proof
    return NoHead(
        f"{proof.module} gives the logits of the first examples as W h + b, but over all examples it is off "
        f"by {off:.2g} of their spread: class means stand in.",
        proof.module,
        proof.outputs,
    )


def _identity(seen: Seen, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], str]:
    """Indices [m] of the examples kept, and 16 hex digits of which index has which inputs and label."""
    hashes = np.concatenate(seen.hashes)
    order = np.lexsort((labels, hashes))
    if seen.rows is None:
        indices = np.empty(len(order), np.int64)
        indices[order] = np.arange(len(order))
    else:
        indices = seen.rows[np.concatenate(seen.kept)]
        order = np.argsort(indices, kind="stable")
    parts = (indices[order].astype(">i8"), hashes[order].astype(">u8"), labels[order].astype(">i8"))
    return indices, hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


def weights_digest(network: nn.Module) -> str:
    """Hex digest of the names, types, shapes and bytes of a network's state."""
    digest = hashlib.sha256()
    for key, value in network.state_dict().items():
        if isinstance(value, Tensor):
            tensor = value.detach().cpu().contiguous()
            digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
