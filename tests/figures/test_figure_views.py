"""Other views through the command line: recipes that make the same bytes, bundles that say what they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_runs import make_run

from penviz.figures import umap_points
from penviz.figures.build import open_recipe
from penviz.figures.destination import Destination
from penviz.figures.embeddings import UmapPlan
from penviz.figures.new_figure import new_figure
from penviz.figures.spec import FigureSpec
from penviz.figures.spec_yaml import RecipeError
from penviz.metrics.tightness.finder import HALVED, find
from penviz.projection.split_statistics import SplitStatistics
from penviz.store import run_activations
from penviz.store.runs import read_run


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [make_run(tmp_path, "hard", 0.0), make_run(tmp_path, "soft", 0.1)]


def penviz(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "penviz", *words], capture_output=True, text=True)


@pytest.mark.parametrize("view", ["pca", "lda", "span"])
def test_a_recipe_makes_the_same_bytes_again(runs: list[Path], tmp_path: Path, view: str) -> None:
    first, again = tmp_path / "first.pdf", tmp_path / "again.pdf"
    kept = tmp_path / "kept.yaml"
    made = new_figure(runs, {"view": view, "all_classes": True, "scale": "own"})
    Destination(first, recipe=kept, bundle=tmp_path / "bundle").write(made)
    Destination(again).write(open_recipe(kept, tmp_path))
    assert first.read_bytes() == again.read_bytes()
    recipe = FigureSpec.read(kept)
    assert (recipe.view, recipe.all_classes, recipe.corner) == (view, True, ())
    plane = tmp_path / "plane.pdf"
    Destination(plane).write(new_figure(runs, {"scale": "own"}))
    assert plane.read_bytes() != first.read_bytes()
    words = (tmp_path / "bundle" / "caption.txt").read_text()
    assert "not the projection of Müller" in words
    for absent in ("ρ/d is", "tighter", "dashed", "star"):
        assert absent not in words
    numbers = json.loads((tmp_path / "bundle" / "numbers.json").read_text())
    assert {panel["view"] for panel in numbers["triples"][0]["panels"]} == {view}
    with np.load(tmp_path / "bundle" / "points.npz") as file:
        a = run_activations.load(read_run(runs[0]))["train"]
        where = {int(index): row for row, index in enumerate(a.indices)}
        rows = [where[int(index)] for index in file["panel1_indices"]]
        xy = (a.features[rows].astype(np.float64) - file["panel1_origin"]) @ file["panel1_basis"].T
        np.testing.assert_allclose(xy / file["panel1_unit"], file["panel1_xy"], rtol=1e-4, atol=1e-4)


def test_a_plane_recipe_does_not_speak_of_views(runs: list[Path]) -> None:
    recipe = new_figure(runs, {}).spec
    assert "view" not in recipe.to_yaml()
    assert FigureSpec.from_yaml(recipe.to_yaml()).view == "plane"


def test_bad_choices_are_one_sentence(runs: list[Path]) -> None:
    with pytest.raises(RecipeError, match="View is one of plane, pca, lda, umap, span"):
        new_figure(runs, {"view": "tsne"})
    with pytest.raises(RecipeError, match="The view pca has no rho_d"):
        new_figure(runs, {"view": "pca", "corner": ("rho_d",)})
    assert new_figure(runs, {"view": "pca", "corner": ("accuracy",)}).spec.corner == ("accuracy",)


def test_umap_draws_what_is_kept(runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(umap_points, "COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))
    out = tmp_path / "map.svg"
    said: list[str] = []
    with pytest.raises(umap_points.UmapError, match="ended early"):
        new_figure(runs, {"view": "umap"}, said.append)
    assert "UMAP of hard" in said[0]
    for run in runs:
        request = UmapPlan.of(run_activations.load(read_run(run)), (0, 1, 2), False, 0).request
        rng = np.random.default_rng(0)
        np.savez(
            umap_points.cache_directory() / f"{request.key}.npz",
            fit_xy=rng.normal(size=(len(request.fit), 2)).astype(np.float32),
            more_xy=rng.normal(size=(len(request.more), 2)).astype(np.float32),
        )
    said.clear()
    bundle = tmp_path / "bundle"
    Destination(out, bundle=bundle).write(new_figure(runs, {"view": "umap"}, said.append))
    assert said == []
    assert "Tightness must not be judged" in (bundle / "caption.txt").read_text()
    assert "scale bar" not in out.read_text()
    with np.load(bundle / "points.npz") as file:
        assert "panel1_basis" not in file


def test_find_prints_ten_rows(runs: list[Path]) -> None:
    ended = penviz("measure", *map(str, runs), "--find", "most-changed")
    assert ended.returncode == 0, ended.stderr
    head, note, *lines = ended.stdout.splitlines()
    assert head == "most changed, validation, all 120 triples"
    assert note == HALVED
    assert len(lines) == 10
    loaded = [SplitStatistics.of(run_activations.load(read_run(run))["validation"]) for run in runs]
    ranking = find("most-changed", loaded)
    for line, triple, value in zip(lines, ranking.triples, ranking.values, strict=True):
        assert all(f"({k})" in line for k in triple)
        assert line.endswith(f"{100 * value:+.1f} %")
    record = json.loads(penviz("measure", str(runs[0]), "--find", "most-alike", "--json").stdout)
    assert (record["n"], record["note"]) == (120, "")
    assert len(record["triples"]) == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--find", "nicest"], "Triples are found by most-confused"),
        (["--find", "least-changed"], "between two runs"),
        (["--find", "most-alike", "--split", "test"], "activations of test"),
    ],
)
def test_find_refuses_in_one_sentence(runs: list[Path], words: list[str], said: str) -> None:
    ended = penviz("measure", str(runs[0]), *words)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
