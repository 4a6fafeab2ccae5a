"""Names that steer a terminal, reverse a line or begin a formula, through every way out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from google.protobuf.message import Message
from page_client import checked
from small_runs import make_filmed, make_run
from streamlit.testing.v1 import AppTest

from penviz import InputError
from penviz.store.activations import Activations
from penviz.store.captured_run import Statement
from penviz.store.class_lookup import rows_named
from penviz.store.csv_text import csv_text
from penviz.store.npz import write_npz
from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import list_runs, read_run
from penviz.store.safe_text import LONGEST_NAME, safe_name, safe_text
from penviz.store.shards import ShardedActivations
from penviz.store.snapshots import Snapshots, snapshots_path
from penviz.store.write_shards import shard
from penviz.training.class_names import read_class_names
from penviz.training.data_set import DataSet

if TYPE_CHECKING:
    from conftest import Verb

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07red", "nul\x00l", "two\nlines\r\u2028", "\u202egnp.tac\u202c",
    '=HYPERLINK("http://x.example","y")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\tSUM(1)",
    "\u2066iso\u2069",
)  # fmt: skip
RUN = "run\x1b[31m\u202e\n"
STEERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""No way out may hold one of these; a line break parts the lines of the output itself."""


def raw_run(root: Path, name: str, alpha: float = 0.0) -> Path:
    """A run whose files hold the names as they are, as penviz 0.1 and strangers write them."""
    directory = make_filmed(root, name, alpha)
    for path in directory.glob("*.npz"):
        with np.load(path) as stored:
            arrays = dict(stored)
        arrays["class_names"] = np.array(HOSTILE)
        arrays["meta"] = json.dumps(json.loads(str(arrays["meta"])) | {"run": RUN})
        write_npz(path, arrays)
    record = json.loads((directory / "run.json").read_text())
    record["class_names"] = list(HOSTILE)
    record["config"]["dataset"] = "data\x1b[31m"
    (directory / "run.json").write_text(json.dumps(record))
    return directory


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("hostile")
    return raw_run(root, RUN), raw_run(root, f"{RUN}2", 0.1)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_comes_out_as_one_inert_line(name: str) -> None:
    shown = safe_text(name)
    assert not STEERS.search(shown)
    assert "\n" not in shown
    assert safe_text(shown) == shown
    assert shown.encode().decode("unicode_escape") == name  # nothing is lost


LANGUAGES = (
    "Übung", "猫", "日本 語", "👩\u200d👩\u200d👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️", "قطة", "کتاب\u200cها",
    "שלום", "हिन्दी", "c:\\new", "n\u00a0m", "naïve — “x”",
)  # fmt: skip


@pytest.mark.parametrize("name", LANGUAGES)
def test_names_of_normal_languages_stay(name: str) -> None:
    assert safe_name(name) == name


def test_a_name_has_an_end() -> None:
    assert len(safe_name("x" * 10_000)) == LONGEST_NAME


def test_names_are_inert_wherever_they_come_in(runs: tuple[Path, Path], tmp_path: Path) -> None:
    wanted = tuple(map(safe_text, HOSTILE))
    run = read_run(runs[0])
    activations = Activations.load(runs[0] / "activations-train.npz")
    sharded = shard(activations, tmp_path / "activations-train")
    manifest = tmp_path / "activations-train" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"class_names": HOSTILE, "run": RUN}))
    sharded = ShardedActivations.open(tmp_path / "activations-train")
    snapshots = Snapshots.load(snapshots_path(runs[0], "train"))
    for names in (run.class_names, activations.class_names, sharded.class_names, snapshots.class_names):
        assert names == wanted
    assert DataSet("x", {}, HOSTILE).class_names == wanted
    for name in (run.name, activations.run, sharded.run, snapshots.run):
        assert not STEERS.search(name)
    assert not STEERS.search(json.dumps(run.record, ensure_ascii=False))
    (tmp_path / "names.txt").write_text("\x1b[31mred\n\u202eblue\n")
    assert read_class_names(str(tmp_path / "names.txt")) == ("\\x1b[31mred", "\\u202eblue")
    (make_run(tmp_path, "bad\x1bname") / "run.json").write_text("{")
    (damaged,) = list_runs(tmp_path)[1]
    assert not STEERS.search(damaged.name + damaged.advice)


def test_a_class_is_found_by_its_raw_and_its_shown_name() -> None:
    shown = tuple(map(safe_text, HOSTILE))
    assert [rows_named(name, shown) for name in HOSTILE] == [[k] for k in range(10)]
    assert [rows_named(name, shown) for name in shown] == [[k] for k in range(10)]


def test_a_run_is_not_begun_under_a_hostile_name() -> None:
    with pytest.raises(RunError, match="control characters"):
        RunConfig("data\x1b[31m", "resnet20")


