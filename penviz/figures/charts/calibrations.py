"""The calibration of runs on disk, for every front end, and what runs are called in a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.metrics.calibration.calibrated import Calibrated
from penviz.plot.theme import short_names
from penviz.store import run_activations
from penviz.store.activations import Activations
from penviz.store.runs import SPLITS, Run, activations_path

MOST_RUNS = 12
"""More cannot be told apart in one figure."""


def split_file(split: str) -> str:
    """Name of the file that holds the activations of a split; InputError where there is no such split."""
    if split not in SPLITS:
        raise InputError(
            f"There is no split {split}{did_you_mean(split, SPLITS)}: it is one of {', '.join(SPLITS)}."
        )
    return activations_path(Path(), split).name


def load_split(run: Run, split: str) -> Activations:
    """The activations of one split of a run, good for numbers over all classes.

    Raises:
        InputError: no such split, a network without a head, or a quick look at some classes.
    """
    if split_file(split) and split not in run.splits():
        raise run_activations.lacking(run, split)
    found = run_activations.load(run, (split,))[split]
    return checked(run, found)


def checked(run: Run, activations: Activations) -> Activations:
    """The same activations, if calibration can be measured on them; errors as `load_split`."""
    if activations.over_all is not None:
        raise InputError(f"{run.name} is kept in shards: calibration is drawn from one file of activations.")
    if activations.partial:
        raise InputError(f"{run.name} is a quick look at some classes: calibration needs the full pass.")
    if activations.head is None and activations.own_logits is None:
        raise InputError(f"{run.name} has no single linear head and no logits were kept: bring it in again.")
    return activations


def calibrations(runs: Sequence[Run], split: str, seed: int) -> list[Calibrated]:
    """Of each run; errors as `load_split`, and too many runs for one figure."""
    if len(runs) > MOST_RUNS:
        raise InputError(f"{len(runs)} runs cannot be told apart in one figure: draw at most {MOST_RUNS}.")
    if seed < 0:
        raise InputError("The seed of the halves must be at least 0.")
    return [Calibrated.of(load_split(run, split), seed) for run in runs]


def names_of(runs: Sequence[Run]) -> list[str]:
    """What runs are called in a legend: "hard" and "soft" where that tells them apart, else more."""
    configs = [run.config for run in runs]
    kinds = [config.targets for config in configs]
    return short_names([config.label_smoothing for config in configs], [run.name for run in runs], kinds)


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
