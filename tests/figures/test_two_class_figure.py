"""Two classes through the verbs: where `measure` points, the figure, and the figure from its recipe."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import make_run

from penviz.cli.main import main
from penviz.figures import charts
from penviz.projection.two_classes import TwoClasses
from penviz.store.run_activations import load
from penviz.store.runs import read_run


def penviz(*words: object, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["penviz", *map(str, words)])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [make_run(tmp_path, name, a, names=("cat", "dog")) for name, a in (("hard", 0.0), ("soft", 0.1))]


def test_measure_says_where_two_classes_are_drawn(
    runs: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert penviz("measure", runs[0], monkeypatch=monkeypatch) == 2
    assert "penviz figure --figure two-classes" in capsys.readouterr().err


def test_the_figure_is_that_of_the_axis(runs: list[Path], tmp_path: Path) -> None:
    found = [read_run(path) for path in runs]
    made = charts.build("two-classes", found, {})
    assert [chart.title.split(":")[0] for chart in made] == [
        "hard, train", "hard, validation", "soft, train", "soft, validation",
    ]  # fmt: skip
    two = TwoClasses.of(load(found[1])["train"])
    assert made[2].title == f"soft, train: ρ/d {two.rho_d:#.3g}"
    assert [len(chart.series) for chart in made] == [2, 2, 3, 3]
    assert len(charts.build("two-classes", found, {"splits": ["validation"]})) == 2
    assert charts.files("two-classes", found[0], {}) == (
        "activations-train.npz",
        "activations-validation.npz",
    )


def test_a_figure_is_made_again_from_its_recipe(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("--figure", "two-classes", "--split", "validation")
    first = ("figure", *(p.name for p in runs), *asked, "--out", "a.svg")
    assert penviz(*first, "--save-recipe", "a.yaml", monkeypatch=monkeypatch) == 0
    assert penviz("figure", "--recipe", "a.yaml", "--out", "b.svg", monkeypatch=monkeypatch) == 0
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()


@pytest.mark.parametrize(
    ("names", "options", "sentence"),
    [
        (("cat", "dog", "bird"), (), "has 3 classes: choose two of them"),
        (("cat", "dog"), ("--option", "scale=metres"), "scale is one of distance, nats, not metres"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    names: tuple[str, ...],
    options: tuple[str, ...],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, out = make_run(tmp_path, "run", 0.0, names=names), tmp_path / "a.pdf"
    words = ("figure", run, "--figure", "two-classes", *options, "--out", out)
    assert penviz(*words, monkeypatch=monkeypatch) == 2
    assert sentence in capsys.readouterr().err
    assert not out.exists()
