"""What `penviz figure` writes: all of it or nothing, every file under a temporary name first."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.figures import chart_figure, figure_runs, plane_figure, snapshot_animation
from penviz.figures.bundle import zip_bytes
from penviz.figures.chart_spec import ChartRecipe, read_recipe
from penviz.figures.plane_spec import Recipe, RecipeError, versions
from penviz.plot.paper import style as figure_style
from penviz.plot.paper.style import FigureStyle
from penviz.plot.screen import Marks
from penviz.projection.chart import Chart
from penviz.store.activations import Activations
from penviz.store.atomic_write import naming
from penviz.store.runs import Run, read_run

STEM = "figure"
"""Name of the figures in a bundle when there is no --out to name them."""


def make(
    runs: Sequence[Path],
    choices: Mapping[str, Any],
    *,
    charts: str | None = None,
    options: Mapping[str, Any] | None = None,
    marks: tuple[Sequence[str], Sequence[str]] = ((), ()),
    corner: Sequence[str] | None = None,
    preset: str | None = None,
    style: Mapping[str, Any] | None = None,
    recipe_path: Path | None = None,
    runs_dir: Path,
    out: Path | None = None,
    formats: Sequence[str] = (),
    save_recipe: Path | None = None,
    bundle: Path | None = None,
    say: Callable[[str], None],
) -> list[Path]:
    """Make a figure of some runs, or of a recipe, and write what was asked for.

    Args:
        runs: directories; choices: fields of a Recipe that were chosen, for `figure.new_recipe`, or of a
            ChartRecipe.
        charts: name of a figure of charts, None for template planes; options: of it.
        marks: names of marks to show and to hide; corner: numbers in the corner, "none" for none.
        preset: its name, to which all other choices are exceptions; style: fields of a FigureStyle.
        recipe_path: a recipe to follow instead; runs_dir: where its paths start.
        out: the figure; formats: of the figures in the bundle; save_recipe: a copy of the recipe; bundle: a
            new directory, or a .zip. say: takes notes for the user.

    Returns:
        What was written.

    Raises:
        InputError: something that cannot be followed or written; then nothing has been written.
    """
    if out is None and bundle is None:
        raise InputError("Say where the figure goes: --out figure1.pdf, or --bundle DIRECTORY.")
    kinds = _formats(out, formats)
    _check_places(out, save_recipe, bundle)
    wanted = Wanted(kinds, _stem(out), out is not None, bundle is not None)
    if recipe_path is not None:
        chosen = [*(["figure"] if charts else []), *(["option"] if options else []), *choices]
        chosen += [*_chosen(marks, corner), *(["preset"] if preset else []), *(style or {})]
        if runs or chosen:
            what = ", ".join([*(["runs"] if runs else []), *chosen]).replace("_", "-")
            raise InputError(f"A recipe decides all of a figure: leave out {what}, or edit the recipe.")
        drawing = _again(recipe_path, runs_dir, wanted, say)
    elif charts is not None:
        _check_charts([*choices, *(["preset"] if preset else []), *(style or {})], marks, corner)
        drawing = _of_charts(*chart_figure.new_recipe(charts, runs, options or {}, **choices), wanted, Path())
    else:
        if options or "columns" in choices:
            raise InputError("Options and columns are those of a figure of charts: name it with --figure.")
        more = (figure_style.preset(preset) if preset else {}) | dict(choices)
        more["marks"] = _marks(*marks, more.get("marks", Marks()))
        more["style"] = replace(more.get("style", FigureStyle()), **(style or {}))
        if corner:
            more["corner"] = () if list(corner) == ["none"] else tuple(corner)
        drawing = _of_planes(*plane_figure.new_recipe(runs, **more), wanted, Path(), say)
    return _written(drawing, out, save_recipe, bundle)


@dataclass(frozen=True)
class Wanted:
    """What is made of a figure.

    Attributes:
        kinds: format of the file, then those of the figures in the bundle; stem: name of these.
        file, bundle: whether each is asked for.
    """

    kinds: Sequence[str]
    stem: str
    file: bool
    bundle: bool


@dataclass(frozen=True)
class Drawing:
    """What a figure comes to: its file, its recipe, and its bundle, each as far as it is wanted."""

    file: bytes | None
    recipe: str
    packed: Mapping[str, bytes]


def _again(path: Path, runs_dir: Path, wanted: Wanted, say: Callable[[str], None]) -> Drawing:
    """The figure of a recipe."""
    recipe = read_recipe(path)
    if note := recipe.version_note():
        say(note)
    if isinstance(recipe, ChartRecipe):
        runs = chart_figure.find_runs(recipe, runs_dir)
        return _of_charts(recipe, runs, chart_figure.build(recipe, runs), wanted, runs_dir)
    runs = figure_runs.find_runs(recipe, runs_dir)
    return _of_planes(recipe, runs, plane_figure.load_splits(recipe, runs), wanted, runs_dir, say)


def _of_planes(
    recipe: Recipe,
    runs: Sequence[Run],
    loaded: Sequence[Mapping[str, Activations]],
    wanted: Wanted,
    place: Path,
    say: Callable[[str], None],
) -> Drawing:
    """A figure of template planes, or of another view; place: where the path of a font starts."""
    for note in figure_runs.stale(runs, loaded):
        say(note)
    grids = plane_figure.build_panels(recipe, runs, loaded, say=say)
    packed: Mapping[str, bytes] = {}
    drawn = plane_figure.draw(recipe, grids, wanted.kinds[0], place) if wanted.file else None
    if wanted.bundle:
        parts = plane_figure.build_parts(recipe, runs, loaded, grids)
        packed = plane_figure.pack(recipe, grids, parts, wanted.kinds[1:], wanted.stem, place, runs)
    return Drawing(drawn, replace(recipe, versions=versions()).to_yaml(), packed)


def _of_charts(
    recipe: ChartRecipe, runs: Sequence[Run], made: Sequence[Chart], wanted: Wanted, place: Path
) -> Drawing:
    """A figure of charts; place: where the path of a font starts."""
    packed: Mapping[str, bytes] = {}
    drawn = chart_figure.draw(recipe, made, wanted.kinds[0], place) if wanted.file else None
    if wanted.bundle:
        packed = chart_figure.pack(recipe, runs, made, wanted.kinds[1:], wanted.stem, place)
    return Drawing(drawn, replace(recipe, versions=versions()).to_yaml(), packed)


def _stem(out: Path | None) -> str:
    return out.stem if out is not None else STEM


def _written(drawing: Drawing, out: Path | None, save_recipe: Path | None, bundle: Path | None) -> list[Path]:
    """Write a figure and all that was asked for with it; what was written."""
    files: dict[Path, bytes] = {}
    if out is not None and drawing.file is not None:
        files[out] = drawing.file
    if save_recipe is not None:
        files[save_recipe] = drawing.recipe.encode()
    if bundle is not None and _is_zip(bundle):
        files[bundle] = zip_bytes(drawing.packed)
    _write(files, None if bundle in files else bundle, drawing.packed)
    return [*files, *([bundle] if bundle is not None and bundle not in files else [])]


def _check_charts(
    choices: Sequence[str], marks: tuple[Sequence[str], Sequence[str]], corner: Sequence[str] | None
) -> None:
    """Charts have none of the choices of template planes."""
    known = {f.name for f in fields(ChartRecipe)}
    others = [key for key in choices if key not in known]
    others += _chosen(marks, corner)
    if others:
        words = ", ".join(others).replace("_", "-")
        raise InputError(f"These are choices of template planes, not of charts: {words}.")


def _chosen(marks: tuple[Sequence[str], Sequence[str]], corner: Sequence[str] | None) -> list[str]:
    """Which of these options of template planes were given, in words."""
    return [*(["show or hide"] if any(marks) else []), *(["corner"] if corner else [])]


def options_of(words: Sequence[str]) -> dict[str, Any]:
    """Options typed as KEY=VALUE; values are read as YAML: 3, true and [a, b] are what they look like.

    Raises:
        InputError: a word that is not of this form.
    """
    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        try:
            found[key.strip().replace("-", "_")] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals or not key.strip():
            raise InputError(f"{word!r} is not an option: write one as KEY=VALUE.")
    return found


def film_epochs(words: str, runs: Sequence[Path]) -> tuple[int, ...]:
    """Epochs as typed, "1 5 20" or "1,5,20"; for "all" those that all runs kept. InputError for others."""
    if words.strip() == "all":
        kept = [
            set(next(iter(snapshot_animation.load(read_run(run)).values())).epochs.tolist()) for run in runs
        ]
        if not kept or not (common := set.intersection(*kept)):
            raise InputError("These runs kept no epoch in common: draw one of them.")
        return tuple(sorted(common))
    found = words.replace(",", " ").split()
    if not found or not all(word.isdecimal() and word.isascii() and len(word) < 8 for word in found):
        raise InputError(f"{words!r} are no epochs: write them as '1 6 19 100', or all.")
    return tuple(sorted({int(word) for word in found}))


def _formats(out: Path | None, formats: Sequence[str]) -> list[str]:
    """Format of --out, then those of the bundle."""
    known = ", ".join(plane_figure.FORMATS)
    own = out.suffix.lower().removeprefix(".") if out is not None else ""
    if out is not None and own not in plane_figure.FILM_FORMATS:
        raise InputError(f"{out} does not end in a format that penviz writes: choose {known}.")
    if unknown := [f for f in formats if f not in plane_figure.FILM_FORMATS]:
        raise InputError(f"A figure is not written as {unknown[0]}: choose {known}.")
    return [own, *(dict.fromkeys(formats) or [own or "pdf"])]


def _check_places(out: Path | None, save_recipe: Path | None, bundle: Path | None) -> None:
    places = [place for place in (out, save_recipe, bundle) if place is not None]
    if len({place.absolute() for place in places}) < len(places):
        raise InputError("Two files cannot have one name: choose another for one of them.")
    for place in places:
        if not place.absolute().parent.is_dir():
            raise InputError(f"There is no directory {place.parent}: make it first.")
        if place.is_dir() and place is not bundle:
            raise InputError(f"{place} is a directory: give the name of a file in it.")
    if save_recipe is not None and save_recipe.exists():
        try:
            read_recipe(save_recipe)
        except RecipeError:
            raise InputError(f"{save_recipe} is there and is no recipe: choose another name.") from None
    if bundle is None:
        return
    if bundle.is_file() and not _is_bundle(bundle):
        raise InputError(f"{bundle} is there and is no bundle: choose another name.")
    if _is_zip(bundle) and bundle.is_dir():
        raise InputError(f"{bundle} is a directory: give another name for the .zip.")
    if not _is_zip(bundle) and bundle.exists() and not (bundle.is_dir() and not any(bundle.iterdir())):
        raise InputError(f"{bundle} is not an empty directory: choose a new one for the bundle.")


def _is_bundle(path: Path) -> bool:
    """Whether a file is the .zip of a figure with its recipe."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "recipe.yaml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def _is_zip(bundle: Path) -> bool:
    """Whether a bundle is one file, a .zip in any case as --out takes its endings, and no directory."""
    return bundle.suffix.lower() == ".zip"