def test_a_captured_run_has_a_name_that_can_be_shown() -> None:
    with pytest.raises(RunError, match="Give the run a name"):
        Statement(RUN)


def test_an_error_is_inert() -> None:
    assert str(InputError("There is no \x1b[31m\u202e.")) == "There is no \\x1b[31m\\u202e."


def test_a_spreadsheet_runs_no_cell() -> None:
    cells = [*HOSTILE, "＝1+1", "-0.5", "+3", "-inf", "1e5", "cat", -0.5, None]
    (row,) = csv.reader(io.StringIO(csv_text([[safe_text(c) if isinstance(c, str) else c for c in cells]])))
    for cell in row:
        if cell[:1] in tuple("=+-@\t\r＝＋－＠") and cell:
            float(cell)
    assert row[4] == f"'{HOSTILE[4]}"
    assert row[-7:] == ["-0.5", "+3", "-inf", "1e5", "cat", "-0.5", ""]


@pytest.mark.parametrize("verb", ["measure", "measure --json", "measure --find", "calibrate", "missing"])
def test_no_command_passes_a_hostile_name_to_the_terminal(
    verb: str, runs: tuple[Path, Path], penviz: Verb
) -> None:
    words = {
        "measure": ["measure", *runs],
        "measure --json": ["measure", *runs, "--json"],
        "measure --find": ["measure", runs[0], "--find", "most-confused"],
        "calibrate": ["calibrate", runs[0]],
        "missing": ["measure", "no\x1b[31m\u202erun"],
    }[verb]
    status, out, err = penviz(*words)
    assert status == (2 if verb == "missing" else 0), err
    assert not STEERS.search(out + err)
    assert "x1b" in out + err


def test_a_figure_of_hostile_names_is_drawn_and_inert(
    runs: tuple[Path, Path], tmp_path: Path, penviz: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, run in enumerate(runs):  # no recipe can name such a directory
        Path(f"plain{number}").symlink_to(run)
    figure = ["figure", "plain0", "plain1", "--classes", HOSTILE[0], HOSTILE[3], HOSTILE[4]]
    figure += ["--out", "f.pdf", "--bundle", "b", "--save-recipe", "r.yaml"]
    figure += [word for kind in ("svg", "html", "tex") for word in ("--format", kind)]
    status, _, said = penviz(*figure)
    assert status == 0, said
    endings = (".svg", ".tex", ".html", ".csv", ".txt", ".yaml")
    texts = [path for path in Path().rglob("*") if path.suffix in endings]
    assert {path.suffix for path in texts} == set(endings)
    for path in texts:
        text = path.read_text(encoding="utf-8")
        assert not STEERS.search(text[text.rindex("Plotly.newPlot") :] if path.suffix == ".html" else text), (
            path
        )
    for row in csv.reader(io.StringIO(Path("b/points.csv").read_text(encoding="utf-8"))):
        assert not any(cell.startswith(("=", "@", "+")) for cell in row)
    ElementTree.parse("b/f.svg")
    status, _, said = penviz("figure", "--recipe", "r.yaml", "--out", "again.pdf")
    assert status == 0, said
    assert Path("again.pdf").read_bytes() == Path("f.pdf").read_bytes()


def test_a_directory_that_no_recipe_can_name_is_refused_in_words(
    runs: tuple[Path, Path], tmp_path: Path, penviz: Verb
) -> None:
    status, out, err = penviz("figure", runs[0], "--out", tmp_path / "f.svg")
    assert status == 2
    assert "rename its directory" in err
    assert not STEERS.search(out + err)


def words_of(node: Any) -> Iterator[str]:
    """Every text that an element and those in it send to the browser."""
    for child in getattr(node, "children", {}).values():
        yield from words_of(child)
    if isinstance(message := getattr(node, "proto", None), Message):
        yield from texts_of(message)


def texts_of(message: Message) -> Iterator[str]:
    for _, value in message.ListFields():
        for one in [value] if isinstance(value, str | Message) else value if hasattr(value, "append") else []:
            if isinstance(one, Message):
                yield from texts_of(one)
            elif isinstance(one, str):
                yield one


PAGES = {
    "clusters": "clusters", "calibration": "calibration", "distillation": "distillation",
    "training_dynamics": "training", "sweep": "sweep",
}  # fmt: skip
"""Module of a page -> what its function shows."""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_hostile_names_inertly(
    page: str, runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENVIZ_RUNS", str(runs[0].parent))
    app = AppTest.from_string(
        f"from penviz.app.page.{page} import show_{PAGES[page]}\nshow_{PAGES[page]}()", default_timeout=60
    )
    checked(app.run())
    sent = "\n".join([*words_of(app.main), *words_of(app.sidebar)])
    assert "x1b" in sent
    assert not STEERS.search(sent)
