"""What may be asked of the sandbox: name -> function of JSON arguments and a way to tell progress.

Paths are strings: of uploads in the session's workspace, or of data below a directory that the app allows.
What is made lies in the job's own directory under a name, `out`; the app looks at it and gives it its place.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision  # noqa: F401  before the server forks, so that no child has to

from penviz.external.evidence import accuracy, candidates, preprocessing
from penviz.external.evidence.labelled_images import class_count, labelled_images, stated_training
from penviz.external.evidence.try_inputs import that_run, try_inputs
from penviz.external.importing import adopt, arrays
from penviz.external.importing.choices import Choices
from penviz.external.importing.judgement import Judgement, judge
from penviz.external.importing.packed import open_packed
from penviz.external.networks import architectures, variants
from penviz.external.reader.images_zip import unpack_folder
from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.report import FileReport, Refused
from penviz.store.run_config import RunError
from penviz.training.class_names import LISTS, read_class_names
from penviz.training.data_set import DataSet
from penviz.training.digits_pair import train_pair

Tell = Callable[[dict[str, Any]], None]

TRAINING_PER_CLASS = 1000
"""Training examples a class when nothing else is asked for; validation is whole."""


def inspect(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """The report of a file, as of `FileReport.to_json`. Arguments: path, name."""
    return inspect_file(Path(arguments["path"]), name=arguments.get("name")).to_json()


def match(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Architectures that a file fits, best first. Arguments: path, name; n_classes where the file has none.

    Returns:
        candidates: of each the fields of `Candidate`, and `complete`.
    """
    report = _usable(arguments)
    found = architectures.candidates(
        report.tensors,
        report.n_classes or arguments.get("n_classes"),
        trained=str(report.training.get("model", "")),
    )
    return {"candidates": [dataclasses.asdict(c) | {"complete": c.complete} for c in found]}


