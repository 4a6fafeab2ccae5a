"""What version 0.1 wrote still opens: runs, activations in one file and in shards, recipes, links.

`tests/version_0_1` was written by version 0.1 on a data set of four classes; the weights are left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
import streamlit as st
import yaml
from page_client import html
from streamlit.testing.v1 import AppTest
from typer.main import get_command

from penviz.cli.main import application
from penviz.figures.open_study import open_study

if TYPE_CHECKING:
    from conftest import Verb

WRITTEN = Path(__file__).parent / "version_0_1"
ROOT = Path(__file__).parents[1]
PAGES = {
    "": "clusters.show_clusters",
    "calibration": "calibration.show_calibration",
    "distillation": "distillation.show_distillation",
    "over-training": "training_dynamics.show_training",
    "sweep": "sweep.show_sweep",
    "targets": "clusters.show_clusters",
    "triples": "clusters.show_clusters",
}
"""Address of 0.1 -> the page that has its parameters now; a browser test follows the addresses themselves."""
MENDED = ("ece_floor",)
"""Numbers that 0.1 approximated: the ECE expected of a calibrated network."""
LINKS = yaml.safe_load((WRITTEN / "links.yaml").read_text())


def printed(penviz: Verb, verb: str) -> Any:
    status, out, err = penviz(verb, WRITTEN / "hard", WRITTEN / "soft", "--json")
    assert not status, err
    return json.loads(out)


def same(now: dict[str, float | None], before: dict[str, float | None], what: str) -> None:
    assert now.keys() == before.keys(), what
    for name, value in before.items():
        assert (now[name] is None) == (value is None), f"{what}, {name}"
        assert value is None or now[name] == pytest.approx(value, rel=1e-9, abs=1e-9), f"{what}, {name}"


def test_every_verb_and_option_is_still_taken() -> None:
    now = {
        verb: {
            " ".join([*p.opts, *p.secondary_opts]) if p.param_type_name == "option" else f"<{p.name}>"
            for p in command.params
        }
        for verb, command in get_command(application()).commands.items()
    }
    before = yaml.safe_load((WRITTEN / "commands.yaml").read_text())
    assert sum(map(len, before.values())) == 196
    assert {verb: sorted(set(words) - now.get(verb, set())) for verb, words in before.items()} == {
        verb: [] for verb in before
    }


@pytest.mark.parametrize("name", ["hard", "soft", "sharded", "adopted"])
def test_a_run_opens(name: str) -> None:
    study = open_study([WRITTEN / name], classes=("ash", "birch", "cedar"))
    assert study.class_names == ("ash", "birch", "cedar", "dogwood")
    assert study.splits == ("train", "validation")
    assert study.compare(["ash", "birch", "cedar"]).finding.kind == "one"


def test_measure_prints_the_same_values(penviz: Verb) -> None:
    before = json.loads((WRITTEN / "measure.json").read_text())
    now = printed(penviz, "measure")
    assert now["classes"] == before["classes"]
    for key, runs in before["values"].items():
        for run, splits in runs.items():
            same(now["numbers"][key]["values"][run], splits, f"{key} of {run}")


def test_calibrate_prints_the_same_values(penviz: Verb) -> None:
    before = json.loads((WRITTEN / "calibrate.json").read_text())
    now = printed(penviz, "calibrate")
    for key, parts in before["values"].items():
        for at, values in parts.items() if key not in MENDED else ():
            same(now["numbers"][key][at]["values"], values, f"{key}, {at}")


@pytest.mark.parametrize("name", ["plane", "chart", "film"])
def test_a_recipe_makes_a_figure(name: str, penviz: Verb, tmp_path: Path) -> None:
    out = tmp_path / "figure.svg"
    words = ("--recipe", WRITTEN / f"{name}.yaml", "--runs-dir", WRITTEN, "--out", out)
    assert not penviz("figure", *words).status
    assert out.read_text().count("<svg") == 1


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link['page'] or 'grid'}?{link['query'][:40]}")
def test_a_link_opens(link: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_resource.clear()
    monkeypatch.setenv("PENVIZ_RUNS", str(ROOT / "checkpoints"))
    module, function = PAGES[link["page"]].split(".")
    app = AppTest.from_string(
        "import streamlit as st\n"
        "from penviz.app.page.clusters import show_clusters\n"
        f"from penviz.app.page.{module} import {function}\n"
        "st.navigation([st.Page(show_clusters, default=True)], position='hidden')\n"
        f"{function}()\n",
        default_timeout=60,
    )
    opens = {"targets": ["open"]} if link["page"] == "targets" else {}
    for key, values in (parse_qs(link["query"]) | opens).items():
        app.query_params[key] = values
    app.run()
    assert not app.exception, app.exception[0].value
    shown = "\n".join([html(app), *(chart.proto.spec for chart in app.get("plotly_chart"))])
    assert [word for word in link["shows"] if word not in shown] == []
