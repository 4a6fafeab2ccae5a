"""Figures of charts are made again from their recipes, byte for byte."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from small_runs import make_run, small_activations

from penviz import InputError
from penviz.figures.build import build, open_runs
from penviz.figures.new_figure import new_figure
from penviz.figures.spec import FigureSpec
from penviz.figures.spec_files import find_runs
from penviz.figures.spec_yaml import RecipeError
from penviz.store.runs import activations_path

if TYPE_CHECKING:
    from conftest import Verb


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    return [make_run(tmp_path, "hard"), make_run(tmp_path, "soft", 0.1)]


@pytest.mark.parametrize("ending", ["pdf", "svg", "png", "tex", "html"])
def test_a_recipe_gives_the_same_bytes(pair: list[Path], ending: str, tmp_path: Path, penviz: Verb) -> None:
    out, again, recipe = (tmp_path / name for name in (f"a.{ending}", f"b.{ending}", "r.yaml"))
    words = ("--figure", "reliability", "--seed", 2, "--venue", "icml", "--width", "column")
    assert not penviz("figure", *pair, *words, "--out", out, "--save-recipe", recipe).status
    assert FigureSpec.read(recipe).options == {"split": "validation", "seed": 2, "scaled": True}
    assert not penviz("figure", "--recipe", recipe, "--out", again).status
    assert out.read_bytes() == again.read_bytes()


def test_another_process_writes_the_same_bytes_and_the_bundle_holds_the_series(
    pair: list[Path], tmp_path: Path, penviz: Verb
) -> None:
    bundle = tmp_path / "b.zip"
    options = ("--option", "scores=[logit]", "--bundle", bundle)
    assert not penviz("figure", *pair, "--figure", "risk-coverage", *options).status
    with zipfile.ZipFile(bundle) as file:
        file.extractall(tmp_path / "bundle")
    held = {p.name for p in (tmp_path / "bundle").iterdir()}
    assert {"series.csv", "series.npz", "caption.txt", "recipe.yaml", "figure.pdf"} <= held
    command = [sys.executable, "-m", "penviz", "figure", "--recipe", "bundle/recipe.yaml", "--out", "c.pdf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.pdf").read_bytes() == (tmp_path / "bundle" / "figure.pdf").read_bytes()


def spec_of(pair: list[Path], **choices: Any) -> FigureSpec:
    return new_figure(pair, {"figure": "reliability", **choices}).spec


def test_changed_files_are_named(pair: list[Path], tmp_path: Path) -> None:
    recipe = spec_of(pair)
    small_activations("hard", "validation", seed=5).save(activations_path(pair[0], "validation"))
    with pytest.raises(RecipeError, match=r"activations-validation\.npz of run hard has changed"):
        find_runs(recipe, tmp_path)
    activations_path(pair[0], "validation").unlink()
    with pytest.raises(RecipeError, match=r"activations-validation\.npz of run hard is missing"):
        find_runs(recipe, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--figure", "nothing"], "no figure nothing"),
        (["--figure", "reliability", "--layout", "strip"], "choices of template planes"),
        (["--figure", "reliability", "--show", "means"], "choices of template planes"),
        (["--figure", "reliability", "--option", "seed"], "KEY=VALUE"),
        (["--figure", "reliability", "--option", "a=[b"], "KEY=VALUE"),
        (["--figure", "reliability", "--columns", "99"], "columns are 1 to 8"),
        (["--option", "seed=3"], "name it with --figure"),
        (["--columns", "3"], "name it with --figure"),
    ],
)
def test_bad_requests_are_one_sentence_and_write_nothing(
    pair: list[Path], arguments: list[str], words: str, tmp_path: Path, penviz: Verb
) -> None:
    out = tmp_path / "x.pdf"
    status, _, err = penviz("figure", *pair, *arguments, "--out", out)
    said = err.strip()
    assert status == 2
    assert words in said
    assert "\n" not in said
    assert not out.exists()


def record(pair: list[Path]) -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(spec_of(pair).to_yaml())
    return made


def test_a_recipe_is_read_back_equal(pair: list[Path]) -> None:
    recipe = spec_of(pair, options={"seed": 4}, columns=1, letters=False)
    assert FigureSpec.from_yaml(recipe.to_yaml()) == recipe


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"figure": 3}, "Figure is a name"),
        ({"options": {"a": {"b": 1}}}, "options are names"),
        ({"options": [1]}, "options are names"),
        ({"columns": 0}, "columns are 1 to"),
        ({"dpi": 9}, "dots per inch"),
        ({"venue": "nowhere"}, "Unknown venue"),
        ({"layout": "strip"}, "Unknown key"),
        ({"runs": []}, "1 to 64 runs"),
        ({"runs": [{"name": "a", "path": "a", "model_sha256": "", "files": {"../x": "0"}}]}, "not names"),
        ({"runs": [{"name": "a", "path": "a"}]}, "A key is missing"),
    ],
)
def test_a_recipe_that_does_not_fit_is_one_sentence(
    pair: list[Path], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        FigureSpec.from_yaml(yaml.safe_dump(record(pair) | change))


def test_a_recipe_without_a_digest_is_refused(pair: list[Path]) -> None:
    held = record(pair)
    for run in held["runs"]:
        run["files"] = {}
    recipe = FigureSpec.from_yaml(yaml.safe_dump(held))
    runs = open_runs(recipe, find_runs(recipe, Path()))
    with pytest.raises(RecipeError, match=r"no digest of activations-validation\.npz"):
        build(recipe, runs)
