"""Some trainings of a second, one after another, as one rank among those that torchrun starts.

    torchrun --standalone --nproc-per-node 2 tests/training/small_ranks.py ORDERS

ORDERS is JSON: a list of objects with `out`, and what the training is to have beside `small_config`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from small_training import small_config, small_digits

from penviz import exit_codes
from penviz.training import models, train
from penviz.training.progress import Stopped
from penviz.training.ranks import ALONE, Ranks
from penviz.training.train_options import TrainOptions

NEVER = 1e9

BATCH = 63
"""Examples a step: not to be dealt in equal parts to two."""


def run(order: dict[str, Any], ranks: Ranks = ALONE) -> Path:
    """One training; `kill` is [rank, point] at which that rank ends itself with SIGKILL."""
    config = dataclasses.replace(small_config(batch_size=BATCH), **order.get("config", {}))
    teacher = models.build("tutorial_alexnet", (1, 4, 4), 10, seed=8) if order.get("teacher") else None

    def observe(point: str) -> None:
        if order.get("kill") == [ranks.rank, point]:
            os.kill(os.getpid(), signal.SIGKILL)

    return train.train(
        config,
        small_digits(),
        Path(order["out"]),
        TrainOptions(
            resume=order.get("resume", False),
            device="cpu",
            save_every=order.get("save_every", NEVER),
            snapshots=order.get("snapshots", 0),
            snapshots_per_class=5,
            observe=observe,
            say=exit_codes.say,
            accumulate=order.get("accumulate", 1),
            stopped=stopping(order.get("stop"), ranks),
        ),
        teacher=teacher,
        ranks=ranks,
    )


def stopping(stop: list[int] | None, ranks: Ranks) -> Callable[[], bool]:
    """[rank, step]: this rank alone is asked to stop after that many steps."""
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return stop == [ranks.rank, asked]

    return stopped


def main(standalone_mode: bool = False) -> None:
    torch.set_num_threads(1)
    ranks = Ranks.of_torchrun()
    with ranks.joined():
        for order in json.loads(sys.argv[1]):
            try:
                run(order, ranks)
            except Stopped as stop:
                exit_codes.say(str(stop))


if __name__ == "__main__":
    exit_codes.run(main)
