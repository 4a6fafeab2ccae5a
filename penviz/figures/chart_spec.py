"""The recipe of a figure of charts: what it is called, its runs by content hash, and every choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penviz.figures.plane_spec import Recipe, RecipeFont, check_common, check_named
from penviz.figures.spec_yaml import (
    check,
    from_yaml,
    is_list,
    is_text,
    is_whole,
    read_text,
    record_of,
    records_of,
    to_yaml,
    version_note,
)
from penviz.store.pilots import PILOT_FILE

MOST_COLUMNS = 8

BESIDE = (f"../{PILOT_FILE}",)
"""What a figure may read beside a run's directory: the results of the test that the run belongs to."""


@dataclass(frozen=True)
class ChartRun:
    """One run of a recipe.

    Attributes:
        name: its directory's name; path: the directory, as it was given.
        model_sha256: digest of the checkpoint; files: name in the directory, or one of BESIDE, -> digest, of
            all that is read.
    """

    name: str
    path: str
    model_sha256: str
    files: Mapping[str, str]

    def __post_init__(self) -> None:
        check_named(self.name, self.path)
        check(isinstance(self.model_sha256, str), f"The model_sha256 of run {self.name} is not a digest")
        known = isinstance(self.files, Mapping) and all(
            is_text(name) and (Path(name).name == name or name in BESIDE) and is_text(digest)
            for name, digest in self.files.items()
        )
        check(known, f"The files of run {self.name} are not names with digests")


@dataclass(frozen=True)
class ChartRecipe:
    """Everything that decides a figure of charts; the format of the file is told by its name instead.

    Attributes:
        figure: a name in `charts.FIGURES`, whose settings `options` are; runs: in the order drawn.
        venue: a venue's name; width: "text", "column" or a length such as "5.5in", None for the text's width.
        columns: charts a row, None to choose; letters, dpi: as for `paper_charts`; text: of SVG, "text" or
            "path"; font: in place of the faces that ship with matplotlib.
        versions: of the packages that decide bytes, when the recipe was written.
    """

    figure: str
    runs: tuple[ChartRun, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    venue: str = "neurips"
    width: str | None = None
    letters: bool = True
    columns: int | None = None
    dpi: int = 300
    text: str = "text"
    font: RecipeFont | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(is_text(self.figure), "figure is a name")
        check_common(self)
        object.__setattr__(self, "runs", tuple(self.runs))
        options = self.options
        check(
            isinstance(options, Mapping) and all(is_text(k) and _simple(v) for k, v in options.items()),
            "the options are names with words, numbers, truth values or lists of them",
        )
        check(
            self.columns is None or is_whole(self.columns, 1, MOST_COLUMNS),
            f"the columns are 1 to {MOST_COLUMNS}",
        )

    def to_yaml(self) -> str:
        """The file; equal recipes give equal text."""
        return to_yaml(self, ("options",))

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> ChartRecipe:
        """From the keys of a file (`recipe_yaml.from_yaml`).

        Raises:
            RecipeError: an unknown or missing key, or a value of the wrong kind.
        """
        record |= {"runs": records_of(ChartRun, record.pop("runs", None), "runs")}
        if "font" in record:
            record["font"] = record_of(RecipeFont, record["font"], "font")
        made: ChartRecipe = record_of(cls, record, "the recipe")
        return made

    def version_note(self) -> str:
        """One sentence on versions other than those written, "" where all are the same."""
        return version_note(self.versions)


def recipe_of(text: str) -> Recipe | ChartRecipe:
    """The recipe of a file's text: of charts where it names a figure, else of template planes.

    Raises:
        RecipeError: as `Recipe.from_yaml`.
    """
    record = from_yaml(text)
    return ChartRecipe.from_record(record) if "figure" in record else Recipe.from_record(record)


def read_recipe(path: Path) -> Recipe | ChartRecipe:
    """Read a file; RecipeError as for `recipe_of`, and where there is no such file."""
    return recipe_of(read_text(path))


def _simple(value: object) -> bool:
    """What an option may be."""
    if is_list(value):
        assert isinstance(value, list | tuple)
        return len(value) <= 1000 and all(_simple(v) and not is_list(v) for v in value)
    return value is None or is_text(value) or isinstance(value, bool | int | float)
