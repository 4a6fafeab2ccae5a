"""Runs on disk as a study: read, named apart, and with what must be said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from penviz.store import run_activations
from penviz.store.activations import Activations
from penviz.store.runs import SPLITS, Run, named_apart, read_runs
from penviz.study.study import Study
from penviz.study.study_run import StudyRun


def open_run(run: Run, classes: Sequence[str | int] = (), splits: Sequence[str] = SPLITS) -> StudyRun:
    """A run with its activations.

    Args:
        run: on disk; classes: names or rows of those that are read of a split in shards, its first three
            without them; splits: which are read.

    Raises:
        InputError: no activations, or such as cannot be read.
    """
    parts = run_activations.load(run, splits, classes)
    if not parts:
        raise run_activations.lacking(run, splits[0] if len(splits) == 1 else "")
    said = [*run_activations.notes(run, parts), *stale(run, parts)]
    return StudyRun(run, parts, tuple(said))


def open_study(directories: Sequence[Path | str], classes: Sequence[str | int] = ()) -> Study:
    """A study of runs on disk; arguments and errors as `open_run` and `Study`.

    >>> import numpy as np, penviz
    >>> labels = np.arange(60) % 3
    >>> run = penviz.from_arrays(4.0 * np.eye(3)[labels], labels, weight=np.eye(3), name="theirs")
    >>> penviz.open_study([penviz.save(run, "runs/theirs")]).splits
    ('validation',)
    """
    runs = named_apart(read_runs([Path(directory) for directory in directories]))
    return Study(tuple(open_run(run, classes) for run in runs))


def stale(run: Run, splits: Mapping[str, Activations]) -> list[str]:
    """A sentence for every file of activations that is of another checkpoint than its run."""
    return [
        f"{run.name}: the {split} activations are of another checkpoint; extract it again."
        for split, activations in splits.items()
        if run.model_sha256 and activations.checkpoint_sha256 not in ("", run.model_sha256)
    ]
