"""Extractions of a small run, one after another, as one rank among those that torchrun starts.

    torchrun --standalone --nproc-per-node 2 tests/training/small_extraction.py ORDERS

ORDERS is JSON: a list of objects with `run`, a finished run on the digits, or with `adopt`, a file of weights
of such a run, and `out`; both with fields of `Storage`. `kill` is [rank, n]: it is killed after n batches.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from penviz import exit_codes
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.importing import adopt
from penviz.external.importing.choices import Choices
from penviz.external.reader.inspection import inspect_file
from penviz.store.runs import read_run
from penviz.training import data, extract
from penviz.training.ranks import ALONE, Ranks
from penviz.training.split_files import ExtractOptions, Storage


def work(order: dict[str, Any], ranks: Ranks = ALONE) -> list[Path]:
    """One extraction; what this rank has written."""
    digits = data.load("digits")
    storage = Storage(ranks, **order.get("storage", {}))
    batches = 0

    def report(*told: object) -> None:
        nonlocal batches
        batches += 1
        if order.get("kill") == [ranks.rank, batches]:
            os.kill(os.getpid(), signal.SIGKILL)

    if "run" in order:
        run = read_run(order["run"])
        return extract.extract(
            run, digits, ExtractOptions(per_class=0, device="cpu", storage=storage), report=report
        )
    path = Path(order["adopt"])
    file = inspect_file(path)
    network = adopt.open_network(path, file, "tutorial_alexnet")
    choices = Choices("tutorial_alexnet", Preprocessing("own", channels=1, scaling="per image"))
    out = Path(order["out"])
    options = adopt.AdoptOptions(per_class=0, device="cpu", storage=storage)
    checked = adopt.CheckedFile(file)
    return [adopt.adopt(network, choices, digits, out, checked, options, progress=report)]


def main(standalone_mode: bool = False) -> None:
    torch.set_num_threads(1)
    ranks = Ranks.of_torchrun()
    with ranks.joined():
        for order in json.loads(sys.argv[1]):
            work(order, ranks)


if __name__ == "__main__":
    exit_codes.run(main)
