"""What a loader tells of its data: the rows of its examples, the names of its classes, and its own name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from torch import Generator, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset, SequentialSampler

from penviz.store.run_config import RunError

Rows: TypeAlias = list[list[int]]
"""Rows of the data set that each batch was made of."""

UNNAMED = (
    *("Dataset", "IterableDataset", "TensorDataset", "ConcatDataset", "Subset", "DataLoader"),
    *("list", "tuple", "generator", "ndarray"),
)
"""Types that say nothing of the data."""


class _Recorder:
    """Deals what a batch sampler deals, and keeps it while it is asked to."""

    def __init__(self, sampler: Iterable[Sequence[int]]):
        self.sampler, self.dealt, self.closed = sampler, Rows(), False

    def __iter__(self) -> Iterator[Sequence[int]]:
        for rows in self.sampler:
            if not self.closed:
                self.dealt.append(list(rows))
            yield rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sampler, name)

    def __len__(self) -> int:
        return len(self.sampler)  # type: ignore[arg-type]


@contextmanager
def rows_dealt(loader: Any) -> Iterator[Rows | None]:
    """The rows of each batch as they are dealt, in order; None where they cannot be known.

    They are known of a DataLoader with a batch sampler over a data set that has rows. Its sampler is wrapped
    meanwhile and put back. A loader whose worker processes live on holds its sampler already.

    Raises:
        RunError: a loader that deals only a part of its examples to this process.
    """
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, DistributedSampler) and sampler.num_replicas > 1:
        raise RunError(
            f"This loader deals its examples to {sampler.num_replicas} processes: give one that has them all."
        )
    batches = getattr(loader, "batch_sampler", None)
    has_rows = isinstance(loader, DataLoader) and not isinstance(loader.dataset, IterableDataset)
    dealt_in_order = getattr(loader, "in_order", True)
    if (
        not (has_rows and batches is not None and dealt_in_order)
        or getattr(loader, "_iterator", None) is not None
    ):
        yield None
        return
    recorder = _Recorder(batches)
    object.__setattr__(loader, "batch_sampler", recorder)  # DataLoader itself forbids it, for training's sake
    try:
        yield recorder.dealt
    finally:
        recorder.closed = True
        object.__setattr__(loader, "batch_sampler", batches)


def in_order(loader: Any) -> bool:
    """Whether the examples come in the order of the data set's rows."""
    has_rows = isinstance(loader, DataLoader) and not isinstance(loader.dataset, IterableDataset)
    return (
        has_rows and isinstance(getattr(loader, "sampler", None), SequentialSampler) and not loader.drop_last
    )


def generators(loader: Any) -> list[Generator]:
    """The random generators of a loader and its samplers, each once."""
    batches = getattr(loader, "batch_sampler", None)
    owners = [loader, getattr(loader, "sampler", None), batches, getattr(batches, "sampler", None)]
    found = [getattr(owner, "generator", None) for owner in owners]
    return list({id(g): g for g in found if isinstance(g, Generator)}.values())


def _source(loader: Any) -> Any:
    """The data set behind a loader, subsets seen through; the loader itself where there is none."""
    source = getattr(loader, "dataset", loader)
    while type(source).__name__ == "Subset" and isinstance(getattr(source, "dataset", None), Dataset):
        source = source.dataset
    return source


def data_name(loader: Any) -> str:
    """Type of the data set, "data" where it says nothing."""
    name = type(_source(loader)).__name__
    return "data" if name in UNNAMED or name.startswith("_") else name


def class_names_of(loader: Any, network: nn.Module, n_classes: int) -> tuple[tuple[str, ...], str]:
    """K names that the data set or the network states, and who states them; numbers where none does.

    Stated are `classes` of a data set (torchvision), the names of its feature label or labels (Hugging Face),
    and id2label of a network's config. A list of another length is not taken.
    """
    source = _source(loader)
    features = getattr(source, "features", None)
    labels = (
        next((features[k] for k in ("label", "labels") if k in features), None)
        if isinstance(features, dict)
        else None
    )
    config = getattr(network, "config", None)
    by_id = getattr(config, "id2label", None)
    stated = {
        "the data set's classes": getattr(source, "classes", None),
        "the data set's label feature": getattr(labels, "names", None),
        "the network's id2label": [by_id[k] for k in sorted(by_id)] if isinstance(by_id, dict) else None,
    }
    for who, names in stated.items():
        if isinstance(names, list | tuple) and len(names) == n_classes:
            return tuple(str(name) for name in names), who
    return tuple(f"class {k}" for k in range(n_classes)), "numbered"