def check(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """What each plausible set-up scores on labelled images.

    Arguments: those of `match`; model; dataset and what `_data_set` takes; seconds, that it may take about;
    expected, an accuracy in [0, 1].

    Returns:
        `Check.to_json`, the split, `NormProof.to_json` as input (or None), `Judgement.to_json` of the best
        set-up as judged, its question and evidence, the data's class_names and image_shape, the head as
        proved under the best set-up, and warnings: the check's own sentences, and what the judgement makes
        doubtful.
    """
    report, network, dataset = _open(arguments)
    name, images, _ = accuracy.sample_of(dataset)
    n_classes = len(dataset.class_names)
    ways = candidates.plausible(
        arguments["model"], network, dataset.image_shape, n_classes, training=report.training
    )
    ways = that_run(network, ways, images)
    bodies = variants.plausible(network, ways[0].apply(images[:2]))
    seconds = float(arguments.get("seconds", 60))
    tried = try_inputs(network, ways, bodies, dataset, seconds=seconds, report=_progress(tell))
    checked, best = tried.check, tried.check.best
    chosen = Choices(arguments["model"], best.preprocessing, best.variant)
    judged = judge(
        network,
        best,
        dataset,
        stated=arguments.get("expected"),
        extras=report.extras,
        seconds=seconds / 3,
    )
    doubts = [judged.warning, f"{judged.seen[:1].upper()}{judged.seen[1:]}"]
    return checked.to_json() | {
        "split": name,
        "judged": judged.to_json(),
        "question": judged.question,
        "evidence": judged.evidence,
        "input": tried.proof.to_json() if tried.proof is not None else None,
        "head": adopt.prove_on(network, chosen, images).to_json(),
        "warnings": [*checked.sentences, *filter(None, doubts)],
        "class_names": list(dataset.class_names),
        "image_shape": list(dataset.image_shape),
    }


def adopt_checkpoint(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Write a run directory from a checkpoint.

    Arguments: those of `check`; out; preprocessing and variant as of a row of the check; judged as of the
    check where the row is its best; targets, label_smoothing, expected, warnings, undecided, splits, classes
    (names or rows) and per_class as of `adopt.AdoptOptions`.

    Returns:
        quick_look: whether some classes alone were run, and then seconds_all, about how long all will take.
    """
    report, network, dataset = _open(arguments)
    choices = Choices(
        arguments["model"],
        preprocessing.Preprocessing.from_json(arguments["preprocessing"]),
        variants.Variant(**arguments.get("variant", {})),
        arguments.get("targets", "unknown"),
        arguments.get("label_smoothing"),
        arguments.get("expected"),
    )
    names = list(dataset.class_names)
    classes = [names.index(c) if isinstance(c, str) else int(c) for c in arguments.get("classes") or ()]
    per_class = arguments.get("per_class", TRAINING_PER_CLASS)
    splits = tuple(arguments.get("splits") or dataset.shown)
    judged = arguments.get("judged")
    started = time.monotonic()
    adopt.adopt(
        network,
        choices,
        dataset,
        Path(arguments["out"]),
        adopt.CheckedFile(
            report,
            Judgement(**judged) if judged else None,
            tuple(arguments.get("warnings", ())),
            arguments.get("undecided", ""),
            arguments.get("input"),
        ),
        adopt.AdoptOptions(splits, per_class, device="cpu", classes=tuple(classes)),
        progress=_progress(tell),
    )
    done: dict[str, Any] = {"quick_look": bool(classes)}
    if classes:
        counts = {split: np.bincount(dataset.splits[split].labels) for split in splits}
        n_quick = sum(int(np.minimum(c[classes], per_class).sum()) for c in counts.values())
        counts["train"] = np.minimum(counts.get("train", np.zeros(1)), TRAINING_PER_CLASS)
        n_all = sum(int(c.sum()) for c in counts.values())
        done["seconds_all"] = (time.monotonic() - started) * n_all / max(n_quick, 1)
    return done


def adopt_activations(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Write a run directory from arrays.

    Arguments: files (split -> path), out; class_names, dataset, model, targets and label_smoothing as of
    `arrays.adopt_arrays`.
    """
    files = {split: Path(path) for split, path in arguments["files"].items()}
    for path in files.values():
        _usable({"path": path})
    known = ("dataset", "model", "targets", "label_smoothing")
    options = {key: arguments[key] for key in known if key in arguments}
    options["class_names"] = _class_names(arguments)
    arrays.adopt_arrays(files, Path(arguments["out"]), **options)
    return {}


def folder(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Unpack a zip of images. Arguments: path, out. Returns the fields of `FolderSummary`."""
    return dataclasses.asdict(unpack_folder(Path(arguments["path"]), Path(arguments["out"])))


def run(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Open a run that penviz packed. Arguments: path, out."""
    open_packed(Path(arguments["path"]), Path(arguments["out"]))
    return {}


def _usable(arguments: dict[str, Any]) -> FileReport:
    report = inspect_file(Path(arguments["path"]), name=arguments.get("name"))
    if report.refusal:
        raise Refused(report.refusal, report.advice)
    return report


def _open(arguments: dict[str, Any]) -> tuple[FileReport, Any, DataSet]:
    """The report, the network with its weights, and the data in the order of its outputs."""
    report = _usable(arguments)
    if report.not_finite:
        raise RunError(f"{report.name} holds NaN or infinity in {', '.join(report.not_finite[:3])}.")
    path, model, names = Path(arguments["path"]), arguments["model"], _class_names(arguments)
    n_classes = arguments.get("n_classes") or len(names) or class_count(arguments["dataset"])
    network = adopt.open_network(path, report, model, n_classes=n_classes)
    side = architectures.input_shape(model, network)[-1]
    return report, network, _data_set(arguments, side, stated_training(report, model))


def _data_set(arguments: dict[str, Any], side: int, training: Mapping[str, Any]) -> DataSet:
    """The data. Arguments: dataset; data_dir, image_size, hold_out, class_names (of the outputs)."""
    return labelled_images(
        arguments["dataset"],
        side,
        training=training,
        data_dir=arguments.get("data_dir", "data"),
        image_size=arguments.get("image_size") or 0,
        hold_out=arguments.get("hold_out") or 0,
        class_names=_class_names(arguments),
    )


def _class_names(arguments: dict[str, Any]) -> tuple[str, ...]:
    """class_names as a list, or one of LISTS by its name; () for those of the data."""
    given = arguments.get("class_names") or ()
    if isinstance(given, str):
        if given not in LISTS:
            raise RunError(f"There is no list of class names {given}.")
        return read_class_names(given)
    return tuple(given)


def _progress(tell: Tell) -> adopt.Progress:
    return lambda done, n, left: tell({"done": done, "of": n, "seconds_left": left})


def train_digits(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Train a hard and a soft network on digits.

    Arguments: names, of the two runs; epochs, of each. While it trains, their snapshots lie in the two.
    """
    hard, soft = arguments["names"]
    started = time.monotonic()

    def told(number: int, epoch: int, epochs: int) -> None:
        done, of = number * epochs + epoch, 2 * epochs
        left = (time.monotonic() - started) / done * (of - done)
        tell({"run": number, "epoch": epoch, "epochs": epochs, "done": done, "of": of, "seconds_left": left})

    train_pair(Path.cwd(), (hard, soft), int(arguments["epochs"]), told)
    return {}


TASKS: dict[str, Callable[[dict[str, Any], Tell], dict[str, Any]]] = {
    "inspect": inspect,
    "match": match,
    "check": check,
    "adopt": adopt_checkpoint,
    "activations": adopt_activations,
    "folder": folder,
    "run": run,
    "train digits": train_digits,
}


def before_forking() -> Mapping[str, Callable[[dict[str, Any], Tell], dict[str, Any]]]:
    """The tasks, once torch has looked at the processor: a child may not read /proc/cpuinfo.

    Without that the first number in half precision fails there.
    """
    torch.backends.cpu.get_cpu_capability()
    return TASKS
