"""The bundle beside a figure: points, numbers, caption and table, of triples of a study."""

from __future__ import annotations

import base64
import csv
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penviz import InputError
from penviz.figures.bundle import COLUMNS, bundle, numbers_json, points_csv, points_npz, zip_bytes
from penviz.figures.caption import caption
from penviz.figures.latex_tables import booktabs, include_line, latex
from penviz.figures.triple import Triple
from penviz.metrics.intervals.bootstrap import Change
from penviz.plot.screen import Marks, template_figure
from penviz.store.run_config import RunConfig
from penviz.store.runs import Run
from penviz.study.comparison import ComparisonOptions
from penviz.study.study import Study
from penviz.study.study_run import StudyRun
from tests.small_runs import small_activations

TRIPLE = ("airplane", "automobile", "bird")
NAMES = ("run_hard", "run_soft")
CONFIG = RunConfig(dataset="cifar10", model="tutorial_alexnet", targets="hard", label_smoothing=0.0, seed=3)


def triple_of(
    alphas: Sequence[float] = (0.0, 0.1), classes: Sequence[str] = TRIPLE, **choices: Any
) -> Triple:
    names = [f"{name}{i if i > 1 else ''}" for i, name in enumerate((*NAMES, *NAMES)[: len(alphas)])]
    runs = [
        StudyRun(
            Run(Path(), name, replace(CONFIG, targets="uniform" if alpha else "hard", label_smoothing=alpha)),
            {s: small_activations(name, s, alpha, per_class=110, seed=i) for s in ("train", "validation")},
        )
        for i, (name, alpha) in enumerate(zip(names, alphas, strict=True))
    ]
    comparison = Study(tuple(runs)).compare(classes, ComparisonOptions(**choices))
    return Triple(comparison, comparison.rows)


@pytest.fixture(scope="module")
def pair() -> Triple:
    return triple_of(per_class=20, seed=4)


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# Points.


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


# Numbers.


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


def table_faults(text: str) -> list[str]:
    """What LaTeX would stumble over: braces, environments, numbers of cells, characters it lacks."""
    faults = []
    plain = text.replace(r"\{", "").replace(r"\}", "").replace(r"\textbackslash{}", "")
    if plain.count("{") != plain.count("}"):
        faults.append("braces")
    if plain.count(r"\begin{tabular}") != 1 or plain.count(r"\end{tabular}") != 1:
        faults.append("environment")
    columns = len(plain.split(r"\begin{tabular}{")[1].split("}")[0])
    for line in plain.splitlines():
        if line.endswith(r"\\"):
            spans = [int(c.split("}")[0]) for c in line.split(r"\multicolumn{")[1:]]
            cells = line.replace(r"\&", "").count("&") + 1 + sum(spans) - len(spans)
            if cells != columns:
                faults.append(f"{cells} cells, not {columns}: {line}")
        for special in "%#":
            if special in line.replace(f"\\{special}", "") and not line.startswith("%"):
                faults.append(f"bare {special}: {line}")
        if not line.startswith("%") and not line.isascii():
            faults.append(f"not ASCII: {line}")
        if "_" in line.replace(r"\_", "") and not line.startswith("%"):
            faults.append(f"bare _: {line}")
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        if plain.count(rule) != 1:
            faults.append(rule)
    return faults


@pytest.mark.parametrize(
    ("alphas", "columns"), [((0.1,), "lrr"), ((0.0, 0.1), "lrrrrrr"), ((0.0, 0.1, 0.2), "lrrrrrr")]
)
def test_the_table_is_whole(alphas: Sequence[float], columns: str) -> None:
    text = booktabs(triple_of(alphas, per_class=5))
    assert table_faults(text) == []
    assert rf"\begin{{tabular}}{{{columns}}}" in text
    assert r"\textbf" not in text
    assert "radius (feature units)" in text
    assert "logit gap (nats)" in text


