"""`penviz extract FILE`: from somebody's file to a run in one line, each step said."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from penviz.app.widgets.snippets import SNIPPETS, capture_lines
from penviz.cli import main
from penviz.external.importing.packed import open_packed
from penviz.external.networks.variants import Variant
from penviz.external.reader.inspection import inspect_file
from penviz.store.activations import Activations
from penviz.store.runs import activations_path
from penviz.training import data, train
from penviz.training.checkpoints import write_tensors
from penviz.training.defaults import default_config
from penviz.training.models import MODELS
from penviz.training.train_options import TrainOptions


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense network that somebody trained on the digits, scaled to 0..1, in a nested file."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    split = data.load("digits").splits["train"]
    x = torch.from_numpy(split.images).permute(0, 3, 1, 2) / 255
    y = torch.from_numpy(split.labels)
    network = MODELS["fc800"].build((1, 8, 8), 10)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("theirs") / "model.pth"
    state = {f"module.{k}": v for k, v in network.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 60}, path)
    return path


@dataclass(frozen=True)
class Ended:
    """How a verb ended: its exit status and what it said."""

    returncode: int
    stderr: str


@pytest.fixture
def extract(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """The command line, run in this process: importing torch for every call would take most of the time."""

    def run(*arguments: Any) -> Ended:
        monkeypatch.setattr(sys, "argv", ["penviz", "extract", *map(str, arguments), "--progress", "none"])
        with pytest.raises(SystemExit) as stopped:
            main.main()
        return Ended(int(stopped.value.code or 0), capsys.readouterr().err)

    return run


def refused(ended: Ended, sentence: str) -> None:
    assert ended.returncode == 2, ended.stderr
    assert sentence in ended.stderr


def test_one_line_from_a_file_to_a_run(theirs: Path, extract: Callable[..., Ended], tmp_path: Path) -> None:
    out = tmp_path / "runs" / "theirs"
    ended = extract(theirs, "--dataset", "digits", "--out", out, "--expected-accuracy", "99.9")
    assert ended.returncode == 0, ended.stderr
    said = ended.stderr
    assert "Took fc800: all 6 keys and shapes match. Another: --model NAME." in said
    starred = [line for line in said.splitlines() if line.startswith("* ")]
    assert len(starred) == 1
    assert "Took the first row. Another: --preprocessing" in said
    assert "Is that the accuracy you expect?" in said
    assert "where 99.9 % is expected" in said
    assert "Head: head (linear), proved" in said
    record = json.loads((out / "run.json").read_text())
    assert "is expected" in record["adopted"]["accuracy"]["warning"]
    assert record["adopted"]["accuracy"]["measured"] > 0.85
    assert record["config"]["targets"] == "unknown"
    assert len(Activations.load(activations_path(out, "validation"))) == 360

    again = extract(theirs, "--dataset", "digits", "--out", out)
    refused(again, "is not empty")


def test_a_quick_look_with_all_stated(theirs: Path, extract: Callable[..., Ended], tmp_path: Path) -> None:
    out = tmp_path / "quick"
    ended = extract(
        *(theirs, "--dataset", "digits", "--out", out, "--model", "fc800", "--preprocessing", "0..1"),
        *("--classes", "3", "5", "8", "--per-class", "20", "--label-smoothing", "0"),
    )
    assert ended.returncode == 0, ended.stderr
    assert "Trying" not in ended.stderr
    record = json.loads((out / "run.json").read_text())
    assert record["adopted"]["quick_look"] == {"classes": [3, 5, 8], "per_class": 20}
    assert record["config"]["targets"] == "hard"
    assert record["adopted"]["preprocessing"]["name"] == "0..1"


def test_what_penviz_trained_is_taken_as_trained(extract: Callable[..., Ended], tmp_path: Path) -> None:
    """A network after two epochs, with which many set-ups do as well."""
    torch.set_num_threads(1)
    digits = data.load("digits")
    config = default_config("digits", "fc800", digits.image_shape, epochs=2)
    run = train.train(config, digits, tmp_path / "trained", TrainOptions(device="cpu"))
    ended = extract(run / "model.safetensors", "--dataset", "digits", "--out", tmp_path / "run", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert "The file says that penviz trained it: fc800 on digits." in ended.stderr
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    trained = json.loads((run / "run.json").read_text())
    assert record["adopted"]["preprocessing"]["name"] == "recipe of penviz: each image standardised"
    assert record["adopted"]["variant"] == Variant().to_json()
    assert record["metrics"]["validation"]["accuracy"] == trained["metrics"]["validation"]["accuracy"]
    undecided = record["adopted"]["accuracy"]["undecided"]
    assert "360 images cannot tell " in undecided
    assert undecided == " ".join(line[2:] for line in ended.stderr.splitlines() if line.startswith("  Of "))
    assert record["adopted"]["accuracy"]["warning"] == ""  # a tie with the known recipe is no doubt
    stated = (
        "--dataset",
        "digits",
        "--out",
        tmp_path / "stated",
        "--preprocessing",
        "each image standardised",
    )
    assert extract(run / "model.safetensors", *stated).returncode == 0
    again = json.loads((tmp_path / "stated" / "run.json").read_text())["adopted"]
    assert again["preprocessing"] == record["adopted"]["preprocessing"]
    assert again["accuracy"]["undecided"] == ""  # the row was asked for


def test_text_that_lies_changes_nothing(theirs: Path, extract: Callable[..., Ended], tmp_path: Path) -> None:
    """A crop that the weights cannot take, and data of another kind: the accuracy decides, as without it."""
    state = torch.load(theirs, weights_only=True)["state_dict"]
    lie = {"config": {"model": "fc800", "dataset": "imagenet", "crop": 3, "image_size": 1024}}
    write_tensors(tmp_path / "lies.safetensors", state, lie)
    ended = extract(tmp_path / "lies.safetensors", "--dataset", "digits", "--out", tmp_path / "a", "--yes")
    assert ended.returncode == 0, ended.stderr
    extract(theirs, "--dataset", "digits", "--out", tmp_path / "b", "--yes")
    lied, plain = (json.loads((tmp_path / run / "run.json").read_text()) for run in "ab")
    for key in ("preprocessing", "variant", "accuracy"):
        assert lied["adopted"][key] == plain["adopted"][key]


def test_label_order_is_doubted_aloud(theirs: Path, extract: Callable[..., Ended], tmp_path: Path) -> None:
    order = [0, 2, 3, 4, 5, 6, 1, 7, 8, 9]
    digits = data.load("digits").splits
    arrays = {"class_names": np.array([f"n{i}" for i in range(10)])}
    for part, split in (("train", "train"), ("test", "validation")):
        arrays |= {
            f"x_{part}": digits[split].images[..., 0],
            f"y_{part}": np.array(order)[digits[split].labels],
        }
    np.savez(tmp_path / "mine.npz", **arrays)
    out = tmp_path / "run"
    ended = extract(theirs, "--dataset", tmp_path / "mine.npz", "--out", out, "--yes")
    assert ended.returncode == 0, ended.stderr
    assert "Your folder order looks different from the training order: folder " in ended.stderr
    assert "Took the first row" not in ended.stderr
    warning = json.loads((out / "run.json").read_text())["adopted"]["accuracy"]["warning"]
    assert "folder order" in warning


def test_activations_of_each_split(extract: Callable[..., Ended], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = []
    for split in ("train", "validation"):
        labels = np.arange(30) % 3
        np.savez(
            tmp_path / f"{split}.npz", features=rng.normal(size=(30, 5)) + labels[:, None], labels=labels
        )
        files.append(tmp_path / f"{split}.npz")
    out = tmp_path / "run"
    refused(extract(*files, "--out", out), "Say which split each file of activations holds")
    ended = extract(*files, "--split", "train", "--split", "validation", "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert Activations.load(activations_path(out, "validation")).head is None


@pytest.mark.parametrize("kind", ["alone", "torch", "wrapped", "safetensors"])
def test_the_lines_of_the_page_write_what_it_accepts(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.fc = torch.nn.Linear(6, 5), torch.nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(torch.relu(self.body(x)))

    model, trained = Model(), Model()
    loader = [(torch.randn(8, 6), torch.arange(8) % 3) for _ in range(4)]
    monkeypatch.chdir(tmp_path)
    if kind == "alone":
        lines, model = SNIPPETS["PyTorch"], trained
    else:
        weights, path = trained.state_dict(), tmp_path / "their 'own'.pth"
        around = {f"module.{key}": value for key, value in weights.items()}
        content = {"torch": weights, "wrapped": {"net": around, "acc": 33.0}, "safetensors": weights}[kind]
        (save_file if kind == "safetensors" else torch.save)(content, path)
        lines = capture_lines(inspect_file(path))
    exec(lines, {"model": model, "test_loader": loader})
    report = inspect_file(tmp_path / "mine.zip")
    assert (report.kind, report.refusal) == ("penviz run", "")
    run = open_packed(tmp_path / "mine.zip", tmp_path / "run")
    made, model = Activations.load(activations_path(run, "test")), trained
    with torch.no_grad():
        expected = torch.cat([model(x) for x, _ in loader]).double().numpy()
    assert np.allclose(made.logits(), expected, atol=1e-5)


def test_a_pickle_is_read_with_trust_and_an_old_file_without(
    theirs: Path, extract: Callable[..., Ended], tmp_path: Path
) -> None:
    content = torch.load(theirs, weights_only=True)
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    options = ("--dataset", "digits", "--out", tmp_path / "run", "--preprocessing", "0..1")
    ended = extract(tmp_path / "old.pth", *options[:3], tmp_path / "of-old", "--preprocessing", "0..1")
    assert ended.returncode == 0, ended.stderr
    (weights,) = (value for value in content.values() if isinstance(value, dict))
    arrays = {key: value.numpy() for key, value in weights.items()}
    (tmp_path / "pickled.pkl").write_bytes(pickle.dumps(arrays))
    refused(extract(tmp_path / "pickled.pkl", *options), "This is a pickle that torch did not write")
    ended = extract(tmp_path / "pickled.pkl", *options, "--trust")
    assert ended.returncode == 0, ended.stderr
    assert "pickled.pkl is unpickled, because of --trust: it may run any code.\n" in ended.stderr
    assert "Took fc800: all 6 keys and shapes match." in ended.stderr
    assert "unpickled" not in extract(theirs, *options[:3], tmp_path / "again", "--trust", "--yes").stderr


def test_what_is_no_checkpoint_says_what_it_is(
    theirs: Path, extract: Callable[..., Ended], tmp_path: Path
) -> None:
    common = ("--dataset", "digits", "--out", tmp_path / "run")
    np.savez(tmp_path / "weights.npz", **{"head.weight": np.ones((10, 3))})
    np.save(tmp_path / "array.npy", np.ones(3))
    (tmp_path / "empty").mkdir()
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").touch()
    for name, sentence in (
        ("none.pth", "There is no directory or file"),
        ("empty", "it is not a run of penviz"),
        ("pickled", "Name the file itself, such as pytorch_model.bin."),
        ("weights.npz", "its arrays are not named features and labels"),
        ("array.npy", "array.npy is no checkpoint: it holds one array."),
    ):
        refused(extract(tmp_path / name, *common), sentence)
    refused(extract(theirs, *common[:3], theirs), "is a file: choose another --out")
    refused(extract(theirs, *common[:3], theirs / "below"), "Nothing can be written in")


def test_wrong_options_are_told_before_the_work(
    theirs: Path, extract: Callable[..., Ended], tmp_path: Path
) -> None:
    common = ("--dataset", "digits", "--out", tmp_path / "run")
    for options, sentence in (
        (("--expected-accuracy", "150"), "must lie between 0 and 100 %"),
        (("--label-smoothing", "2"), "must be 0 or above, and below 1"),
        (("--split", "test"), "has no split test"),
        (("--classes", "3", "5", "twelve"), "There is no class twelve"),
        (("--classes", "3", "5", "5"), "Name different classes: 3, 5, 5."),
    ):
        ended = extract(theirs, *common, *options)
        refused(ended, sentence)
        assert "Trying" not in ended.stderr


def test_bad_requests_are_one_sentence(theirs: Path, extract: Callable[..., Ended], tmp_path: Path) -> None:
    out = tmp_path / "run"
    common = ("--dataset", "digits", "--out", out)
    refused(extract(theirs, "--dataset", "digits"), "--out")
    refused(extract(theirs, "--out", out), "--dataset")
    wrong = extract(theirs, *common, "--model", "fc1200")
    refused(wrong, "The weights do not fit fc1200: 1 of 6 keys and shapes match.")
    assert "~ features.1.weight: (800, 64) in the file, (1200, 64) in the network" in wrong.stderr
    refused(
        extract(theirs, *common, "--preprocessing", "purple"), "There is no preprocessing purple: use one of"
    )
    refused(extract(theirs, *common, "--body", "no body"), "There is no body no body")
    (tmp_path / "x.pth").write_bytes(b"not a checkpoint")
    refused(extract(tmp_path / "x.pth", *common), "x.pth")
    assert not out.exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
