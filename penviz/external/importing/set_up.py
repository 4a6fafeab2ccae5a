"""The network, the data and the set-up of a foreign checkpoint: as asked for, or what fits, with evidence."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penviz import InputError
from penviz.external.evidence import accuracy, candidates, label_order, outputs, scored_set_up
from penviz.external.evidence.accuracy import Check
from penviz.external.evidence.input_proof import NormProof
from penviz.external.evidence.labelled_images import class_count, labelled_images, stated_training
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.evidence.try_inputs import that_run, try_inputs
from penviz.external.importing import adopt
from penviz.external.importing.import_options import Request
from penviz.external.importing.judgement import Judgement, judge
from penviz.external.networks import architectures, variants
from penviz.external.networks.builders import is_factory
from penviz.external.networks.variants import Variant
from penviz.external.reader.report import FileReport
from penviz.store.run_config import RunError
from penviz.text_table import text_table
from penviz.training.class_names import read_class_names
from penviz.training.data_set import DataSet

SECONDS = 240.0
"""That trying all set-ups may take, about."""

SHOWN = 12
"""Rows of the table of set-ups that are printed."""


def find_network(
    path: Path,
    report: FileReport,
    weights: dict[str, Tensor] | None,
    request: Request,
    say: Callable[[str], None],
) -> tuple[str, nn.Module]:
    """The name of the architecture asked for, or of the one that alone fits every key; the network.

    Raises:
        RunError: none fits, several that compute different things do, or the weights do not fit it.
    """
    named = read_class_names(request.class_names) if request.class_names else ()
    of_data = len(named) or class_count(request.dataset)
    n_classes = report.n_classes or of_data

    def load(model: str, k: int | None = n_classes) -> nn.Module:
        return adopt.open_network(path, report, model, n_classes=k, local=True, weights=weights)

    if request.model:
        if not is_factory(request.model):
            return request.model, load(request.model)
        refused: list[RunError] = []
        # What the file seems to say may be misread, and the function's own default may be right.
        for k in dict.fromkeys((n_classes, of_data, 0)):
            try:
                return request.model, load(request.model, k)
            except RunError as error:
                refused.append(error)
        raise refused[0]
    trained = str(report.training.get("model", ""))
    found = architectures.candidates(report.tensors, n_classes, trained=trained)
    complete = [candidate for candidate in found if candidate.complete]
    if not complete:
        near = "; ".join(f"{c.name}: {c.evidence}" for c in found[:3])
        if (path / "config.json").is_file():
            near = f"the directory has a config.json: --model hf:{path}"
        raise RunError(f"No architecture fits {report.name}: {architectures.how_to_name(near)}")
    first = load(complete[0].name)
    others = [c.name for c in complete[1:] if not _same_function(first, complete[0].name, load(c.name))]
    if others:
        raise RunError(
            f"Several architectures fit all keys of {report.name} and compute different things: "
            f"choose one with --model: {complete[0].name}, {', '.join(others)}."
        )
    say(f"Took {complete[0].name}: {complete[0].evidence}. Another: --model NAME.")
    return complete[0].name, first


def _same_function(first: nn.Module, name: str, other: nn.Module) -> bool:
    """Whether two networks with the same weights give the same scores."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, *architectures.input_shape(name, first), generator=generator)
    with torch.no_grad():
        try:
            a, b = outputs.run(first, images), outputs.run(other, images)
        except RunError:
            return False
    return a.shape == b.shape and bool((a - b).norm() <= 1e-4 * (a - a.mean(1, keepdim=True)).norm())


def load_data(model: str, network: nn.Module, request: Request, report: FileReport) -> DataSet:
    """The labelled images, at the size that the network is fed, their classes in the checkpoint's order."""
    return labelled_images(
        request.dataset,
        architectures.input_shape(model, network)[-1],
        training=stated_training(report, model),
        data_dir=request.data_dir,
        image_size=request.image_size,
        hold_out=request.hold_out,
        class_names=read_class_names(request.class_names) if request.class_names else (),
    )


