"""Names of classes from a text file or the standard lists, and labels put into a network's order."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from penviz.did_you_mean import did_you_mean
from penviz.learn.data import DataSet, Split
from penviz.runs import RunError
from penviz.safe_text import safe_names

CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""


LISTS = ("cifar10", "cifar100", "imagenet")


def read_class_names(given: str) -> tuple[str, ...]:
    """Names in the order of a network's outputs: "cifar10", "cifar100", "imagenet", or a text file.

    A file holds one name a line; empty lines are left out. ImageNet's names are torchvision's.

    Raises:
        RunError: neither, or a file with fewer than two names.
    """
    if given in ("cifar10", "cifar100"):
        return tuple((CIFAR10 if given == "cifar10" else CIFAR100).split())
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

    return DataSet(dataset.name, {k: renamed(s) for k, s in dataset.splits.items()}, names)
