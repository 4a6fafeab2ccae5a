"""Runs in the runs directory, grouped by their classes, and their activations, read once a version."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import streamlit as st

from penviz.demo import PAIR, SWEEP
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError
from penviz.store.run_activations import extract_command, notes, ready, some_classes
from penviz.store.runs import (
    MANIFEST,
    RUN_FILE,
    SPLITS,
    DamagedRun,
    Run,
    list_runs,
    moments_path,
    shown_splits,
    stored_path,
)
from penviz.store.safe_text import safe_text
from penviz.store.shards import ShardedActivations
from penviz.study.study import Study
from penviz.study.study_run import StudyRun

RUNS_VARIABLE = "PENVIZ_RUNS"
SHARD_TRIPLES = 8
"""Triples of splits in shards that are kept, 30 MB each for ImageNet."""


@dataclass(frozen=True)
class Group:
    """Runs that share a list of classes, and so can share a triple.

    Attributes:
        name: what the group is called in the page and in links; class_names: K names; runs: by name.
        end: what its keys end in, in the session and in links; nothing where it is the only group.
    """

    name: str
    class_names: tuple[str, ...]
    runs: tuple[Run, ...]
    end: str = ""


@dataclass(frozen=True)
class Catalogue:
    """What the directories of runs hold: usable runs in groups, and advice about the others."""

    roots: tuple[Path, ...]
    groups: tuple[Group, ...] = ()
    damaged: tuple[DamagedRun, ...] = ()


@dataclass(frozen=True)
class Opened:
    """One run with the activations that could be read, and sentences about what is wrong with it.

    Attributes:
        splits: split -> its activations; of a split in shards those of some classes.
        digests: split -> what its numbers are cached by; notes: sentences for the foot of the page.
        shards: split -> all of it, where it is kept in shards.
    """

    run: Run
    splits: dict[str, Activations]
    digests: dict[str, str]
    notes: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())
    shards: dict[str, ShardedActivations] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Changes with the run's files and with what is said of it."""
        run = self.run
        return "|".join([*self.digests.values(), repr(run.config), repr(run.adoption), run.name])

    def stored(self) -> dict[str, Activations | ShardedActivations]:
        """Split -> what is stored of it, be it read or not."""
        return self.splits | self.shards


HERE = Path("checkpoints")
"""Where runs are looked for when nobody says where they lie."""

OPEN_DEMO = "open-demo"
"""Key in the session: the visitor of an empty directory asked for the demo pair."""

MORE_ROOTS = "more-roots"
"""Key in the session: further directories of runs, a tuple of paths, such as the visitor's own workspace."""


def runs_directory() -> Path:
    """The runs that everybody sees: of PENVIZ_RUNS, or ./checkpoints, or where both lack any the demo pair.

    An empty PENVIZ_RUNS stays empty until the visitor asks for the pair.
    """
    if st.session_state.get(OPEN_DEMO):
        return PAIR
    if named := os.environ.get(RUNS_VARIABLE):
        return Path(named)
    return HERE if any(HERE.glob(f"*/{RUN_FILE}")) else PAIR


def sweep_directory() -> Path:
    """The runs of the shipped sweep, which only the page Sweep shows; in a checkout as commands name them."""
    place = HERE / "sweep"
    return place if place.is_dir() and place.samefile(SWEEP) else SWEEP


def run_roots() -> tuple[Path, ...]:
    """All directories whose runs this session shows: the one for everybody, then its own."""
    return runs_directory(), *st.session_state.get(MORE_ROOTS, ())


def is_own(run: Run) -> bool:
    """Whether a run lies in a directory of this session alone, so that nobody else sees it."""
    return run.directory.parent in st.session_state.get(MORE_ROOTS, ())


def path_word(run: Run) -> str:
    """A run's directory as links, commands and recipes say it; without the place where it is private."""
    return safe_text(run.directory.name if is_own(run) else run.directory.as_posix())


def digest_of(path: Path) -> str:
    """What a cache keys a file by: its path, size and time of change."""
    stat = path.stat()
    return f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"


