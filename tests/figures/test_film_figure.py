"""`penviz figure --film`: a strip of epochs, its recipe, the animation, and what is refused."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from penviz.figures.new_figure import film_epochs
from penviz.figures.spec import FigureSpec
from penviz.figures.spec_yaml import RecipeError
from penviz.plot.theme import CLASS_COLOURS, rgb
from penviz.store.snapshots import snapshots_path
from tests.small_runs import make_filmed, make_run, small_snapshots
from tests.test_cli import assert_refused

RUNS = ("runs/hard", "runs/soft")
CLASSES = ("--classes", "cat", "dog", "ship")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two filmed runs in it and one that is not."""
    make_filmed(tmp_path / "runs", "hard")
    make_filmed(tmp_path / "runs", "soft", 0.1)
    make_run(tmp_path / "runs", "plain")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_strip_has_a_row_a_run_and_a_column_an_epoch(place: Path, penviz: Any) -> None:
    ended = penviz("figure", *RUNS, *CLASSES, "--film", "1 5,9", "--out", "f.svg", "--bundle", "b")
    assert ended.status == 0
    text = (place / "f.svg").read_text()
    assert [text.count(f"train, epoch {e}<") for e in (1, 5, 9)] == [1, 1, 1]
    with open(place / "b" / "points.csv") as file:
        rows = list(csv.DictReader(file))
    panels = {(row["panel"], row["run"], row["split"]) for row in rows}
    assert panels == {
        (str(3 * r + c + 1), run, f"train, epoch {e}")
        for r, run in enumerate(("hard", "soft"))
        for c, e in enumerate((1, 5, 9))
    }
    numbers = json.loads((place / "b" / "numbers.json").read_text())["triples"][0]["panels"]
    assert [p["epoch"] for p in numbers] == [1, 5, 9, 1, 5, 9]
    caption = (place / "b" / "caption.txt").read_text()
    assert "All epochs stand on the plane through the templates of the last epoch's head" in caption
    assert "train, epoch 5" in caption


def test_the_recipe_makes_the_same_bytes_and_names_the_snapshots(place: Path, penviz: Any) -> None:
    wanted = ("--film", "2 9", "--split", "validation", "--out", "f.png", "--save-recipe", "r.yaml")
    assert penviz("figure", *RUNS, *CLASSES, *wanted).status == 0
    assert penviz("figure", "--recipe", "r.yaml", "--out", "again.png").status == 0
    assert (place / "f.png").read_bytes() == (place / "again.png").read_bytes()
    recipe = FigureSpec.read(place / "r.yaml")
    assert recipe.film == (2, 9)
    other = small_snapshots("hard", "validation", epochs=(1, 2, 6, 9))
    other.save(snapshots_path(place / "runs" / "hard", "validation"))
    ended = penviz("figure", "--recipe", "r.yaml", "--out", "other.png")
    assert_refused(ended, "The validation snapshots of run hard have changed since the recipe.")
    assert not (place / "other.png").exists()


def test_the_animation_shows_every_epoch_in_the_colours_of_the_classes(
    place: Path,
    penviz: Any,
) -> None:
    assert penviz("figure", *RUNS, *CLASSES, "--film", "all", "--out", "f.gif", "--dpi", "100").status == 0
    with Image.open(place / "f.gif") as gif:
        assert gif.n_frames == 4
        assert gif.info["loop"] == 0
        pictures, held = [], []
        for i in range(4):
            gif.seek(i)
            held.append(gif.info["duration"])
            pictures.append(np.asarray(gif.convert("RGB"), int))
    assert held == [500, 500, 500, 2500]
    assert len({p.shape for p in pictures}) == 1
    assert all(np.abs(a - b).max() > 100 for a, b in pairwise(pictures))
    for picture in pictures:
        for colour in CLASS_COLOURS:
            nearest = np.abs(picture - rgb(colour)).max(axis=-1).min()
            assert nearest < 40, "points of two classes must not share a place of the palette"


def test_what_cannot_be_drawn_is_refused_and_leaves_nothing(place: Path, penviz: Any) -> None:
    before = sorted(p.name for p in place.iterdir())
    for arguments, sentence in (
        (("--film", "3", "--out", "f.pdf"), "hard did not keep epoch 3: it has 1, 2, 5, 9."),
        (("--film", "one", "--out", "f.pdf"), "'one' are no epochs: write them as '1 6 19 100', or all."),
        (("--film", "0", "--out", "f.pdf"), "The epochs of a film are at most 64 whole numbers, ascending."),
        (("--out", "f.gif"), "A gif is the animation of a film: name its epochs with --film."),
    ):
        assert_refused(penviz("figure", *RUNS, *CLASSES, *arguments), sentence)
    ended = penviz("figure", "runs/plain", "--film", "1", "--out", "f.pdf")
    assert_refused(ended, "plain has no snapshots: train it with --snapshots.")
    (place / "runs/soft/snapshots-train.npz").write_bytes(b"PK damaged")
    ended = penviz("figure", *RUNS, "--film", "1", "--out", "f.pdf")
    assert_refused(ended, "soft: snapshots-train.npz cannot be read as an .npz of snapshots.")
    assert sorted(p.name for p in place.iterdir()) == before


def test_epochs_as_typed(place: Path) -> None:
    assert film_epochs("9, 1 5", []) == (1, 5, 9)
    assert film_epochs("all", [place / "runs/hard"]) == (1, 2, 5, 9)
    for split in ("train", "validation"):
        small_snapshots("soft", split, 0.1, epochs=(2, 3, 9)).save(snapshots_path(place / "runs/soft", split))
    assert film_epochs("all", [place / run for run in RUNS]) == (2, 9)


def test_a_recipe_with_a_film_is_read_back_and_checked(place: Path, penviz: Any) -> None:
    wanted = ("--film", "2 9", "--out", "f.png", "--save-recipe", "r.yaml")
    assert penviz("figure", *RUNS, *CLASSES, *wanted).status == 0
    text = (place / "r.yaml").read_text()
    assert FigureSpec.from_yaml(text).to_yaml() == text
    for bad in ("- 9\n- 2", "- -1", "- 2\n- 2", "- x"):
        with pytest.raises(RecipeError, match="epochs of a film"):
            FigureSpec.from_yaml(text.replace("- 2\n- 9", bad))
