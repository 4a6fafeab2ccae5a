"""The manifest: which runs reproduce what, by which recipe, in which order."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from penviz.store.run_config import RunError
from penviz.store.runs import SPLITS

HERE = Path(__file__).resolve().parent
MANIFEST = HERE / "manifest.yaml"
TIERS = ("full", "long", "short", "digits")

KEPT = ("train", "validation")
"""Splits whose activations are extracted unless a recipe says otherwise."""

OPTIONS = (
    *("epochs", "batch_size", "lr", "momentum", "weight_decay", "loss_factor", "clip_norm", "schedule"),
    *("milestones", "crop", "pad", "flip", "precision"),
)
"""Options of `penviz train` and `penviz distill` that a recipe may set."""


class ManifestError(RunError):
    """A manifest that cannot be followed; the message is one sentence for the user."""


@dataclass(frozen=True)
class Recipe:
    """How some of the runs are trained, extracted and measured.

    Attributes:
        name: its key in the manifest; tier: one of TIERS.
        dataset, model: as for `penviz train`; options: of OPTIONS, those that are not the network's own.
        stands_for: the entry of published.yaml that it is set beside, "" for none.
        triples: one or two lists of three class indices; the first is the one of the paper's text.
        splits: whose activations are extracted; the others are only scored.
        per_class: training examples a class that are extracted, 0 for all.
        device, threads, validate_every, compiled: as for `penviz train`; threads 0 for torch's own choice.
        snapshots: epochs, at equal steps of their logarithm, whose features are kept; 0 for none.
        arc: two similar classes and a distant one, whose continuum is measured, None for none.
        erasure: two classes whose mutual information is followed over the training and measured at its end,
            None for neither. No field of a RunConfig: it changes no weight.
    """

    name: str
    tier: str
    dataset: str
    model: str
    triples: tuple[tuple[int, int, int], ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    stands_for: str = ""
    splits: tuple[str, ...] = KEPT
    per_class: int = 1000
    device: str = "auto"
    threads: int = 0
    validate_every: int = 1
    compiled: bool = False
    snapshots: int = 0
    arc: tuple[str, str, str] | None = None
    erasure: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "triples", tuple(tuple(triple) for triple in self.triples))
        _check(self.tier in TIERS, f"recipe {self.name}: the tier is one of {', '.join(TIERS)}")
        unknown = sorted(set(self.options) - set(OPTIONS))
        _check(not unknown, f"recipe {self.name} has unknown options: {', '.join(unknown)}")
        fits = 1 <= len(self.triples) <= 2 and all(len(set(triple)) == 3 for triple in self.triples)
        _check(fits, f"recipe {self.name} needs one or two triples of different classes")
        object.__setattr__(self, "splits", tuple(self.splits))
        _check(
            set(KEPT) <= set(self.splits) <= set(SPLITS),
            f"recipe {self.name}: splits are train, validation and, where it has them, test",
        )
        _check(
            isinstance(self.snapshots, int) and self.snapshots >= 0,
            f"recipe {self.name}: snapshots are a number of epochs",
        )
        if self.arc is not None:
            object.__setattr__(self, "arc", tuple(self.arc))
            _check(len(set(self.arc)) == 3, f"recipe {self.name}: arc has the names of three classes")
        if self.erasure is not None:
            object.__setattr__(self, "erasure", tuple(self.erasure))
            named = [name for name in self.erasure if isinstance(name, str)]
            _check(
                len(named) == len(set(named)) == len(self.erasure) == 2,
                f"recipe {self.name}: erasure has the names of two classes",
            )


@dataclass(frozen=True)
class Listed:
    """One run of the manifest.

    Attributes:
        id: its name, and that of its directory; recipe: how it is made.
        seed, label_smoothing: what runs of one recipe differ in; purposes: figures and tables it is for.
        teacher: of a student, which then has no label smoothing; temperature: that its logits are divided by.
    """

    id: str
    recipe: Recipe
    seed: int
    purposes: tuple[str, ...]
    label_smoothing: float | None = None
    teacher: Listed | None = None
    temperature: float | None = None

    def __post_init__(self) -> None:
        taught, teacher = self.teacher is not None, self.teacher
        _check(
            (self.label_smoothing is None) == taught and (self.temperature is not None) == taught,
            f"run {self.id} needs a label smoothing, or a teacher and a temperature",
        )
        if teacher is not None:
            _check(teacher.teacher is None, f"the teacher of run {self.id} is a student itself")
            for name in ("tier", "dataset"):
                same = getattr(teacher.recipe, name) == getattr(self.recipe, name)
                _check(same, f"the teacher of run {self.id} has another {name}")
            # The history of a student could hold it, but penviz distill has no such option.
            _check(not self.recipe.erasure, f"run {self.id} is a student: its recipe has no erasure")
            _check(not self.recipe.snapshots, f"run {self.id} is a student: its recipe has no snapshots")

    @property
    def options(self) -> dict[str, Any]:
        """All RunConfig fields that the manifest chooses, beside data set, network and teacher."""
        if self.teacher is not None:
            return {"temperature": self.temperature, "seed": self.seed, **self.recipe.options}
        return {"label_smoothing": self.label_smoothing, "seed": self.seed, **self.recipe.options}

    def command(self, out: Path | str) -> str:
        """The command line that trains it alone; that of a student takes its teacher from `out` too."""
        recipe = self.recipe
        if self.teacher is None:
            words = ["penviz", "train", recipe.dataset, recipe.model]
        else:
            words = ["penviz", "distill", str(Path(out) / self.teacher.id), recipe.model]
        for key, value in self.options.items():
            option = f"--{key.replace('_', '-')}"
            if isinstance(value, bool):
                words.append(option if value else f"--no-{key.replace('_', '-')}")
                continue
            for one in value if isinstance(value, list) else [value]:
                short = key in ("label_smoothing", "temperature")
                words += [option, f"{one:g}" if short else str(one)]
        if recipe.erasure:
            words += ["--erasure", *recipe.erasure]
        if recipe.snapshots:
            words += ["--snapshots", str(recipe.snapshots), "--snapshots-spacing", "log"]
        if recipe.compiled:
            words.append("--compile")
        if recipe.threads:
            words += ["--threads", str(recipe.threads)]
        words += ["--validate-every", str(recipe.validate_every), "--device", recipe.device]
        return shlex.join([*words, "--out", str(Path(out) / self.id)])


@dataclass(frozen=True)
class Manifest:
    """All runs, in the order in which they are made."""

    recipes: Mapping[str, Recipe]
    runs: tuple[Listed, ...]

    def of_tier(self, tier: str) -> list[Listed]:
        """The runs of a tier; ManifestError for an unknown one."""
        if tier not in TIERS:
            raise ManifestError(f"There is no tier {tier}: choose {', '.join(TIERS)}.")
        return [run for run in self.runs if run.recipe.tier == tier]

    def reference(self, run: Listed) -> Listed | None:
        """The run on hard targets that a smoothed one is compared with: equal recipe and seed."""
        if not run.label_smoothing:  # on hard targets, or of a teacher
            return None
        for other in self.runs:
            if (other.recipe, other.seed, other.label_smoothing) == (run.recipe, run.seed, 0):
                return other
        return None


def read_manifest(path: Path = MANIFEST) -> Manifest:
    """Read and check a manifest.

    Raises:
        ManifestError: not YAML, unknown or missing keys, an id given twice, values that do not fit.
    """
    try:
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"There is no manifest {path}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ManifestError(f"{path} cannot be read as YAML.") from None
    _check(isinstance(record, dict) and set(record) == {"recipes", "runs"}, f"{path} lists recipes and runs")
    recipes = {}
    for name, values in record["recipes"].items():
        recipes[name] = _made(Recipe, {"name": name, **values}, f"recipe {name}")
    runs: dict[str, Listed] = {}
    for values in record["runs"]:
        values = dict(values)
        name = values.get("id")
        _check(values.get("recipe") in recipes, f"run {name} has no known recipe")
        _check(name not in runs, f"several runs are called {name}")
        values["recipe"] = recipes[values["recipe"]]
        values["purposes"] = tuple(values.pop("for", ()))
        if "teacher" in values:
            values["teacher"] = runs.get(str(values["teacher"]))
            _check(values["teacher"] is not None, f"run {name} has a teacher that is no run above it")
        runs[str(name)] = _made(Listed, values, f"run {name}")
    return Manifest(recipes, tuple(runs.values()))


def _made(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    unknown = sorted(set(values) - {f.name for f in fields(kind)})
    _check(not unknown, f"unknown key in {where}: {', '.join(unknown)}")
    try:
        return kind(**values)
    except TypeError:
        raise ManifestError(f"A key is missing from {where}, or has a value of the wrong kind.") from None


def _check(holds: bool, sentence: str) -> None:
    if not holds:
        raise ManifestError(f"{sentence[0].upper()}{sentence[1:]}.")


def by_recipe(runs: Sequence[Listed]) -> dict[str, list[Listed]]:
    """Runs grouped by the name of their recipe, in their order."""
    groups: dict[str, list[Listed]] = {}
    for run in runs:
        groups.setdefault(run.recipe.name, []).append(run)
    return groups