def _marks(show: Sequence[str], hide: Sequence[str], usual: Marks) -> Marks:
    names = [f.name for f in fields(Marks)]
    if "all" in hide:
        usual, hide = replace(usual, **dict.fromkeys(names, False)), [word for word in hide if word != "all"]
    if unknown := [word for word in (*show, *hide) if word not in names]:
        meant = did_you_mean(unknown[0], names)
        raise InputError(f"There is nothing called {unknown[0]} to show{meant}: choose {', '.join(names)}.")
    if both := sorted(set(show) & set(hide)):
        raise InputError(f"To show {both[0]} and to hide it cannot both be: choose one.")
    return replace(usual, **dict.fromkeys(show, True), **dict.fromkeys(hide, False))


def _write(files: Mapping[Path, bytes], directory: Path | None, packed: Mapping[str, bytes]) -> None:
    """Files, and a directory of files: all under temporary names, then renamed; what fails is taken back."""
    made: list[tuple[Path, Path]] = []
    try:
        for path, content in files.items():
            part = path.with_name(f"{path.name}.part-{os.getpid()}")
            made.append((part, path))
            _put(part, content, path)
        if directory is not None:
            part = directory.with_name(f"{directory.name}.part-{os.getpid()}")
            part.mkdir()
            made.append((part, directory))
            for name, content in packed.items():
                _put(part / name, content, directory / name)
        for part, path in made:
            os.replace(part, path)
    finally:
        for part, _ in made:
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)


def _put(part: Path, content: bytes, path: Path) -> None:
    """Write a file that will be called `path`, which an error of the disk names."""
    with naming(path), open(part, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
