from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import EPOCHS, STEPS, small_config, small_train

from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import MODEL_FILE, RUN_FILE, read_run
from penviz.training import checkpoints, train, trainer
from penviz.training.data_set import DataSet
from penviz.training.progress import Stopped, stop_on_signal
from penviz.training.train_options import TrainOptions

STATE = checkpoints.STATE_FILE
OFTEN, AT_EPOCHS = 0.0, 1e9
"""Seconds between saved states: after every step, or at the ends of epochs only."""


class Server:
    """The fork server of small_training.py."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("small_training.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert self._answer() == {"ready": True}

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server is gone"
        return json.loads(line)

    def train(self, out: Path, save_every: float, **order: Any) -> tuple[list[str], int]:
        """One training; killed with SIGKILL where it was told to stop. (points reached, exit status)"""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"out": str(out), "save_every": save_every} | order) + "\n")
        self.process.stdin.flush()
        points: list[str] = []
        while True:
            answer = self._answer()
            if "point" in answer:
                points.append(answer["point"])
            elif "stopped" in answer:
                os.kill(answer["pid"], signal.SIGKILL)
            else:
                return points, answer["exit"]

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def what_counts(out: Path) -> dict[str, Any]:
    """All of a finished run that a kill must not change."""
    tensors, _ = checkpoints.read_tensors(out / MODEL_FILE)
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].numpy().tobytes())
    record = json.loads((out / RUN_FILE).read_text())
    kept = {key: record[key] for key in ("config", "splits", "status", "history", "metrics", "model_sha256")}
    assert record["model_sha256"] == hashlib.sha256((out / MODEL_FILE).read_bytes()).hexdigest()
    return kept | {"tensors": digest.hexdigest(), "files": sorted(p.name for p in out.iterdir())}


@pytest.fixture(scope="module")
def whole(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run that was never stopped, and the points it passes."""
    out = tmp_path_factory.mktemp("whole")
    points, status = server.train(out / "often", OFTEN)
    assert status == 0
    rare, status = server.train(out / "rare", AT_EPOCHS)
    assert status == 0
    expected = what_counts(out / "often")
    assert what_counts(out / "rare") == expected  # saving changes nothing
    assert expected["files"] == sorted([RUN_FILE, MODEL_FILE])
    assert len(expected["history"]) == EPOCHS
    return {"often": points, "rare": rare, "expected": expected}


WRITTEN = f"{STATE} written"
KILLS = (
    ("before the first save", "rare"),
    ("inside an epoch", "often"),
    ("inside an epoch", "rare"),
    ("last step of an epoch", "rare"),
    ("state written, not renamed, inside an epoch", "often"),
    ("state written, not renamed, end of an epoch", "rare"),
    ("state renamed", "often"),
    ("model written, not renamed", "rare"),
    ("model renamed, run.json not written", "often"),
    ("all written, state not removed", "rare"),
)


def kill_points(name: str, points: list[str]) -> list[int]:
    """Positions in a training's list of points at which a kill is of a kind."""
    first_save = points.index(WRITTEN)
    steps = [f"step {e} {s}" for e in range(EPOCHS) for s in range(1, STEPS + 1)]

    def follows_last_step(i: int) -> bool:
        return [p for p in points[:i] if p in steps][-1].endswith(f" {STEPS}")

    kinds = {
        "before the first save": lambda i, p: i < first_save,
        "inside an epoch": lambda i, p: i > first_save and p in steps and not p.endswith(f" {STEPS}"),
        "last step of an epoch": lambda i, p: i > first_save and p in steps and p.endswith(f" {STEPS}"),
        "state written, not renamed, inside an epoch": lambda i, p: p == WRITTEN and not follows_last_step(i),
        "state written, not renamed, end of an epoch": lambda i, p: p == WRITTEN and follows_last_step(i),
        "state renamed": lambda i, p: p == f"{STATE} renamed",
        "model written, not renamed": lambda i, p: p == f"{MODEL_FILE} written",
        "model renamed, run.json not written": lambda i, p: p == f"{MODEL_FILE} renamed",
        "all written, state not removed": lambda i, p: p == "run finished",
    }
    return [i for i, p in enumerate(points) if kinds[name](i, p)]


