"""A foreign checkpoint becomes a run: a directory that penviz reads like those of its own trainings."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penviz import __version__
from penviz.external.evidence import accuracy
from penviz.external.evidence.head import HeadProof, NoHead, prove_head
from penviz.external.importing.adopted_activations import (
    BATCH,
    NetworkPass,
    chosen_rows,
    examples_of,
    fit_a_sprite,
    forward,
    pixels_of,
)
from penviz.external.importing.choices import Choices
from penviz.external.importing.judgement import Judgement, judge
from penviz.external.importing.new_directory import new_directory, shared_directory
from penviz.external.networks import architectures
from penviz.external.networks.builders import is_factory, renamed
from penviz.external.networks.variants import varied
from penviz.external.networks.weights import load_strict, read_weights
from penviz.external.reader.report import FileReport
from penviz.store.activations import Activations
from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, RUN_FILE, sha256_of, thumbnails_path, write_json
from penviz.training import split_files
from penviz.training.checkpoints import write_tensors
from penviz.training.data_set import DataSet
from penviz.training.extract import write_sprite
from penviz.training.split_files import ExtractOptions, write_split

PROOF_IMAGES = 8

Progress = Callable[[int, int, float], None]
"""Told (images done, images in all, seconds left); what it raises ends the work and leaves nothing behind."""


@dataclass(frozen=True)
class CheckedFile:
    """A file, and what is known of the network in it.

    Attributes:
        report: of the file, for its name and digest.
        judged: its accuracy as it was confirmed, None for it to be measured.
        warnings: sentences of the check to keep with the picture.
        undecided: the check's sentence on set-ups that its images do not tell apart, for run.json.
        proof: `NormProof.to_json` of the input, for run.json.
    """

    report: FileReport
    judged: Judgement | None = None
    warnings: tuple[str, ...] = ()
    undecided: str = ""
    proof: dict[str, Any] | None = None


@dataclass(frozen=True)
class AdoptOptions(ExtractOptions):
    """What is stored of an adopted network.

    Attributes:
        splits: with none, those that the data show.
        classes: a quick look at these labels only, `per_class` of each in every split; all when empty.
    """

    splits: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()


DEFAULTS = AdoptOptions()


def open_network(
    path: Path,
    report: FileReport,
    model: str,
    *,
    n_classes: int | None = None,
    local: bool = False,
    weights: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """Build an architecture for a file and load its weights strictly.

    Args:
        path: the file that the report describes.
        report: of `inspect_file`.
        model: name of the architecture.
        n_classes: K, where the file does not say it; for what the user builds, 0 for its own default.
        local: allow `package.module:factory`, on the command line only.
        weights: of the file, where they were read before.

    Raises:
        Refused: the report refuses the file. RunError: unknown K, an architecture that does not fit.
    """
    shapes = architectures.shapes_of(report.tensors)
    if not is_factory(model):
        n_classes = report.n_classes or n_classes or architectures.n_classes_of(model, shapes)
    if n_classes is None:
        raise RunError(
            f"{report.name} has no last layer that says how many classes there are: state the class names, "
            "on the command line with --class-names, or name what builds the network, with --model "
            "package.module:Name or --model file.py:Name."
        )
    weights = read_weights(path, report) if weights is None else weights
    network = architectures.build(model, n_classes, shapes, local=local)
    own = network.state_dict().keys()
    if report.prefix and not any(key in own for key in weights):  # the prefix was the network's own
        weights = {report.prefix + key: tensor for key, tensor in weights.items()}
    load_strict(network, renamed(network, weights), model)
    return network.eval()


def check_splits(dataset: DataSet, splits: Sequence[str]) -> None:
    """RunError for a split that the data do not have."""
    for name in splits:
        if name not in dataset.splits:
            raise RunError(f"{dataset.name} has no split {name}; it has {', '.join(dataset.splits)}.")


@torch.no_grad()
def prove_on(network: nn.Module, choices: Choices, images: NDArray[np.uint8]) -> HeadProof | NoHead:
    """The head, proved on stored images under the chosen set-up, and again on others of them."""
    batch = choices.preprocessing.apply(images[: 2 * PROOF_IMAGES])
    with varied(network, choices.variant, batch):
        half = max(2, len(batch) // 2)
        fresh = batch[half:] if len(batch) >= half + 2 else None
        return prove_head(network, batch[:half], fresh)


def _judge(network: nn.Module, choices: Choices, dataset: DataSet, report: FileReport) -> Judgement:
    """The accuracy of the network under the choices, measured now."""
    _, images, labels = accuracy.sample_of(dataset)
    row = accuracy.measure_setup(network, choices.preprocessing, choices.variant, images, labels)
    return judge(network, row, dataset, stated=choices.expected, extras=report.extras)


def adopt(
    network: nn.Module,
    choices: Choices,
    dataset: DataSet,
    out: Path,
    checked: CheckedFile,
    options: AdoptOptions = DEFAULTS,
    *,
    progress: Progress = lambda done, n, left: None,
) -> Path:
    """Write a run directory: clean weights, activations a split, thumbnails, run.json.

    Args:
        network: with its weights (`open_network`).
        choices: what the user confirmed.
        dataset: labels in the order of the network's outputs.
        out: the new directory.
        checked: the file, and what is known of it.
        options: what is stored; the head is proved on the CPU. All ranks come here.
        progress: see Progress.

    Raises:
        RunError: other data than the network's classes, an unknown split, a directory in use.
    """
    splits, classes, per_class = options.splits or dataset.shown, options.classes, options.per_class
    storage, judged = options.storage, checked.judged
    check_splits(dataset, splits)
    rows = {name: chosen_rows(dataset.splits[name], name, classes, per_class) for name in splits}
    n_all = sum(len(chosen) for chosen in rows.values())
    if n_all == 0:
        raise RunError("There are no examples of these classes.")
    first = dataset.splits[splits[0]].images
    n_names = len(dataset.class_names)
    accuracy.check_outputs(network, choices.preprocessing, first, n_names, choices.variant)
    judged = judged or _judge(network, choices, dataset, checked.report)
    head_proof = prove_on(network, choices, first)
    quick_look = {"classes": [int(c) for c in classes], "per_class": per_class} if classes else None
    record = _record(choices, dataset, checked, head_proof, judged)
    record["adopted"] |= {"quick_look": quick_look, "input": checked.proof}
    started = time.monotonic()
    done = 0

    def told(n: int) -> None:
        nonlocal done
        done = min(n_all, done + n * ranks.size)
        progress(done, n_all, (time.monotonic() - started) / done * (n_all - done))

    ranks = storage.ranks
    alone = ranks.size == 1 and not storage.sharded
    with new_directory(out) if alone else shared_directory(out, ranks) as part:
        if ranks.first:
            tensors = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
            write_tensors(part / MODEL_FILE, tensors, {"model": choices.model})
        ranks.wait()
        digest = sha256_of(part / MODEL_FILE)
        width = forward(network, choices, head_proof, first[:2])[0].shape[1]
        network.to(ranks.device(options.device))
        record["model_sha256"] = digest
        sprites: dict[str, Any] = {}
        for name in splits:
            split, chosen = dataset.splits[name], rows[name]
            if not len(chosen):
                continue
            examples = examples_of(dataset, name, chosen, out.name, head_proof, digest)
            run = NetworkPass(network, choices, head_proof, split, chosen, told)
            starts = range(0, len(chosen), BATCH)
            batches = [slice(start, min(start + BATCH, len(chosen))) for start in starts]
            stored = write_split(part, examples, batches, width, run, storage)
            if alone and examples.head is None and stored is not None and stored.is_file():
                kept = np.concatenate(run.logits)
                dataclasses.replace(Activations.load(stored), own_logits=kept).save(stored)
            n_run, right, nll = ranks.sum(run.sums).tolist()
            if not classes and n_run == len(chosen):
                record["metrics"][name] = {"accuracy": right / n_run, "nll": nll / n_run, "n": n_run}
            elif not classes and stored is not None:  # some shards were done before
                record["metrics"][name] = split_files.accuracy(part, name)
            if not ranks.first:
                continue
            if options.thumbnail_quality and fit_a_sprite(len(chosen), dataset):
                pixels = pixels_of(split, chosen)
                written = write_sprite(thumbnails_path(part, name), pixels, options.thumbnail_quality)
                sprites[name] = written | {"checkpoint_sha256": digest}
        if ranks.first:
            write_json(part / RUN_FILE, record | ({"thumbnails": sprites} if sprites else {}))
    return out


def _record(
    choices: Choices,
    dataset: DataSet,
    checked: CheckedFile,
    proof: HeadProof | NoHead,
    judged: Judgement,
) -> dict[str, Any]:
    """run.json, but for what the pass over the images finds."""
    report, warning = checked.report, judged.warning
    return {
        "config": {
            "dataset": dataset.name,
            "model": choices.model,
            "targets": choices.targets,
            "label_smoothing": choices.label_smoothing,
        },
        "adopted": {
            "file": report.name,
            "file_sha256": report.sha256,
            "head": proof.to_json(),
            "preprocessing": choices.preprocessing.to_json(),
            "variant": choices.variant.to_json(),
            "accuracy": {
                "measured": judged.accuracy,
                "nll": judged.nll,
                "n": judged.n,
                "split": judged.split,
                "train": {"accuracy": judged.train_accuracy, "n": judged.n_train},
                "expected": judged.stated,
                "stated_by": "" if judged.stated is None else judged.stated_by,
                "warning": " ".join([*([warning] if warning else []), *checked.warnings]),
                "undecided": checked.undecided,
            },
            "unseen": list(dataset.unseen),
            "seen": judged.seen,
            "recipe": list(choices.recipe),
            "targets_stated_by": "" if choices.targets == "unknown" else "user",
        },
        "class_names": list(dataset.class_names),
        "image_shape": list(dataset.image_shape),
        "splits": {
            name: {"n": len(split), "dataset_id": split.dataset_id} for name, split in dataset.splits.items()
        },
        "source_id": dataset.source_id,
        "status": "finished",
        "metrics": {},
        "versions": {"penviz": __version__, "torch": torch.__version__},
    }