def test_a_broken_table_is_seen(pair: Triple) -> None:
    text = booktabs(pair)
    assert table_faults(text.replace("radius (feature units) &", "radius (feature units)"))
    assert table_faults(text.replace(r"\%", "%"))
    assert table_faults(text.replace(r"\end{tabular}", ""))
    assert table_faults(text.replace(r"{2-4}", "{2-4"))


def test_hard_stands_left_of_soft(pair: Triple) -> None:
    swapped = triple_of((0.1, 0.0), per_class=5)
    for text in (booktabs(pair), booktabs(swapped)):
        assert r"Number & hard & soft & change [95 \%] & hard & soft & change [95 \%] \\" in text
    hard, soft = (row["train"] for row in pair.table.row("rho_d").values)
    line = next(line for line in booktabs(pair).splitlines() if line.startswith("radius / distance &"))
    assert [float(cell) for cell in line.split(" & ")[1:3]] == [
        pytest.approx(hard, rel=5e-3),
        pytest.approx(soft, rel=5e-3),
    ]


def bold(text: str) -> dict[str, list[str]]:
    """Bold cells by number."""
    lines = [line.removesuffix(r" \\\\").split(" & ") for line in text.splitlines() if r"\textbf" in line]
    return {cells[0]: [cell[8:-1] for cell in cells[1:] if cell.startswith(r"\textbf{")] for cells in lines}


def with_values(pair: Triple, key: str, values: Sequence[float], change: Change | None) -> Triple:
    row = pair.table.row(key)
    changed = replace(row, values=[dict.fromkeys(pair.table.splits, v) for v in values],
                      changes=dict.fromkeys(pair.table.splits, change))  # fmt: skip
    rows = tuple(changed if r is row else r for r in pair.table.rows)
    other = replace(pair)
    vars(other)["table"] = replace(pair.table, rows=rows)
    return other


CLEAR, OPEN = Change(0.1, 0.05, 0.15, relative=False), Change(0.1, -0.05, 0.15, relative=False)


@pytest.mark.parametrize(
    ("key", "label", "values", "change", "expected"),
    [
        ("accuracy", "accuracy", (0.8, 0.9), CLEAR, ["0.900"]),
        ("nll", "NLL (nats)", (0.8, 0.9), CLEAR, ["0.800"]),
        ("ece", "ECE", (0.08, 0.09), None, ["0.0800"]),
        ("accuracy", "accuracy", (0.8, 0.9), OPEN, None),
        ("ece", "ECE", (0.08001, 0.08002), None, None),
        ("rho_d", "radius / distance", (0.3, 0.2), CLEAR, None),
    ],
)
def test_the_best_is_bold_when_asked_and_off_training(
    key: str, label: str, values: tuple[float, ...], change: Change | None, expected: list[str] | None,
    pair: Triple,
) -> None:  # fmt: skip
    other = with_values(pair, key, values, change)
    assert r"\textbf" not in booktabs(other)
    text = booktabs(other, bold_best=True)
    assert table_faults(text) == []
    assert bold(text).get(label) == expected  # one cell: the training split has none
    assert set(bold(text)) <= {"accuracy", "NLL (nats)", "ECE"}


def test_names_are_escaped_for_latex() -> None:
    assert latex("a_b & 50 % {x} \\ #1 ~ ^ $") == (
        r"a\_b \& 50 \% \{x\} \textbackslash{} \#1 \textasciitilde{} \textasciicircum{} \$"
    )


# The caption.

FACTS = {
    "classes": "airplane (circles), automobile (squares) and bird (triangles)",
    "the plane": "the plane through the three classes' templates",
    "its source": "Müller, Kornblith & Hinton 2019",
    "bias": "the bias included",
    "hard run, targets and seed": "run_hard (hard targets, training seed 3)",
    "soft run, targets and seed": "run_soft (label smoothing 0.1, training seed 3)",
    "n of N": "train 20 drawn of 110 stored of 110 a class; validation 20 drawn of 110 stored of 110 a class",
    "seed of the sample": "drawn with seed 4",
    "evaluation mode": "networks in evaluation mode",
    "scale": "each run is divided by the mean distance between its three class means on train",
    "share of variance": "of the variance of the three classes in feature space",
    "shading": "hading: softmax restricted to the three classes",
    "lines": "dashed lines: where two of the three logits are equal",
    "means": "plus: class mean over all stored examples",
    "stars": "star: where label smoothing wants the class",
    "crosses": "cross: predicted as a fourth class",
    "rho/d": "ρ/d is the root mean square distance of examples to the mean of their class over",
    "its intervals": "in brackets the 95 % CI over the examples of each network; variation across training",
    "all triples": "Of all 120 triples ",
}