def directory_digest(roots: Sequence[Path]) -> str:
    """Changes whenever a run is added, removed or written again under one of some directories."""
    parts = [f"{root}|{root.is_dir()}" for root in roots]
    found = [p for root in roots if root.is_dir() for p in sorted(root.iterdir()) if p.is_dir()]
    for directory in found:
        files = [directory / RUN_FILE, *(stored_path(directory, split) for split in SPLITS)]
        parts += [digest_of(file) for file in files if file.is_file()]
        parts.append(str(directory))
    return "\n".join(parts)


def _list_runs(roots: Sequence[Path]) -> tuple[list[Run], list[DamagedRun]]:
    """The runs of several directories; a name that an earlier one has gets a number: "theirs (2)"."""
    runs: list[Run] = []
    damaged: list[DamagedRun] = []
    for root in roots:
        found, broken = list_runs(root)
        damaged += broken
        taken = {run.name for run in runs}
        for run in found:
            others = taken | {other.name for other in found if other is not run}
            name, number = run.name, 1
            while name in (taken if number == 1 else others):
                number += 1
                name = f"{run.name} ({number})"
            runs.append(replace(run, name=name))
    return runs, damaged


def shown_catalogue() -> Catalogue:
    """The runs that this session shows, as they lie on disk now."""
    roots = run_roots()
    return read_catalogue(roots, directory_digest(roots))


@st.cache_resource(max_entries=32, show_spinner=False)
def read_catalogue(roots: tuple[Path, ...], digest: str) -> Catalogue:
    """List the runs of some directories; `digest` is their `directory_digest`.

    The first directory's runs keep their names, so that links to them mean the same in every session.
    """
    runs, damaged = _list_runs(roots)
    by_classes: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        splits = run.splits()
        if not splits:
            advice = f"{run.name} has no activations. {again(run)}"
            damaged.append(DamagedRun(run.name, advice))
            continue
        names = run.class_names
        if not names:
            try:
                path = stored_path(run.directory, splits[0])
                names = read_activations(path, digest_of(path)).class_names
            except ActivationsError as error:
                advice = f"{error} {again(run)}"
                damaged.append(DamagedRun(run.name, advice))
                continue
        if len(names) < 2:
            advice = f"There is nothing to tell apart: this run has {len(names)} class."
            damaged.append(DamagedRun(run.name, advice))
            continue
        by_classes.setdefault(names, []).append(run)
    ordered = sorted(by_classes.items(), key=lambda item: (-len(item[1]), item[1][0].name))
    groups: list[Group] = []
    for names, members in ordered:
        name = f"{Path(members[0].config.dataset).stem} ({len(names)} classes)"
        taken = sum(group.name.startswith(name) for group in groups)
        name = name if not taken else f"{name}, {taken + 1}"
        end = "-" + name.replace(" ", "-").strip("()").replace("(", "") if len(ordered) > 1 else ""
        groups.append(Group(name, names, tuple(members), end))
    return Catalogue(roots, tuple(groups), tuple(damaged))


def again(run: Run, split: str = "") -> str:
    """How to write the activations of a run again, or those of one split, as a sentence."""
    if run.adopted:
        return "Drop its file on Your model again, or run `penviz extract` on it."
    return f"Run `{extract_command(run, split)}`."


@st.cache_resource(max_entries=32, show_spinner=False)
def read_activations(path: Path, digest: str) -> Activations | ShardedActivations:
    """One split in either form (`runs.stored_path`); `digest` is its `digest_of`. Raises ActivationsError."""
    return ShardedActivations.open(path.parent) if path.name == MANIFEST else Activations.load(path)


@st.cache_resource(max_entries=SHARD_TRIPLES, show_spinner=False)
def read_some_classes(key: str, classes: tuple[int, ...], _sharded: ShardedActivations) -> Activations:
    """Some classes of a split in shards; `key` tells its version. Raises ActivationsError."""
    return some_classes(_sharded, classes)


def _doubts(run: Run, stale: Sequence[str]) -> list[str]:
    """What must be said of a run: splits that come from another checkpoint, and how it was adopted."""
    said = []
    if stale:
        said.append(
            f"{run.name}: the activations are stale ({' and '.join(stale)}), they come from another "
            f"checkpoint than the one in the directory. {again(run)}"
        )
    if run.adoption.warning:
        said.append(f"{run.name}: {run.adoption.warning}")
    return said


