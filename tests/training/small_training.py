"""A training of a second, as a child process that a test kills where it likes.

As a program it is a fork server: torch is imported once, and each line on standard input is one training.
A training prints every point it reaches; at the one it was told to stop at it says so and waits to be killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from penviz.store.run_config import RunConfig
from penviz.training import data, train
from penviz.training.data_set import DataSet, Split
from penviz.training.train_options import TrainOptions
from penviz.training.trainer import Training

EPOCHS, STEPS = 3, 5


def small_digits() -> DataSet:
    """320 digits to train on, 157 to validate on: five steps of 64 an epoch."""
    digits = data.load("digits")
    splits = {}
    for name, n in (("train", 320), ("validation", 157)):
        s = digits.splits[name]
        splits[name] = Split(s.images[:n], s.labels[:n], s.indices[:n], s.hashes[:n], f"small {name}")
    return DataSet("digits", splits, digits.class_names)


def small_config(**changes: Any) -> RunConfig:
    """Soft targets, momentum, decay, crops and clipping: as much state and chance as a recipe can have."""
    chosen: dict[str, Any] = {
        "targets": "uniform",
        "label_smoothing": 0.1,
        "epochs": EPOCHS,
        "lr": 0.02,
        "weight_decay": 0.01,
        "loss_factor": 3.0,
        "clip_norm": 2.0,
        "batch_size": 64,
        "crop": 4,
        "pad": 1,
        "flip": True,
        "seed": 3,
    }
    return RunConfig("digits", "tutorial_alexnet", **(chosen | changes))


def small_train(small: DataSet, out: Path, config: RunConfig | None = None, **options: Any) -> Path:
    """A training in this process."""
    return train.train(config or small_config(), small, out, TrainOptions(device="cpu", **options))


def _forget_momentum(restore: Callable[[Training], list[str]]) -> Callable[[Training], list[str]]:
    def restored(training: Training) -> list[str]:
        notes = restore(training)
        training.optimizer.state.clear()
        return notes

    return restored


def _forget_step(restore: Callable[[Training], list[str]]) -> Callable[[Training], list[str]]:
    def restored(training: Training) -> list[str]:
        notes = restore(training)
        training.state.step = 0
        return notes

    return restored


MUTATIONS = {"forget the momentum": _forget_momentum, "forget the step": _forget_step}


def _run(dataset: DataSet, order: dict[str, Any]) -> None:
    reached = 0

    def observe(point: str) -> None:
        nonlocal reached
        print(json.dumps({"point": point}), flush=True)
        if reached == order.get("stop"):
            print(json.dumps({"stopped": point, "pid": os.getpid()}), flush=True)
            os.read(0, 1)  # until it is killed
        reached += 1

    if mutation := order.get("mutation"):
        Training.restore = MUTATIONS[mutation](Training.restore)  # type: ignore[method-assign]
    train.train(
        small_config(),
        dataset,
        Path(order["out"]),
        TrainOptions(
            resume=order.get("resume", False),
            device="cpu",
            save_every=order["save_every"],
            snapshots=order.get("snapshots", 0),
            snapshots_per_class=5,
            observe=observe,
        ),
    )


def serve() -> None:
    torch.set_num_threads(1)
    dataset = small_digits()
    with (
        tempfile.TemporaryDirectory() as place
    ):  # torch imports much at the first step: once, not in each fork
        train.train(small_config(epochs=1), dataset, Path(place), TrainOptions(device="cpu"))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            with contextlib.suppress(BaseException):
                try:
                    _run(dataset, json.loads(line))
                    code = 0
                except BaseException:
                    traceback.print_exc()
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"exit": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    serve()
