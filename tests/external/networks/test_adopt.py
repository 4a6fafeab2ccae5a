"""A foreign checkpoint becomes a run that the rest of penviz reads, or nothing at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from penviz.external.evidence import candidates
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.importing import adopt
from penviz.external.importing.choices import Choices
from penviz.external.networks import architectures
from penviz.external.networks.variants import Variant
from penviz.external.reader.inspection import inspect_file
from penviz.store.activations import Activations
from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, Run, activations_path, sha256_of, thumbnails_path
from penviz.training import checkpoints, data
from penviz.training.data_set import DataSet, Split
from penviz.training.extract import extract
from penviz.training.split_files import ExtractOptions
from penviz.training.train_options import TrainOptions

TRAIN, VALIDATION = "train", "validation"


@pytest.fixture(scope="session")
def digits() -> DataSet:
    return data.load("digits")


@pytest.fixture(scope="session")
def own_run(digits: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short training of penviz with its activations: the reference that adoption must reproduce."""
    from penviz.store.runs import read_run
    from penviz.training import defaults, train

    torch.set_num_threads(1)
    recipe = {"epochs": 3, "batch_size": 64, "lr": 0.05, "weight_decay": 0.004, "clip_norm": 5.0}
    config = defaults.default_config("digits", "tutorial_alexnet", digits.image_shape, **recipe)
    out = tmp_path_factory.mktemp("runs") / "own"
    run = read_run(train.train(config, digits, out, TrainOptions(device="cpu", validate_every=6)))
    extract(run, digits, ExtractOptions(device="cpu"))
    return run


@pytest.fixture
def theirs(own_run: Run, tmp_path: Path) -> Path:
    """The same weights in a file of somebody else's style."""
    tensors, _ = checkpoints.read_tensors(own_run.directory / MODEL_FILE)
    path = tmp_path / "theirs.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in tensors.items()}, "epoch": 6}, path)
    return path


def opened(path: Path) -> tuple[Any, nn.Module]:
    report = inspect_file(path)
    return report, adopt.open_network(path, report, "tutorial_alexnet")


def choices(**more: Any) -> Choices:
    way = Preprocessing("each image standardised", channels=1, scaling="per image")
    return Choices("tutorial_alexnet", way, **more)


def record_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "run.json").read_text())


def test_it_gives_penvizs_own_activations(
    own_run: Run, theirs: Path, digits: DataSet, tmp_path: Path
) -> None:
    report, network = opened(theirs)
    told: list[tuple[int, int, float]] = []
    out = adopt.adopt(
        network,
        choices(targets="hard", label_smoothing=0.0, expected=0.5),
        digits,
        tmp_path / "runs" / "theirs",
        adopt.CheckedFile(report),
        progress=lambda *message: told.append(message),
    )
    for split in (TRAIN, VALIDATION):
        own = Activations.load(activations_path(own_run.directory, split))
        made = Activations.load(activations_path(out, split))
        assert np.array_equal(made.indices, own.indices)
        assert np.array_equal(made.labels, own.labels)
        assert np.array_equal(made.predictions, own.predictions)
        assert np.allclose(made.features, own.features, atol=1e-5)
        assert np.array_equal(made.head.weight, own.head.weight)  # type: ignore[union-attr]
        assert made.dataset_id == own.dataset_id
        assert made.run == "theirs"
        assert made.checkpoint_sha256 == sha256_of(out / MODEL_FILE)
        assert thumbnails_path(out, split).is_file()
    record = record_of(out)
    assert set(record["config"]) == {"dataset", "model", "targets", "label_smoothing"}
    assert record["config"]["label_smoothing"] == 0
    assert record["model_sha256"] == sha256_of(out / MODEL_FILE)
    assert record["metrics"][VALIDATION]["accuracy"] == pytest.approx(
        own_run.metrics[VALIDATION]["accuracy"], abs=1e-9
    )
    adopted = record["adopted"]
    assert adopted["file"] == "theirs.pth"
    assert adopted["file_sha256"] == sha256_of(theirs)
    assert adopted["head"]["module"] == "head"
    assert "is expected" in adopted["accuracy"]["warning"]
    assert adopted["targets_stated_by"] == "user"
    assert Preprocessing.from_json(adopted["preprocessing"]) == choices().preprocessing
    assert Variant(**adopted["variant"]) == Variant()
    done = [m[0] for m in told]
    assert done == sorted(done)
    assert told[-1][0] == told[-1][1] == len(digits.splits[TRAIN]) + len(digits.splits[VALIDATION])
    assert told[-1][2] == 0
    assert (out.stat().st_mode & 0o777) == (out.parent.stat().st_mode & 0o777)


def test_a_quick_look_is_noted_and_withholds_accuracy(theirs: Path, digits: DataSet, tmp_path: Path) -> None:
    report, network = opened(theirs)
    look = adopt.AdoptOptions(per_class=20, classes=(3, 5, 8))
    out = adopt.adopt(network, choices(), digits, tmp_path / "quick", adopt.CheckedFile(report), look)
    for split in (TRAIN, VALIDATION):
        made = Activations.load(activations_path(out, split))
        assert dict(zip(*np.unique(made.labels, return_counts=True), strict=True)) == {3: 20, 5: 20, 8: 20}
        assert np.array_equal(made.class_totals(), np.bincount(digits.splits[split].labels))
    record = record_of(out)
    assert record["adopted"]["quick_look"] == {"classes": [3, 5, 8], "per_class": 20}
    assert record["metrics"] == {}
    assert record["config"]["label_smoothing"] is None
    assert record["adopted"]["targets_stated_by"] == ""


