"""An ImageNet directory, train/ and val/ with one folder a synset, of which no image is held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from penviz.store.run_config import RunError
from penviz.training.class_names import read_class_names
from penviz.training.data_set import DataSet, Split, Uint8
from penviz.training.folder import SUFFIXES, VALIDATION_NAMES, ImageFiles

SYNSETS = {
    "n01440764": 0,  # tench
    "n02113624": 265,  # toy poodle
    "n02113712": 266,  # miniature poodle
    "n02138441": 299,  # meerkat
    "n03041632": 499,  # cleaver
}
"""Folders of the classes of Figure 1, rows 3 and 4 (Müller et al. 2019), and their rows of the head.

The rows are the places of the synsets in their sorted list, which is the order of torchvision's and timm's
classes; `docs/imagenet-and-pets.md` says how they were checked.
"""

N_CLASSES = 1000


def read_imagenet(
    root: Path, splits: Sequence[str], side: int, interpolation: str, *, every_class: bool = False
) -> DataSet:
    """The classes of SYNSETS, or all thousand, of an ImageNet directory.

    Images stay files until they are asked for. They are told apart by the sha256 of the file and not of the
    pixels, which differ with the size they are resized to: so runs of networks that want different sizes
    hold the same examples in the same order.

    Args:
        root: with train/ and val/ (or validation/), each with a folder a synset.
        splits: "train", "validation"; only these are read.
        side: pixels; shorter side of an image when it is decoded, the middle square is kept.
        interpolation: "bilinear" or "bicubic".
        every_class: all thousand folders, which must be there.

    Raises:
        RunError: no such directory, or folders that are missing or empty.
    """
    names = read_class_names("imagenet")
    read = {
        split: _read_split(_place(root, split), side, interpolation, every_class)
        for split in dict.fromkeys(splits)
    }
    return DataSet("imagenet", read, names)


def _place(root: Path, split: str) -> Path:
    if split not in ("train", "validation"):
        raise RunError(f"An ImageNet directory has no split {split}; it has train and validation.")
    tried = ["train"] if split == "train" else [n for n in VALIDATION_NAMES if n != "test"]
    for name in tried:
        if (root / name).is_dir():
            return root / name
    raise RunError(f"{root} has no directory {' or '.join(tried)} with one folder a synset.")


def _read_split(directory: Path, side: int, interpolation: str, every_class: bool) -> Split:
    found = sorted(p.name for p in directory.iterdir() if p.is_dir() and p.name.startswith("n"))
    if every_class:
        if len(found) != N_CLASSES or any(found[row] != synset for synset, row in SYNSETS.items()):
            raise RunError(
                f"{directory} has {len(found)} folders of synsets and not ImageNet's thousand "
                "(n01440764, n01443537, ...)."
            )
        rows = {synset: row for row, synset in enumerate(found)}
    else:
        lacking = sorted(set(SYNSETS) - set(found))
        if lacking:
            raise RunError(f"{directory} lacks {', '.join(lacking)}: one folder a synset is expected.")
        rows = SYNSETS
    files: list[Path] = []
    labels: list[int] = []
    for synset, row in rows.items():
        listed = sorted(p for p in (directory / synset).iterdir() if p.suffix.lower() in SUFFIXES)
        if not listed:
            raise RunError(f"{directory / synset} holds no images.")
        files += listed
        labels += [row] * len(listed)
    hashes = np.array([_file_hash(file) for file in files], np.uint64)
    y = np.array(labels, np.int64)
    order = np.lexsort((y, hashes))
    y, hashes = y[order], hashes[order]
    digest = hashlib.sha256(hashes.astype(">u8").tobytes() + y.astype(">i8").tobytes()).hexdigest()[:16]
    images = ImageFiles([files[i] for i in order], side, interpolation)
    return Split(cast(Uint8, images), y, order.astype(np.int64), hashes, f"imagenet:{digest}")


def _file_hash(path: Path) -> int:
    """First 8 bytes, big-endian, of the sha256 of a file."""
    try:
        with open(path, "rb") as file:
            return int.from_bytes(hashlib.file_digest(file, "sha256").digest()[:8], "big")
    except OSError:
        raise RunError(f"{path} cannot be read.") from None
