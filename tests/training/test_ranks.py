"""Several ranks of torchrun against one process: real processes on gloo, with tiny data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_ranks
import torch

from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, RUN_FILE, read_run
from penviz.store.snapshots import Snapshots, snapshots_path
from penviz.training import checkpoints, evaluate
from penviz.training.data_set import DataSet, Split
from penviz.training.ranks import ALONE, LOST, TIMEOUT, Ranks

ROOT = Path(__file__).parents[2]


def torchrun(n: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run something on n ranks of this machine."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            str(n),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT / 2,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        check=False,
    )


def by_ranks(n: int, orders: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    """Trainings of small_ranks.py on n ranks."""
    return torchrun(n, str(Path(__file__).with_name("small_ranks.py")), json.dumps(orders))


def weights(out: Path) -> dict[str, np.ndarray]:
    tensors, _ = checkpoints.read_tensors(out / MODEL_FILE)
    return {name: tensor.double().numpy() for name, tensor in tensors.items()}


def apart(a: Path, b: Path) -> float:
    """Largest relative distance of two runs' weights, tensor by tensor."""
    ours, theirs = weights(a), weights(b)
    assert ours.keys() == theirs.keys()
    return max(
        float(np.linalg.norm(ours[name] - theirs[name]) / np.linalg.norm(theirs[name])) for name in theirs
    )


