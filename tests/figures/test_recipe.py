from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import yaml

from penviz import InputError
from penviz.figures.build import Figure, build, open_runs
from penviz.figures.new_figure import new_figure
from penviz.figures.spec import CHARTS_ALONE, FigureSpec, SpecFont, SpecRow, SpecRun
from penviz.figures.spec_files import find_font, find_runs
from penviz.figures.spec_yaml import LARGEST, RecipeError, version_note, versions
from penviz.plot.paper.style import FigureStyle
from penviz.plot.screen import Marks
from penviz.store.runs import activations_path
from tests.small_runs import make_run

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make_run(tmp_path / "runs", "hard")
    make_run(tmp_path / "runs", "soft", 0.1)
    return tmp_path / "runs"


def recipe_of(runs: Path, **choices: Any) -> FigureSpec:
    return figure_of(runs, **choices).spec


def figure_of(runs: Path, *names: str, **choices: Any) -> Figure:
    return new_figure([runs / name for name in names or ("hard", "soft")], {"classes": TRIPLE, **choices})


def again(spec: FigureSpec, runs: Path) -> Figure:
    """The figure of a spec whose runs are found again."""
    return build(spec, open_runs(spec, find_runs(spec, runs)))


# The file.


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


# The runs of a recipe.


def test_runs_are_found_by_path_and_by_name(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    recipe = recipe_of(runs)
    assert [run.path for run in recipe.runs] == ["runs/hard", "runs/soft"]  # below this directory: relative
    assert [run.name for run in find_runs(recipe, Path("."))] == ["hard", "soft"]
    assert [run.name for run in find_runs(recipe, runs)] == ["hard", "soft"]
    assert [run.name for run in find_runs(recipe, runs, follow_paths=False)] == ["hard", "soft"]
    with pytest.raises(RecipeError, match="Run hard of the recipe is missing"):
        find_runs(recipe, runs.parent, follow_paths=False)


@pytest.mark.parametrize("name", ["../runs/hard", "/", "..", "."])
def test_a_name_is_no_path(name: str, runs: Path) -> None:
    recipe = FigureSpec((replace(HARD, name=name),), TRIPLE)
    with pytest.raises(RecipeError, match="missing"):
        find_runs(recipe, runs, follow_paths=False)


def test_a_missing_run_is_named(runs: Path) -> None:
    recipe = recipe_of(runs)
    (runs / "soft").rename(runs / "elsewhere")
    with pytest.raises(RecipeError, match="Run soft of the recipe is missing"):
        find_runs(recipe, Path())


def test_a_changed_checkpoint_is_named(runs: Path) -> None:
    recipe = recipe_of(runs)
    path = runs / "soft" / "run.json"
    before = recipe.runs[1].model_sha256
    path.write_text(path.read_text().replace(before, "2" * 64))
    with pytest.raises(
        RecipeError, match=rf"checkpoint of run soft has changed: .* {before[:12]}.* 222222222222"
    ):
        find_runs(recipe, Path())


@pytest.mark.parametrize("split", ["train", "validation"])
def test_changed_and_missing_activations_are_named(split: str, runs: Path) -> None:
    recipe = recipe_of(runs)
    path = activations_path(runs / "hard", split)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RecipeError, match=f"The {split} activations of run hard have changed"):
        find_runs(recipe, Path())
    path.unlink()
    with pytest.raises(RecipeError, match=f"The {split} activations of run hard are missing"):
        find_runs(recipe, Path())


def test_a_split_that_is_not_drawn_still_sets_the_scale(runs: Path) -> None:
    alone = figure_of(runs, splits=["validation"])
    assert set(alone.spec.runs[0].digests) == {"train", "validation"}
    one, both = alone.triples[0].grid, figure_of(runs).triples[0].grid
    assert [len(row) for row in one] == [1, 1]
    assert one[0][0] is not None
    assert both[0][1] is not None
    assert one[0][0].limits == both[0][1].limits
    assert one[0][0].unit == both[0][1].unit


def test_a_run_is_called_by_its_directory_also_when_it_was_renamed(runs: Path) -> None:
    (runs / "hard").rename(runs / "other")
    make_run(runs, "hard")
    made = figure_of(runs, "hard", "other")
    assert [row[0].run for row in made.triples[0].grid if row[0]] == ["hard", "other"]
    first, second = made.spec.runs
    named = replace(made.spec, runs=(first, replace(second, name="theirs (2)")))
    assert [row[0].run for row in again(named, runs).triples[0].grid if row[0]] == ["hard", "theirs (2)"]


def test_a_class_whose_name_is_not_alone_is_called_by_its_row(tmp_path: Path) -> None:
    run = make_run(tmp_path, "cranes", names=("crane", "heron", "crane", "stork"))
    recipe = new_figure([run], {"classes": ["2", "heron", "3"]}).spec
    assert recipe.classes == (2, "heron", "stork")
    assert FigureSpec.from_yaml(recipe.to_yaml()) == recipe


@pytest.fixture
def font(tmp_path: Path) -> Path:
    """A font that no figure has by itself."""
    path = tmp_path / "own.ttf"
    path.write_bytes((Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSerif.ttf").read_bytes())
    return path


def test_a_missing_or_changed_font_is_named(runs: Path, font: Path) -> None:
    recipe = recipe_of(runs, font=font)
    assert recipe.font is not None
    assert FigureSpec.from_yaml(recipe.to_yaml()) == recipe
    found = find_font(recipe.font, Path())
    assert found == (font, hashlib.sha256(font.read_bytes()).hexdigest())
    figure = again(recipe, runs)
    font.write_bytes(font.read_bytes() + b" ")
    with pytest.raises(RecipeError, match=r"own\.ttf has changed: the recipe has [0-9a-f]{12}, the file"):
        figure.draw("pdf")
    font.unlink()
    with pytest.raises(RecipeError, match=r"font of the recipe is missing: there is no file .*own\.ttf"):
        figure.draw("pdf")


# The same bytes.

AGAIN = """
import sys
from pathlib import Path
from penviz.figures.build import open_recipe
figure = open_recipe(Path(sys.argv[1]), Path(sys.argv[2]))
for format in sys.argv[4:]:
    Path(sys.argv[3] + "." + format).write_bytes(figure.draw(format))
"""


@pytest.mark.parametrize("own_font", [False, True])
def test_a_recipe_makes_the_same_bytes_in_every_process(
    own_font: bool, runs: Path, font: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(runs, font=font if own_font else None)
    path = tmp_path / "r.yaml"
    path.write_text(recipe.to_yaml())
    for seed in ("0", "1234"):
        subprocess.run(
            [sys.executable, "-c", AGAIN, str(path), str(runs), str(tmp_path / seed), "pdf", "svg"],
            check=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            timeout=120,
        )
    for format in ("pdf", "svg"):
        first, second = (Path(f"{tmp_path / seed}.{format}").read_bytes() for seed in ("0", "1234"))
        assert first == second
        other = again(replace(recipe, seed=1, per_class=20), runs)
        assert other.draw(format) != first, "another sample, another figure"
