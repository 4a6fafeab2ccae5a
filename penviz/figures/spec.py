"""A figure as a small YAML file: its runs by content hash, and every choice that decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from penviz.figures.spec_yaml import (
    FEWEST_DPI,
    MOST_DPI,
    MOST_RUNS,
    check,
    check_one_of,
    from_yaml,
    is_list,
    is_text,
    is_whole,
    plain,
    read_text,
    record_of,
    records_of,
    to_yaml,
)
from penviz.plot.paper.layout import LAYOUTS
from penviz.plot.paper.style import FigureStyle
from penviz.plot.paper.venues import venue, width_in
from penviz.plot.paper.words import CORNER
from penviz.plot.screen import Marks
from penviz.projection.embedding import KEPT_NUMBERS
from penviz.projection.frame import SCALES
from penviz.projection.views import PLANE, VIEWS
from penviz.store.pilots import PILOT_FILE
from penviz.store.runs import SPLITS

MOST_ROWS, MOST_EPOCHS, MOST_COLUMNS, MOST_PER_CLASS = 64, 64, 8, 1_000_000

BESIDE = (f"../{PILOT_FILE}",)
"""What a chart may read beside a run's directory: the results of the test that the run belongs to."""

CHART_KEYS = (
    "figure", "runs", "options", "venue", "width", "letters", "columns", "dpi", "text", "font", "versions",
)  # fmt: skip
"""Fields of a figure of charts, in the order of the file."""

CHARTS_ALONE = ("figure", "options", "columns")
"""Those that figures of planes do not have."""

OPTIONAL = ("options", "classes", "rows", "film", "over_seeds")
"""Fields that the file leaves out while they are empty."""

Class = str | int
"""A class by name, or by its row in the head where several have the name."""


@dataclass(frozen=True)
class SpecRun:
    """One run of a figure.

    Attributes:
        name: its directory's name; path: the directory, as it was given; model_sha256: of the checkpoint.
        digests: of the files that are read. Of planes, split -> its activations, or in a film its snapshots;
            of charts, name in the directory, or one of BESIDE, -> that file.
    """

    name: str
    path: str
    model_sha256: str
    digests: Mapping[str, str]

    def __post_init__(self) -> None:
        check(is_text(self.name), "A run needs a name")
        check(is_text(self.path), f"The path of run {self.name} is no line of text: rename its directory")
        check(isinstance(self.model_sha256, str), f"The model_sha256 of run {self.name} is not a digest")


@dataclass(frozen=True)
class SpecRow:
    """One row of a figure with several triples: names of its runs, and the three classes."""

    runs: tuple[str, ...]
    classes: tuple[Class, Class, Class]

    def __post_init__(self) -> None:
        check(is_list(self.runs) and all(map(is_text, self.runs)), "The runs of a row are a list of names")
        object.__setattr__(self, "runs", tuple(self.runs))
        _put_classes(self)


@dataclass(frozen=True)
class SpecFont:
    """A font of the user's own: path of the file, as it was given, and its digest."""

    path: str
    sha256: str

    def __post_init__(self) -> None:
        check(is_text(self.path) and is_text(self.sha256), "A font needs a path and a sha256, both words")


