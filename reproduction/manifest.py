"""The manifest: which runs reproduce what, by which recipe, in which order."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from penviz.runs import RunError

HERE = Path(__file__).resolve().parent
MANIFEST = HERE / "manifest.yaml"
TIERS = ("full", "short", "digits")

OPTIONS = (
    *("epochs", "batch_size", "lr", "momentum", "weight_decay", "loss_factor", "clip_norm", "schedule"),
    *("milestones", "crop", "pad", "flip", "precision"),
)
"""Options of `penviz train` that a recipe may set."""


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
        per_class: training examples a class that are extracted, 0 for all.
        device, threads, validate_every: as for `penviz train`; threads 0 for torch's own choice.
    """

    name: str
    tier: str
    dataset: str
    model: str
    triples: tuple[tuple[int, int, int], ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    stands_for: str = ""
    per_class: int = 1000
    device: str = "auto"
    threads: int = 0
    validate_every: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "triples", tuple(tuple(triple) for triple in self.triples))
        _check(self.tier in TIERS, f"recipe {self.name}: the tier is one of {', '.join(TIERS)}")
        unknown = sorted(set(self.options) - set(OPTIONS))
        _check(not unknown, f"recipe {self.name} has unknown options: {', '.join(unknown)}")
        fits = 1 <= len(self.triples) <= 2 and all(len(set(triple)) == 3 for triple in self.triples)
        _check(fits, f"recipe {self.name} needs one or two triples of different classes")


@dataclass(frozen=True)
class Listed:
    """One run of the manifest.

    Attributes:
        id: its name, and that of its directory; recipe: how it is made.
        label_smoothing, seed: what runs of one recipe differ in; purposes: figures and tables it is for.
    """

    id: str
    recipe: Recipe
    label_smoothing: float
    seed: int
    purposes: tuple[str, ...]

    @property
    def options(self) -> dict[str, Any]:
        """All RunConfig fields that the manifest chooses, beside data set and network."""
        return {"label_smoothing": self.label_smoothing, "seed": self.seed, **self.recipe.options}

    def command(self, out: Path | str) -> str:
        """The command line that trains it alone."""
        recipe = self.recipe
        words = ["penviz", "train", recipe.dataset, recipe.model]
        for key, value in self.options.items():
            option = f"--{key.replace('_', '-')}"
            if isinstance(value, bool):
                words.append(option if value else f"--no-{key.replace('_', '-')}")
                continue
            for one in value if isinstance(value, list) else [value]:
                words += [option, f"{one:g}" if key == "label_smoothing" else str(one)]
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
        if run.label_smoothing == 0:
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
    runs = []
    for values in record["runs"]:
        values = dict(values)
        _check(values.get("recipe") in recipes, f"run {values.get('id')} has no known recipe")
        values["recipe"] = recipes[values["recipe"]]
        values["purposes"] = tuple(values.pop("for", ()))
        runs.append(_made(Listed, values, f"run {values.get('id')}"))
    ids = [run.id for run in runs]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    _check(not twice, f"several runs are called {', '.join(twice)}")
    return Manifest(recipes, tuple(runs))


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
