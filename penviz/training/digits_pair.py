"""A hard and a soft network on scikit-learn's digits: the smallest pair that shows what smoothing does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from penviz.store.runs import read_run
from penviz.training import data, defaults, train
from penviz.training.extract import extract
from penviz.training.progress import Progress
from penviz.training.split_files import ExtractOptions
from penviz.training.train_options import TrainOptions

MODEL, ALPHA = "fc800", 0.1
SNAPSHOTS = 30
"""Epochs that are kept at most, on a log scale: a file of them is written anew at each."""

KEPT_PER_CLASS = 30
"""Examples a class and split that snapshots keep: as many as validation has of the rarest digit."""


def train_pair(
    out: Path, names: tuple[str, str], epochs: int, told: Callable[[int, int, int], None] = lambda *_: None
) -> list[Path]:
    """Train, keep snapshots, and extract. The networks fit after about 20 epochs.

    Args:
        out: an existing directory in which the two runs are made.
        names: of the run on hard targets and of the one with label smoothing; epochs: of each.
        told: called with the number of the run (0, 1), its epochs done, and all of them.

    Returns:
        The directories of the two runs.
    """
    dataset = data.load("digits")
    made = []
    for number, (name, alpha) in enumerate(zip(names, (0.0, ALPHA), strict=True)):
        config = defaults.default_config(
            "digits", MODEL, dataset.image_shape, label_smoothing=alpha, epochs=epochs
        )

        def report(progress: Progress, number: int = number) -> None:
            if progress.line is not None:
                told(number, progress.epoch, progress.epochs)

        smoothing = f" --label-smoothing {alpha:g}" if alpha else ""
        directory = train.train(
            config,
            dataset,
            out / name,
            TrainOptions(
                device="cpu",
                save_every=1e9,
                snapshots=SNAPSHOTS,
                snapshots_per_class=KEPT_PER_CLASS,
                snapshots_spacing="log",
                report=report,
                command=f"penviz train digits {MODEL} --epochs {epochs}{smoothing} --device cpu "
                f"--snapshots {SNAPSHOTS} --snapshots-spacing log --snapshots-per-class {KEPT_PER_CLASS} "
                f"--out {name}",
            ),
        )
        extract(read_run(directory), dataset, ExtractOptions(device="cpu"))
        made.append(directory)
    return made