@dataclass(frozen=True)
class FigureSpec:
    """Everything that decides a figure; the format of the file is told by its name instead.

    Attributes:
        runs: in the order drawn. classes: left, right, above; empty where `rows` has them.
        figure: of charts, a name in `charts.FIGURES`, whose settings `options` are; "" for planes and films.
        rows: for the layout "figure1" with several triples, else empty.
        splits: columns; scale, bias, per_class, seed: as for `build_grid`; marks: what is drawn.
        venue: a venue's name; width: "text", "column" or a length such as "5.5in", None for the text's width.
        layout, letters, corner, dpi: as for `paper_figure`; columns: charts a row, None to choose; text: of
            SVG, "text" or "path".
        film: epochs, for a film: a column an epoch, from snapshots; empty for the finished networks.
        font: in place of the faces that ship with matplotlib; bold_best: of numbers.tex.
        view: one of VIEWS; all_classes: whether a view other than the plane is fitted on all classes; the
            seed is UMAP's too.
        style: the look of the figure; over_seeds: of runs that differ in the training seed alone the first is
            drawn, and numbers are means over all of them.
        versions: of the packages that decide bytes, when the file was written.
    """

    runs: tuple[SpecRun, ...]
    classes: tuple[Class, ...] = ()
    figure: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[SpecRow, ...] = ()
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
    columns: int | None = None
    corner: tuple[str, ...] = ("rho_d",)
    dpi: int = 300
    text: str = "text"
    font: SpecFont | None = None
    bold_best: bool = False
    film: tuple[int, ...] = ()
    view: str = PLANE
    all_classes: bool = False
    style: FigureStyle = field(default_factory=FigureStyle)
    over_seeds: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_all(self)
        if self.figure:
            _check_charts(self)
        else:
            _check_planes(self)

    @property
    def triples(self) -> list[tuple[list[int], tuple[Class, ...]]]:
        """For each triple of planes, positions of its runs and its classes."""
        names = [run.name for run in self.runs]
        if not self.rows:
            return [(list(range(len(names))), self.classes)]
        return [([names.index(name) for name in row.runs], row.classes) for row in self.rows]

    def to_yaml(self) -> str:
        """The file; equal figures give equal text."""
        left_out = [key for key in OPTIONAL if not getattr(self, key)]
        left_out += ["view", "all_classes"] if self.view == PLANE else []
        left_out += ["style"] if self.style == FigureStyle() else []
        record = {key: plain(getattr(self, key)) for key in keys_of(self.figure) if key not in left_out}
        for run in record["runs"]:
            run[digests_word(self.figure)] = run.pop("digests")
        return to_yaml({key: value for key, value in record.items() if value is not None})

    @classmethod
    def from_yaml(cls, text: str) -> FigureSpec:
        """Inverse of `to_yaml`.

        Raises:
            RecipeError: too large, not YAML, a tag or an alias, an unknown, repeated or missing key, or a
                value of the wrong kind.
        """
        record = from_yaml(text)
        check("figure" not in record or is_text(record["figure"]), "figure is a name")
        figure = record.get("figure", "")
        known = keys_of(figure)
        renamed = {digests_word(figure): "digests"}
        made = {"runs": records_of(SpecRun, record.pop("runs", None), "runs", renamed=renamed)}
        if "rows" in record and "rows" in known:
            made["rows"] = records_of(SpecRow, record.pop("rows"), "rows")
        for key, kind in (("marks", Marks), ("style", FigureStyle), ("font", SpecFont)):
            if key in record and key in known:
                made[key] = record_of(kind, record.pop(key), key)
        spec: FigureSpec = record_of(cls, record | made, "the recipe", known)
        return spec

    @classmethod
    def read(cls, path: Path) -> FigureSpec:
        """Read a file; RecipeError as for `from_yaml`, and where there is no such file."""
        return cls.from_yaml(read_text(path))


def keys_of(figure: str) -> tuple[str, ...]:
    """Fields that a figure of charts has, or with "" one of planes, in the order of the file."""
    return CHART_KEYS if figure else tuple(f.name for f in fields(FigureSpec) if f.name not in CHARTS_ALONE)


def digests_word(figure: str) -> str:
    """What the file calls the digests of a run."""
    return "files" if figure else "activations"


def _check_all(spec: FigureSpec) -> None:
    """What a figure of every kind has: its runs, and how it is printed."""
    check(is_list(spec.runs) and 0 < len(spec.runs) <= MOST_RUNS, f"a recipe has 1 to {MOST_RUNS} runs")
    object.__setattr__(spec, "runs", tuple(spec.runs))
    names = [run.name for run in spec.runs]
    check(len(set(names)) == len(names), "two runs have the same name: rename the directory of one")
    check(isinstance(spec.letters, bool), "letters is true or false")
    check(is_whole(spec.dpi, FEWEST_DPI, MOST_DPI), f"the dots per inch are {FEWEST_DPI} to {MOST_DPI}")
    check(spec.text in ("text", "path"), "the text of an SVG is text or path")
    check(spec.font is None or isinstance(spec.font, SpecFont), "font has a path and a sha256")
    check(is_text(spec.venue), "venue is a name")
    venue(spec.venue)
    check(spec.width is None or is_text(spec.width), "width is a length such as 5.5in")
    if spec.width not in (None, "text", "column"):
        width_in(spec.width)
    versions = spec.versions
    fits = isinstance(versions, Mapping) and all(is_text(k) and is_text(v) for k, v in versions.items())
    check(fits, "versions are words")