KINDS: dict[str, dict[str, Any]] = {
    "smoothed": {},
    "dropout": {"config": {"model": "fc800", "dropout": 0.3}},
    "sampled": {"config": {"model": "fc800", "targets": "sampled", "loss_factor": 1.0, "clip_norm": 0.0}},
    "distilled": {
        "teacher": True,
        "config": {
            "model": "fc800",
            "targets": "distilled",
            "label_smoothing": None,
            "teacher": "t",
            "teacher_sha256": "0",
            "distillation_weight": 0.6,
            "temperature": 2.0,
        },
    },
    "batch norm": {"config": {"model": "resnet20", "epochs": 1}},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind on two ranks, with snapshots; and one training that rank 1 alone was asked to stop."""
    place = tmp_path_factory.mktemp("ranks")
    orders = [kind | {"out": str(place / f"two {name}"), "snapshots": 2} for name, kind in KINDS.items()]
    done = by_ranks(2, [*orders, {"out": str(place / "stopped"), "stop": [1, 7]}])
    assert done.returncode == 0, done.stderr
    (place / "said").write_text(done.stderr)
    return place


def on_one(place: Path, name: str, **order: Any) -> Path:
    return small_ranks.run(KINDS[name] | {"out": str(place / f"one {name} {order}")} | order)


@pytest.mark.parametrize("name", ["smoothed", "sampled", "distilled"])
def test_two_ranks_train_as_one_process_does(name: str, place: Path) -> None:
    # 15 steps of 63 examples, in parts of 32 and 31, with crops and mirroring.
    two, one = place / f"two {name}", on_one(place, name, snapshots=2)
    assert apart(two, one) < 1e-5
    ours, theirs = (json.loads((out / RUN_FILE).read_text()) for out in (two, one))
    assert len(ours["history"]) == len(theirs["history"]) == 3
    for a, b in zip(ours["history"], theirs["history"], strict=True):
        assert a == pytest.approx(b, rel=1e-5, abs=1e-6)  # a logit gap of 1e-3 is a difference
    for split in ("train", "validation"):
        assert ours["metrics"][split] == pytest.approx(theirs["metrics"][split], rel=1e-5)
        a, b = (Snapshots.load(snapshots_path(out, split)) for out in (two, one))
        np.testing.assert_allclose(a.features, b.features, rtol=2e-3, atol=1e-6)  # float16
    assert (ours["machine"]["ranks"], theirs["machine"]["ranks"]) == (2, 1)
    assert sorted(p.name for p in two.iterdir()) == sorted(p.name for p in one.iterdir())


@pytest.mark.parametrize("name", ["smoothed", "distilled"])
def test_accumulated_parts_make_the_same_step(name: str, place: Path) -> None:
    whole, three = on_one(place, name), on_one(place, name, accumulate=3)
    assert 0 < apart(three, whole) < 1e-5


def test_dropout_is_keyed_by_the_part_of_a_batch(place: Path) -> None:
    two = place / "two dropout"
    assert apart(two, on_one(place, "dropout", accumulate=2)) == 0
    assert apart(two, on_one(place, "dropout")) > 1e-3  # other masks: said in the docs


def test_batch_norm_sees_a_part_and_keeps_the_statistics_of_rank_0(place: Path) -> None:
    ours = weights(place / "two batch norm")
    parts, whole = weights(on_one(place, "batch norm", accumulate=2)), weights(on_one(place, "batch norm"))
    learned = [name for name in ours if "running" not in name and "num_batches" not in name]
    far = {name: np.linalg.norm(whole[name] - ours[name]) / np.linalg.norm(ours[name]) for name in learned}
    near = {name: np.linalg.norm(parts[name] - ours[name]) / np.linalg.norm(ours[name]) for name in learned}
    assert max(near.values()) == 0
    assert max(far.values()) > 1e-3


def test_one_rank_that_is_asked_to_stop_stops_all(place: Path) -> None:
    out = place / "stopped"
    assert (place / "said").read_text().count("Stopped; the state is saved.") == 1
    _, meta = checkpoints.read_tensors(out / checkpoints.STATE_FILE)
    assert (meta["epoch"], meta["step"], meta["parts"]) == (1, 2, 2)
    assert small_ranks.run({"out": str(out), "resume": True}) == out  # and one process goes on
    assert apart(out, place / "two smoothed") < 1e-5
    ours, theirs = (read_run(place / name).record["history"] for name in ("stopped", "two smoothed"))
    assert ours[1] == pytest.approx(theirs[1], rel=1e-5, abs=1e-6)  # sums of both ranks were kept


@pytest.mark.parametrize(("lost", "goes_on"), [(0, 1), (1, 2)])
def test_a_killed_rank_ends_all_and_the_run_goes_on(
    lost: int, goes_on: int, place: Path, tmp_path: Path
) -> None:
    order = {"out": str(tmp_path / "run"), "save_every": 0.0}
    started = time.monotonic()
    done = by_ranks(2, [order | {"kill": [lost, "step 1 3"]}])
    assert done.returncode != 0
    assert time.monotonic() - started < TIMEOUT / 2  # no rank waits for the one that is gone
    assert done.stderr.count(LOST) <= 1  # torchrun may be faster with its SIGTERM
    assert 'small_ranks.py", line' not in done.stderr  # no traceback but torchrun's own
    _, meta = checkpoints.read_tensors(tmp_path / "run" / checkpoints.STATE_FILE)
    assert (meta["epoch"], meta["step"]) == (1, 2)
    whole = place / "two smoothed"
    if goes_on == 2:
        again = by_ranks(2, [order | {"resume": True}])
        assert again.returncode == 0, again.stderr
        assert (tmp_path / "run" / MODEL_FILE).read_bytes() == (whole / MODEL_FILE).read_bytes()
    else:
        small_ranks.run(order | {"resume": True})
        assert apart(tmp_path / "run", whole) < 1e-5


def test_one_process_does_not_touch_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("torch.distributed was asked")

    for name in ("init_process_group", "all_reduce", "broadcast", "send", "recv", "destroy_process_group"):
        monkeypatch.setattr(torch.distributed, name, refuse)
    monkeypatch.setenv("RANK", "3")  # half of what torchrun says is nothing
    ranks = Ranks.of_torchrun()
    assert ranks == ALONE
    with ranks.joined():
        small_ranks.run({"out": str(tmp_path / "run"), "config": {"epochs": 1}}, ranks)
    with pytest.raises(AssertionError, match="was asked"):
        Ranks(0, 2, 0).wait()


def test_a_batch_that_cannot_be_dealt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="A batch of 63 cannot be cut into 64 parts"):
        small_ranks.run({"out": str(tmp_path / "run"), "accumulate": 64})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("n", "n_ranks"), [(0, 2), (1, 3), (157, 1), (157, 2), (157, 3), (320, 3)])
def test_whole_batches_are_dealt_once(n: int, n_ranks: int, small: DataSet) -> None:
    part = small.splits["train"]
    split = Split(part.images[:n], part.labels[:n], part.indices[:n], part.hashes[:n], "")
    alone = evaluate.dealt(split, 0, 50)
    shares = [evaluate.dealt(split, 0, 50, Ranks(rank, n_ranks)) for rank in range(n_ranks)]
    assert sorted((rows for share in shares for rows in share), key=lambda rows: rows.start) == alone
    assert [row for rows in alone for row in range(n)[rows]] == list(range(n))


def test_the_command_line_deals_a_training_and_says_what_is_wrong_once(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    words = ["-m", "penviz", "train", "digits", "fc800", "--device", "cpu", "--epochs", "1"]
    done = torchrun(2, *words, "--batch-size", "300", "--out", out, "--progress", "json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is finished: accuracy") == 1
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["step"] for line in told if line["line"]] == [4]
    run = read_run(tmp_path / "run")
    assert run.record["machine"]["ranks"] == 2
    assert "torchrun" not in run.record["command"]
    refused = torchrun(2, *words, "--resume", "--batch-size", "1", "--out", str(tmp_path / "x"))
    assert refused.returncode != 0
    assert refused.stderr.count("A batch of 1 cannot be cut into 2 parts: raise --batch-size.") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_verb_of_one_process_is_refused_in_one_sentence(tmp_path: Path) -> None:
    told = {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for rank, said in (("0", "penviz measure runs in one process: start it without torchrun.\n"), ("1", "")):
        done = subprocess.run(
            [sys.executable, "-m", "penviz", "measure", str(tmp_path)],
            capture_output=True,
            text=True,
            env=os.environ | told | {"RANK": rank, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
