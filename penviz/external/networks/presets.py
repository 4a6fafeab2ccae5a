"""Published ImageNet networks by name: their weights, preprocessing and, as far as it is known, training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from penviz.did_you_mean import did_you_mean
from penviz.external.evidence import accuracy, candidates, label_order, scored_set_up
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.importing import adopt
from penviz.external.importing.choices import Choices
from penviz.external.importing.judgement import Judgement
from penviz.external.importing.new_directory import check_new
from penviz.external.networks import architectures
from penviz.external.networks.variants import Variant
from penviz.external.networks.weights import load_strict
from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.report import FileReport
from penviz.metrics.target_vectors import Targets
from penviz.store.run_config import RunError
from penviz.training import pretrained
from penviz.training.data_set import DataSet
from penviz.training.imagenet import N_CLASSES, read_imagenet


@dataclass(frozen=True)
class Preset:
    """A published network.

    Attributes:
        model: name of the architecture.
        weights: of torchvision, by name, looked for in torch's cache; "" for a file that must be given.
        label_smoothing: alpha of its published recipe, None where none is published with the weights.
        recipe: what else in its training is unlike the plain recipe (90 epochs, crops and mirroring).
        about: one line for people.
    """

    model: str
    weights: str
    label_smoothing: float | None
    recipe: tuple[str, ...]
    about: str

    @property
    def targets(self) -> str:
        """As of `adopt.Choices`."""
        return Targets.of(self.label_smoothing).kind


PRESETS = {
    "imagenet-resnet50-v1": Preset(
        "torchvision:resnet50", "IMAGENET1K_V1", 0.0, (), "torchvision's first ResNet-50: hard targets"
    ),
    "imagenet-resnet50-v2": Preset(
        "torchvision:resnet50",
        "IMAGENET1K_V2",
        0.1,
        (
            *("a schedule of 600 epochs", "mixup", "CutMix", "TrivialAugment", "random erasing"),
            *("repeated augmentation", "smaller training crops", "averaged weights"),
        ),
        "torchvision's second ResNet-50: label smoothing 0.1 among much else",
    ),
    "imagenet-inception-v4": Preset(
        "timm:inception_v4", "", None, (), "timm's Inception-v4 (inception_v4.tf_in1k): targets not stated"
    ),
}
"""torchvision's recipes are those that its weights link to in `meta["recipe"]`."""


def extract_preset(
    name: str,
    directory: Path,
    out: Path,
    options: adopt.AdoptOptions,
    *,
    file: Path | None = None,
    say: Callable[[str], None] = lambda sentence: None,
    progress: adopt.Progress = lambda done, n, left: None,
) -> Path:
    """Make a run of a published network and an ImageNet directory.

    Args:
        name: in PRESETS.
        directory: of ImageNet (`imagenet.read_imagenet`).
        out: the new directory.
        options: what is stored; with no classes all thousand, and then validation only unless splits says
            otherwise, else train and validation.
        file: the weights, where torch's cache is not to be used; of torchvision's it must be the same file.
        say: told what is done; progress: as of `adopt.adopt`.

    Raises:
        RunError: an unknown preset, weights that are not there or not those, a directory that does not fit.
    """
    if name not in PRESETS:
        raise RunError(
            f"There is no preset {name}{did_you_mean(name, PRESETS)}: choose one of {', '.join(PRESETS)}."
        )
    check_new(out)
    if not directory.is_dir():  # said before weights are downloaded
        raise RunError(f"There is no directory {directory}.")
    preset = PRESETS[name]
    every_class = not options.classes
    splits = options.splits or (("validation",) if every_class else ("train", "validation"))
    network, report = _network(name, preset, file)
    way = _preprocessing(preset, network)
    dataset = read_imagenet(directory, splits, way.size, way.interpolation, every_class=every_class)
    choices = Choices(
        preset.model,
        way,
        targets=preset.targets,
        label_smoothing=preset.label_smoothing,
        recipe=preset.recipe,
    )
    say(f"{name}: {preset.about}; {way.describe()}.")
    if preset.recipe:
        say(f"Its training also differs from the plain one in {', '.join(preset.recipe)}.")
    checked, doubts = _checked(network, way, dataset)
    judged = Judgement(dataset.judged_on, bool(dataset.unseen), checked.accuracy, checked.nll, checked.n)
    say(f"penviz measures {100 * checked.accuracy:.1f} % on {checked.n} images.")
    for sentence in doubts:
        say(sentence)
    return adopt.adopt(
        network,
        choices,
        dataset,
        out,
        adopt.CheckedFile(report, judged, doubts),
        replace(options, splits=splits),
        progress=progress,
    )


def _network(name: str, preset: Preset, file: Path | None) -> tuple[nn.Module, FileReport]:
    """The network with its weights, and the report of their file."""
    if not preset.weights:
        if file is None:
            raise RunError(f"Give the file of weights: penviz extract FILE --preset {name} --dataset DIR ...")
        report = inspect_file(file)
        return adopt.open_network(file, report, preset.model, n_classes=N_CLASSES), report
    official = pretrained.official(preset.model, preset.weights)
    start = pretrained.digest_start(official)
    found = pretrained.find(preset.model, str(file) if file else preset.weights)
    if not found.sha256.startswith(start):
        raise RunError(
            f"{found.path} is not torchvision's {preset.weights} (its sha256 starts with {found.sha256[:8]}, "
            f"not {start}): extract it with --model {preset.model} in place of --preset."
        )
    network = architectures.build(preset.model, N_CLASSES)
    load_strict(network, pretrained.read(found), preset.model)
    return network.eval(), inspect_file(found.path)


def _preprocessing(preset: Preset, network: nn.Module) -> Preprocessing:
    """What the weights were evaluated with, as their own library states it."""
    if preset.weights:
        stated = pretrained.official(preset.model, preset.weights).transforms()
        return Preprocessing(
            f"recipe of {preset.weights}",
            stated.resize_size[0],
            stated.crop_size[0],
            mean=tuple(stated.mean),
            std=tuple(stated.std),
            interpolation=str(stated.interpolation.value),
        )
    way = candidates.recipe(preset.model, network, 3)
    assert way is not None
    return way


def _checked(
    network: nn.Module, way: Preprocessing, dataset: DataSet
) -> tuple[scored_set_up.Row, tuple[str, ...]]:
    """Accuracy on some images, and sentences on the order of the classes where it is in doubt."""
    _, images, labels = accuracy.sample_of(dataset)
    scores = scored_set_up.scores_of(network, way, images)
    doubts = label_order.sentences(scores.argmax(1).numpy(), labels, N_CLASSES)
    return scored_set_up.row_of(way, Variant(), scores, labels), doubts