def test_without_a_head_class_means_can_stand_in(digits: DataSet, tmp_path: Path) -> None:
    state = architectures.build("torchvision:squeezenet1_1", 10).state_dict()
    torch.save(state, tmp_path / "theirs.pth")
    report = inspect_file(tmp_path / "theirs.pth")
    network = adopt.open_network(tmp_path / "theirs.pth", report, "torchvision:squeezenet1_1", n_classes=10)
    way = Preprocessing("0..1", 40, 40)
    out = adopt.adopt(
        network,
        Choices("torchvision:squeezenet1_1", way),
        digits,
        tmp_path / "out",
        adopt.CheckedFile(report),
        adopt.AdoptOptions((VALIDATION,), 5, 0, classes=(0, 1, 2)),
    )
    made = Activations.load(activations_path(out, VALIDATION))
    assert made.head is None
    assert made.features.shape == (15, 512)
    with torch.no_grad():
        expected = network(way.apply(digits.splits[VALIDATION].images[_rows(digits, made)])).numpy()
    assert np.allclose(made.logits(), expected, atol=1e-4)  # calibration needs no head
    assert "no single linear head" in record_of(out)["adopted"]["head"]["sentence"]
    assert not activations_path(out, TRAIN).exists()


def test_a_variant_is_in_force_while_extracting(theirs: Path, digits: DataSet, tmp_path: Path) -> None:
    report, network = opened(theirs)
    outs = [
        adopt.adopt(
            network,
            choices(variant=variant),
            digits,
            tmp_path / f"out{i}",
            adopt.CheckedFile(report),
            adopt.AdoptOptions((VALIDATION,), thumbnail_quality=0),
        )
        for i, variant in enumerate((Variant(), Variant(activation="gelu"), Variant()))
    ]
    first, varied, again = (Activations.load(activations_path(o, VALIDATION)).features for o in outs)
    assert (first >= 0).all()  # ReLU
    assert (varied < 0).any()  # GELU
    assert np.array_equal(first, again)  # and undone afterwards


def _rows(digits: DataSet, made: Activations) -> Any:
    """Rows of the validation split that were taken."""
    where = {index: row for row, index in enumerate(digits.splits[VALIDATION].indices.tolist())}
    return np.array([where[index] for index in made.indices.tolist()])


class Stop(Exception):
    """What a cancelling caller raises."""


def cancel(done: int, n: int, left: float) -> None:
    if done > n // 2:
        raise Stop


@pytest.mark.parametrize("stop", [cancel, KeyboardInterrupt])
def test_nothing_is_left_when_it_ends_early(stop: Any, theirs: Path, digits: DataSet, tmp_path: Path) -> None:
    def interrupt(done: int, n: int, left: float) -> None:
        raise KeyboardInterrupt

    progress: Callable[[int, int, float], None] = interrupt if stop is KeyboardInterrupt else cancel
    report, network = opened(theirs)
    root = tmp_path / "runs"
    with pytest.raises((Stop, KeyboardInterrupt)):
        adopt.adopt(network, choices(), digits, root / "out", adopt.CheckedFile(report), progress=progress)
    assert list(root.iterdir()) == []


def test_bad_requests_are_one_sentence(theirs: Path, digits: DataSet, tmp_path: Path) -> None:
    report, network = opened(theirs)
    used = tmp_path / "used"
    used.mkdir()
    (used / "mine.txt").write_text("mine")

    def attempt(sentence: str, out: Path = tmp_path / "out", **more: Any) -> None:
        with pytest.raises(RunError, match=sentence):
            adopt.adopt(
                network, choices(), digits, out, adopt.CheckedFile(report), adopt.AdoptOptions(**more)
            )

    attempt("is not empty", used)
    attempt("has no split test", splits=("test",))
    attempt("no examples of these classes", classes=(99,))
    assert (used / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "out").exists()
    for wrong in (
        {"targets": "soft"},
        {"targets": "hard", "label_smoothing": 0.1},
        {"targets": "uniform"},
        {"label_smoothing": 0.1},
        {"expected": 93.0},
    ):
        with pytest.raises(RunError):
            choices(**wrong)
    names = tuple(str(i) for i in range(20))
    more = DataSet("x", {VALIDATION: _relabelled(digits.splits[VALIDATION], 10)}, names)
    one = adopt.CheckedFile(report), adopt.AdoptOptions((VALIDATION,))
    with pytest.raises(RunError, match="10 outputs and the data have 20 classes"):
        adopt.adopt(network, choices(), more, tmp_path / "out", *one)
    single = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    with pytest.raises(RunError, match="a single output; penviz needs one output a class"):
        adopt.adopt(single, choices(), more, tmp_path / "out", *one)


def _relabelled(split: Split, by: int) -> Split:
    return Split(split.images, split.labels + by, split.indices, split.hashes, "x")


def test_the_plausible_list_holds_what_penviz_did(own_run: Run, theirs: Path, digits: DataSet) -> None:
    from penviz.external.evidence import accuracy
    from penviz.external.evidence.set_up_table import SetUpTable
    from penviz.external.networks import variants

    _, network = opened(theirs)
    ways = candidates.plausible("tutorial_alexnet", network, digits.image_shape, 10)
    split = digits.splits[VALIDATION]
    bodies = variants.plausible(network, ways[0].apply(split.images[:2]))
    found = accuracy.check(SetUpTable(network, split.images, split.labels), ways, bodies)
    right = [
        row for row in found.rows if row.preprocessing.scaling == "per image" and row.variant == Variant()
    ]
    assert right[0].accuracy == pytest.approx(own_run.metrics[VALIDATION]["accuracy"], abs=1e-9)
    assert right[0] == found.best
