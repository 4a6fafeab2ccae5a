"""What charts of stored activations share: the file of a split, and what runs are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from penviz.plot.theme import short_names
from penviz.store.runs import Run, activations_path, check_split


def split_file(split: str) -> str:
    """Name of the file that holds the activations of a split; InputError where there is no such split."""
    check_split(split)
    return activations_path(Path(), split).name


def names_of(runs: Sequence[Run]) -> list[str]:
    """What runs are called in a legend: "hard" and "soft" where that tells them apart, else more."""
    configs = [run.config for run in runs]
    kinds = [config.targets for config in configs]
    return short_names([config.label_smoothing for config in configs], [run.name for run in runs], kinds)
