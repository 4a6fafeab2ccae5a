"""What an author may choose of a figure on the command line: its look, means over seeds, and its words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats

from penviz.projection.projection import Projection
from penviz.store.activations import Activations
from penviz.store.runs import activations_path
from tests.small_runs import make_run
from tests.test_cli import assert_refused

CLASSES = ("--classes", "cat", "dog", "ship")
SEEDS = (0, 1, 2)
RUNS = [f"runs/{name}{seed}" for name in ("hard", "soft") for seed in SEEDS]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("own")
    for name, alpha in (("hard", 0.0), ("soft", 0.1)):
        for seed in SEEDS:
            make_run(made / "runs", f"{name}{seed}", alpha, seed=seed)
    return made


@pytest.fixture(autouse=True)
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def mean_and_half(values: Sequence[float]) -> tuple[float, float]:
    """By SciPy: the mean and half of its 95 % interval."""
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    return float(np.mean(values)), (high - low) / 2


def rho_d(place: Path, name: str, split: str) -> list[float]:
    """rho/d of every seed, from its file alone."""
    found = []
    for seed in SEEDS:
        a = Activations.load(activations_path(place / "runs" / f"{name}{seed}", split))
        p = Projection.of(a, ("cat", "dog", "ship"), True)
        means = [xy.mean(axis=0) for xy in p.points]
        radius = math.sqrt(
            np.mean([((xy - m) ** 2).sum(axis=1).mean() for xy, m in zip(p.points, means, strict=True)])
        )
        sides = [np.linalg.norm(means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        found.append(float(radius / np.mean(sides)))
    return found


def test_numbers_are_means_over_seeds_in_panels_tables_and_words(place: Path, penviz: Any) -> None:
    ended = penviz("figure", *RUNS, *CLASSES, "--over-seeds", "--bundle", "seeds", "--format", "svg")
    assert ended.status == 0, ended.err
    numbers: Mapping[str, Any] = json.loads(Path("seeds/numbers.json").read_text())["triples"][0]
    assert [p["run"] for p in numbers["panels"]] == ["hard0", "hard0", "soft0", "soft0"]
    assert [side["runs"] for side in numbers["over_seeds"]] == [names_of("hard"), names_of("soft")]
    svg, table = Path("seeds/figure.svg").read_text(), Path("seeds/numbers.tex").read_text()
    for name in ("hard", "soft"):
        for split in ("train", "validation"):
            mean, half = mean_and_half(rho_d(place, name, split))
            (panel,) = [p for p in numbers["panels"] if (p["run"], p["split"]) == (f"{name}0", split)]
            assert panel["metrics"]["rho_d"] == pytest.approx(mean, rel=1e-6)
            assert panel["half_widths"]["rho_d"] == pytest.approx(half, rel=1e-3)
            assert numbers["numbers"]["rho_d"]["values"][f"{name}0"][split] == pytest.approx(mean, rel=1e-6)
            assert f"{mean:.3f} ± {half:.3f}" in svg  # matplotlib notes it beside the letters
            assert rf"{mean:#.3g} $\pm$ {half:#.3g}" in table
    assert "means over training seeds 0, 1 and 2" in Path("seeds/caption.txt").read_text()
    assert "training seeds 0, 1 and 2." in Path("seeds/methods.txt").read_text()


def names_of(name: str) -> list[str]:
    return [f"{name}{seed}" for seed in SEEDS]


def test_too_few_seeds_are_refused(penviz: Any) -> None:
    ended = penviz("figure", *RUNS[:5], *CLASSES, "--over-seeds", "--out", "f.pdf")
    assert_refused(ended, "at least 3 seeds per setting, soft0 has 2")


def test_a_look_is_in_the_recipe_and_makes_the_same_bytes(place: Path, penviz: Any) -> None:
    look = (
        "--font-size",
        9,
        "--legend",
        "below",
        "--by-split",
        "--column-title",
        "a b",
        "--column-title",
        "c",
    )
    colours = [word for colour in ("#882255", "#44AA99", "#DDCC77") for word in ("--colour", colour)]
    asked = (
        *RUNS[:4:3],
        *CLASSES,
        *look,
        *colours,
        "--hide",
        "all",
        "--out",
        "f.svg",
        "--save-recipe",
        "f.yaml",
    )
    assert penviz("figure", *asked).status == 0
    record = yaml.safe_load(Path("f.yaml").read_text())
    assert record["style"]["font_size"] == 9
    assert not any(record["marks"].values())
    first = Path("f.svg").read_bytes()
    assert penviz("figure", "--recipe", "f.yaml", "--out", "f.svg").status == 0
    assert Path("f.svg").read_bytes() == first
    assert_refused(
        penviz("figure", "--recipe", "f.yaml", "--legend", "none", "--out", "g.svg"), "leave out legend"
    )
    assert_refused(
        penviz("figure", "--recipe", "f.yaml", "--out", "g.html"), "of figures on paper, not of html"
    )
    one = ("figure", "runs/hard0", "--figure", "reliability", "--font-size", 9, "--out", "g.pdf")
    assert_refused(penviz(*one), "choices of template planes, not of charts: font-size")


def test_a_recipe_of_an_older_version_opens(place: Path, penviz: Any) -> None:
    assert penviz("figure", RUNS[0], *CLASSES, "--out", "o.svg", "--save-recipe", "o.yaml").status == 0
    text = Path("o.yaml").read_text()
    assert "style" not in text
    assert "over_seeds" not in text
    Path("o.yaml").write_text(re.sub(r"(penviz:) .*", r"\1 0.1.0", text))
    first = Path("o.svg").read_bytes()
    ended = penviz("figure", "--recipe", "o.yaml", "--out", "o.svg")
    assert ended.status == 0
    assert Path("o.svg").read_bytes() == first


def test_a_preset_gives_way_to_what_is_said(place: Path, penviz: Any) -> None:
    asked = ("figure", *RUNS[:4:3], *CLASSES, "--per-class", 7, "--show", "means")
    assert penviz(*asked, "--preset", "paper", "--out", "p.svg", "--save-recipe", "p.yaml").status == 0
    record = yaml.safe_load(Path("p.yaml").read_text())
    assert (record["per_class"], record["scale"], record["layout"]) == (7, "own", "figure1")
    assert [mark for mark, on in record["marks"].items() if on] == ["means"]
    assert record["style"]["colours"] == ["#4C72B0", "#55A868", "#C44E52"]
    assert_refused(penviz(*asked, "--preset", "nips", "--out", "p.pdf"), "There is no preset nips")


def test_the_bundle_cites_what_its_methods_name(place: Path, penviz: Any) -> None:
    assert penviz("figure", *RUNS[:4:3], *CLASSES, "--bundle", "words").status == 0
    tex, text = (Path(f"words/methods.{end}").read_text() for end in ("tex", "txt"))
    assert text.startswith("We train tutorial_alexnet on cifar10 with hard targets and label smoothing 0.1")
    for part in ("batches of 128", "momentum 0.9", "training seed 0.", "(Müller et al., 2019)"):
        assert part in text
    keys = set(re.findall(r"\\cite\{(\w+)\}", tex))
    assert keys == {"szegedy2016", "muller2019", "penviz"}
    assert set(re.findall(r"^@\w+\{(\w+),", Path("words/references.bib").read_text(), re.M)) == keys


def test_a_sweep_has_a_table(place: Path, penviz: Any) -> None:
    asked = (
        "--figure",
        "sweep",
        "--option",
        "classes=[cat, dog, ship]",
        "--option",
        "numbers=[rho_d, accuracy]",
    )
    ended = penviz("figure", *RUNS, *asked, "--bundle", "sweep")
    assert ended.status == 0, ended.err
    table = Path("sweep/numbers.tex").read_text()
    mean, half = mean_and_half(rho_d(place, "soft", "validation"))
    (row,) = [line for line in table.split("validation")[1].splitlines() if " & 0.1 &" in line]
    assert row.split(" & ")[2] == rf"{mean:#.3g} $\pm$ {half:#.3g}"


def test_two_of_ten_classes_from_the_command_line(place: Path, penviz: Any) -> None:
    asked = ("figure", *RUNS[:4:3], "--figure", "two-classes", "--option", "classes=[cat, dog]")
    assert penviz(*asked, "--out", "two.svg", "--save-recipe", "two.yaml").status == 0
    first = Path("two.svg").read_bytes()
    assert b"dog" in first
    assert penviz("figure", "--recipe", "two.yaml", "--out", "two.svg").status == 0
    assert Path("two.svg").read_bytes() == first
    assert_refused(penviz(*asked[:5], "--out", "x.pdf"), "hard0 has 10 classes: choose two of them")