def _check_charts(spec: FigureSpec) -> None:
    check(is_text(spec.figure), "figure is a name")
    for run in spec.runs:
        known = isinstance(run.digests, Mapping) and all(
            is_text(name) and (Path(name).name == name or name in BESIDE) and is_text(digest)
            for name, digest in run.digests.items()
        )
        check(known, f"The files of run {run.name} are not names with digests")
    options = spec.options
    fits = isinstance(options, Mapping) and all(is_text(k) and _simple(v) for k, v in options.items())
    check(fits, "the options are names with words, numbers, truth values or lists of them")
    fits = spec.columns is None or is_whole(spec.columns, 1, MOST_COLUMNS)
    check(fits, f"the columns are 1 to {MOST_COLUMNS}")


def _check_planes(spec: FigureSpec) -> None:
    for run in spec.runs:
        known = isinstance(run.digests, Mapping) and all(
            split in SPLITS and is_text(digest) for split, digest in run.digests.items()
        )
        check(known and bool(run.digests), f"The activations of run {run.name} are not digests")
    check(is_list(spec.rows) and len(spec.rows) <= MOST_ROWS, f"a recipe has at most {MOST_ROWS} rows")
    if spec.rows:
        check(spec.layout == "figure1", "rows of several triples need the layout figure1")
        check(not spec.classes, "classes stand in the rows, or once for all runs, not both")
        missing = sorted({name for row in spec.rows for name in row.runs} - {run.name for run in spec.runs})
        check(not missing, f"a row names {', '.join(missing)}, which is not among the runs")
    else:
        _put_classes(spec)
    _put_words(spec, "splits", "the splits", SPLITS)
    _put_words(spec, "corner", "the numbers in the corner", tuple(CORNER))
    check(bool(spec.splits), "a figure needs at least one split")
    fits = (
        is_list(spec.film)
        and len(spec.film) <= MOST_EPOCHS
        and all(is_whole(e, 1, 10**6) for e in spec.film)
        and list(spec.film) == sorted(set(spec.film))
    )
    check(fits, f"the epochs of a film are at most {MOST_EPOCHS} whole numbers, ascending")
    object.__setattr__(spec, "film", tuple(spec.film))
    check_one_of("scale", spec.scale, SCALES)
    check_one_of("layout", spec.layout, LAYOUTS)
    check_one_of("view", spec.view, VIEWS)
    if spec.view != PLANE and (none := [key for key in spec.corner if key not in KEPT_NUMBERS]):
        check(False, f"the view {spec.view} has no {none[0]}: leave it out of the corner")
    for key in ("bias", "bold_best", "all_classes", "over_seeds"):
        check(isinstance(getattr(spec, key), bool), f"{key} is true or false")
    check(not (spec.film and spec.rows), "a film is of one triple")
    check(not spec.film or spec.view == PLANE, "a film is of the template plane")
    check(not (spec.film and spec.over_seeds), "a film is of one seed")
    check(not spec.over_seeds or spec.view == PLANE, "a mean over seeds is of the template plane")
    fits = isinstance(spec.marks, Marks) and all(isinstance(v, bool) for v in asdict(spec.marks).values())
    check(fits, "every mark is true or false")
    check(isinstance(spec.style, FigureStyle), "style has the keys of a style")
    fits = is_whole(spec.per_class, 1, MOST_PER_CLASS)
    check(fits, f"the examples drawn a class are 1 to {MOST_PER_CLASS:,}")
    check(is_whole(spec.seed, 0, 2**31 - 1), "the seed is a whole number, 0 or more")


def _put_words(spec: FigureSpec, key: str, said: str, known: tuple[str, ...]) -> None:
    values = getattr(spec, key)
    fits = is_list(values) and all(v in known for v in values) and len(set(values)) == len(values)
    check(fits, f"{said} are a list out of {', '.join(known)}, each once")
    object.__setattr__(spec, key, tuple(values))


def _put_classes(owner: FigureSpec | SpecRow) -> None:
    classes = owner.classes
    fits = (
        is_list(classes) and len(classes) == 3 and all(is_text(c) or is_whole(c, 0, 10**6) for c in classes)
    )
    check(fits, "classes are three names, or rows of the head")
    object.__setattr__(owner, "classes", tuple(classes))


def _simple(value: object) -> bool:
    """What an option may be."""
    if isinstance(value, list | tuple):
        return len(value) <= 1000 and all(_simple(v) and not is_list(v) for v in value)
    return value is None or is_text(value) or isinstance(value, bool | int | float)
