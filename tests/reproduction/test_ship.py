"""Small copies of runs, as they are shipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from page_client import checked, html
from PIL import Image
from small_runs import make_filmed, make_run
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from penviz.demo import EXAMPLE
from penviz.store.activations import Activations
from penviz.store.run_activations import notes
from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, activations_path, read_run, thumbnails_path
from penviz.store.snapshots import Snapshots, snapshots_path
from penviz.training.checkpoints import read_tensors
from penviz.training.extract import first_of_each_class
from reproduction.__main__ import app
from reproduction.figures import find_run
from reproduction.manifest import read_manifest
from reproduction.ship import Kept, ship

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


def complete(place: Path, name: str = "hard", alpha: float = 0.0) -> Path:
    """A small filmed run with weights and thumbnails."""
    directory = make_filmed(place, name, alpha, thumbnails=True)
    (directory / MODEL_FILE).write_bytes(b"weights")
    return directory


def test_a_copy_keeps_all_examples_the_weights_and_some_snapshots(tmp_path: Path) -> None:
    before = read_run(complete(tmp_path / "whole"))
    kept = Kept(per_class=0, snapshots=2, epochs=3, thumbnails=True, weights=True)
    (place,) = ship([before], tmp_path / "small", kept)
    after = read_run(place)
    assert (place / MODEL_FILE).read_bytes() == b"weights"
    snapshots = {"per_class": 2, "epochs": 3, "of": 4}
    assert after.record["thinned"] == {"per_class": "all", "features": "float16", "snapshots": snapshots}
    assert after.record["thumbnails"] == before.record["thumbnails"]
    for split in before.splits():
        pictures = [thumbnails_path(run.directory, split).read_bytes() for run in (before, after)]
        assert pictures[0] == pictures[1]
        old, new = (Activations.load(activations_path(run.directory, split)) for run in (before, after))
        np.testing.assert_array_equal(new.indices, old.indices)
        np.testing.assert_array_equal(new.features, old.features.astype(np.float16))
        film, thinned = (Snapshots.load(snapshots_path(run.directory, split)) for run in (before, after))
        rows = first_of_each_class(film.labels, 2)
        assert thinned.epochs.tolist() == [film.epochs[0], film.epochs[2], film.epochs[3]]
        assert thinned.planned == tuple(thinned.epochs.tolist())
        np.testing.assert_array_equal(thinned.features, film.features[[0, 2, 3]][:, rows])
        np.testing.assert_array_equal(thinned.weight, film.weight[[0, 2, 3]])
        np.testing.assert_array_equal(thinned.predictions, film.predictions[[0, 2, 3]][:, rows])


def test_the_test_split_can_have_fewer_examples_and_the_notes_say_so(tmp_path: Path) -> None:
    whole = read_run(make_run(tmp_path, "run", splits=("train", "validation", "test")))
    (place,) = ship([whole], tmp_path / "small", Kept(per_class=6, test=2))
    found = {split: Activations.load(activations_path(place, split)) for split in whole.splits()}
    assert {split: np.bincount(a.labels).tolist() for split, a in found.items()} == {
        "train": [6] * 10,
        "validation": [6] * 10,
        "test": [2] * 10,
    }
    said = "run is a copy with 6 examples of each class and split, 2 of test; its numbers are over these."
    assert said in notes(read_run(place), found)


def test_a_copy_of_a_copy_says_what_is_left_of_the_whole_run(tmp_path: Path) -> None:
    whole = read_run(complete(tmp_path / "whole"))
    (place,) = ship([whole], tmp_path / "half", Kept(per_class=3, snapshots=2, epochs=3))
    (place,) = ship([read_run(place)], tmp_path / "less", Kept(per_class=0, snapshots=1, epochs=2))
    thinned = read_run(place).record["thinned"]
    assert thinned["per_class"] == 3
    assert thinned["snapshots"] == {"per_class": 1, "epochs": 2, "of": 4}


def test_fewer_examples_are_the_first_of_each_class_with_their_own_pictures(tmp_path: Path) -> None:
    before = read_run(complete(tmp_path / "whole"))
    (place,) = ship(
        [before], tmp_path / "small", Kept(per_class=3, splits=("train", "validation"), thumbnails=True)
    )
    after = read_run(place)
    assert not (place / MODEL_FILE).exists()
    assert after.record["thinned"] == {
        "per_class": 3,
        "features": "float16",
        "weights": "not shipped; see model_sha256",
    }
    whole, few = (Activations.load(activations_path(run.directory, "train")) for run in (before, after))
    assert np.bincount(few.labels).tolist() == [3] * len(few.class_names)
    for k in range(len(few.class_names)):
        assert few.indices[few.labels == k].tolist() == whole.indices[whole.labels == k][:3].tolist()
    np.testing.assert_array_equal(few.class_totals(), whole.class_totals())  # of how many they were taken
    layout = after.record["thumbnails"]["train"]
    assert layout["count"] == len(few)
    side = layout["side"]
    with (
        Image.open(thumbnails_path(place, "train")) as small,
        Image.open(thumbnails_path(before.directory, "train")) as big,
    ):
        columns = before.record["thumbnails"]["train"]["columns"]
        row = whole.indices.tolist().index(few.indices[-1])
        x, y = row % columns * side, row // columns * side
        own = np.asarray(big.convert("RGB").crop((x, y, x + side, y + side)), float)
        last = len(few) - 1
        x, y = last % layout["columns"] * side, last // layout["columns"] * side
        assert (
            np.abs(np.asarray(small.convert("RGB").crop((x, y, x + side, y + side)), float) - own).mean() < 12
        )


def test_what_is_not_whole_is_not_shipped(tmp_path: Path) -> None:
    run = read_run(complete(tmp_path))
    with pytest.raises(RunError, match="not finished or not extracted"):
        ship([run], tmp_path / "small", Kept(splits=("train", "test")))
    with pytest.raises(RunError, match="is the run itself"):
        ship([run], tmp_path, Kept())


def test_a_copy_of_fewer_examples_is_not_measured_as_the_run(tmp_path: Path) -> None:
    (listed,) = (run for run in read_manifest().runs if run.id == "digits-fc800-hard")
    run = read_run(complete(tmp_path / "whole", listed.id))
    ship([run], tmp_path / "few", Kept(per_class=3))
    ship([run], tmp_path / "all", Kept(per_class=0))
    assert find_run(listed, [tmp_path / "few"], run.model_sha256) is None
    for place in ("whole", "all"):
        found = find_run(listed, [tmp_path / "few", tmp_path / place], run.model_sha256)
        assert found is not None
        assert found.directory == tmp_path / place / listed.id


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("clusters", "6 drawn of 6 stored of 30 a class"),
        ("training_dynamics", "the same 15 examples of three classes"),
        ("calibration", "30 to fit on and 30 to report on"),
        ("distillation", "All stored examples."),
    ],
)
def test_pages_open_on_a_copy_and_say_over_which_examples_their_numbers_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str, says: str
) -> None:
    runs = [
        read_run(complete(tmp_path / "whole", name, alpha)) for name, alpha in (("hard", 0), ("soft", 0.1))
    ]
    ship(runs, tmp_path / "small", Kept(per_class=6, snapshots=5, thumbnails=True))
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path / "small"))
    lines = (
        "import streamlit as st",
        "from penviz.app.page.clusters import show_clusters",
        f"from penviz.app.page.{page} import show_{page.split('_')[0]} as show",
        "st.navigation([st.Page(show_clusters, default=True)], position='hidden')",
        "show()",
    )
    shown = html(checked(AppTest.from_string("\n".join(lines), default_timeout=60).run()))
    assert says in shown
    for name in ("hard", "soft"):
        every = f"{name} is a copy with 6 examples of each class and split"
        assert (every in shown) == (page != "training_dynamics")  # that page is of the snapshots alone


@pytest.mark.parametrize("thinned", [{"per_class": "all"}, {"per_class": True}, [], "few", None])
def test_what_is_no_number_of_examples_is_said_of_no_run(thinned: object) -> None:
    run = read_run(CHECKPOINTS / "cifar10-alexnet-hard")
    assert not notes(replace(run, record=run.record | {"thinned": thinned}), {})


def test_the_command(tmp_path: Path) -> None:
    complete(tmp_path / "runs")
    words = ["ship", "hard", "--out", tmp_path / "runs", "--to", tmp_path / "small", "--per-class", "2"]
    ended = CliRunner().invoke(app, [str(word) for word in words])
    assert ended.exit_code == 0, ended.output
    assert read_run(tmp_path / "small" / "hard").record["thinned"]["per_class"] == 2


def test_the_example_holds_the_weights_and_the_accuracy_of_a_shipped_run() -> None:
    run = read_run(CHECKPOINTS / EXAMPLE.stem)
    stored = torch.load(EXAMPLE, map_location="cpu", weights_only=True)
    tensors, _ = read_tensors(run.directory / MODEL_FILE)
    assert stored["state_dict"].keys() == tensors.keys()
    for key, tensor in tensors.items():
        torch.testing.assert_close(stored["state_dict"][key], tensor.half(), rtol=0, atol=0)
    assert stored["test_acc"] == round(100 * run.metrics["test"]["accuracy"], 2)
