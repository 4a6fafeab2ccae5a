"""Names of classes from a text file or the standard lists, and labels put into a network's order."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from penviz.did_you_mean import did_you_mean
from penviz.store.run_config import RunError
from penviz.store.safe_text import safe_names
from penviz.training import shipped_images
from penviz.training.data_set import DataSet, Split

LISTS = ("cifar10", "cifar100", "mnist", "imagenet")


def read_class_names(given: str) -> tuple[str, ...]:
    """Names in the order of a network's outputs: one of LISTS, or a text file.

    A file holds one name a line; empty lines are left out. ImageNet's names are torchvision's.

    Raises:
        RunError: neither, or a file with fewer than two names.
    """
    if given in ("cifar10", "cifar100"):
        return shipped_images.class_names(given)
    if given == "mnist":
        return tuple("0123456789")
    if given == "imagenet":
        from torchvision.models import ResNet18_Weights

        return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
    try:
        if not Path(given).is_file():  # nor a device, which has no end
            raise FileNotFoundError
        lines = Path(given).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        meant = did_you_mean(given, LISTS)
        raise RunError(
            f"There is no list of class names {given}{meant}: use {', '.join(LISTS)} or a text file."
        ) from None
    names = safe_names(line.strip() for line in lines if line.strip())
    if len(names) < 2:
        raise RunError(f"{given} must hold one class name a line, two or more.")
    return names


def in_order(dataset: DataSet, names: tuple[str, ...]) -> DataSet:
    """A data set under the class names of a network.

    Where every folder's name is in the list, labels are put into its order, and the list may be longer than
    the folders (a part of ImageNet). Otherwise a list of the same length renames the classes as they stand.

    Raises:
        RunError: the list is neither.
    """
    own, names = dataset.class_names, safe_names(names)
    if len(set(names)) == len(names) and set(own) <= set(names):
        order = np.array([names.index(name) for name in own], np.int64)
    elif len(own) == len(names):
        order = np.arange(len(own))
    else:
        lacking = next(name for name in own if name not in names)
        raise RunError(
            f"The list of {len(names)} class names does not fit the {len(own)} classes of the data: "
            f"it lacks {lacking}."
        )

    def renamed(split: Split) -> Split:
        return dataclasses.replace(split, labels=order[split.labels])

    splits = {name: renamed(split) for name, split in dataset.splits.items()}
    return dataclasses.replace(dataset, splits=splits, class_names=names)
