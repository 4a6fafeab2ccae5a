"""In what runs differ, so far as a conclusion on them depends on it. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence

from penviz.store.adopted import KNOWN
from penviz.store.runs import Run

DATA = "data"
"""What `differences` says where runs hold other images or labels, whatever their data sets are called."""

NAMED_DATA = ("cifar10", "cifar100", "mnist", "fashion_mnist", "digits", "pets", "pets-fastai")
"""Names that stand for one data set each, in records that hold no `source_id`."""

TWO_KINDS = "kind_of_targets"
"""What `differences` adds for runs on soft targets of several kinds: more than a difference of alpha."""

TWO_LOSSES = "loss"
"""What it adds where K sigmoids stand beside one softmax: numbers of the two are not compared."""


def differences(runs: Sequence[Run]) -> list[str]:
    """Names of the config fields in which some runs differ from the first, as far as they are known.

    In place of the data set's name stands DATA where the data differ (`other_data`). Hard targets have no
    prior, so that a prior is a difference between two soft ones only. After the fields stands
    what some of the recipes of adopted runs have and others lack, in words.
    """
    names = dict.fromkeys(name for run in runs[1:] for name in runs[0].config.differences(run.config))
    names.pop("dataset", None)
    if any(other_data(runs[0], run) for run in runs[1:]):
        names = {DATA: None} | names
    soft = [run.config for run in runs if run.config.label_smoothing]
    if len({config.prior for config in soft}) < 2:
        names.pop("prior", None)
    known = [n for n in names if n in (*KNOWN, DATA) or not any(run.adopted for run in runs)]
    known += [TWO_KINDS] if len({config.targets for config in soft}) > 1 else []
    known += [TWO_LOSSES] if len({run.config.targets == "binary" for run in runs}) > 1 else []
    recipes = [run.adoption.recipe for run in runs]
    extras = dict.fromkeys(words for recipe in recipes for words in recipe)
    return known + [words for words in extras if not all(words in recipe for recipe in recipes)]


def other_data(first: Run, other: Run) -> bool:
    """Whether two runs hold other data: their images and labels count, and not how a data set is called.

    The record's `source_id` is a digest of all images and labels before any are held out. Older records have
    a digest of each split instead, which depends on the seed that the split was drawn with. Under one seed
    these are compared; under two, only the names of NAMED_DATA stand for one data set each. Without any
    digest the names are compared.
    """
    sources = [str(run.record.get("source_id") or "") for run in (first, other)]
    if all(sources):
        return sources[0] != sources[1]
    a, b = (_split_ids(run) for run in (first, other))
    shared = [split for split in a if split in b]
    if shared and first.config.held_out_seed == other.config.held_out_seed:
        loose = first.config.data_share != other.config.data_share  # a difference that is named as such
        return any(a[split] != b[split] for split in shared if split != "train" or not loose)
    names = {first.config.dataset, other.config.dataset}
    return len(names) > 1 or (bool(shared) and not names <= set(NAMED_DATA))


def _split_ids(run: Run) -> dict[str, str]:
    """Digest of each split of a run's record; that of a run penviz trained without the name before it."""
    found = {}
    for split, part in (run.record.get("splits") or {}).items():
        if name := str(part.get("dataset_id") or ""):
            found[split] = name if run.adopted else name.rpartition(":")[2]
    return found


def recipe_of(runs: Sequence[Run]) -> tuple[str, str] | None:
    """Data set and network of runs that penviz trained on the same of both; None for others."""
    recipes = {(run.config.dataset, run.config.model) for run in runs}
    return recipes.pop() if len(recipes) == 1 and not any(run.adopted for run in runs) else None
