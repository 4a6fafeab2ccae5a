"""What is said of a run whose activations are not there: a command that a shell takes as it stands."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from small_runs import make_adopted, make_run

from penviz import InputError
from penviz.cli.main import application
from penviz.figures.spec import FigureSpec
from penviz.store.runs import SPLITS, activations_path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    found = tmp_path / "my runs"
    found.mkdir()
    return found


def without_activations(run: Path) -> Path:
    for split in SPLITS:
        activations_path(run, split).unlink(missing_ok=True)
    return run


@pytest.mark.parametrize(
    "command",
    [
        ["measure"],
        ["calibrate"],
        ["figure", "--out", "none.pdf"],
        ["figure", "--figure", "reliability", "--out", "none.pdf"],
    ],
)
def test_the_command_is_quoted(place: Path, command: list[str]) -> None:
    run = without_activations(make_run(place, "hard", 0.0))
    verb, *options = command
    with pytest.raises(InputError, match=r"has no (train or )?(validation )?activations") as caught:
        application()([verb, str(run), *options], standalone_mode=False)
    words = shlex.split(str(caught.value).partition(": run ")[2])
    assert words == ["penviz", "extract", str(run), "first."]


def test_the_test_split_is_asked_for(place: Path) -> None:
    run = make_run(place, "hard", 0.0)
    with pytest.raises(InputError, match=r"has no test activations: .* --split test first"):
        application()(["calibrate", str(run), "--split", "test"], standalone_mode=False)


def test_splits_that_are_there_are_not_denied(place: Path) -> None:
    run, out = make_run(place, "hard", 0.0, splits=("test",)), place / "f.pdf"
    asked = ["figure", str(run), "--out", str(out)]
    others = ["--split", "train", "--split", "validation"]
    with pytest.raises(InputError, match="No run has activations of train or validation"):
        application()([*asked, *others], standalone_mode=False)
    assert not out.exists()
    recipe = place / "r.yaml"
    application()([*asked, "--save-recipe", str(recipe)], standalone_mode=False)
    assert FigureSpec.read(recipe).splits == ("test",)


def test_a_run_from_elsewhere_is_brought_again(place: Path) -> None:
    run = without_activations(make_adopted(place, "theirs"))
    with pytest.raises(InputError, match="bring its file to penviz again"):
        application()(["measure", str(run)], standalone_mode=False)
