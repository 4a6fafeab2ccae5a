"""A thousand official test images each of CIFAR-10 and CIFAR-100, which come with the package.

They lie in penviz/demo/test_images as lossless sheets of tiles, class after class; its README.md says where
they are from and how they were chosen. They are for checkpoints: nothing is trained on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penviz.demo import SHIPPED, TEST_IMAGES
from penviz.store.atomic_write import whole_file

SIDE, COLUMNS = 32, 40


def read(name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Images [1000, 32, 32, 3], labels [1000] and class names [K] of one of SHIPPED."""
    names = class_names(SHIPPED[name])
    with Image.open(TEST_IMAGES / f"{SHIPPED[name]}.webp", formats=["WEBP"]) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    tiles = pixels.reshape(-1, SIDE, COLUMNS, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
    return np.ascontiguousarray(tiles), np.repeat(np.arange(len(names)), len(tiles) // len(names)), names


def class_names(dataset: str) -> tuple[str, ...]:
    """The K names of "cifar10" or "cifar100", in the order of their labels."""
    return tuple((TEST_IMAGES / f"{dataset}.txt").read_text(encoding="utf-8").split())


def write(images: NDArray[np.uint8], names: Sequence[str], dataset: str, out: Path) -> Path:
    """Write a sheet of images [n, 32, 32, 3], as many of each class and in the order of the classes."""
    rows = images.reshape(-1, COLUMNS, SIDE, SIDE, 3).swapaxes(1, 2)
    sheet = Image.fromarray(rows.reshape(-1, COLUMNS * SIDE, 3))
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / f"{dataset}.webp") as part:
        sheet.save(part, "WEBP", lossless=True, quality=100, method=6)
    with whole_file(out / f"{dataset}.txt") as part:
        part.write_text("\n".join(names) + "\n", encoding="utf-8")
    return out / f"{dataset}.webp"