def find_set_up(
    model: str,
    network: nn.Module,
    dataset: DataSet,
    request: Request,
    path: Path,
    report: FileReport,
    say: Callable[[str], None],
) -> tuple[Check, NormProof | None, Judgement]:
    """The set-up that was asked for, or the best of all plausible ones, and its accuracy; all of it is said.

    Returns:
        The check, whose best row is the set-up; what the first batch norm says, where it was asked; accuracy.

    Raises:
        RunError: there is none of that name, or the network does not score these classes.
    """
    _, images, labels = accuracy.sample_of(dataset)
    directory = path if path.is_dir() else path.parent
    ways = candidates.plausible(
        model,
        network,
        dataset.image_shape,
        len(dataset.class_names),
        directory=directory,
        training=report.training,
    )
    if request.preprocessing:
        ways = [_way(request.preprocessing, ways)]
    ways = that_run(network, ways, images)
    if request.mean or request.std or request.pixels:
        ways = [_stated(request, ways[0])]
    elif request.image_size and is_factory(model):
        ways = [way for way in ways if _side(way, images) == request.image_size] or ways
    accuracy.check_outputs(network, ways[0], images, len(dataset.class_names))
    bodies = variants.plausible(network, ways[0].apply(images[:2]))
    if request.body or request.preprocessing or len(ways) == 1:
        bodies = [_body(request.body or "as built", bodies)]
    proof = None
    if len(ways) > 1:
        tried = try_inputs(network, ways, bodies, dataset, seconds=SECONDS, say=say)
        check, proof, row = tried.check, tried.proof, tried.check.best
        for line in _table_lines(check):
            say(line)
        if not request.yes:
            say(
                f"Took the first row. Another: --preprocessing '{row.preprocessing.describe()}' "
                f"--body '{row.variant.describe()}', in the words of the table."
            )
    else:
        row = accuracy.measure_setup(network, ways[0], bodies[0], images, labels)
        predictions = scored_set_up.scores_of(network, ways[0], images, bodies[0]).argmax(1).numpy()
        said = label_order.sentences(predictions, labels, len(dataset.class_names))
        check = Check((row,), said, 0, len(dataset.class_names))
    stated, extras = request.expected, report.extras
    judged = judge(network, row, dataset, stated=stated, extras=extras, seconds=SECONDS / 4)
    say(f"{judged.question} If not, change the input.")
    for sentence in filter(None, (judged.evidence, *check.sentences, judged.warning)):
        say(sentence)
    if judged.seen:
        say(f"{judged.seen[0].upper()}{judged.seen[1:]}")
    return check, proof, judged


def _table_lines(check: Check) -> list[str]:
    """The set-ups as lines of text, the one taken first and marked, then by accuracy."""
    cells = [("", "input", "body", "accuracy", "NLL", "images")]
    for i, row in enumerate(check.rows[:SHOWN]):
        numbers = (f"{100 * row.accuracy:.1f} %", f"{row.nll:.3f}", str(row.n))
        cells.append(("*" if i == 0 else "", row.preprocessing.describe(), row.variant.describe(), *numbers))
    lines = text_table(cells, left=(1, 0, 2), gaps={1: 1})
    if len(check.rows) > SHOWN:
        lines.append(f"  and {len(check.rows) - SHOWN} more, each no better than the last")
    if check.untried:
        lines.append(f"  {check.untried} set-ups were not tried: out of time")
    lines += [f"  {said}" for said in check.doubts]
    return lines


def _way(asked: str, ways: Sequence[Preprocessing]) -> Preprocessing:
    for way in ways:
        if way.is_called(asked):
            return way
    try:
        if not Path(asked).is_file():  # nor a device, which has no end
            raise FileNotFoundError
        return Preprocessing.from_json(json.loads(Path(asked).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        names = "; ".join(dict.fromkeys(way.name for way in ways))
        raise RunError(f"There is no preprocessing {asked}: use one of {names}, or a JSON file.") from None


def _side(way: Preprocessing, images: NDArray[np.uint8]) -> int:
    return int(way.apply(images[:1]).shape[2])


def _stated(request: Request, geometry: Preprocessing) -> Preprocessing:
    """The scaling that was stated, at the size of the first input that runs."""
    mean, std = request.mean, request.std or ((1.0,) * len(request.mean))
    mean = mean or (0.0,) * len(std)
    if len(mean) != len(std) or (mean and len(mean) not in (1, geometry.channels)):
        raise RunError(
            f"--mean and --std have one number a channel: {geometry.channels} here, or one for all of them."
        )
    if len(mean) == 1:
        mean, std = mean * geometry.channels, std * geometry.channels
    return dataclasses.replace(
        geometry, name="as stated", order="RGB", scaling=request.pixels or "0..1", mean=mean, std=std
    )


def _body(asked: str, bodies: Sequence[Variant]) -> Variant:
    for body in bodies:
        if asked.lower() == body.describe().lower():
            return body
    known = "; ".join(body.describe() for body in bodies)
    raise RunError(f"There is no body {asked}: use one of {known}.")
