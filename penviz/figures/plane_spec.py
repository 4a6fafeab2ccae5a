"""The recipe of a figure: the runs by content hash and every choice that decides it, as a small YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from penviz.figures.spec_yaml import (
    FEWEST_DPI,
    LARGEST,
    MOST_DPI,
    MOST_RUNS,
    RecipeError,
    check,
    check_one_of,
    from_yaml,
    is_list,
    is_text,
    is_whole,
    read_text,
    record_of,
    records_of,
    to_yaml,
    version_note,
    versions,
)
from penviz.plot.paper.layout import LAYOUTS
from penviz.plot.paper.style import FigureStyle
from penviz.plot.paper.venues import venue, width_in
from penviz.plot.paper.words import CORNER
from penviz.plot.screen import Marks
from penviz.projection.embedding import KEPT_NUMBERS
from penviz.projection.panel import SCALES
from penviz.projection.views import PLANE, VIEWS
from penviz.store.runs import SPLITS

__all__ = [
    "LARGEST", "Class", "Recipe", "RecipeError", "RecipeFont", "RecipeRow", "RecipeRun", "versions",
]  # fmt: skip

MOST_ROWS, MOST_EPOCHS, MOST_PER_CLASS = 64, 64, 1_000_000

Class = str | int
"""A class by name, or by its row in the head where several have the name."""


def check_named(name: object, path: object) -> None:
    """RecipeError unless a run has a name and a path that a recipe can hold."""
    check(is_text(name), "A run needs a name")
    check(is_text(path), f"The path of run {name} is no line of text: rename its directory")


@dataclass(frozen=True)
class RecipeRun:
    """One run of a recipe.

    Attributes:
        name: its directory's name; path: the directory, as it was given.
        model_sha256: digest of the checkpoint; activations: split -> digest of the file of activations, or
            in a film of the file of snapshots.
    """

    name: str
    path: str
    model_sha256: str
    activations: Mapping[str, str]

    def __post_init__(self) -> None:
        check_named(self.name, self.path)
        check(isinstance(self.model_sha256, str), f"The model_sha256 of run {self.name} is not a digest")
        known = isinstance(self.activations, Mapping) and all(
            split in SPLITS and is_text(digest) for split, digest in self.activations.items()
        )
        check(known and bool(self.activations), f"The activations of run {self.name} are not digests")


@dataclass(frozen=True)
class RecipeRow:
    """One row of a figure with several triples: names of its runs, and the three classes."""

    runs: tuple[str, ...]
    classes: tuple[Class, Class, Class]

    def __post_init__(self) -> None:
        check(is_list(self.runs) and all(map(is_text, self.runs)), "The runs of a row are a list of names")
        object.__setattr__(self, "runs", tuple(self.runs))
        _put_classes(self)


@dataclass(frozen=True)
class RecipeFont:
    """A font of the user's own.

    Attributes:
        path: of the file, as it was given; sha256: digest of the file.
    """

    path: str
    sha256: str

    def __post_init__(self) -> None:
        check(is_text(self.path) and is_text(self.sha256), "A font needs a path and a sha256, both words")


def check_common(recipe: Any) -> None:
    """The choices that a recipe of every kind has: its runs, and how the figure is printed.

    Raises:
        RecipeError: one that does not fit; InputError: an unknown venue, or no width.
    """
    check(is_list(recipe.runs) and 0 < len(recipe.runs) <= MOST_RUNS, f"a recipe has 1 to {MOST_RUNS} runs")
    names = [run.name for run in recipe.runs]
    check(len(set(names)) == len(names), "two runs have the same name: rename the directory of one")
    check(isinstance(recipe.letters, bool), "letters is true or false")
    check(is_whole(recipe.dpi, FEWEST_DPI, MOST_DPI), f"the dots per inch are {FEWEST_DPI} to {MOST_DPI}")
    check(recipe.text in ("text", "path"), "the text of an SVG is text or path")
    check(recipe.font is None or isinstance(recipe.font, RecipeFont), "font has a path and a sha256")
    check(is_text(recipe.venue), "venue is a name")
    venue(recipe.venue)
    check(recipe.width is None or is_text(recipe.width), "width is a length such as 5.5in")
    if recipe.width not in (None, "text", "column"):
        width_in(recipe.width)
    check(
        isinstance(recipe.versions, Mapping)
        and all(is_text(name) and is_text(number) for name, number in recipe.versions.items()),
        "versions are words",
    )


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a figure; the format of the file is told by its name instead.

    Attributes:
        runs: in the order drawn. classes: left, right, above; empty where `rows` has them.
        rows: for the layout "figure1" with several triples, else empty.
        splits: columns; scale, bias, per_class, seed: as for `build_grid`; marks: what is drawn.
        venue: a venue's name; width: "text", "column" or a length such as "5.5in", None for the text's width.
        layout, letters, corner, dpi: as for `paper_figure`; text: of SVG, "text" or "path".
        film: epochs, for a film: a column an epoch, from snapshots; empty for the finished networks.
        font: in place of the faces that ship with matplotlib; bold_best: of numbers.tex.
        view: one of VIEWS; all_classes: whether a view other than the plane is fitted on all classes; the
            seed is UMAP's too.
        style: the look of the figure; over_seeds: of runs that differ in the training seed alone the first is
            drawn, and numbers are means over all of them.
        versions: of the packages that decide bytes, when the recipe was written.
    """

    runs: tuple[RecipeRun, ...]
    classes: tuple[Class, ...] = ()
    rows: tuple[RecipeRow, ...] = ()
    splits: tuple[str, ...] = ("train", "validation")
    scale: str = "distance"
    bias: bool = True
    per_class: int = 250
    seed: int = 0
    marks: Marks = field(default_factory=Marks)
    venue: str = "neurips"
    width: str | None = None
    layout: str = "grid"
    letters: bool = True
    corner: tuple[str, ...] = ("rho_d",)
    dpi: int = 300
    text: str = "text"
    font: RecipeFont | None = None
    bold_best: bool = False
    film: tuple[int, ...] = ()
    view: str = PLANE
    all_classes: bool = False
    style: FigureStyle = field(default_factory=FigureStyle)
    over_seeds: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_common(self)
        names = [run.name for run in self.runs]
        check(is_list(self.rows) and len(self.rows) <= MOST_ROWS, f"a recipe has at most {MOST_ROWS} rows")
        if self.rows:
            check(self.layout == "figure1", "rows of several triples need the layout figure1")
            check(not self.classes, "classes stand in the rows, or once for all runs, not both")
            missing = sorted({name for row in self.rows for name in row.runs} - set(names))
            check(not missing, f"a row names {', '.join(missing)}, which is not among the runs")
        else:
            _put_classes(self)
        for key, words, allowed in (
            ("splits", "the splits", SPLITS),
            ("corner", "the numbers in the corner", tuple(CORNER)),
        ):
            values = getattr(self, key)
            check(
                is_list(values) and all(v in allowed for v in values) and len(set(values)) == len(values),
                f"{words} are a list out of {', '.join(allowed)}, each once",
            )
            object.__setattr__(self, key, tuple(values))
        check(bool(self.splits), "a figure needs at least one split")
        check(
            is_list(self.film)
            and len(self.film) <= MOST_EPOCHS
            and all(is_whole(e, 1, 10**6) for e in self.film)
            and list(self.film) == sorted(set(self.film)),
            f"the epochs of a film are at most {MOST_EPOCHS} whole numbers, ascending",
        )
        object.__setattr__(self, "film", tuple(self.film))
        check(not (self.film and self.rows), "a film is of one triple")
        check_one_of("scale", self.scale, SCALES)
        check_one_of("layout", self.layout, LAYOUTS)
        check_one_of("view", self.view, VIEWS)
        check(self.view == PLANE or not self.film, "a film is of the template plane")
        if self.view != PLANE and (none := [key for key in self.corner if key not in KEPT_NUMBERS]):
            check(False, f"the view {self.view} has no {none[0]}: leave it out of the corner")
        for key in ("bias", "bold_best", "all_classes", "over_seeds"):
            check(isinstance(getattr(self, key), bool), f"{key} is true or false")
        check(
            isinstance(self.marks, Marks) and all(isinstance(v, bool) for v in asdict(self.marks).values()),
            "every mark is true or false",
        )
        check(isinstance(self.style, FigureStyle), "style has the keys of a style")
        check(not (self.over_seeds and self.film), "a film is of one seed")
        check(not self.over_seeds or self.view == PLANE, "a mean over seeds is of the template plane")
        check(
            is_whole(self.per_class, 1, MOST_PER_CLASS),
            f"the examples drawn a class are 1 to {MOST_PER_CLASS:,}",
        )
        check(is_whole(self.seed, 0, 2**31 - 1), "the seed is a whole number, 0 or more")

    def to_yaml(self) -> str:
        """The file; equal recipes give equal text."""
        plane_only = ("view", "all_classes") if self.view == PLANE else ()
        usual = ("style",) if self.style == FigureStyle() else ()
        return to_yaml(self, ("classes", "rows", "film", "over_seeds"), (*plane_only, *usual))

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """Inverse of `to_yaml`.

        Raises:
            RecipeError: too large, not YAML, a tag or an alias, an unknown, repeated or missing key, or a
                value of the wrong kind.
        """
        record = from_yaml(text)
        if "figure" in record:
            raise RecipeError(
                "This is the recipe of a figure of charts: make it with penviz figure --recipe."
            )
        return cls.from_record(record)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Recipe:
        """From the keys of a file (`recipe_yaml.from_yaml`); RecipeError as for `from_yaml`."""
        runs = records_of(RecipeRun, record.pop("runs", None), "runs")
        rows = records_of(RecipeRow, record.pop("rows", []), "rows")
        marks = record_of(Marks, record.pop("marks", {}), "marks")
        style = record_of(FigureStyle, record.pop("style", {}), "style")
        record |= {"runs": runs, "rows": rows, "marks": marks, "style": style}
        if "font" in record:
            record["font"] = record_of(RecipeFont, record["font"], "font")
        made: Recipe = record_of(cls, record, "the recipe")
        return made

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a file; RecipeError as for `from_yaml`, and where there is no such file."""
        return cls.from_yaml(read_text(path))

    def version_note(self) -> str:
        """One sentence on versions other than those written, "" where all are the same."""
        return version_note(self.versions)


def _put_classes(owner: Recipe | RecipeRow) -> None:
    classes = owner.classes
    fits = (
        is_list(classes) and len(classes) == 3 and all(is_text(c) or is_whole(c, 0, 10**6) for c in classes)
    )
    check(fits, "classes are three names, or rows of the head")
    object.__setattr__(owner, "classes", tuple(classes))
