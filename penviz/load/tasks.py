"""What may be asked of the cage: name -> function of JSON arguments and a way to tell progress.

Paths are strings: of uploads, and of directories to make, below the session's workspace, or of data below a
directory that the app allows. What is made lies in the job's own directory until it takes its name at the
end: a job that is ended half-way leaves nothing.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torchvision  # noqa: F401  before the server forks, so that no child has to

from penviz.foreign.images_zip import unpack_folder
from penviz.foreign.inspection import inspect_file
from penviz.foreign.report import FileReport, Refused
from penviz.foreign.run_zip import unpack_run
from penviz.learn import data
from penviz.load import accuracy, adopt, architectures, arrays, preprocessing, variants
from penviz.load.class_names import in_order
from penviz.runs import RunError

Tell = Callable[[dict[str, Any]], None]


def inspect(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """The report of a file, as of `FileReport.to_json`. Arguments: path, name."""
    return inspect_file(Path(arguments["path"]), name=arguments.get("name")).to_json()


def match(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Architectures that a file fits, best first. Arguments: path, name; n_classes where the file has none.

    Returns:
        candidates: of each the fields of `Candidate`, and `complete`.
    """
    report = _usable(arguments)
    found = architectures.candidates(report.tensors, report.n_classes or arguments.get("n_classes"))
    return {"candidates": [dataclasses.asdict(c) | {"complete": c.complete} for c in found]}


def check(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """What each plausible set-up scores on labelled images.

    Arguments: those of `match`; model; dataset and what `_data_set` takes; seconds, that it may take about.

    Returns:
        `Check.to_json`, and the data's class_names and image_shape.
    """
    _, network, dataset = _open(arguments)
    split = dataset.splits.get("validation") or next(iter(dataset.splits.values()))
    rows = accuracy.sample(split.labels)
    images, labels = split.images[rows], split.labels[rows]
    n_classes = len(dataset.class_names)
    ways = preprocessing.plausible(arguments["model"], network, dataset.image_shape, n_classes)
    bodies = variants.plausible(network, ways[0].apply(images[:2]))
    seconds = float(arguments.get("seconds", 60))
    checked = accuracy.check(network, ways, bodies, images, labels, seconds=seconds, report=_progress(tell))
    return checked.to_json() | {
        "class_names": list(dataset.class_names),
        "image_shape": list(dataset.image_shape),
    }


def adopt_checkpoint(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Write a run directory from a checkpoint.

    Arguments: those of `check`; out; preprocessing and variant as of a row of the check; targets,
    label_smoothing, expected, warnings, splits, classes and per_class as of `adopt.adopt`.

    Returns:
        directory: the run's.
    """
    report, network, dataset = _open(arguments)
    choices = adopt.Choices(
        arguments["model"],
        preprocessing.Preprocessing.from_json(arguments["preprocessing"]),
        variants.Variant(**arguments.get("variant", {})),
        arguments.get("targets", "unknown"),
        arguments.get("label_smoothing"),
        arguments.get("expected"),
    )
    out = Path(arguments["out"])
    options = {key: arguments[key] for key in ("warnings", "classes", "per_class") if key in arguments}
    splits = arguments.get("splits") or [s for s in ("train", "validation") if s in dataset.splits]
    made = adopt.adopt(
        network,
        choices,
        dataset,
        Path(out.name),
        report=report,
        splits=splits,
        progress=_progress(tell),
        **options,
    )
    return _move(made, out)


def adopt_activations(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Write a run directory from arrays.

    Arguments: files (split -> path), out; class_names, dataset, model, targets and label_smoothing as of
    `arrays.adopt_arrays`.

    Returns:
        directory: the run's.
    """
    files = {split: Path(path) for split, path in arguments["files"].items()}
    for path in files.values():
        _usable({"path": path})
    known = ("class_names", "dataset", "model", "targets", "label_smoothing")
    options = {key: arguments[key] for key in known if key in arguments}
    out = Path(arguments["out"])
    return _move(arrays.adopt_arrays(files, Path(out.name), **options), out)


def folder(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Unpack a zip of images. Arguments: path, out. Returns the fields of `FolderSummary`, and directory."""
    out = Path(arguments["out"])
    summary = unpack_folder(Path(arguments["path"]), Path.cwd() / out.name)
    return dataclasses.asdict(summary) | _move(Path(out.name), out)


def run(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Unpack a run that penviz packed. Arguments: path, out. Returns directory."""
    out = Path(arguments["out"])
    unpack_run(Path(arguments["path"]), Path.cwd() / out.name)
    return _move(Path(out.name), out)


def _usable(arguments: dict[str, Any]) -> FileReport:
    report = inspect_file(Path(arguments["path"]), name=arguments.get("name"))
    if report.refusal:
        raise Refused(report.refusal, report.advice)
    return report


def _open(arguments: dict[str, Any]) -> tuple[FileReport, Any, data.DataSet]:
    """The report, the network with its weights, and the data in the order of its outputs."""
    report = _usable(arguments)
    if report.not_finite:
        raise RunError(f"{report.name} holds NaN or infinity in {', '.join(report.not_finite[:3])}.")
    path, model, names = Path(arguments["path"]), arguments["model"], arguments.get("class_names")
    n_classes = arguments.get("n_classes") or (len(names) if names else None)
    network = adopt.open_network(path, report, model, n_classes=n_classes)
    dataset = _data_set(arguments, architectures.input_shape(model, network)[-1])
    return report, network, dataset


def _data_set(arguments: dict[str, Any], side: int) -> data.DataSet:
    """The data. Arguments: dataset; data_dir, image_size, hold_out, class_names (in the outputs' order)."""
    size = arguments.get("image_size") or (side if side <= 64 else round(side / 0.875))
    loaded = data.load(
        arguments["dataset"],
        n_hold_out=arguments.get("hold_out", 0),
        data_dir=arguments.get("data_dir", "data"),
        image_size=min(size, 1024),
    )
    names = arguments.get("class_names")
    return in_order(loaded, tuple(names)) if names else loaded


def _progress(tell: Tell) -> adopt.Progress:
    return lambda done, n, left: tell({"done": done, "of": n, "seconds_left": left})


def _move(made: Path, out: Path) -> dict[str, Any]:
    """Give what was made its place; both lie on one disk."""
    if out.exists():
        raise RunError(f"{out.name} exists already.")
    os.replace(made, out)
    return {"directory": str(out)}


TASKS: dict[str, Callable[[dict[str, Any], Tell], dict[str, Any]]] = {
    "inspect": inspect,
    "match": match,
    "check": check,
    "adopt": adopt_checkpoint,
    "activations": adopt_activations,
    "folder": folder,
    "run": run,
}
