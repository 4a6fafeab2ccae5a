"""The activations of a run as every front end reads them: one name, and something to span planes with."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from penviz import InputError
from penviz.metrics.class_means import with_class_means
from penviz.metrics.collapse.all_classes import AllClasses
from penviz.metrics.target_vectors import Targets
from penviz.store.activations import Activations
from penviz.store.class_lookup import rows_named
from penviz.store.directory_lock import locked
from penviz.store.head import ActivationsError
from penviz.store.npz import DAMAGED, write_npz
from penviz.store.runs import MANIFEST, MAY_BE_SEEN, SPLITS, Run, moments_path, shards_path, stored_path
from penviz.store.shard_files import LOSSY, is_lossy
from penviz.store.shards import ShardedActivations

UNREADABLE: tuple[type[Exception], ...] = (*DAMAGED, *(RecursionError,))
"""What reading damaged numbers over all classes raises: they are measured again."""

FORMAT_VERSION = 1
"""Version of the file of numbers over all classes; one of another version is measured again."""


def ready(run: Run, splits: Mapping[str, Activations]) -> dict[str, Activations]:
    """Activations under the run's own name, and with class means where the network has no head.

    The name is that of the directory and not the one in the file, so that a run can be renamed.
    """
    looked = bool(run.adoption.quick_look)
    return with_class_means(
        {
            s: replace(a, run=run.name, partial=a.partial or looked, seen=run.seen_word(s))
            for s, a in splits.items()
        }
    )


def extract_command(run: Run, split: str = "") -> str:
    """The command that writes the activations of a run that penviz trained; a test split is asked for."""
    more = ["--split", split] if split == "test" else []
    return shlex.join(["penviz", "extract", str(run.directory), *more])


def lacking(run: Run, split: str = "") -> InputError:
    """The error of a run without stored activations, and the way to them.

    Args:
        run: trained or brought from elsewhere; split: the one that is asked for, "" for any.
    """
    how = "bring its file to penviz again" if run.adopted else f"run {extract_command(run, split)} first"
    return InputError(f"{run.directory} has no {f'{split} ' * bool(split)}activations: {how}.")


def load(
    run: Run, splits: Sequence[str] = SPLITS, classes: Sequence[str | int] = ()
) -> dict[str, Activations]:
    """Those of some splits that exist, by split.

    Args:
        run: one; splits: which.
        classes: names or rows of those that are read of a split in shards, its first three without them.

    Raises:
        ActivationsError: files that cannot be read; it names the run.
    """
    found = [s for s in run.splits() if s in splits]
    try:
        return ready(run, {s: read(stored_path(run.directory, s), classes) for s in found})
    except ActivationsError as error:
        raise ActivationsError(f"{run.name}: {error}") from error


def read(path: Path, classes: Sequence[str | int] = ()) -> Activations:
    """Activations of a file (`runs.stored_path`): all of an .npz, or some classes of a split in shards."""
    if path.name != MANIFEST:
        return Activations.load(path)
    return some_classes(ShardedActivations.open(path.parent), classes)


def some_classes(sharded: ShardedActivations, classes: Sequence[str | int] = ()) -> Activations:
    """Some classes of a split in shards, with the numbers over all that were measured on it (`over_all`).

    Args:
        sharded: the split; classes: names or rows, the first three without them. Unknown ones are left out:
            who draws them says so.
    """
    rows = [k for c in classes for k in rows_named(c, sharded.class_names)]
    found = sharded.triple(rows or sharded.held()[:3])
    return replace(found, over_all=read_over_all(sharded))


def read_over_all(sharded: ShardedActivations) -> dict[str, float | None]:
    """Numbers over all classes of a split in shards; empty where they were not measured on these shards."""
    path = moments_path(sharded.directory.parent, sharded.split)
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            meta = json.loads(str(file["meta"]))  # and none of the 60 MB beside it
        if meta["format_version"] != FORMAT_VERSION or meta["manifest"] != sharded.digest:
            return {}
        numbers = {str(key): None if v is None else float(v) for key, v in meta["numbers"].items()}
    except UNREADABLE:
        return {}
    return numbers


def measure_shards(run: Run, split: str, report: Callable[[int, int], None] = lambda done, n: None) -> Path:
    """Measure the numbers over all classes of a split in shards in one pass, and keep them beside it.

    Args:
        run: with shards of the split; report: told the examples done, and n.

    Raises:
        ActivationsError: shards that cannot be read, or features that are not finite.
        RunError: another process writes to the run.
    """
    with locked(run.directory):
        return _measure_shards(run, split, report)


def _measure_shards(run: Run, split: str, report: Callable[[int, int], None]) -> Path:
    """`measure_shards`, its directory held."""
    sharded = ShardedActivations.open(shards_path(run.directory, split))
    found = AllClasses.of(
        sharded.blocks(),
        len(sharded.class_names),
        sharded.width,
        sharded.head,
        lambda done: report(done, sharded.n),
    )
    m = found.moments
    if not np.isfinite(m.trace).all():
        raise ActivationsError(f"The {split} features of {run.name} hold NaN or infinity.")
    meta = {
        "format_version": FORMAT_VERSION,
        "manifest": sharded.digest,
        "numbers": {**found.numbers, "nc1_rank": found.nc1_rank, "n_present": int((m.count > 0).sum())},
    }
    arrays = {f.name: getattr(m, f.name) for f in fields(m)}
    path = moments_path(run.directory, split)
    write_npz(path, {**arrays, "meta": json.dumps(meta)}, compressed=False)
    return path


def unmeasured(run: Run, splits: Mapping[str, Activations]) -> list[str]:
    """Splits of a run that are in shards and whose numbers over all classes were not measured."""
    return [split for split, a in splits.items() if a.over_all is not None and not a.over_all]


def targets_of(run: Run) -> Targets:
    """What a run was asked to say, with the prior that its training measured on its labels."""
    prior = run.config.prior or tuple(run.record.get("prior") or ())
    return Targets(run.config.targets, run.config.label_smoothing, prior)


def classes_held(runs: Sequence[Mapping[str, Activations | ShardedActivations]]) -> list[int]:
    """Rows of the classes that all of some runs can draw: all of them, unless one is a quick look."""
    every = [a for run in runs for a in run.values()]
    held = [set(range(len(a.class_names))) for a in every]
    held += [
        set(a.held() if isinstance(a, ShardedActivations) else a.labels.tolist())
        for a in every
        if isinstance(a, ShardedActivations) or a.partial
    ]
    return sorted(set.intersection(*held)) if held else []


def first_classes(runs: Sequence[Mapping[str, Activations]]) -> tuple[int, int, int]:
    """The first three classes that all of some runs can draw; the first three of all where there are none."""
    held = classes_held(runs)
    return (held[0], held[1], held[2]) if len(held) >= 3 else (0, 1, 2)


def notes(run: Run, splits: Mapping[str, Activations]) -> list[str]:
    """Sentences that must stand wherever the run is drawn: what is not known of it, and what is in doubt.

    Args:
        run: one; splits: its activations (`ready`).
    """
    said = []
    if run.adopted:
        known = "not known" if run.config.label_smoothing is None else "as stated"
        said.append(f"penviz did not train {run.name}; its targets are {known}.")
    if run.adoption.recipe:
        said.append(f"The training of {run.name} also had {', '.join(run.adoption.recipe)}.")
    if run.adoption.warning:
        said.append(f"{run.name}: {run.adoption.warning}")
    if run.adoption.seen:
        said.append(f"{run.name}: {run.adoption.seen}")
    elif any(a.seen == MAY_BE_SEEN for a in splits.values()):
        said.append(
            f"{run.name} may have been trained on its validation images: penviz set them aside from the "
            "training images of this data set."
        )
    copied = run.record.get("thinned")
    if isinstance(copied, dict) and type(few := copied.get("per_class")) is int:
        fewer = copied.get("test_per_class")
        of_test = f", {fewer:,} of test" if type(fewer) is int else ""
        said.append(
            f"{run.name} is a copy with {few:,} examples of each class and split{of_test}; "
            "its numbers are over these."
        )
    one = next(iter(splits.values()), None)
    if one is None:
        return said
    if one.class_means is not None:
        said.append(
            f"{run.name} has no single linear head: its class means on {one.class_means.split} stand in for "
            "templates, lines part the nearest class means, and nothing that needs logits is shown."
        )
    if one.predicted_by != "network":
        said.append(f"The predictions of {run.name} are those of the {one.predicted_by}, not of its network.")
    if one.over_all is not None:
        said += _of_shards(run, splits)
    elif one.partial:
        said.append(f"{run.name} is a quick look at some classes: numbers over all need the full pass.")
    return said


def _of_shards(run: Run, splits: Mapping[str, Activations]) -> list[str]:
    """What must be said of a run whose examples are kept in shards."""
    said = []
    lossy = [s for s in splits if (p := stored_path(run.directory, s)).name == MANIFEST and is_lossy(p)]
    if lossy:
        said.append(f"{run.name} has {LOSSY} ({' and '.join(lossy)}): numbers are those of what is kept.")
    if missing := unmeasured(run, splits):
        said.append(
            f"{run.name} is kept in shards, of which the classes drawn are read: numbers over all classes "
            f"need the full pass ({' and '.join(missing)}): run "
            f"{shlex.join(['penviz', 'measure', str(run.directory)])}."
        )
    else:
        said.append(f"Numbers of {run.name} over all classes are of one pass over its shards.")
    return said
