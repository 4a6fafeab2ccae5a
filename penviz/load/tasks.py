"""What may be asked of the cage: name -> function of JSON arguments and a way to tell progress.

Paths in arguments are strings below the visitor's directory, or below a directory that the app allows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401  imported before the server forks, so that no child has to
import torchvision  # noqa: F401

Tell = Callable[[dict[str, Any]], None]
Json = dict[str, Any]

MOST_CANDIDATES = 8
PER_CLASS = 1000
"""Training examples a class in a full pass."""


def inspect(arguments: Json, tell: Tell) -> Json:
    """A file's report (`penviz.foreign.inspection`); arguments: path, name."""
    from penviz.foreign.inspection import inspect_file

    return inspect_file(Path(arguments["path"]), name=arguments.get("name")).to_json()


def match(arguments: Json, tell: Tell) -> Json:
    """Networks that a file fits, best first; arguments: report."""
    from penviz.foreign.report import FileReport
    from penviz.load.architectures import candidates

    report = FileReport.from_json(arguments["report"])
    found = candidates(report.tensors, report.n_classes)[:MOST_CANDIDATES]
    return {
        "candidates": [{"name": c.name, "evidence": c.evidence, "complete": c.complete} for c in found],
    }


def check(arguments: Json, tell: Tell) -> Json:
    """Accuracy under every plausible set-up; arguments: path, name, model, dataset, data_dir, expected."""
    from penviz.load import accuracy, adopt, preprocessing, variants

    tell({"what": "loading"})
    _, network, dataset = _opened(arguments)
    split_name = "validation" if "validation" in dataset.splits else next(iter(dataset.splits))
    split = dataset.splits[split_name]
    rows = accuracy.sample(split.labels)
    images, labels = split.images[rows], split.labels[rows]
    ways = preprocessing.plausible(arguments["model"], network, dataset.image_shape, len(dataset.class_names))
    bodies = variants.plausible(network, ways[0].apply(images[:2]))
    done = accuracy.check(
        network,
        ways,
        bodies,
        images,
        labels,
        report=lambda i, n, left: tell({"done": i, "n": n, "seconds_left": left}),
    )
    choices = adopt.Choices(arguments["model"], done.best.preprocessing, done.best.variant)
    warning = accuracy.expectation_warning(done.best.accuracy, arguments.get("expected"), done.best.n)
    return done.to_json() | {
        "split": split_name,
        "class_names": list(dataset.class_names),
        "head": adopt.prove_on(network, choices, images).to_json(),
        "warnings": [*done.sentences, *([warning] if warning else [])],
    }


def adopt(arguments: Json, tell: Tell) -> Json:
    """A run directory.

    Arguments: as of `check`, and row (of its table), targets, label_smoothing, warnings, out, classes (names
    for a quick look, or null) and per_class.
    """
    from penviz.load import accuracy
    from penviz.load import adopt as adopting
    from penviz.load.preprocessing import Preprocessing
    from penviz.load.variants import Variant

    tell({"what": "loading"})
    report, network, dataset = _opened(arguments)
    row = arguments["row"]
    way, body = Preprocessing.from_json(row["preprocessing"]), Variant(**row["variant"])
    chosen = adopting.Choices(
        arguments["model"],
        way,
        body,
        arguments["targets"],
        arguments["label_smoothing"],
        arguments.get("expected"),
    )
    checked = accuracy.Row(way, body, row["accuracy"], row["nll"], row["n"], row["permuted"])
    names = list(dataset.class_names)
    classes = [names.index(name) for name in arguments["classes"] or ()]
    splits = [split for split in ("train", "validation") if split in dataset.splits]
    started = time.monotonic()
    out = adopting.adopt(
        network,
        chosen,
        dataset,
        Path(arguments["out"]),
        report=report,
        checked=checked,
        warnings=arguments["warnings"],
        splits=splits,
        classes=classes,
        per_class=arguments["per_class"],
        progress=lambda done, n, left: tell({"done": done, "n": n, "seconds_left": left}),
        replace=True,
    )
    counts = {split: np.bincount(dataset.splits[split].labels) for split in splits}
    n_quick = sum(int(np.minimum(c[classes], arguments["per_class"]).sum()) for c in counts.values())
    n_all = sum(int((np.minimum(c, PER_CLASS) if s == "train" else c).sum()) for s, c in counts.items())
    taken = time.monotonic() - started
    return {
        "directory": str(out),
        "quick_look": bool(classes),
        "seconds_all": taken * n_all / n_quick if classes else None,
    }


def activations(arguments: Json, tell: Tell) -> Json:
    """A run directory from arrays; arguments: files (split -> path), out, targets, label_smoothing."""
    from penviz.load.arrays import adopt_arrays

    files = {split: Path(path) for split, path in arguments["files"].items()}
    out = adopt_arrays(
        files,
        Path(arguments["out"]),
        targets=arguments["targets"],
        label_smoothing=arguments["label_smoothing"],
    )
    return {"directory": str(out)}


def folder(arguments: Json, tell: Tell) -> Json:
    """An unpacked zip of images; arguments: path, out."""
    from penviz.foreign.images_zip import unpack_folder

    out = Path(arguments["out"])
    found = unpack_folder(Path(arguments["path"]), out)
    parts = [f"{n:,} images{f' in {split}/' if split else ''}" for split, n in found.splits.items()]
    return {"folder": str(out), "words": f"{' and '.join(parts)}, {len(found.class_names)} classes."}


def packed(arguments: Json, tell: Tell) -> Json:
    """A run that was downloaded from penviz, opened again; arguments: path, out."""
    from penviz.load.packed import open_packed

    return {"directory": str(open_packed(Path(arguments["path"]), Path(arguments["out"])))}


def _opened(arguments: Json) -> tuple[Any, Any, Any]:
    """The report, the network with its weights, and the data set at the size that the network wants."""
    from penviz.foreign.inspection import inspect_file
    from penviz.learn import data
    from penviz.load import adopt, architectures

    path, model = Path(arguments["path"]), arguments["model"]
    report = inspect_file(path, name=arguments["name"])
    network = adopt.open_network(path, report, model)
    side = architectures.input_shape(model, network)[-1]
    size = side if side <= 64 else round(side / 0.875)
    return (
        report,
        network,
        data.load(arguments["dataset"], data_dir=arguments["data_dir"], image_size=min(size, 1024)),
    )


TASKS: dict[str, Callable[[Json, Tell], Json]] = {
    "inspect": inspect,
    "match": match,
    "check": check,
    "adopt": adopt,
    "activations": activations,
    "folder": folder,
    "packed": packed,
}
