"""The bundle beside a figure: points, numbers, caption and table, of triples of a study."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_triples import TRIPLE, triple_of

from penviz import InputError
from penviz.figures.bundle import COLUMNS, bundle, numbers_json, points_csv, points_npz, zip_bytes
from penviz.figures.caption import caption
from penviz.figures.latex_tables import include_line
from penviz.figures.triple import Triple
from penviz.plot.screen import Marks, template_figure
from tests.small_runs import small_activations


@pytest.fixture(scope="module")
def pair() -> Triple:
    return triple_of(per_class=20, seed=4)


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def plotly_numbers(values: Any) -> np.ndarray:
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"]))
    return np.array(values)


@pytest.mark.parametrize("scale", ["distance", "own", "same"])
def test_the_csv_has_the_coordinates_of_the_screen(scale: str) -> None:
    panels = triple_of(per_class=20, scale=scale).panels
    rows = read_csv(points_csv(panels))
    drawn = json.loads(template_figure(panels, columns=2).to_json())["data"]
    screen = [
        (trace["xaxis"], int(data[0]), float(x), float(y))
        for trace in drawn
        if trace.get("customdata")
        for x, y, data in zip(
            plotly_numbers(trace["x"]),
            plotly_numbers(trace["y"]),
            plotly_numbers(trace["customdata"]).reshape(-1, 2),
            strict=True,
        )
    ]
    axes = dict.fromkeys(trace["xaxis"] for trace in drawn)
    number = {axis: i for i, axis in enumerate(sorted(axes, key=lambda a: int(a[1:] or 1)), start=1)}
    paper = [
        (int(r["panel"]), int(r["index"]), float(np.float32(r["x"])), float(np.float32(r["y"]))) for r in rows
    ]
    assert len(paper) == sum(len(p.xy) for p in panels) == 4 * 60
    assert sorted(paper) == sorted((number[axis], i, x, y) for axis, i, x, y in screen)


def test_the_csv_says_what_each_example_is(pair: Triple) -> None:
    rows = read_csv(points_csv(pair.panels))
    assert tuple(rows[0]) == COLUMNS
    at = 0
    for number, panel in enumerate(pair.panels, start=1):
        for i in range(len(panel.xy)):
            row = rows[at]
            at += 1
            assert (row["panel"], row["run"], row["split"]) == (str(number), panel.run, panel.split)
            assert row["class"] == panel.classes[panel.labels[i]] == panel.class_names[int(row["label"])]
            assert int(row["prediction"]) == panel.predictions[i]
            assert int(row["index"]) == panel.indices[i]
            assert np.float32(row["confidence"]) == panel.confidences[i]
            assert float(row["unit"]) == panel.unit
            right = row["prediction"] == row["label"]
            inside = int(row["prediction"]) in panel.class_indices
            assert row["kind"] == ("correct" if right else "among the three" if inside else "fourth class")
    assert at == len(rows)
    assert {row["kind"] for row in rows} >= {"correct", "fourth class"}


def test_names_with_commas_and_quotes_stay_one_cell(pair: Triple) -> None:
    panel = pair.panels[0]
    odd = ('a,"b"', "ü; x", "plain", *panel.class_names[3:])
    rows = read_csv(points_csv([replace(panel, class_names=odd)]))
    assert {row["class"] for row in rows} == {'a,"b"', "ü; x", "plain"}


def test_the_arrays_draw_every_point_again(pair: Triple) -> None:
    with np.load(io.BytesIO(points_npz([pair])), allow_pickle=False) as arrays:
        for number, panel in enumerate(pair.panels, start=1):
            own = {
                name: arrays[f"panel{number}_{name}"] for name in ("xy", "basis", "origin", "unit", "indices")
            }
            alpha = pair.alphas[(number - 1) // 2]
            a = small_activations(panel.run, panel.split, alpha or 0.0, per_class=110, seed=(number - 1) // 2)
            x = np.column_stack([a.features[panel.rows], np.ones(len(panel.rows))])
            assert (a.indices[panel.rows] == own["indices"]).all()
            again = (x - own["origin"]) @ own["basis"].T / own["unit"]
            np.testing.assert_allclose(again, own["xy"], atol=1e-5)
            assert (own["xy"] == panel.xy).all()
            assert arrays[f"panel{number}_templates_xy"].shape == (3, 2)
            assert tuple(arrays[f"panel{number}_classes"]) == TRIPLE
            assert str(arrays[f"panel{number}_split"]) == panel.split
        assert "panel1_ideal_xy" not in arrays  # hard targets have none
        assert "panel3_ideal_xy" in arrays


def test_numbers_are_json_with_words(pair: Triple) -> None:
    record = json.loads(numbers_json([pair]))["triples"][0]
    assert record["classes"] == list(TRIPLE)
    assert record["finding"]["headline"] == pair.finding.headline
    assert [run["label_smoothing"] for run in record["runs"]] == [0.0, 0.1]
    row = pair.table.row("rho_d")
    number = record["numbers"]["rho_d"]
    assert number["values"]["run_hard"]["train"] == row.values[0]["train"] == pair.panels[0].metrics["rho_d"]
    assert number["changes"]["train"]["value"] == pytest.approx(row.changes["train"].value)  # type: ignore[union-attr]
    low, high = number["intervals"]["run_soft"]["validation"]
    assert low < number["values"]["run_soft"]["validation"] < high
    assert record["panels"][3]["n_shown"] == [20, 20, 20]


def test_a_number_that_does_not_exist_is_null(pair: Triple) -> None:
    panel = replace(pair.panels[0], metrics={"rho_d": float("nan")})
    record = json.loads(numbers_json([replace(pair, grid=[[panel]])]))
    assert record["triples"][0]["panels"][0]["metrics"]["rho_d"] is None


def test_hard_targets_alone_have_no_star() -> None:
    assert "star:" not in caption([triple_of((0.0,))], Marks())


def test_two_triples_are_told_apart(pair: Triple) -> None:
    words = caption([pair, triple_of(classes=("cat", "dog", "ship"), per_class=20, seed=4)], Marks())
    assert "airplane, automobile and bird; cat, dog and ship (circles, squares and triangles" in words
    assert words.count("run_hard (hard targets") == 1
    assert words.count("The plane holds") == 2


def test_the_bundle_is_whole_and_always_the_same(pair: Triple) -> None:
    figures = {"figure1.svg": b"<svg/>", "figure1.pdf": b"%PDF"}
    files = bundle([pair], figures=figures, recipe="recipe: 1\n")
    assert set(files) == {
        "figure1.svg", "figure1.pdf", "points.csv", "points.npz", "numbers.json", "numbers.tex",
        "recipe.yaml", "caption.txt", "caption.tex", "include.tex", "methods.txt", "methods.tex",
        "references.bib",
    }  # fmt: skip
    assert files["include.tex"] == b"\\includegraphics{figure1.pdf}\n"
    assert files["recipe.yaml"] == b"recipe: 1\n"
    assert zip_bytes(bundle([pair], figures=figures, recipe="recipe: 1\n")) == zip_bytes(files)
    assert zip_bytes(dict(reversed(files.items()))) == zip_bytes(files)
    with zipfile.ZipFile(io.BytesIO(zip_bytes(files))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    ("figures", "line"),
    [(["a.svg", "a.png"], "\\includegraphics{a.png}\n"), (["a.tex"], "\\input{a.tex}\n"), (["a.html"], "")],
)
def test_the_line_includes_what_latex_can_read(figures: list[str], line: str) -> None:
    assert include_line(figures) == line


def test_a_figure_cannot_take_the_name_of_another_file(pair: Triple) -> None:
    with pytest.raises(InputError, match=r"numbers\.tex"):
        bundle([pair], figures={"numbers.tex": b""}, recipe="recipe: 1\n")
