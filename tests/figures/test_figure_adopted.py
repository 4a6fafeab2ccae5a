"""`penviz figure` and `penviz measure` with runs that penviz did not train."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penviz.figures.spec import FigureSpec
from penviz.store.activations import Activations
from tests.figures.test_figure import CLASSES, place  # noqa: F401  (a fixture)
from tests.small_runs import make_adopted
from tests.test_cli import assert_refused

WARNING = "penviz measures 78.0 % where 93.1 % was expected: the input or the network may be wrong."
ADOPTED: dict[str, dict[str, Any]] = {
    "unknown": {},
    "bare": {"alpha": 0.1, "head": False, "predicted_by": "nearest class mean"},
    "look": {"alpha": 0.1, "quick_look": ("cat", "dog", "ship")},
    "odd": {"alpha": 0.0, "accuracy": {"measured": 0.78, "expected": 0.931, "warning": WARNING}},
    "validation": {"splits": ("validation",)},
    "train": {"alpha": 0.1, "splits": ("train",)},
}


@pytest.mark.parametrize("name", ADOPTED)
def test_an_adopted_run_goes_through_figure_bundle_and_recipe(
    name: str,
    place: Path,  # noqa: F811
    penviz: Any,
) -> None:
    make_adopted(place / "runs", name, **ADOPTED[name])
    wanted = (
        "--per-class",
        5,
        "--show",
        "templates",
        "--format",
        "svg",
        "--format",
        "html",
        "--format",
        "tex",
    )
    first = ("--out", "f.svg", "--save-recipe", "r.yaml", "--bundle", "all")
    ended = penviz("figure", f"runs/{name}", "runs/soft", *CLASSES, *wanted, *first)
    assert ended.status == 0, ended.err
    assert penviz("figure", "--recipe", "r.yaml", "--out", "again.svg").status == 0
    assert (place / "again.svg").read_bytes() == (place / "f.svg").read_bytes()
    caption = (place / "all/caption.txt").read_text()
    record = json.loads((place / "all/numbers.json").read_text())["triples"][0]
    known = {run["name"]: run for run in record["runs"]}
    assert known[name]["label_smoothing"] == ADOPTED[name].get("alpha")
    assert (known[name]["seed"], known["soft"]["seed"]) == (None, 0)
    assert record["finding"]["kind"] in ("unknown", "adopted", "none")
    assert f"penviz did not train {name}" in caption
    assert "training unknown" in caption
    assert not [word for word in ("epochs", "nan", "None") if word in caption + record["finding"]["headline"]]


def test_a_network_without_a_head_says_so_on_paper(place: Path, penviz: Any) -> None:  # noqa: F811
    make_adopted(place / "runs", "bare", 0.1, head=False)
    alone = ("--out", "f.svg", "--bundle", "all", "--show", "templates")
    assert penviz("figure", "runs/bare", *CLASSES, *alone).status == 0
    caption, drawn = (place / "all/caption.txt").read_text(), (place / "f.svg").read_text()
    assert "plane through the three class means, in place of templates" in caption
    assert "Dashed lines: where two class means are equally near" in caption
    assert "diamond: class mean as template" in caption
    assert [word for word in ("Shading:", "star:", "rows of the last layer") if word in caption] == []
    assert "boundary of the nearest class mean" in drawn
    assert drawn.count("on class means") == 2
    assert "<image" not in drawn
    record = json.loads((place / "all/numbers.json").read_text())["triples"][0]
    assert {p["class_means_as_templates"] for p in record["panels"]} == {"train"}
    assert record["numbers"]["nll"]["values"]["bare"] == {"train": None, "validation": None}
    rows = list(csv.DictReader((place / "all/points.csv").read_text().splitlines()))
    assert {row["confidence"] for row in rows} == {""}
    assert "soft (class means)" in (place / "all/numbers.tex").read_text()
    both = ("--out", "g.svg", "--bundle", "both", "--show", "templates")
    assert penviz("figure", "runs/bare", "runs/hard", *CLASSES, *both).status == 0
    caption = (place / "both/caption.txt").read_text()
    assert "for bare through the class means in their place" in caption
    assert "equal (no head: where two class means are equally near)" in caption


def test_the_plane_in_points_npz_is_the_one_drawn(place: Path, penviz: Any) -> None:  # noqa: F811
    make_adopted(place / "runs", "bare", 0.1, head=False)
    assert penviz("figure", "runs/bare", *CLASSES, "--bundle", "all", "--per-class", 5).status == 0
    points = np.load(place / "all/points.npz")
    a = Activations.load(place / "runs/bare/activations-train.npz")
    rows = [int(np.flatnonzero(a.indices == i)[0]) for i in points["panel1_indices"]]
    xy = (a.features[rows] - points["panel1_origin"]) @ points["panel1_basis"].T / points["panel1_unit"]
    np.testing.assert_allclose(xy, points["panel1_xy"], atol=1e-5)


def test_a_wrong_accuracy_stands_in_the_panels_and_in_the_caption(
    place: Path,  # noqa: F811
    penviz: Any,
) -> None:
    make_adopted(place / "runs", "odd", **ADOPTED["odd"])
    assert (
        penviz("figure", "runs/odd", "runs/hard", *CLASSES, "--out", "f.svg", "--bundle", "all").status == 0
    )
    drawn = (place / "f.svg").read_text()
    assert drawn.count("accuracy 15 points") == drawn.count("below the stated") == 2
    assert (place / "all/caption.txt").read_text().count(WARNING) == 1
    assert WARNING in (place / "all/caption.tex").read_text().replace("\\%", "%")


def test_a_quick_look_draws_its_classes_and_no_accuracy(place: Path, penviz: Any) -> None:  # noqa: F811
    make_adopted(place / "runs", "look", **ADOPTED["look"])
    ended = penviz("figure", "runs/look", "--out", "f.svg", "--save-recipe", "r.yaml", "--bundle", "all")
    assert ended.status == 0, ended.err
    assert FigureSpec.read(place / "r.yaml").classes == ("cat", "dog", "ship")
    assert "is a quick look" in (place / "all/caption.txt").read_text()
    assert penviz("figure", "runs/look", "runs/soft", *CLASSES, "--bundle", "both").status == 0
    assert (place / "both/numbers.tex").read_text().count("needs the full pass") == 8
    wrong = ("--classes", "cat", "dog", "frog", "--out", "g.svg")
    assert_refused(penviz("figure", "runs/look", *wrong), "other classes need the full pass")
    assert_refused(
        penviz("figure", "runs/look", *CLASSES, "--corner", "accuracy", "--out", "g.svg"), "no accuracy"
    )


def test_measure_prints_adopted_runs(place: Path, penviz: Any) -> None:  # noqa: F811
    make_adopted(place / "runs", "unknown")
    make_adopted(place / "runs", "look", **ADOPTED["look"])
    ended = penviz("measure", "runs/unknown", "runs/look", "--json")
    assert ended.status == 0, ended.err
    record = json.loads(ended.out)
    assert record["label_smoothings"] == [None, 0.1]
    assert record["classes"] == [3, 5, 8]
    accuracy = record["numbers"]["accuracy"]
    assert accuracy["values"]["look"] == {"train": None, "validation": None}
    assert accuracy["needs_full_pass"] == ["look"]
    assert accuracy["values"]["unknown"]["train"] > 0
    assert "penviz did not train unknown; its targets are not known." in record["notes"]
    text = penviz("measure", "runs/unknown", "runs/look").out
    assert "needs the full pass" in text
    assert text.startswith("The targets of unknown are not known: ")
