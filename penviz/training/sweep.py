"""A sweep: one run for each network, label smoothing and seed, trained and extracted one after the other.

Whatever is there already is kept: a finished run is passed over, one that was stopped half-way continues.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import RUN_FILE, read_run
from penviz.training import defaults
from penviz.training import extract as extraction
from penviz.training import train as training
from penviz.training.checkpoints import has_weights
from penviz.training.data_set import DataSet
from penviz.training.progress import Progress, Stopped
from penviz.training.split_files import DEFAULTS as STORED
from penviz.training.split_files import ExtractOptions
from penviz.training.train_options import DEFAULTS, TrainOptions

STOPPED = "Stopped; what is done is kept. Continue with the same command."


@dataclass(frozen=True)
class Member:
    """One run of a sweep: what is trained, and where."""

    config: RunConfig
    directory: Path


@dataclass(frozen=True)
class SweepProgress:
    """One message of a running sweep.

    Attributes:
        run, runs: which of how many, from 1; name: of its directory.
        stage: "train", "extract", or "finished" once all of a run is there.
        done, total: epochs of the whole sweep; those of runs that were there already count as done.
        seconds_left: estimate of the time to the end, None before the first epoch of this process.
        training: the message of the run under way, in the stage "train".
    """

    run: int
    runs: int
    name: str
    stage: str
    done: float
    total: int
    seconds_left: float | None = None
    training: Progress | None = None


def plan(
    out: Path,
    dataset: str,
    models: Sequence[str],
    label_smoothings: Sequence[float],
    seeds: Sequence[int],
    image_shape: tuple[int, int, int],
    targets: str | None = None,
    **chosen: Any,
) -> list[Member]:
    """The runs of a sweep, seed by seed, in out/<model>-<alpha>-seed<seed>.

    Args:
        out: directory of the sweep.
        dataset, image_shape, chosen: as in `defaults.default_config`; targets and "prior" are those of the
            soft runs.
        models, label_smoothings, seeds: a run for each combination; repeated ones count once.

    Raises:
        RunError: nothing to sweep over, a value out of range, or two runs of one name.
    """
    members: dict[Path, Member] = {}
    for seed in dict.fromkeys(seeds):
        for model in dict.fromkeys(models):
            for alpha in dict.fromkeys(label_smoothings):
                soft = alpha != 0
                own = chosen | {"seed": seed, "prior": chosen.get("prior") if soft else None}
                directory = out / f"{model}-{alpha:g}-seed{seed}"
                if directory in members:
                    raise RunError(f"Two runs would be called {directory.name}: choose other smoothings.")
                kind = targets if soft else None
                config = defaults.default_config(dataset, model, image_shape, alpha, kind, **own)
                members[directory] = Member(config, directory)
    if not members:
        raise RunError("There is nothing to sweep over: name a network, a label smoothing and a seed.")
    return list(members.values())


def check(members: Sequence[Member]) -> None:
    """Before anything is trained: whatever lies in the directories must be of the same runs.

    Raises:
        RunError: a file in the way, a directory that is no run, or a run of another config.
    """
    for member in members:
        place = member.directory
        if place.exists() and not place.is_dir():
            raise RunError(f"{place} is a file: choose another --out.")
        if not place.is_dir() or not any(place.iterdir()):
            continue
        if not any((place / name).exists() for name in training.OWN_FILES):
            raise RunError(f"{place} holds no run to continue: choose another --out.")
        if not (place / RUN_FILE).is_file():
            continue
        config = read_run(place).config
        if config != member.config:
            changed = ", ".join(config.differences(member.config))
            raise RunError(
                f"{place} was made with another config ({changed}): use the same options, or another --out."
            )


def is_trained(member: Member) -> bool:
    """Its weights are there, and those that its run.json describes."""
    return (member.directory / RUN_FILE).is_file() and has_weights(read_run(member.directory))


def sweep(
    members: Sequence[Member],
    load: Callable[[int], DataSet],
    options: TrainOptions = DEFAULTS,
    stored: ExtractOptions = STORED,
    *,
    report: Callable[[SweepProgress], None] = lambda progress: None,
) -> int:
    """Make every run that is not finished yet.

    Args:
        members: of `plan`.
        load: the data set of a seed, asked for once a seed and only if something is to do.
        options: of each training, but that each resumes and reports here; stored: of each extraction.
        report: told what happens.

    Returns:
        How many runs were finished before.

    Raises:
        RunError: what lies there does not fit (nothing is begun then), or a run failed, with its name.
        Stopped: asked to stop; the same call continues.
    """
    check(members)
    ready = [
        is_trained(m)
        and extraction.is_extracted(
            read_run(m.directory), stored.splits, stored.per_class, bool(stored.thumbnail_quality)
        )
        for m in members
    ]
    clock = _Clock(members, ready, report)
    loaded: tuple[int, DataSet] | None = None
    for number, member in enumerate(members):
        if ready[number]:
            clock.tell(number, "finished")
            continue
        seed = member.config.seed
        if loaded is None or loaded[0] != seed:
            loaded = seed, load(seed)
        try:
            own = replace(options, resume=True, report=clock.of_run(number))
            for stage in _make(member, loaded[1], own, stored):
                clock.tell(number, stage)
                if options.stopped():
                    raise Stopped(STOPPED)
        except RunError as error:
            raise RunError(f"{member.directory.name}: {error}") from None
        except Stopped:
            raise Stopped(STOPPED) from None
    return sum(ready)


def _make(member: Member, dataset: DataSet, options: TrainOptions, stored: ExtractOptions) -> Iterator[str]:
    """Train and extract one run; yields what comes next, and "finished"."""
    if not is_trained(member):
        training.train(member.config, dataset, member.directory, options)
    yield "extract"
    extraction.extract(read_run(member.directory), dataset, stored)
    yield "finished"


class _Clock:
    """How many epochs are behind, and how long the rest will take."""

    def __init__(
        self, members: Sequence[Member], ready: Sequence[bool], report: Callable[[SweepProgress], None]
    ):
        self.members, self.report = members, report
        self.epochs = [m.config.last_epoch for m in members]
        self.done = [float(n) if r else 0.0 for n, r in zip(self.epochs, ready, strict=True)]
        self.began: tuple[float, float] | None = None

    def tell(self, number: int, stage: str, message: Progress | None = None) -> None:
        """Report where the sweep is."""
        if message is None:
            self.done[number] = float(self.epochs[number])
        else:
            self.done[number] = message.epoch - 1 + message.step / message.steps
        done, now = sum(self.done), time.monotonic()
        if self.began is None and message is not None:
            self.began = now, done
        left = None
        if self.began is not None and done > self.began[1]:
            left = (now - self.began[0]) / (done - self.began[1]) * (sum(self.epochs) - done)
        name = self.members[number].directory.name
        total = sum(self.epochs)
        self.report(SweepProgress(number + 1, len(self.members), name, stage, done, total, left, message))

    def of_run(self, number: int) -> Callable[[Progress], None]:
        """What the training of a run reports to."""
        return lambda message: self.tell(number, "train", message)
