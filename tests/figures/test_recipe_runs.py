"""A recipe finds its runs and fonts again, names what changed, and makes the same bytes."""

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
from test_recipe import HARD, TRIPLE

from penviz.figures.build import Figure, build, open_runs
from penviz.figures.new_figure import new_figure
from penviz.figures.spec import FigureSpec
from penviz.figures.spec_files import find_font, find_runs
from penviz.figures.spec_yaml import RecipeError
from penviz.store.runs import activations_path
from tests.small_runs import make_run

ROOT = Path(__file__).resolve().parents[2]


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