@pytest.mark.parametrize("fact", FACTS)
def test_the_caption_states(fact: str, pair: Triple) -> None:
    assert FACTS[fact] in caption([pair], Marks())


@pytest.mark.parametrize("fact", ["share of variance", "rho/d"])
def test_the_caption_has_the_numbers_of_every_panel(fact: str, pair: Triple) -> None:
    words = caption([pair], Marks())
    for panel, name in zip(
        pair.panels, ("hard, train", "hard, validation", "soft, train", "soft, validation"), strict=True
    ):
        number = f"{100 * panel.metrics['plane_share']:.0f} % ({name})"
        if fact == "rho/d":
            low, high = pair.table.row("rho_d").intervals["soft" in name][panel.split]  # type: ignore[misc]
            number = f"{panel.metrics['rho_d']:#.3g} [{low:#.3g}, {high:#.3g}] ({name})"
        assert number in words


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "bias": ("the bias left out", {"bias": False}),
    "scale own": ("each run on axes of its own", {"scale": "own"}),
    "scale same": ("all runs on the same axes", {"scale": "same"}),
    "n": ("train 7 drawn of 110", {"per_class": 7}),
    "classes": ("cat (circles), dog (squares) and ship (triangles)", {"classes": ("cat", "dog", "ship")}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_caption_follows_the_figure(change: str, pair: Triple) -> None:
    words, choices = CHANGES[change]
    assert words in caption([triple_of(**choices)], Marks())
    assert words not in caption([pair], Marks())


@pytest.mark.parametrize(
    ("mark", "word"),
    [
        ("shading", "hading: softmax"),
        ("boundaries", "dashed"),
        ("means", "lus: class mean"),
        ("optimum", "star:"),
        ("errors", "cross:"),
    ],
)
def test_the_caption_explains_only_what_is_drawn(mark: str, word: str, pair: Triple) -> None:
    assert word in caption([pair], Marks())
    assert word not in caption([pair], replace(Marks(), **{mark: False}))
    assert "diamond: template" in caption([pair], Marks(templates=True))


@pytest.mark.parametrize(("key", "words"), [("ece", "ECE is over all"), ("accuracy", "Accuracy is over all")])
def test_the_caption_says_what_a_number_in_the_corner_is_over(key: str, words: str, pair: Triple) -> None:
    assert words in caption([pair], Marks(), (key,))
    assert words not in caption([pair], Marks(), ("rho_d",))


def test_latex_sets_the_table_and_the_caption(pair: Triple, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    words = latex(caption([pair], Marks(templates=True), ("ece",)))
    tables = (
        booktabs(pair) + booktabs(pair, bold_best=True) + booktabs(triple_of((0.0, 0.1, 0.2), per_class=5))
    )
    document = (
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{words}{tables}\end{{document}}"
    )
    (tmp_path / "a.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in done.stdout


def test_hard_targets_alone_have_no_star() -> None:
    assert "star:" not in caption([triple_of((0.0,))], Marks())


def test_two_triples_are_told_apart(pair: Triple) -> None:
    words = caption([pair, triple_of(classes=("cat", "dog", "ship"), per_class=20, seed=4)], Marks())
    assert "airplane, automobile and bird; cat, dog and ship (circles, squares and triangles" in words
    assert words.count("run_hard (hard targets") == 1
    assert words.count("The plane holds") == 2


# The bundle.


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
