"""The files that a spec stands on: its runs and its font, named by digest and found again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from penviz import InputError
from penviz.figures.spec import FigureSpec, SpecFont, SpecRun
from penviz.figures.spec_yaml import RecipeError
from penviz.store.runs import Run, read_run, sha256_of, stored_path
from penviz.store.snapshots import snapshots_path


def describe_run(
    run: Run, path: str, words: Iterable[str], *, figure: str = "", film: bool = False
) -> SpecRun:
    """A run as a spec names it, the files that its figure reads hashed.

    Args:
        path: of the run, as the user gave it; words: names of the files of a figure of charts, else splits;
            figure: of charts, "" for planes; film: of snapshots, not of activations.

    Raises:
        InputError: the run lacks one of the files.
    """
    digests = {}
    for word in words:
        place = _file_of(run.directory, word, figure, film)
        if not place.is_file():
            raise InputError(f"{run.directory} has no {word}, which the figure {figure} is drawn from.")
        digests[word] = sha256_of(place)
    return SpecRun(run.name, path_word(Path(path)), run.model_sha256, digests)


def find_runs(
    spec: FigureSpec,
    directory: Path,
    *,
    follow_paths: bool = True,
    known: Mapping[str, Path] | None = None,
) -> list[Run]:
    """The runs of a spec, found again and compared with it, under the names that it gives them.

    Args:
        spec: whose runs are wanted.
        directory: what the spec's paths start from; a run is looked for in it by its name too.
        follow_paths: whether paths are used at all; not for a recipe that a stranger sent.
        known: name -> directory of runs that lie elsewhere.

    Raises:
        RecipeError: a run that is missing, or whose checkpoint or files are others; it says which.
    """
    found = []
    for wanted in spec.runs:
        run = _find_run(wanted, directory, follow_paths, known or {})
        for word, digest in wanted.digests.items():
            place = _file_of(run.directory, word, spec.figure, bool(spec.film))
            kind = "snapshots" if spec.film else "activations"
            what, are, have = (word, "is", "has") if spec.figure else (f"The {word} {kind}", "are", "have")
            if not place.is_file():
                raise RecipeError(f"{what} of run {wanted.name} {are} missing from {run.directory}.")
            if sha256_of(place) != digest:
                raise RecipeError(f"{what} of run {wanted.name} {have} changed since the recipe.")
        found.append(replace(run, name=wanted.name))
    return found


def _find_run(wanted: SpecRun, directory: Path, follow_paths: bool, known: Mapping[str, Path]) -> Run:
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


def _file_of(directory: Path, word: str, figure: str, film: bool) -> Path:
    """The file behind a word of a run's digests."""
    if figure:
        return directory / word
    return snapshots_path(directory, word) if film else stored_path(directory, word)


def describe_font(path: Path | None) -> SpecFont | None:
    """A font as a spec names it, None for none; InputError where there is no such file."""
    if path is None:
        return None
    if not path.is_file():
        raise InputError(f"There is no font {path}: give a .ttf or .otf file.")
    return SpecFont(path_word(path), sha256_of(path))


def find_font(font: SpecFont | None, directory: Path) -> tuple[Path, str] | None:
    """File and digest of the font of a spec, None where it has none; `directory` is where its path starts.

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


def path_word(path: Path) -> str:
    """A path as a spec says it: as given, but relative below this directory, to mean the same elsewhere."""
    here = Path.cwd()
    inside = path.is_absolute() and path.is_relative_to(here)
    return (path.relative_to(here) if inside else path).as_posix()
