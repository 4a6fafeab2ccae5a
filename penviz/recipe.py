"""The recipe of a figure: the runs by content hash and every choice that decides it, as a small YAML file."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from penviz import InputError, __version__
from penviz.measure.embedding import KEPT_NUMBERS
from penviz.measure.panel import SCALES
from penviz.measure.views import PLANE, VIEWS
from penviz.runs import SPLITS
from penviz.show.paper_layout import LAYOUTS
from penviz.show.paper_panel import CORNER
from penviz.show.screen import Marks
from penviz.show.venues import venue, width_in

LARGEST = 64 * 1024
"""Bytes of a recipe; a larger file is refused before it is read."""

FORMAT = 1
"""Version of the layout of the file; another one is refused."""

MOST_RUNS, MOST_ROWS, MOST_PER_CLASS = 64, 64, 1_000_000
FEWEST_DPI, MOST_DPI = 50, 1200

Class = str | int
"""A class by name, or by its row in the head where several have the name."""


class RecipeError(InputError):
    """A recipe that cannot be followed; the message is one sentence for the user."""


@dataclass(frozen=True)
class RecipeRun:
    """One run of a recipe.

    Attributes:
        name: its directory's name; path: the directory, as it was given.
        model_sha256: digest of the checkpoint; activations: split -> digest of the file.
    """

    name: str
    path: str
    model_sha256: str
    activations: Mapping[str, str]

    def __post_init__(self) -> None:
        _check(_text(self.name) and _text(self.path), "A run needs a name and a path, both words")
        _check(isinstance(self.model_sha256, str), f"The model_sha256 of run {self.name} is not a digest")
        known = isinstance(self.activations, Mapping) and all(
            split in SPLITS and _text(digest) for split, digest in self.activations.items()
        )
        _check(known and bool(self.activations), f"The activations of run {self.name} are not digests")


@dataclass(frozen=True)
class RecipeRow:
    """One row of a figure with several triples: names of its runs, and the three classes."""

    runs: tuple[str, ...]
    classes: tuple[Class, Class, Class]

    def __post_init__(self) -> None:
        _check(_listed(self.runs) and all(map(_text, self.runs)), "The runs of a row are a list of names")
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
        _check(_text(self.path) and _text(self.sha256), "A font needs a path and a sha256, both words")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a figure; the format of the file is told by its name instead.

    Attributes:
        runs: in the order drawn. classes: left, right, above; empty where `rows` has them.
        rows: for the layout "figure1" with several triples, else empty.
        splits: columns; scale, bias, per_class, seed: as for `build_grid`; marks: what is drawn.
        venue: a venue's name; width: "text", "column" or a length such as "5.5in", None for the text's width.
        layout, letters, corner, dpi: as for `paper_figure`; text: of SVG, "text" or "path".
        font: in place of the faces that ship with matplotlib; bold_best: of numbers.tex.
        view: one of VIEWS; all_classes: whether a view other than the plane is fitted on all classes; the
            seed is UMAP's too.
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
    view: str = PLANE
    all_classes: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(_listed(self.runs) and 0 < len(self.runs) <= MOST_RUNS, f"a recipe has 1 to {MOST_RUNS} runs")
        names = [run.name for run in self.runs]
        _check(len(set(names)) == len(names), "two runs have the same name: rename the directory of one")
        _check(_listed(self.rows) and len(self.rows) <= MOST_ROWS, f"a recipe has at most {MOST_ROWS} rows")
        if self.rows:
            _check(self.layout == "figure1", "rows of several triples need the layout figure1")
            _check(not self.classes, "classes stand in the rows, or once for all runs, not both")
            missing = sorted({name for row in self.rows for name in row.runs} - set(names))
            _check(not missing, f"a row names {', '.join(missing)}, which is not among the runs")
        else:
            _put_classes(self)
        for key, words, allowed in (
            ("splits", "the splits", SPLITS),
            ("corner", "the numbers in the corner", tuple(CORNER)),
        ):
            values = getattr(self, key)
            _check(
                _listed(values) and all(v in allowed for v in values) and len(set(values)) == len(values),
                f"{words} are a list out of {', '.join(allowed)}",
            )
            object.__setattr__(self, key, tuple(values))
        _check(bool(self.splits), "a figure needs at least one split")
        _check(self.scale in SCALES, f"scale is one of {', '.join(SCALES)}")
        _check(self.layout in LAYOUTS, f"layout is one of {', '.join(LAYOUTS)}")
        _check(self.text in ("text", "path"), "the text of an SVG is text or path")
        _check(self.font is None or isinstance(self.font, RecipeFont), "font has a path and a sha256")
        _check(self.view in VIEWS, f"view is one of {', '.join(VIEWS)}")
        if self.view != PLANE and (none := [key for key in self.corner if key not in KEPT_NUMBERS]):
            _check(False, f"the view {self.view} has no {none[0]}: leave it out of the corner")
        for key in ("bias", "letters", "bold_best", "all_classes"):
            _check(isinstance(getattr(self, key), bool), f"{key} is true or false")
        _check(
            isinstance(self.marks, Marks) and all(isinstance(v, bool) for v in asdict(self.marks).values()),
            "every mark is true or false",
        )
        _check(
            _whole(self.per_class, 1, MOST_PER_CLASS),
            f"the examples drawn a class are 1 to {MOST_PER_CLASS:,}",
        )
        _check(_whole(self.seed, 0, 2**31 - 1), "the seed is a whole number, 0 or more")
        _check(_whole(self.dpi, FEWEST_DPI, MOST_DPI), f"the dots per inch are {FEWEST_DPI} to {MOST_DPI}")
        _check(_text(self.venue), "venue is a name")
        venue(self.venue)
        _check(self.width is None or _text(self.width), "width is a length such as 5.5in")
        if self.width not in (None, "text", "column"):
            width_in(str(self.width))
        _check(
            isinstance(self.versions, Mapping)
            and all(_text(name) and _text(number) for name, number in self.versions.items()),
            "versions are words",
        )

    def to_yaml(self) -> str:
        """The file; equal recipes give equal text."""
        record: dict[str, Any] = {"recipe": FORMAT}
        for f in fields(self):
            value = getattr(self, f.name)
            if value is None or (f.name in ("classes", "rows") and not value):
                continue
            if self.view == PLANE and f.name in ("view", "all_classes"):
                continue
            record[f.name] = _plain(value)
        return yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=4096)

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """Inverse of `to_yaml`.

        Raises:
            RecipeError: too large, not YAML, a tag or an alias, an unknown, repeated or missing key, or a
                value of the wrong kind.
        """
        if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
            raise RecipeError(f"A recipe has at most {LARGEST // 1024} KB: this is another file.")
        try:
            record = yaml.load(text, _Loader)
        except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
            at = getattr(error, "problem_mark", None)
            where = f" (line {at.line + 1})" if at is not None else ""
            raise RecipeError(f"This is not a recipe: its YAML cannot be read{where}.") from None
        _check(isinstance(record, dict), "This is not a recipe: it has no keys")
        made = record.pop("recipe", None)
        if made is None:
            raise RecipeError("This is not a recipe of penviz: it lacks the key recipe.")
        if made != FORMAT or isinstance(made, bool):
            raise RecipeError(f"This recipe has another format, this penviz reads {FORMAT}.")
        runs = _records(RecipeRun, record.pop("runs", None), "runs")
        rows = _records(RecipeRow, record.pop("rows", []), "rows")
        marks = _record(Marks, record.pop("marks", {}), "marks")
        record |= {"runs": runs, "rows": rows, "marks": marks}
        if "font" in record:
            record["font"] = _record(RecipeFont, record["font"], "font")
        return _record(cls, record, "the recipe")

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a file; RecipeError as for `from_yaml`, and where there is no such file."""
        try:
            with open(path, "rb") as file:
                return cls.from_yaml(file.read(LARGEST + 1).decode("utf-8"))
        except FileNotFoundError:
            raise RecipeError(f"There is no recipe {path}.") from None
        except IsADirectoryError:
            raise RecipeError(f"{path} is a directory: give the recipe in it.") from None
        except UnicodeDecodeError:
            raise RecipeError(f"{path} is not a recipe: it is not text.") from None

    def version_note(self) -> str:
        """One sentence on versions other than those written, "" where all are the same."""
        now = versions()
        other = [
            f"{name} {then} (here {now.get(name, 'unknown')})"
            for name, then in self.versions.items()
            if now.get(name) != then
        ]
        return f"The recipe was written with {', '.join(other)}: bytes may differ." if other else ""