def open_runs(runs: Sequence[Run], classes: tuple[int, ...] = ()) -> list[Opened]:
    """Activations of some runs, files side by side, with what is wrong said and never raised.

    Args:
        runs: which; classes: rows of those that are read of a split in shards, its first three without them.

    The splits of each are those of `runs.shown_splits`.
    """
    wanted = [
        (run, split, stored_path(run.directory, split))
        for run, splits in zip(runs, shown_splits(runs), strict=True)
        for split in splits
    ]

    def read(path: Path) -> tuple[Activations | ShardedActivations, str] | str:
        try:
            digest = digest_of(path)
            return read_activations(path, digest), digest
        except (ActivationsError, OSError) as error:
            return str(error)

    with ThreadPoolExecutor(max_workers=4) as pool:
        results = list(pool.map(read, [path for _, _, path in wanted]))
    opened = []
    for run in runs:
        splits: dict[str, Activations] = {}
        digests: dict[str, str] = {}
        warnings: list[str] = []
        stale: list[str] = []
        shards: dict[str, ShardedActivations] = {}
        for (owner, split, _), result in zip(wanted, results, strict=True):
            if owner is not run:
                continue
            if isinstance(result, str):
                warnings.append(f"{run.name}, {split}: {result} {again(run)}")
                continue
            stored, digest = result
            if isinstance(stored, ShardedActivations):
                measured = moments_path(run.directory, split)
                digest = f"{digest}|{digest_of(measured) if measured.is_file() else ''}|{classes}"
                try:
                    activations = read_some_classes(digest, classes, stored)
                except (ActivationsError, OSError) as error:
                    warnings.append(f"{run.name}, {split}: {error} {again(run)}")
                    continue
                shards[split] = stored
            else:
                activations = stored
            if run.class_names and activations.class_names != run.class_names:
                other = f"its classes are not those of its {RUN_FILE}."
                warnings.append(f"{run.name}, {split}: {other} {again(run)}")
                continue
            if run.model_sha256 and activations.checkpoint_sha256 not in ("", run.model_sha256):
                stale.append(split)
            splits[split], digests[split] = activations, digest
        warnings += _doubts(run, stale)
        # What a split says depends on the others too where class means stand in for a head.
        key = "|".join([run.name, str(run.adoption.quick_look), *digests.values()])
        # Triples of shards are large and many: they are kept by `read_some_classes` alone.
        splits = ready(run, splits) if shards else _ready(key, run, splits)
        digests = {split: f"{split}|{key}" for split in digests}
        said = [note for note in notes(run, splits) if note not in warnings]
        opened.append(Opened(run, splits, digests, tuple(said), tuple(warnings), shards))
    return opened


@st.cache_resource(max_entries=32, show_spinner=False)
def _ready(key: str, _run: Run, _splits: dict[str, Activations]) -> dict[str, Activations]:
    """`run_activations.ready`, keyed by the run's name and its files."""
    return ready(_run, _splits)


@st.cache_resource(max_entries=32, show_spinner=False)
def _study_run(key: str, _one: Opened) -> StudyRun:
    """A run with what it says whatever triple is chosen; keyed by its files, never by arrays."""
    return StudyRun(_one.run, _one.splits, _one.notes)


@st.cache_resource(max_entries=SHARD_TRIPLES, show_spinner=False)
def _study_run_of_shards(key: str, _one: Opened) -> StudyRun:
    """The same of some classes of splits in shards."""
    return StudyRun(_one.run, _one.splits, _one.notes)


def study_of(opened: Sequence[Opened]) -> Study:
    """What every page asks of the runs it shows; the same runs are measured once for all of them."""
    return Study(tuple((_study_run_of_shards if one.shards else _study_run)(one.key, one) for one in opened))


def key_of(opened: Sequence[Opened]) -> str:
    """What all that is said of some runs is cached by."""
    return "\n".join(one.key for one in opened)


def summaries_of(opened: Opened) -> dict[str, SplitStatistics]:
    """Split -> summary of a run's activations."""
    return study_of([opened]).runs[0].statistics


def most_stored(opened: Sequence[Opened]) -> int:
    """Examples a class stored at most in any split of some runs."""
    stored = [a for one in opened for a in one.stored().values()]
    counts = (a.counts if isinstance(a, ShardedActivations) else np.bincount(a.labels) for a in stored)
    return max((int(count.max(initial=0)) for count in counts), default=0)
