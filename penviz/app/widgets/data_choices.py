"""Images that a checkpoint can be tried on: built-in sets, folders and .npz files on this disk, uploads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penviz.demo import SHIPPED
from penviz.store.safe_text import safe_text

BUILT_IN = {
    "cifar10": ("CIFAR-10", "cifar-10-batches-py"),
    "cifar100": ("CIFAR-100", "cifar-100-python"),
    "mnist": ("MNIST", "MNIST/raw"),
    "fashion_mnist": ("Fashion-MNIST", "FashionMNIST/raw"),
}
"""Name -> (what it is called, the directory that torchvision unpacks it to)."""

SHIPPED_NOTE = (
    "1,000 official test images that come with penviz, the same number from each class. A network "
    "trained on {}'s training images has not seen them. There is no training split here: the grid gets "
    "one column, test (unseen)."
)

SPLIT_DIRECTORIES = ("validation", "val", "test", "train")
MOST_FOUND = 200
DEEPEST = 3
CHECKPOINTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".npz")


@dataclass(frozen=True)
class DataChoice:
    """One set of labelled images.

    Attributes:
        label: in the list; source: what `penviz extract --dataset` takes; folder: a directory of images.
        note: what to know of them, a sentence or two.
    """

    label: str
    source: str
    folder: bool = False
    note: str = ""


def data_choices(directory: Path, offer_disk: bool, uploaded: Mapping[str, Path]) -> list[DataChoice]:
    """What can be chosen here, the visitor's own folders first.

    Args:
        directory: the data directory; offer_disk: whether folders below it are offered.
        uploaded: name -> directory of the visitor's own folders.
    """
    choices = [
        DataChoice(safe_text(f"{name} (uploaded)"), str(path), True) for name, path in uploaded.items()
    ]
    for name, (label, unpacked) in BUILT_IN.items():
        if (directory / f"{name}.npz").is_file() or (directory / unpacked).is_dir():
            choices.append(DataChoice(label, name))
    for source, name in SHIPPED.items():
        label = BUILT_IN[name][0]
        choices.append(DataChoice(f"{label}, 1,000 test images", source, note=SHIPPED_NOTE.format(label)))
    choices.append(DataChoice("scikit-learn's digits", "digits"))
    if offer_disk:
        for path in sorted(below(directory)):
            if path.is_dir() and _splits(path):
                choices.append(DataChoice(safe_text(f"{path.relative_to(directory)}/"), str(path), True))
    return choices


def missing_sets(directory: Path) -> list[str]:
    """Names of the built-in sets that are not on this disk."""
    return [
        label
        for name, (label, unpacked) in BUILT_IN.items()
        if not (directory / f"{name}.npz").is_file() and not (directory / unpacked).is_dir()
    ]


def checkpoints_below(directory: Path) -> list[Path]:
    """Files below a directory that look like checkpoints by their ending; what they are is read later."""
    return sorted(path for path in below(directory) if path.is_file() and path.suffix in CHECKPOINTS)


def below(directory: Path) -> list[Path]:
    """Files and directories up to DEEPEST levels down, at most MOST_FOUND, hidden ones and links left out."""
    found: list[Path] = []
    level = [directory]
    for _ in range(DEEPEST):
        following: list[Path] = []
        for parent in level:
            try:
                children = sorted(parent.iterdir())
            except OSError:
                continue
            for child in children:
                if child.name.startswith(".") or child.is_symlink():
                    continue
                if len(found) == MOST_FOUND:
                    return found
                found.append(child)
                if child.is_dir() and not _splits(child):
                    following.append(child)
        level = following
    return found


def _splits(path: Path) -> bool:
    return any((path / name).is_dir() for name in SPLIT_DIRECTORIES)
