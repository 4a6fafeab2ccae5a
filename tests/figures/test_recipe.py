"""The file of a recipe: what is written is read again, and what is damaged or hostile is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from penviz import InputError
from penviz.figures.spec import CHARTS_ALONE, FigureSpec, SpecFont, SpecRow, SpecRun
from penviz.figures.spec_yaml import LARGEST, RecipeError, version_note, versions
from penviz.plot.paper.style import FigureStyle
from penviz.plot.screen import Marks

HARD = SpecRun("hard", "runs/hard", "0" * 64, {"train": "ab", "validation": "cd"})
RUN = {"name": "a", "path": "b", "model_sha256": "00", "activations": {"train": "ab"}}
SOFT = SpecRun("soft", "runs/soft", "1" * 64, {"train": "ef"})
TRIPLE = ("airplane", "automobile", "bird")
PLAIN = FigureSpec((HARD, SOFT), TRIPLE)
VIEWED = FigureSpec((HARD, SOFT), TRIPLE, view="pca", corner=())
CHOSEN = FigureSpec(
    (HARD, SOFT),
    ("no", "3", 517),  # words that YAML reads as others, and a row of the head
    splits=("validation",),
    scale="own",
    bias=False,
    per_class=17,
    seed=5,
    marks=Marks(means=False, templates=True, boundaries=False, optimum=False, shading=False, errors=False),
    venue="icml",
    width="column",
    layout="strip",
    letters=False,
    corner=("plane_share", "accuracy"),
    dpi=450,
    text="path",
    font=SpecFont("fonts/a.ttf", "2" * 64),
    bold_best=True,
    film=(1, 5),
    style=FigureStyle(9.5, ("#882255", "#44AA99", "#DDCC77"), ("a: b",), ("no", ""), (), True, "right"),
    versions={"penviz": "0.1.0"},
)
ROWS = FigureSpec(
    (HARD, SOFT),
    rows=(SpecRow(("hard", "soft"), TRIPLE), SpecRow(("soft",), ("Löwe", "a: b", "# c"))),
    layout="figure1",
)


@pytest.mark.parametrize("recipe", [PLAIN, CHOSEN, ROWS], ids=["plain", "chosen", "rows"])
def test_a_recipe_survives_the_file(recipe: FigureSpec) -> None:
    text = recipe.to_yaml()
    assert FigureSpec.from_yaml(text) == recipe
    assert FigureSpec.from_yaml(text).to_yaml() == text


@pytest.mark.parametrize(
    "key", [f for f in FigureSpec.__dataclass_fields__ if f not in ("rows", "runs", *CHARTS_ALONE)]
)
def test_every_choice_is_in_the_file(key: str) -> None:
    plain, chosen = PLAIN, CHOSEN
    if key in ("view", "all_classes"):  # a film has neither, and the plane no fit
        plain = replace(VIEWED, view="lda" if key == "view" else "pca")
        chosen = replace(VIEWED, all_classes=True)
    if key == "over_seeds":
        chosen = replace(PLAIN, over_seeds=True)
    assert getattr(plain, key) != getattr(chosen, key)
    changed = replace(plain, **{key: getattr(chosen, key)})
    assert FigureSpec.from_yaml(changed.to_yaml()) == changed != plain


def test_what_is_left_out_of_a_file_is_as_by_default() -> None:
    record = yaml.safe_load(PLAIN.to_yaml())
    short = {key: record[key] for key in ("recipe", "runs", "classes")}
    assert FigureSpec.from_yaml(yaml.safe_dump(short)) == PLAIN


DAMAGE: dict[str, tuple[str, Any, str]] = {
    "unknown key": ("colour", "red", "Unknown key in the recipe: colour"),
    "unknown mark": ("marks", {"stars": True}, "Unknown key in marks: stars"),
    "mark that is a word": ("marks", {"means": "yes please"}, "Every mark is true or false"),
    "unknown key of a run": ("runs", [{"name": "a", "host": "b"}], "Unknown key in runs: host"),
    "run without hashes": ("runs", [{"name": "a", "path": "b"}], "A key is missing from runs"),
    "run that is a word": ("runs", ["hard"], "Runs has no keys"),
    "no runs": ("runs", [], "1 to 64 runs"),
    "runs that are a word": ("runs", "hard", "Runs must be a list"),
    "two classes": ("classes", ["a", "b"], "Classes are three names"),
    "classes that are a word": ("classes", "abc", "Classes are three names"),
    "class with a line break": ("classes", ["a\nb", "c", "d"], "Classes are three names"),
    "class that is a list": ("classes", [["a"], "c", "d"], "Classes are three names"),
    "unknown scale": ("scale", "log", "Scale is one of"),
    "scale that is a list": ("scale", ["own"], "Scale is one of"),
    "unknown layout": ("layout", "circle", "Layout is one of"),
    "unknown venue": ("venue", "the wall", "Unknown venue"),
    "venue that is a number": ("venue", 5, "Venue is a name"),
    "width that is none": ("width", "wide", "is not a width"),
    "unknown split": ("splits", ["train", "dev"], "The splits are a list out of"),
    "no splits": ("splits", [], "at least one split"),
    "repeated split": ("splits", ["train", "train"], "The splits are a list out of"),
    "unknown corner": ("corner", ["beauty"], "corner are a list out of"),
    "no examples": ("per_class", 0, "examples drawn a class are 1 to"),
    "half an example": ("per_class", 1.5, "examples drawn a class are 1 to"),
    "per_class that is true": ("per_class", True, "examples drawn a class are 1 to"),
    "negative seed": ("seed", -1, "The seed is"),
    "too many dots": ("dpi", 10**9, "50 to 1200"),
    "bias that is a word": ("bias", "yes", "Bias is true or false"),
    "font that is a word": ("font", "Times", "Font has no keys"),
    "font that is none": ("font", None, "Font has no keys"),
    "font without digest": ("font", {"path": "a.ttf"}, "A key is missing from font"),
    "font with a number": ("font", {"path": "a.ttf", "sha256": 5}, "A font needs a path and a sha256"),
    "bold_best that is a word": ("bold_best", "yes", "Bold_best is true or false"),
    "unknown text": ("text", "glyphs", "The text of an SVG"),
    "versions that are numbers": ("versions", {"numpy": 2.3}, "Versions are words"),
    "versions that would write on the terminal": ("versions", {"\x1b[31m": "1"}, "Versions are words"),
    "a key that would": ("\x1b[31m", 1, "Unknown key in the recipe: not a word"),
    "a path that would": ("runs", [{**RUN, "path": "\x1b[31m"}], "The path of run a is no line of text"),
    "a run twice": ("runs", [RUN, {**RUN, "activations": {"train": "x"}}], "have the same name"),
    "a digest that is a number": ("runs", [{**RUN, "activations": {"train": 5}}], "are not digests"),
    "activations of no split": ("runs", [{**RUN, "activations": {"dev": "ab"}}], "are not digests"),
    "no activations": ("runs", [{**RUN, "activations": {}}], "are not digests"),
    "versions that are a list": ("versions", ["numpy"], "Versions are words"),
    "rows beside classes": ("rows", [{"runs": ["hard"], "classes": list(TRIPLE)}], "need the layout figure1"),
    "another format": ("recipe", 2, "another format"),
    "format that is true": ("recipe", True, "another format"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_recipe_is_refused(case: str) -> None:
    key, value, words = DAMAGE[case]
    record = yaml.safe_load(PLAIN.to_yaml()) | {key: value}
    with pytest.raises(InputError, match=words) as refused:
        FigureSpec.from_yaml(yaml.safe_dump(record))
    assert str(refused.value).endswith(".")


def test_a_row_names_runs_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match="names other, which is not among the runs"):
        replace(ROWS, rows=(SpecRow(("other",), TRIPLE),))


HOSTILE = {
    "a call": "recipe: 1\nruns: !!python/object/apply:os.system ['touch {mark}']\n",
    "a module": "!!python/module:os\n",
    "a new object": "recipe: 1\nruns: !!python/object/new:pathlib.Path ['{mark}']\n",
    "a tuple": "recipe: 1\nclasses: !!python/tuple [a, b, c]\n",
    "aliases": "recipe: 1\na: &a [x, x]\nruns: [*a, *a, *a]\n",
    "an alias in a good recipe": PLAIN.to_yaml().replace(
        "versions: {}", "versions: {numpy: &v x, penviz: *v}"
    ),
    "many laughs": "a: &a [x,x]\n" + "".join(f"b{i}: &b{i} [*a,*a]\n" for i in range(30)),
    "a merge": "recipe: 1\nbase: &b {x: 1}\nruns: {<<: *b}\n",
    "a key twice": "recipe: 1\nseed: 1\nseed: 2\n",
    "a depth": "[" * 5000,
    "two documents": "recipe: 1\n---\nrecipe: 1\n",
    "a control character": "recipe: \x00\n",
    "a cut quote": 'recipe: "1\n',
    "nothing": "",
    "a word": "recipe",
    "a list": "- recipe\n",
    "other YAML": "name: workflow\non: push\n",
    "a key that is a list": "? [a]\n: 1\n",
    "a number without end": "recipe: 0x" + "f" * 9000 + "\n",
    "a key without end": f"{PLAIN.to_yaml()}0x{'f' * 9000}: 1\n",
    "digits without end": "recipe: " + "9" * 9000 + "\n",
    "a date out of range": "recipe: 2020-99-99\n",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_yaml_is_refused_and_runs_nothing(case: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(RecipeError) as refused:
        FigureSpec.from_yaml(HOSTILE[case].replace("{mark}", str(mark)))
    assert not mark.exists()
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_file_is_refused_before_it_is_parsed_when_it_is_large(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(PLAIN.to_yaml() + "#" * LARGEST)
    with pytest.raises(RecipeError, match="at most 64 KB"):
        FigureSpec.read(path)
    path.write_text(PLAIN.to_yaml() + "#" * 1000)
    assert FigureSpec.read(path) == PLAIN


@pytest.mark.parametrize(("content", "words"), [(None, "There is no recipe"), (b"\xff\xfe\x00", "not text")])
def test_a_file_that_is_no_recipe(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=words):
        FigureSpec.read(path)
    with pytest.raises(RecipeError, match="is a directory"):
        FigureSpec.read(tmp_path)


def test_other_versions_are_a_note() -> None:
    assert version_note(versions()) == ""
    assert "numpy 1.0 (here " in version_note({**versions(), "numpy": "1.0"})
    assert "scipy 1.0 (here unknown)" in version_note({"scipy": "1.0"})
