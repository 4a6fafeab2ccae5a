"""A run in shards, through every front end: the same triple, and numbers over all classes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from page_client import APP
from small_runs import make_run, small_activations
from typer.testing import CliRunner

from penviz.cli.main import application
from penviz.figures.new_figure import new_figure
from penviz.metrics.numbers import ALL, MEASURE, TABLES
from penviz.metrics.target_vectors import Targets
from penviz.projection.build_panel import build_panel
from penviz.projection.split_statistics import SplitStatistics
from penviz.store import run_activations
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError
from penviz.store.runs import activations_path, moments_path, read_run, shards_path, stored_path
from penviz.store.write_shards import shard
from penviz.study.table import compare, value_text

CLASSES = ("bird", "dog", "ship")


def into_shards(directory: Path, rows: int = 64, half: bool = False) -> dict[str, Activations]:
    """Replace the activations of a run by shards; what they were."""
    were = {}
    for split in ("train", "validation"):
        path = activations_path(directory, split)
        were[split] = Activations.load(path)
        shard(were[split], shards_path(directory, split), rows=rows, half=half)
        path.unlink()
    return were


@pytest.fixture
def sharded(tmp_path: Path) -> tuple[Path, dict[str, Activations]]:
    make_run(tmp_path, "soft", 0.1)
    return tmp_path / "soft", into_shards(tmp_path / "soft")


def test_both_forms_draw_the_same_panel(sharded: tuple[Path, dict[str, Activations]]) -> None:
    directory, were = sharded
    run = read_run(directory)
    assert run.splits() == ["train", "validation"]
    found = run_activations.load(run, classes=CLASSES)
    for split, whole in were.items():
        part = found[split]
        assert part.partial
        assert set(part.labels) == {2, 5, 8}
        mine = build_panel(part, CLASSES, targets=Targets.of(0.1))
        theirs = build_panel(whole, CLASSES, targets=Targets.of(0.1))
        for key in ("xy", "labels", "predictions", "kinds", "indices", "boundaries", "shading", "limits"):
            np.testing.assert_array_equal(getattr(mine, key), getattr(theirs, key), err_msg=key)
        np.testing.assert_allclose(mine.confidences, theirs.confidences, rtol=1e-5)
        assert mine.n_total == theirs.n_total
        for key in ("rho_d", "rho", "distance", "plane_share", "off_plane", "n"):
            assert mine.metrics[key] == pytest.approx(theirs.metrics[key], rel=1e-12)
        assert "accuracy" not in mine.metrics


def test_numbers_over_all_are_pending_until_the_pass_and_then_those_of_the_whole(
    sharded: tuple[Path, dict[str, Activations]],
) -> None:
    directory, were = sharded
    run = read_run(directory)

    def table(splits: dict[str, Activations]) -> dict[str, object]:
        made = compare(
            [{s: SplitStatistics.of(a) for s, a in splits.items()}], CLASSES, label_smoothings=[0.1]
        )
        return {row.number.key: row for row in made.rows}

    whole = table(run_activations.ready(run, were))
    before = run_activations.load(run, classes=CLASSES)
    assert run_activations.unmeasured(run, before) == ["train", "validation"]
    assert any("need the full pass (train and validation)" in n for n in run_activations.notes(run, before))
    pending = table(before)
    over_all = [n.key for n in TABLES[MEASURE] if n.scope == ALL]
    for key in over_all:
        assert value_text(pending[key], 0, "validation") == "needs the full pass", key
    for split in were:
        run_activations.measure_shards(run, split)
    after = run_activations.load(run, classes=CLASSES)
    assert run_activations.unmeasured(run, after) == []
    assert not any("need the full pass" in n for n in run_activations.notes(run, after))
    measured = table(after)
    for key, row in whole.items():
        assert measured[key].pending == (False,), key
        assert measured[key].note == row.note, key
        for split, value in row.values[0].items():
            wanted = None if value is None else pytest.approx(value, rel=1e-5)
            assert measured[key].values[0][split] == wanted, key
    assert build_panel(after["train"], CLASSES).metrics["accuracy"] == whole["accuracy"].values[0]["train"]


def test_numbers_of_other_shards_do_not_count(sharded: tuple[Path, dict[str, Activations]]) -> None:
    directory, were = sharded
    run = read_run(directory)
    run_activations.measure_shards(run, "train")
    assert run_activations.load(run)["train"].over_all
    shard(replace(were["train"], features=were["train"].features * 2), shards_path(directory, "train"))
    assert run_activations.load(run)["train"].over_all == {}
    run_activations.measure_shards(run, "train")
    path = moments_path(directory, "train")
    assert run_activations.load(run)["train"].over_all
    for damaged in (b"", path.read_bytes()[:3000]):
        path.write_bytes(damaged)
        assert run_activations.load(run)["train"].over_all == {}


def test_without_a_choice_the_first_classes_that_have_examples_are_read(tmp_path: Path) -> None:
    make_run(tmp_path, "soft", 0.1, splits=("train",))
    path = activations_path(tmp_path / "soft", "train")
    whole = Activations.load(path)
    shard(whole.take(whole.labels != 1), shards_path(tmp_path / "soft", "train"), rows=64)
    path.unlink()
    found = run_activations.load(read_run(tmp_path / "soft"))
    assert run_activations.first_classes([found]) == (0, 2, 3)
    with pytest.raises(ActivationsError, match="No train examples of automobile are stored"):
        build_panel(run_activations.load(read_run(tmp_path / "soft"), classes=[0, 1, 2])["train"], (0, 1, 2))


def test_half_is_said_wherever_the_run_is_drawn(tmp_path: Path) -> None:
    make_run(tmp_path, "soft", 0.1)
    into_shards(tmp_path / "soft", half=True)
    run = read_run(tmp_path / "soft")
    said = " ".join(run_activations.notes(run, run_activations.load(run)))
    assert "features rounded to float16 on disk (train and validation)" in said


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "hard")
    make_run(tmp_path, "soft", 0.1)
    monkeypatch.chdir(tmp_path)
    plain = CliRunner().invoke(application(), ["measure", "hard", "soft", "--classes", *CLASSES, "--json"])
    into_shards(tmp_path / "soft")
    first = CliRunner().invoke(application(), ["measure", "hard", "soft", "--classes", *CLASSES, "--json"])
    again = CliRunner().invoke(application(), ["measure", "hard", "soft", "--classes", *CLASSES, "--json"])
    assert (plain.exit_code, first.exit_code, again.exit_code) == (0, 0, 0), first.output
    assert "one pass over the train shards" in first.stderr
    assert "one pass" not in again.stderr
    assert first.stdout == again.stdout
    mine, theirs = json.loads(first.stdout), json.loads(plain.stdout)
    assert "shards" in " ".join(mine["notes"])
    assert mine["finding"]["headline"] == theirs["finding"]["headline"]
    drawn = CliRunner().invoke(
        application(),
        [*("figure", "hard", "soft", "--classes", *CLASSES), *("--out", "f.png", "--save-recipe", "f.yaml")],
    )
    assert drawn.exit_code == 0, drawn.output
    other = CliRunner().invoke(application(), ["figure", "--recipe", "f.yaml", "--out", "g.png"])
    assert other.exit_code == 0, other.output
    assert Path("f.png").read_bytes() == Path("g.png").read_bytes()
    shard(small_activations("soft", "train", 0.1, seed=9), shards_path(tmp_path / "soft", "train"))
    changed = CliRunner().invoke(application(), ["figure", "--recipe", "f.yaml", "--out", "h.png"])
    assert changed.exit_code != 0
    assert "changed since the recipe" in str(changed.exception or changed.output)
    for asked in (["measure", "soft", "--find", "most-confused"], ["calibrate", "soft"]):
        refused = CliRunner().invoke(application(), asked)
        assert refused.exit_code != 0
        assert "kept in shards" in str(refused.exception or refused.output)


def test_classes_are_named_by_their_rows_too(sharded: tuple[Path, dict[str, Activations]]) -> None:
    directory, whole = sharded
    held = [whole["train"].class_names.index(name) for name in CLASSES]
    by_row = run_activations.load(read_run(directory), classes=[str(row) for row in held])
    assert set(by_row["train"].labels) == set(held)


def test_several_triples_of_one_recipe(sharded: tuple[Path, dict[str, Activations]]) -> None:
    directory, _ = sharded
    rows = [f"{directory}: bird dog ship", f"{directory}: cat dog deer"]
    made = new_figure([], {"rows": rows, "layout": "figure1"})
    assert set(made.runs[0].splits["train"].labels) == {2, 3, 4, 5, 8}
    assert [triple.panels[0].classes for triple in made.triples] == [CLASSES, ("cat", "dog", "deer")]


def test_the_page_reads_the_triple_that_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sharded: tuple[Path, dict[str, Activations]]
) -> None:
    from streamlit.testing.v1 import AppTest

    directory, _ = sharded
    for split in ("train", "validation"):
        run_activations.measure_shards(read_run(directory), split)
    monkeypatch.setitem(os.environ, "PENVIZ_RUNS", str(tmp_path))
    page = AppTest.from_file(str(APP), default_timeout=120).run()
    assert not page.exception
    above = next(box for box in page.selectbox if str(box.key).startswith("above"))
    assert len(above.options) == 10  # all classes are offered
    for option in above.options[-2:]:
        above = next(box for box in page.selectbox if str(box.key).startswith("above"))
        page = above.select(option).run()
        assert not page.exception
        html = " ".join(element.proto.body for element in page.get("html"))
        assert "cannot be drawn" not in html
        assert "needs the full pass" not in html
        assert "one pass over its shards" in html


def test_a_damaged_shard_is_a_warning_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sharded: tuple[Path, dict[str, Activations]]
) -> None:
    from streamlit.testing.v1 import AppTest

    directory, _ = sharded
    (stored_path(directory, "train").parent / "shard-00001" / "features.npy").write_bytes(b"")
    monkeypatch.setitem(os.environ, "PENVIZ_RUNS", str(tmp_path))
    page = AppTest.from_file(str(APP), default_timeout=120).run()
    assert not page.exception
    said = " ".join(str(w.value) for w in page.warning) + " ".join(e.proto.body for e in page.get("html"))
    assert "shard-00001 of activations-train is damaged" in said
