"""Data sets in memory: where the images come from, and how validation examples are held out.

A data set is one uint8 tensor a split. Known CIFAR follows Müller et al. 2019, appendix A: 10,000 validation
images out of the training set, the official test set apart. Which ones they are does not depend on the
order of the rows: per class the images whose sha256(seed, pixels) is smallest. Networks that penviz did not
train have seen these images, so their data are read as they were published (`load_published`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penviz.demo import SHIPPED
from penviz.did_you_mean import did_you_mean
from penviz.store.npz import DAMAGED, whole_array
from penviz.store.run_config import RunError
from penviz.store.safe_text import safe_text
from penviz.training import pets, shipped_images
from penviz.training.data_set import (
    DataSet,
    Int64,
    Parts,
    Split,
    Uint8,
    _digest,
    _split,
    fingerprint,
    hold_out,
    pixel_hashes,
    source_digest,
)
from penviz.training.folder import read_folder
from penviz.training.torchvision_sets import SETS, SEVERAL, read_set

HOLD_OUT = {
    **{name: SETS[name].held_out for name in SETS},
    "digits": 360,
    "pets": pets.HELD_OUT,
}
"""Built-in data sets and the validation examples taken out of their training part by default."""

BUILT_IN = (*HOLD_OUT, "pets-fastai")

USUAL = ("cifar10", "cifar100", "mnist", "fashion_mnist", "svhn", "stl10", "digits", "pets")
"""Those that a message names."""

FINGERPRINTS = {
    "7101e4b6b7cc6514": "cifar10",
    "882928bf6a9a8c9b": "cifar100",
}
"""`fingerprint` of the training images of data sets whose split is known whatever their container."""


def _as_images(array: NDArray[np.generic], what: str) -> Uint8:
    if array.dtype != np.uint8:
        raise RunError(f"{what} must be uint8 pixels (0 to 255), not {array.dtype}.")
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or 0 in array.shape:
        raise RunError(f"{what} must have shape [n, height, width] or [n, height, width, 1 or 3].")
    return np.ascontiguousarray(array, np.uint8)


def _as_labels(array: NDArray[np.generic], n: int, n_classes: int, what: str) -> Int64:
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise RunError(f"{what} must hold one integer label an image.")
    labels = array.astype(np.int64)
    if labels.min() < 0 or labels.max() >= n_classes:
        raise RunError(f"{what} must lie between 0 and {n_classes - 1}, one for each class name.")
    return labels


def read_npz(path: Path) -> tuple[Parts, tuple[str, ...]]:
    """Read x_train, y_train, x_test, y_test and class_names of an .npz file.

    Raises:
        RunError: the file cannot be read, lacks a key, or holds arrays that do not fit.
    """
    try:
        with open(path, "rb") as raw_file, np.load(raw_file, allow_pickle=False) as file:
            listed = whole_array(file["class_names"])
            keys = [key for key in ("x_train", "y_train", "x_test", "y_test") if key in file.files]
            raw = {key: whole_array(file[key]) for key in keys}
    except KeyError:
        raise RunError(f"{path} lacks class_names.") from None
    except DAMAGED:
        raise RunError(f"{path} cannot be read as an .npz of images.") from None
    if "x_train" not in raw or "y_train" not in raw or ("x_test" in raw) != ("y_test" in raw):
        raise RunError(f"{path} must hold x_train, y_train, x_test, y_test and class_names.")
    if listed.ndim != 1:
        raise RunError(f"{path} must hold class_names as a list of names.")
    names = tuple(str(name) for name in listed.tolist())
    if len(names) < 2:
        raise RunError(f"{path} names {len(names)} classes; at least two are needed.")
    parts: Parts = {}
    for part in ("train", "test"):
        if f"x_{part}" in raw:
            images = _as_images(raw[f"x_{part}"], f"x_{part}")
            parts[part] = images, _as_labels(raw[f"y_{part}"], len(images), len(names), f"y_{part}")
    if "test" in parts and parts["test"][0].shape[1:] != parts["train"][0].shape[1:]:
        raise RunError(f"{path}: x_train and x_test must hold images of one size.")
    return parts, names


def _read_digits() -> tuple[Parts, tuple[str, ...]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    return {"train": (_as_images(images, "digits"), digits.target.astype(np.int64))}, tuple("0123456789")


def _read_set(name: str, data_dir: Path, image_size: int) -> tuple[Parts, tuple[str, ...]]:
    parts, names = read_set(name, data_dir, image_size)
    checked: Parts = {}
    for part, (images, labels) in parts.items():
        images = _as_images(images, name)
        checked[part] = images, _as_labels(labels, len(images), len(names), name)
    return checked, names


def _read_parts(dataset: str, data_dir: Path, image_size: int) -> tuple[str, Parts, tuple[str, ...]]:
    if dataset == "digits":
        return dataset, *_read_digits()
    if dataset in pets.NAMES:
        return dataset, *pets.read_pets(dataset, data_dir, image_size)
    if dataset in HOLD_OUT:
        npz = data_dir / f"{dataset}.npz"
        return dataset, *(read_npz(npz) if npz.is_file() else _read_set(dataset, data_dir, image_size))
    path = Path(dataset)
    if path.is_dir():
        return path.resolve().name, *read_folder(path, image_size)
    if path.suffix == ".npz" and path.is_file():
        return path.stem, *read_npz(path)
    if path.is_file():
        raise RunError(
            f"{dataset} is no data set: use a built-in name, a directory with train/ (unpacked), or an .npz."
        )
    if dataset in SEVERAL:
        raise RunError(f"{dataset} comes in several forms: choose {', '.join(SEVERAL[dataset])}.")
    raise RunError(
        f"There is no data set {dataset}{did_you_mean(dataset, (*BUILT_IN, *SEVERAL))}: use "
        f"{', '.join(USUAL)}, another labelled image set of torchvision, a directory with train/, "
        "or an .npz file."
    )


def usual_size(dataset: str) -> int:
    """Side in pixels to which images are resized when nothing else is said."""
    return pets.IMAGE_SIZE if dataset in pets.NAMES else 32


def load(
    dataset: str, *, seed: int = 0, n_hold_out: int = 0, data_dir: Path | str = "data", image_size: int = 0
) -> DataSet:
    """Read a data set and split it.

    Args:
        dataset: a built-in name (BUILT_IN), a directory in ImageFolder layout, or an .npz file.
        seed: of the held-out split.
        n_hold_out: validation examples taken from the training part; 0 for the data set's own way.
        data_dir: where built-in data sets lie (`<name>.npz` is taken before torchvision's archive).
        image_size: side in pixels to which images of a directory are resized; 0 for `usual_size`.

    Raises:
        RunError: data that cannot be found, read, downloaded or split; one sentence each.
    """
    if dataset in SHIPPED:
        raise RunError(
            f"{dataset} holds test images alone, to judge a network on: train on {SHIPPED[dataset]}."
        )
    side = image_size or usual_size(dataset)
    name, parts, class_names = _read_parts(dataset, Path(data_dir).expanduser(), side)
    known, hashes = _recognise(dataset, parts, seed)
    n_hold_out = n_hold_out or HOLD_OUT.get(known, 0)
    made = _held_out(dataset, known or safe_text(name), parts, class_names, hashes, seed, n_hold_out)
    return replace(made, source_id=source_digest(parts, None if seed else hashes))


def load_published(
    dataset: str, *, n_hold_out: int = 0, data_dir: Path | str = "data", image_size: int = 0
) -> DataSet:
    """Read a data set for a network that penviz did not train: its parts whole, and called by what they are.

    Only where the data have no images beside their training part, or where it is asked for, is a part of that
    one set aside; such a network may have seen it (`DataSet.held_out_here`).

    Args: as of `load`; dataset may also be one of `demo.SHIPPED`, which has a test split alone.

    Raises:
        RunError: as `load`.
    """
    if dataset in SHIPPED:
        images, labels, class_names = shipped_images.read(dataset)
        split = _split(dataset, images, labels, np.arange(len(labels)), pixel_hashes(images, 0))
        source = source_digest({"test": (images, labels)})
        return DataSet(dataset, {"test": split}, class_names, source_id=source)
    side = image_size or usual_size(dataset)
    name, parts, class_names = _read_parts(dataset, Path(data_dir).expanduser(), side)
    known, hashes = _recognise(dataset, parts, 0)
    name, source = known or safe_text(name), source_digest(parts, hashes)
    if n_hold_out or len(parts) == 1:
        n_hold_out = n_hold_out or HOLD_OUT.get(known, 0)
        made = _held_out(dataset, name, parts, class_names, hashes, 0, n_hold_out)
        return replace(made, held_out_here=True, source_id=source)
    splits = {}
    for part, (images, labels) in parts.items():
        own = hashes if part == "train" else pixel_hashes(images, 0)
        splits[part] = _split(name, images, labels, np.arange(len(labels)), own)
    return DataSet(name, splits, class_names, source_id=source)


def _recognise(dataset: str, parts: Parts, seed: int) -> tuple[str, NDArray[np.uint64]]:
    """The built-in name of some data, "" for others, and the hashes [n] of the training images."""
    images = parts["train"][0]
    hashes = pixel_hashes(images, seed)
    if dataset in BUILT_IN:
        return dataset, hashes
    # With seed 0 nothing is hashed twice.
    return FINGERPRINTS.get(_digest(hashes) if seed == 0 else fingerprint(images), ""), hashes


def _held_out(
    dataset: str,
    name: str,
    parts: Parts,
    class_names: tuple[str, ...],
    hashes: NDArray[np.uint64],
    seed: int,
    n_hold_out: int,
) -> DataSet:
    """Splits with validation examples; arguments as of `load`, parts as read, hashes of the training part."""
    images, labels = parts["train"]
    rows = np.lexsort((labels, hashes))
    splits: dict[str, Split] = {}
    if n_hold_out or dataset == "pets-fastai":
        held = hold_out(labels, hashes, n_hold_out) if n_hold_out else pets.random_fifth(hashes)
        for part, chosen in (("train", rows[~held[rows]]), ("validation", rows[held[rows]])):
            splits[part] = _split(name, images[chosen], labels[chosen], chosen, hashes[chosen])
    else:
        splits["train"] = _split(name, images, labels, np.arange(len(labels)), hashes)
    others = {part: parts[part] for part in ("validation", "test") if part in parts}
    if not n_hold_out and "validation" not in others and "test" in others:
        others["validation"] = others.pop("test")
    if n_hold_out and len(others) == 2:
        raise RunError(f"{dataset} has validation and test examples already: hold none out of train/.")
    if n_hold_out and "validation" in others:
        others["test"] = others.pop("validation")
    for part, (x, y) in others.items():
        splits[part] = _split(name, x, y, np.arange(len(y)), pixel_hashes(x, seed))
    if "validation" not in splits:
        raise RunError(
            f"{dataset} has no validation examples: add validation/ or x_test, or use --hold-out N."
        )
    return DataSet(name, splits, class_names)
