"""Runs on disk: what came of a training, and the runs in a directory. Standard library only."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penviz.did_you_mean import did_you_mean
from penviz.store.adopted import HELD_OUT_BEFORE, Adoption
from penviz.store.atomic_write import whole_file
from penviz.store.run_config import LARGEST_NUMBER, LARGEST_SIDE, RunConfig, RunError
from penviz.store.safe_text import safe_name, safe_names, safe_record

RUN_FILE = "run.json"

MODEL_FILE = "model.safetensors"

MANIFEST = "manifest.json"
"""In the directory of the shards of a split; written last."""

SPLITS: tuple[str, ...] = ("train", "validation", "test")

MAY_BE_SEEN = "may be seen"
"""Said of a split of an adopted run that its network may have been trained on."""


def activations_path(directory: Path, split: str) -> Path:
    """Where the activations of a split of a run lie."""
    return directory / f"activations-{split}.npz"


def shards_path(directory: Path, split: str) -> Path:
    """Directory of the activations of a split that are kept in shards (penviz/store/shards.py)."""
    return directory / f"activations-{split}"


def stored_path(directory: Path, split: str) -> Path:
    """The file that tells one version of the activations of a split from another, in either form.

    That is the manifest of its shards where there is one, and the .npz otherwise, be it there or not.
    """
    manifest = shards_path(directory, split) / MANIFEST
    return manifest if manifest.is_file() else activations_path(directory, split)


def moments_path(directory: Path, split: str) -> Path:
    """Where the numbers over all classes of a split in shards lie (penviz/store/run_activations.py)."""
    return directory / f"moments-{split}.npz"


def thumbnails_path(directory: Path, split: str) -> Path:
    """Where the sprite of a split of a run lies."""
    return directory / f"thumbnails-{split}.webp"


@dataclass(frozen=True)
class Run:
    """One directory with a run.json, read but not yet trusted to have activations.

    Attributes:
        directory: where it lies.
        name: the directory's name; nothing is read from it.
        config: what was asked for.
        metrics: split -> name -> value, as measured by the training at its end.
        class_names: K names.
        model_sha256: digest of model.safetensors when it was written.
        record: the whole of run.json.
    """

    directory: Path
    name: str
    config: RunConfig
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    model_sha256: str = ""
    record: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def adopted(self) -> bool:
        """Whether penviz did not train it; then only the config fields of `adopted.KNOWN` are known."""
        return "adopted" in self.record

    @property
    def adoption(self) -> Adoption:
        """What is known of an adopted run; empty for any other."""
        return Adoption.from_json(self.record.get("adopted") or {})

    @property
    def seed(self) -> int | None:
        """Of its training, None when unknown."""
        return None if self.adopted else self.config.seed

    def splits(self) -> list[str]:
        """Splits whose activations exist, train first."""
        return [s for s in SPLITS if stored_path(self.directory, s).is_file()]

    @property
    def unseen(self) -> tuple[str, ...]:
        """Splits that it was not trained on, the one to judge it on first.

        Runs that version 0.1 adopted do not say; what it called validation of a built-in data set are
        training images of the network's own.
        """
        if self.adoption.unseen is not None:
            return self.adoption.unseen
        carved = self.adopted and self.config.dataset in HELD_OUT_BEFORE
        return ("test",) if carved else ("validation", "test")

    def judged_on(self) -> str:
        """The stored split on which it is judged: one that it has not seen, where there is one."""
        stored = self.splits() or self.unseen
        return next((s for s in (*self.unseen, "validation", "test") if s in stored), "train")

    def seen_word(self, split: str) -> str:
        """What stands beside the name of a split: "unseen", "may be seen", or "" for nothing."""
        if not self.adopted or split == "train":
            return ""
        if split not in self.unseen:
            return MAY_BE_SEEN
        return "unseen" if split == "test" else ""


@dataclass(frozen=True)
class DamagedRun:
    """A directory that looks like a run and cannot be read: its name and one sentence of advice."""

    name: str
    advice: str


class NotFinite(ValueError):
    """A number that JSON does not have."""


def _finite(word: str) -> float:
    """A number of a JSON file; NotFinite for NaN, infinity, and what is too large to be one."""
    value = float(word)
    if not math.isfinite(value):
        raise NotFinite
    return value


def read_run(directory: Path | str) -> Run:
    """Read run.json of a directory.

    Raises:
        RunError: no such directory, no run.json, not JSON, or a config that does not fit.
    """
    directory = Path(directory)
    path = directory / RUN_FILE
    if not directory.is_dir():
        if directory.exists():
            raise RunError(f"{directory} is not the directory of a run.")
        beside = directory.parent.iterdir() if directory.parent.is_dir() else ()
        meant = did_you_mean(directory.name, (place.name for place in beside if place.is_dir()))
        raise RunError(f"There is no directory {directory}{meant}.")
    try:
        record = safe_record(
            json.loads(path.read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_finite)
        )
    except NotFinite:
        raise RunError(f"{path} holds NaN or infinity: train or copy the run again.") from None
    except FileNotFoundError:
        raise RunError(f"{directory} has no {RUN_FILE}: it is not a run of penviz.") from None
    except (OSError, ValueError, RecursionError):
        raise RunError(f"{path} is not readable JSON: train or copy the run again.") from None
    if not isinstance(record, dict) or not isinstance(record.get("config"), dict):
        raise RunError(f"{path} has no config.")
    try:
        config = RunConfig.from_json(record["config"])
        Adoption.from_json(dict(record.get("adopted") or {}))
        if not (_numbers_fit(record) and _shapes_fit(record)):
            raise TypeError
        return Run(
            directory,
            safe_name(directory.resolve().name),
            config,
            dict(record.get("metrics") or {}),
            safe_names(record.get("class_names") or ()),
            str(record.get("model_sha256") or ""),
            record,
        )
    except RunError as error:
        raise RunError(f"{path}: {error}") from None
    except (TypeError, ValueError):
        raise RunError(f"{path} has entries of the wrong type.") from None


def read_runs(directories: Sequence[Path]) -> list[Run]:
    """The runs of some directories, each once, in the order in which they are first named; as `read_run`."""
    first = {directory.resolve(): directory for directory in reversed(directories)}
    return [read_run(first[place]) for place in dict.fromkeys(d.resolve() for d in directories)]


def shown_splits(runs: Sequence[Run]) -> list[list[str]]:
    """The splits of each run that stand side by side: train, and the one that it is judged on.

    That is one that all of the runs have stored and none has seen, where there is such a one.
    """
    stored = [run.splits() for run in runs]
    common = [
        s
        for s in ("validation", "test")
        if all(s in own and s in run.unseen for run, own in zip(runs, stored, strict=True))
    ]
    return [
        [s for s in SPLITS if s in own and s in ("train", *(common or [run.judged_on()])[:1])]
        for run, own in zip(runs, stored, strict=True)
    ]


def check_split(split: str) -> None:
    """RunError for a word that is none of SPLITS."""
    if split not in SPLITS:
        meant = did_you_mean(split, SPLITS)
        raise RunError(f"There is no split {split}{meant}: choose {', '.join(SPLITS)}.")


def judged_split(runs: Sequence[Run]) -> str:
    """The split on which some runs are judged together: that of `shown_splits`, be it stored or not."""
    shown = [split for split in shown_splits(runs)[0] if split != "train"]
    return shown[0] if shown else next(iter(runs[0].unseen), "validation")


def named_apart(runs: Sequence[Run]) -> list[Run]:
    """The same runs, those that share a name called by their directories as they were given."""
    names = [run.name for run in runs]
    return [
        dataclasses.replace(run, name=safe_name(run.directory)) if names.count(run.name) > 1 else run
        for run in runs
    ]


def _numbers_fit(record: dict[str, Any]) -> bool:
    """Whether history, metrics, prior and duration hold numbers: a run may come from anybody."""
    history, metrics = record.get("history") or [], record.get("metrics") or {}
    prior, seconds = record.get("prior") or [], record.get("seconds") or 0
    if not (isinstance(history, list) and isinstance(metrics, dict) and isinstance(prior, list)):
        return False
    lines = [*history, *metrics.values()]
    if not all(isinstance(line, dict) for line in lines):
        return False
    values = [value for line in lines for value in line.values()] + [*prior, seconds]
    return all(isinstance(value, int | float) and abs(value) < LARGEST_NUMBER for value in values)


def _shapes_fit(record: dict[str, Any]) -> bool:
    """Whether what is said of splits and thumbnails stands by split, and an image has a size that can be."""
    for key in ("splits", "thumbnails"):
        parts = record.get(key) or {}
        if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
            return False
    shape = record.get("image_shape") or [1, 1, 1]
    sides = isinstance(shape, list) and len(shape) == 3 and all(type(side) is int for side in shape)
    return sides and all(1 <= side <= LARGEST_SIDE for side in shape)


def list_runs(root: Path | str) -> tuple[list[Run], list[DamagedRun]]:
    """All runs directly under a directory, by name, and the damaged ones with advice."""
    root = Path(root)
    runs: list[Run] = []
    damaged: list[DamagedRun] = []
    for directory in sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []:
        has_parts = any((directory / f).exists() for f in (RUN_FILE, MODEL_FILE)) or any(
            stored_path(directory, split).exists() for split in SPLITS
        )
        if not has_parts:
            continue
        try:
            runs.append(read_run(directory))
        except RunError as error:
            damaged.append(DamagedRun(safe_name(directory.name), str(error)))
    return runs, damaged


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    with whole_file(path) as part, open(part, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1, allow_nan=False)
        file.write("\n")


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
