"""What charts of stored activations share: the file of a split, and what runs are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.plot.theme import short_names
from penviz.store.runs import SPLITS, Run, activations_path


def split_file(split: str) -> str:
    """Name of the file that holds the activations of a split; InputError where there is no such split."""
    if split not in SPLITS:
        raise InputError(
            f"There is no split {split}{did_you_mean(split, SPLITS)}: it is one of {', '.join(SPLITS)}."
        )
    return activations_path(Path(), split).name


def names_of(runs: Sequence[Run]) -> list[str]:
    """What runs are called in a legend: "hard" and "soft" where that tells them apart, else more."""
    configs = [run.config for run in runs]
    kinds = [config.targets for config in configs]
    return short_names([config.label_smoothing for config in configs], [run.name for run in runs], kinds)
