"""A network is judged on images that it has not seen, and its accuracy compared with what is known of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_networks import coloured_digits, small_body
from torch.nn import functional as F

from penviz.external.evidence.labelled_images import labelled_images
from penviz.external.importing import import_checkpoint
from penviz.external.importing.import_options import Request
from penviz.external.importing.judgement import Judgement, stored_accuracy
from penviz.projection.build_panel import build_grid
from penviz.store import run_activations
from penviz.store.runs import Run, judged_split, read_run, shown_splits
from penviz.training import data

N_TRAIN = 300


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz of few training images, so that a network learns them by heart, and of test images."""
    images, labels = coloured_digits()
    path = tmp_path_factory.mktemp("data") / "pictures.npz"
    train, test = slice(0, N_TRAIN), slice(N_TRAIN, 1500)
    parts = {
        "x_train": images[train],
        "y_train": labels[train],
        "x_test": images[test],
        "y_test": labels[test],
    }
    np.savez(path, class_names=np.array([str(k) for k in range(10)]), **parts)
    return path


@pytest.fixture(scope="module")
def network(pictures: Path) -> torch.nn.Module:
    """One that has all training images right and many of the others wrong, fed 0..1."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with np.load(pictures) as stored:
        x = torch.from_numpy(stored["x_train"]).permute(0, 3, 1, 2) / 255
        y = torch.from_numpy(stored["y_train"])
    made = small_body()
    optimizer = torch.optim.Adam(made.parameters(), 0.02)
    for _ in range(120):
        optimizer.zero_grad()
        F.cross_entropy(made(x), y).backward()
        optimizer.step()
    return made.eval()


def true_accuracy(network: torch.nn.Module, pictures: Path, part: str) -> float:
    with np.load(pictures) as stored, torch.no_grad():
        x = torch.from_numpy(stored[f"x_{part}"]).permute(0, 3, 1, 2) / 255
        return float((network(x).argmax(1).numpy() == stored[f"y_{part}"]).mean())


def extracted(
    network: torch.nn.Module, pictures: Path, out: Path, extras: dict[str, Any], **more: Any
) -> tuple[Run, list[str]]:
    torch.save({"net": network.state_dict(), **extras}, out.with_suffix(".pth"))
    said: list[str] = []
    request = Request(
        model="foreign_networks:small_body",
        dataset=str(pictures),
        out=out,
        preprocessing="0..1",
        thumbnail_quality=0,
        per_class=0,
        **more,
    )
    path = import_checkpoint.extract_files(
        [out.with_suffix(".pth")], request, say=said.append, progress=lambda done, n, left: None
    )
    return read_run(path), said


def test_it_is_judged_on_the_test_images(network: Any, pictures: Path, tmp_path: Path) -> None:
    train, test = (true_accuracy(network, pictures, part) for part in ("train", "test"))
    assert train - test > 0.05, "the network must be better on images that it knows"
    run, said = extracted(network, pictures, tmp_path / "theirs", {"acc": 100 * test})
    assert run.splits() == ["train", "test"]
    assert run.unseen == ("test",)
    assert run.judged_on() == judged_split([run]) == "test"
    stored = run_activations.load(run)
    assert len(stored["train"]) == N_TRAIN
    assert float((stored["test"].predictions == stored["test"].labels).mean()) == pytest.approx(test)
    assert any(f"penviz measures {100 * test:.1f} % on 1,200 test images. Is that" in line for line in said)
    assert any(
        line == f"The file stores acc = {100 * test:.1f} %, which agrees. "
        f"On 300 training images the accuracy is {100 * train:.1f} %: the network has seen those, but not "
        "the test images."
        for line in said
    )
    assert run.adoption.warning == ""
    assert run.adoption.mark == ""
    panels = build_grid([stored], (0, 1, 2))[0]
    assert [panel.place for panel in panels] == ["train", "test (unseen)"]


def test_the_accuracy_in_the_file_is_compared(network: Any, pictures: Path, tmp_path: Path) -> None:
    test = true_accuracy(network, pictures, "test")
    off, _ = extracted(network, pictures, tmp_path / "off", {"best_acc1": 100 * test - 5})
    assert off.adoption.warning.startswith(f"The file stores best_acc1 = {100 * test - 5:.1f} %. ")
    assert off.adoption.mark == "accuracy 5 points above the stated"
    asked, _ = extracted(network, pictures, tmp_path / "asked", {"best_acc1": 1.5}, expected=test + 0.05)
    assert asked.adoption.mark == "accuracy 5 points below the stated"
    record = json.loads((asked.directory / "run.json").read_text())["adopted"]["accuracy"]
    assert record["stated_by"] == "user"
    assert record["split"] == "test"


def test_stored_accuracy() -> None:
    assert stored_accuracy({"epoch": "90", "acc": "92.6"}) == ("acc", pytest.approx(0.926))
    assert stored_accuracy({"state.best_prec1": "0.91"}) == ("state.best_prec1", 0.91)
    for none in ({"acc": "nan"}, {"acc": "1"}, {"acc": "0"}, {"acc": "a tensor"}, {"train_acc": "99"}, {}):
        assert stored_accuracy(none) is None


def test_what_looks_seen_is_called_so() -> None:
    """Validation carved out of the training images of a network that has seen them, and the truth stated."""
    known = {"split": "validation", "unseen": False, "nll": 0.1}
    judged = Judgement(accuracy=0.998, n=10_000, train_accuracy=0.997, n_train=2000, stated=0.929, **known)
    assert judged.seen.startswith(
        "its validation images look like training images: 99.8 % on them is the accuracy on training"
    )
    assert "it may have been trained on these images" in judged.warning
    assert judged.question.startswith(
        "penviz measures 99.8 % on 10,000 validation images, which the network may"
    )
    silent = Judgement(accuracy=0.93, n=10_000, train_accuracy=0.997, n_train=2000, stated=0.929, **known)
    assert silent.warning == ""
    assert (
        silent.seen == "its validation images may be training images: accuracy on unseen ones is not known."
    )


@pytest.mark.parametrize("truth", [0.6, 0.929, 0.997])
def test_no_warning_where_the_statement_is_true(truth: float) -> None:
    """Of 400 samples of 512 images few differ from the truth, and all of 10,000 five points off do."""
    rng = np.random.default_rng(0)

    def warned(n: int, stated: float) -> float:
        shares = rng.binomial(n, truth, 400) / n
        made = [Judgement("test", True, float(share), 0.0, n, stated=stated) for share in shares]
        return float(np.mean([bool(judged.warning) for judged in made]))

    assert warned(512, truth) < 0.08
    assert warned(10_000, truth) == 0
    assert warned(10_000, truth - 0.05) == 1


def test_parts_as_published(pictures: Path, tmp_path: Path) -> None:
    published = data.load_published(str(pictures))
    assert {name: len(split) for name, split in published.splits.items()} == {"train": 300, "test": 1200}
    assert published.unseen == ("test",)
    assert published.shown == ("train", "test")
    own = data.load(str(pictures))
    assert set(own.splits) == {"train", "validation"}
    assert own.splits["validation"].dataset_id == published.splits["test"].dataset_id
    held = data.load_published(str(pictures), n_hold_out=60)
    assert {name: len(split) for name, split in held.splits.items()} == {
        "train": 240,
        "validation": 60,
        "test": 1200,
    }
    assert held.judged_on == "test"
    digits = data.load_published("digits")
    assert digits.unseen == ()
    assert digits.judged_on == "validation"
    assert digits.splits["validation"].dataset_id == data.load("digits").splits["validation"].dataset_id


def test_a_network_of_penviz_is_judged_on_what_penviz_held_out() -> None:
    training = {"model": "fc800", "dataset": "digits", "seed": 3, "hold_out": 0}
    found = labelled_images("digits", 8, training=training)
    assert found.unseen == ("validation",)
    own = data.load("digits", seed=3)
    assert found.splits["validation"].dataset_id == own.splits["validation"].dataset_id
    other = labelled_images("digits", 8, training=training | {"dataset": "mnist"})
    assert other.unseen == ()


def record(directory: Path, adopted: dict[str, Any] | None, dataset: str, splits: tuple[str, ...]) -> Run:
    directory.mkdir()
    config = {"dataset": dataset, "model": "x", "targets": "unknown", "label_smoothing": None}
    if adopted is None:
        config |= {"targets": "hard", "label_smoothing": 0.0}
    content = {"config": config, "class_names": ["a", "b", "c"]} | (
        {} if adopted is None else {"adopted": adopted}
    )
    (directory / "run.json").write_text(json.dumps(content))
    for split in splits:
        (directory / f"activations-{split}.npz").touch()
    return read_run(directory)


def test_runs_of_version_0_1_are_marked(tmp_path: Path) -> None:
    old = record(tmp_path / "old", {"file": "x"}, "cifar10", ("train", "validation"))
    assert old.seen_word("validation") == "may be seen"
    assert old.judged_on() == "validation"
    folder = record(tmp_path / "folder", {"file": "x"}, "pictures", ("train", "validation"))
    assert folder.seen_word("validation") == ""
    own = record(tmp_path / "own", None, "cifar10", ("train", "validation", "test"))
    assert own.seen_word("validation") == own.seen_word("test") == ""
    new = record(tmp_path / "new", {"unseen": ["test"]}, "cifar10", ("train", "test"))
    assert new.seen_word("test") == "unseen"
    assert shown_splits([own]) == [["train", "validation"]]
    assert shown_splits([new, own]) == [["train", "test"], ["train", "test"]]
    assert shown_splits([old, own]) == [["train", "validation"], ["train", "validation"]]
