"""The head of the first page and the tour: numbers of the runs shown, and controls that really move."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from page_client import checked, html, pair
from small_runs import make_run
from streamlit.testing.v1 import AppTest

from penviz.app.state import default_runs
from penviz.figures.open_study import open_study
from penviz.metrics.wording import three
from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.store.runs import activations_path, read_run

Open = Callable[..., AppTest]


def facts(app: AppTest) -> str:
    found = re.search(r'<table class="pz-key-facts">.*?</table>', html(app))
    assert found
    return re.sub(r"<[^>]+>", " ", found[0])


def percent(before: float, after: float) -> str:
    return f"{round(100 * (after / before - 1)):+d} %".replace("-", "−")


def test_plane_and_feature_space_stand_side_by_side_for_both_splits(open_app: Open, tmp_path: Path) -> None:
    pair(tmp_path, per_class=60)
    shown = facts(open_app())
    study = open_study([tmp_path / "hard", tmp_path / "soft"])
    table = study.compare([0, 1, 2]).table
    for split in ("train", "validation"):
        for key in ("rho_d", "triple_ratio", "accuracy", "ece"):
            before, after = (values[split] for values in table.row(key).values)
            assert f"{three(before)} → {three(after)}" in shown, key
            if key in ("rho_d", "triple_ratio"):
                assert percent(before, after) in shown
        changes = study.triples(split).pair.change
        own = study.triples(split).pair.at([0, 1, 2])
        more = int((changes < changes[own]).sum())
        words = {0: "none tightens", 1: "1 tightens"}
        assert f"{words.get(more, f'{more} tighten')} more than these three" in shown
    assert "hard → soft" in shown


@pytest.mark.parametrize(
    ("scales", "said"),
    [
        ((30, 0.02), "over-confident → under-confident"),
        ((0.02, 30), "under-confident → over-confident"),
        ((30, 30), "both over-confident"),
    ],
)
def test_an_ece_says_which_way_it_points_on_held_out_images(
    open_app: Open, tmp_path: Path, scales: tuple[float, float], said: str
) -> None:
    pair(tmp_path, per_class=60)
    for name, scale in zip(("hard", "soft"), scales, strict=True):
        for split in ("train", "validation"):
            path = activations_path(tmp_path / name, split)
            a = Activations.load(path)
            assert a.head is not None
            head = Head(a.head.weight * np.float32(scale), a.head.bias)
            replace(a, head=head, predictions=head.logits(a.features).argmax(axis=1)).save(path)
    table = open_study([tmp_path / "hard", tmp_path / "soft"]).compare([0, 1, 2]).table
    for values, scale in zip(table.row("confidence").values, scales, strict=True):
        accuracy = table.row("accuracy").values[0]["validation"]
        assert (values["validation"] > accuracy) == (scale > 1)
    shown = facts(open_app())
    assert shown.count("-confident") == said.count("-confident")
    assert said in shown


def test_a_single_run_has_no_change(open_app: Open, tmp_path: Path) -> None:
    make_run(tmp_path, "hard", 0.0)
    assert "pz-key-facts" not in html(open_app()).split("</style>")[-1].split("pz-finding")[-1]


@pytest.mark.parametrize(
    ("alpha", "n", "true", "other"), [(0.1, 10, "0.91", "0.01"), (0.2, 4, "0.85", "0.05")]
)
def test_the_introduction_counts_with_the_targets_of_these_runs(
    open_app: Open, tmp_path: Path, alpha: float, n: int, true: str, other: str
) -> None:
    names = [f"class{k}" for k in range(n)]
    make_run(tmp_path, "hard", 0.0, names)
    make_run(tmp_path, "soft", alpha, names)
    assert f"α = {alpha:g} makes them {true} and {other}" in html(open_app())


def test_the_third_step_shows_the_triple_that_tightens_most(open_app: Open, tmp_path: Path) -> None:
    pair(tmp_path)
    app = open_app(tour="3")
    found = open_study([tmp_path / "hard", tmp_path / "soft"]).triples().pair
    most = found.triples[found.change.argmin()].tolist()
    assert [app.selectbox(key=key).value for key in ("left", "right", "above")] == most
    assert "none tightens more" in facts(app)
    app.selectbox(key="left").set_value(next(k for k in range(10) if k not in most))
    assert checked(app.run()).selectbox(key="left").value not in most, "the step moves a control once"
    app.button(key="tour-back").click()
    assert "2 of 5" in html(checked(app.run()))
    app.button(key="tour-end").click()
    checked(app.run())
    assert "of 5." not in html(app)
    assert "tour" not in app.query_params


@pytest.mark.parametrize("asked", ["0", "6", "x", ""])
def test_a_step_that_there_is_not_is_no_tour(open_app: Open, tmp_path: Path, asked: str) -> None:
    pair(tmp_path)
    assert "of 5." not in html(open_app(tour=asked))


def test_it_opens_on_the_pair_that_was_trained_longest(tmp_path: Path) -> None:
    runs = []
    for name, alpha, epochs in (
        ("a-hard", 0.0, 8),
        ("a-soft", 0.1, 8),
        ("b-hard", 0.0, 40),
        ("b-soft", 0.1, 40),
    ):
        run = read_run(make_run(tmp_path, name, alpha))
        runs.append(replace(run, config=replace(run.config, epochs=epochs)))
    assert default_runs(runs) == ["b-hard", "b-soft"]
    assert default_runs([*runs[:2], runs[2]]) == ["a-hard", "a-soft"], "a run alone is no pair"
    assert default_runs([runs[3], runs[0]]) == ["a-hard", "b-soft"], "in order where no two are else equal"
