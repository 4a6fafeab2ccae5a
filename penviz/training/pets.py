"""The Oxford-IIIT Pet data set (Parkhi et al. 2012): 37 breeds, as torchvision lays it out, in memory.

At 256 pixels the 7,349 images are 1.4 GB, and twice that while they are split: less than a loader with
workers would take, and the loop can crop and mirror them where they lie.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penviz.store.run_config import RunError
from penviz.training.folder import read_square, remove_empty

NAMES = ("pets", "pets-fastai")
"""The official split, and all images in one pool as the examples of fastai v1 take them."""

IMAGE_SIZE = 256
"""Side of the stored images: those of 224 pixels that are fed are cut out of them."""

RECIPE = {"epochs": 4, "batch_size": 64, "lr": 0.01, "schedule": "one-cycle"}
"""How a run on pets differs from others; the crop of 224 pixels is the networks' own."""

HELD_OUT = 736
"""Validation images of `pets`: a fifth of the official trainval part."""

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


def read_pets(name: str, data_dir: Path, image_size: int) -> tuple[dict[str, Part], tuple[str, ...]]:
    """Read `pets` ("train" is the official trainval part, "test" the official test part) or `pets-fastai`.

    `pets-fastai` has every .jpg of the images directory as one part "train", the breed read off the file's
    name, as the notebooks of fastai v1 do it: some of these images are in neither official part.

    Returns:
        Part -> (images [n, s, s, 3] uint8, labels [n] int64), and the breeds in the official order.

    Raises:
        RunError: the data are not there and cannot be downloaded, or an image cannot be decoded.
    """
    if name == "pets":
        parts: dict[str, Part] = {}
        for part, split in (("train", "trainval"), ("test", "test")):
            source = _source(data_dir, split)
            names = tuple(str(c) for c in source.classes)  # type: ignore[attr-defined]
            labels = np.asarray(source._labels, np.int64)  # type: ignore[attr-defined]
            parts[part] = _read(source._images, image_size), labels  # type: ignore[attr-defined]
        return parts, names
    _source(data_dir, "trainval")
    files = sorted((data_dir / "oxford-iiit-pet" / "images").glob("*.jpg"))
    breeds = [path.stem.rpartition("_")[0] for path in files]
    known = sorted(set(breeds), key=str.lower)  # the official order: capitals do not count
    labels = np.array([known.index(breed) for breed in breeds], np.int64)
    return {"train": (_read(files, image_size), labels)}, tuple(
        " ".join(word.title() for word in breed.split("_")) for breed in known
    )


def _source(data_dir: Path, split: str) -> object:
    from torchvision.datasets import OxfordIIITPet

    there = (data_dir / "oxford-iiit-pet").exists()
    try:
        return OxfordIIITPet(str(data_dir), split=split, download=True)
    except (OSError, RuntimeError) as error:
        if not there:
            remove_empty(data_dir / "oxford-iiit-pet")
        raise RunError(
            f"pets is not in {data_dir} and could not be downloaded ({type(error).__name__}); "
            "put oxford-iiit-pet/images and /annotations there or name their place with --data-dir."
        ) from error
    except ValueError:
        raise RunError(f"{data_dir / 'oxford-iiit-pet/annotations'} cannot be read.") from None


def _read(files: list[Path], image_size: int) -> NDArray[np.uint8]:
    images = np.empty((len(files), image_size, image_size, 3), np.uint8)
    for row, file in enumerate(files):
        images[row] = read_square(file, image_size)
    return images


def random_fifth(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Mask [n] of a fifth of all images whatever their breed: those of the smallest hashes."""
    mask = np.zeros(len(hashes), bool)
    mask[np.argsort(hashes, kind="stable")[: len(hashes) // 5]] = True
    return mask