def assert_usable(out: Path) -> None:
    """Every file that bears its final name is whole."""
    for path in out.iterdir():
        if path.suffix == ".safetensors":
            checkpoints.read_tensors(path)
        elif path.name == RUN_FILE:
            read_run(out)
        else:
            assert path.suffix == ".part"


@pytest.mark.parametrize("trial", range(len(KILLS)))
def test_killed_and_resumed_is_never_stopped(
    trial: int, server: Server, whole: dict[str, Any], tmp_path: Path
) -> None:
    name, saving = KILLS[trial]
    save_every = OFTEN if saving == "often" else AT_EPOCHS
    stop = random.Random(2019 + trial).choice(kill_points(name, whole[saving]))
    out = tmp_path / "run"
    points, status = server.train(out, save_every, stop=stop)
    assert status == -signal.SIGKILL
    assert points == whole[saving][: stop + 1]
    assert_usable(out)
    if "not renamed" in name:
        assert list(out.glob("*.part"))
    if name == "inside an epoch":  # and once more, while it catches up
        again, status = server.train(out, save_every, resume=True, stop=2)
        assert status == -signal.SIGKILL
        assert len(again) == 3
        assert_usable(out)
    points, status = server.train(out, save_every, resume=True)
    assert status == 0
    assert what_counts(out) == whole["expected"]


def test_there_are_ten_kills_at_ten_places(whole: dict[str, Any]) -> None:
    places = {
        (saving, random.Random(2019 + i).choice(kill_points(name, whole[saving])))
        for i, (name, saving) in enumerate(KILLS)
    }
    assert len(places) == 10
    assert sum("written, not renamed" in name for name, _ in KILLS) >= 2


@pytest.mark.parametrize("mutation", ["forget the momentum", "forget the step"])
def test_a_poor_resume_gives_other_weights(
    mutation: str, server: Server, whole: dict[str, Any], tmp_path: Path
) -> None:
    stop = whole["often"].index("step 1 3")
    _, status = server.train(tmp_path / "run", OFTEN, stop=stop)
    assert status == -signal.SIGKILL
    _, status = server.train(tmp_path / "run", OFTEN, resume=True, mutation=mutation)
    assert status == 0
    assert what_counts(tmp_path / "run")["tensors"] != whole["expected"]["tensors"]


def listing(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(directory.iterdir())}


def test_an_interrupt_saves_and_continues_to_the_same_bits(
    small: DataSet, whole: dict[str, Any], tmp_path: Path
) -> None:
    told: list[str] = []

    def observe(point: str) -> None:
        told.append(point)
        if point == "step 1 2":
            os.kill(os.getpid(), signal.SIGINT)

    with stop_on_signal() as stopped, pytest.raises(Stopped, match="state is saved"):
        small_train(small, tmp_path / "run", save_every=AT_EPOCHS, observe=observe, stopped=stopped)
    assert told[-3:] == ["step 1 2", WRITTEN, f"{STATE} renamed"]
    assert json.loads((tmp_path / "run" / RUN_FILE).read_text())["status"] == "training"
    small_train(small, tmp_path / "run", resume=True, observe=told.append)
    assert told[told.index("start", 1) + 1] == "step 1 3"
    assert what_counts(tmp_path / "run") == whole["expected"]


def test_a_second_interrupt_ends_at_once_and_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signal() as stopped:
        assert not stopped()
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def stopped_at(small: DataSet, out: Path, n_steps: int = 2, **options: Any) -> Path:
    """A run that was stopped after some steps."""
    steps = iter(range(1, 1000))
    with pytest.raises(Stopped):
        small_train(small, out, stopped=lambda: next(steps) == n_steps, **options)
    return out


def test_another_number_of_threads_is_said_and_the_stored_one_used(
    small: DataSet, whole: dict[str, Any], tmp_path: Path
) -> None:
    out = stopped_at(small, tmp_path / "run")
    said: list[str] = []
    torch.set_num_threads(2)
    try:
        small_train(small, out, resume=True, say=said.append)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(1)
    assert said == ["The run was started with 1 thread; it continues with as many."]
    assert what_counts(out) == whole["expected"]


