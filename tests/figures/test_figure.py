"""`penviz figure` on the command line: what it writes, what it refuses, and that a refusal leaves nothing."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest

import penviz as penviz_package
from penviz.figures import destination
from penviz.figures.new_figure import new_figure
from penviz.figures.spec import FigureSpec
from penviz.store.activations import Activations
from tests.small_runs import make_adopted, make_run
from tests.test_cli import assert_refused

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("--classes", "cat", "dog", "ship")
RUNS = ("runs/hard", "runs/soft")
STARTS = {"pdf": b"%PDF-", "svg": b"<?xml", "png": b"\x89PNG", "html": b"<!doctype html>", "tex": b"%"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two runs in it."""
    make_run(tmp_path / "runs", "hard")
    make_run(tmp_path / "runs", "soft", 0.1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("format", STARTS)
def test_a_figure_in_every_format(format: str, place: Path, penviz: Any) -> None:
    ended = penviz("figure", *RUNS, *CLASSES, "--out", f"f.{format}", "--per-class", 5)
    assert (ended.status, ended.out, ended.err) == (0, "", f"Wrote f.{format}\n")
    assert (place / f"f.{format}").read_bytes().startswith(STARTS[format])
    assert sorted(p.name for p in place.iterdir()) == [f"f.{format}", "runs"]


def test_the_recipe_makes_the_same_figure(place: Path, penviz: Any) -> None:
    choices = ("--scale", "own", "--no-bias", "--hide", "means", "--show", "templates", "--per-class", 9)
    more = (
        "--layout",
        "strip",
        "--width",
        "140mm",
        "--no-letters",
        "--corner",
        "accuracy",
        "--svg-text",
        "path",
    )
    wanted = ("--out", "f.svg", "--save-recipe", "r.yaml")
    assert penviz("figure", *RUNS, *CLASSES, *choices, *more, *wanted).status == 0
    recipe = FigureSpec.read(place / "r.yaml")
    assert [run.path for run in recipe.runs] == list(RUNS)
    assert (recipe.classes, recipe.scale, recipe.bias) == (("cat", "dog", "ship"), "own", False)
    assert (recipe.marks.means, recipe.marks.templates, recipe.marks.errors) == (False, True, True)
    assert (recipe.width, recipe.letters, recipe.corner, recipe.text) == (
        "140mm",
        False,
        ("accuracy",),
        "path",
    )
    again = penviz("figure", "--recipe", "r.yaml", "--out", "again.svg", "--save-recipe", "again.yaml")
    assert (again.status, again.err) == (0, "Wrote again.svg\nWrote again.yaml\n")
    assert (place / "again.svg").read_bytes() == (place / "f.svg").read_bytes()
    assert (place / "again.yaml").read_bytes() == (place / "r.yaml").read_bytes()
    (place / "elsewhere").mkdir()
    os.chdir(place / "elsewhere")
    assert penviz("figure", "--recipe", "../r.yaml", "--out", "f.svg", "--runs-dir", "..").status == 0
    assert Path("f.svg").read_bytes() == (place / "f.svg").read_bytes()


CHOICES: dict[str, tuple[str, ...]] = {
    "classes": ("--classes", "cat", "dog", "frog"),
    "order of the classes": ("--classes", "dog", "cat", "ship"),
    "split": ("--split", "train"),
    "venue": ("--venue", "nature"),
    "width": ("--width", "5in"),
    "layout": ("--layout", "strip"),
    "per class": ("--per-class", "6"),
    "seed": ("--seed", "1"),
    "scale": ("--scale", "same"),
    "bias": ("--no-bias",),
    "letters": ("--no-letters",),
    "corner": ("--corner", "accuracy"),
    "no corner": ("--corner", "none"),
    "text": ("--svg-text", "path"),
    "templates": ("--show", "templates"),
    **{f"hide {mark}": ("--hide", mark) for mark in ("means", "boundaries", "optimum", "shading", "errors")},
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A directory with two runs, and the figure of them with nothing chosen."""
    root = tmp_path_factory.mktemp("plain")
    make_run(root / "runs", "hard")
    make_run(root / "runs", "soft", 0.1)
    choices = {"classes": ("cat", "dog", "ship"), "per_class": 5}
    return root, new_figure([root / run for run in RUNS], choices).draw("svg")


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_reaches_the_figure(
    choice: str,
    plain: tuple[Path, bytes],
    penviz: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(plain[0])
    defaults = [] if choice == "per class" else ["--per-class", "5"]
    defaults += [] if "classes" in choice else CLASSES
    paths = [tmp_path / name for name in ("f.svg", "r.yaml", "g.svg")]
    wanted = ("--out", paths[0], "--save-recipe", paths[1])
    assert penviz("figure", *RUNS, *defaults, *CHOICES[choice], *wanted).status == 0
    assert penviz("figure", "--recipe", paths[1], "--out", paths[2]).status == 0
    assert paths[0].read_bytes() != plain[1]
    assert paths[2].read_bytes() == paths[0].read_bytes()


def test_dots_per_inch_reach_a_png(place: Path, penviz: Any) -> None:
    sizes = []
    for dpi in (100, 200):
        assert penviz("figure", *RUNS, *CLASSES, "--out", "f.png", "--dpi", dpi, "--width", "5in").status == 0
        sizes.append(int.from_bytes((place / "f.png").read_bytes()[16:20], "big"))
    assert sizes == [500, 1000]


def test_the_command_in_its_own_process(place: Path) -> None:
    written = []
    for seed, name in (("1", "a.pdf"), ("2", "b.pdf")):
        command = ["figure", *RUNS, *CLASSES, "--out", name]
        subprocess.run(
            [sys.executable, "-m", "penviz", *command],
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            timeout=120,
        )
        written.append((place / name).read_bytes())
    assert written[0] == written[1]


def test_a_bundle_is_a_directory_or_a_zip(place: Path, penviz: Any) -> None:
    wanted = ("--format", "pdf", "--format", "svg", "--per-class", 5)
    ended = penviz("figure", *RUNS, *CLASSES, "--out", "f1.pdf", *wanted, "--bundle", "all")
    assert ended.err == "Wrote f1.pdf\nWrote all\n"
    files = {p.name: p.read_bytes() for p in (place / "all").iterdir()}
    assert files["f1.pdf"] == (place / "f1.pdf").read_bytes()
    assert {"f1.svg", "points.csv", "points.npz", "numbers.json", "numbers.tex", "caption.txt"} < set(files)
    assert len(list(csv.DictReader(files["points.csv"].decode().splitlines()))) == 4 * 15
    assert json.loads(files["numbers.json"])["triples"][0]["classes"] == ["cat", "dog", "ship"]
    assert penviz("figure", *RUNS, *CLASSES, "--out", "f1.pdf", *wanted, "--bundle", "all.zip").status == 0
    with zipfile.ZipFile(place / "all.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    # The recipe in the bundle makes the whole bundle again.
    again = ("--recipe", "all/recipe.yaml", "--out", "f1.pdf", "--format", "pdf", "--format", "svg")
    assert penviz("figure", *again, "--bundle", "again").status == 0
    assert {p.name: p.read_bytes() for p in (place / "again").iterdir()} == files


def test_a_zip_may_end_in_capitals(place: Path, penviz: Any) -> None:
    assert penviz("figure", *RUNS, *CLASSES, "--per-class", 5, "--bundle", "all.ZIP").status == 0
    assert zipfile.is_zipfile(place / "all.ZIP")


def test_a_font_and_bold_numbers_are_in_the_recipe(place: Path, penviz: Any) -> None:
    (place / "fonts").mkdir()
    shipped = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSerif.ttf"
    (place / "fonts" / "own.ttf").write_bytes(shipped.read_bytes())
    wanted = ("--per-class", 5, "--font", "fonts/own.ttf", "--bold-best")
    ended = penviz("figure", *RUNS, *CLASSES, *wanted, "--out", "f.pdf", "--bundle", "all")
    assert ended.status == 0, ended.err
    assert b"DejaVuSerif" in (place / "f.pdf").read_bytes()
    assert "% Bold" in (place / "all/numbers.tex").read_text()
    again = ("--recipe", "all/recipe.yaml", "--out", "f.pdf", "--bundle", "again")
    assert penviz("figure", *again).status == 0
    for name in ("f.pdf", "numbers.tex", "recipe.yaml"):
        assert (place / "again" / name).read_bytes() == (place / "all" / name).read_bytes()
    (place / "away").mkdir()
    os.chdir(place / "away")
    moved = ("--recipe", "../all/recipe.yaml", "--runs-dir", "..", "--out", "g.pdf")
    assert penviz("figure", *moved).status == 0
    assert Path("g.pdf").read_bytes() == (place / "f.pdf").read_bytes()
    (place / "fonts" / "own.ttf").write_bytes(b"another")
    assert_refused(penviz("figure", *moved), "own.ttf has changed")
    assert_refused(penviz("figure", *moved, "--font", "x.ttf"), "leave out font")


def test_rows_of_several_triples(place: Path, penviz: Any) -> None:
    rows = ("--row", "runs/hard runs/soft: cat dog ship", "--row", "runs/hard runs/soft: 0 1 2")
    ended = penviz("figure", *rows, "--out", "f.pdf", "--save-recipe", "r.yaml", "--bundle", "all")
    assert ended.status == 0, ended.err
    recipe = FigureSpec.read(place / "r.yaml")
    assert recipe.layout == "figure1"
    assert [row.classes for row in recipe.rows] == [
        ("cat", "dog", "ship"),
        ("airplane", "automobile", "bird"),
    ]
    assert [run.name for run in recipe.runs] == ["hard", "soft"]
    assert (place / "all/numbers.tex").read_text().count(r"\begin{tabular}") == 2
    assert penviz("figure", "--recipe", "r.yaml", "--out", "g.pdf").status == 0
    assert (place / "g.pdf").read_bytes() == (place / "f.pdf").read_bytes()


def test_a_run_with_one_split_and_a_run_with_two(place: Path, penviz: Any) -> None:
    make_run(place / "runs", "half", 0.2, splits=("train",))
    wanted = ("--out", "f.pdf", "--bundle", "all", "--per-class", 5)
    assert penviz("figure", "runs/hard", "runs/half", *CLASSES, *wanted).status == 0
    rows = list(csv.DictReader((place / "all/points.csv").read_text().splitlines()))
    assert len(rows) == 3 * 15


def test_notes_do_not_stop_a_figure(place: Path, penviz: Any) -> None:
    make_run(place / "runs", "old", stale=True)
    ended = penviz("figure", "runs/old", *CLASSES, "--out", "f.pdf", "--save-recipe", "r.yaml")
    assert ended.status == 0
    assert "old: the train activations are of another checkpoint" in ended.err
    text = (place / "r.yaml").read_text()
    (place / "r.yaml").write_text(text[: text.index("versions:")] + "versions:\n  numpy: '1.0'\n")
    ended = penviz("figure", "--recipe", "r.yaml", "--out", "g.pdf")
    assert ended.status == 0
    assert "The recipe was written with numpy 1.0 (here " in ended.err
    assert (place / "g.pdf").read_bytes() == (place / "f.pdf").read_bytes()


OUT = ("--out", "f.pdf")
BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "nowhere to go": ((*RUNS, *CLASSES), "--out figure1.pdf"),
    "no runs": (OUT, "Name the runs"),
    "no such run": (("runs/none", *OUT), "There is no directory runs/none"),
    "missing directory": ((*RUNS, "--out", "none/f.pdf"), "There is no directory none"),
    "unknown suffix": ((*RUNS, "--out", "f.bmp"), "choose pdf, svg, png, html, tex"),
    "two runs of one name": (("runs/hard", "runs/more/hard", *OUT), "Two runs have the same name"),
    "no suffix": ((*RUNS, "--out", "figure"), "choose pdf, svg"),
    "unknown format": ((*RUNS, *OUT, "--bundle", "b", "--format", "eps"), "not written as eps"),
    "a directory as file": ((*RUNS, "--out", "taken.pdf"), "taken.pdf is a directory"),
    "unknown venue": ((*RUNS, *OUT, "--venue", "wall"), "Unknown venue 'wall'"),
    "unknown width": ((*RUNS, *OUT, "--width", "wide"), "is not a width"),
    "no such font": ((*RUNS, *OUT, "--font", "none.ttf"), "There is no font none.ttf"),
    "a font that is none": ((*RUNS, *OUT, "--font", "runs/hard/run.json"), "cannot be read as a font"),
    "a width no page has": ((*RUNS, *OUT, "--width", "900in"), "900in"),
    "unknown layout": ((*RUNS, *OUT, "--layout", "circle"), "Layout is one of"),
    "unknown scale": ((*RUNS, *OUT, "--scale", "log"), "Scale is one of"),
    "unknown class": ((*RUNS, *OUT, "--classes", "cat", "dog", "shark"), "There is no class shark"),
    "class beyond the last": ((*RUNS, *OUT, "--classes", "1", "2", "10"), "There is no class 10"),
    "class twice": ((*RUNS, *OUT, "--classes", "cat", "dog", "cat"), "one was chosen twice"),
    "two classes": ((*RUNS, *OUT, "--classes", "cat", "dog"), "--classes"),
    "unknown mark": ((*RUNS, *OUT, "--show", "stars"), "nothing called stars"),
    "mark shown and hidden": ((*RUNS, *OUT, "--show", "means", "--hide", "means"), "choose one"),
    "unknown corner": ((*RUNS, *OUT, "--corner", "beauty"), "corner are a list"),
    "a corner twice": (
        (*RUNS, *OUT, "--corner", "rho", "--corner", "rho"),
        "ece, plane_share, off_plane, n, each once",
    ),
    "no examples": ((*RUNS, *OUT, "--per-class", "0"), "examples drawn a class are 1 to"),
    "negative seed": ((*RUNS, *OUT, "--seed", "-1"), "The seed"),
    "unknown split": ((*RUNS, *OUT, "--split", "dev"), "The splits are a list"),
    "split that is not there": ((*RUNS, *OUT, "--split", "test"), "No run has activations of test"),
    "no such recipe": (("--recipe", "none.yaml", *OUT), "There is no recipe none.yaml"),
    "a recipe and runs": ((*RUNS, "--recipe", "r.yaml", *OUT), "leave out runs"),
    "a recipe and a choice": (("--recipe", "r.yaml", "--per-class", "5", *OUT), "leave out per-class"),
    "a recipe and a mark": (("--recipe", "r.yaml", "--hide", "means", *OUT), "leave out hide"),
    "a recipe of another kind": (("--recipe", "taken.pdf/a.yaml", *OUT), "not a recipe"),
    "a row without classes": (("--row", "runs/hard runs/soft", *OUT), "is not a row"),
    "a row and runs": ((*RUNS, "--row", "runs/hard: cat dog ship", *OUT), "leave out the others"),
    "rows in a grid": (("--row", "runs/hard: cat dog ship", "--layout", "grid", *OUT), "layout figure1"),
    "one name for two files": ((*RUNS, "--out", "f.pdf", "--save-recipe", "f.pdf"), "one name"),
    "a bundle that is taken": ((*RUNS, "--bundle", "taken.pdf"), "not an empty directory"),
    "a name of the bundle's own": ((*RUNS, "--bundle", "b", "--out", "caption.tex"), "another name"),
    "a bundle that is a file": ((*RUNS, "--bundle", "runs/hard/run.json"), "is no bundle"),
}


def everything(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() if p.is_file() else b"" for p in place.rglob("*")}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(case: str, place: Path, penviz: Any) -> None:
    arguments, words = BAD[case]
    (place / "taken.pdf").mkdir()
    (place / "taken.pdf" / "a.yaml").write_text("name: build\n")
    make_run(place / "runs" / "more", "hard")
    before = everything(place)
    assert_refused(penviz("figure", *arguments), words)
    assert everything(place) == before


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_failure_while_writing_leaves_nothing(
    at: int,
    place: Path,
    penviz: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, put = everything(place), destination._put
    calls: list[Path] = []

    def full(path: Path, content: bytes, place: Path) -> None:
        calls.append(path)
        put(path, content[:10], place)
        if len(calls) == at + 1:
            raise OSError(28, "No space left on device", str(place))

    monkeypatch.setattr(destination, "_put", full)
    wanted = ("--out", "f.pdf", "--save-recipe", "r.yaml", "--bundle", "all")
    assert_refused(penviz("figure", *RUNS, *CLASSES, *wanted), "No space left")
    assert everything(place) == before


def test_an_old_figure_stays_when_the_new_one_fails(place: Path, penviz: Any) -> None:
    (place / "f.pdf").write_bytes(b"old")
    assert_refused(penviz("figure", *RUNS, "--classes", "cat", "dog", "shark", *OUT), "shark")
    assert (place / "f.pdf").read_bytes() == b"old"
    assert penviz("figure", *RUNS, *CLASSES, *OUT).status == 0
    assert (place / "f.pdf").read_bytes().startswith(b"%PDF-")


def test_the_paper_and_the_screen_draw_the_same_panels(place: Path) -> None:
    made = new_figure([place / run for run in RUNS], {"classes": ("cat", "dog", "ship")})
    (triple,) = made.triples
    assert [[(p.run, p.split) for p in row if p] for row in triple.grid] == [
        [("hard", "train"), ("hard", "validation")],
        [("soft", "train"), ("soft", "validation")],
    ]
    study = penviz_package.open_study([place / run for run in RUNS])
    on_screen = study.compare(["cat", "dog", "ship"]).panels
    assert all((a.xy == b.xy).all() for a, b in zip(triple.panels, on_screen, strict=True))


def test_two_classes_make_no_plane(place: Path, penviz: Any) -> None:
    make_adopted(place / "runs", "two", names=("cat", "dog"))
    for verb in (("figure", "runs/two", "--out", "f.svg"), ("measure", "runs/two")):
        assert_refused(penviz(*verb), "needs three classes, two has 2")


def test_names_that_are_numbers_go_before_rows(place: Path) -> None:
    """Folders may be called 1, 10, 2, 3: a word that is a name is never taken for a row."""
    names = ("1", "10", "2", "3", *"abcdef")
    for split in ("train", "validation"):
        path = place / "runs" / "hard" / f"activations-{split}.npz"
        replace(Activations.load(path), class_names=names).save(path)
    (triple,) = new_figure([place / "runs" / "hard"], {"classes": ["1", "2", "3"]}).triples
    assert triple.panels[0].class_indices == (0, 2, 3)
