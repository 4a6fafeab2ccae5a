"""How far a training on two ranks ends from one process with the same global batch.

    python benchmarks/ranks.py

Digits, batches of 64 dealt in two parts, crops keyed by (seed, epoch, example), gloo on the CPU.
For a network without batch norm the weights are compared after 110 steps; with batch norm (ResNet-20), where
each part is normalised by itself, also what the difference does to accuracy and NLL, beside the difference
that another seed makes.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from penviz.store.run_config import RunConfig
from penviz.store.runs import MODEL_FILE, read_run
from penviz.training import checkpoints, data, train
from penviz.training.ranks import Ranks
from penviz.training.train_options import TrainOptions

MODELS = ("fc800", "tutorial_alexnet", "resnet20")
SEEDS = (0, 1, 2)
EPOCHS, BATCH = 5, 64


def config_of(model: str, seed: int) -> RunConfig:
    plain = RunConfig("digits", model, epochs=EPOCHS, batch_size=BATCH, lr=0.05, crop=8, pad=1, seed=seed)
    return replace(plain, targets="uniform", label_smoothing=0.1, split_seed=0, clip_norm=5.0)


def train_all(place: Path, ranks: Ranks) -> None:
    digits = data.load("digits")
    for model in MODELS:
        for seed in SEEDS:
            train.train(
                config_of(model, seed),
                digits,
                place / f"{model}-{seed}",
                TrainOptions(device="cpu"),
                ranks=ranks,
            )


def learned(run: Path) -> np.ndarray:
    """All weights that were learned, as one vector; running statistics are none."""
    tensors, _ = checkpoints.read_tensors(run / MODEL_FILE)
    names = [name for name in sorted(tensors) if "running" not in name and "num_batches" not in name]
    return np.concatenate([tensors[name].double().numpy().ravel() for name in names])


def distance(a: Path, b: Path) -> float:
    x, y = learned(a), learned(b)
    return float(np.linalg.norm(x - y) / np.linalg.norm(y))


def compare(one: Path, two: Path) -> None:
    steps = json.loads((one / "fc800-0" / "run.json").read_text())["splits"]["train"]["n"] // BATCH * EPOCHS
    print(
        f"penviz on digits, {steps} steps of {BATCH}; torch {torch.__version__}, {platform.machine()}, gloo\n"
    )
    print("| network | weights, relative | validation accuracy, one | two ranks | NLL, one | two ranks |")
    print("|---|---|---|---|---|---|")
    for model in MODELS:
        far = [distance(two / f"{model}-{seed}", one / f"{model}-{seed}") for seed in SEEDS]
        scores = [
            [read_run(place / f"{model}-{seed}").metrics["validation"][key] for seed in SEEDS]
            for key in ("accuracy", "nll")
            for place in (one, two)
        ]
        spread = [f"{mean(row):.4f} [{min(row):.4f}, {max(row):.4f}]" for row in scores]
        print(f"| {model} | {max(far):.1e} | {' | '.join(spread)} |")
    seeds = distance(one / "resnet20-1", one / "resnet20-0")
    print(f"\nMeans and [least, most] of seeds {SEEDS}. Two seeds of resnet20 are {seeds:.2g} apart.")


def main() -> None:
    torch.set_num_threads(1)
    ranks = Ranks.of_torchrun()
    if ranks.size > 1:
        with ranks.joined():
            train_all(Path(sys.argv[1]), ranks)
        return
    with tempfile.TemporaryDirectory() as place:
        one, two = Path(place) / "one", Path(place) / "two"
        train_all(one, ranks)
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        subprocess.run([*command, __file__, str(two)], check=True)
        compare(one, two)


if __name__ == "__main__":
    main()