def test_another_version_is_said(small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = stopped_at(small, tmp_path / "run")
    real = torch.__version__
    monkeypatch.setattr(trainer, "versions", lambda: {"torch": "1.0"})
    said: list[str] = []
    small_train(small, out, resume=True, say=said.append)
    assert any(f"torch {real}, this is 1.0" in sentence for sentence in said)


def test_another_config_or_other_data_are_refused(small: DataSet, tmp_path: Path) -> None:
    out = stopped_at(small, tmp_path / "run")
    before = listing(out)
    with pytest.raises(RunError, match="another config \\(lr\\)"):
        small_train(small, out, small_config(lr=0.03), resume=True)
    renamed = dataclasses.replace(small.splits["train"], dataset_id="other")
    other = dataclasses.replace(small, splits=small.splits | {"train": renamed})
    with pytest.raises(RunError, match="not the data"):
        small_train(other, out, resume=True)
    (out / RUN_FILE).unlink()
    with pytest.raises(RunError, match="another config"):
        small_train(small, out, small_config(lr=0.03), resume=True)
    del before[RUN_FILE]
    assert listing(out) == before


def test_a_finished_run_is_left_as_it_is(small: DataSet, tmp_path: Path) -> None:
    out = small_train(small, tmp_path / "run", small_config(epochs=1))
    before, said = listing(out), []
    small_train(small, out, small_config(epochs=1), resume=True, say=said.append)
    assert listing(out) == before
    assert said == [f"{out} is finished already."]
    with pytest.raises(RunError, match=r"another config \(epochs\)"):
        small_train(small, out, small_config(epochs=2), resume=True)
    assert listing(out) == before


def test_a_directory_in_use_is_refused_and_not_touched(small: DataSet, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "download.part").write_text("mine too")
    with pytest.raises(RunError, match="is not empty"):
        small_train(small, tmp_path)
    assert sorted(listing(tmp_path)) == ["download.part", "notes.txt"]


def test_resume_removes_no_file_that_is_not_its_own(small: DataSet, tmp_path: Path) -> None:
    out = stopped_at(small, tmp_path / "run")
    (out / "download.part").write_text("mine")
    (out / f"{STATE}.part").write_text("half a state")
    (out / f"{RUN_FILE}.part").write_text("half a record")
    small_train(small, out, resume=True)
    assert (out / "download.part").read_text() == "mine"
    assert [p.name for p in out.glob("*.part")] == ["download.part"]


def test_resume_of_what_is_no_run_is_refused(small: DataSet, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="no run"):
        small_train(small, tmp_path, resume=True)
    assert sorted(listing(tmp_path)) == ["notes.txt"]


def test_resume_of_nothing_starts(small: DataSet, whole: dict[str, Any], tmp_path: Path) -> None:
    small_train(small, tmp_path / "run", resume=True)
    assert what_counts(tmp_path / "run") == whole["expected"]


def test_a_truncated_state_is_refused_in_one_sentence(small: DataSet, tmp_path: Path) -> None:
    out = stopped_at(small, tmp_path / "run")
    path = out / STATE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunError, match="not a readable safetensors file"):
        small_train(small, out, resume=True)