class _Loader(yaml.SafeLoader):
    """Plain YAML only: an alias or a key given twice is refused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # type: ignore[no-untyped-call,unused-ignore]
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        made = super().construct_mapping(node, deep)
        if len(made) != len(node.value):
            raise yaml.YAMLError("a key given twice")
        return made


def versions() -> dict[str, str]:
    """Versions of what decides the bytes of a figure."""
    found = {"penviz": __version__}
    for name in ("matplotlib", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _check(holds: bool, sentence: str) -> None:
    if not holds:
        raise RecipeError(f"{sentence[0].upper()}{sentence[1:]}.")


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 4096 and value.isprintable()


def _listed(value: object) -> bool:
    return isinstance(value, list | tuple)


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _put_classes(owner: Recipe | RecipeRow) -> None:
    classes = owner.classes
    fits = _listed(classes) and len(classes) == 3 and all(_text(c) or _whole(c, 0, 10**6) for c in classes)
    _check(fits, "classes are three names, or rows of the head")
    object.__setattr__(owner, "classes", tuple(classes))


def _plain(value: Any) -> Any:
    """Lists and dictionaries of what YAML can hold."""
    if isinstance(value, RecipeRun | RecipeRow | RecipeFont | Marks):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def _record(kind: Any, value: object, where: str) -> Any:
    _check(isinstance(value, dict), f"{where} has no keys")
    assert isinstance(value, dict)
    known = {f.name for f in fields(kind)}
    unknown = [key[:40] if _text(key) else "not a word" for key in value if key not in known]
    _check(not unknown, f"Unknown key in {where}: {', '.join(unknown[:5])}")
    try:
        return kind(**value)
    except TypeError:
        raise RecipeError(f"A key is missing from {where}, or has a value of the wrong kind.") from None


def _records(kind: Any, value: object, where: str) -> tuple[Any, ...]:
    _check(_listed(value), f"{where} must be a list")
    assert isinstance(value, list)
    return tuple(_record(kind, item, where) for item in value)
