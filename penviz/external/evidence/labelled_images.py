"""The labelled images that a foreign network is tried on, split by what it can have seen of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from penviz.demo import SHIPPED
from penviz.external.reader.report import FileReport
from penviz.store.npz import DAMAGED
from penviz.training import data
from penviz.training.class_names import in_order
from penviz.training.data_set import DataSet

LARGEST_SIDE = 1024


def labelled_images(
    dataset: str,
    side: int,
    *,
    training: Mapping[str, Any],
    data_dir: Path | str = "data",
    image_size: int = 0,
    hold_out: int = 0,
    class_names: Sequence[str] = (),
) -> DataSet:
    """Read the images at the size that a network is fed, their classes in the order of its outputs.

    The parts are those that were published. A network that penviz trained on these data, as its file says,
    has not seen the validation images that penviz held out then, so for it they are held out again.

    Args:
        dataset, data_dir, hold_out: as of `data.load_published`.
        side: pixels that the network is fed.
        training: what the file says of a training by penviz (`stated_training`).
        image_size: pixels of a directory's images; 0 for what the training or the network says.
        class_names: of the outputs; none for the order of the data.

    Raises:
        RunError: as `data.load`, or class names that do not fit.
    """
    size = image_size or int(training.get("image_size", 0)) or (side if side <= 64 else round(side / 0.875))
    size = min(size, LARGEST_SIDE)
    if is_trained_on(dataset, training) and not hold_out:
        loaded = data.load(
            dataset,
            seed=int(training.get("split_seed", training.get("seed", 0))),
            n_hold_out=int(training.get("hold_out", 0)),
            data_dir=data_dir,
            image_size=size,
        )
    else:
        loaded = data.load_published(dataset, n_hold_out=hold_out, data_dir=data_dir, image_size=size)
    return in_order(loaded, tuple(class_names)) if class_names else loaded


CLASS_COUNTS = {"cifar10": 10, "cifar100": 100, "mnist": 10, "fashion_mnist": 10, "digits": 10}


def class_count(dataset: str) -> int | None:
    """K of some data without reading their images, None where that is not known."""
    path, dataset = Path(dataset), SHIPPED.get(dataset, dataset)
    if dataset in CLASS_COUNTS:
        return CLASS_COUNTS[dataset]
    if (path / "train").is_dir():
        return sum(child.is_dir() and not child.name.startswith(".") for child in (path / "train").iterdir())
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as stored:
            return len(stored["class_names"])
    except DAMAGED:
        return None


def stated_training(report: FileReport, model: str) -> Mapping[str, Any]:
    """What a file says of a training by penviz, where it is of the network that it is loaded into."""
    stated = report.training
    return stated if stated.get("model") == model.removeprefix("penviz:") else {}


def is_trained_on(dataset: str, training: Mapping[str, Any]) -> bool:
    """Whether a file says that penviz trained it on these data; a path counts by its last part."""
    stated = str(training.get("dataset", ""))
    return bool(stated) and "seed" in training and Path(stated).name == Path(dataset).name
