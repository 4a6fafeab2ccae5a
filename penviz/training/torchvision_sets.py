"""The labelled image sets of torchvision that fit in memory, each read by its own class.

Left out: sets of faces, boxes, masks, captions or pairs, sets whose parts have different classes (Omniglot,
LFW), and those too large to be held (Places365, iNaturalist); ImageNet is read by training/imagenet.py.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penviz.store.run_config import RunError
from penviz.training.folder import remove_empty, square

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]

_BY_TRAIN: dict[str, dict[str, Any]] = {"train": {"train": True}, "test": {"train": False}}
_BY_SPLIT: dict[str, dict[str, Any]] = {"train": {"split": "train"}, "test": {"split": "test"}}
_BY_THREE = _BY_SPLIT | {"validation": {"split": "val"}}
_WHOLE: dict[str, dict[str, Any]] = {"train": {}}
_DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class TorchvisionSet:
    """How a set is read.

    Attributes:
        kind: its class in torchvision.datasets.
        held_out: validation examples taken out of train where nothing else is said; 0 where the set has a
            validation part of its own.
        parts: "train", "validation" or "test" -> arguments of the class.
        names: of its classes, () for those that the class states.
        numbered: how many classes there are, where the class states no names: they are called by number.
        first_label: the number of the first class in the files.
        form: argument `split` of a class that has several sets.
    """

    kind: str
    held_out: int = 0
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: _BY_TRAIN)
    names: tuple[str, ...] = ()
    numbered: int = 0
    first_label: int = 0
    form: str = ""


SETS = {
    "cifar10": TorchvisionSet("CIFAR10", 10_000),
    "cifar100": TorchvisionSet("CIFAR100", 10_000),
    "mnist": TorchvisionSet("MNIST", 10_000, names=_DIGITS),
    "fashion_mnist": TorchvisionSet("FashionMNIST", 10_000),
    "kmnist": TorchvisionSet("KMNIST", 10_000),
    "qmnist": TorchvisionSet("QMNIST", 10_000, names=_DIGITS),
    "emnist-balanced": TorchvisionSet("EMNIST", 18_800, form="balanced"),
    "emnist-byclass": TorchvisionSet("EMNIST", 100_000, form="byclass"),
    "emnist-bymerge": TorchvisionSet("EMNIST", 100_000, form="bymerge"),
    "emnist-letters": TorchvisionSet("EMNIST", 20_800, form="letters", first_label=1),
    "emnist-digits": TorchvisionSet("EMNIST", 40_000, form="digits"),
    "emnist-mnist": TorchvisionSet("EMNIST", 10_000, form="mnist"),
    "svhn": TorchvisionSet("SVHN", 10_000, _BY_SPLIT, _DIGITS),
    "stl10": TorchvisionSet("STL10", 1_000, _BY_SPLIT),
    "usps": TorchvisionSet("USPS", 1_000, names=_DIGITS),
    "semeion": TorchvisionSet("SEMEION", 319, _WHOLE, _DIGITS),
    "gtsrb": TorchvisionSet("GTSRB", 5_000, _BY_SPLIT, numbered=43),
    "flowers102": TorchvisionSet("Flowers102", 0, _BY_THREE),
    "food101": TorchvisionSet("Food101", 10_100, _BY_SPLIT),
    "dtd": TorchvisionSet("DTD", 0, _BY_THREE),
    "eurosat": TorchvisionSet("EuroSAT", 5_400, _WHOLE),
    "fgvc_aircraft": TorchvisionSet("FGVCAircraft", 0, _BY_THREE),
    "stanford_cars": TorchvisionSet("StanfordCars", 1_600, _BY_SPLIT),
    "sun397": TorchvisionSet("SUN397", 21_750, _WHOLE),
    "country211": TorchvisionSet("Country211", 0, _BY_SPLIT | {"validation": {"split": "valid"}}),
    "caltech101": TorchvisionSet("Caltech101", 1_735, _WHOLE),
    "caltech256": TorchvisionSet("Caltech256", 6_120, _WHOLE),
    "imagenette": TorchvisionSet(
        "Imagenette", 0, {"train": {"split": "train"}, "validation": {"split": "val"}}
    ),
    "rendered_sst2": TorchvisionSet("RenderedSST2", 0, _BY_THREE),
}
"""Name -> how it is read."""

SEVERAL = {
    "emnist": (
        *("emnist-balanced", "emnist-byclass", "emnist-bymerge"),
        *("emnist-letters", "emnist-digits", "emnist-mnist"),
    )
}
"""Sets that come in several forms, of which one is named."""


def read_set(name: str, data_dir: Path, image_size: int) -> tuple[dict[str, Part], tuple[str, ...]]:
    """Read a set of SETS, downloaded where it is not there.

    Sets of images of one size come as they are, [n, h, w, C]; others as RGB squares of `image_size` pixels.

    Raises:
        RunError: the data are not there and cannot be downloaded, or are damaged.
    """
    from torchvision import datasets

    known = SETS[name]
    kind = getattr(datasets, known.kind)
    before = set(data_dir.iterdir()) if data_dir.is_dir() else None
    parts: dict[str, Part] = {}
    names = known.names or tuple(str(k) for k in range(known.numbered))
    with _unpacked(kind, data_dir) as (place, download):
        for part, own in known.parts.items():
            arguments = own if not known.form else {"split": known.form, **own}
            try:
                source = kind(str(place), **arguments, download=download)
            except (OSError, RuntimeError, ImportError) as error:
                if not download:
                    raise RunError(
                        f"The files of {name} in {data_dir} are damaged: fetch them again."
                    ) from error
                for directory in set(data_dir.iterdir()) - before if before is not None else {data_dir}:
                    remove_empty(directory)
                raise RunError(
                    f"{name} is not in {data_dir} and could not be downloaded ({type(error).__name__}); "
                    f"put {name}.npz there or name its place with --data-dir."
                ) from error
            except (ValueError, EOFError, KeyError) as error:
                raise RunError(f"The files of {name} in {data_dir} are damaged: fetch them again.") from error
            names = names or _class_names(source)[known.first_label :]
            images, labels = _arrays(source, image_size)
            parts[part] = images, labels - known.first_label
    return parts, names


def _unpacked(kind: Any, data_dir: Path) -> AbstractContextManager[tuple[Path, bool]]:
    """Where a set lies, and whether it may be downloaded.

    The MNIST family comes as one .gz a file. Where these lie beside each other in `data_dir`, or packed where
    torchvision unpacks them, they are unpacked into a temporary directory: `data_dir` may be read-only.
    """
    listed = getattr(kind, "resources", ())
    files = [name for name, _ in listed] if isinstance(listed, list) else []
    own = data_dir / kind.__name__ / "raw"
    plain = [name.removesuffix(".gz") for name in files]
    if (
        not files
        or not all(name.endswith(".gz") for name in files)
        or all((own / n).is_file() for n in plain)
    ):
        return nullcontext((data_dir, True))
    for place in (data_dir, own, data_dir / "raw", data_dir / kind.__name__):
        if all((place / name).is_file() for name in files):
            return _Gunzipped([place / name for name in files], kind.__name__)
    return nullcontext((data_dir, True))


class _Gunzipped:
    """Files unpacked into <temporary>/<kind>/raw as long as they are read."""

    def __init__(self, files: list[Path], kind: str):
        self.files, self.kind = files, kind

    def __enter__(self) -> tuple[Path, bool]:
        self.directory = TemporaryDirectory()
        raw = Path(self.directory.name) / self.kind / "raw"
        raw.mkdir(parents=True)
        try:
            for path in self.files:
                with gzip.open(path) as packed, open(raw / path.stem, "wb") as file:
                    shutil.copyfileobj(packed, file)
        except (OSError, EOFError) as error:
            self.directory.cleanup()
            raise RunError(f"{path} cannot be unpacked: fetch it again.") from error
        return Path(self.directory.name), False

    def __exit__(self, *error: object) -> None:
        self.directory.cleanup()


def _class_names(source: Any) -> tuple[str, ...]:
    for name in ("classes", "categories"):
        if (found := getattr(source, name, None)) is not None:
            return tuple(c if isinstance(c, str) else ", ".join(map(str, c)) for c in found)
    raise RunError(f"torchvision's {type(source).__name__} states no names of classes.")


def _arrays(source: Any, image_size: int) -> Part:
    """Images [n, h, w, C] uint8 and labels [n] of one part of a set."""
    data = getattr(source, "data", None)
    if data is None or isinstance(data, list):
        return _decoded(source, image_size)
    images = np.asarray(data)
    labels = np.asarray(source.targets if hasattr(source, "targets") else source.labels)
    if labels.ndim == 2:  # QMNIST keeps eight numbers an example; the class is the first
        labels = labels[:, 0]
    if images.ndim == 4 and images.shape[1] == 3 and images.shape[-1] != 3:  # SVHN and STL-10: channels first
        images = images.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images, np.uint8), labels.astype(np.int64)


def _decoded(source: Any, image_size: int) -> Part:
    """A set of files of many sizes, one after another, as RGB squares."""
    images = np.empty((len(source), image_size, image_size, 3), np.uint8)
    labels = np.empty(len(source), np.int64)
    for row in range(len(source)):
        image, labels[row] = source[row]
        images[row] = square(image, image_size)
    return images, labels
