from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from penviz import __version__, exit_codes
from penviz.cli import main
from penviz.store.activations import Activations
from penviz.store.runs import MODEL_FILE, RUN_FILE, activations_path, read_run, thumbnails_path

if TYPE_CHECKING:
    from conftest import Ended

TRAIN = ("train", "digits", "tutorial_alexnet")
QUICK = ("--epochs", "1", "--batch-size", "128", "--device", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


def assert_refused(ended: Ended, *words: str) -> None:
    """Status 2, nothing on standard output, one sentence on standard error."""
    assert ended.status == 2, ended.err
    assert ended.out == ""
    assert ended.err.count("\n") == 1, ended.err
    sentence = ended.err.strip()
    assert sentence.endswith((".", "?"))
    assert "Traceback" not in sentence
    assert ". " not in sentence.replace("... ", "")
    for word in words:
        assert word in sentence


# What is said before any work.


@pytest.mark.parametrize(
    "command",
    [
        ("measure", "run", "--classes", "cat", "dog", "--json"),
        ("figure", "run", "--classes", "cat,dog,ship", "--out", "f.pdf"),
        ("figure", "run", "--classes", "cat", "dog", "--no-bias", "--out", "f.pdf"),
        ("extract", "a.pth", "--classes", "cat", "dog", "--out", "run"),
    ],
)
def test_an_option_in_place_of_a_class_is_said(command: tuple[str, ...], penviz: Any) -> None:
    taken = next(word for word in command[4:] if word.startswith("--"))
    assert_refused(penviz(*command), "--classes takes 3 names", f"{taken} stands in place of one")


def test_options_of_two_classes_take_no_option(penviz: Any, tmp_path: Path) -> None:
    words = ("train", "digits", "fc800", "--erasure", "3", "--out", tmp_path / "run")
    assert_refused(penviz(*words), "--erasure takes 2 names", "--out stands")
    assert_refused(penviz("erasure", "run", "--classes", "cat", "--threads", "1"), "--classes takes 2 names")


BAD_TRAININGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "unknown network": (("train", "digits", "alexnet"), ("There is no network alexnet", "tutorial_alexnet")),
    "unknown data set": (("train", "cifar11", "fc800"), ("There is no data set cifar11", "an .npz file")),
    "no such file": (("train", "nothing.npz", "fc800"), ("There is no data set nothing.npz",)),
    "alpha of 1": ((*TRAIN, "--label-smoothing", "1"), ("Label smoothing", "below 1")),
    "alpha below 0": ((*TRAIN, "--label-smoothing", "-0.1"), ("Label smoothing",)),
    "alpha that is not a number": ((*TRAIN, "--label-smoothing", "nan"), ("Label smoothing",)),
    "negative epochs": ((*TRAIN, "--epochs", "-3"), ("Epochs must be at least 1",)),
    "no epochs": ((*TRAIN, "--epochs", "0"), ("Epochs must be at least 1",)),
    "no learning rate": ((*TRAIN, "--lr", "0"), ("learning rate",)),
    "infinite learning rate": ((*TRAIN, "--lr", "inf"), ("learning rate",)),
    "momentum of 1": ((*TRAIN, "--momentum", "1"), ("Momentum",)),
    "unknown schedule": ((*TRAIN, "--schedule", "cosine"), ("schedule", "one-cycle")),
    "unknown precision": ((*TRAIN, "--precision", "float16"), ("Precision", "bfloat16")),
    "negative seed": ((*TRAIN, "--seed", "-1"), ("seed",)),
    "too large a crop": ((*TRAIN, "--crop", "12"), ("crop of 12", "8 x 8")),
    "padding without a crop": ((*TRAIN, "--pad", "2"), ("--crop",)),
    "too large a batch": ((*TRAIN, "--batch-size", "5000"), ("batch of 5000", "1437")),
    "too many held out": ((*TRAIN, "--hold-out", "1797"), ("Cannot hold out 1797",)),
    "unknown device": ((*TRAIN, "--device", "abacus"), ("sees no device abacus",)),
    "wrong progress": ((*TRAIN, "--progress", "dots"), ("--progress must be bar, json or none",)),
    "words for a number": ((*TRAIN, "--epochs", "many"), ("--epochs",)),
    "no threads": ((*TRAIN, "--threads", "0"), ("--threads",)),
    "a missing argument": (("train", "digits"), ("model",)),
    "an unknown option": ((*TRAIN, "--speed", "9"), ("--speed",)),
}


@pytest.mark.parametrize("case", BAD_TRAININGS)
def test_bad_trainings_are_refused(case: str, penviz: Any, tmp_path: Path) -> None:
    arguments, words = BAD_TRAININGS[case]
    assert_refused(penviz(*arguments, "--out", tmp_path / "deep" / "run"), *words)
    assert list(tmp_path.iterdir()) == []


