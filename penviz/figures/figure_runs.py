"""What a recipe stands on: its runs and its font, found again and compared with what it says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from penviz import InputError
from penviz.figures.plane_spec import Recipe, RecipeError, RecipeFont, RecipeRun
from penviz.store.activations import Activations
from penviz.store.runs import Run, differences, read_run, sha256_of, stored_path
from penviz.store.snapshots import snapshots_path
from penviz.study.over_seeds import Side, checked_sides


class Named(Protocol):
    """What a recipe of any kind says of a run."""

    @property
    def name(self) -> str:
        """Of its directory."""

    @property
    def path(self) -> str:
        """The directory, as it was given."""

    @property
    def model_sha256(self) -> str:
        """Digest of the checkpoint."""


def describe_run(run: Run, path: str, splits: Sequence[str], film: bool = False) -> RecipeRun:
    """A run as a recipe names it, the files of some splits hashed: of activations, or of snapshots.

    The path stays as the user gave it, but is relative where it lies below this directory, so that a recipe
    means the same elsewhere.
    """
    place = snapshots_path if film else stored_path
    digests = {s: sha256_of(place(run.directory, s)) for s in splits}
    return RecipeRun(run.name, path_word(Path(path)), run.model_sha256, digests)


def find_runs(
    recipe: Recipe,
    directory: Path,
    *,
    follow_paths: bool = True,
    known: Mapping[str, Path] | None = None,
) -> list[Run]:
    """The runs of a recipe, found again and compared with it, under the names that it gives them.

    Args:
        recipe: whose runs are wanted.
        directory: what the recipe's paths start from; a run is looked for in it by its name too.
        follow_paths: whether paths are used at all; not for a recipe that a stranger sent.
        known: name -> directory of runs that lie elsewhere.

    Raises:
        RecipeError: a run that is missing, or whose checkpoint or activations are others; it says which.
    """
    film = bool(recipe.film)
    return [_find(wanted, directory, follow_paths, known or {}, film) for wanted in recipe.runs]


def find_place(wanted: Named, directory: Path, follow_paths: bool, known: Mapping[str, Path]) -> Run:
    """The run that a recipe names, under the name of its directory; arguments as `find_runs`.

    Raises:
        RecipeError: there is none, or its checkpoint is another one.
    """
    places = [directory / wanted.path] if follow_paths else []
    places += [known[wanted.name]] if wanted.name in known else []
    if Path(wanted.name).name == wanted.name and wanted.name not in ("", "..", "."):
        places.append(directory / wanted.name)
    place = next((p for p in places if p.is_dir()), None)
    if place is None:
        where = directory / wanted.path if follow_paths else wanted.name
        raise RecipeError(f"Run {wanted.name} of the recipe is missing: there is no directory {where}.")
    run = read_run(place)
    if run.model_sha256 != wanted.model_sha256:
        raise RecipeError(
            f"The checkpoint of run {wanted.name} has changed: the recipe has {wanted.model_sha256[:12]}, "
            f"{place} has {run.model_sha256[:12] or 'none'}."
        )
    return run


def _find(
    wanted: RecipeRun, directory: Path, follow_paths: bool, known: Mapping[str, Path], film: bool
) -> Run:
    run = find_place(wanted, directory, follow_paths, known)
    place = run.directory
    for split, digest in wanted.activations.items():
        path, what = (
            (snapshots_path(place, split), f"{split} snapshots")
            if film
            else (stored_path(place, split), f"{split} activations")
        )
        if not path.is_file():
            raise RecipeError(f"The {what} of run {wanted.name} are missing from {place}.")
        if sha256_of(path) != digest:
            raise RecipeError(f"The {what} of run {wanted.name} have changed since the recipe.")
    return replace(run, name=wanted.name)


def sides_of(runs: Sequence[Run]) -> list[Side]:
    """Runs that differ in the training seed alone, together, in the order in which they come.

    Raises:
        InputError: a side with too few seeds for an interval.
    """
    members: list[list[int]] = []
    for i, run in enumerate(runs):
        same = (own for own in members if set(differences([runs[own[0]], run])) <= {"seed"})
        if (found := next(same, None)) is None:
            members.append([i])
        else:
            found.append(i)
    return checked_sides(
        [
            Side(tuple(own), tuple(runs[i].name for i in own), tuple(runs[i].seed for i in own))
            for own in members
        ]
    )


def font_of(path: Path) -> RecipeFont:
    """A font as a recipe names it; InputError where there is no such file."""
    if not path.is_file():
        raise InputError(f"There is no font {path}: give a .ttf or .otf file.")
    return RecipeFont(path_word(path), sha256_of(path))


def find_font(font: RecipeFont | None, directory: Path) -> tuple[Path, str] | None:
    """File and digest of the font of a recipe, None where it has none; `directory` is where its path starts.

    Raises:
        RecipeError: it is missing, or another one.
    """
    if font is None:
        return None
    path = directory / font.path
    if not path.is_file():
        raise RecipeError(f"The font of the recipe is missing: there is no file {path}.")
    if (digest := sha256_of(path)) != font.sha256:
        raise RecipeError(
            f"The font {path} has changed: the recipe has {font.sha256[:12]}, the file {digest[:12]}."
        )
    return path, digest


def path_word(directory: Path) -> str:
    """A run's path as a recipe says it."""
    here = Path.cwd()
    inside = directory.is_absolute() and directory.is_relative_to(here)
    return (directory.relative_to(here) if inside else directory).as_posix()


def stale(runs: Sequence[Run], loaded: Sequence[Mapping[str, Activations]]) -> list[str]:
    """A sentence for every file of activations that is of another checkpoint than its run."""
    return [
        f"{run.name}: the {split} activations are of another checkpoint; extract it again."
        for run, parts in zip(runs, loaded, strict=True)
        for split, activations in parts.items()
        if run.model_sha256 and activations.checkpoint_sha256 not in ("", run.model_sha256)
    ]
