"""Where a figure is written: its file, its recipe, its bundle; all of it or nothing."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from penviz import InputError
from penviz.figures.build import Figure
from penviz.figures.bundle import zip_bytes
from penviz.figures.draw import FILM_FORMATS, FORMATS, checked_format
from penviz.figures.spec import FigureSpec
from penviz.figures.spec_yaml import RecipeError
from penviz.store.atomic_write import naming, whole_file
from penviz.store.whole_directory import whole_directory

STEM = "figure"
"""Name of the figures in a bundle when there is no file to name them."""


@dataclass(frozen=True)
class Destination:
    """Files to write, checked before anything is drawn.

    Attributes:
        out: the figure; formats: of the figures in the bundle, that of `out` by default; recipe: the recipe;
            bundle: a new directory, or a .zip.

    Raises:
        InputError: a place that cannot be written, or a format that figures are not written in.
    """

    out: Path | None = None
    formats: Sequence[str] = ()
    recipe: Path | None = None
    bundle: Path | None = None

    def __post_init__(self) -> None:
        if self.out is None and self.bundle is None:
            raise InputError("Say where the figure goes: --out figure1.pdf, or --bundle DIRECTORY.")
        if self.out is not None and _ending(self.out) not in FILM_FORMATS:
            raise InputError(
                f"{self.out} does not end in a format that penviz writes: choose {', '.join(FORMATS)}."
            )
        for format in self.formats:
            checked_format(format)
        places = [place for place in (self.out, self.recipe, self.bundle) if place is not None]
        if len({place.absolute() for place in places}) < len(places):
            raise InputError("Two files cannot have one name: choose another for one of them.")
        for place in places:
            if not place.absolute().parent.is_dir():
                raise InputError(f"There is no directory {place.parent}: make it first.")
            if place.is_dir() and place is not self.bundle:
                raise InputError(f"{place} is a directory: give the name of a file in it.")
        if self.recipe is not None and self.recipe.exists():
            try:
                FigureSpec.read(self.recipe)
            except RecipeError:
                raise InputError(f"{self.recipe} is there and is no recipe: choose another name.") from None
        if self.bundle is not None:
            _check_bundle(self.bundle)

    def write(self, figure: Figure, place: Path = Path()) -> list[Path]:
        """Draw a figure and write all that was asked for; nothing where something fails.

        Args:
            place: where the path of a font starts.

        Returns:
            What was written.
        """
        own = [] if self.out is None else [_ending(self.out)]
        files: dict[Path, bytes] = {}
        packed: dict[str, bytes] = {}
        if self.out is not None:
            files[self.out] = figure.draw(own[0], place)
        if self.recipe is not None:
            files[self.recipe] = figure.recipe.encode()
        if self.bundle is not None:
            formats = list(dict.fromkeys(self.formats)) or own or ["pdf"]
            packed = figure.bundle(formats, STEM if self.out is None else self.out.stem, place)
            if _is_zip(self.bundle):
                files[self.bundle] = zip_bytes(packed)
        directory = None if self.bundle in files else self.bundle
        _write(files, directory, packed)
        return [*files, *([directory] if directory is not None else [])]


def _ending(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


def _is_zip(bundle: Path) -> bool:
    """Whether a bundle is one file, a .zip in any case as figures take their endings, and no directory."""
    return bundle.suffix.lower() == ".zip"


def _check_bundle(bundle: Path) -> None:
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


def _write(files: Mapping[Path, bytes], directory: Path | None, packed: Mapping[str, bytes]) -> None:
    """Files, and a directory of files: all under temporary names, then renamed; what fails is taken back."""
    with ExitStack() as parts:
        for path, content in files.items():
            _put(parts.enter_context(whole_file(path)), content, path)
        if directory is not None:
            part = parts.enter_context(whole_directory(directory))
            for name, content in packed.items():
                _put(part / name, content, directory / name)


def _put(part: Path, content: bytes, path: Path) -> None:
    """Write a file that will be called `path`, which an error of the disk names."""
    with naming(path):
        part.write_bytes(content)