def test_the_place_of_a_run(penviz: Any, tmp_path: Path) -> None:
    assert_refused(penviz(*TRAIN), "--out")
    (tmp_path / "notes.txt").write_text("mine")
    assert_refused(penviz(*TRAIN, "--out", tmp_path), "is not empty", "--resume")
    assert_refused(penviz(*TRAIN, "--resume", "--out", tmp_path, *QUICK), "no run to resume")
    assert_refused(penviz(*TRAIN, "--out", tmp_path / "notes.txt", *QUICK), "is a file")
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_what_the_system_refuses_is_one_sentence(penviz: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_refused(penviz(*TRAIN, "--out", tmp_path / "file" / "run", *QUICK), "Not a directory")


def test_a_failed_download_is_one_sentence(
    penviz: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", fail)
    ended = penviz("train", "cifar10", "fc800", "--data-dir", tmp_path / "d", "--out", tmp_path / "run")
    assert_refused(ended, "could not be downloaded", "--data-dir")
    assert list(tmp_path.iterdir()) == []


def test_unknown_verbs(penviz: Any) -> None:
    wrong = penviz("trian")
    assert (wrong.status, wrong.out) == (2, "")
    assert wrong.err.count("\n") == 1
    assert "No such command 'trian'" in wrong.err
    help_alone = penviz()
    assert help_alone.status == 2
    assert "Usage" in help_alone.out + help_alone.err


def test_version_help_and_models(penviz: Any) -> None:
    assert (penviz("--version").out, penviz("--version").status) == (f"penviz {__version__}\n", 0)
    assert "label-smoothing" in penviz("train", "--help").out
    listed = penviz("models")
    assert listed.status == 0
    from penviz.training.models import MODELS

    assert [line.split()[0] for line in listed.out.splitlines()] == [*MODELS, "torchvision:NAME"]


# One run from end to end.


@pytest.fixture(scope="module")
def run(place: Path) -> Path:
    """A run trained by `python -m penviz`, with progress as JSON lines."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    out = place / "soft"
    train = [*TRAIN, *QUICK, "--label-smoothing", "0.1", "--progress", "json", "--out", str(out)]
    child = subprocess.run(
        [sys.executable, "-m", "penviz", *train], capture_output=True, text=True, timeout=300, env=env
    )
    assert child.returncode == 0, child.stderr
    (place / "train.jsonl").write_text(child.stdout)
    (place / "train.err").write_text(child.stderr)
    return out


def test_train_says_its_progress_as_json(run: Path, place: Path) -> None:
    messages = [json.loads(line) for line in (place / "train.jsonl").read_text().splitlines()]
    assert {m["event"] for m in messages} == {"train"}
    last = messages[-1]
    assert (last["epoch"], last["epochs"], last["step"], last["steps"]) == (1, 1, 11, 11)
    record = json.loads((run / RUN_FILE).read_text())
    assert last["line"] == record["history"][-1]
    for key in ("loss", "accuracy", "images_per_second", "seconds_left"):
        assert isinstance(last[key], float)
    sentences = (place / "train.err").read_text().splitlines()
    assert len(sentences) == 1
    assert f"penviz extract {run}" in sentences[0]


def test_what_train_leaves(run: Path) -> None:
    assert sorted(p.name for p in run.iterdir() if p.suffix in (".json", ".safetensors")) == [
        MODEL_FILE,
        RUN_FILE,
    ]
    one = read_run(run)
    assert (one.config.dataset, one.config.model) == ("digits", "tutorial_alexnet")
    assert (one.config.label_smoothing, one.config.targets) == (0.1, "uniform")
    assert one.record["command"].startswith("penviz train digits tutorial_alexnet --epochs 1")
    assert one.record["status"] == "finished"
    assert set(one.metrics) == {"train", "validation"}


def test_extract_and_measure(run: Path, penviz: Any) -> None:
    ended = penviz("extract", run, "--per-class", 20, "--progress", "json", "--device", "cpu")
    assert ended.status == 0, ended.err
    messages = [json.loads(line) for line in ended.out.splitlines()]
    assert {m["event"] for m in messages} == {"extract"}
    assert [(m["split"], m["done"], m["n"]) for m in messages] == [
        ("train", 200, 200),
        ("validation", 360, 360),
    ]
    assert ended.err.splitlines() == [f"Wrote {activations_path(run, s)}" for s in ("train", "validation")]
    assert len(Activations.load(activations_path(run, "validation"))) == 360
    assert thumbnails_path(run, "train").is_file()
    assert read_run(run).splits() == ["train", "validation"]
    table = penviz("measure", run, "--classes", "1", "8", "3", "--json")
    assert table.status == 0, table.err
    assert json.loads(table.out)
    assert penviz("measure", run).out.strip()
    told = penviz("calibrate", run)
    assert told.status == 0, told.err
    assert told.out.startswith(f"{run.name}: ECE ")
    record = json.loads(penviz("calibrate", run, "--split", "train", "--json").out)
    assert record["split"] == "train"
    assert record["fits"][run.name]["n"] == 100
    assert set(record["numbers"]["ece"]["plain"]["values"]) == {run.name}
    assert_refused(penviz("calibrate", run, "--split", "tset"), "no split tset")
    assert_refused(penviz("calibrate", run, "--split", "test"), "no test activations")
    assert_refused(penviz("calibrate", run, "--seed", "-1"), "--seed")
    assert_refused(penviz("measure", run, "--classes", "1", "8", "eight"), "no class eight")
    assert_refused(penviz("measure", run, "--classes", "1", "8", "8"), "twice")
    assert_refused(penviz("extract", run, "--split", "test", "--device", "cpu"), "no split test")
    assert_refused(penviz("extract", run, "--dataset", "nothing"), "There is no data set nothing")


def test_a_finished_run_resumed_is_left_alone(run: Path, penviz: Any) -> None:
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    ended = penviz(*TRAIN, *QUICK, "--label-smoothing", "0.1", "--resume", "--out", run, "--progress", "none")
    assert ended.status == 0
    assert "is finished already" in ended.err
    assert_refused(penviz(*TRAIN, *QUICK, "--resume", "--out", run), "another config", "label_smoothing")
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before


def test_an_interrupted_training_says_how_to_go_on(
    penviz: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from penviz.training.trainer import Training

    real = Training.run_step

    def step(self: Training, plan: Any) -> None:
        real(self, plan)
        if self.state.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "run_step", step)
        ended = penviz(*TRAIN, *QUICK, "--out", tmp_path / "run", "--progress", "none")
    assert ended.status == 130
    assert ended.err == "Stopped; the state is saved. Continue with the same command and --resume.\n"
    assert_refused(penviz("extract", tmp_path / "run", "--device", "cpu"), "no model.safetensors yet")
    assert_refused(penviz("measure", tmp_path / "run"), "no activations")
    assert_refused(penviz("calibrate", tmp_path / "run"), "no validation activations")
    ended = penviz(*TRAIN, *QUICK, "--out", tmp_path / "run", "--resume", "--progress", "bar")
    assert ended.status == 0, ended.err
    assert "11/11" in ended.err
    assert "epoch    1  train" in ended.err


GOOD = {"config": {"dataset": "digits", "model": "fc800"}}
BAD_RECORDS: dict[str, tuple[Any, str]] = {
    "not JSON": ("{half a", "not readable JSON"),
    "a list": ([], "has no config"),
    "no config": ({}, "has no config"),
    "an unknown key": (
        {"config": {"dataset": "digits", "model": "fc800", "speed": 9}},
        "unknown keys: speed",
    ),
    "a missing key": ({"config": {"dataset": "digits"}}, "lacks a key"),
    "a wrong type": (
        {"config": {"dataset": "digits", "model": "fc800", "lr": "fast"}},
        "Lr must be a number",
    ),
    "nested too deep": ("[" * 100_000, "not readable JSON"),
    "splits of no kind": (GOOD | {"splits": {"train": 5}}, "entries of the wrong type"),
    "thumbnails of no kind": (GOOD | {"thumbnails": [5]}, "entries of the wrong type"),
    "an image beyond all images": (GOOD | {"image_shape": [10**9, 10**9, 3]}, "entries of the wrong type"),
    "out of range": ({"config": {"dataset": "digits", "model": "fc800", "lr": -1}}, "learning rate"),
}


@pytest.mark.parametrize("verb", ["extract", "measure", "calibrate"])
@pytest.mark.parametrize("case", BAD_RECORDS)
def test_damaged_records(case: str, verb: str, penviz: Any, tmp_path: Path) -> None:
    content, words = BAD_RECORDS[case]
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / RUN_FILE).write_text(text)
    assert_refused(penviz(verb, tmp_path), words)
    assert [p.name for p in tmp_path.iterdir()] == [RUN_FILE]


@pytest.mark.parametrize("verb", ["extract", "measure", "calibrate"])
def test_runs_that_are_not_there(verb: str, penviz: Any, tmp_path: Path) -> None:
    assert_refused(penviz(verb, tmp_path / "none"), "There is no directory")
    assert_refused(penviz(verb, tmp_path), "it is not a run of penviz")


def test_a_damaged_model_or_activations(run: Path, penviz: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / MODEL_FILE).write_bytes((copy / MODEL_FILE).read_bytes()[:-1])
    assert_refused(penviz("extract", copy, "--device", "cpu"), "not the file that run.json describes")
    assert_refused(penviz("extract", run, "--device", "abacus"), "sees no device abacus")
    assert_refused(penviz("extract", run, "--progress", "dots"), "--progress must be")
    for content in (b"", b"hello", b"PK\x03\x04" + bytes(100)):
        activations_path(copy, "train").write_bytes(content)
        assert_refused(penviz("measure", copy), f"{copy.name}: activations-train.npz cannot be read")
    with open(activations_path(copy, "train"), "wb") as file:
        np.save(file, np.zeros(3))
    assert_refused(penviz("measure", copy), f"{copy.name}: activations-train.npz cannot be read")


def test_app_opens_streamlit_on_the_runs(
    penviz: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_refused(penviz("app", "--runs", tmp_path / "none"), "There is no directory")
    told: list[Any] = []

    def execv(path: str, command: list[str]) -> None:
        told.append((path, command, os.environ.get("PENVIZ_RUNS")))

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setenv("PENVIZ_RUNS", "elsewhere")
    assert penviz("app", "--runs", tmp_path, "--port", "8765").status == 0
    assert_refused(penviz("app", "--data", tmp_path / "none"), "There is no directory")
    assert_refused(
        penviz("app", "--data", tmp_path, "--address", "0.0.0.0"), "--data offers what lies on this disk"
    )
    ((path, command, runs),) = told
    assert path == command[0] == sys.executable
    script = Path(main.__file__).parents[1] / "app" / "server.py"
    assert command[1:] == [
        *("-m", "streamlit", "run", str(script), "--server.port", "8765"),
        *("--server.address", "localhost"),  # nobody else can reach it unless asked for
    ]
    assert runs == str(tmp_path.resolve())
    assert (script.parent / ".streamlit" / "config.toml").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("measure", "RUN", "--split", "test"), "--split goes with --find"),
        (("measure", "RUN", "--find", "most-confused", "--classes", "0", "1", "2"), "leave out --classes"),
        (("extract", "RUN", "--out", "elsewhere"), "Leave out --out: for a checkpoint"),
        (("extract", "RUN", "--model", "resnet20", "--yes"), "Leave out --model, --yes: for a checkpoint"),
        (("extract", "RUN", "--threads", "100000"), "less than or equal to"),
        (("extract", "RUN", "--device", "meta"), "Nothing can be computed on the device meta"),
        (("app", "--port", "99999999"), "less than or equal to"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(
    arguments: tuple[str, ...], words: str, run: Path, penviz: Any
) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in run.iterdir()}
    assert_refused(penviz(*(str(run) if a == "RUN" else a for a in arguments)), words)
    assert {p.name: p.stat().st_mtime_ns for p in run.iterdir()} == before


def test_erasure_asks_for_the_data_of_the_run(run: Path, penviz: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    record = json.loads((copy / RUN_FILE).read_text())
    record["splits"]["train"]["dataset_id"] = "digits:of another day"
    (copy / RUN_FILE).write_text(json.dumps(record))
    assert_refused(penviz("erasure", copy), "trained on other data than this digits (train)")
    assert not (copy / "erasure.json").exists()


def test_erasure_is_of_the_share_that_was_trained_on(penviz: Any, tmp_path: Path) -> None:
    out = tmp_path / "share"
    assert penviz(*TRAIN, *QUICK, "--data-share", "0.3", "--erasure", "0", "1", "--out", out).status == 0
    ended = penviz("erasure", out, "--classes", "0", "1", "--device", "cpu")
    assert ended.status == 0, ended.err
    assert "(at most ln " in ended.out
    assert "; with 5 samples an example about 0.63 when only the class is left" in ended.out
    last = json.loads((out / RUN_FILE).read_text())["history"][-1]["mutual_information"]
    found = json.loads((out / "erasure.json").read_text())["values"]["mutual_information"]
    assert found == pytest.approx(last, abs=1e-6)


def test_what_does_not_fit_into_memory_is_a_sentence() -> None:
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 99 bytes")):

        def fail(error: Exception = error, **options: Any) -> None:
            raise error

        with pytest.raises(SystemExit) as stop:
            exit_codes.run(fail)
        assert stop.value.code == 2

    def bug(**options: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError):
        exit_codes.run(bug)


def test_a_terminal_without_greek_letters_gets_the_rest() -> None:
    script = r"from penviz import exit_codes; exit_codes.run(lambda standalone_mode: print('\u03c1/d 0.2'))"
    command = [sys.executable, "-c", script]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "?/d 0.2\n", "")


def test_an_environment_that_is_not_torchruns_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in exit_codes.TORCHRUN:
        monkeypatch.setenv(name, "abc")
    assert exit_codes.n_ranks() == 1
    assert exit_codes.speaks()