def test_no_pickle_in_the_files(small: DataSet, tmp_path: Path) -> None:
    out = stopped_at(small, tmp_path / "run")
    small_train(small, out, resume=True)
    head = (out / MODEL_FILE).read_bytes()
    length = int.from_bytes(head[:8], "little")  # safetensors: length, JSON, then raw numbers
    entries = json.loads(head[8 : 8 + length])
    n_bytes = max(e["data_offsets"][1] for k, e in entries.items() if k != "__metadata__")
    assert len(head) == 8 + length + n_bytes
    assert json.loads(entries["__metadata__"]["penviz"])["config"] == small_config().to_json()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"crop": 40}, "crop of 40"),
        ({"crop": 9, "pad": 1}, "crop of 9"),  # larger than the image that is validated on
        ({"crop": 0, "pad": 1}, "Padding needs a crop"),
        ({"batch_size": 321}, "batch of 321"),
        ({"model": "nothing"}, "no network nothing"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(
    changes: dict[str, Any], sentence: str, small: DataSet, tmp_path: Path
) -> None:
    config = RunConfig(**(small_config().to_json() | changes))
    with pytest.raises(RunError, match=sentence):
        small_train(small, tmp_path / "deep" / "run", config)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_device_leaves_nothing(small: DataSet, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="sees no device abacus"):
        train.train(small_config(), small, tmp_path / "run", TrainOptions(device="abacus"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changes", [{}, {"batch_size": 320, "epochs": 1}])
def test_a_diverging_run_says_so(changes: dict[str, Any], small: DataSet, tmp_path: Path) -> None:
    """In the middle of an epoch, and by the last step of one: its own loss is finite, its weights are not."""
    config = small_config(lr=1e30, clip_norm=0.0, schedule="constant", **changes)
    with pytest.raises(RunError, match=r"no longer finite in epoch 1: lower the learning rate \(1e\+30\)"):
        small_train(small, tmp_path / "run", config)
    assert json.loads((tmp_path / "run" / RUN_FILE).read_text())["history"] == []


@pytest.mark.parametrize("kind", ["others", "prior", "binary", "clip", "sampled"])
def test_runs_of_every_kind_resume_to_the_same_bits(kind: str, small: DataSet, tmp_path: Path) -> None:
    config = small_config(targets=kind)
    whole = small_train(small, tmp_path / "whole", config)
    steps = 0

    def stop() -> bool:
        nonlocal steps
        steps += 1
        return steps == STEPS + 2

    with pytest.raises(Stopped):
        small_train(small, tmp_path / "part", config, stopped=stop)
    part = small_train(small, tmp_path / "part", config, resume=True)
    assert (part / MODEL_FILE).read_bytes() == (whole / MODEL_FILE).read_bytes()
    assert read_run(part).record["history"] == read_run(whole).record["history"]
    prior = read_run(whole).record.get("prior")
    assert (prior is not None) == (kind == "prior")
    if prior is not None:
        labels = small.splits["train"].labels.tolist()
        assert prior == pytest.approx([labels.count(k) / len(labels) for k in range(10)])


@pytest.mark.parametrize("at", ["an epoch's end", "within an epoch"])
def test_a_state_of_before_there_were_kinds_resumes(at: str, small: DataSet, tmp_path: Path) -> None:
    """Without the config fields and sums that came later: the same weights, and no false number."""
    whole = small_train(small, tmp_path / "whole")
    steps = 0

    def stop() -> bool:
        nonlocal steps
        steps += 1
        return steps == STEPS + 2

    with pytest.raises(Stopped):
        small_train(small, tmp_path / "part", stopped=stop)
    path = tmp_path / "part" / STATE
    tensors, meta = checkpoints.read_tensors(path)
    if at == "an epoch's end":
        meta["step"], tensors["sums"] = 0, torch.zeros(5, dtype=torch.float64)
        meta["epoch"], meta["history"] = 0, []
        fresh = trainer.Training(small_config(), small, tmp_path / "x", TrainOptions(device="cpu"))
        tensors = fresh.tensors()
    tensors = {k: v[:4] if k == "sums" else v for k, v in tensors.items() if k != "largest"}
    for name in ("prior", "teacher", "dropout", "stop_after"):
        del meta["config"][name]
    checkpoints.write_tensors(path, tensors, meta)
    part = small_train(small, tmp_path / "part", resume=True)
    assert (part / MODEL_FILE).read_bytes() == (whole / MODEL_FILE).read_bytes()
    lines, expected = (read_run(p).record["history"] for p in (part, whole))
    unseen = 1 if at == "within an epoch" else None
    for number, (line, other) in enumerate(zip(lines, expected, strict=True)):
        assert ("train_uniform_nll" in line) == (number != unseen)
        assert {k: other[k] for k in line} == line
